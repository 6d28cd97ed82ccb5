# torchcc run list_index.py --input "xs=[f32[2],f32[2]]"
import torch
from torch import Tensor


from typing import List


def f(xs: List[Tensor]) -> Tensor:
    return xs[0] + xs[2]
