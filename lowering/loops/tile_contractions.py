"""Register tiles for reductions whose output is contiguous along a dimension that runs across vector lanes.

In: a `Nest` (matrix product, convolution, sum over an outer dimension ...). Out: loops of `vector` operations:

    scf.parallel (%b, %chunk, %panel)            batch, rows that fit L2, columns of one panel
      pack the panel of the right operand        [K][columns], contiguous, when it is not so already
      scf.for rows
        scf.for %k iter_args(rows x vectors)     accumulators in registers: load, broadcast, fma
        epilogue on registers, vector.store      masked in the last panel

Right operands that are constants are packed at compile time. Which block, which chunk, packed or not: `schedule.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from ...ir.builder import Builder
from ...ir.core import Value
from ...ir.dialects import arith, linalg, memref, scf, vector
from ...ir.dialects.tensor import Size
from ...ir.schedule import Schedules
from ...ir.target import Target
from ...ir.types import I32, Type, VectorType
from .. import indexing
from ..indexing import as_value
from . import schedule
from .nest import Access, Nest, depends_on, loop_over
from .pack_panels import Panel, Steps, load_vector
from .plan_tiles import Plan, plan_tiles
from .settle_schedule import Group
from .vector_body import VectorBody, product_of, reassociable

_SHORT: Final = 4
"""Reduction loops of up to this many steps (filter taps) are unrolled, if no longer one stands inside."""


def tile(b: Builder, nest: Nest, target: Target, group: Group | None = None) -> bool:
    """Emits the tiled loops where the nest has the form; False where it has not. `group` may bring a schedule."""
    plan = plan_tiles(b, nest, target, group or Group(nest, Schedules()))
    if plan is None:
        return False
    tile_by_plan(b, plan, target)
    if plan.temporary is not None:
        memref.dealloc(b, plan.temporary)
    return True


def tile_by_plan(b: Builder, plan: Plan, target: Target) -> None:
    """Emits the loops of a plan."""
    _Tiler(plan, target).emit(b)


@dataclass
class _Place:
    """Where a register tile stands."""

    positions: list[Size]
    rows: list[Size]
    columns: list[Size]
    masks: list[Value | None]
    panel: Panel | None
    ahead: _Ahead | None = None


@dataclass(frozen=True)
class _Ahead:
    """What a tile fetches of the next panel while it works on this one: all tiles of a panel together fetch it once."""

    first: Size
    """The first of its lines, counted from the start of the panel."""
    lines: int
    """How many in all."""


class _Tiler:
    def __init__(self, plan: Plan, target: Target) -> None:
        self.plan = plan
        self.target = target
        self.nest = plan.nest
        self.packer = plan.packer
        self.lanes = plan.block.lanes
        self.reductions = plan.nest.of_kind(linalg.REDUCTION)
        self.body = VectorBody(self.lanes, product_of(plan.nest))
        self.is_sum = any(op.name == "arith.addf" for op in reassociable(plan.nest.body, len(plan.nest.inputs)))
        self.steps: Steps | None = None

    @property
    def left(self) -> Access:
        """What is read from memory where the other operand is read from panels."""
        return cast(Access, self.nest.inputs[1 - cast(int, self.plan.right)])

    # outer loops

    def emit(self, b: Builder) -> None:
        plan = self.plan
        constant = None if self.packer is None else self.packer.constant_panels(b)
        if plan.depth is None:
            self._box(b, constant)
            return
        extent = self.nest.extents[self.reductions[0]]
        depth = plan.depth

        def part(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
            even = isinstance(extent, int) and extent % depth == 0
            left = indexing.sub(ib, extent, args[0])
            count: Size = depth if even else indexing.minimum(ib, depth, left)
            is_first = arith.cmpi(ib, "eq", args[0], as_value(ib, 0))
            is_last = arith.cmpi(ib, "sle", as_value(ib, left), as_value(ib, depth))
            self.steps = Steps(args[0], count, is_first, is_last)
            self._box(ib, constant)
            return ()

        scf.for_(b, as_value(b, 0), as_value(b, extent), as_value(b, depth), (), part)

    def _box(self, b: Builder, constant: Panel | None) -> None:
        """The parallel loops over batch, chunks of rows, and panels."""
        plan, nest, block = self.plan, self.nest, self.plan.block
        row_extent: Size = 1 if plan.row is None else nest.extents[plan.row]
        outer = [d for d in nest.of_kind(linalg.PARALLEL) if d not in (plan.column, plan.row)]
        inner = [d for d in outer if self.packer is not None and not self.packer.packing.depends_on(d)]
        outer = [d for d in outer if d not in inner]
        spread: list[int] = []
        sizes: list[int | None] = []
        if constant is not None:
            spread, inner = inner, []  # nothing is packed for each panel: all that is independent is for threads
            sizes = [size or None for size in plan.schedule.spread]
        panels = indexing.ceildiv(b, nest.extents[plan.column], block.columns)
        chunks: Size = 1 if plan.chunk is None else indexing.ceildiv(b, row_extent, plan.chunk)
        counts: list[Size] = [
            1 if size is None else indexing.ceildiv(b, nest.extents[d], size) for d, size in zip(spread, sizes, strict=True)
        ]
        bounds: list[Size] = [nest.extents[d] for d in outer]
        bounds += [*counts, chunks, panels] if plan.by_rows else [chunks, panels, *counts]
        loops = [i for i, size in enumerate(bounds) if size != 1]

        def body(ib: Builder, args: Sequence[Value]) -> None:
            values: list[Size] = [0] * len(bounds)
            for i, value in zip(loops, args, strict=True):
                values[i] = value
            positions: list[Size] = [0] * nest.rank
            rest = values[len(outer) :]
            chunk, panel = rest[-2:] if plan.by_rows else rest[:2]
            numbers = rest[:-2] if plan.by_rows else rest[2:]
            for d, value in zip(outer, values, strict=False):
                positions[d] = value
            boxes: list[tuple[int, Size, Size]] = [(d, 0, nest.extents[d]) for d in inner]
            for d, number, size in zip(spread, numbers, sizes, strict=True):
                extent = nest.extents[d]
                if size == 1:
                    positions[d] = number
                elif size is None or size == extent:
                    boxes.append((d, 0, extent))
                else:
                    first = indexing.mul(ib, number, size)
                    last = indexing.add(ib, first, size)
                    even = isinstance(extent, int) and extent % size == 0
                    boxes.append((d, first, last if even else indexing.minimum(ib, last, extent)))
            self._panel(ib, positions, chunk, panel, constant, boxes)

        if not loops:
            body(b, ())
            return
        zero, one = as_value(b, 0), as_value(b, 1)
        scf.parallel(b, [zero] * len(loops), [as_value(b, bounds[i]) for i in loops], [one] * len(loops), body)

    def _panel(
        self,
        b: Builder,
        positions: list[Size],
        chunk: Size,
        panel: Size,
        constant: Panel | None,
        inner: Sequence[tuple[int, Size, Size]],
    ) -> None:
        """One panel of columns, for one chunk of rows; `inner`: (dim, lower, upper) of loops around the rows."""
        plan, nest, block = self.plan, self.nest, self.plan.block
        extent = nest.extents[plan.column]
        first = indexing.mul(b, panel, block.columns)
        columns = [indexing.add(b, first, j * self.lanes) for j in range(block.vectors)]
        masks = [self._mask(b, extent, column) for column in columns]
        packed: Panel | None = None
        if self.packer is not None and constant is not None:
            packed = self.packer.at_panel(b, constant, positions, panel)
        elif self.packer is not None:
            packed = self.packer.pack(b, positions, columns, masks, self.steps)

        def rows(ib: Builder) -> None:
            self._rows(ib, positions, chunk, columns, masks, packed)

        loop_over(b, inner, positions, rows)
        if packed is not None and constant is None:
            memref.dealloc(b, packed.buffer)

    def _is_short(self, dim: int) -> bool:
        extent = self.nest.extents[dim]
        return isinstance(extent, int) and extent <= _SHORT

    def _mask(self, b: Builder, extent: Size, column: Size) -> Value | None:
        """The lanes of a vector that lie inside the output; None where all do."""
        if isinstance(extent, int) and extent % self.plan.block.columns == 0:
            return None
        left = indexing.sub(b, extent, column)
        if isinstance(left, int) and left >= self.lanes:
            return None
        return vector.create_mask(b, as_value(b, left), self.lanes)

    def _rows(
        self,
        b: Builder,
        positions: list[Size],
        chunk: Size,
        columns: list[Size],
        masks: list[Value | None],
        panel: Panel | None,
    ) -> None:
        plan, most = self.plan, self.plan.block.rows
        row_extent: Size = 1 if plan.row is None else self.nest.extents[plan.row]
        lower: Size = 0 if plan.chunk is None else indexing.mul(b, chunk, plan.chunk)
        share = self._share(panel, plan.chunk or row_extent)

        def tile_at(ib: Builder, row: Size, count: int) -> None:
            rows = [indexing.add(ib, row, i) for i in range(count)]
            first = indexing.mul(ib, indexing.sub(ib, row, lower), share)
            self._tile(ib, _Place(positions, rows, columns, masks, panel, _Ahead(first, share * count) if share else None))

        if plan.chunk is None and isinstance(row_extent, int):
            _balanced(b, 0, row_extent, most, tile_at)
            return
        upper = (
            row_extent if plan.chunk is None else indexing.minimum(b, indexing.add(b, lower, plan.chunk), row_extent)
        )
        if plan.chunk is not None and isinstance(row_extent, int) and row_extent % plan.chunk == 0:
            _balanced(b, lower, plan.chunk, most, tile_at)
            return
        remainder = row_extent % most if isinstance(row_extent, int) else None
        _shrinking(b, lower, upper, _tail_sizes(most, remainder), tile_at)

    def _share(self, panel: Panel | None, rows: Size) -> int:
        """Lines of the next panel that are fetched for each row of this one; 0 where panels stay in the cache, or tiles are few.

        The hardware's own prefetcher is late at the start of each page, and a panel is several pages.
        """
        lines = self._total_steps(self.reductions)
        if panel is None or not self.plan.schedule.next_panel or lines is None or not isinstance(rows, int):
            return 0
        return -(-lines * self.plan.block.vectors // rows)

    def _fetch_ahead(self, b: Builder, place: _Place, step: Value, unroll: int, extent: int) -> None:
        """The lines of the next panel that belong to this step, of `extent` of the reduction."""
        panel, ahead = place.panel, place.ahead
        assert panel is not None and ahead is not None
        each = -(-ahead.lines * unroll // extent)
        shift = 10
        rate = -(-ahead.lines * (1 << shift) // extent)
        line = indexing.floordiv(b, indexing.mul(b, step, rate), 1 << shift)
        following = [*panel.lead[:-1], as_value(b, indexing.add(b, panel.lead[-1], 1))]
        start = as_value(b, 0 if self.steps is None else self.steps.lower)
        for i in range(each):
            at = indexing.mul(b, indexing.add(b, indexing.add(b, ahead.first, line), i), self.lanes)
            memref.prefetch(b, panel.buffer, [*following, start, as_value(b, at)], locality=2)

    def _fetch_soon(self, b: Builder, place: _Place, dim: int, step: Size, unroll: int) -> None:
        """The lines of this panel that are needed some steps from now, into the first-level cache."""
        panel = place.panel
        assert panel is not None
        for k in range(unroll):
            place.positions[dim] = indexing.add(b, step, k + self.plan.schedule.prefetch)
            ks = [self._panel_step(b, panel, place.positions[d]) for d in self.reductions]
            for j in range(self.plan.block.vectors):
                memref.prefetch(b, panel.buffer, [*panel.lead, *ks, as_value(b, j * self.lanes)], locality=3)

    # one tile

    def _tile(self, b: Builder, place: _Place) -> None:
        steps = self.steps
        if self.plan.schedule.fetch_result:
            self._fetch_result(b, place)
        accumulators = self._start(b, place)
        results = self._reduce(b, place, self.reductions, accumulators, in_parts=self.is_sum)
        if steps is None or self.nest.epilogue is None:
            self._finish(b, place, results)
            return

        def finish(ib: Builder, _: Sequence[Value]) -> Sequence[Value]:
            self._finish(ib, place, results)
            return ()

        def keep(ib: Builder, _: Sequence[Value]) -> Sequence[Value]:
            self._store(ib, self.nest.outputs[0], place, results)
            return ()

        scf.if_(b, steps.is_last, (), finish, keep)

    def _fetch_result(self, b: Builder, place: _Place) -> None:
        """What the tile reads and writes at its end, which is far away: it comes while the tile is computed."""
        nest = self.nest
        read = [] if nest.epilogue is None else [a for a in nest.epilogue.inputs if a is not None]
        near = [a for a in read if self.plan.row is not None and depends_on(a, self.plan.row) and depends_on(a, self.plan.column)]
        for access in (*near, nest.stores()[0]):
            for i, j in self._cells(place):
                memref.prefetch(b, access.buffer, self._indices(b, access, place, i, j), locality=3, write=access is nest.stores()[0])

    def _finish(self, b: Builder, place: _Place, results: list[Value]) -> None:
        if self.nest.epilogue is not None:
            results = self._epilogue(b, place, results)
        self._store(b, self.nest.stores()[0], place, results)

    def _store(self, b: Builder, out: Access, place: _Place, values: Sequence[Value]) -> None:
        for (i, j), value in zip(self._cells(place), values, strict=True):
            where = self._indices(b, out, place, i, j)
            mask = place.masks[j]
            if mask is None:
                vector.store(b, value, out.buffer, where)
            else:
                vector.masked_store(b, out.buffer, where, mask, value)

    def _cells(self, place: _Place) -> list[tuple[int, int]]:
        return [(i, j) for i in range(len(place.rows)) for j in range(len(place.columns))]

    def _vector(self, element: Type) -> VectorType:
        return VectorType((self.lanes,), element)

    def _start(self, b: Builder, place: _Place) -> list[Value]:
        out = self.nest.outputs[0]
        t = self._vector(out.type.element)
        init, steps = self.nest.init, self.steps

        def loaded(ib: Builder, _: Sequence[Value]) -> Sequence[Value]:
            return [self._fetch(ib, out, place, i, j, {}) for i, j in self._cells(place)]

        def started(ib: Builder, _: Sequence[Value]) -> Sequence[Value]:
            cache: dict[Any, Value] = {}
            return [self._fetch(ib, cast(Access, self.nest.start), place, i, j, cache) for i, j in self._cells(place)]

        def constant(ib: Builder, _: Sequence[Value]) -> Sequence[Value]:
            assert init is not None
            return [vector.broadcast(ib, init, t)] * len(self._cells(place))

        first = constant if init is not None else started if self.nest.start is not None else None
        if first is None:
            return list(loaded(b, ()))
        if steps is None:
            return list(first(b, ()))
        return list(scf.if_(b, steps.is_first, [t] * len(self._cells(place)), first, loaded).results)

    def _positions(self, place: _Place, i: int, j: int) -> list[Size]:
        positions = list(place.positions)
        if self.plan.row is not None:
            positions[self.plan.row] = place.rows[i]
        positions[self.plan.column] = place.columns[j]
        return positions

    def _indices(self, b: Builder, access: Access, place: _Place, i: int, j: int) -> list[Value]:
        positions = self._positions(place, i, j)
        return [as_value(b, indexing.apply(b, e, positions)) for e in access.map.results]

    def _fetch(self, b: Builder, access: Access, place: _Place, i: int, j: int, cache: dict[Any, Value]) -> Value:
        """The vector of an operand for tile cell (i, j); loaded once for the cells that share it."""
        plan = self.plan
        on_row = plan.row is not None and depends_on(access, plan.row)
        on_column = depends_on(access, plan.column)
        key = (id(access), i if on_row else None, j if on_column else None)
        if key not in cache:
            t = self._vector(access.type.element)
            where = self._indices(b, access, place, i, j)
            if plan.dot is not None and access is self.left:
                cache[key] = plan.dot.left(b, access, where, self.lanes)
            elif not on_column:
                cache[key] = vector.broadcast(b, memref.load(b, access.buffer, where), t)
            else:
                cache[key] = load_vector(b, access.buffer, where, place.masks[j], t)
        return cache[key]

    def _fetch_packed(
        self, b: Builder, panel: Panel, place: _Place, j: int, element: Type, cache: dict[Any, Value]
    ) -> Value:
        key = ("panel", j)
        if key not in cache:
            ks = [self._panel_step(b, panel, place.positions[d]) for d in self.reductions]
            where = [*panel.lead, *ks, as_value(b, j * self.lanes)]
            cache[key] = vector.load(b, panel.buffer, where, self._vector(element))
        return cache[key]

    def _step_count(self, dim: int) -> Size:
        return self.nest.extents[dim] if self.steps is None else self.steps.count

    def _panel_step(self, b: Builder, panel: Panel, step: Size) -> Value:
        """Position in the panel: panels of constants hold all steps, others those of this part of the reduction."""
        if self.steps is None or panel.is_constant:
            return as_value(b, step)
        return as_value(b, indexing.sub(b, step, self.steps.lower))

    def _total_steps(self, dims: Sequence[int]) -> int | None:
        """Steps of the reduction over these dimensions; None where that is only known at run time."""
        extents = [self._step_count(d) for d in dims]
        known = [e for e in extents if isinstance(e, int)]
        return math.prod(known) if len(known) == len(extents) else None

    def _reduce(
        self, b: Builder, place: _Place, dims: Sequence[int], accs: list[Value], in_parts: bool = False
    ) -> list[Value]:
        """Adds all steps of `dims` to the accumulators; `in_parts`, sums of parts, each of which starts at zero."""
        if not dims:
            return self._update(b, place, accs)
        extent = self._step_count(dims[0])
        inside = self._total_steps(dims[1:])
        if in_parts and inside is not None and schedule.sum_length(inside) is None:
            count = schedule.sum_length(extent, inside)
            if count is not None:
                return self._reduce_parts(b, place, dims, accs, extent, count)
            in_parts = False
        return self._steps(b, place, dims, accs, 0, extent, in_parts)

    def _reduce_parts(
        self, b: Builder, place: _Place, dims: Sequence[int], totals: list[Value], extent: Size, count: int
    ) -> list[Value]:
        """Every `count` steps of the first dimension are added up by themselves, from zero: rounding stays small."""

        def part(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
            first, before = args[0], list(args[1:])
            even = isinstance(extent, int) and extent % count == 0
            steps: Size = count if even else indexing.minimum(ib, count, indexing.sub(ib, extent, first))
            element = self.nest.outputs[0].type.element
            zero = arith.constant(ib, 0.0, self._vector(element))
            sums = self._steps(ib, place, dims, [zero] * len(before), first, steps, False)
            return [arith.addf(ib, total, s) for total, s in zip(before, sums, strict=True)]

        return list(scf.for_(b, as_value(b, 0), as_value(b, extent), as_value(b, count), totals, part).results)

    def _steps(
        self, b: Builder, place: _Place, dims: Sequence[int], accs: list[Value], first: Size, extent: Size, in_parts: bool
    ) -> list[Value]:
        """The `extent` steps of the first dimension that begin at `first`."""
        dim, rest = dims[0], dims[1:]
        lower = indexing.add(b, first, 0 if self.steps is None else self.steps.lower)

        def at(ib: Builder, k: Size, inner: list[Value]) -> list[Value]:
            place.positions[dim] = indexing.add(ib, k, lower)
            return self._reduce(ib, place, rest, inner, in_parts)

        if isinstance(extent, int) and (extent == 1 or all(self._is_short(d) for d in (dim, *rest))):
            for k in range(extent):
                accs = at(b, k, accs)
            return accs
        unroll = 1 if rest else self.plan.unroll(len(place.rows), len(place.columns))
        if isinstance(extent, int):
            unroll = min(unroll, extent)
        main = indexing.sub(b, extent, indexing.rem(b, extent, unroll))
        whole = self._step_count(dim)

        def body(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
            inner = list(args[1:])
            if place.ahead is not None and not rest and isinstance(whole, int):
                self._fetch_ahead(ib, place, as_value(ib, indexing.add(ib, args[0], first)), unroll, whole)
            if self.plan.schedule.prefetch and place.panel is not None and not rest:
                self._fetch_soon(ib, place, dim, indexing.add(ib, args[0], lower), unroll)
            for step in range(unroll):
                inner = at(ib, indexing.add(ib, args[0], step), inner)
            return inner

        accs = list(scf.for_(b, as_value(b, 0), as_value(b, main), as_value(b, unroll), accs, body).results)
        if isinstance(main, int) and isinstance(extent, int):
            for k in range(main, extent):
                accs = at(b, k, accs)
            return accs

        def rest_body(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
            return at(ib, args[0], list(args[1:]))

        if unroll == 1:
            return accs
        return list(scf.for_(b, as_value(b, main), as_value(b, extent), as_value(b, 1), accs, rest_body).results)

    def _update(self, b: Builder, place: _Place, accs: list[Value]) -> list[Value]:
        """One step of the reduction for every cell."""
        nest = self.nest
        cache: dict[Any, Value] = {}
        results: list[Value] = []
        n_in = len(nest.inputs)
        dot = self.plan.dot
        for (i, j), acc in zip(self._cells(place), accs, strict=True):
            if dot is not None and place.panel is not None:
                left = self._fetch(b, self.left, place, i, j, cache)
                results.append(dot.add(b, acc, left, self._fetch_packed(b, place.panel, place, j, I32, cache)))
                continue
            mapping: dict[Value, Value] = {nest.body.args[n_in]: acc}
            for index, operand in enumerate(nest.inputs):
                argument = nest.body.args[index]
                if not argument.uses:
                    continue
                if not isinstance(operand, Access):
                    mapping[argument] = self.body.broadcast(b, operand, cache)
                elif index == self.plan.right and place.panel is not None:
                    mapping[argument] = self._fetch_packed(b, place.panel, place, j, operand.type.element, cache)
                else:
                    mapping[argument] = self._fetch(b, operand, place, i, j, cache)
            results.append(self.body.emit(b, nest.body, mapping, cache))
        return results

    def _epilogue(self, b: Builder, place: _Place, values: list[Value]) -> list[Value]:
        epilogue = self.nest.epilogue
        assert epilogue is not None
        finish = VectorBody(self.lanes)
        cache: dict[Any, Value] = {}
        results: list[Value] = []
        for (i, j), value in zip(self._cells(place), values, strict=True):
            mapping: dict[Value, Value] = {}
            for access, argument in zip(epilogue.inputs, epilogue.body.args, strict=False):
                if argument.uses:
                    mapping[argument] = value if access is None else self._fetch(b, access, place, i, j, cache)
            results.append(finish.emit(b, epilogue.body, mapping, cache))
        return results


# helpers


RowTile = Callable[[Builder, Size, int], None]


def _balanced(b: Builder, lower: Size, rows: int, most: int, tile_at: RowTile) -> None:
    """A known number of rows in blocks of two neighbouring sizes."""
    blocks, size, larger = schedule.split_rows(rows, most)
    start = lower
    for count, height in ((larger, size + 1), (blocks - larger, size)):
        if count == 0 or height == 0:
            continue
        if count == 1:
            tile_at(b, start, height)
        else:
            _rows_loop(b, start, indexing.add(b, start, count * height), height, tile_at)
        start = indexing.add(b, start, count * height)


def _rows_loop(b: Builder, lower: Size, upper: Size, height: int, tile_at: RowTile) -> None:
    def body(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
        tile_at(ib, args[0], height)
        return ()

    scf.for_(b, as_value(b, lower), as_value(b, upper), as_value(b, height), (), body)


def _tail_sizes(most: int, remainder: int | None) -> list[int]:
    """Heights to try in turn: the full one, then those that finish any remainder (or the known one)."""
    if remainder is not None:
        return [most, remainder] if remainder else [most]
    return [most, *(s for s in (4, 1) if s < most)]


def _shrinking(b: Builder, lower: Size, upper: Size, heights: Sequence[int], tile_at: RowTile) -> None:
    """Rows [lower, upper): as many blocks of each height as fit."""
    for height in heights:
        count = indexing.sub(b, upper, lower)
        end = indexing.add(b, lower, indexing.sub(b, count, indexing.rem(b, count, height)))
        _rows_loop(b, lower, end, height, tile_at)
        lower = end
