"""Arithmetic and mathematical functions, element by element. Activations and comparisons have their own modules."""

from __future__ import annotations

import math as python_math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample, Unknown
from ...script_types import TensorType
from ...types import I64
from .. import arith, math
from .. import tensor as tensor_dialect
from .elementwise import (
    Rule,
    Scalars,
    Types,
    elementwise,
    evaluate_elementwise,
    is_bool,
    is_bool_or_complex,
    is_complex,
    is_not_floating,
    lower_elementwise,
    promoted,
    refusing,
    to_float,
    type_operand,
    types,
)
from .lowering import LoweringContext, Number
from .rules import Array, Operand, broadcast, dtype_of, operand_of, result_type, shape_of
from .samples import (
    INF,
    NAN,
    binary_tensors,
    mixed_tensors,
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

Formula1 = Callable[[Scalars, Value], Value]
Formula2 = Callable[[Scalars, Value, Value], Value]
Samples = Callable[[], Iterable[Sample]]

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


def _logit(k: Scalars, x: Value) -> Value:
    return math.log(k.b, k.div(x, k.sub(k.constant(1), x)))


def _sinc(k: Scalars, x: Value) -> Value:
    scaled = k.mul(x, k.constant(python_math.pi))
    zero = k.compare("eq", x, k.constant(0))
    return k.select(zero, k.constant(1), k.div(math.sin(k.b, scaled), scaled))


def _scaled(factor: float) -> Formula1:
    return lambda k, x: k.mul(x, k.constant(factor))


def _float_unary(
    name: str, formula: Formula1, function: Callable[..., Any], samples: Samples = unary_numbers
) -> Operator:
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


def _square_rule(self: Operand) -> Types:
    return types(result_type(self, 2))


def _refuse_bool_neg(self: Operand) -> Types:
    if dtype_of(self) is DType.bool:
        raise OperatorError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, "
            "use the `~` or `logical_not()` operator instead."
        )
    return promoted(self)


def _unary(name: str, rule: Rule, formula: Formula1, function: Callable[..., Any], samples: Samples) -> Operator:
    return elementwise(f"aten::{name}(Tensor self) -> Tensor", rule, formula, function, samples)


def _rounding(name: str, build: Callable[..., Value], function: Callable[..., Any]) -> Operator:
    rule = refusing(promoted, f"{name}_vml_cpu", is_bool_or_complex)
    return _unary(name, rule, _same(lambda k, x: build(k.b, x)), _keeping_integers(function), unary_reals)


def _keeping_integers(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x: function(x) if x.dtype.kind == "f" else x


ROUNDING: tuple[Operator, ...] = (
    _rounding("floor", math.floor, np.floor),
    _rounding("ceil", math.ceil, np.ceil),
    _rounding("round", math.roundeven, np.rint),
    _rounding("trunc", math.trunc, np.trunc),
    _unary(
        "frac", refusing(promoted, "frac_cpu", is_not_floating), lambda k, x: k.sub(x, math.trunc(k.b, x)),
        lambda x: x - np.trunc(x), unary_floats,
    ),
    _unary("abs", refusing(promoted, "abs_cpu", is_bool), Scalars.abs, np.abs, unary_reals),
    _unary("neg", _refuse_bool_neg, Scalars.neg, np.negative, unary_reals),
    _unary("sign", refusing(promoted, "sign_cpu", is_complex), _sign, _numpy_sign, unary_any),
    _unary("sgn", refusing(promoted, "sgn_cpu", is_complex), _sign, _numpy_sign, unary_any),
    _unary("square", _square_rule, lambda k, x: k.mul(x, x), np.square, unary_any),
)  # fmt: skip


# sums, differences, products


def _check_alpha(compute: DType, alpha: Operand) -> None:
    kind = dtype_of(alpha)
    if kind is DType.bool and compute is not DType.bool:
        raise OperatorError("Boolean alpha only supported for Boolean results.")
    if not compute.is_floating and not compute.is_complex and kind.is_floating:
        raise OperatorError("For integral input tensors, argument alpha must not be a floating point number.")


def _sum_types(self: Operand, other: Operand, alpha: Operand) -> Types:
    chosen = promoted(self, other)
    _check_alpha(chosen.compute, alpha)
    return chosen


def _difference_types(self: Operand, other: Operand, alpha: Operand) -> Types:
    both = [dtype_of(x) is DType.bool for x in (self, other)]
    if all(both):
        raise OperatorError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. "
            "Use the `^` or `logical_xor()` operator instead."
        )
    if any(both):
        raise OperatorError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, "
            "use the `~` or `logical_not()` operator instead."
        )
    return _sum_types(self, other, alpha)


def _numpy_add(x: Array, y: Array, alpha: Array) -> Array:
    return x | (y & alpha) if x.dtype == np.bool_ else x + alpha * y


def _alpha_samples(bools: bool) -> Samples:
    def samples() -> Iterator[Sample]:
        dtypes = ("f32", "i64", "u8", "f64", "f16", "bf16", "i8", "i16", "i32") + (("b1",) if bools else ())
        for sample in (*binary_tensors(*dtypes), *mixed_tensors(), special_pairs()):
            yield Sample(sample.args, {"alpha": 1}, sample.raises)
        yield Sample((ramp(2, 3), ramp(3)), {"alpha": 2.5})
        yield Sample((ramp(2, 3, dtype="i64"), ramp(3, dtype="i64")), {"alpha": 3})
        yield Sample(
            (ramp(3, dtype="i64"), ramp(3, dtype="i64")), {"alpha": 2.5}, raises="alpha must not be a floating"
        )

    return samples


def _alpha_number_samples() -> Iterator[Sample]:
    for sample in with_numbers(2, 1.5, -3, dtypes=("f32", "i64", "i32", "f16", "bf16")):
        yield Sample((*sample.args, 1))
    yield Sample((ramp(3), 2.0, 0.5))
    yield Sample((tensor(3, "i64"), 2, 3))


ARITHMETIC: tuple[Operator, ...] = (
    *(
        elementwise(signature, _sum_types, lambda k, x, y, alpha: k.add(x, k.mul(alpha, y)), _numpy_add, samples)
        for signature, samples in (
            ("aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor", _alpha_samples(True)),
            ("aten::add.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor", _alpha_number_samples),
        )
    ),
    *(
        elementwise(
            signature,
            _difference_types,
            lambda k, x, y, alpha: k.sub(x, k.mul(alpha, y)),
            lambda x, y, a: x - a * y,
            samples,
        )
        for signature, samples in (
            ("aten::sub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor", _alpha_samples(False)),
            ("aten::sub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor", _alpha_number_samples),
        )
    ),
    *(
        elementwise(
            signature,
            _difference_types,
            lambda k, x, y, alpha: k.sub(y, k.mul(alpha, x)),
            lambda x, y, a: y - a * x,
            samples,
        )
        for signature, samples in (
            ("aten::rsub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor", _alpha_samples(False)),
            ("aten::rsub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor", _alpha_number_samples),
        )
    ),
)


def _binary(name: str, rule: Rule, formula: Formula2, function: Callable[..., Any], samples: Samples) -> Operator:
    return elementwise(f"aten::{name}(Tensor self, Tensor other) -> Tensor", rule, formula, function, samples)


def _binary_number(
    name: str, rule: Rule, formula: Formula2, function: Callable[..., Any], samples: Samples
) -> Operator:
    return elementwise(f"aten::{name}(Tensor self, Scalar other) -> Tensor", rule, formula, function, samples)


def _pair(
    name: str, rule: Rule, formula: Formula2, function: Callable[..., Any], tensors: Samples, numbers: Samples
) -> tuple[Operator, ...]:
    """The `.Tensor` and the `.Scalar` overload."""
    return (
        _binary(f"{name}.Tensor", rule, formula, function, tensors),
        _binary_number(f"{name}.Scalar", rule, formula, function, numbers),
    )


def _all_tensor_samples() -> Iterator[Sample]:
    yield from binary_tensors("f32", "i64", "u8", "f64", "f16", "bf16", "i8", "i16", "i32", "b1")
    yield from mixed_tensors()
    yield special_pairs()


def _number_samples() -> Iterator[Sample]:
    yield from with_numbers(2, 1.5, True, dtypes=("f32", "i64", "u8", "f16", "b1"))
    yield Sample((tensor(3, "i64"), 2.5))
    yield Sample((ramp(0, 2), 2.5))


def _nonzero_tensor_samples() -> Iterator[Sample]:
    yield from binary_tensors("f32", "i64", "i32", "u8", "f64", "f16", zero=False)
    yield from mixed_tensors(zero=False)
    yield special_pairs()
    yield Sample((ramp(5, dtype="i64", low=-7, step=3), tensor([2, -2, 3, -3, -1], "i64")))
    yield Sample((tensor([-128, 127], "i8"), tensor([-1, 2], "i8")))


def _nonzero_number_samples() -> Iterator[Sample]:
    yield from with_numbers(2, -3, 1.5, -2.5, dtypes=("f32", "i64", "f16", "f64"))
    yield Sample((ramp(5, dtype="u8"), 2))
    yield Sample((tensor(7, "i64"), 2))


PRODUCTS: tuple[Operator, ...] = (
    *_pair(
        "mul",
        promoted,
        Scalars.mul,
        lambda x, y: x & y if x.dtype == np.bool_ else x * y,
        _all_tensor_samples,
        _number_samples,
    ),
    *_pair("div", to_float, Scalars.div, lambda x, y: x / y, _all_tensor_samples, _number_samples),
    *_pair("true_divide", to_float, Scalars.div, lambda x, y: x / y, _all_tensor_samples, _number_samples),
)


# quotients and remainders of integers


def _is_safe_divisor(y: Value) -> bool:
    value = arith.constant_value(y)
    return value is not None and value not in (0, -1)


def _quotient(k: Scalars, x: Value, y: Value) -> Value:
    """Integer x / y towards zero. `y` 0 never gets here (see `_check_divisor`); the smallest integer / -1 wraps."""
    build = arith.divsi if k.is_signed else arith.divui
    if _is_safe_divisor(y):
        return build(k.b, x, y)
    one = k.constant(1)
    safe = k.select(k.compare("eq", y, k.constant(0)), one, y)
    if not k.is_signed:
        return build(k.b, x, safe)
    minus = k.compare("eq", y, k.constant(-1))
    return k.select(minus, k.neg(x), build(k.b, x, k.select(minus, one, safe)))


def _rest(k: Scalars, x: Value, y: Value) -> Value:
    """Integer fmod: the sign of x."""
    return k.sub(x, k.mul(_quotient(k, x, y), y))


def _differ_in_sign(k: Scalars, x: Value, y: Value) -> Value:
    zero = k.constant(0)
    return arith.xori(k.b, k.compare("lt", x, zero), k.compare("lt", y, zero))


def fmod(k: Scalars, x: Value, y: Value) -> Value:
    return arith.remf(k.b, x, y) if k.is_float else _rest(k, x, y)


def remainder(k: Scalars, x: Value, y: Value) -> Value:
    """Python's: the sign of y."""
    rest = fmod(k, x, y)
    if not k.is_signed:
        return rest
    wrong = arith.andi(k.b, k.is_nonzero(rest), _differ_in_sign(k, rest, y))
    return k.select(wrong, k.add(rest, y), rest)


def trunc_divide(k: Scalars, x: Value, y: Value) -> Value:
    return math.trunc(k.b, k.div(x, y)) if k.is_float else _quotient(k, x, y)


def floor_divide(k: Scalars, x: Value, y: Value) -> Value:
    if k.is_float:
        return _floor_divide_floats(k, x, y)
    quotient = _quotient(k, x, y)
    if not k.is_signed:
        return quotient
    rest = k.sub(x, k.mul(quotient, y))
    wrong = arith.andi(k.b, k.is_nonzero(rest), _differ_in_sign(k, rest, y))
    return k.select(wrong, k.sub(quotient, k.constant(1)), quotient)


def _floor_divide_floats(k: Scalars, x: Value, y: Value) -> Value:
    """PyTorch's (and Python's) exact floor of x / y: from the remainder, not from the rounded quotient."""
    zero, one = k.constant(0), k.constant(1)
    rest = arith.remf(k.b, x, y)
    ratio = k.div(x, y)
    quotient = k.div(k.sub(x, rest), y)
    wrong = arith.andi(k.b, k.is_nonzero(rest), _differ_in_sign(k, rest, y))
    quotient = k.select(wrong, k.sub(quotient, one), quotient)
    floored = math.floor(k.b, quotient)
    floored = k.select(k.compare("gt", k.sub(quotient, floored), k.constant(0.5)), k.add(floored, one), floored)
    result = k.select(k.compare("eq", quotient, zero), math.copysign(k.b, zero, ratio), floored)
    return k.select(k.compare("eq", y, zero), ratio, result)


def _numpy_floor_divide(x: Array, y: Array) -> Array:
    return np.where(y == 0, x / y, np.floor_divide(x, y)) if x.dtype.kind == "f" else np.floor_divide(x, y)


def _numpy_trunc_divide(x: Array, y: Array) -> Array:
    return np.trunc(x / y) if x.dtype.kind == "f" else (x - np.fmod(x, y)) // y


def _check_divisor(cx: LoweringContext, divisor: Any, compute: DType) -> None:
    """Integer division by zero is an error; looked for before the loop, so that the loop stays free of effects."""
    if compute.category > 1:
        return
    if isinstance(divisor, Value) and hasattr(divisor.type, "shape"):
        dtype = cx.dtype(divisor)

        def any_zero(b: Any, x: Value, found: Value) -> Value:
            return arith.ori(b, found, arith.cmpi(b, "eq", x, arith.constant(b, 0, dtype.element)))

        found = cx.reduce(divisor, range(cx.rank(divisor)), DType.bool.element, False, any_zero)
        zero: Value = tensor_dialect.extract(cx.b, found, [])
        cx.check(arith.xori(cx.b, zero, arith.constant(cx.b, True, zero.type)), "ZeroDivisionError")
    elif isinstance(divisor, Value):
        number = cx.number(divisor, DType.int64)
        cx.check(arith.cmpi(cx.b, "ne", number, arith.constant(cx.b, 0, I64)), "ZeroDivisionError")
    else:
        cx.check(divisor != 0, "ZeroDivisionError")


def _refuse_zero(divisor: Any, compute: DType) -> None:
    if compute.category <= 1 and bool(np.any(np.asarray(divisor) == 0)):
        raise OperatorError("ZeroDivisionError")


def _dividing(
    signature: str, rule: Rule, formula: Formula2, function: Callable[..., Any], samples: Samples
) -> Operator:
    """A quotient or remainder: the second argument must not hold an integer 0."""
    first, second = signature.partition("(")[2].partition(")")[0].replace("*, ", "").split(", ")[:2]
    names = first.split()[1], second.split()[1]

    def infer(**arguments: Any) -> TensorType:
        x, y = (arguments[n] for n in names)
        return TensorType(rule(x, y).result, broadcast(*(shape_of(t) for t in (x, y) if isinstance(t, TensorType))))

    def lower(cx: LoweringContext, **arguments: Any) -> Value:
        x, y = (arguments[n] for n in names)
        chosen = rule(type_operand(cx, x), type_operand(cx, y))
        _check_divisor(cx, y, chosen.compute)
        return lower_elementwise(cx, [x, y], chosen, formula)

    def reference(**arguments: Any) -> Array:
        x, y = (arguments[n] for n in names)
        chosen = rule(operand_of(x), operand_of(y))
        _refuse_zero(y, chosen.compute)
        return evaluate_elementwise([x, y], chosen, function)

    return Operator(signature, infer, lower, reference, samples)


def _zero_samples(samples: Samples, tensors: bool) -> Samples:
    def with_zero() -> Iterator[Sample]:
        yield from samples()
        zero = tensor([1, 0, 2], "i64") if tensors else 0
        yield Sample((ramp(3, dtype="i64"), zero), raises="ZeroDivisionError")
        yield Sample((ramp(3), tensor([1.0, 0.0, 2.0]) if tensors else 0.0))

    return with_zero


def _scalar_first_samples() -> Iterator[Sample]:
    yield Sample((7, tensor([2, -2, 3], "i64")))
    yield Sample((7.5, tensor([2, -2, 3], "i64")))
    yield Sample((-7, tensor([2.0, -2.5, 3.0])))
    yield Sample((7, tensor([2, 0], "i64")), raises="ZeroDivisionError")


def _dividing_pair(
    name: str,
    kernel: str,
    formula: Formula2,
    function: Callable[..., Any],
    suffixes: tuple[str, str] = (".Tensor", ".Scalar"),
) -> tuple[Operator, ...]:
    rule = refusing(promoted, kernel, is_bool_or_complex)
    return (
        _dividing(
            f"aten::{name}{suffixes[0]}(Tensor self, Tensor other) -> Tensor",
            rule,
            formula,
            function,
            _zero_samples(_nonzero_tensor_samples, True),
        ),
        _dividing(
            f"aten::{name}{suffixes[1]}(Tensor self, Scalar other) -> Tensor",
            rule,
            formula,
            function,
            _zero_samples(_nonzero_number_samples, False),
        ),
    )


QUOTIENTS: tuple[Operator, ...] = (
    *_dividing_pair("remainder", "remainder_cpu", remainder, np.remainder),
    _dividing(
        "aten::remainder.Scalar_Tensor(Scalar self, Tensor other) -> Tensor",
        refusing(promoted, "remainder_cpu", is_bool_or_complex),
        remainder,
        np.remainder,
        _scalar_first_samples,
    ),
    *_dividing_pair("fmod", "fmod_cpu", fmod, np.fmod),
    *_dividing_pair("floor_divide", "div_floor_cpu", floor_divide, _numpy_floor_divide, ("", ".Scalar")),
)


# div with a rounding mode

_MODES: dict[str | None, tuple[Rule, Formula2, Callable[..., Any]]] = {
    None: (to_float, Scalars.div, lambda x, y: x / y),
    "trunc": (refusing(promoted, "div_trunc_cpu", is_bool_or_complex), trunc_divide, _numpy_trunc_divide),
    "floor": (refusing(promoted, "div_floor_cpu", is_bool_or_complex), floor_divide, _numpy_floor_divide),
}


def _mode(rounding_mode: str | None) -> tuple[Rule, Formula2, Callable[..., Any]]:
    if rounding_mode not in _MODES:
        raise OperatorError(
            f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'"
        )
    return _MODES[rounding_mode]


def _infer_div_mode(self: TensorType, other: Operand, rounding_mode: str | None) -> TensorType:
    rule = _mode(rounding_mode)[0]
    shapes = [shape_of(x) for x in (self, other) if isinstance(x, TensorType)]
    return TensorType(rule(self, other).result, broadcast(*shapes))


def _lower_div_mode(cx: LoweringContext, self: Value, other: Number, rounding_mode: str | None) -> Value:
    rule, formula, _ = _mode(rounding_mode)
    chosen = rule(type_operand(cx, self), type_operand(cx, other))
    _check_divisor(cx, other, chosen.compute)
    return lower_elementwise(cx, [self, other], chosen, formula)


def _reference_div_mode(self: Array, other: Any, rounding_mode: str | None) -> Array:
    rule, _, function = _mode(rounding_mode)
    chosen = rule(operand_of(self), operand_of(other))
    _refuse_zero(other, chosen.compute)
    return evaluate_elementwise([self, other], chosen, function)


def _mode_samples(samples: Samples) -> Samples:
    def with_modes() -> Iterator[Sample]:
        for mode in (None, "trunc", "floor"):
            for sample in samples():
                yield Sample(sample.args, {"rounding_mode": mode}, sample.raises)
        yield Sample((ramp(3), 2.0), {"rounding_mode": "up"}, raises="div expected rounding_mode to be one of")

    return with_modes


DIV_MODES: tuple[Operator, ...] = (
    Operator(
        "aten::div.Tensor_mode(Tensor self, Tensor other, *, str? rounding_mode) -> Tensor",
        _infer_div_mode, _lower_div_mode, _reference_div_mode, _mode_samples(_nonzero_tensor_samples),
    ),
    Operator(
        "aten::div.Scalar_mode(Tensor self, Scalar other, *, str? rounding_mode) -> Tensor",
        _infer_div_mode, _lower_div_mode, _reference_div_mode, _mode_samples(_nonzero_number_samples),
    ),
)  # fmt: skip


# powers


def _power(k: Scalars, x: Value, y: Value) -> Value:
    exponent = arith.constant_value(y)
    special = None if exponent is None else _special_power(k, x, exponent)
    if special is not None:
        return special
    return math.powf(k.b, x, y) if k.is_float else _integer_power(k, x, y, exponent)


def _special_power(k: Scalars, x: Value, exponent: float) -> Value | None:
    """Exponents that PyTorch computes without pow, with the same rounding."""
    one = k.constant(1)
    match exponent:
        case 0:
            return one
        case 1:
            return x
        case 2:
            return k.mul(x, x)
        case 3:
            return k.mul(k.mul(x, x), x)
        case -1 if k.is_float:
            return k.div(one, x)
        case -2 if k.is_float:
            return k.div(one, k.mul(x, x))
        case 0.5 if k.is_float:
            return math.sqrt(k.b, x)
        case -0.5 if k.is_float:
            return k.div(one, math.sqrt(k.b, x))
        case _:
            return None


def _integer_power(k: Scalars, x: Value, y: Value, exponent: float | None) -> Value:
    """By squaring: over the bits of the exponent where it is known, else of all that the dtype has (x ** y wraps)."""
    result = k.constant(1)
    square = x
    if exponent is not None:
        bits = int(exponent)
        while bits > 0:
            result = k.mul(result, square) if bits & 1 else result
            bits >>= 1
            square = k.mul(square, square) if bits else square
        return result
    width = 8 * k.dtype.itemsize
    for i in range(width - (1 if k.is_signed else 0)):
        bit = arith.andi(k.b, arith.shrui(k.b, y, k.constant(i)), k.constant(1))
        result = k.select(k.is_nonzero(bit), k.mul(result, square), result)
        square = k.mul(square, square)
    if not k.is_signed:
        return result
    odd = k.is_nonzero(arith.andi(k.b, y, k.constant(1)))
    minus_one = k.select(odd, k.constant(-1), k.constant(1))
    of_minus_one = k.select(k.compare("eq", x, k.constant(-1)), minus_one, k.constant(0))
    negative = k.select(k.compare("eq", x, k.constant(1)), k.constant(1), of_minus_one)
    return k.select(k.compare("lt", y, k.constant(0)), negative, result)


def _numpy_power(x: Array, y: Array) -> Array:
    if x.dtype.kind == "f":
        return np.power(x, y)
    x, y = np.broadcast_arrays(x, y)
    wrapped = [
        pow(int(a), int(e), 1 << 64) if e >= 0 else {1: 1, -1: 1 - 2 * (int(e) & 1)}.get(int(a), 0)
        for a, e in zip(x.flat, y.flat, strict=True)
    ]
    return np.array([w & (2**64 - 1) for w in wrapped], np.uint64).astype(np.int64).astype(x.dtype).reshape(x.shape)


def _power_types(self: Operand, exponent: Operand) -> Types:
    if dtype_of(self) is DType.bool and dtype_of(exponent) is DType.bool and not isinstance(exponent, TensorType):
        return types(DType.bool)
    chosen = refusing(promoted, "pow", is_bool)(self, exponent)
    if not chosen.compute.is_floating and isinstance(exponent, int) and exponent < 0:
        raise OperatorError("Integers to negative integer powers are not allowed.")
    return chosen


def _check_exponent(cx: LoweringContext, chosen: Types, self: Value, exponent: Number) -> None:
    del self
    if chosen.compute.is_integral and isinstance(exponent, Value):
        number = cx.extent(cx.number(exponent, DType.int64))
        cx.check(cx.compare("ge", number, 0), "Integers to negative integer powers are not allowed.")


def _float_power_types(self: Operand, exponent: Operand) -> Types:
    complex_ = any(dtype_of(x).is_complex for x in (self, exponent))
    return types(DType.complex128 if complex_ else DType.float64)


def _power_tensor_samples() -> Iterator[Sample]:
    yield from binary_tensors("f32", "f64", "i64", "i32", "u8", "f16")
    yield Sample((ramp(2, 3, dtype="i64"), positive(3, dtype="f32")))
    yield special_pairs()
    yield Sample((tensor([-2, -1, 1, 2, 0, 3], "i64"), tensor([-3, -3, -3, -3, 5, 40], "i64")))


def _power_number_samples() -> Iterator[Sample]:
    for exponent in (2, 3, 0, 1, 5, 0.5, -0.5, -1.0, -2.0, 2.0, 2.5):
        yield Sample((positive(2, 3), exponent))
    yield from with_numbers(2, 3, 7, 2.5, dtypes=("i64", "u8", "f16", "f64"))
    yield Sample((ramp(3, dtype="b1"), 2))


def _negative_power_samples() -> Iterator[Sample]:
    yield from _power_number_samples()
    yield Sample((ramp(3, dtype="i64"), -1), raises="Integers to negative integer powers are not allowed.")


def _power_scalar_samples() -> Iterator[Sample]:
    yield Sample((2, ramp(2, 3)))
    yield Sample((2.5, ramp(3, dtype="i64")))
    yield Sample((3, positive(3, dtype="i64", low=0, step=2)))
    yield Sample((-1, tensor([-3, -2, 5], "i64")))


def _powers(name: str, rule: Rule, overloads: tuple[str, str, str], numbers: Samples) -> tuple[Operator, ...]:
    first, second, third = overloads
    return (
        elementwise(
            f"aten::{name}.{first}(Tensor self, Tensor exponent) -> Tensor",
            rule,
            _power,
            _numpy_power,
            _power_tensor_samples,
        ),
        elementwise(
            f"aten::{name}.{second}(Tensor self, Scalar exponent) -> Tensor",
            rule,
            _power,
            _numpy_power,
            numbers,
            guard=_check_exponent,
        ),
        elementwise(
            f"aten::{name}.{third}(Scalar self, Tensor exponent) -> Tensor",
            rule,
            _power,
            _numpy_power,
            _power_scalar_samples,
        ),
    )


POWERS: tuple[Operator, ...] = (
    *_powers("pow", _power_types, ("Tensor_Tensor", "Tensor_Scalar", "Scalar"), _negative_power_samples),
    *_powers("float_power", _float_power_types, ("Tensor_Tensor", "Tensor_Scalar", "Scalar"), _power_number_samples),
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
        _binary(f"{name}{first}", to_float, _xlogy, _numpy_xlogy, _number_pair_samples),
        _binary_number(f"{name}.{second}", to_float, _xlogy, _numpy_xlogy, _some_numbers),
        elementwise(
            f"aten::{name}.{third}(Scalar self, Tensor other) -> Tensor", to_float, _xlogy, _numpy_xlogy, _number_first
        ),
    )


TWO_FLOATS: tuple[Operator, ...] = (
    _binary("atan2", to_float, lambda k, x, y: math.atan2(k.b, x, y), np.arctan2, _number_pair_samples),
    _binary("hypot", refusing(promoted, "hypot_cpu", is_not_floating), _hypot, np.hypot, _float_pair_samples),
    *_pair("copysign", to_float, lambda k, x, y: math.copysign(k.b, x, y), np.copysign, _number_pair_samples, _some_numbers),
    *_xlogys("xlogy", (".Tensor", "Scalar_Other", "Scalar_Self")),
    *_xlogys("special_xlogy", ("", "other_scalar", "self_scalar")),
    _binary(
        "logaddexp", refusing(promoted, "logaddexp_cpu", is_not_floating),
        _logaddexp(math.exp, lambda k, x: math.log1p(k.b, x)), np.logaddexp, _float_pair_samples,
    ),
    _binary(
        "logaddexp2", refusing(promoted, "logaddexp2_cpu", is_not_floating),
        _logaddexp(math.exp2, _log1p_base_2), np.logaddexp2, _float_pair_samples,
    ),
)  # fmt: skip


# three tensors: a weighted sum, a product or quotient added


def _check_same_dtype(self: Operand, other: Operand, what: str) -> None:
    if dtype_of(self) is not dtype_of(other):
        raise OperatorError(f"expected dtype {_c_name(self)} for `{what}` but got dtype {_c_name(other)}")


_C_NAMES = {
    DType.float32: "float", DType.float64: "double", DType.int64: "long int", DType.int32: "int", DType.int16: "short int",
    DType.int8: "signed char", DType.uint8: "unsigned char", DType.bool: "bool", DType.float16: "c10::Half",
    DType.bfloat16: "c10::BFloat16", DType.complex64: "c10::complex<float>", DType.complex128: "c10::complex<double>",
}  # fmt: skip


def _c_name(operand: Operand) -> str:
    return _C_NAMES.get(dtype_of(operand), dtype_of(operand).graph_name)


def _lerp_types(self: Operand, end: Operand, weight: Operand) -> Types:
    _check_same_dtype(self, end, "end")
    if isinstance(weight, TensorType) and not (weight.rank == 0 and weight.dtype is not DType.bool):
        _check_same_dtype(self, weight, "weight")
    return refusing(promoted, "lerp_kernel_scalar", is_not_floating)(self, end)


def _lerp(k: Scalars, x: Value, end: Value, weight: Value) -> Value:
    """From the nearer end, so that both ends are reached exactly."""
    span = k.sub(end, x)
    near = k.add(x, k.mul(weight, span))
    far = k.sub(end, k.mul(span, k.sub(k.constant(1), weight)))
    return k.select(k.compare("lt", math.absf(k.b, weight), k.constant(0.5)), near, far)


def _numpy_lerp(x: Array, end: Array, weight: Array) -> Array:
    return np.where(np.abs(weight) < 0.5, x + weight * (end - x), end - (end - x) * (1 - weight))


def _addcmul_types(self: Operand, tensor1: Operand, tensor2: Operand, value: Operand) -> Types:
    del value
    return refusing(promoted, "addcmul_cpu_out", is_bool)(self, tensor1, tensor2)


def _addcdiv_types(self: Operand, tensor1: Operand, tensor2: Operand, value: Operand) -> Types:
    del value
    if all(dtype_of(x).category <= 1 for x in (tensor1, tensor2)):
        raise OperatorError(
            "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform a true "
            "division of tensor1 and tensor2. The historic addcdiv behavior can be implemented as (input + value * "
            "torch.trunc(tensor1 / tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / tensor2) "
            "for float inputs. The future addcdiv behavior is just the latter implementation: (input + value * tensor1 / "
            "tensor2), for all dtypes."
        )
    return promoted(self, tensor1, tensor2)


def _three_samples(*keywords: str) -> Samples:
    def samples() -> Iterator[Sample]:
        for dtype in ("f32", "f64", "f16"):
            yield Sample(
                (ramp(2, 3, dtype=dtype), positive(3, dtype=dtype), positive(2, 1, dtype=dtype)),
                dict.fromkeys(keywords, 1),
            )
        yield Sample((ramp(2, 3), positive(3), tensor(2.0)), dict.fromkeys(keywords, 0.5))
        yield Sample((ramp(0, 3), positive(3), positive(1)), dict.fromkeys(keywords, 1))
        yield Sample(
            (ramp(2), positive(3), positive(1)), dict.fromkeys(keywords, 1), raises="must match the size of tensor b"
        )

    return samples


def _lerp_number_samples() -> Iterator[Sample]:
    for weight in (0, 0.25, 0.5, 1, 2.5):
        yield Sample((ramp(2, 3), positive(3), weight))
    yield Sample(
        (ramp(2, 3), positive(3, dtype="f64"), 0.5), raises="expected dtype float for `end` but got dtype double"
    )
    yield Sample((ramp(3, dtype="i64"), ramp(3, dtype="i64"), 0.5), raises="not implemented for 'Long'")


def _addcmul_samples() -> Iterator[Sample]:
    yield from _three_samples("value")()
    yield Sample((ramp(2, 3, dtype="i64"), ramp(3, dtype="i64"), ramp(3, dtype="i64")), {"value": 2})
    yield Sample((ramp(2, 3, dtype="i64"), ramp(3), ramp(3, dtype="i64")), {"value": 2})


def _addcdiv_samples() -> Iterator[Sample]:
    yield from _three_samples("value")()
    yield Sample(
        (ramp(3, dtype="i64"),) * 3, {"value": 1}, raises="Integer division with addcdiv is no longer supported"
    )


THREE: tuple[Operator, ...] = (
    elementwise("aten::lerp.Tensor(Tensor self, Tensor end, Tensor weight) -> Tensor", _lerp_types, _lerp, _numpy_lerp, _three_samples()),
    elementwise("aten::lerp.Scalar(Tensor self, Tensor end, Scalar weight) -> Tensor", _lerp_types, _lerp, _numpy_lerp, _lerp_number_samples),
    elementwise(
        "aten::addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
        _addcmul_types, lambda k, x, y, z, v: k.add(x, k.mul(k.mul(v, y), z)), lambda x, y, z, v: x + v * y * z, _addcmul_samples,
    ),
    elementwise(
        "aten::addcdiv(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
        _addcdiv_types, lambda k, x, y, z, v: k.add(x, k.mul(v, k.div(y, z))), lambda x, y, z, v: x + v * (y / z), _addcdiv_samples,
    ),
)  # fmt: skip


# rounding to decimals, replacing NaN


def _infer_round_decimals(self: TensorType, decimals: int | Unknown) -> TensorType:
    del decimals
    refusing(promoted, "round_vml_cpu", is_not_floating)(self)
    return TensorType(self.dtype, self.shape)


def _power_of_ten(decimals: Any) -> float:
    if not isinstance(decimals, int):
        raise OperatorError("round: decimals must be known at compile time")
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
    function = (
        (lambda x: np.rint(x * x.dtype.type(ten)) / x.dtype.type(ten))
        if decimals >= 0
        else (lambda x: np.rint(x / x.dtype.type(ten)) * x.dtype.type(ten))
    )
    return evaluate_elementwise([self], types(dtype_of(operand_of(self))), function)


def _infer_nan_to_num(self: TensorType, nan: Any, posinf: Any, neginf: Any) -> TensorType:
    del nan, posinf, neginf
    return TensorType(self.dtype, self.shape)


def _replacements(dtype: DType, nan: Any, posinf: Any, neginf: Any) -> tuple[Any, Any, Any]:
    largest = {DType.float16: 65504.0, DType.bfloat16: 3.3895313892515355e38}.get(dtype)
    if largest is None:
        largest = float(np.finfo(dtype.numpy).max)
    return 0.0 if nan is None else nan, largest if posinf is None else posinf, -largest if neginf is None else neginf


def _lower_nan_to_num(cx: LoweringContext, self: Value, nan: Any, posinf: Any, neginf: Any) -> Value:
    dtype = cx.dtype(self)
    if not dtype.is_floating:
        return self

    def formula(k: Scalars, x: Value, for_nan: Value, for_inf: Value, for_minus: Value) -> Value:
        value = k.select(k.compare("eq", x, k.constant(INF)), for_inf, x)
        value = k.select(k.compare("eq", x, k.constant(-INF)), for_minus, value)
        return k.select(math.isnan(k.b, x), for_nan, value)

    return lower_elementwise(cx, [self, *_replacements(dtype, nan, posinf, neginf)], types(dtype), formula)


def _reference_nan_to_num(self: Array, nan: Any, posinf: Any, neginf: Any) -> Array:
    dtype = dtype_of(operand_of(self))
    if not dtype.is_floating:
        return self
    chosen = _replacements(dtype, nan, posinf, neginf)
    return evaluate_elementwise(
        [self, *chosen],
        types(dtype),
        lambda x, n, p, m: np.where(np.isnan(x), n, np.where(x == INF, p, np.where(x == -INF, m, x))),
    )


def _round_samples() -> Iterator[Sample]:
    for decimals in (0, 2, -1):
        yield Sample((ramp(2, 3, low=-12.345, step=7.777),), {"decimals": decimals})


def _nan_samples() -> Iterator[Sample]:
    for dtype in ("f32", "f64", "f16", "bf16"):
        yield Sample((tensor([1.0, NAN, INF, -INF, -0.0], dtype), None, None, None))
    yield Sample((tensor([1.0, NAN, INF, -INF]), 1.5, 2.0, -3.0))
    yield Sample((ramp(3, dtype="i64"), None, None, None))


ODD: tuple[Operator, ...] = (
    Operator("aten::round.decimals(Tensor self, *, int decimals) -> Tensor", _infer_round_decimals, _lower_round_decimals, _reference_round_decimals, _round_samples),
    Operator(
        "aten::nan_to_num(Tensor self, float? nan=None, float? posinf=None, float? neginf=None) -> Tensor",
        _infer_nan_to_num, _lower_nan_to_num, _reference_nan_to_num, _nan_samples,
    ),
)  # fmt: skip


OPERATORS: tuple[Operator, ...] = (
    *FLOAT_FUNCTIONS, *ROUNDING, *ARITHMETIC, *PRODUCTS, *QUOTIENTS, *DIV_MODES, *POWERS, *TWO_FLOATS, *THREE, *ODD,
)  # fmt: skip
