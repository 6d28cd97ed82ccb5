# torchcc run request_missing_list.py
import torch
from torch import Tensor


from typing import List, Tuple


def f(xs: List[Tensor], t: Tuple[int, float]) -> Tensor:
    return xs[0]
