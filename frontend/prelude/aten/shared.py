# What every family uses.

import torch
from torch import Tensor
from typing import List, Optional


def cpu(self: Tensor) -> Tensor:
    return self


def _h_statically_known(condition: bool) -> bool:
    # False for what only the run time knows: no branch is compiled for it
    return condition


def _h_wide(x: Tensor) -> Tensor:
    if x.dtype == torch.float16 or x.dtype == torch.bfloat16:
        return x.to(torch.float32)
    return x


def _h_narrow(x: Tensor, dtype: int) -> Tensor:
    if (dtype == torch.complex64 or dtype == torch.complex128) and not x.is_complex():
        return x  # the size of complex numbers is real
    if dtype == torch.complex32 and not x.is_complex():
        return x.to(torch.float16)
    if x.dtype != dtype:
        return x.to(dtype)
    return x


def _h_floating(x: Tensor) -> Tensor:
    # integers and bool as the default float type
    if x.is_floating_point() or x.is_complex():
        return x
    return x.to(torch.float32)


def _h_all_dims(x: Tensor, dim: Optional[List[int]]) -> List[int]:
    if dim is not None:
        if len(dim) > 0:
            return dim
    dims: List[int] = []
    for i in range(x.dim()):
        dims.append(i)
    return dims


def _h_count(x: Tensor, dims: List[int]) -> int:
    count = 1
    if x.dim() > 0:
        for d in dims:
            count = count * x.size(d)
    return count


def _h_per_channel(p: Tensor, rank: int) -> Tensor:
    # [C] -> [C, 1, 1, ...], to stand at dimension 1 of a tensor of that rank
    for _ in range(rank - 2):
        p = p.unsqueeze(-1)
    return p


def _h_reduce(loss: Tensor, reduction: int) -> Tensor:
    if reduction == 1:
        return loss.mean()
    if reduction == 2:
        return loss.sum()
    return loss
