"""`torchcc bench`: how long the compiled program takes."""

from __future__ import annotations

import statistics
import time

from .. import api
from ..backend.cpu.jit import num_threads, set_num_threads
from .request import Request, out, waiting

WARM_UP = 10


def bench(request: Request, runs: int) -> None:
    if request.threads is not None:
        set_num_threads(request.threads)
    start = time.perf_counter()
    call = waiting("compiling", lambda: api.prepared(request.callable, request.specs, request.values))
    out.print(f"compiled in {time.perf_counter() - start:.3f} s")
    for _ in range(WARM_UP):
        call()
    times: list[float] = []
    for _ in range(max(1, runs)):
        begin = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - begin))
    out.print(
        f"{len(times)} runs, {num_threads()} threads: minimum {min(times):.4f} ms, median {statistics.median(times):.4f} ms, maximum {max(times):.4f} ms"
    )
