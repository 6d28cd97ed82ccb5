# torchcc run type_reassigned_in_loop.py --input n=3
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(n: int):
    s = 0
    for i in range(n):
        s += 1.5
    return s
