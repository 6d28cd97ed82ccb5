# Divide and conquer, for eigenvalues of tridiagonal and singular values of bidiagonal matrices: what a merge of two halves is.
# Both halves are solved; what joins them changes a diagonal matrix D by one vector z. Where z vanishes or elements of D are
# equal, nothing is left to do (deflation); the others are roots of 1 + sum(z_j^2 / (D_j - root)), all of which are looked for
# at once, and vectors follow from the z for which the roots found are exact (Gu and Eisenstat), so that they are orthogonal.

import math
import torch
from torch import Tensor
from typing import Tuple


def _h_deflate(d: Tensor, z: Tensor, rows: Tensor, first: int, size: float, tol: float) -> Tuple[Tensor, int]:
    # d [n], ascending; z [n] and rows [n, w] are written. The order that puts in front what is left, and how much that is.
    # A change of `tol` to the matrix is none; z_j stands for a change of z_j * `size`. Before `first` all is left.
    n = d.size(0)
    key = torch.arange(n)
    last = -1
    left = first
    for j in range(first, _h_run_time(n)):
        if abs(float(z[j])) * size <= tol:
            z[j].fill_(0.0)
            key[j].fill_(n + j)
        else:
            left += 1
            if last >= 0 and float(d[j]) - float(d[max(last, 0)]) <= tol:
                r = _h_length(float(z[j]), float(z[last]))
                c = float(z[j]) / r
                s = float(z[last]) / r
                z[j].fill_(r)
                z[last].fill_(0.0)
                key[last].fill_(n + last)
                left -= 1
                row = rows[j] * c + rows[last] * s
                rows[last] = rows[last] * c - rows[j] * s
                rows[j] = row
            last = j
    return torch.argsort(key), left


def _h_secular(gaps: Tensor, weights: Tensor, k: int) -> Tuple[Tensor, Tensor, Tensor]:
    # [k, k], [k]: gaps[o, j] = D_j - D_o, ascending along j; weights z_j^2 > 0. For root i: which of D is closest, root - D there, and
    # D_j - root in row i. Between two of D the function is taken for a sum of two hyperbolas with its value and slopes.
    eps = 2.220446049250313e-16
    places = torch.arange(k)
    total = weights.sum()
    width = torch.where(places == k - 1, total, torch.gather(gaps, 1, torch.clamp_max(places + 1, k - 1).unsqueeze(1)).squeeze(1))
    here = places.unsqueeze(1) >= places
    value = (weights / (gaps - 0.5 * width.unsqueeze(1))).sum([1]) + 1.0
    right = torch.logical_and(value < 0, places < k - 1)
    origin = places + right.to(torch.int64)
    from_origin = torch.index_select(gaps, 0, origin).narrow(0, 0, k).narrow(1, 0, k)
    # the ends of the interval between D_i and the next, from the closest
    near = torch.where(right, -width, torch.zeros_like(width))
    far = torch.where(right, torch.zeros_like(width), width)
    middle = torch.where(right, -0.5 * width, 0.5 * width)
    low = torch.where(right, middle, near)
    high = torch.where(torch.logical_or(right, places == k - 1), far, middle)
    mu = middle.clone()
    turns = 0
    searching = True
    while searching and turns < 200:
        mu = mu.narrow(0, 0, k)
        low = low.narrow(0, 0, k)
        high = high.narrow(0, 0, k)
        inverse = 1.0 / (from_origin - mu.unsqueeze(1))
        terms = weights * inverse
        slopes = terms * inverse
        value = terms.sum([1]) + 1.0
        sizes = terms.abs().sum([1]) + 1.0
        before = torch.where(here, slopes, torch.zeros_like(slopes)).sum([1])
        after = torch.where(here, torch.zeros_like(slopes), slopes).sum([1])
        low = torch.where(value < 0, mu, low)
        high = torch.where(value > 0, mu, high)
        p = near - mu
        q = far - mu
        c = value - p * before - q * after
        a = (p + q) * value - p * q * (before + after)
        b = p * q * value
        root = (a * a - 4.0 * b * c).abs().sqrt()
        step = torch.where(a <= 0, (a - root) / (2.0 * c), 2.0 * b / (a + root))
        found = mu + step
        inside = torch.logical_and(found > low, found < high)
        found = torch.where(inside, found, 0.5 * (low + high))
        done = torch.logical_or(value.abs() <= 4.0 * eps * sizes, high - low <= 2.0 * eps * torch.maximum(high.abs(), low.abs()))
        mu = torch.where(done, mu, found)
        searching = not bool(done.all())
        turns += 1
    mu = mu.narrow(0, 0, k)
    return origin, mu, from_origin - mu.unsqueeze(1)


def _h_exact_vector(gaps: Tensor, apart: Tensor, z: Tensor, k: int) -> Tensor:
    # [k, k], [k, k], [k]: the z for which the roots are exact; apart[i, j] = D_j - root i
    same = torch.arange(k).unsqueeze(1) == torch.arange(k)
    ratios = torch.where(same, apart, apart / torch.where(same, torch.ones_like(gaps), gaps.transpose(0, 1)))
    return torch.copysign(ratios.prod(0).abs().sqrt(), z)


def _h_tridiagonal_merge(d: Tensor, rows: Tensor, n: int, mid: int, beside: float) -> Tuple[Tensor, Tensor]:
    # eigenvalues [n] and vectors (rows) [n, n] of two tridiagonal matrices in one, joined by `beside`, whose absolute value the
    # elements on the diagonal that it is next to have lost
    strength = math.sqrt(abs(beside))
    joint = (rows[:, mid - 1] + rows[:, mid] * (-1.0 if beside < 0.0 else 1.0)) * strength
    poles, order = torch.sort(d)
    z = torch.index_select(joint, 0, order).narrow(0, 0, n).clone()
    all = torch.index_select(rows, 0, order).narrow(0, 0, n).clone()
    size = float(z.square().sum().sqrt())
    tol = 8.9e-16 * max(float(poles.abs().amax()), size * size)
    found, left = _h_deflate(poles, z, all, 0, size, tol)
    values = torch.index_select(poles, 0, found)
    z = torch.index_select(z, 0, found).narrow(0, 0, left)
    all = torch.index_select(all, 0, found).narrow(0, 0, n)
    if left > 0:
        kept = values.narrow(0, 0, left).clone()
        gaps = kept - kept.unsqueeze(1)
        origin, mu, apart = _h_secular(gaps, z.square(), left)
        vectors = _h_exact_vector(gaps, apart, z, left) / apart
        vectors = vectors / vectors.square().sum([1], True).sqrt()
        values.narrow(0, 0, left).copy_(torch.index_select(kept, 0, origin) + mu)
        all.narrow(0, 0, left).copy_(torch.matmul(vectors, all.narrow(0, 0, left).clone()))
    return values, all
