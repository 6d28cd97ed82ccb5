# Mantissas and exponents.

import torch
from torch import Tensor
from typing import Tuple


def ldexp__Tensor(self: Tensor, other: Tensor) -> Tensor:
    return self * torch.pow(2.0, other)


def frexp__Tensor(self: Tensor) -> Tuple[Tensor, Tensor]:
    if not self.is_floating_point():
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    x = self.to(torch.float64)
    size = torch.abs(x)
    # a power of two that brings the size near 1, in two steps that neither overflow nor underflow; then the rest
    guess = torch.where(torch.logical_or(size == 0, torch.logical_not(torch.isfinite(size))), 0.0, torch.floor(torch.log2(size)))
    half = torch.floor(guess / 2.0)
    mantissa = x * torch.exp2(-half) * torch.exp2(half - guess)
    exponent = guess
    for _ in range(2):
        large = torch.abs(mantissa) >= 1.0
        mantissa, exponent = torch.where(large, mantissa * 0.5, mantissa), torch.where(large, exponent + 1.0, exponent)
    for _ in range(2):
        small = torch.logical_and(torch.abs(mantissa) < 0.5, size != 0)
        mantissa, exponent = torch.where(small, mantissa * 2.0, mantissa), torch.where(small, exponent - 1.0, exponent)
    plain = torch.logical_and(size != 0, torch.isfinite(size))
    return torch.where(plain, mantissa, x).to(self.dtype), torch.where(plain, exponent, 0.0).to(torch.int32)


def special_round(self: Tensor, decimals: int) -> Tensor:
    return torch.round(self, decimals=decimals)
