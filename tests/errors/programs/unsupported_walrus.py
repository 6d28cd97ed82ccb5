# torchcc run unsupported_walrus.py --input n=1
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(n: int) -> int:
    if (m := n) > 1:
        return m
    return 0
