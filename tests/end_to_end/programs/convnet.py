# torchcc run convnet.py --input x=f32[2,3,11,9]
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import List, Optional, Tuple


class ConvNet(nn.Module):
    """Strided, dilated, grouped and depthwise convolutions, three kinds of pooling, batch norm."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.dilated = nn.Conv2d(8, 8, 3, padding=2, dilation=2, bias=False)
        self.grouped = nn.Conv2d(8, 12, (3, 1), padding=(1, 0), groups=4)
        self.depthwise = nn.Conv2d(12, 12, 3, padding=1, groups=12)
        self.max = nn.MaxPool2d(3, stride=2, padding=1)
        self.mean = nn.AvgPool2d(2, ceil_mode=True)
        self.out = nn.AdaptiveAvgPool2d((1, 2))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.stem(x)))
        x = x + self.dilated(x)
        x = F.gelu(self.grouped(x))
        x = self.max(x) + F.max_pool2d(self.depthwise(x), 3, 2, 1)
        return torch.flatten(self.out(self.mean(x)), 1)
