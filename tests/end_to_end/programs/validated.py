# torchcc run validated.py --input x=f32[rows=3,4] --input scale=2.0
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import List, Optional, Tuple


def check(x: Tensor, scale: float) -> float:
    assert scale > 0, f"scale is {scale}"
    if x.dim() != 2:
        raise ValueError("two dimensions are expected")
    return scale * 0.5


def validated(x: Tensor, scale: float, names: Tuple[str, str] = ("mean", "max")) -> Tensor:
    """Functions that call functions, asserts, strings that vanish at compile time, a ternary, a chain of comparisons."""
    s = check(x, scale)
    total = torch.zeros(x.size(1))
    for name in names:
        total = total + (x.mean(0) if name == "mean" else x.amax(0))
    if 0.0 < s <= 1.0 and x.size(1) == 4:
        total *= s
    elif s > 1.0:
        total = torch.clamp(total, min=-s, max=s)
    return total
