# Powers, exponentials and products of matrices, and matrices of tensors.

import math
import torch
from torch import Tensor
from typing import List, Optional, Tuple


def linalg_matrix_power(self: Tensor, n: int) -> Tensor:
    _h_need_square(self, "linalg.matrix_power")
    if n == 0:
        return torch.eye(self.size(-1), dtype=self.dtype).expand(self.size()).clone()
    base = linalg_inv(self) if n < 0 else self
    left = abs(n)
    result = base
    started = False
    while left > 0:
        if left % 2 == 1:
            result = torch.matmul(result, base) if started else base
            started = True
        left = left // 2
        if left > 0:
            base = torch.matmul(base, base)
    return result.clone()


def matrix_power(self: Tensor, n: int) -> Tensor:
    return linalg_matrix_power(self, n)


def linalg_matrix_exp(self: Tensor) -> Tensor:
    # the Taylor series of the matrix divided by a power of two, squared as often
    _h_need_floats(self, "linalg.matrix_exp")
    _h_need_square(self, "linalg.matrix_exp")
    n = self.size(-1)
    a = _h_double(_h_matrices(self))
    if self.numel() == 0:
        return self.clone()
    size = a.abs().sum([1], True).amax([2], True)
    halvings = torch.clamp_min(torch.ceil(torch.log2(torch.clamp_min(size, 0.25))) + 1.0, 0.0)
    halvings = torch.where(torch.isfinite(size), halvings, torch.zeros_like(halvings))
    scaled = a * torch.exp2(-halvings)
    ones = torch.eye(n, dtype=a.dtype)
    result = ones + torch.zeros_like(a)
    degree = 16
    for i in range(_h_run_time(degree)):
        result = ones + torch.matmul(scaled, result) / float(degree - i)
    for i in range(int(halvings.max())):
        result = torch.where(halvings > i, torch.matmul(result, result), result)
    return result.to(self.dtype).reshape(self.size())


def matrix_exp(self: Tensor) -> Tensor:
    return linalg_matrix_exp(self)


def linalg_tensorinv(self: Tensor, ind: int) -> Tensor:
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind', but got {}".format(ind))
    last: List[int] = []
    first: List[int] = []
    rows = 1
    columns = 1
    for i in range(self.dim()):
        if i < ind:
            first.append(self.size(i))
            rows = rows * self.size(i)
        else:
            last.append(self.size(i))
            columns = columns * self.size(i)
    if rows != columns:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got {} != "
            "{}".format(columns, rows)
        )
    inverse, info = _h_inverse(self.reshape([columns, rows]))
    if int(info) > 0:
        raise RuntimeError("Failed to invert the input tensor, because it is singular.")
    return inverse.reshape(last + first)


def linalg_tensorsolve(self: Tensor, other: Tensor, dims: Optional[List[int]]) -> Tensor:
    a = self
    if dims is not None:
        moved: List[int] = []
        order: List[int] = []
        for d in dims:
            moved.append(d + self.dim() if d < 0 else d)
        for i in range(self.dim()):
            if i not in moved:
                order.append(i)
        a = self.permute(order + moved)
    shape: List[int] = []
    rows = 1
    columns = 1
    for i in range(a.dim()):
        if i < other.dim():
            rows = rows * a.size(i)
        else:
            shape.append(a.size(i))
            columns = columns * a.size(i)
    if columns != other.numel() or rows != columns:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), but "
            "got {} != {}".format(columns, other.numel())
        )
    return linalg_solve(a.reshape([columns, columns]), other.reshape([-1]), True).reshape(shape)


def linalg_vander(x: Tensor, N: Optional[int]) -> Tensor:
    if x.dtype == torch.bool:
        raise RuntimeError("linalg.vander: expected non-boolean input")
    n = 1 if x.dim() == 0 else x.size(-1)
    if N is not None:
        n = N
    if n <= 1:
        raise RuntimeError("N must be greater than 1.")
    points = x.unsqueeze(0) if x.dim() == 0 else x
    repeated = points.unsqueeze(-1).expand(points.size() + [n - 1])
    powers = torch.cumprod(repeated, -1)
    return torch.cat([torch.ones_like(points, dtype=powers.dtype).unsqueeze(-1), powers], -1)


def vander(x: Tensor, N: Optional[int], increasing: bool) -> Tensor:
    if x.dim() != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    n = x.size(0) if N is None else N
    if n < 0:
        raise RuntimeError("N must be non-negative.")
    one = torch.ones([], dtype=torch.int64)
    dtype = x.dtype if x.is_floating_point() or x.is_complex() else one.dtype
    result = torch.empty([x.size(0), 0], dtype=dtype)
    if n > 0:
        result = torch.ones([x.size(0), 1], dtype=dtype)
    if n > 1:
        powers = torch.cumprod(x.to(dtype).unsqueeze(1).expand([x.size(0), n - 1]), 1)
        result = torch.cat([result, powers], 1)
    return result if increasing else result.flip([1])
