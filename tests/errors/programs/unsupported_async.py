# torchcc run unsupported_async.py --input x=f32[4]
import torch
from torch import Tensor


async def f(x: Tensor) -> Tensor:
    return x
