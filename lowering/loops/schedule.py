"""The cost model: register block, unrolling, packing and chunks of a tiled reduction, from facts about the target.

Everything that could be called a magic number of the tiler is here, as data with its reason. Costs are in cycles of one core, for
one step of the reduction over the whole result (`step_cycles`) or for one tile (`end_cycles`); sizes are in bytes or, where that
is said, in elements. What the model leaves out, and what was measured of it, is in docs/decisions/048.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ...ir.dialects.tensor import Size
from ...ir.target import Target

_SPARE_REGISTERS: Final = 2
"""Left to the scheduler: blocks that fill the register file to the brim spill."""

_MAX_COLUMNS: Final = 8
_UNROLLED_UPDATES: Final = 32
"""Multiply-adds in one iteration of the innermost loop, at least: the loop's own instructions vanish beside them."""

_UNKNOWN_ROWS: Final = 64
_UNKNOWN_COLUMNS: Final = 256


@dataclass(frozen=True)
class Block:
    """A register tile: `rows` x (`vectors` of `lanes` elements)."""

    rows: int
    vectors: int
    lanes: int

    @property
    def columns(self) -> int:
        return self.vectors * self.lanes

    @property
    def unroll(self) -> int:
        """Steps of the reduction per iteration of the innermost loop."""
        return max(1, min(8, -(-_UNROLLED_UPDATES // (self.rows * self.vectors))))


def choose_block(
    rows: Size, columns: Size, lanes: int, row_step: int | None, element: int, target: Target, broadcast: bool
) -> Block:
    """The block with the fewest cycles per reduction step over the whole output.

    `row_step`: elements between rows of the operand that is broadcast (None: only known at run time); `broadcast`: that
    operand is one scalar per row, the other a vector per column (else both are vectors; the tile only hides latency).
    """
    m = max(1, rows) if isinstance(rows, int) else _UNKNOWN_ROWS
    n = max(1, columns) if isinstance(columns, int) else _UNKNOWN_COLUMNS
    most_rows = _row_limit(row_step, element, target)
    available = target.vector_registers - _SPARE_REGISTERS
    best: tuple[float, int, Block] | None = None
    for vectors in range(1, _MAX_COLUMNS + 1):
        fitting = (available - vectors - 1) // vectors if broadcast else _cells_in_flight(target) // vectors
        limit = min(fitting, most_rows, max(1, m))
        if limit < 1 or (vectors > 1 and (vectors - 1) * lanes >= n):
            continue
        for count in {limit, max(1, limit - 1), max(1, limit - 2)}:
            block = Block(count, vectors, lanes)
            cycles = step_cycles(block, m, n, target, broadcast=broadcast)
            candidate = (cycles, -count * vectors, block)
            if best is None or candidate[:2] < best[:2]:
                best = candidate
    assert best is not None
    return best[2]


def _row_limit(row_step: int | None, element: int, target: Target) -> int:
    """Rows whose addresses fit the general registers, and that do not fight for one set of the L1 cache."""
    if row_step is None:
        return 8
    way = target.l1_bytes // target.l1_ways
    if row_step and (row_step * element) % (way // 2) == 0:
        return max(1, target.l1_ways - 2)
    return 14


def _cells_in_flight(target: Target) -> int:
    """Multiply-adds that are under way at once. Where every cell loads operands of its own, more cells share nothing: they only
    need registers, and leave larger remainders."""
    return min(target.vector_registers // 2 - 1, target.fma_latency * max(2, target.fma_per_cycle))


def step_cycles(block: Block, m: int, n: int, target: Target, *, broadcast: bool) -> float:
    """Cycles of one reduction step over an m x n result: the longest of multiply-adds, loads, and waiting for one's own results."""
    row_blocks, column_blocks = -(-m // block.rows), -(-n // block.columns)
    rows = m / row_blocks
    updates = rows * block.vectors
    loads = rows + block.vectors if broadcast else updates + block.vectors
    # One multiply-add per accumulator and step: a small tile waits for its own results.
    step = max(updates / target.fma_per_cycle, loads / target.loads_per_cycle, float(target.fma_latency))
    return row_blocks * column_blocks * (step + 0.5)


def end_cycles(lines: int, target: Target) -> float:
    """Cycles until so many cache lines (what a tile ends with) have come from beyond the second-level cache."""
    return lines * _LINE / target.memory_bytes_per_cycle


def fetches_result(block: Block, steps: int, operands: int, far_bytes: int, target: Target) -> bool:
    """Whether a tile asks, before it begins, for what it ends with: its part of the result, and of `operands` that are added to it.

    `far_bytes`: of the result and these operands. They are far where that is more than half of the second-level cache, and worth
    waiting for where it takes a noticeable share of the tile's `steps`.
    """
    cells = block.rows * block.vectors
    lines = cells * (1 + operands) * max(1, target.vector_bytes // _LINE)
    arithmetic = steps * max(cells / target.fma_per_cycle, float(target.fma_latency))
    return far_bytes > target.l2_bytes // 2 and end_cycles(lines, target) > _NOTICED * arithmetic


_LINE: Final = 64
_NOTICED: Final = 0.15
"""Share of a tile's cycles: hiding less does not pay for asking."""


def split_rows(rows: int, most: int) -> tuple[int, int, int]:
    """(blocks, size, larger): `larger` blocks of `size + 1` rows, then the others of `size`: no small last block."""
    blocks = max(1, -(-rows // most))
    return blocks, rows // blocks, rows % blocks


def pieces(target: Target) -> int:
    """Parallel tasks wanted: a few for each core, to even out what else the cores do."""
    return 4 * target.cores if target.cores > 1 else 1


def spread_sizes(extents: Sequence[Size], outside: int, target: Target) -> list[int | None]:
    """How many positions of each dimension (outermost first) belong to one parallel task, where there are `outside` tasks
    already; None for all of them."""
    wanted, count = pieces(target), max(1, outside)
    sizes: list[int | None] = []
    for extent in extents:
        if count >= wanted:
            sizes.append(None)
        elif not isinstance(extent, int) or extent < 1:
            sizes.append(1)
        else:
            size = -(-extent // min(extent, -(-wanted // count)))
            count *= -(-extent // size)
            sizes.append(size)
    return sizes


def rows_per_chunk(
    rows: Size, reduction: Size, element: int, columns: Size, block: Block, others: Size, target: Target, *, by_rows: bool = False
) -> int | None:
    """Rows that one parallel task works on; None for all of them.

    Chunks keep the broadcast operand in half of L2, and give every core work when there are fewer panels than cores, or
    when each core is to have rows of its own (`by_rows`).
    """
    k = reduction if isinstance(reduction, int) else 512
    m = rows if isinstance(rows, int) else None
    most = max(block.rows, (target.l2_bytes // 2) // max(1, k * element))
    if isinstance(columns, int) and isinstance(others, int):
        tasks = max(1, others if by_rows else -(-columns // block.columns) * others)
        wanted = pieces(target)
        if tasks < wanted and m is not None:
            parts = -(-wanted // tasks)
            most = min(most, max(4 * block.rows, -(-m // parts)))
    if m is not None and m <= most + block.rows:
        return None
    if m is None or most < 2 * block.rows:
        return max(block.rows, most - most % block.rows)
    parts = -(-m // most)
    even = next((n for n in range(parts, 2 * parts) if m % n == 0 and m // n >= 2 * block.rows), None)
    return m // even if even is not None else -(-m // parts // block.rows) * block.rows


def reduction_chunk(reduction: Size, element: int, block: Block, target: Target) -> int | None:
    """Steps of a long reduction that are done for the whole output before the next ones; None for all at once.

    A panel then leaves most of L2 to the other operand. An even divisor is worth a little: no partial last chunk.
    """
    if not isinstance(reduction, int) or reduction * element * block.columns <= target.l2_bytes // 4:
        return None
    ideal = max(64, target.l2_bytes // 8 // (element * block.columns))
    ideal = max(ideal, _SHORTEST_CHUNK)
    if reduction < 2 * ideal:
        return None
    near = range(ideal - ideal % 8, ideal // 2, -8)
    even = next((n for n in near if reduction % n == 0), None)
    if even is not None:
        return even
    parts = -(-reduction // ideal)
    return -(-reduction // parts // 8) * 8


_SHORTEST_CHUNK: Final = 512
"""Shorter chunks would spend their time on loading and storing accumulators."""

_PARTIAL_SUM: Final = 256
"""Terms that one accumulator adds up before it starts anew: rounding of a running sum grows with the square root of their
number. Putting an accumulator aside costs a load, an addition and a store; one in 256 is not noticed."""


def sum_length(extent: Size, inside: int = 1) -> int | None:
    """Steps of a dimension, each of `inside` terms, that are added up by themselves; None for all of them."""
    ideal = max(1, _PARTIAL_SUM // inside)
    if not isinstance(extent, int):
        return ideal
    if extent * inside <= _PARTIAL_SUM * 3 // 2:
        return None
    multiple = 8 if ideal >= 64 else 1
    even = next((n for n in range(ideal - ideal % multiple, ideal // 2, -multiple) if extent % n == 0), None)
    if even is not None:
        return even
    parts = -(-extent // ideal)
    return -(-extent // parts // multiple) * multiple


MIN_PACKED_ROWS: Final = 4
"""Fewer rows than this do not pay for copying the other operand, when that is not known at compile time."""

DIRECT_ROWS: Final = 32
"""Up to this many rows a row-major right operand is read in place: packing it would cost a noticeable share."""
