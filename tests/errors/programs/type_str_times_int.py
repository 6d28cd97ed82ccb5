# torchcc run type_str_times_int.py --input a="q"
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(a: str) -> str:
    return a * 3
