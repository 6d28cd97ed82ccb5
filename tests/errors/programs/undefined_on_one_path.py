# torchcc run undefined_on_one_path.py --input x=f32[2,3] --input n=1
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(x: Tensor, n: int) -> Tensor:
    if n > 0:
        y = x
    return y
