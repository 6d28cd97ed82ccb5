# torchcc run unsupported_global.py --input n=1
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


X = 1


def f(n: int) -> int:
    global X
    X = n
    return n
