"""Replaces functions that no instruction computes (`math.exp`, `math.tanh`, ...) by arithmetic, for CPU and GPU alike.

In: `math` operations on floats, scalar or vector. Out: `arith`, and those of `math` that are one instruction (`fma`, `sqrt`,
`absf`, `floor`, `ceil`, `trunc`, `roundeven`, `copysign`). f16 and bf16 compute in f32. Formulas are the usual ones
(Muller, Elementary Functions): argument reduction with a constant in two parts, a Taylor series on the reduced argument
(its coefficients are exact fractions, so they are computed here rather than listed), reconstruction through the exponent
bits. NaN, infinities and denormals come out as IEEE and C demand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from ...ir.builder import Builder
from ...ir.core import Operation, Value
from ...ir.dialects import arith, scf
from ...ir.dialects import math as mathd
from ...ir.types import (
    BF16,
    F16,
    F32,
    F64,
    I32,
    I64,
    FloatType,
    IntegerType,
    Type,
    VectorType,
    element_type,
    with_shape_of,
)


@dataclass(frozen=True)
class ExpandMath:
    name: str = "expand-math"

    def apply(self, module: Operation) -> Operation:
        for op in list(module.walk()):
            if op.parent is None:
                continue
            rule = _exp_below_one if is_below_one(op) else EXPANSIONS.get(op.name)
            if rule is not None and isinstance(element_type(op.operand(0).type), FloatType):
                op.replace_with([_expand(Builder.before(op), rule, op.operands)])
            elif op.name == "math.ipowi":
                op.replace_with([_integer_power(Builder.before(op), *op.operands)])
        return module


Rule = Callable[..., Value]


def _expand(b: Builder, rule: Rule, operands: Sequence[Value]) -> Value:
    element = element_type(operands[0].type)
    if element not in (F16, BF16):
        return rule(_Math(b, operands[0].type), *operands)
    wide = [arith.extf(b, v, F32) for v in operands]
    result = rule(_Math(b, wide[0].type), *wide)
    return arith.truncf(b, result, element) if isinstance(element_type(result.type), FloatType) else result


@dataclass(frozen=True)
class _Format:
    """What differs between f32 and f64; `terms` are lengths of the series that leave less than a tenth of an ulp."""

    float: FloatType
    integer: IntegerType
    fraction_bits: int
    bias: int
    exp_terms: int
    log_terms: int
    sin_terms: int
    atan_terms: int
    erf_terms: int
    exp_range: tuple[float, float]
    """Beyond these exp is 0 and infinity."""
    expm1_low: float
    """Below this expm1 is -1."""
    tanh_one: float
    """Beyond this tanh is 1."""
    reduction_limit: float
    """Up to this size the argument of sin and cos is reduced with a constant in three parts."""


_F32 = _Format(F32, I32, 23, 127, 8, 5, 5, 10, 11, (-104.0, 89.0), -18.0, 9.1, 1.0e5)
_F64 = _Format(F64, I64, 52, 1023, 14, 12, 10, 22, 20, (-746.0, 710.0), -38.0, 19.1, 1.0e9)


class _Math:
    """Arithmetic on one float type (scalar or vector), with constants by value."""

    def __init__(self, b: Builder, type: Type) -> None:
        self.b = b
        self.type = type
        self.format = _F32 if element_type(type) == F32 else _F64
        self.integer = with_shape_of(type, self.format.integer)

    def c(self, value: float | Fraction) -> Value:
        """A constant rounded to the type."""
        number = float(value)
        return arith.constant(self.b, float(np.float32(number)) if self.format is _F32 else number, self.type)

    def i(self, value: int) -> Value:
        return arith.constant(self.b, value, self.integer)

    def lift(self, x: Value | float | Fraction) -> Value:
        return x if isinstance(x, Value) else self.c(x)

    def add(self, x: Value | float, y: Value | float) -> Value:
        return arith.addf(self.b, self.lift(x), self.lift(y))

    def sub(self, x: Value | float, y: Value | float) -> Value:
        return arith.subf(self.b, self.lift(x), self.lift(y))

    def mul(self, x: Value | float, y: Value | float) -> Value:
        return arith.mulf(self.b, self.lift(x), self.lift(y))

    def div(self, x: Value | float, y: Value | float) -> Value:
        return arith.divf(self.b, self.lift(x), self.lift(y))

    def fma(self, x: Value | float, y: Value | float, z: Value | float) -> Value:
        return mathd.fma(self.b, self.lift(x), self.lift(y), self.lift(z))

    def neg(self, x: Value) -> Value:
        return arith.negf(self.b, x)

    def abs(self, x: Value) -> Value:
        return mathd.absf(self.b, x)

    def sqrt(self, x: Value) -> Value:
        return mathd.sqrt(self.b, x)

    def copysign(self, magnitude: Value, sign: Value) -> Value:
        return mathd.copysign(self.b, magnitude, sign)

    def test(self, predicate: str, x: Value | float, y: Value | float) -> Value:
        return arith.cmpf(self.b, predicate, self.lift(x), self.lift(y))

    def select(self, condition: Value, x: Value | float, y: Value | float) -> Value:
        return arith.select(self.b, condition, self.lift(x), self.lift(y))

    def at_most(self, x: Value, limit: float) -> Value:
        """min(x, limit); a NaN stays."""
        return self.select(self.test("ogt", x, limit), limit, x)

    def at_least(self, x: Value, limit: float) -> Value:
        return self.select(self.test("olt", x, limit), limit, x)

    def bits(self, x: Value) -> Value:
        return arith.bitcast(self.b, x, self.format.integer)

    def from_bits(self, x: Value) -> Value:
        return arith.bitcast(self.b, x, self.format.float)

    def power_of_two(self, n: Value) -> Value:
        """2**n of an integer in the normal range."""
        biased = arith.addi(self.b, n, self.i(self.format.bias))
        return self.from_bits(arith.shli(self.b, biased, self.i(self.format.fraction_bits)))

    def nearest(self, x: Value) -> tuple[Value, Value]:
        """x rounded to an integer, as float and as integer, |x| < 2**(fraction_bits - 1).

        Adding 1.5 * 2**fraction_bits leaves the integer in the low bits: no conversion that NaN would make undefined.
        """
        magic = 1.5 * 2.0**self.format.fraction_bits
        shifted = self.add(x, magic)
        integer = arith.subi(self.b, self.bits(shifted), self.bits(self.c(magic)))
        return self.sub(shifted, magic), integer

    def polynomial(self, x: Value, coefficients: Sequence[float | Fraction]) -> Value:
        """Horner's scheme; coefficients from the constant term up."""
        result = self.c(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            result = self.fma(result, x, self.c(coefficient))
        return result

    def parts(self, value: Fraction, bits: int, count: int) -> list[float]:
        """`value` as a sum of `count` floats, each but the last with at most `bits` significant bits."""
        result: list[float] = []
        for index in range(count):
            if index == count - 1:
                result.append(float(value))
                break
            exponent = math.frexp(float(value))[1] - bits
            scale = Fraction(2) ** exponent
            part = round(value / scale) * scale
            result.append(float(part))
            value -= part
        return result

    # pieces shared by several functions

    def reduce_exp(self, x: Value) -> tuple[Value, Value]:
        """r and integer n with x = r + n * ln 2, |r| <= ln 2 / 2."""
        n, integer = self.nearest(self.mul(x, float(1 / _LN2)))
        high, low = self.parts(_LN2, self.format.fraction_bits - 8, 2)
        return self.fma(n, -low, self.fma(n, -high, x)), integer

    def scale(self, x: Value, n: Value) -> Value:
        """x * 2**n in two steps, so that results in the denormal range and at the top are right."""
        half = arith.shrsi(self.b, n, self.i(1))
        return self.mul(self.mul(x, self.power_of_two(half)), self.power_of_two(arith.subi(self.b, n, half)))

    def expm1_series(self, r: Value) -> Value:
        """exp(r) - 1 for |r| <= ln 2 / 2."""
        tail = self.polynomial(r, [Fraction(1, math.factorial(k)) for k in range(2, self.format.exp_terms)])
        return self.fma(self.mul(r, r), tail, r)

    def split_log(self, x: Value) -> tuple[Value, Value]:
        """m in [sqrt(1/2), sqrt 2) and float e with x = m * 2**e, of a positive finite x, denormals included."""
        f = self.format
        tiny = self.test("olt", x, 2.0 ** (1 - f.bias))
        bits = self.bits(self.select(tiny, self.mul(x, 2.0**f.fraction_bits), x))
        shifted = arith.subi(self.b, bits, self.bits(self.c(math.sqrt(0.5))))
        exponent = arith.shrsi(self.b, shifted, self.i(f.fraction_bits))
        mantissa = self.from_bits(arith.subi(self.b, bits, arith.shli(self.b, exponent, self.i(f.fraction_bits))))
        e = arith.sitofp(self.b, exponent, f.float)
        return mantissa, self.select(tiny, self.sub(e, float(f.fraction_bits)), e)

    def atanh_tail(self, square: Value) -> Value:
        """(atanh(s) - s) / s**3 of s with s * s = `square`, |s| <= 0.172."""
        return self.polynomial(square, [Fraction(1, 2 * k + 1) for k in range(1, self.format.log_terms + 1)])


_LN2 = Fraction(
    "0.693147180559945309417232121458176568075500134360255254120680009493393621969694715605863326996418687"
)
_LOG10_E = Fraction(
    "0.434294481903251827651128918916605082294397005803666566114453783165864649208870774729224949338431748"
)
_PI = Fraction(
    "3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803482534211706798214"
)


def _exp(m: _Math, x: Value) -> Value:
    low, high = m.format.exp_range
    r, n = m.reduce_exp(m.at_least(m.at_most(x, high), low))
    return m.scale(m.add(m.expm1_series(r), 1.0), n)


_EXP_TAIL: Final = (0.4999999345167979, 0.16666520689635006, 0.04166838736701059, 0.00836870984255647, 0.0013814612983077557)
"""(exp(r) - 1 - r) / r**2 for |r| <= ln 2 / 2, relative error of the power 3e-9."""


def is_below_one(op: Operation) -> bool:
    """Whether it is the exponential of a number that is never positive (of a score less the greatest one), in f32: `fastmath<afn>`."""
    return op.name == "math.exp" and op.attributes.get("fastmath") == "afn" and element_type(op.operand(0).type) == F32


def _exp_below_one(m: _Math, x: Value) -> Value:
    """Within 0.9 ulp where the result is a normal number, else 0. The exponent is added while it is rounded: no conversion, no branch."""
    low = m.at_least(x, -88.03)  # rounds to an exponent whose power of two is 0
    magic = 1.5 * 2.0**m.format.fraction_bits + m.format.bias
    shifted = m.fma(low, float(1 / _LN2), magic)
    n = m.sub(shifted, magic)
    high, rest = m.parts(_LN2, m.format.fraction_bits - 8, 2)
    r = m.fma(n, -rest, m.fma(n, -high, low))
    power = m.from_bits(arith.shli(m.b, m.bits(shifted), m.i(m.format.fraction_bits)))
    return m.mul(m.polynomial(r, [1.0, 1.0, *_EXP_TAIL]), power)


def _exp2(m: _Math, x: Value) -> Value:
    low, high = m.format.exp_range
    clamped = m.at_least(m.at_most(x, high * 1.45), low * 1.45)
    n, integer = m.nearest(clamped)
    return m.scale(m.add(m.expm1_series(m.mul(m.sub(clamped, n), float(_LN2))), 1.0), integer)


def _expm1(m: _Math, x: Value) -> Value:
    clamped = m.at_least(m.at_most(x, m.format.exp_range[1]), m.format.expm1_low)
    r, n = m.reduce_exp(clamped)
    # 2**n (q + 1) - 1 as 2 (t q + (t - 1/2)) with t = 2**(n-1): no overflow at the top of the range.
    t = m.power_of_two(arith.subi(m.b, n, m.i(1)))
    result = m.mul(m.fma(t, m.expm1_series(r), m.sub(t, 0.5)), 2.0)
    return m.select(m.test("oeq", x, 0.0), x, result)


def _log_parts(m: _Math, x: Value) -> tuple[Value, Value, Value]:
    """e, f = mantissa - 1 and the correction c with log x = e ln 2 + f - c."""
    mantissa, e = m.split_log(x)
    f = m.sub(mantissa, 1.0)
    s = m.div(f, m.add(f, 2.0))
    square = m.mul(s, s)
    half_square = m.mul(m.mul(f, f), 0.5)
    # log(1 + f) = f - f^2/2 + s (f^2/2 + 2 s^2 tail): the large terms are exact.
    correction = m.sub(half_square, m.mul(s, m.add(half_square, m.mul(m.mul(square, 2.0), m.atanh_tail(square)))))
    return e, f, correction


def _log_edges(m: _Math, x: Value, result: Value) -> Value:
    result = m.select(m.test("oeq", x, math.inf), x, result)
    result = m.select(m.test("oeq", x, 0.0), -math.inf, result)
    return m.select(m.test("oge", x, 0.0), result, math.nan)


def _log(m: _Math, x: Value) -> Value:
    e, f, correction = _log_parts(m, x)
    high, low = m.parts(_LN2, m.format.fraction_bits - 12, 2)
    result = m.fma(e, high, m.sub(f, m.fma(e, -low, correction)))
    return _log_edges(m, x, result)


def _log_base(base: int) -> Rule:
    per_e = 1 / _LN2 if base == 2 else _LOG10_E

    def rule(m: _Math, x: Value) -> Value:
        e, f, correction = _log_parts(m, x)
        mantissa_log = m.sub(f, correction)
        if base == 2:
            return _log_edges(m, x, m.fma(mantissa_log, float(per_e), e))
        high, low = m.parts(_LN2 * per_e, m.format.fraction_bits - 12, 2)
        return _log_edges(m, x, m.fma(e, high, m.fma(mantissa_log, float(per_e), m.mul(e, low))))

    return rule


def _log1p(m: _Math, x: Value) -> Value:
    u = m.add(x, 1.0)
    # What rounding u lost, relative to u; meaningless (and not needed) where u is not finite or not positive.
    lost = m.div(m.sub(x, m.sub(u, 1.0)), u)
    corrected = m.add(_log(m, u), m.select(m.test("olt", m.abs(lost), 1.0), lost, 0.0))
    return m.select(m.test("olt", m.abs(x), 2.0 ** -(m.format.fraction_bits + 1)), x, corrected)


def _tanh(m: _Math, x: Value) -> Value:
    magnitude = m.at_most(m.abs(x), m.format.tanh_one)
    e = _expm1(m, m.mul(magnitude, 2.0))
    return m.copysign(m.div(e, m.add(e, 2.0)), x)


def _half_exp(m: _Math, magnitude: Value) -> Value:
    """exp(magnitude) / 2 where exp itself may overflow."""
    root = _exp(m, m.mul(magnitude, 0.5))
    return m.mul(m.mul(root, 0.5), root)


def _sinh(m: _Math, x: Value) -> Value:
    magnitude = m.abs(x)
    e = _expm1(m, magnitude)
    small = m.mul(m.add(e, m.div(e, m.add(e, 1.0))), 0.5)
    return m.copysign(m.select(m.test("ogt", magnitude, m.format.tanh_one), _half_exp(m, magnitude), small), x)


def _cosh(m: _Math, x: Value) -> Value:
    half = _half_exp(m, m.abs(x))
    return m.add(half, m.div(0.25, half))


def _asinh(m: _Math, x: Value) -> Value:
    a = m.abs(x)
    square = m.mul(a, a)
    near = _log1p(m, m.add(a, m.div(square, m.add(m.sqrt(m.add(square, 1.0)), 1.0))))
    far = m.add(_log(m, a), float(_LN2))
    return m.copysign(m.select(m.test("ogt", a, 2.0 ** (m.format.fraction_bits / 2 + 2)), far, near), x)


def _acosh(m: _Math, x: Value) -> Value:
    t = m.sub(x, 1.0)
    near = _log1p(m, m.add(t, m.sqrt(m.mul(t, m.add(t, 2.0)))))
    far = m.add(_log(m, x), float(_LN2))
    result = m.select(m.test("ogt", x, 2.0 ** (m.format.fraction_bits / 2 + 2)), far, near)
    return m.select(m.test("oge", x, 1.0), result, math.nan)


def _atanh(m: _Math, x: Value) -> Value:
    a = m.abs(x)
    return m.copysign(m.mul(_log1p(m, m.div(m.mul(a, 2.0), m.sub(1.0, a))), 0.5), x)


def _reduced_quadrant(m: _Math, x: Value) -> tuple[Value, Value]:
    """r and integer n with x = r + n * pi/2, |r| <= pi/4, by a constant in three parts (moderate x) or exactly (any x)."""
    n, integer = m.nearest(m.mul(x, float(2 / _PI)))
    first, second, third = m.parts(_PI / 2, m.format.fraction_bits + 1, 3)
    r = m.fma(n, -third, m.fma(n, -second, m.fma(n, -first, x)))
    if isinstance(m.type, VectorType):
        return r, integer
    large = m.test("ogt", m.abs(x), m.format.reduction_limit)

    def exact(b: Builder, args: Sequence[Value]) -> Sequence[Value]:
        del args
        return _reduce_large(_Math(b, m.type), x)

    def moderate(b: Builder, args: Sequence[Value]) -> Sequence[Value]:
        del b, args
        return [r, integer]

    results = scf.if_(m.b, large, [m.type, m.integer], exact, moderate).results
    return results[0], results[1]


def _reduce_large(m: _Math, x: Value) -> Sequence[Value]:
    """The same for any finite x, by long division: x / (pi/2) modulo 4, as a sum of exact products modulo 4.

    x is split into pieces of 24 bits and 2/pi into words of 24 bits; a product of the two is exact in f64, and what is a
    multiple of 4 in it can be dropped. Words that only contribute multiples of 4 contribute 0 by themselves.
    """
    wide = _Math(m.b, F64)
    value = x if m.format is _F64 else arith.extf(m.b, x, F64)
    # Magnitude scaled down so that no product overflows; 2/pi's words are scaled up by as much.
    down = 2.0**-500 if m.format is _F64 else 1.0
    mask = wide.i(~((1 << 29) - 1))
    scaled = wide.mul(value, down)
    head = wide.from_bits(arith.andi(m.b, wide.bits(scaled), mask))
    tail = wide.sub(scaled, head)
    total: Value = wide.c(0.0)
    error: Value = wide.c(0.0)
    for word in _two_over_pi_words(1100 if m.format is _F64 else 210):
        for piece in (head, tail):
            product = wide.mul(piece, float(word / Fraction(down)))
            quarter = wide.mul(product, 0.25)
            part = wide.fma(mathd.trunc(m.b, quarter), -4.0, product)
            before = total
            total = wide.add(before, part)
            back = wide.sub(total, before)
            error = wide.add(error, wide.add(wide.sub(before, wide.sub(total, back)), wide.sub(part, back)))
            total = wide.fma(mathd.trunc(m.b, wide.mul(total, 0.25)), -4.0, total)
    n, integer = wide.nearest(wide.add(total, error))
    fraction = wide.add(wide.sub(total, n), error)
    r = wide.mul(fraction, float(_PI / 2))
    r = wide.select(wide.test("olt", wide.abs(value), math.inf), r, math.nan)
    if m.format is _F64:
        return [r, integer]
    return [arith.truncf(m.b, r, F32), arith.trunci(m.b, integer, I32)]


def _two_over_pi_words(bits: int) -> list[Fraction]:
    """2/pi as words of 24 bits, most significant first."""
    scaled = _two_over_pi(bits + 80)
    words: list[Fraction] = []
    for start in range(24, bits + 72, 24):
        word = (scaled >> (bits + 80 - start)) & ((1 << 24) - 1)
        words.append(Fraction(word, 1 << start))
    return [w for w in words if w]


def _two_over_pi(bits: int) -> int:
    """floor(2/pi * 2**bits), pi by Machin's formula in integers."""
    guard = bits + 64
    one = 1 << guard

    def inverse_tangent(q: int) -> int:
        term, total, k = one // q, 0, 0
        while term:
            total += (-term if k % 2 else term) // (2 * k + 1)
            term //= q * q
            k += 1
        return total

    pi = 4 * (4 * inverse_tangent(5) - inverse_tangent(239))
    return (2 * one * (1 << bits)) // pi


def _sine_series(m: _Math, r: Value, square: Value) -> Value:
    terms = [Fraction((-1) ** k, math.factorial(2 * k + 1)) for k in range(1, m.format.sin_terms)]
    return m.fma(m.mul(square, r), m.polynomial(square, terms), r)


def _cosine_series(m: _Math, square: Value) -> Value:
    terms = [Fraction((-1) ** k, math.factorial(2 * k)) for k in range(2, m.format.sin_terms + 1)]
    return m.fma(m.mul(square, square), m.polynomial(square, terms), m.fma(square, -0.5, 1.0))


def _sine_of_quadrant(m: _Math, r: Value, n: Value) -> Value:
    """sin(r + n pi/2)."""
    square = m.mul(r, r)
    odd = arith.cmpi(m.b, "ne", arith.andi(m.b, n, m.i(1)), m.i(0))
    value = m.select(odd, _cosine_series(m, square), _sine_series(m, r, square))
    negative = arith.cmpi(m.b, "ne", arith.andi(m.b, n, m.i(2)), m.i(0))
    return m.select(negative, m.neg(value), value)


def _sin(m: _Math, x: Value) -> Value:
    r, n = _reduced_quadrant(m, x)
    return m.select(m.test("oeq", x, 0.0), x, _sine_of_quadrant(m, r, n))


def _cos(m: _Math, x: Value) -> Value:
    r, n = _reduced_quadrant(m, x)
    return _sine_of_quadrant(m, r, arith.addi(m.b, n, m.i(1)))


def _tan(m: _Math, x: Value) -> Value:
    r, n = _reduced_quadrant(m, x)
    square = m.mul(r, r)
    sine, cosine = _sine_series(m, r, square), _cosine_series(m, square)
    odd = arith.cmpi(m.b, "ne", arith.andi(m.b, n, m.i(1)), m.i(0))
    value = m.div(m.select(odd, m.neg(cosine), sine), m.select(odd, sine, cosine))
    return m.select(m.test("oeq", x, 0.0), x, value)


def _atan_unit(m: _Math, a: Value) -> Value:
    """atan of a in [0, 1]: above tan(pi/8) as pi/4 + atan((a-1)/(a+1)), then the series."""
    upper = m.test("ogt", a, math.tan(math.pi / 8))
    t = m.select(upper, m.div(m.sub(a, 1.0), m.add(a, 1.0)), a)
    square = m.mul(t, t)
    terms = [Fraction((-1) ** k, 2 * k + 1) for k in range(1, m.format.atan_terms)]
    near = m.fma(m.mul(square, t), m.polynomial(square, terms), t)
    return m.select(upper, m.add(near, float(_PI / 4)), near)


def _atan(m: _Math, x: Value) -> Value:
    a = m.abs(x)
    above = m.test("ogt", a, 1.0)
    angle = _atan_unit(m, m.select(above, m.div(1.0, a), a))
    return m.copysign(m.select(above, m.sub(float(_PI / 2), angle), angle), x)


def _atan2(m: _Math, y: Value, x: Value) -> Value:
    ay, ax = m.abs(y), m.abs(x)
    swapped = m.test("ogt", ay, ax)
    small, large = m.select(swapped, ax, ay), m.select(swapped, ay, ax)
    both_infinite = m.test("oeq", small, math.inf)
    ratio = m.select(both_infinite, 1.0, m.div(small, large))
    ratio = m.select(m.test("oeq", large, 0.0), 0.0, ratio)
    angle = _atan_unit(m, ratio)
    angle = m.select(swapped, m.sub(float(_PI / 2), angle), angle)
    negative = m.test("olt", m.copysign(m.c(1.0), x), 0.0)
    angle = m.copysign(m.select(negative, m.sub(float(_PI), angle), angle), y)
    return m.select(m.test("uno", x, y), math.nan, angle)


def _asin(m: _Math, x: Value) -> Value:
    cosine = m.sqrt(m.mul(m.sub(1.0, x), m.add(x, 1.0)))
    return m.select(m.test("oeq", x, 0.0), x, _atan(m, m.div(x, cosine)))


def _acos(m: _Math, x: Value) -> Value:
    return m.mul(_atan(m, m.sqrt(m.div(m.sub(1.0, x), m.add(x, 1.0)))), 2.0)


_ERFC_CENTRE = 2.5
_ERFC: dict[FloatType, tuple[float, ...]] = {
    F32: (
        1.2648381802013287, -0.12235676941062798, -0.09902423964807817, 0.15763037596966406, -0.10297055533659442,
        0.0327554826963743, 0.00094680887315167, -0.004358277226896155, 0.00046327984363913374, 0.0005834769349196346,
        -6.389437193410185e-05, -6.471063822036892e-05,
    ),
    F64: (
        1.2648381843668615, -0.12235676308240419, -0.09902453957360216, 0.15762991902320458, -0.1029670560385432,
        0.032760893269135345, 0.0009318928164427126, -0.004382078347621523, 0.0004918658268269714, 0.0006321244006225361,
        -8.847936112179403e-05, -0.0001135226367074738, 6.266682759919725e-06, 2.2700332991628405e-05, 2.606709964161528e-06,
        -4.2187390050659465e-06, -1.5805245884810942e-06, 5.270409559594571e-07, 5.270148327423134e-07, 3.478511515136028e-08,
        -1.200914724882597e-07, -4.3026097246583856e-08, 1.632305577726144e-08, 1.189460341903311e-08, -4.4520802068819967e-10,
        -1.367036855443056e-09, -1.5845133139202165e-10,
    ),
}  # fmt: skip
"""exp(x^2) erfc(x) (1 + 2x) in u = (x - 2.5)/(x + 2.5): Chebyshev interpolation on [-1, 1], as powers of u.

Relative error 8e-9 (f32, degree 11) and 6e-18 (f64, degree 26).
"""


def _erfc_positive(m: _Math, a: Value) -> Value:
    """erfc(a) for a >= 0."""
    bounded = m.at_most(a, 28.0)
    u = m.div(m.sub(bounded, _ERFC_CENTRE), m.add(bounded, _ERFC_CENTRE))
    scaled = m.div(m.polynomial(u, _ERFC[m.format.float]), m.fma(bounded, 2.0, 1.0))
    square = m.mul(bounded, bounded)
    lost = m.fma(bounded, bounded, m.neg(square))
    gauss = _exp(m, m.neg(square))
    return m.mul(scaled, m.fma(gauss, m.neg(lost), gauss))


def _erf_series(m: _Math, x: Value) -> Value:
    """erf(x) for |x| <= 1."""
    two_over_root_pi = Fraction("1.12837916709551257389615890312154517168810125865799771368817144")
    terms = [two_over_root_pi * Fraction((-1) ** k, math.factorial(k) * (2 * k + 1)) for k in range(m.format.erf_terms)]
    return m.mul(x, m.polynomial(m.mul(x, x), terms))


_ERF_NEAR: Final = (
    0.12837916612625122, -0.3761262893676758, 0.11283618211746216, -0.026855124160647392, 0.005190725903958082,
    -0.000803065428044647, 7.919901690911502e-05,
)  # fmt: skip
"""erf(x) / x - 1 in x^2, for |x| <= 1, within 1.3e-9: what is added to x rounds less than a factor of x would."""

_ERF_FAR: Final = (
    0.00035369989927858114, 1.127040147781372, 0.6382255554199219, 0.10303749144077301, -0.021805379539728165,
    0.002939622849225998, -0.00018557565636001527,
)  # fmt: skip
"""-log(erfc(x)) for 1 <= x <= 4, so that erfc is within 1.1e-9; behind 4 erf is 1 in f32."""


def _erf_single(m: _Math, x: Value) -> Value:
    """In f32 erf needs erfc to an absolute, not a relative error: half of the work, and no division."""
    a = m.abs(x)
    exponent = m.neg(m.polynomial(m.at_most(a, 4.0), _ERF_FAR))
    r, n = m.reduce_exp(exponent)
    power = m.power_of_two(n)
    far = m.copysign(m.sub(1.0, m.fma(power, m.expm1_series(r), power)), x)
    near = m.fma(x, m.polynomial(m.mul(x, x), _ERF_NEAR), x)
    return m.select(m.test("ogt", a, 1.0), far, near)


def _erf(m: _Math, x: Value) -> Value:
    if m.format is _F32:
        return _erf_single(m, x)
    a = m.abs(x)
    far = m.copysign(m.sub(1.0, _erfc_positive(m, a)), x)
    return m.select(m.test("ogt", a, 1.0), far, _erf_series(m, x))


def _erfc(m: _Math, x: Value) -> Value:
    far = _erfc_positive(m, m.abs(x))
    far = m.select(m.test("olt", x, 0.0), m.sub(2.0, far), far)
    return m.select(m.test("olt", m.abs(x), 0.5), m.sub(1.0, _erf_series(m, x)), far)


def _log_double(m: _Math, x: Value) -> tuple[Value, Value]:
    """log of a positive finite x as an unevaluated sum of two floats."""
    mantissa, e = m.split_log(x)
    f, below = m.sub(mantissa, 1.0), m.add(mantissa, 1.0)
    below_lost = m.sub(mantissa, m.sub(below, 1.0))
    s = m.div(f, below)
    s_lost = m.div(m.fma(m.neg(s), below_lost, m.fma(m.neg(s), below, f)), below)
    square = m.mul(s, s)
    tail = m.mul(m.mul(square, s), m.atanh_tail(square))
    high, low = m.parts(_LN2, m.format.fraction_bits - 12, 2)
    whole, double = m.mul(e, high), m.mul(s, 2.0)
    total = m.add(whole, double)
    back = m.sub(total, whole)
    lost = m.add(m.sub(whole, m.sub(total, back)), m.sub(double, back))
    rest = m.add(lost, m.fma(e, low, m.mul(m.add(s_lost, tail), 2.0)))
    result = m.add(total, rest)
    return result, m.sub(rest, m.sub(result, total))


def _exp_double(m: _Math, x: Value, rest: Value) -> Value:
    """exp(x + rest) of a small `rest`, rounded once: less than a fifth of an ulp before, so that powers that are representable are exact."""
    low, high = m.format.exp_range
    clamped = m.at_least(m.at_most(x, high), low)
    n, integer = m.nearest(m.mul(clamped, float(1 / _LN2)))
    upper, lower = m.parts(_LN2, m.format.fraction_bits - 8, 2)
    exact, little = m.fma(n, -upper, clamped), m.mul(n, -lower)
    r = m.add(exact, little)
    rest = m.add(rest, m.sub(little, m.sub(r, exact)))
    tail = m.polynomial(r, [Fraction(1, math.factorial(k)) for k in range(2, m.format.exp_terms)])
    square = m.mul(r, r)
    correction = m.fma(square, tail, m.fma(rest, m.fma(square, tail, r), rest))
    head = m.add(r, 1.0)
    lost = m.sub(r, m.sub(head, 1.0))
    return m.scale(m.add(head, m.add(lost, correction)), integer)


def _pow(m: _Math, x: Value, y: Value) -> Value:
    magnitude = m.abs(x)
    safe = m.select(m.test("ogt", magnitude, 0.0), m.at_most(magnitude, _largest(m)), 1.0)
    log_high, log_low = _log_double(m, safe)
    product = m.mul(y, log_high)
    rest = m.fma(y, log_low, m.fma(y, log_high, m.neg(product)))
    rest = m.select(m.test("olt", m.abs(product), 2.0 * m.format.exp_range[1]), rest, 0.0)
    power = _exp_double(m, product, rest)
    # |x| of 0 and infinity: by the sign of y alone.
    negative_y = m.test("olt", y, 0.0)
    zero_or_infinity = m.select(m.test("oeq", magnitude, 0.0), m.select(negative_y, math.inf, 0.0), m.select(negative_y, 0.0, math.inf))
    edge = arith.ori(m.b, m.test("oeq", magnitude, 0.0), m.test("oeq", magnitude, math.inf))
    power = m.select(edge, zero_or_infinity, power)
    # An infinite y: by |x| against 1.
    grows = arith.cmpi(m.b, "eq", m.test("ogt", magnitude, 1.0), m.test("ogt", y, 0.0))
    power = m.select(m.test("oeq", m.abs(y), math.inf), m.select(grows, math.inf, 0.0), power)
    # A negative x: defined for whole y, negative for odd ones.
    whole = m.test("oeq", mathd.trunc(m.b, y), y)
    half = m.mul(y, 0.5)
    odd = arith.andi(m.b, whole, m.test("one", mathd.trunc(m.b, half), half))
    sign = m.test("olt", m.copysign(m.c(1.0), x), 0.0)
    power = m.select(arith.andi(m.b, sign, odd), m.neg(power), power)
    defined = arith.ori(m.b, m.test("oge", x, 0.0), arith.ori(m.b, whole, m.test("oeq", x, -math.inf)))
    power = m.select(defined, power, math.nan)
    power = m.select(m.test("uno", x, y), math.nan, power)
    one = arith.ori(m.b, m.test("oeq", y, 0.0), m.test("oeq", x, 1.0))
    minus_one = arith.andi(m.b, m.test("oeq", x, -1.0), m.test("oeq", m.abs(y), math.inf))
    return m.select(arith.ori(m.b, one, minus_one), 1.0, power)


def _largest(m: _Math) -> float:
    return float(np.finfo(np.float32 if m.format is _F32 else np.float64).max)


def _cbrt(m: _Math, x: Value) -> Value:
    a = m.abs(x)
    ordinary = arith.andi(m.b, m.test("ogt", a, 0.0), m.test("olt", a, math.inf))
    safe = m.select(ordinary, a, 1.0)
    root = _exp(m, m.mul(_log(m, safe), 1.0 / 3.0))
    # One step of Newton's method takes the error of exp(log/3) away.
    step = m.div(m.sub(root, m.div(safe, m.mul(root, root))), 3.0)
    return m.select(ordinary, m.copysign(m.sub(root, step), x), x)


def _rsqrt(m: _Math, x: Value) -> Value:
    return m.div(1.0, m.sqrt(x))


def _round(m: _Math, x: Value) -> Value:
    """Half away from zero: truncation of x plus the largest float below one half, with its sign."""
    below_half = 0.5 - 2.0 ** -(m.format.fraction_bits + 2)
    rounded = mathd.trunc(m.b, m.add(m.abs(x), below_half))
    whole = m.test("oge", m.abs(x), 2.0**m.format.fraction_bits)
    return m.select(whole, x, m.copysign(rounded, x))


def _isnan(m: _Math, x: Value) -> Value:
    return m.test("uno", x, x)


def _isinf(m: _Math, x: Value) -> Value:
    return m.test("oeq", m.abs(x), math.inf)


def _isfinite(m: _Math, x: Value) -> Value:
    return m.test("olt", m.abs(x), math.inf)


def _isnormal(m: _Math, x: Value) -> Value:
    a = m.abs(x)
    return arith.andi(m.b, m.test("oge", a, 2.0 ** (1 - m.format.bias)), m.test("olt", a, math.inf))


def _remainder(m: _Math, x: Value, y: Value) -> Value:
    """C's fmod, exact: subtracts multiples of y * 2**k whose quotient fits the fraction, until less than y is left.

    What is not defined is the NaN that the processor makes, whose sign texts show.
    """
    if isinstance(m.type, VectorType):
        quotient = mathd.trunc(m.b, m.div(x, y))
        rest = m.fma(quotient, m.neg(y), x)
        return m.select(m.test("uno", rest, rest), rest, m.copysign(m.abs(rest), x))
    divisor = m.abs(y)
    valid = arith.andi(m.b, m.test("ogt", divisor, 0.0), m.test("olt", m.abs(x), math.inf))
    start = m.select(valid, m.abs(x), 0.0)

    def before(b: Builder, args: Sequence[Value]) -> Sequence[Value]:
        return [_Math(b, m.type).test("oge", args[0], divisor), args[0]]

    limit = 2.0 ** (m.format.fraction_bits - 1)

    def after(b: Builder, args: Sequence[Value]) -> Sequence[Value]:
        inner = _Math(b, m.type)
        rest = args[0]
        fits = inner.test("olt", inner.div(rest, divisor), limit)
        scaled = scf.if_(b, fits, [m.type], lambda _, __: [divisor], lambda b, _: [scaled_up(b, rest)]).result
        quotient = mathd.trunc(b, inner.div(rest, scaled))
        left = inner.fma(inner.neg(quotient), scaled, rest)
        # The quotient may have been rounded up to a whole number.
        return [inner.select(inner.test("olt", left, 0.0), inner.add(left, scaled), left)]

    def scaled_up(b: Builder, rest: Value) -> Value:
        """The largest y * 2**k with rest / (y * 2**k) < 2**fraction_bits; three rounds, for a quotient may overflow twice."""
        inner = _Math(b, m.type)
        exponent_bits = m.format.integer.width - 1 - m.format.fraction_bits
        exponent_mask = inner.i(((1 << exponent_bits) - 1) << m.format.fraction_bits)
        scaled = divisor
        for _ in range(3):
            ratio = inner.at_most(inner.div(rest, scaled), _largest(inner))
            power = inner.from_bits(arith.andi(b, inner.bits(ratio), exponent_mask))
            scale = inner.select(inner.test("olt", ratio, limit), 1.0, inner.mul(power, 1.0 / limit))
            scaled = inner.mul(scaled, scale)
        return scaled

    rest = scf.while_(m.b, [start], before, after).results[0]
    result = m.select(m.test("oeq", divisor, math.inf), m.abs(x), rest)
    defined = arith.andi(m.b, valid, m.test("ord", x, y))
    product = m.mul(x, y)
    return m.select(defined, m.copysign(result, x), m.div(product, product))


def _integer_power(b: Builder, x: Value, y: Value) -> Value:
    """x**y modulo 2**width by repeated squaring; a negative y gives 0, or +-1 for x = +-1 (PyTorch)."""
    zero, one = arith.constant(b, 0, x.type), arith.constant(b, 1, x.type)
    negative = arith.cmpi(b, "slt", y, zero)

    def before(inner: Builder, args: Sequence[Value]) -> Sequence[Value]:
        return [arith.cmpi(inner, "sgt", args[2], zero), *args]

    def after(inner: Builder, args: Sequence[Value]) -> Sequence[Value]:
        result, base, exponent = args
        odd = arith.cmpi(inner, "ne", arith.andi(inner, exponent, one), zero)
        following = arith.select(inner, odd, arith.muli(inner, result, base), result)
        return [following, arith.muli(inner, base, base), arith.shrsi(inner, exponent, one)]

    power = scf.while_(b, [one, x, arith.select(b, negative, zero, y)], before, after).results[0]
    minus_one = arith.constant(b, -1, x.type)
    odd = arith.cmpi(b, "ne", arith.andi(b, y, one), zero)
    of_minus_one = arith.select(b, odd, minus_one, one)
    is_one, is_minus_one = arith.cmpi(b, "eq", x, one), arith.cmpi(b, "eq", x, minus_one)
    inverse = arith.select(b, is_one, one, arith.select(b, is_minus_one, of_minus_one, zero))
    return arith.select(b, negative, inverse, power)


EXPANSIONS: dict[str, Rule] = {
    "math.exp": _exp,
    "math.exp2": _exp2,
    "math.expm1": _expm1,
    "math.log": _log,
    "math.log2": _log_base(2),
    "math.log10": _log_base(10),
    "math.log1p": _log1p,
    "math.tanh": _tanh,
    "math.sinh": _sinh,
    "math.cosh": _cosh,
    "math.asinh": _asinh,
    "math.acosh": _acosh,
    "math.atanh": _atanh,
    "math.sin": _sin,
    "math.cos": _cos,
    "math.tan": _tan,
    "math.asin": _asin,
    "math.acos": _acos,
    "math.atan": _atan,
    "math.atan2": _atan2,
    "math.erf": _erf,
    "math.erfc": _erfc,
    "math.powf": _pow,
    "math.cbrt": _cbrt,
    "math.rsqrt": _rsqrt,
    "math.round": _round,
    "math.isnan": _isnan,
    "math.isinf": _isinf,
    "math.isfinite": _isfinite,
    "math.isnormal": _isnormal,
    "arith.remf": _remainder,
}
"""Operation name -> its expansion, `rule(m, *operands)`. Everything else in `math` is an instruction."""
