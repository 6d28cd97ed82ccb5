# torchcc run dict_key.py --input x=f32[2]
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    d = {"a": x}
    return d["b"]
