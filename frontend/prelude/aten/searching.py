# Searching in sequences, distinct elements, counts of elements.

import math
import torch
from torch import Tensor
from typing import List, Optional, Tuple


# Searching in sorted sequences: the place is the number of elements that stand before it.


def _h_places(sequence: Tensor, values: Tensor, right: bool, out_int32: bool) -> Tensor:
    # sequence [..., n], values [..., m], or n elements for all values
    row = sequence if sequence.dim() == 1 else sequence.unsqueeze(-2)
    column = values.unsqueeze(-1)
    before = _h_stands_before(row, column, right)
    places = before.sum([-1])
    return places.to(torch.int32) if out_int32 else places


def _h_stands_before(row: Tensor, value: Tensor, right: bool) -> Tensor:
    # NaN is the largest
    before = row <= value if right else row < value
    return torch.logical_or(before, value != value)


def _h_is_right(right: bool, side: Optional[str]) -> bool:
    if side is not None:
        if side == "left" and right:
            raise RuntimeError("torch.searchsorted(): side and right can't be set to opposites")
        return side == "right"
    return right


def searchsorted__Tensor(
    sorted_sequence: Tensor, self: Tensor, out_int32: bool, right: bool, side: Optional[str], sorter: Optional[Tensor]
) -> Tensor:
    sequence = sorted_sequence
    if sorter is not None:
        sequence = torch.gather(sorted_sequence, -1, sorter)
    if sequence.dim() > 1 and sequence.dim() != self.dim():
        raise RuntimeError("torch.searchsorted(): boundaries tensor should be 1 dimension or have the dimensions of the input")
    return _h_places(sequence, self, _h_is_right(right, side), out_int32)


def searchsorted__Scalar(
    sorted_sequence: Tensor, self: number, out_int32: bool, right: bool, side: Optional[str], sorter: Optional[Tensor]
) -> Tensor:
    if sorted_sequence.dim() != 1:
        raise RuntimeError("torch.searchsorted(): input value can be a scalar only when boundaries tensor dimension is 1")
    sequence = sorted_sequence
    if sorter is not None:
        sequence = torch.gather(sorted_sequence, -1, sorter)
    before = sequence <= self if _h_is_right(right, side) else sequence < self
    if self != self:
        before = torch.ones_like(before)
    places = before.sum()
    return places.to(torch.int32) if out_int32 else places


def bucketize__Tensor(self: Tensor, boundaries: Tensor, out_int32: bool, right: bool) -> Tensor:
    if boundaries.dim() != 1:
        raise RuntimeError("boundaries tensor must be 1 dimension")
    return _h_places(boundaries, self, right, out_int32)


def bucketize__Scalar(self: number, boundaries: Tensor, out_int32: bool, right: bool) -> Tensor:
    return searchsorted__Scalar(boundaries, self, out_int32, right, None, None)


# distinct elements


def _h_groups(flat: Tensor, sort: bool, inverse: bool, counts: bool, shape: List[int]) -> Tuple[Tensor, Tensor, Tensor]:
    # of equal elements that stand side by side, after sorting if `sort`
    line = flat
    order = torch.arange(flat.size(0))
    if sort:
        line, order = torch.sort(flat, 0)
    starts = torch.logical_or(torch.arange(line.size(0)) == 0, line != line.roll([1], [0]))
    empty = torch.empty([0], dtype=torch.int64)
    back = empty
    number = empty
    if inverse:
        group = torch.cumsum(starts.to(torch.int64), 0) - 1
        back = torch.scatter(torch.zeros_like(group), 0, order, group).reshape(shape)
    if counts:
        places = torch.nonzero(starts).squeeze(1)
        number = torch.cat([places, torch.full([1], line.size(0))])[1:] - places
    return line[starts], back, number


def _unique2(self: Tensor, sorted: bool, return_inverse: bool, return_counts: bool) -> Tuple[Tensor, Tensor, Tensor]:
    return _h_groups(self.reshape([-1]), True, return_inverse, return_counts, self.size())


def _h_slices(self: Tensor, dim: int, sort: bool) -> Tuple[Tensor, Tensor, Tensor]:
    # groups of equal slices that stand side by side, after sorting if `sort`
    if self.dim() == 0:
        raise RuntimeError("Dimension specified but tensor has no dimensions")
    empty = 0
    for d in range(self.dim()):
        if self.size(d) == 0:
            empty += 1
    if empty > 1:
        raise RuntimeError("Number of zero sized dimensions is more than one, so unique cannot be applied ")
    if empty == 1 and self.size(dim) != 0:
        raise RuntimeError("There are 0 sized dimensions, and they aren't selected, so unique cannot be applied")
    slices = self.movedim(dim, 0)
    n = slices.size(0)
    rows = slices.reshape([n, slices.numel() // max(n, 1)])
    order = torch.arange(n)
    if sort:
        # by the last column first, so that the first one counts most
        for i in range(rows.size(1)):
            key = torch.index_select(rows.select(1, rows.size(1) - 1 - i), 0, order)
            order = torch.index_select(order, 0, torch.sort(key, stable=True, dim=0)[1])
        rows = torch.index_select(rows, 0, order)
    starts = torch.logical_or(torch.arange(n) == 0, (rows != rows.roll([1], [0])).any(1))
    places = torch.nonzero(starts).squeeze(1)
    group = torch.cumsum(starts.to(torch.int64), 0) - 1
    back = torch.scatter(torch.zeros_like(group), 0, order, group)
    number = torch.cat([places, torch.full([1], n)])[1:] - places
    chosen = torch.index_select(slices, 0, torch.index_select(order, 0, places))
    return chosen.movedim(0, dim), back, number


def unique_dim(
    self: Tensor, dim: int, sorted: bool, return_inverse: bool, return_counts: bool
) -> Tuple[Tensor, Tensor, Tensor]:
    return _h_slices(self, dim, True)


def unique_dim_consecutive(
    self: Tensor, dim: int, return_inverse: bool, return_counts: bool
) -> Tuple[Tensor, Tensor, Tensor]:
    return _h_slices(self, dim, False)


def unique_consecutive(
    self: Tensor, return_inverse: bool, return_counts: bool, dim: Optional[int]
) -> Tuple[Tensor, Tensor, Tensor]:
    if dim is not None and not (dim == 0 and self.dim() == 1):
        return _h_slices(self, dim, False)
    return _h_groups(self.reshape([-1]), False, return_inverse, return_counts, self.size())


# how many elements there are of each value, or between two


def bincount(self: Tensor, weights: Optional[Tensor], minlength: int) -> Tensor:
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    if self.dim() != 1 or self.is_floating_point() or self.dtype == torch.bool:
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    highest = -1
    if self.size(0) > 0:
        if bool((self < 0).any()):
            raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
        highest = int(self.max())
    length = max(highest + 1, minlength)
    if weights is None:
        amounts = torch.ones([self.size(0)], dtype=torch.int64)
    else:
        if weights.dim() != 1 or weights.size(0) != self.size(0):
            raise RuntimeError("weights should be 1-d and have the same length as input")
        if self.size(0) == 0:
            raise RuntimeError("bincount with weights of no elements: PyTorch gives integers here, and floats elsewhere")
        amounts = weights if weights.dtype == torch.float32 else weights.to(torch.float64)
    return torch.scatter_add(torch.zeros([length], dtype=amounts.dtype), 0, self.to(torch.int64), amounts)


def histc(self: Tensor, bins: int, min: number, max: number) -> Tensor:
    if bins <= 0:
        raise RuntimeError("torch.histogram(): bins must be > 0")
    if not self.is_floating_point():
        raise RuntimeError("histc is only there for floating point dtypes")
    x = self.reshape([-1])
    low = float(min)
    high = float(max)
    if low == high and x.size(0) > 0:
        low = float(x.min())
        high = float(x.max())
    if low == high:
        low -= 1
        high += 1
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError("torch.histc: range is not finite")
    if low > high:
        raise RuntimeError("torch.histc: max must be larger than min")
    first = torch.full([], low, dtype=self.dtype)
    last = torch.full([], high, dtype=self.dtype)
    inside = torch.logical_and(x >= first, x <= last)
    places = torch.where(inside, (x - first) * bins / (last - first), torch.zeros_like(x)).to(torch.int64)
    counts = torch.zeros([bins], dtype=torch.int64)
    return torch.scatter_add(counts, 0, torch.clamp_max(places, bins - 1), inside.to(torch.int64)).to(self.dtype)


def _h_need_isin(dtype: int) -> None:
    if dtype == torch.bool or dtype == torch.complex64 or dtype == torch.complex128 or dtype == torch.complex32:
        raise RuntimeError("Unsupported input type encountered for isin(): {}".format(_h_type_name(dtype)))


def isin__Tensor_Tensor(elements: Tensor, test_elements: Tensor, assume_unique: bool, invert: bool) -> Tensor:
    _h_need_isin(elements.dtype)
    _h_need_isin(test_elements.dtype)
    found = (elements.unsqueeze(-1) == test_elements.reshape([-1])).any(-1)
    return torch.logical_not(found) if invert else found


def isin__Tensor_Scalar(elements: Tensor, test_element: number, assume_unique: bool, invert: bool) -> Tensor:
    _h_need_isin(elements.dtype)
    return elements != test_element if invert else elements == test_element


def isin__Scalar_Tensor(element: number, test_elements: Tensor, assume_unique: bool, invert: bool) -> Tensor:
    _h_need_isin(test_elements.dtype)
    found = (test_elements == element).any()
    return torch.logical_not(found) if invert else found
