# torchcc run newton.py --input x=f32[n=6] --input tolerance=0.0001
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import List, Optional, Tuple


def newton(x: Tensor, tolerance: float, limit: int = 50) -> Tuple[Tensor, int]:
    """Square roots by Newton's method: a loop whose end depends on the data, break, and an early return."""
    target = x.abs() + 1.0
    guess = target.clone()
    if bool((target < 0).any()):
        return target, -1
    steps = 0
    while steps < limit:
        following = 0.5 * (guess + target / guess)
        change = float((following - guess).abs().max())
        guess = following
        steps += 1
        if change < tolerance:
            break
    return guess, steps
