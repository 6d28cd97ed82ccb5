# torchcc run runtime_shape_clash.py --input x=f32[a=2] --input y=f32[b=3]
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(x: Tensor, y: Tensor) -> Tensor:
    return x + y
