# torchcc run model.pt --input x=f32[2]
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    return x
