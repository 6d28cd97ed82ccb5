# Random layers of torch.nn.functional.

import torch
from torch import Tensor


def _h_check_probability(p: float):
    if p < 0.0 or p > 1.0:
        raise ValueError("dropout probability has to be between 0 and 1, but got {}".format(p))


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    _h_check_probability(p)
    return torch.dropout_(input, p, training) if inplace else torch.dropout(input, p, training)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    _h_check_probability(p)
    return torch.alpha_dropout_(input, p, training) if inplace else torch.alpha_dropout(input, p, training)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    _h_check_probability(p)
    if input.dim() != 2 and input.dim() != 3:
        raise RuntimeError("dropout1d: Expected 2D or 3D input, but received a {}D input".format(input.dim()))
    x = input if input.dim() == 3 else input.unsqueeze(0)
    x = torch.feature_dropout_(x, p, training) if inplace else torch.feature_dropout(x, p, training)
    return x if input.dim() == 3 else x.squeeze(0)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    _h_check_probability(p)
    return torch.feature_dropout_(input, p, training) if inplace else torch.feature_dropout(input, p, training)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    _h_check_probability(p)
    x = input if input.dim() == 5 else input.unsqueeze(0)  # of one sample, channels come first
    x = torch.feature_dropout_(x, p, training) if inplace else torch.feature_dropout(x, p, training)
    return x if input.dim() == 5 else x.squeeze(0)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    _h_check_probability(p)
    return (
        torch.feature_alpha_dropout_(input, p, training) if inplace else torch.feature_alpha_dropout(input, p, training)
    )
