"""Results as Python expects them: a NamedTuple of the program is a named tuple, a device a `Device`.

In: what a compiled function gave, in which every tuple is a plain one, and the declared type. Out: the same with names.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from functools import cache
from typing import Any, cast

from ..ir.class_groups import leads_to_itself, parts
from ..ir.script_types import (
    ClassType,
    DeviceType,
    DictType,
    GeneratorType,
    ListType,
    NamedTupleType,
    OptionalType,
    ScriptType,
    TupleType,
)
from .devices import Device
from .generators import Generator

Finish = Callable[[Any], Any]


def finisher(t: ScriptType) -> Finish | None:
    """What gives the tuples in a value of type `t` their names; None where there are none."""
    match t:
        case NamedTupleType():
            make: Any = _named_tuple(t.name.rpartition(".")[2], t.fields)._make
            inner = _parts(t)
            return (lambda value: make(inner(value))) if inner is not None else make
        case TupleType():
            parts = _parts(t)
            return None if parts is None else lambda value: tuple(parts(value))
        case ListType():
            element = finisher(t.element)
            return None if element is None else lambda value: [element(v) for v in value]
        case DictType():
            of_value = finisher(t.value)
            return None if of_value is None else lambda value: {k: of_value(v) for k, v in value.items()}
        case OptionalType():
            present = finisher(t.element)
            return None if present is None else lambda value: None if value is None else present(value)
        case GeneratorType():
            return Generator.of
        case DeviceType():
            return Device
        case ClassType() if _holds_names(t):
            return _of_objects(t)
        case _:
            return None


def _of_objects(t: ClassType) -> Finish:
    """Finishes what the attributes hold."""
    found = {name: finisher(a) for name, a in t.attributes.items()}

    def finish(value: Any) -> Any:
        for name, inner in found.items():
            if inner is not None and hasattr(value, name):
                setattr(value, name, inner(getattr(value, name)))
        return value

    return finish


def _holds_names(t: ClassType) -> bool:
    """Whether there is a NamedTuple somewhere in its attributes; not looked for in objects of classes that lead to themselves."""
    return not leads_to_itself(t) and any(_has_named_tuple(a) for a in t.attributes.values())


def _has_named_tuple(t: ScriptType) -> bool:
    if isinstance(t, ClassType):
        return _holds_names(t)
    return isinstance(t, NamedTupleType) or any(map(_has_named_tuple, parts(t)))


def _parts(t: TupleType) -> Callable[[Any], list[Any]] | None:
    """Finishes the elements of a tuple."""
    found = [finisher(e) for e in t.elements]
    if not any(found):
        return None
    return lambda value: [v if f is None else f(v) for v, f in zip(value, found, strict=True)]


@cache
def _named_tuple(name: str, fields: tuple[str, ...]) -> Any:
    return cast(Any, namedtuple)(name, fields)
