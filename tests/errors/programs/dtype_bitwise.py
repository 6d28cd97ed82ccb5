# torchcc run dtype_bitwise.py --input x=f32[4]
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    return x & 1
