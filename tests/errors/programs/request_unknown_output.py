# torchcc compile request_unknown_output.py --input x=f32[2] -o a.exe
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    return x
