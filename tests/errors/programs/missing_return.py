# torchcc run missing_return.py --input n=2
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(n: int) -> int:
    if n > 0:
        return 1
