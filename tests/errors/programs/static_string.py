# torchcc run static_string.py --input x=f32[2]
import torch
from torch import Tensor


def f(x: Tensor) -> str:
    return str(float(x.sum()))
