# torchcc run type_unpack_count.py --input a=(1,2)
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(a: Tuple[int, int]) -> int:
    x, y, z = a
    return x
