# torchcc run list_of_optionals.py --input x=f32[2] --input n=i64[1]
import torch
from torch import Tensor


from typing import List, Optional


def f(x: Tensor, n: Tensor) -> int:
    xs: List[Optional[Tensor]] = []
    for i in range(int(n)):
        xs.append(None)
        xs.append(x)
    return len(xs)
