"""Interpreter of `gpu`: blocks run one after the other; so do the threads of a block, unless they meet at barriers.

With barriers each thread of a block is a Python thread, so kernels that race may differ from run to run here too.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any, Final, cast

import numpy as np

from ..attributes import SymbolRef
from ..core import Operation, lookup, symbol
from ..dialects.gpu import AXES
from .engine import CONTEXT, Compiler, Context, Frame, Function, Rule, Step, failure

_POSITIONS: Final = ("thread_id", "block_id", "block_dim", "grid_dim")


def _position(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)
    kind = op.name.partition(".")[2]
    axis = AXES.index(cast(str, op.attributes["dimension"]))

    def run(f: Frame) -> None:
        f[out] = np.int64(cast(Context, f[CONTEXT]).position[kind][axis])

    return run


def _barrier(compiler: Compiler, op: Operation) -> Step:
    del compiler, op

    def run(f: Frame) -> None:
        cast(Context, f[CONTEXT]).barrier()

    return run


def _launch_func(compiler: Compiler, op: Operation) -> Step:
    container, name = (ref.name for ref in cast(tuple[SymbolRef, SymbolRef], op.attributes["kernel"]))
    grid, block, operands = (compiler.slots(g) for g in (op.operands[:3], op.operands[3:6], op.operands[6:]))
    kernel = _kernel(compiler, op, container, name)
    meets = any(o.name == "gpu.barrier" for o in kernel.walk())

    def run(f: Frame) -> None:
        function = compiler.interpreter.function(kernel)
        arguments = [f[i] for i in operands]
        grid_dim, block_dim = (tuple(int(f[i]) for i in g) for g in (grid, block))
        for place in product(*(range(n) for n in grid_dim)):
            shared: dict[str, Any] = {}
            contexts = [
                Context(
                    dict(zip(_POSITIONS, (thread, place, block_dim, grid_dim), strict=True)),
                    shared=shared,
                )
                for thread in product(*(range(n) for n in block_dim))
            ]
            if meets:
                _run_together(function, contexts, arguments)
            else:
                for context in contexts:
                    function(context, arguments)

    return run


def _kernel(compiler: Compiler, op: Operation, container: str, name: str) -> Operation:
    module = lookup(compiler.interpreter.module, container)
    inner = module.body().operations() if module is not None else iter(())
    kernel = next((o for o in inner if o.name == "gpu.func" and symbol(o) == name), None)
    if kernel is None:
        raise failure(op, f"no kernel @{container}::@{name} in this module")
    return kernel


def _run_together(function: Function, contexts: Sequence[Context], arguments: Sequence[Any]) -> None:
    barrier = threading.Barrier(len(contexts))

    def wait() -> None:
        barrier.wait()

    def one(context: Context) -> None:
        context.barrier = wait
        finished = False
        try:
            with np.errstate(all="ignore"):
                function(context, arguments)
            finished = True
        finally:
            if not finished:
                barrier.abort()  # lets the threads go that wait for this one

    with ThreadPoolExecutor(len(contexts)) as pool:
        futures = [pool.submit(one, context) for context in contexts]
    failures = [e for e in (future.exception() for future in futures) if e is not None]
    for error in sorted(failures, key=lambda e: isinstance(e, threading.BrokenBarrierError)):
        raise error


RULES: Final[dict[str, Rule]] = {
    **{f"gpu.{name}": _position for name in _POSITIONS},
    "gpu.barrier": _barrier,
    "gpu.launch_func": _launch_func,
}
