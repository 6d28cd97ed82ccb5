# torchcc compile request_unknown_target.py --input x=f32[2] -o a.o --target z80
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    return x
