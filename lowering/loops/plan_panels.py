"""The schedule of a contraction whose right operand is read from panels, by the cost model; and what others it may have.

In: the merged `Nest`, which dimension runs across lanes and which makes rows, and the right operand. Out: a `Schedule`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ...ir.dialects import linalg
from ...ir.dialects.tensor import Size
from ...ir.schedule import Schedule
from ...ir.target import Target, element_bytes
from . import schedule
from .nest import Nest, depends_on, is_unit_along
from .pack_panels import Packing, constant_of


@dataclass(frozen=True)
class Panels:
    nest: Nest
    """Merged."""
    column: int
    row: int | None
    lanes: int
    packing: Packing
    row_step: int | None
    """Elements between rows of the left operand; None where only the run time knows."""
    element: int
    """Bytes of one."""
    prefers_rows: bool
    """Whether threads had better share out rows than panels, where panels are constants."""
    target: Target

    @property
    def rows(self) -> Size:
        return 1 if self.row is None else self.nest.extents[self.row]

    @property
    def columns(self) -> Size:
        return self.nest.extents[self.column]

    @cached_property
    def reductions(self) -> list[int]:
        return self.nest.of_kind(linalg.REDUCTION)

    @cached_property
    def others(self) -> list[int]:
        """Dimensions of the result that are neither rows nor columns."""
        return [d for d in self.nest.of_kind(linalg.PARALLEL) if d not in (self.row, self.column)]

    @cached_property
    def spread(self) -> list[int]:
        """Those of them that panels do not depend on."""
        return [d for d in self.others if not self.packing.depends_on(d)]

    @cached_property
    def has_constant_panels(self) -> bool:
        """Whether all panels are packed at compile time."""
        dims = [*(d for d in self.others if d not in self.spread), *self.reductions, self.column]
        return constant_of(self.packing.access) is not None and all(isinstance(self.nest.extents[d], int) for d in dims)

    def schedule(self) -> Schedule:
        """The model's choice."""
        target = self.target
        block = schedule.choose_block(self.rows, self.columns, self.lanes, self.row_step, self.element, target, broadcast=True)
        depth = schedule.reduction_chunk(self._extent(self.reductions[0]), self.element, block, target) if self.can_keep_sums else None
        reduction = depth or _size(self.nest, self.reductions, 512)
        chunk = schedule.rows_per_chunk(
            self.rows, reduction, self.element, self.columns, block, _size(self.nest, self.others, 1), target, by_rows=self.prefers_rows
        )
        spread: Sequence[int | None] = ()
        if self.has_constant_panels:
            spread = [1] * len(self.spread)
            if self.prefers_rows:
                known = [e for d in self.others if d not in self.spread and isinstance(e := self._extent(d), int)]
                spread = schedule.spread_sizes([self._extent(d) for d in self.spread], math.prod(known), target)
        chosen = Schedule(
            "panels",
            rows=block.rows,
            vectors=block.vectors,
            unroll=block.unroll,
            depth=depth or 0,
            chunk=chunk or 0,
            axis="rows" if self.prefers_rows else "panels",
            spread=tuple(size or 0 for size in spread),
        )
        fetches = ends_far(self.nest, self.row, self.column, block, reduction, target)
        return replace(chosen, next_panel=self._next_panel_pays(chosen), fetch_result=fetches)

    def _extent(self, dim: int) -> Size:
        return self.nest.extents[dim]

    def can_fetch_next(self, s: Schedule) -> bool:
        """Whether the next panel, and how many rows share the fetching of it, are known at compile time."""
        known = self.has_constant_panels and len(self.reductions) == 1 and (s.chunk or isinstance(self.rows, int))
        return bool(known) and (not s.depth or _is_multiple(self._extent(self.reductions[0]), s.depth))

    @property
    def can_keep_sums(self) -> bool:
        """Whether the result can hold sums of a part of the steps: there is one dimension of them, and the buffer of sums, which is
        not the one of finished elements, lies along the lanes, too."""
        return len(self.reductions) == 1 and is_unit_along(self.nest.outputs[0], self.column)

    def _next_panel_pays(self, s: Schedule) -> bool:
        """Where panels do not stay in the cache, and tiles are many. The hardware's own prefetcher is late at the start of each
        page, and a panel is several pages."""
        rows = s.chunk or self.rows
        if not self.can_fetch_next(s) or not isinstance(rows, int):
            return False
        outer = _size(self.nest, [d for d in self.others if d not in self.spread], 1)
        panels = -(-_size(self.nest, [self.column], 1) // (s.vectors * self.lanes)) * s.vectors * self.lanes
        size = outer * panels * _size(self.nest, self.reductions, 1) * element_bytes(self.packing.access.type.element)
        return size > self.target.l2_bytes // 2 and rows >= 2 * s.rows

    def check(self, s: Schedule) -> tuple[str, str] | None:
        """(field, why) where a schedule makes no sense here."""
        steps = self._extent(self.reductions[0])
        if s.depth and not self.can_keep_sums:
            return "depth", "is for sums over one dimension, kept in a buffer that lies along the lanes"
        if s.depth and isinstance(steps, int) and s.depth > steps:
            return "depth", f"is at most {steps}, which are all steps"
        if s.chunk and isinstance(self.rows, int) and s.chunk > self.rows:
            return "chunk", f"is at most {self.rows}, which are all rows"
        if s.axis == "rows" and not self.has_constant_panels:
            return "axis", "can be `rows` only where panels are packed at compile time"
        count = len(self.spread) if self.has_constant_panels else 0
        if len(s.spread) != count:
            return "spread", f"has {count} {'entry' if count == 1 else 'entries'}, one for each further dimension"
        for size, dim in zip(s.spread, self.spread, strict=False):
            extent = self._extent(dim)
            if isinstance(extent, int) and size > extent:
                return "spread", f"is at most {extent} there"
        if s.next_panel and not self.can_fetch_next(s):
            return "next_panel", "needs constant panels, a sum over one dimension, and rows that are known at compile time"
        return None


def ends_far(nest: Nest, row: int | None, column: int, block: schedule.Block, steps: int, target: Target) -> bool:
    """Whether tiles fetch what they end with before they begin (`schedule.fetches_result`); not where sizes are unknown."""
    read = [] if nest.epilogue is None else [a for a in nest.epilogue.inputs if a is not None]
    near = [a for a in read if row is not None and depends_on(a, row) and depends_on(a, column)]
    shapes = [a.type.shape for a in (*near, nest.stores()[0])]
    if any(e is None for shape in shapes for e in shape):
        return False
    size = _size(nest, nest.of_kind(linalg.PARALLEL), 0) * (1 + len(near)) * element_bytes(nest.stores()[0].type.element)
    return schedule.fetches_result(block, steps, len(near), size, target)


def _size(nest: Nest, dims: Sequence[int], unknown: int) -> int:
    return math.prod(e if isinstance(e, int) else unknown for e in (nest.extents[d] for d in dims))


def _is_multiple(extent: Size, of: int) -> bool:
    return isinstance(extent, int) and extent % of == 0
