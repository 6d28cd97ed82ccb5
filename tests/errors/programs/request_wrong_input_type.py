# torchcc run request_wrong_input_type.py --input n=f32[2]
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(n: int) -> int:
    return n
