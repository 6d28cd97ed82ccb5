"""Dynamically quantized layers: linear ones, and recurrent networks and cells of them; weights in 8 bits or in float16."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from .operator import OperatorError
from .quantized import CELL
from .quantized_parts import Engine, Results, Rule, is_quantized, scales_of


def dynamic_linear(e: Engine, x: Any, packed: Any, reduce_range: Any) -> Any:
    """x of floats, quantized on the way, times the weight, plus the bias."""
    return e.call("aten::_h_q_linear_dynamic", x, *_weight(e, packed), reduce_range)


def _weight(e: Engine, packed: Any) -> tuple[Any, ...]:
    """Weight, scales, zero points, whether those are 0, and bias; in float16 the weight stands for its scales too."""
    weight, bias = e.attribute(packed, "weight"), e.attribute(packed, "bias")
    if not is_quantized(e, weight):
        return weight, weight, weight, True, bias
    return e.attribute(weight, "values"), *scales_of(e, weight), bias


# networks


def _lstm(e: Engine, arguments: Sequence[Any]) -> Results:
    x, hx, *rest = arguments
    return _sequences(e, "aten::_h_q_lstm_layer", x, list(e.elements(hx)), rest)


def _gru(e: Engine, arguments: Sequence[Any]) -> Results:
    x, hx, *rest = arguments
    return _sequences(e, "aten::_h_q_gru_layer", x, [hx], rest)


def _sequences(e: Engine, layer: str, x: Any, states: Sequence[Any], rest: Sequence[Any]) -> Results:
    """Of one length, [steps, batch, features] or the batch first."""
    *how, batch_first = rest[:7]
    first = e.plain(batch_first)
    x = e.call("aten::transpose.int", x, 0, 1) if first else x
    out, *lasts = _recurrent(e, layer, x, [], states, how)
    return (e.call("aten::transpose.int", out, 0, 1) if first else out, *lasts)


def _packed_lstm(e: Engine, arguments: Sequence[Any]) -> Results:
    data, batch_sizes, hx, *rest = arguments
    return _recurrent(e, "aten::_h_q_lstm_packed", data, [batch_sizes], list(e.elements(hx)), rest)


def _packed_gru(e: Engine, arguments: Sequence[Any]) -> Results:
    data, batch_sizes, hx, *rest = arguments
    return _recurrent(e, "aten::_h_q_gru_packed", data, [batch_sizes], [hx], rest)


def _recurrent(
    e: Engine, layer_name: str, x: Any, sizes: Sequence[Any], states: Sequence[Any], rest: Sequence[Any]
) -> Results:
    """All layers; `states`: what each step passes on, of all layers; `rest`: the weights, and how they are used."""
    params, _, layers, dropout, train, bidirectional, *_ = rest
    count, two_ways = e.plain(layers), e.plain(bidirectional)
    if e.plain(train) and e.plain(dropout):
        raise OperatorError("dropout in quantized recurrent layers is not supported")
    cells = list(e.elements(params))
    directions = 2 if two_ways else 1
    if len(cells) != count * directions or not all(e.type_of(c) is CELL for c in cells):
        raise OperatorError("the weights of the recurrent layer are not of the number of its layers")
    lasts: list[Any] = []
    for layer in range(count):
        ways: list[Any] = []
        for way in range(directions):
            number = layer * directions + way
            weights = cells[number]
            reduce_range = e.attribute(weights, "reduce_range")
            inputs = dynamic_linear(e, x, e.attribute(weights, "input"), reduce_range)
            own = [e.call("aten::select.int", s, 0, number) for s in states]
            hidden = _weight(e, e.attribute(weights, "hidden"))
            out = e.elements(e.call(layer_name, inputs, *sizes, *own, *hidden, reduce_range, way == 1))
            ways.append(out[0])
            lasts.append(out[1:])
        x = ways[0] if directions == 1 else e.call("aten::_h_q_join", ways, -1)
    return (x, *(e.call("aten::_h_q_stack", [last[i] for last in lasts]) for i in range(len(states))))


# cells


def _make_cell(e: Engine, arguments: Sequence[Any]) -> Results:
    inputs, hidden, *_, reduce_range = arguments
    return (e.object(CELL, {"input": inputs, "hidden": hidden, "reduce_range": reduce_range}),)


def _make_half_cell(e: Engine, arguments: Sequence[Any]) -> Results:
    return _make_cell(e, [*arguments, False])


def _lstm_cell(e: Engine, arguments: Sequence[Any]) -> Results:
    x, hx, inputs, hidden, *_ = arguments
    given, own = dynamic_linear(e, x, inputs, True), dynamic_linear(e, e.elements(hx)[0], hidden, True)
    return tuple(e.elements(e.call("aten::_h_q_lstm_step", given, own, e.elements(hx)[1])))


def _gru_cell(e: Engine, arguments: Sequence[Any]) -> Results:
    x, h, inputs, hidden, *_ = arguments
    given, own = dynamic_linear(e, x, inputs, True), dynamic_linear(e, h, hidden, True)
    return (e.call("aten::_h_q_gru_step", given, own, h),)


def _simple_cell(name: str) -> Rule:
    def rule(e: Engine, arguments: Sequence[Any]) -> Results:
        x, h, inputs, hidden, *_ = arguments
        given, own = dynamic_linear(e, x, inputs, True), dynamic_linear(e, h, hidden, True)
        return (e.call(name, e.call("aten::_h_q_add", own, given)),)

    return rule


MAKING: Final[dict[str, Rule]] = {
    "quantized::make_quantized_cell_params_dynamic": _make_cell,
    "quantized::make_quantized_cell_params_fp16": _make_half_cell,
    "quantized::quantized_lstm_cell_dynamic": _lstm_cell,
    "quantized::quantized_gru_cell_dynamic": _gru_cell,
    "quantized::quantized_rnn_tanh_cell_dynamic": _simple_cell("aten::tanh"),
    "quantized::quantized_rnn_relu_cell_dynamic": _simple_cell("aten::relu"),
    "aten::quantized_lstm.input": _lstm,
    "aten::quantized_lstm.data": _packed_lstm,
    "aten::quantized_gru.input": _gru,
    "aten::quantized_gru.data": _packed_gru,
}
