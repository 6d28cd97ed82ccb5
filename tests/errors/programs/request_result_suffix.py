# torchcc run request_result_suffix.py --input x=f32[2] -o y.txt
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    return x
