"""What a call that raises leaves of a module: as in PyTorch, the writes made before that.

Native code changes the state of a module only when it is done. When it raises instead, the call is run once more, from the
same arguments and the same state, by the interpreter of the `torch` stage, up to the operation that raises; the attributes
are set to what they are there. Where that takes too much, draws random numbers, or raises nothing (a difference in rounding
decided), the module stays as it was before the call.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np

from .. import driver
from ..ir.attributes import Constant
from ..ir.core import Operation
from ..ir.dead_code import RANDOM
from ..ir.diagnostics import ExecutionError, TorchccError
from ..ir.dialects.torch import CONTEXT
from ..ir.interpreters.torch import Instance, Interpreter
from ..ir.places import Holder, identity, objects_in
from ..ir.program import Program
from ..ir.script_types import ScriptObject
from .arguments import array_of, is_tensor
from .state import ModuleState, slot_of

MAX_OPERATIONS: Final = 200_000
MAX_BYTES: Final = 1 << 29
"""Of all tensors that are computed."""


class _TooMuch(Exception):
    """The call is not worth repeating."""


@dataclass
class _Replay(Interpreter):
    changing: Collection[int] = ()
    """Identities of the tensors that may be written to."""
    operations: int = 0
    bytes: int = 0
    objects: dict[int, ScriptObject] = field(default_factory=dict[int, ScriptObject])
    tensors: dict[int, tuple[Any, Constant]] = field(default_factory=dict[int, Any])

    def import_value(self, value: Any) -> Any:
        if isinstance(value, Constant) and identity(value) not in self.changing:
            array = value.array.view()  # weights are not copied
            array.flags.writeable = False
            self.tensors[id(array)] = (array, value)
            return array
        result = super().import_value(value)
        if isinstance(value, ScriptObject):
            self.objects[id(result)] = value
        elif isinstance(value, Constant):
            self.tensors[id(result)] = (result, value)
        return result

    is_unwinding: bool = False

    def print(self, data: bytes) -> None:
        """What the call itself has not printed: it was over when contexts were left."""
        if self.is_unwinding:
            super().print(data)

    def unwind(self) -> None:
        self.is_unwinding = True
        super().unwind()

    def before(self, op: Operation, arguments: Sequence[Any]) -> None:
        self.operations += 1
        if self.operations > MAX_OPERATIONS or op.name.partition(".")[0] in RANDOM:  # what was drawn is gone
            raise _TooMuch

    def reserve(self, size: int, op: Operation | None = None) -> None:
        self.bytes += size
        if self.bytes > MAX_BYTES:
            raise _TooMuch


def leaves_contexts(program: Program) -> bool:
    """Whether there is a `with` of a script class in it: on an error its `__exit__` is called."""
    return any(CONTEXT in op.attributes for op in program.module.walk())


def replay(program: Program, state: ModuleState, values: Sequence[Any]) -> None:
    """Sets the state to what the call with these values leaves, and does what contexts do when they are left on an error.

    Under the lock of the module; its state is as before.
    """
    holders: list[Holder] = []
    if program.receiver is not None:
        attributes = state.outer_attributes(program.receiver)
        holders = [attributes[path] for path in state.paths(program.receiver)]
    changing = {identity(c) for owner, name in holders for c in _tensors(owner.attributes[name])}
    interpreter = _Replay(driver.composite, changing=changing)
    try:
        interpreter.run_program(program, [_copied(v) for v in values])
    except ExecutionError:
        _Outcome(interpreter, state).keep(holders)
    except (TorchccError, _TooMuch, MemoryError, ValueError):  # ValueError: numpy's, of a write to what is no state
        return


def _tensors(value: Any) -> list[Constant]:
    match value:
        case Constant():
            return [value]
        case ScriptObject() if not value.type.is_module:
            found = [a for o in objects_in(value).values() for a in o.attributes.values() if not isinstance(a, ScriptObject)]
            return [c for a in found for c in _tensors(a)]
        case list() | tuple():
            return [c for v in cast("Sequence[Any]", value) for c in _tensors(v)]
        case dict():
            return [c for v in cast("dict[Any, Any]", value).values() for c in _tensors(v)]
        case _:
            return []


def _copied(value: Any) -> Any:
    if is_tensor(value):
        return array_of(value)
    match value:
        case list():
            return [_copied(v) for v in cast("list[Any]", value)]
        case tuple():
            return tuple(_copied(v) for v in cast("tuple[Any, ...]", value))
        case dict():
            return {k: _copied(v) for k, v in cast("dict[Any, Any]", value).items()}
        case _:
            return value


class _Outcome:
    """Values of the interpreter as attributes hold them. What is one there is one here."""

    def __init__(self, interpreter: _Replay, state: ModuleState) -> None:
        self._interpreter = interpreter
        self._state = state
        self._made: dict[int, tuple[Any, Any]] = {}

    def keep(self, holders: Sequence[Holder]) -> None:
        new = [(h, self._value(self._interpreter.attribute(*h), h[0].attributes[h[1]])) for h in holders]
        for array, constant in self._interpreter.tensors.values():
            if identity(constant) in self._interpreter.changing and constant.array.flags.writeable:
                constant.array[...] = array
        for (owner, name), value in new:
            owner.attributes[name] = value
            assert slot_of((owner, name)) in self._state.slots

    def _object(self, value: Instance) -> ScriptObject:
        """The object of the module, or a new one for one that the call has made; those of script classes are brought up to date."""
        if id(value) in self._made:
            return self._made[id(value)][1]
        own = self._interpreter.objects.get(id(value))
        if own is not None and own.type.is_module:
            return own
        made = ScriptObject(value.type) if own is None else own
        self._made[id(value)] = (value, made)
        for name, held in value.attributes.items():
            made.attributes[name] = self._value(self._interpreter.current(held), made.attributes.get(name))
        return made

    def _value(self, value: Any, before: Any) -> Any:
        """`before`: what the attribute held; a list or dict stays the one it is."""
        if isinstance(value, np.ndarray | list | dict) and id(cast(object, value)) in self._made:
            return self._made[id(cast(object, value))][1]
        match value:
            case Instance():
                return self._object(value)
            case np.ndarray():
                array = cast("np.ndarray[Any, Any]", value)
                known = self._interpreter.tensors.get(id(array))
                made = known[1] if known is not None else self._state.new_tensor(np.array(array, order="C"))
            case list():
                elements = cast("list[Any]", value)
                made = cast("list[Any]", before) if isinstance(before, list) else list[Any]()
                inner = [*made, *[None] * len(elements)]
                made[:] = [self._value(v, b) for v, b in zip(elements, inner)]
            case dict():
                table = cast("dict[Any, Any]", value)
                made = cast("dict[Any, Any]", before) if isinstance(before, dict) else dict[Any, Any]()
                entries = {k: self._value(v, made.get(k)) for k, v in table.items()}
                made.clear()
                made.update(entries)
            case tuple():
                elements = cast("tuple[Any, ...]", value)
                inner = cast("tuple[Any, ...]", before) if isinstance(before, tuple) else ()
                return tuple(self._value(v, b) for v, b in zip(elements, [*inner, *[None] * len(elements)]))
            case _:
                return value
        self._made[id(cast(object, value))] = (value, made)
        return made
