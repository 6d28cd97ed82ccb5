"""`torchcc compile`: ahead of time, to a file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .. import api, driver
from ..backend.cpu.compile import KernelTime
from ..backend.cpu.host import HOST_NAMES
from ..ir import cache
from ..ir.diagnostics import CompileError, Diagnostic
from ..ir.schedule import Schedules, read_schedules
from ..ir.signature import ArgumentSpec, StateSpec
from ..lowering.pass_manager import Timing
from .console import note, out, table
from .request import Request

EMITTED_BY_SUFFIX = {".so": "so", ".dylib": "so", ".o": "obj", ".ll": "llvm", ".s": "asm", ".ptx": "ptx"}


TOP: Final = 20
"""Kernels shown, those that take longest."""


def compile_to(
    request: Request,
    output: Path,
    *,
    emit: str | None,
    target: str,
    name: str | None,
    timings: bool = False,
    schedule: Path | None = None,
    tune_seconds: float | None = None,
) -> None:
    kind = output_kind(output, emit)
    if name is not None and not (name.isidentifier() and name.isascii()):
        raise CompileError(Diagnostic(f"--name {name}: this is not a name in C"))
    symbol = name or c_identifier(request.entry or request.callable.name)
    program = request.callable.program
    begin = time.perf_counter()
    _ = program.module  # is made now, where only its interface was known
    frontend = Timing("ast", "parse and check", time.perf_counter() - begin)
    times = driver.Times()
    schedules = None if schedule is None else Schedules(read_schedules(schedule))
    if schedules is not None and driver.is_gpu(target):
        raise CompileError(Diagnostic(f"--schedule: schedules are of CPUs; `{target}` has none"))
    if tune_seconds is not None:
        tune(request, target, tune_seconds, schedules is not None)

    def compiled(specs: Sequence[ArgumentSpec], state: Sequence[StateSpec]) -> list[Path]:
        nonlocal times
        times = driver.Times([frontend], wants_kernels=timings)  # of the attempt that succeeds
        return driver.compile_ahead(
            program, specs, kind, output, symbol, target, state, request.callable.accept, times, schedules
        )

    try:
        written = request.compiled(compiled)
        if schedules is not None:
            schedules.check_used()
    except OSError as error:
        raise CompileError(Diagnostic(f"cannot write `{error.filename or output}`: {error.strerror or error}")) from None
    for path in written:
        out.print(f"{path}  {path.stat().st_size:,} bytes")
    if timings:
        _print_times(times)


def tune(request: Request, target: str, seconds: float, has_schedule: bool) -> None:
    """Measures other schedules on this machine, and keeps what is faster for this and later compilations."""
    if target not in HOST_NAMES:
        help = "the code of a named target is the same everywhere; --schedule gives it schedules"
        raise CompileError(Diagnostic(f"--tune measures on this machine, and `{target}` is another target", help=help))
    if has_schedule:
        raise CompileError(Diagnostic("--tune and --schedule: either measure, or give what is to be used"))
    if cache.cache_folder() is None:
        raise CompileError(Diagnostic("--tune keeps what it finds in the cache, which is off", help="set TORCHCC_CACHE_DIR to a folder"))
    from ..tune import tune as tuned  # noqa: PLC0415 - measures, which a compilation does not

    values = api.adapted(request.callable.parameters, request.values)
    program = request.callable.program
    found = request.compiled(lambda specs, state: tuned(program, specs, values, seconds, state, note))
    count = f"{found.groups} {'group' if found.groups == 1 else 'groups'}, {found.trials} {'trial' if found.trials == 1 else 'trials'}"
    change = "the model's schedules are as fast as any"
    if found.kept:
        change = f"{len(found.kept)} faster; {1e3 * found.before:.4g} ms -> {1e3 * found.after:.4g} ms a call"
    out.print(f"tuned: {count}: {change}")


def _print_times(times: driver.Times) -> None:
    total = sum(t.seconds for t in times.steps)
    rows = [(f"{1e3 * t.seconds:.1f}", f"{100 * t.seconds / total:.1f} %", t.stage, t.pass_name) for t in times.steps]
    out.out("")
    table([("ms", "of all", "stage", "step"), *rows, (f"{1e3 * total:.1f}", "", "", "all steps")])
    if not times.kernels:
        return
    alone = sum(k.seconds for k in times.kernels)
    slowest = sorted(times.kernels, key=lambda k: -k.seconds)
    out.out("\nLLVM, each kernel alone:")
    table([("ms", "of LLVM", "bytes", "used", "source"), *(_kernel(k, alone) for k in slowest[:TOP])])
    if slowest[TOP:]:
        out.out(f"{len(slowest) - TOP} smaller kernels: {1e3 * sum(k.seconds for k in slowest[TOP:]):.1f} ms")


def _kernel(kernel: KernelTime, alone: float) -> tuple[str, ...]:
    named = [p.rpartition("/")[2] for p in kernel.places if p]
    others = len(set(named)) - 1
    source = named[0] + (f" and {others} more" if others > 0 else "") if named else "" if kernel.places else "what is no kernel"
    share = f"{100 * kernel.seconds / alone:.1f} %"
    return (f"{1e3 * kernel.seconds:.1f}", share, f"{kernel.code_bytes:,}", str(len(kernel.places) or 1), source)


def output_kind(output: Path, emit: str | None) -> str:
    """What is made: as told, or as the file is called."""
    kinds = dict.fromkeys(EMITTED_BY_SUFFIX.values())
    if emit is not None and emit not in kinds:
        raise CompileError(Diagnostic(f"--emit {emit}: there is no such output", help=f"there are {', '.join(kinds)}"))
    kind = emit or EMITTED_BY_SUFFIX.get(output.suffix)
    if kind is None:
        raise CompileError(Diagnostic(f"what to emit does not follow from `{output.name}`", help=f"add --emit {', '.join(kinds)}"))
    return kind


def c_identifier(entry: str) -> str:
    """`Net(10)` -> `net`, `DigitsNet` -> `digits_net`: a C function's name."""
    base = entry.partition("(")[0].replace(".", "_")
    snake = "".join(f"_{c.lower()}" if c.isupper() and i and not base[i - 1].isupper() else c.lower() for i, c in enumerate(base))
    return snake if snake.isidentifier() and snake.isascii() else "forward"
