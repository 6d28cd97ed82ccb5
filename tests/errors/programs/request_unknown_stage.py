# torchcc dump request_unknown_stage.py --input x=f32[2] --stage mlir
import torch
from torch import Tensor


def f(x: Tensor) -> Tensor:
    return x
