# Normalisation layers.

import torch
from torch import Tensor
from typing import List, Optional, Tuple


def _h_need_one_type(dtype: int, parameter: Optional[Tensor]) -> None:
    if parameter is not None:
        if parameter.dtype != dtype:
            if parameter.dtype != torch.float32:
                raise RuntimeError("mixed dtype (CPU): expect parameter to have scalar type of Float")
            if dtype != torch.float16 and dtype != torch.bfloat16:
                raise RuntimeError("mixed dtype (CPU): all inputs must share same datatype.")


def native_layer_norm(
    input: Tensor, normalized_shape: List[int], weight: Optional[Tensor], bias: Optional[Tensor], eps: float
) -> Tuple[Tensor, Tensor, Tensor]:
    n = len(normalized_shape)
    if n < 1:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
            "normalized_shape = []"
        )
    if n > input.dim():
        raise RuntimeError(
            "Given normalized_shape={}, expected input with shape [*, {}], but got input of size{}".format(
                normalized_shape, normalized_shape, input.size()
            )
        )
    _h_need_one_type(input.dtype, weight)
    _h_need_one_type(input.dtype, bias)
    dims: List[int] = []
    for i in range(n):
        if input.size(i - n) != normalized_shape[i]:
            raise RuntimeError(
                "Given normalized_shape={}, expected input with shape [*, {}], but got input of size{}".format(
                    normalized_shape, normalized_shape, input.size()
                )
            )
        dims.append(i - n)
    x = _h_wide(input)
    mean = torch.mean(x, dims, True)
    centred = x - mean
    rstd = torch.rsqrt(torch.mean(centred * centred, dims, True) + eps)
    result = centred * rstd
    statistics = input.dtype
    if weight is not None:
        result = result * weight
        statistics = weight.dtype
    if bias is not None:
        result = result + bias
        statistics = bias.dtype
    return _h_narrow(result, input.dtype), _h_narrow(mean, statistics), _h_narrow(rstd, statistics)


def layer_norm(
    input: Tensor,
    normalized_shape: List[int],
    weight: Optional[Tensor],
    bias: Optional[Tensor],
    eps: float,
    cudnn_enable: bool,
) -> Tensor:
    return native_layer_norm(input, normalized_shape, weight, bias, eps)[0]


def rms_norm(input: Tensor, normalized_shape: List[int], weight: Optional[Tensor], eps: Optional[float]) -> Tensor:
    n = len(normalized_shape)
    if n < 1:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
            "normalized_shape = []"
        )
    dims: List[int] = []
    for i in range(n):
        if input.size(i - n) != normalized_shape[i]:
            raise RuntimeError(
                "Given normalized_shape={}, expected input with shape [*, {}], but got input of size{}".format(
                    normalized_shape, normalized_shape, input.size()
                )
            )
        dims.append(i - n)
    x = _h_wide(input)
    e = 1.1920928955078125e-07
    if eps is not None:
        e = eps
    else:
        if x.dtype == torch.float64:
            e = 2.220446049250313e-16
    result = x * torch.rsqrt(torch.mean(x * x, dims, True) + e)
    if weight is not None:
        result = result * weight
    return _h_narrow(result, input.dtype)


def _h_scale_shift(x: Tensor, mean: Tensor, rstd: Tensor, weight: Optional[Tensor], bias: Optional[Tensor]) -> Tensor:
    # x * scale + shift, per channel: both are constants where the statistics are
    scale = rstd
    if weight is not None:
        scale = rstd * weight
    shift = -mean * scale
    if bias is not None:
        shift = bias + shift
    return x * _h_per_channel(scale, x.dim()) + _h_per_channel(shift, x.dim())


def _h_batch_statistics(x: Tensor) -> Tuple[Tensor, Tensor, int]:
    # mean and biased variance of each channel (dimension 1)
    dims: List[int] = []
    for i in range(x.dim()):
        if i != 1:
            dims.append(i)
    mean = torch.mean(x, dims, True)
    centred = x - mean
    var = torch.mean(centred * centred, dims)
    return mean.squeeze(dims), var, _h_count(x, dims)


def native_batch_norm(
    input: Tensor,
    weight: Optional[Tensor],
    bias: Optional[Tensor],
    running_mean: Optional[Tensor],
    running_var: Optional[Tensor],
    training: bool,
    momentum: float,
    eps: float,
) -> Tuple[Tensor, Tensor, Tensor]:
    for parameter in [weight, bias, running_mean, running_var]:
        _h_need_one_type(input.dtype, parameter)
    x = _h_wide(input)
    if training:
        mean, var, count = _h_batch_statistics(x)
        if running_mean is not None:
            running_mean.copy_(running_mean * (1 - momentum) + mean * momentum)
        if running_var is not None:
            unbiased = var * (float(count) / float(count - 1))
            running_var.copy_(running_var * (1 - momentum) + unbiased * momentum)
        rstd = torch.rsqrt(var + eps)
        result = _h_scale_shift(x, mean, rstd, weight, bias)
        kept = _h_statistics_dtype(input, weight, running_mean)
        return _h_narrow(result, input.dtype), mean.to(kept), rstd.to(kept)
    else:
        assert running_mean is not None and running_var is not None, "running_mean must be defined in evaluation mode"
        rstd = torch.rsqrt(_h_wide(running_var) + eps)
        result = _h_scale_shift(x, _h_wide(running_mean), rstd, weight, bias)
        kept = _h_statistics_dtype(input, weight, running_mean)
        return _h_narrow(result, input.dtype), x.new_zeros([0], dtype=kept), x.new_zeros([0], dtype=kept)


def _h_statistics_dtype(input: Tensor, weight: Optional[Tensor], running_mean: Optional[Tensor]) -> int:
    """Half types with parameters of float32 keep their statistics in float32."""
    if weight is not None:
        return weight.dtype
    if running_mean is not None:
        return running_mean.dtype
    return input.dtype


def batch_norm(
    input: Tensor,
    weight: Optional[Tensor],
    bias: Optional[Tensor],
    running_mean: Optional[Tensor],
    running_var: Optional[Tensor],
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    return native_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)[0]


def _native_batch_norm_legit(
    input: Tensor,
    weight: Optional[Tensor],
    bias: Optional[Tensor],
    running_mean: Tensor,
    running_var: Tensor,
    training: bool,
    momentum: float,
    eps: float,
) -> Tuple[Tensor, Tensor, Tensor]:
    return native_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)


def _batch_norm_with_update(
    input: Tensor,
    weight: Optional[Tensor],
    bias: Optional[Tensor],
    running_mean: Tensor,
    running_var: Tensor,
    momentum: float,
    eps: float,
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    y, mean, rstd = native_batch_norm(input, weight, bias, running_mean, running_var, True, momentum, eps)
    return y, mean, rstd, torch.empty([0], dtype=torch.uint8)


def _native_batch_norm_legit_no_training(
    input: Tensor,
    weight: Optional[Tensor],
    bias: Optional[Tensor],
    running_mean: Tensor,
    running_var: Tensor,
    momentum: float,
    eps: float,
) -> Tuple[Tensor, Tensor, Tensor]:
    return native_batch_norm(input, weight, bias, running_mean, running_var, False, momentum, eps)


def _native_batch_norm_legit__no_stats(
    input: Tensor, weight: Optional[Tensor], bias: Optional[Tensor], training: bool, momentum: float, eps: float
) -> Tuple[Tensor, Tensor, Tensor]:
    return native_batch_norm(input, weight, bias, None, None, True, momentum, eps)


def _h_group_norm(
    input: Tensor, num_groups: int, weight: Optional[Tensor], bias: Optional[Tensor], eps: float
) -> Tuple[Tensor, Tensor, Tensor]:
    _h_need_one_type(input.dtype, weight)
    _h_need_one_type(input.dtype, bias)
    x = _h_wide(input)
    width = x.size(1) // num_groups
    for i in range(2, x.dim()):
        width = width * x.size(i)
    grouped = x.reshape([x.size(0), num_groups, width])
    mean = torch.mean(grouped, [2], True)
    centred = grouped - mean
    rstd = torch.rsqrt(torch.mean(centred * centred, [2], True) + eps)
    result = (centred * rstd).reshape(x.size())
    if weight is not None:
        result = result * _h_per_channel(weight, x.dim())
    if bias is not None:
        result = result + _h_per_channel(bias, x.dim())
    kept = _h_statistics_dtype(input, weight, None)
    return _h_narrow(result, input.dtype), mean.squeeze(2).to(kept), rstd.squeeze(2).to(kept)


def group_norm(
    input: Tensor, num_groups: int, weight: Optional[Tensor], bias: Optional[Tensor], eps: float, cudnn_enabled: bool
) -> Tensor:
    if input.size(1) % num_groups != 0:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape {} and num_groups={}".format(
                input.size(), num_groups
            )
        )
    return _h_group_norm(input, num_groups, weight, bias, eps)[0]


def native_group_norm(
    input: Tensor, weight: Optional[Tensor], bias: Optional[Tensor], N: int, C: int, HxW: int, group: int, eps: float
) -> Tuple[Tensor, Tensor, Tensor]:
    return _h_group_norm(input, group, weight, bias, eps)


def instance_norm(
    input: Tensor,
    weight: Optional[Tensor],
    bias: Optional[Tensor],
    running_mean: Optional[Tensor],
    running_var: Optional[Tensor],
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    if use_input_stats:
        if running_mean is not None and running_var is not None:
            x = _h_wide(input).reshape([input.size(0), input.size(1), -1])
            v, m = _h_var_mean(x, [2], 1.0, False)
            running_mean.copy_(running_mean * (1 - momentum) + m.mean([0]) * momentum)
            running_var.copy_(running_var * (1 - momentum) + v.mean([0]) * momentum)
        return _h_group_norm(input, input.size(1), weight, bias, eps)[0]
    return native_batch_norm(input, weight, bias, running_mean, running_var, False, momentum, eps)[0]


def _weight_norm(v: Tensor, g: Tensor, dim: int) -> Tensor:
    dims: List[int] = []
    for i in range(v.dim()):
        if i != dim:
            dims.append(i)
    return v * (g / _h_norm_as(v, 2.0, dims, True))
