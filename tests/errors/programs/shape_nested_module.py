# torchcc run shape_nested_module.py:Net --input x=f32[2,3]
import torch
from torch import Tensor, nn


class Block(nn.Module):
    def __init__(self, n: int):
        super().__init__()
        self.norm = nn.LayerNorm(n)
        self.fc = nn.Linear(n, 8)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.fc(self.norm(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(Block(3), Block(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x)
