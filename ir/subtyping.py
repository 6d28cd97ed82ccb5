"""The subtype relation of TorchScript's types, their unification, and type variables of signatures.

Containers are invariant, tuples covariant; `T <: Optional[T] <: Any`; int, float and complex are Scalars, bool is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from .script_types import (
    NONE,
    NUMBER,
    POISON,
    AnyListType,
    AnyTupleType,
    AnyType,
    BoolType,
    ClassType,
    ComplexType,
    DeviceType,
    DictType,
    EnumType,
    FloatType,
    FutureType,
    GeneratorType,
    InterfaceType,
    IntType,
    ListType,
    NoneType,
    NumberType,
    OpaqueType,
    OptionalType,
    PoisonType,
    ScriptType,
    StrType,
    TensorType,
    TupleType,
    TypeVariable,
    UnionType,
)

_UNION_ORDER: Final[tuple[type[ScriptType], ...]] = (
    AnyType,
    TensorType,
    TupleType,
    ListType,
    DictType,
    NumberType,
    FloatType,
    ComplexType,
    FutureType,
    IntType,
    NoneType,
    StrType,
    GeneratorType,
    BoolType,
    OptionalType,
    DeviceType,
    ClassType,
)
"""PyTorch's own order of union members, visible in printed types."""


def is_subtype(sub: ScriptType, sup: ScriptType) -> bool:
    """Whether a value of type `sub` may stand where `sup` is expected, without a conversion."""
    if sub is sup or sub == sup or POISON in (sub, sup):
        return True
    match sub, sup:
        case UnionType(), AnyListType() | AnyTupleType():
            return all(is_subtype(m, sup) for m in sub.members)
        case _, AnyListType():
            return isinstance(sub, ListType)
        case _, AnyTupleType():
            return isinstance(sub, TupleType)
        case _, AnyType():
            return True
        case OptionalType(), OptionalType():
            return is_subtype(sub.element, sup.element)
        case OptionalType(), UnionType():
            return is_subtype(NONE, sup) and is_subtype(sub.element, sup)
        case UnionType(), _:
            return all(is_subtype(m, sup) for m in sub.members)
        case _, OptionalType():
            return isinstance(sub, NoneType) or is_subtype(sub, sup.element)
        case _, UnionType():
            return any(is_subtype(sub, m) for m in sup.members)
        case ((IntType() | FloatType() | ComplexType()), NumberType()):
            return True
        case TensorType(), TensorType():
            return sup.dtype in (None, sub.dtype) and sup.shape in (None, sub.shape)
        case TupleType(), TupleType():
            return len(sub.elements) == len(sup.elements) and all(map(is_subtype, sub.elements, sup.elements))
        case ListType(), ListType():
            return _same(sub.element, sup.element)
        case DictType(), DictType():
            return _same(sub.key, sup.key) and _same(sub.value, sup.value)
        case FutureType(), FutureType():
            return is_subtype(sub.element, sup.element)
        case ClassType(), InterfaceType():
            return sup.is_met_by(sub)
        case EnumType(), OpaqueType(name="AnyEnumType"):
            return True
        case _:
            return False


def _same(a: ScriptType, b: ScriptType) -> bool:
    return is_subtype(a, b) and is_subtype(b, a)


def optional(element: ScriptType) -> ScriptType:
    """`Optional[element]`; an optional, None or Any stays what it is."""
    match element:
        case AnyListType() | AnyTupleType():
            return OptionalType(element)
        case OptionalType() | AnyType() | NoneType() | PoisonType():
            return element
        case UnionType():
            return union((*element.members, NONE))
        case _:
            return OptionalType(element)


def union(members: Iterable[ScriptType]) -> ScriptType:
    """The union in canonical form: flat, without subsumed members, in PyTorch's order; Optional where it is one."""
    flat: list[ScriptType] = []
    for member in members:
        match member:
            case UnionType():
                flat += member.members
            case OptionalType():
                flat += (member.element, NONE)
            case _:
                flat.append(member)
    kept: list[ScriptType] = []
    for i, member in enumerate(flat):
        later = any(is_subtype(member, other) and not is_subtype(other, member) for other in flat[i + 1 :])
        if not later and not any(is_subtype(member, other) for other in kept):
            kept.append(member)
    if len(kept) == 1:
        return kept[0]
    others = [m for m in kept if not isinstance(m, NoneType)]
    if len(others) == 1:
        return OptionalType(others[0])
    if {type(m) for m in kept} == {IntType, FloatType, ComplexType}:
        return NUMBER
    return UnionType(tuple(sorted(kept, key=_union_rank)))


def _union_rank(member: ScriptType) -> int:
    return next((i for i, kind in enumerate(_UNION_ORDER) if isinstance(member, kind)), len(_UNION_ORDER))


def members_of(t: ScriptType) -> tuple[ScriptType, ...]:
    """The alternatives of an Optional or Union; other types are their own only one."""
    match t:
        case OptionalType():
            return (t.element, NONE)
        case UnionType():
            return t.members
        case _:
            return (t,)


def unify(a: ScriptType, b: ScriptType, *, or_union: bool = False) -> ScriptType | None:
    """The type of a value that is either an `a` or a `b`, None where TorchScript has none (int and float).

    `or_union` asks for a Union then, as list and dict literals do.
    """
    if POISON in (a, b):
        return POISON
    if is_subtype(a, b):
        return b
    if is_subtype(b, a):
        return a
    match a, b:
        case TensorType(), TensorType():
            return TensorType(a.dtype if a.dtype == b.dtype else None, a.shape if a.shape == b.shape else None)
        case NoneType(), _:
            return optional(b)
        case _, NoneType():
            return optional(a)
        case OptionalType(), _:
            element = unify(a.element, b.element if isinstance(b, OptionalType) else b)
        case _, OptionalType():
            element = unify(a, b.element)
        case TupleType(), TupleType() if len(a.elements) == len(b.elements):
            parts = [unify(x, y) for x, y in zip(a.elements, b.elements, strict=True)]
            found = [p for p in parts if p is not None]
            if len(found) == len(parts):
                return TupleType(tuple(found))
            element = None
        case _:
            element = None
    if element is not None:
        return optional(element)
    return union((a, b)) if or_union else None


def unify_all(types: Iterable[ScriptType], *, or_union: bool = False) -> ScriptType | None:
    """`unify` over all; None for no types too."""
    result: ScriptType | None = None
    for i, t in enumerate(types):
        result = t if i == 0 else (None if result is None else unify(result, t, or_union=or_union))
    return result


# type variables


def has_variables(t: ScriptType) -> bool:
    match t:
        case TypeVariable():
            return True
        case OptionalType() | ListType() | FutureType():
            return has_variables(t.element)
        case DictType():
            return has_variables(t.key) or has_variables(t.value)
        case TupleType():
            return any(map(has_variables, t.elements))
        case _:
            return False


def bind_variables(formal: ScriptType, actual: ScriptType, bindings: dict[str, ScriptType]) -> str | None:
    """Adds what `actual` says about the variables of `formal`; a text where they cannot match."""
    if not has_variables(formal):
        return None
    match formal, actual:
        case TypeVariable(), _:
            bound = bindings.setdefault(formal.name, actual)
            if unify(bound, actual) is None:
                return f"type variable '{formal.name}' was {bound.annotation} before, now it is {actual.annotation}"
            return None
        case (ListType(), ListType()) | (FutureType(), FutureType()) | (OptionalType(), OptionalType()):
            return bind_variables(formal.element, actual.element, bindings)
        case ListType(), TupleType():
            element = unify_all(actual.elements)
            if element is not None:
                return bind_variables(formal.element, element, bindings)
        case OptionalType(), NoneType():
            return None
        case OptionalType(), _:
            return bind_variables(formal.element, actual, bindings)
        case DictType(), DictType():
            return bind_variables(formal.key, actual.key, bindings) or bind_variables(
                formal.value, actual.value, bindings
            )
        case TupleType(), TupleType() if len(formal.elements) == len(actual.elements):
            reasons = (bind_variables(f, a, bindings) for f, a in zip(formal.elements, actual.elements, strict=True))
            return next((r for r in reasons if r is not None), None)
        case _, PoisonType():
            return None
        case _:
            pass
    return f"cannot match {formal.annotation} to {actual.annotation}"


def substitute(t: ScriptType, bindings: dict[str, ScriptType]) -> ScriptType | None:
    """`t` with its variables replaced; None where one is not bound."""
    match t:
        case TypeVariable():
            return bindings.get(t.name)
        case OptionalType():
            element = substitute(t.element, bindings)
            return None if element is None else optional(element)
        case ListType():
            element = substitute(t.element, bindings)
            return None if element is None else ListType(element)
        case FutureType():
            element = substitute(t.element, bindings)
            return None if element is None else FutureType(element)
        case DictType():
            key, value = substitute(t.key, bindings), substitute(t.value, bindings)
            return None if key is None or value is None else DictType(key, value)
        case TupleType():
            parts = [substitute(e, bindings) for e in t.elements]
            found = [p for p in parts if p is not None]
            return TupleType(tuple(found)) if len(found) == len(parts) else None
        case _:
            return t
