"""Runs `__setstate__`: how a class makes its objects from a state that is no table of attributes.

The method is compiled like any other, and run by the interpreter of the `torch` stage on an object without attributes.
It comes from a file: steps, memory and time are bounded. What it leaves in the object are attributes like all others.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from ...ir.attributes import Constant, ForeignTensor
from ...ir.core import Operation, lookup
from ...ir.diagnostics import CompileError, ExecutionError
from ...ir.interpreters.quantized import parts
from ...ir.interpreters.torch import Instance, Interpreter
from ...ir.script_types import NoneType, OptionalType, ScriptObject
from ..compile import prelude_function
from ..values import FunctionValue
from .importer import Importer
from .unpickler import Tensor

MAX_STEPS: Final = 50_000
"""Operations that all `__setstate__` of one archive may run."""

MAX_BYTES: Final = 32 << 20
"""Of one new tensor, or as many as the file has; all new tensors together may have 6 times as many."""

MAX_LENGTH: Final = 1 << 20
"""Of a list or string."""

MAX_SECONDS: Final = 10.0
"""Of the thread's processor time: a busy machine refuses no file."""

_WIDENING: Final = ("mul", "ljust", "rjust", "center", "zfill", "expandtabs", "repeat", "range")
"""Builtins on lists and strings whose result is as long as a number says."""


class _TooMuch(ExecutionError):
    """A limit is reached."""


@dataclass
class _BoundedInterpreter(Interpreter):
    limit: int = MAX_BYTES
    steps: int = 0
    bytes: int = 0
    exported: dict[int, tuple[Instance, ScriptObject | ForeignTensor]] = field(default_factory=dict[int, Any])
    sources: dict[int, tuple[Any, Constant]] = field(default_factory=dict[int, Any])
    tensors: dict[int, tuple[Any, Constant | ForeignTensor]] = field(default_factory=dict[int, Any])
    until: float = field(default_factory=lambda: time.thread_time() + MAX_SECONDS)

    def import_value(self, value: Any) -> Any:
        result = super().import_value(value)
        if isinstance(value, ScriptObject):
            self.exported[id(result)] = (result, value)
        elif isinstance(value, Constant):
            self.sources[id(result)] = (result, value)
        elif isinstance(value, ForeignTensor):
            self.exported[id(result)] = (result, value)
        return result

    def given(self, array: npt.NDArray[Any]) -> Constant | None:
        """The constant that a tensor was made of, if it has not been written to."""
        found = self.sources.get(id(array))
        return found[1] if found is not None and array.tobytes() == found[1].array.tobytes() else None

    def before(self, op: Operation, arguments: Sequence[Any]) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS or time.thread_time() > self.until:
            raise _TooMuch("it does more than a `__setstate__` may", op.span)
        base = op.name.partition("::")[2].partition(".")[0]
        if base in _WIDENING and any(isinstance(a, list | str) for a in arguments):
            if any(type(a) is int and a > 1 << 16 for a in arguments):
                raise _TooMuch("it makes a list or string that is too long", op.span)

    def reserve(self, size: int, op: Operation | None = None) -> None:
        self.bytes += size
        if size > self.limit or self.bytes > 6 * self.limit:
            raise _TooMuch("it needs more memory than a `__setstate__` may", None if op is None else op.span)

    def after(self, op: Operation, results: Sequence[Any]) -> None:
        for result in results:
            if isinstance(result, np.ndarray):
                # computed ones have been accounted for; views may be larger than all memory
                if cast("npt.NDArray[Any]", result).nbytes > self.limit:
                    self.reserve(cast("npt.NDArray[Any]", result).nbytes, op)
            elif isinstance(result, list | str | dict) and len(cast("Sequence[Any]", result)) > MAX_LENGTH:
                raise _TooMuch("it makes a list or string that is too long", op.span)


@dataclass
class StateRunner:
    """`SetState` of an archive: one interpreter, so that the limits hold for all objects together."""

    interpreter: _BoundedInterpreter = field(default_factory=lambda: _BoundedInterpreter(_composite))

    def __call__(self, target: ScriptObject, function: FunctionValue, state: Any, importer: Importer, path: str) -> None:
        unit, reader = importer.unit, importer.reader
        span = function.definition.span
        before = len(unit.diagnostics.items)
        compiled = unit.method(target.type, function, span)
        if len(unit.diagnostics.items) > before:
            raise CompileError(unit.diagnostics.items[before:])
        arguments = compiled.schema.arguments
        operation = lookup(unit.module, compiled.symbol)
        if len(arguments) != 2 or operation is None:
            raise CompileError.at(span, "`__setstate__` takes `self` and one state")
        self.interpreter.limit = max(MAX_BYTES, reader.bytes)
        value = importer.value(state, arguments[1].type, f"{path}__setstate__")
        if _has_foreign(value):
            raise reader.fault(f"restores `{path}` from sparse tensors or others without operators, which is not supported", importer.member)
        interpreter = self.interpreter
        instance = interpreter.import_value(target)
        try:
            interpreter.run(operation, [target, value])
        except (ExecutionError, MemoryError) as error:
            reason = error.message if isinstance(error, ExecutionError) else "it needs too much memory"
            at = error.span if isinstance(error, ExecutionError) else None
            message = f"`__setstate__` of `{path.rstrip('.') or target.type.name}` in {reader.name} fails: {reason}"
            raise CompileError.at(at or span, message) from None
        _Exporter(interpreter, importer, path).attributes(target, cast(Instance, instance))


def _composite(name: str) -> Operation | None:
    """The prelude's function for an operator."""
    try:
        program = prelude_function(name)
    except KeyError:
        return None
    return lookup(program.module, program.entry)


def _has_foreign(value: Any) -> bool:
    match value:
        case ForeignTensor():
            return parts(value) is None
        case list() | tuple():
            return any(map(_has_foreign, cast("Sequence[Any]", value)))
        case dict():
            return any(map(_has_foreign, cast("Mapping[Any, Any]", value).values()))
        case _:
            return False


class _Exporter:
    """Run-time values back to compile-time ones; what the method passed on unchanged is the same constant again."""

    def __init__(self, interpreter: _BoundedInterpreter, importer: Importer, path: str) -> None:
        self.interpreter = interpreter
        self.importer = importer
        self.path = path

    def attributes(self, target: ScriptObject, instance: Instance) -> None:
        for name, type_ in target.type.attributes.items():
            if name in instance.attributes:
                target.attributes[name] = self.value(instance.attributes[name], f"{self.path}{name}")
            elif isinstance(type_, NoneType | OptionalType):
                target.attributes[name] = None
            else:
                raise self.importer.reader.fault(
                    f"makes `{self.path.rstrip('.') or 'the module'}` by a `__setstate__` that does not set `{name}`",
                    self.importer.member,
                )

    def value(self, value: Any, path: str) -> Any:
        value = self.interpreter.current(value)
        match value:
            case np.ndarray():
                return self.tensor(cast("npt.NDArray[Any]", value), path)
            case Instance():
                return self.object(value, path)
            case list():
                return [self.value(v, f"{path}.{i}") for i, v in enumerate(cast(list[Any], value))]
            case tuple():
                return tuple(self.value(v, f"{path}.{i}") for i, v in enumerate(cast(tuple[Any, ...], value)))
            case dict():
                return {k: self.value(v, f"{path}.{k}") for k, v in cast(dict[Any, Any], value).items()}
            case _:
                return value

    def object(self, instance: Instance, path: str) -> ScriptObject | ForeignTensor:
        known = self.interpreter.exported.get(id(instance))
        if known is not None:
            return known[1]
        made = ScriptObject(instance.type)
        self.interpreter.exported[id(instance)] = instance, made
        _Exporter(self.interpreter, self.importer, f"{path}.").attributes(made, instance)
        return made

    def tensor(self, array: npt.NDArray[Any], path: str) -> Constant | ForeignTensor:
        given = self.interpreter.given(array)
        if given is not None:
            return given
        key = id(array)
        if key not in self.interpreter.tensors:
            dense = np.ascontiguousarray(array).reshape(array.shape)
            self.interpreter.tensors[key] = (array, self.importer.tensor(Tensor(dense), path))
        return self.interpreter.tensors[key][1]
