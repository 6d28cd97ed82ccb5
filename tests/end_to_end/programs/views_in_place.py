# torchcc run views_in_place.py --input x=f32[4,6] --input k=2
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import List, Optional, Tuple


def shuffle(x: Tensor, k: int) -> Tensor:
    """Writes through views of views, in a loop and under a condition."""
    y = x.clone()
    row = y[1]
    row += 10
    half = y.view(2, 12)[0]
    half[::2] *= 2
    for i in range(y.size(1)):
        y[:, i] -= y[:, i].mean()
        if i % 2 == 0:
            y[0, i] = float(i)
    y.t()[k].fill_(7.5)
    z = y.unsqueeze(0).expand(2, 4, 6).clone()
    z[1, 1:3].mul_(0.5)
    return z
