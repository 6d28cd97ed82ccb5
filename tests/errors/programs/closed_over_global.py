# torchcc run closed_over_global.py --input a=1
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


K = 3


def f(a: int) -> int:
    return a + K
