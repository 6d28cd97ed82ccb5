# torchcc run list_element_in_place.py --input x=f32[2] --input n=i64[1]
import torch
from torch import Tensor


from typing import List


def f(x: Tensor, n: Tensor) -> Tensor:
    total = torch.zeros(2)
    xs: List[Tensor] = []
    for i in range(int(n)):
        total += x
        xs.append(total)
    return torch.stack(xs)
