# torchcc run arity_too_many.py:f --input x=f32[2]
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def g(x: Tensor) -> Tensor:
    return x


def f(x: Tensor) -> Tensor:
    return g(x, 1)
