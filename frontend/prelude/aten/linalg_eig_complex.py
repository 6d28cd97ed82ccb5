# Eigenvalues and eigenvectors of complex matrices: Hessenberg's form, then QR with one shift, then substitution backwards.
# In complex128 throughout; rotations are of rows and columns of tensors, decisions of floats.

import torch
from torch import Tensor
from typing import Tuple


def _h_complex_rotation(f: Tensor, g: Tensor) -> Tuple[Tensor, Tensor]:
    # c (real), s with [c s; -conj(s) c] [f; g] = [r; 0]
    scale = torch.maximum(f.abs(), g.abs())
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    a = f / scale
    b = g / scale
    size = a.abs()
    length = torch.sqrt(size * size + b.abs() * b.abs())
    length = torch.where(length == 0, torch.ones_like(length), length)
    none = size == 0
    c = torch.where(none, torch.where(b.abs() == 0, 1.0, 0.0), size / length)
    direction = torch.where(none, torch.ones_like(a), a / torch.where(none, torch.ones_like(size), size))
    return c, torch.where(torch.logical_and(none, b.abs() == 0), torch.zeros_like(a), direction * torch.conj_physical(b) / length)


def _h_complex_shift(h: Tensor, last: int, turns: int) -> Tensor:
    # the eigenvalue of the last two rows and columns that is closer to the last element
    d = h[last, last]
    below = h[last, last - 1]
    if turns % 10 == 9:
        return d + torch.real(below).abs()
    half = (h[last - 1, last - 1] - d) * 0.5
    product = h[last - 1, last] * below
    root = torch.sqrt(half * half + product)
    plus = half + root
    minus = half - root
    larger = torch.where(plus.abs() >= minus.abs(), plus, minus)
    zero = larger.abs() == 0
    return d - torch.where(zero, torch.zeros_like(d), product / torch.where(zero, torch.ones_like(d), larger))


def _h_complex_schur(start: Tensor, vectors: Tensor, wanted: bool) -> Tuple[Tensor, Tensor, int]:
    # of Hessenberg's form [n, n]: the triangle, the rotated vectors, and what is left of the iterations
    eps = 2.220446049250313e-16
    n = start.size(0)
    h = start.clone()
    v = vectors.clone()
    norm = float(h.abs().sum())
    cs = torch.zeros([n], dtype=torch.float64)
    ss = torch.zeros([n], dtype=h.dtype)
    last = n - 1
    turns = 0
    left = 30 * max(n, 10)
    while last > 0 and left > 0:
        first = last
        searching = True
        while first > 0 and searching:
            size = float(h[first - 1, first - 1].abs()) + float(h[first, first].abs())
            if size == 0.0:
                size = norm
            searching = float(h[first, first - 1].abs()) > eps * size
            if searching:
                first -= 1
        if first > 0:
            h[first, first - 1].fill_(0.0)
        if first == last:
            last -= 1
            turns = 0
        else:
            shift = _h_complex_shift(h, last, turns).clone()
            turns += 1
            left -= 1
            torch.diagonal(h).sub_(shift)
            for k in range(first, last):
                c, s = _h_complex_rotation(h[k, k], h[k + 1, k])
                cs[k] = c
                ss[k] = s
                row = h[k] * c + h[k + 1] * s
                h[k + 1] = h[k + 1] * c - h[k] * torch.conj_physical(s)
                h[k] = row
            for k in range(first, last):
                c = cs[k]
                s = ss[k]
                column = h[:, k] * c + h[:, k + 1] * torch.conj_physical(s)
                h[:, k + 1] = h[:, k + 1] * c - h[:, k] * s
                h[:, k] = column
                if wanted:
                    column = v[:, k] * c + v[:, k + 1] * torch.conj_physical(s)
                    v[:, k + 1] = v[:, k + 1] * c - v[:, k] * s
                    v[:, k] = column
            torch.diagonal(h).add_(shift)
    return h, v, left


def _h_triangle_vectors(t: Tensor) -> Tensor:
    # the eigenvectors of triangles [B, n, n], as columns
    n = t.size(1)
    columns = torch.arange(n)
    w = torch.diagonal(t, 0, 1, 2)
    smallest = torch.clamp_min(t.abs().amax([1, 2]).unsqueeze(1) * 2.220446049250313e-16, 2.2250738585072014e-308)
    strict = torch.triu(t, 1)
    x = torch.zeros_like(t)
    often = _h_run_time(n)
    for j in range(often):
        i = often - 1 - j
        gap = w[:, i].unsqueeze(1) - w
        gap = torch.where(gap.abs() < smallest, smallest.to(t.dtype), gap)
        solved = -(strict[:, i].unsqueeze(2) * x).sum([1]) / gap
        x[:, i] = torch.where(columns == i, torch.ones_like(solved), torch.where(columns > i, solved, torch.zeros_like(solved)))
    return x


def _h_eigen_complex(A: Tensor, wanted: bool) -> Tuple[Tensor, Tensor]:
    lead = _h_batch(A, 2)
    n = A.size(-1)
    a = _h_matrices(A).to(torch.complex128)
    triangles = torch.zeros_like(a)
    vectors = torch.zeros_like(a)
    if a.numel() > 0:
        if not bool(torch.isfinite(a.abs()).all()):
            raise RuntimeError("torch.linalg.eig: input tensor should not contain infs or NaNs.")
        moderate, factor = _h_moderate(a)
        h, q = _h_hessenberg(moderate)
        for b in range(_h_run_time(a.size(0))):
            t, v, left = _h_complex_schur(h[b], q[b], wanted)
            if left <= 0:
                raise RuntimeError("linalg.eig: The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated eigenvalues.")
            triangles[b] = t
            vectors[b] = v
        if wanted:
            vectors = torch.matmul(vectors, _h_triangle_vectors(triangles))
            vectors = vectors / (torch.real(vectors).square() + torch.imag(vectors).square()).sum([1], True).sqrt()
            largest = torch.gather(vectors, 1, torch.argmax(vectors.abs(), 1, True))
            vectors = vectors * (torch.conj_physical(largest) / largest.abs())
        triangles = triangles * factor
    w = torch.diagonal(triangles, 0, 1, 2)
    return w.to(A.dtype).reshape(lead + [n]), vectors.to(A.dtype).reshape(A.size())
