# torchcc run unsupported_linalg.py --input x=f32[4,4]
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    return torch.linalg.eigvalsh(x)
