"""Precedence of operators: the parser's flat lists `a + b * c` to trees, by a table per dialect, without recursion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from lark import Token

from ..ir.diagnostics import CompileError
from ..ir.source import Span
from .ast import BinaryOp, BoolOp, Compare, Expr, Literal_, UnaryOp, Unsupported
from .layout import Parsing

_COMPARISONS: Final = ("==", "!=", "<", "<=", ">", ">=", "in", "not in", "is", "is not")


def _levels(*levels: tuple[str, ...]) -> dict[str, int]:
    return {name: level for level, names in enumerate(levels, 1) for name in names}


@dataclass(frozen=True)
class Dialect:
    """How tightly operators bind, loosest first; `-`, `not` ... as prefixes are spelled with an `x`."""

    precedence: dict[str, int]
    chains: bool
    """`a < b < c` means `a < b and b < c`; else `(a < b) < c`."""
    folds_minus: bool
    """`-1` is a literal."""


DIALECTS: Final = {
    "python": Dialect(
        _levels(
            ("or",), ("and",), ("not x",), _COMPARISONS, ("|",), ("^",), ("&",), ("<<", ">>"), ("+", "-"),
            ("*", "@", "/", "//", "%"), ("-x", "+x", "~x"), ("**",), ("await x",),
        ),
        chains=True, folds_minus=False,
    ),
    "archive": Dialect(
        _levels(
            ("or", "and"), ("not x",), _COMPARISONS, ("|",), ("^",), ("&",), ("<<", ">>"), ("+", "-"),
            ("*", "@", "/", "//", "%"), ("-x", "+x", "~x"), ("**",), ("await x",),
        ),
        chains=False, folds_minus=True,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class _Pending:
    """An operator that waits for its right operand."""

    name: str
    level: int
    prefix: bool
    span: Span


class _Climber:
    """Operator precedence parsing with two stacks."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.operands: list[Expr] = []
        self.pending: list[_Pending] = []
        self.open: set[int] = set()  # chains made here, so not closed by parentheses

    def prefix(self, name: str, span: Span) -> None:
        level = self.dialect.precedence[name]
        outer = self.pending[-1] if self.pending else None
        if name == "not x" and outer is not None and outer.level > level:
            raise CompileError.at(
                span,
                f"`not` cannot follow `{outer.name.removesuffix(' x').removesuffix('x')}`",
                help="put `not ...` in parentheses",
            )
        self.pending.append(_Pending(name, level, True, span))

    def infix(self, name: str, span: Span) -> None:
        level = self.dialect.precedence[name]
        while self.pending and (self.pending[-1].level > level or (self.pending[-1].level == level and name != "**")):
            self.reduce()
        self.pending.append(_Pending(name, level, False, span))

    def finish(self) -> Expr:
        while self.pending:
            self.reduce()
        return self.operands.pop()

    def reduce(self) -> None:
        operator = self.pending.pop()
        right = self.operands.pop()
        if operator.prefix:
            self.operands.append(self._unary(operator, right))
        else:
            self.operands.append(self._binary(operator.name, self.operands.pop(), right))

    def _unary(self, operator: _Pending, operand: Expr) -> Expr:
        span = operator.span.to(operand.span)
        name: Any = operator.name.split()[0].removesuffix("x")
        if name == "await":
            return Unsupported(span, "`await` expressions")
        if (
            self.dialect.folds_minus and name == "-" and isinstance(operand, Literal_)
            and isinstance(operand.value, int | float | complex) and not isinstance(operand.value, bool)
        ):  # fmt: skip
            return Literal_(span, -operand.value)
        return UnaryOp(span, name, operand)

    def _binary(self, name: Any, left: Expr, right: Expr) -> Expr:
        span = left.span.to(right.span)
        if name in ("and", "or"):
            if isinstance(left, BoolOp) and id(left) in self.open and left.op == name:
                left.values.append(right)
                left.span = span
                return left
            return self._opened(BoolOp(span, name, [left, right]))
        if name in _COMPARISONS:
            if self.dialect.chains and isinstance(left, Compare) and id(left) in self.open:
                left.ops.append(name)
                left.operands.append(right)
                left.span = span
                return left
            return self._opened(Compare(span, [name], [left, right]))
        return BinaryOp(span, name, left, right)

    def _opened(self, node: Expr) -> Expr:
        self.open.add(id(node))
        return node


def build_operators(items: Sequence[Token | Expr], parsing: Parsing) -> Expr:
    """The tree of `operand infix operand ...` with prefixes anywhere before an operand."""
    climber = _Climber(DIALECTS[parsing.dialect])
    expects_operand = True
    i = 0
    while i < len(items):
        item = items[i]
        i += 1
        if not isinstance(item, Token):
            climber.operands.append(item)
            expects_operand = False
            continue
        span = parsing.token_span(item)
        if expects_operand:
            climber.prefix({"not": "not x", "await": "await x"}.get(item.value, f"{item}x"), span)
            continue
        name = str(item)
        following = items[i] if i < len(items) else None
        if isinstance(following, Token) and (name, following.value) in (("is", "not"), ("not", "in")):
            name = f"{name} {following}"
            i += 1
        climber.infix(name, span)
        expects_operand = True
    return climber.finish()
