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
    if not x.is_floating_point():
        raise RuntimeError("norm(): input must be a floating point or complex tensor")
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


def linalg_norm(
    self: Tensor, ord: Optional[number], dim: Optional[List[int]], keepdim: bool, dtype: Optional[int]
) -> Tensor:
    x = self if dtype is None else self.to(dtype)
    if ord is not None:
        matrix = x.dim() == 2
        if dim is not None:
            matrix = len(dim) == 2
        if matrix:
            return _h_matrix_norm(x, float(ord), [0, 1] if dim is None else dim, keepdim)
    return _h_norm_as(x, ord, dim, keepdim)


def _h_matrix_norm(x: Tensor, ord: float, dim: List[int], keepdim: bool) -> Tensor:
    # the largest or smallest sum of a column (1) or a row (inf); singular values are not computed
    if len(dim) != 2:
        raise RuntimeError("linalg.matrix_norm: dim must be a 2-tuple. Got {}".format(dim))
    if abs(ord) != 1.0 and abs(ord) != float("inf"):
        raise RuntimeError("matrix norms of this order, which need singular values, are not supported")
    sums = x.abs().sum([dim[0] if abs(ord) == 1.0 else dim[1]], True)
    return sums.amax(dim, keepdim) if ord > 0.0 else sums.amin(dim, keepdim)


def _h_matrix_norm_named(x: Tensor, ord: str, dim: List[int], keepdim: bool) -> Tensor:
    if ord == "fro":
        return _h_norm_as(x, 2.0, dim, keepdim)
    if ord == "nuc":
        raise RuntimeError("the nuclear norm, which needs singular values, is not supported")
    raise RuntimeError("linalg.matrix_norm: Order {} not supported.".format(ord))


def linalg_norm__ord_str(
    self: Tensor, ord: str, dim: Optional[List[int]], keepdim: bool, dtype: Optional[int]
) -> Tensor:
    x = self if dtype is None else self.to(dtype)
    return _h_matrix_norm_named(x, ord, [0, 1] if dim is None else dim, keepdim)


def linalg_matrix_norm(self: Tensor, ord: number, dim: List[int], keepdim: bool, dtype: Optional[int]) -> Tensor:
    return _h_matrix_norm(self if dtype is None else self.to(dtype), float(ord), dim, keepdim)


def linalg_matrix_norm__str_ord(
    self: Tensor, ord: str, dim: List[int], keepdim: bool, dtype: Optional[int]
) -> Tensor:
    return _h_matrix_norm_named(self if dtype is None else self.to(dtype), ord, dim, keepdim)


def dist(self: Tensor, other: Tensor, p: number) -> Tensor:
    return _h_norm_as(self - other, p, None, False)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float, eps: float, keepdim: bool) -> Tensor:
    return _h_norm_as(x1 - x2 + eps, p, [-1], keepdim)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int, eps: float) -> Tensor:
    n1 = torch.clamp_min(_h_norm_as(x1, 2.0, [dim], True), eps)
    n2 = torch.clamp_min(_h_norm_as(x2, 2.0, [dim], True), eps)
    return torch.sum((x1 / n1) * (x2 / n2), [dim])


def cdist(x1: Tensor, x2: Tensor, p: float, compute_mode: Optional[int]) -> Tensor:
    return _h_norm_as(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, [-1], False)
