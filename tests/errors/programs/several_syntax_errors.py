# torchcc run several_syntax_errors.py:h --input n=1
import torch
from torch import Tensor
from typing import Any, List


def f(x: Tensor):
    y = x +
    return y


@torch.jit.script
class A:
    def g(self:
        return 1


def good(x: Tensor):
    return x


def h(n: int):
    if n > 1
        return 2
    return 3
