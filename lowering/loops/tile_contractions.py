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

import numpy as np
import numpy.typing as npt

from ...ir.affine import AffineDim, AffineMap
from ...ir.attributes import Constant, DenseAttr, FloatAttr, IntegerAttr, SymbolRef
from ...ir.builder import Builder
from ...ir.core import Block, Operation, Value, lookup
from ...ir.definition import Trait
from ...ir.dialects import DEFINITIONS, arith, linalg, memref, scf, vector
from ...ir.dialects.tensor import Size
from ...ir.target import Target, element_bytes
from ...ir.types import F32, F64, I32, I64, INDEX, FloatType, MemRefType, Type, VectorType
from .. import indexing
from ..indexing import as_value
from . import schedule
from .nest import Access, Nest, coefficients, depends_on, is_unit_along, materialize, merge_dimensions, step_along

_ACCUMULATORS: Final = frozenset({F32, F64, I32, I64})
_SHORT: Final = 4
"""Inner reduction loops of up to this many steps (filter taps) are unrolled."""


def tile(b: Builder, nest: Nest, target: Target) -> bool:
    """Emits the tiled loops where the nest has the form; False (and nothing emitted) where it has not."""
    if not _has_form(nest) or _lanes(nest, target) < 2:
        return False
    plan = _plan_product(b, nest, target) if product_of(nest) is not None else _plan_reduction(b, nest, target)
    if plan is None:
        return False
    _Tiler(plan, target).emit(b)
    if plan.temporary is not None:
        memref.dealloc(b, plan.temporary)
    return True


# form


def _has_form(nest: Nest) -> bool:
    if len(nest.outputs) != 1 or linalg.REDUCTION not in nest.kinds or linalg.PARALLEL not in nest.kinds:
        return False
    if nest.outputs[0].type.element not in _ACCUMULATORS:
        return False
    if any(depends_on(nest.outputs[0], d) for d in nest.of_kind(linalg.REDUCTION)):
        return False
    blocks = [nest.body] + ([nest.epilogue.body] if nest.epilogue is not None else [])
    if not all(_is_vectorizable(block) for block in blocks):
        return False
    # i1 is a byte in memory and a bit in a vector.
    return all(
        a.type.element not in (INDEX,) and element_bytes(a.type.element) * 8 == _bits(a.type.element)
        for a in nest.accesses()
    )


def _bits(t: Type) -> int:
    return t.width if hasattr(t, "width") else 0  # type: ignore[attr-defined]


def _is_vectorizable(block: Block) -> bool:
    for op in block.operations():
        if op is block.terminator or op.name == "arith.constant":
            continue
        definition = DEFINITIONS.get(op.name)
        if definition is None or Trait.ELEMENTWISE not in definition.traits or op.regions:
            return False
        if any(isinstance(v.type, VectorType | MemRefType) for v in op.operands):
            return False
    return True


@dataclass(frozen=True)
class Product:
    """The multiply-add at the end of a contraction's body."""

    total: Operation
    product: Operation


def product_of(nest: Nest) -> Product | None:
    """acc + x * y, where x comes from the first input and y from the second (casts between)."""
    if len(nest.inputs) != 2 or not all(isinstance(a, Access) for a in nest.inputs):
        return None
    block = nest.body
    acc = block.args[2]
    total = block.terminator.operand(0).defining_op()
    if (
        total is None
        or total.name not in ("arith.addf", "arith.addi")
        or acc not in total.operands
        or len(acc.uses) != 1
    ):
        return None
    other = total.operand(1) if total.operand(0) is acc else total.operand(0)
    product = other.defining_op()
    if product is None or product.name not in ("arith.mulf", "arith.muli") or len(product.result.uses) != 1:
        return None
    return Product(total, product)


# plan


@dataclass(frozen=True)
class Packing:
    """The right operand in its original dimensions, and what the nest's dimensions mean in these."""

    access: Access
    origin: list[tuple[int, ...]]
    extents: tuple[Size, ...]


@dataclass(frozen=True)
class Plan:
    nest: Nest
    """Merged; views made."""
    column: int
    """The dimension across lanes."""
    row: int | None
    """The dimension of the tile's rows."""
    block: schedule.Block
    packed_input: int | None = None
    packing: Packing | None = None
    chunk: int | None = None
    temporary: Value | None = None
    """A contiguous copy of a strided right operand, to be freed afterwards."""
    depth: int | None = None
    """Steps of the (only) reduction dimension done at a time, the output holding partial sums; None for all of them."""


def _column_of(nest: Nest) -> int | None:
    """The parallel dimension along which the stored output is contiguous."""
    out = nest.stores()[0]
    if not out.map.results or not isinstance(out.map.results[-1], AffineDim):
        return None
    dim = out.map.results[-1].position
    if nest.kinds[dim] != linalg.PARALLEL or not is_unit_along(out, dim):
        return None
    # Everything read once per output element must be there as a vector or a scalar, too.
    once = list(nest.outputs) if nest.init is None else []
    if nest.epilogue is not None:
        once += [a for a in nest.epilogue.inputs if a is not None]
    return dim if all(_vector_or_scalar(a, dim) for a in once) else None


def _vector_or_scalar(access: Access, dim: int) -> bool:
    return not depends_on(access, dim) or is_unit_along(access, dim)


def _lanes(nest: Nest, target: Target) -> int:
    return max(1, target.vector_bytes // max(element_bytes(a.type.element) for a in nest.outputs))


def _size(nest: Nest, dims: Sequence[int], unknown: int) -> int:
    return math.prod(e if isinstance(e, int) else unknown for e in (nest.extents[d] for d in dims))


def _plan_reduction(b: Builder, nest: Nest, target: Target) -> Plan | None:
    """A reduction over outer dimensions: vectors along the contiguous one."""
    merged, _ = merge_dimensions(b, nest)
    column = _column_of(merged)
    if column is None:
        return None
    inputs = [a for a in merged.inputs if isinstance(a, Access)]
    if (
        not inputs
        or not all(_vector_or_scalar(a, column) for a in inputs)
        or not any(depends_on(a, column) for a in inputs)
    ):
        return None
    lanes = _lanes(merged, target)
    extent = merged.extents[column]
    if isinstance(extent, int) and extent < lanes:
        return None
    merged = materialize(b, merged)
    block = schedule.choose_block(
        1, extent, lanes, 0, element_bytes(merged.outputs[0].type.element), target, broadcast=False
    )
    return Plan(merged, column, None, block)


def _plan_product(b: Builder, nest: Nest, target: Target) -> Plan | None:
    merged, _ = merge_dimensions(b, nest)
    column = _column_of(merged)
    if column is None:
        return None
    inputs = cast("tuple[Access, Access]", merged.inputs)
    on_column = [i for i in (0, 1) if depends_on(inputs[i], column)]
    if len(on_column) == 2:
        return _plan_both_vectors(b, merged, column, target)
    if len(on_column) != 1:
        return None
    right = on_column[0]
    left = 1 - right
    rows = [
        d for d in merged.of_kind(linalg.PARALLEL) if depends_on(inputs[left], d) and not depends_on(inputs[right], d)
    ]
    count = _size(merged, rows, 64)
    unit = is_unit_along(inputs[right], column)
    window = not inputs[right].map.is_projected_permutation
    if _constant_of(inputs[right]) is None:
        if count < schedule.MIN_PACKED_ROWS:
            return _plan_direct(b, merged, column, left, right, rows, target) if unit else None
        if unit and not window and count <= schedule.DIRECT_ROWS:
            return _plan_direct(b, merged, column, left, right, rows, target)
    return _plan_packed(b, nest, right, target)


def _plan_both_vectors(b: Builder, nest: Nest, column: int, target: Target) -> Plan | None:
    """Both operands run along the lanes (a depthwise convolution with channels last)."""
    if not all(is_unit_along(a, column) for a in nest.inputs if isinstance(a, Access)):
        return None
    lanes = _lanes(nest, target)
    extent = nest.extents[column]
    if isinstance(extent, int) and extent < lanes:
        return None
    nest = materialize(b, nest)
    block = schedule.choose_block(
        1, extent, lanes, 0, element_bytes(nest.outputs[0].type.element), target, broadcast=False
    )
    return Plan(nest, column, None, block)


def _plan_direct(
    b: Builder, nest: Nest, column: int, left: int, right: int, rows: list[int], target: Target
) -> Plan | None:
    """The right operand is read in place. Without proper rows, any other output dimension reuses the left operand."""
    lanes = _lanes(nest, target)
    extent = nest.extents[column]
    if isinstance(extent, int) and extent < max(2, lanes // 2):
        return None
    row = _longest(nest, rows)
    if row is None:
        others = [
            d
            for d in nest.of_kind(linalg.PARALLEL)
            if d != column and not depends_on(cast(Access, nest.inputs[left]), d)
        ]
        row = others[-1] if others else None
    nest = materialize(b, nest)
    operand = cast(Access, nest.inputs[left])
    row_extent: Size = 1 if row is None else nest.extents[row]
    step = 0 if row is None else step_along(operand, row)
    size = element_bytes(operand.type.element)
    block = schedule.choose_block(row_extent, extent, lanes, step, size, target, broadcast=bool(rows))
    return Plan(nest, column, row, block)


def _longest(nest: Nest, dims: Sequence[int]) -> int | None:
    def extent(d: int) -> int:
        e = nest.extents[d]
        return e if isinstance(e, int) else 1 << 30

    return max(dims, key=lambda d: (extent(d), d), default=None)


def _plan_packed(b: Builder, nest: Nest, right: int, target: Target) -> Plan | None:
    """The right operand goes through panels: its layout does not matter, dimensions merge without regard to it."""
    merged, origin = merge_dimensions(b, nest, ignored=(right,))
    column = _column_of(merged)
    if column is None:
        return None
    left = 1 - right
    operand = cast(Access, merged.inputs[left])
    access = cast(Access, nest.inputs[right])
    temporary: Value | None = None
    on_right = {d for d in range(merged.rank) if any(depends_on(access, o) for o in origin[d])}
    if depends_on(operand, column) or column not in on_right:
        return None
    if any(coefficients(e, nest.rank) is None for e in access.map.results):
        return None
    rows = [d for d in merged.of_kind(linalg.PARALLEL) if d not in on_right and depends_on(operand, d)]
    row = _longest(merged, rows)
    merged = materialize(b, merged)
    group = origin[column]
    if memref.memref_type(access.buffer).layout is not None and not (
        len(group) == 1 and is_unit_along(access, group[0])
    ):
        temporary = _contiguous_copy(b, access.buffer)
        access = Access.of(temporary, access.map)
    operand = cast(Access, merged.inputs[left])
    lanes = _lanes(merged, target)
    row_extent: Size = 1 if row is None else merged.extents[row]
    step = 0 if row is None else step_along(operand, row)
    size = element_bytes(operand.type.element)
    block = schedule.choose_block(row_extent, merged.extents[column], lanes, step, size, target, broadcast=True)
    reductions = merged.of_kind(linalg.REDUCTION)
    depth = (
        schedule.reduction_chunk(merged.extents[reductions[0]], size, block, target) if len(reductions) == 1 else None
    )
    reduction: Size = depth or _size(merged, reductions, 512)
    others = _size(merged, [d for d in merged.of_kind(linalg.PARALLEL) if d not in (row, column)], 1)
    chunk = schedule.rows_per_chunk(row_extent, reduction, size, merged.extents[column], block, others, target)
    return Plan(merged, column, row, block, right, Packing(access, origin, nest.extents), chunk, temporary, depth)


# tiles


@dataclass
class _Panel:
    """Packed columns: element (k..., c) at [*lead, *k, c]."""

    buffer: Value
    lead: list[Value]
    is_whole: bool = False


@dataclass
class _Place:
    """Where a register tile stands."""

    positions: list[Size]
    rows: list[Size]
    columns: list[Size]
    masks: list[Value | None]
    panel: _Panel | None


@dataclass(frozen=True)
class _Steps:
    """The part of the reduction that is done now: `count` steps from `lower` on."""

    lower: Size
    count: Size
    is_first: Value
    is_last: Value


class _Tiler:
    def __init__(self, plan: Plan, target: Target) -> None:
        self.plan = plan
        self.nest = plan.nest
        self.target = target
        self.lanes = plan.block.lanes
        self.reductions = plan.nest.of_kind(linalg.REDUCTION)
        self.product = product_of(plan.nest)
        self.steps: _Steps | None = None

    # outer loops

    def emit(self, b: Builder) -> None:
        plan = self.plan
        constant = self._prepack(b)
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
            self.steps = _Steps(args[0], count, is_first, is_last)
            self._box(ib, constant)
            return ()

        scf.for_(b, as_value(b, 0), as_value(b, extent), as_value(b, depth), (), part)

    def _box(self, b: Builder, constant: _Panel | None) -> None:
        """The parallel loops over batch, chunks of rows, and panels."""
        plan, nest, block = self.plan, self.nest, self.plan.block
        row_extent: Size = 1 if plan.row is None else nest.extents[plan.row]
        outer = [d for d in nest.of_kind(linalg.PARALLEL) if d not in (plan.column, plan.row)]
        inner = [d for d in outer if plan.packing is not None and not self._right_depends(d)]
        outer = [d for d in outer if d not in inner]
        panels = indexing.ceildiv(b, nest.extents[plan.column], block.columns)
        chunks: Size = 1 if plan.chunk is None else indexing.ceildiv(b, row_extent, plan.chunk)
        bounds: list[Size] = [*(nest.extents[d] for d in outer), chunks, panels]
        loops = [i for i, size in enumerate(bounds) if size != 1]

        def body(ib: Builder, args: Sequence[Value]) -> None:
            values: list[Size] = [0] * len(bounds)
            for i, value in zip(loops, args, strict=True):
                values[i] = value
            positions: list[Size] = [0] * nest.rank
            for d, value in zip(outer, values, strict=False):
                positions[d] = value
            self._panel(ib, positions, values[-2], values[-1], constant, inner)

        if not loops:
            body(b, ())
            return
        zero, one = as_value(b, 0), as_value(b, 1)
        scf.parallel(b, [zero] * len(loops), [as_value(b, bounds[i]) for i in loops], [one] * len(loops), body)

    def _right_depends(self, dim: int) -> bool:
        packing = self.plan.packing
        assert packing is not None
        return any(depends_on(packing.access, o) for o in packing.origin[dim])

    def _panel(
        self, b: Builder, positions: list[Size], chunk: Size, panel: Size, constant: _Panel | None, inner: list[int]
    ) -> None:
        """One panel of columns, for one chunk of rows."""
        plan, nest, block = self.plan, self.nest, self.plan.block
        extent = nest.extents[plan.column]
        first = indexing.mul(b, panel, block.columns)
        columns = [indexing.add(b, first, j * self.lanes) for j in range(block.vectors)]
        masks = [self._mask(b, extent, column) for column in columns]
        packed: _Panel | None = None
        if constant is not None:
            lead = [as_value(b, positions[d]) for d in self._outer_of_constant()]
            packed = _Panel(constant.buffer, [*lead, as_value(b, panel)], is_whole=True)
        elif plan.packing is not None:
            packed = self._pack(b, plan.packing, positions, columns, masks)

        def rows(ib: Builder) -> None:
            self._rows(ib, positions, chunk, columns, masks, packed)

        _loop_over(b, [(d, nest.extents[d]) for d in inner], positions, rows)
        if packed is not None and constant is None:
            memref.dealloc(b, packed.buffer)

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
        panel: _Panel | None,
    ) -> None:
        plan, most = self.plan, self.plan.block.rows
        row_extent: Size = 1 if plan.row is None else self.nest.extents[plan.row]

        def tile_at(ib: Builder, row: Size, count: int) -> None:
            rows = [indexing.add(ib, row, i) for i in range(count)]
            self._tile(ib, _Place(positions, rows, columns, masks, panel))

        if plan.chunk is None and isinstance(row_extent, int):
            _balanced(b, 0, row_extent, most, tile_at)
            return
        lower: Size = 0 if plan.chunk is None else indexing.mul(b, chunk, plan.chunk)
        upper = (
            row_extent if plan.chunk is None else indexing.minimum(b, indexing.add(b, lower, plan.chunk), row_extent)
        )
        if plan.chunk is not None and isinstance(row_extent, int) and row_extent % plan.chunk == 0:
            _balanced(b, lower, plan.chunk, most, tile_at)
            return
        remainder = row_extent % most if isinstance(row_extent, int) else None
        _shrinking(b, lower, upper, _tail_sizes(most, remainder), tile_at)

    # one tile

    def _tile(self, b: Builder, place: _Place) -> None:
        steps = self.steps
        accumulators = self._start(b, place)
        results = self._reduce(b, place, self.reductions, accumulators)
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

        def constant(ib: Builder, _: Sequence[Value]) -> Sequence[Value]:
            assert init is not None
            return [vector.broadcast(ib, init, t)] * len(self._cells(place))

        if init is None:
            return list(loaded(b, ()))
        if steps is None:
            return list(constant(b, ()))
        return list(scf.if_(b, steps.is_first, [t] * len(self._cells(place)), constant, loaded).results)

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
            if not on_column:
                cache[key] = vector.broadcast(b, memref.load(b, access.buffer, where), t)
            else:
                cache[key] = _load_vector(b, access.buffer, where, place.masks[j], t)
        return cache[key]

    def _fetch_packed(
        self, b: Builder, panel: _Panel, place: _Place, j: int, element: Type, cache: dict[Any, Value]
    ) -> Value:
        key = ("panel", j)
        if key not in cache:
            ks = [self._panel_step(b, panel, place.positions[d]) for d in self.reductions]
            where = [*panel.lead, *ks, as_value(b, j * self.lanes)]
            cache[key] = vector.load(b, panel.buffer, where, self._vector(element))
        return cache[key]

    def _step_count(self, dim: int) -> Size:
        return self.nest.extents[dim] if self.steps is None else self.steps.count

    def _panel_step(self, b: Builder, panel: _Panel, step: Size) -> Value:
        """Position in the panel: panels of constants hold all steps, others those of this part of the reduction."""
        if self.steps is None or panel.is_whole:
            return as_value(b, step)
        return as_value(b, indexing.sub(b, step, self.steps.lower))

    def _reduce(self, b: Builder, place: _Place, dims: Sequence[int], accs: list[Value]) -> list[Value]:
        if not dims:
            return self._update(b, place, accs)
        dim, rest = dims[0], dims[1:]
        extent = self._step_count(dim)
        lower: Size = 0 if self.steps is None else self.steps.lower

        def at(ib: Builder, k: Size, inner: list[Value]) -> list[Value]:
            place.positions[dim] = indexing.add(ib, k, lower)
            return self._reduce(ib, place, rest, inner)

        if isinstance(extent, int) and extent <= _SHORT:
            for k in range(extent):
                accs = at(b, k, accs)
            return accs
        unroll = 1 if rest else schedule.Block(len(place.rows), len(place.columns), self.lanes).unroll
        if isinstance(extent, int):
            unroll = min(unroll, extent)
        main = indexing.sub(b, extent, indexing.rem(b, extent, unroll))

        def body(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
            inner = list(args[1:])
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
        for (i, j), acc in zip(self._cells(place), accs, strict=True):
            mapping: dict[Value, Value] = {nest.body.args[n_in]: acc}
            for index, operand in enumerate(nest.inputs):
                argument = nest.body.args[index]
                if not argument.uses:
                    continue
                if not isinstance(operand, Access):
                    mapping[argument] = self._broadcast(b, operand, cache)
                elif index == self.plan.packed_input and place.panel is not None:
                    mapping[argument] = self._fetch_packed(b, place.panel, place, j, operand.type.element, cache)
                else:
                    mapping[argument] = self._fetch(b, operand, place, i, j, cache)
            results.append(self._vector_body(b, nest.body, mapping, cache, self.product))
        return results

    def _epilogue(self, b: Builder, place: _Place, values: list[Value]) -> list[Value]:
        epilogue = self.nest.epilogue
        assert epilogue is not None
        cache: dict[Any, Value] = {}
        results: list[Value] = []
        for (i, j), value in zip(self._cells(place), values, strict=True):
            mapping: dict[Value, Value] = {}
            for access, argument in zip(epilogue.inputs, epilogue.body.args, strict=False):
                if argument.uses:
                    mapping[argument] = value if access is None else self._fetch(b, access, place, i, j, cache)
            results.append(self._vector_body(b, epilogue.body, mapping, cache, None))
        return results

    def _broadcast(self, b: Builder, scalar: Value, cache: dict[Any, Value]) -> Value:
        if scalar not in cache:
            attribute = (
                None
                if scalar.defining_op("arith.constant") is None
                else cast(Operation, scalar.owner).attributes["value"]
            )
            if isinstance(attribute, IntegerAttr | FloatAttr):
                cache[scalar] = arith.constant(b, attribute.value, self._vector(scalar.type))
            else:
                cache[scalar] = vector.broadcast(b, scalar, self._vector(scalar.type))
        return cache[scalar]

    def _vector_body(
        self, b: Builder, block: Block, mapping: dict[Value, Value], cache: dict[Any, Value], product: Product | None
    ) -> Value:
        """The body's operations on vectors; a float multiply-add as one operation."""

        def value_of(v: Value) -> Value:
            return mapping[v] if v in mapping else self._broadcast(b, v, cache)

        fused = product is not None and isinstance(product.total.result.type, FloatType)
        for op in block.operations():
            if op is block.terminator or op.name == "arith.constant":
                continue
            if fused and product is not None and op is product.product:
                continue
            if fused and product is not None and op is product.total:
                acc = next(v for v in op.operands if v is not product.product.result)
                x, y = product.product.operands
                mapping[op.result] = vector.fma(b, value_of(x), value_of(y), value_of(acc))
                continue
            key = (op, *(mapping.get(v) for v in op.operands))
            if key not in cache:
                types = [self._vector(r.type) for r in op.results]
                cache[key] = b.create(op.name, [value_of(v) for v in op.operands], types, op.attributes).result
            mapping[op.result] = cache[key]
        return value_of(block.terminator.operand(0))

    # packing

    def _decode(self, b: Builder, packing: Packing, positions: dict[int, Size]) -> list[Size]:
        """Original positions from the nest's (dimensions that are not given are at 0)."""
        original: list[Size] = [0] * len(packing.extents)
        for dim, value in positions.items():
            rest = value
            group = packing.origin[dim]
            for o in reversed(group[1:]):
                extent = packing.extents[o]
                original[o] = indexing.rem(b, rest, extent)
                rest = indexing.floordiv(b, rest, extent)
            original[group[0]] = rest
        return original

    def _pack(
        self, b: Builder, packing: Packing, positions: list[Size], columns: list[Size], masks: list[Value | None]
    ) -> _Panel:
        """A buffer with the panel's columns for every step of the reduction."""
        nest, block = self.nest, self.plan.block
        ks = [self.plan.depth or nest.extents[d] for d in self.reductions]
        element = packing.access.type.element
        buffer = memref.alloc(b, [*ks, block.columns], element)
        outer = {
            d: p
            for d, p in enumerate(positions)
            if nest.kinds[d] == linalg.PARALLEL and d not in (self.plan.column, self.plan.row)
        }
        group = packing.origin[self.plan.column]
        panel = _Panel(buffer, [])
        if len(group) == 1 and is_unit_along(packing.access, group[0]):
            self._pack_rows(b, packing, panel, outer, columns, masks)
        else:
            self._pack_columns(b, packing, panel, outer, columns)
        return panel

    def _source_steps(self, b: Builder, ks: dict[int, Size]) -> dict[int, Size]:
        """Positions in the operand of positions in the panel."""
        return ks if self.steps is None else {d: indexing.add(b, k, self.steps.lower) for d, k in ks.items()}

    def _pack_rows(
        self,
        b: Builder,
        packing: Packing,
        panel: _Panel,
        outer: dict[int, Size],
        columns: list[Size],
        masks: list[Value | None],
    ) -> None:
        """Columns are neighbours in memory: whole vectors are copied."""
        t = self._vector(packing.access.type.element)

        def copy(ib: Builder, ks: dict[int, Size]) -> None:
            for j, column in enumerate(columns):
                original = self._decode(ib, packing, {**outer, **self._source_steps(ib, ks), self.plan.column: column})
                where = [as_value(ib, indexing.apply(ib, e, original)) for e in packing.access.map.results]
                value = _load_vector(ib, packing.access.buffer, where, masks[j], t)
                target = [*(as_value(ib, ks[d]) for d in self.reductions), as_value(ib, j * self.lanes)]
                vector.store(ib, value, panel.buffer, target)

        self._over_reductions(b, copy)

    def _pack_columns(
        self, b: Builder, packing: Packing, panel: _Panel, outer: dict[int, Size], columns: list[Size]
    ) -> None:
        """Columns are anywhere: their offsets are computed once per panel; runs of neighbours are copied as vectors."""
        access = packing.access
        shape = indexing.buffer_shape(b, access.buffer)
        flat = _flatten(b, access.buffer)
        strides = _row_major(b, shape)

        def offset(ib: Builder, original: Sequence[Size]) -> Size:
            result: Size = 0
            for e, stride in zip(access.map.results, strides, strict=True):
                result = indexing.add(ib, result, indexing.mul(ib, indexing.apply(ib, e, original), stride))
            return result

        constants = _constant_offset(b, access.map, strides)
        base = offset(b, self._decode(b, packing, outer))
        last = indexing.sub(b, self.nest.extents[self.plan.column], 1)
        offsets = memref.alloca(b, [self.plan.block.columns], INDEX)

        def remember(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
            # Columns past the end repeat the last one; they are computed and never stored.
            column = indexing.minimum(ib, indexing.add(ib, columns[0], args[0]), last)
            part = offset(ib, self._decode(ib, packing, {self.plan.column: column}))
            memref.store(ib, as_value(ib, indexing.sub(ib, part, constants)), offsets, [args[0]])
            return ()

        scf.for_(b, as_value(b, 0), as_value(b, self.plan.block.columns), as_value(b, 1), (), remember)
        t = self._vector(access.type.element)
        may_run = self._may_have_runs(packing)

        def source(ib: Builder, ks: dict[int, Size], relative: Value) -> Value:
            step = indexing.sub(ib, offset(ib, self._decode(ib, packing, self._source_steps(ib, ks))), constants)
            return as_value(ib, indexing.add(ib, indexing.add(ib, base, step), relative))

        def scalars(kb: Builder, ks: dict[int, Size], j: int) -> None:
            first = source(kb, ks, as_value(kb, 0))

            def lane(lb: Builder, args: Sequence[Value]) -> Sequence[Value]:
                c = as_value(lb, indexing.add(lb, args[0], j * self.lanes))
                at = arith.addi(lb, first, memref.load(lb, offsets, [c]))
                target = [*(as_value(lb, ks[d]) for d in self.reductions), c]
                memref.store(lb, memref.load(lb, flat, [at]), panel.buffer, target)
                return ()

            scf.for_(kb, as_value(kb, 0), as_value(kb, self.lanes), as_value(kb, 1), (), lane)

        for j, column in enumerate(columns):
            start = memref.load(b, offsets, [as_value(b, j * self.lanes)])

            def vectors(ib: Builder, _: Sequence[Value], j: int = j, start: Value = start) -> Sequence[Value]:
                def copy(kb: Builder, ks: dict[int, Size]) -> None:
                    value = vector.load(kb, flat, [source(kb, ks, start)], t)
                    target = [*(as_value(kb, ks[d]) for d in self.reductions), as_value(kb, j * self.lanes)]
                    vector.store(kb, value, panel.buffer, target)

                self._over_reductions(ib, copy)
                return ()

            def all_scalars(ib: Builder, _: Sequence[Value], j: int = j) -> Sequence[Value]:
                self._over_reductions(ib, lambda kb, ks: scalars(kb, ks, j))
                return ()

            if self._is_transposed(packing):
                starts = [memref.load(b, offsets, [as_value(b, j * self.lanes + c)]) for c in range(self.lanes)]
                self._pack_transposed(
                    b, panel, flat, j, lambda ib, ks, c, starts=starts: source(ib, ks, starts[c]), scalars
                )
            elif may_run:
                end = memref.load(b, offsets, [as_value(b, (j + 1) * self.lanes - 1)])
                run = arith.cmpi(b, "eq", arith.subi(b, end, start), as_value(b, self.lanes - 1))
                inside = arith.cmpi(b, "sle", as_value(b, indexing.add(b, column, self.lanes - 1)), as_value(b, last))
                scf.if_(b, arith.andi(b, run, inside), (), vectors, all_scalars)
            else:
                all_scalars(b, ())

    def _is_transposed(self, packing: Packing) -> bool:
        """Steps of the reduction, not columns, are neighbours in memory."""
        group = packing.origin[self.reductions[-1]]
        return len(group) == 1 and is_unit_along(packing.access, group[0]) and self.lanes & (self.lanes - 1) == 0

    def _pack_transposed(
        self,
        b: Builder,
        panel: _Panel,
        flat: Value,
        j: int,
        source: Callable[[Builder, dict[int, Size], int], Value],
        scalars: Callable[[Builder, dict[int, Size], int], None],
    ) -> None:
        """Blocks of lanes x lanes elements are loaded along the reduction and turned in registers, the rest singly."""
        last = self.reductions[-1]
        t = self._vector(memref.memref_type(flat).element)

        def steps(ib: Builder, ks: dict[int, Size]) -> None:
            count = self._step_count(last)
            main = indexing.sub(ib, count, indexing.rem(ib, count, self.lanes))

            def turn(jb: Builder, args: Sequence[Value]) -> Sequence[Value]:
                here = {**ks, last: args[0]}
                rows = [vector.load(jb, flat, [source(jb, here, c)], t) for c in range(self.lanes)]
                for i, row in enumerate(_transposed(jb, rows)):
                    where = [
                        *(as_value(jb, ks[d]) for d in self.reductions[:-1]),
                        as_value(jb, indexing.add(jb, args[0], i)),
                    ]
                    vector.store(jb, row, panel.buffer, [*where, as_value(jb, j * self.lanes)])
                return ()

            def single(jb: Builder, args: Sequence[Value]) -> Sequence[Value]:
                scalars(jb, {**ks, last: args[0]}, j)
                return ()

            scf.for_(ib, as_value(ib, 0), as_value(ib, main), as_value(ib, self.lanes), (), turn)
            if main != count:
                scf.for_(ib, as_value(ib, main), as_value(ib, count), as_value(ib, 1), (), single)

        self._over_reductions(b, steps, self.reductions[:-1])

    def _may_have_runs(self, packing: Packing) -> bool:
        """Whether neighbouring columns can be neighbours in memory."""
        innermost = packing.origin[self.plan.column][-1]
        return is_unit_along(packing.access, innermost)

    def _over_reductions(
        self, b: Builder, body: Callable[[Builder, dict[int, Size]], None], dims: Sequence[int] | None = None
    ) -> None:
        """Loops over (these) dimensions of the reduction."""
        dims = self.reductions if dims is None else dims

        def nest(ib: Builder, dims: Sequence[int], ks: dict[int, Size]) -> None:
            if not dims:
                body(ib, ks)
                return

            def inner(jb: Builder, args: Sequence[Value]) -> Sequence[Value]:
                nest(jb, dims[1:], {**ks, dims[0]: args[0]})
                return ()

            scf.for_(ib, as_value(ib, 0), as_value(ib, self._step_count(dims[0])), as_value(ib, 1), (), inner)

        nest(b, dims, {})

    # constant operands

    def _outer_of_constant(self) -> list[int]:
        plan = self.plan
        return [
            d for d in self.nest.of_kind(linalg.PARALLEL) if d not in (plan.column, plan.row) and self._right_depends(d)
        ]

    def _prepack(self, b: Builder) -> _Panel | None:
        """Panels of a constant operand, as a constant of their own: [outer..., panel, K..., column]."""
        packing, block = self.plan.packing, self.plan.block
        if packing is None:
            return None
        constant = _constant_of(packing.access)
        dims = [*self._outer_of_constant(), *self.reductions, self.plan.column]
        extents = [self.nest.extents[d] for d in dims]
        if constant is None or not all(isinstance(e, int) for e in extents):
            return None
        sizes = cast("list[int]", extents)
        module = _module_of(b)
        panels = -(-sizes[-1] // block.columns)
        name = f"{constant.name}_panels_{'x'.join(map(str, (*sizes, block.columns)))}"
        shape = (
            *sizes[: len(sizes) - 1 - len(self.reductions)],
            panels,
            *sizes[-1 - len(self.reductions) : -1],
            block.columns,
        )
        if lookup(module, name) is None:
            array = self._packed_array(constant.array, packing, dims, sizes, panels)
            assert array.shape == shape
            memref.global_(module, Constant(name, array), MemRefType(shape, packing.access.type.element))
        of = MemRefType(shape, packing.access.type.element)
        return _Panel(memref.get_global(b, name, of), [])

    def _packed_array(
        self, array: npt.NDArray[Any], packing: Packing, dims: list[int], sizes: list[int], panels: int
    ) -> npt.NDArray[Any]:
        columns = self.plan.block.columns
        padded = [*sizes[:-1], panels * columns]
        grids = list(np.meshgrid(*(np.arange(s) for s in padded), indexing="ij", sparse=True))
        grids[-1] = np.minimum(grids[-1], sizes[-1] - 1)
        original: list[Any] = [0] * len(packing.extents)
        for dim, grid in zip(dims, grids, strict=True):
            group = packing.origin[dim]
            shape = [cast(int, packing.extents[o]) for o in group]
            for o, part in zip(group, np.unravel_index(grid, shape), strict=True):
                original[o] = part
        picked = array[packing.access.map.evaluate(original)]
        picked = np.broadcast_to(picked, padded).copy()
        picked[..., sizes[-1] :] = 0
        lead = len(sizes) - 1 - len(self.reductions)
        split = picked.reshape([*padded[:-1], panels, columns])
        return np.ascontiguousarray(np.moveaxis(split, -2, lead))


# helpers


def _load_vector(b: Builder, buffer: Value, where: Sequence[Value], mask: Value | None, t: VectorType) -> Value:
    """Lanes outside the mask are 0."""
    if mask is None:
        return vector.load(b, buffer, where, t)
    return vector.masked_load(b, buffer, where, mask, arith.constant(b, 0, t))


def _loop_over(
    b: Builder, dims: Sequence[tuple[int, Size]], positions: list[Size], body: Callable[[Builder], None]
) -> None:
    if not dims:
        body(b)
        return
    (dim, extent), rest = dims[0], dims[1:]

    def inner(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
        positions[dim] = args[0]
        _loop_over(ib, rest, positions, body)
        return ()

    scf.for_(b, as_value(b, 0), as_value(b, extent), as_value(b, 1), (), inner)


def _transposed(b: Builder, rows: list[Value]) -> list[Value]:
    """A square block of vectors turned: element j of result i is element i of row j. Halves, quarters ... swap."""
    lanes = len(rows)
    half = lanes // 2
    while half:
        upper = [lane if lane & half == 0 else lanes + lane - half for lane in range(lanes)]
        lower = [lane + half if lane & half == 0 else lanes + lane for lane in range(lanes)]
        for i in range(lanes):
            if i & half == 0:
                first, second = rows[i], rows[i + half]
                rows[i] = vector.shuffle(b, first, second, upper)
                rows[i + half] = vector.shuffle(b, first, second, lower)
        half //= 2
    return rows


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


def _constant_of(access: Access) -> Constant | None:
    """The data of a constant operand of identity layout."""
    op = access.buffer.defining_op("memref.get_global")
    if op is None:
        return None
    block = op.parent
    assert block is not None
    declaration = lookup(_module_of(Builder(block)), cast(SymbolRef, op.attributes["name"]).name)
    value = declaration.attributes.get("initial_value") if declaration is not None else None
    return value.value if isinstance(value, DenseAttr) and isinstance(value.value, Constant) else None


def _module_of(b: Builder) -> Operation:
    op = b.block.parent_op
    while op is not None and op.name != "builtin.module":
        op = op.parent_op
    assert op is not None, "a builder outside any module"
    return op


def _contiguous_copy(b: Builder, buffer: Value) -> Value:
    shape = indexing.buffer_shape(b, buffer)
    copy = memref.alloc(b, shape, memref.memref_type(buffer).element)
    positions: list[Size] = [0] * len(shape)

    def element(ib: Builder) -> None:
        where = [as_value(ib, p) for p in positions]
        memref.store(ib, memref.load(ib, buffer, where), copy, where)

    _loop_over(b, list(enumerate(shape)), positions, element)
    return copy


def _flatten(b: Builder, buffer: Value) -> Value:
    of = memref.memref_type(buffer)
    if of.rank == 1:
        return buffer
    extent = None if None in of.shape else math.prod(cast("tuple[int, ...]", of.shape))
    return memref.collapse_shape(b, buffer, (tuple(range(of.rank)),), MemRefType((extent,), of.element))


def _row_major(b: Builder, shape: Sequence[Size]) -> list[Size]:
    strides: list[Size] = []
    step: Size = 1
    for extent in reversed(shape):
        strides.append(step)
        step = indexing.mul(b, step, extent)
    return strides[::-1]


def _constant_offset(b: Builder, indexing_map: AffineMap, strides: Sequence[Size]) -> Size:
    """The address of the origin: the part of an address that is there whatever the dimensions are."""
    total: Size = 0
    for e, stride in zip(indexing_map.results, strides, strict=True):
        total = indexing.add(b, total, indexing.mul(b, cast(int, e.evaluate([0] * indexing_map.num_dims)), stride))
    return total
