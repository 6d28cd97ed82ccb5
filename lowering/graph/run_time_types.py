"""Types of values that are made at run time: which there are, and the one type that holds two others.

Such a type says all that native code has to know: dtype and rank of tensors (extents may stay open), what lists and
objects hold, which alternatives a Union has. `NEVER` is what there is none of: what an empty list holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, cast

from ...ir.script_types import (
    BOOL,
    FLOAT,
    INT,
    NEVER,
    NONE,
    STR,
    TENSOR,
    ClassType,
    DictType,
    EnumType,
    InstanceType,
    ListType,
    OptionalType,
    ScriptType,
    TensorType,
    TupleType,
    UnionType,
)
from .values import join_types

NUMBERS: Final = (INT, FLOAT, BOOL)

PLAIN: Final = (*NUMBERS, STR)
"""Types of values that are one value at every stage, and never change."""

REFERENCES: Final = (ListType, DictType, InstanceType)
"""Types of what may be changed, and has several names."""

COMPOSED: Final = (*REFERENCES, TupleType, OptionalType, UnionType, EnumType)
"""Types of run-time values that are no numbers, strings or tensors."""


def parts(t: ScriptType) -> tuple[ScriptType, ...]:
    """The types that a type is made of."""
    match t:
        case ListType() | OptionalType():
            return (t.element,)
        case DictType():
            return (t.key, t.value)
        case TupleType():
            return t.elements
        case UnionType():
            return t.members
        case InstanceType():
            return t.attributes
        case _:
            return ()


def join(a: ScriptType, b: ScriptType) -> ScriptType | None:
    """A type for values of both; None where there is none. A tensor of unknown dtype says nothing."""
    if a == b or NEVER in (a, b):
        return b if a == NEVER else a
    match a, b:
        case TensorType(), TensorType():
            return b if a == TENSOR else a if b == TENSOR else join_types(a, b)
        case ListType(), ListType():
            element = join(a.element, b.element)
            return None if element is None else ListType(element)
        case DictType(), DictType() if a.key == b.key:
            value = join(a.value, b.value)
            return None if value is None else DictType(a.key, value)
        case TupleType(), TupleType():
            joined = _joined(a.elements, b.elements)
            return None if joined is None else TupleType(joined)
        case InstanceType(), InstanceType() if a.of is b.of:
            joined = _joined(a.attributes, b.attributes)
            return None if joined is None else InstanceType(a.of, joined)
        case InstanceType(), ClassType() if a.of is b:
            return a
        case ClassType(), InstanceType() if b.of is a:
            return b
        case UnionType(), _:
            return _union(a.members, b.members if isinstance(b, UnionType) else (b,))
        case OptionalType(), _:
            other = b.element if isinstance(b, OptionalType) else NEVER if b == NONE else b
            element = join(a.element, other)
            return None if element is None else optional(element)
        case (_, OptionalType()) | (_, UnionType()):
            return join(b, a)
        case _:
            return None


def optional(t: ScriptType) -> OptionalType:
    """Extents of what may not be there are open: where it is not, they are zero."""
    return OptionalType(general(t))


def _joined(a: Sequence[ScriptType], b: Sequence[ScriptType]) -> tuple[ScriptType, ...] | None:
    if len(a) != len(b):
        return None
    joined = [join(x, y) for x, y in zip(a, b)]
    return None if None in joined else tuple(cast("list[ScriptType]", joined))


def _union(a: Sequence[ScriptType], b: Sequence[ScriptType]) -> UnionType:
    """Members of both; those of one kind become one."""
    members = list(a)
    for other in b:
        for i, member in enumerate(members):
            found = join(member, other)
            if found is not None:
                members[i] = general(found)
                break
        else:
            members.append(general(other))
    return union(members)


def union(members: Sequence[ScriptType]) -> UnionType:
    """A Union of these, in an order that does not depend on theirs."""
    return UnionType(tuple(sorted(members, key=str)))


def general(t: ScriptType) -> ScriptType:
    """The type with all extents open."""
    match t:
        case TensorType(dtype, shape) if shape is not None:
            return TensorType(dtype, (None,) * len(shape))
        case _:
            return _mapped(t, general)


def settled(t: ScriptType) -> ScriptType:
    """The type where nothing more becomes known: tensors of which nothing is known are never there."""
    return NEVER if t == TENSOR else _mapped(t, settled)


def is_never(t: ScriptType) -> bool:
    """Whether there is no value of the type."""
    return t == NEVER or (isinstance(t, TupleType) and any(map(is_never, t.elements)))


def _mapped(t: ScriptType, change: Callable[[ScriptType], ScriptType]) -> ScriptType:
    match t:
        case ListType():
            return ListType(change(t.element))
        case OptionalType():
            return OptionalType(change(t.element))
        case DictType():
            return DictType(t.key, change(t.value))
        case TupleType():
            return TupleType(tuple(map(change, t.elements)))
        case UnionType():
            return UnionType(tuple(map(change, t.members)))
        case InstanceType():
            return InstanceType(t.of, tuple(map(change, t.attributes)))
        case _:
            return t


def plain(t: ScriptType) -> ScriptType:
    """The type as the program knows it: classes, tensors of which nothing is told."""
    if isinstance(t, InstanceType):
        return t.of
    return TENSOR if isinstance(t, TensorType) or t == NEVER else _mapped(t, plain)


def erased(t: ScriptType, of: ClassType) -> ScriptType:
    """The type with the class itself in place of what is known of its objects."""
    if isinstance(t, InstanceType) and t.of is of:
        return of
    return _mapped(t, lambda part: erased(part, of))


def instances(t: ScriptType, of: ClassType) -> list[ScriptType]:
    """What is known of objects of a class, wherever they stand in the type."""
    if isinstance(t, InstanceType) and t.of is of:
        return [t]
    return [found for part in parts(t) for found in instances(part, of)]


def leads_to_itself(t: ScriptType) -> bool:
    """Whether an object of this class may hold, by way of others, one of its own class."""
    if not isinstance(t, ClassType):
        return False
    seen: set[ClassType] = set()
    pending = list(t.attributes.values())
    while pending:
        part = pending.pop()
        if part is t:
            return True
        if isinstance(part, ClassType):
            pending += [] if part in seen else part.attributes.values()
            seen.add(part)
        pending += parts(part)
    return False


def is_known(t: ScriptType) -> bool:
    """Whether dtype and rank of all tensors are."""
    if isinstance(t, TensorType):
        return t.dtype is not None and t.shape is not None
    return all(map(is_known, parts(t)))


def holds_tensors(t: ScriptType) -> bool:
    """Whether a value of the type has tensors in it."""
    return isinstance(t, TensorType) or any(map(holds_tensors, parts(t)))


def is_made_at_run_time(t: ScriptType) -> bool:
    """Whether a run-time value has this type that is neither a number nor a string nor a tensor."""
    return isinstance(t, COMPOSED)

