# torchcc run truth_of_tensor.py --input x=f32[3]
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    if x > 0:
        return x
    return -x
