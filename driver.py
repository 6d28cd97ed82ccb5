"""The compiler, top to bottom: every stage by name.

    source -> ast -> torch -> linalg -> loops -> llvm -> asm | object | machine code in memory
                                              -> ptx
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy.typing as npt

from .backend.cpu import compile as cpu
from .backend.cpu import shared_library
from .backend.cpu.host import HOST_NAMES, host, named_target
from .backend.llvm.memory import external_constants
from .backend.ptx import codegen as ptx
from .frontend.compile import prelude_function
from .ir.attributes import Constant, DenseAttr
from .ir.core import Operation, functions, lookup
from .ir.diagnostics import CompileError, Diagnostic, InternalError, NotStatic, TorchccError, guarded_nesting
from .ir.dialects.torch import FUNC
from .ir.places import Holder, Places, identity
from .ir.printer import print_module
from .ir.program import Program
from .ir.schedule import Schedules
from .ir.signature import ArgumentSpec, Signature, StateSpec
from .ir.streaming import Steps
from .ir.tuned import chosen
from .lowering.graph.functionalize import functionalize
from .lowering.graph.initial_state import initial_state
from .lowering.graph.memory import SharedFuture
from .lowering.graph.placed_results import Following
from .lowering.graph.run_time_arguments import check_unwritten
from .lowering.graph.specialize import specialize
from .lowering.loops.background import pending
from .lowering.pass_manager import PassManager, Timing
from .lowering.pipeline import CONSTANTS_SETTLED, SCHEDULES_MATTER_AFTER, pipeline, scheduled

STAGES: Final = ("ast", "torch", "linalg", "loops", "llvm", "asm", "ptx")

DEFAULT_CHIP: Final = "sm_90"
"""What `ptx` is printed for where no chip is named."""

NeedsConstant: Final = NotStatic
"""Raised where a run-time number has to be known at compile time; giving it as a constant may help."""


# down the stages


@dataclass(frozen=True)
class Lowered:
    """A program for given arguments at each stage that is IR; the modules are copies that nothing changes."""

    signature: Signature
    modules: dict[str, Operation]
    """By stage: torch, linalg, loops."""
    schedules: Schedules
    """How each group of operations is computed, and who decided that."""


def lower(
    program: Program,
    specs: Sequence[ArgumentSpec],
    target: str = "host",
    name: str | None = None,
    manager: PassManager | None = None,
    state: Sequence[StateSpec] = (),
    *,
    places: bool = False,
    schedules: Schedules | None = None,
) -> Lowered:
    """Source program to loops, for `host`, another CPU, or an NVIDIA chip.

    `schedules` stand instead of the cost model's; None: where this machine is the target, what was
    tuned on it and what TORCHCC_SCHEDULES names.

    StateNeeded where the program changes attributes of its module that `state` does not declare. `places`: see `functionalize`.
    """
    manager = manager or PassManager()
    watch = manager.watch or _ignore
    watch("emit", program.module)
    function = lookup(program.module, program.entry)
    with guarded_nesting(None if function is None else function.span):
        title = name or program.schema.base
        forks, following = not is_gpu(target), Following(is_held=_held_by(program, state)) if places else None
        while True:
            with manager.timed("torch", "specialize"):
                module, signature = specialize(program, specs, composite, title, state, forks=forks)
            watch("specialize", module)
            try:
                return _lower_specialised(module, signature, target, manager, following, schedules)
            except CompileError as error:
                if isinstance(error, SharedFuture) and forks:
                    forks = False
                elif following is not None and following.was_through_containers:
                    following = replace(following, through_containers=False)  # what cannot be in memory comes out as a copy
                    following.was_through_containers = False
                else:
                    raise


def _held_by(program: Program, state: Sequence[StateSpec]) -> Callable[[Constant], bool]:
    """Whether a tensor is held by attributes of the module that are not declared as state."""

    @cache
    def holders() -> Mapping[int, Sequence[Holder]]:
        return {} if program.receiver is None else Places(program.receiver).holders

    @cache
    def declared() -> frozenset[tuple[int, str]]:
        attributes = {} if program.receiver is None else Places(program.receiver).attributes
        return frozenset((id(owner), name) for s in state for owner, name in (attributes[s.path],))

    return lambda constant: any((id(o), n) not in declared() for o, n in holders().get(identity(constant), ()))


def _lower_specialised(
    module: Operation,
    signature: Signature,
    target: str,
    manager: PassManager,
    places: Following | None = None,
    schedules: Schedules | None = None,
) -> Lowered:
    gpu = is_gpu(target)
    facts = ptx.SCHEDULE_TARGET if gpu else named_target(target).facts
    watch = manager.watch or _ignore
    with manager.timed("torch", "functionalize"):
        signature = functionalize(module, signature, places=places)
        check_unwritten(signature, module)
    watch("functionalize", module)
    if schedules is None:
        schedules = chosen(facts) if target in HOST_NAMES else Schedules()  # a named target gives the same code everywhere
    modules = manager.run(pipeline(signature, facts, gpu=gpu, schedules=schedules), module)
    return Lowered(signature, modules, schedules)


def variants(
    program: Program, specs: Sequence[ArgumentSpec], state: Sequence[StateSpec] = ()
) -> Callable[[Schedules], Lowered]:
    """Lowers a program for this machine as far as schedules do not matter; the rest by those that are given."""
    manager = PassManager(verify="nothing", keeps_stages=False)
    facts = host().facts
    held: list[Operation] = []

    def watch(name: str, module: Operation) -> None:
        if name == SCHEDULES_MATTER_AFTER:
            held[:] = [module.clone()]

    manager.watch = watch
    first = lower(program, specs, manager=manager, state=state, schedules=Schedules())

    def finish(schedules: Schedules) -> Lowered:
        rest = scheduled(pipeline(first.signature, facts, gpu=False, schedules=schedules))
        return Lowered(first.signature, PassManager(verify="nothing", keeps_stages=False).run(rest, held[0].clone()), schedules)

    return finish


def _ignore(name: str, module: Operation) -> None:
    del name, module


def translate_native(
    program: Program,
    specs: Sequence[ArgumentSpec],
    state: Sequence[StateSpec] = (),
    begin: Callable[[Sequence[npt.NDArray[Any]], Callable[[], None]], None] = lambda constants, finish: None,
) -> cpu.CpuModule:
    """LLVM text for this machine; `native.py` makes code of it and keeps that.

    `begin` gets the constants ahead of the rest, and what to call on its own thread before it looks at their elements. Where
    this runs inside of `background()`, the elements of constants are there at its end.
    """

    def watch(name: str, module: Operation) -> None:
        if name == CONSTANTS_SETTLED:
            begin(external_constants(module), pending())

    lowered = _lower_quickly(program, specs, state=state, places=True, watch=watch)
    return cpu.translate(lowered.modules["loops"], lowered.signature, host())


def _lower_quickly(
    program: Program,
    specs: Sequence[ArgumentSpec],
    target: str = "host",
    name: str | None = None,
    state: Sequence[StateSpec] = (),
    *,
    places: bool = False,
    schedules: Schedules | None = None,
    times: list[Timing] | None = None,
    watch: Callable[[str, Operation], None] | None = None,
) -> Lowered:
    """`lower` for who wants the code: every pass is verified in tests and dumps, here only what holds at the ends of stages."""
    manager = PassManager(verify="contracts", keeps_stages=False, timings=[] if times is None else times, watch=watch)
    try:
        return lower(program, specs, target, name, manager, state, places=places, schedules=schedules)
    except InternalError:
        lower(program, specs, target, name, state=state, places=places, schedules=schedules)  # says which pass it was, and what went into it
        raise


@dataclass
class Times:
    """How long the steps of a compilation took."""

    steps: list[Timing] = field(default_factory=list[Timing])
    kernels: list[cpu.KernelTime] = field(default_factory=list[cpu.KernelTime])
    wants_kernels: bool = False
    """Whether LLVM is to compile each kernel once more, alone, to see what it costs."""


def compile_ahead(
    program: Program,
    specs: Sequence[ArgumentSpec],
    kind: str,
    output: Path,
    name: str,
    target: str,
    state: Sequence[StateSpec] = (),
    accept: Callable[[Signature], None] = lambda signature: None,
    times: Times | None = None,
    schedules: Schedules | None = None,
) -> list[Path]:
    """Writes `kind` (so, obj, llvm, asm, ptx) to `output`, and a C header beside a library or object; the files written.

    Of a program with state, a library has one function for each structure of the state (`ir/streaming.py`), `name`,
    `name_1`, ..., and `name_initial_state`; other kinds have the first alone. `accept` raises where one cannot be.
    `times` takes what each step took. `schedules`: see `lower`.
    """
    times = times or Times()
    manager = PassManager(timings=times.steps)
    if is_gpu(target) != (kind == "ptx"):
        help = f"PTX needs a chip: --target {DEFAULT_CHIP}" if kind == "ptx" else "for a chip there is --emit ptx"
        raise CompileError(Diagnostic(f"`{kind}` cannot be made for target `{target}`", help=help))
    if kind not in ("so", "obj"):
        lowered = _lower_quickly(program, specs, target, name, state, schedules=schedules, times=times.steps)
        with manager.timed("llvm", f"print {kind}"):
            output.write_text(print_stage(lowered, kind, target))
        return [output]

    def make(number: int, state: Sequence[StateSpec]) -> tuple[Lowered, Signature]:
        title = f"{name}_{number}" if number else name
        step = _lower_quickly(program, specs, target, title, state, schedules=schedules, times=times.steps)
        accept(step.signature)
        return step, step.signature

    steps = Steps(state, make)
    functions = list(steps.functions)
    names = [s.name for s in steps.signatures]
    following = {n: names[i] for n, i in zip(names, steps.following)} if len(names) > 1 else {}
    if program.receiver is not None and any(p.path is not None for p in steps.signatures[0].parameters):
        module, signature = initial_state(program.receiver, steps.signatures[0], f"{name}_initial_state")
        functions.append(_lower_specialised(module, signature, target, manager))
    chosen = named_target(target)
    with manager.timed("llvm", "print llvm"):
        modules = [cpu.translate(f.modules["loops"], f.signature, chosen) for f in functions]
    write = shared_library.write_shared_library if kind == "so" else shared_library.write_object
    with manager.timed(kind, "optimize, assemble and link" if kind == "so" else "optimize and assemble"):
        write(modules, chosen, output, following)
    if times.wants_kernels:
        for f in functions:
            apart = cpu.translate(f.modules["loops"], f.signature, chosen, apart=True)
            times.kernels += cpu.kernel_times(apart, chosen)
    return [output, shared_library.write_header(modules, output.with_suffix(".h"), following)]


def gpu_module(program: Program, specs: Sequence[ArgumentSpec], target: str) -> tuple[Lowered, ptx.PtxModule]:
    lowered = lower(program, specs, target)
    return lowered, ptx.translate(lowered.modules["loops"], target)


def is_gpu(target: str) -> bool:
    """Whether the target is named like an NVIDIA chip; CompileError for one that is not known."""
    if not target.startswith("sm_"):
        return False
    ptx.check_chip(target)
    return True


def composite(name: str) -> Operation | None:
    """The prelude's function for a composite operator."""
    try:
        program = prelude_function(name)
    except KeyError:
        return None
    return lookup(program.module, program.entry)


# looking at the stages


def dump(
    program: Program,
    specs: Sequence[ArgumentSpec],
    stage: str,
    *,
    after: str | None = None,
    target: str = "host",
    state: Sequence[StateSpec] = (),
) -> str:
    """Text of the program at a stage from `torch` on, or right after the pass `after`."""
    if after is not None:
        return dump_after(program, specs, after, target, state)
    if stage == "ptx" and not is_gpu(target):
        target = DEFAULT_CHIP
    return print_stage(lower(program, specs, target, state=state), stage, target)


def print_stage(lowered: Lowered, stage: str, target: str = "host") -> str:
    if stage in lowered.modules:
        return print_module(lowered.modules[stage])
    if is_gpu(target):
        if stage != "ptx":
            raise CompileError(Diagnostic(f"stage `{stage}` is of CPUs; `{target}` has `ptx`"))
        return ptx.translate(lowered.modules["loops"], target).text
    cpu_target = named_target(target)
    module = cpu.translate(lowered.modules["loops"], lowered.signature, cpu_target)
    show = cpu.llvm_text if stage == "llvm" else cpu.assembly_text
    return show(module.text, cpu_target, optimized=module.optimize)


def dump_after(
    program: Program, specs: Sequence[ArgumentSpec], after: str, target: str, state: Sequence[StateSpec] = ()
) -> str:
    """The program after a pass (the last time that it runs), also where a later one fails."""
    found: list[str] = []
    names: list[str] = []

    def watch(name: str, module: Operation) -> None:
        names.append(name)
        if name == after:
            found.append(print_module(module))

    try:
        lower(program, specs, target, manager=PassManager(watch=watch), state=state)
    except TorchccError:
        if not found:
            raise
    if not found:
        raise CompileError(Diagnostic(f"there is no pass `{after}`", help=f"passes are {', '.join(dict.fromkeys(names))}"))
    return found[-1]


def dump_all(
    program: Program,
    specs: Sequence[ArgumentSpec],
    target: str,
    write: Callable[[str, str], None],
    state: Sequence[StateSpec] = (),
) -> None:
    """Gives `write` a file name and the text after every step, then of every stage below `loops`."""
    numbers = itertools.count()

    def watch(name: str, module: Operation) -> None:
        suffix = "graph" if any(f.name == FUNC for f in functions(module)) else "mlir"
        write(f"{next(numbers):02}-{name}.{suffix}", print_module(module))

    lowered = lower(program, specs, target, manager=PassManager(watch=watch), state=state)
    for stage, suffix in (("ptx", "ptx"),) if is_gpu(target) else (("llvm", "ll"), ("asm", "s")):
        write(f"{next(numbers):02}-{stage}.{suffix}", print_stage(lowered, stage, target))


def constants(module: Operation) -> dict[str, Constant]:
    """Tensor constants of a module by name: what its text refers to."""
    found: dict[str, Constant] = {}
    for op in module.walk():
        for attribute in op.attributes.values():
            value = attribute.value if isinstance(attribute, DenseAttr) else attribute
            if isinstance(value, Constant):
                found[value.name] = value
    return found
