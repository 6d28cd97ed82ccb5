# torchcc run mixed_dtypes.py --input x=f32[2,3] --input y=f64[3] --input z=i32[2,1] --input b=bool[2,3]
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import List, Optional, Tuple


def mixed(x: Tensor, y: Tensor, z: Tensor, b: Tensor) -> List[Tensor]:
    """Type promotion, casts, reductions over several dimensions, concatenation."""
    s = x * y + z
    h = (x.half() + 1).float()
    u = (z.to(torch.uint8) * 100 + b).to(torch.int64)
    parts = torch.split(torch.cat([s, h.double(), u.double()], 1), [2, 4, 3], 1)
    return [p.sum((0, 1)) for p in parts] + [s.amax(1), b.any(0), torch.stack([x, h]).prod(0), x.std(1), z.float().var()]
