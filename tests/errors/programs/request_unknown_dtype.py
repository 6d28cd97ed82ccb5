# torchcc run request_unknown_dtype.py --input x=float[2]
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    return x
