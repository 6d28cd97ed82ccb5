"""Script classes: their special methods, and the methods that `@dataclass` writes.

An object is made by `prim::CreateObject` and a call of `__init__`, whose assignments to `self.x` are what gives the class
its attributes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ...ir.source import SourceFile, Span
from .. import ast
from ..parser import parse
from ..values import MISSING, BuiltinRef, ClassValue, FunctionValue, Partial, Scope

SPECIAL_METHODS: Final[dict[str, str]] = {
    "aten::add": "__add__",
    "aten::sub": "__sub__",
    "aten::mul": "__mul__",
    "aten::div": "__truediv__",
    "aten::floordiv": "__floordiv__",
    "aten::remainder": "__mod__",
    "aten::fmod": "__mod__",
    "aten::pow": "__pow__",
    "aten::matmul": "__matmul__",
    "aten::__and__": "__and__",
    "aten::__or__": "__or__",
    "aten::__xor__": "__xor__",
    "aten::__lshift__": "__lshift__",
    "aten::__rshift__": "__rshift__",
    "aten::eq": "__eq__",
    "aten::ne": "__ne__",
    "aten::lt": "__lt__",
    "aten::le": "__le__",
    "aten::gt": "__gt__",
    "aten::ge": "__ge__",
    "aten::neg": "__neg__",
    "aten::bitwise_not": "__invert__",
    "aten::len": "__len__",
    "aten::__getitem__": "__getitem__",
    "aten::_set_item": "__setitem__",
    "aten::Delete": "__delitem__",
    "aten::__contains__": "__contains__",
    "aten::Int": "__int__",
    "aten::Float": "__float__",
    "aten::str": "__str__",
    "prim::abs": "__abs__",
}
"""What an operator means on an object: a method of the first operand."""

DATACLASS: Final = "dataclasses.dataclass"
_COMPARISONS: Final[dict[str, ast.ComparisonOperator]] = {"__lt__": "<", "__le__": "<=", "__gt__": ">", "__ge__": ">="}
_SKIPPED: Final = frozenset({"__repr__", "__post_init_post_parse__"})


def methods(cls: ClassValue) -> dict[str, FunctionValue]:
    """All methods of the class that are compiled, those of `@dataclass` included."""
    if DATACLASS in cls.decorators:
        _complete_dataclass(cls)
    return {n: m for n, m in cls.members.items() if isinstance(m, FunctionValue) and n not in _SKIPPED}


def _complete_dataclass(cls: ClassValue) -> None:
    """Adds what the decorator writes and the class does not define itself."""
    if cls.definition is None:
        return
    span = cls.definition.name_span
    options = _options(cls.definition)
    wanted = [_init(cls, span)]
    if options.get("eq", True):
        wanted.append(_equality(cls, span))
    if options.get("order", False):
        wanted += [_comparison(cls, span, name, op) for name, op in _COMPARISONS.items()]
    for definition in wanted:
        if cls.members.get(definition.name, MISSING) is MISSING:
            qualified = f"{cls.qualified}.{definition.name}"
            cls.members[definition.name] = FunctionValue(definition, cls.scope, qualified, cls)


def _options(definition: ast.ClassDef) -> dict[str, bool]:
    calls = [d for d in definition.decorators if isinstance(d, ast.Call)]
    return {
        k.name: k.value.value is True
        for call in calls
        for k in call.keywords
        if k.name is not None and isinstance(k.value, ast.Literal_)
    }


def _name(span: Span, name: str) -> ast.Name:
    return ast.Name(span, name)


def _field(span: Span, owner: str, name: str) -> ast.Attribute:
    return ast.Attribute(span, _name(span, owner), name, span)


def _method(span: Span, name: str, params: list[ast.Param], returns: ast.Expr, body: list[ast.Stmt]) -> ast.FunctionDef:
    return ast.FunctionDef(span, name, span, [ast.Param(span, "self", None, None), *params], returns, body, [])


@dataclass(frozen=True)
class _Field:
    name: str
    annotation: ast.Expr
    is_kept: bool
    """Whether it is an attribute: not an `InitVar`."""
    options: dict[str, bool]

    @property
    def is_compared(self) -> bool:
        return self.is_kept and self.options.get("compare", True)

    @property
    def is_optional(self) -> bool:
        match self.annotation:
            case ast.Subscript(value=ast.Name(id="Optional") | ast.Attribute(attr="Optional")):
                return True
            case ast.Subscript(value=ast.Name(id="Union") | ast.Attribute(attr="Union"), indices=indices):
                return any(map(_is_none, indices))
            case ast.BinaryOp(op="|", left=left, right=right):
                return _is_none(left) or _is_none(right)
            case _:
                return False


def _is_none(node: object) -> bool:
    return isinstance(node, ast.Literal_) and node.value is None


def _fields(cls: ClassValue) -> list[_Field]:
    found: list[_Field] = []
    for name, annotation in cls.annotations.items():
        options = {}
        value = _written(cls, name)
        if isinstance(cls.members.get(name), Partial) and isinstance(value, ast.Call):
            options = {k.name: k.value.value is True for k in value.keywords if k.name and isinstance(k.value, ast.Literal_)}
        match annotation:
            case ast.Subscript(value=ast.Name(id="InitVar") | ast.Attribute(attr="InitVar"), indices=[ast.Expr() as given]):
                found.append(_Field(name, given, False, options))
            case _:
                found.append(_Field(name, annotation, True, options))
    return found


def _init(cls: ClassValue, span: Span) -> ast.FunctionDef:
    """`def __init__(self, x: int, y: int = 3): self.x = x; ...`, and `__post_init__` if there is one."""
    fields = [f for f in _fields(cls) if f.options.get("init", True)]
    params = [ast.Param(span, f.name, f.annotation, _default(cls, f.name)) for f in fields]
    body: list[ast.Stmt] = [
        ast.Assign(span, [_field(span, "self", f.name)], _name(span, f.name)) for f in fields if f.is_kept
    ]
    if isinstance(cls.members.get("__post_init__"), FunctionValue):
        given: list[ast.Expr] = [_name(span, f.name) for f in fields if not f.is_kept]
        body.append(ast.ExprStmt(span, ast.Call(span, _field(span, "self", "__post_init__"), given, [])))
    return _method(span, "__init__", params, ast.Literal_(span, None), body or [ast.Pass(span)])


def _default(cls: ClassValue, name: str) -> ast.Expr | None:
    """The expression of a field's default, as it stands in the class."""
    value = cls.members.get(name, MISSING)
    if value is MISSING:
        return None
    found = _written(cls, name)
    if isinstance(value, Partial) and value.function == BuiltinRef("dataclasses.field"):
        given = {k.name: k.value for k in found.keywords} if isinstance(found, ast.Call) else {}
        return given.get("default") or given.get("default_factory")  # the latter is refused as a default
    return found


def _written(cls: ClassValue, name: str) -> ast.Expr | None:
    """What stands behind the `=` of a field."""
    statements = cls.definition.body if cls.definition is not None else []
    fields = (s for s in statements if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name) and s.target.id == name)
    return next((s.value for s in fields), None)


def _other(cls: ClassValue, span: Span) -> ast.Param:
    return ast.Param(span, "other", _name(span, cls.name), None)


def _equality(cls: ClassValue, span: Span) -> ast.FunctionDef:
    """False for the first field in which the two differ."""

    def decide(sides: list[ast.Expr]) -> list[ast.Stmt]:
        return [ast.If(span, ast.Compare(span, ["!="], sides), [_answer(span, False)], [])]

    return _by_fields(cls, span, "__eq__", decide, [_answer(span, False)], equal=True)


def _comparison(cls: ClassValue, span: Span, name: str, op: ast.ComparisonOperator) -> ast.FunctionDef:
    """The first field in which the two differ decides."""
    strict: ast.ComparisonOperator = "<" if op in ("<", "<=") else ">"

    def decide(sides: list[ast.Expr]) -> list[ast.Stmt]:
        after = ast.If(span, ast.Compare(span, [strict], sides[::-1]), [_answer(span, False)], [])
        return [ast.If(span, ast.Compare(span, [strict], sides), [_answer(span, True)], [after])]

    text = ast.Literal_(span, f"Cannot compare {cls.name} with None")
    refuse = ast.Raise(span, ast.Call(span, _name(span, "TypeError"), [text], []), None)
    return _by_fields(cls, span, name, decide, [refuse], equal=op in ("<=", ">="))


def _answer(span: Span, value: bool) -> ast.Return:
    return ast.Return(span, ast.Literal_(span, value))


def _by_fields(
    cls: ClassValue,
    span: Span,
    name: str,
    decide: Callable[[list[ast.Expr]], list[ast.Stmt]],
    one_is_none: list[ast.Stmt],
    *,
    equal: bool,
) -> ast.FunctionDef:
    """Field by field as `decide` says; `one_is_none` where one of two optional values is there and the other is not."""
    body: list[ast.Stmt] = []
    for f in (f for f in _fields(cls) if f.is_compared):
        names = (f"_own_{f.name}", f"_other_{f.name}")
        body += [ast.Assign(span, [_name(span, n)], _field(span, o, f.name)) for n, o in zip(names, ("self", "other"), strict=True)]
        decided = decide([_name(span, n) for n in names])
        if f.is_optional:
            there: list[ast.Expr] = [ast.Compare(span, ["is not"], [_name(span, n), ast.Literal_(span, None)]) for n in names]
            differ = ast.If(span, ast.Compare(span, ["!="], list(there)), one_is_none, [])
            decided = [ast.If(span, ast.BoolOp(span, "and", there), decided, [differ])]
        body += decided
    return _method(span, name, [_other(cls, span)], _name(span, "bool"), [*body, _answer(span, equal)])


_SORT: Final = """\
def sort_objects(l: List[T], reverse: bool) -> None:
    width = 1
    while width < len(l):
        merged: List[T] = []
        for start in range(0, len(l), 2 * width):
            i, j = start, min(start + width, len(l))
            middle, end = j, min(start + 2 * width, len(l))
            while i < middle or j < end:
                second = i >= middle
                if not second and j < end:
                    second = l[i] < l[j] if reverse else l[j] < l[i]
                if second:
                    merged.append(l[j])
                    j += 1
                else:
                    merged.append(l[i])
                    i += 1
        for i, x in enumerate(merged):
            l[i] = x
        width *= 2
"""


def sorting_function(cls: ClassValue) -> FunctionValue:
    """`sort_objects(l, reverse)`: a merge sort by the `__lt__` of the class."""
    (definition,) = parse(SourceFile(f"<sort of {cls.name}>", _SORT)).body
    assert isinstance(definition, ast.FunctionDef)
    scope = Scope("", {"T": cls, "List": BuiltinRef("typing.List")})
    return FunctionValue(definition, scope, f"{cls.qualified.removeprefix('__torch__.')}.sort_objects")
