# torchcc run integers.py --input x=i64[n=9] --input k=3
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import List, Optional, Tuple


def digits(x: Tensor, k: int) -> Tuple[Tensor, Tensor, int, float, bool]:
    """Integer arithmetic with Python's signs, comparisons, bit operations, scalars."""
    a = (x * 7 - 20) // k
    b = (x - 5) % k
    c = torch.where(b > 1, a, -a)
    total = int(c.sum())
    quotient, rest = divmod(total, k)
    big = max(quotient, rest) ** 2
    mask = (x & 1).to(torch.bool) | (x > 6)
    return c, mask.to(torch.int32).cumsum(0), total // k + rest, big / k, total < 0 or k > 2
