# Variance, means without NaN, quantiles.

import torch
from torch import Tensor
from typing import List, Optional, Tuple


# variance


def _h_var_mean(self: Tensor, dim: Optional[List[int]], correction: float, keepdim: bool) -> Tuple[Tensor, Tensor]:
    if self.is_complex():
        v_re, m_re = _h_real_var_mean(self.real, dim, correction, keepdim)
        v_im, m_im = _h_real_var_mean(self.imag, dim, correction, keepdim)
        return v_re + v_im, torch.complex(m_re, m_im)
    if not self.is_floating_point():
        raise RuntimeError("std and var only support floating point and complex dtypes")
    return _h_real_var_mean(self, dim, correction, keepdim)


def _h_real_var_mean(
    self: Tensor, dim: Optional[List[int]], correction: float, keepdim: bool
) -> Tuple[Tensor, Tensor]:
    x = _h_wide(self)
    dims = _h_all_dims(x, dim)
    count = float(_h_count(x, dims))
    mean = torch.sum(x, dims, True) / count
    centred = x - mean
    squares = torch.sum(centred * centred, dims, keepdim)
    var = squares / max(count - correction, 0.0)
    if not keepdim:
        mean = mean.squeeze(dims)
    return var, mean


def _h_correction(correction: Optional[number]) -> float:
    if correction is None:
        return 1.0
    return float(correction)


def var(self: Tensor, unbiased: bool) -> Tensor:
    return _h_narrow(_h_var_mean(self, None, float(unbiased), False)[0], self.dtype)


def var__dim(self: Tensor, dim: Optional[List[int]], unbiased: bool, keepdim: bool) -> Tensor:
    return _h_narrow(_h_var_mean(self, dim, float(unbiased), keepdim)[0], self.dtype)


def var__correction(self: Tensor, dim: Optional[List[int]], correction: Optional[number], keepdim: bool) -> Tensor:
    return _h_narrow(_h_var_mean(self, dim, _h_correction(correction), keepdim)[0], self.dtype)


def std(self: Tensor, unbiased: bool) -> Tensor:
    return _h_narrow(torch.sqrt(_h_var_mean(self, None, float(unbiased), False)[0]), self.dtype)


def std__dim(self: Tensor, dim: Optional[List[int]], unbiased: bool, keepdim: bool) -> Tensor:
    return _h_narrow(torch.sqrt(_h_var_mean(self, dim, float(unbiased), keepdim)[0]), self.dtype)


def std__correction(self: Tensor, dim: Optional[List[int]], correction: Optional[number], keepdim: bool) -> Tensor:
    return _h_narrow(torch.sqrt(_h_var_mean(self, dim, _h_correction(correction), keepdim)[0]), self.dtype)


def var_mean(self: Tensor, unbiased: bool) -> Tuple[Tensor, Tensor]:
    v, m = _h_var_mean(self, None, float(unbiased), False)
    return _h_narrow(v, self.dtype), _h_narrow(m, self.dtype)


def var_mean__dim(self: Tensor, dim: Optional[List[int]], unbiased: bool, keepdim: bool) -> Tuple[Tensor, Tensor]:
    v, m = _h_var_mean(self, dim, float(unbiased), keepdim)
    return _h_narrow(v, self.dtype), _h_narrow(m, self.dtype)


def var_mean__correction(
    self: Tensor, dim: Optional[List[int]], correction: Optional[number], keepdim: bool
) -> Tuple[Tensor, Tensor]:
    v, m = _h_var_mean(self, dim, _h_correction(correction), keepdim)
    return _h_narrow(v, self.dtype), _h_narrow(m, self.dtype)


def std_mean(self: Tensor, unbiased: bool) -> Tuple[Tensor, Tensor]:
    v, m = _h_var_mean(self, None, float(unbiased), False)
    return _h_narrow(torch.sqrt(v), self.dtype), _h_narrow(m, self.dtype)


def std_mean__dim(self: Tensor, dim: Optional[List[int]], unbiased: bool, keepdim: bool) -> Tuple[Tensor, Tensor]:
    v, m = _h_var_mean(self, dim, float(unbiased), keepdim)
    return _h_narrow(torch.sqrt(v), self.dtype), _h_narrow(m, self.dtype)


def std_mean__correction(
    self: Tensor, dim: Optional[List[int]], correction: Optional[number], keepdim: bool
) -> Tuple[Tensor, Tensor]:
    v, m = _h_var_mean(self, dim, _h_correction(correction), keepdim)
    return _h_narrow(torch.sqrt(v), self.dtype), _h_narrow(m, self.dtype)


def nanmean(self: Tensor, dim: Optional[List[int]], keepdim: bool, dtype: Optional[int]) -> Tensor:
    if not self.is_floating_point():
        raise RuntimeError("nanmean(): expected input to have floating point or complex dtype")
    count = torch.sum(torch.logical_not(torch.isnan(self)), dim, keepdim)
    result = self.dtype if dtype is None else dtype
    total = torch.nansum(self, dim, keepdim, dtype=_h_wide(self).dtype if dtype is None else dtype)
    return _h_narrow(_h_wide(total) / count, result)  # float16 has no numbers for large counts


# quantiles


def _h_quantile_position(position: Tensor, interpolation: str) -> Tensor:
    if interpolation == "lower":
        return torch.floor(position)
    if interpolation == "higher":
        return torch.ceil(position)
    if interpolation == "nearest":
        return torch.round(position)
    if interpolation != "linear" and interpolation != "midpoint":
        raise RuntimeError(
            "quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, but got " + interpolation
        )
    return position


def _h_quantile_result(self: Tensor, q: Tensor, result: Tensor, dim: Optional[int], keepdim: bool) -> Tensor:
    # the line of quantiles stands where the line of elements stood; it goes to the front
    if dim is None:
        if keepdim:
            for i in range(self.dim()):
                result = result.unsqueeze(0)
            result = result.movedim(-1, 0)
        return result.squeeze(0) if q.dim() == 0 else result
    d = dim + self.dim() if dim < 0 else dim
    if self.dim() == 0:
        return result.squeeze(0) if q.dim() == 0 else result
    result = result.unsqueeze(0).transpose(0, -1).squeeze(-1)
    if self.dim() > 1:
        # what stood last stands at `dim` now
        if d < self.dim() - 1:
            result = result.movedim(d + 1, -1)
    if keepdim:
        result = result.unsqueeze(d + 1)
    return result.squeeze(0) if q.dim() == 0 else result


def _h_check_quantile(self: Tensor, q: Tensor):
    if self.numel() == 0:
        raise RuntimeError("quantile() input tensor must be non-empty")
    if q.dim() > 1:
        raise RuntimeError("quantile() q must be a scalar or 1D tensor")
    if self.dtype != torch.float32 and self.dtype != torch.float64:
        raise RuntimeError("quantile() input tensor must be either float or double dtype")
    if self.dtype != q.dtype:
        raise RuntimeError("quantile() q tensor must be same dtype as the input tensor")
    if bool(torch.any(torch.logical_or(q < 0, q > 1))):
        raise RuntimeError("quantile() q values must be in the range [0, 1]")


def _h_quantile(self: Tensor, q: Tensor, dim: Optional[int], keepdim: bool, interpolation: str) -> Tensor:
    # q: its dimensions come first in the result
    _h_check_quantile(self, q)
    x = self.reshape([-1]) if dim is None or self.dim() == 0 else self.transpose(dim, -1)
    line, _ = torch.sort(x, -1)
    last = line.size(-1) - 1
    position = _h_quantile_position((q * last).reshape([-1]), interpolation)
    below = torch.floor(position)
    low = torch.index_select(line, -1, below.to(torch.int64))
    high = torch.index_select(line, -1, torch.ceil(position).to(torch.int64))
    weight = torch.full_like(position, 0.5) if interpolation == "midpoint" else position - below
    result = torch.lerp(low, high, weight.expand_as(low))
    result = torch.where(torch.isnan(line.select(-1, last).unsqueeze(-1)), torch.full_like(result, float("nan")), result)
    return _h_quantile_result(self, q, result, dim, keepdim)


def quantile(self: Tensor, q: Tensor, dim: Optional[int], keepdim: bool, interpolation: str) -> Tensor:
    return _h_quantile(self, q, dim, keepdim, interpolation)


def quantile__scalar(self: Tensor, q: float, dim: Optional[int], keepdim: bool, interpolation: str) -> Tensor:
    return _h_quantile(self, torch.full([], q, dtype=self.dtype), dim, keepdim, interpolation)


# covariance


def _h_check_cov(weights: Tensor, name: str, count: int) -> None:
    if weights.dim() > 1:
        raise RuntimeError("cov(): expected {} to have one or fewer dimensions but got {} with {} dimensions".format(name, name, weights.dim()))
    if weights.numel() != count:
        raise RuntimeError(
            "cov(): expected {} to have the same numel as there are observations in the input but got {} != {}".format(
                name, weights.numel(), count
            )
        )
    if count > 0 and bool((weights < 0).any()):
        raise RuntimeError("cov(): {} cannot be negative".format(name))


def cov(self: Tensor, correction: int, fweights: Optional[Tensor], aweights: Optional[Tensor]) -> Tensor:
    if self.dim() > 2:
        raise RuntimeError("cov(): expected input to have two or fewer dimensions but got an input with {} dimensions".format(self.dim()))
    if self.dtype == torch.bool:
        raise RuntimeError("cov(): bool dtype is not supported for input")
    x = self if self.dim() == 2 else self.reshape([1, self.numel()])
    if fweights is None and aweights is None:
        count = float(x.size(1))
        centred = x - (x.sum(1) / count).unsqueeze(1)
        product = torch.matmul(centred, centred.t().conj())
        return (product / max(count - float(correction), 0.0)).squeeze()
    w = torch.ones([x.size(1)], dtype=torch.int64)
    if fweights is not None:
        _h_check_cov(fweights, "fweights", x.size(1))
        if fweights.is_floating_point() or fweights.is_complex() or fweights.dtype == torch.bool:
            raise RuntimeError(
                "cov(): expected fweights to have integral dtype but got fweights with {} dtype".format(_h_type_name(fweights.dtype))
            )
        w = fweights
    if aweights is not None:
        _h_check_cov(aweights, "aweights", x.size(1))
        if not aweights.is_floating_point():
            raise RuntimeError(
                "cov(): expected aweights to have floating point dtype but got aweights with {} dtype".format(_h_type_name(aweights.dtype))
            )
        w = w * aweights if fweights is not None else aweights
    total = w.sum()
    if bool(total == 0):
        raise RuntimeError("cov(): weights sum to zero, can't be normalized")
    norm = total - correction
    if aweights is not None:
        if correction != 0:
            norm = total - correction * (w * aweights).sum() / total
    centred = x - ((x * w).sum(1) / total).unsqueeze(1)
    product = torch.matmul(centred, (centred * w).t().conj())
    return torch.true_divide(product, torch.clamp_min(norm, 0)).squeeze()


def corrcoef(self: Tensor) -> Tensor:
    if self.dim() > 2:
        raise RuntimeError("corrcoef(): expected input to have two or fewer dimensions but got an input with {} dimensions".format(self.dim()))
    c = cov(self, 1, None, None)
    if c.dim() == 0:
        return c / c
    d = torch.diagonal(c)
    deviation = torch.sqrt(torch.real(d) if d.is_complex() else d)
    c = c / deviation.unsqueeze(1) / deviation.unsqueeze(0)
    if c.is_complex():
        return torch.complex(torch.clamp(torch.real(c), -1, 1), torch.clamp(torch.imag(c), -1, 1))
    return torch.clamp(c, -1, 1)


# the inverse of broadcasting


def sum_to_size(self: Tensor, size: List[int]) -> Tensor:
    if len(size) == 0:
        return self.sum()
    lead = self.dim() - len(size)
    if lead < 0:
        raise RuntimeError("size {} is not expandable to size {}.".format(size, self.size()))
    summed: List[int] = []
    for i in range(self.dim()):
        if i < lead:
            summed.append(i)
        elif size[i - lead] == 1 and self.size(i) != 1:
            summed.append(i)
        elif size[i - lead] != self.size(i):
            raise RuntimeError("size {} is not expandable to size {}.".format(size, self.size()))
    if len(summed) == 0:
        return self
    return self.sum(summed, True).reshape(size)
