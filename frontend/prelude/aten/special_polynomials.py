# Orthogonal polynomials of a degree per element: three-term recurrences, and closed forms where those lose precision.

import math
import torch
from torch import Tensor
from typing import Tuple


def _h_polynomial_arguments(x: Tensor, n: Tensor) -> Tuple[Tensor, Tensor, int]:
    # argument, degree, the result's dtype
    dtype = _h_float_dtype(torch.result_type(x, n))
    _h_refuse_halves(dtype, "polynomial_cpu")
    a, b = torch.broadcast_tensors([x.to(dtype), n.to(dtype)])
    return a, b.to(torch.int64), dtype


def _h_multiply_subtract(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    # a * b - c, of float32 rounded once as PyTorch's kernels do: the difference may be all rounding error
    if a.dtype == torch.float32:
        return (a.double() * b.double() - c.double()).to(torch.float32)
    return a * b - c


def _h_recurrence(step: Tensor, first: Tensor, n: Tensor, closed: Tensor) -> Tensor:
    # 1, first, and each then `step` times the last less the one before; not followed where a closed form is taken
    p = torch.ones_like(step)
    q = first
    value = torch.where(n == 0, p, q)
    k = 2
    going = torch.logical_and(torch.logical_not(closed), n >= 2)
    while bool(going.any()):
        r = _h_multiply_subtract(step, q, p)
        p = q
        q = r
        value = torch.where(going, r, value)
        k += 1
        going = torch.logical_and(torch.logical_and(going, n >= k), torch.logical_not(torch.isnan(q)))
    return value


def _h_sign(n: Tensor, x: Tensor) -> Tensor:
    # (-1)^n
    one = torch.ones_like(x)
    return torch.where(n % 2 == 0, one, -one)


def _h_cos(angle: Tensor) -> Tensor:
    # rounded once: a multiple of the angle magnifies its last digit
    return torch.cos(angle.double()).to(angle.dtype)


def _h_sin(angle: Tensor) -> Tensor:
    return torch.sin(angle.double()).to(angle.dtype)


def _h_chebyshev(kind: str, x: Tensor, n: Tensor, limit: int) -> Tensor:
    real = n.to(x.dtype)
    size = torch.abs(x)
    sign = _h_sign(n, x)
    angle = torch.acos(x.double()).to(x.dtype)
    oscillates = torch.logical_and(n > limit, size < 1.0)
    ends = size == 1.0
    if kind == "t":
        first = x
        closed = _h_cos(real * angle)
        right = torch.ones_like(x)
        left = sign
    elif kind == "u":
        first = x + x
        sine = _h_sin(angle)
        closed = torch.where(sine != 0.0, _h_sin((real + 1.0) * angle) / sine, (real + 1.0) * _h_cos((real + 1.0) * angle) / x)
        right = real + 1.0
        left = sign * (real + 1.0)
    elif kind == "v":
        first = x + x - 1.0
        whole = sign * (real + real + 1.0)
        closed = torch.where(_h_sin(angle / 2.0) != 1.0, _h_cos((real + 0.5) * angle) / _h_cos(angle / 2.0), whole)
        right = torch.ones_like(x)
        left = whole
    else:
        first = x + x + 1.0
        right = real + real + 1.0
        left = sign
        near = torch.where(x > 0.0, right, sign)
        closed = torch.where(_h_cos(angle / 2.0) != 1.0, _h_sin((real + 0.5) * angle) / _h_sin(angle / 2.0), near)
    taken = torch.logical_or(torch.logical_or(oscillates, ends), n < 0)
    value = torch.where(oscillates, closed, _h_recurrence(x + x, first, n, taken))
    value = torch.where(ends, torch.where(x > 0.0, right, left), value)
    return torch.where(n < 0, 0.0, value)


def _h_hermite(x: Tensor, n: Tensor, factor: int) -> Tensor:
    # physicists' for 2, probabilists' for 1
    limit = 128 if x.dtype == torch.float32 else 512
    step = x * float(factor)
    p = torch.ones_like(x)
    q = step
    value = torch.where(n == 0, p, q)
    k = 1
    going = torch.logical_and(n >= 2, n <= limit)
    while bool(going.any()):
        r = _h_multiply_subtract(step, q, float(factor * k) * p)
        p = q
        q = r
        value = torch.where(going, r, value)
        k += 1
        going = torch.logical_and(going, n > k)
    return torch.where(n < 0, 0.0, torch.where(n > limit, math.nan, value))


def _h_laguerre(x: Tensor, n: Tensor) -> Tensor:
    p = torch.ones_like(x)
    q = 1.0 - x
    value = torch.where(n == 0, p, q)
    k = 1
    going = torch.logical_and(n >= 2, x != 0.0)
    while bool(going.any()):
        r = _h_multiply_subtract(float(k + k) + (1.0 - x), q, float(k) * p) / float(k + 1)
        p = q
        q = r
        value = torch.where(going, r, value)
        k += 1
        going = torch.logical_and(torch.logical_and(going, n > k), torch.logical_not(torch.isnan(q)))
    return torch.where(n < 0, 0.0, torch.where(x == 0.0, 1.0, value))


def _h_legendre(x: Tensor, n: Tensor) -> Tensor:
    p = torch.ones_like(x)
    q = x
    value = torch.where(n == 0, p, q)
    ends = torch.abs(x) == 1.0
    k = 1
    going = torch.logical_and(n >= 2, torch.logical_not(ends))
    while bool(going.any()):
        r = _h_multiply_subtract(float(k + k + 1) * x, q, float(k) * p) / float(k + 1)
        p = q
        q = r
        value = torch.where(going, r, value)
        k += 1
        going = torch.logical_and(torch.logical_and(going, n > k), torch.logical_not(torch.isnan(q)))
    value = torch.where(ends, torch.where(x > 0.0, 1.0, _h_sign(n, x)), value)
    return torch.where(n < 0, 0.0, value)


def special_chebyshev_polynomial_t(x: Tensor, n: Tensor) -> Tensor:
    a, k, _ = _h_polynomial_arguments(x, n)
    return _h_chebyshev("t", a, k, 6)


def special_chebyshev_polynomial_t__x_scalar(x: number, n: Tensor) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(n, x))
    return special_chebyshev_polynomial_t(torch.full([], x, dtype=dtype), n.to(dtype))


def special_chebyshev_polynomial_t__n_scalar(x: Tensor, n: number) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(x, n))
    return special_chebyshev_polynomial_t(x.to(dtype), torch.full([], n, dtype=dtype))


def special_chebyshev_polynomial_u(x: Tensor, n: Tensor) -> Tensor:
    a, k, _ = _h_polynomial_arguments(x, n)
    return _h_chebyshev("u", a, k, 8)


def special_chebyshev_polynomial_u__x_scalar(x: number, n: Tensor) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(n, x))
    return special_chebyshev_polynomial_u(torch.full([], x, dtype=dtype), n.to(dtype))


def special_chebyshev_polynomial_u__n_scalar(x: Tensor, n: number) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(x, n))
    return special_chebyshev_polynomial_u(x.to(dtype), torch.full([], n, dtype=dtype))


def special_chebyshev_polynomial_v(x: Tensor, n: Tensor) -> Tensor:
    a, k, _ = _h_polynomial_arguments(x, n)
    return _h_chebyshev("v", a, k, 8)


def special_chebyshev_polynomial_v__x_scalar(x: number, n: Tensor) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(n, x))
    return special_chebyshev_polynomial_v(torch.full([], x, dtype=dtype), n.to(dtype))


def special_chebyshev_polynomial_v__n_scalar(x: Tensor, n: number) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(x, n))
    return special_chebyshev_polynomial_v(x.to(dtype), torch.full([], n, dtype=dtype))


def special_chebyshev_polynomial_w(x: Tensor, n: Tensor) -> Tensor:
    a, k, _ = _h_polynomial_arguments(x, n)
    return _h_chebyshev("w", a, k, 8)


def special_chebyshev_polynomial_w__x_scalar(x: number, n: Tensor) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(n, x))
    return special_chebyshev_polynomial_w(torch.full([], x, dtype=dtype), n.to(dtype))


def special_chebyshev_polynomial_w__n_scalar(x: Tensor, n: number) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(x, n))
    return special_chebyshev_polynomial_w(x.to(dtype), torch.full([], n, dtype=dtype))


def special_shifted_chebyshev_polynomial_t(x: Tensor, n: Tensor) -> Tensor:
    a, k, _ = _h_polynomial_arguments(x, n)
    return _h_chebyshev("t", a + a - 1.0, k, 6)


def special_shifted_chebyshev_polynomial_t__x_scalar(x: number, n: Tensor) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(n, x))
    return special_shifted_chebyshev_polynomial_t(torch.full([], x, dtype=dtype), n.to(dtype))


def special_shifted_chebyshev_polynomial_t__n_scalar(x: Tensor, n: number) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(x, n))
    return special_shifted_chebyshev_polynomial_t(x.to(dtype), torch.full([], n, dtype=dtype))


def special_shifted_chebyshev_polynomial_u(x: Tensor, n: Tensor) -> Tensor:
    a, k, _ = _h_polynomial_arguments(x, n)
    return _h_chebyshev("u", a + a - 1.0, k, 6)


def special_shifted_chebyshev_polynomial_u__x_scalar(x: number, n: Tensor) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(n, x))
    return special_shifted_chebyshev_polynomial_u(torch.full([], x, dtype=dtype), n.to(dtype))


def special_shifted_chebyshev_polynomial_u__n_scalar(x: Tensor, n: number) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(x, n))
    return special_shifted_chebyshev_polynomial_u(x.to(dtype), torch.full([], n, dtype=dtype))


def special_shifted_chebyshev_polynomial_v(x: Tensor, n: Tensor) -> Tensor:
    a, k, _ = _h_polynomial_arguments(x, n)
    return _h_chebyshev("v", a + a - 1.0, k, 6)


def special_shifted_chebyshev_polynomial_v__x_scalar(x: number, n: Tensor) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(n, x))
    return special_shifted_chebyshev_polynomial_v(torch.full([], x, dtype=dtype), n.to(dtype))


def special_shifted_chebyshev_polynomial_v__n_scalar(x: Tensor, n: number) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(x, n))
    return special_shifted_chebyshev_polynomial_v(x.to(dtype), torch.full([], n, dtype=dtype))


def special_shifted_chebyshev_polynomial_w(x: Tensor, n: Tensor) -> Tensor:
    a, k, _ = _h_polynomial_arguments(x, n)
    return _h_chebyshev("w", a + a - 1.0, k, 4)


def special_shifted_chebyshev_polynomial_w__x_scalar(x: number, n: Tensor) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(n, x))
    return special_shifted_chebyshev_polynomial_w(torch.full([], x, dtype=dtype), n.to(dtype))


def special_shifted_chebyshev_polynomial_w__n_scalar(x: Tensor, n: number) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(x, n))
    return special_shifted_chebyshev_polynomial_w(x.to(dtype), torch.full([], n, dtype=dtype))


def special_hermite_polynomial_h(x: Tensor, n: Tensor) -> Tensor:
    a, k, _ = _h_polynomial_arguments(x, n)
    return _h_hermite(a, k, 2)


def special_hermite_polynomial_h__x_scalar(x: number, n: Tensor) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(n, x))
    return special_hermite_polynomial_h(torch.full([], x, dtype=dtype), n.to(dtype))


def special_hermite_polynomial_h__n_scalar(x: Tensor, n: number) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(x, n))
    return special_hermite_polynomial_h(x.to(dtype), torch.full([], n, dtype=dtype))


def special_hermite_polynomial_he(x: Tensor, n: Tensor) -> Tensor:
    a, k, _ = _h_polynomial_arguments(x, n)
    return _h_hermite(a, k, 1)


def special_hermite_polynomial_he__x_scalar(x: number, n: Tensor) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(n, x))
    return special_hermite_polynomial_he(torch.full([], x, dtype=dtype), n.to(dtype))


def special_hermite_polynomial_he__n_scalar(x: Tensor, n: number) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(x, n))
    return special_hermite_polynomial_he(x.to(dtype), torch.full([], n, dtype=dtype))


def special_laguerre_polynomial_l(x: Tensor, n: Tensor) -> Tensor:
    a, k, _ = _h_polynomial_arguments(x, n)
    return _h_laguerre(a, k)


def special_laguerre_polynomial_l__x_scalar(x: number, n: Tensor) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(n, x))
    return special_laguerre_polynomial_l(torch.full([], x, dtype=dtype), n.to(dtype))


def special_laguerre_polynomial_l__n_scalar(x: Tensor, n: number) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(x, n))
    return special_laguerre_polynomial_l(x.to(dtype), torch.full([], n, dtype=dtype))


def special_legendre_polynomial_p(x: Tensor, n: Tensor) -> Tensor:
    a, k, _ = _h_polynomial_arguments(x, n)
    return _h_legendre(a, k)


def special_legendre_polynomial_p__x_scalar(x: number, n: Tensor) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(n, x))
    return special_legendre_polynomial_p(torch.full([], x, dtype=dtype), n.to(dtype))


def special_legendre_polynomial_p__n_scalar(x: Tensor, n: number) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(x, n))
    return special_legendre_polynomial_p(x.to(dtype), torch.full([], n, dtype=dtype))
