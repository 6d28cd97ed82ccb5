# Variance, means without NaN, quantiles.

import torch
from torch import Tensor
from typing import List, Optional, Tuple


# variance


def _h_var_mean(self: Tensor, dim: Optional[List[int]], correction: float, keepdim: bool) -> Tuple[Tensor, Tensor]:
    if self.is_complex():
        v_re, m_re = _h_var_mean(self.real, dim, correction, keepdim)
        v_im, m_im = _h_var_mean(self.imag, dim, correction, keepdim)
        return v_re + v_im, torch.complex(m_re, m_im)
    if not self.is_floating_point():
        raise RuntimeError("std and var only support floating point and complex dtypes")
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
    return torch.nansum(self, dim, keepdim, dtype=dtype) / count


# quantiles


def _h_quantile(self: Tensor, q: Tensor, dim: Optional[int], keepdim: bool, interpolation: str) -> Tensor:
    # q: its dimensions come first in the result
    x = self.reshape([-1]) if dim is None else self.transpose(dim, -1)
    line, _ = torch.sort(x, -1)
    last = line.size(-1) - 1
    position = (q.to(self.dtype) * last).reshape([-1])
    if interpolation == "lower":
        position = torch.floor(position)
    elif interpolation == "higher":
        position = torch.ceil(position)
    elif interpolation == "nearest":
        position = torch.round(position)
    below = torch.floor(position)
    low = torch.index_select(line, -1, below.to(torch.int64))
    high = torch.index_select(line, -1, torch.ceil(position).to(torch.int64))
    weight = torch.full_like(position, 0.5) if interpolation == "midpoint" else position - below
    result = torch.lerp(low, high, weight.expand_as(low))
    result = torch.where(torch.isnan(line.select(-1, last).unsqueeze(-1)), torch.full_like(result, float("nan")), result)
    if dim is None:
        if keepdim:
            for i in range(self.dim()):
                result = result.unsqueeze(0)
            result = result.movedim(-1, 0)
        return result.squeeze(0) if q.dim() == 0 else result
    result = result.unsqueeze(0).transpose(0, -1).squeeze(-1)
    if keepdim:
        result = result.unsqueeze(dim if dim < 0 else dim + 1)
    return result.squeeze(0) if q.dim() == 0 else result


def quantile(self: Tensor, q: Tensor, dim: Optional[int], keepdim: bool, interpolation: str) -> Tensor:
    return _h_quantile(self, q, dim, keepdim, interpolation)


def quantile__scalar(self: Tensor, q: float, dim: Optional[int], keepdim: bool, interpolation: str) -> Tensor:
    return _h_quantile(self, torch.full([], q, dtype=self.dtype), dim, keepdim, interpolation)


# the inverse of broadcasting


def sum_to_size(self: Tensor, size: List[int]) -> Tensor:
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
