"""The run time's LLVM text: what every compiled program links, assembled for one target.

The `.ll` files beside this module are written by hand; nothing in them depends on the program. `runtime_text` puts them
together with the structures of `abi.py` and the few lines that differ between targets.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import Final

from ...ir.diagnostics import CompileError
from .abi import PUBLIC_FUNCTIONS, STRUCTURES

_FUTEX: Final[dict[str, int]] = {"x86_64": 202, "aarch64": 98, "riscv64": 98, "loongarch64": 98}
"""Number of the futex system call."""

_RELAX: Final[dict[str, str]] = {
    "x86_64": "call void @llvm.x86.sse2.pause()",
    "aarch64": "call void @llvm.aarch64.hint(i32 1)",
}
"""What a spinning thread executes to leave the core's resources to others. (llvmlite assembles for the host only.)"""

DECLARATIONS: Final = """\
declare ptr @torchcc.bind(ptr, ptr, ptr, ptr)
declare i1 @torchcc.check_output(ptr, ptr, ptr)
declare i1 @torchcc.give_output(ptr, ptr, ptr, ptr)
declare void @torchcc.write_back(ptr, ptr, ptr, ptr)
declare noalias ptr @torchcc.alloc(i64)
declare void @torchcc.dealloc(ptr)
declare void @torchcc.free_blocks(ptr)
declare ptr @torchcc.block_mark()
declare noalias ptr @torchcc.arena_reserve(i64)
declare ptr @torchcc.arena_mark()
declare void @torchcc.arena_release(ptr)
declare ptr @torchcc.list_new(i64, i64)
declare ptr @torchcc.box_new(i64)
declare ptr @torchcc.list_room(ptr, i64)
declare void @torchcc.list_erase(ptr, i64, i64)
declare void @torchcc.release(ptr)
declare void @torchcc.fail(i32, ptr, ptr) cold
declare i32 @torchcc.parallel_for(ptr, ptr, i64, i64)
declare void @torchcc.wake_pool()
declare void @torchcc_note_i64(i64) cold
declare void @torchcc_note_f64(double) cold
"""
"""What compiled programs call."""

JIT_EXPORTS: Final = (
    "torchcc.bind", "torchcc.check_output", "torchcc.give_output", "torchcc.write_back", "torchcc.alloc",
    "torchcc.dealloc", "torchcc.free_blocks", "torchcc.block_mark", "torchcc.arena_reserve", "torchcc.arena_mark",
    "torchcc.arena_release", "torchcc.list_new", "torchcc.box_new", "torchcc.list_room", "torchcc.list_erase",
    "torchcc.release", "torchcc.fail", "torchcc.parallel_for", "torchcc.wake_pool", "torchcc_note_i64",
    "torchcc_note_f64", "torchcc.error_number", "torchcc_last_error", "torchcc_set_last_error", "torchcc_free",
    "torchcc_set_num_threads", "torchcc_num_threads",
)  # fmt: skip


PUBLIC: Final = frozenset(PUBLIC_FUNCTIONS)


def structure_definitions() -> str:
    return "\n".join(s.llvm_definition for s in STRUCTURES) + "\n"


@functools.cache
def runtime_text(triple: str) -> str:
    """The run time for that target triple."""
    arch, _, system = triple.partition("-")
    relax = _RELAX.get("aarch64" if arch == "arm64" else arch, 'fence syncscope("singlethread") seq_cst')
    if "linux" in system and arch in _FUTEX:
        wait = _read("wait_linux.ll").replace("FUTEX_NUMBER", str(_FUTEX[arch]))
    elif "darwin" in system or "macos" in system:
        wait = _read("wait_posix.ll")
    else:
        raise CompileError.at(None, f"target {triple} is not supported", help="use a Linux or macOS target")
    spin = f"define internal void @torchcc.relax() alwaysinline nounwind {{\n  {relax}\n  ret void\n}}\n"
    files = (_read(f"{name}.ll") for name in ("errors", "memory", "tensors", "lists", "threads"))
    return "\n".join((structure_definitions(), *files, wait, spin))


def _read(name: str) -> str:
    return resources.files(__package__ or "").joinpath(name).read_text(encoding="utf-8")
