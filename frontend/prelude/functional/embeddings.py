# Embeddings and pieces of torch.nn.functional.

import torch
from torch import Tensor
from typing import List, Optional


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: Optional[int] = None,
    max_norm: Optional[float] = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    if max_norm is not None:
        torch.embedding_renorm_(weight, input, max_norm, norm_type)
    padding = -1
    if padding_idx is not None:
        if padding_idx >= weight.size(0) or padding_idx < -weight.size(0):
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding = padding_idx + weight.size(0) if padding_idx < 0 else padding_idx
    return torch.embedding(weight, input, padding, scale_grad_by_freq, sparse)


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Optional[Tensor] = None,
    max_norm: Optional[float] = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Optional[Tensor] = None,
    include_last_offset: bool = False,
    padding_idx: Optional[int] = None,
) -> Tensor:
    if max_norm is not None:
        torch.embedding_renorm_(weight, input, max_norm, norm_type)
    if mode != "sum" and mode != "mean" and mode != "max":
        raise ValueError("mode has to be one of sum, mean or max")
    if per_sample_weights is not None:
        if per_sample_weights.dim() != input.dim():
            raise ValueError("embedding_bag: per_sample_weights must have the same shape as the input")
        if mode != "sum":
            raise NotImplementedError("embedding_bag: per_sample_weights was not None, but it needs mode='sum'")
    kind = 0 if mode == "sum" else 1 if mode == "mean" else 2
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError("if input is 2D, then offsets has to be None, as input is treated as bags of equal size")
        starts = torch.arange(0, input.numel(), input.size(1))
        weights = None if per_sample_weights is None else per_sample_weights.reshape(-1)
        words = input.reshape(-1)
        return torch.embedding_bag(
            weight, words, starts, scale_grad_by_freq, kind, sparse, weights, include_last_offset, padding_idx
        )[0]
    if input.dim() != 1:
        raise ValueError("input has to be 1D or 2D Tensor, but got Tensor of dimension {}".format(input.dim()))
    if offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    return torch.embedding_bag(
        weight, input, offsets, scale_grad_by_freq, kind, sparse, per_sample_weights, include_last_offset, padding_idx
    )[0]


def pad(input: Tensor, pad: List[int], mode: str = "constant", value: Optional[float] = None) -> Tensor:
    return torch.pad(input, pad, mode, value)


def unfold(
    input: Tensor,
    kernel_size: BroadcastingList2[int],
    dilation: BroadcastingList2[int] = 1,
    padding: BroadcastingList2[int] = 0,
    stride: BroadcastingList2[int] = 1,
) -> Tensor:
    return torch.im2col(input, kernel_size, dilation, padding, stride)


def fold(
    input: Tensor,
    output_size: BroadcastingList2[int],
    kernel_size: BroadcastingList2[int],
    dilation: BroadcastingList2[int] = 1,
    padding: BroadcastingList2[int] = 0,
    stride: BroadcastingList2[int] = 1,
) -> Tensor:
    return torch.col2im(input, output_size, kernel_size, dilation, padding, stride)
