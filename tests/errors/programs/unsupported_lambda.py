# torchcc run unsupported_lambda.py --input x=f32[2,3]
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(x: Tensor) -> Tensor:
    g = lambda y: y + 1
    return g(x)
