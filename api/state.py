"""The state of a module in this process: attributes that methods change, between calls and around each.

Attributes that no method writes are constants of the compiled code. Those that a method was found to write (`StateNeeded`)
are its inputs from then on, for every method of the module, and their new values are stored back after a call:

    compiled, signature = state.settle(receiver, lambda specs: compile(..., specs))
    plan = state.plan(receiver, signature)
    with state.lock:
        plan.store(compiled.call_flat([*arguments, *plan.inputs()]))

Tensors that are written in place keep their memory; an attribute that is set gets a tensor of its own, so that nothing
outside shares memory with the module. What a call that raises leaves is in `replay.py`.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

import numpy as np
import numpy.typing as npt

from ..backend.cpu.call import numpy_copy, shared_array
from ..ir.attributes import Constant
from ..ir.diagnostics import CompileError, Diagnostic, InternalError
from ..ir.dtypes import from_numpy
from ..ir.places import Holder, Places, identity, located, value_at
from ..ir.program import StateNeeded
from ..ir.script_types import BOOL, FLOAT, INT, ScriptObject, ScriptType
from ..ir.signature import (
    ArgumentSpec,
    ConstantSpec,
    DictSpec,
    Dim,
    ObjectSpec,
    SameSpec,
    ScalarSpec,
    SequenceSpec,
    Signature,
    StateSpec,
    TensorSpec,
    kept_paths,
    rebuild,
)

T = TypeVar("T")
Slot = tuple[int, str]
"""Identity of an object and the name of its attribute."""

_MAX_ROUNDS: Final = 50


def slot_of(holder: Holder) -> Slot:
    return id(holder[0]), holder[1]


class ModuleState:
    """What the methods of a module share. `root` is asked for when the state is first looked at; None for a function."""

    def __init__(self, root: Callable[[], ScriptObject | None]) -> None:
        self._root = root
        self.lock = threading.RLock()
        """Held while attributes are read or written, and during calls that do."""
        self.version = 0
        """Rises when something changes that compiled code takes for a constant."""
        self.slots: dict[Slot, Holder] = {}
        """Attributes that are inputs of compiled code."""
        self._in_place: set[Slot] = set()
        self._entangled: set[frozenset[Slot]] = set()
        self._set_before: set[Slot] = set()
        self._places: dict[int, Places] = {}
        self._held: dict[tuple[int, tuple[str, ...]], list[Holder]] = {}
        self._names = itertools.count()
        self._seen_shapes: dict[Any, tuple[int, ...]] = {}
        self._dynamic: dict[Any, set[int]] = {}
        self.is_static = False
        """Whether extents of state are fixed although they change: where code with dynamic ones cannot be compiled."""

    @property
    def root(self) -> ScriptObject:
        root = self._root()
        if root is None:
            raise InternalError("a function has no state")
        return root

    def places(self, receiver: ScriptObject) -> Places:
        """Where things stand below an object; of tensors and containers only where they stood some time ago."""
        found = self._places.get(id(receiver))
        if found is None:
            found = self._places[id(receiver)] = Places(receiver)
        return found

    # what is declared

    def paths(self, receiver: ScriptObject) -> tuple[str, ...]:
        """Attributes below the receiver that are inputs."""
        if not self.slots:
            return ()
        return tuple(p for p, h in self.places(receiver).attributes.items() if slot_of(h) in self.slots)

    def specs(
        self, receiver: ScriptObject, paths: Sequence[str], constant: Sequence[ScriptType] = ()
    ) -> tuple[StateSpec, ...]:
        """What the attributes are now; numbers of the types `constant` as constants."""
        attributes = self.places(receiver).attributes
        describe = _Describe(self, self.places(receiver), tuple(constant))
        holders = [(p, attributes[p]) for p in paths]
        return tuple(StateSpec(p, describe.spec(h[0].attributes[h[1]], h)) for p, h in holders)

    def mark(self, receiver: ScriptObject, paths: tuple[str, ...], constant: Sequence[ScriptType]) -> Any:
        """Equal for states of equal specs, and quick to make."""
        holders = self._held.get((id(receiver), paths))
        if holders is None:
            attributes = self.places(receiver).attributes
            holders = self._held[id(receiver), paths] = [attributes[p] for p in paths]
        numbers: dict[int, int] = {}
        kinds = tuple(_PYTHON[t] for t in constant)
        return tuple([_mark(owner.attributes[name], numbers, kinds) for owner, name in holders])

    def settle(
        self, receiver: Callable[[], ScriptObject | None], attempt: Callable[[], tuple[T, Signature | None]]
    ) -> tuple[T, Signature | None]:
        """`attempt` until it has all the state it needs. CompileError where state is used in a way that is not supported."""
        for _ in range(_MAX_ROUNDS):
            try:
                found, signature = attempt()
                owner = receiver() if signature is not None and signature.used else None
                if signature is not None and owner is not None:
                    self.accept(owner, signature)
                return found, signature
            except StateNeeded as needed:
                if receiver() is None or not self._add(needed):
                    raise needed.error() from None
        raise InternalError("the state of the module does not settle")

    def _add(self, needed: StateNeeded) -> bool:
        """Whether anything of it is new."""
        with self.lock:
            places = Places(self.root)
            found: list[Holder] = []
            for owner, name in needed.attributes:
                found.append((owner, name))
                value = owner.attributes.get(name)
                if isinstance(value, list | dict):
                    found += places.holders.get(id(cast("Any", value)), [])
            for key in needed.tensors:
                found += places.holders.get(key, [])
            return self._declare(found)

    def _declare(self, holders: Sequence[Holder]) -> bool:
        new = {slot_of(h): h for h in holders if slot_of(h) not in self.slots}
        self.slots.update(new)
        if new:
            self.changed()
        return bool(new)

    def accept(self, receiver: ScriptObject, signature: Signature) -> None:
        """Checks that code of this signature may run: what it writes in place, nobody takes for a constant.

        StateNeeded where another attribute holds a tensor that it writes; CompileError where memory is shared otherwise.
        """
        if not signature.used:
            return
        with self.lock:
            self._check_kept(receiver, signature)
            attributes = self.places(receiver).attributes
            written: dict[str, Constant] = {}
            for parameter in signature.parameters:
                if parameter.path is not None and parameter.write_back is not None:
                    written[parameter.path] = value_at(located(parameter.path, attributes))
            in_place: set[Slot] = set()
            if written:
                everything = Places(self.root)
                holders = [h for c in written.values() for h in everything.holders[identity(c)]]
                if any(slot_of(h) not in self.slots for h in holders):
                    raise StateNeeded(holders, {})
                for path, constant in written.items():
                    self._check_overlap(everything, path, constant)
                self._own([c for c in written.values() if not c.array.flags.writeable], everything)
                in_place.update(map(slot_of, holders))
            self._check_entangled(receiver, signature, in_place)

    def _check_kept(self, receiver: ScriptObject, signature: Signature) -> None:
        """What another attribute comes to hold too is state: a change through one must be seen through the other."""
        places = self.places(receiver)
        for path in (p for r in signature.state for p in kept_paths(r.tree)):
            if not isinstance(places.values.get(path), ScriptObject):
                holder, _ = located(path, places.attributes)
                if slot_of(holder) not in self.slots:
                    raise StateNeeded([holder], {})

    def _check_entangled(self, receiver: ScriptObject, signature: Signature, in_place: set[Slot]) -> None:
        """CompileError where an attribute that shares memory in PyTorch alone is written in place, here or elsewhere."""
        pairs = [[h for path in pair for h in self._holders(receiver, path)] for pair in signature.entangled]
        entangled = {frozenset(map(slot_of, holders)) for holders in pairs}
        for slots in self._entangled | entangled:
            if slots & (self._in_place | in_place):
                names = sorted({name for _, name in slots})
                raise CompileError(
                    Diagnostic(
                        f"attributes that may share memory ({', '.join(names)}) are changed in place, which is not supported",
                        help="clone() what one of them is set to",
                    )
                )
        self._entangled |= entangled
        self._in_place |= in_place

    def _holders(self, receiver: ScriptObject, path: str) -> list[Holder]:
        if not path.startswith("="):
            return [self.places(receiver).attributes[path]]
        everything = Places(self.root)
        found = [c for _, c in everything.tensors() if c.name == path[1:]]
        return [h for c in found for h in everything.holders[identity(c)]]

    def _check_overlap(self, everything: Places, path: str, constant: Constant) -> None:
        for other_path, other in everything.tensors():
            if other.array is not constant.array and np.may_share_memory(other.array, constant.array):
                raise CompileError(
                    Diagnostic(
                        f"attribute `{path}` is changed in place and shares memory with `{other_path}`, which is not supported",
                        help="save the model with clones of them",
                    )
                )

    # values

    def replace(self, old: Constant, array: npt.NDArray[Any]) -> Constant:
        """Another array for a tensor, wherever it stands."""
        new = Constant(old.name, array)
        for owner, name in Places(self.root).holders.get(identity(old), ()):
            owner.attributes[name] = _replaced(owner.attributes[name], old, new)
        self._places.clear()
        return new

    def _own(self, constants: Sequence[Constant], everything: Places) -> None:
        """Memory that may be written to: arrays of files and of others may not."""
        for constant in constants:
            new = Constant(constant.name, np.array(constant.array))
            for owner, name in everything.holders[identity(constant)]:
                owner.attributes[name] = _replaced(owner.attributes[name], constant, new)
        if constants:
            self._places.clear()

    def new_tensor(self, array: npt.NDArray[Any]) -> Constant:
        """A tensor that the module does not have yet."""
        return Constant(f"state.{next(self._names)}", array)

    def moved(self) -> None:
        """Objects stand elsewhere now."""
        self._places.clear()
        self.changed()

    def set(self, owner: ScriptObject, name: str, value: Any) -> None:
        """An attribute set from outside: the second time it becomes an input, so that no third one compiles anew."""
        with self.lock:
            slot = id(owner), name
            is_structure = isinstance(value, ScriptObject) or isinstance(owner.attributes.get(name), ScriptObject)
            owner.attributes[name] = value
            self._places.clear()
            if slot in self.slots and not is_structure:
                return
            if slot in self._set_before and not is_structure and name != "training":
                self.slots[slot] = (owner, name)
            self._set_before.add(slot)
            self.changed()

    def changed(self) -> None:
        """Code compiled before is for other constants."""
        self.version += 1
        self._held.clear()

    # extents

    def watch_shapes(self, receiver: ScriptObject, arguments: object) -> None:
        """Before something is compiled: extents that have changed while the arguments are the same become dynamic."""
        attributes = self.places(receiver).attributes
        for path in self.paths(receiver):
            owner, name = attributes[path]
            for suffix, constant in tensors_of(owner.attributes[name]):
                shape: tuple[int, ...] = constant.array.shape
                place = (id(owner), name, suffix, len(shape))
                before = self._seen_shapes.get((arguments, place))
                self._seen_shapes[arguments, place] = shape
                if before is not None and before != shape:
                    changed = {i for i, (x, y) in enumerate(zip(before, shape, strict=True)) if x != y}
                    self._dynamic.setdefault(place, set()).update(changed)

    def shape(
        self, holder: Holder, suffix: str, shape: tuple[int, ...], names: dict[int, Dim]
    ) -> tuple[int | Dim, ...]:
        """The shape of a tensor for a spec; dynamic extents that are equal now have one name."""
        dynamic = () if self.is_static else self._dynamic.get((id(holder[0]), holder[1], suffix, len(shape)), ())
        return tuple(
            names.setdefault(e, Dim(f"state{len(names)}")) if i in dynamic else e for i, e in enumerate(shape)
        )

    @property
    def has_dynamic(self) -> bool:
        return bool(self._dynamic) and not self.is_static

    def plan(self, receiver: ScriptObject, signature: Signature) -> Plan:
        return Plan(self, receiver, signature)


@dataclass
class _Describe:
    """Values to specs; what stands in several places is `SameSpec` from the second on."""

    state: ModuleState
    places: Places
    constant: tuple[ScriptType, ...]
    _numbers: dict[int, int] = field(default_factory=dict[int, int])
    _dims: dict[int, Dim] = field(default_factory=dict[int, Dim])

    def spec(self, value: Any, holder: Holder, suffix: str = "") -> ArgumentSpec:
        match value:
            case ScriptObject():
                return ObjectSpec(self.places.paths[id(value)])
            case Constant() | list() | dict():
                key = identity(value)
                if key in self._numbers:
                    return SameSpec(self._numbers[key])
                self._numbers[key] = len(self._numbers)
                return self._numbered(cast(Any, value), holder, suffix)
            case tuple():
                return SequenceSpec(self._elements(cast("tuple[Any, ...]", value), holder, suffix), True)
            case bool() | int() | float():
                type_ = BOOL if isinstance(value, bool) else INT if isinstance(value, int) else FLOAT
                return ConstantSpec(value) if type_ in self.constant else ScalarSpec(type_)
            case _:
                return ConstantSpec(value)

    def _numbered(self, value: Any, holder: Holder, suffix: str) -> ArgumentSpec:
        match value:
            case Constant():
                dtype = from_numpy(value.array.dtype)
                assert dtype is not None
                return TensorSpec(dtype, self.state.shape(holder, suffix, value.array.shape, self._dims))
            case list():
                return SequenceSpec(self._elements(cast("list[Any]", value), holder, suffix), False)
            case _:
                table = cast("dict[Any, Any]", value)
                parts = tuple(self.spec(v, holder, f"{suffix}[{k!r}]") for k, v in table.items())
                return DictSpec(tuple(table), parts)

    def _elements(self, values: Sequence[Any], holder: Holder, suffix: str) -> tuple[ArgumentSpec, ...]:
        return tuple(self.spec(v, holder, f"{suffix}[{i}]") for i, v in enumerate(values))


_PYTHON: Final[dict[ScriptType, type]] = {BOOL: bool, INT: int, FLOAT: float}


def _mark(value: Any, numbers: dict[int, int], constant: tuple[type, ...]) -> Any:
    kind = cast("type[Any]", type(value))
    if kind is Constant:
        array = value.array
        return numbers.setdefault(id(array), len(numbers)), array.dtype, array.shape
    if kind is int or kind is float or kind is bool:
        return (kind, repr(value)) if kind in constant else kind
    if kind is list or kind is dict:
        number = numbers.setdefault(id(value), len(numbers))
        keys, elements = (tuple(value), value.values()) if kind is dict else (len(value), value)
        return number, keys, tuple([_mark(v, numbers, constant) for v in elements])
    if kind is tuple:
        return tuple([_mark(v, numbers, constant) for v in value])
    return id(value) if kind is ScriptObject else (kind, value)


def tensors_of(value: Any, suffix: str = "") -> Iterator[tuple[str, Constant]]:
    """Tensors in the value of an attribute, with what stands behind the attribute's name to get at them."""
    match value:
        case Constant():
            yield suffix, value
        case list() | tuple():
            for i, element in enumerate(cast("Sequence[Any]", value)):
                yield from tensors_of(element, f"{suffix}[{i}]")
        case dict():
            for key, element in cast("dict[Any, Any]", value).items():
                yield from tensors_of(element, f"{suffix}[{key!r}]")
        case _:
            pass


def _replaced(value: Any, old: Constant, new: Constant) -> Any:
    """The value with another tensor in it; lists and dicts stay the ones they are."""
    match value:
        case Constant():
            return new if value.array is old.array else value
        case list():
            elements = cast("list[Any]", value)
            elements[:] = [_replaced(v, old, new) for v in elements]
            return elements
        case tuple():
            return tuple(_replaced(v, old, new) for v in cast("tuple[Any, ...]", value))
        case dict():
            table = cast("dict[Any, Any]", value)
            table.update({k: _replaced(v, old, new) for k, v in table.items()})
            return table
        case _:
            return value


# around a call


def state_inputs(receiver: ScriptObject, signature: Signature) -> list[Any]:
    """Values of the parameters that are state, as they are now."""
    attributes = Places(receiver).attributes
    values = [value_at(located(p.path, attributes)) for p in signature.parameters if p.path is not None]
    return [v.array if isinstance(v, Constant) else v for v in values]


class Plan:
    """How a compiled function gets its state, and where its new state goes. Used under the lock of the module."""

    def __init__(self, state: ModuleState, receiver: ScriptObject, signature: Signature) -> None:
        self._state = state
        self._receiver = receiver
        self._foreign = frozenset(v.result for v in signature.views)
        self._attributes = state.places(receiver).attributes
        self._inputs = [located(p.path, self._attributes) for p in signature.parameters if p.path is not None]
        self._outputs = [(self._attributes[r.path], r.tree) for r in signature.state]

    def inputs(self) -> list[Any]:
        """Values of the parameters that are state."""
        values = map(value_at, self._inputs)
        return [v.array if isinstance(v, Constant) else v for v in values]

    def store(self, results: Sequence[Any]) -> None:
        """Sets the attributes to what a call gave."""
        if not self._outputs:
            return
        live = _Live(self._state, self._receiver, self._attributes, self._foreign)
        new = [(holder, rebuild(tree, results, live)) for holder, tree in self._outputs]
        live.refill()
        structure = False
        for (owner, name), value in new:
            structure |= isinstance(value, ScriptObject)
            owner.attributes[name] = value
        if structure:
            self._state.moved()


class _Live:
    """The state before a call (`LiveState`)."""

    def __init__(
        self, state: ModuleState, receiver: ScriptObject, attributes: Mapping[str, Holder], foreign: frozenset[int]
    ) -> None:
        self._state = state
        self._receiver = receiver
        self._attributes = attributes
        self._foreign = foreign
        """Results that are views of what was given."""
        self._tensors: dict[int, Constant] = {}
        self._containers: dict[str, Any] = {}
        self._contents: list[tuple[Any, Any]] = []

    def tensor(self, index: int, array: Any) -> Constant:
        if index not in self._tensors:
            # what the caller gets is the attribute, unless it is memory that the caller has
            own = numpy_copy(array) if index in self._foreign else shared_array(array)
            self._tensors[index] = self._state.new_tensor(own)
        return self._tensors[index]

    def element(self, array: Any) -> Constant:
        return self._state.new_tensor(numpy_copy(array))

    def kept(self, path: str) -> Any:
        try:
            return value_at(located(path, self._attributes))
        except InternalError:  # an object in a container
            return Places(self._receiver).values[path]

    def container(self, identity: str, value: Any) -> Any:
        if identity not in self._containers:
            self._containers[identity] = type(value)() if identity.startswith("#") else self.kept(identity)
            self._contents.append((self._containers[identity], value))
        return self._containers[identity]

    def refill(self) -> None:
        """Lists and dicts get their contents when all that stood in them has been looked up."""
        for container, contents in self._contents:
            if isinstance(container, list):
                cast("list[Any]", container)[:] = contents
            else:
                container.clear()
                container.update(contents)
