# torchcc run class_attribute_in_branch.py --input x=f32[2]
import torch
from torch import Tensor
from typing import Any, List


@torch.jit.script
class Counter:
    def __init__(self, big: bool):
        if big:
            self.n = 100
        else:
            self.n = 0

    def count(self) -> int:
        self.n += 1
        return self.n


def f(x: Tensor):
    return x * Counter(True).count()
