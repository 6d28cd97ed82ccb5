# torchcc run syntax_assignment_in_condition.py --input x=f32[2,3] --input n=1
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(x: Tensor, n: int) -> Tensor:
    if n = 1:
        return x
    return x
