# torchcc run mlp.py --input x=f32[batch=5,20]
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import List, Optional, Tuple


class MLP(nn.Module):
    """A multi-layer perceptron; the layers are made in a loop."""

    def __init__(self, sizes: Tuple[int, int, int, int] = (20, 16, 12, 4)):
        super().__init__()
        layers = []
        for i in range(len(sizes) - 1):
            layers.append(nn.Linear(sizes[i], sizes[i + 1]))
            if i < len(sizes) - 2:
                layers.append(nn.ReLU())
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return F.log_softmax(self.layers(x), dim=-1)
