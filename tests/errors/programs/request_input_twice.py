# torchcc run request_input_twice.py --input x=f32[2] --input x=f32[3]
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    return x
