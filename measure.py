"""Runs a program with a clock around each kernel: where the time of a call goes, beside what the machine could do.

A kernel's share of the machine is the time that its work takes at least, by the roofline model: operations at the rate of
the processor's multiply-add units or bytes at the rate of its memory, whichever takes longer, over the time measured.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from . import driver
from .api.state import state_inputs
from .backend.cpu.jit import compile_module
from .backend.cpu.roofline import Machine, measured_machine
from .ir.core import Operation, lookup
from .ir.dtypes import DType
from .ir.program import Program
from .ir.schedule import Schedules
from .ir.script_types import TensorType
from .ir.signature import ArgumentSpec, Signature, StateSpec, leaves
from .ir.source import Span
from .lowering.loops import measure_kernels
from .lowering.loops.count_work import Work, work_of
from .lowering.loops.measure_kernels import MeasureKernels
from .lowering.loops.settle_schedule import groups_of

WARM_UP: Final = 5


@dataclass(frozen=True)
class Kernel:
    """One piece of the compiled function."""

    number: int
    kind: str
    """The operation that it is: scf.parallel, scf.for, ..."""
    span: Span | None
    """The source that most of it was written for."""
    work: Work
    """Of one run."""
    begin: float
    """Seconds from the begin of the call to the first run, in the median call."""
    seconds: float
    """All runs of a call together, median over the calls."""
    runs: int
    """In one call."""
    is_tuned: bool = False
    """Whether it was found by tuning how it works."""

    @property
    def operations_per_second(self) -> float | None:
        return _rate(self.work.operations, self.runs, self.seconds)

    @property
    def bytes_per_second(self) -> float | None:
        return _rate(self.work.bytes, self.runs, self.seconds)


@dataclass(frozen=True)
class Profile:
    kernels: tuple[Kernel, ...]
    seconds: float
    """A whole call, without its way in and out."""
    machine: Machine

    def share(self, kernel: Kernel) -> float | None:
        """Of what the machine can do, from 0 to about 1; None where the work is not known or nothing of it is counted."""
        least = [
            amount * kernel.runs / rate
            for amount, rate in (
                (kernel.work.operations, self.machine.operations_per_second),
                (kernel.work.bytes, self.machine.bytes_per_second),
            )
            if amount is not None
        ]
        return max(least) / kernel.seconds if least and kernel.seconds else None


@dataclass(frozen=True)
class Instrumented:
    """A compiled program with a clock around each kernel, bound to values."""

    kernels: list[tuple[str, Span | None, Work]]
    """Of each the operation that it is, its source, and what a run does."""
    groups: list[tuple[str, ...]]
    """Keys of the groups that each kernel computes."""
    schedules: Schedules
    call: Callable[[], list[Any]]
    """All results, and the table of times at the end."""

    def times(self) -> npt.NDArray[Any]:
        """Seconds of each kernel in one call, and of the call at the end."""
        return self.call()[-1][:, measure_kernels.TOTAL] * 1e-9

    def results(self) -> list[Any]:
        """Of one call."""
        return self.call()[:-1]

    def groups_with(self, group: str) -> set[tuple[str, ...]]:
        """What the kernels hold in which a group is."""
        return {groups for groups in self.groups if group in groups}

    def is_tuned(self, kernel: int) -> bool:
        decided = self.schedules.decided
        return any(g in decided and decided[g].origin == "tuned" for g in self.groups[kernel])


def instrumented(lowered: driver.Lowered, program: Program, specs: Sequence[ArgumentSpec], values: Sequence[Any]) -> Instrumented:
    """Compiles a lowered program for this machine, with clocks; each call works on copies of the values."""
    module, signature = lowered.modules["loops"].clone(), lowered.signature
    function = lookup(module, signature.name)
    assert function is not None
    pieces = measure_kernels.kernels(function)
    found = [(op.name, _source(op), work_of(op)) for op in pieces]
    groups = [tuple(groups_of(op)) for op in pieces]
    MeasureKernels(signature.name).apply(module)
    compiled = compile_module(module, _with_table(signature, len(found) + 1))
    flat = [leaf for v, s in zip(values, specs, strict=True) for leaf in leaves(v, s)]
    if program.receiver is not None:
        flat += state_inputs(program.receiver, signature)
    return Instrumented(found, groups, lowered.schedules, lambda: compiled.call_flat([_copied(v) for v in flat]))


def profile(
    program: Program,
    specs: Sequence[ArgumentSpec],
    values: Sequence[Any],
    runs: int,
    state: Sequence[StateSpec] = (),
) -> Profile:
    """Medians over `runs` calls on the same values. The module stays as it is."""
    clocked = instrumented(driver.lower(program, specs, state=state), program, specs, values)
    found = clocked.kernels
    for _ in range(WARM_UP):
        clocked.call()
    tables = np.array([clocked.call()[-1] for _ in range(runs)])
    begins = np.median(tables[:, :, measure_kernels.BEGIN] - tables[:, -1:, measure_kernels.BEGIN], 0) * 1e-9
    seconds = np.median(tables[:, :, measure_kernels.TOTAL], 0) * 1e-9
    times = tables[-1, :, measure_kernels.RUNS]
    kernels = tuple(
        Kernel(i, kind, span, work, float(begins[i]), float(seconds[i]), int(times[i]), clocked.is_tuned(i))
        for i, (kind, span, work) in enumerate(found)
    )
    return Profile(kernels, float(seconds[-1]), measured_machine())


def write_trace(profile: Profile, path: Path) -> None:
    """A Chrome trace (JSON), which Perfetto and chrome://tracing show: an event for each kernel of one call."""
    events = [
        {
            "name": name_of(k),
            "cat": "kernel",
            "ph": "X",
            "pid": 0,
            "tid": 0,
            "ts": 1e6 * k.begin,
            "dur": 1e6 * k.seconds,
            "args": {
                "source": str(k.span.written) if k.span is not None else None,
                "runs": k.runs,
                "operations": k.work.operations,
                "bytes": k.work.bytes,
                "share of the machine": profile.share(k),
            },
        }
        for k in profile.kernels
        if k.runs
    ]
    whole = {"name": "call", "cat": "call", "ph": "X", "pid": 0, "tid": 0, "ts": 0.0, "dur": 1e6 * profile.seconds}
    path.write_text(json.dumps({"traceEvents": [whole, *events], "displayTimeUnit": "ms"}, indent=1))


def name_of(kernel: Kernel) -> str:
    """The first line of the source that it does, cut to a readable length."""
    if kernel.span is None:
        return kernel.kind
    text = " ".join(kernel.span.written.text.split())
    return text if len(text) <= 48 else f"{text[:47]}\u2026"


def _rate(amount: int | None, runs: int, seconds: float) -> float | None:
    return amount * runs / seconds if amount is not None and seconds else None


def _with_table(signature: Signature, rows: int) -> Signature:
    table = TensorType(DType.int64, (rows, measure_kernels.COLUMNS))
    return replace(signature, results=(*signature.results, table))


def _source(op: Operation) -> Span | None:
    """The place that most operations of the kernel come from."""
    counts: dict[tuple[str, int, int], tuple[int, Span]] = {}
    for inner in op.walk():
        if inner.span is not None:
            span = inner.span.written
            key = (span.file.name, span.start, span.end)
            counts[key] = (counts.get(key, (0, span))[0] + 1, span)
    return max(counts.values(), key=lambda found: found[0])[1] if counts else None


def _copied(value: Any) -> Any:
    return np.array(cast(Any, value)) if isinstance(value, np.ndarray) else value
