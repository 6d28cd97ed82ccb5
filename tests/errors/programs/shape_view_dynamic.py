# torchcc run shape_view_dynamic.py --input x=f32[n=5]
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    return x.view(2, -1)
