"""The phases of a transposed convolution: which taps reach every `step`th element of its result along an axis.

A stride of s spreads the input by s - 1 zeros, and most products are with these. Elements o, o + s, o + 2s, ... of the result
meet the same taps, every one of them an element of the input: they are a convolution of stride 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .lowering import Extent


@dataclass(frozen=True)
class Phase:
    """Every `step`th element of a result along one axis: a sum over some of the taps, without any spreading."""

    first: int
    count: int
    """Elements of the result: first, first + step, ..."""
    tap: int
    tap_step: int
    taps: int
    """The taps that reach them; those between meet zeros only."""
    gap: int
    """Elements of the input between what two of these taps, one after the other, reach: backwards."""
    low: int
    high: int
    """Border of the input."""


_MOST_PHASES: Final = 16
"""Each is code of its own."""


def phases_of(
    extents: Sequence[Extent],
    window: Sequence[Extent],
    steps: Sequence[int],
    gaps: Sequence[int],
    pads: Sequence[int],
    extra: Sequence[int],
) -> list[tuple[int, list[Phase]]] | None:
    """For each axis its step and phases; None where spreading the input is as good, or extents are not known."""
    if math.prod(steps) == 1 or math.prod(steps) > _MOST_PHASES:
        return None
    axes: list[tuple[int, list[Phase]]] = []
    for extent, taps, step, gap, pad, more in zip(extents, window, steps, gaps, pads, extra, strict=True):
        if not isinstance(extent, int) or not isinstance(taps, int) or extent == 0:
            return None
        total = (extent - 1) * step - 2 * pad + gap * (taps - 1) + more + 1
        if total < step:
            return None
        axes.append((step, [_phase(r, extent, total, taps, step, gap, pad) for r in range(step)]))
    return axes


def _phase(first: int, extent: int, total: int, taps: int, step: int, gap: int, pad: int) -> Phase:
    """Element o = first + step * q of the result takes x[(o + pad - gap * k) / step] by tap k, where that is a whole number."""
    count = -(-(total - first) // step)
    reaching = [k for k in range(taps) if (first + pad - gap * k) % step == 0]
    if not reaching:
        return Phase(first, count, 0, 1, 0, 1, 0, 0)
    farthest, nearest = ((first + pad - gap * k) // step for k in (reaching[0], reaching[-1]))
    apart = step // math.gcd(step, gap)
    high = count - 1 + farthest - (extent - 1)
    return Phase(first, count, reaching[0], apart, len(reaching), gap * apart // step, -nearest, high)
