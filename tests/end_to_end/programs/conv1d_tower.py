# torchcc run conv1d_tower.py --input x=f32[batch=3,4,17]
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import List, Optional, Tuple


class Tower(nn.Module):
    """One-dimensional convolutions with residuals, in a ModuleList."""

    def __init__(self, channels: int = 4, depth: int = 3):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Conv1d(channels, channels, 3, padding=2 ** i, dilation=2 ** i) for i in range(depth)])
        self.head = nn.Conv1d(channels, 2, 1)

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        for i, block in enumerate(self.blocks):
            x = x + torch.tanh(block(x)) * (i + 1)
        y = self.head(x)
        return y, F.max_pool1d(y, 2)
