# torchcc run unsupported_state.py --input x=f32[4]
import torch
from torch import Tensor, nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("whole", torch.zeros(4))
        self.register_buffer("part", torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        self.part.mul_(2)
        self.whole = x * 1
        self.part = self.whole[:2]
        return self.whole
