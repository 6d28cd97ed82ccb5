# Complex tensors.

import torch
from torch import Tensor
from typing import List, Optional


def adjoint(self: Tensor) -> Tensor:
    return self.transpose(-2, -1).conj()


def mH__a(self: Tensor) -> Tensor:
    return self.transpose(-2, -1).conj()


def mH(self: Tensor) -> Tensor:
    return self.transpose(-2, -1).conj()


def matrix_H__a(self: Tensor) -> Tensor:
    return self.t().conj()


def matrix_H(self: Tensor) -> Tensor:
    return self.t().conj()


def isreal(self: Tensor) -> Tensor:
    if self.is_complex():
        return self.imag == 0.0
    return torch.ones_like(self, dtype=torch.bool)
