"""Rounded quotients and remainders; an integer zero as divisor is a run-time error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample
from ...script_types import TensorType
from ...types import I64
from .. import arith, math
from .. import tensor as tensor_dialect
from .elementwise import (
    Formula2,
    Function2,
    Rule,
    Samples,
    Scalars,
    evaluate_elementwise,
    is_bool_or_complex,
    lower_elementwise,
    promoted,
    refusing,
    to_float,
    type_operand,
)
from .lowering import LoweringContext, Number
from .rules import Array, Operand, broadcast, operand_of, shape_of
from .samples import (
    binary_tensors,
    mixed_tensors,
    ramp,
    special_pairs,
    tensor,
    with_numbers,
)


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


class _Rounding(Scalars):
    """Of 16-bit floats every step is rounded."""

    def _round(self, x: Value) -> Value:
        return arith.extf(self.b, arith.truncf(self.b, x, self.stored.element), self.dtype.element)

    def add(self, x: Value, y: Value) -> Value:
        return self._round(super().add(x, y))

    def sub(self, x: Value, y: Value) -> Value:
        return self._round(super().sub(x, y))

    def div(self, x: Value, y: Value) -> Value:
        return self._round(super().div(x, y))


def _stepwise(formula: Formula2, dtype: DType, divisor: Any) -> Formula2:
    """PyTorch rounds each step of a whole quotient of 16-bit floats, but for a divisor of one element."""
    if not _is_stepwise(dtype, divisor):
        return formula
    return lambda k, x, y: formula(_Rounding(k.b, k.dtype, k.stored), x, y)


def _is_stepwise(dtype: DType, divisor: Any) -> bool:
    return dtype.is_floating and dtype.itemsize == 2 and isinstance(divisor, TensorType) and any(n != 1 for n in shape_of(divisor))


def _stepwise_numpy(mode: str | None, function: Function2, dtype: DType, divisor: Any) -> Function2:
    if mode is None or not _is_stepwise(dtype, divisor):
        return function

    def rounded(x: Array) -> Array:
        return x.astype(dtype.numpy).astype(np.float32)

    def trunc(x: Array, y: Array) -> Array:
        return np.trunc(rounded(x / y))

    def floor(x: Array, y: Array) -> Array:
        rest = np.fmod(x, y)
        quotient = rounded(rounded(x - rest) / y)
        quotient = np.where((rest != 0) & ((rest < 0) != (y < 0)), rounded(quotient - 1), quotient)
        floored = np.floor(quotient)
        floored = np.where(rounded(quotient - floored) > 0.5, rounded(floored + 1), floored)
        floored = np.where(quotient == 0, np.copysign(0, x / y), floored)
        return np.where(y == 0, x / y, floored)

    return trunc if mode == "trunc" else floor


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


def _dividing(signature: str, rule: Rule, formula: Formula2, function: Function2, samples: Samples) -> Operator:
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
        steps = _stepwise(formula, chosen.compute, type_operand(cx, y)) if formula is floor_divide else formula
        return lower_elementwise(cx, [x, y], chosen, steps, formula is floor_divide)

    def reference(**arguments: Any) -> Array:
        x, y = (arguments[n] for n in names)
        chosen = rule(operand_of(x), operand_of(y))
        _refuse_zero(y, chosen.compute)
        mode = "floor" if formula is floor_divide else None
        stepwise = _stepwise_numpy(mode, function, chosen.compute, operand_of(y))
        return evaluate_elementwise([x, y], chosen, stepwise, formula is floor_divide)

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
    function: Function2,
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

_MODES: dict[str | None, tuple[Rule, Formula2, Function2]] = {
    None: (to_float, Scalars.div, lambda x, y: x / y),
    "trunc": (refusing(promoted, "div_trunc_cpu", is_bool_or_complex), trunc_divide, _numpy_trunc_divide),
    "floor": (refusing(promoted, "div_floor_cpu", is_bool_or_complex), floor_divide, _numpy_floor_divide),
}


def _mode(rounding_mode: str | None) -> tuple[Rule, Formula2, Function2]:
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
    if rounding_mode is not None:
        formula = _stepwise(formula, chosen.compute, type_operand(cx, other))
    return lower_elementwise(cx, [self, other], chosen, formula, whole_second=True)


def _reference_div_mode(self: Array, other: Any, rounding_mode: str | None) -> Array:
    rule, _, function = _mode(rounding_mode)
    chosen = rule(operand_of(self), operand_of(other))
    _refuse_zero(other, chosen.compute)
    stepwise = _stepwise_numpy(rounding_mode, function, chosen.compute, operand_of(other))
    return evaluate_elementwise([self, other], chosen, stepwise, whole_second=True)


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
        _infer_div_mode,
        _lower_div_mode,
        _reference_div_mode,
        _mode_samples(_nonzero_tensor_samples),
    ),
    Operator(
        "aten::div.Scalar_mode(Tensor self, Scalar other, *, str? rounding_mode) -> Tensor",
        _infer_div_mode,
        _lower_div_mode,
        _reference_div_mode,
        _mode_samples(_nonzero_number_samples),
    ),
)


OPERATORS: tuple[Operator, ...] = (*QUOTIENTS, *DIV_MODES)
