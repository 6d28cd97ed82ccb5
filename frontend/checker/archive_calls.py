"""Functions that only the code of archives knows: `annotate`, `unchecked_cast`, `uninitialized`, `C.__new__`, raising."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ...ir.core import Value
from ...ir.script_types import STR, ClassType, ListType, OptionalType, PoisonType, ScriptType
from ...ir.subtyping import is_subtype
from .. import ast
from ..values import ClassValue
from .meanings import Host, Meaning
from .state import script_type

if TYPE_CHECKING:
    from .calls import Calls

_Builtin = Callable[["Calls", ast.Call, ScriptType | None], Meaning]


def _type_and_value(calls: Calls, node: ast.Call, name: str) -> tuple[ScriptType, ast.Expr]:
    if len(node.args) != 2 or node.keywords:
        raise calls.fault(node.span, f"{name} takes a type and a value")
    return calls.unit.annotations.read(node.args[0], calls.scope), node.args[1]


def _annotate(calls: Calls, node: ast.Call, hint: ScriptType | None) -> Value:
    """A value under a wider type; tensors become numbers, which the source did not spell out."""
    del hint
    type_, argument = _type_and_value(calls, node, "annotate")
    value = calls.value(argument, type_)
    if isinstance(value.type, PoisonType) or (value in calls.empty_lists and isinstance(type_, ListType)):
        return calls.declared(value, type_, argument.span, "annotated")
    converted = calls.to_type(value, type_, argument.span)
    return calls.declared(value if converted is None else converted, type_, argument.span, "annotated")


def _unchecked_cast(calls: Calls, node: ast.Call, hint: ScriptType | None) -> Value:
    """A value under a type that a condition has told."""
    del hint
    type_, argument = _type_and_value(calls, node, "unchecked_cast")
    value = calls.value(argument)
    if value.type == type_ or isinstance(value.type, PoisonType):
        return value
    found = script_type(value)
    held = found.element if isinstance(found, OptionalType) else found  # an interface may be told of an optional object of a class
    if not is_subtype(type_, found) and not is_subtype(held, type_):
        raise calls.fault(node.span, f"a value of type {found.annotation} cannot be cast to {type_.annotation}")
    return calls.one("prim::unchecked_cast", (value,), type_, span=node.span)


def _uninitialized(calls: Calls, node: ast.Call, hint: ScriptType | None) -> Value:
    del hint
    type_ = calls.unit.annotations.read(calls.one_argument(node, "uninitialized"), calls.scope)
    return calls.one("prim::Uninitialized", (), type_, span=node.span)


def _new(calls: Calls, node: ast.Call, hint: ScriptType | None) -> Value:
    """`C.__new__(C)`: an object without attributes; `__init__` sets them."""
    del hint
    argument = calls.one_argument(node, "__new__")
    match calls.meaning(argument):
        case Host(value=ClassValue() as cls):
            type_ = calls.unit.annotations.class_type(cls, argument.span)
        case _:
            raise calls.fault(argument.span, "`__new__` takes a class")
    if not isinstance(type_, ClassType) or type_.is_module:
        raise calls.fault(argument.span, f"objects of `{cls.name}` cannot be made in compiled code")
    return calls.one("prim::CreateObject", (), type_, span=node.span)


def _raise(calls: Calls, node: ast.Call, hint: ScriptType | None) -> Value:
    del hint
    positional, keywords, _ = calls.arguments(node)
    if keywords or not 1 <= len(positional) <= 2 or any(v.type != STR for v in positional):
        raise calls.fault(node.span, "RaiseException takes a message and the name of a class")
    none = calls.constant(None, node.span)
    operands = (positional[0], positional[1] if len(positional) == 2 else none)
    calls.emit("prim::RaiseException", operands, span=node.span)
    return none


ARCHIVE_BUILTINS: Final[dict[str, _Builtin]] = {
    "archive.annotate": _annotate,
    "archive.unchecked_cast": _unchecked_cast,
    "archive.uninitialized": _uninitialized,
    "archive.new": _new,
    "archive.raise": _raise,
}
