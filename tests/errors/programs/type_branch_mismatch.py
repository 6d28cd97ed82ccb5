# torchcc run type_branch_mismatch.py --input x=f32[2,3] --input n=1
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(x: Tensor, n: int) -> Tensor:
    if n > 0:
        y = 1
    else:
        y = 1.0
    return x * y
