"""The cost model of attention: how many queries and keys are worked on at a time, from the sizes and facts about the target.

In: extents of queries, keys, what a score sums, elements of a value (None: known at run time only), and how many heads there are. Out:
an `AttentionPlan`, which the loops carry as their attribute `schedule`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...ir.target import Target
from . import schedule

_ROWS: Final = 36
"""Queries of a block: a few register tiles high, so that keys and values that come from the second-level cache are used often."""

_KEYS: Final = 512
"""Keys of a block where not all fit: longer ones leave no room for values and scores, shorter ones rescale too often."""

_UNKNOWN_HEADS: Final = 1


@dataclass(frozen=True)
class AttentionPlan:
    rows: int
    """Queries of a block, whose scores are in memory at a time."""
    keys: int | None
    """Keys of a block, with maxima and sums carried from one to the next; None: all of them at once."""
    chunk: int
    """Queries of one task, a multiple of `rows`: keys are packed once for them."""
    scores: schedule.Block
    results: schedule.Block

    @property
    def text(self) -> str:
        keys = "all" if self.keys is None else str(self.keys)
        tiles = " ".join(f"{name}={b.rows}x{b.vectors}" for name, b in (("scores", self.scores), ("results", self.results)))
        return f"attention rows={self.rows} keys={keys} chunk={self.chunk} {tiles}"


def plan_attention(
    queries: int | None, keys: int | None, depth: int | None, width: int | None, heads: int | None, lanes: int, element: int, target: Target
) -> AttentionPlan:
    """`depth`: elements of a query and a key; `width`: of a value; `element`: bytes of what is computed with."""
    k, d = depth or 64, width or 64
    fit = target.l2_bytes // 2
    at_once = keys is not None and keys * (k + d) * element <= fit and keys * _ROWS * element <= fit // 2
    block_keys = None if at_once else max(4 * lanes, min(_KEYS, fit // ((k + d) * element) // (4 * lanes) * (4 * lanes)))
    count = keys if block_keys is None else block_keys
    rows = _ROWS if queries is None else -(-queries // -(-queries // _ROWS))
    chunk = _chunk(queries, rows, heads, block_keys is not None, d * element, target)
    scores = schedule.choose_block(rows, count or _KEYS, lanes, k, element, target, broadcast=True)
    results = schedule.choose_block(rows, d, lanes, (count or _KEYS) + lanes, element, target, broadcast=True)
    return AttentionPlan(rows, block_keys, chunk, scores, results)


def _chunk(queries: int | None, rows: int, heads: int | None, carried: bool, row_bytes: int, target: Target) -> int:
    """All queries of a head, unless there are fewer heads than tasks wanted, or results that are carried from one block of keys to
    the next would not stay in the cache."""
    most = max(1, target.l2_bytes // 8 // max(1, row_bytes) // rows) * rows if carried else None
    if queries is None:
        return most or 8 * rows
    parts = _pieces(schedule.pieces(target), max(1, heads or _UNKNOWN_HEADS))
    wanted = max(1, _pieces(_pieces(queries, parts), rows)) * rows
    return min(wanted, most) if most is not None else wanted


def _pieces(whole: int, size: int) -> int:
    return -(-whole // size)
