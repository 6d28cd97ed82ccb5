# Normalisation of torch.nn.functional.

import torch
from torch import Tensor
from typing import List, Optional


def batch_norm(
    input: Tensor,
    running_mean: Optional[Tensor],
    running_var: Optional[Tensor],
    weight: Optional[Tensor] = None,
    bias: Optional[Tensor] = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Tensor:
    if training:
        count = input.size(0)
        for i in range(input.dim() - 2):
            count = count * input.size(i + 2)
        if count == 1:
            raise ValueError(
                "Expected more than 1 value per channel when training, got input size {}".format(input.size())
            )
    return torch.batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps, True)


def instance_norm(
    input: Tensor,
    running_mean: Optional[Tensor] = None,
    running_var: Optional[Tensor] = None,
    weight: Optional[Tensor] = None,
    bias: Optional[Tensor] = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Tensor:
    return torch.instance_norm(input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, True)


def layer_norm(
    input: Tensor,
    normalized_shape: List[int],
    weight: Optional[Tensor] = None,
    bias: Optional[Tensor] = None,
    eps: float = 1e-05,
) -> Tensor:
    return torch.layer_norm(input, normalized_shape, weight, bias, eps, True)


def rms_norm(
    input: Tensor, normalized_shape: List[int], weight: Optional[Tensor] = None, eps: Optional[float] = None
) -> Tensor:
    return torch.rms_norm(input, normalized_shape, weight, eps)


def group_norm(
    input: Tensor, num_groups: int, weight: Optional[Tensor] = None, bias: Optional[Tensor] = None, eps: float = 1e-05
) -> Tensor:
    return torch.group_norm(input, num_groups, weight, bias, eps, True)


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Optional[Tensor] = None) -> Tensor:
    denominator = torch.norm(input, p, [dim], True).clamp_min(eps).expand_as(input)
    return input / denominator if out is None else torch.div(input, denominator, out=out)


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    if input.dim() < 3:
        raise ValueError("Expected 3D or higher dimensionality input (got {} dimensions)".format(input.dim()))
    pads: List[int] = []
    for _ in range(input.dim() - 2):
        pads.append(0)
        pads.append(0)
    squares = torch.constant_pad_nd(input * input, pads + [size // 2, (size - 1) // 2], 0)
    total = squares.narrow(1, 0, input.size(1))
    for i in range(1, size):
        total = total + squares.narrow(1, i, input.size(1))
    # the mean of whole numbers is one, as avg_pool's is
    mean = total / float(size) if input.is_floating_point() else torch.div(total, size, rounding_mode="trunc")
    return input / torch.pow(mean * alpha + k, beta)
