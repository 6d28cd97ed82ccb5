"""Fuses neighbouring parallel loops over the same rows, so that a row stays in the cache from one loop to the next.

In: `scf.parallel` loops one after the other (maximum, exponential, sum, quotient of a softmax). Out: one loop over the
dimensions they share, in which the rest of each runs in turn. Legal where every buffer that one of them writes and the
other touches is indexed by the shared induction variables in the same places: an iteration then needs only its own row.
Scalars that one part stores and the next loads are passed in registers; buffers that nobody reads any more go.

    scf.parallel (%i) { m[i] = max ... }                    scf.parallel (%i) {
    scf.parallel (%i, %j) { e[i, j] = exp(x[i, j] - m[i]) }   =>  %m = max ...
                                                              scf.parallel (%j) { e[i, j] = exp(x[i, j] - %m) } }
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ...ir.builder import Builder
from ...ir.core import Block, Operation, Value, functions
from ...ir.dialects import memref, scf
from ...ir.target import AVX512, Target, element_bytes
from ...ir.types import MemRefType
from ..effects import erase_unused, is_pure
from ..indexing import as_size
from .convert_linalg_to_loops import erase_dead_buffers
from .nest import root
from .parallelize import is_worth_threads, parallel_trips
from .schedule import pieces
from .settle_schedule import join

_LOADS: Final = frozenset({"memref.load", "vector.load", "vector.maskedload"})
_STORES: Final = frozenset({"memref.store", "vector.store", "vector.maskedstore"})
_REFUSED: Final = frozenset({"func.call", "cf.assert", "memref.copy", "vector.gather"})

_UNKNOWN_EXTENT: Final = 512


@dataclass(frozen=True)
class FuseLoops:
    target: Target = AVX512
    name: str = "fuse-loops"

    def apply(self, module: Operation) -> Operation:
        fuse_loops(module, self.target)
        return module


def fuse_loops(module: Operation, target: Target = AVX512) -> None:
    """Every block of every function."""
    for function in functions(module):
        for op in [function, *function.walk()]:
            if op.name in ("func.func", "scf.for", "scf.if", "scf.while"):
                for region in op.regions:
                    for block in region.blocks:
                        _fuse_in(block, target)
        erase_dead_buffers(function)
        erase_unused(function)


def _fuse_in(block: Block, target: Target) -> None:
    op = block.first
    while op is not None:
        if op.name == "scf.parallel":
            fused = _fuse_with_next(op, target)
            if fused is not None:
                op = fused
                continue
        op = op.next


def _fuse_with_next(first: Operation, target: Target) -> Operation | None:
    """The fused loop, where the next parallel loop can join this one."""
    second = _next_loop(first)
    if second is None or first.results or second.results:
        return None
    a, b = _accesses(first), _accesses(second)
    if a is None or b is None or not _share_data(a, b):
        return None
    for count in range(min(len(first.body().args), len(second.body().args)), 0, -1):
        if _same_bounds(first, second, count) and _rows_independent(first, second, a, b, count):
            if _row_bytes(first, second, count) > target.l2_bytes // 2 or _leaves_cores_idle(first, second, count, target):
                return None
            return _fuse(first, second, count)
    return None


def _next_loop(op: Operation) -> Operation | None:
    """The parallel loop that follows, with nothing between but what can move out of the way."""
    current = op.next
    while current is not None and (current.name in ("memref.alloc", "memref.dealloc") or is_pure(current)):
        current = current.next
    return current if current is not None and current.name == "scf.parallel" else None


def _leaves_cores_idle(first: Operation, second: Operation, count: int, target: Target) -> bool:
    """Whether the shared dimensions are too few iterations for all cores (the heads of an attention), and a loop that has more
    of them is worth several threads."""
    shared = 1
    for bounds in _bounds(first)[:count]:
        trips = _trips(bounds)
        if trips is None:
            return False
        shared *= trips
    if shared >= pieces(target):
        return False
    return any(parallel_trips(loop) not in (None, shared) and is_worth_threads(loop) for loop in (first, second))


# legality


@dataclass(frozen=True)
class _Use:
    """One access to memory inside a loop."""

    buffer: Value
    indices: tuple[Value, ...]
    writes: bool


def _accesses(loop: Operation) -> list[_Use] | None:
    """All accesses of a loop; None where something in it is not understood."""
    found: list[_Use] = []
    for op in loop.walk():
        if op.name in _REFUSED:
            return None
        if op.name in _LOADS:
            rank = memref.memref_type(op.operand(0)).rank
            found.append(_Use(op.operand(0), op.operands[1 : 1 + rank], writes=False))
        elif op.name in _STORES:
            at = 0 if op.name == "vector.maskedstore" else 1
            rank = memref.memref_type(op.operand(at)).rank
            found.append(_Use(op.operand(at), op.operands[at + 1 : at + 1 + rank], writes=True))
    return found


def _share_data(a: Sequence[_Use], b: Sequence[_Use]) -> bool:
    return bool({root(u.buffer) for u in a} & {root(u.buffer) for u in b})


def _bounds(loop: Operation) -> list[tuple[Value, Value, Value]]:
    n = len(loop.body().args)
    return [(loop.operand(i), loop.operand(n + i), loop.operand(2 * n + i)) for i in range(n)]


def _same_bounds(first: Operation, second: Operation, count: int) -> bool:
    pairs = zip(_bounds(first)[:count], _bounds(second)[:count], strict=True)
    return all(as_size(x) == as_size(y) for p, q in pairs for x, y in zip(p, q, strict=True))


def _rows_independent(first: Operation, second: Operation, a: Sequence[_Use], b: Sequence[_Use], count: int) -> bool:
    """Of every buffer that one loop writes and the other touches, each shared iteration touches a part of its own."""
    written = {root(u.buffer) for u in a if u.writes}, {root(u.buffer) for u in b if u.writes}
    touched = {root(u.buffer) for u in a}, {root(u.buffer) for u in b}
    trips = [_trips(bounds) for bounds in _bounds(first)[:count]]
    for base in (written[0] & touched[1]) | (written[1] & touched[0]):
        uses = [
            (use, loop.body().args[:count])
            for loop, found in ((first, a), (second, b))
            for use in found
            if root(use.buffer) is base
        ]
        if not (_same_places(uses) or _disjoint_parts(uses, trips)):
            return False
    return True


def _trips(bounds: tuple[Value, Value, Value]) -> int | None:
    lower, upper, step = (as_size(v) for v in bounds)
    if isinstance(upper, int) and lower == 0 and step == 1:
        return upper
    return None


_Located = tuple[_Use, Sequence[Value]]
"""An access, and the shared variables of its loop."""


def _same_places(uses: Sequence[_Located]) -> bool:
    """One view, indexed by all shared variables at the same positions."""
    places = {_places(use, variables) for use, variables in uses}
    return len({use.buffer for use, _ in uses}) == 1 and len(places) == 1 and None not in places


def _places(use: _Use, variables: Sequence[Value]) -> tuple[int, ...] | None:
    """Position of each variable among the indices; None where one is missing."""
    positions: list[int] = []
    for variable in variables:
        if variable not in use.indices:
            return None
        positions.append(use.indices.index(variable))
    return tuple(positions)


def _disjoint_parts(uses: Sequence[_Located], trips: Sequence[int | None]) -> bool:
    """By addresses: all accesses step by the same distances, and the rest of an address never reaches the next part."""
    steps: tuple[int, ...] | None = None
    lows: list[int] = []
    highs: list[int] = []
    for use, variables in uses:
        address = _address(use, variables)
        if address is None or (steps is not None and address[0] != steps):
            return False
        steps, low, high = address
        lows.append(low)
        highs.append(high)
    assert steps is not None
    reach = max(highs) - min(lows)
    for step, trip in sorted(zip(steps, trips, strict=True)):
        if trip is None or step <= reach:
            return False
        reach += step * max(0, trip - 1)
    return True


def _address(use: _Use, variables: Sequence[Value]) -> tuple[tuple[int, ...], int, int] | None:
    """Elements per step of each variable, and the least and greatest of everything else; None where not constant."""
    t = memref.memref_type(use.buffer)
    if t.offset is None:
        return None
    steps = [0] * len(variables)
    low = high = t.offset
    for index, stride, extent in zip(use.indices, t.strides(), t.shape, strict=True):
        if stride is None or extent is None:
            return None
        number = as_size(index)
        if isinstance(number, int):
            low, high = low + stride * number, high + stride * number
        elif index in variables:
            steps[variables.index(index)] += stride
        else:
            high += stride * (extent - 1)
    return tuple(steps), low, high


def _row_bytes(first: Operation, second: Operation, count: int) -> int:
    """Bytes that one iteration of the shared dimensions touches, roughly: the rest of every buffer."""
    buffers: dict[Value, int] = {}
    for loop in (first, second):
        variables = loop.body().args[:count]
        for use in _accesses(loop) or []:
            t = memref.memref_type(use.buffer)
            size = element_bytes(t.element)
            for extent, index in zip(t.shape, use.indices, strict=True):
                if index not in variables:
                    size *= _UNKNOWN_EXTENT if extent is None else extent
            buffers[root(use.buffer)] = max(size, buffers.get(root(use.buffer), 0))
    return sum(buffers.values())


# fusion


def _fuse(first: Operation, second: Operation, count: int) -> Operation:
    _clear_between(first, second)
    b = Builder.before(second)
    bounds = _bounds(first)[:count]

    def body(ib: Builder, args: Sequence[Value]) -> None:
        for loop in (first, second):
            _rest(ib, loop, args, count)

    fused = scf.parallel(b, [x[0] for x in bounds], [x[1] for x in bounds], [x[2] for x in bounds], body)
    join(fused, first, second)
    first.erase()
    second.erase()
    _forward_stores(fused.body())
    return fused


def _clear_between(first: Operation, second: Operation) -> None:
    """What stands between the loops moves before the first, deallocations behind the second."""
    block = first.parent
    assert block is not None
    current = first.next
    while current is not None and current is not second:
        following = current.next
        current.detach()
        block.insert_before(current, second.next if current.name == "memref.dealloc" else first)
        current = following


def _rest(b: Builder, loop: Operation, shared: Sequence[Value], count: int) -> None:
    """The dimensions that are not shared, as a loop of their own."""
    old = loop.body()
    rest = _bounds(loop)[count:]

    def copy(ib: Builder, args: Sequence[Value]) -> None:
        mapping: dict[Value, Value] = dict(zip(old.args, [*shared, *args], strict=True))
        for op in old.operations():
            if op is not old.terminator:
                ib.insert(op.clone(mapping))

    if not rest:
        copy(b, ())
        return
    scf.parallel(b, [x[0] for x in rest], [x[1] for x in rest], [x[2] for x in rest], copy)


def _forward_stores(block: Block) -> None:
    """A load of what the same iteration has just stored takes the value itself."""
    for store in list(block.operations()):
        if store.name != "memref.store":
            continue
        value, buffer, *indices = store.operands
        base, place = root(buffer), _location(buffer, indices)
        for op in _following(store):
            inside = list(op.walk())
            # A loop that stores again would load its own elements from the second iteration on.
            if any(_may_write(nested, base) for nested in inside):
                break
            for nested in inside:
                if nested.name == "memref.load" and _location(nested.operand(0), nested.operands[1:]) == place:
                    nested.replace_with([value])


def _location(buffer: Value, indices: Sequence[Value]) -> tuple[object, ...]:
    """Equal for accesses to one element, through whatever views, as far as strides are constant."""
    t = memref.memref_type(buffer)
    if t.offset is None or None in t.strides():
        return buffer, *indices
    constant = t.offset
    factors: dict[Value, int] = {}
    for index, stride in zip(indices, t.strides(), strict=True):
        assert stride is not None
        number = as_size(index)
        if isinstance(number, int):
            constant += stride * number
        else:
            factors[index] = factors.get(index, 0) + stride
    return root(buffer), constant, frozenset(factors.items())


def _following(op: Operation) -> Iterator[Operation]:
    """The operations behind `op` in its block; the one just visited may be erased."""
    current = op.next
    while current is not None:
        following = current.next
        yield current
        current = following


def _may_write(op: Operation, base: Value) -> bool:
    if op.name in _STORES:
        return root(op.operand(0 if op.name == "vector.maskedstore" else 1)) is base
    return op.name in _REFUSED and any(isinstance(v.type, MemRefType) and root(v) is base for v in op.operands)
