# Random layers: the identity unless training.

import torch
from torch import Tensor
from typing import List, Optional, Tuple


def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    if not train or p == 0.0:
        return input
    if p == 1.0:
        return input * 0
    return input * (torch.rand_like(input) >= p) / (1.0 - p)


def native_dropout(input: Tensor, p: float, train: Optional[bool]) -> Tuple[Tensor, Tensor]:
    on = True
    if train is not None:
        on = train
    if not on or p == 0.0:
        return input, torch.ones_like(input, dtype=torch.bool)
    mask = torch.rand_like(input) >= p
    return input * mask / (1.0 - p), mask


def _h_feature_noise(input: Tensor) -> Tensor:
    shape: List[int] = []
    for i in range(input.dim()):
        shape.append(input.size(i) if i < 2 else 1)
    return torch.rand(shape, dtype=input.dtype)


def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    if not train or p == 0.0:
        return input
    if p == 1.0:
        return input * 0
    return input * (_h_feature_noise(input) >= p) / (1.0 - p)


def _h_alpha_dropout(input: Tensor, keep: Tensor, p: float) -> Tensor:
    alpha = 1.7580993408473766
    a = 1.0 / ((alpha * alpha * p + 1.0) * (1.0 - p)) ** 0.5
    kept = keep.to(input.dtype)
    return input * kept * a + (kept - 1.0) * (alpha * a) + alpha * a * p


def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    if not train or p == 0.0:
        return input
    if p == 1.0:
        return input * 0
    return _h_alpha_dropout(input, torch.rand_like(input) >= p, p)


def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    if not train or p == 0.0:
        return input
    if p == 1.0:
        return input * 0
    return _h_alpha_dropout(input, _h_feature_noise(input) >= p, p)
