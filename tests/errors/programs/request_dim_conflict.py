# torchcc run request_dim_conflict.py --input x=f32[n=2] --input y=f32[n=3]
import torch
from torch import Tensor


def f(x: Tensor, y: Tensor) -> Tensor:
    return x + y
