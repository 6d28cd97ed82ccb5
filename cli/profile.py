"""`torchcc profile`: which kernels a call spends its time in, and how near they come to what the machine can do."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from .. import api, measure
from ..backend.cpu.jit import num_threads
from ..ir.diagnostics import CompileError, Diagnostic
from .console import out, table, waiting
from .request import Request
from .run import use_threads

_HEAD: Final = ("us", "of call", "runs", "GFLOP/s", "GB/s", "of machine", "source", "")


def profile(request: Request, *, runs: int, top: int, trace: Path | None) -> None:
    use_threads(request)
    values = api.adapted(request.callable.parameters, request.values)
    found = request.compiled(
        lambda specs, state: waiting(
            "measuring", lambda: measure.profile(request.callable.program, specs, values, runs, state)
        )
    )
    if trace is not None:
        try:
            measure.write_trace(found, trace)
        except OSError as error:
            raise CompileError(Diagnostic(f"cannot write `{trace}`: {error.strerror or error}")) from None
    _print(found, top)
    if trace is not None:
        out.print(f"trace of one call: {trace} (open it at https://ui.perfetto.dev)")


def _print(found: measure.Profile, top: int) -> None:
    ran = sorted((k for k in found.kernels if k.runs), key=lambda k: -k.seconds)
    rows = [_HEAD, *(_row(found, k) for k in ran[:top])]
    others = sum(k.seconds for k in ran[top:])
    if others:
        rows.append(_rest(found, others, f"{len(ran) - top} smaller kernels"))
    rows.append(_rest(found, max(0.0, found.seconds - sum(k.seconds for k in ran)), "outside of kernels"))
    table(rows)
    threads = num_threads()
    machine = found.machine
    out.print(
        f"{1e3 * found.seconds:.4g} ms a call with {threads} {'thread' if threads == 1 else 'threads'}; this machine: "
        f"{1e-9 * machine.operations_per_second:.0f} GFLOP/s, {1e-9 * machine.bytes_per_second:.1f} GB/s",
        style="bold",
    )


def _row(found: measure.Profile, kernel: measure.Kernel) -> tuple[str, ...]:
    share = found.share(kernel)
    place = "" if kernel.span is None else f"{Path(kernel.span.written.file.name).name}:{kernel.span.written.line}"
    return (
        f"{1e6 * kernel.seconds:.1f}",
        f"{100 * kernel.seconds / found.seconds:.1f} %",
        str(kernel.runs),
        _billions(kernel.operations_per_second),
        _billions(kernel.bytes_per_second),
        "" if share is None else f"{100 * share:.0f} %",
        place,
        measure.name_of(kernel) + (" (tuned)" if kernel.is_tuned else ""),
    )


def _rest(found: measure.Profile, seconds: float, name: str) -> tuple[str, ...]:
    return (f"{1e6 * seconds:.1f}", f"{100 * seconds / found.seconds:.1f} %", "", "", "", "", "", name)


def _billions(rate: float | None) -> str:
    return "" if rate is None else f"{1e-9 * rate:.1f}"
