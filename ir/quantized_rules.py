"""What operators on quantized tensors mean: their parts taken out, a formula of the prelude, its result put together.

One set of rules serves the specialiser and the interpreter of the `torch` stage: each gives an `Engine` over its values. The
formulas stand in `frontend/prelude/aten/quantized.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from . import quantized_convolutions, quantized_embeddings, quantized_functions, quantized_recurrent
from .operator import OperatorError
from .operators import split_name
from .quantized import BY_CHANNEL, BY_TENSOR, LINEAR, NUMBERS, RANGES
from .quantized_parts import (
    Engine,
    Results,
    Rule,
    by_tensor,
    dequantized,
    integers_of,
    is_none,
    is_quantized,
    quantize,
    range_of,
    requantized,
    scales_of,
    with_values,
)
from .quantized_recurrent import dynamic_linear
from .script_types import ClassType


def apply(e: Engine, name: str, arguments: Sequence[Any]) -> Results | None:
    """The results of an operator that makes quantized tensors or takes them; None for every other. OperatorError."""
    base, _ = split_name(name)
    rule = MAKING.get(name)
    if rule is not None:
        return rule(e, arguments)
    if base in _ON_LISTS and any(is_quantized(e, v) for v in e.elements(arguments[0])):
        return _cat(e, [*arguments, None, None], stacks=base == "aten::stack")
    if not any(is_quantized(e, a) for a in arguments):
        return None
    rule = TAKING.get(name) or TAKING.get(base)
    if rule is not None:
        return rule(e, arguments)
    if base.endswith("_") and (name_of := _FUNCTIONAL.get(base)) is not None:
        return _in_place(e, arguments[0], TAKING[name_of](e, arguments))
    if base in _KEEPING:
        return (with_values(e, arguments[0], e.call(name, e.attribute(arguments[0], "values"), *arguments[1:])),)
    if base in _OF_INTEGERS:
        return (e.call(name, e.attribute(arguments[0], "values"), *arguments[1:]),)
    raise OperatorError(f"{name} of a quantized tensor is not supported: dequantize it first")


_KEEPING: Final = frozenset(
    f"aten::{name}"
    for name in (
        "view", "reshape", "flatten", "unflatten", "permute", "transpose", "t", "squeeze", "unsqueeze", "select", "slice",
        "narrow", "expand", "contiguous", "clone", "detach", "alias", "max_pool1d", "max_pool2d", "max_pool3d",
        "index_select", "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "repeat", "flip", "to", "cpu",
        "dropout", "feature_dropout", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "native_channel_shuffle", "swapaxes",
        "swapdims", "movedim", "roll", "view_as", "reshape_as", "expand_as", "index", "reflection_pad1d", "reflection_pad2d",
        "reflection_pad3d", "replication_pad1d", "replication_pad2d", "replication_pad3d", "alpha_dropout", "gather",
        "quantized_max_pool1d", "quantized_max_pool2d", "quantized_max_pool3d", "masked_select", "take_along_dim",
    )
)  # fmt: skip
"""Operators that move integers about, or choose among them."""

_OF_INTEGERS: Final = frozenset(
    ("aten::size", "aten::dim", "aten::numel", "aten::len", "prim::device", "aten::stride", "aten::is_contiguous", "prim::layout")
)
_ON_LISTS: Final = ("aten::cat", "aten::concat", "aten::concatenate", "aten::stack")
_FUNCTIONAL: Final = {
    f"aten::{name}_": f"aten::{name}" for name in ("relu", "relu6", "clamp", "hardtanh", "threshold", "hardsigmoid")
}
"""In-place functions that keep the scale."""


def _in_place(e: Engine, target: Any, results: Results) -> Results:
    """Writes what a function gave into the tensor that it was given; both have one scale."""
    e.call("aten::copy_", e.attribute(target, "values"), e.attribute(results[0], "values"), False)
    return (target,)


# making and taking apart


def _quantize_by_tensors(e: Engine, arguments: Sequence[Any]) -> Results:
    x, scale, zero_point, dtype = arguments
    return quantize(e, [x, e.call("aten::_h_q_float", scale), e.call("aten::_h_q_int", zero_point), dtype])


def _quantize_dynamic(e: Engine, arguments: Sequence[Any]) -> Results:
    x, dtype, reduce_range = arguments
    low, high = RANGES[integers_of(e, dtype)]
    scale, zero_point = e.elements(e.call("aten::_h_q_choose", x, low, high, reduce_range))
    return quantize(e, [x, scale, zero_point, dtype])


def _quantize_by_channel(e: Engine, arguments: Sequence[Any]) -> Results:
    x, scales, points, axis, dtype = arguments
    kind = integers_of(e, dtype)
    low, high = RANGES[kind]
    values = e.call("aten::_h_q_quantize_by_channel", x, scales, points, axis, low, high, int(kind))
    parts = {"values": values, "scales": scales, "zero_points": points, "axis": axis}
    return (e.object(BY_CHANNEL, parts),)


def _dequantize(e: Engine, arguments: Sequence[Any]) -> Results:
    return (dequantized(e, arguments[0]),)


def _part(name: str, owner: ClassType) -> Rule:
    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        if e.type_of(arguments[0]) is not owner and name != "values":
            raise OperatorError("the tensor is quantized in another way")
        return (e.attribute(arguments[0], name),)

    return rule


def _scheme(e: Engine, arguments: Sequence[Any]) -> Results:
    return (e.call("aten::_h_q_same_int", 0 if e.type_of(arguments[0]) is BY_TENSOR else 1),)


def _dtype(e: Engine, arguments: Sequence[Any]) -> Results:
    return (e.call("aten::_h_q_same_int", NUMBERS[e.dtype(e.attribute(arguments[0], "values"))]),)


def _yes(e: Engine, arguments: Sequence[Any]) -> Results:
    return (e.call("aten::_h_q_yes"),)


# layers


def _linear(relu: bool) -> Rule:
    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        x, packed, out_scale, out_zero_point = arguments
        values, scale, zero_point = by_tensor(e, x)
        weight = e.attribute(packed, "weight")
        scales, points, centred = scales_of(e, weight)
        sums = e.call("aten::_h_q_products", values, zero_point, e.attribute(weight, "values"), points, centred)
        result = e.call(
            "aten::_h_q_requantize", sums, scale, scales, e.attribute(packed, "bias"), out_scale, out_zero_point, -1,
            relu, *range_of(e, values), int(e.dtype(values)),
        )  # fmt: skip
        return (e.object(BY_TENSOR, {"values": result, "scale": out_scale, "zero_point": out_zero_point}),)

    return rule


def _linear_dynamic(relu: bool) -> Rule:
    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        x, packed, *rest = arguments
        result = dynamic_linear(e, x, packed, rest[0] if rest else False)
        return (e.call("aten::relu", result) if relu else result,)

    return rule


def _prepack(e: Engine, arguments: Sequence[Any]) -> Results:
    weight, bias = arguments
    return (e.object(LINEAR, {"weight": weight, "bias": bias}),)


def _unpack(e: Engine, arguments: Sequence[Any]) -> Results:
    return (e.attribute(arguments[0], "weight"), e.attribute(arguments[0], "bias"))


def _prepack_half(e: Engine, arguments: Sequence[Any]) -> Results:
    """Weights in float16 are float32 tensors of such numbers here."""
    weight, bias = arguments
    return (e.object(LINEAR, {"weight": e.call("aten::_h_q_half", weight), "bias": bias}),)


# arithmetic


def _binary(operator: str, relu: bool) -> Rule:
    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        if len(arguments) == 2:
            return quantized_functions.TAKING[f"quantized::{operator[len('aten::_h_q_') :]}_scalar{'_relu' if relu else ''}"](e, arguments)
        if len(arguments) != 4 or not is_quantized(e, arguments[0]) or not is_quantized(e, arguments[1]):
            raise OperatorError("expected two quantized tensors")
        a, b, scale, zero_point = arguments
        result = e.call(operator, dequantized(e, a), dequantized(e, b))
        return (requantized(e, result, scale, zero_point, a, relu),)

    return rule


def _cat(e: Engine, arguments: Sequence[Any], relu: bool = False, stacks: bool = False) -> Results:
    tensors, dim, scale, zero_point = arguments
    parts = list(e.elements(tensors))
    if not all(e.type_of(p) is BY_TENSOR for p in parts):
        raise OperatorError("quantized tensors are joined with one another only")
    _, own_scale, own_point = by_tensor(e, parts[0])
    given = [own if v is None or is_none(e, v) else v for v, own in ((scale, own_scale), (zero_point, own_point))]
    joined = e.call("aten::stack" if stacks else "aten::_h_q_join", [dequantized(e, p) for p in parts], dim)
    return (requantized(e, joined, given[0], given[1], parts[0], relu),)


def _norm(relu: bool) -> Rule:
    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        x, weight, bias, mean, var, eps, scale, zero_point = arguments
        result = e.call("aten::_h_q_norm", dequantized(e, x), weight, bias, mean, var, eps)
        return (requantized(e, result, scale, zero_point, x, relu),)

    return rule


MAKING: Final[dict[str, Rule]] = {
    "aten::quantize_per_tensor": quantize,
    "aten::quantize_per_tensor.tensor_qparams": _quantize_by_tensors,
    "aten::quantize_per_tensor_dynamic": _quantize_dynamic,
    "aten::quantize_per_channel": _quantize_by_channel,
    "quantized::linear_dynamic": _linear_dynamic(False),
    "quantized::linear_relu_dynamic": _linear_dynamic(True),
    "quantized::linear_prepack": _prepack,
    "quantized::linear_unpack": _unpack,
    "quantized::linear_prepack_fp16": _prepack_half,
    "quantized::linear_unpack_fp16": _unpack,
    "quantized::linear_dynamic_fp16": _linear_dynamic(False),
    "quantized::linear_relu_dynamic_fp16": _linear_dynamic(True),
    "quantized::cat": _cat,
    "quantized::cat_relu": lambda e, a: _cat(e, a, True),
    **quantized_convolutions.MAKING,
    **quantized_recurrent.MAKING,
    **quantized_embeddings.MAKING,
}
"""Operators that are always about quantized tensors or their weights."""

TAKING: Final[dict[str, Rule]] = {
    "aten::dequantize": _dequantize,
    "aten::int_repr": _part("values", BY_TENSOR),
    "aten::q_scale": _part("scale", BY_TENSOR),
    "aten::q_zero_point": _part("zero_point", BY_TENSOR),
    "aten::q_per_channel_scales": _part("scales", BY_CHANNEL),
    "aten::q_per_channel_zero_points": _part("zero_points", BY_CHANNEL),
    "aten::q_per_channel_axis": _part("axis", BY_CHANNEL),
    "aten::qscheme": _scheme,
    "prim::dtype": _dtype,
    "prim::is_quantized": _yes,
    "quantized::linear": _linear(False),
    "quantized::linear_relu": _linear(True),
    **quantized_convolutions.TAKING,
    **quantized_functions.TAKING,
    "quantized::add": _binary("aten::_h_q_add", False),
    "quantized::add_relu": _binary("aten::_h_q_add", True),
    "quantized::mul": _binary("aten::_h_q_mul", False),
    "quantized::mul_relu": _binary("aten::_h_q_mul", True),
    "aten::quantized_batch_norm": _norm(False),
    **{f"quantized::batch_norm{n}": _norm(False) for n in ("", "1d", "2d", "3d")},
    **{f"quantized::batch_norm{n}_relu": _norm(True) for n in ("", "1d", "2d", "3d")},
}
"""Operators that mean something else where their first argument is quantized."""
