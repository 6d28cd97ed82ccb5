# Recurrent networks: one layer and direction at a time, the input products of all steps in one contraction.

import torch
from torch import Tensor
from typing import List, Optional, Tuple


def _h_cell_rnn_tanh(x: Tensor, h: Tensor, w_hh: Tensor, b_hh: Optional[Tensor]) -> Tensor:
    return torch.tanh(x + torch.linear(h, w_hh, b_hh))


def _h_cell_rnn_relu(x: Tensor, h: Tensor, w_hh: Tensor, b_hh: Optional[Tensor]) -> Tensor:
    return torch.relu(x + torch.linear(h, w_hh, b_hh))


def _h_cell_gru(x: Tensor, h: Tensor, w_hh: Tensor, b_hh: Optional[Tensor]) -> Tensor:
    xr, xz, xn = torch.chunk(x, 3, 1)
    hr, hz, hn = torch.chunk(torch.linear(h, w_hh, b_hh), 3, 1)
    z = torch.sigmoid(xz + hz)
    n = torch.tanh(xn + torch.sigmoid(xr + hr) * hn)
    return n + z * (h - n)


def _h_cell_lstm(x: Tensor, h: Tensor, c: Tensor, w_hh: Tensor, b_hh: Optional[Tensor]) -> Tuple[Tensor, Tensor]:
    i, f, g, o = torch.chunk(x + torch.linear(h, w_hh, b_hh), 4, 1)
    cell = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(cell), cell


def rnn_tanh_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Optional[Tensor], b_hh: Optional[Tensor]
) -> Tensor:
    return _h_cell_rnn_tanh(torch.linear(input, w_ih, b_ih), hx, w_hh, b_hh)


def rnn_relu_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Optional[Tensor], b_hh: Optional[Tensor]
) -> Tensor:
    return _h_cell_rnn_relu(torch.linear(input, w_ih, b_ih), hx, w_hh, b_hh)


def gru_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Optional[Tensor], b_hh: Optional[Tensor]
) -> Tensor:
    return _h_cell_gru(torch.linear(input, w_ih, b_ih), hx, w_hh, b_hh)


def lstm_cell(
    input: Tensor, hx: List[Tensor], w_ih: Tensor, w_hh: Tensor, b_ih: Optional[Tensor], b_hh: Optional[Tensor]
) -> Tuple[Tensor, Tensor]:
    return _h_cell_lstm(torch.linear(input, w_ih, b_ih), hx[0], hx[1], w_hh, b_hh)


def _h_if_valid(valid: Optional[Tensor], t: int, new: Tensor, old: Tensor) -> Tensor:
    # packed sequences: one that has ended, or has not begun when read backwards, keeps its state
    if valid is None:
        return new
    return torch.where(valid.select(0, t).unsqueeze(1), new, old)


def _h_layer_rnn_tanh(
    x: Tensor, h: Tensor, w_hh: Tensor, b_hh: Optional[Tensor], backwards: bool, valid: Optional[Tensor]
) -> Tuple[Tensor, Tensor]:
    steps = x.size(0)
    out = x.new_zeros([steps, h.size(0), h.size(1)])
    for i in range(steps):
        t = steps - 1 - i if backwards else i
        h = _h_if_valid(valid, t, _h_cell_rnn_tanh(x.select(0, t), h, w_hh, b_hh), h)
        out = torch.select_scatter(out, h, 0, t)
    return out, h


def _h_layer_rnn_relu(
    x: Tensor, h: Tensor, w_hh: Tensor, b_hh: Optional[Tensor], backwards: bool, valid: Optional[Tensor]
) -> Tuple[Tensor, Tensor]:
    steps = x.size(0)
    out = x.new_zeros([steps, h.size(0), h.size(1)])
    for i in range(steps):
        t = steps - 1 - i if backwards else i
        h = _h_if_valid(valid, t, _h_cell_rnn_relu(x.select(0, t), h, w_hh, b_hh), h)
        out = torch.select_scatter(out, h, 0, t)
    return out, h


def _h_layer_gru(
    x: Tensor, h: Tensor, w_hh: Tensor, b_hh: Optional[Tensor], backwards: bool, valid: Optional[Tensor]
) -> Tuple[Tensor, Tensor]:
    steps = x.size(0)
    out = x.new_zeros([steps, h.size(0), h.size(1)])
    for i in range(steps):
        t = steps - 1 - i if backwards else i
        h = _h_if_valid(valid, t, _h_cell_gru(x.select(0, t), h, w_hh, b_hh), h)
        out = torch.select_scatter(out, h, 0, t)
    return out, h


def _h_layer_lstm(
    x: Tensor,
    h: Tensor,
    c: Tensor,
    w_hh: Tensor,
    b_hh: Optional[Tensor],
    w_hr: Optional[Tensor],
    backwards: bool,
    valid: Optional[Tensor],
) -> Tuple[Tensor, Tensor, Tensor]:
    steps = x.size(0)
    out = x.new_zeros([steps, h.size(0), h.size(1)])
    for i in range(steps):
        t = steps - 1 - i if backwards else i
        h_new, c_new = _h_cell_lstm(x.select(0, t), h, c, w_hh, b_hh)
        if w_hr is not None:
            h_new = torch.linear(h_new, w_hr)
        h = _h_if_valid(valid, t, h_new, h)
        c = _h_if_valid(valid, t, c_new, c)
        out = torch.select_scatter(out, h, 0, t)
    return out, h, c


def _h_rnn(
    mode: str,
    input: Tensor,
    hx: Tensor,
    params: List[Tensor],
    has_biases: bool,
    num_layers: int,
    p: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
    valid: Optional[Tensor],
) -> Tuple[Tensor, Tensor]:
    x = input.transpose(0, 1) if batch_first else input
    directions = 2 if bidirectional else 1
    stride = 4 if has_biases else 2
    finals: List[Tensor] = []
    for layer in range(num_layers):
        outs: List[Tensor] = []
        for direction in range(directions):
            k = layer * directions + direction
            w_hh = params[k * stride + 1]
            b_ih: Optional[Tensor] = None
            b_hh: Optional[Tensor] = None
            if has_biases:
                b_ih = params[k * stride + 2]
                b_hh = params[k * stride + 3]
            gates = torch.linear(x, params[k * stride], b_ih)
            if mode == "gru":
                out, h = _h_layer_gru(gates, hx.select(0, k), w_hh, b_hh, direction == 1, valid)
            elif mode == "tanh":
                out, h = _h_layer_rnn_tanh(gates, hx.select(0, k), w_hh, b_hh, direction == 1, valid)
            else:
                out, h = _h_layer_rnn_relu(gates, hx.select(0, k), w_hh, b_hh, direction == 1, valid)
            outs.append(out)
            finals.append(h)
        x = torch.cat(outs, 2) if bidirectional else outs[0]
        if layer + 1 < num_layers:
            x = torch.dropout(x, p, train)
    return x.transpose(0, 1) if batch_first else x, torch.stack(finals, 0)


def gru__input(
    input: Tensor,
    hx: Tensor,
    params: List[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> Tuple[Tensor, Tensor]:
    return _h_rnn("gru", input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first, None)


def rnn_tanh__input(
    input: Tensor,
    hx: Tensor,
    params: List[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> Tuple[Tensor, Tensor]:
    return _h_rnn("tanh", input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first, None)


def rnn_relu__input(
    input: Tensor,
    hx: Tensor,
    params: List[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> Tuple[Tensor, Tensor]:
    return _h_rnn("relu", input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first, None)


def _h_lstm(
    input: Tensor,
    hx: List[Tensor],
    params: List[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
    valid: Optional[Tensor],
) -> Tuple[Tensor, Tensor, Tensor]:
    x = input.transpose(0, 1) if batch_first else input
    directions = 2 if bidirectional else 1
    projected = hx[0].size(2) != hx[1].size(2)
    stride = (4 if has_biases else 2) + (1 if projected else 0)
    hs: List[Tensor] = []
    cs: List[Tensor] = []
    for layer in range(num_layers):
        outs: List[Tensor] = []
        for direction in range(directions):
            k = layer * directions + direction
            w_hh = params[k * stride + 1]
            b_ih: Optional[Tensor] = None
            b_hh: Optional[Tensor] = None
            if has_biases:
                b_ih = params[k * stride + 2]
                b_hh = params[k * stride + 3]
            w_hr: Optional[Tensor] = None
            if projected:
                w_hr = params[k * stride + stride - 1]
            gates = torch.linear(x, params[k * stride], b_ih)
            h = hx[0].select(0, k)
            c = hx[1].select(0, k)
            out, h, c = _h_layer_lstm(gates, h, c, w_hh, b_hh, w_hr, direction == 1, valid)
            outs.append(out)
            hs.append(h)
            cs.append(c)
        x = torch.cat(outs, 2) if bidirectional else outs[0]
        if layer + 1 < num_layers:
            x = torch.dropout(x, dropout, train)
    return x.transpose(0, 1) if batch_first else x, torch.stack(hs, 0), torch.stack(cs, 0)


def lstm__input(
    input: Tensor,
    hx: List[Tensor],
    params: List[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> Tuple[Tensor, Tensor, Tensor]:
    return _h_lstm(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first, None)
