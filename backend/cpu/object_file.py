"""Object files: code, run time and weights of one or several compiled functions in one relocatable file.

Weights are not written as IR text: the assembler includes them from files (`.incbin`), in one pass over their bytes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ...ir.diagnostics import CompileError, InternalError
from ..llvm.binding import llvm
from ..llvm.types import quoted
from ..runtime.abi import HEAP_ALIGNMENT
from ..runtime.library import runtime_text
from .compile import CpuModule, internalize, optimize
from .host import CpuTarget, host, machine

_CONSTANT_LIMIT: Final = 64 << 20


def emit_object(modules: Sequence[CpuModule], target: CpuTarget, *, with_data: bool = True) -> bytes:
    """A relocatable object that exports the modules' functions; without the weights if they are linked separately."""
    names = [m.signature.name for m in modules]
    if len(set(names)) != len(names):
        raise CompileError.at(None, f"two functions of one library have the same name: {', '.join(names)}")
    target_machine = machine(target)
    context = llvm.create_context()
    data = {symbol: array for m in modules for symbol, array in m.program.data.items()}
    with tempfile.TemporaryDirectory(prefix="torchcc-") as folder:
        texts = [runtime_text(target.triple), *(m.text for m in modules)]
        if with_data and data:
            texts.append(_data_text(data, Path(folder), target))
        try:
            linked: Any = llvm.parse_assembly(texts[0], context)
            linked.triple = target.triple
            linked.data_layout = str(target_machine.target_data)
            for text in texts[1:]:
                part: Any = llvm.parse_assembly(text, context)
                part.triple = target.triple
                part.data_layout = str(target_machine.target_data)
                part.verify()
                linked.link_in(part)
            internalize(linked, frozenset(names))
            linked.verify()
        except RuntimeError as error:
            raise InternalError(f"generated LLVM IR is wrong: {error}") from error
        optimize(linked, target_machine, large=any(m.is_large for m in modules))
        return bytes(target_machine.emit_object(linked))


def _data_text(data: Mapping[str, npt.NDArray[Any]], folder: Path, target: CpuTarget) -> str:
    """LLVM text that defines the weights: by the assembler's `.incbin`; for other architectures, whose assemblers
    llvmlite does not have, as constants, which is bearable up to a size."""
    if target.arch == host().arch:
        return _inline(data_assembly(data, folder, target, local=True))
    total = sum(array.nbytes for array in data.values())
    if total > _CONSTANT_LIMIT:
        raise CompileError.at(
            None,
            f"{total >> 20} MB of weights do not fit an object file for another architecture",
            help="write a shared library (-o libmodel.so), which a cross compiler or ziglang links",
        )
    return "".join(
        f'@"{symbol}" = constant [{max(1, array.nbytes)} x i8] '
        f"{quoted(array.tobytes()) if array.nbytes else 'zeroinitializer'}, align {HEAP_ALIGNMENT}\n"
        for symbol, array in data.items()
    )


def _inline(assembly: str) -> str:
    """Assembly as part of an LLVM module."""
    lines = (line.replace("\\", "\\5C").replace('"', "\\22") for line in assembly.splitlines())
    return "".join(f'module asm "{line}"\n' for line in lines)


def data_assembly(data: Mapping[str, npt.NDArray[Any]], folder: Path, target: CpuTarget, *, local: bool) -> str:
    """Writes each array to a file in `folder`; returns assembly that defines the symbols. An array is kept once."""
    apple = "apple" in target.triple
    mangle = "_" if apple else ""
    # .data.rel.ro would be relocated; constants without pointers belong to read-only memory that processes share
    lines = [".section __TEXT,__const" if apple else '.section .rodata.torchcc,"a",@progbits']
    files: dict[tuple[int, Any, tuple[int, ...]], list[str]] = {}
    arrays: dict[tuple[int, Any, tuple[int, ...]], npt.NDArray[Any]] = {}
    for symbol, array in data.items():
        key = (array.ctypes.data, array.dtype, array.shape)
        files.setdefault(key, []).append(symbol)
        arrays[key] = array
    for number, (key, symbols) in enumerate(files.items()):
        path = folder / f"{number}.bin"
        np.ascontiguousarray(arrays[key]).tofile(path)
        lines.append(f".p2align {HEAP_ALIGNMENT.bit_length() - 1}")
        for symbol in symbols:
            name = f'"{mangle}{symbol}"'
            if not local:
                lines += [f".globl {name}", f"{'.private_extern' if apple else '.hidden'} {name}"]
            lines.append(f"{name}:")
        if arrays[key].nbytes:
            lines.append(f'.incbin "{path}"')
        lines.append(".zero 64")  # vector code may round up; an empty array has an address of its own
    if not apple:
        lines.append('.section .note.GNU-stack,"",@progbits')
    return "\n".join(lines) + "\n"
