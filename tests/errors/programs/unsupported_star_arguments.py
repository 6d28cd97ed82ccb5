# torchcc run unsupported_star_arguments.py --input x=f32[4]
import torch
from torch import Tensor


def f(*xs: Tensor) -> Tensor:
    return xs[0]
