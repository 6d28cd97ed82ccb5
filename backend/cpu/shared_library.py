"""Shared libraries: `compile_shared_library(modules, target, "libmodel.so")`, and the linker that makes them.

The library needs libc and libpthread only and exports the compiled functions and the few of the run time. It is never
unloaded (`nodelete`), because its worker threads live in it.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...ir.diagnostics import CompileError
from .compile import CpuModule
from .header import header_text
from .host import CpuTarget, host
from .object_file import data_assembly, emit_object

_NO_LINKER = "no C compiler was found to link the library"


def write_object(
    modules: Sequence[CpuModule], target: CpuTarget, output: Path, following: Mapping[str, str] | None = None
) -> None:
    """Writes the object file, and its C header beside it."""
    _write(output, emit_object(modules, target))
    write_header(modules, output, following)


def write_shared_library(
    modules: Sequence[CpuModule], target: CpuTarget, output: Path, following: Mapping[str, str] | None = None
) -> None:
    """Writes the shared library, and its C header beside it."""
    command = linker_command(target)
    with tempfile.TemporaryDirectory(prefix="torchcc-") as name:
        folder = Path(name)
        objects = [folder / "code.o"]
        objects[0].write_bytes(emit_object(modules, target, with_data=False))
        data = {symbol: array for m in modules for symbol, array in m.program.data.items()}
        if data:
            objects.append(folder / "data.s")
            objects[1].write_text(data_assembly(data, folder, target, local=False))
        linked = folder / "library"
        flags = _flags(target, output.name)
        _run([*command, *flags, *map(str, objects), "-o", str(linked), *_libraries(target)])
        try:
            shutil.copyfile(linked, output)
            output.chmod(0o755)
        except OSError as error:
            raise CompileError.at(None, f"cannot write {output}: {error.strerror}") from error
    write_header(modules, output, following)


def write_header(modules: Sequence[CpuModule], output: Path, following: Mapping[str, str] | None = None) -> Path:
    """Writes NAME.h beside libNAME.so (or NAME.o); returns its path.

    `following`: for functions with state, which one the call after the next is of.
    """
    stem = output.name.partition(".")[0]
    path = output.with_name(f"{stem.removeprefix('lib') or stem}.h")
    _write(path, header_text([m.signature for m in modules], path.stem, following or {}).encode())
    return path


def linker_command(target: CpuTarget) -> list[str]:
    """A C compiler that links for the target: $CC, the system's, a cross compiler by its usual name, zig's."""
    native = _same_system(target.triple, host().triple)
    if os.environ.get("CC"):
        return shlex.split(os.environ["CC"])
    names = ("cc", "gcc", "clang", "c++") if native else (f"{target.arch}-linux-gnu-gcc",)
    for name in names:
        path = shutil.which(name)
        if path is not None:
            return [path]
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc", "-target", _zig_triple(target.triple)]
    raise CompileError.at(
        None,
        f"{_NO_LINKER} for {target.triple}",
        help="install a C compiler, or `pip install torchcc[aot]` for one, or write an object file (-o model.o)",
    )


def _same_system(triple: str, other: str) -> bool:
    def key(t: str) -> tuple[str, str]:
        return t.partition("-")[0], "darwin" if "darwin" in t or "macos" in t else "linux"

    return key(triple) == key(other)


def _zig_triple(triple: str) -> str:
    arch, *rest = triple.split("-")
    if "darwin" in triple or "macos" in triple:
        return f"{arch}-macos"
    return f"{arch}-linux-{'musl' if any('musl' in r for r in rest) else 'gnu'}"


def _flags(target: CpuTarget, name: str) -> list[str]:
    if "darwin" in target.triple or "macos" in target.triple:
        return ["-dynamiclib", f"-Wl,-install_name,@rpath/{name}"]
    return ["-shared", f"-Wl,-soname,{name}", "-Wl,-z,nodelete", "-Wl,-z,noexecstack", "-Wl,--gc-sections", "-Wl,-s"]


def _libraries(target: CpuTarget) -> list[str]:
    return [] if "darwin" in target.triple or "macos" in target.triple else ["-lpthread"]


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CompileError.at(None, f"the linker {command[0]} cannot be run: {error}") from error
    if done.returncode != 0:
        text = (done.stderr or done.stdout).strip()
        raise CompileError.at(None, f"linking failed: {shlex.join(command[:2])} ...\n{text}")


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise CompileError.at(None, f"cannot write {path}: {error.strerror}") from error
