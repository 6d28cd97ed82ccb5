# Joining and splitting.

import torch
from torch import Tensor
from typing import List


def concat(tensors: List[Tensor], dim: int) -> Tensor:
    return torch.cat(tensors, dim)


def concatenate(tensors: List[Tensor], dim: int) -> Tensor:
    return torch.cat(tensors, dim)


def atleast_1d(self: Tensor) -> Tensor:
    return self.reshape([1]) if self.dim() == 0 else self


def atleast_2d(self: Tensor) -> Tensor:
    if self.dim() == 0:
        return self.reshape([1, 1])
    return self.unsqueeze(0) if self.dim() == 1 else self


def atleast_3d(self: Tensor) -> Tensor:
    if self.dim() == 0:
        return self.reshape([1, 1, 1])
    if self.dim() == 1:
        return self.unsqueeze(0).unsqueeze(-1)
    return self.unsqueeze(-1) if self.dim() == 2 else self


def hstack(tensors: List[Tensor]) -> Tensor:
    parts: List[Tensor] = []
    for t in tensors:
        parts.append(atleast_1d(t))
    return torch.cat(parts, 0 if parts[0].dim() == 1 else 1)


def vstack(tensors: List[Tensor]) -> Tensor:
    parts: List[Tensor] = []
    for t in tensors:
        parts.append(atleast_2d(t))
    return torch.cat(parts, 0)


def row_stack(tensors: List[Tensor]) -> Tensor:
    return vstack(tensors)


def dstack(tensors: List[Tensor]) -> Tensor:
    parts: List[Tensor] = []
    for t in tensors:
        parts.append(atleast_3d(t))
    return torch.cat(parts, 2)


def column_stack(tensors: List[Tensor]) -> Tensor:
    parts: List[Tensor] = []
    for t in tensors:
        parts.append(t.reshape([t.numel(), 1]) if t.dim() <= 1 else t)
    return torch.cat(parts, 1)


def meshgrid(tensors: List[Tensor]) -> List[Tensor]:
    rank = len(tensors)
    shape: List[int] = []
    for t in tensors:
        shape.append(t.numel())
    grids: List[Tensor] = []
    for i in range(rank):
        g = tensors[i].reshape([-1])
        for _ in range(rank - 1 - i):
            g = g.unsqueeze(-1)
        grids.append(g.expand(shape))
    return grids


def meshgrid__indexing(tensors: List[Tensor], indexing: str) -> List[Tensor]:
    if indexing == "xy" and len(tensors) >= 2:
        swapped: List[Tensor] = [tensors[1], tensors[0]]
        for i in range(2, len(tensors)):
            swapped.append(tensors[i])
        grids = meshgrid(swapped)
        result: List[Tensor] = [grids[1], grids[0]]
        for i in range(2, len(tensors)):
            result.append(grids[i])
        return result
    return meshgrid(tensors)


def broadcast_tensors(tensors: List[Tensor]) -> List[Tensor]:
    rank = 0
    for t in tensors:
        rank = max(rank, t.dim())
    shape: List[int] = []
    for i in range(rank):
        extent = 1
        for t in tensors:
            d = i - rank + t.dim()
            if d >= 0:
                if extent == 1:
                    extent = t.size(d)
        shape.append(extent)
    results: List[Tensor] = []
    for t in tensors:
        results.append(t.expand(shape))
    return results


def cartesian_prod(tensors: List[Tensor]) -> Tensor:
    if len(tensors) == 1:
        return tensors[0]
    parts: List[Tensor] = []
    for g in meshgrid(tensors):
        parts.append(g.reshape([-1]))
    return torch.stack(parts, 1)


def block_diag(tensors: List[Tensor]) -> Tensor:
    columns = 0
    for t in tensors:
        columns = columns + (1 if t.dim() == 0 else t.size(-1))
    rows: List[Tensor] = []
    before = 0
    for t in tensors:
        m = atleast_2d(t)
        rows.append(torch.constant_pad_nd(m, [before, columns - before - m.size(1)], 0))
        before = before + m.size(1)
    return torch.cat(rows, 0)


def pad_sequence(sequences: List[Tensor], batch_first: bool, padding_value: float, padding_side: str) -> Tensor:
    longest = 0
    for s in sequences:
        longest = max(longest, s.size(0))
    rows: List[Tensor] = []
    for s in sequences:
        pads: List[int] = []
        for _ in range(s.dim() - 1):
            pads.append(0)
            pads.append(0)
        missing = longest - s.size(0)
        sides = [0, missing] if padding_side == "right" else [missing, 0]
        rows.append(torch.constant_pad_nd(s, pads + sides, padding_value))
    return torch.stack(rows, 0 if batch_first else 1)


def narrow__Tensor(self: Tensor, dim: int, start: Tensor, length: int) -> Tensor:
    if start.dim() != 0 or start.is_floating_point() or start.dtype == torch.bool:
        raise RuntimeError("start must be an 0-dim integral Tensor.")
    return torch.narrow(self, dim, int(start), length)


def tensor_split__tensor_indices_or_sections(
    self: Tensor, tensor_indices_or_sections: Tensor, dim: int
) -> List[Tensor]:
    places = tensor_indices_or_sections
    if places.dtype != torch.int64:
        raise RuntimeError("tensor_split expected tensor_indices_or_sections to have dtype of long")
    if self.dim() == 0:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    if places.dim() == 0:
        return _h_sections(self, int(places), dim)
    if places.dim() > 1:
        raise RuntimeError(
            "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or one-dimensional tensor, but got a tensor with {} dims".format(
                places.dim()
            )
        )
    parts: List[Tensor] = []
    start = 0
    for i in range(places.size(0)):
        end = int(places[i])
        parts.append(torch.slice(self, dim, start, end, 1))
        start = end
    parts.append(torch.slice(self, dim, start, self.size(dim), 1))
    return parts


def _h_sections(self: Tensor, sections: int, dim: int) -> List[Tensor]:
    if sections <= 0:
        raise RuntimeError("number of sections must be larger than 0, got {}".format(sections))
    n = self.size(dim)
    parts: List[Tensor] = []
    start = 0
    for i in range(sections):
        end = start + n // sections
        if i < n % sections:
            end = end + 1
        parts.append(torch.slice(self, dim, start, end, 1))
        start = end
    return parts


def dsplit__int(self: Tensor, sections: int) -> List[Tensor]:
    if self.dim() < 3:
        raise RuntimeError("torch.dsplit requires a tensor with at least 3 dimension, but got a tensor with {} dimensions!".format(self.dim()))
    if self.size(2) % sections != 0:
        raise RuntimeError("torch.dsplit attempted to split along dimension 2, but the size of the dimension {} is not divisible by the split_size {}!".format(self.size(2), sections))
    return torch.tensor_split(self, sections, 2)


def dsplit__array(self: Tensor, indices: List[int]) -> List[Tensor]:
    if self.dim() < 3:
        raise RuntimeError("torch.dsplit requires a tensor with at least 3 dimension, but got a tensor with {} dimensions!".format(self.dim()))
    return torch.tensor_split(self, indices, 2)


def combinations(self: Tensor, r: int, with_replacement: bool) -> Tensor:
    if self.dim() != 1:
        raise RuntimeError("Expect a 1D vector, but got shape {}".format(self.size()))
    if r < 0:
        raise RuntimeError("Expect a non-negative number, but got {}".format(r))
    if r == 0:
        return torch.empty([0], dtype=self.dtype)
    n = self.numel()
    # positions in all r-fold products, the last fastest; those that rise are kept
    ones: List[int] = []
    for _ in range(r):
        ones.append(n)
    kept = torch.ones(ones, dtype=torch.bool)
    places: List[Tensor] = []
    for k in range(r):
        shape: List[int] = []
        for i in range(r):
            shape.append(n if i == k else 1)
        place = torch.arange(n).reshape(shape).expand(ones)
        if k > 0:
            kept = torch.logical_and(kept, place >= places[k - 1] if with_replacement else place > places[k - 1])
        places.append(place)
    columns: List[Tensor] = []
    for place in places:
        columns.append(self[place[kept]])
    return torch.stack(columns, 1)


def atleast_1d__Sequence(tensors: List[Tensor]) -> List[Tensor]:
    results: List[Tensor] = []
    for t in tensors:
        results.append(atleast_1d(t))
    return results


def atleast_2d__Sequence(tensors: List[Tensor]) -> List[Tensor]:
    results: List[Tensor] = []
    for t in tensors:
        results.append(atleast_2d(t))
    return results


def atleast_3d__Sequence(tensors: List[Tensor]) -> List[Tensor]:
    results: List[Tensor] = []
    for t in tensors:
        results.append(atleast_3d(t))
    return results


def _chunk_cat(tensors: List[Tensor], dim: int, num_chunks: int) -> Tensor:
    # each tensor in as many chunks, the last filled up with zeros; chunks of all tensors side by side
    parts: List[Tensor] = []
    for t in tensors:
        if t.numel() == 0:
            raise RuntimeError("_chunk_cat expects non-empty tensor")
        d = dim + t.dim() if dim < 0 else dim
        n = t.size(d)
        each = (n + num_chunks - 1) // num_chunks
        pads: List[int] = []
        for _ in range(t.dim() - 1 - d):
            pads.append(0)
            pads.append(0)
        padded = torch.constant_pad_nd(t, pads + [0, each * num_chunks - n], 0)
        shape: List[int] = []
        rest = 1
        for i in range(t.dim()):
            if i < d:
                shape.append(t.size(i))
            elif i > d:
                rest = rest * t.size(i)
        parts.append(padded.reshape(shape + [num_chunks, each * rest]))
    return torch.cat(parts, parts[0].dim() - 1)


def diagflat(self: Tensor, offset: int) -> Tensor:
    return torch.diag(self.reshape([self.numel()]), offset)
