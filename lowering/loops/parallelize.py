"""Marks the parallel loops that are worth the thread pool.

In: `scf.parallel` loops that may run in any order. Out: the outermost of them that do enough work carry the attribute
`threads`, whose value is the least number of iterations a thread should take at a time; the others run serially. The
work is estimated from extents and the operations of the body; run-time extents count as one, since the run time itself
keeps loops of fewer iterations than that on one thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...ir.attributes import UNIT, IntegerAttr
from ...ir.core import Block, Operation, functions, lookup
from ...ir.dialects import rt_forks
from ...ir.target import AVX512, Target
from ...ir.types import INDEX, VectorType
from ..indexing import as_size

ATTRIBUTE: Final = "threads"
_LOOPS: Final = ("scf.for", "scf.while", "scf.parallel")

_PIECE_CYCLES: Final = 6_000
"""Least work of one piece: waking a thread that spins costs about a thousand cycles, a cold cache several."""

_UNKNOWN_TRIPS: Final = 16
_COSTS: Final[dict[str, float]] = {
    "arith.divf": 4, "arith.remf": 20, "arith.divsi": 20, "arith.divui": 20, "arith.remsi": 20, "arith.remui": 20,
    "math.sqrt": 5, "memref.load": 1, "memref.store": 1, "llvm.call_intrinsic": 0.5,
}  # fmt: skip
_SCALAR_SPEEDUP: Final = 8
"""Innermost scalar loops are vectorised."""


def parallelize(module: Operation, target: Target = AVX512) -> None:
    """Marks loops in every function."""
    if target.cores <= 1:
        return
    for function in functions(module):
        for region in function.regions:
            for block in region.blocks:
                _mark(block)
    for fork in [op for op in module.walk() if op.name == "rt.fork"]:
        if rt_forks.HERE not in fork.attributes and _is_little(lookup(module, rt_forks.callee_of(fork))):
            fork.attributes[rt_forks.LAZY] = UNIT


def _is_little(callee: Operation | None) -> bool:
    """Whether a function is known to do too little for a thread of its own."""
    if callee is None or any(op.name in _LOOPS and _trip_number(op) is None for op in callee.walk()):
        return False
    return _block_cost(callee.body()) < _PIECE_CYCLES


def is_worth_threads(op: Operation) -> bool:
    """Whether a parallel loop does enough for two pieces at least, as far as is known."""
    trips = parallel_trips(op)
    return trips is None or trips * max(0.25, _block_cost(op.body())) >= 2 * _PIECE_CYCLES


def _trip_number(op: Operation) -> int | None:
    return parallel_trips(op) if op.name == "scf.parallel" else _trips(op, 0, 1) if op.name == "scf.for" else None


@dataclass(frozen=True)
class Parallelize:
    target: Target = AVX512
    name: str = "parallelize"

    def apply(self, module: Operation) -> Operation:
        parallelize(module, self.target)
        return module


def _mark(block: Block) -> None:
    for op in block.operations():
        if op.name == "scf.parallel":
            _consider(op)
            continue
        for region in op.regions:
            for inner in region.blocks:
                _mark(inner)


def _consider(op: Operation) -> None:
    if op.results:
        return
    each = max(0.25, _block_cost(op.body()))
    grain = max(1, round(_PIECE_CYCLES / each))
    trips = parallel_trips(op)
    if trips is not None and trips < 2 * grain:
        return
    op.attributes[ATTRIBUTE] = IntegerAttr(grain, INDEX)


def parallel_trips(op: Operation) -> int | None:
    """Iterations of an `scf.parallel`, where known."""
    n = len(op.body().args)
    total = 1
    for i in range(n):
        trips = _trips(op, i, n)
        if trips is None:
            return None
        total *= trips
    return total


def _trips(op: Operation, position: int, groups: int) -> int | None:
    lower, upper, step = (as_size(op.operand(position + k * groups)) for k in range(3))
    if isinstance(lower, int) and isinstance(upper, int) and isinstance(step, int):
        return max(0, -(-(upper - lower) // step))
    return None


def _block_cost(block: Block) -> float:
    """Cycles of one run of a block."""
    total = 0.0
    innermost = True
    for op in block.operations():
        match op.name:
            case "scf.for":
                innermost = False
                total += (_trips(op, 0, 1) or _UNKNOWN_TRIPS) * _block_cost(op.body())
            case "scf.parallel":
                innermost = False
                total += (parallel_trips(op) or _UNKNOWN_TRIPS) * _block_cost(op.body())
            case "scf.if" | "scf.while":
                innermost = False
                total += max((_block_cost(b) for r in op.regions for b in r.blocks), default=0.0)
            case _:
                total += _operation_cost(op)
    if innermost and not any(isinstance(r.type, VectorType) for op in block.operations() for r in op.results):
        total /= _SCALAR_SPEEDUP
    return total


def _operation_cost(op: Operation) -> float:
    if op.name in ("arith.constant", "arith.index_cast") or not (op.results or op.name.endswith("store")):
        return 0.0
    return _COSTS.get(op.name, 0.5 if op.name.startswith(("arith.", "vector.")) else 1.0)
