# Shapes, indices, and copies of elements.

import torch
from torch import Tensor
from typing import List, Optional


# shapes and indices


def rot90(self: Tensor, k: int, dims: List[int]) -> Tensor:
    turns = k % 4
    if len(dims) != 2:
        raise RuntimeError("expected total rotation dims == 2, but got dims = {}".format(len(dims)))
    if self.dim() < 2:
        raise RuntimeError("expected total dims >= 2, but got total dims = {}".format(self.dim()))
    if (dims[0] - dims[1]) % self.dim() == 0:
        raise RuntimeError("expected rotation dims to be different, but got dim0 = {} and dim1 = {}".format(dims[0], dims[1]))
    if turns == 1:
        return self.flip([dims[1]]).transpose(dims[0], dims[1])
    if turns == 2:
        return self.flip(dims)
    if turns == 3:
        return self.flip([dims[0]]).transpose(dims[0], dims[1])
    return self.clone()


def fliplr(self: Tensor) -> Tensor:
    if self.dim() < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return self.flip([1])


def flipud(self: Tensor) -> Tensor:
    if self.dim() < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return self.flip([0])


def tile(self: Tensor, dims: List[int]) -> Tensor:
    repeats: List[int] = []
    for _ in range(self.dim() - len(dims)):
        repeats.append(1)
    return self.repeat(repeats + dims)


def repeat_interleave__self_int(self: Tensor, repeats: int, dim: Optional[int], output_size: Optional[int]) -> Tensor:
    x = self
    d = 0
    if dim is None:
        x = self.reshape([-1])
    else:
        d = dim + self.dim() if dim < 0 else dim
    shape: List[int] = []
    wide: List[int] = []
    for i in range(x.dim()):
        shape.append(x.size(i) * repeats if i == d else x.size(i))
        wide.append(x.size(i))
        if i == d:
            wide.append(repeats)
    return x.unsqueeze(d + 1).expand(wide).clone(memory_format=torch.contiguous_format).reshape(shape)


def where(condition: Tensor) -> List[Tensor]:
    x = condition.unsqueeze(0) if condition.dim() == 0 else condition
    return torch.nonzero(x).unbind(1)


def hsplit__int(self: Tensor, sections: int) -> List[Tensor]:
    return torch.tensor_split(self, sections, 0 if self.dim() == 1 else 1)


def hsplit__array(self: Tensor, indices: List[int]) -> List[Tensor]:
    return torch.tensor_split(self, indices, 0 if self.dim() == 1 else 1)


def vsplit__int(self: Tensor, sections: int) -> List[Tensor]:
    return torch.tensor_split(self, sections, 0)


def vsplit__array(self: Tensor, indices: List[int]) -> List[Tensor]:
    return torch.tensor_split(self, indices, 0)


def one_hot(self: Tensor, num_classes: int) -> Tensor:
    if self.dtype != torch.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if bool(torch.any(self < 0)):
        raise RuntimeError("Class values must be non-negative.")
    classes = num_classes
    if num_classes == -1:
        classes = int(self.max().item()) + 1
    elif bool(torch.any(self >= num_classes)):
        raise RuntimeError("Class values must be smaller than num_classes.")
    return torch.eq(self.unsqueeze(-1), torch.arange(classes)).to(torch.int64)


def diag(self: Tensor, diagonal: int) -> Tensor:
    if self.dim() == 1:
        return torch.diag_embed(self, diagonal, 0, 1)
    if self.dim() != 2:
        raise RuntimeError("diag(): Supports 1D or 2D tensors. Got {}D".format(self.dim()))
    return torch.diagonal(self, diagonal, 0, 1).clone()


def diag_embed(self: Tensor, offset: int, dim1: int, dim2: int) -> Tensor:
    rank = self.dim() + 1
    d1 = dim1 + rank if dim1 < 0 else dim1
    d2 = dim2 + rank if dim2 < 0 else dim2
    n = self.size(-1) + abs(offset)
    shape: List[int] = []
    taken = 0
    for i in range(rank):
        if i == d1 or i == d2:
            shape.append(n)
        else:
            shape.append(self.size(taken))
            taken += 1
    return torch.diagonal_scatter(self.new_zeros(shape), self, offset, d1, d2)


def take(self: Tensor, index: Tensor) -> Tensor:
    return self.reshape([-1])[index]


def _h_wrapped(indices: Tensor, n: int) -> Tensor:
    # negative ones count from the end
    return torch.where(indices < 0, indices + n, indices)


def take_along_dim(self: Tensor, indices: Tensor, dim: Optional[int]) -> Tensor:
    if dim is None:
        return torch.gather(self.reshape([-1]), 0, _h_wrapped(indices.reshape([-1]), self.numel()))
    d = dim + self.dim() if dim < 0 else dim
    shape: List[int] = []
    places: List[int] = []
    for i in range(self.dim()):
        extent = max(self.size(i), indices.size(i))
        shape.append(self.size(i) if i == d else extent)
        places.append(indices.size(i) if i == d else extent)
    return torch.gather(self.expand(shape), d, _h_wrapped(indices, self.size(d)).expand(places))


def argwhere(self: Tensor) -> Tensor:
    return torch.nonzero(self)


def index_fill__int_Scalar(self: Tensor, dim: int, index: Tensor, value: number) -> Tensor:
    if index.dtype != torch.int64:
        raise RuntimeError("index_fill_(): Expected dtype int64 for index.")
    shape: List[int] = []
    for i in range(self.dim()):
        shape.append(index.numel() if i == dim or i == dim + self.dim() else self.size(i))
    return torch.index_copy(self, dim, index, torch.full(shape, value, dtype=self.dtype))


def index_fill__int_Tensor(self: Tensor, dim: int, index: Tensor, value: Tensor) -> Tensor:
    if index.dtype != torch.int64:
        raise RuntimeError("index_fill_(): Expected dtype int64 for index.")
    shape: List[int] = []
    for i in range(self.dim()):
        shape.append(index.numel() if i == dim or i == dim + self.dim() else self.size(i))
    return torch.index_copy(self, dim, index, value.to(self.dtype).expand(shape))


def masked_scatter(self: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    if self.dtype != source.dtype:
        raise RuntimeError("masked_scatter: expected self and source to have same dtypes but got {} and {}".format(self.dtype, source.dtype))
    if mask.dtype != torch.bool:
        raise RuntimeError("masked_scatter_ only supports boolean masks, but got mask with dtype {}".format(_h_type_name(mask.dtype)))
    x, m = torch.broadcast_tensors([self, mask])
    count = int(m.sum().item())
    if count > source.numel():
        raise RuntimeError(
            "masked_scatter: expected self and source to have same number of elements as there are true values in mask"
        )
    return torch.index_put(x, [m], source.reshape([-1]).narrow(0, 0, count), False)


def _h_clamped_indices(self: Tensor, indices: List[Optional[Tensor]]) -> List[Optional[Tensor]]:
    found: List[Optional[Tensor]] = []
    for i, index in enumerate(indices):
        if index is None:
            found.append(None)
        else:
            found.append(index.clamp(-self.size(i), self.size(i) - 1))
    return found


def _unsafe_masked_index(self: Tensor, mask: Tensor, indices: List[Optional[Tensor]], fill: number) -> Tensor:
    if self.numel() == 0:
        return torch.full_like(torch.ops.aten.index(self.new_zeros([1] * self.dim()), _h_no_indices(indices)), fill)
    found = torch.ops.aten.index(self, _h_clamped_indices(self, indices))
    return found.masked_fill(mask.to(torch.bool).logical_not(), fill)


def _h_no_indices(indices: List[Optional[Tensor]]) -> List[Optional[Tensor]]:
    found: List[Optional[Tensor]] = []
    for index in indices:
        if index is None:
            found.append(None)
        else:
            found.append(torch.zeros_like(index))
    return found


def _unsafe_masked_index_put_accumulate(
    self: Tensor, mask: Tensor, indices: List[Optional[Tensor]], values: Tensor
) -> Tensor:
    if self.numel() == 0:
        return self.clone()
    kept = values.masked_fill(mask.to(torch.bool).logical_not(), 0)
    return torch.index_put(self, _h_clamped_indices(self, indices), kept, True)


def diff(self: Tensor, n: int, dim: int, prepend: Optional[Tensor], append: Optional[Tensor]) -> Tensor:
    x = self
    if n < 0:
        raise RuntimeError("order must be non-negative but got {}".format(n))
    if n == 0:
        return x.clone()
    if prepend is not None:
        x = torch.cat([prepend, x], dim)
    if append is not None:
        x = torch.cat([x, append], dim)
    for _ in range(min(n, x.size(dim))):
        size = x.size(dim) - 1
        if x.dtype == torch.bool:
            x = torch.logical_xor(x.narrow(dim, 1, size), x.narrow(dim, 0, size))
        else:
            x = x.narrow(dim, 1, size) - x.narrow(dim, 0, size)
    return x


def msort(self: Tensor) -> Tensor:
    return torch.sort(self, 0)[0]


# copies of elements, as many as a tensor says


def repeat_interleave__Tensor(repeats: Tensor, output_size: Optional[int]) -> Tensor:
    if repeats.dim() != 1:
        raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
    if bool((repeats < 0).any()):
        raise RuntimeError("repeats can not be negative")
    total = int(repeats.sum().item())
    if output_size is not None:
        if output_size != total:
            raise RuntimeError("allocated size does not match required size")
    return torch.searchsorted(torch.cumsum(repeats, 0), torch.arange(total), right=True).to(repeats.dtype)


def repeat_interleave__self_Tensor(
    self: Tensor, repeats: Tensor, dim: Optional[int], output_size: Optional[int]
) -> Tensor:
    x = self
    d = 0
    if dim is None:
        x = self.reshape([-1])
    else:
        d = dim + self.dim() if dim < 0 else dim
    counts = repeats
    if repeats.dim() == 0:
        counts = repeats.reshape([1])
    if counts.size(0) == 1:
        counts = counts.expand([x.size(d)])
    elif counts.size(0) != x.size(d):
        raise RuntimeError("repeats must have the same size as input along dim, but got repeats.size(0) = {} and input.size({}) = {}".format(counts.size(0), d, x.size(d)))
    return torch.index_select(x, d, repeat_interleave__Tensor(counts, output_size))


def put(self: Tensor, index: Tensor, source: Tensor, accumulate: bool) -> Tensor:
    if index.numel() != source.numel():
        raise RuntimeError("put_(): Expected source and index to have the same number of elements")
    elements = self.reshape(-1).index_put([index.reshape(-1)], source.reshape(-1), accumulate)
    return elements.reshape(self.size())


def fill_diagonal_(self: Tensor, fill_value: number, wrap: bool) -> Tensor:
    rank = self.dim()
    if rank < 2:
        raise RuntimeError("dimensions must larger than 1")
    if rank == 2:
        self.diagonal().fill_(fill_value)
        if wrap:
            start = self.size(1) + 1
            while start < self.size(0):
                self[start:].diagonal().fill_(fill_value)
                start += self.size(1) + 1
    else:
        for d in range(1, rank):
            if self.size(d) != self.size(0):
                raise RuntimeError("all dimensions of input must be of equal length")
        for i in range(self.size(0)):
            at = self
            for d in range(rank):
                at = at[i]
            at.fill_(fill_value)
    return self
