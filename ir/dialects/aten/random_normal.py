"""Normal numbers as PyTorch's CPU kernels make them: groups of 16 by Box and Muller's method, or pairs in double precision.

Groups in float32 take log and sincos from Cephes (`ir/generator.py` has the numbers), every multiplication and addition
contracted where PyTorch's builds contract it, so that the bits are the same. In float64, and for pairs, PyTorch calls libm;
there the last bit may differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from ...affine import AffineConstant, AffineDim, AffineMap
from ...builder import Builder
from ...core import Value
from ...dtypes import DType
from ...generator import (
    COS_POLYNOMIAL,
    FOUR_OVER_PI,
    GROUP,
    LOG_HIGH,
    LOG_LOW,
    LOG_POLYNOMIAL,
    QUARTER_PI,
    SIN_POLYNOMIAL,
    SQRT_HALF,
)
from ...types import F32, F64, I1, I32, I64, INDEX
from .. import arith, linalg, rt_random, scf, tensor
from .. import math as mathd
from ..linalg import PARALLEL
from .layout import reshaped, slice_of
from .lowering import Extent, LoweringContext, Number
from .random_bits import bits, unit, units, working

_HALF: Final = GROUP // 2
Finish = Callable[[Builder, Value], Value]
"""What becomes of a number of N(mean, std) in double precision."""


def normal(cx: LoweringContext, dims: Sequence[Extent], dtype: DType, mean: Number, std: Number) -> Value:
    """A tensor of N(mean, std), as `Tensor.normal_` of a contiguous tensor."""
    count = cx.product(dims)
    if isinstance(count, int):
        make = _by_groups if count >= GROUP else _by_pairs
        return reshaped(cx, make(cx, count, dtype, mean, std), dims)
    many = cx.compare("ge", count, GROUP)
    assert not isinstance(many, bool)
    to = tensor.tensor_type(cx.empty([count], dtype.element))

    def branch(make: Callable[..., Value]) -> scf.Body:
        return lambda b, args: [make(cx, count, dtype, mean, std)]

    flat = scf.if_(cx.b, many, [to], branch(_by_groups), branch(_by_pairs)).result
    return reshaped(cx, cx.set_dtype(cx.set_dims(flat, [count]), dtype), dims)


def serial(cx: LoweringContext, dims: Sequence[Extent], dtype: DType, mean: Number, std: Number, finish: Finish) -> Value:
    """A tensor of what `finish` makes of numbers of N(mean, std) that are drawn one by one."""
    return reshaped(cx, _pairs(cx, cx.product(dims), dtype, mean, std, finish), dims)


def _by_pairs(cx: LoweringContext, count: Extent, dtype: DType, mean: Number, std: Number) -> Value:
    def finish(b: Builder, value: Value) -> Value:
        return cx.cast(b, value, DType.float64, dtype)

    return _pairs(cx, count, dtype, mean, std, finish)


# groups


def _by_groups(cx: LoweringContext, count: Extent, dtype: DType, mean: Number, std: Number) -> Value:
    precision = working(dtype)
    groups = cx.floordiv(count, GROUP)
    whole = cx.mul(groups, GROUP)
    drawn = units(cx, [whole if dtype is not precision else count], precision)
    numbers = _box_muller(cx, slice_of(cx, drawn, 0, 0, whole), groups, precision, mean, std)
    rest = cx.compare("ne", whole, count)
    if isinstance(rest, bool):
        return cx.cast_tensor(_with_tail(cx, numbers, count, precision, mean, std) if rest else numbers, dtype)

    def tail(b: Builder, args: Sequence[Value]) -> Sequence[Value]:
        del b, args
        return [_with_tail(cx, numbers, count, precision, mean, std)]

    to = tensor.tensor_type(cx.empty([count], precision.element))
    flat = scf.if_(cx.b, rest, [to], tail, lambda b, args: [numbers]).result
    return cx.cast_tensor(cx.set_dtype(cx.set_dims(flat, [count]), precision), dtype)


def _with_tail(
    cx: LoweringContext, numbers: Value, count: Extent, precision: DType, mean: Number, std: Number
) -> Value:
    """The last 16 are drawn again, as a whole group."""
    last = _box_muller(cx, units(cx, [GROUP], precision), 1, precision, mean, std)
    result = cx.empty([count], precision.element)
    result = tensor.insert_slice(cx.b, numbers, result, [0], cx.dims(numbers), [1])
    result = tensor.insert_slice(cx.b, last, result, [cx.sub(count, GROUP)], [GROUP], [1])
    return cx.set_dtype(cx.set_dims(result, [count]), precision)


def _box_muller(
    cx: LoweringContext, flat: Value, groups: Extent, precision: DType, mean: Number, std: Number
) -> Value:
    """Of 16 numbers the first 8 give the radius, the last 8 the angle; cosines come first in the result."""
    cells = reshaped(cx, flat, [groups, 2, _HALF])
    centre, spread = cx.number(mean, precision), cx.number(std, precision)
    make = _normal32 if precision is DType.float32 else _normal64
    row = AffineDim(0), AffineDim(1)
    halves = [AffineMap(2, (row[0], AffineConstant(i), row[1])) for i in range(2)]
    inits = [cx.empty([groups, _HALF], precision.element) for _ in range(2)]
    plane = AffineMap.identity(2)

    def body(b: Builder, u1: Value, u2: Value, *_: Value) -> Sequence[Value]:
        return [mathd.fma(b, value, spread, centre) for value in make(b, u1, u2)]

    both = cx.generic_many([cells, cells], halves, inits, [plane, plane], [PARALLEL] * 2, body)

    def chosen(b: Builder, cosine: Value, sine: Value) -> Value:
        first = arith.cmpi(b, "eq", linalg.index(b, 1), arith.constant(b, 0, INDEX))
        return arith.select(b, first, cosine, sine)

    spread_out = AffineMap(3, (AffineDim(0), AffineDim(2)))
    dims: list[Extent] = [groups, 2, _HALF]
    joined = cx.generic(both, [spread_out] * 2, dims, precision.element, [PARALLEL] * 3, chosen)
    cx.set_dtype(cx.set_dims(joined, dims), precision)
    return reshaped(cx, joined, [cx.mul(groups, GROUP)])


def _normal64(b: Builder, u1: Value, u2: Value) -> tuple[Value, Value]:
    logarithm = mathd.log(b, arith.subf(b, arith.constant(b, 1.0, F64), u1))
    radius = mathd.sqrt(b, arith.mulf(b, arith.constant(b, -2.0, F64), logarithm))
    theta = arith.mulf(b, arith.constant(b, 2 * math.pi, F64), u2)
    return arith.mulf(b, radius, mathd.cos(b, theta)), arith.mulf(b, radius, mathd.sin(b, theta))


def _normal32(b: Builder, u1: Value, u2: Value) -> tuple[Value, Value]:
    c = _Floats(b)
    radius = mathd.sqrt(b, arith.mulf(b, c(-2.0), _log32(c, arith.subf(b, c(1.0), u1))))
    sine, cosine = _sincos32(c, arith.mulf(b, c(2 * math.pi), u2))
    return arith.mulf(b, radius, cosine), arith.mulf(b, radius, sine)


class _Floats:
    """Constants and polynomials of f32, integers of i32."""

    def __init__(self, b: Builder) -> None:
        self.b = b

    def __call__(self, value: float) -> Value:
        return arith.constant(self.b, value, F32)

    def i(self, value: int) -> Value:
        return arith.constant(self.b, value, I32)

    def fma(self, x: Value, y: Value | float, z: Value | float) -> Value:
        y, z = (v if isinstance(v, Value) else self(v) for v in (y, z))
        return mathd.fma(self.b, x, y, z)

    def polynomial(self, x: Value, coefficients: Sequence[float]) -> Value:
        result = self(coefficients[0])
        for coefficient in coefficients[1:]:
            result = self.fma(result, x, coefficient)
        return result

    def has(self, bits: Value, mask: int) -> Value:
        return arith.cmpi(self.b, "ne", arith.andi(self.b, bits, self.i(mask)), self.i(0))


def _log32(c: _Floats, x: Value) -> Value:
    """Cephes' logf of a normal positive number."""
    b = c.b
    raw = arith.bitcast(b, x, I32)
    exponent = arith.sitofp(b, arith.subi(b, arith.shrsi(b, raw, c.i(23)), c.i(126)), F32)
    fraction = arith.ori(b, arith.andi(b, raw, c.i(0x007FFFFF)), c.i(0x3F000000))
    mantissa = arith.bitcast(b, fraction, F32)
    small = arith.cmpf(b, "olt", mantissa, c(SQRT_HALF))
    f = arith.addf(b, arith.subf(b, mantissa, c(1.0)), arith.select(b, small, mantissa, c(0.0)))
    exponent = arith.subf(b, exponent, arith.select(b, small, c(1.0), c(0.0)))
    square = arith.mulf(b, f, f)
    y = arith.mulf(b, c.polynomial(f, LOG_POLYNOMIAL), f)
    y = c.fma(y, square, arith.mulf(b, exponent, c(LOG_LOW)))
    y = c.fma(square, -0.5, y)
    return c.fma(exponent, LOG_HIGH, arith.addf(b, f, y))


def _sincos32(c: _Floats, x: Value) -> tuple[Value, Value]:
    """Cephes' sinf and cosf of a number that is not negative and not large."""
    b = c.b
    octant = arith.fptosi(b, arith.mulf(b, x, c(FOUR_OVER_PI)), I32)
    octant = arith.andi(b, arith.addi(b, octant, c.i(1)), c.i(-2))
    turns = arith.sitofp(b, octant, F32)
    for part in QUARTER_PI:
        x = c.fma(turns, part, x)
    square = arith.mulf(b, x, x)
    cosine = arith.mulf(b, c.polynomial(square, COS_POLYNOMIAL), square)
    cosine = c.fma(cosine, square, arith.mulf(b, square, c(-0.5)))
    cosine = arith.addf(b, cosine, c(1.0))
    sine = arith.mulf(b, c.polynomial(square, SIN_POLYNOMIAL), square)
    sine = c.fma(sine, x, x)
    swapped = c.has(octant, 2)
    first, second = arith.select(b, swapped, cosine, sine), arith.select(b, swapped, sine, cosine)
    first = arith.select(b, c.has(octant, 4), arith.negf(b, first), first)
    beyond = c.has(arith.subi(b, octant, c.i(2)), 4)
    return first, arith.select(b, beyond, second, arith.negf(b, second))


# pairs


def _pairs(cx: LoweringContext, count: Extent, dtype: DType, mean: Number, std: Number, finish: Finish) -> Value:
    """One number after the other: what was left of an earlier pair first; what is left of the last pair is kept."""
    b = cx.b
    if count == 0:
        return cx.set_dtype(cx.empty([0], dtype.element), dtype)
    there, kept = _taken(cx, count)
    one = arith.select(b, there, cx.index(1), cx.index(0))
    missing = cx.sub(count, one)
    pairs = cx.floordiv(cx.add(missing, 1), 2)
    drawn = bits(cx, [cx.mul(pairs, 2)], wide=True)
    # A pair more than there is, for reading where nothing is missing.
    room = cx.fill([cx.add(cx.mul(pairs, 2), 2)], I64, 0)
    padded = tensor.insert_slice(b, drawn, room, [0], cx.dims(drawn), [1])
    cells = reshaped(cx, cx.set_dims(padded, cx.dims(room)), [cx.add(pairs, 1), 2])
    cosines, sines = _polar(cx, cells)
    odd = cx.compare("ne", cx.mod(missing, 2), 0)
    assert not isinstance(odd, bool)

    def keep(inner: Builder, args: Sequence[Value]) -> Sequence[Value]:
        del args
        rt_random.keep_normal(inner, tensor.extract(inner, sines, [cx.index(cx.sub(pairs, 1))]))
        return ()

    scf.if_(b, odd, [], keep)
    centre, spread = cx.number(mean, DType.float64), cx.number(std, DType.float64)

    def element(inner: Builder) -> Value:
        place = arith.subi(inner, linalg.index(inner, 0), one)
        zero, unity = arith.constant(inner, 0, INDEX), arith.constant(inner, 1, INDEX)
        is_new = arith.cmpi(inner, "sge", place, zero)
        place = arith.select(inner, is_new, place, zero)
        pair = arith.shrui(inner, place, unity)
        is_first = arith.cmpi(inner, "eq", arith.andi(inner, place, unity), zero)
        cosine, sine = tensor.extract(inner, cosines, [pair]), tensor.extract(inner, sines, [pair])
        value = arith.select(inner, is_new, arith.select(inner, is_first, cosine, sine), kept)
        return finish(inner, mathd.fma(inner, value, spread, centre))

    result = cx.generic([], [], [count], dtype.element, [PARALLEL], element)
    return cx.set_dtype(result, dtype)


def _taken(cx: LoweringContext, count: Extent) -> tuple[Value, Value]:
    """What was left of an earlier pair; nothing is taken for no numbers."""
    some = cx.compare("gt", count, 0)
    if isinstance(some, bool):
        return rt_random.take_normal(cx.b)

    def nothing(b: Builder, args: Sequence[Value]) -> Sequence[Value]:
        del args
        return [arith.constant(b, False, I1), arith.constant(b, 0.0, F64)]

    taken = scf.if_(cx.b, some, [I1, F64], lambda b, args: rt_random.take_normal(b), nothing)
    return taken.results[0], taken.results[1]


def _polar(cx: LoweringContext, cells: Value) -> list[Value]:
    """Cosines and sines of pairs of random bits, times their radius."""
    pairs = cx.dim(cells, 0)
    columns = [AffineMap(1, (AffineDim(0), AffineConstant(i))) for i in range(2)]
    line = AffineMap.identity(1)
    inits = [cx.empty([pairs], F64) for _ in range(2)]

    def body(b: Builder, first: Value, second: Value, *_: Value) -> Sequence[Value]:
        logarithm = mathd.log1p(b, arith.negf(b, unit(b, second)))
        radius = mathd.sqrt(b, arith.mulf(b, arith.constant(b, -2.0, F64), logarithm))
        theta = arith.mulf(b, arith.constant(b, 2 * math.pi, F64), unit(b, first))
        return [arith.mulf(b, radius, mathd.cos(b, theta)), arith.mulf(b, radius, mathd.sin(b, theta))]

    return cx.generic_many([cells, cells], columns, inits, [line, line], [PARALLEL], body)
