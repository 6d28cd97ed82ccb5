# Activations.

import torch
from torch import Tensor
from typing import Optional


def relu6(self: Tensor) -> Tensor:
    return torch.clamp(self, 0, 6)


def selu(self: Tensor) -> Tensor:
    return torch.elu(self, 1.6732632423543772848170429916717, 1.0507009873554804934193349852946, 1)


def celu(self: Tensor, alpha: number) -> Tensor:
    return torch.elu(self, alpha, 1.0, 1.0 / float(alpha))


def glu(self: Tensor, dim: int) -> Tensor:
    n = self.size(dim)
    if n % 2 != 0:
        raise RuntimeError("Halving dimension must be even, but dimension {} is size {}".format(dim, n))
    return self.narrow(dim, 0, n // 2) * torch.sigmoid(self.narrow(dim, n // 2, n // 2))


def log_sigmoid(self: Tensor) -> Tensor:
    # min(x, 0) - log1p(exp(-|x|)): no overflow on either side
    x = _h_wide(self)
    return _h_narrow(torch.clamp(x, max=0) - torch.log1p(torch.exp(-torch.abs(x))), self.dtype)


def prelu(self: Tensor, weight: Tensor) -> Tensor:
    if self.dtype != weight.dtype:
        raise RuntimeError(
            "prelu: Type promoting not supported. Got {} and {}".format(_h_type_name(self.dtype), _h_type_name(weight.dtype))
        )
    if self.dim() < 2:
        w = weight.reshape([])
    else:
        if weight.numel() != 1 and weight.numel() != self.size(1):
            raise RuntimeError("Mismatch of parameter numbers and input channel size.")
        w = _h_per_channel(weight, self.dim())
    return torch.where(self > 0, self, w * self)


def logit(self: Tensor, eps: Optional[float]) -> Tensor:
    y = _h_wide(_h_floating(self))
    x = y if eps is None else torch.clamp(y, eps, 1.0 - eps)
    return _h_narrow(torch.log(x / (1.0 - x)), _h_floating(self).dtype)


def heaviside(self: Tensor, values: Tensor) -> Tensor:
    if self.dtype != values.dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")
    return torch.where(self == 0, values, (self > 0).to(self.dtype))
