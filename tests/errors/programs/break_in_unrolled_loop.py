# torchcc run break_in_unrolled_loop.py --input t=(1,2.0)
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(t: Tuple[int, float]) -> float:
    s = 0.0
    for x in t:
        if x > 1:
            break
        s += x
    return s
