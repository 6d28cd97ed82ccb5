"""Places the intermediate buffers of a function in one arena, by the time in which each is alive.

In: `memref.alloc` / `memref.dealloc` pairs. Out: one `memref.alloc` of bytes at the entry of each function and a
`memref.view` per buffer, at offsets that are multiples of a cache line; buffers that are never alive together share
memory. Sizes must be constants or computable at entry; other pairs stay as they are, as do buffers of parallel bodies
(each thread needs its own) and results, which the caller owns.

    %a = memref.alloc() : memref<256xf32>          %arena = memref.alloc() : memref<2048xi8>
    %b = memref.alloc() : memref<256xf32>    =>    %a = memref.view %arena[%c0][] : memref<2048xi8> to memref<256xf32>
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ...ir.builder import Builder
from ...ir.core import Block, Operation, Value, functions
from ...ir.dialects import func, memref
from ...ir.dialects.tensor import Size
from ...ir.target import element_bytes
from ...ir.types import I8
from .. import indexing
from ..effects import is_pure
from ..indexing import as_value

ALIGNMENT: Final = 64
_MIN_BUFFERS: Final = 1


@dataclass(frozen=True)
class Lifetime:
    """A buffer of `size` bytes that is alive in statements `first` to `last` of the function."""

    size: int
    first: int
    last: int

    def overlaps(self, other: Lifetime) -> bool:
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Layout:
    """Offsets of buffers in an arena of `peak` bytes; no layout can be smaller than `lower_bound`."""

    offsets: tuple[int, ...]
    peak: int
    lower_bound: int


def place(lifetimes: Sequence[Lifetime]) -> Layout:
    """Largest first, each at the lowest gap among those alive with it that fits it best."""
    sizes = [-(-max(1, t.size) // ALIGNMENT) * ALIGNMENT for t in lifetimes]
    offsets: dict[int, int] = {}
    for i in sorted(range(len(lifetimes)), key=lambda i: (-sizes[i], lifetimes[i].first)):
        taken = sorted((offsets[j], offsets[j] + sizes[j]) for j in offsets if lifetimes[i].overlaps(lifetimes[j]))
        offsets[i] = _best_gap(taken, sizes[i])
    peak = max((offsets[i] + sizes[i] for i in offsets), default=0)
    moments = {t.first for t in lifetimes}
    lower = max(
        (sum(s for s, t in zip(sizes, lifetimes, strict=True) if t.first <= m <= t.last) for m in moments), default=0
    )
    return Layout(tuple(offsets[i] for i in range(len(lifetimes))), peak, lower)


def _best_gap(taken: Sequence[tuple[int, int]], size: int) -> int:
    """The start of the smallest gap between taken ranges that is large enough, else the end of all."""
    best: tuple[int, int] | None = None
    end = 0
    for start, stop in taken:
        gap = start - end
        if gap >= size and (best is None or gap < best[0]):
            best = (gap, end)
        end = max(end, stop)
    return end if best is None else best[1]


def plan_memory(module: Operation) -> dict[str, Layout]:
    """Plans every function; the layouts of their constant-size buffers by symbol."""
    return {
        str(f.attributes["sym_name"]): _plan_function(f) for f in list(functions(module)) if not func.is_declaration(f)
    }


@dataclass(frozen=True)
class PlanMemory:
    name: str = "plan-memory"

    def apply(self, module: Operation) -> Operation:
        plan_memory(module)
        return module


@dataclass(frozen=True)
class _Pair:
    alloc: Operation
    dealloc: Operation
    first: int
    last: int

    @property
    def static_bytes(self) -> int | None:
        t = memref.memref_type(self.alloc.result)
        extents = [e for e in t.shape if e is not None]
        return math.prod(extents) * element_bytes(t.element) if len(extents) == len(t.shape) else None


def _plan_function(function: Operation) -> Layout:
    block = function.body()
    pairs = _pairs(block)
    fixed = [p for p in pairs if p.static_bytes is not None]
    variable = [p for p in pairs if p.static_bytes is None and _known_at_entry(p.alloc.operands, block)]
    layout = place([Lifetime(p.static_bytes or 0, p.first, p.last) for p in fixed])
    if len(fixed) + len(variable) > _MIN_BUFFERS:
        _rewrite(block, fixed, variable, layout)
    return layout


def _pairs(block: Block) -> list[_Pair]:
    """Allocations with their deallocation in the same block, outside parallel bodies; nested ones live through the
    whole statement they are nested in."""
    found: list[_Pair] = []
    for number, statement in enumerate(block.operations()):
        for op in _serial_walk(statement):
            if op.name != "memref.alloc" or memref.memref_type(op.result).space is not None:
                continue
            end = next((u for u in op.result.users if u.name == "memref.dealloc" and u.parent is op.parent), None)
            if end is None:
                continue
            last = number
            if op.parent is block:
                last += sum(1 for _ in _between(op, end))
            found.append(_Pair(op, end, number, last))
    return found


def _serial_walk(op: Operation) -> list[Operation]:
    """`op` and what is nested in it, bodies of parallel loops left out."""
    if op.name in ("scf.parallel", "gpu.launch_func"):
        return [op]
    return [op, *(x for r in op.regions for b in r.blocks for inner in b.operations() for x in _serial_walk(inner))]


def _between(first: Operation, last: Operation) -> list[Operation]:
    operations: list[Operation] = []
    current = first.next
    while current is not None and current is not last:
        operations.append(current)
        current = current.next
    return operations


def _known_at_entry(values: Sequence[Value], block: Block) -> bool:
    """Whether values follow from the function's arguments by pure operations of its top level."""
    return all(_entry_slice(v, block) is not None for v in values)


def _entry_slice(value: Value, block: Block, depth: int = 64) -> list[Operation] | None:
    """The operations that compute `value` from arguments, in order; None where something else is needed."""
    owner = value.owner
    if not isinstance(owner, Operation):
        return [] if owner is block else None
    if owner.parent is not block or owner.regions or not is_pure(owner) or depth == 0:
        return None
    if owner.name.startswith("memref.") and owner.name != "memref.dim":
        return None
    operations: list[Operation] = []
    for operand in owner.operands:
        needed = _entry_slice(operand, block, depth - 1)
        if needed is None:
            return None
        operations += needed
    return [*operations, owner]


def _rewrite(block: Block, fixed: Sequence[_Pair], variable: Sequence[_Pair], layout: Layout) -> None:
    b = Builder.at_start(block)
    mapping: dict[Value, Value] = {}
    slots = _slots(variable)
    total: Size = layout.peak
    starts: list[Size] = []
    for slot in slots:
        starts.append(total)
        total = indexing.add(b, total, _dynamic_bytes(b, slot[0].alloc, block, mapping))
    arena = memref.alloc(b, [total], I8, ALIGNMENT)
    arena.name = "arena"
    for pair, offset in zip(fixed, layout.offsets, strict=True):
        _place_at(pair, arena, offset)
    for slot, start in zip(slots, starts, strict=True):
        for pair in slot:
            _place_at(pair, arena, start)
    memref.dealloc(Builder.before(block.terminator), arena)


def _slots(pairs: Sequence[_Pair]) -> list[list[_Pair]]:
    """Buffers of run-time sizes: those of equal size that are never alive together share one slot."""
    slots: list[list[_Pair]] = []
    for pair in pairs:
        slot = next((s for s in slots if _size_key(s[0]) == _size_key(pair) and all(_apart(pair, q) for q in s)), None)
        if slot is None:
            slots.append([pair])
        else:
            slot.append(pair)
    return slots


def _apart(p: _Pair, q: _Pair) -> bool:
    return p.last < q.first or q.last < p.first


def _size_key(pair: _Pair) -> tuple[int, tuple[int, ...]]:
    t = memref.memref_type(pair.alloc.result)
    static = math.prod(e for e in t.shape if e is not None) * element_bytes(t.element)
    return static, tuple(sorted(id(v) for v in pair.alloc.operands))


def _dynamic_bytes(b: Builder, alloc: Operation, block: Block, mapping: dict[Value, Value]) -> Size:
    """Bytes of a buffer, rounded up to a line, computed at entry."""
    t = memref.memref_type(alloc.result)
    size: Size = math.prod(e for e in t.shape if e is not None) * element_bytes(t.element)
    for operand in alloc.operands:
        size = indexing.mul(b, size, _at_entry(b, operand, block, mapping))
    lines = indexing.floordiv(b, indexing.add(b, size, ALIGNMENT - 1), ALIGNMENT)
    return indexing.mul(b, lines, ALIGNMENT)


def _at_entry(b: Builder, value: Value, block: Block, mapping: dict[Value, Value]) -> Value:
    for op in _entry_slice(value, block) or []:
        if op.results[0] not in mapping:
            b.insert(op.clone(mapping))
    return mapping.get(value, value)


def _place_at(pair: _Pair, arena: Value, offset: Size) -> None:
    b = Builder.before(pair.alloc)
    t = memref.memref_type(pair.alloc.result)
    dynamic = iter(pair.alloc.operands)
    sizes: list[Size] = [next(dynamic) if e is None else e for e in t.shape]
    view = memref.view(b, arena, as_value(b, offset), sizes, t.element)
    view.name = pair.alloc.result.name
    pair.dealloc.erase()
    pair.alloc.replace_with([view])
