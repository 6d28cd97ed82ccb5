"""Kernels of a `loops` module (after map-to-gpu) -> LLVM IR for NVPTX -> PTX text.

The body is what the CPU gets (`backend/llvm`); different are the positions of a thread, the address space of parameters,
and a failing assertion: the first one in a launch leaves its number and its values in the status buffer, and the thread
returns. Every kernel takes that buffer first: `i64 status[STATUS_WORDS]`, zero before the launch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from ...ir.attributes import SymbolRef
from ...ir.core import Operation, symbol
from ...ir.diagnostics import CompileError, Diagnostic, InternalError
from ...ir.dialects.func import function_type
from ...ir.target import Target
from ...ir.types import MemRefType
from ..cpu.compile import parse
from ..llvm.binding import llvm, run_passes
from ..llvm.control import NOTES
from ..llvm.emitter import Emit, Emitter, Failure, ModuleContext
from ..llvm.memory import STACK_LIMIT
from ..llvm.translate import TABLE as CPU_TABLE

TRIPLE: Final = "nvptx64-nvidia-cuda"

NOTED: Final = 5
"""Values that a failing assertion can leave."""

STATUS_WORDS: Final = 1 + NOTED

SCHEDULE_TARGET: Final = Target("nvptx", vector_bytes=4, vector_registers=64, fma_per_cycle=1, loads_per_cycle=1)
"""What loops are made for: a thread has no vectors; the registers are half of what it may use."""

PTX_VERSIONS: Final[Mapping[str, str]] = {
    "sm_75": "+ptx65",
    "sm_80": "+ptx71",
    "sm_86": "+ptx71",
    "sm_87": "+ptx74",
    "sm_89": "+ptx78",
    "sm_90": "+ptx80",
    "sm_90a": "+ptx80",
    "sm_100": "",
    "sm_120": "",
}
"""Chips to generate code for, and the PTX version asked for (LLVM's default where empty).

LLVM takes an unknown chip name with a note and old code, and aborts the process on a version that is too low.
"""


@dataclass(frozen=True)
class PtxModule:
    """PTX of all kernels; `failures[i]` is what status word 0 means when it is i + 1."""

    text: str
    kernels: tuple[str, ...]
    failures: tuple[Failure, ...]


def check_chip(name: str) -> str:
    """The chip's name, if code can be generated for it."""
    if name not in PTX_VERSIONS:
        raise CompileError(Diagnostic(f"unknown target `{name}`", help=f"NVIDIA chips are {', '.join(PTX_VERSIONS)}"))
    return name


def translate(module: Operation, chip: str) -> PtxModule:
    """PTX of a module that `map-to-gpu` has made."""
    check_chip(chip)
    context = ModuleContext("torchcc", _TABLE, threads=False, native_half=True)
    kernels = [
        op
        for container in module.body().operations()
        if container.name == "gpu.module"
        for op in container.body().operations()
    ]
    for kernel in kernels:
        context.functions.append(_kernel(context, kernel))
    text = "\n".join(
        (
            f'target triple = "{TRIPLE}"',
            *context.globals,
            *context.functions,
            "attributes #0 = { nounwind }",
            *context.metadata,
            "",
        )
    )
    return PtxModule(_compile(text, chip), tuple(symbol(k) for k in kernels), tuple(context.failures))


def _compile(text: str, chip: str) -> str:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(TRIPLE).create_target_machine(cpu=chip, features=PTX_VERSIONS[chip], opt=3)
    module = parse(text, machine, TRIPLE)
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    # A GPU's vectors are its threads: vectorised loops would only cost registers.
    options.loop_vectorization = False
    options.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, options)
    run_passes(builder.getModulePassManager(), module, builder)
    _refuse_libcalls(module)
    return str(machine.emit_assembly(module))


_CALL: Final = re.compile(
    r"@llvm\.(exp|exp2|exp10|log|log2|log10|sin|cos|tan|pow|powi|sinh|cosh|tanh|asin|acos|atan|atan2|frem)\b"
)


def _refuse_libcalls(module: Any) -> None:
    """Functions that NVPTX has no code for: LLVM would end the process instead of raising."""
    found = _CALL.search(str(module))
    if found is not None:
        raise InternalError(f"llvm.{found[1]} reached PTX code generation; it should have been expanded")


def _kernel(context: ModuleContext, op: Operation) -> str:
    e = _KernelEmitter(context)
    parameters = ["ptr addrspace(1) align 8 %status"]
    for i, argument in enumerate(op.body().args):
        types = e.component_types(argument.type)
        names = [e.define(f"%a{i}_{k}", t) for k, t in enumerate(types)]
        e.set(argument, e.unflatten(argument.type, names))
        if isinstance(argument.type, MemRefType):
            # LLVM follows the cast back and uses global loads and stores.
            parameters.append(f"ptr addrspace(1) %a{i}_global")
            e.entry_lines.append(f"  {names[0]} = addrspacecast ptr addrspace(1) %a{i}_global to ptr")
            types, names = types[1:], names[1:]
        parameters += [f"{t} {n}" for t, n in zip(types, names, strict=True)]
    e.emit_block(op.body())
    e.line("ret void")
    if e.fails:
        e.start_block("fail")
        e.line("ret void")
    lines = "\n".join((*e.entry_lines, *e.lines))
    assert not function_type(op).results
    return f'define ptx_kernel void @"{symbol(op)}"({", ".join(parameters)}) #0 {{\nentry:\n{lines}\n}}\n'


class _KernelEmitter(Emitter):
    """Fails into the status buffer."""

    def __init__(self, context: ModuleContext) -> None:
        super().__init__(context)
        self.noted: list[str] = []
        """Slots of the values noted for the next assertion."""

    def note(self, type: str, text: str) -> None:
        slot = self.fresh("note")
        self.entry_lines.append(f"  {slot} = alloca i64, align 8")
        self.entry_lines.append(f"  store i64 0, ptr {slot}")
        bits = text if type == "i64" else self.op("i64", f"bitcast {type} {text} to i64")
        self.line(f"store i64 {bits}, ptr {slot}")
        self.noted.append(slot)

    def fail_unless(self, condition: str, failure: Failure) -> None:
        self.context.failures.append(failure)
        number = len(self.context.failures)
        bad, good, first = self.new_label("bad"), self.new_label("good"), self.new_label("first")
        self.line(f"br i1 {condition}, label %{good}, label %{bad}")
        self.start_block(bad)
        exchanged = self.op("{ i64, i1 }", f"cmpxchg ptr addrspace(1) %status, i64 0, i64 {number} monotonic monotonic")
        won = self.op("i1", f"extractvalue {{ i64, i1 }} {exchanged}, 1")
        self.line(f"br i1 {won}, label %{first}, label %fail")
        self.start_block(first)
        for i, slot in enumerate(self.noted[:NOTED]):
            value = self.op("i64", f"load i64, ptr {slot}")
            place = self.op("ptr addrspace(1)", f"getelementptr i64, ptr addrspace(1) %status, i64 {i + 1}")
            self.line(f"store i64 {value}, ptr addrspace(1) {place}")
        self.noted = []
        self.line("br label %fail")
        self.start_block(good)
        self.fails = True


_REGISTERS: Final = {"gpu.thread_id": "tid", "gpu.block_id": "ctaid", "gpu.block_dim": "ntid", "gpu.grid_dim": "nctaid"}


def _position(e: Emitter, op: Operation) -> None:
    name = f"llvm.nvvm.read.ptx.sreg.{_REGISTERS[op.name]}.{op.attributes['dimension']}"
    declaration = f"declare i32 @{name}()"
    if declaration not in e.context.globals:
        e.context.globals.append(declaration)
    number = e.pure("i32", f"call i32 @{name}()")
    e.set(op.result, e.pure("i64", f"zext i32 {number} to i64"))


def _barrier(e: Emitter, op: Operation) -> None:
    del op
    declaration = "declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)"
    if declaration not in e.context.globals:
        e.context.globals.append(declaration)
    e.line("call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)")


def _call(e: Emitter, op: Operation) -> None:
    name = cast(SymbolRef, op.attributes["callee"]).name
    if name not in NOTES:
        raise InternalError(f"call of @{name} in a kernel")
    assert isinstance(e, _KernelEmitter)
    e.note(NOTES[name], e.text(op.operand(0)))


def _alloca(e: Emitter, op: Operation) -> None:
    """Thread-local memory of static size; nothing else can be allocated in a kernel."""
    t = op.result.type
    assert isinstance(t, MemRefType)
    if None in t.shape:
        raise CompileError.at(
            op.span, "this needs memory of a run-time size inside of a parallel loop, which a GPU thread does not have"
        )
    CPU_TABLE["memref.alloca"](e, op)
    if e.arena_marks:
        raise CompileError.at(op.span, f"this needs more than {STACK_LIMIT} bytes of memory in each GPU thread")


_TABLE: Final[Mapping[str, Emit]] = {
    **CPU_TABLE,
    **dict.fromkeys(_REGISTERS, _position),
    "gpu.barrier": _barrier,
    "gpu.return": lambda e, op: None,
    "func.call": _call,
    "memref.alloc": _alloca,
    "memref.alloca": _alloca,
    "memref.dealloc": lambda e, op: None,
}
