"""Loops of `linalg_ext.attention`: blocks of queries against blocks of keys, so that only a block of scores is ever in memory.

In: the operation on memrefs. Out: one task for each head and chunk of queries:

    scf.parallel (%head, %chunk)
      scf.for blocks of keys                   all at once where they fit; else maxima, sums and results are carried along
        pack the keys into panels [k][keys]    turned in registers where keys lie in rows
        scf.for blocks of queries              those that the causal order hides from all keys of the block are skipped
          scores = queries @ panels            register tiles
          scores' = exp(region(scores) - max)  one row at a time, sums in registers
          result (+)= scores' @ values         register tiles; values are read where they lie

A row whose scores are all -inf has no maximum to be subtracted: 0 stands for it, powers and their sum are 0, and the division at the end
gives NaN, as PyTorch's formula does, unless `empty_rows` wants zero. NaN in a score makes its row NaN through the sum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from ...ir.affine import AffineDim, AffineExpr, AffineMap
from ...ir.builder import Builder
from ...ir.core import Block, Operation, Value
from ...ir.dialects import arith, linalg, linalg_ext, memref, scf, vector
from ...ir.dialects.tensor import Size
from ...ir.schedule import Schedule
from ...ir.target import Target, element_bytes
from ...ir.types import INDEX, FloatType, Type, VectorType
from .. import indexing
from ..indexing import as_value
from . import schedule
from .causal_order import causal_shift
from .nest import Access, Epilogue, Nest, is_unit_along, loop_over
from .pack_panels import transposed
from .plan_attention import AttentionPlan, plan_attention
from .plan_tiles import Plan
from .settle_schedule import ATTRIBUTE
from .tile_contractions import tile_by_plan

_IN_REGISTERS: Final = 8
"""Vectors of a row of scores that are kept in registers from the maximum to the sum."""

_SUMS: Final = 4
"""Independent maxima and sums of a longer row: the latency of one would be waited for."""

_M, _N, _K, _D = 0, 1, 2, 3
"""Offsets of queries, keys, what is summed, and elements of values, behind the dimensions of the batch."""


def attention_loops(b: Builder, op: Operation, target: Target) -> None:
    """Emits the loops before `op`, which is left to the caller."""
    _Attention(op, target).emit(b)


@dataclass(frozen=True)
class _Scratch:
    """What one task works in."""

    queries: Value
    keys: Value
    scores: Value
    values: Value | None
    """Packed values, where they cannot be read in place."""
    inverse: Value
    results: Value | None
    tops: Value | None
    totals: Value | None
    """Results, maxima and sums that are carried from one block of keys to the next."""

    def free(self, b: Builder) -> None:
        for buffer in (self.queries, self.keys, self.scores, self.values, self.inverse, self.results, self.tops, self.totals):
            if buffer is not None:
                memref.dealloc(b, buffer)


@dataclass(frozen=True)
class _Rows:
    """A block of queries: `count` from `first` on; `local`: its place among those of the task."""

    first: Size
    local: Size
    count: Size


@dataclass(frozen=True)
class _Keys:
    """A block of keys: `count` from `first` on."""

    first: Size
    count: Size


class _Attention:
    def __init__(self, op: Operation, target: Target) -> None:
        self.op = op
        self.target = target
        self.body = op.body()
        self.element = self.body.args[0].type
        self.lanes = target.lanes(self.element)
        self.sizes = linalg_ext.sizes(op)
        self.at = len(self.sizes) - 4
        ins, maps = linalg_ext.inputs(op), linalg_ext.indexing_maps(op)
        self.inputs = [Access.of(v, m) for v, m in zip(ins, maps, strict=False)]
        self.out = Access.of(linalg_ext.output(op), maps[-1])
        self.positions: list[Size] = [0] * len(self.sizes)
        self.shift = causal_shift(op)
        known = [s if isinstance(s, int) else None for s in self.sizes]
        heads = [e for e in known[: self.at] if e is not None]
        size = element_bytes(self.element)
        queries, keys, depth, width = known[self.at :]
        count = math.prod(heads) if len(heads) == self.at else None
        self.plan: AttentionPlan = plan_attention(queries, keys, depth, width, count, self.lanes, size, target)

    # sizes

    def size(self, offset: int) -> Size:
        return self.sizes[self.at + offset]

    @property
    def columns(self) -> int:
        """Keys of a panel."""
        return self.plan.scores.columns

    @property
    def most_keys(self) -> int:
        """Keys of a block, at most."""
        keys = self.plan.keys
        return cast(int, self.size(_N)) if keys is None else keys

    @property
    def carries(self) -> bool:
        return self.plan.keys is not None

    @property
    def is_direct(self) -> bool:
        """Whether register tiles write the result in place."""
        return not self.carries and is_unit_along(self.out, self.at + _D)

    @property
    def reads_values(self) -> bool:
        """Whether values are read in place."""
        values = self.inputs[2]
        return values.type.element == self.element and is_unit_along(values, self.at + _D)

    # tasks

    def emit(self, b: Builder) -> None:
        queries, chunk = self.size(_M), self.plan.chunk
        is_one = isinstance(queries, int) and queries <= chunk
        bounds: list[Size] = [*self.sizes[: self.at], 1 if is_one else indexing.ceildiv(b, queries, chunk)]
        loops = [i for i, size in enumerate(bounds) if size != 1]

        def task(ib: Builder, args: Sequence[Value]) -> None:
            values: list[Size] = [0] * len(bounds)
            for i, value in zip(loops, args, strict=True):
                values[i] = value
            self.positions[: self.at] = values[:-1]
            first = indexing.mul(ib, values[-1], chunk)
            left = indexing.sub(ib, queries, first)
            self._task(ib, first, queries if is_one else indexing.minimum(ib, left, chunk))

        if not loops:
            task(b, ())
            return
        zero, one = as_value(b, 0), as_value(b, 1)
        loop = scf.parallel(b, [zero] * len(loops), [as_value(b, bounds[i]) for i in loops], [one] * len(loops), task)
        loop.attributes[ATTRIBUTE] = (self.plan.text,)

    def _task(self, b: Builder, first: Size, count: Size) -> None:
        scratch = self._scratch(b)
        if not self.carries:
            keys = _Keys(0, self.most_keys)
            self._pack(b, scratch, keys)
            self._over_rows(b, first, count, lambda ib, rows: self._block(ib, scratch, rows, self._seen(ib, rows, keys)))
        else:
            self._start(b, scratch, count)
            self._over_keys(b, scratch, first, count)
            self._over_rows(b, first, count, lambda ib, rows: self._finish(ib, scratch, rows))
        scratch.free(b)

    def _scratch(self, b: Builder) -> _Scratch:
        plan, lanes, element = self.plan, self.lanes, self.element
        width = _rounded(b, self.size(_D), lanes)
        panels = -(-self.most_keys // self.columns)
        pitch = panels * self.columns
        if pitch * element_bytes(element) % 1024 == 0:
            pitch += lanes  # rows that are a power of two apart would share a few sets of the cache
        kept = plan.chunk if self.carries else plan.rows
        return _Scratch(
            queries=memref.alloc(b, [plan.rows, _rounded(b, self.size(_K), lanes)], element),
            keys=memref.alloc(b, [panels, _rounded(b, self.size(_K), lanes), self.columns], element),
            scores=memref.alloc(b, [plan.rows, pitch], element),
            values=None if self.reads_values else memref.alloc(b, [self.most_keys, width], element),
            inverse=memref.alloc(b, [plan.rows], element),
            results=None if self.is_direct else memref.alloc(b, [kept, width], element),
            tops=memref.alloc(b, [kept], element) if self.carries else None,
            totals=memref.alloc(b, [kept], element) if self.carries else None,
        )

    def _over_rows(self, b: Builder, first: Size, count: Size, body: Callable[[Builder, _Rows], None]) -> None:
        """Blocks of queries. Where all are at hand, the last block is as long as the others and repeats some."""
        queries, step = self.size(_M), self.plan.rows
        repeats = not self.carries and isinstance(queries, int)

        def block(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
            local: Size = indexing.as_size(args[0])
            row = indexing.add(ib, first, local)
            if repeats and isinstance(queries, int):
                even = queries % step == 0
                body(ib, _Rows(row if even else indexing.minimum(ib, row, queries - step), local, step))
            else:
                even = isinstance(count, int) and count % step == 0
                left = indexing.sub(ib, count, local)
                body(ib, _Rows(row, local, step if even else indexing.minimum(ib, left, step)))
            return ()

        if isinstance(count, int) and count <= step:
            block(b, [as_value(b, 0)])
            return
        scf.for_(b, as_value(b, 0), as_value(b, count), as_value(b, step), (), block)

    def _over_keys(self, b: Builder, scratch: _Scratch, first: Size, count: Size) -> None:
        keys = self.size(_N)
        end = keys
        if self.shift is not None:
            last = indexing.add(b, indexing.add(b, first, count), self.shift)
            end = indexing.maximum(b, indexing.minimum(b, last, keys), 0)

        def block(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
            even = isinstance(keys, int) and keys % self.most_keys == 0
            left = indexing.sub(ib, keys, args[0])
            part = _Keys(args[0], self.most_keys if even else indexing.minimum(ib, left, self.most_keys))
            self._pack(ib, scratch, part)
            self._over_rows(ib, first, count, lambda jb, rows: self._step(jb, scratch, rows, part))
            return ()

        scf.for_(b, as_value(b, 0), as_value(b, end), as_value(b, self.most_keys), (), block)

    def _seen(self, b: Builder, rows: _Rows, keys: _Keys) -> _Keys:
        """The keys of a block that some query of a block may look at."""
        if self.shift is None:
            return keys
        last = indexing.add(b, indexing.add(b, rows.first, rows.count), self.shift)
        count = indexing.minimum(b, indexing.sub(b, last, keys.first), keys.count)
        return _Keys(keys.first, indexing.maximum(b, count, 1))

    def _step(self, b: Builder, scratch: _Scratch, rows: _Rows, keys: _Keys) -> None:
        """One block of queries against one block of keys."""
        if self.shift is None:
            self._block(b, scratch, rows, keys)
            return
        last = indexing.add(b, indexing.add(b, rows.first, rows.count), self.shift)
        is_seen = arith.cmpi(b, "slt", as_value(b, keys.first), as_value(b, last))

        def seen(ib: Builder, _: Sequence[Value]) -> Sequence[Value]:
            self._block(ib, scratch, rows, self._seen(ib, rows, keys))
            return ()

        scf.if_(b, is_seen, (), seen)

    # packing

    def _view(self, b: Builder, access: Access, starts: Mapping[int, Size], extents: Mapping[int, Size], to: Sequence[int]) -> Access:
        """The part of an operand with these dimensions, which are called `to` in the map of what is returned."""
        places = list(self.positions)
        for offset, start in starts.items():
            places[self.at + offset] = start
        offsets: list[Size] = []
        sizes: list[Size] = []
        dropped: list[int] = []
        results: list[AffineExpr] = []
        for position, expr in enumerate(access.map.results):
            free = [o for o in extents if self.at + o in expr.dims_used()]
            offsets.append(indexing.apply(b, expr, places))
            sizes.append(extents[free[0]] if free else 1)
            if free:
                results.append(AffineDim(to[list(extents).index(free[0])]))
            else:
                dropped.append(position)
        part = memref.subview(b, access.buffer, offsets, sizes, [1] * len(offsets), dropped)
        return Access.of(part, AffineMap(max(to) + 1, tuple(results)))

    def _pack(self, b: Builder, scratch: _Scratch, keys: _Keys) -> None:
        access = self.inputs[1]
        if is_unit_along(access, self.at + _K) and self.lanes & (self.lanes - 1) == 0 and self.lanes > 1:
            self._turn_keys(b, scratch.keys, keys)
        else:
            self._copy_keys(b, scratch.keys, keys)
        if scratch.values is not None:
            extents = {_N: keys.count, _D: self.size(_D)}
            part = self._view(b, self.inputs[2], {_N: keys.first, _D: 0}, extents, (0, 1))
            self._copy(b, part, scratch.values, list(extents.values()))

    def _copy(self, b: Builder, part: Access, to: Value, extents: Sequence[Size]) -> None:
        """Elements of a part, in the type that is computed with."""
        positions: list[Size] = [0] * len(extents)

        def element(ib: Builder) -> None:
            where = [as_value(ib, indexing.apply(ib, e, positions)) for e in part.map.results]
            value = self._widened(ib, memref.load(ib, part.buffer, where))
            memref.store(ib, value, to, [as_value(ib, p) for p in positions])

        loop_over(b, [(d, 0, extent) for d, extent in enumerate(extents)], positions, element)

    def _widened(self, b: Builder, value: Value) -> Value:
        t = value.type
        to: Type = VectorType(t.shape, self.element) if isinstance(t, VectorType) else self.element
        return value if t == to else arith.extf(b, value, to)

    def _key_row(self, b: Builder, part: Access, key: Size, step: Size) -> list[Value]:
        return [as_value(b, indexing.apply(b, e, (key, step))) for e in part.map.results]

    def _turn_keys(self, b: Builder, to: Value, keys: _Keys) -> None:
        """Square blocks of keys that lie in rows, turned in registers. Keys behind the last one repeat it: nobody looks at them."""
        lanes, depth = self.lanes, self.size(_K)
        part = self._view(b, self.inputs[1], {_N: keys.first, _K: 0}, {_N: keys.count, _K: depth}, (0, 1))
        t = VectorType((lanes,), part.type.element)
        last = indexing.sub(b, keys.count, 1)
        positions: list[Size] = [0, 0, 0]

        def block(ib: Builder, step: Size, mask: Value | None) -> None:
            column = indexing.mul(ib, positions[1], lanes)
            first = indexing.add(ib, indexing.mul(ib, positions[0], self.columns), column)
            rows: list[Value] = []
            for i in range(lanes):
                where = self._key_row(ib, part, indexing.minimum(ib, indexing.add(ib, first, i), last), step)
                if mask is None:
                    value = vector.load(ib, part.buffer, where, t)
                else:
                    value = vector.masked_load(ib, part.buffer, where, mask, arith.constant(ib, 0.0, t))
                rows.append(self._widened(ib, value))
            for i, value in enumerate(transposed(ib, rows)):
                at = (positions[0], indexing.add(ib, step, i), column)
                vector.store(ib, value, to, [as_value(ib, p) for p in at])

        def panel(ib: Builder) -> None:
            whole = indexing.sub(ib, depth, indexing.rem(ib, depth, lanes))

            def steps(jb: Builder, args: Sequence[Value]) -> Sequence[Value]:
                block(jb, args[0], None)
                return ()

            scf.for_(ib, as_value(ib, 0), as_value(ib, whole), as_value(ib, lanes), (), steps)
            if isinstance(depth, int) and depth % lanes == 0:
                return
            rest = indexing.sub(ib, depth, whole)
            if isinstance(rest, int):
                block(ib, whole, vector.create_mask(ib, as_value(ib, rest), lanes))
                return

            def tail(jb: Builder, _: Sequence[Value]) -> Sequence[Value]:
                block(jb, whole, vector.create_mask(jb, as_value(jb, rest), lanes))
                return ()

            scf.if_(ib, arith.cmpi(ib, "sgt", as_value(ib, rest), as_value(ib, 0)), (), tail)

        panels = indexing.ceildiv(b, keys.count, self.columns)
        loop_over(b, [(0, 0, panels), (1, 0, self.columns // lanes)], positions, panel)

    def _copy_keys(self, b: Builder, to: Value, keys: _Keys) -> None:
        """Keys one element at a time: they lie one way or another."""
        depth = self.size(_K)
        part = self._view(b, self.inputs[1], {_N: keys.first, _K: 0}, {_N: keys.count, _K: depth}, (0, 1))
        last = indexing.sub(b, keys.count, 1)
        positions: list[Size] = [0, 0, 0]

        def element(ib: Builder) -> None:
            key = indexing.add(ib, indexing.mul(ib, positions[0], self.columns), positions[2])
            where = self._key_row(ib, part, indexing.minimum(ib, key, last), positions[1])
            value = self._widened(ib, memref.load(ib, part.buffer, where))
            memref.store(ib, value, to, [as_value(ib, p) for p in positions])

        panels = indexing.ceildiv(b, keys.count, self.columns)
        loop_over(b, [(0, 0, panels), (1, 0, depth), (2, 0, self.columns)], positions, element)

    # one block

    def _block(self, b: Builder, scratch: _Scratch, rows: _Rows, keys: _Keys) -> None:
        depth = self.size(_K)
        part = self._view(b, self.inputs[0], {_M: rows.first, _K: 0}, {_M: rows.count, _K: depth}, (0, 1))
        self._copy(b, part, scratch.queries, [rows.count, depth])
        self._scores(b, scratch, rows, keys)

        def row(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
            self._softmax(ib, scratch, rows, keys, args[0])
            return ()

        scf.for_(b, as_value(b, 0), as_value(b, rows.count), as_value(b, 1), (), row)
        self._results(b, scratch, rows, keys)

    def _scores(self, b: Builder, scratch: _Scratch, rows: _Rows, keys: _Keys) -> None:
        panel, row, column, step = (AffineDim(d) for d in range(4))
        nest = Nest(
            (indexing.ceildiv(b, keys.count, self.columns), rows.count, self.columns, self.size(_K)),
            (linalg.PARALLEL, linalg.PARALLEL, linalg.PARALLEL, linalg.REDUCTION),
            (Access.of(scratch.queries, AffineMap(4, (row, step))), Access.of(scratch.keys, AffineMap(4, (panel, step, column)))),
            (Access.of(scratch.scores, AffineMap(4, (row, panel * self.columns + column))),),
            self._product(),
            init=arith.constant(b, 0.0, self.element),
        )
        tile_by_plan(b, Plan(nest, 2, 1, _in_place(self.plan.scores), self.lanes), self.target)

    def _results(self, b: Builder, scratch: _Scratch, rows: _Rows, keys: _Keys) -> None:
        row, column, step = (AffineDim(d) for d in range(3))
        width = self.size(_D)
        if scratch.values is not None:
            values = Access.of(scratch.values, AffineMap(3, (step, column)))
        else:
            values = self._view(b, self.inputs[2], {_N: keys.first, _D: 0}, {_N: keys.count, _D: width}, (2, 1))
        epilogue: Epilogue | None = None
        if scratch.results is None:
            target = self._view(b, self.out, {_M: rows.first, _D: 0}, {_M: rows.count, _D: width}, (0, 1))
            target = Access.of(target.buffer, AffineMap(3, target.map.results))
            inverse = Access.of(scratch.inverse, AffineMap(3, (row,)))
            epilogue = Epilogue((None, inverse), target, self._scaling(target.type.element), (row, column))
            target = Access.of(scratch.scores, AffineMap(3, (row, column)))  # sums have this type; none is ever kept there
        else:
            kept = rows.local if self.carries else 0
            part = memref.subview(b, scratch.results, [kept, 0], [rows.count, width], [1, 1])
            target = Access.of(part, AffineMap(3, (row, column)))
        nest = Nest(
            (rows.count, width, keys.count),
            (linalg.PARALLEL, linalg.PARALLEL, linalg.REDUCTION),
            (Access.of(scratch.scores, AffineMap(3, (row, step))), values),
            (target,),
            self._product(),
            init=None if self.carries else arith.constant(b, 0.0, self.element),
            epilogue=epilogue,
        )
        tile_by_plan(b, Plan(nest, 1, 0, _in_place(self.plan.results), self.lanes), self.target)
        if scratch.results is not None and not self.carries:
            self._write(b, scratch, rows, 0)

    def _product(self) -> Block:
        block = Block([self.element] * 3)
        inner = Builder(block)
        inner.create("linalg.yield", linalg.multiply_add(inner, block.args))
        return block

    def _scaling(self, to: Type) -> Block:
        """A finished element times the inverse of the sum of its row."""
        block = Block([self.element, self.element, to])
        inner = Builder(block)
        value = arith.mulf(inner, block.args[0], block.args[1])
        inner.create("linalg.yield", [self._narrowed(inner, value, to)])
        return block

    def _narrowed(self, b: Builder, value: Value, to: Type) -> Value:
        if value.type == to:
            return value
        return arith.truncf(b, value, to) if cast(FloatType, to).width < cast(FloatType, self.element).width else arith.extf(b, value, to)

    # softmax

    def _softmax(self, b: Builder, scratch: _Scratch, rows: _Rows, keys: _Keys, row: Value) -> None:
        """One row of scores becomes powers; what their sum is, is noted, or carried."""
        positions = _RowAt(self, scratch.scores, row, indexing.add(b, rows.first, row), keys)
        kept = [as_value(b, indexing.add(b, rows.local, row))] if self.carries else []
        top, finish = positions.maximum(b)
        before: Value | None = None
        if scratch.tops is not None:
            before = memref.load(b, scratch.tops, kept)
            top = _greater(b, before, top)
            memref.store(b, top, scratch.tops, kept)
        is_empty = arith.cmpf(b, "oeq", top, arith.constant(b, -math.inf, self.element))
        base = arith.select(b, is_empty, arith.constant(b, 0.0, self.element), top)
        total = finish(b, base)
        if before is None or scratch.totals is None or scratch.results is None:
            memref.store(b, self._inverse(b, total, is_empty), scratch.inverse, [row])
            return
        factor = _power(b, before, base)
        carried = arith.mulf(b, memref.load(b, scratch.totals, kept), factor)
        memref.store(b, arith.addf(b, carried, total), scratch.totals, kept)
        self._rescale(b, scratch.results, kept[0], factor)

    def _inverse(self, b: Builder, total: Value, is_empty: Value) -> Value:
        one = arith.constant(b, 1.0, self.element)
        if linalg_ext.empty_rows(self.op) == linalg_ext.ZERO:
            total = arith.select(b, is_empty, one, total)
        return arith.divf(b, one, total)

    def _rescale(self, b: Builder, results: Value, row: Value, factor: Value) -> None:
        """What was summed under another maximum."""
        t = VectorType((self.lanes,), self.element)
        scale = vector.broadcast(b, factor, t)

        def step(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
            where = [row, args[0]]
            vector.store(ib, arith.mulf(ib, vector.load(ib, results, where, t), scale), results, where)
            return ()

        width = _rounded(b, self.size(_D), self.lanes)
        scf.for_(b, as_value(b, 0), as_value(b, width), as_value(b, self.lanes), (), step)

    def _start(self, b: Builder, scratch: _Scratch, count: Size) -> None:
        """Nothing is summed yet, and there is no maximum."""
        zero = arith.constant(b, 0.0, self.element)
        low = arith.constant(b, -math.inf, self.element)
        positions: list[Size] = [0, 0]

        def row(ib: Builder) -> None:
            where = [as_value(ib, positions[0])]
            memref.store(ib, low, cast(Value, scratch.tops), where)
            memref.store(ib, zero, cast(Value, scratch.totals), where)
            width = _rounded(ib, self.size(_D), self.lanes)
            inner = [*positions]

            def element(jb: Builder) -> None:
                memref.store(jb, zero, cast(Value, scratch.results), [as_value(jb, p) for p in inner])

            loop_over(ib, [(1, 0, width)], inner, element)

        loop_over(b, [(0, 0, count)], positions, row)

    def _finish(self, b: Builder, scratch: _Scratch, rows: _Rows) -> None:
        """The carried results of a block of queries go where they belong."""

        def row(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
            kept = [as_value(ib, indexing.add(ib, rows.local, args[0]))]
            top = memref.load(ib, cast(Value, scratch.tops), kept)
            total = memref.load(ib, cast(Value, scratch.totals), kept)
            is_empty = arith.cmpf(ib, "oeq", top, arith.constant(ib, -math.inf, self.element))
            memref.store(ib, self._inverse(ib, total, is_empty), scratch.inverse, [args[0]])
            return ()

        scf.for_(b, as_value(b, 0), as_value(b, rows.count), as_value(b, 1), (), row)
        self._write(b, scratch, rows, rows.local)

    def _write(self, b: Builder, scratch: _Scratch, rows: _Rows, kept: Size) -> None:
        width = self.size(_D)
        part = self._view(b, self.out, {_M: rows.first, _D: 0}, {_M: rows.count, _D: width}, (0, 1))
        results = cast(Value, scratch.results)
        positions: list[Size] = [0, 0]

        def element(ib: Builder) -> None:
            local = as_value(ib, indexing.add(ib, kept, positions[0]))
            value = memref.load(ib, results, [local, as_value(ib, positions[1])])
            value = arith.mulf(ib, value, memref.load(ib, scratch.inverse, [as_value(ib, positions[0])]))
            if not isinstance(self.size(_N), int):  # nothing is the sum of no values
                none = arith.cmpi(ib, "eq", as_value(ib, self.size(_N)), as_value(ib, 0))
                value = arith.select(ib, none, arith.constant(ib, 0.0, self.element), value)
            where = [as_value(ib, indexing.apply(ib, e, positions)) for e in part.map.results]
            memref.store(ib, self._narrowed(ib, value, part.type.element), part.buffer, where)

        loop_over(b, [(0, 0, rows.count), (1, 0, width)], positions, element)


@dataclass(frozen=True)
class _RowAt:
    """A row of scores: number `row` of the buffer, of query `query`."""

    attention: _Attention
    scores: Value
    row: Value
    query: Size
    keys: _Keys

    @property
    def type(self) -> VectorType:
        return VectorType((self.attention.lanes,), self.attention.element)

    def maximum(self, b: Builder) -> tuple[Value, Callable[[Builder, Value], Value]]:
        """The greatest score, and what turns the row into powers and gives their sum when it knows what to subtract."""
        lanes, count = self.attention.lanes, self.keys.count
        if isinstance(count, int) and -(-count // lanes) <= _IN_REGISTERS:
            return self._in_registers(b, count)
        low = arith.constant(b, -math.inf, self.type)
        tops = self._sweep(b, [low] * _SUMS, self._top)
        for other in tops[1:]:
            tops[0] = _greater(b, tops[0], other)
        return vector.reduction(b, "maxnumf", tops[0]), self._powers

    def _in_registers(self, b: Builder, count: int) -> tuple[Value, Callable[[Builder, Value], Value]]:
        lanes = self.attention.lanes
        vectors = [self._score(b, j, count - j) for j in range(0, count, lanes)]
        tops = list(vectors)
        while len(tops) > 1:
            tops = [_greater(b, *tops[i : i + 2]) if i + 1 < len(tops) else tops[i] for i in range(0, len(tops), 2)]
        top = vector.reduction(b, "maxnumf", tops[0])

        def finish(ib: Builder, base: Value) -> Value:
            less = vector.broadcast(ib, base, self.type)
            powers = [_power(ib, v, less) for v in vectors]
            for j, power in enumerate(powers):
                self._store(ib, power, j * lanes)
            while len(powers) > 1:
                powers = [arith.addf(ib, *powers[i : i + 2]) if i + 1 < len(powers) else powers[i] for i in range(0, len(powers), 2)]
            return vector.reduction(ib, "add", powers[0], "reassoc")

        return top, finish

    def _top(self, b: Builder, column: Size, left: Size | None, acc: Value) -> Value:
        value = self._score(b, column, left)
        self._store(b, value, column)
        return _greater(b, acc, value)

    def _powers(self, b: Builder, base: Value) -> Value:
        less = vector.broadcast(b, base, self.type)

        def step(ib: Builder, column: Size, left: Size | None, acc: Value) -> Value:
            del left  # behind the end there is -inf
            power = _power(ib, self._load(ib, column), less)
            self._store(ib, power, column)
            return arith.addf(ib, acc, power)

        sums = self._sweep(b, [arith.constant(b, 0.0, self.type)] * _SUMS, step)
        total = arith.addf(b, arith.addf(b, sums[0], sums[1]), arith.addf(b, sums[2], sums[3]))
        return vector.reduction(b, "add", total, "reassoc")

    def _sweep(self, b: Builder, accs: list[Value], step: Callable[[Builder, Size, Size | None, Value], Value]) -> list[Value]:
        """All vectors of the row, several at a time; the last may be a part of one (`left` elements)."""
        lanes, count = self.attention.lanes, self.keys.count
        whole = indexing.sub(b, count, indexing.rem(b, count, lanes))
        most = indexing.sub(b, whole, indexing.rem(b, whole, lanes * _SUMS))

        def several(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
            return [step(ib, indexing.add(ib, args[0], j * lanes), None, acc) for j, acc in enumerate(args[1:])]

        def one(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
            return [step(ib, args[0], None, args[1])]

        zero = as_value(b, 0)
        accs = list(scf.for_(b, zero, as_value(b, most), as_value(b, lanes * _SUMS), accs, several).results)
        if not (isinstance(whole, int) and whole == most):
            accs[0] = scf.for_(b, as_value(b, most), as_value(b, whole), as_value(b, lanes), accs[:1], one).results[0]
        rest = indexing.sub(b, count, whole)
        if rest == 0:
            return accs
        if isinstance(rest, int):
            accs[0] = step(b, whole, rest, accs[0])
            return accs

        def tail(ib: Builder, _: Sequence[Value]) -> Sequence[Value]:
            return [step(ib, whole, rest, accs[0])]

        is_left = arith.cmpi(b, "sgt", as_value(b, rest), zero)
        accs[0] = scf.if_(b, is_left, [self.type], tail, lambda _, __: [accs[0]]).results[0]
        return accs

    # vectors

    def _where(self, b: Builder, column: Size) -> list[Value]:
        return [self.row, as_value(b, column)]

    def _load(self, b: Builder, column: Size) -> Value:
        return vector.load(b, self.scores, self._where(b, column), self.type)

    def _store(self, b: Builder, value: Value, column: Size) -> None:
        vector.store(b, value, self.scores, self._where(b, column))

    def _score(self, b: Builder, column: Size, left: Size | None) -> Value:
        """The scores that the softmax takes, from one column on; -inf behind the `left` that there are."""
        lanes = self.attention.lanes
        value = self._load(b, column)
        if isinstance(left, int) and left >= lanes:
            left = None
        mask = None if left is None else vector.create_mask(b, as_value(b, left), lanes)
        value = self._region(b, value, indexing.add(b, self.keys.first, column), mask)
        return value if mask is None else arith.select(b, mask, value, arith.constant(b, -math.inf, self.type))

    def _region(self, b: Builder, score: Value, key: Size, mask: Value | None) -> Value:
        """The region on a vector of scores, of the keys from `key` on."""
        a = self.attention
        lanes, block = a.lanes, a.body
        places = list(a.positions)
        places[a.at + _M], places[a.at + _N] = self.query, key
        known: dict[Value, Value] = {block.args[0]: score}
        for argument, access in zip(block.args[1:], a.inputs[3:], strict=True):
            if argument.uses:
                known[argument] = self._mask_elements(b, access, places, mask)

        def operand(v: Value) -> Value:
            if v not in known:
                known[v] = vector.broadcast(b, v, VectorType((lanes,), v.type))
            return known[v]

        for op in block.operations():
            if op is block.terminator:
                break
            if op.name == "arith.constant":
                number = arith.constant_value(op.result)
                assert number is not None
                known[op.result] = arith.constant(b, number, VectorType((lanes,), op.result.type))
            elif op.name == "linalg.index":
                dim = cast(int, op.attributes["dim"])
                t = VectorType((lanes,), INDEX)
                position = vector.broadcast(b, as_value(b, places[dim]), t)
                known[op.result] = arith.addi(b, position, vector.step(b, t)) if dim == a.at + _N else position
            else:
                types = [VectorType((lanes,), r.type) for r in op.results]
                known[op.result] = b.create(op.name, [operand(v) for v in op.operands], types, op.attributes).result
        return operand(block.terminator.operand(0))

    def _mask_elements(self, b: Builder, access: Access, places: list[Size], mask: Value | None) -> Value:
        a = self.attention
        lanes, n = a.lanes, a.at + _N
        t = VectorType((lanes,), access.type.element)

        def at(position: Size) -> list[Value]:
            moved = [*places[:n], position, *places[n + 1 :]]
            return [as_value(b, indexing.apply(b, e, moved)) for e in access.map.results]

        if all(n not in e.dims_used() for e in access.map.results):
            return vector.broadcast(b, memref.load(b, access.buffer, at(0)), t)
        if is_unit_along(access, n):
            if mask is None:
                return vector.load(b, access.buffer, at(places[n]), t)
            return vector.masked_load(b, access.buffer, at(places[n]), mask, arith.constant(b, 0, t))
        last = indexing.sub(b, indexing.add(b, self.keys.first, self.keys.count), 1)
        result = arith.constant(b, 0, t)
        for lane in range(lanes):
            key = indexing.minimum(b, indexing.add(b, places[n], lane), last)
            result = vector.insert(b, memref.load(b, access.buffer, at(key)), result, [lane])
        return result


def _greater(b: Builder, x: Value, y: Value) -> Value:
    """The greater one; x where y is not a number."""
    return arith.select(b, arith.cmpf(b, "ogt", y, x), y, x)


def _power(b: Builder, score: Value, top: Value) -> Value:
    """exp(score - top), where the score is not greater."""
    difference = arith.subf(b, score, top)
    return b.create("math.exp", (difference,), (difference.type,), {"fastmath": "afn"}).result


def _rounded(b: Builder, size: Size, step: int) -> Size:
    return indexing.mul(b, indexing.ceildiv(b, size, step), step)


def _in_place(block: schedule.Block) -> Schedule:
    return Schedule("in-place", rows=block.rows, vectors=block.vectors, unroll=block.unroll)

