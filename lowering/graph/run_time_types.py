"""Types of values that are made at run time: which there are, and the one type that holds two others.

Such a type says all that native code has to know: dtype and rank of tensors (extents may stay open), what lists and
objects hold, which alternatives a Union has. `NEVER` is what there is none of: what an empty list holds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, cast

from ...ir.class_groups import parts
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
    FutureType,
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

COMPOSED: Final = (*REFERENCES, TupleType, OptionalType, UnionType, EnumType, FutureType)
"""Types of run-time values that are no numbers, strings or tensors."""


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
        case FutureType(), FutureType():
            element = join(a.element, b.element)
            return None if element is None else FutureType(element)
        case DictType(), DictType() if a.key == b.key:
            value = join(a.value, b.value)
            return None if value is None else DictType(a.key, value)
        case TupleType(), TupleType():
            joined = _joined(a.elements, b.elements)
            return None if joined is None else TupleType(joined)
        case InstanceType(), InstanceType() if a.of is b.of:
            return instance(a.of, (*a.group, *b.group))
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
        case FutureType():
            return FutureType(change(t.element))
        case OptionalType():
            return OptionalType(change(t.element))
        case DictType():
            return DictType(t.key, change(t.value))
        case TupleType():
            return TupleType(tuple(map(change, t.elements)))
        case UnionType():
            return UnionType(tuple(map(change, t.members)))
        case InstanceType():
            return InstanceType(t.of, tuple((c, tuple(map(change, attributes))) for c, attributes in t.group))
        case _:
            return t


def plain(t: ScriptType) -> ScriptType:
    """The type as the program knows it: classes, tensors of which nothing is told."""
    if isinstance(t, InstanceType):
        return t.of
    return TENSOR if isinstance(t, TensorType) or t == NEVER else _mapped(t, plain)


def instance(of: ClassType, known: Iterable[tuple[ClassType, Sequence[ScriptType]]]) -> InstanceType | None:
    """The type of objects of a class of which `known` says what they, and those of other classes, hold.

    Classes whose objects lead back to it, seen from these types, are of its group. None where types cannot be joined.
    """
    table: dict[ClassType, tuple[ScriptType, ...]] = {}
    pending = [(c, tuple(types)) for c, types in known]
    while pending:
        c, types = pending.pop()
        if c not in table:
            table[c] = tuple(NEVER for _ in types)
        size = -1
        while size != len(table):  # until it is known of which classes nothing is told here
            size = len(table)
            for found in (i for t in types for i in _outermost(t) if _leads_to(i, table)):
                pending += [entry for entry in found.group if entry not in pending]
                for member, attributes in found.group:
                    table.setdefault(member, tuple(NEVER for _ in attributes))
        joined = _joined(*(tuple(erased(t, table) for t in side) for side in (table[c], types)))
        if joined is None:
            return None
        table[c] = joined
    table = {c: tuple(erased(t, table) for t in types) for c, types in table.items()}
    group = sorted(((c, table[c]) for c in _tied(of, table)), key=lambda entry: entry[0].name)
    return InstanceType(of, tuple(group))


def erased(t: ScriptType, classes: Collection[ClassType]) -> ScriptType:
    """The type with these classes themselves in place of what is known of their objects."""
    if isinstance(t, InstanceType) and t.of in classes:
        return t.of
    return _mapped(t, lambda part: erased(part, classes))


def _outermost(t: ScriptType) -> list[InstanceType]:
    """The types of objects in it, those in other objects aside."""
    if isinstance(t, InstanceType):
        return [t]
    return [found for part in parts(t) for found in _outermost(part)]


def _leads_to(t: ScriptType, classes: Collection[ClassType]) -> bool:
    """Whether one of the classes stands in it."""
    if (t.of if isinstance(t, InstanceType) else t) in classes:
        return True
    return any(_leads_to(part, classes) for part in parts(t))


def _tied(of: ClassType, table: Mapping[ClassType, Sequence[ScriptType]]) -> list[ClassType]:
    """All classes that are told in terms of one another with this one."""
    found = [of]
    for c in found:
        found += [k for k in table if k not in found and any(_leads_to(t, (k,)) for t in table[c])]
    return found


def told_elsewhere(t: ScriptType, classes: Collection[ClassType]) -> list[InstanceType]:
    """What is known of objects of these classes, wherever they stand in the type."""
    if isinstance(t, InstanceType) and t.of in classes:
        return [t]
    return [found for part in parts(t) for found in told_elsewhere(part, classes)]


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

