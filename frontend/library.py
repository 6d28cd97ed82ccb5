"""What the names of Python's modules mean (`torch.nn.Linear`, `math.pi`), and where our library's sources are.

`torch.nn` is written in TorchScript (`frontend/nn`), `torch.nn.functional` likewise (`frontend/prelude`): those are
data here, parsed on first use and never imported by Python.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final

from ..ir.dtypes import DType
from ..ir.source import SourceFile
from .ast import SourceModule
from .python_builtins import CONSTANTS
from .syntax_cache import parse_cached
from .values import MISSING, BuiltinRef, ModuleRef, Value, words

_PACKAGE: Final = __name__.rpartition(".")[0]

_MODULES: Final = words(
    """torch torch.nn torch.nn.functional torch.nn.init torch.nn.modules torch.nn.parameter torch.nn.utils torch.nn.utils.rnn
    torch.nn.quantized torch.jit torch.jit.annotations torch.fft torch.linalg torch.special torch.autograd
    torch.autograd.profiler torch.utils torch.cuda torch.cuda.amp torch.backends torch.optim torch.ops
    torch.functional torch.amp torch.amp.autocast_mode torch.cpu torch.cpu.amp torch.cpu.amp.autocast_mode
    torch.cuda.amp.autocast_mode torch.futures torch.types torch.testing torch.onnx
    torch.random torch.distributions torch._C math cmath typing typing_extensions collections collections.abc
    enum dataclasses functools itertools numbers abc warnings copy logging numpy os os.path sys time random
    __future__ torchcc"""
)

_DTYPES: Final = {
    **{d.name: d for d in DType},
    "float": DType.float32,
    "double": DType.float64,
    "half": DType.float16,
    "short": DType.int16,
    "int": DType.int32,
    "long": DType.int64,
    "chalf": DType.complex32,
    "cfloat": DType.complex64,
    "cdouble": DType.complex128,
}

_ALIASES: Final = {
    "torch.nn.parameter.Parameter": "torch.nn.Parameter",
    "torch.nn.parameter.Buffer": "torch.nn.Buffer",
    "torch.random.manual_seed": "torch.manual_seed",
    "collections.abc.OrderedDict": "collections.OrderedDict",
    "typing.OrderedDict": "collections.OrderedDict",
    "typing_extensions.Final": "typing.Final",
    "torch.jit.Final": "typing.Final",
    "torch.jit.script_method": "torch.jit.export",
}


def is_module(name: str) -> bool:
    return name in _MODULES or name.startswith("torch.nn.modules.")


def member(module: str, name: str) -> Value:
    """`module.name` of what needs no source: a module, a constant, a dtype, or a builtin known by its name."""
    dotted = f"{module}.{name}"
    if is_module(dotted):
        return ModuleRef(dotted)
    if dotted in CONSTANTS:
        return CONSTANTS[dotted]
    if module == "torch" and name in _DTYPES:
        return _DTYPES[name]
    if name.startswith("__"):
        return MISSING
    return BuiltinRef(_ALIASES.get(dotted, dotted))


@cache
def nn_index() -> dict[str, str]:
    """Name of a class or function of the nn library -> its file's name: `Linear` -> `linear`."""
    index: dict[str, str] = {}
    for entry in files(_PACKAGE).joinpath("nn").iterdir():
        if entry.name.endswith(".py") and entry.name != "__init__.py":
            text = entry.read_text(encoding="utf-8")
            index.update(
                {
                    name: entry.name.removesuffix(".py")
                    for name in re.findall(r"^(?:class|def) (\w+)", text, re.MULTILINE)
                }
            )
    return index


@cache
def library_source(folder: str, name: str) -> SourceModule | None:
    """The syntax tree of `frontend/<folder>/<name>.py`, parsed once in a process; None if there is no such file.

    Where `<name>` is a folder, its files are one module.
    """
    place = files(_PACKAGE).joinpath(folder)
    entry = place.joinpath(name)
    if entry.is_dir():
        names = sorted(e.name for e in entry.iterdir() if e.name.endswith(".py") and e.name != "__init__.py")
        parts = [_parsed(folder, f"{name}/{n}") for n in names]
        return SourceModule(parts[0].span, parts[0].file, [s for part in parts for s in part.body])
    if not place.joinpath(f"{name}.py").is_file():
        return None
    return _parsed(folder, f"{name}.py")


def _parsed(folder: str, path: str) -> SourceModule:
    entry = files(_PACKAGE).joinpath(folder, *path.split("/"))
    return parse_cached(SourceFile(f"torchcc/{folder}/{path}", entry.read_text(encoding="utf-8")))
