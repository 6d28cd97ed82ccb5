# Householder's reflections: QR, products of reflections, least squares.

import torch
from torch import Tensor
from typing import List, Optional, Tuple


def _h_squares(x: Tensor) -> Tensor:
    return torch.real(x).square() + torch.imag(x).square() if x.is_complex() else x.square()


def _h_reflectors(x: Tensor, j: int) -> Tuple[Tensor, Tensor, Tensor]:
    # for each row of x [B, m]: v (1 at place j, 0 before), tau and real beta with (I - tau v v^H)^H x = x before j, beta at j
    places = torch.arange(x.size(1))
    alpha = x[:, j].unsqueeze(1)
    below = torch.where(places > j, x, torch.zeros_like(x))
    largest = below.abs().amax([1], True)
    zero = largest == 0
    if x.is_complex():
        zero = torch.logical_and(zero, torch.imag(alpha) == 0)
    scale = torch.maximum(largest, alpha.abs())
    scale = torch.where(zero, torch.ones_like(scale), scale)
    length = scale * (_h_squares(below / scale).sum([1], True) + _h_squares(alpha / scale)).sqrt()
    beta = torch.where(zero, _h_real(alpha), -torch.copysign(length, _h_real(alpha)))
    tau = torch.where(zero, torch.zeros_like(alpha), (beta - alpha) / torch.where(zero, torch.ones_like(beta), beta))
    v = below / torch.where(zero, torch.ones_like(alpha), alpha - beta)
    return torch.where(places == j, torch.ones_like(v), v), tau, beta


def _h_geqrf_columns(
    r: Tensor, taus: Tensor, first: int, start: int, count: int
) -> Tuple[Tensor, Tensor]:
    # `count` columns from `first` on; the first of them has row `start` on its diagonal
    rows = torch.arange(r.size(1))
    columns = torch.arange(r.size(2))
    for step in range(_h_run_time(count)):
        j = first + step
        i = start + step
        v, tau, beta = _h_reflectors(r[:, :, j], i)
        column = v.unsqueeze(2)
        product = (_h_conj(column) * r).sum([1], True) * _h_conj(tau).unsqueeze(2)
        rest = torch.where(columns > j, r - column * product, r)
        own = torch.where(rows == i, beta.to(r.dtype), torch.where(rows > i, v, r[:, :, j]))
        r = torch.where(columns == j, own.unsqueeze(2), rest)
        taus[:, i] = tau.squeeze(1)
    return r, taus


def _h_reflection_vectors(panel: Tensor, start: int) -> Tensor:
    # [B, m, w] of the packed form -> the vectors of reflections `start`, `start` + 1, ...
    places = torch.arange(panel.size(1)).unsqueeze(1) - torch.arange(panel.size(2)) - start
    return torch.where(places == 0, 1.0, torch.where(places > 0, panel, torch.zeros_like(panel))).to(panel.dtype)


def _h_reflection_triangle(v: Tensor, taus: Tensor) -> Tensor:
    # [B, w, w]: T of the product of reflections I - V T V^H
    products = torch.matmul(_h_conj(v).transpose(1, 2), v)
    places = torch.arange(v.size(2))
    t = torch.zeros_like(products)
    for i in range(_h_run_time(v.size(2))):
        tau = taus[:, i].unsqueeze(1)
        column = -tau * _h_product(t, products[:, :, i])
        t[:, :, i] = torch.where(places == i, tau, column)
    return t


def _h_blocks(n: int) -> Tuple[int, int]:
    # for n reflections: how many go together, how many times. Those too many are identities (tau = 0)
    width = min(n, 32)
    return (n + width - 1) // width, width


def _h_reflect_blocks(vs: Tensor, taus: Tensor, x: Tensor, k: int) -> Tensor:
    # the product of the k reflections in the columns of vs, [B, m, all that `_h_blocks` says], applied to x [B, m, n]
    count = x.size(0)
    m = x.size(1)
    n = x.size(2)
    y = x.clone()
    blocks, width = _h_blocks(k)
    often = _h_run_time(blocks)
    for block in range(often):
        first = (often - 1 - block) * width
        v = vs.narrow(2, first, width).reshape([count, m, width])
        t = _h_reflection_triangle(v, taus.narrow(1, first, width))
        y = y.reshape([count, m, n])
        y = y - torch.matmul(v, torch.matmul(t, torch.matmul(_h_adjoint(v), y)))
    return y


def _h_geqrf(a: Tensor) -> Tuple[Tensor, Tensor]:
    # R, below it the reflections that make Q; their factors
    m = a.size(1)
    n = a.size(2)
    k = min(m, n)
    r = a.clone()
    taus = torch.zeros([a.size(0), k], dtype=a.dtype)
    if k < 96:
        return _h_geqrf_columns(r, taus, 0, 0, k)
    # Reflections of several columns at once are products of matrices.
    columns = torch.arange(n)
    width = 32
    for block in range(_h_run_time(k // width)):
        start = block * width
        panel, taus = _h_geqrf_columns(r.narrow(2, start, width).clone(), taus, 0, start, width)
        v = _h_reflection_vectors(panel, start)
        t = _h_reflection_triangle(v, taus.narrow(1, start, width))
        inner = torch.matmul(_h_conj(v).transpose(1, 2), r)
        changed = r - torch.matmul(v, torch.matmul(_h_conj(t).transpose(1, 2), inner))
        r = torch.where(columns >= start + width, changed, r)
        r.narrow(2, start, width).copy_(panel)
    rest = k % width
    if rest == 0:
        return r, taus
    return _h_geqrf_columns(r, taus, k - rest, k - rest, rest)


def _h_reflection(v: Tensor, j: int) -> Tensor:
    # [B, m] of the packed form -> the vector of reflection j
    places = torch.arange(v.size(1))
    return torch.where(places == j, 1.0, torch.where(places > j, v, torch.zeros_like(v))).to(v.dtype)


def _h_reflect_columns(
    packed: Tensor, taus: Tensor, y: Tensor, transposed: bool, first: int, count: int
) -> Tensor:
    often = _h_run_time(count)
    for i in range(often):
        j = first + (i if transposed else often - 1 - i)
        v = _h_reflection(packed[:, :, j], j).unsqueeze(2)
        tau = taus[:, j].reshape([-1, 1, 1])
        y = y - v * ((_h_conj(v) * y).sum([1], True) * (_h_conj(tau) if transposed else tau))
    return y


def _h_reflect(packed: Tensor, taus: Tensor, x: Tensor, transposed: bool) -> Tensor:
    # Q x or Q^H x
    y = x.clone()
    count = taus.size(1)
    if count < 96:
        return _h_reflect_columns(packed, taus, y, transposed, 0, count)
    width = 32
    rest = count % width
    if rest > 0 and not transposed:
        y = _h_reflect_columns(packed, taus, y, transposed, count - rest, rest)
    often = _h_run_time(count // width)
    for i in range(often):
        start = width * (i if transposed else often - 1 - i)
        v = _h_reflection_vectors(packed.narrow(2, start, width), start)
        t = _h_reflection_triangle(v, taus.narrow(1, start, width))
        t = _h_conj(t).transpose(1, 2) if transposed else t
        y = y - torch.matmul(v, torch.matmul(t, torch.matmul(_h_conj(v).transpose(1, 2), y)))
    if rest > 0 and transposed:
        y = _h_reflect_columns(packed, taus, y, transposed, count - rest, rest)
    return y


def _h_columns_of_one(count: int, m: int, k: int, dtype: int) -> Tensor:
    return torch.eye(m, k, dtype=dtype).expand([count, m, k])


def linalg_qr(A: Tensor, mode: str) -> Tuple[Tensor, Tensor]:
    if mode != "reduced" and mode != "complete" and mode != "r":
        raise RuntimeError(
            "qr received unrecognized mode '{}' but expected one of 'reduced' (default), 'r', or 'complete'".format(mode)
        )
    _h_need_matrix(A, "linalg.qr", "A")
    _h_need_floats(A, "linalg.qr")
    _h_need_kernel(A, "geqrf_cpu")
    m = A.size(-2)
    n = A.size(-1)
    k = min(m, n)
    a = _h_matrices(A)
    packed, taus = _h_geqrf(a)
    rows = m if mode == "complete" else k
    r = torch.triu(packed[:, :rows]).reshape(_h_batch(A, 2) + [rows, n])
    if mode == "r":
        return torch.empty([0], dtype=A.dtype), r
    q = _h_reflect(packed, taus, _h_columns_of_one(a.size(0), m, rows, A.dtype), False)
    return q.reshape(_h_batch(A, 2) + [m, rows]), r


def qr(self: Tensor, some: bool) -> Tuple[Tensor, Tensor]:
    return linalg_qr(self, "reduced" if some else "complete")


def geqrf(self: Tensor) -> Tuple[Tensor, Tensor]:
    _h_need_matrix(self, "torch.geqrf", "input")
    _h_need_kernel(self, "geqrf_cpu")
    packed, taus = _h_geqrf(_h_matrices(self))
    return packed.reshape(self.size()), taus.reshape(_h_batch(self, 2) + [min(self.size(-2), self.size(-1))])


def linalg_householder_product(input: Tensor, tau: Tensor) -> Tensor:
    if input.dim() < 2:
        raise RuntimeError("torch.linalg.householder_product: input must have at least 2 dimensions.")
    if input.size(-2) < input.size(-1):
        raise RuntimeError(
            "torch.linalg.householder_product: input.shape[-2] must be greater than or equal to input.shape[-1]"
        )
    if input.size(-1) < tau.size(-1):
        raise RuntimeError(
            "torch.linalg.householder_product: input.shape[-1] must be greater than or equal to tau.shape[-1]"
        )
    if input.dim() - tau.dim() != 1:
        raise RuntimeError(
            "torch.linalg.householder_product: Expected tau to have one dimension less than input, but got tau.ndim equal "
            "to {} and input.ndim is equal to {}".format(tau.dim(), input.dim())
        )
    if tau.dtype != input.dtype:
        raise RuntimeError(
            "torch.linalg.householder_product: tau dtype {} does not match input dtype {}".format(
                _h_type_name(tau.dtype), _h_type_name(input.dtype)
            )
        )
    _h_need_kernel(input, "orgqr_cpu")
    packed = _h_matrices(input)
    ones = _h_columns_of_one(packed.size(0), input.size(-2), input.size(-1), input.dtype)
    return _h_reflect(packed, tau.reshape([packed.size(0), tau.size(-1)]), ones, False).reshape(input.size())


def orgqr(self: Tensor, input2: Tensor) -> Tensor:
    return linalg_householder_product(self, input2)


def ormqr(self: Tensor, input2: Tensor, input3: Tensor, left: bool, transpose: bool) -> Tensor:
    if self.dim() < 2:
        raise RuntimeError("torch.ormqr: input must have at least 2 dimensions.")
    if input3.dim() < 2:
        raise RuntimeError("torch.ormqr: other must have at least 2 dimensions.")
    size = input3.size(-2 if left else -1)
    if size < input2.size(-1):
        raise RuntimeError(
            "torch.ormqr: other.shape[{}] must be greater than or equal to tau.shape[-1]".format(-2 if left else -1)
        )
    if size != self.size(-2):
        raise RuntimeError("torch.ormqr: other.shape[{}] must be equal to input.shape[-2]".format(-2 if left else -1))
    if self.dtype != input2.dtype:
        raise RuntimeError("torch.ormqr: Expected input and tau to have the same dtype")
    if self.dtype != input3.dtype:
        raise RuntimeError("torch.ormqr: Expected input and other to have the same dtype")
    _h_need_kernel(self, "ormqr_cpu")
    packed = _h_matrices(self)
    other = _h_matrices(input3)
    taus = input2.reshape([packed.size(0), input2.size(-1)])
    if left:
        return _h_reflect(packed, taus, other, transpose).reshape(input3.size())
    return _h_adjoint(_h_reflect(packed, taus, _h_adjoint(other), not transpose)).reshape(input3.size())
