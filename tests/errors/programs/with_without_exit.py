# torchcc run with_without_exit.py --input x=f32[2]
import torch
from torch import Tensor
from typing import Any, List


@torch.jit.script
class Timer:
    def __init__(self, n: int):
        self.n = n

    def __enter__(self) -> int:
        return self.n


def f(x: Tensor):
    with Timer(3) as n:
        x = x * n
    return x
