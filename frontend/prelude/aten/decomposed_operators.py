# Operators that PyTorch's decompositions and its own composite operators call.

import torch
from torch import Tensor
from typing import List, Optional, Tuple


def _is_all_true(self: Tensor) -> Tensor:
    return self.all()


def _is_any_true(self: Tensor) -> Tensor:
    return self.any()


def _stack(tensors: List[Tensor], dim: int) -> Tensor:
    return torch.stack(tensors, dim)


def _unsafe_view(self: Tensor, size: List[int]) -> Tensor:
    return self.view(size)


def _prelu_kernel(self: Tensor, weight: Tensor) -> Tensor:
    return torch.where(self > 0, self, weight * self)


def _trilinear(
    i1: Tensor, i2: Tensor, i3: Tensor, expand1: List[int], expand2: List[int], expand3: List[int], sumdim: List[int], unroll_dim: int
) -> Tensor:
    a = i1
    for d in sorted(expand1):
        a = a.unsqueeze(d)
    b = i2
    for d in sorted(expand2):
        b = b.unsqueeze(d)
    c = i3
    for d in sorted(expand3):
        c = c.unsqueeze(d)
    product = a * b * c
    return product.sum(sumdim) if len(sumdim) > 0 else product


def _unsafe_index__Tensor(self: Tensor, indices: List[Optional[Tensor]]) -> Tensor:
    return torch.ops.aten.index(self, indices)


def _unsafe_index__Tensor_hacked_twin(self: Tensor, indices: List[Tensor]) -> Tensor:
    return torch.ops.aten.index(self, indices)


def _fused_rms_norm(
    input: Tensor, normalized_shape: List[int], weight: Optional[Tensor], eps: Optional[float]
) -> Tuple[Tensor, Tensor]:
    dims = [-1 - i for i in range(len(normalized_shape))]
    wide = input.to(torch.float32) if input.dtype == torch.float16 or input.dtype == torch.bfloat16 else input
    epsilon = 2.220446049250313e-16 if wide.dtype == torch.float64 else 1.1920928955078125e-07
    least = eps if eps is not None else epsilon
    rstd = torch.rsqrt((wide * wide).mean(dims, True) + least)
    scaled = wide * rstd
    if weight is not None:
        scaled = scaled * weight
    return scaled.to(input.dtype), rstd
