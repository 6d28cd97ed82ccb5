# torchcc run slice_step.py --input x=f32[5]
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    return x[::-1]
