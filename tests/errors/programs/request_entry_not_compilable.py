# torchcc run request_entry_not_compilable.py:K --input x=f32[2,3]
import torch
from torch import Tensor


K = 3


def f(x: Tensor) -> Tensor:
    return x
