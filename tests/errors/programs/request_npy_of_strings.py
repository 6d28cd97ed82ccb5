# torchcc run request_npy_of_strings.py --input x=@../data/names.npy
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    return x
