"""The Python interface: source in, callables out.

    program = torchcc.compile_source(text)      # every function of the text is an attribute
    net = torchcc.compile_file("net.py", "Net(10)", weights="net.safetensors")
    @torchcc.script                             # the function's own source, compiled

A callable is compiled for the arguments of a call: dtype and shape of each tensor, the structure of lists and tuples, the
value of strings, bools and None; ints and floats stay run-time values unless the program needs them at compile time.
`net.compile(x=TensorSpec(...))` compiles ahead of the calls, with dynamic dimensions where the spec has them.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
import textwrap
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import numpy as np

from . import native, programs
from .backend.cpu.call import CompiledFunction, dtype_and_shape
from .ir.diagnostics import CompileError, Diagnostic, NotStatic, TorchccError
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
    StrType,
    TensorType,
    TupleType,
)
from .ir.signature import (
    ArgumentSpec,
    ConstantSpec,
    ScalarSpec,
    SequenceSpec,
    Signature,
    TensorSpec,
    leaves,
    rebuild,
)
from .ir.source import SourceFile

if TYPE_CHECKING:
    from .frontend.ast import SourceModule

# The frontend is imported by the functions that read programs: one whose machine code is in the cache needs none of it.

Specs = tuple[ArgumentSpec, ...]
T = TypeVar("T")


class ScriptFunction:
    """A compiled function or module: called with numpy arrays, Python values, and anything that has `__dlpack__`."""

    def __init__(self, program: Program, source: Callable[[], SourceModule] | None = None) -> None:
        self.program = program
        self._source = source
        self._compiled: dict[Specs, tuple[CompiledFunction, Signature]] = {}
        self._fixed: dict[Specs, int] = {}
        """For specs that have failed with run-time numbers: which of them have to be constants, see `NUMBERS_FIXED`."""
        self._lock = threading.Lock()

    @property
    def source(self) -> SourceModule | None:
        """The typed syntax tree of the file it comes from."""
        return None if self._source is None else self._source()

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

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        values = adapted(self.parameters, self.bind(args, kwargs))
        specs = tuple(map(spec_of, values))
        specs, (compiled, signature) = self._fitting(specs, values)
        return rebuild(signature.tree, compiled.call_flat(flat_values(values, specs)))

    def compile(self, *specs: Any, **named: Any) -> CompiledCall:
        """Compiles before the first call, and for dynamic dimensions: one spec for each parameter.

        A spec is a `TensorSpec`, or a value as a call would take it (an array stands for its dtype and shape).
        Parameters that are left out are fixed to their defaults.

            normalise = fn.compile(x=torchcc.TensorSpec(torchcc.float32, (torchcc.Dim("rows"), 64)))
        """
        found: list[ArgumentSpec] = []
        values: list[Any] = []
        for given, parameter in zip(self.bind(specs, named), self.parameters, strict=True):
            left_out = parameter.name not in named and len(found) >= len(specs)
            spec, value = _wanted_spec(given, parameter, fixed=left_out)
            found.append(spec)
            values.append(value)
        chosen, (compiled, signature) = self._fitting(tuple(found), values)
        return CompiledCall(self, chosen, compiled, signature)

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """One value per parameter, defaults filled in. CompileError for a call that does not fit."""
        return bind(self.program, args, kwargs)

    def specialise(self, specs: Sequence[ArgumentSpec]) -> tuple[CompiledFunction, Signature]:
        """The native function for exactly these specs, compiled on first use."""
        key = tuple(specs)
        found = self._compiled.get(key)
        if found is None:
            with self._lock:
                found = self._compiled.get(key)
                if found is None:
                    found = self._compiled[key] = native.compile_native(self.program, key)
        return found

    def _fitting(self, specs: Specs, values: Sequence[Any]) -> tuple[Specs, tuple[CompiledFunction, Signature]]:
        """`fitting`, which remembers what had to be constant the last time."""
        known = self._fixed.get(specs, 0)
        level, chosen, found = fitting(self.specialise, specs, values, known)
        if level != known:
            self._fixed[specs] = level
        return chosen, found

    # modules

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Parameters and buffers by name, read-only; empty for a function."""
        receiver = self.program.receiver
        tensors: Mapping[str, Any] = {} if receiver is None else receiver.named_tensors()
        return {name: _read_only(tensor.array) for name, tensor in tensors.items()}

    def train(self, mode: bool = True) -> ScriptFunction:
        """Switches a module and all below it to training, as `nn.Module.train` does; calls are compiled anew."""
        if self.program.receiver is not None:
            with self._lock:
                set_training(self.program.receiver, mode)
                self._compiled.clear()
                self._fixed.clear()
        return self

    def eval(self) -> ScriptFunction:
        """Switches a module to evaluation, which is what it starts with."""
        return self.train(False)


class CompiledCall:
    """A function compiled for one set of specs: calls do not compile, and refuse arguments that do not fit."""

    def __init__(
        self, function: ScriptFunction, specs: Specs, compiled: CompiledFunction, signature: Signature
    ) -> None:
        self.function = function
        self.specs = specs
        self.signature = signature
        self._compiled = compiled

    def __repr__(self) -> str:
        return f"<torchcc {self.function.name} for {', '.join(map(str, self.specs))}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        parameters = self.function.parameters
        defaults = {p.name: s.value for p, s in zip(parameters, self.specs, strict=True) if isinstance(s, ConstantSpec)}
        given = {p.name for p in parameters[: len(args)]} | set(kwargs)
        kwargs = {**{k: v for k, v in defaults.items() if k not in given}, **kwargs}
        values = adapted(parameters, self.function.bind(args, kwargs))
        for value, spec, parameter in zip(values, self.specs, parameters, strict=True):
            _check_fits(value, spec, parameter.name)
        return rebuild(self.signature.tree, self._compiled.call_flat(flat_values(values, self.specs)))


def _wanted_spec(given: Any, parameter: Argument, *, fixed: bool) -> tuple[ArgumentSpec, Any]:
    """What `compile` was given for a parameter, as a spec and a value for it."""
    if isinstance(given, TensorSpec | ScalarSpec | SequenceSpec):
        return given, None
    if isinstance(given, ConstantSpec):
        return given, given.value
    value = adapt(given, parameter.type, parameter.name)
    return (ConstantSpec(value) if fixed else spec_of(value)), value


def _check_fits(value: Any, spec: ArgumentSpec, name: str) -> None:
    """CompileError unless the structure and the constants are those that were compiled; native code checks the rest."""
    match spec:
        case ConstantSpec(fixed):
            if is_tensor(value) or value != fixed:
                shown = "a Tensor" if is_tensor(value) else repr(value)
                raise _call_error(f"argument `{name}` was fixed to {fixed!r} when this was compiled, but {shown} was given")
        case SequenceSpec(elements):
            if not isinstance(value, list | tuple) or len(cast(Sequence[Any], value)) != len(elements):
                raise _call_error(f"argument `{name}` must have {len(elements)} elements, as when this was compiled")
            for i, (v, s) in enumerate(zip(cast(Sequence[Any], value), elements, strict=True)):
                _check_fits(v, s, f"{name}[{i}]")
        case TensorSpec():
            if not is_tensor(value):
                raise _call_error(f"argument `{name}` must be a Tensor, as when this was compiled")
        case ScalarSpec():
            if value is None:
                raise _call_error(f"argument `{name}` must be {spec.type}, as when this was compiled")


def prepared(function: ScriptFunction, specs: Sequence[ArgumentSpec], values: Sequence[Any]) -> Callable[[], Any]:
    """Compiles for these specs (numbers become constants if the program needs that); the call that runs the values."""
    arguments = adapted(function.parameters, values)
    _, chosen, (compiled, signature) = fitting(function.specialise, specs, arguments)
    flat = flat_values(arguments, chosen)
    return lambda: rebuild(signature.tree, compiled.call_flat(flat))


NUMBERS_FIXED: Final[tuple[tuple[ScriptType, ...], ...]] = ((), (INT,), (INT, FLOAT))
"""What is tried in turn: all numbers at run time; ints as constants, which are often sizes; all numbers as constants."""


def fitting(
    attempt: Callable[[Specs], T], specs: Sequence[ArgumentSpec], values: Sequence[Any], level: int = 0
) -> tuple[int, Specs, T]:
    """`attempt(specs)`, with numbers as constants where the program needs them at compile time.

    Gives the index into `NUMBERS_FIXED`, the specs that worked, and what `attempt` gave for them.
    """
    last = len(NUMBERS_FIXED) - 1
    for index in range(level, last + 1):
        chosen = tuple(constant_numbers(s, v, NUMBERS_FIXED[index]) for s, v in zip(specs, values, strict=True))
        try:
            return index, chosen, attempt(chosen)
        except NotStatic:
            if index == last or all(s == constant_numbers(s, v) for s, v in zip(chosen, values, strict=True)):
                raise
    raise AssertionError("the loop returns or raises")


def constant_numbers(spec: ArgumentSpec, value: Any, types: Sequence[ScriptType] = (INT, FLOAT)) -> ArgumentSpec:
    """The same spec with every run-time number of these types fixed to its value."""
    match spec:
        case ScalarSpec(type) if type in types and value is not None:
            return ConstantSpec(value)
        case SequenceSpec(elements, is_tuple) if value is not None:
            pairs = zip(elements, value, strict=True)
            return SequenceSpec(tuple(constant_numbers(s, v, types) for s, v in pairs), is_tuple)
        case _:
            return spec


def flat_values(values: Sequence[Any], specs: Sequence[ArgumentSpec]) -> list[Any]:
    return [leaf for v, s in zip(values, specs, strict=True) for leaf in leaves(v, s)]


def bind(program: Program, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """One value per parameter of the program, in order, as Python binds a call."""
    schema = program.schema
    name, arguments = schema.base, schema.arguments
    if len(args) > len(arguments):
        raise _call_error(f"{name}() takes {_counted(len(arguments))} but {len(args)} were given")
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


def _counted(arguments: int) -> str:
    return "1 argument" if arguments == 1 else f"{arguments} arguments"


def _call_error(message: str, help: str | None = None) -> CompileError:
    return CompileError(Diagnostic(message, help=help))


def adapted(parameters: Sequence[Argument], values: Sequence[Any]) -> list[Any]:
    return [adapt(v, a.type, a.name) for v, a in zip(values, parameters, strict=True)]


_NUMPY_SCALAR: Final[Any] = np.generic
_BOOLS: Final[Any] = (int, np.bool_)
_INTEGERS: Final[Any] = (int, np.integer, np.bool_)
_REALS: Final[Any] = (int, float, np.floating, np.integer, np.bool_)
_INT64: Final = range(-(2**63), 2**63)


def adapt(value: Any, type: ScriptType, name: str) -> Any:
    """The value as its declared type takes it: an int for a float parameter, a list for a tuple (language, 4.5)."""
    match type:
        case OptionalType():
            return None if value is None else adapt(value, type.element, name)
        case TensorType() if is_tensor(value):
            return value
        case TensorType() if isinstance(value, _NUMPY_SCALAR):
            return np.asarray(value)  # what numpy makes of an array without dimensions
        case FloatType() if isinstance(value, _REALS):
            return float(value)
        case BoolType() if isinstance(value, _BOOLS):
            return bool(value)
        case IntType() if isinstance(value, _INTEGERS):
            if int(value) not in _INT64:
                raise _call_error(f"argument `{name}`: {value} does not fit into 64 bits")
            return int(value)
        case NumberType() if isinstance(value, int | float):
            return value
        case IntType() | FloatType() | BoolType() if is_tensor(value) and dtype_and_shape(name, value)[1] == ():
            return adapt(value.item() if hasattr(value, "item") else np.from_dlpack(value).item(), type, name)
        case ListType() if isinstance(value, list | tuple):
            elements = cast(Sequence[Any], value)
            return [adapt(v, type.element, f"{name}[{i}]") for i, v in enumerate(elements)]
        case TupleType() if isinstance(value, list | tuple) and len(cast(Sequence[Any], value)) == len(type.elements):
            elements = cast(Sequence[Any], value)
            return tuple(adapt(v, t, f"{name}[{i}]") for i, (v, t) in enumerate(zip(elements, type.elements, strict=True)))
        case StrType() if isinstance(value, str):
            return value
        case TensorType() | FloatType() | BoolType() | IntType() | StrType() | ListType() | TupleType():
            raise _call_error(f"argument `{name}` must be {type.annotation}, but {_described(value)} was given")
        case _:
            return cast(Any, value)


def _described(value: Any) -> str:
    if value is None:
        return "None"
    return "a Tensor" if is_tensor(value) else f"a value of type {value.__class__.__name__}"


def is_tensor(value: Any) -> bool:
    """numpy arrays, and everything that speaks DLPack (torch, cupy, jax ...)."""
    return isinstance(value, np.ndarray) or (hasattr(value, "__dlpack__") and not isinstance(value, _NUMPY_SCALAR))


def spec_of(value: Any) -> ArgumentSpec:
    """What a call with this value is specialised for."""
    if is_tensor(value):
        try:
            return TensorSpec(*dtype_and_shape("", value))
        except TypeError:
            raise _call_error(f"a tensor of dtype {getattr(value, 'dtype', '?')} cannot be an argument") from None
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


class Library:
    """Every function of a source text as an attribute."""

    def __init__(self, programs: Mapping[str, Program]) -> None:
        self._programs = programs
        self._callables: dict[str, ScriptFunction] = {}

    def __dir__(self) -> list[str]:
        return sorted(self._programs)

    def __getattr__(self, name: str) -> ScriptFunction:
        if name.startswith("_") or name not in self._programs:
            raise AttributeError(f"no function `{name}`; there are {', '.join(sorted(self._programs)) or 'none'}")
        if name not in self._callables:
            self._callables[name] = ScriptFunction(self._programs[name])
        return self._callables[name]


def compile_file(
    path: str | Path,
    entry: str | None = None,
    *,
    weights: str | Path | Mapping[str, Any] | None = None,
    seed: int | None = None,
) -> ScriptFunction:
    """The function or module `entry` of a source file; the only one there is for None.

    `entry`: `name`, `Net`, `Net(10)`, `Net(10).method`. `weights`: arrays by name, or a file: .safetensors, .npz, a
    PyTorch state_dict. Without, parameters get PyTorch's default initialisation with `seed` (0 for None).
    Modules are in eval mode. CompileError for a program that does not check.
    """
    found: list[SourceModule] = []

    def make() -> tuple[Program, programs.Files]:
        from .frontend import compile as frontend  # noqa: PLC0415 - see above

        compiled = frontend.compile_source(frontend.read_source(path), entry, weights=_arrays(weights), seed=seed)
        if compiled.program.receiver is not None:
            set_training(compiled.program.receiver, False)
        found.append(compiled.source)
        return compiled.program, compiled.files

    def source() -> SourceModule:
        _ = program.module  # made now, if it was put off
        return found[0]

    if weights is None or isinstance(weights, str | Path):
        program = programs.source_program(path, entry, weights, seed, make)
    else:
        program, _ = make()
    return ScriptFunction(program, source)


def load(path: str | Path, method: str = "forward") -> ScriptFunction:
    """A method of the module in a `.pt` archive that `torch.jit.save` wrote; nothing in the archive is executed.

    `training` stays as saved. CompileError, with member and reason, for a file that is damaged or no such archive.
    """


    def make() -> Program:
        from .frontend import archive  # noqa: PLC0415 - see above

        return archive.load(path, method)

    return ScriptFunction(programs.archive_program(path, method, make))


def _arrays(weights: str | Path | Mapping[str, Any] | None) -> dict[str, np.ndarray[Any, Any]] | None:
    if weights is None:
        return None
    if isinstance(weights, str | Path):
        from .frontend.weights import load_weights  # noqa: PLC0415 - see above

        return load_weights(Path(weights))
    return {name: np.asarray(value) for name, value in weights.items()}


def set_training(module: ScriptObject, training: bool) -> None:
    """Sets the `training` attribute of a module and of all below it, as `train()` and `eval()` do."""
    if "training" in module.attributes:
        module.attributes["training"] = training
    for value in module.attributes.values():
        if isinstance(value, ScriptObject):
            set_training(value, training)


def _read_only(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def compile_source(text: str, name: str = "<source>") -> Library:
    """Every function of a TorchScript text, each compiled when it is first used; syntax and types are checked at once."""


    def make() -> Mapping[str, Program]:
        from .frontend.compile import compile_functions  # noqa: PLC0415 - see above

        return compile_functions(SourceFile(name, text))

    return Library(programs.text_programs(text, name, make))


def script(function: Callable[..., Any]) -> ScriptFunction:
    """A Python function, compiled from its source; what it calls in the same file comes along. Nothing of it is executed."""
    try:
        path = inspect.getsourcefile(function)
        lines = inspect.findsource(function)[0]
    except (OSError, TypeError):
        raise _call_error(f"the source of {function!r} cannot be found", "only functions defined in a file can be scripted") from None
    assert path is not None
    found: ScriptFunction = getattr(compile_source(_isolated_source(function, lines), path), function.__name__)
    functools.update_wrapper(found, function)
    return found


_KNOWN_IMPORTS: Final = {
    "torch": "import torch",
    "math": "import math",
    "nn": "import torch.nn as nn",
    "F": "import torch.nn.functional as F",
    "Tensor": "from torch import Tensor",
    **{t: f"from typing import {t}" for t in ("Any", "Dict", "Final", "List", "NamedTuple", "Optional", "Tuple", "Union")},
}


def _isolated_source(function: Callable[..., Any], lines: Sequence[str]) -> str:
    """The file with everything blank but the function and what it uses, at their own lines; imports stand in the first line.

    The line is free unless the file starts with a definition; then everything is one line further down.
    """
    kept = [""] * len(lines)
    imports: dict[str, str] = {}
    home = inspect.getsourcefile(function)
    todo: list[Any] = [function]
    seen: set[Any] = set()
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        body, first = inspect.getsourcelines(current)
        start = next((i for i, line in enumerate(body) if line.lstrip().startswith(("def ", "async def ", "class "))), 0)
        text = textwrap.dedent("".join(body[start:])).splitlines()
        kept[first - 1 + start : first - 1 + start + len(text)] = text
        scope = _names_in_scope(current)
        for name in set(re.findall(r"[A-Za-z_]\w*", "\n".join(text))):
            value = scope.get(name)
            value = inspect.unwrap(value) if isinstance(value, ScriptFunction) else value
            if (inspect.isfunction(value) or inspect.isclass(value)) and _source_file(value) == home:
                todo.append(value)
            elif inspect.ismodule(value):
                imports[name] = f"import {value.__name__} as {name}"
            elif name in _KNOWN_IMPORTS:
                imports.setdefault(name, _KNOWN_IMPORTS[name])
    if kept and kept[0].strip():
        kept.insert(0, "")
    return "\n".join(["; ".join(imports.values()), *kept[1:], ""])


def _names_in_scope(current: Any) -> Mapping[str, Any]:
    if inspect.isclass(current):
        return vars(sys.modules[current.__module__])
    return {**getattr(current, "__globals__", {}), **inspect.getclosurevars(current).nonlocals}


def _source_file(value: Any) -> str | None:
    try:
        return inspect.getsourcefile(value)
    except TypeError:  # a builtin
        return None


__all__ = ["CompiledCall", "Library", "ScriptFunction", "TorchccError", "compile_file", "compile_source", "load", "script"]
