# torchcc run runtime_gather.py --input x=f32[2,3] --input i=i64[2,8]
import torch
from torch import Tensor


def f(x: Tensor, i: Tensor) -> Tensor:
    return x.gather(1, i)
