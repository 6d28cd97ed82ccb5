# What the linear algebra uses: checks of matrices, batches, errors by matrix.
#
# A matrix is [B, m, n] here: leading dimensions are made one before, and put back after. The algorithms go over the
# columns of all matrices of the batch at once, with masks in place of shorter and shorter parts.

import math
import torch
from torch import Tensor
from typing import List, Tuple


def _h_run_time(n: int) -> int:
    # the same number, which the specialiser does not know: a loop over it is not unrolled
    if n == 0:
        return 0
    number = torch.zeros([], dtype=torch.int64)
    number.fill_(n)
    return int(number)


def _h_type_name(dtype: int) -> str:
    names = ["Byte", "Char", "Short", "Int", "Long", "Half", "Float", "Double", "ComplexHalf", "ComplexFloat"]
    names += ["ComplexDouble", "Bool"]
    return "BFloat16" if dtype == 15 else names[dtype] if dtype < 12 else "integers"


def _h_half(x: Tensor) -> bool:
    return x.dtype == torch.float16 or x.dtype == torch.bfloat16


def _h_conj(x: Tensor) -> Tensor:
    return torch.conj_physical(x) if x.is_complex() else x


def _h_adjoint(x: Tensor) -> Tensor:
    return _h_conj(x.transpose(-2, -1))


def _h_real(x: Tensor) -> Tensor:
    return torch.real(x) if x.is_complex() else x


def _h_real_type(dtype: int) -> int:
    # of the parts of complex numbers
    return torch.float32 if dtype == torch.complex64 else torch.float64 if dtype == torch.complex128 else dtype


def _h_double(x: Tensor) -> Tensor:
    return x.to(torch.complex128 if x.is_complex() else torch.float64)


def _h_product(a: Tensor, x: Tensor) -> Tensor:
    # [B, m, n], [B, n]
    return (a * x.unsqueeze(1)).sum([2])


def _h_parts(a: Tensor) -> Tensor:
    # [B, m, n], complex -> [B, m, 2n], real
    return torch.view_as_real(a).reshape([a.size(0), a.size(1), 2 * a.size(2)]) if a.is_complex() else a


def _h_across(parts: Tensor, x: Tensor) -> Tensor:
    # a^H x: [B, m, n] as `_h_parts`, [B, m]. Sums over rows are of vectors then
    if not x.is_complex():
        return (parts * x.unsqueeze(2)).sum([1])
    p = (parts * torch.real(x).unsqueeze(2)).sum([1]).reshape([x.size(0), -1, 2])
    q = (parts * torch.imag(x).unsqueeze(2)).sum([1]).reshape([x.size(0), -1, 2])
    return torch.complex(p[:, :, 0] + q[:, :, 1], q[:, :, 0] - p[:, :, 1])


def _h_need_floats(x: Tensor, name: str) -> None:
    if not (x.is_floating_point() or x.is_complex()):
        raise RuntimeError("{}: Expected a floating point or complex tensor as input. Got {}".format(name, _h_type_name(x.dtype)))


def _h_need_wide(x: Tensor, name: str) -> None:
    _h_need_floats(x, name)
    if _h_half(x):
        raise RuntimeError("{}: Low precision dtypes not supported. Got {}".format(name, _h_type_name(x.dtype)))


def _h_need_kernel(x: Tensor, kernel: str) -> None:
    if not x.is_floating_point() and not x.is_complex() or _h_half(x):
        raise RuntimeError("\"{}\" not implemented for '{}'".format(kernel, _h_type_name(x.dtype)))


def _h_need_matrix(x: Tensor, name: str, argument: str) -> None:
    if x.dim() < 2:
        raise RuntimeError("{}: The input tensor {} must have at least 2 dimensions.".format(name, argument))


def _h_need_square(x: Tensor, name: str) -> None:
    _h_need_matrix(x, name, "A")
    if x.size(-1) != x.size(-2):
        raise RuntimeError(
            "{}: A must be batches of square matrices, but they are {} by {} matrices".format(name, x.size(-2), x.size(-1))
        )


def _h_batch(x: Tensor, last: int) -> List[int]:
    # the extents before the last ones
    lead: List[int] = []
    for i in range(x.dim() - last):
        lead.append(x.size(i))
    return lead


def _h_matrices(x: Tensor) -> Tensor:
    # [B, m, n]
    count = 1
    for i in range(x.dim() - 2):
        count = count * x.size(i)
    return x.reshape([count, x.size(-2), x.size(-1)])


def _h_lead_of(x: Tensor, y: Tensor) -> List[int]:
    # to which the leading dimensions of two batches of matrices broadcast
    rank = max(x.dim(), y.dim()) - 2
    lead: List[int] = []
    for i in range(rank):
        p = i - rank + x.dim() - 2
        q = i - rank + y.dim() - 2
        a = x.size(p) if p >= 0 else 1
        b = y.size(q) if q >= 0 else 1
        lead.append(b if a == 1 else a)
    return lead


def _h_expanded(x: Tensor, lead: List[int]) -> Tensor:
    return x.expand(lead + [x.size(-2), x.size(-1)])


def _h_first_info(info: Tensor, one: bool, name: str) -> Tuple[int, str]:
    # the first of the numbers that is not 0, and what an error about it begins with
    flat = info.reshape([-1])
    value = 0
    text = name
    if bool((flat != 0).any()):
        place = int(torch.argmax((flat != 0).to(torch.int64)))
        value = int(flat[place])
        if not one:
            text = "{}: (Batch element {})".format(name, place)
    return value, text


def _h_check_inverse(info: Tensor, one: bool, name: str) -> None:
    value, text = _h_first_info(info, one, name)
    if value != 0:
        raise RuntimeError(
            "{}: The diagonal element {} is zero, the inversion could not be completed because the input matrix is "
            "singular.".format(text, value)
        )


def _h_check_solve(info: Tensor, one: bool, name: str) -> None:
    value, text = _h_first_info(info, one, name)
    if value != 0:
        raise RuntimeError("{}: The solver failed because the input matrix is singular.".format(text))


def _h_check_factor(info: Tensor, one: bool, name: str) -> None:
    value, text = _h_first_info(info, one, name)
    if value != 0:
        raise RuntimeError(
            "{}: U[{},{}] is zero and using it on lu_solve would result in a division by zero. If you still want to "
            "perform the factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)".format(
                text, value, value
            )
        )


def _h_check_cholesky(info: Tensor, one: bool, name: str) -> None:
    value, text = _h_first_info(info, one, name)
    if value != 0:
        raise RuntimeError(
            "{}: The factorization could not be completed because the input is not positive-definite (the leading minor "
            "of order {} is not positive-definite).".format(text, value)
        )


def _h_check_eigen(info: Tensor, one: bool, name: str) -> None:
    value, text = _h_first_info(info, one, name)
    if value != 0:
        raise RuntimeError(
            "{}: The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated "
            "eigenvalues (error code: {}).".format(text, value)
        )


def _h_check_svd(info: Tensor, one: bool, name: str) -> None:
    value, text = _h_first_info(info, one, name)
    if value < 0:
        raise RuntimeError(
            "{}: The algorithm failed to converge because the input matrix contained non-finite values.".format(text)
        )
    if value > 0:
        raise RuntimeError(
            "{}: The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated "
            "singular values (error code: {}).".format(text, value)
        )


# triangular systems


def _h_substitute(a: Tensor, b: Tensor, upper: bool, unit: bool) -> Tensor:
    # x with a x = b: [B, n, n], [B, n, k]; what is not in the triangle is not read
    n = a.size(1)
    strict = torch.triu(a, 1) if upper else torch.tril(a, -1)
    diagonal = torch.diagonal(a, 0, 1, 2)
    x = torch.zeros_like(b)
    often = _h_run_time(n)
    for j in range(often):
        i = often - 1 - j if upper else j
        row = b[:, i] - (strict[:, i].unsqueeze(2) * x).sum([1])
        x[:, i] = row if unit else row / diagonal[:, i].unsqueeze(1)
    return x
