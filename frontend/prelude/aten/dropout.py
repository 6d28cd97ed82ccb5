# Random layers: the identity unless training. What is kept is drawn as PyTorch draws it.

import torch
from torch import Generator, Tensor
from typing import List, Optional, Tuple


def _h_check_dropout(p: float):
    if not (p >= 0.0 and p <= 1.0):
        raise RuntimeError("dropout probability has to be between 0 and 1, but got {}".format(p))


def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    _h_check_dropout(p)
    if p == 0.0 or not train or input.numel() == 0:
        return input
    if p == 1.0:
        return input * torch.zeros([], dtype=input.dtype)
    noise = torch.empty_like(input).bernoulli_(1.0 - p)
    return input * noise.div_(1.0 - p)


def native_dropout(input: Tensor, p: float, train: Optional[bool]) -> Tuple[Tensor, Tensor]:
    if input.numel() == 0:
        return input, torch.empty_like(input)
    on = True
    if train is not None:
        on = train
    if not on:
        return input.clone(), torch.ones_like(input, dtype=torch.bool)
    mask = torch.empty_like(input, dtype=torch.bool).bernoulli_(1.0 - p)
    scale = 0.0 if p == 1.0 else 1.0 / (1.0 - p)
    return input * mask * scale, mask


def _h_feature_noise(input: Tensor) -> Tensor:
    if input.dim() < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    shape: List[int] = []
    for i in range(input.dim()):
        shape.append(input.size(i) if i < 2 else 1)
    return torch.empty(shape, dtype=input.dtype)


def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    _h_check_dropout(p)
    if p == 0.0 or not train or input.numel() == 0:
        return input
    if p == 1.0:
        return input * torch.zeros([], dtype=input.dtype)
    noise = _h_feature_noise(input).bernoulli_(1.0 - p)
    return input * noise.div_(1.0 - p)


def _h_alpha_dropout(input: Tensor, noise: Tensor, p: float) -> Tensor:
    alpha = 1.7580993408473766
    a = 1.0 / ((alpha * alpha * p + 1.0) * (1.0 - p)) ** 0.5
    b = (noise - 1.0) * (alpha * a) + alpha * a * p
    return input * (noise * a) + b


def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    _h_check_dropout(p)
    if p == 0.0 or not train or input.numel() == 0:
        return input
    if p == 1.0:
        return input * torch.zeros([], dtype=input.dtype)
    return _h_alpha_dropout(input, torch.empty_like(input).bernoulli_(1.0 - p), p)


def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    _h_check_dropout(p)
    if p == 0.0 or not train or input.numel() == 0:
        return input
    if p == 1.0:
        return input * torch.zeros([], dtype=input.dtype)
    return _h_alpha_dropout(input, _h_feature_noise(input).bernoulli_(1.0 - p), p)


def rrelu(self: Tensor, lower: number, upper: number, training: bool, generator: Optional[Generator]) -> Tensor:
    if float(lower) > float(upper):
        raise RuntimeError("Lower bound should be less than or equal to the upper bound")
    if not training:
        return torch.where(self <= 0, self * ((float(lower) + float(upper)) / 2.0), self)
    # A number is drawn for each element that is not positive, and for no other.
    drops = (self <= 0).reshape([-1])
    drawn = torch.empty([int(drops.sum())], dtype=torch.float64)
    precision = torch.float64 if self.dtype == torch.float64 else torch.float32
    bounds = torch.tensor([float(lower), float(upper)], dtype=torch.float64).to(precision)
    drawn.uniform_(float(bounds[0]), float(bounds[1]), generator=generator)
    order = torch.clamp(torch.cumsum(drops, 0) - 1, min=0)
    padded = torch.cat([drawn, torch.ones([1], dtype=torch.float64)])
    slopes = padded[order].to(self.dtype).reshape(self.size())
    return torch.where(self <= 0, self * slopes, self)


def native_dropout_backward(grad_output: Tensor, mask: Tensor, scale: float) -> Tensor:
    return grad_output * (mask.to(grad_output.dtype) * scale)
