# Norms of vectors.

import torch
from torch import Tensor
from typing import List, Optional


def _h_norm(x: Tensor, p: float, dims: List[int], keepdim: bool) -> Tensor:
    if p == 2.0:
        return torch.sqrt(torch.sum(x * x, dims, keepdim))
    if p == 1.0:
        return torch.sum(torch.abs(x), dims, keepdim)
    if p == float("inf"):
        return torch.amax(torch.abs(x), dims, keepdim)
    if p == float("-inf"):
        return torch.amin(torch.abs(x), dims, keepdim)
    if p == 0.0:
        return torch.sum(torch.ne(x, 0), dims, keepdim).to(x.dtype)
    return torch.pow(torch.sum(torch.pow(torch.abs(x), p), dims, keepdim), 1.0 / p)


def _h_norm_as(x: Tensor, p: Optional[number], dim: Optional[List[int]], keepdim: bool) -> Tensor:
    if x.is_complex():
        x = x.abs()
    if not x.is_floating_point():
        raise RuntimeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got {}".format(_h_type_name(x.dtype))
        )
    order = 2.0 if p is None else float(p)
    return _h_narrow(_h_norm(_h_wide(x), order, _h_all_dims(x, dim), keepdim), x.dtype)


def norm__Scalar(self: Tensor, p: number) -> Tensor:
    return _h_norm_as(self, p, None, False)


def norm__ScalarOpt_dtype(self: Tensor, p: Optional[number], dtype: int) -> Tensor:
    return _h_norm_as(self.to(dtype), p, None, False)


def norm__ScalarOpt_dim(self: Tensor, p: Optional[number], dim: List[int], keepdim: bool) -> Tensor:
    return _h_norm_as(self, p, dim, keepdim)


def norm__ScalarOpt_dim_dtype(self: Tensor, p: Optional[number], dim: List[int], keepdim: bool, dtype: int) -> Tensor:
    return _h_norm_as(self.to(dtype), p, dim, keepdim)


def frobenius_norm__dim(self: Tensor, dim: List[int], keepdim: bool) -> Tensor:
    return _h_norm_as(self, 2.0, dim, keepdim)


def linalg_vector_norm(
    self: Tensor, ord: number, dim: Optional[List[int]], keepdim: bool, dtype: Optional[int]
) -> Tensor:
    x = self if dtype is None else self.to(dtype)
    return _h_norm_as(x, ord, dim, keepdim)


def linalg__powsum(
    self: Tensor, ord: number, dim: Optional[List[int]], keepdim: bool, dtype: Optional[int]
) -> Tensor:
    # a norm before its root is taken
    if not self.is_floating_point() and not self.is_complex():
        raise RuntimeError("linalg__powsum: not implemented for {}".format(_h_type_name(self.dtype)))
    x = self if dtype is None else self.to(dtype)
    powers = torch.pow(torch.abs(_h_wide(x)), ord)
    sums = torch.sum(powers, dim, keepdim)
    return _h_narrow(sums, torch.abs(x).dtype)


def dist(self: Tensor, other: Tensor, p: number) -> Tensor:
    return _h_norm_as(self - other, p, None, False)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float, eps: float, keepdim: bool) -> Tensor:
    return _h_norm_as(x1 - x2 + eps, p, [-1], keepdim)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int, eps: float) -> Tensor:
    a, b = torch.broadcast_tensors([x1, x2])
    n1 = torch.clamp_min(_h_norm_as(a, 2.0, [dim], True), eps)
    n2 = torch.clamp_min(_h_norm_as(b, 2.0, [dim], True), eps)
    return torch.sum((a / n1) * (b / n2), [dim])


def cdist(x1: Tensor, x2: Tensor, p: float, compute_mode: Optional[int]) -> Tensor:
    if x1.dtype != x2.dtype:
        raise RuntimeError("expected scalar type {} but found {}".format(_h_type_name(x1.dtype), _h_type_name(x2.dtype)))
    return _h_norm_as(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, [-1], False)


def renorm(self: Tensor, p: number, dim: int, maxnorm: number) -> Tensor:
    # each slice along `dim` is made no longer than `maxnorm`
    if self.dim() < 2:
        raise RuntimeError("renorm: input needs at least 2 dimensions, got {} dimensions".format(self.dim()))
    if float(p) <= 0.0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if float(maxnorm) < 0.0:
        raise RuntimeError("renorm: expected maxnorm to be >= 0 but got {}".format(maxnorm))
    d = dim + self.dim() if dim < 0 else dim
    rest: List[int] = []
    for i in range(self.dim()):
        if i != d:
            rest.append(i)
    norm = torch.linalg_vector_norm(_h_wide(self), p, rest, True)
    factor = torch.where(norm > maxnorm, float(maxnorm) / (norm + 1e-7), torch.ones_like(norm))
    return _h_narrow(_h_wide(self) * factor, self.dtype)


def pdist(self: Tensor, p: float) -> Tensor:
    # the distances of all pairs of rows, as the upper triangle of `cdist`
    if self.dim() != 2:
        raise RuntimeError("pdist only supports 2D tensors, got: {}D".format(self.dim()))
    if not self.is_floating_point():
        raise RuntimeError("pdist only supports floating-point dtypes")
    if p < 0.0:
        raise RuntimeError("pdist only supports non-negative p values")
    pairs = torch.triu_indices(self.size(0), self.size(0), 1)
    difference = torch.index_select(self, 0, pairs[0]) - torch.index_select(self, 0, pairs[1])
    if self.size(1) == 0:
        return torch.zeros([pairs.size(1)], dtype=self.dtype)
    return _h_norm(difference, p, [1], False)


def _pdist_forward(self: Tensor, p: float) -> Tensor:
    return pdist(self, p)


def _cdist_forward(x1: Tensor, x2: Tensor, p: float, compute_mode: Optional[int]) -> Tensor:
    return cdist(x1, x2, p, compute_mode)


def norm_except_dim(v: Tensor, pow: int, dim: int) -> Tensor:
    if dim == -1:
        return v.norm(pow)
    dims: List[int] = []
    for i in range(v.dim()):
        if i != dim:
            dims.append(i)
    return _h_norm_as(v, float(pow), dims, True)
