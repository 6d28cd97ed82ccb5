"""LLVM IR text -> object code for a CPU target."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from ...ir.core import Operation
from ...ir.diagnostics import InternalError
from ...ir.signature import Signature
from ...ir.source import Span
from ..llvm.binding import emit_object, free_passes, llvm, run_passes
from ..llvm.translate import LlvmModule, Options, translate_module
from ..runtime.library import DECLARATIONS, PUBLIC, structure_definitions
from .host import CpuTarget, machine
from .wrapper import check_name, exported_function


@dataclass(frozen=True)
class CpuPart:
    """LLVM text of some of a module's functions."""

    text: str
    optimize: bool
    """Whether LLVM's mid-end is run."""
    places: tuple[str, ...]
    """Of the source, that its kernels come from."""


_LARGE: Final = 512 << 10
"""Characters of a module that gets LLVM's short pipeline. These are programs with hundreds of small loops between branches, whose
large loops are vector code of our own: singular values at run-time sizes (2.2 MB) take 23 s with the vectorisers and unrolling,
5.6 s with the short pipeline, and run as fast; the code is half as large."""


def is_large(text: str) -> bool:
    """Whether LLVM's short pipeline is enough for this module."""
    return len(text) > _LARGE


@dataclass(frozen=True)
class CpuModule:
    """LLVM text of one exported function, all it needs of the program included; the run time is declared only."""

    text: str
    signature: Signature
    program: LlvmModule
    optimize: bool
    """Whether LLVM's mid-end is run."""
    parts: tuple[CpuPart, ...]
    """The same as one or several modules: less work, and for all cores. The first has the exported function."""

    @property
    def is_large(self) -> bool:
        """Whether a part that LLVM's mid-end sees gets its short pipeline."""
        return any(p.optimize and is_large(p.text) for p in self.parts)

    @property
    def spans(self) -> tuple[Span | None, ...]:
        """Where the program says what may fail, by the number of the failure."""
        return tuple(f.span for f in self.program.failures)


def translate(module: Operation, signature: Signature, target: CpuTarget, *, apart: bool = False) -> CpuModule:
    """LLVM text of a `loops` module whose function `signature.name` is the entry. `apart`: each kernel is a part."""
    prefix = f"torchcc.{check_name(signature.name)}"
    options = Options(
        prefix,
        threads=target.facts.cores > 1,
        native_half=target.native_half,
        fused=target.facts.fused,
        attributes=target.attributes,
        apart=apart,
    )
    program = translate_module(module, options)
    facts = program.facts.get(signature.name)
    if facts is None:
        raise InternalError(f"the module has no function @{signature.name}")
    wrapper = exported_function(signature, facts, prefix, program.has_threads)
    head = (structure_definitions(), DECLARATIONS)
    text = "\n".join((*head, wrapper, program.text))
    heads = ((*head, wrapper), *(head for _ in program.parts[1:]))
    parts = [
        CpuPart("\n".join((*before, part.text)), part.is_scalar, part.places)
        for before, part in zip(heads, program.parts, strict=True)
    ]
    return CpuModule(text, signature, program, program.needs_optimizer, tuple(parts))


def parse(text: str, target_machine: Any, triple: str) -> Any:
    """A verified module in a context of its own, so that threads can compile at the same time."""
    context = llvm.create_context()
    try:
        module = llvm.parse_assembly(text, context)
        module.triple = triple
        module.data_layout = str(target_machine.target_data)
        # LLVM is built with assertions: what the verifier does not refuse could abort the process
        module.verify()
    except RuntimeError as error:
        raise InternalError(f"generated LLVM IR is wrong: {error}") from error
    return module


def optimize(module: Any, target_machine: Any, *, large: bool = False) -> None:
    """LLVM's standard pipeline with its vectorisers, or what of it is worth its time for a module that is `large`."""
    options = llvm.create_pipeline_tuning_options(speed_level=1 if large else 3)
    options.loop_vectorization = not large
    options.slp_vectorization = not large
    options.loop_interleaving = not large
    options.loop_unrolling = not large
    builder = llvm.create_pass_builder(target_machine, options)
    run_passes(builder.getModulePassManager(), module, builder)


def _inline_always(module: Any, target_machine: Any) -> None:
    """Puts the small functions that ask for it in place of their calls: milliseconds, where the mid-end takes a second."""
    builder = llvm.create_pass_builder(target_machine, llvm.create_pipeline_tuning_options(speed_level=0))
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    run_passes(passes, module, builder)


def internalize(module: Any, keep: frozenset[str]) -> None:
    """Makes every definition but those invisible to the linker; the public run time is weak: libraries merge."""
    for value in (*module.functions, *module.global_variables):
        if value.is_declaration or value.name.startswith("llvm."):
            continue
        name = value.name
        if name in PUBLIC:
            value.linkage = "weak_any"
        elif name not in keep and value.linkage.name != "private":
            value.linkage = "internal"


_FEW_PRODUCTS: Final = 24
"""Multiplications of indices in vector code. Where more extents are known at run time only, addresses take so much arithmetic
inside of loops that the register allocator copies and spills vectors: a convolution took three times as long."""


def _simplify(module: Any, target_machine: Any) -> None:
    """Moves what does not change out of loops, and the like: a quarter of what the mid-end takes."""
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    passes = llvm.create_pass_builder(target_machine, options).getFunctionPassManager()
    for function in module.functions:
        if not function.is_declaration:
            # a run leaves callbacks in its builder that refer to what is gone after it
            passes.run(function, llvm.create_pass_builder(target_machine, options))
    free_passes(passes)


def _parsed(text: str, target: CpuTarget, optimized: bool) -> tuple[Any, Any]:
    """The module, optimized or not, and the machine it is for."""
    target_machine = machine(target)
    module = parse(text, target_machine, target.triple)
    if optimized:
        optimize(module, target_machine, large=is_large(text))
    elif "alwaysinline" in text:
        _inline_always(module, target_machine)
    elif text.count(" = mul i64 ") > _FEW_PRODUCTS:
        _simplify(module, target_machine)
    return module, target_machine


def compile_text(text: str, target: CpuTarget, *, optimized: bool) -> bytes:
    """Object code of a module's text."""
    module, target_machine = _parsed(text, target, optimized)
    return emit_object(target_machine, module)


@dataclass(frozen=True)
class KernelTime:
    """What LLVM took for a kernel."""

    places: tuple[str, ...]
    """Of the source; several where operations share the code; none of what is no kernel, but calls them."""
    seconds: float
    code_bytes: int
    """Size of the object file."""


def kernel_times(module: CpuModule, target: CpuTarget) -> list[KernelTime]:
    """Times of the module's parts, which are compiled for it one after the other."""
    found: list[KernelTime] = []
    for part in module.parts:
        begin = time.perf_counter()
        code = compile_text(part.text, target, optimized=part.optimize)
        found.append(KernelTime(part.places, time.perf_counter() - begin, len(code)))
    return found


def llvm_text(text: str, target: CpuTarget, *, optimized: bool) -> str:
    """The module as LLVM prints it, before or after its mid-end."""
    module, _ = _parsed(text, target, optimized)
    return str(module)


def assembly_text(text: str, target: CpuTarget, *, optimized: bool) -> str:
    """Assembly of the module."""
    module, target_machine = _parsed(text, target, optimized)
    return str(target_machine.emit_assembly(module))
