# torchcc run type_argument.py:f --input n=1
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def g(x: float) -> float:
    return x


def f(n: int) -> float:
    return g(n)
