# torchcc run shape_bmm.py --input x=f32[2,3,4] --input y=f32[3,4,5]
import torch
from torch import Tensor


def f(x: Tensor, y: Tensor) -> Tensor:
    return torch.bmm(x, y)
