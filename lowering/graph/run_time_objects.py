"""Objects of script classes that are made at run time: chosen by branches, kept in lists, carried by loops.

An object starts as abstract values by the names of its attributes. Where it has to be one of several at run time, or
stand in a list or dict made there, it is promoted (`run_time_values.py`): `prim::CreateObject` and `prim::SetAttr` make
it. Its class is known all the same, so that its methods are inlined as ever; only attributes are read and written at
run time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ...ir.core import Value
from ...ir.script_types import ClassType, InstanceType, ScriptType
from . import run_time_values
from .run_time_types import erased, instances
from .values import (
    HANDLE,
    Abstract,
    Contents,
    Ref,
    RunTimeOnly,
    Scalar,
    Tuple,
    Uninitialized,
    Variant,
    VariantContents,
)

if TYPE_CHECKING:
    from .evaluator import Evaluator


def declared_type(ev: Evaluator, t: ClassType) -> ScriptType:
    """What the declaration of a class says; in the declaration of its own attributes, the class itself."""
    if t.is_module:
        raise ev.not_static("which module this is")
    if t in ev.declaring:
        if t is not ev.declaring[-1]:
            raise ev.not_static(f"which object of class {t.name}, which holds objects that hold one of its own, this")
        return t
    ev.declaring.append(t)
    try:
        return InstanceType(t, tuple(run_time_values.declared_type(ev, a) for a in t.attributes.values()))
    finally:
        ev.declaring.pop()


def type_of_contents(ev: Evaluator, ref: Ref, contents: Contents, declared: InstanceType) -> ScriptType:
    """The type of an object with these attributes, and of all objects of its class that it leads to."""
    t: ScriptType = declared
    seen: set[Ref] = {ref}
    pending: list[Contents] = [contents]
    while pending:
        current = pending.pop()
        for name, value in current.items():
            if name not in declared.of.attributes:
                continue
            for other in _leading(ev, value, declared.of):
                if other not in seen:
                    seen.add(other)
                    t, more = _with(ev, t, other)
                    pending += more
        t = run_time_values.joined(ev, [_own_type(ev, current, declared)], t)
    return t


def _with(ev: Evaluator, t: ScriptType, other: Ref) -> tuple[ScriptType, list[Contents]]:
    """The type with that of an object made at run time; the contents of any other."""
    own = run_time_values.handle(ev, other)
    if own is not None:
        return run_time_values.joined(ev, [cast(ScriptType, own.type)], t), []
    return t, _all_contents(ev.heap.get(other))


def _all_contents(contents: object) -> list[Contents]:
    if isinstance(contents, VariantContents):
        return [*_all_contents(contents.then), *_all_contents(contents.otherwise)]
    return [] if contents is None or isinstance(contents, RunTimeOnly) else [cast(Contents, contents)]


def _leading(ev: Evaluator, value: Abstract, of: ClassType) -> list[Ref]:
    """The objects of a class that a value leads to, not by way of others."""
    found: list[Ref] = []
    pending: list[Abstract] = [value]
    seen: set[Ref] = set()
    while pending:
        current = pending.pop()
        if isinstance(current, Ref) and current.type is of:
            found.append(current)
        elif isinstance(current, Ref) and current not in seen:
            seen.add(current)
            if current.kind != "object":
                pending += [v for c in _all_contents(ev.heap.get(current)) for v in c.values()]
        elif not isinstance(current, Ref):
            pending += _parts(current)
    return found


def _parts(value: Abstract) -> list[Abstract]:
    match value:
        case Tuple():
            return list(value.elements)
        case Variant():
            return [value.then, value.otherwise]
        case _:
            return []


def _own_type(ev: Evaluator, contents: Contents, declared: InstanceType) -> ScriptType:
    types: list[ScriptType] = []
    ev.declaring.append(declared.of)
    try:
        for name, t in zip(declared.of.attributes, declared.attributes):
            value = contents.get(name)
            if value is None or isinstance(value, Uninitialized):
                types.append(t)
            else:
                types.append(run_time_values.element_type(ev, value, t))
    finally:
        ev.declaring.pop()
    own = InstanceType(declared.of, tuple(erased(t, declared.of) for t in types))
    return run_time_values.joined(ev, [i for t in types for i in instances(t, declared.of)], own)


def made(ev: Evaluator, ref: Ref, contents: Contents, t: InstanceType) -> Value:
    """Makes the object; it may lead to itself."""
    if ref.is_outer:
        for name in t.of.attributes:
            ev.state.use(ref, name)
    value = ev.emit("prim::CreateObject", (), (t,)).result
    ev.heap[ref] = {HANDLE: Scalar(value)}
    for name in t.of.attributes:
        held = contents.get(name)
        if held is not None and not isinstance(held, Uninitialized):
            part = run_time_values.element(ev, held, t.attribute(name))
            ev.emit("prim::SetAttr", (value, part), (), {"name": name})
    return value


# what nodes do


def get(ev: Evaluator, ref: Ref, own: Value, name: str) -> Abstract:
    """An attribute of an object made at run time."""
    t = cast(InstanceType, own.type)
    held = t.attribute(name)
    value = ev.emit("prim::GetAttr", (own,), (held,), {"name": name}).result
    return run_time_values.read(ev, value, held, ref, lambda part: _with_attribute(t, name, part))


def _with_attribute(t: InstanceType, name: str, held: ScriptType) -> ScriptType:
    attributes = list(t.attributes)
    attributes[t.index(name)] = erased(held, t.of)
    return InstanceType(t.of, tuple(attributes))


def set_(ev: Evaluator, ref: Ref, own: Value, name: str, value: Abstract) -> None:
    """Writes an attribute of an object made at run time."""
    t = cast(InstanceType, own.type)
    run_time_values.before_change(ev, ref)
    if ref.is_outer:
        raise ev.error(
            "an object of the module that stands in a list or is chosen at run time cannot be changed",
            help="return what it shall hold as a result",
        )
    held = t.attribute(name)
    part = run_time_values.stored(ev, ref, value, held, lambda part: _with_attribute(t, name, part))
    ev.emit("prim::SetAttr", (own, part), (), {"name": name})
