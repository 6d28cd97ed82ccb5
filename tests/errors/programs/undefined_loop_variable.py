# torchcc run undefined_loop_variable.py --input n=2
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(n: int) -> int:
    for i in range(n):
        pass
    return i
