# torchcc run type_call_of_tensor.py --input x=f32[2]
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    return x(1)
