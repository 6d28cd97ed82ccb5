# torchcc run unknown_decorator.py --input x=f32[2]
from somewhere import cached
import torch
from torch import Tensor
from typing import Any, List


@cached
def f(x: Tensor):
    return x
