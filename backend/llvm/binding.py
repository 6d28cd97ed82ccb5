"""The door to llvmlite, which has no type information.

llvmlite lets one thread at a time into LLVM. Passes and code generation, which is nearly all of the time, are entered without
its lock here: LLVM itself only asks that a context is not used by two threads, and every module has one of its own.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any, Final

import llvmlite  # pyright: ignore[reportMissingTypeStubs]
import llvmlite.binding  # pyright: ignore[reportMissingTypeStubs]

llvm: Final[Any] = llvmlite.binding
LLVM_VERSION: Final = ".".join(str(part) for part in llvm.llvm_version_info)
LLVMLITE_VERSION: Final = str(getattr(llvmlite, "__version__", ""))


@cache
def _unlocked(name: str) -> Any:
    """A function of llvmlite's C interface without the lock; other threads run Python meanwhile."""
    known = getattr(llvm.ffi.lib, name)
    function = getattr(ctypes.CDLL(llvm.ffi.lib._name), name)
    function.argtypes, function.restype = known.argtypes, known.restype
    return function


def run_passes(passes: Any, module: Any, builder: Any) -> None:
    """`ModulePassManager.run`, for the last time."""
    _unlocked("LLVMPY_RunNewModulePassManager")(passes, module, builder)
    free_passes(passes)


def free_passes(passes: Any) -> None:
    """Frees a pass manager, which then must not be used. llvmlite never does: the empty `_dispose` of `ObjectRef` hides theirs,
    and a process that compiled a thousand functions held 200 MB of passes."""
    llvm.newpassmanagers.NewPassManager._dispose(passes)
    passes.detach()


def emit_object(machine: Any, module: Any) -> bytes:
    """`TargetMachine.emit_object`. RuntimeError where LLVM refuses."""
    with llvm.ffi.OutputString() as error:
        buffer = _unlocked("LLVMPY_TargetMachineEmitToMemory")(machine, module, 1, error)
        if not buffer:
            raise RuntimeError(str(error))
    lib = llvm.ffi.lib
    try:
        return ctypes.string_at(lib.LLVMPY_GetBufferStart(buffer), lib.LLVMPY_GetBufferSize(buffer))
    finally:
        lib.LLVMPY_DisposeMemoryBuffer(buffer)
