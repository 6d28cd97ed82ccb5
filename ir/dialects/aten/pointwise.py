"""Mathematical functions of one or two elements. Arithmetic, comparisons and activations have their own modules."""

from __future__ import annotations

import math as python_math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...core import Value
from ...dtypes import DType
from ...operator import NotConstant, Operator, OperatorError, Sample, Unknown
from ...script_types import TensorType
from .. import arith, math
from .. import complex as complexes
from .elementwise import (
    Formula1,
    Formula2,
    Function1,
    Samples,
    Scalars,
    Types,
    binary,
    binary_number,
    elementwise,
    evaluate_elementwise,
    is_bool,
    is_bool_or_complex,
    is_complex,
    is_not_floating,
    lower_elementwise,
    pair,
    promoted,
    refusing,
    to_float,
    types,
    unary,
)
from .lowering import LoweringContext
from .rules import Array, Operand, choose, dtype_of, operand_of, result_type
from .samples import (
    INF,
    NAN,
    binary_tensors,
    positive,
    ramp,
    special_pairs,
    tensor,
    unary_any,
    unary_floats,
    unary_numbers,
    unary_reals,
    with_numbers,
)

# functions of one float


def _vectorize(function: Callable[[float], float]) -> Callable[[Any], Any]:
    return np.vectorize(function, otypes=[np.float64])


def _positive_samples() -> Iterator[Sample]:
    yield from unary_numbers()
    yield Sample((positive(2, 3),))


def _unit_samples() -> Iterator[Sample]:
    yield Sample((ramp(9, low=-1.0, step=0.25),))
    yield Sample((tensor([NAN, INF, 2.0, -2.0, 0.0]),))
    yield Sample((tensor(0.25, "f64"),))
    yield Sample((ramp(3, dtype="i64", low=-1, step=1),))


def _math(
    name: str, build: Callable[..., Value], function: Callable[..., Any], samples: Samples = unary_numbers
) -> Operator:
    """A float function that the `math` dialect has."""
    return elementwise(f"aten::{name}(Tensor self) -> Tensor", to_float, lambda k, x: build(k.b, x), function, samples)


def _reciprocal(k: Scalars, x: Value) -> Value:
    return k.div(k.constant(1), x)


def _sigmoid(k: Scalars, x: Value) -> Value:
    return k.div(k.constant(1), k.add(k.constant(1), math.exp(k.b, k.neg(x))))


def _sinc(k: Scalars, x: Value) -> Value:
    scaled = k.mul(x, k.constant(python_math.pi))
    zero = k.compare("eq", x, k.constant(0))
    return k.select(zero, k.constant(1), k.div(math.sin(k.b, scaled), scaled))


def _scaled(factor: float) -> Formula1:
    return lambda k, x: k.mul(x, k.constant(factor))


def _float_unary(name: str, formula: Formula1, function: Function1, samples: Samples = unary_numbers) -> Operator:
    return elementwise(f"aten::{name}(Tensor self) -> Tensor", to_float, formula, function, samples)


FLOAT_FUNCTIONS: tuple[Operator, ...] = (
    _math("sqrt", math.sqrt, np.sqrt, _positive_samples),
    _math("exp", math.exp, np.exp),
    _math("exp2", math.exp2, np.exp2),
    _math("expm1", math.expm1, np.expm1),
    _math("log", math.log, np.log, _positive_samples),
    _math("log2", math.log2, np.log2, _positive_samples),
    _math("log10", math.log10, np.log10, _positive_samples),
    _math("log1p", math.log1p, np.log1p, _positive_samples),
    _math("sin", math.sin, np.sin),
    _math("cos", math.cos, np.cos),
    _math("tan", math.tan, np.tan),
    _math("asin", math.asin, np.arcsin, _unit_samples),
    _math("acos", math.acos, np.arccos, _unit_samples),
    _math("atan", math.atan, np.arctan),
    _math("sinh", math.sinh, np.sinh),
    _math("cosh", math.cosh, np.cosh),
    _math("tanh", math.tanh, np.tanh),
    _math("asinh", math.asinh, np.arcsinh),
    _math("acosh", math.acosh, np.arccosh, _positive_samples),
    _math("atanh", math.atanh, np.arctanh, _unit_samples),
    _math("erf", math.erf, _vectorize(python_math.erf)),
    _math("erfc", math.erfc, _vectorize(python_math.erfc)),
    _float_unary(
        "rsqrt", lambda k, x: k.div(k.constant(1), math.sqrt(k.b, x)), lambda x: 1 / np.sqrt(x), _positive_samples
    ),
    _float_unary("reciprocal", _reciprocal, lambda x: 1 / x),
    _float_unary("sigmoid", _sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    _float_unary("deg2rad", _scaled(python_math.pi / 180), np.deg2rad),
    _float_unary("rad2deg", _scaled(180 / python_math.pi), np.rad2deg),
    _float_unary("sinc", _sinc, np.sinc),
)


# functions of one number that keep its dtype


def _same(value: Formula1) -> Formula1:
    """Identity on integers, `value` on floats."""
    return lambda k, x: value(k, x) if k.is_float else x


def _sign(k: Scalars, x: Value) -> Value:
    if k.dtype is DType.bool:
        return x
    zero, one = k.constant(0), k.constant(1)
    positive_part = k.select(k.compare("gt", x, zero), one, zero)
    if not k.is_signed:
        return positive_part
    return k.select(k.compare("lt", x, zero), k.constant(-1), positive_part)


def _numpy_sign(x: Array) -> Array:
    return x if x.dtype == np.bool_ else np.where(x > 0, 1, np.where(x < 0, -1, 0)).astype(x.dtype)


def _numpy_sgn(x: Array) -> Array:
    if x.dtype.kind != "c":
        return _numpy_sign(x)
    size = np.abs(x)
    return np.where(size == 0, 0, x / np.where(size == 0, 1, size)).astype(x.dtype)


def _square_rule(self: Operand) -> Types:
    return types(result_type(self, 2))


def _refuse_bool_neg(self: Operand) -> Types:
    if dtype_of(self) is DType.bool:
        raise OperatorError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, "
            "use the `~` or `logical_not()` operator instead."
        )
    return promoted(self)


def _rounding(name: str, build: Callable[..., Value], function: Callable[..., Any]) -> Operator:
    rule = refusing(promoted, f"{name}_vml_cpu", is_bool_or_complex)
    return unary(name, rule, _same(lambda k, x: build(k.b, x)), _keeping_integers(function), unary_reals)


def _keeping_integers(function: Function1) -> Function1:
    def on_floats(x: Array) -> Array:
        return function(x) if x.dtype.kind == "f" else x

    return on_floats


ROUNDING: tuple[Operator, ...] = (
    _rounding("floor", math.floor, np.floor),
    _rounding("ceil", math.ceil, np.ceil),
    _rounding("round", math.roundeven, np.rint),
    _rounding("trunc", math.trunc, np.trunc),
    unary(
        "frac",
        refusing(promoted, "frac_cpu", is_not_floating),
        lambda k, x: k.sub(x, math.trunc(k.b, x)),
        lambda x: x - np.trunc(x),
        unary_floats,
    ),
    unary("abs", refusing(promoted, "abs_cpu", is_bool), Scalars.abs, np.abs, unary_reals),
    unary("neg", _refuse_bool_neg, Scalars.neg, np.negative, unary_reals),
    unary("sign", refusing(promoted, "sign_cpu", is_complex), _sign, _numpy_sign, unary_any),
    unary("sgn", promoted, _sign, _numpy_sgn, unary_any),
    unary("square", _square_rule, lambda k, x: k.mul(x, x), np.square, unary_any),
)


# functions of two floats


def _hypot(k: Scalars, x: Value, y: Value) -> Value:
    """Scaled by the larger one, so that squares do not overflow; infinite if either is."""
    x, y = k.abs(x), k.abs(y)
    large, small = k.maximum(x, y), k.minimum(x, y)
    ratio = k.div(small, large)
    length = k.mul(large, math.sqrt(k.b, k.add(k.constant(1), k.mul(ratio, ratio))))
    infinity = k.constant(INF)
    infinite = arith.ori(k.b, k.compare("eq", x, infinity), k.compare("eq", y, infinity))
    zero = k.compare("eq", large, k.constant(0))
    return k.select(infinite, infinity, k.select(zero, k.constant(0), length))


def _xlogy(k: Scalars, x: Value, y: Value) -> Value:
    product = k.mul(x, math.log(k.b, y))
    value = k.select(k.compare("eq", x, k.constant(0)), k.constant(0), product)
    return k.select(math.isnan(k.b, y), k.constant(NAN), value)


def _numpy_xlogy(x: Array, y: Array) -> Array:
    return np.where(np.isnan(y), np.nan, np.where(x == 0, 0, x * np.log(y)))


def _logaddexp(exp: Callable[..., Value], log1p: Formula1) -> Formula2:
    def formula(k: Scalars, x: Value, y: Value) -> Value:
        large, small = k.maximum(x, y), k.minimum(x, y)
        value = k.add(large, log1p(k, exp(k.b, k.sub(small, large))))
        return k.select(k.compare("eq", x, y), k.add(x, log1p(k, k.constant(1))), value)

    return formula


def _log1p_base_2(k: Scalars, x: Value) -> Value:
    return k.mul(math.log1p(k.b, x), k.constant(1 / python_math.log(2)))


def numpy_log_add_exp(x: Array, y: Array) -> Array:
    """log(exp(x) + exp(y)), of complex numbers too; of two that are nothing, -inf, the second."""
    if x.dtype.kind != "c":
        return np.logaddexp(x, y)
    ordered = np.real(x) < np.real(y)
    low, high = np.where(ordered, x, y), np.where(ordered, y, x)
    plain = np.isfinite(np.real(low)) & np.isfinite(np.real(high))
    ratio = np.where(plain, np.exp(np.where(plain, low - high, 0)), 0)
    both = np.real(low) == np.inf
    turned = [np.exp(1j * np.where(both, np.imag(z), 0)) for z in (low, high)]
    found = np.where(both, np.log(_endless(turned[0]) + _endless(turned[1])), np.log1p(ratio) + high)
    found = np.where(np.real(high) == -np.inf, y, found)
    return np.where(np.isnan(x) | np.isnan(y), complex(NAN, NAN), found).astype(x.dtype)


def _endless(direction: Array) -> Array:
    found = np.empty_like(direction)
    for part, source in ((np.real(found), np.real(direction)), (np.imag(found), np.imag(direction))):
        part[...] = np.where(source == 0, 0, source * np.inf)
    return found


def _log_add_exp_samples() -> Iterator[Sample]:
    yield from _float_pair_samples()
    yield Sample((np.complex64(1 - 2j) * ramp(2, 3), np.complex64(0.5j) + ramp(3)))
    yield Sample((1j + ramp(2, 3, dtype="f64"), positive(3)))
    special = [
        *(complex(-INF, 1), complex(-INF, 3), complex(-INF, 2), complex(1, 2), complex(INF, 0), complex(INF, 0)),
        *(complex(INF, 1), complex(2, 1), complex(NAN, 1), complex(INF, 0), complex(800, 1), complex(801, 2)),
    ]
    yield Sample((np.array(special[::2]), np.array(special[1::2])))
    yield Sample((ramp(2, 3, dtype="i64"), ramp(2, 3, dtype="i64")), raises="not implemented for 'Long'")


def _float_pair_samples() -> Iterator[Sample]:
    yield from binary_tensors("f32", "f64", "f16")
    yield Sample((ramp(2, 3), positive(3, dtype="f64")))
    yield special_pairs()


def _number_pair_samples() -> Iterator[Sample]:
    yield from binary_tensors("f32", "f64", "f16", "i64")
    yield Sample((ramp(2, 3, dtype="i64"), positive(3)))
    yield special_pairs()


def _some_numbers() -> Iterator[Sample]:
    yield from with_numbers(2, 1.5, dtypes=("f32", "i64", "f16"))


def _number_first() -> Iterator[Sample]:
    yield Sample((2, positive(2, 3)))
    yield Sample((1.5, positive(3, dtype="i64", low=1, step=1)))
    yield Sample((0, tensor([0.0, 1.0, NAN])))


def _xlogys(name: str, overloads: tuple[str, str, str]) -> tuple[Operator, ...]:
    first, second, third = overloads
    return (
        binary(f"{name}{first}", to_float, _xlogy, _numpy_xlogy, _number_pair_samples),
        binary_number(f"{name}.{second}", to_float, _xlogy, _numpy_xlogy, _some_numbers),
        elementwise(
            f"aten::{name}.{third}(Scalar self, Tensor other) -> Tensor", to_float, _xlogy, _numpy_xlogy, _number_first
        ),
    )


TWO_FLOATS: tuple[Operator, ...] = (
    binary("atan2", to_float, lambda k, x, y: math.atan2(k.b, x, y), np.arctan2, _number_pair_samples),
    binary("hypot", refusing(promoted, "hypot_cpu", is_not_floating), _hypot, np.hypot, _float_pair_samples),
    *pair(
        "copysign", to_float, lambda k, x, y: math.copysign(k.b, x, y), np.copysign, _number_pair_samples, _some_numbers
    ),
    *_xlogys("xlogy", (".Tensor", "Scalar_Other", "Scalar_Self")),
    *_xlogys("special_xlogy", ("", "other_scalar", "self_scalar")),
    binary(
        "logaddexp",
        refusing(promoted, "logaddexp_cpu", lambda dtype: dtype.category < 2),
        _logaddexp(math.exp, lambda k, x: math.log1p(k.b, x)),
        numpy_log_add_exp,
        _log_add_exp_samples,
    ),
    binary(
        "logaddexp2",
        refusing(promoted, "logaddexp2_cpu", is_not_floating),
        _logaddexp(math.exp2, _log1p_base_2),
        np.logaddexp2,
        _float_pair_samples,
    ),
)


# rounding to decimals, replacing NaN


def _infer_round_decimals(self: TensorType, decimals: int | Unknown) -> TensorType:
    del decimals
    refusing(promoted, "round_vml_cpu", is_not_floating)(self)
    return TensorType(self.dtype, self.shape)


def _power_of_ten(decimals: Any) -> float:
    if not isinstance(decimals, int):
        raise NotConstant("the number of decimals")
    return 10.0 ** abs(decimals)


def _lower_round_decimals(cx: LoweringContext, self: Value, decimals: Any) -> Value:
    ten = _power_of_ten(decimals)

    def formula(k: Scalars, x: Value) -> Value:
        factor = k.constant(ten)
        if decimals >= 0:
            return k.div(math.roundeven(k.b, k.mul(x, factor)), factor)
        return k.mul(math.roundeven(k.b, k.div(x, factor)), factor)

    return lower_elementwise(cx, [self], types(cx.dtype(self)), formula)


def _reference_round_decimals(self: Array, decimals: Any) -> Array:
    ten = _power_of_ten(decimals)

    def function(x: Array) -> Array:
        factor = x.dtype.type(ten)
        return np.rint(x * factor) / factor if decimals >= 0 else np.rint(x / factor) * factor

    return evaluate_elementwise([self], types(dtype_of(operand_of(self))), function)


def _infer_nan_to_num(self: TensorType, nan: Any, posinf: Any, neginf: Any) -> TensorType:
    del nan, posinf, neginf
    return TensorType(self.dtype, self.shape)


def _replacements(dtype: DType, nan: Any, posinf: Any, neginf: Any) -> tuple[Any, Any, Any]:
    largest = {DType.float16: 65504.0, DType.bfloat16: 3.3895313892515355e38}.get(dtype)
    if largest is None:
        largest = float(np.finfo(dtype.numpy).max)
    return 0.0 if nan is None else nan, largest if posinf is None else posinf, -largest if neginf is None else neginf


def _parts(cx: LoweringContext, self: Value) -> list[Value]:
    part = cx.dtype(self).real
    return [cx.pointwise([self], part, build) for build in (complexes.re, complexes.im)]


def _of_parts(cx: LoweringContext, dtype: DType, re: Value, im: Value) -> Value:
    return cx.pointwise([re, im], dtype, complexes.create)


def _lower_nan_to_num(cx: LoweringContext, self: Value, nan: Any, posinf: Any, neginf: Any) -> Value:
    dtype = cx.dtype(self)
    if dtype.is_complex:
        parts = [_lower_nan_to_num(cx, part, nan, posinf, neginf) for part in _parts(cx, self)]
        return _of_parts(cx, dtype, *parts)
    if not dtype.is_floating:
        return self

    def formula(k: Scalars, x: Value, for_nan: Value, for_inf: Value, for_minus: Value) -> Value:
        value = k.select(k.compare("eq", x, k.constant(INF)), for_inf, x)
        value = k.select(k.compare("eq", x, k.constant(-INF)), for_minus, value)
        return k.select(math.isnan(k.b, x), for_nan, value)

    return lower_elementwise(cx, [self, *_replacements(dtype, nan, posinf, neginf)], types(dtype), formula)


def _reference_nan_to_num(self: Array, nan: Any, posinf: Any, neginf: Any) -> Array:
    dtype = dtype_of(operand_of(self))
    if dtype.is_complex:
        parts = [_reference_nan_to_num(np.asarray(part), nan, posinf, neginf) for part in (np.real(self), np.imag(self))]
        return np.stack(parts, -1).view(self.dtype)[..., 0]
    if not dtype.is_floating:
        return self
    chosen = _replacements(dtype, nan, posinf, neginf)
    return evaluate_elementwise(
        [self, *chosen],
        types(dtype),
        lambda x, n, p, m: choose(np.isnan(x), n, choose(x == INF, p, choose(x == -INF, m, x))),
    )


def _round_samples() -> Iterator[Sample]:
    for decimals in (0, 2, -1):
        yield Sample((ramp(2, 3, low=-12.345, step=7.777),), {"decimals": decimals})


def _nan_samples() -> Iterator[Sample]:
    for dtype in ("f32", "f64", "f16", "bf16"):
        yield Sample((tensor([1.0, NAN, INF, -INF, -0.0], dtype), None, None, None))
    yield Sample((tensor([1.0, NAN, INF, -INF]), 1.5, 2.0, -3.0))
    for dtype in (np.complex64, np.complex128):
        yield Sample((np.asarray([1 + 2j, complex(NAN, 1), complex(-INF, NAN), complex(2, INF)], dtype), None, None, -3.0))
    yield Sample((ramp(3, dtype="i64"), None, None, None))


ODD: tuple[Operator, ...] = (
    Operator(
        "aten::round.decimals(Tensor self, *, int decimals) -> Tensor",
        _infer_round_decimals,
        _lower_round_decimals,
        _reference_round_decimals,
        _round_samples,
    ),
    Operator(
        "aten::nan_to_num(Tensor self, float? nan=None, float? posinf=None, float? neginf=None) -> Tensor",
        _infer_nan_to_num,
        _lower_nan_to_num,
        _reference_nan_to_num,
        _nan_samples,
    ),
)


OPERATORS: tuple[Operator, ...] = (*FLOAT_FUNCTIONS, *ROUNDING, *TWO_FLOATS, *ODD)
