"""Functions of complex numbers as arithmetic on their parts: quotients, exp, log, sqrt, the trigonometric functions.

In: elements of a complex type. Out: an element of that type, or of its part's (`abs`, `angle`). Functions with
cancellations or that overflow on the way compute complex64 in f64; the branch cuts are C's (Kahan, Branch Cuts for
Complex Elementary Functions).
"""

from __future__ import annotations

import math as numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ...builder import Builder
from ...core import Value
from ...types import COMPLEX_F32, F32, F64, Type
from .. import arith, math
from .. import complex as complexes

Function = Callable[..., Value]
"""`function(b, *elements)`."""


@dataclass(frozen=True)
class Real:
    """A float, with Python's operators."""

    b: Builder
    value: Value

    def of(self, other: Real | float) -> Value:
        return other.value if isinstance(other, Real) else arith.constant(self.b, other, self.value.type)

    def _made(self, value: Value) -> Real:
        return Real(self.b, value)

    def __add__(self, other: Real | float) -> Real:
        return self._made(arith.addf(self.b, self.value, self.of(other)))

    def __sub__(self, other: Real | float) -> Real:
        return self._made(arith.subf(self.b, self.value, self.of(other)))

    def __rsub__(self, other: float) -> Real:
        return self._made(arith.subf(self.b, self.of(other), self.value))

    def __mul__(self, other: Real | float) -> Real:
        return self._made(arith.mulf(self.b, self.value, self.of(other)))

    def __truediv__(self, other: Real | float) -> Real:
        return self._made(arith.divf(self.b, self.value, self.of(other)))

    def __rtruediv__(self, other: float) -> Real:
        return self._made(arith.divf(self.b, self.of(other), self.value))

    def __neg__(self) -> Real:
        return self._made(arith.negf(self.b, self.value))

    def apply(self, function: Callable[..., Value], *others: Real | float) -> Real:
        return self._made(function(self.b, self.value, *map(self.of, others)))

    def abs(self) -> Real:
        return self.apply(math.absf)

    def is_(self, predicate: str, other: Real | float) -> Condition:
        return Condition(self.b, arith.cmpf(self.b, predicate, self.value, self.of(other)))

    def constant(self, value: float) -> Real:
        return self._made(self.of(value))


@dataclass(frozen=True)
class Condition:
    b: Builder
    value: Value

    def choose(self, x: Real, y: Real | float) -> Real:
        return Real(self.b, arith.select(self.b, self.value, x.value, x.of(y)))

    def __and__(self, other: Condition) -> Condition:
        return Condition(self.b, arith.andi(self.b, self.value, other.value))

    def __or__(self, other: Condition) -> Condition:
        return Condition(self.b, arith.ori(self.b, self.value, other.value))


@dataclass(frozen=True)
class Number:
    re: Real
    im: Real

    @staticmethod
    def of(b: Builder, z: Value, *, wide: bool = False) -> Number:
        """The parts of an element; `wide`: in f64."""
        parts = [complexes.re(b, z), complexes.im(b, z)]
        if wide and parts[0].type == F32:
            parts = [arith.extf(b, part, F64) for part in parts]
        return Number(*(Real(b, part) for part in parts))

    def to(self, t: Type) -> Value:
        """An element of type `t`."""
        return complexes.create(self.re.b, self.re.value, self.im.value) if t != COMPLEX_F32 else self._narrow()

    def _narrow(self) -> Value:
        return complexes.create(self.re.b, *(_narrowed(part, F32) for part in (self.re, self.im)))

    def times_i(self) -> Number:
        return Number(-self.im, self.re)

    def over_i(self) -> Number:
        return Number(self.im, -self.re)

    def scaled(self, factor: Real | float) -> Number:
        return Number(self.re * factor, self.im * factor)

    def plus(self, number: float) -> Number:
        return Number(self.re + number, self.im)

    def __neg__(self) -> Number:
        return Number(-self.re, -self.im)

    def __mul__(self, other: Number) -> Number:
        return Number(self.re * other.re - self.im * other.im, self.re * other.im + self.im * other.re)


def _narrowed(x: Real, t: Type) -> Value:
    return x.value if x.value.type == t else arith.truncf(x.b, x.value, t)


def choose(condition: Condition, x: Number, y: Number) -> Number:
    return Number(condition.choose(x.re, y.re), condition.choose(x.im, y.im))


def _ordered(z: Number) -> tuple[Real, Real]:
    """The larger and the smaller of the parts' sizes."""
    a, b = z.re.abs(), z.im.abs()
    return a.apply(arith.maxnumf, b), a.apply(arith.minnumf, b)


def _size(z: Number) -> Real:
    large, small = _ordered(z)
    ratio = small / large
    size = large * (ratio * ratio + 1.0).apply(math.sqrt)
    plain = large.is_("oeq", 0.0) | large.is_("oeq", numbers.inf)
    nan = z.re.is_("uno", z.im) & large.is_("one", numbers.inf)
    return nan.choose(z.re.constant(numbers.nan), plain.choose(large, size))


def _angle(z: Number) -> Real:
    return z.im.apply(math.atan2, z.re)


def _quotient(x: Number, y: Number) -> Number:
    """Smith's algorithm, which does not overflow on the way; by 0 as by a real 0."""
    wide = y.re.abs().is_("oge", y.im.abs())
    large, small = wide.choose(y.re, y.im), wide.choose(y.im, y.re)
    ratio = small / large
    zero = large.is_("oeq", 0.0)
    ratio = zero.choose(ratio.constant(0.0), ratio)
    scale = large + small * ratio
    first, second = wide.choose(x.re, x.im), wide.choose(x.im, x.re)
    imaginary = wide.choose(second - first * ratio, first * ratio - second)  # not negated: of zeros the sign counts
    return Number((first + second * ratio) / scale, imaginary / scale)


def _exp(z: Number) -> Number:
    size = z.re.apply(math.exp)
    cosine, sine = size * z.im.apply(math.cos), size * z.im.apply(math.sin)
    real = z.im.is_("oeq", 0.0)
    turned = _not_finite(z.im)
    none = z.re.is_("oeq", -numbers.inf) & turned
    endless = z.re.is_("oeq", numbers.inf) & turned
    return Number((real | none | endless).choose(size, cosine), real.choose(z.im, none.choose(size, sine)))


def _not_finite(x: Real) -> Condition:
    return (x - x).is_("uno", 0.0)


def _exp2(z: Number) -> Number:
    return _exp(z.scaled(numbers.log(2)))


def _expm1(z: Number) -> Number:
    half = (z.im * 0.5).apply(math.sin)
    re = z.re.apply(math.expm1) * z.im.apply(math.cos) - half * half * 2.0
    return Number(re, _exp(z).im)


def _log_size(z: Number) -> Real:
    """log |z|, exact near |z| = 1 too."""
    large, small = _ordered(z)
    near = ((large - 1.0) * (large + 1.0) + small * small).apply(math.log1p) * 0.5
    ratio = small / large
    ratio = (large.is_("oeq", 0.0) | small.is_("oeq", numbers.inf)).choose(ratio.constant(0.0), ratio)
    far = large.apply(math.log) + (ratio * ratio).apply(math.log1p) * 0.5
    far = large.is_("oeq", numbers.inf).choose(large, far)
    found = (large.is_("ogt", 0.5) & large.is_("olt", 2.0)).choose(near, far)
    nan = z.re.is_("uno", z.im) & large.is_("one", numbers.inf)  # the order above leaves NaN out
    return nan.choose(z.re.constant(numbers.nan), found)


def _log(z: Number) -> Number:
    return Number(_log_size(z), _angle(z))


def _log1p(z: Number) -> Number:
    one = z.plus(1.0)
    near = (z.re * (z.re + 2.0) + z.im * z.im).apply(math.log1p) * 0.5
    small = z.re.abs().is_("olt", 0.5) & z.im.abs().is_("olt", 0.5)
    return Number(small.choose(near, _log_size(one)), _angle(one))


def _sqrt(z: Number) -> Number:
    a = z.re.abs()
    size = _size(z)
    half = ((size * 0.5) + (a * 0.5)).apply(math.sqrt)
    other = half.is_("oeq", 0.0).choose(z.im, z.im / (half * 2.0))
    right = z.re.is_("oge", 0.0)
    found = Number(right.choose(half, other.abs()), right.choose(other, half.apply(math.copysign, z.im)))
    infinite = z.im.abs().is_("oeq", numbers.inf)
    return Number(infinite.choose(z.im.abs(), found.re), infinite.choose(z.im, found.im))


def _sinh(z: Number) -> Number:
    sine = z.im.is_("oeq", 0.0).choose(z.im, z.re.apply(math.cosh) * z.im.apply(math.sin))
    return Number(_at_ends(z).choose(z.re, z.re.apply(math.sinh) * z.im.apply(math.cos)), sine)


def _at_ends(z: Number) -> Condition:
    """Of 0 and the infinities the size is known whatever the angle, where that is no finite number."""
    return (z.re.is_("oeq", 0.0) | z.re.abs().is_("oeq", numbers.inf)) & _not_finite(z.im)


def _cosh(z: Number) -> Number:
    imaginary = z.re.apply(math.sinh) * z.im.apply(math.sin)
    imaginary = (z.re.is_("oeq", 0.0) & _not_finite(z.im)).choose(z.re, imaginary)
    imaginary = z.im.is_("oeq", 0.0).choose(z.im * z.re.constant(1.0).apply(math.copysign, z.re), imaginary)
    endless = z.re.abs().is_("oeq", numbers.inf) & _not_finite(z.im)
    return Number(endless.choose(z.re.abs(), z.re.apply(math.cosh) * z.im.apply(math.cos)), imaginary)


def _tanh(z: Number) -> Number:
    """Kahan's formula; for large real parts, where it overflows, its limit."""
    t, s = z.im.apply(math.tan), z.re.apply(math.sinh)
    beta = t * t + 1.0
    rho = (s * s + 1.0).apply(math.sqrt)
    below = beta * s * s + 1.0
    steep = z.re.abs().is_("ogt", 20.0)
    limit = z.im.apply(math.sin) * z.im.apply(math.cos) * 4.0 * (z.re.abs() * -2.0).apply(math.exp)
    one = z.re.constant(1.0).apply(math.copysign, z.re)
    endless = z.re.abs().is_("oeq", numbers.inf)
    limit = (endless & _not_finite(z.im)).choose(limit.constant(0.0).apply(math.copysign, z.im), limit)
    one = (_not_finite(z.im) & z.re.abs().is_("olt", numbers.inf)).choose(one.constant(numbers.nan), one)
    im = z.im.is_("oeq", 0.0).choose(z.im, steep.choose(limit, t / below))
    re = z.re.is_("oeq", 0.0).choose(z.re, steep.choose(one, beta * rho * s / below))
    return Number(re, im)


def _sin(z: Number) -> Number:
    return _sinh(z.times_i()).over_i()


def _cos(z: Number) -> Number:
    return _cosh(z.times_i())


def _tan(z: Number) -> Number:
    return _tanh(z.times_i()).over_i()


def _one_minus(z: Number) -> Number:
    return Number(1.0 - z.re, -z.im)


def _is_endless(z: Number) -> Condition:
    return z.re.abs().is_("oeq", numbers.inf) | z.im.abs().is_("oeq", numbers.inf)


def _endless_like(x: Real) -> Real:
    return x.constant(numbers.inf).apply(math.copysign, x)


def _acos(z: Number) -> Number:
    a, b = _sqrt(_one_minus(z)), _sqrt(z.plus(1.0))
    found = Number(a.re.apply(math.atan2, b.re) * 2.0, (b.re * a.im - b.im * a.re).apply(math.asinh))
    found = Number(z.re.is_("oeq", 0.0).choose(z.re.constant(numbers.pi / 2), found.re), found.im)
    return choose(_is_endless(z), Number(z.im.abs().apply(math.atan2, z.re), _endless_like(-z.im)), found)


def _asin(z: Number) -> Number:
    a, b = _sqrt(_one_minus(z)), _sqrt(z.plus(1.0))
    found = Number(z.re.apply(math.atan2, a.re * b.re - a.im * b.im), (a.re * b.im - a.im * b.re).apply(math.asinh))
    found = Number(z.re.is_("oeq", 0.0).choose(z.re, found.re), found.im)
    return choose(_is_endless(z), Number(z.re.apply(math.atan2, z.im.abs()), _endless_like(z.im)), found)


def _asinh(z: Number) -> Number:
    return _asin(z.times_i()).over_i()


def _acosh(z: Number) -> Number:
    a, b = _sqrt(z.plus(-1.0)), _sqrt(z.plus(1.0))
    found = Number((a.re * b.re + a.im * b.im).apply(math.asinh), a.im.apply(math.atan2, b.re) * 2.0)
    turn = z.re.constant(numbers.pi / 2).apply(math.copysign, z.im)
    found = Number(found.re, z.re.is_("oeq", 0.0).choose(turn, found.im))
    return choose(_is_endless(z), Number(z.re.constant(numbers.inf), z.im.apply(math.atan2, z.re)), found)


def _atanh(z: Number) -> Number:
    a = z.re.abs()
    square = z.im * z.im
    left = 1.0 - a
    re = (a * 4.0 / (left * left + square)).apply(math.log1p) * 0.25
    large = a.is_("ogt", 1e150) | z.im.abs().is_("ogt", 1e150)
    re = large.choose(re.constant(0.0), re)
    lost = (left * left + square).is_("olt", 1e-290)  # beside a pole, where the square of the distance is lost
    re = lost.choose((z.im.abs().apply(math.log) - numbers.log(2)) * -0.5, re)
    re = z.re.is_("oeq", 0.0).choose(z.re, re)
    im = (z.im * 2.0).apply(math.atan2, left * (a + 1.0) - square) * 0.5
    im = large.choose(im.constant(numbers.pi / 2).apply(math.copysign, z.im), im)
    im = z.im.is_("uno", z.im).choose(z.im, im)
    return Number(re.apply(math.copysign, z.re), im)


def _atan(z: Number) -> Number:
    return _atanh(z.times_i()).over_i()


def _pow(x: Number, y: Number) -> Number:
    powered = _exp(_log(x) * y)
    base_is_zero = x.re.is_("oeq", 0.0) & x.im.is_("oeq", 0.0)
    exponent_is_zero = y.re.is_("oeq", 0.0) & y.im.is_("oeq", 0.0)
    zero, one = x.re.constant(0.0), x.re.constant(1.0)
    nothing = y.re.is_("ogt", 0.0)
    powered = choose(base_is_zero & nothing, Number(zero, zero), powered)
    return choose(exponent_is_zero, Number(one, zero), powered)


def _power(b: Builder, x: Value, y: Value) -> Value:
    """PyTorch computes some exponents without logarithms, exactly where the result is."""
    match complexes.constant_value(y):
        case 1:
            return x
        case 2:
            return _square(b, x)
        case 3:
            return complexes.mul(b, _square(b, x), x)
        case -1:
            return _function(_reciprocal, wide=False)(b, x)
        case -2:
            return _function(_reciprocal, wide=False)(b, _square(b, x))
        case 0.5:
            return square_root(b, x)
        case -0.5:
            return _function(_rsqrt)(b, x)
        case _:
            return _function(_pow)(b, x, y)


def _reciprocal(z: Number) -> Number:
    return _quotient(Number(z.re.constant(1.0), z.re.constant(0.0)), z)


def _sigmoid(z: Number) -> Number:
    return _reciprocal(_exp(-z).plus(1.0))


def _silu(z: Number) -> Number:
    return z * _sigmoid(z)


def _sinc(z: Number) -> Number:
    """sin(pi z) / (pi z), 1 at 0."""
    turned = z.scaled(numbers.pi)
    zero = z.re.is_("oeq", 0.0) & z.im.is_("oeq", 0.0)
    one = Number(z.re.constant(1.0), z.re.constant(0.0))
    return choose(zero, one, _quotient(_sin(turned), turned))


def _rsqrt(z: Number) -> Number:
    return _reciprocal(_sqrt(z))


def _sgn(z: Number) -> Number:
    size = _size(z)
    zero = size.is_("oeq", 0.0)
    return Number(zero.choose(size, z.re / size), zero.choose(size, z.im / size))


def _endless(direction: Real) -> Real:
    return direction.is_("oeq", 0.0).choose(direction, direction * numbers.inf)


def _log_add_exp(x: Number, y: Number) -> Number:
    """log(exp(x) + exp(y)) as PyTorch: NaN infects both parts; of two that are nothing, -inf, the second."""
    ordered = x.re.is_("olt", y.re)
    low, high = choose(ordered, x, y), choose(ordered, y, x)
    span = Number(low.re - high.re, low.im - high.im)
    nothing = low.re.is_("oeq", -numbers.inf)
    zero = x.re.constant(0.0)
    ratio = choose(nothing | high.re.is_("oeq", numbers.inf), Number(zero, zero), _exp(span))
    log = _log1p(ratio)
    found = Number(log.re + high.re, log.im + high.im)
    # both endless: the angle of the sum of their directions
    both = low.re.is_("oeq", numbers.inf)
    direction = [_endless(low.im.apply(f)) + _endless(high.im.apply(f)) for f in (math.cos, math.sin)]
    found = choose(both, _log(Number(*direction)), found)
    found = choose(high.re.is_("oeq", -numbers.inf), y, found)
    nan = (x.re.is_("uno", x.im)) | (y.re.is_("uno", y.im))
    missing = x.re.constant(numbers.nan)
    return choose(nan, Number(missing, missing), found)


def _scaled_log(base: float) -> Callable[[Number], Number]:
    return lambda z: _log(z).scaled(1 / numbers.log(base))


def _function(formula: Callable[..., Number], *, wide: bool = True) -> Function:
    def element(b: Builder, *operands: Value) -> Value:
        return formula(*(Number.of(b, z, wide=wide) for z in operands)).to(operands[0].type)

    return element


def _real(formula: Callable[..., Real]) -> Function:
    """A function whose value is real."""

    def element(b: Builder, z: Value) -> Value:
        return _narrowed(formula(Number.of(b, z, wide=True)), complexes.part_type(z.type))

    return element


def _square(b: Builder, z: Value) -> Value:
    return complexes.mul(b, z, z)


def _lerp(b: Builder, x: Value, end: Value, weight: Value) -> Value:
    """From the nearer end, so that both ends are reached exactly."""
    w = Number.of(b, weight)
    span = complexes.sub(b, end, x)
    near = complexes.add(b, x, complexes.mul(b, weight, span))
    rest = Number(1.0 - w.re, -w.im).to(weight.type)
    far = complexes.sub(b, end, complexes.mul(b, span, rest))
    return arith.select(b, _size(w).is_("olt", 0.5).value, near, far)


divide: Final = _function(_quotient, wide=False)
absolute: Final = _real(_size)
exponential: Final = _function(_exp, wide=False)
square_root: Final = _function(_sqrt)
logarithm: Final = _function(_log)
log_add_exp: Final = _function(_log_add_exp)

FUNCTIONS: Final[dict[str, Function]] = {
    "abs": absolute,
    "absolute": absolute,
    "angle": _real(_angle),
    "exp": exponential,
    "exp2": _function(_exp2),
    "expm1": _function(_expm1),
    "log": logarithm,
    "log2": _function(_scaled_log(2)),
    "log10": _function(_scaled_log(10)),
    "log1p": _function(_log1p),
    "sqrt": square_root,
    "rsqrt": _function(_rsqrt),
    "sin": _function(_sin),
    "cos": _function(_cos),
    "tan": _function(_tan),
    "sinh": _function(_sinh),
    "cosh": _function(_cosh),
    "tanh": _function(_tanh),
    "asin": _function(_asin),
    "acos": _function(_acos),
    "atan": _function(_atan),
    "asinh": _function(_asinh),
    "acosh": _function(_acosh),
    "atanh": _function(_atanh),
    "sigmoid": _function(_sigmoid),
    "silu": _function(_silu),
    "sinc": _function(_sinc),
    "reciprocal": _function(_reciprocal, wide=False),
    "sgn": _function(_sgn),
    "pow": _power,
    "float_power": _power,
    "lerp": _lerp,
    "logaddexp": log_add_exp,
    "square": _square,
}
"""By name of the operator: what it does to one complex element of each operand."""

REAL_VALUED: Final = frozenset({"abs", "absolute", "angle"})
"""Those whose result is real."""
