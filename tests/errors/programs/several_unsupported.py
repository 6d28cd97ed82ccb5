# torchcc run several_unsupported.py --input x=f32[4]
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    noise = torch.randn(4)
    mask = torch.bernoulli(x)
    return x + noise * mask
