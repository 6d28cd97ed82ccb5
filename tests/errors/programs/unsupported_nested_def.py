# torchcc run unsupported_nested_def.py --input n=1
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(n: int) -> int:
    def g(x: int) -> int:
        return x
    return g(n)
