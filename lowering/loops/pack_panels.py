"""Packs the right operand of a tiled contraction into panels: [K...][columns], contiguous, whatever its own layout.

A panel holds the columns of one register tile for every step of the reduction. Constant operands are packed at compile
time into a constant of their own. For others, four ways in falling order of speed: whole vectors where columns are
neighbours in memory; blocks turned in registers where steps are (transposed weights); for windows (convolution), runs of
neighbours or of every second element as vectors, and single elements where a vector crosses the end of a row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ...ir.affine import AffineDim
from ...ir.attributes import Constant, DenseAttr, SymbolRef
from ...ir.builder import Builder
from ...ir.core import Operation, Value, lookup
from ...ir.dialects import arith, linalg, memref, scf, vector
from ...ir.dialects.tensor import Size
from ...ir.types import I1, I32, INDEX, MemRefType, VectorType
from .. import indexing
from ..indexing import as_value
from .background import finish, in_background
from .dot_products import Dot
from .nest import Access, Nest, coefficients, depends_on, is_unit_along
from .schedule import Block


@dataclass(frozen=True)
class Packing:
    """The right operand in its original dimensions, and what the nest's dimensions mean in these."""

    access: Access
    origin: list[tuple[int, ...]]
    """For each dimension of the nest the original ones it was merged from, outermost first."""
    extents: tuple[Size, ...]
    """Of the original dimensions."""

    def depends_on(self, dim: int) -> bool:
        """Whether the operand depends on a dimension of the nest."""
        return any(depends_on(self.access, o) for o in self.origin[dim])


@dataclass(frozen=True)
class Panel:
    """Packed columns: element (k..., c) is at [*lead, *k, c]."""

    buffer: Value
    lead: tuple[Value, ...] = ()
    is_constant: bool = False


@dataclass(frozen=True)
class Steps:
    """The part of the (only) reduction dimension that is done now: `count` steps from `lower` on."""

    lower: Size
    count: Size
    is_first: Value
    is_last: Value


Positions = Mapping[int, Size]
StepBody = Callable[[Builder, Positions, Positions], None]
"""(builder, positions in the panel by nest dimension, positions in the operand by original dimension)."""


@dataclass(frozen=True)
class Packer:
    nest: Nest
    column: int
    block: Block
    packing: Packing
    depth: int | None
    """Steps of the reduction that one panel holds; None for all."""
    dot: Dot | None = None
    """Where a step of the (constant) operand is several of its elements."""

    @property
    def reductions(self) -> list[int]:
        return self.nest.of_kind(linalg.REDUCTION)

    @property
    def outer(self) -> list[int]:
        """Other dimensions that the operand depends on."""
        parallel = self.nest.of_kind(linalg.PARALLEL)
        return [d for d in parallel if d != self.column and self.packing.depends_on(d)]

    @property
    def vector_type(self) -> VectorType:
        return VectorType((self.block.lanes,), self.packing.access.type.element)

    # constants

    def constant_panels(self, b: Builder) -> Panel | None:
        """All panels of a constant operand: [outer..., panel, K..., column]; `at_panel` selects one."""
        constant = constant_of(self.packing.access)
        dims = [*self.outer, *self.reductions, self.column]
        extents = [self.nest.extents[d] for d in dims]
        if constant is None or not all(isinstance(e, int) for e in extents):
            return None
        sizes = cast("list[int]", extents)
        module = module_of(b)
        name = f"{constant.name}_panels_{'x'.join(map(str, (*sizes, self.block.columns)))}"
        panels = -(-sizes[-1] // self.block.columns)
        lead = len(self.outer)
        element = self.packing.access.type.element if self.dot is None else I32
        of = MemRefType((*sizes[:lead], panels, *sizes[lead:-1], self.block.columns), element)
        known = lookup(module, name)
        array = np.empty(cast("tuple[int, ...]", of.shape), constant.array.dtype if self.dot is None else np.int32)
        fill = self._fill_panels if self.dot is None else partial(self._fill_dots, self.dot)
        in_background(partial(fill, array, constant.array, dims, sizes, panels))
        if known is not None:
            finish()
        while known is not None and not np.array_equal(_array_of(known), array):
            name = f"{name}_"
            known = lookup(module, name)
        if known is None:
            memref.global_(module, Constant(name, array), of)
        return Panel(memref.get_global(b, name, of), is_constant=True)

    def at_panel(self, b: Builder, panels: Panel, positions: Sequence[Size], number: Size) -> Panel:
        lead = (*(as_value(b, positions[d]) for d in self.outer), as_value(b, number))
        return Panel(panels.buffer, lead, is_constant=True)

    def _fill_dots(
        self, dot: Dot, result: npt.NDArray[Any], array: npt.NDArray[Any], dims: Sequence[int], sizes: Sequence[int], panels: int
    ) -> None:
        lead = len(self.outer)
        single = [*sizes[:-2], sizes[-2] * dot.step, sizes[-1]]
        elements = np.empty((*single[:lead], panels, *single[lead:-1], self.block.columns), array.dtype)
        self._fill_panels(elements, array, dims, single, panels)
        result[...] = dot.packed(elements)

    def _fill_panels(
        self, result: npt.NDArray[Any], array: npt.NDArray[Any], dims: Sequence[int], sizes: Sequence[int], panels: int
    ) -> None:
        moved = self._moved(array, dims)
        if moved is not None:
            _in_panels(result, moved, sizes, len(self.outer), panels, self.block.columns)
            return
        padded = [*sizes[:-1], panels * self.block.columns]
        grids = list(np.meshgrid(*(np.arange(s) for s in padded), indexing="ij", sparse=True))
        grids[-1] = np.minimum(grids[-1], sizes[-1] - 1)
        original: list[Any] = [0] * len(self.packing.extents)
        for dim, grid in zip(dims, grids, strict=True):
            group = self.packing.origin[dim]
            rest: Any = grid
            # not np.unravel_index: NumPy 2.4 gives wrong numbers for more than 8192 of them in two or more dimensions
            for o in reversed(group[1:]):
                rest, original[o] = np.divmod(rest, cast(int, self.packing.extents[o]))
            original[group[0]] = rest
        picked = np.broadcast_to(array[self.packing.access.map.evaluate(original)], padded).copy()
        picked[..., sizes[-1] :] = 0
        split = picked.reshape([*padded[:-1], panels, self.block.columns])
        result[...] = np.moveaxis(split, -2, len(self.outer))

    def _moved(self, array: npt.NDArray[Any], dims: Sequence[int]) -> npt.NDArray[Any] | None:
        """The array with its dimensions in the order of `dims`, those that were merged still apart; None if it is no permutation."""
        origins = [o for dim in dims for o in self.packing.origin[dim]]
        results = self.packing.access.map.results
        used = [e.position for e in results if isinstance(e, AffineDim)]
        if len(used) != len(results) or sorted(used) != sorted(origins) or len(self.packing.origin[dims[-1]]) != 1:
            return None
        moved = array.transpose([used.index(o) for o in origins])
        return moved if moved.shape == tuple(self.packing.extents[o] for o in origins) else None

    # run time

    def pack(
        self,
        b: Builder,
        positions: Sequence[Size],
        columns: Sequence[Size],
        masks: Sequence[Value | None],
        steps: Steps | None,
    ) -> Panel:
        """A fresh buffer with the panel that starts at `columns[0]`; to be deallocated by the caller."""
        ks = [self.depth or self.nest.extents[d] for d in self.reductions]
        panel = Panel(memref.alloc(b, [*ks, self.block.columns], self.packing.access.type.element))
        outer = self.decoded(b, {d: positions[d] for d in self.outer})
        run = _Run(self, panel, steps)
        if self.has_neighbouring_columns:
            run.copy_rows(b, outer, columns, masks)
        else:
            run.gather_columns(b, outer, columns)
        return panel

    @property
    def has_neighbouring_columns(self) -> bool:
        """Columns are neighbours in memory for every step."""
        group = self.packing.origin[self.column]
        return len(group) == 1 and is_unit_along(self.packing.access, group[0])

    @property
    def has_neighbouring_steps(self) -> bool:
        """Steps of the reduction are neighbours in memory for every column."""
        group = self.packing.origin[self.reductions[-1]]
        power_of_two = self.block.lanes & (self.block.lanes - 1) == 0
        return power_of_two and len(group) == 1 and is_unit_along(self.packing.access, group[0])

    @property
    def column_step(self) -> int | None:
        """Elements between neighbouring columns inside a row of the operand, when vectors can serve: 1 or 2."""
        access = self.packing.access
        innermost = self.packing.origin[self.column][-1]
        using = [i for i, e in enumerate(access.map.results) if innermost in e.dims_used()]
        if using != [len(access.map.results) - 1]:
            return None
        factors = coefficients(access.map.results[-1], access.map.num_dims)
        stride = access.type.strides()[-1]
        step = None if factors is None or stride is None else factors[innermost] * stride
        return step if step in (1, 2) else None

    def decoded(self, b: Builder, positions: Positions) -> dict[int, Size]:
        """Original positions from those of nest dimensions."""
        original: dict[int, Size] = {}
        for dim, value in positions.items():
            rest = value
            group = self.packing.origin[dim]
            for o in reversed(group[1:]):
                extent = self.packing.extents[o]
                original[o] = indexing.rem(b, rest, extent)
                rest = indexing.floordiv(b, rest, extent)
            original[group[0]] = rest
        return original


@dataclass(frozen=True)
class _Run:
    """Code that fills one panel."""

    packer: Packer
    panel: Panel
    steps: Steps | None

    def copy_rows(self, b: Builder, outer: Positions, columns: Sequence[Size], masks: Sequence[Value | None]) -> None:
        """Whole vectors, one per step and vector of the panel."""
        access = self.packer.packing.access

        def copy(ib: Builder, ks: Positions, original: Positions) -> None:
            for j, column in enumerate(columns):
                at = {**outer, **original, **self.packer.decoded(ib, {self.packer.column: column})}
                dims = [at.get(d, 0) for d in range(access.map.num_dims)]
                where = [as_value(ib, indexing.apply(ib, e, dims)) for e in access.map.results]
                value = load_vector(ib, access.buffer, where, masks[j], self.packer.vector_type)
                self.store(ib, value, ks, j * self.packer.block.lanes)

        self.over_steps(b, copy)

    def gather_columns(self, b: Builder, outer: Positions, columns: Sequence[Size]) -> None:
        """The offset of each column is computed once per panel; an element is at base + offset of step + of column."""
        packer = self.packer
        lanes = packer.block.lanes
        address = _Address.of(b, packer.packing.access)
        base = address.at(b, outer, with_constant=True)
        last = indexing.sub(b, packer.nest.extents[packer.column], 1)
        offsets = memref.alloca(b, [packer.block.columns], INDEX)

        def remember(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
            # Columns past the end repeat the last one; they are computed and never stored.
            column = indexing.minimum(ib, indexing.add(ib, columns[0], args[0]), last)
            part = address.at(ib, packer.decoded(ib, {packer.column: column}))
            memref.store(ib, as_value(ib, part), offsets, [args[0]])
            return ()

        _loop(b, packer.block.columns, remember)
        gather = _Gather(
            self, address.flat, offsets, lambda ib, original: indexing.add(ib, base, address.at(ib, original))
        )
        step = packer.column_step
        for j in range(len(columns)):
            if packer.has_neighbouring_steps:
                gather.turn_blocks(b, j)
            elif step is not None:
                is_run = self._is_run(b, offsets, j * lanes, step)
                scf.if_(b, is_run, (), gather.vectors(j, step), gather.elements(j))
            else:
                gather.elements(j)(b, ())

    def _is_run(self, b: Builder, offsets: Value, first: int, step: int) -> Value:
        """Whether the columns of one vector are `step` elements apart."""

        def check(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
            here = memref.load(ib, offsets, [as_value(ib, indexing.add(ib, args[0], first))])
            following = memref.load(ib, offsets, [as_value(ib, indexing.add(ib, args[0], first + 1))])
            apart = arith.cmpi(ib, "eq", arith.subi(ib, following, here), as_value(ib, step))
            return [arith.andi(ib, args[1], apart)]

        return _loop(b, self.packer.block.lanes - 1, check, [arith.constant(b, True, I1)])[0]

    def store(self, b: Builder, value: Value, ks: Positions, column: int) -> None:
        where = [as_value(b, ks[d]) for d in self.packer.reductions]
        vector.store(b, value, self.panel.buffer, [*where, as_value(b, column)])

    def step_count(self, dim: int) -> Size:
        return self.packer.nest.extents[dim] if self.steps is None else self.steps.count

    def original_step(self, b: Builder, dim: int, step: Size) -> dict[int, Size]:
        """Original positions of a step of the panel."""
        lower = 0 if self.steps is None else self.steps.lower
        return self.packer.decoded(b, {dim: indexing.add(b, step, lower)})

    def over_steps(self, b: Builder, body: StepBody, dims: Sequence[int] | None = None) -> None:
        """Loops over dimensions of the reduction; merged ones as the loops they were merged from: no divisions."""
        packing = self.packer.packing

        def visit(ib: Builder, rest: Sequence[int], ks: Positions, original: Positions) -> None:
            if not rest:
                body(ib, ks, original)
                return
            dim = rest[0]
            if self.steps is None:
                split(ib, packing.origin[dim], 0, rest, ks, original)
                return

            def inner(jb: Builder, args: Sequence[Value]) -> Sequence[Value]:
                visit(jb, rest[1:], {**ks, dim: args[0]}, {**original, **self.original_step(jb, dim, args[0])})
                return ()

            _loop(ib, self.step_count(dim), inner)

        def split(
            ib: Builder, group: Sequence[int], flat: Size, rest: Sequence[int], ks: Positions, original: Positions
        ) -> None:
            if not group:
                visit(ib, rest[1:], {**ks, rest[0]: flat}, original)
                return
            extent = packing.extents[group[0]]

            def inner(jb: Builder, args: Sequence[Value]) -> Sequence[Value]:
                position = indexing.add(jb, indexing.mul(jb, flat, extent), args[0])
                split(jb, group[1:], position, rest, ks, {**original, group[0]: args[0]})
                return ()

            _loop(ib, extent, inner)

        visit(b, self.packer.reductions if dims is None else dims, {}, {})


@dataclass(frozen=True)
class _Gather:
    """Copies of columns whose offsets stand in a table."""

    run: _Run
    flat: Value
    offsets: Value
    base: Callable[[Builder, Positions], Size]
    """Address of a step (given by original positions) of a column at offset 0."""

    @property
    def lanes(self) -> int:
        return self.run.packer.block.lanes

    def _offset(self, b: Builder, column: int) -> Value:
        return memref.load(b, self.offsets, [as_value(b, column)])

    def vectors(self, j: int, step: int) -> scf.Body:
        """Vector j, whose columns are 1 or 2 elements apart."""
        t = self.run.packer.vector_type
        first = j * self.lanes

        def body(b: Builder, _: Sequence[Value]) -> Sequence[Value]:
            start = self._offset(b, first)

            def copy(ib: Builder, ks: Positions, original: Positions) -> None:
                at = indexing.add(ib, self.base(ib, original), start)
                value = vector.load(ib, self.flat, [as_value(ib, at)], t)
                if step == 2:
                    # The second load starts one element early, so that nothing past the last column is read.
                    behind = vector.load(ib, self.flat, [as_value(ib, indexing.add(ib, at, self.lanes - 1))], t)
                    half = self.lanes // 2
                    value = vector.shuffle(
                        ib, value, behind, [*range(0, 2 * half, 2), *range(self.lanes + 1, 2 * self.lanes, 2)]
                    )
                self.run.store(ib, value, ks, first)

            self.run.over_steps(b, copy)
            return ()

        return body

    def elements(self, j: int) -> scf.Body:
        """Vector j, element by element."""

        def body(b: Builder, _: Sequence[Value]) -> Sequence[Value]:
            self.run.over_steps(b, lambda ib, ks, original: self._one_by_one(ib, ks, original, j))
            return ()

        return body

    def _one_by_one(self, b: Builder, ks: Positions, original: Positions, j: int) -> None:
        base = self.base(b, original)

        def lane(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
            column = as_value(ib, indexing.add(ib, args[0], j * self.lanes))
            at = indexing.add(ib, base, memref.load(ib, self.offsets, [column]))
            value = memref.load(ib, self.flat, [as_value(ib, at)])
            where = [as_value(ib, ks[d]) for d in self.run.packer.reductions]
            memref.store(ib, value, self.run.panel.buffer, [*where, column])
            return ()

        _loop(b, self.lanes, lane)

    def turn_blocks(self, b: Builder, j: int) -> None:
        """Vector j of columns along which steps are neighbours: square blocks are loaded along the steps and turned in
        registers; steps that fill no block one by one."""
        run, lanes, t = self.run, self.lanes, self.run.packer.vector_type
        last = run.packer.reductions[-1]
        starts = [self._offset(b, j * lanes + c) for c in range(lanes)]

        def steps(ib: Builder, ks: Positions, original: Positions) -> None:
            count = run.step_count(last)
            main = indexing.sub(ib, count, indexing.rem(ib, count, lanes))

            def turn(jb: Builder, args: Sequence[Value]) -> Sequence[Value]:
                base = self.base(jb, {**original, **run.original_step(jb, last, args[0])})
                rows = [vector.load(jb, self.flat, [as_value(jb, indexing.add(jb, base, s))], t) for s in starts]
                for i, row in enumerate(transposed(jb, rows)):
                    run.store(jb, row, {**ks, last: indexing.add(jb, args[0], i)}, j * lanes)
                return ()

            def single(jb: Builder, args: Sequence[Value]) -> Sequence[Value]:
                self._one_by_one(jb, {**ks, last: args[0]}, {**original, **run.original_step(jb, last, args[0])}, j)
                return ()

            scf.for_(ib, as_value(ib, 0), as_value(ib, main), as_value(ib, lanes), (), turn)
            if main != count:
                scf.for_(ib, as_value(ib, main), as_value(ib, count), as_value(ib, 1), (), single)

        run.over_steps(b, steps, run.packer.reductions[:-1])


@dataclass(frozen=True)
class _Address:
    """Linear addresses of an access to a contiguous buffer."""

    access: Access
    flat: Value
    strides: tuple[Size, ...]
    constant: Size
    """Address of the origin."""

    @staticmethod
    def of(b: Builder, access: Access) -> _Address:
        shape = indexing.buffer_shape(b, access.buffer)
        strides: list[Size] = []
        step: Size = 1
        for extent in reversed(shape):
            strides.insert(0, step)
            step = indexing.mul(b, step, extent)
        constant: Size = 0
        for e, stride in zip(access.map.results, strides, strict=True):
            at_origin = cast(int, e.evaluate([0] * access.map.num_dims))
            constant = indexing.add(b, constant, indexing.mul(b, at_origin, stride))
        return _Address(access, _flatten(b, access.buffer), tuple(strides), constant)

    def at(self, b: Builder, positions: Positions, with_constant: bool = False) -> Size:
        """The part of the address that these dimensions make; parts of disjoint dimensions add up."""
        dims = [positions.get(d, 0) for d in range(self.access.map.num_dims)]
        result: Size = 0
        for e, stride in zip(self.access.map.results, self.strides, strict=True):
            result = indexing.add(b, result, indexing.mul(b, indexing.apply(b, e, dims), stride))
        return result if with_constant else indexing.sub(b, result, self.constant)


def _flatten(b: Builder, buffer: Value) -> Value:
    of = memref.memref_type(buffer)
    if of.rank == 1:
        return buffer
    extent = None if None in of.shape else math.prod(cast("tuple[int, ...]", of.shape))
    return memref.collapse_shape(b, buffer, (tuple(range(of.rank)),), MemRefType((extent,), of.element))


def _loop(b: Builder, count: Size, body: scf.Body, inits: Sequence[Value] = ()) -> list[Value]:
    return list(scf.for_(b, as_value(b, 0), as_value(b, count), as_value(b, 1), inits, body).results)


def load_vector(b: Builder, buffer: Value, where: Sequence[Value], mask: Value | None, t: VectorType) -> Value:
    """Lanes outside the mask are 0."""
    if mask is None:
        return vector.load(b, buffer, where, t)
    return vector.masked_load(b, buffer, where, mask, arith.constant(b, 0, t))


def transposed(b: Builder, rows: Sequence[Value]) -> list[Value]:
    """A square block of vectors turned: element j of result i is element i of row j. Halves, quarters ... swap."""
    turned = list(rows)
    lanes = len(turned)
    half = lanes // 2
    while half:
        upper = [lane if lane & half == 0 else lanes + lane - half for lane in range(lanes)]
        lower = [lane + half if lane & half == 0 else lanes + lane for lane in range(lanes)]
        for i in range(lanes):
            if i & half == 0:
                first, second = turned[i], turned[i + half]
                turned[i] = vector.shuffle(b, first, second, upper)
                turned[i + half] = vector.shuffle(b, first, second, lower)
        half //= 2
    return turned


def constant_of(access: Access) -> Constant | None:
    """The data of a constant operand."""
    op = access.buffer.defining_op("memref.get_global")
    if op is None:
        return None
    block = op.parent
    assert block is not None
    declaration = lookup(module_of(Builder(block)), cast(SymbolRef, op.attributes["name"]).name)
    value = declaration.attributes.get("initial_value") if declaration is not None else None
    return value.value if isinstance(value, DenseAttr) and isinstance(value.value, Constant) else None


def _in_panels(
    result: npt.NDArray[Any], array: npt.NDArray[Any], sizes: Sequence[int], outer: int, panels: int, columns: int
) -> None:
    """Panels of `columns` of the last dimension, zeros after its end, in one pass: [outer..., panel, the others..., column].

    `sizes`: extents of the result's dimensions, of which each may be several of the array's.
    """
    lead, volume = 0, 1  # how many of the array's dimensions are the outer ones
    while volume < math.prod(sizes[:outer]):
        volume *= array.shape[lead]
        lead += 1
    apart = result.reshape((*array.shape[:lead], panels, *array.shape[lead:-1], columns))
    whole = sizes[-1] // columns
    front = (slice(None),) * lead
    full = array[..., : whole * columns].reshape((*array.shape[:-1], whole, columns))
    apart[(*front, slice(whole))] = np.moveaxis(full, -2, lead)
    rest = array[..., whole * columns :]
    if rest.shape[-1]:
        last = apart[(*front, whole)]
        last[..., : rest.shape[-1]] = rest
        last[..., rest.shape[-1] :] = 0


def _array_of(declaration: Operation) -> npt.NDArray[Any]:
    return cast(Constant, cast(DenseAttr, declaration.attributes["initial_value"]).value).array


def module_of(b: Builder) -> Operation:
    op = b.block.parent_op
    while op is not None and op.name != "builtin.module":
        op = op.parent_op
    assert op is not None, "a builder outside any module"
    return op
