# torchcc run unknown_name_suggestion.py --input weight=f32[2]
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import Dict, List, Optional, Tuple


def f(weight: Tensor) -> Tensor:
    return wieght * 2
