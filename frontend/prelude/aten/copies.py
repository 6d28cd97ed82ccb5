# Views as tensors of their own: the `_copy` form of every view operator.

import torch
from torch import Tensor
from typing import List, Optional


def alias_copy(self: Tensor) -> Tensor:
    return self.clone()


def detach_copy(self: Tensor) -> Tensor:
    return self.clone()


def lift_fresh_copy(self: Tensor) -> Tensor:
    return self.clone()


def as_strided_copy(self: Tensor, size: List[int], stride: List[int], storage_offset: Optional[int]) -> Tensor:
    return torch.as_strided(self, size, stride, storage_offset).clone()


def diagonal_copy(self: Tensor, offset: int, dim1: int, dim2: int) -> Tensor:
    return torch.diagonal(self, offset, dim1, dim2).clone()


def expand_copy(self: Tensor, size: List[int], implicit: bool) -> Tensor:
    return self.expand(size).clone(memory_format=torch.contiguous_format)


def narrow_copy(self: Tensor, dim: int, start: int, length: int) -> Tensor:
    return torch.narrow(self, dim, start, length).clone(memory_format=torch.contiguous_format)


def permute_copy(self: Tensor, dims: List[int]) -> Tensor:
    return torch.permute(self, dims).clone(memory_format=torch.contiguous_format)


def select_copy__int(self: Tensor, dim: int, index: int) -> Tensor:
    return torch.select(self, dim, index).clone(memory_format=torch.contiguous_format)


def slice_copy__Tensor(self: Tensor, dim: int, start: Optional[int], end: Optional[int], step: int) -> Tensor:
    return torch.slice(self, dim, start, end, step).clone(memory_format=torch.contiguous_format)


def squeeze_copy(self: Tensor) -> Tensor:
    return self.squeeze().clone(memory_format=torch.contiguous_format)


def squeeze_copy__dim(self: Tensor, dim: int) -> Tensor:
    return self.squeeze(dim).clone(memory_format=torch.contiguous_format)


def squeeze_copy__dims(self: Tensor, dim: List[int]) -> Tensor:
    return self.squeeze(dim).clone(memory_format=torch.contiguous_format)


def t_copy(self: Tensor) -> Tensor:
    return self.t().clone(memory_format=torch.contiguous_format)


def transpose_copy__int(self: Tensor, dim0: int, dim1: int) -> Tensor:
    return torch.transpose(self, dim0, dim1).clone(memory_format=torch.contiguous_format)


def unfold_copy(self: Tensor, dimension: int, size: int, step: int) -> Tensor:
    return self.unfold(dimension, size, step).clone(memory_format=torch.contiguous_format)


def unsqueeze_copy(self: Tensor, dim: int) -> Tensor:
    return self.unsqueeze(dim).clone(memory_format=torch.contiguous_format)


def view_copy(self: Tensor, size: List[int]) -> Tensor:
    return self.reshape(size).clone(memory_format=torch.contiguous_format)


def _h_copies(views: List[Tensor]) -> List[Tensor]:
    copies: List[Tensor] = []
    for v in views:
        copies.append(v.clone(memory_format=torch.contiguous_format))
    return copies


def split_copy__Tensor(self: Tensor, split_size: int, dim: int) -> List[Tensor]:
    return _h_copies(torch.split(self, split_size, dim))


def split_with_sizes_copy(self: Tensor, split_sizes: List[int], dim: int) -> List[Tensor]:
    return _h_copies(torch.split_with_sizes(self, split_sizes, dim))


def unbind_copy__int(self: Tensor, dim: int) -> List[Tensor]:
    return _h_copies(torch.unbind(self, dim))
