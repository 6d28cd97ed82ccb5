# torchcc run static_list.py --input x=f32[2] --input n=i64[1]
import torch
from torch import Tensor


from typing import List


def f(x: Tensor, n: Tensor) -> Tensor:
    xs: List[Tensor] = []
    for i in range(int(n)):
        xs.append(x * i if i % 2 == 0 else torch.zeros(2, 2))
    return torch.stack(xs)
