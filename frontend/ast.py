"""The syntax tree of a TorchScript file: what the grammar yields, and, once checked, every expression with its type.

Parsing fills everything but `type`; the checker sets `type` of every expression of a function that is compiled.
Bodies of functions that are not compiled (`__init__`, helpers of the module evaluator) stay untyped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..ir.script_types import ScriptType
from ..ir.source import SourceFile, Span


@dataclass(eq=False)
class Node:
    span: Span


# expressions


@dataclass(eq=False)
class Expr(Node):
    type: ScriptType | None = field(default=None, init=False)
    """Set by the checker."""


@dataclass(eq=False)
class Name(Expr):
    id: str


@dataclass(eq=False)
class Literal_(Expr):
    """int, float, complex, str, bool or None; adjacent strings joined, escapes resolved."""

    value: int | float | complex | str | bool | None


@dataclass(eq=False)
class EllipsisLiteral(Expr):
    pass


@dataclass(eq=False)
class FString(Expr):
    """`f"a{x}b"`: literal text and expressions in turn; `{x!r}` and `{x:fmt}` are a FormattedValue."""

    parts: list[str | Expr]


@dataclass(eq=False)
class FormattedValue(Expr):
    """`{value!conversion:format}` inside an FString, only where there is a conversion or a format (not TorchScript)."""

    value: Expr
    conversion: Literal["r", "s", "a"] | None
    format: FString | None


@dataclass(eq=False)
class Attribute(Expr):
    value: Expr
    name: str
    name_span: Span


@dataclass(eq=False)
class Slice(Node):
    lower: Expr | None
    upper: Expr | None
    step: Expr | None


@dataclass(eq=False)
class Subscript(Expr):
    """`value[i, a:b, None, ...]`; `indices` has one entry per comma-separated part; `tuple` if there was a comma."""

    value: Expr
    indices: list[Expr | Slice]
    tuple: bool


@dataclass(eq=False)
class Starred(Expr):
    value: Expr


@dataclass(eq=False)
class Keyword(Node):
    """`name=value`; `name` None for `**value`."""

    name: str | None
    value: Expr


@dataclass(eq=False)
class Call(Expr):
    func: Expr
    args: list[Expr]
    keywords: list[Keyword]


UnaryOperator = Literal["-", "+", "~", "not"]
BinaryOperator = Literal["+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "^", "<<", ">>"]
ComparisonOperator = Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in", "is", "is not"]


@dataclass(eq=False)
class UnaryOp(Expr):
    op: UnaryOperator
    operand: Expr


@dataclass(eq=False)
class BinaryOp(Expr):
    op: BinaryOperator
    left: Expr
    right: Expr


@dataclass(eq=False)
class BoolOp(Expr):
    """`a and b and c`: two or more values."""

    op: Literal["and", "or"]
    values: list[Expr]


@dataclass(eq=False)
class Compare(Expr):
    """`a < b <= c`: `ops[i]` stands between `operands[i]` and `operands[i + 1]`."""

    ops: list[ComparisonOperator]
    operands: list[Expr]


@dataclass(eq=False)
class IfExp(Expr):
    test: Expr
    body: Expr
    orelse: Expr


@dataclass(eq=False)
class ListExpr(Expr):
    elements: list[Expr]


@dataclass(eq=False)
class TupleExpr(Expr):
    elements: list[Expr]


@dataclass(eq=False)
class DictExpr(Expr):
    """A key is None for `**value`."""

    keys: list[Expr | None]
    values: list[Expr]


@dataclass(eq=False)
class SetExpr(Expr):
    elements: list[Expr]


@dataclass(eq=False)
class Comprehension(Node):
    target: Expr
    iterable: Expr
    conditions: list[Expr]


@dataclass(eq=False)
class ListComp(Expr):
    """`[element for ...]`, or a generator expression (`kind` says which)."""

    element: Expr
    generators: list[Comprehension]
    kind: Literal["list", "generator", "set"] = "list"


@dataclass(eq=False)
class DictComp(Expr):
    key: Expr
    value: Expr
    generators: list[Comprehension]


@dataclass(eq=False)
class Lambda(Expr):
    params: list[Param]
    body: Expr


@dataclass(eq=False)
class Unsupported(Expr):
    """Python syntax that the grammar knows only in order to refuse it well (`yield`, `await`, `:=`, `b""`).

    `what` is a plural that begins a sentence: "assignment expressions (`:=`)" are not supported.
    """

    what: str
    name: str = ""
    """What `name := value` would set."""


# statements


@dataclass(eq=False)
class Stmt(Node):
    pass


@dataclass(eq=False)
class ExprStmt(Stmt):
    value: Expr


@dataclass(eq=False)
class Assign(Stmt):
    """`a = b, c = value`: one or more targets."""

    targets: list[Expr]
    value: Expr


@dataclass(eq=False)
class AnnAssign(Stmt):
    target: Expr
    annotation: Expr
    value: Expr | None


@dataclass(eq=False)
class AugAssign(Stmt):
    target: Expr
    op: BinaryOperator
    value: Expr


@dataclass(eq=False)
class Return(Stmt):
    value: Expr | None


@dataclass(eq=False)
class If(Stmt):
    """`elif` is an If as the only statement of `orelse`."""

    test: Expr
    body: list[Stmt]
    orelse: list[Stmt]


@dataclass(eq=False)
class For(Stmt):
    target: Expr
    iterable: Expr
    body: list[Stmt]
    orelse: list[Stmt]


@dataclass(eq=False)
class While(Stmt):
    test: Expr
    body: list[Stmt]
    orelse: list[Stmt]


@dataclass(eq=False)
class Break(Stmt):
    pass


@dataclass(eq=False)
class Continue(Stmt):
    pass


@dataclass(eq=False)
class Pass(Stmt):
    pass


@dataclass(eq=False)
class Assert(Stmt):
    test: Expr
    message: Expr | None


@dataclass(eq=False)
class Raise(Stmt):
    exception: Expr | None
    cause: Expr | None


@dataclass(eq=False)
class Delete(Stmt):
    targets: list[Expr]


@dataclass(eq=False)
class WithItem(Node):
    context: Expr
    target: Expr | None


@dataclass(eq=False)
class With(Stmt):
    items: list[WithItem]
    body: list[Stmt]


@dataclass(eq=False)
class UnsupportedStmt(Stmt):
    """A Python statement that TorchScript has not (`try`, `global`, `async def`, `match` ...).

    `what` is a plural that begins a sentence: "`try` blocks" are not supported. `span` covers its first line only;
    `body` holds the statements inside, for who needs the names that they bind.
    """

    what: str
    body: list[Stmt] = field(default_factory=list[Stmt])


@dataclass(eq=False)
class Alias(Node):
    name: str
    asname: str | None


@dataclass(eq=False)
class Import(Stmt):
    """`import a.b as c` (module None) or `from module import a as b` (`level` leading dots)."""

    module: str | None
    names: list[Alias]
    level: int = 0


@dataclass(eq=False)
class Param(Node):
    """`kind`: "positional_only" before `/`, "keyword_only" after `*`, "varargs" `*a`, "kwargs" `**k`, else "normal"."""

    name: str
    annotation: Expr | None
    default: Expr | None
    kind: Literal["normal", "positional_only", "keyword_only", "varargs", "kwargs"] = "normal"


@dataclass(eq=False)
class FunctionDef(Stmt):
    """`type_comment`: the text of a `# type: (...) -> ...` comment above the first statement, without the `# type:`.

    `# type: T` comments beside single parameters are put into it. `parser.signature_comment` takes it apart.
    """

    name: str
    name_span: Span
    params: list[Param]
    returns: Expr | None
    body: list[Stmt]
    decorators: list[Expr]
    type_comment: str | None = None


@dataclass(eq=False)
class ClassDef(Stmt):
    name: str
    name_span: Span
    bases: list[Expr]
    keywords: list[Keyword]
    body: list[Stmt]
    decorators: list[Expr]


@dataclass(eq=False)
class SourceModule(Node):
    """A whole file."""

    file: SourceFile
    body: list[Stmt]
