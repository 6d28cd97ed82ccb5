# torchcc run type_of_item.py --input x=f32[3]
import torch
from torch import Tensor


def f(x: Tensor) -> float:
    return x.item()
