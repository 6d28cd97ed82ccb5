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


def resize(self: Tensor, size: List[int], memory_format: Optional[int]) -> Tensor:
    # the elements in the order of memory; what is new is zero
    count = 1
    for n in size:
        count = count * n
    flat = self.reshape([-1])
    have = flat.size(0)
    if have < count:
        flat = torch.cat([flat, torch.zeros([count - have], dtype=self.dtype)])
    return flat[:count].view(size)


def resize_as(self: Tensor, the_template: Tensor, memory_format: Optional[int]) -> Tensor:
    return torch.resize(self, the_template.size(), memory_format=memory_format)


def as_strided_scatter(self: Tensor, src: Tensor, size: List[int], stride: List[int], storage_offset: Optional[int]) -> Tensor:
    result = self.clone()
    part = torch.as_strided(result, size, stride, storage_offset)
    if src.size() != part.size():
        raise RuntimeError(
            "expected src to have a size equal to the slice of self. src size = " + str(src.size()) + ", slice size = " + str(part.size())
        )
    part.copy_(src)
    return result


def new_empty_strided(
    self: Tensor,
    size: List[int],
    stride: List[int],
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return torch.empty_strided(size, stride, dtype=self.dtype if dtype is None else dtype)


def view_as_complex_copy(self: Tensor) -> Tensor:
    return torch.view_as_complex(self).clone(memory_format=torch.contiguous_format)


def view_as_real_copy(self: Tensor) -> Tensor:
    return torch.view_as_real(self).clone(memory_format=torch.contiguous_format)


def zero(self: Tensor) -> Tensor:
    return torch.zeros_like(self)


def chalf(self: Tensor, memory_format: Optional[int]) -> Tensor:
    return self.to(torch.complex32)


def _shape_as_tensor(self: Tensor) -> Tensor:
    return torch.tensor(self.size(), dtype=torch.int64)


def _reshape_from_tensor(self: Tensor, shape: Tensor) -> Tensor:
    if shape.dim() != 1:
        raise RuntimeError("shape should be a one element tensor")
    size: List[int] = []
    for i in range(shape.size(0)):
        size.append(int(shape[i]))
    return self.reshape(size)


def flatten_dense_tensors(tensors: List[Tensor]) -> Tensor:
    flat: List[Tensor] = []
    for t in tensors:
        flat.append(t.reshape([-1]))
    return torch.cat(flat, 0)


def unflatten_dense_tensors(flat: Tensor, tensors: List[Tensor]) -> List[Tensor]:
    parts: List[Tensor] = []
    start = 0
    for t in tensors:
        parts.append(torch.narrow(flat, 0, start, t.numel()).view(t.size()))
        start = start + t.numel()
    return parts
