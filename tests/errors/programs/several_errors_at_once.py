# torchcc run several_errors_at_once.py --input x=f32[2,3]
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(x: Tensor) -> Tensor:
    a = torch.reluu(x)
    b = unknown_thing
    c = x.no_such_method()
    return x
