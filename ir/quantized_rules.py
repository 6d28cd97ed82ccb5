"""What operators on quantized tensors mean: their parts taken out, a formula of the prelude, its result put together.

One set of rules serves the specialiser and the interpreter of the `torch` stage: each gives an `Engine` over its values. The
formulas stand in `frontend/prelude/aten/quantized.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from .dtypes import DType
from .operator import OperatorError
from .operators import split_name
from .quantized import BY_CHANNEL, BY_TENSOR, CELL, CONV2D, CONV3D, DTYPES, LINEAR, NUMBERS, RANGES, TENSORS
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

    def tuple(self, values: Sequence[Any]) -> Any: ...


Results = Sequence[Any]
Rule = Callable[[Engine, Sequence[Any]], Results]


def is_quantized(e: Engine, value: Any) -> bool:
    return e.type_of(value) in TENSORS


def apply(e: Engine, name: str, arguments: Sequence[Any]) -> Results | None:
    """The results of an operator that makes quantized tensors or takes them; None for every other. OperatorError."""
    base, _ = split_name(name)
    rule = MAKING.get(name)
    if rule is not None:
        return rule(e, arguments)
    if base in _ON_LISTS and any(is_quantized(e, v) for v in e.elements(arguments[0])):
        return _cat(e, [*arguments, None, None])
    if not any(is_quantized(e, a) for a in arguments):
        return None
    rule = TAKING.get(base)
    if rule is not None:
        return rule(e, arguments)
    if base in _KEEPING:
        return (_with_values(e, arguments[0], e.call(name, e.attribute(arguments[0], "values"), *arguments[1:])),)
    if base in _OF_INTEGERS:
        return (e.call(name, e.attribute(arguments[0], "values"), *arguments[1:]),)
    raise OperatorError(f"{name} of a quantized tensor is not supported: dequantize it first")


_KEEPING: Final = frozenset(
    f"aten::{name}"
    for name in (
        "view", "reshape", "flatten", "unflatten", "permute", "transpose", "t", "squeeze", "unsqueeze", "select", "slice",
        "narrow", "expand", "contiguous", "clone", "detach", "alias", "max_pool1d", "max_pool2d", "max_pool3d",
        "index_select", "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "repeat", "flip", "to", "cpu",
        "dropout", "feature_dropout",
    )
)  # fmt: skip
"""Operators that move integers about, or choose among them."""

_OF_INTEGERS: Final = frozenset(
    ("aten::size", "aten::dim", "aten::numel", "aten::len", "prim::device", "aten::stride", "aten::is_contiguous", "prim::layout")
)
_ON_LISTS: Final = ("aten::cat", "aten::concat")


# parts


def _with_values(e: Engine, like: Any, values: Any) -> Any:
    if e.type_of(like) is not BY_TENSOR:
        raise OperatorError("this operator is not supported for tensors that are quantized by channel")
    scale, zero_point = e.attribute(like, "scale"), e.attribute(like, "zero_point")
    return e.object(BY_TENSOR, {"values": values, "scale": scale, "zero_point": zero_point})


def _by_tensor(e: Engine, value: Any) -> tuple[Any, Any, Any]:
    if e.type_of(value) is not BY_TENSOR:
        raise OperatorError("expected a tensor that is quantized with one scale")
    return e.attribute(value, "values"), e.attribute(value, "scale"), e.attribute(value, "zero_point")


def _integers(e: Engine, dtype: Any) -> DType:
    number = e.plain(dtype)
    if number not in DTYPES:
        raise OperatorError("quantized tensors are of torch.quint8, torch.qint8 or torch.qint32 here")
    return DTYPES[number]


def _range(e: Engine, values: Any) -> tuple[int, int]:
    return RANGES[e.dtype(values)]


def _scales(e: Engine, weight: Any) -> tuple[Any, Any, bool]:
    """Scales (float32) and zero points (int32) of a weight, one or one for each index of its first dimension; whether all
    zero points are known to be 0."""
    if e.type_of(weight) is BY_TENSOR:
        _, scale, zero_point = _by_tensor(e, weight)
        return e.call("aten::_h_q_one_scale", scale), e.call("aten::_h_q_one_point", zero_point), e.is_zero(zero_point)
    if e.type_of(weight) is not BY_CHANNEL:
        raise OperatorError("expected a quantized weight")
    if e.plain(e.attribute(weight, "axis")) != 0:
        raise OperatorError("weights are quantized along their first dimension here")
    scales, points = e.attribute(weight, "scales"), e.attribute(weight, "zero_points")
    return e.call("aten::_h_q_scales", scales), e.call("aten::_h_q_points", points), e.is_zero(points)


# making and taking apart


def _quantize(e: Engine, arguments: Sequence[Any]) -> Results:
    x, scale, zero_point, dtype = arguments
    kind = _integers(e, dtype)
    if e.dtype(x) is not DType.float32:
        raise OperatorError(f"Quantize only works on Float Tensor, got {e.dtype(x).graph_name}")
    low, high = RANGES[kind]
    values = e.call("aten::_h_q_quantize", x, scale, zero_point, low, high, int(kind))
    return (e.object(BY_TENSOR, {"values": values, "scale": scale, "zero_point": zero_point}),)


def _quantize_by_tensors(e: Engine, arguments: Sequence[Any]) -> Results:
    x, scale, zero_point, dtype = arguments
    return _quantize(e, [x, e.call("aten::_h_q_float", scale), e.call("aten::_h_q_int", zero_point), dtype])


def _quantize_dynamic(e: Engine, arguments: Sequence[Any]) -> Results:
    x, dtype, reduce_range = arguments
    low, high = RANGES[_integers(e, dtype)]
    scale, zero_point = e.elements(e.call("aten::_h_q_choose", x, low, high, reduce_range))
    return _quantize(e, [x, scale, zero_point, dtype])


def _quantize_by_channel(e: Engine, arguments: Sequence[Any]) -> Results:
    x, scales, points, axis, dtype = arguments
    kind = _integers(e, dtype)
    low, high = RANGES[kind]
    values = e.call("aten::_h_q_quantize_by_channel", x, scales, points, axis, low, high, int(kind))
    parts = {"values": values, "scales": scales, "zero_points": points, "axis": axis}
    return (e.object(BY_CHANNEL, parts),)


def _dequantized(e: Engine, x: Any) -> Any:
    if e.type_of(x) is BY_TENSOR:
        return e.call("aten::_h_q_dequantize", *_by_tensor(e, x))
    parts = [e.attribute(x, n) for n in ("values", "scales", "zero_points", "axis")]
    return e.call("aten::_h_q_dequantize_by_channel", *parts)


def _dequantize(e: Engine, arguments: Sequence[Any]) -> Results:
    return (_dequantized(e, arguments[0]),)


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
        values, scale, zero_point = _by_tensor(e, x)
        weight = e.attribute(packed, "weight")
        scales, points, centred = _scales(e, weight)
        sums = e.call("aten::_h_q_products", values, zero_point, e.attribute(weight, "values"), points, centred)
        result = e.call(
            "aten::_h_q_requantize", sums, scale, scales, e.attribute(packed, "bias"), out_scale, out_zero_point, -1,
            relu, *_range(e, values), int(e.dtype(values)),
        )  # fmt: skip
        return (e.object(BY_TENSOR, {"values": result, "scale": out_scale, "zero_point": out_zero_point}),)

    return rule


def _dynamic(e: Engine, x: Any, packed: Any, reduce_range: Any) -> Any:
    weight = e.attribute(packed, "weight")
    if not is_quantized(e, weight):
        raise OperatorError("weights in float16 are not supported here")
    bias = e.attribute(packed, "bias")
    return e.call("aten::_h_q_linear_dynamic", x, e.attribute(weight, "values"), *_scales(e, weight), bias, reduce_range)


def _linear_dynamic(relu: bool) -> Rule:
    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        result = _dynamic(e, *arguments)
        return (e.call("aten::relu", result) if relu else result,)

    return rule


def _prepack(e: Engine, arguments: Sequence[Any]) -> Results:
    weight, bias = arguments
    return (e.object(LINEAR, {"weight": weight, "bias": bias}),)


def _unpack(e: Engine, arguments: Sequence[Any]) -> Results:
    return (e.attribute(arguments[0], "weight"), e.attribute(arguments[0], "bias"))


def _refuse_half(e: Engine, arguments: Sequence[Any]) -> Results:
    raise OperatorError("layers with weights in float16 are not supported")


def _convolution(dims: int, relu: bool) -> Rule:
    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        x, packed, out_scale, out_zero_point = arguments
        values, scale, zero_point = _by_tensor(e, x)
        weight = e.attribute(packed, "weight")
        if e.plain(e.attribute(packed, "transpose")):
            raise OperatorError("quantized transposed convolutions are not supported")
        scales, points, centred = _scales(e, weight)
        numbers = e.attribute(weight, "values")
        shape = [e.attribute(packed, n) for n in ("stride", "padding", "dilation", "groups")]
        if dims == 1:
            values = e.call("aten::_h_q_as_plane", values)
        sums = e.call("aten::_h_q_convolution", values, zero_point, numbers, points, centred, *shape)
        result = e.call(
            "aten::_h_q_requantize", sums, scale, scales, e.attribute(packed, "bias"), out_scale, out_zero_point, 1,
            relu, *_range(e, values), int(e.dtype(values)),
        )  # fmt: skip
        if dims == 1:
            result = e.call("aten::_h_q_as_line", result)
        return (e.object(BY_TENSOR, {"values": result, "scale": out_scale, "zero_point": out_zero_point}),)

    return rule


def _convolution_prepack(dims: int, type: ClassType) -> Rule:
    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        weight, bias, *numbers, groups = arguments
        lists = [[e.plain(v) for v in e.elements(n)] for n in numbers]
        if dims == 1:
            weight = _replaced(e, weight, e.call("aten::_h_q_as_plane", e.attribute(weight, "values")))
            lists = [[fill, *n] for fill, n in zip((1, 0, 1), lists, strict=True)]
        names = ("stride", "padding", "dilation")
        parts: dict[str, Any] = {"weight": weight, "bias": bias, **dict(zip(names, lists, strict=True))}
        nothing = [0] * len(lists[0])
        return (e.object(type, {**parts, "output_padding": nothing, "groups": groups, "transpose": False}),)

    return rule


def _replaced(e: Engine, x: Any, values: Any) -> Any:
    """The quantized tensor with other integers."""
    type_ = e.type_of(x)
    if type_ is None:
        raise OperatorError("expected a quantized tensor")
    return e.object(type_, {**{n: e.attribute(x, n) for n in type_.attributes}, "values": values})


# arithmetic


def _requantized(e: Engine, x: Any, scale: Any, zero_point: Any, like: Any, relu: bool = False) -> Any:
    """A float tensor quantized as `like` is, with this scale and zero point."""
    kind = e.dtype(e.attribute(like, "values"))
    x = e.call("aten::relu", x) if relu else x
    (result,) = _quantize(e, [x, scale, zero_point, NUMBERS[kind]])
    return result


def _binary(operator: str, relu: bool) -> Rule:
    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        if len(arguments) != 4 or not is_quantized(e, arguments[0]) or not is_quantized(e, arguments[1]):
            raise OperatorError("expected two quantized tensors")
        a, b, scale, zero_point = arguments
        result = e.call(operator, _dequantized(e, a), _dequantized(e, b))
        return (_requantized(e, result, scale, zero_point, a, relu),)

    return rule


def _cat(e: Engine, arguments: Sequence[Any], relu: bool = False) -> Results:
    tensors, dim, scale, zero_point = arguments
    parts = list(e.elements(tensors))
    if not all(e.type_of(p) is BY_TENSOR for p in parts):
        raise OperatorError("quantized tensors are joined with one another only")
    _, own_scale, own_point = _by_tensor(e, parts[0])
    given = [own if v is None or _is_none(e, v) else v for v, own in ((scale, own_scale), (zero_point, own_point))]
    joined = e.call("aten::_h_q_join", [_dequantized(e, p) for p in parts], dim)
    return (_requantized(e, joined, given[0], given[1], parts[0], relu),)


def _is_none(e: Engine, value: Any) -> bool:
    try:
        return e.plain(value) is None
    except OperatorError:
        return False


def _relu(e: Engine, arguments: Sequence[Any]) -> Results:
    values, _, zero_point = _by_tensor(e, arguments[0])
    return (_with_values(e, arguments[0], e.call("aten::_h_q_relu", values, zero_point)),)


def _norm(relu: bool) -> Rule:
    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        x, weight, bias, mean, var, eps, scale, zero_point = arguments
        result = e.call("aten::_h_q_norm", _dequantized(e, x), weight, bias, mean, var, eps)
        return (_requantized(e, result, scale, zero_point, x, relu),)

    return rule


def _function(helper: str, given: int) -> Rule:
    """A function of floats with `given` further arguments, then the scale and zero point of the result."""

    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        x, rest, (scale, zero_point) = arguments[0], arguments[1 : 1 + given], arguments[-2:]
        return (_requantized(e, e.call(helper, _dequantized(e, x), *rest), scale, zero_point, x),)

    return rule


def _hardswish(e: Engine, arguments: Sequence[Any]) -> Results:
    x, scale, zero_point = arguments
    return (_requantized(e, e.call("aten::_h_q_hardswish", *_by_tensor(e, x)), scale, zero_point, x),)


def _averaged(name: str) -> Rule:
    """Means of integers, as the float path of PyTorch rounds them."""

    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        values, _, zero_point = _by_tensor(e, arguments[0])
        low, high = _range(e, values)
        numbers = e.call("aten::_h_q_centred", values, zero_point)
        means = e.call(name, numbers, *arguments[1:])
        rounded = e.call("aten::_h_q_rounded", means, zero_point, low, high, int(e.dtype(values)))
        return (_with_values(e, arguments[0], rounded),)

    return rule


def _fixed(name: str, scale: float, zero_point: int) -> Rule:
    """A function whose result always has the same scale."""

    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        x = arguments[0]
        signed = e.dtype(e.attribute(x, "values")) is DType.int8
        at = zero_point - 128 if signed else zero_point
        return (_requantized(e, e.call(name, _dequantized(e, x), *arguments[1:]), scale, at, x),)

    return rule


# recurrent layers


def _lstm(e: Engine, arguments: Sequence[Any]) -> Results:
    x, hx, *rest = arguments
    return _recurrent(e, "aten::_h_q_lstm_layer", x, list(e.elements(hx)), rest)


def _gru(e: Engine, arguments: Sequence[Any]) -> Results:
    x, hx, *rest = arguments
    return _recurrent(e, "aten::_h_q_gru_layer", x, [hx], rest)


def _recurrent(e: Engine, layer_name: str, x: Any, states: Sequence[Any], rest: Sequence[Any]) -> Results:
    """All layers; `states`: what each step passes on, of all layers; `rest`: the weights, and how they are used."""
    params, _, layers, dropout, train, bidirectional, batch_first, *_ = rest
    count, two_ways, first = e.plain(layers), e.plain(bidirectional), e.plain(batch_first)
    if e.plain(train) and e.plain(dropout):
        raise OperatorError("dropout in quantized recurrent layers is not supported")
    cells = list(e.elements(params))
    directions = 2 if two_ways else 1
    if len(cells) != count * directions or not all(e.type_of(c) is CELL for c in cells):
        raise OperatorError("the weights of the recurrent layer are not of the number of its layers")
    if first:
        x = e.call("aten::transpose.int", x, 0, 1)
    lasts: list[Any] = []
    for layer in range(count):
        ways: list[Any] = []
        for way in range(directions):
            number = layer * directions + way
            weights = cells[number]
            reduce_range = e.attribute(weights, "reduce_range")
            inputs = _dynamic(e, x, e.attribute(weights, "input"), reduce_range)
            packed = e.attribute(weights, "hidden")
            weight = e.attribute(packed, "weight")
            own = [e.call("aten::select.int", s, 0, number) for s in states]
            out = e.elements(
                e.call(
                    layer_name, inputs, *own, e.attribute(weight, "values"), *_scales(e, weight),
                    e.attribute(packed, "bias"), reduce_range, way == 1,
                )
            )  # fmt: skip
            ways.append(out[0])
            lasts.append(out[1:])
        x = ways[0] if directions == 1 else e.call("aten::_h_q_join", ways, 2)
    if first:
        x = e.call("aten::transpose.int", x, 0, 1)
    return (x, *(e.call("aten::_h_q_stack", [last[i] for last in lasts]) for i in range(len(states))))


def _make_cell(e: Engine, arguments: Sequence[Any]) -> Results:
    inputs, hidden, _, _, reduce_range = arguments
    return (e.object(CELL, {"input": inputs, "hidden": hidden, "reduce_range": reduce_range}),)


MAKING: Final[dict[str, Rule]] = {
    "aten::quantize_per_tensor": _quantize,
    "aten::quantize_per_tensor.tensor_qparams": _quantize_by_tensors,
    "aten::quantize_per_tensor_dynamic": _quantize_dynamic,
    "aten::quantize_per_channel": _quantize_by_channel,
    "quantized::linear_dynamic": _linear_dynamic(False),
    "quantized::linear_relu_dynamic": _linear_dynamic(True),
    "quantized::linear_prepack": _prepack,
    "quantized::linear_unpack": _unpack,
    "quantized::linear_prepack_fp16": _refuse_half,
    "quantized::linear_unpack_fp16": _refuse_half,
    "quantized::linear_dynamic_fp16": _refuse_half,
    "quantized::linear_relu_dynamic_fp16": _refuse_half,
    "quantized::make_quantized_cell_params_dynamic": _make_cell,
    "aten::quantized_lstm.input": _lstm,
    "aten::quantized_gru.input": _gru,
    "quantized::cat": _cat,
    "quantized::cat_relu": lambda e, a: _cat(e, a, True),
    **{f"quantized::conv{n}d_unpack": _unpack for n in (2, 3)},
    **{f"quantized::conv{n}d_prepack": _convolution_prepack(n, CONV3D if n == 3 else CONV2D) for n in (1, 2, 3)},
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
    **{f"quantized::conv{n}d": _convolution(n, False) for n in (1, 2, 3)},
    **{f"quantized::conv{n}d_relu": _convolution(n, True) for n in (1, 2, 3)},
    "quantized::add": _binary("aten::_h_q_add", False),
    "quantized::add_relu": _binary("aten::_h_q_add", True),
    "quantized::mul": _binary("aten::_h_q_mul", False),
    "quantized::mul_relu": _binary("aten::_h_q_mul", True),
    **{f"quantized::batch_norm{n}": _norm(False) for n in ("", "1d", "2d", "3d")},
    **{f"quantized::batch_norm{n}_relu": _norm(True) for n in ("", "1d", "2d", "3d")},
    "quantized::hardswish": _hardswish,
    "quantized::leaky_relu": _function("aten::leaky_relu", 1),
    "quantized::sigmoid": _function("aten::sigmoid", 0),
    "aten::relu": _relu,
    "aten::sigmoid": _fixed("aten::sigmoid", 1 / 256, 0),
    "aten::tanh": _fixed("aten::tanh", 2 / 256, 128),
    "aten::adaptive_avg_pool1d": _averaged("aten::adaptive_avg_pool1d"),
    "aten::adaptive_avg_pool2d": _averaged("aten::adaptive_avg_pool2d"),
    "aten::adaptive_avg_pool3d": _averaged("aten::adaptive_avg_pool3d"),
    "aten::avg_pool1d": _averaged("aten::avg_pool1d"),
    "aten::avg_pool2d": _averaged("aten::avg_pool2d"),
    "aten::mean": _averaged("aten::mean.dim"),
}
"""Operators that mean something else where their first argument is quantized."""
