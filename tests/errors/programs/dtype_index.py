# torchcc run dtype_index.py --input x=f32[4] --input i=f32[2]
import torch
from torch import Tensor


def f(x: Tensor, i: Tensor) -> Tensor:
    return x[i]
