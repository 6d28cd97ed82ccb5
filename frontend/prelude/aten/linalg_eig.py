# Eigenvalues and eigenvectors of matrices that need not be symmetric: reduction to Hessenberg's form, then QR with double
# shifts (Francis) to blocks of one or two, then substitution backwards. In float64 throughout.

import math
import torch
from torch import Tensor
from typing import List, Optional, Tuple


def _h_hessenberg(a: Tensor) -> Tuple[Tensor, Tensor]:
    # a = Q H Q^H, [B, n, n]
    n = a.size(1)
    h = a.clone()
    q = torch.eye(n, dtype=a.dtype).expand(a.size()).clone()
    rows = torch.arange(n)
    for i in range(_h_run_time(max(n - 2, 0))):
        v, tau, beta = _h_reflectors(h[:, :, i], i + 1)
        column = v.unsqueeze(2)
        row = v.unsqueeze(1)
        factor = tau.unsqueeze(2)
        h = h - column * ((_h_conj(column) * h).sum([1], True) * _h_conj(factor))
        h = h - (h * row).sum([2], True) * factor * _h_conj(row)
        q = q - (q * row).sum([2], True) * factor * _h_conj(row)
        h[:, :, i] = torch.where(rows > i + 1, torch.zeros_like(v), h[:, :, i])
    return h, q


def _h_schur(start: Tensor, vectors: Tensor, wanted: bool) -> Tuple[Tensor, Tensor, Tensor, Tensor, int]:
    # of Hessenberg's form [n, n]: T, of blocks of one and two on the diagonal, the rotated vectors, the real and imaginary
    # parts of the eigenvalues, and what is left of the iterations
    eps = 2.220446049250313e-16
    n = start.size(0)
    h = start.clone()
    v = vectors.transpose(0, 1).clone()
    real = torch.zeros([n], dtype=h.dtype)
    imaginary = torch.zeros([n], dtype=h.dtype)
    columns = torch.arange(n)
    norm = float(h.abs().sum())
    last = n - 1
    turns = 0
    left = 30 * max(n, 10)
    shifted = 0.0
    while last >= 0 and left > 0:
        first = last
        searching = True
        while first > 0 and searching:
            size = abs(float(h[first - 1, first - 1])) + abs(float(h[first, first]))
            if size == 0.0:
                size = norm
            searching = abs(float(h[first, first - 1])) > eps * size
            if searching:
                first -= 1
        x = float(h[last, last])
        if first == last:
            h[last, last].fill_(x + shifted)
            real[last].fill_(x + shifted)
            if last > 0:
                h[last, last - 1].fill_(0.0)
            last -= 1
            turns = 0
        elif first == last - 1:
            a = float(h[last - 1, last - 1])
            c = float(h[last, last - 1])
            w = c * float(h[last - 1, last])
            p = (a - x) / 2.0
            q = p * p + w
            z = math.sqrt(abs(q))
            x += shifted
            h[last, last].fill_(x)
            h[last - 1, last - 1].fill_(a + shifted)
            if first > 0:
                h[first, first - 1].fill_(0.0)
            if q >= 0.0:
                z = p + z if p >= 0.0 else p - z
                real[last - 1].fill_(x + z)
                real[last].fill_(x - w / z if z != 0.0 else x + z)
                s = abs(c) + abs(z)
                p = c / s
                q = z / s
                r = math.sqrt(p * p + q * q)
                p = p / r
                q = q / r
                row = q * h[last - 1] + p * h[last]
                h[last] = q * h[last] - p * h[last - 1]
                h[last - 1] = row
                column = q * h[:, last - 1] + p * h[:, last]
                h[:, last] = q * h[:, last] - p * h[:, last - 1]
                h[:, last - 1] = column
                h[last, last - 1].fill_(0.0)
                if wanted:
                    column = q * v[last - 1] + p * v[last]
                    v[last] = q * v[last] - p * v[last - 1]
                    v[last - 1] = column
            else:
                real[last - 1].fill_(x + p)
                real[last].fill_(x + p)
                imaginary[last - 1].fill_(z)
                imaginary[last].fill_(-z)
            last -= 2
            turns = 0
        else:
            y = float(h[last - 1, last - 1])
            w = float(h[last, last - 1]) * float(h[last - 1, last])
            if turns % 20 == 10:
                # an exceptional shift
                shifted += x
                h = h - x * torch.eye(n, dtype=h.dtype) * (columns <= last)
                s = abs(float(h[last, last - 1])) + abs(float(h[last - 1, last - 2]))
                x = 0.75 * s
                y = x
                w = -0.4375 * s * s
            q = (y - x) / 2.0
            q = q * q + w
            if q >= 0.0:
                # of two real shifts the one that is closer to the last element, twice, as LAPACK's lahqr
                p = (x + y) / 2.0
                z = math.sqrt(q)
                x = p + z if abs(p + z - x) <= abs(p - z - x) else p - z
                y = x
                w = 0.0
            turns += 1
            left -= 1
            m = last - 1
            p = 0.0
            q = 0.0
            r = 0.0
            searching = True
            while searching:
                m -= 1
                z = float(h[m, m])
                r = x - z
                s = y - z
                p = (r * s - w) / float(h[m + 1, m]) + float(h[m, m + 1])
                q = float(h[m + 1, m + 1]) - z - r - s
                r = float(h[m + 2, m + 1])
                s = abs(p) + abs(q) + abs(r)
                p = p / s
                q = q / s
                r = r / s
                searching = m > first
                if searching:
                    beside = abs(float(h[m - 1, m - 1])) + abs(z) + abs(float(h[m + 1, m + 1]))
                    searching = abs(float(h[m, m - 1])) * (abs(q) + abs(r)) >= eps * (abs(p) * beside)
            for k in range(m, last):
                third = min(k + 2, last)
                scale = 1.0
                if k > m:
                    p = float(h[k, k - 1])
                    q = float(h[k + 1, k - 1])
                    r = float(h[third, k - 1]) if k + 2 <= last else 0.0
                    scale = abs(p) + abs(q) + abs(r)
                    if scale != 0.0:
                        p = p / scale
                        q = q / scale
                        r = r / scale
                elif k + 2 > last:
                    r = 0.0
                s = math.sqrt(p * p + q * q + r * r)
                if p < 0.0:
                    s = -s
                if s != 0.0 and scale != 0.0:
                    if k > m:
                        h[k, k - 1].fill_(-s * scale)
                        h[k + 1, k - 1].fill_(0.0)
                        if k + 2 <= last:
                            h[k + 2, k - 1].fill_(0.0)
                    elif first != m:
                        h[k, k - 1].fill_(-float(h[k, k - 1]))
                    p += s
                    fx = p / s
                    fy = q / s
                    fz = r / s
                    q = q / p
                    r = r / p
                    row = torch.where(columns >= k, h[k] + q * h[k + 1] + r * h[third], torch.zeros_like(real))
                    h[k] = h[k] - row * fx
                    h[k + 1] = h[k + 1] - row * fy
                    h[third] = h[third] - row * fz
                    column = fx * h[:, k] + fy * h[:, k + 1] + fz * h[:, third]
                    h[:, k] = h[:, k] - column
                    h[:, k + 1] = h[:, k + 1] - column * q
                    h[:, third] = h[:, third] - column * r
                    if wanted:
                        column = fx * v[k] + fy * v[k + 1] + fz * v[third]
                        v[k] = v[k] - column
                        v[k + 1] = v[k + 1] - column * q
                        v[third] = v[third] - column * r
    return h, v.transpose(0, 1), real, imaginary, left if last >= 0 else 1


def _h_block_vector(a: float, b: float, c: float, d: float) -> Tuple[float, float, float, float]:
    # of [a b; c d] with complex eigenvalues: the rotation cs, sn that makes the elements on the diagonal the same, and the
    # eigenvector (top, i bottom) of what it makes
    p = 0.5 * (a - d)
    sigma = b + c
    tau = _h_length(sigma, a - d)
    cs = math.sqrt(0.5 * (1.0 + abs(sigma) / tau)) if tau != 0.0 else 1.0
    sn = -(p / (tau * cs)) * math.copysign(1.0, sigma) if tau != 0.0 else 0.0
    aa = a * cs + b * sn
    bb = b * cs - a * sn
    cc = c * cs + d * sn
    dd = d * cs - c * sn
    right = bb * cs + dd * sn
    lower = cc * cs - aa * sn
    w = math.sqrt(abs(right)) * math.sqrt(abs(lower))
    if abs(right) >= abs(lower):
        return cs, sn, 1.0, w / right
    return cs, sn, -w / lower, 1.0


def _h_schur_vectors(t: Tensor, real: Tensor, imaginary: Tensor) -> Tuple[Tensor, Tensor]:
    # [n, n], [n], [n]: the eigenvectors of T as columns, real and imaginary parts
    n = t.size(0)
    x = torch.zeros_like(t)
    y = torch.zeros_like(t)
    columns = torch.arange(n)
    zero = torch.zeros_like(real)
    tiny = max(float(t.abs().amax()) * 2.220446049250313e-16, 1e-140)
    i = n - 1
    while i >= 0:
        sr = (t[i].unsqueeze(1) * x).sum([0])
        si = (t[i].unsqueeze(1) * y).sum([0])
        d = float(t[i, i])
        if float(imaginary[i]) == 0.0:
            # x_i = -s / (t_ii - eigenvalue)
            fr = d - real
            fi = -imaginary
            fr = torch.where(torch.logical_and(fr.abs() < tiny, fi.abs() < tiny), torch.full_like(fr, tiny), fr)
            size = fr * fr + fi * fi
            later = columns > i
            x[i] = torch.where(later, -(sr * fr + si * fi) / size, (columns == i).to(t.dtype))
            y[i] = torch.where(later, -(si * fr - sr * fi) / size, zero)
            i -= 1
        else:
            a = float(t[i - 1, i - 1])
            b = float(t[i - 1, i])
            c = float(t[i, i - 1])
            ur = (t[i - 1].unsqueeze(1) * x).sum([0])
            ui = (t[i - 1].unsqueeze(1) * y).sum([0])
            # [a - e, b; c, d - e] [x_i-1; x_i] = -[u; s], by Cramer's rule
            ar = a - real
            dr = d - real
            e = imaginary
            fr = ar * dr - e * e - b * c
            fi = -e * (ar + dr)
            fr = torch.where(torch.logical_and(fr.abs() < tiny * tiny, fi.abs() < tiny * tiny), torch.full_like(fr, tiny * tiny), fr)
            size = torch.maximum(fr.abs(), fi.abs())
            fr = fr / size
            fi = fi / size
            size = size * (fr * fr + fi * fi)
            gr = b * sr - (dr * ur + e * ui)
            gi = b * si - (dr * ui - e * ur)
            later = columns > i
            # the block's own vectors, as of the block turned so that both elements on its diagonal are the same (lanv2)
            cs, sn, top, bottom = _h_block_vector(a, b, c, d)
            own = torch.logical_or(columns == i, columns == i - 1).to(t.dtype)
            side = own * torch.where(columns == i, -1.0, 1.0).to(t.dtype)
            first_r = torch.where(later, (gr * fr + gi * fi) / size, own * (cs * top))
            first_i = torch.where(later, (gi * fr - gr * fi) / size, side * (-sn * bottom))
            gr = c * ur - (ar * sr + e * si)
            gi = c * ui - (ar * si - e * sr)
            x[i] = torch.where(later, (gr * fr + gi * fi) / size, own * (sn * top))
            y[i] = torch.where(later, (gi * fr - gr * fi) / size, side * (cs * bottom))
            x[i - 1] = first_r
            y[i - 1] = first_i
            i -= 2
    return x, y


def _h_eigen(A: Tensor, wanted: bool) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    # eigenvalues [B, n] and eigenvectors [B, n, n], real and imaginary parts
    n = A.size(-1)
    given = _h_matrices(A).to(torch.float64)
    count = given.size(0)
    wr = torch.zeros([count, n], dtype=torch.float64)
    wi = torch.zeros_like(wr)
    vr = torch.zeros_like(given)
    vi = torch.zeros_like(given)
    if n > 0 and count > 0:
        if not bool(torch.isfinite(given).all()):
            raise RuntimeError("torch.linalg.eig: input tensor should not contain infs or NaNs.")
        info = torch.zeros([count], dtype=torch.int32)
        a, scale = _h_moderate(given)
        h, q = _h_hessenberg(a)
        for b in range(_h_run_time(count)):
            t, v, real, imaginary, left = _h_schur(h[b], q[b], wanted)
            wr[b] = real
            wi[b] = imaginary
            if left <= 0:
                info[b] = 1
            if wanted:
                x, y = _h_schur_vectors(t, real, imaginary)
                vr[b] = torch.matmul(v, x)
                vi[b] = torch.matmul(v, y)
        _h_check_eigen(info, A.dim() == 2, "linalg.eig")
        if wanted:
            # of length 1, the largest element of a complex vector real
            largest = torch.maximum(vr.abs(), vi.abs()).amax([1], True)
            vr = vr / largest
            vi = vi / largest
            squares = vr.square() + vi.square()
            length = squares.sum([1], True).sqrt()
            place = torch.argmax(squares, 1, True)
            f = torch.gather(vr, 1, place)
            g = torch.gather(vi, 1, place)
            r = torch.where(torch.logical_and(f.abs() > g.abs(), f < 0), -(f * f + g * g).sqrt(), (f * f + g * g).sqrt())
            turned = (wi != 0).unsqueeze(1)
            c = torch.where(turned, f / r, torch.ones_like(f)) / length
            s = torch.where(turned, g / r, torch.zeros_like(f)) / length
            own = torch.logical_and(turned, torch.arange(n).unsqueeze(1) == place)
            turned_r = vr * c + vi * s
            turned_i = vi * c - vr * s
            vr = turned_r
            vi = torch.where(own, torch.zeros_like(turned_i), turned_i)
        wr = wr * scale.reshape([-1, 1])
        wi = wi * scale.reshape([-1, 1])
    lead = _h_batch(A, 2)
    w = lead + [n]
    part = A.dtype
    return wr.to(part).reshape(w), wi.to(part).reshape(w), vr.to(part).reshape(A.size()), vi.to(part).reshape(A.size())


def _h_need_eig(A: Tensor) -> None:
    _h_need_square(A, "linalg.eig")
    _h_need_kernel(A, "linalg_eig_out")


def linalg_eig(self: Tensor) -> Tuple[Tensor, Tensor]:
    _h_need_eig(self)
    if self.is_complex():
        return _h_eigen_complex(self, True)
    wr, wi, vr, vi = _h_eigen(self, True)
    return torch.complex(wr, wi), torch.complex(vr, vi)


def linalg_eigvals(self: Tensor) -> Tensor:
    _h_need_eig(self)
    if self.is_complex():
        w, v = _h_eigen_complex(self, False)
        return w
    wr, wi, vr, vi = _h_eigen(self, False)
    return torch.complex(wr, wi)
