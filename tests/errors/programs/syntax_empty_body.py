# torchcc run syntax_empty_body.py --input x=f32[2,3]
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(x: Tensor) -> Tensor:

def g(x: Tensor) -> Tensor:
    return x
