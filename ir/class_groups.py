"""Script classes whose objects may lead to one another, seen from the declarations of their attributes.

In: types. Out: the types that a type is made of, and the classes that a class is declared in terms of and that are declared in
terms of it.
"""

from __future__ import annotations

from .script_types import (
    AnyType,
    ClassType,
    DictType,
    FutureType,
    InstanceType,
    InterfaceType,
    ListType,
    OptionalType,
    ScriptType,
    TensorType,
    TupleType,
    UnionType,
)


def parts(t: ScriptType) -> tuple[ScriptType, ...]:
    """The types that a type is made of."""
    match t:
        case ListType() | OptionalType() | FutureType():
            return (t.element,)
        case DictType():
            return (t.key, t.value)
        case TupleType():
            return t.elements
        case UnionType():
            return t.members
        case InstanceType():
            return tuple(a for _, attributes in t.group for a in attributes)
        case _:
            return ()


def tied_classes(of: ClassType) -> tuple[ClassType, ...]:
    """The class, and those that its declared attributes lead to and that lead back to it."""
    return (of, *(c for c in _declared_below(of) if c is not of and of in _declared_below(c)))


def _declared_below(of: ClassType) -> set[ClassType]:
    """Classes that the declared attributes of this one lead to."""
    found: set[ClassType] = set()
    pending = list(of.attributes.values())
    while pending:
        part = pending.pop()
        if isinstance(part, ClassType) and part not in found:
            found.add(part)
            pending += part.attributes.values()
        pending += parts(part)
    return found


def leads_to_itself(t: ScriptType) -> bool:
    """Whether an object of this class may hold, by way of others, one of its own class."""
    if not isinstance(t, ClassType):
        return False
    below = _declared_below(t)
    return t in below or any(_holds_anything(a) for c in (t, *below) for a in c.attributes.values())


def _holds_anything(t: ScriptType) -> bool:
    """Whether objects of classes that it does not name may stand in it."""
    return isinstance(t, AnyType) or (isinstance(t, InterfaceType) and not t.is_module) or any(map(_holds_anything, parts(t)))


def member_index(t: UnionType, member: ScriptType) -> int | None:
    """The number of the member of a Union that values of a type are: of tensors the one of that dtype and rank, whose extents are open."""
    if member in t.members:
        return t.members.index(member)
    for i, m in enumerate(t.members):
        if isinstance(m, TensorType) and isinstance(member, TensorType) and m.dtype is member.dtype:
            if m.shape is not None and member.shape is not None and len(m.shape) == len(member.shape):
                return i
    return None
