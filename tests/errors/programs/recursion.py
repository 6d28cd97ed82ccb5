# torchcc run recursion.py --input n=3
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def fact(n: int) -> int:
    if n <= 1:
        return 1
    return n * fact(n - 1)
