"""Schedules that are near one, in the order in which they are worth trying: what tuning goes through.

In: a schedule. Out: others that differ in one decision, or in two that belong together. Which of them a group can have, the
lowering says (`settle_schedule.py`): what is not possible is not measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from ...ir.schedule import Schedule
from ...ir.target import Target

_TILES: Final = ((13, 2), (14, 2), (8, 3), (6, 4), (12, 2), (26, 1), (14, 1), (7, 2), (7, 4), (4, 4), (4, 6), (2, 8), (6, 2), (8, 1))
"""Register tiles of 32 registers; those for 16 are among them."""

_DEPTHS: Final = (256, 512, 768)
_DISTANCES: Final = (8, 16)


def neighbours(s: Schedule, target: Target) -> Iterator[Schedule]:
    """Each once; `s` is not among them."""
    seen = {s}
    for other in _OF[s.algorithm](s, target):
        if other not in seen and other.rows * other.vectors <= target.vector_registers - 1:
            seen.add(other)
            yield other


def _loops(s: Schedule, target: Target) -> Iterator[Schedule]:
    del target
    yield replace(s, written_out=not s.written_out)
    for inner in range(4):
        yield replace(s, inner=inner)


def _tiles(s: Schedule, target: Target) -> Iterator[Schedule]:
    def tile(rows: int, vectors: int) -> Schedule:
        return replace(s, rows=rows, vectors=vectors, unroll=_unroll(rows * vectors))

    for rows, vectors in _TILES:
        yield tile(rows, vectors)
    for rows in (s.rows + 1, s.rows - 1, s.rows + 2, s.rows - 2):
        if rows > 0:
            yield tile(rows, s.vectors)
    for vectors in (s.vectors * 2, s.vectors // 2):
        if vectors > 0:
            yield tile(s.rows, vectors)


def _unrolls(s: Schedule) -> Iterator[Schedule]:
    yield replace(s, unroll=2 * s.unroll)
    if s.unroll > 1:
        yield replace(s, unroll=s.unroll // 2)


def _unroll(cells: int) -> int:
    return max(1, min(8, -(-32 // cells)))


def _vectors(s: Schedule, target: Target) -> Iterator[Schedule]:
    yield from _tiles(s, target)
    yield from _unrolls(s)


def _in_place(s: Schedule, target: Target) -> Iterator[Schedule]:
    yield Schedule("panels", rows=s.rows, vectors=s.vectors, unroll=s.unroll)
    yield from _vectors(s, target)


def _panels(s: Schedule, target: Target) -> Iterator[Schedule]:
    tiles = list(_tiles(s, target))
    yield from tiles[:4]
    if target.cores > 1:
        yield replace(s, axis="panels" if s.axis == "rows" else "rows")
    yield replace(s, fetch_result=not s.fetch_result)
    yield replace(s, next_panel=not s.next_panel)
    for distance in _DISTANCES:
        yield replace(s, prefetch=distance if s.prefetch != distance else 0)
    yield replace(s, algorithm="in-place", depth=0, chunk=0, axis="panels", spread=(), prefetch=0, next_panel=False)
    for depth in (*_DEPTHS, 0):
        yield replace(s, depth=depth, next_panel=False)
    yield from _unrolls(s)
    for chunk in _sizes(s.chunk, s.rows):
        yield replace(s, chunk=chunk)
    for spread in _spreads(s.spread):
        yield replace(s, spread=spread)
    yield from tiles[4:]
    for rows in (1, 2, 4):
        yield Schedule("winograd", outputs=2, tile_rows=rows, tile_columns=7)
        yield Schedule("winograd", outputs=2, tile_rows=rows, tile_columns=14)


def _sizes(size: int, least: int) -> Iterator[int]:
    if size:
        yield from (2 * size, size // 2, 0)
    else:
        yield from (8 * least, 4 * least, 28 * least)


def _spreads(spread: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    for i, size in enumerate(spread):
        for other in (2 * size, max(1, size // 2), 1, 0):
            yield (*spread[:i], other, *spread[i + 1 :])


def _winograd(s: Schedule, target: Target) -> Iterator[Schedule]:
    for rows, columns in (
        (2 * s.tile_rows, s.tile_columns),
        (max(1, s.tile_rows // 2), s.tile_columns),
        (1, max(1, s.tile_columns // 2)),
        (s.tile_rows, max(1, s.tile_columns // 2)),
        (4 * s.tile_rows, s.tile_columns),
        (max(1, s.tile_rows // 4), s.tile_columns),
    ):
        yield replace(s, tile_rows=rows, tile_columns=columns)
    tile = Schedule("panels", rows=13 if target.vector_registers >= 32 else 6, vectors=2)
    yield replace(tile, unroll=_unroll(tile.rows * tile.vectors), axis="rows", spread=(0, 0))
    yield replace(s, outputs=6 - s.outputs)


_OF: Final = {"loops": _loops, "vectors": _vectors, "in-place": _in_place, "panels": _panels, "winograd": _winograd}
