# torchcc run arity_missing_argument.py:f --input x=f32[2]
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def g(x: Tensor, n: int) -> Tensor:
    return x * n


def f(x: Tensor) -> Tensor:
    return g(x)
