# Packed sequences: the steps of all sequences, longest first, one after the other; `batch_sizes` says how many go on at
# each step. They are computed padded, and a mask holds the states of those that have ended.

import torch
from torch import Tensor
from typing import List, Tuple


def _h_packed_valid(batch_sizes: Tensor, steps: int, batch: int) -> Tensor:
    # [steps, batch]: sequence i has a step t
    sizes = batch_sizes
    if steps > batch_sizes.size(0):
        sizes = torch.cat([batch_sizes, torch.zeros([steps - batch_sizes.size(0)], dtype=torch.int64)])
    return torch.arange(batch).unsqueeze(0) < sizes.unsqueeze(1)


def _h_packed_to_padded(data: Tensor, batch_sizes: Tensor, valid: Tensor) -> Tensor:
    # [steps, batch, ...]; what lies behind the end of a sequence is some element
    first = torch.cumsum(batch_sizes, 0) - batch_sizes
    if valid.size(0) > batch_sizes.size(0):
        first = torch.cat([first, torch.zeros([valid.size(0) - batch_sizes.size(0)], dtype=torch.int64)])
    place = first.unsqueeze(1) + torch.arange(valid.size(1))
    return data[torch.where(valid, place, torch.zeros_like(place))]


def _pack_padded_sequence(input: Tensor, lengths: Tensor, batch_first: bool) -> Tuple[Tensor, Tensor]:
    x = input.transpose(0, 1) if batch_first else input
    if lengths.numel() != x.size(1):
        raise RuntimeError("Expected `len(lengths)` to be equal to batch_size")
    if bool((lengths[1:] > lengths[:-1]).any()):
        raise RuntimeError("`lengths` array must be sorted in decreasing order when `enforce_sorted` is True")
    if bool((lengths <= 0).any()):
        raise RuntimeError("Length of all samples has to be greater than 0")
    longest = int(lengths[0].item())
    valid = torch.arange(longest).unsqueeze(1) < lengths.unsqueeze(0)
    return x[:longest][valid], valid.sum(1)


def _pad_packed_sequence(
    data: Tensor, batch_sizes: Tensor, batch_first: bool, padding_value: number, total_length: int
) -> Tuple[Tensor, Tensor]:
    steps = batch_sizes.size(0)
    if total_length > 0:
        if total_length < steps:
            raise RuntimeError("Expected total_length to be at least the length of the longest sequence in input")
        steps = total_length
    valid = _h_packed_valid(batch_sizes, steps, int(batch_sizes[0].item()))
    padded = _h_packed_to_padded(data, batch_sizes, valid)
    kept = valid
    for _ in range(data.dim() - 1):
        kept = kept.unsqueeze(-1)
    padded = torch.where(kept, padded, torch.full([], padding_value, dtype=data.dtype))
    return padded.transpose(0, 1) if batch_first else padded, valid.sum(0)


def _h_rnn_packed(
    mode: str,
    data: Tensor,
    batch_sizes: Tensor,
    hx: Tensor,
    params: List[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
) -> Tuple[Tensor, Tensor]:
    valid = _h_packed_valid(batch_sizes, batch_sizes.size(0), hx.size(1))
    x = _h_packed_to_padded(data, batch_sizes, valid)
    out, h = _h_rnn(mode, x, hx, params, has_biases, num_layers, dropout, train, bidirectional, False, valid)
    return out[valid], h


def gru__data(
    data: Tensor,
    batch_sizes: Tensor,
    hx: Tensor,
    params: List[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
) -> Tuple[Tensor, Tensor]:
    return _h_rnn_packed(
        "gru", data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional
    )


def rnn_tanh__data(
    data: Tensor,
    batch_sizes: Tensor,
    hx: Tensor,
    params: List[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
) -> Tuple[Tensor, Tensor]:
    return _h_rnn_packed(
        "tanh", data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional
    )


def rnn_relu__data(
    data: Tensor,
    batch_sizes: Tensor,
    hx: Tensor,
    params: List[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
) -> Tuple[Tensor, Tensor]:
    return _h_rnn_packed(
        "relu", data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional
    )


def lstm__data(
    data: Tensor,
    batch_sizes: Tensor,
    hx: List[Tensor],
    params: List[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
) -> Tuple[Tensor, Tensor, Tensor]:
    valid = _h_packed_valid(batch_sizes, batch_sizes.size(0), hx[0].size(1))
    x = _h_packed_to_padded(data, batch_sizes, valid)
    out, h, c = _h_lstm(x, hx, params, has_biases, num_layers, dropout, train, bidirectional, False, valid)
    return out[valid], h, c
