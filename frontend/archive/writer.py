"""A program to a `.pt` archive that `torch.jit.load` reads, and `load` of this package.

    save(program, "model.pt")
    save(program, file, extra_files={"labels.txt": "cat\\ndog\\n"})

A module is saved as it is now, with all its methods; a function as a module whose `forward` it is. The same program makes
the same bytes. A file appears under its name only when it is complete: what was there before stays until then.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

from ...ir.diagnostics import CompileError
from ...ir.program import Program
from ...ir.script_types import ScriptObject
from .getstate import states_of
from .writer_code import PLACEHOLDER, ArchiveUnit, CodeWriter
from .writer_pickle import Pickle, pickle_constants, pickle_object
from .writer_zip import ArchiveWriter, Writable

_WIDE_VERSION: Final = 6
"""From this version on the version stands in `.data/`."""


def save(
    program: Program,
    target: str | os.PathLike[str] | Writable,
    extra_files: Mapping[str, str | bytes] | None = None,
) -> None:
    """Writes the archive to a path or a binary file object. CompileError for what an archive cannot hold."""
    extra = {name: _extra(name, content) for name, content in (extra_files or {}).items()}
    unit = ArchiveUnit()
    code = CodeWriter(unit, program.module, program.methods)
    if program.receiver is None:
        code.placeholder(program.entry, program.schema)
        state = pickle_object(ScriptObject(PLACEHOLDER, {"training": True}), unit)
    else:
        states = states_of(program.receiver, program.module, program.methods)
        code.with_state = states.classes
        state = pickle_object(program.receiver, unit, states.of)
    code.run()
    constants = pickle_constants(unit.constants, unit)
    if isinstance(target, str | os.PathLike):
        path = Path(target)
        with _replacing(path) as file:
            _write(file, path.stem or "archive", extra, state, code, constants)
    else:
        _write(target, "archive", extra, state, code, constants)


def _extra(name: str, content: str | bytes) -> bytes:
    parts = name.split("/")
    if not name or "\\" in name or "\0" in name or any(p in ("", ".", "..") for p in parts):
        raise CompileError.at(None, f"`{name}` is no name for an extra file")
    return content.encode() if isinstance(content, str) else bytes(content)


def _write(
    file: Writable, root: str, extra: Mapping[str, bytes], state: Pickle, code: CodeWriter, constants: Pickle
) -> None:
    archive = ArchiveWriter(file, root)
    for name, content in extra.items():
        archive.add(f"extra/{name}", content)
    for folder, pickle in (("data", state), ("code", None), ("constants", constants)):
        if pickle is None:
            for name, text in code.texts():
                archive.add(name, text, pack=True)
            continue
        for i, contents in enumerate(pickle.storages):
            archive.add(f"{folder}/{i}", contents())
        archive.add(f"{folder}.pkl", pickle.data)
    archive.add(".data/version" if code.version >= _WIDE_VERSION else "version", f"{code.version}\n".encode())
    archive.add("byteorder", b"little")
    archive.finish()


@contextlib.contextmanager
def _replacing(path: Path) -> Generator[BinaryIO]:
    """A file that takes the place of `path` when all is written; nothing is left of it if that fails."""
    try:
        place = Path(os.path.realpath(path))
        if place.exists() and not place.is_file():
            with place.open("wb") as device:  # a pipe, or /dev/stdout
                yield device
            return
        temporary, file = _temporary(place)
        try:
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, place)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CompileError.at(None, f"cannot write {path}: {error.strerror or error}") from error


def _temporary(place: Path) -> tuple[Path, BinaryIO]:
    """A new file beside `place`, with the permissions that a new file gets."""
    for number in itertools.count():
        path = place.with_name(f".{place.name}.{os.getpid()}.{number}")
        with contextlib.suppress(FileExistsError):
            return path, path.open("xb")
    raise AssertionError("counting does not end")
