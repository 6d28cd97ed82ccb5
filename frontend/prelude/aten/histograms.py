# Histograms over one or several dimensions.

import torch
from torch import Tensor
from typing import List, Optional, Tuple


def _h_outer_edges(x: Tensor, range: Optional[List[float]], dim: int) -> Tuple[Tensor, Tensor]:
    # of the points' coordinates along dimension `dim`
    if range is not None:
        low = torch.full([], range[2 * dim], dtype=x.dtype)
        high = torch.full([], range[2 * dim + 1], dtype=x.dtype)
    elif x.numel() == 0:
        low = torch.zeros([], dtype=x.dtype)
        high = torch.ones([], dtype=x.dtype)
    else:
        low = x.min()
        high = x.max()
    if bool(low > high):
        raise RuntimeError("torch.histogramdd(): min should not exceed max")
    if bool(torch.logical_not(torch.logical_and(torch.isfinite(low), torch.isfinite(high)))):
        raise RuntimeError("torch.histogramdd(): range is not finite")
    alike = low == high
    return torch.where(alike, low - 0.5, low), torch.where(alike, high + 0.5, high)


def _h_even_edges(x: Tensor, bins: int, range: Optional[List[float]], dim: int) -> Tensor:
    if bins <= 0:
        raise RuntimeError("torch.histogramdd(): bins must be > 0, but got {}".format(bins))
    low, high = _h_outer_edges(x, range, dim)
    # from both ends, as `linspace`
    step = (high - low) / bins
    place = torch.arange(bins + 1, dtype=torch.int64)
    return torch.where(place < (bins + 1) // 2, low + step * place, high - step * (bins - place))


def _h_bin(x: Tensor, edges: Tensor) -> Tensor:
    # the bin of each point, -1 for none; the last one has both its ends
    n = edges.size(0) - 1
    place = torch.bucketize(x, edges, right=True) - 1
    place = torch.where(x == edges[n], n - 1, place)
    return torch.where(torch.logical_or(place >= n, torch.isnan(x)), -1, place)


def _h_histogram(points: Tensor, edges: List[Tensor], weight: Optional[Tensor], density: bool) -> Tensor:
    # points [n, d]
    if not points.is_floating_point():
        raise RuntimeError('"histogramdd" not implemented for an integer type')
    shape: List[int] = []
    total = 1
    index = torch.zeros([points.size(0)], dtype=torch.int64)
    outside = torch.zeros([points.size(0)], dtype=torch.bool)
    for d in range(len(edges)):
        n = edges[d].size(0) - 1
        place = _h_bin(points.select(1, d).contiguous(), edges[d])
        outside = torch.logical_or(outside, place < 0)
        index = index * n + torch.clamp_min(place, 0)
        shape.append(n)
        total = total * n
    ones = torch.ones([points.size(0)], dtype=points.dtype)
    if weight is not None:
        ones = weight.reshape([points.size(0)])
    kept = torch.where(outside, torch.zeros_like(ones), ones)
    counts = torch.index_add(torch.zeros([total], dtype=points.dtype), 0, index, kept).reshape(shape)
    if density:
        counts = counts / counts.sum()
        for d in range(len(edges)):
            wide: List[int] = []
            for i in range(len(edges)):
                wide.append(shape[i] if i == d else 1)
            n = shape[d]
            counts = counts / (edges[d].narrow(0, 1, n) - edges[d].narrow(0, 0, n)).reshape(wide)
    return counts


def histogram__bin_ct(
    self: Tensor, bins: int, range: Optional[List[float]], weight: Optional[Tensor], density: bool
) -> Tuple[Tensor, Tensor]:
    points = self.reshape([self.numel(), 1])
    edges = _h_even_edges(points, bins, range, 0)
    return _h_histogram(points, [edges], weight, density), edges


def histogram__bins_tensor(self: Tensor, bins: Tensor, weight: Optional[Tensor], density: bool) -> Tuple[Tensor, Tensor]:
    return _h_histogram(self.reshape([self.numel(), 1]), [bins], weight, density), bins.clone()


def _h_points(self: Tensor) -> Tensor:
    if self.dim() < 2:
        raise RuntimeError("torch.histogramdd(): input tensor should have at least 2 dimensions")
    rows = 1
    for i in range(self.dim() - 1):
        rows = rows * self.size(i)
    return self.reshape([rows, self.size(-1)])


def histogramdd(
    self: Tensor, bins: List[int], range: Optional[List[float]], weight: Optional[Tensor], density: bool
) -> Tuple[Tensor, List[Tensor]]:
    points = _h_points(self)
    if len(bins) != points.size(1):
        raise RuntimeError(
            "torch.histogramdd(): expected {} sequences of bin edges for a {}-dimensional histogram but got {}".format(
                points.size(1), points.size(1), len(bins)
            )
        )
    edges: List[Tensor] = []
    for n in bins:
        d = len(edges)
        edges.append(_h_even_edges(points.select(1, d), n, range, d))
    return _h_histogram(points, edges, weight, density), edges


def histogramdd__int_bins(
    self: Tensor, bins: int, range: Optional[List[float]], weight: Optional[Tensor], density: bool
) -> Tuple[Tensor, List[Tensor]]:
    points = _h_points(self)
    counts: List[int] = []
    while len(counts) < points.size(1):
        counts.append(bins)
    return histogramdd(self, counts, range, weight, density)


def histogramdd__TensorList_bins(
    self: Tensor, bins: List[Tensor], range: Optional[List[float]], weight: Optional[Tensor], density: bool
) -> Tuple[Tensor, List[Tensor]]:
    points = _h_points(self)
    edges: List[Tensor] = []
    for b in bins:
        edges.append(b.clone())
    return _h_histogram(points, edges, weight, density), edges
