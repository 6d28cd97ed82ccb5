"""Compiled functions in this process: `compile_module(...)(x, y)`.

Object code comes from LLVM or from the disk cache and is linked by ORC. Constants (weights) are not part of it: they
are external symbols that are bound to the arrays' memory when the code is loaded.
"""

from __future__ import annotations

import ctypes
import itertools
import sys
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ...ir import cache
from ...ir.signature import Signature
from ...ir.source import Span
from ..llvm.binding import llvm
from ..runtime.abi import HEAP_ALIGNMENT
from ..runtime.library import JIT_EXPORTS, runtime_text
from . import object_cache
from .call import CompiledFunction, RuntimeFunctions
from .host import CpuTarget, host, initialize, machine, thread_count

if TYPE_CHECKING:
    from ...ir.core import Operation
    from .compile import CpuModule, CpuPart

_RUNTIME_LIBRARY: Final = "torchcc.runtime"

_GLIBC_ATFORK: Final = """\
declare i32 @__register_atfork(ptr, ptr, ptr, ptr)
define internal i32 @pthread_atfork(ptr %prepare, ptr %parent, ptr %child) {
  %status = call i32 @__register_atfork(ptr %prepare, ptr %parent, ptr %child, ptr null)
  ret i32 %status
}"""
"""glibc's pthread_atfork exists for static linking only; this is what it does."""

_lock = threading.RLock()
_numbers = itertools.count()


class _Session:
    """ORC, and the run time linked into it: one per process, never unloaded, since pool threads live in its code."""

    def __init__(self) -> None:
        target = host()
        # JITLink places what belongs together in one piece. RuntimeDyld maps each section where there is room for it: in a
        # process that holds some gigabytes, code and constants come to lie further apart than instructions can reach.
        self.jit: Any = llvm.create_lljit_compiler(machine(target), use_jit_link=True)
        text = runtime_text(target.triple)
        if not hasattr(ctypes.CDLL(None), "pthread_atfork"):
            text = text.replace("declare i32 @pthread_atfork(ptr, ptr, ptr)", _GLIBC_ATFORK)
        builder: Any = llvm.JITLibraryBuilder().add_object_img(object_code(text, target, optimized=False))
        builder = builder.add_current_process()
        for name in JIT_EXPORTS:
            builder = builder.export_symbol(name)
        self.runtime: Any = builder.link(self.jit, _RUNTIME_LIBRARY)
        self.functions = RuntimeFunctions.at({name: self.runtime[name] for name in JIT_EXPORTS})
        # At exit, worker threads may still spin in this code and threads' ends call into it: it must stay mapped.
        for immortal in (self.jit, self.runtime):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(immortal))


_session: _Session | None = None


def session() -> _Session:
    """The process's session, made on first use."""
    global _session  # noqa: PLW0603
    with _lock:
        if _session is None:
            _session = _Session()
        return _session


def object_code(text: str, target: CpuTarget, *, optimized: bool) -> bytes:
    """Object code of LLVM text: from the disk cache, else compiled and kept there."""
    name = object_cache.key(text, target, optimized)
    found = cache.load(name)
    if found is None:
        found = compile_text(text, target, optimized=optimized)
        cache.store(name, found)
    return found


def _compiling(module: CpuModule, target: CpuTarget, pool: ThreadPoolExecutor) -> list[Future[bytes]]:
    """Object code of a module's parts, by the threads of the pool; the largest are begun first."""
    initialize()
    order = sorted(range(len(module.parts)), key=lambda i: -_work(module.parts[i]))
    begun = {i: pool.submit(_part_code, module.parts[i], target) for i in order}
    return [begun[i] for i in range(len(module.parts))]


def _part_code(part: CpuPart, target: CpuTarget) -> bytes:
    return object_code(part.text, target, optimized=part.optimize)


def _work(part: CpuPart) -> int:
    """What LLVM has to do, in no unit: the mid-end takes several times as long as code generation."""
    return len(part.text) * (4 if part.optimize else 1)


def compile_text(text: str, target: CpuTarget, *, optimized: bool) -> bytes:
    """Object code of LLVM text, by LLVM."""
    from .compile import compile_text as compiled  # noqa: PLC0415 - code from the disk needs no emitters

    return compiled(text, target, optimized=optimized)


def compile_module(module: Operation, signature: Signature, target: CpuTarget | None = None) -> CompiledFunction:
    """Compiles the function `signature.name` of a `loops` module for this machine and loads it."""
    from .compile import translate  # noqa: PLC0415 - code from the disk needs no emitters

    return load(translate(module, signature, target or host()), target or host())


@dataclass(frozen=True)
class Placed:
    """Constants in memory."""

    addresses: Mapping[str, int]
    """By symbol; each on a cache line."""
    memory: Any
    """Owns it."""


def load(
    module: CpuModule, target: CpuTarget, place: Callable[[Mapping[str, npt.NDArray[Any]]], Placed] | None = None
) -> CompiledFunction:
    """Compiles and loads translated LLVM text. Meanwhile `place` puts the constants where they are to stay."""
    data = module.program.data
    if len(module.parts) == 1 and not data:
        return link([_part_code(module.parts[0], target)], module.signature, module.spans, {}, None)
    with ThreadPoolExecutor(thread_count(), "torchcc-llvm") as pool:
        compiling = _compiling(module, target, pool)
        constants = (place or placed)(data)
        codes = [c.result() for c in compiling]
    return link(codes, module.signature, module.spans, constants.addresses, constants.memory)


def placed(data: Mapping[str, npt.NDArray[Any]]) -> Placed:
    """The arrays, or copies of those that do not start on a cache line."""
    arrays = {symbol: aligned(array) for symbol, array in data.items()}
    return Placed({symbol: int(array.ctypes.data) for symbol, array in arrays.items()}, arrays)


def link(
    codes: Sequence[bytes], signature: Signature, spans: Sequence[Span | None], addresses: Mapping[str, int], keep: Any
) -> CompiledFunction:
    """Loads object code; constants are at these addresses, in memory that `keep` owns."""
    owner = session()
    with _lock:
        builder: Any = llvm.JITLibraryBuilder()
        for code in codes:
            builder = builder.add_object_img(code)
        builder = builder.add_jit_library(_RUNTIME_LIBRARY).add_current_process()
        for symbol, address in addresses.items():
            builder = builder.import_symbol(symbol, address)
        library = builder.export_symbol(signature.name).link(owner.jit, f"torchcc.{next(_numbers)}")
    return CompiledFunction(signature, library[signature.name], owner.functions, spans, keep=_Keep(library, keep))


def load_text(text: str, name: str, addresses: Mapping[str, int]) -> tuple[int, Any]:
    """Compiles and loads LLVM text whose external symbols are at these addresses, or in the run time.

    Gives the address of the function `name`, and what must live as long as it may be called.
    """
    code = object_code(text, host(), optimized=True)
    owner = session()
    with _lock:
        builder: Any = llvm.JITLibraryBuilder().add_object_img(code).add_jit_library(_RUNTIME_LIBRARY)
        for symbol, address in addresses.items():
            builder = builder.import_symbol(symbol, address)
        library = builder.export_symbol(name).link(owner.jit, f"torchcc.{next(_numbers)}")
    return library[name], _Keep(library, None)


class _Keep:
    """What must live as long as the code may run."""

    def __init__(self, library: Any, constants: Any) -> None:
        self.constants = constants
        self._library = library

    def __del__(self, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        if is_finalizing():  # a default: the names of this module may be gone already
            self._library.detach()
            return
        # llvmlite lets one thread at a time into ORC. A lock of our own must not be waited for here: the collector may run this in
        # a thread that is about to enter LLVM, and whoever holds ours while linking waits for that thread.
        self._library.close()


_aligned: dict[int, tuple[weakref.ref[Any], npt.NDArray[Any]]] = {}


def aligned(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array, or a copy that starts on a cache line: vector loads of weights must not straddle lines.

    A copy is shared by all functions that use the array, and goes with it.
    """
    if array.ctypes.data % HEAP_ALIGNMENT == 0 and array.flags.c_contiguous:
        return array
    number = id(array)
    with _lock:
        found = _aligned.get(number)
        if found is not None and found[0]() is array:
            return found[1]
        room = np.empty(array.nbytes + HEAP_ALIGNMENT, np.uint8)
        start = -room.ctypes.data % HEAP_ALIGNMENT
        copy = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
        copy[...] = array
        _aligned[number] = (weakref.ref(array, lambda _: _aligned.pop(number, None) and None), copy)
        return copy


def set_num_threads(count: int) -> None:
    """Threads that compiled functions in this process use."""
    session().functions.set_num_threads(ctypes.c_int32(count))


def num_threads() -> int:
    return int(session().functions.num_threads())
