# Softmax.

import torch
from torch import Tensor
from typing import List, Optional


def _h_softmax(x: Tensor, dim: int) -> Tensor:
    if x.dim() > 0 and _h_statically_known(x.size(dim) == 0):
        return x.clone()
    e = torch.exp(x - torch.amax(x, [dim], True))
    return e * (1 / torch.sum(e, [dim], True))  # a division for each row, not for each element


def _h_log_softmax(x: Tensor, dim: int) -> Tensor:
    if x.dim() > 0 and _h_statically_known(x.size(dim) == 0):
        return x.clone()
    shifted = x - torch.amax(x, [dim], True)
    return shifted - torch.log(torch.sum(torch.exp(shifted), [dim], True))


def _h_need_floating(x: Tensor, kernel: str):
    if not x.is_floating_point():
        raise RuntimeError('"' + kernel + '" not implemented for an integer type')


def _h_empty_softmax(self: Tensor, dim: int, dtype: Optional[int]) -> Tensor:
    x = self if dtype is None else self.to(dtype)
    _h_need_floating(x, "softmax_lastdim_kernel_impl")
    assert x.size(dim) >= 0
    return torch.zeros(x.size(), dtype=x.dtype)


def softmax__int(self: Tensor, dim: int, dtype: Optional[int]) -> Tensor:
    x = self if dtype is None else self.to(dtype)
    _h_need_floating(x, "softmax_lastdim_kernel_impl")
    return _h_narrow(_h_softmax(_h_wide(x), dim), x.dtype)


def log_softmax__int(self: Tensor, dim: int, dtype: Optional[int]) -> Tensor:
    x = self if dtype is None else self.to(dtype)
    _h_need_floating(x, "log_softmax_lastdim_kernel_impl")
    return _h_narrow(_h_log_softmax(_h_wide(x), dim), x.dtype)


def _softmax(self: Tensor, dim: int, half_to_float: bool) -> Tensor:
    result = _h_softmax(_h_wide(self), dim)
    return result if half_to_float else _h_narrow(result, self.dtype)


def _log_softmax(self: Tensor, dim: int, half_to_float: bool) -> Tensor:
    result = _h_log_softmax(_h_wide(self), dim)
    return result if half_to_float else _h_narrow(result, self.dtype)


def _safe_softmax(self: Tensor, dim: int, dtype: Optional[int]) -> Tensor:
    # a row of nothing but -inf gives zeros
    x = self if dtype is None else self.to(dtype)
    hidden = torch.all(x == float("-inf"), dim, True)
    return torch.where(hidden, 0, softmax__int(x, dim, None))


def _softmax_backward_data(grad_output: Tensor, output: Tensor, dim: int, input_dtype: int) -> Tensor:
    product = _h_wide(grad_output) * _h_wide(output)
    return (product - _h_wide(output) * torch.sum(product, [dim], True)).to(input_dtype)


def _log_softmax_backward_data(grad_output: Tensor, output: Tensor, dim: int, input_dtype: int) -> Tensor:
    grad = _h_wide(grad_output)
    return (grad - torch.exp(_h_wide(output)) * torch.sum(grad, [dim], True)).to(input_dtype)


def logsumexp(self: Tensor, dim: List[int], keepdim: bool) -> Tensor:
    x = _h_wide(_h_floating(self))
    if x.numel() == 0:
        return torch.log(torch.sum(_h_floating(self), dim, keepdim))
    top = torch.amax(torch.real(x), dim, True)
    shift = torch.where(torch.isinf(top), torch.zeros_like(top), top)
    total = torch.log(torch.sum(torch.exp(x - shift), dim, True)) + shift
    if not keepdim:
        dims = _h_all_dims(x, dim)
        total = total.squeeze(dims)
    return _h_narrow(total, _h_floating(self).dtype)


def special_softmax(self: Tensor, dim: int, dtype: Optional[int]) -> Tensor:
    return torch.softmax(self, dim, dtype)


def special_log_softmax(self: Tensor, dim: int, dtype: Optional[int]) -> Tensor:
    return torch.log_softmax(self, dim, dtype)
