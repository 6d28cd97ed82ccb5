"""Powers: of floats by `math.powf`, of integers by squaring; small constant exponents by multiplication."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample
from ...script_types import TensorType
from .. import arith, math
from .elementwise import (
    Rule,
    Samples,
    Scalars,
    Types,
    elementwise,
    is_bool,
    promoted,
    refusing,
    types,
)
from .lowering import LoweringContext, Number
from .rules import Array, Operand, dtype_of
from .samples import (
    binary_tensors,
    positive,
    ramp,
    special_pairs,
    tensor,
    with_numbers,
)

# powers


def _power(k: Scalars, x: Value, y: Value) -> Value:
    exponent = arith.constant_value(y)
    special = None if exponent is None else _special_power(k, x, exponent)
    if special is not None:
        return special
    return math.powf(k.b, x, y) if k.is_float else integer_power(k, x, y, exponent)


def _power_by_number(k: Scalars, x: Value, y: Value) -> Value:
    """By one number for all elements: 0.5 and -0.5 are roots for PyTorch also where they come at run time.

    They differ from pow at -inf and -0.0. Where the exponent is a tensor, PyTorch takes pow.
    """
    result = _power(k, x, y)
    if not k.is_float or k.stored is DType.float16 or arith.constant_value(y) is not None:
        return result
    root = math.sqrt(k.b, x)
    result = k.select(k.compare("eq", y, k.constant(-0.5)), k.div(k.constant(1), root), result)
    return k.select(k.compare("eq", y, k.constant(0.5)), root, result)


def _special_power(k: Scalars, x: Value, exponent: float) -> Value | None:
    """Exponents that PyTorch computes without pow, with the same rounding (it has no such roots for float16)."""
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
        case 0.5 if k.is_float and k.stored is not DType.float16:
            return math.sqrt(k.b, x)
        case -0.5 if k.is_float and k.stored is not DType.float16:
            return k.div(one, math.sqrt(k.b, x))
        case _:
            return None


def integer_power(k: Scalars, x: Value, y: Value, exponent: float | None = None) -> Value:
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
    if x.dtype.kind in "fc":
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
    if chosen.compute.category < 2 and isinstance(exponent, int) and exponent < 0:
        raise OperatorError("Integers to negative integer powers are not allowed.")
    if chosen.compute.is_integral and isinstance(exponent, int) and exponent > np.iinfo(chosen.compute.numpy).max:
        raise OperatorError(_WIDE_EXPONENT.format(chosen.compute.name))
    return chosen


_WIDE_EXPONENT = "value cannot be converted to type {}_t without overflow"


def _check_exponent(cx: LoweringContext, chosen: Types, self: Value, exponent: Number) -> None:
    del self
    if chosen.compute.is_integral and isinstance(exponent, Value):
        number = cx.extent(cx.number(exponent, DType.int64))
        cx.check(cx.compare("ge", number, 0), "Integers to negative integer powers are not allowed.")
        cx.check(cx.compare("le", number, np.iinfo(chosen.compute.numpy).max), _WIDE_EXPONENT.format(chosen.compute.name))


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
    yield Sample((positive(3, dtype="u8"), 300), raises="value cannot be converted to type uint8_t without overflow")


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
            _power_by_number,
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


OPERATORS: tuple[Operator, ...] = POWERS
