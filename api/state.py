"""The state of a module in this process: attributes that methods change, between calls and around each.

Attributes that no method writes are constants of the compiled code. Those that a method was found to write (`StateNeeded`)
are its inputs from then on, for every method of the module, and their new values are stored back after a call:

    compiled, signature = state.settle(receiver, lambda specs: compile(..., specs))
    plan = state.plan(receiver, signature)
    with state.lock:
        results, own = compiled.call_twofold([*arguments, *plan.inputs()])
        plan.store(own)

Tensors that are written in place keep their memory; an attribute that is set gets a tensor of its own, so that nothing
outside shares memory with the module. What a call that raises leaves is in `replay.py`.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

import numpy.typing as npt

from ..backend.cpu.call import numpy_copy, shared_array
from ..ir.attributes import Constant
from ..ir.class_groups import leads_to_itself
from ..ir.columns import encoded, vectors
from ..ir.diagnostics import CompileError, Diagnostic, InternalError
from ..ir.dtypes import from_numpy
from ..ir.places import AttributeKey, Holder, Places, identity, located, objects_in, value_at
from ..ir.program import StateNeeded
from ..ir.script_types import (
    BOOL,
    FLOAT,
    INT,
    STR,
    ClassType,
    DictType,
    ListType,
    OptionalType,
    ScriptObject,
    ScriptType,
    TupleType,
)
from ..ir.shared_memory import copied, elements, pieces
from ..ir.signature import (
    ArgumentSpec,
    ColumnsSpec,
    ConstantSpec,
    DictSpec,
    Dim,
    InstanceSpec,
    ObjectSpec,
    PartSpec,
    SameSpec,
    ScalarSpec,
    SequenceSpec,
    Signature,
    StateSpec,
    TensorSpec,
    kept_paths,
    rebuild,
)
from .arguments import form
from .overlapping import Overlapping, are_parts, is_regular, lying

FEW: Final = 3
"""So many lengths of a list in the state are one too many, and so many sets of keys of a dict."""

T = TypeVar("T")
Slot = tuple[int, str]
"""Identity of an object and the name of its attribute."""

_MAX_ROUNDS: Final = 50

_FEW_ELEMENTS: Final = 64
"""The elements of a list or dict of so many may come to be of any length each."""


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
        self._seen_lengths: dict[tuple[int, str, str], set[Any]] = {}
        self._of_any_length: set[tuple[int, str, str]] = set()
        self._may_overlap = False
        """Whether tensors that are inputs may be views of one memory: then it matters where they lie."""
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
        return tuple(p for p, h in self.outer_attributes(receiver).items() if slot_of(h) in self.slots)

    def outer_attributes(self, receiver: ScriptObject) -> Mapping[str, Holder]:
        """Attributes by path, but those of objects that an input holds: these are parts of the input."""
        attributes = self.places(receiver).attributes
        inner = self._inner()
        return {p: h for p, h in attributes.items() if id(h[0]) not in inner} if inner else attributes

    def _inner(self) -> Mapping[int, Holder]:
        """The inputs that objects of script classes stand in, by the identity of these."""
        return {i: h for h in self.slots.values() for i in objects_in(h[0].attributes.get(h[1]))}

    def specs(
        self, receiver: ScriptObject, paths: Sequence[str], constant: Sequence[ScriptType] = ()
    ) -> tuple[StateSpec, ...]:
        """What the attributes are now; numbers of the types `constant` as constants."""
        attributes = self.outer_attributes(receiver)
        holders = [(p, attributes[p]) for p in paths]
        overlapping = Overlapping([c for _, h in holders for _, c in tensors_of(h[0].attributes[h[1]])])
        self._may_overlap |= bool(overlapping)
        describe = _Describe(self, self.places(receiver), tuple(constant), overlapping)
        return tuple(StateSpec(p, describe.spec(h[0].attributes[h[1]], h)) for p, h in holders)

    def mark(self, receiver: ScriptObject, paths: tuple[str, ...], constant: Sequence[ScriptType]) -> Any:
        """Equal for states of equal specs, and quick to make."""
        holders = self._held.get((id(receiver), paths))
        if holders is None:
            attributes = self.places(receiver).attributes
            holders = self._held[id(receiver), paths] = [attributes[p] for p in paths]
        numbers: dict[int, int] = {}
        kinds = tuple(_PYTHON[t] for t in constant)
        found = tuple([_mark(owner.attributes[name], numbers, kinds) for owner, name in holders])
        if not self._may_overlap:
            return found
        return found, Overlapping([c for owner, name in holders for _, c in tensors_of(owner.attributes[name])]).layout()

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
                # an object that is part of an input is one wherever it stands
                found += [h for i in objects_in(value) for h in places.holders.get(i, ())]
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
                inner = self._inner()
                holders = [inner.get(id(h[0]), h) for h in holders]
                if any(slot_of(h) not in self.slots for h in holders):
                    raise StateNeeded(holders, {})
                changed = self._overlapped(everything, written)
                self._own([c for c in changed if not c.array.flags.writeable or c.strided is not None], everything)
                in_place.update(map(slot_of, holders))
            self._own_given_out(signature, attributes)
            self._check_entangled(receiver, signature, in_place)

    def _own_given_out(self, signature: Signature, attributes: Mapping[str, Holder]) -> None:
        """Tensors that callers get, or may get, are theirs to write to."""
        given = {v.base for v in signature.views if v.is_argument}
        if signature.placed:
            given = set(range(len(signature.parameters)))
        paths = [p.path for i, p in enumerate(signature.parameters) if i in given and p.path is not None and isinstance(p.spec, TensorSpec)]
        found = [value_at(located(path, attributes)) for path in paths]
        read_only = [c for c in found if isinstance(c, Constant) and (not c.array.flags.writeable or c.strided is not None)]
        if read_only:
            self._own(read_only, Places(self.root))

    def _check_kept(self, receiver: ScriptObject, signature: Signature) -> None:
        """What another attribute comes to hold too is state: a change through one must be seen through the other."""
        places = self.places(receiver)
        for path in (p for r in signature.state for p in kept_paths(r.tree)):
            value = places.values.get(path)
            if not isinstance(value, ScriptObject) or not value.type.is_module:
                holder, _ = located(path, self.outer_attributes(receiver))
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
            return [located(path, self.outer_attributes(receiver))[0]]
        everything = Places(self.root)
        found = [c for _, c in everything.tensors() if c.name == path[1:]]
        return [h for c in found for h in everything.holders[identity(c)]]

    def _overlapped(self, everything: Places, written: Mapping[str, Constant]) -> list[Constant]:
        """These tensors, and those that lie in the same memory. StateNeeded where one is no input yet; CompileError where it is
        of another dtype."""
        tensors = list(everything.tensors())
        at = {id(c.array): i for i, (_, c) in enumerate(tensors)}
        of = {i: members for _, _, members in pieces([lying(c) for _, c in tensors]) for i in members}
        needed: list[Holder] = []
        found = list(written.values())
        for path, constant in written.items():
            members = of.get(at[id(constant.array)], [])
            for other_path, other in (tensors[i] for i in members):
                if not are_parts([lying(constant), lying(other)]):
                    raise CompileError(
                        Diagnostic(
                            f"attribute `{path}` is changed in place and shares memory with `{other_path}`, which is not supported",
                            help="save the model with clones of them",
                        )
                    )
                needed += [h for h in everything.holders[identity(other)] if slot_of(h) not in self.slots]
                found.append(other)
        if needed:
            raise StateNeeded(needed, {})
        return found

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
        tensors = [c for _, c in everything.tensors()]
        own = {id(c.array) for c in constants}
        for _, _, members in pieces([lying(c) for c in tensors]):
            inside = {id(tensors[i].array) for i in members}
            if inside & own:  # with all that lies in the same memory
                own |= inside
        chosen = [c for c in tensors if id(c.array) in own]
        for constant, array in zip(chosen, copied([lying(c) for c in chosen]), strict=True):
            new = Constant(constant.name, array)
            for owner, name in everything.holders[identity(constant)]:
                owner.attributes[name] = _replaced(owner.attributes[name], constant, new)
        if constants:
            self._places.clear()

    def new_tensor(self, array: npt.NDArray[Any]) -> Constant:
        """A tensor that the module does not have yet."""
        return Constant(f"state.{next(self._names)}", array)

    def may_overlap(self) -> None:
        """Tensors that are inputs may be views of one another from now on."""
        self._may_overlap = True

    def moved(self, *, modules: bool) -> None:
        """Objects stand elsewhere now; `modules`: ones that compiled code has taken for constants."""
        self._places.clear()
        if modules:
            self.changed()

    def set(self, owner: ScriptObject, name: str, value: Any) -> None:
        """An attribute set from outside: the second time it becomes an input, so that no third one compiles anew."""
        with self.lock:
            slot = id(owner), name
            is_structure = _is_module(value) or _is_module(owner.attributes.get(name))
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
            self._watch_lengths((owner, name))
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
        return bool(self._dynamic or self._of_any_length) and not self.is_static

    @property
    def has_any_length(self) -> bool:
        return bool(self._of_any_length) and not self.is_static

    # lengths

    def _watch_lengths(self, holder: Holder) -> None:
        """Lists and dicts that have been of several lengths, or had several keys, and strings, are given at run time."""
        pending: list[tuple[str, Any]] = [("", holder[0].attributes[holder[1]])]
        while pending:
            suffix, value = pending.pop()
            if isinstance(value, str):
                seen = self._seen_lengths.setdefault((*slot_of(holder), suffix), set())
                seen.add(value)
                if len(seen) >= FEW:
                    self._of_any_length.add((*slot_of(holder), suffix))
            elif isinstance(value, list | dict):
                keys = tuple(cast("dict[Any, Any]", value)) if isinstance(value, dict) else len(cast("list[Any]", value))
                seen = self._seen_lengths.setdefault((*slot_of(holder), suffix), set())
                seen.add(keys)
                if len(seen) >= FEW:
                    self._of_any_length.add((*slot_of(holder), suffix))
                elif len(_held_by(value)) <= _FEW_ELEMENTS:
                    inner: Any = list(cast("dict[Any, Any]", value)) if isinstance(value, dict) else range(cast(int, keys))
                    pending += [(f"{suffix}[{k!r}]", v) for k, v in zip(inner, _held_by(value), strict=True)]
            elif isinstance(value, tuple):
                pending += [(f"{suffix}[{i}]", v) for i, v in enumerate(cast("tuple[Any, ...]", value))]
            elif isinstance(value, ScriptObject) and not value.type.is_module and not leads_to_itself(value.type):
                pending += [(f"{suffix}.{n}", v) for n, v in value.attributes.items()]

    def open_lengths(self, receiver: ScriptObject, paths: Sequence[str]) -> bool:
        """Has the lists, dicts and strings at these paths be given at run time; whether there is one that was not."""
        attributes = self.outer_attributes(receiver)
        found = {(*slot_of(attributes[p]), "") for p in paths if p in attributes}
        found = {s for s in found if s not in self._of_any_length}
        self._of_any_length |= found
        return bool(found)

    def is_of_any_length(self, holder: Holder, suffix: str) -> bool:
        return not self.is_static and (*slot_of(holder), suffix) in self._of_any_length

    def plan(self, receiver: ScriptObject, signature: Signature) -> Plan:
        return Plan(self, receiver, signature)


@dataclass
class _Describe:
    """Values to specs; what stands in several places is `SameSpec` from the second on."""

    state: ModuleState
    places: Places
    constant: tuple[ScriptType, ...]
    overlapping: Overlapping
    _numbers: dict[int, int] = field(default_factory=dict[int, int])
    _dims: dict[int, Dim] = field(default_factory=dict[int, Dim])

    def spec(self, value: Any, holder: Holder, suffix: str = "") -> ArgumentSpec:
        match value:
            case ScriptObject() if value.type.is_module:
                return ObjectSpec(self.places.paths[id(value)])
            case Constant() | list() | dict() | ScriptObject():
                key = self.overlapping.identity(value) if isinstance(value, Constant) else identity(value)
                if key in self._numbers:
                    return SameSpec(self._numbers[key])
                self._numbers[key] = len(self._numbers)
                return self._numbered(cast(Any, value), holder, suffix)
            case tuple():
                return SequenceSpec(self._elements(cast("tuple[Any, ...]", value), holder, suffix), True)
            case bool() | int() | float():
                type_ = BOOL if isinstance(value, bool) else INT if isinstance(value, int) else FLOAT
                return ConstantSpec(value) if type_ in self.constant else ScalarSpec(type_)
            case str() if self.state.is_of_any_length(holder, suffix):
                return ColumnsSpec(STR)
            case _:
                return ConstantSpec(value)

    def _numbered(self, value: Any, holder: Holder, suffix: str) -> ArgumentSpec:
        if isinstance(value, Constant):
            dtype = from_numpy(value.array.dtype)
            assert dtype is not None
            part = self.overlapping.part(value, dtype)
            if part is not None:
                return part
            if not value.array.flags.c_contiguous and is_regular(value.array):
                return TensorSpec(dtype, value.array.shape, tuple(s // dtype.itemsize for s in value.array.strides))
            return TensorSpec(dtype, self.state.shape(holder, suffix, value.array.shape, self._dims))
        at_run_time = self._at_run_time(value, holder, suffix)
        if at_run_time is not None:
            return at_run_time
        match value:
            case list():
                return SequenceSpec(self._elements(cast("list[Any]", value), holder, suffix), False)
            case ScriptObject():
                if leads_to_itself(value.type):
                    raise CompileError(
                        Diagnostic(
                            f"attribute `{holder[1]}` keeps objects of class {value.type.name} that cannot be inputs of a call",
                            help="their tensors have to be of one dtype and rank each, and stand nowhere else in the module",
                        )
                    )
                parts = [self.spec(v, holder, f"{suffix}.{n}") for n, v in value.attributes.items()]
                return InstanceSpec(value.type, tuple(parts))
            case _:
                table = cast("dict[Any, Any]", value)
                parts = tuple(self.spec(v, holder, f"{suffix}[{k!r}]") for k, v in table.items())
                return DictSpec(tuple(table), parts)

    def _at_run_time(self, value: Any, holder: Holder, suffix: str) -> ColumnsSpec | None:
        """A list or dict that has been of several lengths, and what may lead to others of its class; if it can be given so."""
        tied = isinstance(value, ScriptObject) and leads_to_itself(value.type)
        if not tied and not self.state.is_of_any_length(holder, suffix):
            return None
        declared = _declared(holder, suffix)
        if declared is None or self._stands_elsewhere(value) or self.overlapping.holds_any([c for _, c in tensors_of(value)]):
            return None
        found = form(declared, [opened(value)])
        return None if found is None else ColumnsSpec(found)

    def _stands_elsewhere(self, value: Any) -> bool:
        """Whether a list, dict or object in it is somewhere else in the module too; a list or dict, whether in it twice."""
        met: dict[int, int] = {}
        pending = _held_by(value)
        while pending:
            current = pending.pop()
            if isinstance(current, list | dict | ScriptObject):
                key = id(cast("object", current))
                met[key] = met.get(key, 0) + 1
                if met[key] > 1:
                    if not isinstance(current, ScriptObject):
                        return True
                    continue
            pending += _held_by(current)
        return any(len(self.places.holders.get(key, ())) != count for key, count in met.items())

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
    if kind is ScriptObject and not value.type.is_module:
        if id(value) in numbers:
            return numbers[id(value)]
        number = numbers.setdefault(id(value), len(numbers))
        return number, id(value.type), tuple([_mark(v, numbers, constant) for v in value.attributes.values()])
    return id(value) if kind is ScriptObject else (kind, value)


def _is_module(value: Any) -> bool:
    return isinstance(value, ScriptObject) and value.type.is_module


def _held_by(value: Any) -> list[Any]:
    """What stands in a list, tuple, dict or object of a script class."""
    match value:
        case list() | tuple():
            return list(cast("Sequence[Any]", value))
        case dict():
            return list(cast("dict[Any, Any]", value).values())
        case ScriptObject():
            return list(value.attributes.values())
        case _:
            return []


def _declared(holder: Holder, suffix: str) -> ScriptType | None:
    """The declared type of what stands in an attribute at `suffix`."""
    t: ScriptType | None = holder[0].type.attributes.get(holder[1])
    for key in located(f"_{suffix}", {"_": holder})[1]:
        t = t.element if isinstance(t, OptionalType) else t
        match t:
            case TupleType():
                t = t.elements[cast(int, key)]
            case ListType():
                t = t.element
            case DictType():
                t = t.value
            case ClassType() if isinstance(key, AttributeKey):
                t = t.attributes.get(key.name)
            case _:
                return None
    return t.element if isinstance(t, OptionalType) else t


def opened(value: Any, made: dict[int, ScriptObject] | None = None) -> Any:
    """The value of an attribute with arrays for tensors."""
    made = {} if made is None else made
    match value:
        case Constant():
            return value.array
        case list():
            return [opened(v, made) for v in cast("list[Any]", value)]
        case tuple():
            return tuple(opened(v, made) for v in cast("tuple[Any, ...]", value))
        case dict():
            return {k: opened(v, made) for k, v in cast("dict[Any, Any]", value).items()}
        case ScriptObject() if not value.type.is_module:
            return _opened_objects(value, made)
        case _:
            return value


def _opened_objects(first: ScriptObject, made: dict[int, ScriptObject]) -> ScriptObject:
    """Copies of an object and of all that it leads to, one after the other: chains of them may be long."""
    new = {i: o for i, o in objects_in(first).items() if i not in made}
    made.update({i: ScriptObject(o.type) for i, o in new.items()})
    for i, o in new.items():
        made[i].attributes.update({n: opened(v, made) for n, v in o.attributes.items()})
    return made[id(first)]


def tensors_of(value: Any, suffix: str = "") -> Iterator[tuple[str, Constant]]:
    """Tensors in the value of an attribute, with what stands behind the attribute's name to get at them."""
    match value:
        case Constant():
            yield suffix, value
        case ScriptObject() if not value.type.is_module and not leads_to_itself(value.type):
            for name, element in value.attributes.items():
                yield from tensors_of(element, f"{suffix}.{name}")
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
    return _inputs_at(signature, attributes)()


def _inputs_at(signature: Signature, attributes: Mapping[str, Holder]) -> Callable[[], list[Any]]:
    """Gives the values of the parameters that are state."""
    at_run_time = {c.first: c for c in signature.columns if c.path is not None}
    sources: list[tuple[Any, ScriptType | None, PartSpec | None]] = []
    i = 0
    while i < len(signature.parameters):
        column, path = at_run_time.get(i), signature.parameters[i].path
        if path is not None:
            part = signature.parameters[i].part
            sources.append((located(path, attributes), None if column is None else column.type, part))
        i += 1 if column is None else len(vectors(column.type, ""))

    def values() -> list[Any]:
        found: list[Any] = []
        for at, t, part in sources:
            value = value_at(at)
            if t is not None:
                found += encoded(opened(value), t)
            elif part is not None:
                found.append(elements(lying(value), part.offset, cast(int, part.length)))
            else:
                found.append(value.array if isinstance(value, Constant) else value)
        return found

    return values


class Plan:
    """How a compiled function gets its state, and where its new state goes. Used under the lock of the module."""

    def __init__(self, state: ModuleState, receiver: ScriptObject, signature: Signature) -> None:
        self._state = state
        self._receiver = receiver
        self._attributes = state.outer_attributes(receiver)
        self._outputs = [(self._attributes[r.path], r.tree) for r in signature.state]
        self._gives_views = bool(signature.placed or signature.views or signature.placed_columns)
        self.inputs = _inputs_at(signature, self._attributes)
        """Gives the values of the parameters that are state."""

    def store(self, results: Sequence[Any]) -> None:
        """Sets the attributes to what a call gave, in memory that is not the caller's."""
        if not self._outputs:
            return
        if self._gives_views:
            self._state.may_overlap()
        live = _Live(self._state, self._receiver, self._attributes)
        new = [(holder, rebuild(tree, results, live)) for holder, tree in self._outputs]
        live.refill()
        modules = objects = False
        for (owner, name), value in new:
            modules |= _is_module(value)
            objects |= modules or bool(objects_in(value))
            owner.attributes[name] = value
        if objects:
            self._state.moved(modules=modules)


class _Live:
    """The state before a call (`LiveState`)."""

    def __init__(
        self, state: ModuleState, receiver: ScriptObject, attributes: Mapping[str, Holder]
    ) -> None:
        self._state = state
        self._receiver = receiver
        self._attributes = attributes
        self._tensors: dict[int, Constant] = {}
        self._containers: dict[str, Any] = {}
        self._contents: list[tuple[Any, Any]] = []

    def tensor(self, index: int, array: Any) -> Constant:
        if index not in self._tensors:
            # what the caller gets is the attribute, unless it is memory that the caller has
            self._tensors[index] = self._state.new_tensor(shared_array(array))
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
            self._containers[identity] = _empty(value) if identity.startswith("#") else self.kept(identity)
            self._contents.append((self._containers[identity], value))
        return self._containers[identity]

    def refill(self) -> None:
        """Lists and dicts get their contents when all that stood in them has been looked up."""
        for container, contents in self._contents:
            if isinstance(container, list):
                cast("list[Any]", container)[:] = contents
            elif isinstance(container, ScriptObject):
                container.attributes.update(contents.attributes)
            else:
                container.clear()
                container.update(contents)


def _empty(value: Any) -> Any:
    """A list, dict or object of the same kind."""
    return ScriptObject(value.type) if isinstance(value, ScriptObject) else type(value)()
