"""Objects of script classes that are made at run time: chosen by branches, kept in lists, carried by loops.

An object starts as abstract values by the names of its attributes. Where it has to be one of several at run time, or
stand in a list or dict made there, it is promoted (`run_time_values.py`): `prim::CreateObject` and `prim::SetAttr` make
it. Its class is known all the same, so that its methods are inlined as ever; only attributes are read and written at
run time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from ...ir.class_groups import tied_classes
from ...ir.core import Value
from ...ir.script_types import ClassType, InstanceType, ScriptType
from . import run_time_values
from .run_time_types import erased, instance, told_elsewhere
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
    """What the declaration of a class says; in the declarations of classes that are being looked at, the class itself."""
    if t.is_module:
        raise ev.not_static("which module this is")
    if t in ev.declaring:
        return t
    classes = tied_classes(t)
    ev.declaring += classes
    try:
        known = [(c, [run_time_values.declared_type(ev, a) for a in c.attributes.values()]) for c in classes]
        return _instance(ev, t, known)
    finally:
        del ev.declaring[-len(classes) :]


def _instance(ev: Evaluator, of: ClassType, known: Sequence[tuple[ClassType, Sequence[ScriptType]]]) -> InstanceType:
    found = instance(of, known)
    if found is None:
        raise ev.not_static("the dtype or number of dimensions of the tensors in this object")
    return found


def hinted(ev: Evaluator, of: ClassType) -> list[ScriptType]:
    """What earlier attempts have found out about objects of the class, by themselves and in those of others."""
    return [InstanceType(of, h.group) for h in ev.hints.values() if isinstance(h, InstanceType) and of in h.classes]


def type_of_contents(ev: Evaluator, ref: Ref, contents: Contents, declared: InstanceType) -> ScriptType:
    """The type of an object with these attributes, and of all objects of the classes of its group that it leads to."""
    t: ScriptType = declared
    seen: set[Ref] = {ref}
    pending: list[tuple[ClassType, Contents]] = [(declared.of, contents)]
    while pending:
        of, current = pending.pop()
        for name, value in current.items():
            if name not in of.attributes:
                continue
            for other in _leading(ev, value, declared.classes):
                if other not in seen:
                    seen.add(other)
                    t, more = _with(ev, t, other)
                    pending += [(cast(ClassType, other.type), c) for c in more]
        t = run_time_values.joined(ev, [_own_type(ev, current, of, declared)], t)
    return t


def _with(ev: Evaluator, t: ScriptType, other: Ref) -> tuple[ScriptType, list[Contents]]:
    """The type with that of an object made at run time; the contents of any other."""
    own = run_time_values.handle(ev, other)
    if own is not None:
        of = cast(InstanceType, t).of
        return run_time_values.joined(ev, [InstanceType(of, cast(InstanceType, own.type).group)], t), []
    return t, _all_contents(ev.heap.get(other))


def _all_contents(contents: object) -> list[Contents]:
    if isinstance(contents, VariantContents):
        return [*_all_contents(contents.then), *_all_contents(contents.otherwise)]
    return [] if contents is None or isinstance(contents, RunTimeOnly) else [cast(Contents, contents)]


def _leading(ev: Evaluator, value: Abstract, classes: Sequence[ClassType]) -> list[Ref]:
    """The objects of these classes that a value leads to, not by way of others."""
    found: list[Ref] = []
    pending: list[Abstract] = [value]
    seen: set[Ref] = set()
    while pending:
        current = pending.pop()
        if isinstance(current, Ref) and current.type in classes:
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


def _own_type(ev: Evaluator, contents: Contents, of: ClassType, declared: InstanceType) -> ScriptType:
    """The group with what one object of it holds; `of`: the class of that."""
    types: list[ScriptType] = []
    ev.declaring += declared.classes
    try:
        for name, t in zip(of.attributes, InstanceType(of, declared.group).attributes):
            value = contents.get(name)
            if value is None or isinstance(value, Uninitialized):
                types.append(t)
            else:
                types.append(run_time_values.element_type(ev, value, t))
    finally:
        del ev.declaring[-len(declared.classes) :]
    others = [entry for entry in declared.group if entry[0] is not of]
    return _instance(ev, declared.of, [(of, types), *others])


def made(ev: Evaluator, ref: Ref, contents: Contents, t: InstanceType) -> Value:
    """Makes the object; it may lead to itself."""
    if ref.is_outer:
        for name in t.of.attributes:
            ev.state.use(ref, name)
    value = ev.emit("prim::CreateObject", (), (t,)).result
    before = ev.heap[ref]
    ev.heap[ref] = {HANDLE: Scalar(value)}
    try:
        for name in t.of.attributes:
            held = contents.get(name)
            if held is not None and not isinstance(held, Uninitialized):
                part = run_time_values.element(ev, held, t.attribute(name))
                ev.emit("prim::SetAttr", (value, part), (), {"name": name})
    except run_time_values.ElementMismatch:
        ev.heap[ref] = before  # its type is asked for again
        raise
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
    attributes[t.index(name)] = erased(held, t.classes)
    own = InstanceType(t.of, tuple((c, tuple(attributes) if c is t.of else types) for c, types in t.group))
    parts = told_elsewhere(held, t.classes)
    known = [entry for found in (own, *parts) for entry in found.group]
    return instance(t.of, known) or own


def set_(ev: Evaluator, ref: Ref, own: Value, name: str, value: Abstract) -> None:
    """Writes an attribute of an object made at run time."""
    t = cast(InstanceType, own.type)
    run_time_values.before_change(ev, ref)
    if ref.is_outer:
        ev.state.write(ref, name)
        raise ev.error(
            "an object of the module that stands in a list or is chosen at run time cannot be changed",
            help="return what it shall hold as a result",
        )
    held = t.attribute(name)
    part = run_time_values.stored(ev, ref, value, held, lambda part: _with_attribute(t, name, part))
    ev.emit("prim::SetAttr", (own, part), (), {"name": name})
