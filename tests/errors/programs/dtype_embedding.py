# torchcc run dtype_embedding.py --input i=f32[4]
import torch
from torch import Tensor, nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(10, 3)

    def forward(self, i: Tensor) -> Tensor:
        return self.table(i)
