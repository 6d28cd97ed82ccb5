# torchcc run complex_filter.py --input x=f32[3,24] --input z=c64[4,6]
import torch
import torch.nn as nn
from torch import Tensor
from typing import Tuple


class ComplexFilter(nn.Module):
    """A filter in the frequency domain, and arithmetic on complex matrices."""

    def __init__(self, width: int = 24):
        super().__init__()
        self.response = nn.Parameter(torch.polar(torch.linspace(1.0, 0.1, width // 2 + 1), torch.linspace(0.0, 3.0, width // 2 + 1)))
        self.mixing = nn.Parameter(torch.complex(torch.eye(6), torch.linspace(-0.5, 0.5, 36).reshape(6, 6)))

    def forward(self, x: Tensor, z: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
        filtered = torch.fft.irfft(torch.fft.rfft(x) * self.response, n=x.size(-1))
        y = z @ self.mixing / (1.0 + z.abs()) - 0.5j * z.conj()
        y[0].real.mul_(2.0)
        if y.real.sum() > 0.0:
            y = torch.exp(y * 0.1)
        else:
            y = torch.sqrt(y)
        total = torch.zeros(6, dtype=torch.complex64)
        for i in range(y.size(0)):
            total = total + y[i] * complex(0.0, 1.0)
        return filtered, y, total, torch.view_as_real(y.sum(0))
