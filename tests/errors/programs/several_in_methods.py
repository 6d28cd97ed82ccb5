# torchcc run several_in_methods.py:Net --input x=f32[2,3] --input n=2
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4)

    def part(self, x):
        print(x)
        return x.to_sparse()

    def forward(self, x, n: int):
        y = self.linear(x)
        z = y.to_sparse()
        w = z.coalesce() if n > 1 else z
        for i in range(n):
            w = w.to_sparse() + 1
            print(i)
        return self.part(x) + w
