# torchcc run runtime_view.py --input x=f32[n=5]
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    return x.view(2, -1)
