"""Decides how a reduction is tiled: which dimension runs across lanes, which makes rows, what is packed.

In: a `Nest`. Out: a `Plan` over merged dimensions, or None where the nest is left to scalar loops. Sizes come from
`schedule.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from ...ir.affine import AffineDim
from ...ir.builder import Builder
from ...ir.core import Value
from ...ir.dialects import linalg, memref
from ...ir.dialects.tensor import Size
from ...ir.schedule import Algorithm, Schedule
from ...ir.target import Target, element_bytes
from ...ir.types import F32, F64, I32, I64
from . import schedule
from .dot_products import Dot, dot_of, in_steps
from .nest import (
    Access,
    Nest,
    coefficients,
    contiguous_copy,
    depends_on,
    is_unit_along,
    materialize,
    merge_dimensions,
    step_along,
)
from .pack_panels import Packer, Packing, constant_of
from .plan_panels import Panels, ends_far
from .settle_schedule import Group
from .vector_body import has_vector_elements, is_vectorizable, product_of

_ACCUMULATORS: Final = frozenset({F32, F64, I32, I64})


def plan_tiles(b: Builder, nest: Nest, target: Target, group: Group) -> Plan | None:
    """The plan of a nest that has the form of a tile; views and copies it needs are made at `b`. `group` may bring a schedule."""
    if not _has_form(nest) or _lanes(nest, target) < 2 or not group.allows("vectors", "in-place", "panels"):
        return None
    if product_of(nest) is not None:
        return _plan_product(b, nest, target, group)
    return _plan_reduction(b, nest, target, group)


# form


def _has_form(nest: Nest) -> bool:
    if len(nest.outputs) != 1 or linalg.REDUCTION not in nest.kinds or linalg.PARALLEL not in nest.kinds:
        return False
    if nest.outputs[0].type.element not in _ACCUMULATORS:
        return False
    if any(depends_on(nest.outputs[0], d) for d in nest.of_kind(linalg.REDUCTION)):
        return False
    blocks = [nest.body] + ([nest.epilogue.body] if nest.epilogue is not None else [])
    return all(is_vectorizable(block) for block in blocks) and all(map(has_vector_elements, nest.accesses()))


@dataclass(frozen=True)
class Plan:
    nest: Nest
    """Merged; views made."""
    column: int
    """The dimension across lanes."""
    row: int | None
    """The dimension of the tile's rows."""
    schedule: Schedule
    lanes: int
    right: int | None = None
    """The input that is read from panels."""
    packer: Packer | None = None
    temporary: Value | None = None
    """A contiguous copy of a strided right operand, to be freed afterwards."""
    dot: Dot | None = None
    """Where one step adds up several products in each lane."""

    @property
    def block(self) -> schedule.Block:
        return schedule.Block(self.schedule.rows, self.schedule.vectors, self.lanes)

    @property
    def chunk(self) -> int | None:
        """Rows that one parallel iteration works on; None for all."""
        return self.schedule.chunk or None

    @property
    def by_rows(self) -> bool:
        """Whether threads share out rows of the result, each for all panels, rather than panels."""
        return self.schedule.axis == "rows"

    def unroll(self, rows: int, vectors: int) -> int:
        """Steps per iteration for a tile that may have fewer rows than most: as many as it takes to do as much."""
        own = self.schedule.unroll
        return schedule.Block(rows, vectors, self.lanes).unroll if own == self.block.unroll else own

    @property
    def depth(self) -> int | None:
        """Steps of the (only) reduction dimension done at a time, the output holding partial sums; None for all."""
        return None if self.packer is None else self.packer.depth


def _column_of(nest: Nest) -> int | None:
    """The parallel dimension along which the stored output is contiguous."""
    out = nest.stores()[0]
    if not out.map.results or not isinstance(out.map.results[-1], AffineDim):
        return None
    dim = out.map.results[-1].position
    if nest.kinds[dim] != linalg.PARALLEL or not is_unit_along(out, dim):
        return None
    # Everything read once per output element must be there as a vector or a scalar, too.
    once = nest.starts()
    if nest.epilogue is not None:
        once += [a for a in nest.epilogue.inputs if a is not None]
    return dim if all(_vector_or_scalar(a, dim) for a in once) else None


def _vector_or_scalar(access: Access, dim: int) -> bool:
    return not depends_on(access, dim) or is_unit_along(access, dim)


def _lanes(nest: Nest, target: Target) -> int:
    return max(1, target.vector_bytes // max(element_bytes(a.type.element) for a in nest.outputs))


def _size(nest: Nest, dims: Sequence[int], unknown: int) -> int:
    return math.prod(e if isinstance(e, int) else unknown for e in (nest.extents[d] for d in dims))


def _plan_reduction(b: Builder, nest: Nest, target: Target, group: Group) -> Plan | None:
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
    if not group.allows("vectors"):
        return None
    return Plan(merged, column, None, _settled_tile(group, "vectors", block, merged, None, column, target), lanes)


def _plan_product(b: Builder, nest: Nest, target: Target, group: Group) -> Plan | None:
    merged, _ = merge_dimensions(b, nest)
    column = _column_of(merged)
    if column is None:
        return None
    inputs = cast("tuple[Access, Access]", merged.inputs)
    on_column = [i for i in (0, 1) if depends_on(inputs[i], column)]
    if len(on_column) == 2:
        return _plan_both_vectors(b, merged, column, target, group)
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
    in_place = False
    if constant_of(inputs[right]) is None:
        if count < schedule.MIN_PACKED_ROWS and not (unit or group.wanted == "panels"):
            return None
        in_place = unit and (count < schedule.MIN_PACKED_ROWS or (not window and count <= schedule.DIRECT_ROWS))
    if group.wanted in ("in-place", "panels"):
        in_place = unit and group.wanted == "in-place"
    if in_place:
        return _plan_direct(b, merged, column, left, right, rows, target, group)
    return _plan_packed(b, nest, right, target, group)


def _plan_both_vectors(b: Builder, nest: Nest, column: int, target: Target, group: Group) -> Plan | None:
    """Both operands run along the lanes (a depthwise convolution with channels last)."""
    if not all(is_unit_along(a, column) for a in nest.inputs if isinstance(a, Access)):
        return None
    lanes = _lanes(nest, target)
    extent = nest.extents[column]
    if isinstance(extent, int) and extent < lanes:
        return None
    operands = cast("tuple[Access, Access]", nest.inputs)
    rows = [d for d in nest.of_kind(linalg.PARALLEL) if depends_on(operands[0], d) != depends_on(operands[1], d)]
    row = _longest(nest, rows)  # the rows of a tile share what does not depend on them
    nest = materialize(b, nest)
    row_extent: Size = 1 if row is None else nest.extents[row]
    block = schedule.choose_block(
        row_extent, extent, lanes, 0, element_bytes(nest.outputs[0].type.element), target, broadcast=False
    )
    return Plan(nest, column, row, _settled_tile(group, "vectors", block, nest, row, column, target), lanes)


def _plan_direct(
    b: Builder, nest: Nest, column: int, left: int, right: int, rows: list[int], target: Target, group: Group
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
    return Plan(nest, column, row, _settled_tile(group, "in-place", block, nest, row, column, target), lanes)


def _settled_tile(
    group: Group, algorithm: Algorithm, block: schedule.Block, nest: Nest, row: int | None, column: int, target: Target
) -> Schedule:
    fetches = ends_far(nest, row, column, block, _size(nest, nest.of_kind(linalg.REDUCTION), 512), target)
    model = Schedule(algorithm, rows=block.rows, vectors=block.vectors, unroll=block.unroll, fetch_result=fetches)
    rows: Size = 1 if row is None else nest.extents[row]
    return group.settle(model, lambda s: _checked_tile(s, rows, nest.extents[column], block.lanes, target))


def _checked_tile(s: Schedule, rows: Size, columns: Size, lanes: int, target: Target) -> tuple[str, str] | None:
    """(field, why) where a register tile cannot be, or is larger than what it is a tile of."""
    if s.rows * s.vectors > target.vector_registers:
        return "rows", f"times `vectors` are {s.rows * s.vectors} registers; {target.name} has {target.vector_registers}"
    if isinstance(rows, int) and s.rows > max(1, rows):
        return "rows", f"is at most {rows}, which are all rows"
    if isinstance(columns, int) and s.vectors > 1 and (s.vectors - 1) * lanes >= columns:
        return "vectors", f"is at most {-(-columns // lanes)}, which hold all {columns} columns"
    return None


def _longest(nest: Nest, dims: Sequence[int]) -> int | None:
    def extent(d: int) -> int:
        e = nest.extents[d]
        return e if isinstance(e, int) else 1 << 30

    return max(dims, key=lambda d: (extent(d), d), default=None)


def _plan_packed(b: Builder, nest: Nest, right: int, target: Target, group: Group) -> Plan | None:
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
    packing = Packing(access, origin, nest.extents)
    across = origin[column]
    if memref.memref_type(access.buffer).layout is not None and not (
        len(across) == 1 and is_unit_along(access, across[0])
    ):
        temporary = contiguous_copy(b, access.buffer)
        packing = Packing(Access.of(temporary, access.map), origin, nest.extents)
    operand = cast(Access, merged.inputs[left])
    lanes = _lanes(merged, target)
    row_extent: Size = 1 if row is None else merged.extents[row]
    step = 0 if row is None else step_along(operand, row)
    size = element_bytes(operand.type.element)
    dot = None if constant_of(access) is None else dot_of(merged, left, target)
    if dot is not None:
        merged, size = in_steps(merged, left, dot), element_bytes(I32)
        step = None if step is None else step // dot.step
    facts = Panels(merged, column, row, lanes, packing, step, size, _shares_rows(merged, left, access), target)
    chosen = group.settle(facts.schedule(), lambda s: _checked_tile(s, row_extent, merged.extents[column], lanes, target) or facts.check(s))
    packer = Packer(merged, column, schedule.Block(chosen.rows, chosen.vectors, lanes), packing, chosen.depth or None, dot)
    return Plan(merged, column, row, chosen, lanes, right, packer, temporary, dot)


def _shares_rows(nest: Nest, left: int, weights: Access) -> bool:
    """Whether threads had better share out rows of an image than panels of constant weights: where the image is the larger one.

    What a core has computed is in its cache: the next layer finds it there if it gives the same rows to the same core, while
    weights are only read, and may be in all caches.
    """
    constant = constant_of(weights)
    if constant is None:
        return False
    shapes = [memref.memref_type(a.buffer).shape for a in (cast(Access, nest.inputs[left]), nest.stores()[0])]
    if any(None in shape for shape in shapes):
        return True
    return constant.array.size <= sum(math.prod(cast("tuple[int, ...]", shape)) for shape in shapes)
