# Bags of embeddings.

import torch
from torch import Tensor
from typing import Optional, Tuple


def embedding_renorm(self: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> Tensor:
    # rows that are asked for become no longer than `max_norm`
    lengths = torch.linalg_vector_norm(self, norm_type, [1])
    words = indices.reshape([-1]).to(torch.int64)
    asked = torch.scatter(torch.zeros([self.size(0)], dtype=torch.int64), 0, words, 1) > 0
    factor = torch.where(asked & (lengths > max_norm), max_norm / (lengths + 1e-7), torch.ones_like(lengths))
    return self * factor.unsqueeze(1)


def _no_grad_embedding_renorm_(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> Tensor:
    return torch.embedding_renorm_(weight, input, max_norm, norm_type)


def _h_embedding_bag(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    mode: int,
    per_sample_weights: Optional[Tensor],
    include_last_offset: bool,
    padding_idx: int,
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    # rows that belong to no bag are added to one more bag, which is dropped
    if indices.dim() != 1:
        raise RuntimeError("input has to be a 1D Tensor, but got Tensor of dimension {}".format(indices.dim()))
    if offsets.dim() != 1:
        raise RuntimeError("offsets has to be a 1D Tensor, but got Tensor of dimension {}".format(offsets.dim()))
    n = indices.size(0)
    words = indices.to(torch.int64)
    starts = offsets.to(torch.int64)
    bags = starts.size(0)
    if bags > 0:
        first = int(starts[0])
        if first != 0:
            raise RuntimeError(
                "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. However, got {}".format(
                    first
                )
            )
        last = int(starts[-1])
        if last > n:
            raise RuntimeError(
                "offsets[-1] can not be greater than input's length {} but got offsets[-1] of {}".format(n, last)
            )
    if include_last_offset:
        if bags == 0:
            raise RuntimeError("include_last_offset: number of offset should be at least 1")
        bags = bags - 1
    marks = torch.zeros([n + 1], dtype=torch.int64).index_add(0, starts, torch.ones_like(starts))
    bag = torch.cumsum(marks, 0)[:n] - 1
    outside = torch.full_like(bag, bags)
    summed = torch.where((bag < 0) | (bag >= bags), outside, bag)
    if include_last_offset and (mode != 0 or padding_idx >= 0):
        # PyTorch counts what comes after the last offset to the last bag, and adds it there only if there is padding
        bag = torch.clamp(bag, max=bags - 1)
    place = torch.where(bag < 0, outside, bag)
    if padding_idx >= 0:
        place = torch.where(words == padding_idx, outside, place)
    if mode == 2 or padding_idx >= 0:
        summed = place
    sizes = torch.zeros([bags + 1], dtype=torch.int64).index_add(0, place, torch.ones_like(place))[:bags]
    rows = _h_wide(torch.index_select(weight, 0, words))
    if per_sample_weights is not None:
        if mode != 0:
            raise RuntimeError(
                "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum'"
            )
        rows = rows * _h_wide(per_sample_weights).unsqueeze(1)
    empty = torch.zeros([bags + 1, rows.size(1)], dtype=rows.dtype)
    if mode == 2:
        to = place.unsqueeze(1).expand_as(rows)
        most = empty.scatter_reduce(0, to, rows, "amax", include_self=False)
        at = torch.arange(n).unsqueeze(1)
        at = torch.where(rows == torch.index_select(most, 0, place), at, torch.full_like(at, n))
        none = torch.full([bags + 1, rows.size(1)], n, dtype=torch.int64)
        at = none.scatter_reduce(0, to, at, "amin", include_self=True)[:bags]
        found = torch.cat([words, torch.zeros([1], dtype=torch.int64)])[at]
        kind = offsets.dtype
        return _h_narrow(most[:bags], weight.dtype), bag.to(kind), sizes.to(kind), found.to(indices.dtype)
    total = empty.index_add(0, summed, rows)[:bags]
    if mode == 0:
        unused = torch.zeros_like(offsets)
        kept = bag if padding_idx >= 0 else bag[:0]
        return _h_narrow(total, weight.dtype), kept.to(offsets.dtype), unused, unused
    total = total / torch.clamp(sizes, 1).to(total.dtype).unsqueeze(1)
    sizes = sizes.to(offsets.dtype)
    return _h_narrow(total, weight.dtype), bag.to(offsets.dtype), sizes, sizes


def embedding_bag__padding_idx(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool,
    mode: int,
    sparse: bool,
    per_sample_weights: Optional[Tensor],
    include_last_offset: bool,
    padding_idx: Optional[int],
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    padding = -1
    if padding_idx is not None:
        if padding_idx < -weight.size(0) or padding_idx >= weight.size(0):
            raise RuntimeError("padding_idx must be within the number of embeddings, but got {}".format(padding_idx))
        padding = padding_idx if padding_idx >= 0 else padding_idx + weight.size(0)
    return _h_embedding_bag(weight, indices, offsets, mode, per_sample_weights, include_last_offset, padding)


def embedding_bag(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool,
    mode: int,
    sparse: bool,
    per_sample_weights: Optional[Tensor],
    include_last_offset: bool,
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    return _h_embedding_bag(weight, indices, offsets, mode, per_sample_weights, include_last_offset, -1)


def _embedding_bag(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool,
    mode: int,
    sparse: bool,
    per_sample_weights: Optional[Tensor],
    include_last_offset: bool,
    padding_idx: int,
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    return _h_embedding_bag(weight, indices, offsets, mode, per_sample_weights, include_last_offset, padding_idx)
