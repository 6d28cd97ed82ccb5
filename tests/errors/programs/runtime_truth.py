# torchcc run runtime_truth.py --input x=f32[3]
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    if x > 0:
        return x
    return -x
