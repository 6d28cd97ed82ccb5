# torchcc dump request_unknown_pass.py --input x=f32[2] --after inline
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    return x
