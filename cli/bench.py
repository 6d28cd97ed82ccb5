"""`torchcc bench`: how long the compiled program takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from ..backend.cpu.host import host
from ..backend.cpu.jit import num_threads
from ..ir import tuned
from .against import compare
from .console import out, waiting
from .request import Request
from .run import compiled_call, use_threads

WARM_UP = 10


def bench(request: Request, runs: int, against: Sequence[str] = (), python: str | None = None) -> None:
    """`against` are names of libraries, which the interpreter `python` has (this one, if None)."""
    use_threads(request)
    start = time.perf_counter()
    call, origin = compiled_call(request)
    out.print(f"{origin} in {time.perf_counter() - start:.3f} s")
    if against:
        call()
        compare(request, call, time.perf_counter() - start, against, python, runs, num_threads())
        return

    def measure() -> list[float]:
        times: list[float] = []
        for number in range(WARM_UP + runs):
            begin = time.perf_counter()
            call()
            if number >= WARM_UP:
                times.append(1e3 * (time.perf_counter() - begin))
        return times

    times = waiting("measuring", measure)
    count = len(tuned.chosen(host().facts).tuned)
    if count:
        out.print(f"{count} {'group of operations is' if count == 1 else 'groups of operations are'} tuned for this machine; `torchcc profile` shows which")
    threads = num_threads()
    out.print(
        f"{runs} {'run' if runs == 1 else 'runs'}, {threads} {'thread' if threads == 1 else 'threads'}: "
        f"minimum {min(times):.4f} ms, median {statistics.median(times):.4f} ms, maximum {max(times):.4f} ms"
    )
