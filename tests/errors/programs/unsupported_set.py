# torchcc run unsupported_set.py --input n=1
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(n: int) -> int:
    s = {n, 2}
    return n
