# torchcc run dtype_complex.py --input x=c64[4]
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    return torch.floor(x)
