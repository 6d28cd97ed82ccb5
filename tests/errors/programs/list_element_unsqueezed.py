# torchcc run list_element_unsqueezed.py --input x=f32[2] --input n=i64[1]
import torch
from torch import Tensor


from typing import List


def f(x: Tensor, n: Tensor) -> Tensor:
    xs: List[Tensor] = []
    for i in range(int(n)):
        xs.append(x + i)
    xs[0].unsqueeze_(0)
    return xs[0]
