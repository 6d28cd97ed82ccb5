# Cholesky's factors of positive definite matrices, and solving with them.

import torch
from torch import Tensor
from typing import List, Optional, Tuple


def _h_cholesky(a: Tensor) -> Tuple[Tensor, Tensor]:
    # L with L L^H = a, of whose lower triangle alone is read; info: the first column that cannot be (from 1), or 0
    n = a.size(1)
    rows = torch.arange(n)
    lower = torch.zeros_like(a)
    info = torch.zeros([a.size(0)], dtype=torch.int32)
    for j in range(_h_run_time(n)):
        column = a[:, :, j] - (lower * _h_conj(lower[:, j]).unsqueeze(1)).sum([2])
        pivot = _h_real(column[:, j]).unsqueeze(1)
        if a.is_complex():
            column = torch.where(rows == j, pivot.to(a.dtype), column)
        good = pivot > 0
        bad = torch.logical_not(good).squeeze(1)
        info = torch.where(torch.logical_and(bad, info == 0), j + 1, info).to(torch.int32)
        lower[:, :, j] = torch.where(rows >= j, column / torch.where(good, pivot, torch.ones_like(pivot)).sqrt(), 0.0)
    return lower, info


def _h_cholesky_of(x: Tensor, upper: bool, name: str) -> Tuple[Tensor, Tensor]:
    _h_need_square(x, name)
    _h_need_kernel(x, "cholesky_cpu")
    a = _h_matrices(x)
    lower, info = _h_cholesky(_h_adjoint(a) if upper else a)
    factor = _h_adjoint(lower) if upper else lower
    return factor.reshape(x.size()), info.reshape(_h_batch(x, 2))


def linalg_cholesky_ex(self: Tensor, upper: bool, check_errors: bool) -> Tuple[Tensor, Tensor]:
    _h_need_floats(self, "linalg.cholesky")
    factor, info = _h_cholesky_of(self, upper, "linalg.cholesky")
    if check_errors:
        _h_check_cholesky(info, self.dim() == 2, "linalg.cholesky_ex")
    return factor, info


def linalg_cholesky(self: Tensor, upper: bool) -> Tensor:
    _h_need_floats(self, "linalg.cholesky")
    factor, info = _h_cholesky_of(self, upper, "linalg.cholesky")
    _h_check_cholesky(info, self.dim() == 2, "linalg.cholesky")
    return factor


def cholesky(self: Tensor, upper: bool) -> Tensor:
    factor, info = _h_cholesky_of(self, upper, "cholesky")
    _h_check_cholesky(info, self.dim() == 2, "cholesky")
    return factor


def cholesky_solve(self: Tensor, input2: Tensor, upper: bool) -> Tensor:
    if self.dim() < 2:
        raise RuntimeError("b should have at least 2 dimensions, but has {} dimensions instead".format(self.dim()))
    if input2.dim() < 2:
        raise RuntimeError("u should have at least 2 dimensions, but has {} dimensions instead".format(input2.dim()))
    if input2.size(-1) != input2.size(-2):
        raise RuntimeError(
            "cholesky_solve: A must be batches of square matrices, but they are {} by {} matrices".format(
                input2.size(-2), input2.size(-1)
            )
        )
    if input2.size(-1) != self.size(-2):
        raise RuntimeError(
            "Incompatible matrix sizes for cholesky_solve: each A matrix is {} by {} but each b matrix is {} by "
            "{}".format(input2.size(-1), input2.size(-1), self.size(-2), self.size(-1))
        )
    if self.dtype != input2.dtype:
        raise RuntimeError(
            "Expected b and A to have the same dtype, but found b of type {} and A of type {} instead".format(
                _h_type_name(self.dtype), _h_type_name(input2.dtype)
            )
        )
    _h_need_kernel(self, "cholesky_solve_cpu")
    lead = _h_lead_of(self, input2)
    whole = _h_expanded(self, lead)
    factor = _h_matrices(_h_expanded(input2, lead))
    lower = _h_adjoint(factor) if upper else factor
    y = _h_substitute(lower, _h_matrices(whole), False, False)
    return _h_substitute(_h_adjoint(lower), y, True, False).reshape(whole.size())


def cholesky_inverse(self: Tensor, upper: bool) -> Tensor:
    _h_need_square(self, "cholesky_inverse")
    _h_need_kernel(self, "cholesky_inverse_out_cpu")
    n = self.size(-1)
    factor = _h_matrices(self)
    zero = torch.diagonal(factor, 0, 1, 2) == 0
    info = torch.where(zero.any(1), torch.argmax(zero.to(torch.int32), 1) + 1, 0) if n > 0 else torch.zeros([factor.size(0)], dtype=torch.int64)
    _h_check_inverse(info, self.dim() == 2, "cholesky_inverse")
    lower = _h_adjoint(factor) if upper else factor
    ones = torch.eye(n, dtype=self.dtype).expand(factor.size())
    half = _h_substitute(lower, ones, False, False)
    return torch.matmul(_h_adjoint(half), half).reshape(self.size())
