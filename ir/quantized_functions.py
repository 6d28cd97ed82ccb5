"""Element-wise functions, normalisations, pooling and scalars of quantized tensors.

Each rule: the tensor taken apart, a formula of `frontend/prelude/aten/quantized.py` or an operator on floats, and its result as
integers of the scale that PyTorch gives it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from .dtypes import DType
from .operator import OperatorError
from .quantized import BY_TENSOR
from .quantized_parts import (
    Engine,
    Results,
    Rule,
    by_tensor,
    dequantized,
    is_none,
    is_quantized,
    quantized_number,
    range_of,
    requantized,
    with_values,
)

# of floats


def _function(helper: str, given: int) -> Rule:
    """A function of floats with `given` further arguments, then the scale and zero point of the result."""

    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        x, rest, (scale, zero_point) = arguments[0], arguments[1 : 1 + given], arguments[-2:]
        return (requantized(e, e.call(helper, dequantized(e, x), *rest), scale, zero_point, x),)

    return rule


def _scaled_first(helper: str, after: int = 0) -> Rule:
    """The same where the scale and zero point stand before the other arguments."""

    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        x, scale, zero_point, *rest = arguments
        rest = [*rest, 1, 1, 1][:after]
        return (requantized(e, e.call(helper, dequantized(e, x), *rest), scale, zero_point, x),)

    return rule


def _prelu(e: Engine, arguments: Sequence[Any]) -> Results:
    x, weight, scale, zero_point = arguments
    one = quantized_number(e, weight, 1.0)  # PyTorch's 1 is one of the numbers that the weight can have
    values = e.attribute(x, "values")
    result = e.call(
        "aten::_h_q_prelu", *by_tensor(e, x), *by_tensor(e, weight), one, scale, zero_point, *range_of(e, values), int(e.dtype(values))
    )
    return (e.object(BY_TENSOR, {"values": result, "scale": scale, "zero_point": zero_point}),)


def _celu(e: Engine, arguments: Sequence[Any]) -> Results:
    x, scale, zero_point, *rest = arguments
    result = e.call("aten::celu", dequantized(e, x), rest[0] if rest else 1)
    return (requantized(e, result, scale, zero_point, x),)


def _same_scale(name: str) -> Rule:
    """A function of floats whose result is of the scale of the argument."""

    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        x = arguments[0]
        _, scale, zero_point = by_tensor(e, x)
        return (requantized(e, e.call(name, dequantized(e, x), *arguments[1:]), scale, zero_point, x),)

    return rule


def _fixed(name: str, scale: float, zero_point: int) -> Rule:
    """A function whose result always has the same scale."""

    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        x = arguments[0]
        signed = e.dtype(e.attribute(x, "values")) is DType.int8
        at = zero_point - 128 if signed else zero_point
        return (requantized(e, e.call(name, dequantized(e, x), *arguments[1:]), scale, at, x),)

    return rule


def _hardswish(e: Engine, arguments: Sequence[Any]) -> Results:
    x, scale, zero_point = arguments
    return (requantized(e, e.call("aten::_h_q_hardswish", *by_tensor(e, x)), scale, zero_point, x),)


# of integers


def _relu(e: Engine, arguments: Sequence[Any]) -> Results:
    values, _, zero_point = by_tensor(e, arguments[0])
    return (with_values(e, arguments[0], e.call("aten::_h_q_relu", values, zero_point)),)


def _clamped(e: Engine, x: Any, least: Any, most: Any) -> Results:
    """Between two numbers, of which each may be None."""
    values = e.attribute(x, "values")
    for bound, operator in ((least, "aten::_h_q_at_least"), (most, "aten::_h_q_at_most")):
        if not is_none(e, bound):
            values = e.call(operator, values, quantized_number(e, x, bound))
    return (with_values(e, x, values),)


def _clamp(e: Engine, arguments: Sequence[Any]) -> Results:
    x, *bounds = arguments
    least, most = [*bounds, None, None][:2]
    return _clamped(e, x, least, most)


def _hardtanh(e: Engine, arguments: Sequence[Any]) -> Results:
    x, *bounds = arguments
    least, most = [*bounds, -1, 1][:2] if len(bounds) != 1 else [bounds[0], 1]
    return _clamped(e, x, least, most)


def _relu6(e: Engine, arguments: Sequence[Any]) -> Results:
    return _clamped(e, arguments[0], 0.0, 6.0)


def _extreme(name: str) -> Rule:
    """`max(x)`, or `max(x, dim)` with the places of the greatest."""

    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        x, *rest = arguments
        values = e.attribute(x, "values")
        if not rest:
            return (with_values(e, x, e.call(name, values)),)
        return _with_places(f"{name}.dim")(e, arguments)

    return rule


def _with_places(name: str) -> Rule:
    """An operator that chooses among the elements, and says where they stood."""

    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        x, *rest = arguments
        found = list(e.elements(e.call(f"aten::_h_q_{name.removeprefix('aten::').partition('.')[0]}", e.attribute(x, "values"), *rest)))
        return (with_values(e, x, found[0]), found[1])

    return rule


def _parts_of(name: str) -> Rule:
    """An operator that gives a list of parts."""

    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        x, *rest = arguments
        parts = e.elements(e.call(name, e.attribute(x, "values"), *rest))
        return (e.list([with_values(e, x, part) for part in parts]),)

    return rule


def _padded(e: Engine, arguments: Sequence[Any]) -> Results:
    x, pads, *rest = arguments
    mode, value = [*rest, "constant", None][:2] if rest else ["constant", None]
    values = e.attribute(x, "values")
    if e.plain(mode) != "constant":
        return (with_values(e, x, e.call("aten::pad", values, pads, mode, None)),)
    return _padded_with(e, x, pads, 0 if is_none(e, value) else value)


def _padded_with(e: Engine, x: Any, pads: Any, value: Any) -> Results:
    filled = e.call("aten::_h_q_pad", e.attribute(x, "values"), pads, quantized_number(e, x, value))
    return (with_values(e, x, filled),)


def _constant_pad(e: Engine, arguments: Sequence[Any]) -> Results:
    x, pads, *rest = arguments
    return _padded_with(e, x, pads, rest[0] if rest else 0)


# means


def _averaged(name: str) -> Rule:
    """Means of integers, as the float path of PyTorch rounds them."""

    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        values, _, zero_point = by_tensor(e, arguments[0])
        low, high = range_of(e, values)
        numbers = e.call("aten::_h_q_centred", values, zero_point)
        means = e.call(name, numbers, *arguments[1:])
        rounded = e.call("aten::_h_q_rounded", means, zero_point, low, high, int(e.dtype(values)))
        return (with_values(e, arguments[0], rounded),)

    return rule


# normalisations


def _layer_norm(e: Engine, arguments: Sequence[Any]) -> Results:
    x, shape, weight, bias, eps, scale, zero_point = arguments
    result = e.call("aten::_h_q_layer_norm", *by_tensor(e, x), shape, weight, bias, eps)
    return (requantized(e, result, scale, zero_point, x),)


def _group_norm(e: Engine, arguments: Sequence[Any]) -> Results:
    x, groups, weight, bias, eps, scale, zero_point = arguments
    result = e.call("aten::_h_q_group_norm", *by_tensor(e, x), groups, weight, bias, eps)
    return (requantized(e, result, scale, zero_point, x),)


def _instance_norm(e: Engine, arguments: Sequence[Any]) -> Results:
    x, weight, bias, eps, scale, zero_point = arguments
    result = e.call("aten::_h_q_group_norm", *by_tensor(e, x), -1, weight, bias, eps)
    return (requantized(e, result, scale, zero_point, x),)


# with a number


def _scalar(helper: str, relu: bool) -> Rule:
    """x + c, x * c: the scale follows from the number, so that the integers stay as they are where they can."""

    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        x, number = arguments if is_quantized(e, arguments[0]) else arguments[::-1]
        values, scale, zero_point = by_tensor(e, x)
        given = e.call("aten::_h_q_number", number)
        low, high = range_of(e, values)
        found = e.elements(e.call(helper, values, scale, zero_point, given, low, high, relu))
        return (e.object(BY_TENSOR, dict(zip(("values", "scale", "zero_point"), found, strict=True))),)

    return rule


def _matmul(e: Engine, arguments: Sequence[Any]) -> Results:
    a, b, scale, zero_point = arguments
    if not is_quantized(e, a) or not is_quantized(e, b):
        raise OperatorError("expected two quantized tensors")
    return (requantized(e, e.call("aten::matmul", dequantized(e, a), dequantized(e, b)), scale, zero_point, a),)


_POOLS: Final = ("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d")
_BILINEAR: Final = ("aten::upsample_bilinear2d", "aten::upsample_bilinear2d.vec")

TAKING: Final[dict[str, Rule]] = {
    "quantized::hardswish": _hardswish,
    "quantized::leaky_relu": _function("aten::leaky_relu", 1),
    "quantized::sigmoid": _function("aten::sigmoid", 0),
    "quantized::softmax": _function("aten::_h_q_softmax", 1),
    "quantized::prelu": _prelu,
    "quantized::elu": _scaled_first("aten::elu", 3),
    "quantized::celu": _celu,
    "quantized::relu6": _relu6,
    "quantized::clamp": _clamp,
    "quantized::threshold": _same_scale("aten::threshold"),
    "quantized::layer_norm": _layer_norm,
    "quantized::group_norm": _group_norm,
    "quantized::instance_norm": _instance_norm,
    "quantized::matmul": _matmul,
    **{f"quantized::{n}_scalar{relu}": _scalar(f"aten::_h_q_{n}_scalar", bool(relu)) for n in ("add", "mul") for relu in ("", "_relu")},
    "aten::relu": _relu,
    "aten::relu6": _relu6,
    "aten::clamp": _clamp,
    "aten::hardtanh": _hardtanh,
    "aten::threshold": _same_scale("aten::threshold"),
    "aten::gelu": _same_scale("aten::gelu"),
    "aten::sigmoid": _fixed("aten::sigmoid", 1 / 256, 0),
    "aten::tanh": _fixed("aten::tanh", 2 / 256, 128),
    "aten::hardsigmoid": _fixed("aten::hardsigmoid", 1 / 256, 0),
    "aten::max": _extreme("aten::max"),
    "aten::min": _extreme("aten::min"),
    "aten::sort": _with_places("aten::sort"),
    "aten::topk": _with_places("aten::topk"),
    "aten::pad": _padded,
    "aten::constant_pad_nd": _constant_pad,
    **{f"aten::{n}": _parts_of(f"aten::{n}") for n in ("chunk", "unbind.int", "split.Tensor", "split_with_sizes", "split.sizes", "tensor_split.sections")},
    **{f"aten::{n}": _averaged(f"aten::{n}") for n in _POOLS},
    **{n: _averaged(n) for n in _BILINEAR},
    "aten::mean": _averaged("aten::mean.dim"),
}  # fmt: skip
