"""Whole compiled functions on disk: what `lowering/` and LLVM have made of a program, found again by its key.

An entry is JSON: the signature, source positions of run-time errors, the keys of the object code, and where each constant
is in a block. The block is mapped, never copied: processes that run the same model share its memory. That a program needs
a number at compile time is kept as well, so that the attempt is not repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...ir import cache, records
from ...ir.diagnostics import CompileError, NotStatic
from ...ir.signature import Signature
from ..llvm.binding import LLVM_VERSION, LLVMLITE_VERSION
from ..runtime.abi import HEAP_ALIGNMENT
from . import jit, object_cache
from .host import CpuTarget

if TYPE_CHECKING:
    from .call import CompiledFunction
    from .compile import CpuModule


def key(program: str, specs: str, target: CpuTarget) -> str:
    """Of a program with the content hash `program`, for specs in text, on a target: all that compiled code depends on."""
    return cache.key("native", cache.compiler(), LLVM_VERSION, LLVMLITE_VERSION, program, specs, repr(target))


class StateAt(Exception):
    """Compiling came to this: the attributes at these paths have to be declared as state."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        super().__init__(paths)
        self.paths = paths


def load(name: str) -> CompiledFunction | None:
    """The function of that key, linked; None if it is not there whole.

    NotStatic, another CompileError or StateAt if that is what compiling it came to.
    """
    data = cache.load(name)
    if data is None:
        return None
    try:
        match records.from_text(data):
            case ("code", Signature() as signature, spans, codes, (block, size), places):
                return _linked(signature, spans, codes, (block, size), places)
            case ("not static", diagnostics):
                raise NotStatic(diagnostics)
            case ("refused", diagnostics):
                raise CompileError(diagnostics)
            case ("state", [*paths]):
                raise StateAt(tuple(map(str, paths)))
            case _:
                return None
    except records.NotReadable:
        return None


def _linked(
    signature: Signature, spans: Any, codes: Sequence[str], block: tuple[str, int], places: Mapping[str, int]
) -> CompiledFunction | None:
    images = [image for image in map(cache.load, codes) if image is not None]
    if len(images) != len(codes):
        return None
    if not places:
        return jit.link(images, signature, spans, {}, None)
    constants = cache.load_block(*block)
    if constants is None:
        return None
    placed = _in_block(constants, places)
    return jit.link(images, signature, spans, placed.addresses, placed.memory)


class Keeper:
    """Keeps a function that is compiled: first its constants, which it then uses where they are kept, then the rest."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._kept: tuple[str, int, dict[str, int]] | None = None
        """The block, its size, and where each constant is in it."""

    def keep(self, arrays: Sequence[npt.NDArray[Any]]) -> str | None:
        """Writes constants to a block of the cache, one after the other; its name, None where that cannot be."""
        # several specialisations of a model have the same weights, and one block
        layout = _Layout.of(arrays)
        if not layout.size:
            return None
        block = cache.digest(*layout.pieces)
        return block if cache.has_block(block) or cache.store_block(block, layout.pieces, layout.size) else None

    def place(self, data: Mapping[str, npt.NDArray[Any]], block: str | None) -> jit.Placed:
        """The constants in the block that `keep` has made of them, mapped; in memory where there is none."""
        layout = _Layout.of(list(data.values()))
        mapped = None if block is None else cache.load_block(block, layout.size)
        if block is None or mapped is None:
            return jit.placed(data)
        places = dict(zip(data, layout.offsets, strict=True))
        self._kept = block, layout.size, places
        return _in_block(mapped, places)

    def store(self, module: CpuModule, target: CpuTarget) -> None:
        """The rest; a function whose signature means nothing to another process is left out."""
        if module.program.data and self._kept is None:
            return
        block, size, places = self._kept or ("", 0, dict[str, int]())
        codes = tuple(object_cache.key(part.text, target, part.optimize) for part in module.parts)
        content = ("code", module.signature, module.spans, codes, (block, size), places)
        try:
            text = records.to_text(content)
        except records.NotStorable:
            return
        cache.store(self.name, text.encode())


def _in_block(block: memoryview, places: Mapping[str, int]) -> jit.Placed:
    base = int(np.frombuffer(block, np.uint8).ctypes.data)
    return jit.Placed({s: base + at for s, at in places.items()}, block)


def store_failure(name: str, error: CompileError) -> None:
    """Keeps that the program has to know more at compile time, or cannot be compiled for these arguments."""
    what = "not static" if isinstance(error, NotStatic) else "refused"
    try:
        cache.store(name, records.to_text((what, error.diagnostics)).encode())
    except records.NotStorable:
        return


def store_state(name: str, paths: tuple[str, ...]) -> None:
    """Keeps which attributes the program changes."""
    cache.store(name, records.to_text(("state", paths)).encode())


@dataclass(frozen=True)
class _Layout:
    """Arrays one after the other, each on a cache line; an array under two names is there once."""

    pieces: Sequence[Any]
    """Buffers: the arrays' memory, and what fills the gaps."""
    size: int
    offsets: Sequence[int]
    """Where each array begins."""

    @staticmethod
    def of(arrays: Sequence[npt.NDArray[Any]]) -> _Layout:
        pieces: list[Any] = []
        offsets: list[int] = []
        known: dict[int, int] = {}
        size = 0
        for array in arrays:
            if id(array) not in known:
                known[id(array)] = size
                flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
                gap = -flat.nbytes % HEAP_ALIGNMENT or (0 if flat.nbytes else HEAP_ALIGNMENT)
                pieces += [flat.data, bytes(gap)] if gap else [flat.data]
                size += flat.nbytes + gap
            offsets.append(known[id(array)])
        return _Layout(pieces, size, offsets)
