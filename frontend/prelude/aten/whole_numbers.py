# Divisors and multiples of whole numbers.

import torch
from torch import Tensor


def gcd(self: Tensor, other: Tensor) -> Tensor:
    # Euclid's algorithm on all elements, until the last one is through
    dtype = torch.result_type(self, other)
    if dtype >= 5:
        raise RuntimeError('"gcd" not implemented for a floating or bool type')
    x, y = torch.broadcast_tensors([self.to(dtype), other.to(dtype)])
    a = torch.abs(x)
    b = torch.abs(y)
    while bool(torch.any(a != 0)):
        rest = torch.where(a != 0, torch.fmod(b, torch.where(a != 0, a, 1).to(dtype)), b)
        b = torch.where(a != 0, a, b)
        a = torch.where(a != 0, rest, a)
    return b


def lcm(self: Tensor, other: Tensor) -> Tensor:
    dtype = torch.result_type(self, other)
    g = gcd(self, other)
    x, y = torch.broadcast_tensors([self.to(dtype), other.to(dtype)])
    safe = torch.where(g == 0, 1, g).to(dtype)
    return torch.where(g == 0, 0, torch.abs(torch.div(x, safe, rounding_mode="trunc") * y)).to(dtype)
