"""Complex numbers: two floats each, and every operator on them as operators on floats.

In: an operator on numbers of which one is complex. Out: its result; a complex one is a `Complex`. What is known at compile
time is computed as Python's `complex` has it; formulas are C++'s and Python's `cmath`, with their branch cuts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

from ...ir.interpreters import builtins
from ...ir.operator import OperatorError
from ...ir.operators import schema, split_name
from ...ir.script_types import BOOL, COMPLEX, FLOAT, INT, NUMBER, ScriptType, TensorType
from . import calls
from .values import Abstract, Complex, Known, Scalar, known, type_of

if TYPE_CHECKING:
    from .evaluator import Evaluator

_NUMBERS: Final = (COMPLEX, FLOAT, INT, BOOL, NUMBER)


def apply(ev: Evaluator, name: str, arguments: Sequence[Abstract]) -> Sequence[Abstract] | None:
    """The result of an operator on numbers that takes or gives a complex one; None for every other."""
    base, _ = split_name(name)
    if base in _TEXT:
        return _of_constants(ev, name, arguments)
    if any(isinstance(a, Complex) for a in arguments) and _gives_tensor(name):
        return calls.apply(ev, name, [_whole(ev, a) if isinstance(a, Complex) else a for a in arguments])
    if base in ("aten::__is__", "aten::__isnot__") or not all(isinstance(a, Known | Scalar | Complex) for a in arguments):
        return None
    if not any(isinstance(a, Complex) for a in arguments) and not _is_complex(name) and base != "aten::angle":
        return None
    values = [_plain(a) for a in arguments]
    builtin = builtins.find(name, values) if None not in values else None
    if builtin is not None:
        try:
            return (ev.import_value(builtin(*values)),)
        except OperatorError as error:
            raise ev.operator_error(str(error)) from None
    if base in _TO_REAL and len(arguments) == 1:
        return (_real_part(ev, _Number.of(ev, arguments[0]), base),)
    function = _FUNCTIONS.get(base)
    if function is None:
        raise ev.error(f"{name} on a complex number known at run time is not supported")
    result = function(*[_Number.of(ev, a) for a in arguments])
    return (result.value if isinstance(result, _Real) else Complex((result.re.value, result.im.value)),)


@cache
def _is_complex(name: str) -> bool:
    form = schema(name)
    if form is None:
        return False
    types: list[ScriptType] = [*(a.type for a in form.arguments), *(r.type for r in form.returns)]
    return COMPLEX in types and all(t in _NUMBERS for t in types)


def _plain(value: Abstract) -> int | float | bool | complex | None:
    """A number that is known at compile time."""
    if isinstance(value, Known) and isinstance(value.value, int | float | complex):
        return value.value
    if isinstance(value, Complex):
        re, im = value.elements
        if isinstance(re, Known) and isinstance(im, Known) and isinstance(re.value, float) and isinstance(im.value, float):
            return complex(re.value, im.value)
    return None


_TEXT: Final = ("aten::str", "aten::format", "aten::percentFormat", "prim::Print")


def _of_constants(ev: Evaluator, name: str, arguments: Sequence[Abstract]) -> Sequence[Abstract] | None:
    """The operator on complex numbers that are known at compile time; None where there are others, or none."""
    numbers = [a for a in arguments if isinstance(a, Complex)]
    if not numbers or any(_plain(a) is None for a in numbers):
        return None
    return calls.apply(ev, name, [Known(_plain(a), COMPLEX) if isinstance(a, Complex) else a for a in arguments])


def _whole(ev: Evaluator, number: Complex) -> Known | Scalar:
    """The number as one value: an operand of an operator on tensors."""
    plain = _plain(number)
    if plain is not None:
        return Known(plain, COMPLEX)
    parts = [ev.materialise(part) for part in number.elements]
    return Scalar(ev.emit("aten::Complex.float_float", parts, [COMPLEX]).result)


@cache
def _gives_tensor(name: str) -> bool:
    form = schema(name)
    return form is not None and any(isinstance(r.type, TensorType) for r in form.returns)


class _Real:
    """A float, with Python's operators."""

    def __init__(self, ev: Evaluator, value: Abstract) -> None:
        self.ev = ev
        self.value = value

    def _call(self, name: str, *others: _Real | float) -> _Real:
        operands = [self.value, *(o.value if isinstance(o, _Real) else known(o) for o in others)]
        return _Real(self.ev, calls.single(self.ev, name, operands))

    def __add__(self, other: _Real | float) -> _Real:
        return self._call("aten::add.float", other)

    def __sub__(self, other: _Real | float) -> _Real:
        return self._call("aten::sub.float", other)

    def __mul__(self, other: _Real | float) -> _Real:
        return self._call("aten::mul.float", other)

    def __truediv__(self, other: _Real | float) -> _Real:
        return self._call("aten::div.float", other)

    def __neg__(self) -> _Real:
        return self._call("aten::neg.float")

    def __lt__(self, other: _Real | float) -> _Real:
        return self._call("aten::lt.float", other)

    def __ge__(self, other: _Real | float) -> _Real:
        return self._call("aten::ge.float", other)

    def equals(self, other: _Real | float) -> _Real:
        return self._call("aten::eq.float", other)

    def math(self, name: str, *others: _Real | float) -> _Real:
        """`math.NAME` of it."""
        return self._call(f"aten::{name}.float", *others)

    def abs(self) -> _Real:
        return self._call("prim::abs.float")

    def logical(self, name: str, *others: _Real) -> _Real:
        return self._call(name, *others)

    def choose(self, then: Callable[[], _Real], otherwise: Callable[[], _Real]) -> _Real:
        """`then()` where this, a bool, holds."""
        return _Real(self.ev, calls.choose(self.ev, self.value, lambda: then().value, lambda: otherwise().value))

    def constant(self, value: float) -> _Real:
        return _Real(self.ev, known(value))


class _Number:
    """A complex number."""

    def __init__(self, re: _Real, im: _Real, *, is_real: bool = False) -> None:
        self.re = re
        self.im = im
        self.is_real = is_real

    @staticmethod
    def of(ev: Evaluator, value: Abstract) -> _Number:
        if isinstance(value, Complex):
            re, im = value.elements
            return _Number(_Real(ev, re), _Real(ev, im))
        if type_of(value) == FLOAT:
            real = value
        else:
            real = calls.single(ev, "aten::Float.Scalar" if type_of(value) != BOOL else "aten::Float.bool", [value])
        return _Number(_Real(ev, real), _Real(ev, known(0.0)), is_real=True)

    def scaled(self, factor: _Real | float) -> _Number:
        return _Number(self.re * factor, self.im * factor)

    def times_i(self) -> _Number:
        return _Number(-self.im, self.re)

    def over_i(self) -> _Number:
        return _Number(self.im, -self.re)


_Result = _Number | _Real


def _add(a: _Number, b: _Number) -> _Number:
    return _Number(a.re + b.re, a.im + b.im)


def _sub(a: _Number, b: _Number) -> _Number:
    return _Number(a.re - b.re, a.im - b.im)


def _neg(z: _Number) -> _Number:
    return _Number(-z.re, -z.im)


def _mul(a: _Number, b: _Number) -> _Number:
    if b.is_real:
        return a.scaled(b.re)
    if a.is_real:
        return b.scaled(a.re)
    return _Number(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re)


def _div(a: _Number, b: _Number) -> _Number:
    """Smith's algorithm, which does not overflow."""
    if b.is_real:
        return _Number(a.re / b.re, a.im / b.re)
    wide = b.re.abs() >= b.im.abs()

    def part(re: Callable[[_Real, _Real], _Real], im: Callable[[_Real, _Real], _Real]) -> _Real:
        def by_re() -> _Real:
            ratio = b.im / b.re
            return re(ratio, b.re + b.im * ratio)

        def by_im() -> _Real:
            ratio = b.re / b.im
            return im(ratio, b.re * ratio + b.im)

        return wide.choose(by_re, by_im)

    return _Number(
        part(lambda r, d: (a.re + a.im * r) / d, lambda r, d: (a.re * r + a.im) / d),
        part(lambda r, d: (a.im - a.re * r) / d, lambda r, d: (a.im * r - a.re) / d),
    )


def _abs(z: _Number) -> _Real:
    a, b = z.re.abs(), z.im.abs()
    wide = a >= b
    large, small = wide.choose(lambda: a, lambda: b), wide.choose(lambda: b, lambda: a)

    def hypotenuse() -> _Real:
        ratio = small / large
        return large * (ratio * ratio + 1.0).math("sqrt")

    return large.equals(0.0).choose(lambda: large, hypotenuse)


def _equal(a: _Number, b: _Number) -> _Real:
    return a.re.equals(b.re).logical("aten::__and__.bool", a.im.equals(b.im))


def _unequal(a: _Number, b: _Number) -> _Real:
    return _equal(a, b).logical("aten::__not__")


def _exp(z: _Number) -> _Number:
    size = z.re.math("exp")
    return _Number(size * z.im.math("cos"), size * z.im.math("sin"))


def _angle(z: _Number) -> _Real:
    if z.is_real:
        return z.im.math("atan2", z.re.constant(1.0).math("copysign", z.re))  # its sign alone counts, that of a zero or NaN too
    return z.im.math("atan2", z.re)


def _log(z: _Number, base: _Number | None = None) -> _Number:
    found = _Number(_abs(z).math("log"), _angle(z))
    return found if base is None else _div(found, _log(base))


def _log10(z: _Number) -> _Number:
    return _log(z).scaled(1 / math.log(10))


def _sqrt(z: _Number) -> _Number:
    size = _abs(z)
    half = ((size + z.re.abs()) * 0.5).math("sqrt")
    other = half.equals(0.0).choose(lambda: z.im, lambda: z.im / (half * 2.0))
    right = z.re >= 0.0
    return _Number(right.choose(lambda: half, other.abs), right.choose(lambda: other, lambda: half.math("copysign", z.im)))


def _pow(a: _Number, b: _Number) -> _Number:
    powered = _exp(_mul(_log(a), b))
    is_zero = _equal(a, _Number(a.re.constant(0.0), a.re.constant(0.0)))
    none = _equal(b, _Number(a.re.constant(0.0), a.re.constant(0.0)))
    one = none.choose(lambda: a.re.constant(1.0), lambda: a.re.constant(0.0))
    return _Number(is_zero.choose(lambda: one, lambda: powered.re), is_zero.choose(lambda: a.re.constant(0.0), lambda: powered.im))


def _sinh(z: _Number) -> _Number:
    return _Number(z.re.math("sinh") * z.im.math("cos"), z.re.math("cosh") * z.im.math("sin"))


def _cosh(z: _Number) -> _Number:
    return _Number(z.re.math("cosh") * z.im.math("cos"), z.re.math("sinh") * z.im.math("sin"))


def _tanh(z: _Number) -> _Number:
    """By `tanh` and `tan` of the parts, which do not overflow."""
    t, c = z.re.math("tanh"), z.im.math("tan")
    steep = (t * t - 1.0) * -1.0  # 1 / cosh(re)**2
    below = (t * t) * (c * c) + 1.0
    return _Number(t * (c * c + 1.0) / below, steep * c / below)


def _sin(z: _Number) -> _Number:
    return _sinh(z.times_i()).over_i()


def _cos(z: _Number) -> _Number:
    return _cosh(z.times_i())


def _tan(z: _Number) -> _Number:
    return _tanh(z.times_i()).over_i()


def _one_plus(z: _Number) -> _Number:
    return _Number(z.re + 1.0, z.im)


def _one_minus(z: _Number) -> _Number:
    return _Number(-z.re + 1.0, -z.im)


def _acos(z: _Number) -> _Number:
    a, b = _sqrt(_one_minus(z)), _sqrt(_one_plus(z))
    return _Number(a.re.math("atan2", b.re) * 2.0, (b.re * a.im - b.im * a.re).math("asinh"))


def _asinh(z: _Number) -> _Number:
    a, b = _sqrt(_one_plus(z.over_i())), _sqrt(_one_minus(z.over_i()))
    return _Number((a.re * b.im - b.re * a.im).math("asinh"), z.im.math("atan2", a.re * b.re - a.im * b.im))


def _asin(z: _Number) -> _Number:
    return _asinh(z.times_i()).over_i()


def _acosh(z: _Number) -> _Number:
    a, b = _sqrt(_Number(z.re - 1.0, z.im)), _sqrt(_one_plus(z))
    return _Number((a.re * b.re + a.im * b.im).math("asinh"), a.im.math("atan2", b.re) * 2.0)


def _atanh(z: _Number) -> _Number:
    left = _Number(-z.re + 1.0, z.im)
    square = left.re * left.re + z.im * z.im
    re = (z.re * 4.0 / square).math("log1p") * 0.25
    im = (z.im * 2.0).math("atan2", left.re * (z.re + 1.0) - z.im * z.im) * 0.5
    return _Number(re, im)


def _atan(z: _Number) -> _Number:
    return _atanh(z.times_i()).over_i()


def _polar(size: _Number, angle: _Number) -> _Number:
    return _Number(size.re * angle.re.math("cos"), size.re * angle.re.math("sin"))


def _made(re: _Number, im: _Number | None = None) -> _Number:
    return re if im is None else _Number(re.re, im.re)


def _any_part(name: str, join: str) -> Callable[[_Number], _Real]:
    return lambda z: z.re.math(name).logical(join, z.im.math(name))


_FUNCTIONS: Final[dict[str, Callable[..., _Result]]] = {
    "aten::add": _add,
    "aten::sub": _sub,
    "aten::mul": _mul,
    "aten::div": _div,
    "aten::pow": _pow,
    "aten::neg": _neg,
    "aten::eq": _equal,
    "aten::ne": _unequal,
    "prim::abs": _abs,
    "aten::abs": _abs,
    "aten::exp": _exp,
    "aten::log": _log,
    "aten::log10": _log10,
    "aten::sqrt": _sqrt,
    "aten::sin": _sin,
    "aten::cos": _cos,
    "aten::tan": _tan,
    "aten::sinh": _sinh,
    "aten::cosh": _cosh,
    "aten::tanh": _tanh,
    "aten::asin": _asin,
    "aten::acos": _acos,
    "aten::atan": _atan,
    "aten::asinh": _asinh,
    "aten::acosh": _acosh,
    "aten::atanh": _atanh,
    "aten::angle": _angle,
    "aten::polar": _polar,
    "aten::Complex": _made,
    "aten::ComplexImplicit": _made,
    "aten::isnan": _any_part("isnan", "aten::__or__.bool"),
    "aten::isinf": _any_part("isinf", "aten::__or__.bool"),
    "aten::isfinite": _any_part("isfinite", "aten::__and__.bool"),
}


_TO_REAL: Final = ("aten::Int", "aten::IntImplicit", "aten::Float", "aten::FloatImplicit")


def _real_part(ev: Evaluator, z: _Number, base: str) -> Abstract:
    """`int` or `float` of a complex number; as in PyTorch only `int` asks for one without an imaginary part."""
    if base in ("aten::Float", "aten::FloatImplicit"):
        return z.re.value
    calls.require(ev, z.im.equals(0.0).value, ["value cannot be converted to type int without overflow"])
    return calls.single(ev, "aten::Int.float", [z.re.value])


def sum_of(ev: Evaluator, values: Sequence[Abstract]) -> Abstract:
    """`sum` of a list of complex numbers."""
    total: Abstract = Complex((known(0.0), known(0.0)))
    for value in values:
        (total,) = apply(ev, "aten::add.complex", [total, value]) or (total,)
    return total


__all__ = ["apply", "sum_of"]
