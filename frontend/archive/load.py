"""A `.pt` archive to a `Program`: its classes become ClassTypes, its objects ScriptObjects, its methods are compiled.

    program = load("model.pt")             # forward, with the hooks of the module
    program = load(file, "encode")         # another method
    texts = extra_files("model.pt")        # what was saved beside it

Only the classes and functions that the method reaches are parsed and checked. Every failure is a CompileError.
"""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final, cast

from ...ir.core import Operation, functions
from ...ir.diagnostics import CompileError
from ...ir.program import Program
from ...ir.schema import Schema
from ...ir.script_types import ScriptObject
from ..checker.state import CompiledFunction
from ..values import FunctionValue
from .classes import ArchiveCompilation
from .hooks import call_with_hooks, hook_names
from .importer import Importer
from .reader import ArchiveReader, Readable, open_archive
from .setstate import StateRunner
from .unpickler import PickledObject, Storages, Tensor, Unpickler
from .upgraders import VERSIONS

_ADVICE: Final = "save the model with torch.jit.save"

_EXTRA: Final = "extra/"


def load(source: str | os.PathLike[str] | Readable | bytes, method: str | None = "forward") -> Program:
    """The program of a method of the archive's module. `source` is a path, a binary file object, or its bytes.

    `forward` is what calling the module means: its hooks are run around it. None: that, or the first method where the
    module has none.
    """
    return load_from(open_archive(source), method)


def load_from(reader: ArchiveReader, method: str | None = "forward") -> Program:
    """`load` for an archive that is open already."""
    _refuse_others(reader)
    with _without_collection():
        return _Loader(reader, _version(reader)).program(method)


def survey(source: str | os.PathLike[str] | Readable | bytes, method: str | None = "forward") -> list[Operation]:
    """All functions that the method of an archive reaches, those with errors as far as they were understood.

    For lists of what is not supported; CompileError where the objects of the archive cannot be made.
    """
    reader = open_archive(source)
    _refuse_others(reader)
    with _without_collection():
        loader = _Loader(reader, _version(reader))
        receiver = loader.receiver()
        with contextlib.suppress(CompileError):
            loader.compiled(receiver, method)
    return [*functions(loader.unit.module), *loader.unit.with_errors]


@contextmanager
def _without_collection() -> Generator[None]:
    """Loading makes trees of many objects, all of which stay: looking for garbage among them takes most of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def extra_files(source: str | os.PathLike[str] | Readable | bytes | ArchiveReader) -> dict[str, bytes]:
    """The `_extra_files` that were saved with a model, by name."""
    reader = source if isinstance(source, ArchiveReader) else open_archive(source)
    return {n.removeprefix(_EXTRA): bytes(reader.read(n)) for n in reader.names() if n.startswith(_EXTRA)}


def _refuse_others(reader: ArchiveReader) -> None:
    """CompileError for a zip file that is something else; says what, where that can be seen."""
    if "constants.pkl" in reader and "data.pkl" in reader:
        return
    why, member, help = "is missing: this is no TorchScript archive", "constants.pkl", _ADVICE
    if "models/model.json" in reader or "archive_format" in reader:
        why, member = "belongs to a file of torch.export, which holds a graph of another kind", "models/model.json"
        member = member if member in reader else "archive_format"
    elif "model.json" in reader:
        why, member = "belongs to an archive from before PyTorch 1.3, whose layout is not supported", "model.json"
        help = "load it with a PyTorch from 1.3 to 1.13 and save it again with torch.jit.save"
    elif "bytecode.pkl" in reader:
        why, member = "belongs to a model for the lite interpreter that holds no code", "bytecode.pkl"
    elif "data.pkl" in reader and not any(n.startswith("code/") for n in reader.names()):
        why, member = "is a file of torch.save, which holds tensors and no code", "data.pkl"
        help = (
            "give it as the weights of a source file (`--weights FILE`, or `weights=` in Python), or save the model"
            " itself with torch.jit.save"
        )
    elif "constants.pkl" in reader:
        member = "data.pkl"
    raise reader.fault(why, member, help)


def _version(reader: ArchiveReader) -> int:
    name = ".data/version" if ".data/version" in reader else "version"
    if reader.size(name) > 64:
        raise reader.fault("is no version", name)
    text = reader.text(name).strip()
    if not text.isascii() or not text.isdigit():
        raise reader.fault("is no version", name)
    if int(text) not in VERSIONS:
        raise reader.fault(f"says version {int(text)}; versions {VERSIONS[0]} to {VERSIONS[-1]} can be read", name)
    return int(text)


class _Loader:
    def __init__(self, reader: ArchiveReader, version: int) -> None:
        self.reader = reader
        self.names: set[str] = set()
        self.unit = ArchiveCompilation(reader, version)
        self.set_state = StateRunner()
        constants = Unpickler(reader, "constants.pkl", Storages(reader, "constants")).load()
        if not isinstance(constants, tuple):
            raise reader.fault("is no tuple", "constants.pkl")
        importer = self.importer("constants.pkl")
        self.unit.code.constants = tuple(
            self.constant(v, i, importer) for i, v in enumerate(cast(tuple[Any, ...], constants))
        )

    def importer(self, member: str) -> Importer:
        return Importer(self.reader, self.unit, member, self.names, self.set_state)

    def constant(self, value: Any, index: int, importer: Importer) -> Any:
        """What `CONSTANTS.cN` means; objects among them are made when the code asks for them."""
        path = f"CONSTANTS.c{index}"
        if isinstance(value, Tensor):
            return importer.tensor(value, path)
        return importer.object(value, f"{path}.") if isinstance(value, PickledObject) else value

    def program(self, method: str | None) -> Program:
        receiver = self.receiver()
        method, compiled = self.compiled(receiver, method)
        self.unit.diagnostics.raise_if_any()
        schema = Schema("", method, "", compiled.schema.arguments[1:], compiled.schema.returns)
        return Program(self.unit.module, compiled.symbol, schema, receiver, self.unit)

    def compiled(self, receiver: ScriptObject, method: str | None) -> tuple[str, CompiledFunction]:
        """The method's name, and what it became; errors in it are noted."""
        cls = self.unit.class_info(receiver.type).cls
        if method is None:
            names = [n for n in self.unit.method_names(receiver.type) if not n.startswith("__")]
            method = names[0] if names and "forward" not in names else "forward"
        function = cls.find(method)
        if not isinstance(function, FunctionValue):
            known = [n for n in self.unit.method_names(receiver.type) if not n.startswith("__")]
            help = f"it has {', '.join(f'`{k}`' for k in known[:10])}" if known else None
            raise CompileError.at(
                None, f"the module `{cls.name}` of {self.reader.name} has no method `{method}`", help=help
            )
        if method == "forward" and hook_names(cls):
            function = call_with_hooks(cls)
        return method, self.unit.method(receiver.type, function, function.definition.span)

    def receiver(self) -> ScriptObject:
        top = Unpickler(self.reader, "data.pkl", Storages(self.reader, "data")).load()
        if not isinstance(top, PickledObject):
            raise self.reader.fault("holds no module", "data.pkl", _ADVICE)
        result = self.importer("data.pkl").object(top, "")
        self.unit.compile_met()
        return result
