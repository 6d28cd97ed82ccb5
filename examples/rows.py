"""Rows to mean 0 and variance 1: the program that ARCHITECTURE.md follows through every stage."""

import torch
from torch import Tensor


def normalise_rows(x: Tensor, eps: float = 1e-5) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt((centred * centred).mean(-1, keepdim=True) + eps)
