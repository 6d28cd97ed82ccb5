# Eigenvalues and eigenvectors of symmetric matrices: reduction to tridiagonal form, then QL or QR with implicit shifts.
# In float64 throughout, and step by step as MKL's syevd for small matrices (sytd2, steqr), so that signs are its own.

import math
import torch
from torch import Tensor
from typing import List, Optional, Tuple


def _h_rotation(f: float, g: float) -> Tuple[float, float, float]:
    # c, s, r with [c s; -s c] [f; g] = [r; 0]; signs as in LAPACK before 3.10, which MKL has kept
    c = 1.0
    s = 0.0
    r = f
    if g != 0.0:
        if f == 0.0:
            c = 0.0
            s = 1.0
            r = g
        else:
            scale = max(abs(f), abs(g))
            r = math.sqrt((f / scale) * (f / scale) + (g / scale) * (g / scale)) * scale
            if f < 0.0 and abs(f) > abs(g):
                r = -r
            c = f / r
            s = g / r
    return c, s, r


def _h_length(a: float, b: float) -> float:
    w = max(abs(a), abs(b))
    z = min(abs(a), abs(b))
    return w if z == 0.0 else w * math.sqrt(1.0 + (z / w) * (z / w))


def _h_symmetric_two(a: float, b: float, c: float) -> Tuple[float, float, float, float]:
    # [a b; b c]: the eigenvalue of larger absolute value, the other, the unit vector (cs, sn) of the first
    df = a - c
    tb = b + b
    ab = abs(tb)
    largest = a if abs(a) > abs(c) else c
    smallest = c if abs(a) > abs(c) else a
    rt = _h_length(df, ab)
    first = 0.5 * rt
    second = -0.5 * rt
    sign = 1
    if a + c != 0.0:
        if a + c < 0.0:
            sign = -1
        first = 0.5 * (a + c + (rt if sign > 0 else -rt))
        second = (largest / first) * smallest - (b / first) * b
    cs = df + rt
    turned = sign == 1
    if df < 0.0:
        cs = df - rt
        turned = sign == -1
    c1 = 1.0
    s1 = 0.0
    if abs(cs) > ab:
        t = -tb / cs
        s1 = 1.0 / math.sqrt(1.0 + t * t)
        c1 = t * s1
    elif ab != 0.0:
        t = -cs / tb
        c1 = 1.0 / math.sqrt(1.0 + t * t)
        s1 = t * c1
    return first, second, -s1 if turned else c1, c1 if turned else s1


def _h_tridiagonal(a: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    # a = Q T Q^H, [B, n, n]: T's diagonal, the elements beside it, the vectors (columns) and factors of Q's reflections.
    # What the reflections of a block make of a is a - l m^H, a product of matrices when the block is done.
    count = a.size(0)
    n = a.size(1)
    blocks, width = _h_blocks(n)
    w = a.clone()
    vs = torch.zeros([count, n, blocks * width], dtype=a.dtype)
    taus = torch.zeros([count, blocks * width], dtype=a.dtype)
    d = torch.zeros([count, n], dtype=_h_real_type(a.dtype))
    e = torch.zeros([count, n], dtype=_h_real_type(a.dtype))
    often = _h_run_time(n)
    for block in range(_h_run_time(blocks)):
        w = w.reshape([count, n, n])
        l = torch.zeros([count, n, 2 * width], dtype=a.dtype)
        m = torch.zeros([count, n, 2 * width], dtype=a.dtype)
        first = block * width
        for j in range(min(width, often - first)):
            i = first + j
            x = w[:, :, i] - _h_product(l, _h_conj(m[:, i]))
            d[:, i] = _h_real(x[:, i])
            if i < often - 1:
                v, tau, beta = _h_reflectors(x, i + 1)
                e[:, i] = beta.squeeze(1)
                vs[:, :, i] = v
                taus[:, i] = tau.squeeze(1)
                x = (_h_product(w, v) - _h_product(l, _h_across(_h_parts(m), v))) * tau
                x = x - (0.5 * tau * (_h_conj(x) * v).sum([1], True)) * v
                l[:, :, 2 * j] = v
                l[:, :, 2 * j + 1] = x
                m[:, :, 2 * j] = x
                m[:, :, 2 * j + 1] = v
        w = (w - torch.matmul(l, _h_adjoint(m))).reshape([count, n, n])
    return d, e, vs, taus


def _h_tridiagonal_eigen(
    diagonal: Tensor, beside: Tensor, rows: Tensor, vectors: bool, eps: float
) -> Tuple[Tensor, Tensor, int]:
    # [n], [n], [n, n]: eigenvalues, the rotated rows, how many iterations were left. One iteration a turn, of QL or QR
    # (step 1 or -1), on the block from l to `end`
    tiny = 2.2250738585072014e-308
    n = diagonal.size(0)
    d = diagonal.clone()
    e = beside.clone()
    z = rows.clone()
    left = 30 * n
    first = 0
    l = 0
    end = 0
    step = 1
    working = False
    while left > 0 and (working or first < n):
        if not working:
            m = first
            while m < n - 1 and abs(float(e[m])) > math.sqrt(abs(float(d[m]))) * math.sqrt(abs(float(d[m + 1]))) * eps:
                m += 1
            if m < n - 1:
                e[m].fill_(0.0)
            step = 1 if abs(float(d[m])) >= abs(float(d[first])) else -1
            l = first if step == 1 else m
            end = m if step == 1 else first
            working = first != m
            first = m + 1
        else:
            m = l
            while m != end and float(e[min(m, m + step)]) * float(e[min(m, m + step)]) > eps * eps * abs(
                float(d[m])
            ) * abs(float(d[m + step])) + tiny:
                m += step
            if m != end:
                e[min(m, m + step)].fill_(0.0)
            if m == l:
                l += step
            elif m == l + step:
                i = min(l, m)
                larger, smaller, c, s = _h_symmetric_two(float(d[i]), float(e[i]), float(d[i + 1]))
                d[i].fill_(larger)
                d[i + 1].fill_(smaller)
                e[i].fill_(0.0)
                if vectors:
                    row = z[i] * c + z[i + 1] * s
                    z[i + 1] = z[i + 1] * c - z[i] * s
                    z[i] = row
                l += 2 * step
            else:
                left -= 1
                edge = min(l, l + step)
                p = float(d[l])
                g = (float(d[l + step]) - p) / (2.0 * float(e[edge]))
                g = float(d[m]) - p + float(e[edge]) / (g + math.copysign(_h_length(g, 1.0), g))
                s = 1.0
                c = 1.0
                p = 0.0
                i = m
                while i != l:
                    j = i - step
                    at = min(i, j)
                    b = c * float(e[at])
                    c, s, r = _h_rotation(g, s * float(e[at]))
                    if i != m:
                        e[at + step].fill_(r)
                    g = float(d[i]) - p
                    r = (float(d[j]) - g) * s + 2.0 * c * b
                    p = s * r
                    d[i].fill_(g + p)
                    g = c * r - b
                    if vectors:
                        row = z[j] * s + z[i] * c
                        z[j] = z[j] * c - z[i] * s
                        z[i] = row
                    i = j
                d[l].fill_(float(d[l]) - p)
                e[edge].fill_(g)
            working = (end - l) * step >= 0
    return d, z, left


def _h_tridiagonal_divided(diagonal: Tensor, beside: Tensor, eps: float) -> Tuple[Tensor, Tensor, int]:
    # [n], [n]: eigenvalues and vectors (rows) by halves, down to parts of 25 or fewer, as LAPACK's
    n = diagonal.size(0)
    scale = max(float(diagonal.abs().amax()), float(beside.abs().amax()))
    scale = scale if scale > 0.0 else 1.0
    d = diagonal / scale
    off = beside / scale
    e = off.clone()
    levels = 0
    while ((n - 1) >> levels) >= 25:
        levels += 1
    levels = _h_run_time(levels) if levels > 0 else 0
    parts = 1 << levels
    start = torch.zeros([n, min(n, 25)], dtype=d.dtype)
    for part in range(parts):
        low = (part * n) >> levels
        high = ((part + 1) * n) >> levels
        for i in range(low, high):
            start[i, i - low].fill_(1.0)
        if high < n:
            d[high - 1].fill_(float(d[high - 1]) - abs(float(e[high - 1])))
            d[high].fill_(float(d[high]) - abs(float(e[high - 1])))
            e[high - 1].fill_(0.0)
    values, compact, left = _h_tridiagonal_eigen(d, e, start, True, eps)
    rows = torch.zeros([n, n], dtype=d.dtype)
    for part in range(parts):
        low = (part * n) >> levels
        size = (((part + 1) * n) >> levels) - low
        rows.narrow(0, low, size).narrow(1, low, size).copy_(compact.narrow(0, low, size).narrow(1, 0, size))
    level = levels
    while level > 0:
        level -= 1
        for part in range(1 << level):
            low = (part * n) >> level
            mid = ((2 * part + 1) * n) >> (level + 1)
            size = (((part + 1) * n) >> level) - low
            inner = rows.narrow(0, low, size).narrow(1, low, size)
            w, v = _h_tridiagonal_merge(values.narrow(0, low, size).clone(), inner.clone(), size, mid - low, float(off[mid - 1]))
            values.narrow(0, low, size).copy_(w)
            inner.copy_(v)
    return values * scale, rows, left


def _h_moderate(a: Tensor) -> Tuple[Tensor, Tensor]:
    # [B, m, n], [B, 1, 1]: matrices divided by factors so that squares neither overflow nor vanish
    size = a.abs().amax([1, 2], True)
    extreme = torch.logical_and(torch.logical_or(size > 1e140, size < 1e-140), torch.logical_and(size > 0, size < float("inf")))
    factor = torch.where(extreme, size, torch.ones_like(size))
    return a / factor, factor


def _h_hermitian(x: Tensor) -> Tensor:
    # of the lower triangle, and the real part of the diagonal
    below = torch.tril(x, -1)
    return below + _h_adjoint(below) + torch.diag_embed(_h_real(torch.diagonal(x, 0, 1, 2)).to(x.dtype))


def _h_eigh(A: Tensor, upper: bool, vectors: bool) -> Tuple[Tensor, Tensor, Tensor]:
    # eigenvalues [B, n], eigenvectors [B, n, n], info [B]
    n = A.size(-1)
    given = _h_double(_h_matrices(A))
    given = given.reshape([given.size(0), n, n])
    values = torch.zeros([given.size(0), n], dtype=torch.float64)
    rows = torch.zeros(given.size(), dtype=torch.float64)
    found = torch.zeros_like(given)
    info = torch.zeros([given.size(0)], dtype=torch.int32)
    if n > 0 and given.size(0) > 0:
        # the upper triangle is reduced from the last column on: as the lower one of the matrix turned round
        lower = given.flip([1, 2]) if upper else given
        a, factor = _h_moderate(_h_hermitian(lower))
        d, e, vs, taus = _h_tridiagonal(a)
        # each iteration may turn a vector round: it stops where it would in the dtype given
        eps = 5.960464477539063e-08 if _h_real_type(A.dtype) == torch.float32 else 1.1102230246251565e-16
        if upper:
            d = d.flip([1])
            e = torch.roll(e.flip([1]), [-1], [1])
        for b in range(_h_run_time(given.size(0))):
            if vectors:
                w, z, left = _h_tridiagonal_divided(d[b], e[b], eps)
            else:
                w, z, left = _h_tridiagonal_eigen(d[b], e[b], rows[b], False, eps)
            values[b] = w
            if vectors:
                rows[b] = z
            if left == 0:
                info[b] = 1
        values, order = torch.sort(values, 1)
        if vectors:
            rows = torch.gather(rows, 1, order.unsqueeze(2).expand([-1, -1, n]))
            found = rows.transpose(1, 2).to(a.dtype)
            found = _h_reflect_blocks(vs, taus, found.flip([1]) if upper else found, n)
            found = found.flip([1]) if upper else found
        values = values * factor.reshape([-1, 1])
        finite = torch.isfinite(a).all(2).all(1)
        info = torch.where(finite, info, n - 1 if n > 2 else 0).to(torch.int32)
    return values.to(_h_real_type(A.dtype)), found.to(A.dtype), info


def _h_eigh_of(A: Tensor, UPLO: str, vectors: bool, name: str) -> Tuple[Tensor, Tensor]:
    _h_need_square(A, name)
    if UPLO != "L" and UPLO != "U" and UPLO != "l" and UPLO != "u":
        raise RuntimeError("Expected UPLO argument to be 'L' or 'U', but got {}".format(UPLO))
    _h_need_kernel(A, "linalg_eigh_cpu")
    w, v, info = _h_eigh(A, UPLO == "U" or UPLO == "u", vectors)
    _h_check_eigen(info, A.dim() == 2, name)
    return w.reshape(_h_batch(A, 2) + [A.size(-1)]), v.reshape(A.size())


def linalg_eigh(self: Tensor, UPLO: str) -> Tuple[Tensor, Tensor]:
    return _h_eigh_of(self, UPLO, True, "linalg.eigh")


def linalg_eigvalsh(self: Tensor, UPLO: str) -> Tensor:
    w, v = _h_eigh_of(self, UPLO, False, "linalg.eigh")
    return w
