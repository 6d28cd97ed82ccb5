# torchcc run unknown_import.py --input x=f32[4]
import numpy as np
from torch import Tensor


def f(x: Tensor) -> Tensor:
    return np.sin(x)
