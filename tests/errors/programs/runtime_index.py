# torchcc run runtime_index.py --input x=f32[2,3] --input i=7
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(x: Tensor, i: int) -> Tensor:
    return x[i]
