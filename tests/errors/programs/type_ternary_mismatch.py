# torchcc run type_ternary_mismatch.py --input n=1
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(n: int):
    return n if n > 0 else 1.0
