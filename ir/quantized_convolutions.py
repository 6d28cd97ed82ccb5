"""Convolutions of quantized tensors: ordinary, transposed, and of floats that are quantized on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from .quantized import BY_TENSOR, CONV2D, CONV3D
from .quantized_parts import Engine, Results, Rule, by_tensor, dequantized, quantize, range_of, replaced, scales_of
from .script_types import ClassType

_UNSIGNED: Final = 13


def _sums(e: Engine, dims: int, values: Any, zero_point: Any, packed: Any) -> Any:
    """Sums of products of integers, with one dimension more where there is one."""
    weight = e.attribute(packed, "weight")
    _, points, centred = scales_of(e, weight)
    names = ["stride", "padding", "dilation", "groups"]
    if e.plain(e.attribute(packed, "transpose")):
        names = ["stride", "padding", "output_padding", "groups", "dilation"]
    shape = [e.attribute(packed, n) for n in names]
    if dims == 1:
        values = e.call("aten::_h_q_as_plane", values)
    helper = "aten::_h_q_transposed" if len(names) > 4 else "aten::_h_q_convolution"
    return e.call(helper, values, zero_point, e.attribute(weight, "values"), points, centred, *shape)


def _applied(e: Engine, dims: int, x: Any, packed: Any, scale: Any, zero_point: Any, relu: bool) -> Any:
    values, own_scale, own_point = by_tensor(e, x)
    sums = _sums(e, dims, values, own_point, packed)
    scales, _, _ = scales_of(e, e.attribute(packed, "weight"))
    result = e.call(
        "aten::_h_q_requantize", sums, own_scale, scales, e.attribute(packed, "bias"), scale, zero_point, 1,
        relu, *range_of(e, values), int(e.dtype(values)),
    )  # fmt: skip
    if dims == 1:
        result = e.call("aten::_h_q_as_line", result)
    return e.object(BY_TENSOR, {"values": result, "scale": scale, "zero_point": zero_point})


def _convolution(dims: int, relu: bool) -> Rule:
    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        x, packed, *_, scale, zero_point = arguments  # old programs give strides and paddings too
        return (_applied(e, dims, x, packed, scale, zero_point, relu),)

    return rule


def _dynamic(dims: int) -> Rule:
    """The result has the scale that was chosen for the argument."""

    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        x, packed, *rest = arguments
        chosen = e.call("aten::_h_q_choose", x, 0, 255, rest[0] if rest else False)
        scale, zero_point = e.elements(chosen)
        (values,) = quantize(e, [x, scale, zero_point, _UNSIGNED])
        return (dequantized(e, _applied(e, dims, values, packed, scale, zero_point, False)),)

    return rule


def _prepack(dims: int, type: ClassType, transposed: bool) -> Rule:
    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        weight, bias, *numbers, groups = arguments
        names = ("stride", "padding", "output_padding", "dilation") if transposed else ("stride", "padding", "dilation")
        lists = [[e.plain(v) for v in e.elements(n)] for n in numbers]
        if dims == 1:
            weight = replaced(e, weight, e.call("aten::_h_q_as_plane", e.attribute(weight, "values")))
            lists = [[1 if name in ("stride", "dilation") else 0, *n] for name, n in zip(names, lists, strict=True)]
        parts: dict[str, Any] = {"weight": weight, "bias": bias, "output_padding": [0] * len(lists[0])}
        parts |= dict(zip(names, lists, strict=True))
        return (e.object(type, {**parts, "groups": groups, "transpose": transposed}),)

    return rule


def _unpack(e: Engine, arguments: Sequence[Any]) -> Results:
    return (e.attribute(arguments[0], "weight"), e.attribute(arguments[0], "bias"))


def _unpack_line(e: Engine, arguments: Sequence[Any]) -> Results:
    weight, bias = _unpack(e, arguments)
    return (replaced(e, weight, e.call("aten::_h_q_as_line", e.attribute(weight, "values"))), bias)


def _number(name: str) -> Rule:
    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        if name == "transpose":
            return (e.call("aten::_h_q_same_int", int(e.plain(e.attribute(arguments[0], name)))),)
        return (e.attribute(arguments[0], name),)

    return rule


_TRANSPOSED: Final = ("", "_transpose")
NUMBERS: Final = ("stride", "padding", "output_padding", "dilation", "groups", "transpose")

MAKING: Final[dict[str, Rule]] = {
    **{
        f"quantized::conv{t}{n}d_prepack": _prepack(n, CONV3D if n == 3 else CONV2D, bool(t))
        for n in (1, 2, 3)
        for t in _TRANSPOSED
    },
    **{f"quantized::conv{t}{n}d_unpack": _unpack if n > 1 else _unpack_line for n in (1, 2, 3) for t in _TRANSPOSED},
    **{f"quantized::conv{t}{n}d_{name}": _number(name) for n in (2, 3) for t in _TRANSPOSED for name in NUMBERS},
    **{f"quantized::conv{t}{n}d_dynamic": _dynamic(n) for n in (1, 2, 3) for t in _TRANSPOSED},
}

TAKING: Final[dict[str, Rule]] = {
    **{f"quantized::conv{n}d{relu}": _convolution(n, bool(relu)) for n in (1, 2, 3) for relu in ("", "_relu")},
    **{f"quantized::conv_transpose{n}d": _convolution(n, False) for n in (1, 2, 3)},
}
