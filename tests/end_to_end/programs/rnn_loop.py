# torchcc run rnn_loop.py --input x=f32[7,batch=2,5]
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import List, Optional, Tuple


class Cell(nn.Module):
    def __init__(self, inputs: int, hidden: int):
        super().__init__()
        self.ih = nn.Linear(inputs, 3 * hidden)
        self.hh = nn.Linear(hidden, 3 * hidden)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        a = self.ih(x).chunk(3, 1)
        b = self.hh(h).chunk(3, 1)
        r = torch.sigmoid(a[0] + b[0])
        z = torch.sigmoid(a[1] + b[1])
        n = torch.tanh(a[2] + r * b[2])
        return (1 - z) * n + z * h


class Loop(nn.Module):
    """A recurrent cell in a loop over time, with an optional initial state."""

    def __init__(self):
        super().__init__()
        self.cell = Cell(5, 6)

    def forward(self, x: Tensor, h: Optional[Tensor] = None) -> Tuple[Tensor, Tensor]:
        if h is None:
            h = torch.zeros(x.size(1), 6)
        outputs: List[Tensor] = []
        for t in range(x.size(0)):
            h = self.cell(x[t], h)
            outputs.append(h)
        return torch.stack(outputs), h
