# torchcc run request_missing_npy.py --input x=@no_such.npy
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    return x
