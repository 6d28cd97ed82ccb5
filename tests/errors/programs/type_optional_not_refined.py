# torchcc run type_optional_not_refined.py --input x=f32[2,3] --input bias=none
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(x: Tensor, bias: Optional[Tensor]) -> Tensor:
    return x + bias
