# torchcc dump list_on_gpu.py --stage ptx --target sm_90 --input x=f32[n,2]
import torch
from torch import Tensor


from typing import List


def f(x: Tensor) -> Tensor:
    xs: List[Tensor] = []
    for i in range(x.size(0)):
        xs.append(x[i] * 2)
    return torch.stack(xs)
