"""`ScriptModule`: a module as PyTorch's API has it. Methods are compiled when they are first called.

    net = torchcc.load("net.pt")
    net(x); net.encode(x)                       # forward, any other method
    net.k = 3; net.fc.weight = array            # attributes, type-checked; submodules share their state with the parent
    for name, p in net.named_parameters(): ...

Tensors come out as read-only numpy arrays over the module's own memory; what is set is copied in.
"""

from __future__ import annotations

import io
import os
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from ..backend.cpu.call import read_only
from ..ir import cache
from ..ir.attributes import ComplexParts, Constant, ForeignTensor
from ..ir.diagnostics import CompileError, Diagnostic, Note
from ..ir.dtypes import DType, from_numpy
from ..ir.places import identity
from ..ir.program import Methods, Origin, Program, attribute_marks
from ..ir.schema import Schema
from ..ir.script_types import (
    ClassType,
    DeviceType,
    DictType,
    EnumMember,
    InterfaceType,
    ListType,
    OptionalType,
    ScriptObject,
    ScriptType,
    TupleType,
)
from . import conversions
from .arguments import adapt, array_of, call_error
from .devices import Device
from .function import CompiledCall, ScriptFunction
from .programs import has_hooks
from .state import ModuleState

if TYPE_CHECKING:
    from .graphs import Graph

_OF_FORWARD: Final = frozenset({"bind", "name", "program", "source", "specialise", "entry", "settled", "call_adapted"})
"""What a module passes on to the function that a call of it runs, unless it has an attribute of the name."""

_CONTAINERS: Final = ("Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict")


class _Shared:
    """What the objects of one module tree have in common."""

    def __init__(self, function: ScriptFunction) -> None:
        self.function = function
        """The entry; what is behind its program is made when something is asked for."""
        self.program = function.program
        self.state = function.state
        self.root: ScriptModule | None = None
        """What stands for the whole."""
        self._objects: dict[int, ScriptInstance] = {}
        self._methods: dict[tuple[int, str], ScriptFunction] = {}

    def wrapped(self, value: ScriptObject) -> ScriptInstance:
        """The Python object of a script object, always the same one."""
        if self.root is not None and value is self.state.root:
            return self.root
        if id(value) not in self._objects:
            kind = ScriptModule if value.type.is_module else ScriptInstance
            self._objects[id(value)] = kind(self, value)
        return self._objects[id(value)]

    def methods(self) -> Methods:
        methods = self.program.methods
        if methods is None:
            raise call_error("the module has no further methods")
        return methods

    def method(self, owner: ScriptObject, name: str) -> ScriptFunction:
        """A method as a function of its own; CompileError where it is wrong."""
        key = id(owner), name
        if key not in self._methods:
            with self.state.lock:
                schema = self.methods().compile_method(owner.type, name)
                own = Schema("", name, "", schema.arguments[1:], schema.returns)
                program = Program(self.program.module, owner.type.methods[name], own, owner, self.program.methods)
                program.origin = self._origin(program, owner, name)
                self._methods[key] = ScriptFunction(program, state=self.state)
        return self._methods[key]

    def _origin(self, program: Program, owner: ScriptObject, name: str) -> Origin | None:
        """Like that of the whole, if the module still is what it was made from."""
        whole, root = self.program.origin, self.state.root
        if whole is None or not whole.holds(self.program, self.state.paths(root)):
            return None
        path = self.state.places(root).paths.get(id(owner))
        return None if path is None else Origin(cache.key("method", whole.content, path, name), attribute_marks(program.receiver))


_MISSING: Final = object()


class _Handle:
    """What stands behind the Python object of a script object: one attribute of it, so that no other name is taken."""

    def __init__(self, shared: _Shared, own: ScriptObject | None) -> None:
        self.shared = shared
        self._own = own
        self._is_forward_of_root = own is None and shared.function.name == "forward"

    @property
    def value(self) -> ScriptObject:
        return self.shared.state.root if self._own is None else self._own

    @property
    def is_root(self) -> bool:
        return self._own is None

    @property
    def original_name(self) -> str:
        return self.value.type.name.rpartition(".")[2]

    def called(self) -> ScriptFunction:
        """What a call of the module runs: `forward` with its hooks around it; that of the root has them already."""
        if self._is_forward_of_root:
            return self.shared.function
        return self.shared.method(self.value, "__call__") if self.has_hooks() else self.forward()

    def forward(self) -> ScriptFunction:
        """`forward` alone. AttributeError where there is none."""
        if self._is_forward_of_root and not self.has_hooks():
            return self.shared.function
        if "forward" not in self.shared.methods().method_names(self.value.type):
            raise AttributeError(f"'{self.original_name}' object has no attribute 'forward'")
        return self.shared.method(self.value, "forward")

    def has_hooks(self) -> bool:
        if self.is_root:
            return has_hooks(self.shared.program)
        return self.shared.program.methods is not None and any(self.shared.methods().hook_names(self.value.type))

    def method_names(self) -> list[str]:
        return [n for n in self.shared.methods().method_names(self.value.type) if not n.startswith("__")]

    def get(self, name: str) -> Any:
        """An attribute, constant or method; AttributeError where there is none."""
        value = self.value
        found = value.attributes.get(name, _MISSING)
        if found is _MISSING:
            found = value.type.constants.get(name, _MISSING)
        if found is not _MISSING:
            return self.given_out(found, value.type.attributes.get(name))
        if name in self.shared.methods().method_names(value.type):
            return self.shared.method(value, name)
        raise AttributeError(f"'{self.original_name}' object has no attribute '{name}'")

    def set(self, name: str, new: Any) -> None:
        value = self.value
        declared = value.type.attributes.get(name)
        if declared is None:
            what = "a constant of the class" if name in value.type.constants else "no attribute of the class"
            help = "attributes of the program can be set; new ones are unknown to it"
            raise call_error(f"`{name}` cannot be set: it is {what} `{self.original_name}`", help)
        with self.shared.state.lock:
            self.shared.state.set(value, name, self.taken_in(new, declared, name))

    def given_out(self, value: Any, declared: ScriptType | None) -> Any:
        """A value of the program as Python's."""
        if isinstance(declared, OptionalType):
            declared = declared.element
        match value:
            case ScriptObject():
                return self.shared.wrapped(value)
            case Constant():
                return read_only(value.array)
            case list():
                inner = declared.element if isinstance(declared, ListType) else None
                return [self.given_out(v, inner) for v in cast("list[Any]", value)]
            case dict():
                inner = declared.value if isinstance(declared, DictType) else None
                return {k: self.given_out(v, inner) for k, v in cast("dict[Any, Any]", value).items()}
            case str() if isinstance(declared, DeviceType):
                return Device(value)
            case tuple():
                types = declared.elements if isinstance(declared, TupleType) else ()
                elements = cast("tuple[Any, ...]", value)
                return tuple(self.given_out(v, t) for v, t in zip(elements, types or (None,) * len(elements), strict=True))
            case _:
                return value

    def taken_in(self, value: Any, declared: ScriptType, name: str) -> Any:
        """A Python value as the program keeps it. CompileError for one of another type."""
        if isinstance(declared, ClassType | InterfaceType):
            return self._object_taken_in(value, declared, name)
        if isinstance(value, EnumMember):
            return value
        return self._stored(adapt(value, declared, name, "attribute"))

    def _object_taken_in(self, value: Any, declared: ClassType | InterfaceType, name: str) -> ScriptObject:
        handle = cast(_Handle, vars(value)["_torchcc"]) if isinstance(value, ScriptInstance) else None
        if handle is not None and handle.shared is self.shared:
            type_ = handle.value.type
            if type_ is declared if isinstance(declared, ClassType) else declared.is_met_by(type_):
                return handle.value
        raise call_error(f"attribute `{name}` must be an object of `{declared}` of the same module")

    def _stored(self, value: Any) -> Any:
        match value:
            case ComplexParts():
                return complex(*value)
            case list():
                return [self._stored(v) for v in cast("list[Any]", value)]
            case tuple():
                return tuple(self._stored(v) for v in cast("tuple[Any, ...]", value))
            case dict():
                return {k: self._stored(v) for k, v in cast("dict[Any, Any]", value).items()}
            case None | bool() | int() | float() | complex() | str():
                return value
            case _:
                return self.shared.state.new_tensor(array_of(value))

    def parts(self) -> Iterator[tuple[str, ScriptObject]]:
        value = self.value
        for name in value.type.attributes:
            part = value.attributes.get(name)
            if isinstance(part, ScriptObject) and part.type.is_module:
                yield name, part

    def all(self, value: ScriptObject, path: str, seen: set[int]) -> Iterator[tuple[str, ScriptObject]]:
        if id(value) in seen:
            return
        seen.add(id(value))
        yield path, value
        for name in value.type.attributes:
            part = value.attributes.get(name)
            if isinstance(part, ScriptObject) and part.type.is_module:
                yield from self.all(part, f"{path}.{name}" if path else name, seen)

    def module(self, value: ScriptObject) -> ScriptModule:
        return cast(ScriptModule, self.shared.wrapped(value))

    def tensors(
        self, prefix: str, recurse: bool, kinds: tuple[str, ...]
    ) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        seen: set[int] = set()
        for path, value in self.all(self.value, prefix, set()) if recurse else [(prefix, self.value)]:
            for name, tensor in own_tensors(value, kinds):
                if identity(tensor) not in seen:
                    seen.add(identity(tensor))
                    yield (f"{path}.{name}" if path else name), read_only(tensor.array)

    def state(self, value: ScriptObject, prefix: str) -> Iterator[tuple[str, Constant]]:
        for name, tensor in own_tensors(value, ("parameters", "buffers")):
            yield prefix + name, tensor
        for name in value.type.attributes:
            part = value.attributes.get(name)
            if isinstance(part, ScriptObject) and part.type.is_module:
                yield from self.state(part, f"{prefix}{name}.")

    def elements(self) -> dict[str, Any]:
        """What stands in a container of PyTorch's, by key. TypeError for other modules."""
        if self.original_name not in _CONTAINERS:
            raise TypeError(f"'{self.original_name}' object is no container")
        if self.original_name.startswith("Parameter"):
            own = own_tensors(self.value, ("parameters", "buffers"))
            return {name: read_only(tensor.array) for name, tensor in own}
        return {name: self.module(part) for name, part in self.parts()}

    def special(self, name: str) -> ScriptFunction | None:
        """A method of the user's own that Python calls by itself."""
        if self.original_name in _CONTAINERS or name not in self.shared.methods().method_names(self.value.type):
            return None
        return self.shared.method(self.value, name)

    def is_keyed(self) -> bool:
        return self.original_name.endswith("Dict")


class ScriptInstance:
    """An object of a script class: attributes and methods."""

    _torchcc: _Handle

    def __init__(self, shared: _Shared, value: ScriptObject | None) -> None:
        # behind `__setattr__`, which is for the attributes of the program
        object.__setattr__(self, "_torchcc", _Handle(shared, value))

    @property
    def original_name(self) -> str:
        """Name of the class."""
        return self._torchcc.original_name

    def __getattr__(self, name: str) -> Any:
        if name == "_torchcc" or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(name)
        return self._torchcc.get(name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._torchcc.set(name, value)

    def __dir__(self) -> list[str]:
        value = self._torchcc.value
        own = [n for n in object.__dir__(self) if not n.startswith("_") or n.startswith("__")]
        return sorted({*own, *value.attributes, *value.type.constants, *self._torchcc.method_names()})

    def __repr__(self) -> str:
        return f"<torchcc {self.original_name} object>"


class ScriptModule(ScriptInstance):
    """A module: calling it runs `forward`. Made by `torchcc.load`, `torchcc.compile_file` and `torchcc.compile_source`.

    Attributes of the program are attributes of the object: numbers, strings, lists, dicts; tensors as read-only arrays; its
    methods and submodules. Setting one checks its type (CompileError) and copies tensors.
    """

    # calls

    @property
    def forward(self) -> ScriptFunction:
        """The method, without the hooks that a call of the module runs. AttributeError where it has exported methods only."""
        return self._torchcc.forward()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._torchcc.called()(*args, **kwargs)

    def compile(self, *specs: Any, **named: Any) -> CompiledCall:
        """Compiles a call of the module before the first one, and for dynamic dimensions: see `ScriptFunction.compile`."""
        return self._torchcc.called().compile(*specs, **named)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name in conversions.METHODS:
                return partial(conversions.METHODS[name], self)
            if name in _OF_FORWARD:
                return getattr(self._torchcc.called(), name)
            if name in ("keys", "values", "items") and self.original_name in _CONTAINERS and self._torchcc.is_keyed():
                return getattr(self._torchcc.elements(), name)
            raise

    # parts

    def named_children(self) -> Iterator[tuple[str, ScriptModule]]:
        """Submodules directly below, each once."""
        seen: set[int] = set()
        for name, part in self._torchcc.parts():
            if id(part) not in seen:
                seen.add(id(part))
                yield name, self._torchcc.module(part)

    def children(self) -> Iterator[ScriptModule]:
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, ScriptModule]]:
        """The module and all below it, each once, by dotted path."""
        return ((name, self._torchcc.module(value)) for name, value in self._torchcc.all(self._torchcc.value, prefix, set()))

    def modules(self) -> Iterator[ScriptModule]:
        return (module for _, module in self.named_modules())

    # tensors

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        """Parameters by dotted path, each tensor once."""
        return self._torchcc.tensors(prefix, recurse, ("parameters",))

    def parameters(self, recurse: bool = True) -> Iterator[npt.NDArray[Any]]:
        return (array for _, array in self.named_parameters("", recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        """Buffers by dotted path, each tensor once."""
        return self._torchcc.tensors(prefix, recurse, ("buffers",))

    def buffers(self, recurse: bool = True) -> Iterator[npt.NDArray[Any]]:
        return (array for _, array in self.named_buffers("", recurse))

    def state_dict(self) -> dict[str, Any]:
        """Parameters and buffers by dotted path, as read-only arrays; a shared one under each of its names.

        Tensors that no operator takes (quantized, sparse) stand at the end, each as the `ForeignTensor` that it is.
        """
        own = self._torchcc.value
        arrays = {path: read_only(tensor.array) for path, tensor in self._torchcc.state(own, "")}
        return {**arrays, **{n: t for n, t in own.named_tensors().items() if isinstance(t, ForeignTensor)}}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copies arrays into parameters and buffers, converted to their dtypes.

        CompileError if a shape differs, or with `strict` if a key is missing or unexpected; nothing is copied then.
        """
        with self._torchcc.shared.state.lock:
            own = dict(self._torchcc.state(self._torchcc.value, ""))
            keys = IncompatibleKeys([n for n in own if n not in state_dict], [n for n in state_dict if n not in own])
            given = {n: array_of(state_dict[n]) for n in own if n in state_dict}
            problems = [f"missing: {', '.join(keys.missing_keys[:5])}"] if strict and keys.missing_keys else []
            problems += [f"unexpected: {', '.join(keys.unexpected_keys[:5])}"] if strict and keys.unexpected_keys else []
            problems += [
                f"{n} has shape {list(a.shape)}, expected {list(own[n].array.shape)}"
                for n, a in given.items()
                if a.shape != own[n].array.shape
            ]
            if problems:
                raise CompileError(Diagnostic("the state does not fit the module", None, "", tuple(map(Note, problems))))
            for name, array in given.items():
                # another array object over the same memory: tensors that share it see the change, compiled code is made anew
                current = dict(self._torchcc.state(self._torchcc.value, ""))[name] if name in own else own[name]
                kept = current.array if current.array.flags.writeable else np.array(current.array)
                kept[...] = array.astype(kept.dtype, copy=False)
                self._torchcc.shared.state.replace(current, kept.view())
            self._torchcc.shared.state.changed()
        return keys

    def convert_tensors(self, convert: Callable[[npt.NDArray[Any], DType], npt.NDArray[Any] | None]) -> None:
        """Puts other arrays in the place of parameters and buffers: what `convert` makes of them, where that is not None."""
        shared = self._torchcc.shared
        with shared.state.lock:
            for name in dict(self._torchcc.state(self._torchcc.value, "")):
                current = dict(self._torchcc.state(self._torchcc.value, ""))[name]
                dtype = from_numpy(current.array.dtype)
                made = None if dtype is None else convert(current.array, dtype)
                if made is not None:
                    shared.state.replace(current, made)
            shared.state.changed()

    def write(self, file: str | os.PathLike[str] | BinaryIO, extra_files: Mapping[str, str | bytes] | None = None) -> None:
        """Writes the archive: see `torchcc.save`."""
        from ..frontend.archive.writer import save  # noqa: PLC0415 - most processes write none

        program, state = whole(self)
        with state.lock:
            save(program, file, extra_files)

    # modes

    def train(self, mode: bool = True) -> ScriptModule:
        """Sets `training` of the module and of all below it; compiled code is made anew where that changes something."""
        with self._torchcc.shared.state.lock:
            if self._torchcc.value.set_training(mode):
                self._torchcc.shared.state.changed()
        return self

    def eval(self) -> ScriptModule:
        return self.train(False)

    # text

    @property
    def graph(self) -> Graph:
        """The graph of `forward`."""
        return self.forward.graph

    @property
    def inlined_graph(self) -> Graph:
        """The graph of `forward` with the functions and methods that it calls inlined."""
        return self.forward.inlined_graph

    @property
    def code(self) -> str:
        """`forward` as TorchScript."""
        return self.forward.code

    @property
    def code_with_constants(self) -> tuple[str, SimpleNamespace]:
        """`code`, and the tensors that it calls `CONSTANTS.c0`, ... as attributes `c0`, ..."""
        return self.forward.code_with_constants

    def graph_for(self, *args: Any, **kwargs: Any) -> str:
        """The graph that a call with these arguments is compiled from."""
        return self._torchcc.called().graph_for(*args, **kwargs)

    def define(self, src: str) -> None:
        """Adds methods: `def plus(self, x): return x + self.k`. CompileError for a wrong one, and for one that is there."""
        handle = self._torchcc
        with handle.shared.state.lock:
            handle.shared.methods().define(handle.value.type, textwrap.dedent(src))
            program = handle.shared.program
            if program.origin is not None:
                program.origin = replace(program.origin, content=cache.key("define", program.origin.content, src))

    def __repr__(self) -> str:
        parts = [f"({name}): {_indented(repr(self._torchcc.module(part)))}" for name, part in self._torchcc.parts()]
        if not parts:
            return f"ScriptModule(original_name={self.original_name})"
        lines = "".join(f"  {line}\n" for line in (f"original_name={self.original_name}", *parts))
        return f"ScriptModule(\n{lines})"

    def __deepcopy__(self, memo: dict[int, Any]) -> ScriptModule:
        """A module of its own with copies of everything that this one holds; what they share there they share here."""
        handle = self._torchcc
        shared, value = handle.shared, handle.value
        with shared.state.lock:
            copied = cast(ScriptObject, _copied(value, {}))
            entry = shared.function.program if handle.is_root else shared.method(value, "forward").program
            program = Program(entry.module, entry.entry, entry.schema, copied, entry.methods)
            if entry.origin is not None and entry.origin.holds(entry):
                program.origin = Origin(entry.origin.content, attribute_marks(copied))
        result = module_of(ScriptFunction(program))
        memo[id(self)] = result
        return result

    def __copy__(self) -> ScriptModule:
        """Another object for the same module."""
        made = object.__new__(type(self))
        object.__setattr__(made, "_torchcc", self._torchcc)
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as the archive of the module; CompileError for what no archive holds."""
        buffer = io.BytesIO()
        self.write(buffer)
        return _unpickled, (buffer.getvalue(),)

    # containers

    def __len__(self) -> int:
        own = self._torchcc.special("__len__")
        return len(self._torchcc.elements()) if own is None else own()

    def __iter__(self) -> Iterator[Any]:
        elements = self._torchcc.elements()
        return iter(elements) if self._torchcc.is_keyed() else iter(elements.values())

    def __contains__(self, key: object) -> bool:
        own = self._torchcc.special("__contains__")
        if own is not None:
            return own(key)
        elements = self._torchcc.elements()
        return key in elements if self._torchcc.is_keyed() else any(v is key for v in elements.values())

    def __getitem__(self, key: Any) -> Any:
        own = self._torchcc.special("__getitem__")
        if own is not None:
            return own(key)
        elements = self._torchcc.elements()
        return elements[key] if self._torchcc.is_keyed() else list(elements.values())[key]

    def __bool__(self) -> bool:
        return True


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` did not find, and what it did not use."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


def own_tensors(value: ScriptObject, kinds: tuple[str, ...]) -> Iterator[tuple[str, Constant]]:
    """Parameters and buffers of the object itself."""
    for kind in kinds:
        names: set[str] = getattr(value.type, kind)
        for name in value.type.attributes:
            tensor = value.attributes.get(name)
            if name in names and isinstance(tensor, Constant):
                yield name, tensor


def _copied(value: Any, made: dict[int, tuple[Any, Any]]) -> Any:
    """A copy of a value of the program and of all below it; `made` has what is copied already, by identity."""
    if isinstance(value, ScriptObject | Constant | list | dict):
        key = identity(cast(Any, value))
        if key in made:
            return made[key][1]
    match value:
        case ScriptObject():
            result = ScriptObject(value.type)
            made[id(value)] = (value, result)
            result.attributes.update((n, _copied(v, made)) for n, v in value.attributes.items())
            return result
        case Constant():
            result = Constant(value.name, np.array(value.array))
            made[identity(value)] = (value, result)
            return result
        case list():
            found: list[Any] = []
            made[id(cast(Any, value))] = (value, found)
            found += [_copied(v, made) for v in cast("list[Any]", value)]
            return found
        case dict():
            table: dict[Any, Any] = {}
            made[id(cast(Any, value))] = (value, table)
            table.update({k: _copied(v, made) for k, v in cast("dict[Any, Any]", value).items()})
            return table
        case tuple():
            return tuple(_copied(v, made) for v in cast("tuple[Any, ...]", value))
        case _:
            return value


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def module_of(function: ScriptFunction) -> ScriptModule:
    """The module whose method the function is; the two share their state."""
    shared = _Shared(function)
    shared.root = ScriptModule(shared, None)
    return shared.root


def methods_of(module: ScriptModule) -> list[ScriptFunction]:
    """`forward` and the other methods that can be called."""
    handle = module._torchcc  # pyright: ignore[reportPrivateUsage]
    return [handle.get(name) for name in handle.method_names()]


def _unpickled(archive: bytes) -> ScriptModule:
    from ..frontend.archive import load  # noqa: PLC0415 - most processes pickle nothing

    return module_of(ScriptFunction(load(archive, None)))


def whole(module: ScriptModule) -> tuple[Program, ModuleState]:
    """A program with the module as its receiver, and the state that it belongs to."""
    handle = module._torchcc  # pyright: ignore[reportPrivateUsage]
    program = handle.shared.program
    return Program(program.module, program.entry, program.schema, handle.value, program.methods), handle.shared.state
