# torchcc run weights_unexpected_key.py --input x=f32[2,3] --weights ../data/unexpected.npz
import torch
from torch import Tensor, nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x)
