"""What `__getstate__` of objects gives, for an archive: who reads it makes them by `__setstate__` again.

In: an object and all that it leads to. Out: for each object of a class with both methods its state, as values that a
pickle holds. A class whose method cannot be run here is saved by its attributes instead, and without these methods.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from ...ir.core import Operation, lookup
from ...ir.diagnostics import CompileError, ExecutionError
from ...ir.interpreters.torch import Instance, Interpreter
from ...ir.program import Methods
from ...ir.quantized import PACKED
from ...ir.script_types import ClassType, ScriptObject, ScriptType
from ..compile import prelude_function

GET, SET = "__getstate__", "__setstate__"


@dataclass
class States:
    """By identity of the object: the type of its state, and the state. `classes`: whose objects are saved so."""

    of: dict[int, tuple[ScriptType, Any]] = field(default_factory=dict[int, Any])
    classes: set[ClassType] = field(default_factory=set[ClassType])


def states_of(root: ScriptObject, module: Operation, methods: Methods | None) -> States:
    found = States()
    interpreter = Interpreter(_composite)
    refused: set[ClassType] = set()
    for value in _objects(root):
        if value.type.name in PACKED:
            continue  # of a class of PyTorch's library
        if methods is None or value.type in refused or not {GET, SET} <= set(methods.method_names(value.type)):
            continue
        state = _state(value, module, methods, interpreter)
        if state is None:
            refused.add(value.type)
            continue
        found.of[id(value)] = state
        found.classes.add(value.type)
    for value in _objects(root):
        if value.type in refused:
            found.of.pop(id(value), None)
    found.classes -= refused
    return found


def _state(
    value: ScriptObject, module: Operation, methods: Methods, interpreter: Interpreter
) -> tuple[ScriptType, Any] | None:
    """None where the method cannot be run, or gives what has no value outside of the run."""
    try:
        for name in (GET, SET):
            methods.compile_method(value.type, name)
    except CompileError:
        return None
    operation = lookup(module, value.type.methods[GET])
    if operation is None:
        return None
    try:
        (state,) = interpreter.run(operation, [value])
    except ExecutionError:
        return None
    type_ = cast(ScriptType, operation.body().terminator.operand(0).type)
    return (type_, state) if _is_value(state) else None


def _is_value(value: Any) -> bool:
    match value:
        case Instance() | ScriptObject():
            return False
        case list() | tuple():
            return all(map(_is_value, cast("list[Any]", value)))
        case dict():
            return all(map(_is_value, cast("Mapping[Any, Any]", value).values()))
        case _:
            return value is None or isinstance(value, bool | int | float | complex | str | np.ndarray)


def _objects(root: ScriptObject) -> list[ScriptObject]:
    """All objects, each once."""
    seen: dict[int, ScriptObject] = {}
    pending: list[Any] = [root]
    while pending:
        value = pending.pop()
        match value:
            case ScriptObject() if id(value) not in seen:
                seen[id(value)] = value
                pending += value.attributes.values()
            case list() | tuple():
                pending += cast("list[Any]", value)
            case dict():
                pending += cast("Mapping[Any, Any]", value).values()
            case _:
                pass
    return list(seen.values())


def _composite(name: str) -> Operation | None:
    """The prelude's function for an operator."""
    try:
        program = prelude_function(name)
    except KeyError:
        return None
    return lookup(program.module, program.entry)
