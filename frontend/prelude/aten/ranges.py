# Ranges between numbers that tensors hold.

import torch
from torch import Tensor
from typing import Optional


def linspace__Tensor_Tensor(
    start: Tensor, end: Tensor, steps: int, dtype: Optional[int], layout: Optional[int], device: Optional[Device], pin_memory: Optional[bool]
) -> Tensor:
    return torch.linspace(start.item(), end.item(), steps, dtype=dtype)


def linspace__Tensor_Scalar(
    start: Tensor, end: number, steps: int, dtype: Optional[int], layout: Optional[int], device: Optional[Device], pin_memory: Optional[bool]
) -> Tensor:
    return torch.linspace(start.item(), end, steps, dtype=dtype)


def linspace__Scalar_Tensor(
    start: number, end: Tensor, steps: int, dtype: Optional[int], layout: Optional[int], device: Optional[Device], pin_memory: Optional[bool]
) -> Tensor:
    return torch.linspace(start, end.item(), steps, dtype=dtype)


def logspace__Tensor_Tensor(
    start: Tensor, end: Tensor, steps: int, base: float, dtype: Optional[int], layout: Optional[int], device: Optional[Device], pin_memory: Optional[bool]
) -> Tensor:
    return torch.logspace(start.item(), end.item(), steps, base, dtype=dtype)


def logspace__Tensor_Scalar(
    start: Tensor, end: number, steps: int, base: float, dtype: Optional[int], layout: Optional[int], device: Optional[Device], pin_memory: Optional[bool]
) -> Tensor:
    return torch.logspace(start.item(), end, steps, base, dtype=dtype)


def logspace__Scalar_Tensor(
    start: number, end: Tensor, steps: int, base: float, dtype: Optional[int], layout: Optional[int], device: Optional[Device], pin_memory: Optional[bool]
) -> Tensor:
    return torch.logspace(start, end.item(), steps, base, dtype=dtype)


def _h_triangle_indices(row: int, col: int, offset: int, lower: bool, dtype: Optional[int]) -> Tensor:
    # of sizes that show at run time: as many as there are
    if row < 0:
        raise RuntimeError("row must be non-negative, got {}".format(row))
    if col < 0:
        raise RuntimeError("col must be non-negative, got {}".format(col))
    below = torch.arange(col).unsqueeze(0) - torch.arange(row).unsqueeze(1)
    kept = below <= offset if lower else below >= offset
    return torch.nonzero(kept).t().contiguous().to(torch.int64 if dtype is None else dtype)
