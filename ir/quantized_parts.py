"""Quantized tensors taken apart and put together, for the rules of operators on them.

In: values of an `Engine`, which the specialiser and the interpreter of the `torch` stage give. Out: their integers, scales and
zero points, and objects of new ones. The arithmetic is in `frontend/prelude/aten/quantized.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from .dtypes import DType
from .operator import OperatorError
from .quantized import BY_CHANNEL, BY_TENSOR, DTYPES, NUMBERS, RANGES, TENSORS
from .script_types import ClassType


class Engine(Protocol):
    """Values of a running or specialised program; Python constants and lists may stand for them in `call` and `object`."""

    def call(self, name: str, *arguments: Any) -> Any:
        """The result of an operator or of a helper of the prelude."""
        ...

    def object(self, type: ClassType, attributes: Mapping[str, Any]) -> Any: ...

    def type_of(self, value: Any) -> ClassType | None:
        """The class of an object; None for every other value."""
        ...

    def attribute(self, value: Any, name: str) -> Any: ...

    def dtype(self, tensor: Any) -> DType: ...

    def rank(self, tensor: Any) -> int: ...

    def plain(self, value: Any) -> Any:
        """What is known at compile time, as a Python value."""
        ...

    def is_zero(self, value: Any) -> bool:
        """Whether a number or tensor is known to be 0."""
        ...

    def elements(self, value: Any) -> Sequence[Any]:
        """Of a list or tuple."""
        ...

    def list(self, values: Sequence[Any]) -> Any:
        """A list of tensors, quantized or not."""
        ...

    def tuple(self, values: Sequence[Any]) -> Any: ...


Results = Sequence[Any]
Rule = Callable[[Engine, Sequence[Any]], Results]


def is_quantized(e: Engine, value: Any) -> bool:
    return e.type_of(value) in TENSORS


def with_values(e: Engine, like: Any, values: Any) -> Any:
    if e.type_of(like) is not BY_TENSOR:
        raise OperatorError("this operator is not supported for tensors that are quantized by channel")
    scale, zero_point = e.attribute(like, "scale"), e.attribute(like, "zero_point")
    return e.object(BY_TENSOR, {"values": values, "scale": scale, "zero_point": zero_point})


def by_tensor(e: Engine, value: Any) -> tuple[Any, Any, Any]:
    if e.type_of(value) is not BY_TENSOR:
        raise OperatorError("expected a tensor that is quantized with one scale")
    return e.attribute(value, "values"), e.attribute(value, "scale"), e.attribute(value, "zero_point")


def integers_of(e: Engine, dtype: Any) -> DType:
    number = e.plain(dtype)
    if number not in DTYPES:
        raise OperatorError("quantized tensors are of torch.quint8, torch.qint8 or torch.qint32 here")
    return DTYPES[number]


def range_of(e: Engine, values: Any) -> tuple[int, int]:
    return RANGES[e.dtype(values)]


def scales_of(e: Engine, weight: Any) -> tuple[Any, Any, bool]:
    """Scales (float32) and zero points (int32) of a weight, one or one for each index of its first dimension; whether all
    zero points are known to be 0."""
    if e.type_of(weight) is BY_TENSOR:
        _, scale, zero_point = by_tensor(e, weight)
        return e.call("aten::_h_q_one_scale", scale), e.call("aten::_h_q_one_point", zero_point), e.is_zero(zero_point)
    if e.type_of(weight) is not BY_CHANNEL:
        raise OperatorError("expected a quantized weight")
    if e.plain(e.attribute(weight, "axis")) != 0:
        raise OperatorError("weights are quantized along their first dimension here")
    scales, points = e.attribute(weight, "scales"), e.attribute(weight, "zero_points")
    return e.call("aten::_h_q_scales", scales), e.call("aten::_h_q_points", points), e.is_zero(points)


def quantize(e: Engine, arguments: Sequence[Any]) -> Results:
    x, scale, zero_point, dtype = arguments
    kind = integers_of(e, dtype)
    if e.dtype(x) is not DType.float32:
        raise OperatorError(f"Quantize only works on Float Tensor, got {e.dtype(x).graph_name}")
    low, high = RANGES[kind]
    values = e.call("aten::_h_q_quantize", x, scale, zero_point, low, high, int(kind))
    return (e.object(BY_TENSOR, {"values": values, "scale": scale, "zero_point": zero_point}),)


def dequantized(e: Engine, x: Any) -> Any:
    if e.type_of(x) is BY_TENSOR:
        return e.call("aten::_h_q_dequantize", *by_tensor(e, x))
    parts = [e.attribute(x, n) for n in ("values", "scales", "zero_points", "axis")]
    return e.call("aten::_h_q_dequantize_by_channel", *parts)


def replaced(e: Engine, x: Any, values: Any) -> Any:
    """The quantized tensor with other integers."""
    type_ = e.type_of(x)
    if type_ is None:
        raise OperatorError("expected a quantized tensor")
    return e.object(type_, {**{n: e.attribute(x, n) for n in type_.attributes}, "values": values})


def requantized(e: Engine, x: Any, scale: Any, zero_point: Any, like: Any, relu: bool = False) -> Any:
    """A float tensor quantized as `like` is, with this scale and zero point."""
    kind = e.dtype(e.attribute(like, "values"))
    x = e.call("aten::relu", x) if relu else x
    (result,) = quantize(e, [x, scale, zero_point, NUMBERS[kind]])
    return result


def is_none(e: Engine, value: Any) -> bool:
    try:
        return e.plain(value) is None
    except OperatorError:
        return False


def quantized_number(e: Engine, like: Any, number: Any) -> Any:
    """The integer that stands for a number in a tensor quantized as `like` is."""
    values, scale, zero_point = by_tensor(e, like)
    return e.call("aten::_h_q_integer", e.call("aten::_h_q_number", number), scale, zero_point, *range_of(e, values))
