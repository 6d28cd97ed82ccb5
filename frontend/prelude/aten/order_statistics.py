# Medians, modes, quantiles without NaN.

import torch
from torch import Tensor
from typing import List, Optional, Tuple


def _h_median(self: Tensor, dim: int, keepdim: bool, ignores_nan: bool) -> Tuple[Tensor, Tensor]:
    # the lower of two in the middle; NaN come last in the sorted line
    if self.dim() == 0:
        return self.clone(), torch.zeros([], dtype=torch.int64)
    if self.size(dim) == 0:
        raise IndexError("median(): Expected reduction dim {} to have non-zero size.".format(dim))
    line, order = torch.sort(self, dim, False)
    n = self.size(dim)
    numbers = torch.logical_not(torch.isnan(self)).sum([dim], True)
    if ignores_nan:
        place = torch.clamp_min((numbers - 1) // 2, 0)
    else:
        place = torch.where(numbers < n, numbers, (n - 1) // 2)
    values = torch.gather(line, dim, place)
    indices = torch.gather(order, dim, place)
    return (values, indices) if keepdim else (values.squeeze(dim), indices.squeeze(dim))


def median__dim(self: Tensor, dim: int, keepdim: bool) -> Tuple[Tensor, Tensor]:
    return _h_median(self, dim, keepdim, False)


def nanmedian__dim(self: Tensor, dim: int, keepdim: bool) -> Tuple[Tensor, Tensor]:
    return _h_median(self, dim, keepdim, True)


def _h_median_of_all(self: Tensor, ignores_nan: bool) -> Tensor:
    if self.numel() == 0:
        return torch.full([], float("nan"), dtype=self.dtype)
    return _h_median(self.reshape([self.numel()]), 0, False, ignores_nan)[0]


def median(self: Tensor) -> Tensor:
    return _h_median_of_all(self, False)


def nanmedian(self: Tensor) -> Tensor:
    return _h_median_of_all(self, True)


def mode(self: Tensor, dim: int, keepdim: bool) -> Tuple[Tensor, Tensor]:
    # the smallest of the most frequent elements, and where it stands last
    if self.dim() == 0:
        return self.clone(), torch.zeros([], dtype=torch.int64)
    d = dim + self.dim() if dim < 0 else dim
    n = self.size(d)
    if n == 0:
        raise IndexError("mode(): Expected reduction dim {} to have non-zero size.".format(dim))
    line, order = torch.sort(self, d, False)
    shape: List[int] = []
    for i in range(self.dim()):
        shape.append(n if i == d else 1)
    places = torch.arange(n).reshape(shape).expand(self.size())
    before = torch.cat([line.narrow(d, 0, 1), line.narrow(d, 0, n - 1)], d)
    starts = torch.where(torch.logical_and(line != before, places > 0), places, 0)
    run = places - torch.cummax(starts, d)[0]
    end = torch.argmax(run, d, True)
    values = torch.gather(line, d, end)
    indices = torch.gather(order, d, end)
    return (values, indices) if keepdim else (values.squeeze(d), indices.squeeze(d))


def _h_nanquantile(self: Tensor, q: Tensor, dim: Optional[int], keepdim: bool, interpolation: str) -> Tensor:
    # as `_h_quantile`, but each line has its own number of elements
    x = self.reshape([self.numel(), 1]).squeeze(1) if dim is None else self.transpose(dim, -1)
    line, _ = torch.sort(x, -1)
    count = torch.logical_not(torch.isnan(line)).sum([-1], True)
    position = q.reshape([q.numel()]) * torch.clamp_min(count - 1, 0).to(self.dtype)
    empty = count == 0
    position = _h_quantile_position(position, interpolation)
    below = torch.floor(position)
    low = torch.gather(line, -1, below.to(torch.int64))
    high = torch.gather(line, -1, torch.ceil(position).to(torch.int64))
    weight = torch.full_like(position, 0.5) if interpolation == "midpoint" else position - below
    result = torch.where(empty, float("nan"), torch.lerp(low, high, weight))
    return _h_quantile_result(self, q, result, dim, keepdim)


def nanquantile(self: Tensor, q: Tensor, dim: Optional[int], keepdim: bool, interpolation: str) -> Tensor:
    return _h_nanquantile(self, q, dim, keepdim, interpolation)


def nanquantile__scalar(self: Tensor, q: float, dim: Optional[int], keepdim: bool, interpolation: str) -> Tensor:
    return _h_nanquantile(self, torch.full([], q, dtype=self.dtype), dim, keepdim, interpolation)
