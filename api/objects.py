"""Objects of script classes, members of Enums and Unions between Python and compiled code.

In: what a user gives where the program declares a class: an object with its attributes, of a class of that name. Out: a
`ScriptObject` of them, which is a copy, as PyTorch makes one; its spec; and the type that columns of such have. The other way,
`Presenter` makes results objects of the user's own classes and Enums where these are known.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Final, cast

from ..backend.cpu.call import dtype_and_shape
from ..ir.class_groups import leads_to_itself, tied_classes
from ..ir.columns import is_of
from ..ir.dtypes import DType
from ..ir.objects import PLAIN_OBJECTS, simple_name
from ..ir.script_types import (
    BOOL,
    FLOAT,
    INT,
    NONE,
    STR,
    ClassType,
    DictType,
    EnumMember,
    EnumType,
    InstanceType,
    ListType,
    OptionalType,
    ScriptObject,
    ScriptType,
    TensorType,
    TupleType,
    UnionType,
)
from ..ir.signature import ArgumentSpec, ColumnsSpec, InstanceSpec
from . import arguments

Adapt = Callable[[Any, ScriptType, str, str], Any]


# arguments


class _Adapting(threading.local):
    """Objects that wait for their attributes, so that a long chain of them needs no deep recursion."""

    pending: list[tuple[Any, ScriptObject, str, str]] | None = None
    made: dict[tuple[int, ClassType], ScriptObject]


_ADAPTING: Final = _Adapting()


def adapted(value: Any, type: ClassType, name: str, what: str, adapt: Adapt) -> ScriptObject:
    """A copy of the object; CompileError where it is none of the class. Objects that lead to themselves stay one each."""
    if isinstance(value, ScriptObject) and value.type is type:
        return value
    if not _is_object_of(value, type):
        raise arguments.call_error(f"{what} `{name}` must be an object of class {type.annotation}, but {arguments.described(value)} was given")
    state = _ADAPTING
    tied = leads_to_itself(type)
    outermost = state.pending is None
    if outermost:
        state.pending, state.made = [], {}
    pending = cast("list[tuple[Any, ScriptObject, str, str]]", state.pending)
    key = (id(value), type)
    if tied and key in state.made:
        return state.made[key]
    made = ScriptObject(type)
    if tied:
        state.made[key] = made
    pending.append((value, made, name, what))
    if outermost:
        try:
            while pending:
                _take_attributes(*pending.pop(), adapt)
        finally:
            state.pending, state.made = None, {}
    return made


def _take_attributes(value: Any, made: ScriptObject, name: str, what: str, adapt: Adapt) -> None:
    for attribute, t in made.type.attributes.items():
        place = f"{name}.{attribute}" if len(name) < 200 else name
        made.attributes[attribute] = adapt(getattr(value, attribute), t, place, what)


def _is_object_of(value: Any, type: ClassType) -> bool:
    names = (value.__class__.__name__, getattr(value, "original_name", None))
    return simple_name(type.name) in names and all(hasattr(value, a) for a in type.attributes)


def adapted_member(value: Any, type: UnionType, name: str, what: str, adapt: Adapt) -> Any:
    """The value as the member of the Union that it is. CompileError where it is none."""
    for member in type.members:
        if _may_be(value, member):
            return adapt(value, member, name, what)
    raise arguments.call_error(f"{what} `{name}` must be {type.annotation}, but {arguments.described(value)} was given")


def _may_be(value: Any, t: ScriptType) -> bool:
    """Whether a Python value is of that type, and not only what it may become."""
    match t:
        case TensorType():
            return arguments.is_tensor(value)
        case ClassType():
            return (isinstance(value, ScriptObject) and value.type is t) or _is_object_of(value, t)
        case EnumType():
            is_member = isinstance(value, Enum) and t.members.get(value.name) == value.value
            return is_member or (isinstance(value, EnumMember) and value.type is t)
        case ListType():
            return isinstance(value, list) and all(_may_be(v, t.element) for v in cast("list[Any]", value))
        case DictType():
            table = cast("Mapping[Any, Any]", value)
            return isinstance(value, Mapping) and all(_may_be(k, t.key) and _may_be(v, t.value) for k, v in table.items())
        case TupleType():
            parts = cast("tuple[Any, ...]", value)
            return isinstance(value, tuple) and len(parts) == len(t.elements) and all(map(_may_be, parts, t.elements))
        case OptionalType():
            return value is None or _may_be(value, t.element)
        case UnionType():
            return any(_may_be(value, m) for m in t.members)
        case _:
            return is_of(value, t)


def spec(value: ScriptObject, *, at_run_time: bool) -> ArgumentSpec:
    """An object is given by its attributes; one that may lead to others of its class as vectors."""
    if leads_to_itself(value.type):
        found = form(value.type, [value])
        if found is None:
            raise arguments.call_error(f"an object of class {value.type.annotation} with such attributes cannot be an argument")
        return ColumnsSpec(found)
    pairs = value.type.attributes.items()
    of_part: list[ScriptType | None] = [t if at_run_time else None for _, t in pairs]
    inner = [arguments.spec_of(value.attributes[n], t) for (n, _), t in zip(pairs, of_part, strict=True)]
    return InstanceSpec(value.type, tuple(inner))


# types of columns


def holds_tensors(t: ClassType) -> bool:
    """Whether objects of the class lead to tensors."""
    seen: set[ClassType] = {t}
    pending = [t]
    while pending:
        for a in pending.pop().attributes.values():
            for part in _parts(a):
                if isinstance(part, ClassType) and part not in seen:
                    seen.add(part)
                    pending.append(part)
                elif not isinstance(part, ClassType) and arguments.holds_tensors(part):
                    return True
    return False


def _parts(t: ScriptType) -> list[ScriptType]:
    """Classes in a type, and what else it is made of."""
    match t:
        case ListType() | OptionalType():
            return _parts(t.element)
        case DictType():
            return _parts(t.value)
        case TupleType():
            return [p for e in t.elements for p in _parts(e)]
        case UnionType():
            return [p for m in t.members for p in _parts(m)]
        case _:
            return [t]


def form(t: ClassType, values: Sequence[Any]) -> ScriptType | None:
    """The type with which these objects are given as vectors; None where that is not possible."""
    classes = tied_classes(t)
    found = _reached(classes, t, values)
    group: list[tuple[ClassType, tuple[ScriptType, ...]]] = []
    for c in sorted(classes, key=lambda c: c.name):
        types: list[ScriptType] = []
        for name, a in c.attributes.items():
            own = _form_of_attribute(a, [o.attributes[name] for o in found[c]], classes)
            if own is None:
                return None
            types.append(own)
        group.append((c, tuple(types)))
    return InstanceType(t, tuple(group))


def _reached(classes: Sequence[ClassType], t: ClassType, values: Sequence[Any]) -> Mapping[ClassType, list[ScriptObject]]:
    """All objects of the classes that these lead to, each once."""
    found: dict[ClassType, list[ScriptObject]] = {c: [] for c in classes}
    seen: set[int] = set()
    pending: list[tuple[ScriptType, Any]] = [(t, v) for v in values]
    while pending:
        part, value = pending.pop()
        if value is None:
            continue
        match part:
            case ClassType() if part in found and id(value) not in seen:
                seen.add(id(value))
                found[part].append(value)
                pending += [(a, value.attributes[n]) for n, a in part.attributes.items()]
            case ListType():
                pending += [(part.element, v) for v in value]
            case DictType():
                pending += [(part.value, v) for v in value.values()]
            case OptionalType():
                pending.append((part.element, value))
            case TupleType():
                pending += zip(part.elements, value, strict=True)
            case UnionType():
                pending += [(m, value) for m in part.members if _may_be(value, m)][:1]
            case _:
                pass
    return found


def _form_of_attribute(t: ScriptType, values: Sequence[Any], classes: Sequence[ClassType]) -> ScriptType | None:
    """`arguments.form`, with the classes themselves where they stand; where there is no tensor at all, one of any kind."""
    match t:
        case ClassType() if t in classes:
            return t
        case TensorType() if not values:
            return TensorType(_FLOAT32, (None,))
        case ListType():
            inner = _form_of_attribute(t.element, [e for v in values for e in v], classes)
            return None if inner is None else ListType(inner)
        case OptionalType():
            inner = _form_of_attribute(t.element, [v for v in values if v is not None], classes)
            return None if inner is None else OptionalType(inner)
        case DictType():
            inner = _form_of_attribute(t.value, [e for v in values for e in v.values()], classes)
            return None if inner is None else DictType(t.key, inner)
        case TupleType():
            parts = [_form_of_attribute(e, [v[i] for v in values], classes) for i, e in enumerate(t.elements)]
            return None if None in parts or not parts else TupleType(cast("tuple[ScriptType, ...]", tuple(parts)))
        case _:
            return arguments.form(t, values)


_FLOAT32: Final = DType.float32


def form_of_union(t: ScriptType, values: Sequence[Any]) -> ScriptType | None:
    """The Union of the types of these values; None where one of them is of no type of its own."""
    members: list[ScriptType] = []
    for value in values:
        own = _own_form(value)
        if own is None:
            return None
        if own not in members:
            members.append(own)
    if not members and isinstance(t, UnionType):
        forms = [m if m in _PLAIN else arguments.form(m, ()) for m in t.members]
        members = [] if None in forms else [f for f in forms if f is not None]
    return UnionType(tuple(sorted(members, key=str))) if members else None


_PLAIN: Final = (BOOL, INT, FLOAT, STR, NONE)


def _own_form(value: Any) -> ScriptType | None:
    match value:
        case None:
            return NONE
        case bool():
            return BOOL
        case int():
            return INT
        case float():
            return FLOAT
        case str():
            return STR
        case EnumMember():
            return value.type
        case ScriptObject():
            return form(value.type, [value])
        case tuple():
            parts = [_own_form(v) for v in cast("tuple[Any, ...]", value)]
            return None if None in parts or not parts else TupleType(cast("tuple[ScriptType, ...]", tuple(parts)))
        case _ if arguments.is_tensor(value):
            try:
                dtype, shape = dtype_and_shape("", value)
            except TypeError:
                return None
            return TensorType(dtype, (None,) * len(shape))
        case _:
            return None


# results


class Presenter:
    """Results as objects of Python's own classes and Enums (`Presenting`), those of these names that the program was made from."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names

    def object(self, of: ClassType) -> Any:
        found = self._names.get(simple_name(of.name))
        if isinstance(found, type):
            return cast(Any, found).__new__(found)
        return PLAIN_OBJECTS.object(of)

    def member(self, member: EnumMember) -> Any:
        found = self._names.get(simple_name(member.type.name))
        own = getattr(found, member.name, None) if isinstance(found, type) and issubclass(found, Enum) else None
        return PLAIN_OBJECTS.member(member) if own is None else own
