# torchcc run shape_matmul.py --input x=f32[2,3] --input w=f32[4,5]
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(x: Tensor, w: Tensor) -> Tensor:
    return x @ w
