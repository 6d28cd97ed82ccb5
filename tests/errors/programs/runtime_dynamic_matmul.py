# torchcc run runtime_dynamic_matmul.py --input x=f32[2,a=3] --input y=f32[b=4,2]
import torch
from torch import Tensor


def f(x: Tensor, y: Tensor) -> Tensor:
    return x @ y
