# torchcc run static_dim.py --input x=f32[2,3] --input i=i64[1]
import torch
from torch import Tensor


def f(x: Tensor, i: Tensor) -> Tensor:
    return x.sum(int(i))
