# Reductions over segments of a dimension.

import torch
from torch import Tensor
from typing import Optional


def segment_reduce(
    data: Tensor,
    reduce: str,
    lengths: Optional[Tensor],
    indices: Optional[Tensor],
    offsets: Optional[Tensor],
    axis: int,
    unsafe: bool,
    initial: Optional[number],
) -> Tensor:
    if data.numel() == 0:
        raise RuntimeError("segment_reduce(): Expected data.numel() > 0")
    if indices is not None:
        raise RuntimeError("segment_reduce(): indices based reduction is not supported yet.")
    if lengths is not None:
        counts = lengths
    else:
        if offsets is None:
            raise RuntimeError("segment_reduce(): Either lengths or offsets must be defined")
        counts = torch.diff(offsets, dim=-1)
    batch = counts.dim() - 1
    if axis < 0:
        axis = axis + data.dim()
    if axis != batch:
        raise RuntimeError(
            "segment_reduce(): Expected axis to be the last dimension of lengths but got {}.".format(axis)
        )
    for i in range(batch):
        if data.size(i) != counts.size(i):
            raise RuntimeError("segment_reduce(): lengths and data must have the same sizes in the batch dimensions")
    n, segments = data.size(axis), counts.size(axis)
    if not unsafe:
        if bool((counts < 0).any()):
            raise RuntimeError("segment_reduce(): lengths contains negative value!")
        if lengths is not None and bool((counts.sum(-1) != n).any()):
            raise RuntimeError("segment_reduce(): Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1) when !unsafe.")
    return _h_segments(data, reduce, counts, initial, axis, n, segments)


def _h_segments(
    data: Tensor, reduce: str, counts: Tensor, initial: Optional[number], axis: int, n: int, segments: int
) -> Tensor:
    rows = 1
    for i in range(axis):
        rows = rows * data.size(i)
    inner = 1
    for i in range(axis + 1, data.dim()):
        inner = inner * data.size(i)
    ends = torch.cumsum(counts.reshape([rows, segments]).to(torch.int64), 1)
    # which segment each element is of; those behind the last one are of none
    places = torch.searchsorted(ends, torch.arange(n).expand([rows, n]).contiguous(), right=True)
    spots = (places + torch.arange(rows).unsqueeze(-1) * (segments + 1)).reshape([-1])
    flat = data.reshape([rows * n, inner])
    shape = [rows * (segments + 1), inner]
    if reduce == "sum" or reduce == "mean":
        result = torch.full(shape, 0.0 if initial is None else float(initial), dtype=data.dtype)
        result = torch.index_add(result, 0, spots, flat)
    elif reduce == "prod":
        result = torch.full(shape, 1.0 if initial is None else float(initial), dtype=data.dtype)
        result = torch.index_reduce(result, 0, spots, flat, "prod")
    elif reduce == "max":
        result = torch.full(shape, float("-inf") if initial is None else float(initial), dtype=data.dtype)
        result = torch.index_reduce(result, 0, spots, flat, "amax")
    elif reduce == "min":
        result = torch.full(shape, float("inf") if initial is None else float(initial), dtype=data.dtype)
        result = torch.index_reduce(result, 0, spots, flat, "amin")
    else:
        raise RuntimeError("unsupported reduction given! " + reduce)
    result = result.reshape([rows, segments + 1, inner])[:, :segments]
    if reduce == "mean":
        sizes = counts.reshape([rows, segments, 1])
        mean = result / sizes
        if initial is None:
            result = torch.where(sizes == 0, float("nan"), mean).to(data.dtype)
        else:
            result = torch.where(sizes == 0, result, mean).to(data.dtype)
    size = list(data.size())
    size[axis] = segments
    return result.reshape(size)
