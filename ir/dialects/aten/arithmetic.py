"""Sums, differences, products and true quotients of tensors and numbers; lerp, addcmul, addcdiv."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample
from ...script_types import TensorType
from .. import math
from .elementwise import (
    Samples,
    Scalars,
    Types,
    elementwise,
    is_bool,
    pair,
    promoted,
    refusing,
    to_float,
)
from .fitting import guarding, require_fitting
from .rules import Array, Operand, dtype_of
from .samples import (
    binary_tensors,
    mixed_tensors,
    positive,
    ramp,
    special_pairs,
    tensor,
    with_numbers,
)

# sums, differences, products


def _check_alpha(compute: DType, alpha: Operand) -> None:
    kind = dtype_of(alpha)
    if kind is DType.bool and compute is not DType.bool:
        raise OperatorError("Boolean alpha only supported for Boolean results.")
    if not compute.is_floating and not compute.is_complex and kind.category > 1:
        raise OperatorError("For integral input tensors, argument alpha must not be a floating point number.")


def _sum_types(self: Operand, other: Operand, alpha: Operand) -> Types:
    chosen = promoted(self, other)
    _check_alpha(chosen.compute, alpha)
    require_fitting(alpha, chosen.result)
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
        elementwise(signature, _sum_types, lambda k, x, y, alpha: k.add(x, k.mul(alpha, y)), _numpy_add, samples, guard=guarding(2))
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
            guard=guarding(2),
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
            guard=guarding(2),
        )
        for signature, samples in (
            ("aten::rsub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor", _alpha_samples(False)),
            ("aten::rsub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor", _alpha_number_samples),
        )
    ),
)


def _all_tensor_samples() -> Iterator[Sample]:
    yield from binary_tensors("f32", "i64", "u8", "f64", "f16", "bf16", "i8", "i16", "i32", "b1")
    yield from mixed_tensors()
    yield special_pairs()


def _number_samples() -> Iterator[Sample]:
    yield from with_numbers(2, 1.5, True, dtypes=("f32", "i64", "u8", "f16", "b1"))
    yield Sample((tensor(3, "i64"), 2.5))
    yield Sample((ramp(0, 2), 2.5))


PRODUCTS: tuple[Operator, ...] = (
    *pair(
        "mul",
        promoted,
        Scalars.mul,
        lambda x, y: x & y if x.dtype == np.bool_ else x * y,
        _all_tensor_samples,
        _number_samples,
    ),
    *pair("div", to_float, Scalars.div, lambda x, y: x / y, _all_tensor_samples, _number_samples),
    *pair("true_divide", to_float, Scalars.div, lambda x, y: x / y, _all_tensor_samples, _number_samples),
)


# three tensors: a weighted sum, a product or quotient added


def _check_same_dtype(self: Operand, other: Operand, what: str) -> None:
    if dtype_of(self) is not dtype_of(other):
        raise OperatorError(f"expected dtype {_c_name(self)} for `{what}` but got dtype {_c_name(other)}")


_C_NAMES = {
    DType.float32: "float",
    DType.float64: "double",
    DType.int64: "long int",
    DType.int32: "int",
    DType.int16: "short int",
    DType.int8: "signed char",
    DType.uint8: "unsigned char",
    DType.bool: "bool",
    DType.float16: "c10::Half",
    DType.bfloat16: "c10::BFloat16",
    DType.complex64: "c10::complex<float>",
    DType.complex128: "c10::complex<double>",
}  # fmt: skip


def _c_name(operand: Operand) -> str:
    return _C_NAMES.get(dtype_of(operand), dtype_of(operand).graph_name)


def _lerp_types(self: Operand, end: Operand, weight: Operand) -> Types:
    _check_same_dtype(self, end, "end")
    if isinstance(weight, TensorType) and not (weight.rank == 0 and weight.dtype is not DType.bool):
        _check_same_dtype(self, weight, "weight")
    return refusing(promoted, "lerp_kernel_scalar", lambda d: d.category < 2)(self, end)


def _lerp(k: Scalars, x: Value, end: Value, weight: Value) -> Value:
    """From the nearer end, so that both ends are reached exactly."""
    span = k.sub(end, x)
    near = k.add(x, k.mul(weight, span))
    far = k.sub(end, k.mul(span, k.sub(k.constant(1), weight)))
    return k.select(k.compare("lt", math.absf(k.b, weight), k.constant(0.5)), near, far)


def _numpy_lerp(x: Array, end: Array, weight: Array) -> Array:
    return np.where(np.abs(weight) < 0.5, x + weight * (end - x), end - (end - x) * (1 - weight))


def _addcmul_types(self: Operand, tensor1: Operand, tensor2: Operand, value: Operand) -> Types:
    chosen = refusing(promoted, "addcmul_cpu_out", is_bool)(self, tensor1, tensor2)
    require_fitting(value, chosen.compute)
    return chosen


def _addcdiv_types(self: Operand, tensor1: Operand, tensor2: Operand, value: Operand) -> Types:
    del value
    if all(dtype_of(x).category <= 1 for x in (tensor1, tensor2)):
        raise OperatorError(
            "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform a "
            "true division of tensor1 and tensor2. The historic addcdiv behavior can be implemented as (input + value "
            "* torch.trunc(tensor1 / tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / "
            "tensor2) for float inputs. The future addcdiv behavior is just the latter implementation: (input + value "
            "* tensor1 / tensor2), for all dtypes."
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
    elementwise(
        "aten::lerp.Tensor(Tensor self, Tensor end, Tensor weight) -> Tensor",
        _lerp_types,
        _lerp,
        _numpy_lerp,
        _three_samples(),
    ),
    elementwise(
        "aten::lerp.Scalar(Tensor self, Tensor end, Scalar weight) -> Tensor",
        _lerp_types,
        _lerp,
        _numpy_lerp,
        _lerp_number_samples,
    ),
    elementwise(
        "aten::addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
        _addcmul_types,
        lambda k, x, y, z, v: k.add(x, k.mul(k.mul(v, y), z)),
        lambda x, y, z, v: x + v * y * z,
        _addcmul_samples,
        guard=guarding(3),
    ),
    elementwise(
        "aten::addcdiv(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
        _addcdiv_types,
        lambda k, x, y, z, v: k.add(x, k.mul(v, k.div(y, z))),
        lambda x, y, z, v: x + v * (y / z),
        _addcdiv_samples,
    ),
)


OPERATORS: tuple[Operator, ...] = (*ARITHMETIC, *PRODUCTS, *THREE)
