"""The Python interface: source in, callables out.

    program = torchcc.compile_source(text)      # every function of the text is an attribute, every module class too
    net = torchcc.compile_file("net.py", "Net(10)", weights="net.safetensors")
    net = torchcc.load("net.pt")                # what torch.jit.save wrote
    @torchcc.script                             # the function's own source, compiled

Functions are `ScriptFunction`s, modules `ScriptModule`s: `function.py` says what they are compiled for, `module.py` what a
module has. `net.compile(x=TensorSpec(...))` compiles ahead of the calls, with dynamic dimensions where the spec has them.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import numpy as np

from ..ir.collection import rarely_collected
from ..ir.diagnostics import TorchccError
from ..ir.program import Program
from ..ir.source import SourceFile
from . import live, programs, scripting
from .arguments import adapted, bind, call_error, fitting, flat_values, form, spec_of
from .function import CompiledCall, ScriptFunction, prepared
from .module import IncompatibleKeys, ScriptInstance, ScriptModule, module_of, whole
from .objects import Presenter

if TYPE_CHECKING:
    from ..frontend.ast import SourceModule

# The frontend is imported by the functions that read programs: one whose machine code is in the cache needs none of it.


class Library:
    """Every function and module class of a source text as an attribute."""

    def __init__(self, programs: Mapping[str, Program], file: SourceFile) -> None:
        self._programs = programs
        self._file = file
        self._callables: dict[str, ScriptFunction | ModuleClass] = {}

    def __dir__(self) -> list[str]:
        return sorted({*self._programs, *self._module_classes()})

    def _module_classes(self) -> Sequence[str]:
        from ..frontend.compile import module_classes  # noqa: PLC0415 - see above

        return module_classes(self._file)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("_programs", "_callables"):
            raise AttributeError(name)
        if name not in self._callables:
            if name in self._programs:
                self._callables[name] = ScriptFunction(self._programs[name])
            elif name in self._module_classes():
                self._callables[name] = ModuleClass(self._file, name)
            else:
                self._explain(name)
                known = ", ".join(sorted({*self._programs, *self._module_classes()})) or "none"
                raise AttributeError(f"no function `{name}`; there are {known}")
        return self._callables[name]


    def _explain(self, name: str) -> None:
        """CompileError for a function that is there but is no TorchScript: next to module classes such may stand."""
        from ..frontend.compile import compile_source  # noqa: PLC0415 - see above

        if self._module_classes() and re.search(rf"^\s*def\s+{re.escape(name)}\b", self._file.text, re.MULTILINE):
            compile_source(self._file, name)


class ModuleClass:
    """A module class of a source text: called with the arguments of its `__init__` it gives a module, in eval mode."""

    def __init__(self, file: SourceFile, name: str) -> None:
        self._file = file
        self._name = name

    def __repr__(self) -> str:
        return f"<torchcc class {self._name}>"

    def __call__(
        self,
        *args: Any,
        weights: str | Path | Mapping[str, Any] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> ScriptModule:
        """`args` and `kwargs` are numbers, strings, bools, None, and lists, tuples and dicts of them."""
        from ..frontend.compile import compile_source  # noqa: PLC0415 - see above

        arguments = [*map(repr, args), *(f"{k}={v!r}" for k, v in kwargs.items())]
        entry = f"{self._name}({', '.join(arguments)})"
        compiled = compile_source(self._file, entry, weights=_arrays(weights), seed=seed)
        function = ScriptFunction(compiled.program, lambda: compiled.source)
        return module_of(function).eval()


def compile_file(
    path: str | Path,
    entry: str | None = None,
    *,
    weights: str | Path | Mapping[str, Any] | None = None,
    seed: int | None = None,
) -> Any:
    """The function or module `entry` of a source file, a ScriptFunction or ScriptModule; the only one there is for None.

    `entry`: `name`, `Net`, `Net(10)`, `Net(10).method`. `weights`: arrays by name, or a file: .safetensors, .npz, a
    PyTorch state_dict. Without, parameters get PyTorch's default initialisation with `seed` (0 for None).
    Modules are in eval mode. CompileError for a program that does not check.
    """
    found: list[SourceModule] = []

    @rarely_collected()
    def make() -> tuple[Program, programs.Files]:
        from ..frontend import compile as frontend  # noqa: PLC0415 - see above

        compiled = frontend.compile_source(frontend.read_source(path), entry, weights=_arrays(weights), seed=seed)
        if compiled.program.receiver is not None:
            compiled.program.receiver.set_training(False)
        found.append(compiled.source)
        return compiled.program, compiled.files

    def source() -> SourceModule:
        _ = program.module  # made now, if it was put off
        return found[0]

    if weights is None or isinstance(weights, str | Path):
        program = programs.source_program(path, entry, weights, seed, make)
    else:
        program, _ = make()
    function = ScriptFunction(program, source)
    is_named = entry is not None and entry.endswith(f".{function.name}")
    is_module = programs.is_method(program) and (function.name == "forward" or not is_named)
    return module_of(function) if is_module else function


def load(
    file: str | os.PathLike[str] | BinaryIO | bytes,
    method: str | None = None,
    map_location: str | None = None,
    extra_files: dict[str, Any] | None = None,
    *,
    _extra_files: dict[str, Any] | None = None,
) -> Any:
    """The module in a `.pt` archive that `torch.jit.save` wrote, a ScriptModule; nothing in the archive is executed.

    `file` is a path, a binary file object, or the bytes. With `method`, that method alone as a ScriptFunction.
    Tensors are loaded to CPU memory, wherever they were saved: `map_location` is None or "cpu". The keys of
    `extra_files` (PyTorch's name, `_extra_files`, does too) are filled with what was saved under them, as bytes; b"" for what is not there.
    `training` stays as saved. A large file is mapped: it must stay as it is while the model is used (pass bytes where that is
    not certain); what the model writes never reaches it. CompileError, with member and reason, for a file that is damaged or no such archive.
    """
    if str(method) == "cpu" and map_location is None:
        method = None  # PyTorch's second parameter is the device
    if map_location is not None and str(map_location) != "cpu":
        raise call_error(f"map_location is {map_location!r}, but tensors are loaded to CPU memory", 'leave it out, or say "cpu"')
    entry = method or "forward"
    extra_files = _extra_files if extra_files is None else extra_files

    @rarely_collected()
    def make() -> Program:
        from ..frontend import archive  # noqa: PLC0415 - see above

        return archive.load(file, method)

    if extra_files is not None:
        from ..frontend.archive.load import extra_files as saved_files  # noqa: PLC0415 - see above

        stream: Any = None if isinstance(file, str | bytes | os.PathLike) else file
        place = stream.tell() if stream is not None else 0
        found = saved_files(file)
        if stream is not None:
            stream.seek(place)
        extra_files.update({name: found.get(name, b"") for name in extra_files})
    is_path = isinstance(file, str | os.PathLike)
    function = ScriptFunction(programs.archive_program(Path(file), entry, make) if is_path else make())
    if method is not None and function.name != method:
        make()  # says that there is no such method
    return function if method is not None else module_of(function)


def save(
    module: ScriptModule | ScriptFunction,
    file: str | os.PathLike[str] | BinaryIO,
    extra_files: Mapping[str, str | bytes] | None = None,
    *,
    _extra_files: Mapping[str, str | bytes] | None = None,
) -> None:
    """Writes a `.pt` archive that `torch.jit.load` and `torchcc.load` read: the code, and the module as it is now.

    `file` is a path or a binary file object; a file is replaced when all is written, and stays as it is if that fails.
    A method is saved with its module, a function as a module whose `forward` it is. `extra_files` are stored beside it,
    under their names; PyTorch's name, `_extra_files`, does too. The same module makes the same bytes. CompileError for what an archive cannot hold.
    """
    from ..frontend.archive.writer import save as write  # noqa: PLC0415 - see above

    function = module if isinstance(module, ScriptFunction) else None
    if isinstance(module, ScriptModule):
        program, state = whole(module)
    elif function is not None:
        program, state = function.program, function.state
    else:
        raise call_error(f"a {type(module).__name__} cannot be saved", "torchcc.save takes a module or a function of torchcc")
    with state.lock:
        write(program, file, _extra_files if extra_files is None else extra_files)


def freeze(
    module: ScriptModule, preserved_attrs: Sequence[str] | None = None, optimize_numerics: bool = True
) -> ScriptModule:
    """A module of its own whose weights and other attributes are constants of its code, as `torch.jit.freeze` makes it.

    It has `forward`, and what `preserved_attrs` names: methods, attributes, submodules. Everything that these call is
    inlined, branches on what is constant are gone, and with `optimize_numerics` batch norms are folded into the convolutions before
    them. Attributes
    that they write stay attributes, others are gone, `training` among them. Later changes of `module` do not reach it.
    CompileError for a module in training mode, an unknown name, and calls of objects that are chosen at run time.
    """
    from ..lowering.graph.freeze import freeze as frozen  # noqa: PLC0415 - lowering is for programs that are not in the cache

    given: Any = module
    if not isinstance(given, ScriptModule):
        raise call_error(f"a {type(given).__name__} cannot be frozen: freezing expects a ScriptModule")
    if isinstance(preserved_attrs, str):
        raise call_error("preserved_attrs must be a list of names", f'write ["{preserved_attrs}"]')
    program, state = whole(module)
    receiver, known = program.receiver, program.methods
    if receiver is None or known is None:
        raise call_error("the module has no methods that can be frozen")
    with state.lock:
        if receiver.attributes.get("training", False):
            message = "freezing is currently only implemented for modules in eval mode"
            raise call_error(message, "call .eval() on the module before freezing")
        names = known.method_names(receiver.type)
        kept = dict.fromkeys(n for n in ("forward", *(preserved_attrs or ())) if n in names)
        if not kept:
            raise call_error("the module has no `forward`", "name the methods that are to stay in preserved_attrs")
        attributes = [n for n in preserved_attrs or () if n not in kept]
        made = frozen(program, tuple(kept), attributes, optimize_numerics=optimize_numerics)
        return module_of(ScriptFunction(made))


def optimize_for_inference(module: ScriptModule, other_methods: Sequence[str] | None = None) -> ScriptModule:
    """The module in eval mode, frozen with `forward` and `other_methods`; one that is frozen already is returned as it is.

    Layouts and kernels are chosen when a call is compiled, for frozen modules and others alike.
    """
    given: Any = module
    if not isinstance(given, ScriptModule):
        raise call_error(f"a {type(given).__name__} cannot be optimised: a ScriptModule is expected")
    return freeze(module.eval(), other_methods) if "training" in dir(module) else module


def trace(func: Any, example_inputs: Any = None, **options: Any) -> Any:
    """A function, or a module of PyTorch, as it runs for these inputs: a ScriptFunction or ScriptModule. PyTorch does the tracing.

    `example_inputs` and `options` are those of `torch.jit.trace`. CompileError where PyTorch is not installed or refuses.
    """
    return _of_archive(*live.traced(func, example_inputs, options))


def trace_module(module: Any, inputs: Mapping[str, Any], **options: Any) -> ScriptModule:
    """The same of several methods: `inputs` gives an example for each, by name."""
    return cast(ScriptModule, _of_archive(*live.traced_module(module, inputs, options)))


def _of_archive(archive: bytes, is_function: bool) -> Any:
    return load(archive, "forward") if is_function else load(archive)


def _arrays(weights: str | Path | Mapping[str, Any] | None) -> dict[str, np.ndarray[Any, Any]] | None:
    if weights is None:
        return None
    if isinstance(weights, str | Path):
        from ..frontend.weights import load_weights  # noqa: PLC0415 - see above

        return load_weights(Path(weights))
    return {name: np.asarray(value) for name, value in weights.items()}


def compile_source(text: str, name: str = "<source>") -> Library:
    """Every function of a TorchScript text, each compiled when it is first used; syntax and types are checked at once."""

    @rarely_collected()
    def make() -> Mapping[str, Program]:
        from ..frontend.compile import compile_functions  # noqa: PLC0415 - see above

        return compile_functions(SourceFile(name, text))

    return Library(programs.text_programs(text, name, make), SourceFile(name, text))


class CompilationUnit:
    """Functions of a text by name, to which more can be added; names of torch and typing need no imports, as in PyTorch's.

        unit = torchcc.CompilationUnit("def twice(x): return x * 2")
        unit.define("def more(x, n: int): return twice(x) + n")
        unit.more(np.ones(3), 4)

    CompileError for a text with errors; its lines are counted from the first text on, behind one line of imports.
    """

    def __init__(self, lang: str = "", name: str = "<unit>") -> None:
        self._name = name
        self._text = _NAMES_OF_UNITS
        self._functions: dict[str, ScriptFunction] = {}
        if lang:
            self.define(lang)

    def define(self, src: str) -> None:
        """Adds the functions of a text, which may call those that are there. CompileError: then nothing is added."""
        text = f"{self._text}{textwrap.dedent(src)}".rstrip() + "\n"
        library = compile_source(text, self._name)
        found = {n: getattr(library, n) for n in dir(library)}
        self._text, self._functions = text, {n: f for n, f in found.items() if isinstance(f, ScriptFunction)} | self._functions

    def get_functions(self) -> list[ScriptFunction]:
        """All functions, in order of their names."""
        return [self._functions[n] for n in sorted(self._functions)]

    def find_function(self, name: str) -> ScriptFunction | None:
        return self._functions.get(name)

    def __dir__(self) -> list[str]:
        return [*object.__dir__(self), *self._functions]

    def __getattr__(self, name: str) -> ScriptFunction:
        found = None if name.startswith("_") else self._functions.get(name)
        if found is None:
            raise AttributeError(f"the unit has no function `{name}`")
        return found


_NAMES_OF_UNITS: Final = (
    "import math, torch; import torch.nn.functional as F; from torch import Tensor; "
    "from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union\n"
)


def script(function: Any) -> Any:
    """A Python function, compiled from its source; functions that it calls, also of other modules, come along. Nothing of it is executed.

    A live module of PyTorch, and what `torch.jit` made, becomes a ScriptModule by way of the archive that PyTorch saves of it.
    CompileError for what is no TorchScript.
    """
    given: Any = function
    if isinstance(given, ScriptFunction | ScriptModule):
        return given
    if live.is_live(given):
        return _of_archive(*live.scripted(given))
    if getattr(given, "__name__", "") == "<lambda>":
        raise call_error("a lambda cannot be scripted", "write a `def`")
    if not inspect.isfunction(given):
        what = f"the class `{given.__name__}`" if inspect.isclass(given) else f"a {type(given).__name__}"
        raise call_error(f"{what} cannot be scripted", "functions can; modules are made by compile_source and compile_file")
    try:
        path = inspect.getsourcefile(function)
        lines = inspect.findsource(function)[0]
    except (OSError, TypeError):
        raise call_error(f"the source of {function!r} cannot be found", "only functions defined in a file can be scripted") from None
    assert path is not None
    isolated = scripting.isolated(function, lines)
    library = _with_neighbours(isolated.text, path) if isolated.has_neighbours else compile_source(isolated.text, path)
    found: ScriptFunction = getattr(library, function.__name__)
    functools.update_wrapper(found, function)
    found.presenting = Presenter(scripting.names_in_scope(function))
    return found


@rarely_collected()
def _with_neighbours(text: str, path: str) -> Library:
    """A text that takes functions from other modules that Python has loaded: whether these changed is not looked for later."""
    from ..frontend.compile import compile_functions  # noqa: PLC0415 - see above

    file = SourceFile(path, text)
    return Library(compile_functions(file, scripting.loaded_module), file)


__all__ = [
    "CompilationUnit",
    "CompiledCall",
    "IncompatibleKeys",
    "Library",
    "ModuleClass",
    "ScriptFunction",
    "ScriptInstance",
    "ScriptModule",
    "TorchccError",
    "adapted",
    "bind",
    "compile_file",
    "compile_source",
    "fitting",
    "flat_values",
    "form",
    "freeze",
    "load",
    "optimize_for_inference",
    "prepared",
    "save",
    "script",
    "spec_of",
    "trace",
    "trace_module",
]
