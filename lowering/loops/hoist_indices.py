"""Where a row lies is looked up once for the row, not for each of its elements.

In: loops that gather or scatter. Out: what they load to compute addresses, and what follows from it alone, stands outside of
the loop that runs along the row; and that loop is one whose iterations are independent, so that LLVM makes vectors of it:

    scf.parallel (%i, %j) {                           scf.parallel (%i) {
      %k = memref.load %indices[%i]              =>     %k = memref.load %indices[%i]
      %v = memref.load %table[%k, %j]                   scf.parallel (%j) { %v = memref.load %table[%k, %j] ... }
      ...                                             }

    scf.for %i { scf.for %j {                         scf.for %i {
      %k = memref.load %indices[%i]              =>     %k = memref.load %indices[%i]
      ... %sum[%k, %j] ...                              scf.parallel (%j) { ... %sum[%k, %j] ... }
    } }                                               }

A load moves only from where nothing may write what it reads, and runs only where the loop has an iteration: of a box with an
empty row no iteration is left, and a loop of unknown length is entered behind a condition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ...ir.builder import Builder
from ...ir.core import Operation, Value, functions
from ...ir.dialects import arith, func, scf
from ...ir.types import MemRefType
from ..effects import is_pure, is_terminator
from ..indexing import as_size
from .nest import root

_SHORT: Final = 8
"""Rows up to this long are no vectors: LLVM makes vectors across them."""

_FEW: Final = 16
"""Fewer rows than this stay a part of the box, which the cores share element by element."""

_ALLOCATIONS: Final = ("memref.alloc", "memref.alloca")


@dataclass(frozen=True)
class HoistIndices:
    name: str = "hoist-indices"

    def apply(self, module: Operation) -> Operation:
        for function in functions(module):
            if not func.is_declaration(function):
                hoist_indices(function)
        return module


def hoist_indices(function: Operation) -> None:
    """Every innermost loop of a function."""
    for op in list(function.walk()):
        if op.name == "scf.parallel" and len(op.body().args) > 1:
            _split(op)
        elif op.name == "scf.for" and not op.results and op.parent_op is not None and op.parent_op.name == "scf.for":
            _hoist(op)


# what may move


def _writes(loop: Operation) -> list[Value] | None:
    """The buffers that a loop stores to; None where something in it is not understood."""
    written: list[Value] = []
    for op in loop.walk():
        if op.name == "memref.store":
            written.append(op.operand(1))
        elif not (op is loop or op.name == "memref.load" or is_terminator(op) or is_pure(op)):
            return None
    return written


def _may_overlap(a: Value, b: Value) -> bool:
    """Memory of its own overlaps nothing else; arguments may overlap one another."""
    a, b = root(a), root(b)
    apart = any(x.defining_op(name) is not None for x in (a, b) for name in _ALLOCATIONS)
    return a is b or not apart


def _invariant(loop: Operation, along: Value, written: Sequence[Value]) -> list[Operation]:
    """The operations of a loop's body that are the same in all iterations along one of its variables, in order."""
    varying = {along}
    found: list[Operation] = []
    for op in loop.body().operations():
        moves = op.name == "memref.load" and not any(_may_overlap(op.operand(0), w) for w in written)
        if (moves or is_pure(op)) and not op.regions and not varying.intersection(op.operands):
            found.append(op)
        else:
            varying.update(op.results)
            for region in op.regions:
                for block in region.blocks:
                    varying.update(block.args)
    return found


def _locates(loop: Operation, invariant: Sequence[Operation]) -> bool:
    """Whether an access that stays depends on where an invariant load says that its row lies."""
    derived: set[Value] = set()
    for op in invariant:
        if op.name == "memref.load" or derived.intersection(op.operands):
            derived.update(op.results)
    rest = [op for op in loop.walk() if op.name in ("memref.load", "memref.store") and op not in invariant]
    return any(derived.intersection(op.operands[1 if op.name == "memref.load" else 2 :]) for op in rest)


def _row(loop: Operation) -> tuple[Value, Value, Value]:
    """Bounds and step of the innermost variable."""
    count = len(loop.body().args)
    return loop.operand(count - 1), loop.operand(2 * count - 1), loop.operand(3 * count - 1)


def _runs(loop: Operation) -> bool | None:
    """Whether the innermost variable takes a value; None where that is known at run time only."""
    lower, upper, _ = map(as_size, _row(loop))
    return lower < upper if isinstance(lower, int) and isinstance(upper, int) else None


def _trips(bounds: Sequence[Value]) -> int | None:
    lower, upper, step = map(as_size, bounds)
    if isinstance(lower, int) and isinstance(upper, int) and isinstance(step, int):
        return max(0, -(-(upper - lower) // step))
    return None


# boxes


def _split(loop: Operation) -> None:
    """`scf.parallel (i, ..., j)` as one over rows and one along a row."""
    body, count = loop.body(), len(loop.body().args)
    row = lower, upper, step = _row(loop)
    if loop.results or (_trips(row) or _SHORT + 1) <= _SHORT or _has_few_rows(loop):
        return
    written = _writes(loop)
    if written is None:
        return
    invariant = _invariant(loop, body.args[-1], written)
    if not _locates(loop, invariant):
        return
    b = Builder.before(loop)
    uppers = list(loop.operands[count : 2 * count - 1])
    if _runs(loop) is None:
        uppers[0] = arith.select(b, arith.cmpi(b, "slt", lower, upper), uppers[0], loop.operand(0))

    def rows(outer: Builder, variables: Sequence[Value]) -> None:
        mapping: dict[Value, Value] = dict(zip(body.args, variables))
        for op in invariant:
            outer.insert(op.clone(mapping))

        def along(inner: Builder, variable: Sequence[Value]) -> None:
            mapping[body.args[-1]] = variable[0]
            for op in body.operations():
                if op not in invariant and op is not body.terminator:
                    inner.insert(op.clone(mapping))

        scf.parallel(outer, [lower], [upper], [step], along)

    new = scf.parallel(b, loop.operands[: count - 1], uppers, loop.operands[2 * count : 3 * count - 1], rows)
    new.span = loop.span
    loop.erase()


def _has_few_rows(loop: Operation) -> bool:
    count = len(loop.body().args)
    rows = 1
    for k in range(count - 1):
        trips = _trips([loop.operand(k + j * count) for j in range(3)])
        if trips is None:
            return False
        rows *= trips
    return rows < _FEW


# loops in loops


def _hoist(loop: Operation) -> None:
    """Moves what the iterations share out of an inner `scf.for`."""
    body, written = loop.body(), _writes(loop)
    if written is None or _runs(loop) is False:
        return
    invariant = _invariant(loop, body.args[0], written)
    if not _locates(loop, invariant):
        return
    b = Builder.before(loop)
    if _runs(loop) is None:
        guard = scf.if_(b, arith.cmpi(b, "slt", *loop.operands[:2]), [], lambda _b, _: [])
        loop.detach()
        guard.body(0).insert_before(loop, guard.body(0).terminator)
    block = loop.parent
    assert block is not None
    for op in invariant:
        op.detach()
        block.insert_before(op, loop)
    if _independent(loop, written):
        _as_parallel(loop)


def _independent(loop: Operation, written: Sequence[Value]) -> bool:
    """Whether every iteration touches elements of its own, of all that is written."""
    variable = loop.body().args[0]
    places: dict[Value, set[int | None]] = {}
    for op in loop.walk():
        if op.name in ("memref.load", "memref.store"):
            at = 0 if op.name == "memref.load" else 1
            buffer, indices = op.operand(at), op.operands[at + 1 :]
            if any(_may_overlap(buffer, w) for w in written):
                place = indices.index(variable) if indices.count(variable) == 1 else None
                places.setdefault(root(buffer), set()).add(place if _is_plain(buffer) else None)
    return len(places) == len({root(w) for w in written}) and all(len(p) == 1 and None not in p for p in places.values())


def _is_plain(buffer: Value) -> bool:
    """A whole buffer: different indices are different elements."""
    return isinstance(buffer.type, MemRefType) and buffer.type.layout is None and root(buffer) is buffer


def _as_parallel(loop: Operation) -> None:
    old = loop.body()

    def copy(b: Builder, variables: Sequence[Value]) -> None:
        mapping: dict[Value, Value] = dict(zip(old.args, variables))
        for op in old.operations():
            if op is not old.terminator:
                b.insert(op.clone(mapping))

    lower, upper, step = loop.operands
    new = scf.parallel(Builder.before(loop), [lower], [upper], [step], copy)
    new.span = loop.span
    loop.erase()
