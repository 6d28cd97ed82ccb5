# torchcc run weights_wrong_shape.py --input x=f32[2,3] --weights ../data/shape.npz
import torch
from torch import Tensor, nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x)
