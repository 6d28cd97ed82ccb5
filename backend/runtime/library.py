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
declare void @torchcc.end_call(ptr, i1)
declare ptr @torchcc.block_mark()
declare noalias ptr @torchcc.arena_reserve(i64)
declare ptr @torchcc.arena_mark()
declare void @torchcc.arena_release(ptr)
declare ptr @torchcc.list_new(i64, i64)
declare ptr @torchcc.box_new(i64)
declare ptr @torchcc.list_room(ptr, i64)
declare i1 @torchcc.list_grow(ptr)
declare i1 @torchcc.list_reserve(ptr, i64)
declare i1 @torchcc.list_extend(ptr, ptr, i64, i64)
declare void @torchcc.list_erase(ptr, i64, i64)
declare ptr @torchcc.record_new(i64, i64)
declare void @torchcc.retain(ptr)
declare void @torchcc.release(ptr)
declare ptr @torchcc.dict_new(i64, i64)
declare i64 @torchcc.dict_next(ptr, i64)
declare i1 @torchcc.dict_erase(ptr, i64)
declare i1 @torchcc.dict_clear(ptr)
declare ptr @torchcc.dict_insert_i64(ptr, i64)
declare ptr @torchcc.dict_insert_f64(ptr, double)
declare ptr @torchcc.dict_insert_c128(ptr, double, double)
declare ptr @torchcc.dict_insert_str(ptr, ptr, ptr, i64)
declare ptr @torchcc.str_of_byte(i64) nounwind willreturn memory(none)
declare noalias ptr @torchcc.str_new(i64, i64)
declare ptr @torchcc.str_slice(ptr, ptr, i64)
declare ptr @torchcc.str_concat(ptr, ptr)
declare ptr @torchcc.str_append(ptr, ptr)
declare ptr @torchcc.str_append_bytes(ptr, ptr, i64)
declare i64 @torchcc.str_compare(ptr, i64, ptr, i64) nounwind willreturn memory(argmem: read)
declare i64 @torchcc.str_find(ptr, ptr, i64, i64, i64) nounwind willreturn memory(argmem: read)
declare ptr @torchcc.str_from_i64(i64)
declare ptr @torchcc.str_from_f64(double, ptr)
declare ptr @torchcc.str_shortest(double, ptr)
declare double @torchcc.str_to_f64(ptr, ptr)
declare void @torchcc.note_str(ptr) cold
declare void @torchcc.print(ptr)
declare void @torchcc.random_bits32(ptr, i64)
declare void @torchcc.random_bits64(ptr, i64)
declare { i1, double } @torchcc.random_take_normal()
declare void @torchcc.random_keep_normal(double)
declare i64 @torchcc.random_seed()
declare void @torchcc.random_enter(ptr)
declare void @torchcc.random_leave(ptr)
declare void @torchcc.manual_seed(i64)
declare i64 @torchcc.initial_seed()
declare i64 @torchcc.clock()
declare void @torchcc.fail(i32, ptr, ptr) cold
declare void @torchcc.fail_at(i32, ptr) cold
declare ptr @torchcc.future_new(i64, i64, ptr)
declare void @torchcc.future_start(ptr)
declare void @torchcc.future_run_here(ptr)
declare i1 @torchcc.future_wait(ptr)
declare i32 @torchcc.parallel_for(ptr, ptr, i64, i64)
declare void @torchcc.wake_pool()
declare void @torchcc_note_i64(i64) cold
declare void @torchcc_note_f64(double) cold
"""
"""What compiled programs call."""

JIT_EXPORTS: Final = (
    "torchcc.bind", "torchcc.check_output", "torchcc.give_output", "torchcc.write_back", "torchcc.alloc",
    "torchcc.dealloc", "torchcc.end_call", "torchcc.objects_left", "torchcc.block_mark", "torchcc.arena_reserve", "torchcc.arena_mark",
    "torchcc.arena_release", "torchcc.list_new", "torchcc.box_new", "torchcc.list_room", "torchcc.list_grow", "torchcc.list_reserve", "torchcc.list_extend", "torchcc.list_erase",
    "torchcc.dict_new", "torchcc.dict_next", "torchcc.dict_erase", "torchcc.dict_clear", "torchcc.dict_insert_i64",
    "torchcc.dict_insert_f64", "torchcc.dict_insert_c128", "torchcc.dict_hash", "torchcc.dict_float_bits", "torchcc.dict_at",
    "torchcc.dict_hash_c128", "torchcc.dict_is_c128", "torchcc.dict_search_c128", "torchcc.dict_find_c128", "torchcc.dict_place_c128",
    "torchcc.dict_search_i64", "torchcc.dict_search_f64", "torchcc.dict_find_i64", "torchcc.dict_find_f64",
    "torchcc.dict_place_i64", "torchcc.dict_place_f64", "torchcc.dict_insert_str", "torchcc.str_hash",
    "torchcc.few_bytes", "torchcc.bytes_equal", "torchcc.dict_find_str", "torchcc.dict_place_str",
    "torchcc.record_new", "torchcc.retain", "torchcc.release", "torchcc.str_of_byte", "torchcc.str_new", "torchcc.str_slice", "torchcc.str_concat",
    "torchcc.str_append", "torchcc.str_append_bytes", "torchcc.str_equal", "torchcc.str_compare", "torchcc.str_find", "torchcc.str_from_i64",
    "torchcc.str_from_f64", "torchcc.str_shortest", "torchcc.str_to_f64", "torchcc.note_str", "torchcc.print", "torchcc.clock", "torchcc.fail", "torchcc.fail_at",
    "torchcc.future_new", "torchcc.future_start", "torchcc.future_run_here", "torchcc.future_wait",
    "torchcc.parallel_for", "torchcc.wake_pool", "torchcc_note_i64", "torchcc_note_f64", "torchcc.error_number",
    "torchcc_last_error", "torchcc_set_last_error", "torchcc_free", "torchcc_set_num_threads", "torchcc_num_threads",
    "torchcc.random_bits32", "torchcc.random_bits64", "torchcc.random_take_normal", "torchcc.random_keep_normal",
    "torchcc.random_seed", "torchcc.random_enter", "torchcc.random_leave", "torchcc.random_state", "torchcc.set_random_state", "torchcc.manual_seed",
    "torchcc.initial_seed", "torchcc_manual_seed", "torchcc_initial_seed",
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
    clock = _read("clock.ll").replace("MONOTONIC_CLOCK", "1" if "linux" in system else "6")
    spin = f"define internal void @torchcc.relax() alwaysinline nounwind {{\n  {relax}\n  ret void\n}}\n"
    files = (_read(f"{name}.ll") for name in ("errors", "memory", "objects", "tensors", "lists", "strings", "dicts", "random", "threads", "forks"))
    return "\n".join((structure_definitions(), _byte_strings(), _inline("strings", ""), _inline("dicts", ""), *files, clock, wait, spin))


@functools.cache
def inlined_strings() -> str:
    """Functions of the run time for a program with strings or dicts, which LLVM may put in place of calls."""
    return _inline("strings", "available_externally")


@functools.cache
def inlined_dicts() -> str:
    """The same for one with dicts, beside `inlined_strings`."""
    return _inline("dicts", "available_externally")


def _inline(name: str, linkage: str) -> str:
    text = _read(f"{name}_inline.ll").replace("LINKAGE", linkage)
    small, larger = "alwaysinline nounwind", "inlinehint nounwind" if linkage else "nounwind"
    return text.replace("INLINED_HERE", larger if linkage else small).replace("INLINED", small).replace("INLINABLE", larger)


def _byte_strings() -> str:
    """The 256 strings of one byte; see `strings.ll` for how they lie in memory."""
    zeros = "\\00" * 7
    entries = (f'%ByteString {{ i64 -1, i64 0, i64 1, i64 1, [8 x i8] c"\\{b:02X}{zeros}" }}' for b in range(256))
    return (
        "%ByteString = type { i64, i64, i64, i64, [8 x i8] }\n"
        f"@torchcc.byte_strings = private constant [256 x %ByteString] [{', '.join(entries)}]\n"
    )


def _read(name: str) -> str:
    return resources.files(__package__ or "").joinpath(name).read_text(encoding="utf-8")
