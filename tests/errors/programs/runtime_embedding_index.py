# torchcc run runtime_embedding_index.py --input i=i64[8]
import torch
from torch import Tensor, nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(3, 2)

    def forward(self, i: Tensor) -> Tensor:
        return self.table(i)
