# Gauss's elimination: LU, solving, inverses, determinants.

import torch
from torch import Tensor
from typing import List, Optional, Tuple


def _h_pivot_size(x: Tensor) -> Tensor:
    # by which LAPACK chooses pivots
    return torch.real(x).abs() + torch.imag(x).abs() if x.is_complex() else x.abs()


def _h_lu_columns(
    lu: Tensor, pivots: Tensor, info: Tensor, first: int, start: int, count: int
) -> Tuple[Tensor, Tensor, Tensor]:
    # `count` columns from `first` on; the pivot of the first of them is in row `start`. Rows are swapped in `lu` alone.
    m = lu.size(1)
    n = lu.size(2)
    rows = torch.arange(m)
    columns = torch.arange(n)
    for step in range(_h_run_time(count)):
        j = first + step
        i = start + step
        size = _h_pivot_size(lu[:, :, j])
        size = torch.where(rows >= i, size, torch.full([], -1.0, dtype=size.dtype))
        p = torch.argmax(torch.where(size == size, size, torch.full([], -0.5, dtype=size.dtype)), 1)
        pivots[:, i] = (p + 1).to(torch.int32)
        upper = torch.gather(lu, 1, p.reshape([-1, 1, 1]).expand([-1, 1, n]))
        from_i = (rows == p.unsqueeze(1)).unsqueeze(2)
        swapped = torch.where((rows == i).unsqueeze(1), upper, torch.where(from_i, lu[:, i].unsqueeze(1), lu))
        pivot = upper[:, :, j]
        singular = pivot == 0
        info = torch.where(torch.logical_and(singular.squeeze(1), info == 0), i + 1, info).to(torch.int32)
        scale = 1.0 / torch.where(singular, torch.ones_like(pivot), pivot)
        factor = torch.where(rows > i, swapped[:, :, j] * scale, torch.zeros_like(pivot)).unsqueeze(2)
        rest = swapped - factor * torch.where(columns > j, upper, torch.zeros_like(upper))
        here = torch.logical_and((rows > i).unsqueeze(1), columns == j)
        lu = torch.where(here, factor, rest)
    return lu, pivots, info


def _h_lu(a: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    # L and U in one, the row that each row was swapped with (from 1), the first zero on U's diagonal (from 1) or 0
    m = a.size(1)
    n = a.size(2)
    k = min(m, n)
    lu = a.clone()
    pivots = torch.zeros([a.size(0), k], dtype=torch.int32)
    info = torch.zeros([a.size(0)], dtype=torch.int32)
    if k < 96:
        return _h_lu_columns(lu, pivots, info, 0, 0, k)
    # As many columns at once as make the rest a product of matrices.
    rows = torch.arange(m)
    columns = torch.arange(n)
    width = 32
    for block in range(_h_run_time(k // width)):
        start = block * width
        panel, pivots, info = _h_lu_columns(lu.narrow(2, start, width).clone(), pivots, info, 0, start, width)
        order = torch.zeros([a.size(0), m], dtype=torch.int64) + rows
        for step in range(_h_run_time(width)):
            i = start + step
            p = pivots[:, i].to(torch.int64).unsqueeze(1) - 1
            other = torch.gather(order, 1, p)
            order = torch.where(rows == i, other, torch.where(rows == p, order[:, i].unsqueeze(1), order))
        moved = torch.gather(lu, 1, order.unsqueeze(2).expand([-1, -1, n]))
        after = columns >= start + width
        corner = panel.narrow(1, start, width)
        top = moved.narrow(1, start, width)
        solved = torch.where(after, _h_substitute(corner, top, False, True), torch.zeros_like(top))
        below = torch.where((rows >= start + width).unsqueeze(1), panel, torch.zeros_like(panel))
        lu = moved - torch.matmul(below, solved)
        lu.narrow(1, start, width).copy_(torch.where(after, solved, lu.narrow(1, start, width)))
        lu.narrow(2, start, width).copy_(panel)
    rest = k % width
    if rest == 0:
        return lu, pivots, info
    return _h_lu_columns(lu, pivots, info, k - rest, k - rest, rest)


def _h_permutation(pivots: Tensor, m: int) -> Tensor:
    # [B, m]: which row of A is row i of L U
    places = torch.arange(m)
    order = torch.zeros([pivots.size(0), m], dtype=torch.int64) + places
    for j in range(_h_run_time(pivots.size(1))):
        p = pivots[:, j].to(torch.int64).unsqueeze(1) - 1
        other = torch.gather(order, 1, p)
        order = torch.where(places == j, other, torch.where(places == p, order[:, j].unsqueeze(1), order))
    return order


def _h_lu_parts(lu: Tensor) -> Tuple[Tensor, Tensor]:
    m = lu.size(-2)
    n = lu.size(-1)
    k = min(m, n)
    lower = torch.tril(lu[..., :k], -1) + torch.eye(m, k, dtype=lu.dtype)
    return lower, torch.triu(lu[..., :k, :])


def _h_lu_apply(lu: Tensor, pivots: Tensor, b: Tensor, transposed: bool) -> Tensor:
    # x with A x = b (A^T x = b if `transposed`); b [B, n, k]
    order = _h_permutation(pivots, lu.size(1)).unsqueeze(2).expand([-1, -1, b.size(2)])
    if transposed:
        across = lu.transpose(1, 2)
        y = _h_substitute(across, b, False, False)
        y = _h_substitute(across, y, True, True)
        return torch.scatter(torch.zeros_like(y), 1, order, y)
    y = _h_substitute(lu, torch.gather(b, 1, order), False, True)
    return _h_substitute(lu, y, True, False)


def _h_need_lu(A: Tensor, name: str, short: str, pivot: bool) -> None:
    if A.dim() < 2:
        raise RuntimeError("{}: Expected tensor with 2 or more dimensions. Got size: {} instead".format(name, A.size()))
    _h_need_kernel(A, "lu_cpu")
    if not pivot:
        raise RuntimeError("{}: LU without pivoting is not implemented on the CPU".format(short))


def _h_factor(A: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    lead = _h_batch(A, 2)
    lu, pivots, info = _h_lu(_h_matrices(A))
    k = min(A.size(-2), A.size(-1))
    return lu.reshape(A.size()), pivots.reshape(lead + [k]), info.reshape(lead)


def linalg_lu_factor_ex(A: Tensor, pivot: bool, check_errors: bool) -> Tuple[Tensor, Tensor, Tensor]:
    _h_need_lu(A, "torch.lu_factor", "linalg.lu_factor", pivot)
    lu, pivots, info = _h_factor(A)
    if check_errors:
        _h_check_factor(info, A.dim() == 2, "torch.linalg.lu_factor_ex")
    return lu, pivots, info


def _lu_with_info(self: Tensor, pivot: bool, check_errors: bool) -> Tuple[Tensor, Tensor, Tensor]:
    return linalg_lu_factor_ex(self, pivot, False)  # it never looks at check_errors


def linalg_lu_factor(A: Tensor, pivot: bool) -> Tuple[Tensor, Tensor]:
    _h_need_lu(A, "torch.lu_factor", "linalg.lu_factor", pivot)
    lu, pivots, info = _h_factor(A)
    _h_check_factor(info, A.dim() == 2, "torch.linalg.lu_factor")
    return lu, pivots


def _h_permutation_matrix(pivots: Tensor, m: int, dtype: int) -> Tensor:
    lead = _h_batch(pivots, 1)
    k = pivots.size(-1)
    count = 1
    for extent in lead:
        count = count * extent
    order = _h_permutation(pivots.reshape([count, k]), m)
    matrix = (torch.arange(m).unsqueeze(1) == order.unsqueeze(1)).to(dtype)
    return matrix.reshape(lead + [m, m])


def linalg_lu(A: Tensor, pivot: bool) -> Tuple[Tensor, Tensor, Tensor]:
    _h_need_lu(A, "linalg.lu", "linalg.lu_factor", pivot)
    lu, pivots, info = _h_factor(A)
    lower, upper = _h_lu_parts(lu)
    return _h_permutation_matrix(pivots, A.size(-2), A.dtype), lower, upper


def lu_unpack(
    LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool, unpack_pivots: bool
) -> Tuple[Tensor, Tensor, Tensor]:
    if unpack_pivots and LU_pivots.dtype != torch.int32:
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.\n"
            "Note: this function is intended to be used with the output produced by torch.linalg.lu_factor"
        )
    p = torch.empty([0], dtype=LU_data.dtype)
    lower = torch.empty([0], dtype=LU_data.dtype)
    upper = torch.empty([0], dtype=LU_data.dtype)
    if unpack_pivots:
        p = _h_permutation_matrix(LU_pivots, LU_data.size(-2), LU_data.dtype)
    if unpack_data:
        lower, upper = _h_lu_parts(LU_data)
    return p, lower, upper


def linalg_lu_solve(LU: Tensor, pivots: Tensor, B: Tensor, left: bool, adjoint: bool) -> Tensor:
    _h_need_floats(LU, "torch.linalg.lu_solve")
    if LU.dtype != B.dtype:
        raise RuntimeError(
            "linalg.lu_solve: Expected LU and B to have the same dtype, but found LU of type {} and B of type {} "
            "instead".format(_h_type_name(LU.dtype), _h_type_name(B.dtype))
        )
    if pivots.dtype != torch.int32:
        raise RuntimeError("linalg.lu_solve: pivots should be a Tensor of scalar type torch.int32")
    _h_need_square(LU, "torch.linalg.lu_solve")
    _h_need_fitting(LU, B, left, "torch.linalg.lu_solve")
    lead = _h_lead_of(LU, B)
    lu = _h_matrices(_h_expanded(LU, lead))
    n = LU.size(-1)
    swaps = _h_matrices(pivots.unsqueeze(-2).expand(lead + [1, n])).squeeze(1)
    b = _h_expanded(B, lead)
    if adjoint:
        lu = _h_conj(lu)
    if left:
        return _h_lu_apply(lu, swaps, _h_matrices(b), adjoint).reshape(b.size())
    return _h_lu_apply(lu, swaps, _h_matrices(b.transpose(-2, -1)), not adjoint).transpose(-2, -1).reshape(b.size())


def lu_solve(self: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    return linalg_lu_solve(LU_data, LU_pivots, self, True, False)


# solving and inverses


def _h_need_fitting(A: Tensor, B: Tensor, left: bool, name: str) -> None:
    _h_need_matrix(B, name, "B")
    if left:
        if A.size(-2) != B.size(-2):
            raise RuntimeError(
                "{}: Incompatible shapes of A and B for the equation AX = B ({}x{} and {}x{})".format(
                    name, A.size(-2), A.size(-1), B.size(-2), B.size(-1)
                )
            )
    elif A.size(-1) != B.size(-1):
        raise RuntimeError(
            "{}: Incompatible shapes of A and B for the equation XA = B ({}x{} and {}x{})".format(
                name, A.size(-2), A.size(-1), B.size(-2), B.size(-1)
            )
        )


def _h_is_vector(A: Tensor, B: Tensor) -> bool:
    # whether B is a batch of vectors rather than of matrices
    if B.dim() == 1:
        return True
    if B.dim() != A.dim() - 1:
        return False
    for i in range(B.dim()):
        if A.size(i) != B.size(i):
            return False
    return True


def _h_solve(A: Tensor, B: Tensor, left: bool) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    # X, LU, pivots, info
    _h_need_floats(A, "linalg.solve")
    if A.dtype != B.dtype:
        raise RuntimeError(
            "linalg.solve: Expected A and B to have the same dtype, but found A of type {} and B of type {} "
            "instead".format(_h_type_name(A.dtype), _h_type_name(B.dtype))
        )
    _h_need_kernel(A, "lu_cpu")
    _h_need_square(A, "linalg.solve")
    vector = _h_is_vector(A, B)
    if vector and not left:
        raise RuntimeError(
            "linalg.solve: Vector broadcasting of the left hand side is not supported for left=False. In this case "
            "linalg.solve is equivalent to B / A.squeeze(-1)"
        )
    right = B.unsqueeze(-1) if vector else B
    _h_need_fitting(A, right, left, "linalg.solve")
    lu, pivots, info = _h_factor(A)
    lead = _h_lead_of(A, right)
    n = A.size(-1)
    across = _h_matrices(_h_expanded(lu, lead))
    swaps = _h_matrices(pivots.unsqueeze(-2).expand(lead + [1, n])).squeeze(1)
    b = _h_expanded(right, lead)
    if left:
        x = _h_lu_apply(across, swaps, _h_matrices(b), False).reshape(b.size())
    else:
        x = _h_lu_apply(across, swaps, _h_matrices(b.transpose(-2, -1)), True).transpose(-2, -1).reshape(b.size())
    return x.squeeze(-1) if vector else x, lu, pivots, info


def linalg_solve_ex(A: Tensor, B: Tensor, left: bool, check_errors: bool) -> Tuple[Tensor, Tensor]:
    x, lu, pivots, info = _h_solve(A, B, left)
    if check_errors:
        _h_check_solve(info, A.dim() == 2, "torch.linalg.solve_ex")
    return x, info


def linalg_solve(A: Tensor, B: Tensor, left: bool) -> Tensor:
    x, lu, pivots, info = _h_solve(A, B, left)
    _h_check_solve(info, A.dim() == 2, "torch.linalg.solve")
    return x


def _h_inverse(A: Tensor) -> Tuple[Tensor, Tensor]:
    _h_need_wide(A, "linalg.inv")
    _h_need_square(A, "linalg.inv")
    n = A.size(-1)
    lu, pivots, info = _h_lu(_h_matrices(A))
    order = _h_permutation(pivots, n)
    ones = (torch.arange(n) == order.unsqueeze(2)).to(A.dtype)
    x = _h_substitute(lu, _h_substitute(lu, ones, False, True), True, False)
    return x.reshape(A.size()), info.reshape(_h_batch(A, 2))


def linalg_inv_ex(A: Tensor, check_errors: bool) -> Tuple[Tensor, Tensor]:
    x, info = _h_inverse(A)
    if check_errors:
        _h_check_inverse(info, A.dim() == 2, "linalg.inv_ex")
    return x, info


def linalg_inv(A: Tensor) -> Tensor:
    x, info = _h_inverse(A)
    _h_check_inverse(info, A.dim() == 2, "linalg.inv")
    return x


def inverse(self: Tensor) -> Tensor:
    return linalg_inv(self)


def linalg_solve_triangular(self: Tensor, B: Tensor, upper: bool, left: bool, unitriangular: bool) -> Tensor:
    if self.dtype != B.dtype:
        raise RuntimeError(
            "linalg.solve_triangular: Expected A and B to have the same dtype, but found A of type {} and B of type {} "
            "instead".format(_h_type_name(self.dtype), _h_type_name(B.dtype))
        )
    _h_need_square(self, "linalg.solve_triangular")
    _h_need_fitting(self, B, left, "linalg.solve_triangular")
    _h_need_kernel(self, "triangular_solve_cpu")
    lead = _h_lead_of(self, B)
    a = _h_matrices(_h_expanded(self, lead))
    b = _h_expanded(B, lead)
    if left:
        return _h_substitute(a, _h_matrices(b), upper, unitriangular).reshape(b.size())
    x = _h_substitute(a.transpose(1, 2), _h_matrices(b.transpose(-2, -1)), not upper, unitriangular)
    return x.transpose(1, 2).reshape(b.size())


def triangular_solve(
    self: Tensor, A: Tensor, upper: bool, transpose: bool, unitriangular: bool
) -> Tuple[Tensor, Tensor]:
    _h_need_matrix(self, "torch.triangular_solve", "b")
    _h_need_matrix(A, "torch.triangular_solve", "A")
    _h_need_square(A, "triangular_solve")
    _h_need_fitting(A, self, True, "triangular_solve")
    _h_need_kernel(A, "triangular_solve_cpu")
    lead = _h_lead_of(A, self)
    whole = _h_expanded(A, lead)
    a = _h_matrices(whole)
    b = _h_expanded(self, lead)
    if transpose:
        a = a.transpose(1, 2)
    x = _h_substitute(a, _h_matrices(b), upper != transpose, unitriangular)
    return x.reshape(b.size()), whole.clone()


# determinants


def _h_swap_sign(pivots: Tensor, dtype: int) -> Tensor:
    # [..., k] -> [...]: -1 for an odd number of swaps
    swaps = (pivots != torch.arange(1, pivots.size(-1) + 1)).sum([-1])
    return (1 - 2 * (swaps % 2)).to(dtype)


def _h_determinant(A: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    lu, pivots, info = _h_factor(A)
    diagonal = torch.diagonal(lu, 0, -2, -1)
    return _h_swap_sign(pivots, A.dtype) * diagonal.prod(-1), lu, pivots


def linalg_det(A: Tensor) -> Tensor:
    _h_need_floats(A, "linalg.det")
    _h_need_square(A, "linalg.det")
    _h_need_kernel(A, "lu_cpu")
    result, lu, pivots = _h_determinant(A)
    return result


def det(self: Tensor) -> Tensor:
    return linalg_det(self)


def _h_slogdet(A: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    _h_need_wide(A, "linalg.slogdet")
    _h_need_square(A, "linalg.slogdet")
    lu, pivots, info = _h_factor(A)
    diagonal = torch.diagonal(lu, 0, -2, -1)
    sign = _h_swap_sign(pivots, A.dtype) * diagonal.sgn().prod(-1)
    return sign, diagonal.abs().log().sum([-1]), lu, pivots


def linalg_slogdet(A: Tensor) -> Tuple[Tensor, Tensor]:
    sign, size, lu, pivots = _h_slogdet(A)
    return sign, size


def slogdet(self: Tensor) -> Tuple[Tensor, Tensor]:
    sign, size, lu, pivots = _h_slogdet(self)
    return sign, size


def logdet(self: Tensor) -> Tensor:
    _h_need_wide(self, "logdet")
    _h_need_square(self, "logdet")
    sign, size, lu, pivots = _h_slogdet(self)
    if self.is_complex():
        return size + sign.log()
    return torch.where(sign == -1, torch.full_like(size, float("nan")), size)
