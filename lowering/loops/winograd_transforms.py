"""The matrices of Winograd's (Toom and Cook's) convolution, and their products with vectors as few multiply-adds.

`Transforms(m)` computes m neighbouring outputs of a filter of three taps with m + 2 products:

    outputs = A^T [(G filter) * (B^T inputs)]

The polynomials of inputs and filter are multiplied at 0, at pairs +-p, and at infinity. Points of opposite sign share the
even and the odd part of what is evaluated there, which halves the work. The points for m = 4, +-5/8 and +-3/2, keep rounding
four times smaller than the +-1 and +-2 that textbooks take.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ...ir.builder import Builder
from ...ir.core import Value
from ...ir.dialects import arith, vector

TAPS: Final = 3

_POINTS: Final[dict[int, tuple[Fraction, ...]]] = {2: (Fraction(1),), 4: (Fraction(5, 8), Fraction(3, 2))}
"""For each number of outputs, the points p of the pairs +-p."""


_PIECE: Final = 4096
"""Columns of filters that are computed at once."""


@dataclass(frozen=True)
class Transforms:
    outputs: int
    """Neighbouring outputs that are computed together: 2 or 4."""

    @property
    def products(self) -> int:
        return self.outputs + TAPS - 1

    @property
    def points(self) -> tuple[Fraction, ...]:
        """The p of the pairs +-p; products are in the order 0, p, -p, q, -q, ..., infinity."""
        return _POINTS[self.outputs]

    @property
    def operations(self) -> int:
        """Vector operations of `inputs`, and about those of `results`."""
        k = len(self.points)
        return 2 * k + k * (2 * (k - 1) + 2)

    def filters(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """G along the first axis (three taps), in double precision."""
        signed = [Fraction(0), *(s * p for p in self.points for s in (1, -1))]
        rows: list[list[float]] = []
        for p in signed:
            scale = math.prod((p - q for q in signed if q != p), start=Fraction(1))
            rows.append([float(p**j / scale) for j in range(TAPS)])
        rows.append([0.0] * (TAPS - 1) + [1.0])
        return np.tensordot(np.array(rows), array.astype(np.float64), 1)

    def filters_of_both(self, array: npt.NDArray[Any], result: npt.NDArray[np.float32]) -> None:
        """G along the first two axes, which become the first of the result: in double precision, a piece that fits a cache at a time."""
        one = self.filters(np.eye(TAPS))
        both = np.kron(one, one)
        flat = np.ascontiguousarray(array).reshape(TAPS * TAPS, -1)
        result = result.reshape(len(both), -1)
        for start in range(0, flat.shape[1], _PIECE):
            piece = slice(start, start + _PIECE)
            result[:, piece] = both @ flat[:, piece].astype(np.float64)

    def inputs(self, b: Builder, values: Sequence[Value]) -> list[Value]:
        """B^T times a column of vectors."""
        squares = [p * p for p in self.points]
        every = _with_roots(squares)
        pairs: list[Value] = []
        for p in self.points:
            others = _with_roots([q for q in squares if q != p * p])
            even, odd = _combined(b, others, values[2::2]), _combined(b, others, values[1::2])
            pairs += [_multiplied_add(b, odd, p, even), _multiplied_add(b, odd, -p, even)]
        return [_combined(b, every, values[0::2]), *pairs, _combined(b, every, values[1::2])]

    def results(self, b: Builder, products: Sequence[Value]) -> list[Value]:
        """A^T times a column of vectors."""
        plus, minus = products[1:-1:2], products[2:-1:2]
        sums = [arith.addf(b, x, y) for x, y in zip(plus, minus, strict=True)]
        differences = [arith.subf(b, x, y) for x, y in zip(plus, minus, strict=True)]
        found: list[Value] = []
        for i in range(self.outputs):
            parts = differences if i % 2 else sums
            start = products[0] if i == 0 else products[-1] if i == self.outputs - 1 else None
            found.append(_combined(b, [p**i for p in self.points], parts, start))
        return found


def _with_roots(roots: Sequence[Fraction]) -> list[Fraction]:
    """Coefficients, the lowest first, of the product of all (x - root)."""
    found = [Fraction(1)]
    for root in roots:
        found = [low - root * high for low, high in zip([Fraction(0), *found], [*found, Fraction(0)], strict=True)]
    return found


def _combined(b: Builder, factors: Sequence[Fraction], values: Sequence[Value], start: Value | None = None) -> Value:
    """The sum of values times factors; those with factor 1 go first."""
    total = start
    for factor, value in sorted(zip(factors, values, strict=False), key=lambda pair: pair[0] != 1):
        total = _scaled(b, value, factor) if total is None else _multiplied_add(b, value, factor, total)
    assert total is not None
    return total


def _scaled(b: Builder, value: Value, factor: Fraction) -> Value:
    return value if factor == 1 else arith.mulf(b, value, _constant(b, value, factor))


def _multiplied_add(b: Builder, value: Value, factor: Fraction, total: Value) -> Value:
    if factor == 1:
        return arith.addf(b, total, value)
    if factor == -1:
        return arith.subf(b, total, value)
    return vector.fma(b, value, _constant(b, value, factor), total)


def _constant(b: Builder, like: Value, factor: Fraction) -> Value:
    return arith.constant(b, float(factor), vector.vector_type(like))
