# torchcc run runtime_assert.py --input x=f32[2,3] --input n=1
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(x: Tensor, n: int) -> Tensor:
    assert n > 2, f"n is {n}"
    return x * n
