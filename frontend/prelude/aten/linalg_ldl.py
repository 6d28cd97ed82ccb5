# L D L^T of symmetric matrices, L D L^H of Hermitian ones, D of blocks of one and two (Bunch and Kaufman), as LAPACK's sytf2,
# hetf2, sytrs and hetrs.

import math
import torch
from torch import Tensor
from typing import List, Optional, Tuple


def _h_turned(x: Tensor, hermitian: bool) -> Tensor:
    return _h_conj(x) if hermitian else x


def _h_sytf2(start: Tensor, hermitian: bool) -> Tuple[Tensor, Tensor, int]:
    # [n, n] symmetric or Hermitian: L and D in one, pivots (from 1; both of a block negative), the first zero column (from 1) or 0
    alpha = (1.0 + math.sqrt(17.0)) / 8.0
    n = start.size(0)
    a = start.clone()
    pivots = torch.zeros([n], dtype=torch.int32)
    places = torch.arange(n)
    zero = torch.zeros([n], dtype=start.dtype)
    small = torch.zeros([n], dtype=_h_real_type(start.dtype))
    info = 0
    k = 0
    while k < n:
        size = float(_h_pivot_size(a[k, k]))
        below = torch.where(places > k, _h_pivot_size(a[:, k]), small)
        largest = float(below.amax())
        chosen = k
        step = 1
        if max(size, largest) == 0.0 or math.isnan(size):
            if info == 0:
                info = k + 1
        else:
            if size < alpha * largest:
                row = int(torch.argmax(below))
                beside = float(torch.where(torch.logical_and(places >= k, places != row), _h_pivot_size(a[row]), small).amax())
                if size < alpha * largest * (largest / beside):
                    chosen = row
                    if float(_h_pivot_size(a[row, row])) < alpha * beside:
                        step = 2
            moved = k + step - 1
            if chosen != moved:
                # rows and columns change places, of what is not done
                todo = places >= k
                one = torch.where(todo, a[chosen], a[moved])
                other = torch.where(todo, a[moved], a[chosen])
                a[moved] = one
                a[chosen] = other
                one = torch.where(todo, a[:, chosen], a[:, moved])
                other = torch.where(todo, a[:, moved], a[:, chosen])
                a[:, moved] = one
                a[:, chosen] = other
            if step == 1:
                column = torch.where(places > k, a[:, k], zero)
                factor = column * (1.0 / a[k, k])
                a = a - factor.unsqueeze(1) * _h_turned(column, hermitian)
                a[:, k] = torch.where(places > k, factor, a[:, k])
            else:
                first = torch.where(places > k + 1, a[:, k], zero)
                second = torch.where(places > k + 1, a[:, k + 1], zero)
                beside_d = a[k + 1, k].clone()
                d11 = a[k + 1, k + 1] / beside_d
                d22 = a[k, k] / _h_turned(beside_d, hermitian)
                inverse = 1.0 / (d11 * d22 - 1.0)
                w1 = (d11 * first - second) * (inverse / _h_turned(beside_d, hermitian))
                w2 = (d22 * second - first) * (inverse / beside_d)
                rest = first.unsqueeze(1) * _h_turned(w1, hermitian) + second.unsqueeze(1) * _h_turned(w2, hermitian)
                a = a - rest
                a[:, k] = torch.where(places > k + 1, w1, a[:, k])
                a[:, k + 1] = torch.where(places > k + 1, w2, a[:, k + 1])
        if step == 2:
            pivots[k].fill_(-chosen - 1)
            pivots[k + 1].fill_(-chosen - 1)
        else:
            pivots[k].fill_(chosen + 1)
        k += step
    return torch.tril(a), pivots, info


def _h_need_symmetric(x: Tensor, name: str) -> None:
    _h_need_floats(x, name)
    _h_need_square(x, name)
    _h_need_kernel(x, "ldl_factor_kernel_cpu")


def linalg_ldl_factor_ex(self: Tensor, hermitian: bool, check_errors: bool) -> Tuple[Tensor, Tensor, Tensor]:
    _h_need_symmetric(self, "torch.linalg.ldl_factor_ex")
    n = self.size(-1)
    lead = _h_batch(self, 2)
    given = _h_matrices(self)
    whole = torch.tril(given) + torch.tril(given, -1).transpose(1, 2)
    if hermitian and given.is_complex():
        whole = _h_hermitian(given)
    factors = torch.zeros_like(given)
    pivots = torch.zeros([given.size(0), n], dtype=torch.int32)
    infos = torch.zeros([given.size(0)], dtype=torch.int32)
    if n > 0:
        for b in range(_h_run_time(given.size(0))):
            factor, pivot, info = _h_sytf2(whole[b], hermitian)
            factors[b] = factor
            pivots[b] = pivot
            infos[b] = info
    if check_errors:
        value, text = _h_first_info(infos, self.dim() == 2, "torch.linalg.ldl_factor_ex")
        if value != 0:
            raise RuntimeError("{}: D[{},{}] is zero".format(text, value, value))
    return factors.reshape(self.size()), pivots.reshape(lead + [n]), infos.reshape(lead)


def linalg_ldl_factor(self: Tensor, hermitian: bool) -> Tuple[Tensor, Tensor]:
    factor, pivots, info = linalg_ldl_factor_ex(self, hermitian, False)
    value, text = _h_first_info(info, self.dim() == 2, "torch.linalg.ldl_factor")
    if value != 0:
        raise RuntimeError("{}: D[{},{}] is zero".format(text, value, value))
    return factor, pivots


def _h_swapped(x: Tensor, i: int, j: int) -> Tensor:
    # with rows i and j in each other's place
    places = torch.arange(x.size(0)).unsqueeze(1)
    return torch.where(places == i, x[j], torch.where(places == j, x[i], x))


def _h_sytrs(a: Tensor, pivots: Tensor, b: Tensor, hermitian: bool) -> Tensor:
    n = a.size(0)
    x = b.clone()
    places = torch.arange(n)
    k = 0
    while k < n:
        p = int(pivots[k])
        if p > 0:
            x = _h_swapped(x, k, p - 1)
            below = torch.where(places > k, a[:, k], torch.zeros_like(a[:, k]))
            x = x - below.unsqueeze(1) * x[k]
            x[k] = x[k] / a[k, k]
            k += 1
        else:
            x = _h_swapped(x, k + 1, -p - 1)
            below = torch.where(places > k + 1, a[:, k], torch.zeros_like(a[:, k]))
            beside = torch.where(places > k + 1, a[:, k + 1], torch.zeros_like(a[:, k]))
            x = x - below.unsqueeze(1) * x[k] - beside.unsqueeze(1) * x[k + 1]
            d = a[k + 1, k]
            d11 = a[k, k] / _h_turned(d, hermitian)
            d22 = a[k + 1, k + 1] / d
            first = x[k] / _h_turned(d, hermitian)
            second = x[k + 1] / d
            x[k] = (d22 * first - second) / (d11 * d22 - 1.0)
            x[k + 1] = (d11 * second - first) / (d11 * d22 - 1.0)
            k += 2
    k = n - 1
    while k >= 0:
        p = int(pivots[k])
        below = torch.where(places > k, a[:, k], torch.zeros_like(a[:, k]))
        x[k] = x[k] - (_h_turned(below, hermitian).unsqueeze(1) * x).sum([0])
        if p > 0:
            x = _h_swapped(x, k, p - 1)
            k -= 1
        else:
            beside = torch.where(places > k, a[:, k - 1], torch.zeros_like(a[:, k]))
            x[k - 1] = x[k - 1] - (_h_turned(beside, hermitian).unsqueeze(1) * x).sum([0])
            x = _h_swapped(x, k, -p - 1)
            k -= 2
    return x


def linalg_ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, hermitian: bool) -> Tensor:
    _h_need_square(LD, "torch.linalg.ldl_solve")
    if B.dim() < 2:
        raise RuntimeError("torch.linalg.ldl_solve: Expected B to have at least 2 dimensions, but it has {} dimensions instead".format(B.dim()))
    if pivots.dtype != torch.int32:
        raise RuntimeError("torch.linalg.ldl_solve: Expected pivots to be integers. Got {}".format(_h_type_name(pivots.dtype)))
    if LD.dtype != B.dtype:
        raise RuntimeError("torch.linalg.ldl_solve: LD dtype{} does not match b dtype {}".format(_h_type_name(LD.dtype), _h_type_name(B.dtype)))
    _h_need_kernel(LD, "ldl_solve_kernel_cpu")
    _h_need_fitting(LD, B, True, "torch.linalg.ldl_solve")
    n = LD.size(-1)
    lead = _h_lead_of(LD, B)
    a = _h_matrices(_h_expanded(LD, lead))
    swaps = _h_matrices(pivots.unsqueeze(-2).expand(lead + [1, n])).squeeze(1)
    whole = _h_expanded(B, lead)
    b = _h_matrices(whole)
    x = torch.zeros_like(b)
    if n > 0:
        for i in range(_h_run_time(b.size(0))):
            x[i] = _h_sytrs(a[i], swaps[i], b[i], hermitian)
    return x.reshape(whole.size())
