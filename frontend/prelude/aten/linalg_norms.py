# Norms of matrices, and what follows from singular values: condition, rank, pseudo-inverse, least squares.

import math
import torch
from torch import Tensor
from typing import List, Optional, Tuple


def _h_two_dims(x: Tensor, dim: List[int]) -> Tuple[int, int]:
    if len(dim) != 2:
        texts: List[str] = []
        for d in dim:
            texts.append(str(d))
        raise RuntimeError("linalg.matrix_norm: dim must be a 2-tuple. Got {}".format(", ".join(texts)))
    first = dim[0] + x.dim() if dim[0] < 0 else dim[0]
    second = dim[1] + x.dim() if dim[1] < 0 else dim[1]
    if first == second:
        raise RuntimeError("linalg.matrix_norm: dims must be different. Got ({}, {})".format(dim[0], dim[1]))
    return first, second


def _h_singular_values_over(x: Tensor, first: int, second: int) -> Tensor:
    order: List[int] = []
    for i in range(x.dim()):
        if i != first and i != second:
            order.append(i)
    return linalg_svdvals(x.permute(order + [first, second]), None)


def _h_kept(x: Tensor, first: int, second: int, keepdim: bool) -> Tensor:
    # two dimensions that are gone come back as 1
    if not keepdim:
        return x
    return x.unsqueeze(min(first, second)).unsqueeze(max(first, second))


def _h_extreme(x: Tensor, dim: int, largest: bool) -> Tensor:
    if largest and x.size(dim) == 0:
        return x.sum([dim])
    return x.amax([dim]) if largest else x.amin([dim])


def _h_need_norm(x: Tensor, dtype: Optional[int]) -> Tensor:
    _h_need_matrix(x, "linalg.matrix_norm", "A")
    if not x.is_floating_point() and not x.is_complex():
        raise RuntimeError("linalg.matrix_norm: Expected a floating point or complex tensor as input. Got {}".format(_h_type_name(x.dtype)))
    if dtype is None:
        return x
    y = x.to(dtype)
    if not y.is_floating_point() and not y.is_complex():
        raise RuntimeError("linalg.matrix_norm: dtype should be floating point or complex, but got {}".format(_h_type_name(y.dtype)))
    return _h_not_narrowed(x, y, "linalg.matrix_norm")


def _h_not_narrowed(x: Tensor, y: Tensor, name: str) -> Tensor:
    # y, which is x as another floating point dtype
    half = _h_half(y) and not (y.dtype == x.dtype)
    if half or (y.dtype == torch.float32 and x.dtype == torch.float64):
        raise RuntimeError(
            "{}: the dtype of the input ({}) should be convertible without narrowing to the specified dtype ({})".format(
                name, _h_type_name(x.dtype), _h_type_name(y.dtype)
            )
        )
    return y


def _h_matrix_norm(x: Tensor, ord: number, dim: List[int], keepdim: bool, dtype: Optional[int]) -> Tensor:
    y = _h_need_norm(x, dtype)
    first, second = _h_two_dims(y, dim)
    size = abs(float(ord))
    if size != 1.0 and size != 2.0 and size != float("inf"):
        raise RuntimeError("linalg.matrix_norm: Order {} not supported.".format(ord))
    if size == 2.0:
        if _h_half(y):
            raise RuntimeError("linalg.matrix_norm: Low precision dtypes not supported. Got {}".format(_h_type_name(y.dtype)))
        result = _h_extreme(_h_singular_values_over(y, first, second), -1, float(ord) > 0.0)
        return _h_kept(result, first, second, keepdim)
    added = first if size == 1.0 else second
    other = second if size == 1.0 else first
    wide = y if y.is_complex() else _h_wide(y)
    sums = wide.abs().sum([added], True)
    result = _h_extreme(sums, other, float(ord) > 0.0)
    result = result.squeeze(added if added < other else added - 1)
    return _h_kept(_h_narrow(result, y.dtype), first, second, keepdim)


def _h_matrix_norm_named(x: Tensor, ord: str, dim: List[int], keepdim: bool, dtype: Optional[int]) -> Tensor:
    if ord != "fro" and ord != "nuc":
        raise RuntimeError("linalg.matrix_norm: Order {} not supported.".format(ord))
    y = _h_need_norm(x, dtype)
    first, second = _h_two_dims(y, dim)
    if ord == "fro":
        return _h_norm_as(y, 2.0, [first, second], keepdim)
    if _h_half(y):
        raise RuntimeError("linalg.matrix_norm: Low precision dtypes not supported. Got {}".format(_h_type_name(y.dtype)))
    return _h_kept(_h_singular_values_over(y, first, second).sum([-1]), first, second, keepdim)


def linalg_matrix_norm(self: Tensor, ord: number, dim: List[int], keepdim: bool, dtype: Optional[int]) -> Tensor:
    return _h_matrix_norm(self, ord, dim, keepdim, dtype)


def linalg_matrix_norm__str_ord(
    self: Tensor, ord: str, dim: List[int], keepdim: bool, dtype: Optional[int]
) -> Tensor:
    return _h_matrix_norm_named(self, ord, dim, keepdim, dtype)


def _h_norm_dims(x: Tensor, dim: Optional[List[int]]) -> List[int]:
    # those of linalg.norm with an order
    if dim is not None:
        return dim
    if x.dim() > 2:
        raise RuntimeError("linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {}D.".format(x.dim()))
    if x.dim() == 2:
        return [0, 1]
    return [0]


def linalg_norm(
    self: Tensor, ord: Optional[number], dim: Optional[List[int]], keepdim: bool, dtype: Optional[int]
) -> Tensor:
    if ord is not None:
        if dim is not None:
            if len(dim) == 2:
                return _h_matrix_norm(self, ord, dim, keepdim, dtype)
        else:
            dims = _h_norm_dims(self, dim)
            if len(dims) == 2:
                return _h_matrix_norm(self, ord, dims, keepdim, dtype)
    return linalg_vector_norm(self, 2.0 if ord is None else float(ord), dim, keepdim, dtype)


def linalg_norm__ord_str(
    self: Tensor, ord: str, dim: Optional[List[int]], keepdim: bool, dtype: Optional[int]
) -> Tensor:
    return _h_matrix_norm_named(self, ord, _h_norm_dims(self, dim), keepdim, dtype)


def nuclear_norm(self: Tensor, keepdim: bool) -> Tensor:
    return _h_matrix_norm_named(self, "nuc", [0, 1], keepdim, None)


def nuclear_norm__dim(self: Tensor, dim: List[int], keepdim: bool) -> Tensor:
    return _h_matrix_norm_named(self, "nuc", dim, keepdim, None)


# condition


def _h_condition_matrix(x: Tensor, name: str) -> Tuple[Tensor, Tensor]:
    # the matrices and their inverses, of which those that do not exist are infinite
    _h_need_square(x, name)
    inverse, info = _h_inverse(x)
    return x, torch.where((info > 0).unsqueeze(-1).unsqueeze(-1), torch.full_like(inverse, float("inf")), inverse)


def _h_need_condition(x: Tensor) -> None:
    if x.dim() < 2:
        raise RuntimeError("linalg.cond: The input tensor must have at least 2 dimensions.")


def _h_condition_product(a: Tensor, b: Tensor) -> Tensor:
    product = a * b
    return torch.where(product == product, product, torch.full_like(product, float("inf")))


def linalg_cond(self: Tensor, p: Optional[number]) -> Tensor:
    _h_need_condition(self)
    order = 2.0 if p is None else float(p)
    if abs(order) == 2.0:
        s = linalg_svdvals(self, None)
        if self.size(-1) == 0 or self.size(-2) == 0:
            return torch.zeros(_h_batch(self, 2), dtype=self.dtype)
        return s[..., 0] / s[..., -1] if order > 0.0 else s[..., -1] / s[..., 0]
    if abs(order) != 1.0 and abs(order) != float("inf"):
        raise RuntimeError("linalg.cond got an invalid norm type: {}".format(p))
    _h_need_square(self, "linalg.cond(ord={})".format(p))
    if self.size(-1) == 0:
        return torch.zeros(_h_batch(self, 2), dtype=self.dtype)
    x, y = _h_condition_matrix(self, "linalg.cond")
    a = _h_matrix_norm(x, order, [-2, -1], False, None)
    return _h_condition_product(a, _h_matrix_norm(y, order, [-2, -1], False, None))


def linalg_cond__p_str(self: Tensor, p: str) -> Tensor:
    _h_need_condition(self)
    if p != "fro" and p != "nuc":
        raise RuntimeError("linalg.cond got an invalid norm type: {}".format(p))
    if p == "nuc":
        # the pseudo-inverse has the inverses of the singular values that count
        s = linalg_svdvals(self, None)
        kept = s > (_h_relative_tolerance(self) * _h_largest(s)).unsqueeze(-1)
        inverses = torch.where(kept, 1.0 / torch.where(kept, s, torch.ones_like(s)), 0.0).to(s.dtype)
        return s.sum([-1]) * inverses.sum([-1])
    _h_need_square(self, "linalg.cond(ord={})".format(p))
    if self.size(-1) == 0:
        return torch.zeros(_h_batch(self, 2), dtype=self.dtype)
    x, y = _h_condition_matrix(self, "linalg.cond")
    a = _h_matrix_norm_named(x, p, [-2, -1], False, None)
    return _h_condition_product(a, _h_matrix_norm_named(y, p, [-2, -1], False, None))


# rank


def _h_epsilon(dtype: int) -> float:
    return 2.220446049250313e-16 if dtype == torch.float64 else 1.1920928955078125e-07


def _h_relative_tolerance(x: Tensor) -> float:
    return _h_epsilon(x.dtype) * max(x.size(-1), x.size(-2))


def _h_sizes(x: Tensor, hermitian: bool) -> Tensor:
    # singular values
    return linalg_eigvalsh(x, "L").abs() if hermitian else linalg_svdvals(x, None)


def _h_largest(s: Tensor) -> Tensor:
    return s.sum([-1]) if s.size(-1) == 0 else s.amax([-1])


def _h_need_rank(x: Tensor) -> None:
    if x.dim() < 2:
        raise RuntimeError("torch.linalg.matrix_rank: The input tensor input must have at least 2 dimensions.")
    if _h_real_type(x.dtype) != torch.float32 and _h_real_type(x.dtype) != torch.float64:
        raise RuntimeError("This function doesn't handle types other than float and double")


def _h_tolerance(x: Tensor, atol: Optional[float], rtol: Optional[float]) -> Tuple[float, float]:
    absolute = 0.0 if atol is None else atol
    relative = 0.0
    if rtol is not None:
        relative = rtol
    elif absolute <= 0.0:
        relative = _h_relative_tolerance(x)
    return absolute, relative


def _h_tolerances(x: Tensor, atol: Optional[Tensor], rtol: Optional[Tensor]) -> Tuple[Tensor, Tensor]:
    absolute = torch.zeros([], dtype=torch.float64)
    relative = torch.zeros([], dtype=torch.float64)
    usual = torch.full([], _h_relative_tolerance(x), dtype=torch.float64)
    if atol is not None:
        absolute = atol.to(torch.float64)
    if rtol is not None:
        relative = rtol.to(torch.float64)
    elif atol is not None:
        relative = torch.where(absolute > 0, torch.zeros_like(absolute), usual)
    else:
        relative = usual
    return absolute, relative


def _h_rank(x: Tensor, absolute: Tensor, relative: Tensor, hermitian: bool) -> Tensor:
    s = _h_sizes(x, hermitian).to(torch.float64)
    limit = torch.maximum(absolute, relative * _h_largest(s))
    return (s > limit.unsqueeze(-1)).sum([-1])


def _h_rank_as(x: Tensor, absolute: float, relative: float, hermitian: bool) -> Tensor:
    a = torch.full([], absolute, dtype=torch.float64)
    return _h_rank(x, a, torch.full([], relative, dtype=torch.float64), hermitian)


def linalg_matrix_rank(self: Tensor, tol: float, hermitian: bool) -> Tensor:
    _h_need_rank(self)
    return _h_rank_as(self, tol, 0.0, hermitian)


def linalg_matrix_rank__tol_tensor(input: Tensor, tol: Tensor, hermitian: bool) -> Tensor:
    _h_need_rank(input)
    return _h_rank(input, tol.to(torch.float64), torch.zeros([], dtype=torch.float64), hermitian)


def linalg_matrix_rank__atol_rtol_float(
    self: Tensor, atol: Optional[float], rtol: Optional[float], hermitian: bool
) -> Tensor:
    _h_need_rank(self)
    absolute, relative = _h_tolerance(self, atol, rtol)
    return _h_rank_as(self, absolute, relative, hermitian)


def linalg_matrix_rank__atol_rtol_tensor(
    input: Tensor, atol: Optional[Tensor], rtol: Optional[Tensor], hermitian: bool
) -> Tensor:
    _h_need_rank(input)
    absolute, relative = _h_tolerances(input, atol, rtol)
    return _h_rank(input, absolute, relative, hermitian)


# pseudo-inverses


def _h_need_pinv(x: Tensor) -> None:
    if x.dim() < 2 or (_h_real_type(x.dtype) != torch.float32 and _h_real_type(x.dtype) != torch.float64):
        raise RuntimeError(
            "linalg.pinv({}{}): expected a tensor with 2 or more dimensions of float, double, cfloat or cdouble types".format(
                _h_type_name(x.dtype), x.size()
            )
        )


def _h_pinv_within(x: Tensor, absolute: Tensor, relative: Tensor, hermitian: bool) -> Tensor:
    if x.numel() == 0:
        if hermitian:
            _h_need_square(x, "linalg.eigh")
        return torch.zeros(_h_batch(x, 2) + [x.size(-1), x.size(-2)], dtype=x.dtype)
    if hermitian:
        values, vectors = linalg_eigh(x, "L")
        size = values.abs()
        limit = torch.maximum(absolute, relative * size.amax([-1]).to(torch.float64)).unsqueeze(-1)
        kept = size.to(torch.float64) > limit
        factors = torch.where(kept, 1.0 / torch.where(kept, values, torch.ones_like(values)), 0.0).to(x.dtype)
        return torch.matmul(vectors * factors.unsqueeze(-2), _h_adjoint(vectors))
    u, s, vh = linalg_svd(x, False, None)
    limit = torch.maximum(absolute, relative * s[..., 0].to(torch.float64)).unsqueeze(-1)
    kept = s.to(torch.float64) > limit
    factors = torch.where(kept, 1.0 / torch.where(kept, s, torch.ones_like(s)), 0.0).to(x.dtype)
    return torch.matmul(_h_adjoint(vh) * factors.unsqueeze(-2), _h_adjoint(u))


def _h_pinv(x: Tensor, absolute: float, relative: float, hermitian: bool) -> Tensor:
    _h_need_pinv(x)
    a = torch.full([], absolute, dtype=torch.float64)
    return _h_pinv_within(x, a, torch.full([], relative, dtype=torch.float64), hermitian)


def linalg_pinv(self: Tensor, rcond: float, hermitian: bool) -> Tensor:
    return _h_pinv(self, 0.0, rcond, hermitian)


def linalg_pinv__atol_rtol_float(
    self: Tensor, atol: Optional[float], rtol: Optional[float], hermitian: bool
) -> Tensor:
    _h_need_pinv(self)
    absolute, relative = _h_tolerance(self, atol, rtol)
    return _h_pinv(self, absolute, relative, hermitian)


def linalg_pinv__atol_rtol_tensor(
    self: Tensor, atol: Optional[Tensor], rtol: Optional[Tensor], hermitian: bool
) -> Tensor:
    _h_need_pinv(self)
    absolute, relative = _h_tolerances(self, atol, rtol)
    return _h_pinv_within(self, absolute, relative, hermitian)


def linalg_pinv__rcond_tensor(self: Tensor, rcond: Tensor, hermitian: bool) -> Tensor:
    _h_need_pinv(self)
    return _h_pinv_within(self, torch.zeros([], dtype=torch.float64), rcond.to(torch.float64), hermitian)


def pinverse(self: Tensor, rcond: float) -> Tensor:
    return _h_pinv(self, 0.0, rcond, False)


# least squares


def _h_check_full_rank(info: Tensor, one: bool) -> None:
    value, text = _h_first_info(info, one, "torch.linalg.lstsq")
    if value != 0:
        raise RuntimeError(
            "{}: The least squares solution could not be computed because the input matrix does not have full rank (error "
            "code: {}).".format(text, value)
        )


def _h_gels(a: Tensor, b: Tensor, one: bool) -> Tuple[Tensor, Tensor]:
    # [B, m, n] of full rank, [B, m, k]: the solutions, the sums of squares of what remains
    m = a.size(1)
    n = a.size(2)
    packed, taus = _h_geqrf(a if m >= n else _h_adjoint(a))
    k = min(m, n)
    zero = torch.diagonal(packed, 0, 1, 2) == 0
    if k > 0:
        info = torch.where(zero.any(1), torch.argmax(zero.to(torch.int32), 1) + 1, 0)
        _h_check_full_rank(info, one)
    r = packed[:, :k, :k]
    if m >= n:
        y = _h_reflect(packed, taus, b, True)
        return _h_substitute(r, y[:, :n], True, False), _h_squares(y[:, n:]).sum([1])
    y = _h_substitute(_h_adjoint(r), b, False, False)
    y = torch.cat([y, torch.zeros([a.size(0), n - m, b.size(2)], dtype=b.dtype)], 1)
    return _h_reflect(packed, taus, y, False), _h_real(b.sum([1]))


def linalg_lstsq(
    self: Tensor, b: Tensor, rcond: Optional[float], driver: Optional[str]
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    if self.dim() < 2:
        raise RuntimeError("torch.linalg.lstsq: input must have at least 2 dimensions.")
    if b.dim() < 1:
        raise RuntimeError("torch.linalg.lstsq: other must have at least 1 dimension.")
    if self.dtype != b.dtype:
        raise RuntimeError(
            "torch.linalg.lstsq: Expected input and other to have the same dtype, but got input's dtype {} and other's "
            "dtype {}".format(_h_type_name(self.dtype), _h_type_name(b.dtype))
        )
    _h_need_kernel(self, "linalg_lstsq_cpu")
    vector = b.dim() == 1 or (self.dim() - 1 == b.dim() and _h_is_vector(self, b))
    right = b.unsqueeze(-1) if vector else b
    if self.dim() > right.dim() + 0 and right.dim() < 2:
        raise RuntimeError("torch.linalg.lstsq: input.dim() must be greater or equal to other.dim()")
    if self.size(-2) != right.size(-2):
        raise RuntimeError(
            "torch.linalg.lstsq: input.size(-2) should match other.size({})".format(-1 if vector else -2)
        )
    way = "gelsy" if driver is None else driver
    if way != "gels" and way != "gelsy" and way != "gelsd" and way != "gelss":
        raise RuntimeError("torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)")
    m = self.size(-2)
    n = self.size(-1)
    lead = _h_lead_of(self, right)
    whole = _h_expanded(self, lead)
    a = _h_matrices(whole)
    given = _h_matrices(_h_expanded(right, lead))
    k = given.size(2)
    none = torch.empty([0], dtype=_h_real_type(self.dtype))
    residuals = none
    rank = torch.empty([0], dtype=torch.int64)
    values = none
    if way == "gels":
        x, rest = _h_gels(a, given, len(lead) == 0)
        if m > n:
            residuals = rest.reshape(lead + [k])
    else:
        u, s, vh = _h_svd(a, False, True, "torch.linalg.lstsq")
        limit = _h_relative_tolerance(self) if rcond is None else rcond
        if min(m, n) > 0:
            kept = s > limit * s[:, :1]
            factors = torch.where(kept, 1.0 / torch.where(kept, s, torch.ones_like(s)), 0.0).to(self.dtype)
            x = torch.matmul(_h_adjoint(vh), factors.unsqueeze(2) * torch.matmul(_h_adjoint(u), given))
            ranks = kept.sum([1])
        else:
            x = torch.zeros([a.size(0), n, k], dtype=self.dtype)
            ranks = torch.zeros([a.size(0)], dtype=torch.int64)
        rank = ranks.reshape(lead)
        if way != "gelsy":
            values = s.reshape(lead + [min(m, n)])
            if m > n:
                if bool((ranks == n).all()):
                    residuals = _h_squares(torch.matmul(a, x) - given).sum([1]).reshape(lead + [k])
    solution = x.reshape(lead + [n, k])
    return solution.squeeze(-1) if vector else solution, residuals, rank, values
