"""Script classes: their special methods, and the methods that `@dataclass` writes.

An object is made by `prim::CreateObject` and a call of `__init__`, whose assignments to `self.x` are what gives the class
its attributes.
"""

from __future__ import annotations

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
    "aten::hash": "__hash__",
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


def _init(cls: ClassValue, span: Span) -> ast.FunctionDef:
    """`def __init__(self, x: int, y: int = 3): self.x = x; ...`, and `__post_init__` if there is one."""
    params = [ast.Param(span, n, a, _default(cls, n)) for n, a in cls.annotations.items()]
    body: list[ast.Stmt] = [
        ast.Assign(span, [_field(span, "self", name)], _name(span, name)) for name in cls.annotations
    ]
    if isinstance(cls.members.get("__post_init__"), FunctionValue):
        body.append(ast.ExprStmt(span, ast.Call(span, _field(span, "self", "__post_init__"), [], [])))
    return _method(span, "__init__", params, ast.Literal_(span, None), body or [ast.Pass(span)])


def _default(cls: ClassValue, name: str) -> ast.Expr | None:
    """The expression of a field's default, as it stands in the class."""
    value = cls.members.get(name, MISSING)
    if value is MISSING or cls.definition is None:
        return None
    found = next(
        (
            s.value
            for s in cls.definition.body
            if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name) and s.target.id == name
        ),
        None,
    )
    if isinstance(value, Partial) and value.function == BuiltinRef("dataclasses.field"):
        given = {k.name: k.value for k in found.keywords} if isinstance(found, ast.Call) else {}
        return given.get("default") or given.get("default_factory")  # the latter is refused as a default
    return found


def _equality(cls: ClassValue, span: Span) -> ast.FunctionDef:
    parts: list[ast.Expr] = [
        ast.Compare(span, ["=="], [_field(span, "self", n), _field(span, "other", n)]) for n in cls.annotations
    ]
    result = ast.BoolOp(span, "and", parts) if len(parts) > 1 else parts[0] if parts else ast.Literal_(span, True)
    return _method(span, "__eq__", [_other(cls, span)], _name(span, "bool"), [ast.Return(span, result)])


def _other(cls: ClassValue, span: Span) -> ast.Param:
    return ast.Param(span, "other", _name(span, cls.name), None)


def _comparison(cls: ClassValue, span: Span, name: str, op: ast.ComparisonOperator) -> ast.FunctionDef:
    """The first field in which the two differ decides."""
    body: list[ast.Stmt] = []
    for field in cls.annotations:
        sides: list[ast.Expr] = [_field(span, "self", field), _field(span, "other", field)]
        strict: ast.ComparisonOperator = "<" if op in ("<", "<=") else ">"
        decided = ast.Return(span, ast.Compare(span, [strict], list(sides)))
        body.append(ast.If(span, ast.Compare(span, ["!="], list(sides)), [decided], []))
    body.append(ast.Return(span, ast.Literal_(span, op in ("<=", ">="))))
    return _method(span, name, [_other(cls, span)], _name(span, "bool"), body)


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
