"""Whether a 3x3 convolution is done by Winograd's algorithm, with which tile, and in what blocks: cycles of each choice.

The products become (m + 2)^2 / 9 m^2 of what they were: 16/36 for m = 2, 36/144 for m = 4. Against that stand the transforms,
the weights, which grow by (m + 2)^2 / 9 and may no longer fit into the cache, and tiles that hang over the edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from ...ir.target import Target
from ...ir.types import F32
from .winograd_transforms import TAPS, Transforms

_GAIN: Final = 0.92
"""Of the cycles of the direct way: less is not worth the rounding and the code."""

_TALL: Final = 14
"""Rows of a register block."""

_MOST_BLOCKS: Final = 64
"""Ways to cut an image that are tried: smaller blocks than these never win."""

_PRODUCT_OVERHEAD: Final = 1.1
"""Cycles of a product as it is measured, to those that its multiply-adds take."""
_MOST_CHANNELS: Final = 512
"""For m = 4: its rounding grows with the square root of the number of channels that are summed up."""


@dataclass(frozen=True)
class Problem:
    height: int
    width: int
    """Of the result."""
    channels: int
    given: int
    """Channels of the image and of the result."""
    images: int = 1


@dataclass(frozen=True)
class Algorithm:
    outputs: int
    """m: a tile is m x m elements of the result."""
    tile_rows: int
    tile_columns: int
    """Of a block, in tiles."""


def choose(problem: Problem, target: Target) -> Algorithm | None:
    """The fastest of those that the target's rounding allows; None for the direct convolution."""
    best, least = None, _GAIN * direct_cycles(problem, target)
    for outputs in (2, 4) if target.fast and problem.channels <= _MOST_CHANNELS else (2,):
        for algorithm in _candidates(problem, outputs):
            cycles = winograd_cycles(problem, algorithm, target)
            if cycles < least:
                best, least = algorithm, cycles
    return best


def first_candidate(problem: Problem) -> Algorithm:
    """Where it was asked for and no choice gains."""
    return Algorithm(2, 1, -(-problem.width // 2))


def check(algorithm: Algorithm, problem: Problem, target: Target) -> tuple[str, str] | None:
    """(field, why) where an algorithm is none for the problem, or rounds more than the target allows."""
    m = algorithm.outputs
    down, across = -(-problem.height // m), -(-problem.width // m)
    if m not in (2, 4):
        return "outputs", "is 2 or 4"
    if m == 4 and not (target.fast and problem.channels <= _MOST_CHANNELS):
        return "outputs", f"of 4 needs TORCHCC_PRECISION=fast and at most {_MOST_CHANNELS} channels, for its rounding"
    if not 1 <= algorithm.tile_rows <= down:
        return "tile_rows", f"is at most {down}, which are all rows of tiles"
    if not 1 <= algorithm.tile_columns <= across:
        return "tile_columns", f"is at most {across}, which are all columns of tiles"
    return None


def _candidates(problem: Problem, outputs: int) -> list[Algorithm]:
    """Blocks of whole rows of tiles, and of parts of one row."""
    down, across = -(-problem.height // outputs), -(-problem.width // outputs)
    whole = {-(-down // parts) for parts in range(1, min(down, _MOST_BLOCKS) + 1)}
    partial = {-(-across // parts) for parts in range(2, min(across, _MOST_BLOCKS) + 1)}
    found = [Algorithm(outputs, rows, across) for rows in sorted(whole | {1}, reverse=True)]
    return found + [Algorithm(outputs, 1, columns) for columns in sorted(partial, reverse=True)]


def _vectors(channels: int, target: Target) -> int:
    return -(-channels // target.lanes(F32))


def direct_cycles(problem: Problem, target: Target) -> float:
    """Of one image."""
    steps = problem.height * problem.width * TAPS * TAPS * problem.channels
    return _PRODUCT_OVERHEAD * steps * _vectors(problem.given, target) / target.fma_per_cycle


def winograd_cycles(problem: Problem, algorithm: Algorithm, target: Target) -> float:
    """Of one image."""
    transforms = Transforms(algorithm.outputs)
    m, n = transforms.outputs, transforms.products
    down, across = -(-problem.height // m), -(-problem.width // m)
    blocks = -(-down // algorithm.tile_rows) * -(-across // algorithm.tile_columns)
    tiles = algorithm.tile_rows * algorithm.tile_columns
    given = _vectors(problem.given, target)
    arithmetic = n * n * _rows(tiles, target) * problem.channels * given / target.fma_per_cycle
    weights = n * n * problem.channels * problem.given * 4
    scratch = n * n * tiles * (problem.channels + problem.given) * 4
    # All blocks read all weights, which are fetched ahead beside the arithmetic; it waits for those that come from memory.
    fetched = weights / _bytes(weights + scratch, target)
    waited = max(0, weights + scratch - target.l3_bytes) / target.memory_bytes_per_cycle
    products = max(_PRODUCT_OVERHEAD * arithmetic, fetched) + waited
    moved = 2 * scratch / _bytes(scratch, target)
    inputs = tiles * _vectors(problem.channels, target) * (n * transforms.operations + n * n)
    outputs = tiles * given * ((n + m) * transforms.operations / 2 + 0.5 * n * n + 2 * m * m)
    tasks = blocks * problem.images
    uneven = math.ceil(tasks / target.cores) * target.cores / tasks if tasks > 1 else 1.0
    return blocks * (products + moved + inputs + outputs) * uneven


def _rows(tiles: int, target: Target) -> float:
    """Rows of register blocks that so many tiles cost: the last of them may be low, and wait for its own sums."""
    blocks = -(-tiles // _TALL)
    low = tiles // blocks
    least = target.fma_latency * target.fma_per_cycle / 4
    return blocks * max(low, least) if low < least else tiles


def _bytes(size: int, target: Target) -> float:
    """What a cycle brings from where so many bytes stay."""
    if size <= target.l2_bytes:
        return target.l2_bytes_per_cycle
    return target.l3_bytes_per_cycle if size <= target.l3_bytes else target.memory_bytes_per_cycle
