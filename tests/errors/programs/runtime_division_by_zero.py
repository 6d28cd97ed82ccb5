# torchcc run runtime_division_by_zero.py --input a=1 --input b=0
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(a: int, b: int) -> int:
    return a // b
