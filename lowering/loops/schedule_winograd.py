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

_FAR_BYTES: Final = 12.0
"""What a cycle brings from beyond the second-level cache; streams that the processor fetches ahead, beside arithmetic."""
_NEAR_BYTES: Final = 32.0

_PRODUCT_OVERHEAD: Final = 1.1
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
    """Rows of tiles of a block."""


def choose(problem: Problem, target: Target) -> Algorithm | None:
    """The fastest; None for the direct convolution."""
    best, least = None, _GAIN * direct_cycles(problem, target)
    for outputs in (2, 4):
        if outputs > 2 and problem.channels > _MOST_CHANNELS:
            continue
        down = -(-problem.height // outputs)
        for blocks in range(1, down + 1):
            rows = -(-down // blocks)
            if -(-down // rows) != blocks:
                continue
            cycles = winograd_cycles(problem, Algorithm(outputs, rows), target)
            if cycles < least:
                best, least = Algorithm(outputs, rows), cycles
    return best


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
    blocks = -(-down // algorithm.tile_rows)
    tiles = algorithm.tile_rows * across
    given = _vectors(problem.given, target)
    rows = -(-tiles // 12) * 12 if tiles > 12 else max(tiles, target.fma_latency * target.fma_per_cycle)
    arithmetic = n * n * (0.5 * rows + 0.5 * tiles) * problem.channels * given / target.fma_per_cycle
    weights = n * n * problem.channels * problem.given * 4
    scratch = n * n * tiles * (problem.channels + problem.given) * 4
    # All blocks read all weights: from the second-level cache where they stay in it beside the block.
    is_near = weights + scratch <= target.l2_bytes
    weighed = weights / (_NEAR_BYTES if is_near else _FAR_BYTES)
    products = max(_PRODUCT_OVERHEAD * arithmetic, weighed) + 0.25 * weighed
    moved = 2 * scratch / (_NEAR_BYTES if scratch <= 0.75 * target.l2_bytes else _FAR_BYTES)
    inputs = tiles * _vectors(problem.channels, target) * (2 * n * transforms.operations / 2 + n * n)
    outputs = tiles * given * ((n + m) * transforms.operations / 2 + 0.5 * n * n + 2 * m * m)
    each = products + moved + inputs + outputs
    tasks = blocks * problem.images
    uneven = math.ceil(tasks / target.cores) * target.cores / tasks if tasks > 1 else 1.0
    return blocks * each * uneven
