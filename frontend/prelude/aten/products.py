# Products.

import torch
from torch import Tensor
from typing import List, Optional


def outer(self: Tensor, vec2: Tensor) -> Tensor:
    if self.dim() != 1 or vec2.dim() != 1:
        raise RuntimeError("outer: Expected 1-D argument self, but got {}-D".format(self.dim()))
    return self.unsqueeze(1) * vec2


def ger(self: Tensor, vec2: Tensor) -> Tensor:
    return outer(self, vec2)


def vdot(self: Tensor, other: Tensor) -> Tensor:
    return torch.dot(self.conj(), other)


def inner(self: Tensor, other: Tensor) -> Tensor:
    if self.dim() == 0 or other.dim() == 0:
        return self * other
    return torch.ops.aten.tensordot(self, other, [-1], [-1])


def linalg_vecdot(x: Tensor, y: Tensor, dim: int) -> Tensor:
    if not x.is_floating_point() and not x.is_complex():
        raise RuntimeError("linalg.vecdot: Expected a floating point or complex tensor as input.")
    return torch.sum(x.conj() * y, [dim])


def linalg_matmul(self: Tensor, other: Tensor) -> Tensor:
    return torch.matmul(self, other)


def addmv(self: Tensor, mat: Tensor, vec: Tensor, beta: number, alpha: number) -> Tensor:
    return torch.addmm(self.unsqueeze(-1), mat, vec.unsqueeze(1), beta=beta, alpha=alpha).squeeze(1)


def addr(self: Tensor, vec1: Tensor, vec2: Tensor, beta: number, alpha: number) -> Tensor:
    if self.dtype == torch.bool and vec1.dtype == torch.bool and vec2.dtype == torch.bool:
        both = torch.logical_and(outer(vec1, vec2), torch.full([], alpha != 0))
        return torch.logical_or(both, torch.logical_and(self, torch.full([], beta != 0)))
    product = outer(vec1, vec2) * alpha
    return product if beta == 0 else self * beta + product


def addbmm(self: Tensor, batch1: Tensor, batch2: Tensor, beta: number, alpha: number) -> Tensor:
    if _h_wide(batch1).dtype != batch1.dtype and batch1.size(0) > 0:
        # half types are rounded after each product
        total = torch.addmm(self, batch1[0], batch2[0], beta=beta, alpha=alpha)
        for i in range(1, batch1.size(0)):
            total = torch.addmm(total, batch1[i], batch2[i], alpha=alpha)
        return total
    left = batch1.transpose(0, 1).reshape([batch1.size(1), -1])
    return torch.addmm(self, left, batch2.reshape([-1, batch2.size(2)]), beta=beta, alpha=alpha)


def chain_matmul(matrices: List[Tensor]) -> Tensor:
    result = matrices[0]
    for i in range(1, len(matrices)):
        result = torch.mm(result, matrices[i])
    return result


def linalg_multi_dot(tensors: List[Tensor]) -> Tensor:
    if len(tensors) < 2:
        raise RuntimeError("multi_dot(): expected at least 2 tensors but got {}".format(len(tensors)))
    result = tensors[0]
    for i in range(1, len(tensors)):
        result = torch.matmul(result, tensors[i])
    return result


def tensordot(self: Tensor, other: Tensor, dims_self: List[int], dims_other: List[int]) -> Tensor:
    if len(dims_self) != len(dims_other):
        raise RuntimeError("both dimension lists should have same length")
    bound_left: List[int] = []
    bound_right: List[int] = []
    for i in range(len(dims_self)):
        bound_left.append(dims_self[i] + self.dim() if dims_self[i] < 0 else dims_self[i])
        bound_right.append(dims_other[i] + other.dim() if dims_other[i] < 0 else dims_other[i])
    # of a dimension of extent 1, the other side's elements are summed
    for i in range(len(bound_left)):
        if self.size(bound_left[i]) == 1 and other.size(bound_right[i]) != 1:
            other = other.sum([bound_right[i]], True).to(other.dtype)
        elif other.size(bound_right[i]) == 1 and self.size(bound_left[i]) != 1:
            self = self.sum([bound_left[i]], True).to(self.dtype)
        elif self.size(bound_left[i]) != other.size(bound_right[i]):
            raise RuntimeError(
                "contracted dimensions need to match, but first has size {} in dim {} and second has size {} in dim {}".format(
                    self.size(bound_left[i]), bound_left[i], other.size(bound_right[i]), bound_right[i]
                )
            )
    free_left: List[int] = []
    free_right: List[int] = []
    shape: List[int] = []
    common = 1
    rows = 1
    columns = 1
    for i in range(self.dim()):
        if i in bound_left:
            common = common * self.size(i)
        else:
            free_left.append(i)
            rows = rows * self.size(i)
            shape.append(self.size(i))
    for i in range(other.dim()):
        if i not in bound_right:
            free_right.append(i)
            columns = columns * other.size(i)
            shape.append(other.size(i))
    left = self.permute(free_left + bound_left).reshape([rows, common])
    right = other.permute(bound_right + free_right).reshape([common, columns])
    return torch.mm(left, right).reshape(shape)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Optional[Tensor]) -> Tensor:
    result = torch.einsum("...i,kij,...j->...k", [input1, weight, input2])
    if bias is not None:
        result = result + bias
    return result


def kron(self: Tensor, other: Tensor) -> Tensor:
    rank = max(self.dim(), other.dim())
    a = self
    b = other
    for _ in range(rank - self.dim()):
        a = a.unsqueeze(0)
    for _ in range(rank - other.dim()):
        b = b.unsqueeze(0)
    shape: List[int] = []
    for i in range(rank):
        shape.append(a.size(i) * b.size(i))
    for i in range(rank):
        a = a.unsqueeze(2 * i + 1)
        b = b.unsqueeze(2 * i)
    return (a * b).reshape(shape)


def trace(self: Tensor) -> Tensor:
    if self.dim() != 2:
        raise RuntimeError("trace: expected a matrix, but got tensor with dim {}".format(self.dim()))
    return torch.diagonal(self, 0, 0, 1).sum()


def linalg_diagonal(A: Tensor, offset: int, dim1: int, dim2: int) -> Tensor:
    return torch.diagonal(A, offset, dim1, dim2)


def linalg_cross(self: Tensor, other: Tensor, dim: int) -> Tensor:
    if self.dim() != other.dim():
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    if self.size(dim) != 3 or other.size(dim) != 3:
        raise RuntimeError(
            "linalg.cross: inputs dimension {} must have length 3. Got {} and {}".format(dim, self.size(dim), other.size(dim))
        )
    if self.dtype != other.dtype:
        raise RuntimeError(
            "expected scalar type {} but found {}".format(_h_type_name(self.dtype), _h_type_name(other.dtype))
        )
    a, b = torch.broadcast_tensors([self, other])
    a0, a1, a2 = a.select(dim, 0), a.select(dim, 1), a.select(dim, 2)
    b0, b1, b2 = b.select(dim, 0), b.select(dim, 1), b.select(dim, 2)
    return torch.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], dim)


def cross(self: Tensor, other: Tensor, dim: Optional[int]) -> Tensor:
    d = 0
    if dim is not None:
        d = dim
    else:
        while d < self.dim() - 1 and self.size(d) != 3:
            d += 1
    return linalg_cross(self, other, d)
