"""The Python interface: source in, callables out.

    program = torchcc.compile_source(text)      # every function of the text is an attribute
    net = torchcc.compile_file("net.py", "Net(10)", weights="net.safetensors")
    @torchcc.script                             # the function's own source, compiled

A callable is compiled for the arguments of a call: dtype and shape of each tensor, the structure of lists and tuples, the
value of strings, bools and None; ints and floats stay run-time values unless the program needs them at compile time.
"""

from __future__ import annotations

import inspect
import re
import textwrap
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from . import driver
from .backend.cpu.jit import CompiledFunction
from .frontend import compile as frontend
from .frontend.ast import SourceModule
from .frontend.weights import load_weights
from .ir.diagnostics import CompileError, Diagnostic, TorchccError
from .ir.dtypes import from_numpy
from .ir.program import Program
from .ir.schema import Argument
from .ir.script_types import (
    FLOAT,
    INT,
    BoolType,
    FloatType,
    IntType,
    ListType,
    NumberType,
    OptionalType,
    ScriptObject,
    ScriptType,
    TensorType,
    TupleType,
)
from .ir.signature import ArgumentSpec, ConstantResult, ConstantSpec, Leaf, ResultTree, ScalarSpec, SequenceSpec, Signature, TensorSpec
from .ir.source import SourceFile


class Callable_:
    """A compiled function or module: called with numpy arrays, Python values, and anything that has `__dlpack__`."""

    def __init__(self, program: Program, source: SourceModule | None = None) -> None:
        self.program = program
        self.source = source
        """The typed syntax tree of the file it comes from."""
        self._compiled: dict[tuple[ArgumentSpec, ...], tuple[CompiledFunction, Signature]] = {}
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self.program.schema.base

    @property
    def parameters(self) -> tuple[Argument, ...]:
        """What it takes, in order."""
        return self.program.schema.arguments

    def __repr__(self) -> str:
        arguments = ", ".join(f"{a.name}: {a.type.annotation}" for a in self.parameters)
        return f"<torchcc {self.name}({arguments})>"

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Parameters and buffers by name; empty for a function."""
        receiver = self.program.receiver
        return {} if receiver is None else {k: v.array for k, v in receiver.named_tensors().items()}

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """One value per parameter, defaults filled in. CompileError for a call that does not fit."""
        return bind(self.program, args, kwargs)

    def specialise(self, specs: Sequence[ArgumentSpec]) -> tuple[CompiledFunction, Signature]:
        """The native function for these specs, compiled on first use."""
        key = tuple(specs)
        found = self._compiled.get(key)
        if found is None:
            with self._lock:
                found = self._compiled.get(key)
                if found is None:
                    found = self._compiled[key] = driver.compile_native(self.program, key)
        return found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        values = self.bind(args, kwargs)
        values = [adapt(v, a.type, a.name) for v, a in zip(values, self.parameters, strict=True)]
        return prepared(self, [spec_of(v) for v in values], values)()


def prepared(function: Callable_, specs: Sequence[ArgumentSpec], values: Sequence[Any]) -> Callable[[], Any]:
    """Compiles for these specs (numbers become constants if the program needs that); the call that runs the values."""
    adapted = [adapt(v, a.type, a.name) for v, a in zip(values, function.parameters, strict=True)]
    try:
        compiled, signature = function.specialise(specs)
    except driver.NeedsConstant:
        specs = [constant_numbers(s, v) for s, v in zip(specs, adapted, strict=True)]
        compiled, signature = function.specialise(specs)
    flat = [leaf for v, s in zip(adapted, specs, strict=True) for leaf in flatten(v, s)]
    return lambda: rebuild(signature.tree, compiled.call_flat(flat))


def bind(program: Program, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """One value per parameter of the program, in order, as Python binds a call."""
    schema = program.schema
    name, arguments = schema.base, schema.arguments
    if len(args) > len(arguments):
        raise _call_error(f"{name}() takes {len(arguments)} arguments but {len(args)} were given")
    values = dict(zip((a.name for a in arguments), args, strict=False))
    for keyword, value in kwargs.items():
        if keyword in values:
            raise _call_error(f"{name}() got two values for argument `{keyword}`")
        if keyword not in {a.name for a in arguments}:
            raise _call_error(f"{name}() has no argument `{keyword}`", f"it takes {', '.join(a.name for a in arguments) or 'none'}")
        values[keyword] = value
    missing = [a.name for a in arguments if a.name not in values and not a.has_default]
    if missing:
        raise _call_error(f"{name}() is missing a value for {', '.join(f'`{m}`' for m in missing)}")
    return [values.get(a.name, a.default) for a in arguments]


def _call_error(message: str, help: str | None = None) -> CompileError:
    return CompileError(Diagnostic(message, help=help))


def adapt(value: Any, type: ScriptType, name: str) -> Any:
    """The value as its declared type takes it: an int for a float parameter, a list for a tuple (language, 4.5)."""
    match type:
        case OptionalType():
            return None if value is None else adapt(value, type.element, name)
        case TensorType() if is_tensor(value):
            return value
        case FloatType() if isinstance(value, int | float | np.number | np.bool_) and not isinstance(value, np.complexfloating):
            return float(value)
        case BoolType() if isinstance(value, int | np.bool_):
            return bool(value)
        case IntType() if isinstance(value, int | np.integer | np.bool_):
            return int(value)
        case NumberType() if isinstance(value, int | float):
            return value
        case IntType() | FloatType() if is_tensor(value) and np.asarray(value).ndim == 0:
            return adapt(np.asarray(value).item(), type, name)
        case ListType() if isinstance(value, list | tuple):
            elements = cast(Sequence[Any], value)
            return [adapt(v, type.element, f"{name}[{i}]") for i, v in enumerate(elements)]
        case TupleType() if isinstance(value, list | tuple) and len(cast(Sequence[Any], value)) == len(type.elements):
            elements = cast(Sequence[Any], value)
            return tuple(adapt(v, t, f"{name}[{i}]") for i, (v, t) in enumerate(zip(elements, type.elements, strict=True)))
        case TensorType() | FloatType() | BoolType() | IntType() | ListType() | TupleType():
            kind = "a Tensor" if is_tensor(value) else f"a value of type {value.__class__.__name__}"
            raise _call_error(f"argument `{name}` must be {type.annotation}, but {kind} was given")
        case _:
            return value


def is_tensor(value: Any) -> bool:
    """numpy arrays, and everything that speaks DLPack (torch, cupy, jax ...)."""
    return isinstance(value, np.ndarray) or hasattr(value, "__dlpack__")


def spec_of(value: Any) -> ArgumentSpec:
    """What a call with this value is specialised for."""
    if is_tensor(value):
        array = as_array(value)
        dtype = from_numpy(array.dtype)
        if dtype is None:
            raise _call_error(f"a tensor of dtype {array.dtype} has no counterpart in PyTorch")
        return TensorSpec(dtype, array.shape)
    match value:
        case bool() | str() | None:
            return ConstantSpec(value)
        case int():
            return ScalarSpec(INT)
        case float():
            return ScalarSpec(FLOAT)
        case list() | tuple():
            return SequenceSpec(tuple(map(spec_of, cast(Sequence[Any], value))), isinstance(value, tuple))
        case _:
            raise _call_error(f"a value of type {value.__class__.__name__} cannot be an argument")


def as_array(value: Any) -> np.ndarray[Any, Any]:
    """A numpy view of a tensor; bfloat16 of torch comes through its bits."""
    if isinstance(value, np.ndarray):
        return cast(np.ndarray[Any, Any], value)
    return driver.tensor_view(value)


def constant_numbers(spec: ArgumentSpec, value: Any) -> ArgumentSpec:
    """The same spec with every run-time number fixed to its value."""
    match spec:
        case ScalarSpec():
            return ConstantSpec(value)
        case SequenceSpec(elements, is_tuple):
            return SequenceSpec(tuple(constant_numbers(s, v) for s, v in zip(elements, value, strict=True)), is_tuple)
        case _:
            return spec


def flatten(value: Any, spec: ArgumentSpec) -> list[Any]:
    """Run-time leaves of an argument, in the order of `Signature.parameters`."""
    match spec:
        case TensorSpec() | ScalarSpec():
            return [value]
        case SequenceSpec(elements):
            return [leaf for v, s in zip(value, elements, strict=True) for leaf in flatten(v, s)]
        case _:
            return []


def rebuild(tree: ResultTree, flat: Sequence[Any]) -> Any:
    """The structured result of flat ones."""
    match tree:
        case Leaf():
            return flat[tree.index]
        case ConstantResult():
            return tree.value
        case _:
            elements = [rebuild(e, flat) for e in tree.elements]
            return tuple(elements) if tree.is_tuple else elements


class Library:
    """Every function of a source text as an attribute."""

    def __init__(self, programs: Mapping[str, Program]) -> None:
        self._programs = programs
        self._callables: dict[str, Callable_] = {}

    def __dir__(self) -> list[str]:
        return sorted(self._programs)

    def __getattr__(self, name: str) -> Callable_:
        if name.startswith("_") or name not in self._programs:
            raise AttributeError(f"no function `{name}`; there are {', '.join(sorted(self._programs)) or 'none'}")
        if name not in self._callables:
            self._callables[name] = Callable_(self._programs[name])
        return self._callables[name]


def compile_file(path: str | Path, entry: str | None = None, *, weights: str | Path | None = None, seed: int | None = None) -> Callable_:
    """The function or module `entry` of a source file: `name`, `Net`, `Net(10)`; the only one there is for None.

    `weights`: .safetensors, .npz, or a PyTorch state_dict file. Without, parameters get PyTorch's default initialisation
    with `seed` (a random one for None). Modules are in eval mode. CompileError for a program that does not check.
    """
    file = frontend.read_source(path)
    arrays = None if weights is None else load_weights(Path(weights))
    compiled = frontend.compile_source(file, entry, weights=arrays, seed=seed)
    if compiled.program.receiver is not None:
        set_training(compiled.program.receiver, False)
    return Callable_(compiled.program, compiled.source)


def set_training(module: ScriptObject, training: bool) -> None:
    """Sets the `training` attribute of a module and of all below it, as `train()` and `eval()` do."""
    if "training" in module.attributes:
        module.attributes["training"] = training
    for value in module.attributes.values():
        if isinstance(value, ScriptObject):
            set_training(value, training)


def compile_source(text: str, name: str = "<source>") -> Library:
    """Every function of a TorchScript text, each compiled when it is first used; syntax and types are checked at once."""
    return Library(frontend.compile_functions(SourceFile(name, text)))


def script(function: Callable[..., Any]) -> Callable_:
    """A Python function, compiled from its source; the functions it calls come along. Nothing of it is executed."""
    try:
        path = inspect.getsourcefile(function)
        lines = inspect.findsource(function)[0]
    except (OSError, TypeError):
        raise _call_error(f"the source of {function!r} cannot be found", "only functions defined in a file can be scripted") from None
    assert path is not None
    return getattr(compile_source(_isolated_source(function, lines), path), function.__name__)


_KNOWN_IMPORTS = {
    "torch": "import torch",
    "math": "import math",
    "nn": "import torch.nn as nn",
    "F": "import torch.nn.functional as F",
    "Tensor": "from torch import Tensor",
    **{t: f"from typing import {t}" for t in ("Any", "Dict", "Final", "List", "NamedTuple", "Optional", "Tuple", "Union")},
}


def _isolated_source(function: Callable[..., Any], lines: Sequence[str]) -> str:
    """The file with everything blank but the function and what it calls, at their own lines, and imports in between."""
    kept = [""] * len(lines)
    imports: dict[str, str] = {}
    todo, seen = [function], set[Any]()
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        body, first = inspect.getsourcelines(current)
        start = next(i for i, line in enumerate(body) if line.lstrip().startswith(("def ", "async def ")))
        text = textwrap.dedent("".join(body[start:])).splitlines()
        kept[first - 1 + start : first - 1 + start + len(text)] = text
        names = set(re.findall(r"[A-Za-z_]\w*", "\n".join(text)))
        scope = {**getattr(current, "__globals__", {}), **inspect.getclosurevars(current).nonlocals}
        for name in names:
            value = scope.get(name)
            if isinstance(value, Callable_):
                continue
            if inspect.isfunction(value) and inspect.getsourcefile(value) == inspect.getsourcefile(function):
                todo.append(value)
            elif inspect.ismodule(value):
                imports[name] = f"import {value.__name__} as {name}"
            elif name in _KNOWN_IMPORTS:
                imports.setdefault(name, _KNOWN_IMPORTS[name])
    blank = [i for i, line in enumerate(kept) if not line.strip()]
    if len(blank) < len(imports) or any(blank[i] != i for i in range(len(imports))):
        return "\n".join([*imports.values(), *kept, ""])
    kept[: len(imports)] = imports.values()
    return "\n".join([*kept, ""])


__all__ = ["Callable_", "Library", "TorchccError", "compile_file", "compile_source", "script"]
