# torchcc run unsupported_print.py --input x=f32[4]
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    print(x)
    return x
