# Searching in sequences, and distinct elements.

import torch
from torch import Tensor
from typing import List, Optional, Tuple


# Searching in sorted sequences: the place is the number of elements that stand before it.


def _h_places(sequence: Tensor, values: Tensor, right: bool, out_int32: bool) -> Tensor:
    # sequence [..., n], values [..., m], or n elements for all values
    row = sequence if sequence.dim() == 1 else sequence.unsqueeze(-2)
    column = values.unsqueeze(-1)
    before = torch.logical_not(row > column) if right else torch.logical_not(row >= column)
    places = before.sum([-1])
    return places.to(torch.int32) if out_int32 else places


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
    before = torch.logical_not(sequence > self) if _h_is_right(right, side) else torch.logical_not(sequence >= self)
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


def _h_equal_slices(self: Tensor, inverse: bool, counts: bool, dim: int) -> Tuple[Tensor, Tensor, Tensor]:
    # groups of equal slices that stand side by side
    slices = self.transpose(0, dim)
    n = slices.size(0)
    rows = slices.reshape([n, -1])
    starts = torch.logical_or(torch.arange(n) == 0, (rows != rows.roll([1], [0])).any(1))
    back = torch.empty([0], dtype=torch.int64)
    number = torch.empty([0], dtype=torch.int64)
    places = torch.nonzero(starts).squeeze(1)
    if inverse:
        back = torch.cumsum(starts.to(torch.int64), 0) - 1
    if counts:
        number = torch.cat([places, torch.full([1], n)])[1:] - places
    return torch.index_select(slices, 0, places).transpose(0, dim), back, number


def unique_consecutive(
    self: Tensor, return_inverse: bool, return_counts: bool, dim: Optional[int]
) -> Tuple[Tensor, Tensor, Tensor]:
    if dim is not None and self.dim() != 1:
        return _h_equal_slices(self, return_inverse, return_counts, dim)
    return _h_groups(self.reshape([-1]), False, return_inverse, return_counts, self.size())


def isin__Tensor_Tensor(elements: Tensor, test_elements: Tensor, assume_unique: bool, invert: bool) -> Tensor:
    found = (elements.unsqueeze(-1) == test_elements.reshape([-1])).any(-1)
    return torch.logical_not(found) if invert else found


def isin__Tensor_Scalar(elements: Tensor, test_element: number, assume_unique: bool, invert: bool) -> Tensor:
    return elements != test_element if invert else elements == test_element
