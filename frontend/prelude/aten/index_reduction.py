# Reductions into places given by an index; as many places of nonzero elements as the caller says.

import torch
from torch import Tensor
from typing import List


def index_reduce(self: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, include_self: bool) -> Tensor:
    if reduce != "prod" and reduce != "mean" and reduce != "amax" and reduce != "amin":
        raise RuntimeError('index_reduce(): Expected reduce to be one of "prod", "mean", "amax" or "amin" but got {}.'.format(reduce))
    if index.dim() > 1:
        raise IndexError("index_reduce(): Index is supposed to be a vector, but got dim: {}".format(index.dim()))
    if self.dim() == 0:
        place = torch.zeros([1], dtype=torch.int64)
        return torch.scatter_reduce(self.reshape([1]), 0, place, source.reshape([1]), reduce, include_self=include_self).squeeze(0)
    d = dim + self.dim() if dim < 0 else dim
    shape: List[int] = []
    for i in range(self.dim()):
        shape.append(index.numel() if i == d else 1)
    places = index.to(torch.int64).reshape(shape).expand(source.size())
    return torch.scatter_reduce(self, dim, places, source, reduce, include_self=include_self)


def nonzero_static(self: Tensor, size: int, fill_value: int) -> Tensor:
    if size < 0:
        raise RuntimeError("nonzero_static: 'size' must be an non-negative integer")
    found = torch.nonzero(self)
    rest = torch.full([size, self.dim()], fill_value, dtype=torch.int64)
    return torch.cat([found, rest], 0)[:size]
