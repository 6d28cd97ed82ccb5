# torchcc run unsupported_operator.py --input x=f32[4]
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    return x.to_sparse()
