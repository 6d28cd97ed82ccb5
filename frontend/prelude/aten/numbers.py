# Python's divmod.

import torch
from torch import Tensor
from typing import Tuple


def divmod__int(x: int, y: int) -> Tuple[int, int]:
    return x // y, x % y


def divmod__float(x: float, y: float) -> Tuple[float, float]:
    return x // y, x % y


def divmod__int_float(x: int, y: float) -> Tuple[float, float]:
    return x // y, x % y


def divmod__float_int(x: float, y: int) -> Tuple[float, float]:
    return x // y, x % y
