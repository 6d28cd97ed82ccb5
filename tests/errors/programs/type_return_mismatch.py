# torchcc run type_return_mismatch.py --input n=1
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(n: int) -> float:
    return n
