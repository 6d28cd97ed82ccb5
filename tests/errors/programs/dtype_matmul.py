# torchcc run dtype_matmul.py --input x=f32[2,3] --input y=f64[3,4]
import torch
from torch import Tensor


def f(x: Tensor, y: Tensor) -> Tensor:
    return x @ y
