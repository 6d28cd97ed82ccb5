"""Activation functions that are one formula on an element; float only unless said otherwise."""

from __future__ import annotations

import math as python_math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample
from ...script_types import TensorType
from .. import math
from .elementwise import (
    Rule,
    Scalars,
    Types,
    elementwise,
    evaluate_elementwise,
    is_bool_or_complex,
    is_not_floating,
    lower_elementwise,
    promoted,
    refusing,
    types,
)
from .fitting import guarding, require_fitting
from .lowering import LoweringContext, Number
from .rules import Array, Operand, choose, dtype_of, operand_of
from .samples import ramp, tensor, unary_floats, unary_reals

_erf = np.vectorize(python_math.erf, otypes=[np.float64])


def _floats_only(kernel: str) -> Rule:
    return refusing(promoted, kernel, is_not_floating)


def _samples(*numbers: tuple[Any, ...]) -> Callable[[], Iterable[Sample]]:
    """Special floats with each tuple of further arguments, and an integer tensor that is refused."""

    def samples() -> Iterator[Sample]:
        for extra in numbers:
            for sample in unary_floats():
                yield Sample((*sample.args, *extra))
        yield Sample((ramp(3, dtype="i64"), *numbers[0]), raises="not implemented for 'Long'")

    return samples


def _clamped(k: Scalars, x: Value, low: float, high: float) -> Value:
    return k.minimum(k.maximum(x, k.constant(low)), k.constant(high))


# without parameters


def _relu_types(self: Operand) -> Types:
    if dtype_of(self) is DType.bool:
        raise OperatorError("Boolean inputs not supported for relu")
    return promoted(self)


def _silu(k: Scalars, x: Value) -> Value:
    return k.div(x, k.add(k.constant(1), math.exp(k.b, k.neg(x))))


def _mish(k: Scalars, x: Value) -> Value:
    return k.mul(x, math.tanh(k.b, math.log1p(k.b, math.exp(k.b, x))))


def _hardsigmoid(k: Scalars, x: Value) -> Value:
    return k.div(_clamped(k, k.add(x, k.constant(3)), 0, 6), k.constant(6))


def _hardswish(k: Scalars, x: Value) -> Value:
    return k.div(k.mul(x, _clamped(k, k.add(x, k.constant(3)), 0, 6)), k.constant(6))


def _relu_samples() -> Iterator[Sample]:
    yield from unary_reals()
    yield Sample((ramp(3, dtype="b1"),), raises="Boolean inputs not supported for relu")


PLAIN: tuple[Operator, ...] = (
    elementwise(
        "aten::relu(Tensor self) -> Tensor",
        _relu_types,
        lambda k, x: k.maximum(x, k.constant(0)),
        lambda x: np.maximum(x, x.dtype.type(0)),
        _relu_samples,
    ),
    elementwise(
        "aten::silu(Tensor self) -> Tensor",
        refusing(promoted, "silu_cpu", lambda dtype: dtype.category < 2),
        _silu,
        lambda x: x / (1 + np.exp(-x)),
        _samples(()),
    ),
    elementwise(
        "aten::mish(Tensor self) -> Tensor",
        _floats_only("mish_cpu"),
        _mish,
        lambda x: x * np.tanh(np.log1p(np.exp(x))),
        _samples(()),
    ),
    elementwise(
        "aten::hardsigmoid(Tensor self) -> Tensor",
        _floats_only("hardsigmoid_cpu"),
        _hardsigmoid,
        lambda x: np.minimum(np.maximum(x + 3, 0), 6) / 6,
        _samples(()),
    ),
    elementwise(
        "aten::hardswish(Tensor self) -> Tensor",
        _floats_only("hardswish_cpu"),
        _hardswish,
        lambda x: x * np.minimum(np.maximum(x + 3, 0), 6) / 6,
        _samples(()),
    ),
)


# with numbers


def _leaky_relu(k: Scalars, x: Value, slope: Value) -> Value:
    return k.select(k.compare("gt", x, k.constant(0)), x, k.mul(x, slope))


def _elu(k: Scalars, x: Value, alpha: Value, scale: Value, input_scale: Value) -> Value:
    negative = k.mul(math.expm1(k.b, k.mul(x, input_scale)), k.mul(alpha, scale))
    return k.select(k.compare("lt", x, k.constant(0)), negative, k.mul(x, scale))


def _numpy_elu(x: Array, alpha: Array, scale: Array, input_scale: Array) -> Array:
    return np.where(x < 0, np.expm1(x * input_scale) * (alpha * scale), x * scale)


def _softplus(k: Scalars, x: Value, beta: Value, threshold: Value) -> Value:
    scaled = k.mul(x, beta)
    smooth = k.div(math.log1p(k.b, math.exp(k.b, scaled)), beta)
    return k.select(k.compare("gt", scaled, threshold), x, smooth)


def _numpy_softplus(x: Array, beta: Array, threshold: Array) -> Array:
    return np.where(x * beta > threshold, x, np.log1p(np.exp(x * beta)) / beta)


def _threshold(k: Scalars, x: Value, threshold: Value, value: Value) -> Value:
    return k.select(k.compare("le", x, threshold), value, x)


def _hardtanh_types(self: Operand, min_val: Operand, max_val: Operand) -> Types:
    dtype = dtype_of(self)
    if dtype is DType.bool:
        raise OperatorError("Bool inputs not supported for hardtanh")
    bounds = [x for x in (min_val, max_val) if isinstance(x, int | float)]
    if dtype is DType.uint8 and any(x < 0 for x in bounds):
        raise OperatorError("cannot do hardtanh on an unsigned type with negative limits")
    return promoted(self)


def _check_limits(cx: LoweringContext, chosen: Types, self: Value, min_val: Number, max_val: Number) -> None:
    del self
    if chosen.compute is DType.uint8:
        for bound in (min_val, max_val):
            if isinstance(bound, Value):
                number = cx.extent(cx.number(bound, DType.int64))
                cx.check(cx.compare("ge", number, 0), "cannot do hardtanh on an unsigned type with negative limits")


def _self_only(rule: Rule) -> Rule:
    """The numbers take the dtype of the tensor."""

    def chosen(self: Operand, *numbers: Operand) -> Types:
        del numbers
        return rule(self)

    return chosen


def _threshold_types(self: Operand, threshold: Operand, value: Operand) -> Types:
    chosen = refusing(promoted, "threshold_cpu", is_bool_or_complex)(self)
    for number in (threshold, value):
        require_fitting(number, chosen.result)
    return chosen


def _hardshrink(k: Scalars, x: Value, lambd: Value) -> Value:
    inside = k.select(k.compare("ge", x, k.neg(lambd)), k.compare("le", x, lambd), k.false())
    return k.select(inside, k.constant(0), x)


def _softshrink(k: Scalars, x: Value, lambd: Value) -> Value:
    above = k.select(k.compare("gt", x, lambd), k.sub(x, lambd), k.mul(x, k.constant(0)))
    return k.select(k.compare("lt", x, k.neg(lambd)), k.add(x, lambd), above)


def _numpy_softshrink(x: Array, lambd: Array) -> Array:
    return np.where(x > lambd, x - lambd, np.where(x < -lambd, x + lambd, x * 0))


def _hardtanh_samples() -> Iterator[Sample]:
    for bounds in ((-1, 1), (-0.5, 2.0), (0.0, 6.0)):
        for sample in unary_floats():
            yield Sample((*sample.args, *bounds))
    yield Sample((ramp(5, dtype="i64", low=-3, step=2), -1, 2))
    yield Sample((ramp(3, dtype="u8"), -1, 1), raises="cannot do hardtanh on an unsigned type with negative limits")


def _threshold_samples() -> Iterator[Sample]:
    for sample in unary_reals():
        yield Sample((*sample.args, 1, 20))
    yield Sample((ramp(2, 3), 0.5, -2.5))


def _softshrink_types(self: Operand, lambd: Any) -> Types:
    if isinstance(lambd, int | float) and not lambd >= 0:
        raise OperatorError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    return _self_only(_floats_only("softshrink_cpu"))(self, lambd)


WITH_NUMBERS: tuple[Operator, ...] = (
    elementwise(
        "aten::leaky_relu(Tensor self, Scalar negative_slope=0.01) -> Tensor",
        _self_only(_floats_only("leaky_relu_cpu")),
        _leaky_relu,
        lambda x, slope: choose(x > 0, x, x * slope),
        _samples((0.01,), (1,)),
    ),
    elementwise(
        "aten::elu(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1) -> Tensor",
        _self_only(_floats_only("elu_cpu")),
        _elu,
        _numpy_elu,
        _samples((1, 1, 1), (0.5, 1.5, 2.0)),
    ),
    elementwise(
        "aten::softplus(Tensor self, Scalar beta=1, Scalar threshold=20) -> Tensor",
        _self_only(_floats_only("softplus_cpu")),
        _softplus,
        _numpy_softplus,
        _samples((1, 20), (2.0, 1.5)),
    ),
    elementwise(
        "aten::hardshrink(Tensor self, Scalar lambd=0.5) -> Tensor",
        _self_only(_floats_only("hardshrink_cpu")),
        _hardshrink,
        lambda x, lambd: choose((x >= -lambd) & (x <= lambd), x.dtype.type(0), x),
        _samples((0.5,), (1,)),
    ),
    elementwise(
        "aten::softshrink(Tensor self, Scalar lambd=0.5) -> Tensor",
        _softshrink_types,
        _softshrink,
        _numpy_softshrink,
        _samples((0.5,), (1,)),
    ),
    elementwise(
        "aten::hardtanh(Tensor self, Scalar min_val=-1, Scalar max_val=1) -> Tensor",
        _hardtanh_types,
        lambda k, x, low, high: k.minimum(k.maximum(x, low), high),
        lambda x, low, high: np.minimum(np.maximum(x, low), high),
        _hardtanh_samples,
        guard=_check_limits,
    ),
    elementwise(
        "aten::threshold(Tensor self, Scalar threshold, Scalar value) -> Tensor",
        _threshold_types,
        _threshold,
        lambda x, threshold, value: choose(x <= threshold, value, x),
        _threshold_samples,
        guard=guarding(1, 2),
    ),
)


# gelu: exact, or by tanh


def _gelu(k: Scalars, x: Value) -> Value:
    scaled = k.mul(x, k.constant(python_math.sqrt(0.5)))
    return k.mul(k.mul(x, k.constant(0.5)), k.add(k.constant(1), math.erf(k.b, scaled)))


def _gelu_tanh(k: Scalars, x: Value) -> Value:
    cube = k.mul(k.mul(x, x), x)
    inner = k.mul(k.constant(python_math.sqrt(2 / python_math.pi)), k.add(x, k.mul(k.constant(0.044715), cube)))
    return k.mul(k.mul(x, k.constant(0.5)), k.add(k.constant(1), math.tanh(k.b, inner)))


def _numpy_gelu(x: Array) -> Array:
    return x * 0.5 * (1 + _erf(x * python_math.sqrt(0.5)))


def _numpy_gelu_tanh(x: Array) -> Array:
    return x * 0.5 * (1 + np.tanh(python_math.sqrt(2 / python_math.pi) * (x + 0.044715 * x * x * x)))


_GELUS: dict[str, tuple[Callable[..., Value], Callable[[Array], Array]]] = {
    "none": (_gelu, _numpy_gelu),
    "tanh": (_gelu_tanh, _numpy_gelu_tanh),
}


def _gelu_kind(approximate: str) -> tuple[Callable[..., Value], Callable[[Array], Array]]:
    if approximate not in _GELUS:
        raise OperatorError("approximate argument must be either none or tanh.")
    return _GELUS[approximate]


def _infer_gelu(self: TensorType, approximate: str) -> TensorType:
    _gelu_kind(approximate)
    return TensorType(_floats_only("GeluKernelImpl")(self).result, self.shape)


def _lower_gelu(cx: LoweringContext, self: Value, approximate: str) -> Value:
    return lower_elementwise(cx, [self], types(cx.dtype(self)), _gelu_kind(approximate)[0])


def _reference_gelu(self: Array, approximate: str) -> Array:
    return evaluate_elementwise([self], types(dtype_of(operand_of(self))), _gelu_kind(approximate)[1])


def _gelu_samples() -> Iterator[Sample]:
    for approximate in ("none", "tanh"):
        for dtype in ("f32", "f64", "f16", "bf16"):
            yield Sample((ramp(2, 5, dtype=dtype),), {"approximate": approximate})
        yield Sample((tensor(0.5),), {"approximate": approximate})
        yield Sample((ramp(0, 3),), {"approximate": approximate})
    yield Sample((ramp(3),), {"approximate": "x"}, raises="approximate argument must be either none or tanh.")
    yield Sample((ramp(3, dtype="i64"),), {"approximate": "none"}, raises="not implemented for 'Long'")


GELU: tuple[Operator, ...] = (
    Operator(
        'aten::gelu(Tensor self, *, str approximate="none") -> Tensor',
        _infer_gelu,
        _lower_gelu,
        _reference_gelu,
        _gelu_samples,
    ),
)


OPERATORS: tuple[Operator, ...] = (*PLAIN, *WITH_NUMBERS, *GELU)
