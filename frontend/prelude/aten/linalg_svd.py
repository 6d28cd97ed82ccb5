# Singular values and vectors: reduction to bidiagonal form, then QR with implicit shifts.
# In float64 throughout, and step by step as MKL's gesdd for small matrices (gebd2, bdsqr), so that signs are its own.

import math
import torch
from torch import Tensor
from typing import List, Optional, Tuple


def _h_rotation_forwards(f: float, g: float) -> Tuple[float, float, float]:
    # c, s, r with [c s; -s c] [f; g] = [r; 0] and c >= 0
    c = 1.0
    s = 0.0
    r = f
    if g != 0.0:
        scale = max(abs(f), abs(g))
        d = math.sqrt((f / scale) * (f / scale) + (g / scale) * (g / scale)) * scale
        r = math.copysign(d, f)
        c = abs(f) / d
        s = g / r
        if f == 0.0:
            s = math.copysign(1.0, g)
            r = d
    return c, s, r


def _h_bidiagonal(a: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    # a = Q B P^H, [B, m, n], m >= n, B real: B's diagonal and the elements above it, the vectors (columns) and factors of Q's and
    # of P's reflections. What the reflections of a block make of a is a - l r^H, a product of matrices when the block is done.
    m = a.size(1)
    n = a.size(2)
    count = a.size(0)
    blocks, width = _h_blocks(n)
    w = a.clone()
    d = torch.zeros([count, n], dtype=_h_real_type(a.dtype))
    e = torch.zeros([count, n], dtype=_h_real_type(a.dtype))
    us = torch.zeros([count, m, blocks * width], dtype=a.dtype)
    vs = torch.zeros([count, n, blocks * width], dtype=a.dtype)
    u_taus = torch.zeros([count, blocks * width], dtype=a.dtype)
    v_taus = torch.zeros([count, blocks * width], dtype=a.dtype)
    columns = torch.arange(n)
    often = _h_run_time(n)
    for block in range(_h_run_time(blocks)):
        w = w.reshape([count, m, n])
        l = torch.zeros([count, m, 2 * width], dtype=a.dtype)
        r = torch.zeros([count, n, 2 * width], dtype=a.dtype)
        parts = _h_parts(w)
        first = block * width
        for j in range(min(width, often - first)):
            i = first + j
            u, tau, beta = _h_reflectors(w[:, :, i] - _h_product(l, _h_conj(r[:, i])), i)
            d[:, i] = beta.squeeze(1)
            us[:, :, i] = u
            u_taus[:, i] = tau.squeeze(1)
            y = _h_across(parts, u) - _h_product(r, _h_across(_h_parts(l), u))
            l[:, :, 2 * j] = u
            r[:, :, 2 * j] = y * tau
            if i < often - 1:
                row = _h_conj(w[:, i]) - _h_product(r, _h_conj(l[:, i]))
                v, tau, beta = _h_reflectors(torch.where(columns > i, row, torch.zeros_like(row)), i + 1)
                e[:, i] = beta.squeeze(1)
                vs[:, :, i] = v
                v_taus[:, i] = tau.squeeze(1)
                inner = _h_across(_h_parts(r), v)
                l[:, :, 2 * j + 1] = (_h_product(w, v) - _h_product(l, inner)) * tau
                r[:, :, 2 * j + 1] = v
        w = w - torch.matmul(l, _h_adjoint(r))
    return d, e, us, u_taus, vs, v_taus


def _h_smaller_of_two(f: float, g: float, h: float) -> float:
    # the smaller singular value of [f g; 0 h]
    fa = min(abs(f), abs(h))
    ha = max(abs(f), abs(h))
    ga = abs(g)
    if fa == 0.0:
        return 0.0
    t1 = 1.0 + fa / ha
    t2 = (ha - fa) / ha
    if ga < ha:
        t3 = (ga / ha) * (ga / ha)
        return fa * (2.0 / (math.sqrt(t1 * t1 + t3) + math.sqrt(t2 * t2 + t3)))
    t3 = ha / ga
    if t3 == 0.0:
        return (fa * ha) / ga
    c = 1.0 / (math.sqrt(1.0 + (t1 * t3) * (t1 * t3)) + math.sqrt(1.0 + (t2 * t3) * (t2 * t3)))
    return 2.0 * ((fa * c) * t3)


def _h_sign_of(x: float) -> float:
    return math.copysign(1.0, x)


def _h_svd_of_two(f: float, g: float, h: float) -> Tuple[float, float, float, float, float, float]:
    # [csl snl; -snl csl] [f g; 0 h] [csr -snr; snr csr] = diag(larger, smaller): larger, smaller, snr, csr, snl, csl
    swap = abs(h) > abs(f)
    ft = h if swap else f
    ht = f if swap else h
    fa = abs(ft)
    ha = abs(ht)
    ga = abs(g)
    place = 3 if swap else 1
    larger = fa
    smaller = ha
    clt = 1.0
    crt = 1.0
    slt = 0.0
    srt = 0.0
    if ga != 0.0:
        if ga > fa:
            place = 2
        if ga > fa and fa / ga < 1.1102230246251565e-16:
            larger = ga
            smaller = fa / (ga / ha) if ha > 1.0 else (fa / ga) * ha
            slt = ht / g
            srt = 1.0
            crt = ft / g
        else:
            d = fa - ha
            l = 1.0 if d == fa else d / fa
            m = g / ft
            t = 2.0 - l
            s = math.sqrt(t * t + m * m)
            r = abs(m) if l == 0.0 else math.sqrt(l * l + m * m)
            a = 0.5 * (s + r)
            smaller = ha / a
            larger = fa * a
            if m * m == 0.0:
                if l == 0.0:
                    t = math.copysign(2.0, ft) * _h_sign_of(g)
                else:
                    t = g / math.copysign(d, ft) + m / t
            else:
                t = (m / (s + t) + m / (r + l)) * (1.0 + a)
            l = math.sqrt(t * t + 4.0)
            crt = 2.0 / l
            srt = t / l
            clt = (crt + srt * m) / a
            slt = (ht / ft) * srt / a
    csl = srt if swap else clt
    snl = crt if swap else slt
    csr = slt if swap else crt
    snr = clt if swap else srt
    sign = _h_sign_of(csr) * _h_sign_of(csl) * _h_sign_of(f)
    if place == 2:
        sign = _h_sign_of(snr) * _h_sign_of(csl) * _h_sign_of(g)
    if place == 3:
        sign = _h_sign_of(snr) * _h_sign_of(snl) * _h_sign_of(h)
    return math.copysign(larger, sign), math.copysign(smaller, sign * _h_sign_of(f) * _h_sign_of(h)), snr, csr, snl, csl


def _h_bidiagonal_svd(diagonal: Tensor, above: Tensor, start: Tensor, vectors: bool) -> Tuple[Tensor, Tensor, int]:
    # [n], [n], [2n, n] (rows: columns of U, then rows of V^T): singular values with signs, the rotated rows, and what is
    # left of the iterations. One iteration a turn, downwards or upwards (step 1 or -1), on the block from `top` to m
    eps = 1.1102230246251565e-16
    tol = 100.0 * eps
    n = diagonal.size(0)
    d = diagonal.clone()
    e = above.clone()
    uv = start.clone()
    mu = abs(float(d[0]))
    smallest = mu
    for i in range(_h_run_time(n - 1)):
        if smallest != 0.0:
            mu = abs(float(d[i + 1])) * (mu / (mu + abs(float(e[i]))))
            smallest = min(smallest, mu)
    threshold = max(tol * (smallest / math.sqrt(float(n))), 6.0 * n * n * 2.2250738585072014e-308)
    left = 6 * n * n
    m = n - 1
    old_top = -1
    old_m = -1
    step = 1
    while m > 0 and left > 0:
        top = m
        largest = abs(float(d[m]))
        while top > 0 and abs(float(e[top - 1])) > threshold:
            top -= 1
            largest = max(largest, max(abs(float(d[top])), abs(float(e[top]))))
        if top > 0:
            e[top - 1].fill_(0.0)
        if top == m:
            m -= 1
        elif top == m - 1:
            larger, smaller, snr, csr, snl, csl = _h_svd_of_two(float(d[top]), float(e[top]), float(d[m]))
            d[top].fill_(larger)
            e[top].fill_(0.0)
            d[m].fill_(smaller)
            if vectors:
                row = uv[n + top] * csr + uv[n + m] * snr
                uv[n + m] = uv[n + m] * csr - uv[n + top] * snr
                uv[n + top] = row
                row = uv[top] * csl + uv[m] * snl
                uv[m] = uv[m] * csl - uv[top] * snl
                uv[top] = row
            m -= 2
        else:
            if top > old_m or m < old_top:
                step = 1 if abs(float(d[top])) >= abs(float(d[m])) else -1
            near = top if step == 1 else m
            far = m if step == 1 else top
            last = min(far, far - step)
            converged = abs(float(e[last])) <= tol * abs(float(d[far]))
            if converged:
                e[last].fill_(0.0)
            mu = abs(float(d[near]))
            least = mu
            i = near
            while i != far and not converged:
                at = min(i, i + step)
                if abs(float(e[at])) <= tol * mu:
                    e[at].fill_(0.0)
                    converged = True
                else:
                    mu = abs(float(d[i + step])) * (mu / (mu + abs(float(e[at]))))
                    least = min(least, mu)
                    i += step
            if not converged:
                old_top = top
                old_m = m
                left -= m - top
                shift = 0.0
                if n * tol * (least / largest) > max(eps, 0.01 * tol):
                    shift = _h_smaller_of_two(float(d[far - step]), float(e[last]), float(d[far]))
                    ratio = shift / abs(float(d[near])) if float(d[near]) != 0.0 else 1.0
                    if ratio * ratio < eps:
                        shift = 0.0
                f = 0.0
                if shift != 0.0:
                    f = (abs(float(d[near])) - shift) * (_h_sign_of(float(d[near])) + shift / float(d[near]))
                g = float(e[min(near, near + step)])
                c = 1.0
                s = 0.0
                c2 = 1.0
                s2 = 0.0
                i = near
                while i != far:
                    j = i + step
                    at = min(i, j)
                    zero = shift == 0.0
                    di = float(d[i])
                    ei = float(e[at])
                    dj = float(d[j])
                    c, s, r = _h_rotation_forwards(di * c if zero else f, ei if zero else g)
                    if i != near:
                        e[at - step].fill_(s2 * r if zero else r)
                    f = c2 * r if zero else c * di + s * ei
                    ei = c * ei - s * di
                    c2, s2, r = _h_rotation_forwards(f, s * dj)
                    d[i].fill_(r)
                    if not zero:
                        dj = c * dj
                        f = c2 * ei + s2 * dj
                        d[j].fill_(c2 * dj - s2 * ei)
                        e[at].fill_(ei)
                        if j != far:
                            g = s2 * float(e[at + step])
                            e[at + step].fill_(c2 * float(e[at + step]))
                    if vectors:
                        one = n if step == 1 else 0
                        row = uv[one + i] * c + uv[one + j] * s
                        uv[one + j] = uv[one + j] * c - uv[one + i] * s
                        uv[one + i] = row
                        row = uv[n - one + i] * c2 + uv[n - one + j] * s2
                        uv[n - one + j] = uv[n - one + j] * c2 - uv[n - one + i] * s2
                        uv[n - one + i] = row
                    i = j
                if shift == 0.0:
                    h = float(d[far]) * c
                    d[far].fill_(h * c2)
                    f = h * s2
                e[last].fill_(0.0 if abs(f) <= threshold else f)
    return d, uv, left


def _h_svd_upper(d: Tensor, e: Tensor, is_lower: bool, vectors: bool) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    # bidiagonal matrices [B, n], [B, n]: U's columns and V^T's rows as rows, singular values, info
    count = d.size(0)
    n = d.size(1)
    values = torch.zeros_like(d)
    us = torch.zeros([count, n, n], dtype=d.dtype)
    vs = torch.zeros([count, n, n], dtype=d.dtype)
    joints = torch.zeros([count, n], dtype=d.dtype)
    info = torch.zeros([count], dtype=torch.int32)
    ones = torch.eye(n, dtype=d.dtype).repeat([2, 1])
    for b in range(_h_run_time(count)):
        diagonal = d[b].clone()
        beside = e[b].clone()
        start = ones.clone()
        if is_lower:
            for i in range(_h_run_time(n - 1)):
                c, s, r = _h_rotation_forwards(float(diagonal[i]), float(beside[i]))
                diagonal[i].fill_(r)
                beside[i].fill_(s * float(diagonal[i + 1]))
                diagonal[i + 1].fill_(c * float(diagonal[i + 1]))
                row = start[i] * c + start[i + 1] * s
                start[i + 1] = start[i + 1] * c - start[i] * s
                start[i] = row
        joints[b] = start[n // 2]
        s1, uv, left = _h_bidiagonal_svd(diagonal, beside, start, vectors)
        values[b] = s1
        if vectors:
            us[b] = uv[:n]
            vs[b] = uv[n:]
        if left <= 0:
            info[b] = 1
    sign = torch.where(values < 0, -1.0, 1.0).to(d.dtype)
    if n == 1:
        us = us * sign.unsqueeze(2)
    else:
        vs = vs * sign.unsqueeze(2)
    if n > 25:
        # the signs of LAPACK's divide and conquer: what U's columns have of the row that joins the halves is negative
        towards = (us * joints.unsqueeze(1)).sum([2], True) > 0
        us = torch.where(towards, -us, us)
        vs = torch.where(towards, -vs, vs)
    values, order = torch.sort(values.abs(), 1, True)
    places = order.unsqueeze(2).expand([-1, -1, n])
    return torch.gather(us, 1, places), values, torch.gather(vs, 1, places), info


def _h_padded(x: Tensor, rows: int, full: bool) -> Tensor:
    # [B, n, n] with rows of zeros below; if `full`, with more columns of the unit matrix
    n = x.size(2)
    y = torch.cat([x, torch.zeros([x.size(0), rows - n, n], dtype=x.dtype)], 1)
    if full:
        more = torch.eye(rows, dtype=x.dtype)[:, n:].expand([x.size(0), rows, rows - n])
        y = torch.cat([y, more], 2)
    return y


def _h_svd_tall(a: Tensor, wide: bool, full: bool, vectors: bool) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    # [B, m, n], m >= n: U, S, V, info. If `wide`, a is the adjoint of the matrix that is meant.
    m = a.size(1)
    n = a.size(2)
    tall = not wide and m > n and m >= 3 * n // 2
    packed = a
    core = a
    taus = torch.zeros([a.size(0), 0], dtype=a.dtype)
    if tall:
        # the triangle alone
        packed, taus = _h_geqrf(a)
        core = torch.triu(packed[:, :n])
    d, e, us, u_taus, vs, v_taus = _h_bidiagonal(core)
    left, values, right, info = _h_svd_upper(d, e, wide, vectors)
    if not vectors:
        return a, values, a, info
    u = (right if wide else left).transpose(1, 2).to(a.dtype)
    v = (left if wide else right).transpose(1, 2).to(a.dtype)
    u = _h_reflect_blocks(us, u_taus, _h_padded(u, core.size(1), full), n)
    if tall:
        u = _h_reflect(packed, taus, _h_padded(u, m, full), False)
    return u, values, _h_reflect_blocks(vs, v_taus, v, n), info


def _h_svd(A: Tensor, full: bool, vectors: bool, name: str) -> Tuple[Tensor, Tensor, Tensor]:
    # U, S, V^H
    _h_need_kernel(A, "linalg_svd_cpu")
    m = A.size(-2)
    n = A.size(-1)
    k = min(m, n)
    lead = _h_batch(A, 2)
    given = _h_double(_h_matrices(A))
    count = given.size(0)
    given = given.reshape([count, m, n])
    rows = m if full else k
    columns = n if full else k
    if m == 0 or n == 0 or count == 0:
        u = torch.eye(m, rows, dtype=A.dtype).expand(lead + [m, rows]).clone()
        v = torch.eye(columns, n, dtype=A.dtype).expand(lead + [columns, n]).clone()
        return u, torch.zeros(lead + [k], dtype=_h_real_type(A.dtype)), v
    a, factor = _h_moderate(given)
    wide = m < n
    first, s, second, info = _h_svd_tall(_h_adjoint(a) if wide else a, wide, full, vectors)
    u = second if wide else first
    v = first if wide else second
    finite = torch.isfinite(a).all(2).all(1)
    _h_check_svd(torch.where(finite, info, -4), A.dim() == 2, name)
    values = (s * factor.reshape([-1, 1])).to(_h_real_type(A.dtype)).reshape(lead + [k])
    if not vectors:
        return values, values, values
    vh = _h_adjoint(v).to(A.dtype)
    return u.to(A.dtype).reshape(lead + [m, rows]), values, vh.reshape(lead + [columns, n])


def _h_need_driver(driver: Optional[str]) -> None:
    if driver is not None:
        raise RuntimeError("torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend.")


def linalg_svd(A: Tensor, full_matrices: bool, driver: Optional[str]) -> Tuple[Tensor, Tensor, Tensor]:
    _h_need_driver(driver)
    _h_need_floats(A, "linalg.svd")
    _h_need_matrix(A, "linalg.svd", "A")
    return _h_svd(A, full_matrices, True, "linalg.svd")


def linalg_svdvals(A: Tensor, driver: Optional[str]) -> Tensor:
    _h_need_driver(driver)
    _h_need_floats(A, "linalg.svd")
    _h_need_matrix(A, "linalg.svd", "A")
    u, s, v = _h_svd(A, False, False, "linalg.svd")
    return s


def svd(self: Tensor, some: bool, compute_uv: bool) -> Tuple[Tensor, Tensor, Tensor]:
    if self.dim() < 2:
        raise RuntimeError("linalg.svd: input should have at least 2 dimensions, but has {} dimensions instead".format(self.dim()))
    if not compute_uv:
        lead = _h_batch(self, 2)
        u = torch.zeros(lead + [self.size(-2), self.size(-2)], dtype=self.dtype)
        v = torch.zeros(lead + [self.size(-1), self.size(-1)], dtype=self.dtype)
        return u, linalg_svdvals(self, None), v
    u, s, vh = _h_svd(self, not some, True, "linalg.svd")
    return u, s, _h_adjoint(vh)
