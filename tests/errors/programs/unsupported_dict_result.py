# torchcc run unsupported_dict_result.py --input x=f32[4]
import torch
from torch import Tensor


from typing import Dict


def f(x: Tensor) -> Dict[str, Tensor]:
    return {str(int(x.sum())): x}
