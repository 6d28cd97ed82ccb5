# Composite operators of PyTorch as TorchScript functions: data for our own parser, never imported.
#
# `aten::name.Overload` is the function `name__Overload`, `aten::name` is `name`. Parameters stand in the order of the
# schema, keyword-only ones too (callers pass all of them); `ScalarType`, `Layout`, ... are ints, `Scalar` is `number`.
# Names with `_h_` in front are helpers. Written like the definition: the general passes make it fast.
# Half types are computed in float32 and rounded once at the end, as PyTorch does.

import torch
from torch import Tensor
from typing import List, Optional, Tuple


def cpu(self: Tensor) -> Tensor:
    return self


def _h_wide(x: Tensor) -> Tensor:
    if x.dtype == torch.float16 or x.dtype == torch.bfloat16:
        return x.to(torch.float32)
    return x


def _h_narrow(x: Tensor, dtype: int) -> Tensor:
    if x.dtype != dtype:
        return x.to(dtype)
    return x


def _h_floating(x: Tensor) -> Tensor:
    # integers and bool as the default float type
    if x.is_floating_point() or x.is_complex():
        return x
    return x.to(torch.float32)


def _h_all_dims(x: Tensor, dim: Optional[List[int]]) -> List[int]:
    if dim is not None:
        if len(dim) > 0:
            return dim
    dims: List[int] = []
    for i in range(x.dim()):
        dims.append(i)
    return dims


def _h_count(x: Tensor, dims: List[int]) -> int:
    count = 1
    if x.dim() > 0:
        for d in dims:
            count = count * x.size(d)
    return count


def _h_per_channel(p: Tensor, rank: int) -> Tensor:
    # [C] -> [C, 1, 1, ...], to stand at dimension 1 of a tensor of that rank
    for _ in range(rank - 2):
        p = p.unsqueeze(-1)
    return p


def _h_reduce(loss: Tensor, reduction: int) -> Tensor:
    if reduction == 1:
        return loss.mean()
    if reduction == 2:
        return loss.sum()
    return loss


# softmax


def _h_softmax(x: Tensor, dim: int) -> Tensor:
    e = torch.exp(x - torch.amax(x, [dim], True))
    return e / torch.sum(e, [dim], True)


def _h_log_softmax(x: Tensor, dim: int) -> Tensor:
    shifted = x - torch.amax(x, [dim], True)
    return shifted - torch.log(torch.sum(torch.exp(shifted), [dim], True))


def _h_need_floating(x: Tensor, kernel: str):
    if not x.is_floating_point():
        raise RuntimeError('"' + kernel + '" not implemented for an integer type')


def softmax__int(self: Tensor, dim: int, dtype: Optional[int]) -> Tensor:
    x = self if dtype is None else self.to(dtype)
    _h_need_floating(x, "softmax_lastdim_kernel_impl")
    return _h_narrow(_h_softmax(_h_wide(x), dim), x.dtype)


def log_softmax__int(self: Tensor, dim: int, dtype: Optional[int]) -> Tensor:
    x = self if dtype is None else self.to(dtype)
    _h_need_floating(x, "log_softmax_lastdim_kernel_impl")
    return _h_narrow(_h_log_softmax(_h_wide(x), dim), x.dtype)


def _softmax(self: Tensor, dim: int, half_to_float: bool) -> Tensor:
    result = _h_softmax(_h_wide(self), dim)
    return result if half_to_float else _h_narrow(result, self.dtype)


def _log_softmax(self: Tensor, dim: int, half_to_float: bool) -> Tensor:
    result = _h_log_softmax(_h_wide(self), dim)
    return result if half_to_float else _h_narrow(result, self.dtype)


def logsumexp(self: Tensor, dim: List[int], keepdim: bool) -> Tensor:
    x = _h_wide(_h_floating(self))
    top = torch.amax(x, dim, True)
    shift = torch.where(torch.isinf(top), torch.zeros_like(top), top)
    total = torch.log(torch.sum(torch.exp(x - shift), dim, True)) + shift
    if not keepdim:
        dims = _h_all_dims(x, dim)
        total = total.squeeze(dims)
    return _h_narrow(total, _h_floating(self).dtype)


# variance


def _h_var_mean(self: Tensor, dim: Optional[List[int]], correction: float, keepdim: bool) -> Tuple[Tensor, Tensor]:
    if not self.is_floating_point():
        raise RuntimeError("std and var only support floating point and complex dtypes")
    x = _h_wide(self)
    dims = _h_all_dims(x, dim)
    count = float(_h_count(x, dims))
    mean = torch.sum(x, dims, True) / count
    centred = x - mean
    squares = torch.sum(centred * centred, dims, keepdim)
    var = squares / max(count - correction, 0.0)
    if not keepdim:
        mean = mean.squeeze(dims)
    return var, mean


def _h_correction(correction: Optional[number]) -> float:
    if correction is None:
        return 1.0
    return float(correction)


def var(self: Tensor, unbiased: bool) -> Tensor:
    return _h_narrow(_h_var_mean(self, None, float(unbiased), False)[0], self.dtype)


def var__dim(self: Tensor, dim: Optional[List[int]], unbiased: bool, keepdim: bool) -> Tensor:
    return _h_narrow(_h_var_mean(self, dim, float(unbiased), keepdim)[0], self.dtype)


def var__correction(self: Tensor, dim: Optional[List[int]], correction: Optional[number], keepdim: bool) -> Tensor:
    return _h_narrow(_h_var_mean(self, dim, _h_correction(correction), keepdim)[0], self.dtype)


def std(self: Tensor, unbiased: bool) -> Tensor:
    return _h_narrow(torch.sqrt(_h_var_mean(self, None, float(unbiased), False)[0]), self.dtype)


def std__dim(self: Tensor, dim: Optional[List[int]], unbiased: bool, keepdim: bool) -> Tensor:
    return _h_narrow(torch.sqrt(_h_var_mean(self, dim, float(unbiased), keepdim)[0]), self.dtype)


def std__correction(self: Tensor, dim: Optional[List[int]], correction: Optional[number], keepdim: bool) -> Tensor:
    return _h_narrow(torch.sqrt(_h_var_mean(self, dim, _h_correction(correction), keepdim)[0]), self.dtype)


def var_mean(self: Tensor, unbiased: bool) -> Tuple[Tensor, Tensor]:
    v, m = _h_var_mean(self, None, float(unbiased), False)
    return _h_narrow(v, self.dtype), _h_narrow(m, self.dtype)


def var_mean__dim(self: Tensor, dim: Optional[List[int]], unbiased: bool, keepdim: bool) -> Tuple[Tensor, Tensor]:
    v, m = _h_var_mean(self, dim, float(unbiased), keepdim)
    return _h_narrow(v, self.dtype), _h_narrow(m, self.dtype)


def var_mean__correction(
    self: Tensor, dim: Optional[List[int]], correction: Optional[number], keepdim: bool
) -> Tuple[Tensor, Tensor]:
    v, m = _h_var_mean(self, dim, _h_correction(correction), keepdim)
    return _h_narrow(v, self.dtype), _h_narrow(m, self.dtype)


def std_mean(self: Tensor, unbiased: bool) -> Tuple[Tensor, Tensor]:
    v, m = _h_var_mean(self, None, float(unbiased), False)
    return _h_narrow(torch.sqrt(v), self.dtype), _h_narrow(m, self.dtype)


def std_mean__dim(self: Tensor, dim: Optional[List[int]], unbiased: bool, keepdim: bool) -> Tuple[Tensor, Tensor]:
    v, m = _h_var_mean(self, dim, float(unbiased), keepdim)
    return _h_narrow(torch.sqrt(v), self.dtype), _h_narrow(m, self.dtype)


def std_mean__correction(
    self: Tensor, dim: Optional[List[int]], correction: Optional[number], keepdim: bool
) -> Tuple[Tensor, Tensor]:
    v, m = _h_var_mean(self, dim, _h_correction(correction), keepdim)
    return _h_narrow(torch.sqrt(v), self.dtype), _h_narrow(m, self.dtype)


# norms of vectors


def _h_norm(x: Tensor, p: float, dims: List[int], keepdim: bool) -> Tensor:
    if p == 2.0:
        return torch.sqrt(torch.sum(x * x, dims, keepdim))
    if p == 1.0:
        return torch.sum(torch.abs(x), dims, keepdim)
    if p == float("inf"):
        return torch.amax(torch.abs(x), dims, keepdim)
    if p == float("-inf"):
        return torch.amin(torch.abs(x), dims, keepdim)
    if p == 0.0:
        return torch.sum(torch.ne(x, 0), dims, keepdim).to(x.dtype)
    return torch.pow(torch.sum(torch.pow(torch.abs(x), p), dims, keepdim), 1.0 / p)


def _h_norm_as(x: Tensor, p: Optional[number], dim: Optional[List[int]], keepdim: bool) -> Tensor:
    if not x.is_floating_point():
        raise RuntimeError("norm(): input must be a floating point or complex tensor")
    order = 2.0 if p is None else float(p)
    return _h_narrow(_h_norm(_h_wide(x), order, _h_all_dims(x, dim), keepdim), x.dtype)


def norm__Scalar(self: Tensor, p: number) -> Tensor:
    return _h_norm_as(self, p, None, False)


def norm__ScalarOpt_dtype(self: Tensor, p: Optional[number], dtype: int) -> Tensor:
    return _h_norm_as(self.to(dtype), p, None, False)


def norm__ScalarOpt_dim(self: Tensor, p: Optional[number], dim: List[int], keepdim: bool) -> Tensor:
    return _h_norm_as(self, p, dim, keepdim)


def norm__ScalarOpt_dim_dtype(self: Tensor, p: Optional[number], dim: List[int], keepdim: bool, dtype: int) -> Tensor:
    return _h_norm_as(self.to(dtype), p, dim, keepdim)


def frobenius_norm__dim(self: Tensor, dim: List[int], keepdim: bool) -> Tensor:
    return _h_norm_as(self, 2.0, dim, keepdim)


def linalg_vector_norm(
    self: Tensor, ord: number, dim: Optional[List[int]], keepdim: bool, dtype: Optional[int]
) -> Tensor:
    x = self if dtype is None else self.to(dtype)
    return _h_norm_as(x, ord, dim, keepdim)


def linalg_norm(
    self: Tensor, ord: Optional[number], dim: Optional[List[int]], keepdim: bool, dtype: Optional[int]
) -> Tensor:
    x = self if dtype is None else self.to(dtype)
    if ord is not None:
        matrix = x.dim() == 2
        if dim is not None:
            matrix = len(dim) == 2
        if matrix:
            raise RuntimeError("linalg.norm(): matrix norms with an order are not supported")
    return _h_norm_as(x, ord, dim, keepdim)


def dist(self: Tensor, other: Tensor, p: number) -> Tensor:
    return _h_norm_as(self - other, p, None, False)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float, eps: float, keepdim: bool) -> Tensor:
    return _h_norm_as(x1 - x2 + eps, p, [-1], keepdim)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int, eps: float) -> Tensor:
    n1 = torch.clamp_min(_h_norm_as(x1, 2.0, [dim], True), eps)
    n2 = torch.clamp_min(_h_norm_as(x2, 2.0, [dim], True), eps)
    return torch.sum((x1 / n1) * (x2 / n2), [dim])


def cdist(x1: Tensor, x2: Tensor, p: float, compute_mode: Optional[int]) -> Tensor:
    return _h_norm_as(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, [-1], False)


# normalisation layers


def native_layer_norm(
    input: Tensor, normalized_shape: List[int], weight: Optional[Tensor], bias: Optional[Tensor], eps: float
) -> Tuple[Tensor, Tensor, Tensor]:
    n = len(normalized_shape)
    if n > input.dim():
        raise RuntimeError(
            "Given normalized_shape={}, expected input with shape [*, {}], but got input of size{}".format(
                normalized_shape, normalized_shape, input.size()
            )
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
        return _h_narrow(result, input.dtype), mean, rstd
    else:
        assert running_mean is not None and running_var is not None, "running_mean must be defined in evaluation mode"
        rstd = torch.rsqrt(_h_wide(running_var) + eps)
        result = _h_scale_shift(x, _h_wide(running_mean), rstd, weight, bias)
        return _h_narrow(result, input.dtype), x.new_zeros([0]), x.new_zeros([0])


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
    x = _h_wide(input)
    grouped = x.reshape([x.size(0), num_groups, -1])
    mean = torch.mean(grouped, [2], True)
    centred = grouped - mean
    rstd = torch.rsqrt(torch.mean(centred * centred, [2], True) + eps)
    result = (centred * rstd).reshape(x.size())
    if weight is not None:
        result = result * _h_per_channel(weight, x.dim())
    if bias is not None:
        result = result + _h_per_channel(bias, x.dim())
    return _h_narrow(result, input.dtype), mean.squeeze(2), rstd.squeeze(2)


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


# random layers: the identity unless training


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


# activations


def relu6(self: Tensor) -> Tensor:
    return torch.clamp(self, 0, 6)


def selu(self: Tensor) -> Tensor:
    return torch.elu(self, 1.6732632423543772848170429916717, 1.0507009873554804934193349852946, 1)


def celu(self: Tensor, alpha: number) -> Tensor:
    return torch.elu(self, alpha, 1.0, 1.0 / float(alpha))


def glu(self: Tensor, dim: int) -> Tensor:
    n = self.size(dim)
    if n % 2 != 0:
        raise RuntimeError("Halving dimension must be even, but dimension {} is size {}".format(dim, n))
    return self.narrow(dim, 0, n // 2) * torch.sigmoid(self.narrow(dim, n // 2, n // 2))


def log_sigmoid(self: Tensor) -> Tensor:
    # min(x, 0) - log1p(exp(-|x|)): no overflow on either side
    x = _h_wide(self)
    return _h_narrow(torch.clamp(x, max=0) - torch.log1p(torch.exp(-torch.abs(x))), self.dtype)


def prelu(self: Tensor, weight: Tensor) -> Tensor:
    if self.dim() < 2:
        w = weight.reshape([])
    else:
        if weight.numel() != 1 and weight.numel() != self.size(1):
            raise RuntimeError("Mismatch of parameter numbers and input channel size.")
        w = _h_per_channel(weight, self.dim())
    return torch.where(self > 0, self, w * self)


def logit(self: Tensor, eps: Optional[float]) -> Tensor:
    x = self if eps is None else torch.clamp(self, eps, 1.0 - eps)
    return torch.log(x / (1.0 - x))


def nanmean(self: Tensor, dim: Optional[List[int]], keepdim: bool, dtype: Optional[int]) -> Tensor:
    if not self.is_floating_point():
        raise RuntimeError("nanmean(): expected input to have floating point or complex dtype")
    count = torch.sum(torch.logical_not(torch.isnan(self)), dim, keepdim)
    return torch.nansum(self, dim, keepdim, dtype=dtype) / count


def rrelu(self: Tensor, lower: number, upper: number, training: bool, generator: Optional[Generator]) -> Tensor:
    if training:
        noise = torch.rand_like(self) * (float(upper) - float(lower)) + float(lower)
        return torch.where(self <= 0, self * noise, self)
    return torch.where(self <= 0, self * ((float(lower) + float(upper)) / 2.0), self)


# losses


def mse_loss(self: Tensor, target: Tensor, reduction: int) -> Tensor:
    d = self - target
    return _h_reduce(d * d, reduction)


def l1_loss(self: Tensor, target: Tensor, reduction: int) -> Tensor:
    return _h_reduce(torch.abs(self - target), reduction)


def smooth_l1_loss(self: Tensor, target: Tensor, reduction: int, beta: float) -> Tensor:
    if beta < 0.0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    d = torch.abs(self - target)
    if beta == 0.0:
        return _h_reduce(d, reduction)
    return _h_reduce(torch.where(d < beta, d * d * (0.5 / beta), d - 0.5 * beta), reduction)


def huber_loss(self: Tensor, target: Tensor, reduction: int, delta: float) -> Tensor:
    if delta <= 0.0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    d = torch.abs(self - target)
    return _h_reduce(torch.where(d <= delta, d * d * 0.5, (d - 0.5 * delta) * delta), reduction)


def soft_margin_loss(self: Tensor, target: Tensor, reduction: int) -> Tensor:
    return _h_reduce(torch.log1p(torch.exp(-target * self)), reduction)


def binary_cross_entropy(self: Tensor, target: Tensor, weight: Optional[Tensor], reduction: int) -> Tensor:
    # logarithms are cut off at -100, as in PyTorch
    loss = (target - 1) * torch.clamp_min(torch.log1p(-self), -100) - target * torch.clamp_min(torch.log(self), -100)
    if weight is not None:
        loss = loss * weight
    return _h_reduce(loss, reduction)


def binary_cross_entropy_with_logits(
    self: Tensor, target: Tensor, weight: Optional[Tensor], pos_weight: Optional[Tensor], reduction: int
) -> Tensor:
    if pos_weight is not None:
        log_weight = (pos_weight - 1) * target + 1
        loss = (1 - target) * self - log_weight * log_sigmoid(self)
    else:
        loss = (1 - target) * self - log_sigmoid(self)
    if weight is not None:
        loss = loss * weight
    return _h_reduce(loss, reduction)


def kl_div(self: Tensor, target: Tensor, reduction: int, log_target: bool) -> Tensor:
    if log_target:
        loss = torch.exp(target) * (target - self)
    else:
        log = torch.log(torch.where(target > 0, target, torch.ones_like(target)))
        loss = (
            torch.where(
                target > 0, target * log, torch.where(target == 0, torch.zeros_like(target), target * float("nan"))
            )
            - target * self
        )
    return _h_reduce(loss, reduction)


def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int) -> Tensor:
    if log_input:
        loss = torch.exp(input) - target * input
    else:
        loss = input - target * torch.log(input + eps)
    if full:
        stirling = target * torch.log(target) - target + 0.5 * torch.log(target * 6.283185307179586)
        loss = loss + torch.where(target > 1, stirling, torch.zeros_like(stirling))
    return _h_reduce(loss, reduction)


def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float, reduction: int) -> Tensor:
    dim = input1.dim() - 1
    product = torch.sum(input1 * input2, [dim])
    square1 = torch.sum(input1 * input1, [dim]) + 9.999999960041972e-13
    square2 = torch.sum(input2 * input2, [dim]) + 9.999999960041972e-13
    cos = product / torch.sqrt(square1 * square2)
    zeros = torch.zeros_like(cos)
    loss = torch.where(target == 1, 1 - cos, zeros) + torch.where(target == -1, torch.clamp_min(cos - margin, 0), zeros)
    return _h_reduce(loss, reduction)


def hinge_embedding_loss(self: Tensor, target: Tensor, margin: float, reduction: int) -> Tensor:
    zeros = torch.zeros_like(self)
    loss = torch.where(target != 1, torch.clamp_min(margin - self, 0), zeros) + torch.where(target != -1, self, zeros)
    return _h_reduce(loss, reduction)


def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float, reduction: int) -> Tensor:
    return _h_reduce(torch.clamp_min(-target * (input1 - input2) + margin, 0), reduction)


def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float, p: float, eps: float, swap: bool, reduction: int
) -> Tensor:
    near = pairwise_distance(anchor, positive, p, eps, False)
    far = pairwise_distance(anchor, negative, p, eps, False)
    if swap:
        far = torch.minimum(far, pairwise_distance(positive, negative, p, eps, False))
    return _h_reduce(torch.clamp_min(margin + near - far, 0), reduction)


def multi_margin_loss(
    self: Tensor, target: Tensor, p: number, margin: number, weight: Optional[Tensor], reduction: int
) -> Tensor:
    x = self if self.dim() == 2 else self.unsqueeze(0)
    y = target if target.dim() == 1 else target.unsqueeze(0)
    index = y.unsqueeze(1)
    terms = torch.clamp_min(x - torch.gather(x, 1, index) + margin, 0)
    if float(p) == 2.0:
        terms = terms * terms
    if weight is not None:
        terms = terms * weight[y].unsqueeze(1)
    other = torch.arange(x.size(1)).unsqueeze(0) != index
    loss = torch.sum(torch.where(other, terms, torch.zeros_like(terms)), [1]) / float(x.size(1))
    if self.dim() < 2:
        loss = loss.squeeze(0)
    return _h_reduce(loss, reduction)


def _h_nll(
    self: Tensor, target: Tensor, weight: Optional[Tensor], reduction: int, ignore_index: int
) -> Tuple[Tensor, Tensor]:
    # self [N, C, ...], target [N, ...]: minus the chosen class, and the sum of weights
    kept = target != ignore_index
    index = torch.where(kept, target, torch.zeros_like(target))
    picked = -torch.gather(self, 1, index.unsqueeze(1)).squeeze(1)
    if weight is not None:
        weights = torch.where(kept, weight[index], torch.zeros([], dtype=self.dtype))
    else:
        weights = kept.to(self.dtype)
    loss = torch.where(kept, picked * weights, torch.zeros_like(picked))
    total = weights.sum()
    if reduction == 1:
        return loss.sum() / total, total
    if reduction == 2:
        return loss.sum(), total
    return loss, torch.zeros_like(total)


def nll_loss_forward(
    self: Tensor, target: Tensor, weight: Optional[Tensor], reduction: int, ignore_index: int
) -> Tuple[Tensor, Tensor]:
    if self.dim() == 1:
        loss, total = _h_nll(self.unsqueeze(0), target.reshape([1]), weight, reduction, ignore_index)
        return loss.reshape(target.size()) if reduction == 0 else loss, total
    if self.size(0) != target.size(0):
        raise ValueError(
            "Expected input batch_size ({}) to match target batch_size ({}).".format(self.size(0), target.size(0))
        )
    return _h_nll(self, target, weight, reduction, ignore_index)


def nll_loss2d_forward(
    self: Tensor, target: Tensor, weight: Optional[Tensor], reduction: int, ignore_index: int
) -> Tuple[Tensor, Tensor]:
    return _h_nll(self, target, weight, reduction, ignore_index)


def nll_loss(self: Tensor, target: Tensor, weight: Optional[Tensor], reduction: int, ignore_index: int) -> Tensor:
    return nll_loss_forward(self, target, weight, reduction, ignore_index)[0]


def nll_loss2d(self: Tensor, target: Tensor, weight: Optional[Tensor], reduction: int, ignore_index: int) -> Tensor:
    return nll_loss2d_forward(self, target, weight, reduction, ignore_index)[0]


def nll_loss_nd(self: Tensor, target: Tensor, weight: Optional[Tensor], reduction: int, ignore_index: int) -> Tensor:
    return nll_loss_forward(self, target, weight, reduction, ignore_index)[0]


def cross_entropy_loss(
    self: Tensor, target: Tensor, weight: Optional[Tensor], reduction: int, ignore_index: int, label_smoothing: float
) -> Tensor:
    class_dim = 0 if self.dim() == 1 else 1
    logs = torch.log_softmax(self, class_dim)
    if target.is_floating_point():
        # class probabilities
        classes = self.size(class_dim)
        goal = target * (1.0 - label_smoothing) + label_smoothing / float(classes)
        terms = -goal * logs
        if weight is not None:
            terms = terms * (_h_per_channel(weight, self.dim()) if self.dim() > 1 else weight)
        loss = torch.sum(terms, [class_dim])
        if reduction == 1:
            rows = 1
            for i in range(self.dim()):
                if i != class_dim:
                    rows = rows * self.size(i)
            return loss.sum() / float(rows)
        return _h_reduce(loss, reduction)
    if label_smoothing == 0.0:
        return nll_loss_forward(logs, target, weight, reduction, ignore_index)[0]
    loss, total = nll_loss_forward(logs, target, weight, reduction, ignore_index)
    smooth = -logs
    if weight is not None:
        smooth = smooth * (_h_per_channel(weight, self.dim()) if self.dim() > 1 else weight)
    smooth = torch.sum(smooth, [class_dim])
    smooth = torch.where(target == ignore_index, torch.zeros_like(smooth), smooth)
    if reduction == 1:
        smooth = smooth.sum() / total
    if reduction == 2:
        smooth = smooth.sum()
    share = label_smoothing / float(self.size(class_dim))
    return loss * (1.0 - label_smoothing) + smooth * share


# products


def outer(self: Tensor, vec2: Tensor) -> Tensor:
    if self.dim() != 1 or vec2.dim() != 1:
        raise RuntimeError("outer: Expected 1-D argument self, but got {}-D".format(self.dim()))
    return self.unsqueeze(1) * vec2


def ger(self: Tensor, vec2: Tensor) -> Tensor:
    return outer(self, vec2)


def vdot(self: Tensor, other: Tensor) -> Tensor:
    return torch.dot(self, other)


def inner(self: Tensor, other: Tensor) -> Tensor:
    if self.dim() == 0 or other.dim() == 0:
        return self * other
    return torch.tensordot(self, other, [-1], [-1])


def linalg_vecdot(x: Tensor, y: Tensor, dim: int) -> Tensor:
    if not x.is_floating_point():
        raise RuntimeError("linalg.vecdot: Expected a floating point or complex tensor as input.")
    return torch.sum(x * y, [dim])


def linalg_matmul(self: Tensor, other: Tensor) -> Tensor:
    return torch.matmul(self, other)


def addmv(self: Tensor, mat: Tensor, vec: Tensor, beta: number, alpha: number) -> Tensor:
    product = torch.mv(mat, vec) * alpha
    return product if float(beta) == 0.0 else self * beta + product


def addr(self: Tensor, vec1: Tensor, vec2: Tensor, beta: number, alpha: number) -> Tensor:
    product = outer(vec1, vec2) * alpha
    return product if float(beta) == 0.0 else self * beta + product


def addbmm(self: Tensor, batch1: Tensor, batch2: Tensor, beta: number, alpha: number) -> Tensor:
    left = batch1.transpose(0, 1).reshape([batch1.size(1), -1])
    return torch.addmm(self, left, batch2.reshape([-1, batch2.size(2)]), beta=beta, alpha=alpha)


def chain_matmul(matrices: List[Tensor]) -> Tensor:
    result = matrices[0]
    for i in range(1, len(matrices)):
        result = torch.mm(result, matrices[i])
    return result


def linalg_multi_dot(tensors: List[Tensor]) -> Tensor:
    result = tensors[0]
    for i in range(1, len(tensors)):
        result = torch.matmul(result, tensors[i])
    return result


def tensordot(self: Tensor, other: Tensor, dims_self: List[int], dims_other: List[int]) -> Tensor:
    if len(dims_self) != len(dims_other):
        raise RuntimeError("both dimension lists should have same length")
    bound_left: List[int] = []
    bound_right: List[int] = []
    for i in range(len(dims_self)):
        bound_left.append(dims_self[i] + self.dim() if dims_self[i] < 0 else dims_self[i])
        bound_right.append(dims_other[i] + other.dim() if dims_other[i] < 0 else dims_other[i])
    free_left: List[int] = []
    free_right: List[int] = []
    shape: List[int] = []
    common = 1
    rows = 1
    columns = 1
    for i in range(self.dim()):
        if i in bound_left:
            common = common * self.size(i)
        else:
            free_left.append(i)
            rows = rows * self.size(i)
            shape.append(self.size(i))
    for i in range(other.dim()):
        if i not in bound_right:
            free_right.append(i)
            columns = columns * other.size(i)
            shape.append(other.size(i))
    left = self.permute(free_left + bound_left).reshape([rows, common])
    right = other.permute(bound_right + free_right).reshape([common, columns])
    return torch.mm(left, right).reshape(shape)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Optional[Tensor]) -> Tensor:
    result = torch.einsum("...i,kij,...j->...k", [input1, weight, input2])
    if bias is not None:
        result = result + bias
    return result


def kron(self: Tensor, other: Tensor) -> Tensor:
    rank = max(self.dim(), other.dim())
    a = self
    b = other
    for _ in range(rank - self.dim()):
        a = a.unsqueeze(0)
    for _ in range(rank - other.dim()):
        b = b.unsqueeze(0)
    shape: List[int] = []
    for i in range(rank):
        shape.append(a.size(i) * b.size(i))
    for i in range(rank):
        a = a.unsqueeze(2 * i + 1)
        b = b.unsqueeze(2 * i)
    return (a * b).reshape(shape)


def trace(self: Tensor) -> Tensor:
    if self.dim() != 2:
        raise RuntimeError("trace: expected a matrix, but got tensor with dim {}".format(self.dim()))
    return torch.diagonal(self, 0, 0, 1).sum()


def linalg_diagonal(A: Tensor, offset: int, dim1: int, dim2: int) -> Tensor:
    return torch.diagonal(A, offset, dim1, dim2)


def linalg_cross(self: Tensor, other: Tensor, dim: int) -> Tensor:
    a, b = torch.broadcast_tensors([self, other])
    a0, a1, a2 = a.select(dim, 0), a.select(dim, 1), a.select(dim, 2)
    b0, b1, b2 = b.select(dim, 0), b.select(dim, 1), b.select(dim, 2)
    return torch.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], dim)


def cross(self: Tensor, other: Tensor, dim: Optional[int]) -> Tensor:
    d = 0
    if dim is not None:
        d = dim
    else:
        while d < self.dim() - 1 and self.size(d) != 3:
            d += 1
    return linalg_cross(self, other, d)


# bags of embeddings


def _h_embedding_bag(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    mode: int,
    per_sample_weights: Optional[Tensor],
    include_last_offset: bool,
    padding_idx: int,
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    # rows that belong to no bag are added to one more bag, which is dropped
    if indices.dim() != 1:
        raise RuntimeError("input has to be a 1D Tensor, but got Tensor of dimension {}".format(indices.dim()))
    if offsets.dim() != 1:
        raise RuntimeError("offsets has to be a 1D Tensor, but got Tensor of dimension {}".format(offsets.dim()))
    n = indices.size(0)
    words = indices.to(torch.int64)
    starts = offsets.to(torch.int64)
    bags = starts.size(0)
    if bags > 0:
        first = int(starts[0])
        if first != 0:
            raise RuntimeError(
                "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. However, got {}".format(
                    first
                )
            )
        last = int(starts[-1])
        if last > n:
            raise RuntimeError(
                "offsets[-1] can not be greater than input's length {} but got offsets[-1] of {}".format(n, last)
            )
    if include_last_offset:
        if bags == 0:
            raise RuntimeError("include_last_offset: number of offset should be at least 1")
        bags = bags - 1
    marks = torch.zeros([n + 1], dtype=torch.int64).index_add(0, starts, torch.ones_like(starts))
    bag = torch.cumsum(marks, 0)[:n] - 1
    outside = torch.full_like(bag, bags)
    summed = torch.where((bag < 0) | (bag >= bags), outside, bag)
    if include_last_offset and (mode != 0 or padding_idx >= 0):
        # PyTorch counts what comes after the last offset to the last bag, and adds it there only if there is padding
        bag = torch.clamp(bag, max=bags - 1)
    place = torch.where(bag < 0, outside, bag)
    if padding_idx >= 0:
        place = torch.where(words == padding_idx, outside, place)
    if mode == 2 or padding_idx >= 0:
        summed = place
    sizes = torch.zeros([bags + 1], dtype=torch.int64).index_add(0, place, torch.ones_like(place))[:bags]
    rows = _h_wide(torch.index_select(weight, 0, words))
    if per_sample_weights is not None:
        if mode != 0:
            raise RuntimeError(
                "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum'"
            )
        rows = rows * _h_wide(per_sample_weights).unsqueeze(1)
    empty = torch.zeros([bags + 1, rows.size(1)], dtype=rows.dtype)
    if mode == 2:
        to = place.unsqueeze(1).expand_as(rows)
        most = empty.scatter_reduce(0, to, rows, "amax", include_self=False)
        at = torch.arange(n).unsqueeze(1)
        at = torch.where(rows == torch.index_select(most, 0, place), at, torch.full_like(at, n))
        none = torch.full([bags + 1, rows.size(1)], n, dtype=torch.int64)
        at = none.scatter_reduce(0, to, at, "amin", include_self=True)[:bags]
        found = torch.cat([words, torch.zeros([1], dtype=torch.int64)])[at]
        kind = offsets.dtype
        return _h_narrow(most[:bags], weight.dtype), bag.to(kind), sizes.to(kind), found.to(indices.dtype)
    total = empty.index_add(0, summed, rows)[:bags]
    if mode == 0:
        unused = torch.zeros_like(offsets)
        kept = bag if padding_idx >= 0 else bag[:0]
        return _h_narrow(total, weight.dtype), kept.to(offsets.dtype), unused, unused
    total = total / torch.clamp(sizes, 1).to(total.dtype).unsqueeze(1)
    sizes = sizes.to(offsets.dtype)
    return _h_narrow(total, weight.dtype), bag.to(offsets.dtype), sizes, sizes


def embedding_bag__padding_idx(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool,
    mode: int,
    sparse: bool,
    per_sample_weights: Optional[Tensor],
    include_last_offset: bool,
    padding_idx: Optional[int],
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    padding = -1
    if padding_idx is not None:
        if padding_idx < -weight.size(0) or padding_idx >= weight.size(0):
            raise RuntimeError("padding_idx must be within the number of embeddings, but got {}".format(padding_idx))
        padding = padding_idx if padding_idx >= 0 else padding_idx + weight.size(0)
    return _h_embedding_bag(weight, indices, offsets, mode, per_sample_weights, include_last_offset, padding)


def embedding_bag(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool,
    mode: int,
    sparse: bool,
    per_sample_weights: Optional[Tensor],
    include_last_offset: bool,
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    return _h_embedding_bag(weight, indices, offsets, mode, per_sample_weights, include_last_offset, -1)


def _embedding_bag(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool,
    mode: int,
    sparse: bool,
    per_sample_weights: Optional[Tensor],
    include_last_offset: bool,
    padding_idx: int,
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    return _h_embedding_bag(weight, indices, offsets, mode, per_sample_weights, include_last_offset, padding_idx)


# recurrent networks: one layer and direction at a time, the input products of all steps in one contraction


def _h_cell_rnn_tanh(x: Tensor, h: Tensor, w_hh: Tensor, b_hh: Optional[Tensor]) -> Tensor:
    return torch.tanh(x + torch.linear(h, w_hh, b_hh))


def _h_cell_rnn_relu(x: Tensor, h: Tensor, w_hh: Tensor, b_hh: Optional[Tensor]) -> Tensor:
    return torch.relu(x + torch.linear(h, w_hh, b_hh))


def _h_cell_gru(x: Tensor, h: Tensor, w_hh: Tensor, b_hh: Optional[Tensor]) -> Tensor:
    xr, xz, xn = torch.chunk(x, 3, 1)
    hr, hz, hn = torch.chunk(torch.linear(h, w_hh, b_hh), 3, 1)
    z = torch.sigmoid(xz + hz)
    n = torch.tanh(xn + torch.sigmoid(xr + hr) * hn)
    return n + z * (h - n)


def _h_cell_lstm(x: Tensor, h: Tensor, c: Tensor, w_hh: Tensor, b_hh: Optional[Tensor]) -> Tuple[Tensor, Tensor]:
    i, f, g, o = torch.chunk(x + torch.linear(h, w_hh, b_hh), 4, 1)
    cell = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(cell), cell


def rnn_tanh_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Optional[Tensor], b_hh: Optional[Tensor]
) -> Tensor:
    return _h_cell_rnn_tanh(torch.linear(input, w_ih, b_ih), hx, w_hh, b_hh)


def rnn_relu_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Optional[Tensor], b_hh: Optional[Tensor]
) -> Tensor:
    return _h_cell_rnn_relu(torch.linear(input, w_ih, b_ih), hx, w_hh, b_hh)


def gru_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Optional[Tensor], b_hh: Optional[Tensor]
) -> Tensor:
    return _h_cell_gru(torch.linear(input, w_ih, b_ih), hx, w_hh, b_hh)


def lstm_cell(
    input: Tensor, hx: List[Tensor], w_ih: Tensor, w_hh: Tensor, b_ih: Optional[Tensor], b_hh: Optional[Tensor]
) -> Tuple[Tensor, Tensor]:
    return _h_cell_lstm(torch.linear(input, w_ih, b_ih), hx[0], hx[1], w_hh, b_hh)


def _h_if_valid(valid: Optional[Tensor], t: int, new: Tensor, old: Tensor) -> Tensor:
    # packed sequences: one that has ended, or has not begun when read backwards, keeps its state
    if valid is None:
        return new
    return torch.where(valid.select(0, t).unsqueeze(1), new, old)


def _h_layer_rnn_tanh(
    x: Tensor, h: Tensor, w_hh: Tensor, b_hh: Optional[Tensor], backwards: bool, valid: Optional[Tensor]
) -> Tuple[Tensor, Tensor]:
    steps = x.size(0)
    out = x.new_zeros([steps, h.size(0), h.size(1)])
    for i in range(steps):
        t = steps - 1 - i if backwards else i
        h = _h_if_valid(valid, t, _h_cell_rnn_tanh(x.select(0, t), h, w_hh, b_hh), h)
        out = torch.select_scatter(out, h, 0, t)
    return out, h


def _h_layer_rnn_relu(
    x: Tensor, h: Tensor, w_hh: Tensor, b_hh: Optional[Tensor], backwards: bool, valid: Optional[Tensor]
) -> Tuple[Tensor, Tensor]:
    steps = x.size(0)
    out = x.new_zeros([steps, h.size(0), h.size(1)])
    for i in range(steps):
        t = steps - 1 - i if backwards else i
        h = _h_if_valid(valid, t, _h_cell_rnn_relu(x.select(0, t), h, w_hh, b_hh), h)
        out = torch.select_scatter(out, h, 0, t)
    return out, h


def _h_layer_gru(
    x: Tensor, h: Tensor, w_hh: Tensor, b_hh: Optional[Tensor], backwards: bool, valid: Optional[Tensor]
) -> Tuple[Tensor, Tensor]:
    steps = x.size(0)
    out = x.new_zeros([steps, h.size(0), h.size(1)])
    for i in range(steps):
        t = steps - 1 - i if backwards else i
        h = _h_if_valid(valid, t, _h_cell_gru(x.select(0, t), h, w_hh, b_hh), h)
        out = torch.select_scatter(out, h, 0, t)
    return out, h


def _h_layer_lstm(
    x: Tensor,
    h: Tensor,
    c: Tensor,
    w_hh: Tensor,
    b_hh: Optional[Tensor],
    w_hr: Optional[Tensor],
    backwards: bool,
    valid: Optional[Tensor],
) -> Tuple[Tensor, Tensor, Tensor]:
    steps = x.size(0)
    out = x.new_zeros([steps, h.size(0), h.size(1)])
    for i in range(steps):
        t = steps - 1 - i if backwards else i
        h_new, c_new = _h_cell_lstm(x.select(0, t), h, c, w_hh, b_hh)
        if w_hr is not None:
            h_new = torch.linear(h_new, w_hr)
        h = _h_if_valid(valid, t, h_new, h)
        c = _h_if_valid(valid, t, c_new, c)
        out = torch.select_scatter(out, h, 0, t)
    return out, h, c


def _h_rnn(
    mode: str,
    input: Tensor,
    hx: Tensor,
    params: List[Tensor],
    has_biases: bool,
    num_layers: int,
    p: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
    valid: Optional[Tensor],
) -> Tuple[Tensor, Tensor]:
    x = input.transpose(0, 1) if batch_first else input
    directions = 2 if bidirectional else 1
    stride = 4 if has_biases else 2
    finals: List[Tensor] = []
    for layer in range(num_layers):
        outs: List[Tensor] = []
        for direction in range(directions):
            k = layer * directions + direction
            w_hh = params[k * stride + 1]
            b_ih: Optional[Tensor] = None
            b_hh: Optional[Tensor] = None
            if has_biases:
                b_ih = params[k * stride + 2]
                b_hh = params[k * stride + 3]
            gates = torch.linear(x, params[k * stride], b_ih)
            if mode == "gru":
                out, h = _h_layer_gru(gates, hx.select(0, k), w_hh, b_hh, direction == 1, valid)
            elif mode == "tanh":
                out, h = _h_layer_rnn_tanh(gates, hx.select(0, k), w_hh, b_hh, direction == 1, valid)
            else:
                out, h = _h_layer_rnn_relu(gates, hx.select(0, k), w_hh, b_hh, direction == 1, valid)
            outs.append(out)
            finals.append(h)
        x = torch.cat(outs, 2) if bidirectional else outs[0]
        if layer + 1 < num_layers:
            x = torch.dropout(x, p, train)
    return x.transpose(0, 1) if batch_first else x, torch.stack(finals, 0)


def gru__input(
    input: Tensor,
    hx: Tensor,
    params: List[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> Tuple[Tensor, Tensor]:
    return _h_rnn("gru", input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first, None)


def rnn_tanh__input(
    input: Tensor,
    hx: Tensor,
    params: List[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> Tuple[Tensor, Tensor]:
    return _h_rnn("tanh", input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first, None)


def rnn_relu__input(
    input: Tensor,
    hx: Tensor,
    params: List[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> Tuple[Tensor, Tensor]:
    return _h_rnn("relu", input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first, None)


def _h_lstm(
    input: Tensor,
    hx: List[Tensor],
    params: List[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
    valid: Optional[Tensor],
) -> Tuple[Tensor, Tensor, Tensor]:
    x = input.transpose(0, 1) if batch_first else input
    directions = 2 if bidirectional else 1
    projected = hx[0].size(2) != hx[1].size(2)
    stride = (4 if has_biases else 2) + (1 if projected else 0)
    hs: List[Tensor] = []
    cs: List[Tensor] = []
    for layer in range(num_layers):
        outs: List[Tensor] = []
        for direction in range(directions):
            k = layer * directions + direction
            w_hh = params[k * stride + 1]
            b_ih: Optional[Tensor] = None
            b_hh: Optional[Tensor] = None
            if has_biases:
                b_ih = params[k * stride + 2]
                b_hh = params[k * stride + 3]
            w_hr: Optional[Tensor] = None
            if projected:
                w_hr = params[k * stride + stride - 1]
            gates = torch.linear(x, params[k * stride], b_ih)
            h = hx[0].select(0, k)
            c = hx[1].select(0, k)
            out, h, c = _h_layer_lstm(gates, h, c, w_hh, b_hh, w_hr, direction == 1, valid)
            outs.append(out)
            hs.append(h)
            cs.append(c)
        x = torch.cat(outs, 2) if bidirectional else outs[0]
        if layer + 1 < num_layers:
            x = torch.dropout(x, dropout, train)
    return x.transpose(0, 1) if batch_first else x, torch.stack(hs, 0), torch.stack(cs, 0)


def lstm__input(
    input: Tensor,
    hx: List[Tensor],
    params: List[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> Tuple[Tensor, Tensor, Tensor]:
    return _h_lstm(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first, None)


# Packed sequences: the steps of all sequences, longest first, one after the other; `batch_sizes` says how many go on at
# each step. They are computed padded, and a mask holds the states of those that have ended.


def _h_packed_valid(batch_sizes: Tensor, steps: int, batch: int) -> Tensor:
    # [steps, batch]: sequence i has a step t
    sizes = batch_sizes
    if steps > batch_sizes.size(0):
        sizes = torch.cat([batch_sizes, torch.zeros([steps - batch_sizes.size(0)], dtype=torch.int64)])
    return torch.arange(batch).unsqueeze(0) < sizes.unsqueeze(1)


def _h_packed_to_padded(data: Tensor, batch_sizes: Tensor, valid: Tensor) -> Tensor:
    # [steps, batch, ...]; what lies behind the end of a sequence is some element
    first = torch.cumsum(batch_sizes, 0) - batch_sizes
    if valid.size(0) > batch_sizes.size(0):
        first = torch.cat([first, torch.zeros([valid.size(0) - batch_sizes.size(0)], dtype=torch.int64)])
    place = first.unsqueeze(1) + torch.arange(valid.size(1))
    return data[torch.where(valid, place, torch.zeros_like(place))]


def _pack_padded_sequence(input: Tensor, lengths: Tensor, batch_first: bool) -> Tuple[Tensor, Tensor]:
    x = input.transpose(0, 1) if batch_first else input
    if lengths.numel() != x.size(1):
        raise RuntimeError("Expected `len(lengths)` to be equal to batch_size")
    if bool((lengths[1:] > lengths[:-1]).any()):
        raise RuntimeError("`lengths` array must be sorted in decreasing order when `enforce_sorted` is True")
    if bool((lengths <= 0).any()):
        raise RuntimeError("Length of all samples has to be greater than 0")
    longest = int(lengths[0].item())
    valid = torch.arange(longest).unsqueeze(1) < lengths.unsqueeze(0)
    return x[:longest][valid], valid.sum(1)


def _pad_packed_sequence(
    data: Tensor, batch_sizes: Tensor, batch_first: bool, padding_value: number, total_length: int
) -> Tuple[Tensor, Tensor]:
    steps = batch_sizes.size(0)
    if total_length > 0:
        if total_length < steps:
            raise RuntimeError("Expected total_length to be at least the length of the longest sequence in input")
        steps = total_length
    valid = _h_packed_valid(batch_sizes, steps, int(batch_sizes[0].item()))
    padded = _h_packed_to_padded(data, batch_sizes, valid)
    kept = valid
    for _ in range(data.dim() - 1):
        kept = kept.unsqueeze(-1)
    padded = torch.where(kept, padded, torch.full([], padding_value, dtype=data.dtype))
    return padded.transpose(0, 1) if batch_first else padded, valid.sum(0)


def _h_rnn_packed(
    mode: str,
    data: Tensor,
    batch_sizes: Tensor,
    hx: Tensor,
    params: List[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
) -> Tuple[Tensor, Tensor]:
    valid = _h_packed_valid(batch_sizes, batch_sizes.size(0), hx.size(1))
    x = _h_packed_to_padded(data, batch_sizes, valid)
    out, h = _h_rnn(mode, x, hx, params, has_biases, num_layers, dropout, train, bidirectional, False, valid)
    return out[valid], h


def gru__data(
    data: Tensor,
    batch_sizes: Tensor,
    hx: Tensor,
    params: List[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
) -> Tuple[Tensor, Tensor]:
    return _h_rnn_packed(
        "gru", data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional
    )


def rnn_tanh__data(
    data: Tensor,
    batch_sizes: Tensor,
    hx: Tensor,
    params: List[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
) -> Tuple[Tensor, Tensor]:
    return _h_rnn_packed(
        "tanh", data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional
    )


def rnn_relu__data(
    data: Tensor,
    batch_sizes: Tensor,
    hx: Tensor,
    params: List[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
) -> Tuple[Tensor, Tensor]:
    return _h_rnn_packed(
        "relu", data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional
    )


def lstm__data(
    data: Tensor,
    batch_sizes: Tensor,
    hx: List[Tensor],
    params: List[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
) -> Tuple[Tensor, Tensor, Tensor]:
    valid = _h_packed_valid(batch_sizes, batch_sizes.size(0), hx[0].size(1))
    x = _h_packed_to_padded(data, batch_sizes, valid)
    out, h, c = _h_lstm(x, hx, params, has_biases, num_layers, dropout, train, bidirectional, False, valid)
    return out[valid], h, c


# attention


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Optional[Tensor],
    dropout_p: float,
    is_causal: bool,
    scale: Optional[float],
    enable_gqa: bool,
) -> Tensor:
    factor = 0.0
    if scale is not None:
        factor = scale
    else:
        factor = 1.0 / float(query.size(-1)) ** 0.5
    k = key
    v = value
    if enable_gqa:
        k = torch.repeat_interleave(key, query.size(-3) // key.size(-3), -3)
        v = torch.repeat_interleave(value, query.size(-3) // value.size(-3), -3)
    scores = _h_wide(torch.matmul(query * factor, k.transpose(-2, -1)))
    if is_causal:
        rows = torch.arange(query.size(-2)).unsqueeze(1)
        scores = torch.where(
            torch.arange(k.size(-2)) <= rows, scores, torch.full([], float("-inf"), dtype=scores.dtype)
        )
    weights = _h_softmax(scores, -1)
    if attn_mask is not None:
        if attn_mask.dtype == torch.bool:
            scores = torch.where(attn_mask, scores, torch.full([], float("-inf"), dtype=scores.dtype))
        else:
            scores = scores + attn_mask
        # a row in which everything is masked out attends to nothing
        top = torch.amax(scores, [-1], True)
        nothing = top == float("-inf")
        e = torch.exp(scores - torch.where(nothing, torch.zeros_like(top), top))
        weights = e / torch.where(nothing, torch.ones_like(top), torch.sum(e, [-1], True))
    weights = torch.dropout(_h_narrow(weights, query.dtype), dropout_p, dropout_p > 0.0)
    return torch.matmul(weights, v)


# resampling


def _h_nearest(self: Tensor, dim: int, size: int, scale: Optional[float]) -> Tensor:
    n = self.size(dim)
    ratio = float(n) / float(size)
    if scale is not None:
        if scale > 0.0:
            ratio = 1.0 / scale
    # PyTorch computes positions in float32
    place = torch.floor(torch.arange(size).to(torch.float32) * ratio).to(torch.int64)
    return torch.index_select(self, dim, torch.clamp(place, max=n - 1))


def upsample_nearest1d(self: Tensor, output_size: List[int], scales: Optional[float]) -> Tensor:
    return _h_nearest(self, 2, output_size[0], scales)


def upsample_nearest2d(
    self: Tensor, output_size: List[int], scales_h: Optional[float], scales_w: Optional[float]
) -> Tensor:
    return _h_nearest(_h_nearest(self, 2, output_size[0], scales_h), 3, output_size[1], scales_w)


def upsample_nearest3d(
    self: Tensor,
    output_size: List[int],
    scales_d: Optional[float],
    scales_h: Optional[float],
    scales_w: Optional[float],
) -> Tensor:
    return _h_nearest(upsample_nearest2d(self, output_size, scales_d, scales_h), 4, output_size[2], scales_w)


def _h_positions(n: int, size: int, align_corners: bool, scale: Optional[float]) -> Tensor:
    # where each output element lies in the input
    steps = torch.arange(size).to(torch.float32)
    if align_corners:
        return steps * (float(n - 1) / float(size - 1)) if size > 1 else steps * 0.0
    ratio = float(n) / float(size)
    if scale is not None:
        if scale > 0.0:
            ratio = 1.0 / scale
    return (steps + 0.5) * ratio - 0.5


def _h_linear_axis(self: Tensor, dim: int, size: int, align_corners: bool, scale: Optional[float]) -> Tensor:
    n = self.size(dim)
    if n == size:
        return self
    place = torch.clamp_min(_h_positions(n, size, align_corners, scale), 0)
    low = torch.clamp(torch.floor(place).to(torch.int64), max=n - 1)
    high = torch.clamp(low + 1, max=n - 1)
    share = (place - low).to(self.dtype)
    for _ in range(self.dim() - 1 - dim):
        share = share.unsqueeze(-1)
    return torch.index_select(self, dim, low) * (1 - share) + torch.index_select(self, dim, high) * share


def upsample_linear1d(self: Tensor, output_size: List[int], align_corners: bool, scales: Optional[float]) -> Tensor:
    return _h_narrow(_h_linear_axis(_h_wide(self), 2, output_size[0], align_corners, scales), self.dtype)


def upsample_bilinear2d(
    self: Tensor, output_size: List[int], align_corners: bool, scales_h: Optional[float], scales_w: Optional[float]
) -> Tensor:
    rows = _h_linear_axis(_h_wide(self), 2, output_size[0], align_corners, scales_h)
    return _h_narrow(_h_linear_axis(rows, 3, output_size[1], align_corners, scales_w), self.dtype)


def upsample_trilinear3d(
    self: Tensor,
    output_size: List[int],
    align_corners: bool,
    scales_d: Optional[float],
    scales_h: Optional[float],
    scales_w: Optional[float],
) -> Tensor:
    planes = _h_linear_axis(_h_wide(self), 2, output_size[0], align_corners, scales_d)
    rows = _h_linear_axis(planes, 3, output_size[1], align_corners, scales_h)
    return _h_narrow(_h_linear_axis(rows, 4, output_size[2], align_corners, scales_w), self.dtype)


def _h_cubic_axis(self: Tensor, dim: int, size: int, align_corners: bool, scale: Optional[float]) -> Tensor:
    # Keys' kernel with a = -0.75 over four neighbours, clamped at the border
    n = self.size(dim)
    place = _h_positions(n, size, align_corners, scale)
    base = torch.floor(place)
    t = (place - base).to(self.dtype)
    for _ in range(self.dim() - 1 - dim):
        t = t.unsqueeze(-1)
    first = base.to(torch.int64)
    a = -0.75
    far0 = t + 1.0
    near1 = 1.0 - t
    far1 = 2.0 - t
    w0 = ((a * far0 - 5.0 * a) * far0 + 8.0 * a) * far0 - 4.0 * a
    w1 = ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0
    w2 = ((a + 2.0) * near1 - (a + 3.0)) * near1 * near1 + 1.0
    w3 = ((a * far1 - 5.0 * a) * far1 + 8.0 * a) * far1 - 4.0 * a
    return (
        torch.index_select(self, dim, torch.clamp(first - 1, 0, n - 1)) * w0
        + torch.index_select(self, dim, torch.clamp(first, 0, n - 1)) * w1
        + torch.index_select(self, dim, torch.clamp(first + 1, 0, n - 1)) * w2
        + torch.index_select(self, dim, torch.clamp(first + 2, 0, n - 1)) * w3
    )


def upsample_bicubic2d(
    self: Tensor, output_size: List[int], align_corners: bool, scales_h: Optional[float], scales_w: Optional[float]
) -> Tensor:
    rows = _h_cubic_axis(_h_wide(self), 2, output_size[0], align_corners, scales_h)
    return _h_narrow(_h_cubic_axis(rows, 3, output_size[1], align_corners, scales_w), self.dtype)


def _h_output_size(input: Tensor, output_size: Optional[List[int]], scale_factors: Optional[List[float]]) -> List[int]:
    if output_size is not None:
        return output_size
    sizes: List[int] = []
    if scale_factors is not None:
        for i in range(len(scale_factors)):
            sizes.append(int(float(input.size(i + 2)) * scale_factors[i]))
    return sizes


def _h_scale(scale_factors: Optional[List[float]], i: int) -> Optional[float]:
    if scale_factors is None:
        return None
    return scale_factors[i]


def upsample_nearest1d__vec(
    input: Tensor, output_size: Optional[List[int]], scale_factors: Optional[List[float]]
) -> Tensor:
    size = _h_output_size(input, output_size, scale_factors)
    return upsample_nearest1d(input, size, _h_scale(scale_factors, 0))


def upsample_nearest2d__vec(
    input: Tensor, output_size: Optional[List[int]], scale_factors: Optional[List[float]]
) -> Tensor:
    size = _h_output_size(input, output_size, scale_factors)
    return upsample_nearest2d(input, size, _h_scale(scale_factors, 0), _h_scale(scale_factors, 1))


def upsample_nearest3d__vec(
    input: Tensor, output_size: Optional[List[int]], scale_factors: Optional[List[float]]
) -> Tensor:
    size = _h_output_size(input, output_size, scale_factors)
    return upsample_nearest3d(
        input, size, _h_scale(scale_factors, 0), _h_scale(scale_factors, 1), _h_scale(scale_factors, 2)
    )


def upsample_linear1d__vec(
    input: Tensor, output_size: Optional[List[int]], align_corners: bool, scale_factors: Optional[List[float]]
) -> Tensor:
    size = _h_output_size(input, output_size, scale_factors)
    return upsample_linear1d(input, size, align_corners, _h_scale(scale_factors, 0))


def upsample_bilinear2d__vec(
    input: Tensor, output_size: Optional[List[int]], align_corners: bool, scale_factors: Optional[List[float]]
) -> Tensor:
    size = _h_output_size(input, output_size, scale_factors)
    return upsample_bilinear2d(input, size, align_corners, _h_scale(scale_factors, 0), _h_scale(scale_factors, 1))


def upsample_trilinear3d__vec(
    input: Tensor, output_size: Optional[List[int]], align_corners: bool, scale_factors: Optional[List[float]]
) -> Tensor:
    size = _h_output_size(input, output_size, scale_factors)
    return upsample_trilinear3d(
        input, size, align_corners, _h_scale(scale_factors, 0), _h_scale(scale_factors, 1), _h_scale(scale_factors, 2)
    )


def upsample_bicubic2d__vec(
    input: Tensor, output_size: Optional[List[int]], align_corners: bool, scale_factors: Optional[List[float]]
) -> Tensor:
    size = _h_output_size(input, output_size, scale_factors)
    return upsample_bicubic2d(input, size, align_corners, _h_scale(scale_factors, 0), _h_scale(scale_factors, 1))


def pixel_shuffle(self: Tensor, upscale_factor: int) -> Tensor:
    r = upscale_factor
    lead = self.size()[:-3]
    c, h, w = self.size(-3), self.size(-2), self.size(-1)
    if c % (r * r) != 0:
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, but input.size(-3)={} is not divisible by {}".format(
                c, r * r
            )
        )
    split = self.reshape([-1, c // (r * r), r, r, h, w])
    return split.permute([0, 1, 4, 2, 5, 3]).reshape(lead + [c // (r * r), h * r, w * r])


def pixel_unshuffle(self: Tensor, downscale_factor: int) -> Tensor:
    r = downscale_factor
    lead = self.size()[:-3]
    c, h, w = self.size(-3), self.size(-2), self.size(-1)
    split = self.reshape([-1, c, h // r, r, w // r, r])
    return split.permute([0, 1, 3, 5, 2, 4]).reshape(lead + [c * r * r, h // r, w // r])


def channel_shuffle(self: Tensor, groups: int) -> Tensor:
    split = self.reshape([self.size(0), groups, self.size(1) // groups, -1])
    return split.transpose(1, 2).reshape(self.size())


def native_channel_shuffle(self: Tensor, groups: int) -> Tensor:
    return channel_shuffle(self, groups)


# unpooling


def _h_max_unpool(self: Tensor, indices: Tensor, output_size: List[int], dims: int) -> Tensor:
    if self.dim() != dims + 1 and self.dim() != dims + 2:
        raise RuntimeError(
            "Input to max_unpooling{}d should be a {}d or {}d Tensor, but got a tensor with {} dims".format(
                dims, dims + 1, dims + 2, self.dim()
            )
        )
    if len(output_size) != dims:
        raise RuntimeError(
            "There should be exactly {} elements in output_size, but got {} elements.".format(dims, len(output_size))
        )
    kept: List[int] = []
    for i in range(self.dim() - dims):
        kept.append(self.size(i))
    total = 1
    for n in output_size:
        total = total * n
    empty = torch.zeros(kept + [total], dtype=self.dtype)
    full = empty.scatter(-1, indices.reshape(kept + [-1]), self.reshape(kept + [-1]))
    return full.reshape(kept + output_size)


def max_unpool2d(self: Tensor, indices: Tensor, output_size: List[int]) -> Tensor:
    return _h_max_unpool(self, indices, output_size, 2)


def max_unpool3d(
    self: Tensor, indices: Tensor, output_size: List[int], stride: List[int], padding: List[int]
) -> Tensor:
    return _h_max_unpool(self, indices, output_size, 3)


# padding


def _h_reflected(n: int, before: int, after: int) -> Tensor:
    if before >= n or after >= n:
        raise RuntimeError(
            "Argument #4: Padding size should be less than the corresponding input dimension, but got: padding ({}, {}) at a dimension of size {}".format(
                before, after, n
            )
        )
    place = torch.abs(torch.arange(-before, n + after))
    return n - 1 - torch.abs(n - 1 - place)


def _h_replicated(n: int, before: int, after: int) -> Tensor:
    return torch.clamp(torch.arange(-before, n + after), 0, n - 1)


def _h_pad_with(self: Tensor, padding: List[int], mode: str) -> Tensor:
    # padding holds (before, after) of the last dimension, of the one before it, ...
    result = self
    for i in range(len(padding) // 2):
        dim = self.dim() - 1 - i
        n = self.size(dim)
        before, after = padding[2 * i], padding[2 * i + 1]
        if before != 0 or after != 0:
            if mode == "reflect":
                index = _h_reflected(n, before, after)
            elif mode == "replicate":
                index = _h_replicated(n, before, after)
            else:
                index = torch.remainder(torch.arange(-before, n + after), n)
            result = torch.index_select(result, dim, index)
    return result


def reflection_pad1d(self: Tensor, padding: List[int]) -> Tensor:
    return _h_pad_with(self, padding, "reflect")


def reflection_pad2d(self: Tensor, padding: List[int]) -> Tensor:
    return _h_pad_with(self, padding, "reflect")


def reflection_pad3d(self: Tensor, padding: List[int]) -> Tensor:
    return _h_pad_with(self, padding, "reflect")


def replication_pad1d(self: Tensor, padding: List[int]) -> Tensor:
    return _h_pad_with(self, padding, "replicate")


def replication_pad2d(self: Tensor, padding: List[int]) -> Tensor:
    return _h_pad_with(self, padding, "replicate")


def replication_pad3d(self: Tensor, padding: List[int]) -> Tensor:
    return _h_pad_with(self, padding, "replicate")


def pad(self: Tensor, pad: List[int], mode: str, value: Optional[float]) -> Tensor:
    if len(pad) % 2 != 0:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(pad) > 2 * self.dim():
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got padding length {} and input of dimension {}".format(
                len(pad), self.dim()
            )
        )
    if mode == "constant":
        fill = 0.0
        if value is not None:
            fill = value
        return torch.constant_pad_nd(self, pad, fill)
    return _h_pad_with(self, pad, mode)


# joining and splitting


def concat(tensors: List[Tensor], dim: int) -> Tensor:
    return torch.cat(tensors, dim)


def concatenate(tensors: List[Tensor], dim: int) -> Tensor:
    return torch.cat(tensors, dim)


def atleast_1d(self: Tensor) -> Tensor:
    return self.reshape([1]) if self.dim() == 0 else self


def atleast_2d(self: Tensor) -> Tensor:
    if self.dim() == 0:
        return self.reshape([1, 1])
    return self.unsqueeze(0) if self.dim() == 1 else self


def atleast_3d(self: Tensor) -> Tensor:
    if self.dim() == 0:
        return self.reshape([1, 1, 1])
    if self.dim() == 1:
        return self.unsqueeze(0).unsqueeze(-1)
    return self.unsqueeze(-1) if self.dim() == 2 else self


def hstack(tensors: List[Tensor]) -> Tensor:
    parts: List[Tensor] = []
    for t in tensors:
        parts.append(atleast_1d(t))
    return torch.cat(parts, 0 if parts[0].dim() == 1 else 1)


def vstack(tensors: List[Tensor]) -> Tensor:
    parts: List[Tensor] = []
    for t in tensors:
        parts.append(atleast_2d(t))
    return torch.cat(parts, 0)


def row_stack(tensors: List[Tensor]) -> Tensor:
    return vstack(tensors)


def dstack(tensors: List[Tensor]) -> Tensor:
    parts: List[Tensor] = []
    for t in tensors:
        parts.append(atleast_3d(t))
    return torch.cat(parts, 2)


def column_stack(tensors: List[Tensor]) -> Tensor:
    parts: List[Tensor] = []
    for t in tensors:
        parts.append(t.reshape([t.numel(), 1]) if t.dim() <= 1 else t)
    return torch.cat(parts, 1)


def meshgrid(tensors: List[Tensor]) -> List[Tensor]:
    rank = len(tensors)
    shape: List[int] = []
    for t in tensors:
        shape.append(t.numel())
    grids: List[Tensor] = []
    for i in range(rank):
        g = tensors[i].reshape([-1])
        for _ in range(rank - 1 - i):
            g = g.unsqueeze(-1)
        grids.append(g.expand(shape))
    return grids


def meshgrid__indexing(tensors: List[Tensor], indexing: str) -> List[Tensor]:
    if indexing == "xy" and len(tensors) >= 2:
        swapped: List[Tensor] = [tensors[1], tensors[0]]
        for i in range(2, len(tensors)):
            swapped.append(tensors[i])
        grids = meshgrid(swapped)
        result: List[Tensor] = [grids[1], grids[0]]
        for i in range(2, len(tensors)):
            result.append(grids[i])
        return result
    return meshgrid(tensors)


def broadcast_tensors(tensors: List[Tensor]) -> List[Tensor]:
    rank = 0
    for t in tensors:
        rank = max(rank, t.dim())
    shape: List[int] = []
    for i in range(rank):
        extent = 1
        for t in tensors:
            d = i - rank + t.dim()
            if d >= 0:
                if extent == 1:
                    extent = t.size(d)
        shape.append(extent)
    results: List[Tensor] = []
    for t in tensors:
        results.append(t.expand(shape))
    return results


def cartesian_prod(tensors: List[Tensor]) -> Tensor:
    if len(tensors) == 1:
        return tensors[0]
    parts: List[Tensor] = []
    for g in meshgrid(tensors):
        parts.append(g.reshape([-1]))
    return torch.stack(parts, 1)


def block_diag(tensors: List[Tensor]) -> Tensor:
    columns = 0
    for t in tensors:
        columns = columns + (1 if t.dim() == 0 else t.size(-1))
    rows: List[Tensor] = []
    before = 0
    for t in tensors:
        m = atleast_2d(t)
        rows.append(torch.constant_pad_nd(m, [before, columns - before - m.size(1)], 0))
        before = before + m.size(1)
    return torch.cat(rows, 0)


def pad_sequence(sequences: List[Tensor], batch_first: bool, padding_value: float, padding_side: str) -> Tensor:
    longest = 0
    for s in sequences:
        longest = max(longest, s.size(0))
    rows: List[Tensor] = []
    for s in sequences:
        pads: List[int] = []
        for _ in range(s.dim() - 1):
            pads.append(0)
            pads.append(0)
        missing = longest - s.size(0)
        sides = [0, missing] if padding_side == "right" else [missing, 0]
        rows.append(torch.constant_pad_nd(s, pads + sides, padding_value))
    return torch.stack(rows, 0 if batch_first else 1)


# shapes and indices


def rot90(self: Tensor, k: int, dims: List[int]) -> Tensor:
    turns = k % 4
    if turns == 1:
        return self.flip([dims[1]]).transpose(dims[0], dims[1])
    if turns == 2:
        return self.flip(dims)
    if turns == 3:
        return self.flip([dims[0]]).transpose(dims[0], dims[1])
    return self.clone()


def fliplr(self: Tensor) -> Tensor:
    return self.flip([1])


def flipud(self: Tensor) -> Tensor:
    return self.flip([0])


def tile(self: Tensor, dims: List[int]) -> Tensor:
    repeats: List[int] = []
    for _ in range(self.dim() - len(dims)):
        repeats.append(1)
    return self.repeat(repeats + dims)


def repeat_interleave__self_int(self: Tensor, repeats: int, dim: Optional[int], output_size: Optional[int]) -> Tensor:
    x = self
    d = 0
    if dim is None:
        x = self.reshape([-1])
    else:
        d = dim + self.dim() if dim < 0 else dim
    shape: List[int] = []
    wide: List[int] = []
    for i in range(x.dim()):
        shape.append(x.size(i) * repeats if i == d else x.size(i))
        wide.append(x.size(i))
        if i == d:
            wide.append(repeats)
    return x.unsqueeze(d + 1).expand(wide).reshape(shape)


def where(condition: Tensor) -> List[Tensor]:
    x = condition.unsqueeze(0) if condition.dim() == 0 else condition
    return torch.nonzero(x).unbind(1)


def hsplit__int(self: Tensor, sections: int) -> List[Tensor]:
    return torch.tensor_split(self, sections, 0 if self.dim() == 1 else 1)


def hsplit__array(self: Tensor, indices: List[int]) -> List[Tensor]:
    return torch.tensor_split(self, indices, 0 if self.dim() == 1 else 1)


def vsplit__int(self: Tensor, sections: int) -> List[Tensor]:
    return torch.tensor_split(self, sections, 0)


def vsplit__array(self: Tensor, indices: List[int]) -> List[Tensor]:
    return torch.tensor_split(self, indices, 0)


def one_hot(self: Tensor, num_classes: int) -> Tensor:
    if bool(torch.any(self < 0)):
        raise RuntimeError("Class values must be non-negative.")
    classes = num_classes
    if num_classes == -1:
        classes = int(self.max().item()) + 1
    elif bool(torch.any(self >= num_classes)):
        raise RuntimeError("Class values must be smaller than num_classes.")
    return torch.eq(self.unsqueeze(-1), torch.arange(classes)).to(torch.int64)


def diag(self: Tensor, diagonal: int) -> Tensor:
    if self.dim() == 1:
        return torch.diag_embed(self, diagonal, 0, 1)
    return torch.diagonal(self, diagonal, 0, 1).clone()


def diag_embed(self: Tensor, offset: int, dim1: int, dim2: int) -> Tensor:
    rank = self.dim() + 1
    d1 = dim1 + rank if dim1 < 0 else dim1
    d2 = dim2 + rank if dim2 < 0 else dim2
    n = self.size(-1) + abs(offset)
    shape: List[int] = []
    taken = 0
    for i in range(rank):
        if i == d1 or i == d2:
            shape.append(n)
        else:
            shape.append(self.size(taken))
            taken += 1
    return torch.diagonal_scatter(self.new_zeros(shape), self, offset, d1, d2)


def take(self: Tensor, index: Tensor) -> Tensor:
    return self.reshape([-1])[index]


def take_along_dim(self: Tensor, indices: Tensor, dim: Optional[int]) -> Tensor:
    if dim is None:
        return torch.gather(self.reshape([-1]), 0, indices.reshape([-1]))
    d = dim + self.dim() if dim < 0 else dim
    shape: List[int] = []
    places: List[int] = []
    for i in range(self.dim()):
        extent = max(self.size(i), indices.size(i))
        shape.append(self.size(i) if i == d else extent)
        places.append(indices.size(i) if i == d else extent)
    return torch.gather(self.expand(shape), d, indices.expand(places))


def argwhere(self: Tensor) -> Tensor:
    return torch.nonzero(self)


def index_fill__int_Scalar(self: Tensor, dim: int, index: Tensor, value: number) -> Tensor:
    shape: List[int] = []
    for i in range(self.dim()):
        shape.append(index.numel() if i == dim or i == dim + self.dim() else self.size(i))
    return torch.index_copy(self, dim, index, torch.full(shape, value, dtype=self.dtype))


def index_fill__int_Tensor(self: Tensor, dim: int, index: Tensor, value: Tensor) -> Tensor:
    shape: List[int] = []
    for i in range(self.dim()):
        shape.append(index.numel() if i == dim or i == dim + self.dim() else self.size(i))
    return torch.index_copy(self, dim, index, value.to(self.dtype).expand(shape))


def masked_scatter(self: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    x, m = torch.broadcast_tensors([self, mask])
    count = int(m.sum().item())
    if count > source.numel():
        raise RuntimeError(
            "masked_scatter: expected self and source to have same number of elements as there are true values in mask"
        )
    return torch.index_put(x, [m], source.reshape([-1]).narrow(0, 0, count), False)


def im2col(self: Tensor, kernel_size: List[int], dilation: List[int], padding: List[int], stride: List[int]) -> Tensor:
    x = self if self.dim() == 4 else self.unsqueeze(0)
    x = torch.constant_pad_nd(x, [padding[1], padding[1], padding[0], padding[0]], 0)
    spread0 = dilation[0] * (kernel_size[0] - 1) + 1
    spread1 = dilation[1] * (kernel_size[1] - 1) + 1
    windows = x.unfold(2, spread0, stride[0]).unfold(3, spread1, stride[1])
    windows = windows[:, :, :, :, :: dilation[0], :: dilation[1]]
    columns = windows.permute([0, 1, 4, 5, 2, 3]).reshape([x.size(0), x.size(1) * kernel_size[0] * kernel_size[1], -1])
    return columns if self.dim() == 4 else columns.squeeze(0)


def diff(self: Tensor, n: int, dim: int, prepend: Optional[Tensor], append: Optional[Tensor]) -> Tensor:
    x = self
    if prepend is not None:
        x = torch.cat([prepend, x], dim)
    if append is not None:
        x = torch.cat([x, append], dim)
    for _ in range(n):
        size = x.size(dim) - 1
        if x.dtype == torch.bool:
            x = torch.logical_xor(x.narrow(dim, 1, size), x.narrow(dim, 0, size))
        else:
            x = x.narrow(dim, 1, size) - x.narrow(dim, 0, size)
    return x


def msort(self: Tensor) -> Tensor:
    return torch.sort(self, 0)[0]


# sampling at fractional places


def affine_grid_generator(theta: Tensor, size: List[int], align_corners: bool) -> Tensor:
    axes: List[Tensor] = []
    for i in range(len(size) - 2):
        n = size[len(size) - 1 - i]
        steps = torch.arange(n).to(theta.dtype)
        if align_corners:
            place = steps * (2.0 / float(n - 1)) - 1.0 if n > 1 else steps * 0.0
        else:
            place = (steps * 2.0 + 1.0) / float(n) - 1.0
        for _ in range(i):
            place = place.unsqueeze(-1)
        axes.append(place)
    axes.append(torch.ones([1], dtype=theta.dtype))
    base = torch.stack(torch.broadcast_tensors(axes), -1)
    points = base.reshape([1, -1, len(size) - 1])
    shape = [theta.size(0)] + size[2:] + [len(size) - 2]
    return torch.matmul(points, theta.transpose(1, 2)).reshape(shape)


def _h_reflect_place(x: Tensor, low: float, high: float) -> Tensor:
    # mirrored at `low` and `high` as often as needed
    if low == high:
        return torch.zeros_like(x)
    span = high - low
    distance = torch.abs(x - low)
    extra = torch.fmod(distance, span)
    flips = torch.floor(distance / span)
    return torch.where(torch.remainder(flips, 2) == 0, extra + low, span - extra + low)


def _h_grid_place(coordinate: Tensor, n: int, padding_mode: int, align_corners: bool) -> Tensor:
    if align_corners:
        place = (coordinate + 1.0) / 2.0 * float(n - 1)
    else:
        place = ((coordinate + 1.0) * float(n) - 1.0) / 2.0
    if padding_mode == 2:
        if align_corners:
            place = _h_reflect_place(place, 0.0, float(n - 1))
        else:
            place = _h_reflect_place(place, -0.5, float(n) - 0.5)
    if padding_mode != 0:
        place = torch.clamp(place, 0, n - 1)
    return place


def _h_grid_pick(flat: Tensor, x: Tensor, y: Tensor, h: int, w: int) -> Tensor:
    # flat [N, C, H * W], x and y [N, P] whole numbers; zero outside
    inside = (x >= 0) & (x <= w - 1) & (y >= 0) & (y <= h - 1)
    index = torch.where(inside, y * float(w) + x, torch.zeros_like(x)).to(torch.int64)
    index = index.unsqueeze(1).expand([flat.size(0), flat.size(1), x.size(1)])
    return torch.gather(flat, 2, index) * inside.unsqueeze(1)


def grid_sampler_2d(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    if interpolation_mode == 2:
        raise RuntimeError("grid_sampler: bicubic interpolation is not supported")
    n, c, h, w = input.size(0), input.size(1), input.size(2), input.size(3)
    shape = [n, c, grid.size(1), grid.size(2)]
    points = grid.reshape([n, -1, 2])
    x = _h_grid_place(points.select(2, 0), w, padding_mode, align_corners)
    y = _h_grid_place(points.select(2, 1), h, padding_mode, align_corners)
    flat = input.reshape([n, c, h * w])
    if interpolation_mode == 1:
        return _h_grid_pick(flat, torch.round(x), torch.round(y), h, w).reshape(shape)
    x0 = torch.floor(x)
    y0 = torch.floor(y)
    fx = (x - x0).unsqueeze(1)
    fy = (y - y0).unsqueeze(1)
    top = _h_grid_pick(flat, x0, y0, h, w) * (1.0 - fx) + _h_grid_pick(flat, x0 + 1.0, y0, h, w) * fx
    bottom = _h_grid_pick(flat, x0, y0 + 1.0, h, w) * (1.0 - fx) + _h_grid_pick(flat, x0 + 1.0, y0 + 1.0, h, w) * fx
    return (top * (1.0 - fy) + bottom * fy).reshape(shape)


def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    if input.dim() != 4:
        raise RuntimeError("grid_sampler: only 4-D input is supported")
    return grid_sampler_2d(input, grid, interpolation_mode, padding_mode, align_corners)


# Python's divmod


def divmod__int(x: int, y: int) -> Tuple[int, int]:
    return x // y, x % y


def divmod__float(x: float, y: float) -> Tuple[float, float]:
    return x // y, x % y


def divmod__int_float(x: int, y: float) -> Tuple[float, float]:
    return x // y, x % y


def divmod__float_int(x: float, y: int) -> Tuple[float, float]:
    return x // y, x % y


# The fast paths of attention that PyTorch takes in evaluation: what they compute, without the speed of their own.


def _h_masked_scores(scores: Tensor, mask: Optional[Tensor], mask_type: Optional[int]) -> Tensor:
    # mask types: 0 is one per query and key, 1 is padding of keys, 2 has the shape of the scores; true hides
    if mask is None:
        return scores
    hidden = mask != 0
    if mask_type is not None:
        if mask_type == 1:
            hidden = hidden.unsqueeze(1).unsqueeze(1)
    return scores.masked_fill(hidden, float("-inf"))


def _native_multi_head_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim: int,
    num_head: int,
    qkv_weight: Tensor,
    qkv_bias: Tensor,
    proj_weight: Tensor,
    proj_bias: Tensor,
    mask: Optional[Tensor],
    need_weights: bool,
    average_attn_weights: bool,
    mask_type: Optional[int],
) -> Tuple[Tensor, Tensor]:
    batch = query.size(0)
    width = embed_dim // num_head
    q = torch.linear(query, qkv_weight[:embed_dim], qkv_bias[:embed_dim])
    k = torch.linear(key, qkv_weight[embed_dim : 2 * embed_dim], qkv_bias[embed_dim : 2 * embed_dim])
    v = torch.linear(value, qkv_weight[2 * embed_dim :], qkv_bias[2 * embed_dim :])
    q = q.view(batch, -1, num_head, width).transpose(1, 2) * (1.0 / float(width) ** 0.5)
    k = k.view(batch, -1, num_head, width).transpose(1, 2)
    v = v.view(batch, -1, num_head, width).transpose(1, 2)
    scores = _h_masked_scores(torch.matmul(q, k.transpose(-2, -1)), mask, mask_type)
    weights = torch.softmax(scores, -1)
    heads = torch.matmul(weights, v).transpose(1, 2).reshape(batch, -1, embed_dim)
    result = torch.linear(heads, proj_weight, proj_bias)
    if not need_weights:
        return result, result
    if average_attn_weights:
        return result, weights.mean([1])
    return result, weights


def _transformer_encoder_layer_fwd(
    src: Tensor,
    embed_dim: int,
    num_heads: int,
    qkv_weight: Tensor,
    qkv_bias: Tensor,
    proj_weight: Tensor,
    proj_bias: Tensor,
    use_gelu: bool,
    norm_first: bool,
    eps: float,
    norm_weight_1: Tensor,
    norm_bias_1: Tensor,
    norm_weight_2: Tensor,
    norm_bias_2: Tensor,
    ffn_weight_1: Tensor,
    ffn_bias_1: Tensor,
    ffn_weight_2: Tensor,
    ffn_bias_2: Tensor,
    mask: Optional[Tensor],
    mask_type: Optional[int],
) -> Tensor:
    x = src
    if norm_first:
        x = torch.layer_norm(x, [embed_dim], norm_weight_1, norm_bias_1, eps)
    attended, _ = _native_multi_head_attention(
        x, x, x, embed_dim, num_heads, qkv_weight, qkv_bias, proj_weight, proj_bias, mask, False, True, mask_type
    )
    x = attended + src
    if not norm_first:
        x = torch.layer_norm(x, [embed_dim], norm_weight_1, norm_bias_1, eps)
    before = x
    if norm_first:
        x = torch.layer_norm(x, [embed_dim], norm_weight_2, norm_bias_2, eps)
    x = torch.linear(x, ffn_weight_1, ffn_bias_1)
    x = torch.gelu(x) if use_gelu else torch.relu(x)
    x = torch.linear(x, ffn_weight_2, ffn_bias_2) + before
    if not norm_first:
        x = torch.layer_norm(x, [embed_dim], norm_weight_2, norm_bias_2, eps)
    return x


# Nested tensors, as far as the encoder's fast path goes: lowering/graph/nested_tensors.py keeps the padded tensor and a mask.


def _nested_tensor_from_mask_left_aligned(t: Tensor, mask: Tensor) -> bool:
    # every sequence stands at the start of its row
    return bool((mask == (torch.arange(mask.size(1)) < mask.sum(1, keepdim=True))).all())


def _h_nested_mask(t: Tensor, mask: Tensor, mask_check: bool) -> Tensor:
    if t.size(0) != mask.size(0) or t.size(1) != mask.size(1):
        raise RuntimeError("Expected size of mask and input to be the same in the first two dimensions")
    if mask_check:
        if not _nested_tensor_from_mask_left_aligned(t, mask):
            raise RuntimeError("Expected mask to be left-aligned without gaps")
    return mask.to(torch.bool)


def _h_nested_hidden(valid: Tensor) -> Tensor:
    return torch.logical_not(valid)


def _h_nested_to_padded(padded: Tensor, valid: Tensor, padding: float, output_size: Optional[List[int]]) -> Tensor:
    result = torch.where(valid.unsqueeze(-1), padded, torch.full([], padding, dtype=padded.dtype))
    if output_size is None:
        return result[:, : int(valid.sum(1).max().item())]
    if len(output_size) != 3 or output_size[0] != padded.size(0) or output_size[2] != padded.size(2):
        raise RuntimeError("to_padded_tensor: output_size does not fit the nested tensor")
    if output_size[1] != padded.size(1):
        raise RuntimeError("to_padded_tensor: only the size of the tensor that was nested is supported as output_size")
    return result


# Searching in sorted sequences: the place is the number of elements that stand before it.


def _h_places(sequence: Tensor, values: Tensor, right: bool, out_int32: bool) -> Tensor:
    # sequence [..., n], values [..., m], or n elements for all values
    row = sequence if sequence.dim() == 1 else sequence.unsqueeze(-2)
    column = values.unsqueeze(-1)
    before = torch.logical_not(row > column) if right else torch.logical_not(row >= column)
    places = before.sum([-1])
    return places.to(torch.int32) if out_int32 else places


def _h_is_right(right: bool, side: Optional[str]) -> bool:
    if side is not None:
        if side == "left" and right:
            raise RuntimeError("torch.searchsorted(): side and right can't be set to opposites")
        return side == "right"
    return right


def searchsorted__Tensor(
    sorted_sequence: Tensor, self: Tensor, out_int32: bool, right: bool, side: Optional[str], sorter: Optional[Tensor]
) -> Tensor:
    sequence = sorted_sequence
    if sorter is not None:
        sequence = torch.gather(sorted_sequence, -1, sorter)
    if sequence.dim() > 1 and sequence.dim() != self.dim():
        raise RuntimeError("torch.searchsorted(): boundaries tensor should be 1 dimension or have the dimensions of the input")
    return _h_places(sequence, self, _h_is_right(right, side), out_int32)


def searchsorted__Scalar(
    sorted_sequence: Tensor, self: number, out_int32: bool, right: bool, side: Optional[str], sorter: Optional[Tensor]
) -> Tensor:
    if sorted_sequence.dim() != 1:
        raise RuntimeError("torch.searchsorted(): input value can be a scalar only when boundaries tensor dimension is 1")
    sequence = sorted_sequence
    if sorter is not None:
        sequence = torch.gather(sorted_sequence, -1, sorter)
    before = torch.logical_not(sequence > self) if _h_is_right(right, side) else torch.logical_not(sequence >= self)
    places = before.sum()
    return places.to(torch.int32) if out_int32 else places


def bucketize__Tensor(self: Tensor, boundaries: Tensor, out_int32: bool, right: bool) -> Tensor:
    if boundaries.dim() != 1:
        raise RuntimeError("boundaries tensor must be 1 dimension")
    return _h_places(boundaries, self, right, out_int32)


def bucketize__Scalar(self: number, boundaries: Tensor, out_int32: bool, right: bool) -> Tensor:
    return searchsorted__Scalar(boundaries, self, out_int32, right, None, None)


# distinct elements


def _h_groups(flat: Tensor, sort: bool, inverse: bool, counts: bool, shape: List[int]) -> Tuple[Tensor, Tensor, Tensor]:
    # of equal elements that stand side by side, after sorting if `sort`
    line = flat
    order = torch.arange(flat.size(0))
    if sort:
        line, order = torch.sort(flat, 0)
    starts = torch.logical_or(torch.arange(line.size(0)) == 0, line != line.roll([1], [0]))
    empty = torch.empty([0], dtype=torch.int64)
    back = empty
    number = empty
    if inverse:
        group = torch.cumsum(starts.to(torch.int64), 0) - 1
        back = torch.scatter(torch.zeros_like(group), 0, order, group).reshape(shape)
    if counts:
        places = torch.nonzero(starts).squeeze(1)
        number = torch.cat([places, torch.full([1], line.size(0))])[1:] - places
    return line[starts], back, number


def _unique2(self: Tensor, sorted: bool, return_inverse: bool, return_counts: bool) -> Tuple[Tensor, Tensor, Tensor]:
    return _h_groups(self.reshape([-1]), True, return_inverse, return_counts, self.size())


def unique_consecutive(
    self: Tensor, return_inverse: bool, return_counts: bool, dim: Optional[int]
) -> Tuple[Tensor, Tensor, Tensor]:
    if dim is not None and self.dim() != 1:
        raise RuntimeError("unique_consecutive along one of several dimensions is not supported")
    return _h_groups(self.reshape([-1]), False, return_inverse, return_counts, self.size())


# quantiles


def _h_quantile(self: Tensor, q: Tensor, dim: Optional[int], keepdim: bool, interpolation: str) -> Tensor:
    # q: its dimensions come first in the result
    x = self.reshape([-1]) if dim is None else self.transpose(dim, -1)
    line, _ = torch.sort(x, -1)
    last = line.size(-1) - 1
    position = (q.to(self.dtype) * last).reshape([-1])
    if interpolation == "lower":
        position = torch.floor(position)
    elif interpolation == "higher":
        position = torch.ceil(position)
    elif interpolation == "nearest":
        position = torch.round(position)
    below = torch.floor(position)
    low = torch.index_select(line, -1, below.to(torch.int64))
    high = torch.index_select(line, -1, torch.ceil(position).to(torch.int64))
    weight = torch.full_like(position, 0.5) if interpolation == "midpoint" else position - below
    result = torch.lerp(low, high, weight.expand_as(low))
    result = torch.where(torch.isnan(line.select(-1, last).unsqueeze(-1)), torch.full_like(result, float("nan")), result)
    if dim is None:
        if keepdim:
            for i in range(self.dim()):
                result = result.unsqueeze(0)
            result = result.movedim(-1, 0)
        return result.squeeze(0) if q.dim() == 0 else result
    result = result.unsqueeze(0).transpose(0, -1).squeeze(-1)
    if keepdim:
        result = result.unsqueeze(dim if dim < 0 else dim + 1)
    return result.squeeze(0) if q.dim() == 0 else result


def quantile(self: Tensor, q: Tensor, dim: Optional[int], keepdim: bool, interpolation: str) -> Tensor:
    return _h_quantile(self, q, dim, keepdim, interpolation)


def quantile__scalar(self: Tensor, q: float, dim: Optional[int], keepdim: bool, interpolation: str) -> Tensor:
    return _h_quantile(self, torch.full([], q, dtype=self.dtype), dim, keepdim, interpolation)


# windows of a signal


def _h_window_type(name: str, length: int, dtype: Optional[int]) -> int:
    kind = torch.float32
    if dtype is not None:
        kind = dtype
    if length < 0:
        raise RuntimeError("{} requires non-negative window_length, got window_length={}".format(name, length))
    if not torch.empty([0], dtype=kind).is_floating_point():
        raise RuntimeError("{} expects floating point dtypes".format(name))
    return kind


def _h_cosines(length: int, periodic: bool, a: float, b: float, c: float, kind: int) -> Tensor:
    if length < 2:
        return torch.ones([length], dtype=kind)
    steps = _h_wide(torch.arange(length).to(kind))
    angle = steps * (2.0 * 3.141592653589793 / float(length if periodic else length - 1))
    window = a - b * torch.cos(angle)
    if c != 0.0:
        window = window + c * torch.cos(2.0 * angle)
    return _h_narrow(window, kind)


def hann_window(
    window_length: int,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_cosines(window_length, True, 0.5, 0.5, 0.0, _h_window_type("hann_window", window_length, dtype))


def hann_window__periodic(
    window_length: int,
    periodic: bool,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_cosines(window_length, periodic, 0.5, 0.5, 0.0, _h_window_type("hann_window", window_length, dtype))


def hamming_window(
    window_length: int,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_cosines(window_length, True, 0.54, 0.46, 0.0, _h_window_type("hamming_window", window_length, dtype))


def hamming_window__periodic(
    window_length: int,
    periodic: bool,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_cosines(window_length, periodic, 0.54, 0.46, 0.0, _h_window_type("hamming_window", window_length, dtype))


def hamming_window__periodic_alpha(
    window_length: int,
    periodic: bool,
    alpha: float,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_cosines(window_length, periodic, alpha, 0.46, 0.0, _h_window_type("hamming_window", window_length, dtype))


def hamming_window__periodic_alpha_beta(
    window_length: int,
    periodic: bool,
    alpha: float,
    beta: float,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_cosines(window_length, periodic, alpha, beta, 0.0, _h_window_type("hamming_window", window_length, dtype))


def blackman_window(
    window_length: int,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_cosines(window_length, True, 0.42, 0.5, 0.08, _h_window_type("blackman_window", window_length, dtype))


def blackman_window__periodic(
    window_length: int,
    periodic: bool,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_cosines(window_length, periodic, 0.42, 0.5, 0.08, _h_window_type("blackman_window", window_length, dtype))


def _h_triangle(length: int, periodic: bool, kind: int) -> Tensor:
    if length < 2:
        return torch.ones([length], dtype=kind)
    slope = _h_wide(torch.arange(length).to(kind)) * (2.0 / float(length if periodic else length - 1))
    return _h_narrow(torch.minimum(slope, 2.0 - slope), kind)


def bartlett_window(
    window_length: int,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_triangle(window_length, True, _h_window_type("bartlett_window", window_length, dtype))


def bartlett_window__periodic(
    window_length: int,
    periodic: bool,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return _h_triangle(window_length, periodic, _h_window_type("bartlett_window", window_length, dtype))


# windows of an image, put back


def col2im(
    self: Tensor, output_size: List[int], kernel_size: List[int], dilation: List[int], padding: List[int], stride: List[int]
) -> Tensor:
    x = self if self.dim() == 3 else self.unsqueeze(0)
    count = kernel_size[0] * kernel_size[1]
    if x.size(1) % count != 0:
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got input.size(1)={} and kernel_size=({}, {}).".format(
                x.size(1), kernel_size[0], kernel_size[1]
            )
        )
    height = output_size[0] + 2 * padding[0]
    width = output_size[1] + 2 * padding[1]
    rows = (height - dilation[0] * (kernel_size[0] - 1) - 1) // stride[0] + 1
    cols = (width - dilation[1] * (kernel_size[1] - 1) - 1) // stride[1] + 1
    if x.size(2) != rows * cols:
        raise RuntimeError(
            "Given output_size=({}, {}), kernel_size=({}, {}), expected size of input's dimension 2 to match the calculated number of sliding blocks {} * {} = {}, but got input.size(2)={}.".format(
                output_size[0], output_size[1], kernel_size[0], kernel_size[1], rows, cols, rows * cols, x.size(2)
            )
        )
    # where every element of a column goes, as a place in the padded image
    tall = (torch.arange(kernel_size[0]) * dilation[0]).unsqueeze(1) + torch.arange(rows) * stride[0]
    wide = (torch.arange(kernel_size[1]) * dilation[1]).unsqueeze(1) + torch.arange(cols) * stride[1]
    place = tall.reshape([kernel_size[0], 1, rows, 1]) * width + wide.reshape([1, kernel_size[1], 1, cols])
    n = x.size(0)
    channels = x.size(1) // count
    flat = torch.zeros([n, channels, height * width], dtype=x.dtype)
    flat = torch.index_add(flat, 2, place.reshape([-1]), x.reshape([n, channels, -1]))
    image = flat.reshape([n, channels, height, width])
    image = image[:, :, padding[0] : padding[0] + output_size[0], padding[1] : padding[1] + output_size[1]]
    return image if self.dim() == 3 else image.squeeze(0)


# copies of elements, as many as a tensor says


def repeat_interleave__Tensor(repeats: Tensor, output_size: Optional[int]) -> Tensor:
    if repeats.dim() != 1:
        raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
    if bool((repeats < 0).any()):
        raise RuntimeError("repeats can not be negative")
    total = int(repeats.sum().item())
    if output_size is not None:
        if output_size != total:
            raise RuntimeError("allocated size does not match required size")
    return torch.searchsorted(torch.cumsum(repeats, 0), torch.arange(total), right=True).to(repeats.dtype)


def repeat_interleave__self_Tensor(
    self: Tensor, repeats: Tensor, dim: Optional[int], output_size: Optional[int]
) -> Tensor:
    x = self
    d = 0
    if dim is None:
        x = self.reshape([-1])
    else:
        d = dim + self.dim() if dim < 0 else dim
    counts = repeats
    if repeats.dim() == 0:
        counts = repeats.reshape([1])
    if counts.size(0) == 1:
        counts = counts.expand([x.size(d)])
    elif counts.size(0) != x.size(d):
        raise RuntimeError("repeats must have the same size as input along dim, but got repeats.size(0) = {} and input.size({}) = {}".format(counts.size(0), d, x.size(d)))
    return torch.index_select(x, d, repeat_interleave__Tensor(counts, output_size))


def isin__Tensor_Tensor(elements: Tensor, test_elements: Tensor, assume_unique: bool, invert: bool) -> Tensor:
    found = (elements.unsqueeze(-1) == test_elements.reshape([-1])).any(-1)
    return torch.logical_not(found) if invert else found


def isin__Tensor_Scalar(elements: Tensor, test_element: number, assume_unique: bool, invert: bool) -> Tensor:
    return elements != test_element if invert else elements == test_element


def heaviside(self: Tensor, values: Tensor) -> Tensor:
    if self.dtype != values.dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")
    return torch.where(self == 0, values, (self > 0).to(self.dtype))


# the nearest element, counted from the middle of each


def _h_nearest_middle(self: Tensor, dim: int, size: int, scale: Optional[float]) -> Tensor:
    n = self.size(dim)
    ratio = float(n) / float(size)
    if scale is not None:
        if scale > 0.0:
            ratio = 1.0 / scale
    place = torch.floor((torch.arange(size).to(torch.float32) + 0.5) * ratio).to(torch.int64)
    return torch.index_select(self, dim, torch.clamp(place, max=n - 1))


def _upsample_nearest_exact1d(self: Tensor, output_size: List[int], scales: Optional[float]) -> Tensor:
    return _h_nearest_middle(self, 2, output_size[0], scales)


def _upsample_nearest_exact2d(
    self: Tensor, output_size: List[int], scales_h: Optional[float], scales_w: Optional[float]
) -> Tensor:
    return _h_nearest_middle(_h_nearest_middle(self, 2, output_size[0], scales_h), 3, output_size[1], scales_w)


def _upsample_nearest_exact3d(
    self: Tensor,
    output_size: List[int],
    scales_d: Optional[float],
    scales_h: Optional[float],
    scales_w: Optional[float],
) -> Tensor:
    plane = _upsample_nearest_exact2d(self, output_size, scales_d, scales_h)
    return _h_nearest_middle(plane, 4, output_size[2], scales_w)


def _upsample_nearest_exact1d__vec(
    input: Tensor, output_size: Optional[List[int]], scale_factors: Optional[List[float]]
) -> Tensor:
    size = _h_output_size(input, output_size, scale_factors)
    return _upsample_nearest_exact1d(input, size, _h_scale(scale_factors, 0))


def _upsample_nearest_exact2d__vec(
    input: Tensor, output_size: Optional[List[int]], scale_factors: Optional[List[float]]
) -> Tensor:
    size = _h_output_size(input, output_size, scale_factors)
    return _upsample_nearest_exact2d(input, size, _h_scale(scale_factors, 0), _h_scale(scale_factors, 1))


def _upsample_nearest_exact3d__vec(
    input: Tensor, output_size: Optional[List[int]], scale_factors: Optional[List[float]]
) -> Tensor:
    size = _h_output_size(input, output_size, scale_factors)
    return _upsample_nearest_exact3d(
        input, size, _h_scale(scale_factors, 0), _h_scale(scale_factors, 1), _h_scale(scale_factors, 2)
    )


# resizing with a filter as wide as what one element of the result stands for


def _h_filtered(self: Tensor, dim: int, size: int, align_corners: bool, given: Optional[float], cubic: bool) -> Tensor:
    n = self.size(dim)
    scale = float(n) / float(size)
    if align_corners:
        scale = float(n - 1) / float(size - 1) if size > 1 else 0.0
    elif given is not None:
        if given > 0.0:
            scale = 1.0 / given
    wide = scale if scale >= 1.0 else 1.0
    support = (2.0 if cubic else 1.0) * wide
    # PyTorch computes positions in the type of the elements
    center = (scale * (torch.arange(size).to(self.dtype) + 0.5)).unsqueeze(1)
    low = torch.clamp_min(torch.trunc(center - support + 0.5), 0)
    high = torch.clamp(torch.trunc(center + support + 0.5), max=n)
    taps = 1 - 2 * int(-support // 1.0)
    place = low + torch.arange(taps)
    inside = place < high
    far = torch.abs((place - center + 0.5) / wide)
    near = 1.0 - far
    if cubic:
        # Keys' kernel with a = -0.5
        tail = ((far - 5.0) * far + 8.0) * far - 4.0
        near = torch.where(far < 1.0, (1.5 * far - 2.5) * far * far + 1.0, torch.where(far < 2.0, -0.5 * tail, 0.0 * far))
    else:
        near = torch.clamp_min(near, 0)
    weight = torch.where(inside, near, 0.0 * near)
    total = weight.sum([1], True)
    weight = weight / torch.where(total == 0.0, torch.ones_like(total), total)
    from_ = torch.clamp(place.to(torch.int64), max=n - 1).reshape([-1])
    taken = torch.index_select(self, dim, from_).unflatten(dim, [size, taps])
    for _ in range(self.dim() - 1 - dim):
        weight = weight.unsqueeze(-1)
        inside = inside.unsqueeze(-1)
    return torch.where(inside, taken * weight, torch.zeros([], dtype=self.dtype)).sum([dim + 1])


def _h_filtered_plane(
    self: Tensor,
    output_size: List[int],
    align_corners: bool,
    scales_h: Optional[float],
    scales_w: Optional[float],
    cubic: bool,
) -> Tensor:
    if not self.is_floating_point():
        raise RuntimeError("resizing with antialias is supported for floating point tensors only")
    x = _h_filtered(_h_wide(self), 3, output_size[1], align_corners, scales_w, cubic)
    return _h_narrow(_h_filtered(x, 2, output_size[0], align_corners, scales_h, cubic), self.dtype)


def _upsample_bilinear2d_aa(
    self: Tensor, output_size: List[int], align_corners: bool, scales_h: Optional[float], scales_w: Optional[float]
) -> Tensor:
    return _h_filtered_plane(self, output_size, align_corners, scales_h, scales_w, False)


def _upsample_bicubic2d_aa(
    self: Tensor, output_size: List[int], align_corners: bool, scales_h: Optional[float], scales_w: Optional[float]
) -> Tensor:
    return _h_filtered_plane(self, output_size, align_corners, scales_h, scales_w, True)


def _upsample_bilinear2d_aa__vec(
    input: Tensor, output_size: Optional[List[int]], align_corners: bool, scale_factors: Optional[List[float]]
) -> Tensor:
    size = _h_output_size(input, output_size, scale_factors)
    return _upsample_bilinear2d_aa(input, size, align_corners, _h_scale(scale_factors, 0), _h_scale(scale_factors, 1))


def _upsample_bicubic2d_aa__vec(
    input: Tensor, output_size: Optional[List[int]], align_corners: bool, scale_factors: Optional[List[float]]
) -> Tensor:
    size = _h_output_size(input, output_size, scale_factors)
    return _upsample_bicubic2d_aa(input, size, align_corners, _h_scale(scale_factors, 0), _h_scale(scale_factors, 1))


# what quantization would make of a tensor, still in floating point


def _h_quantized(x: Tensor, scale: Tensor, zero_point: Tensor, low: int, high: int) -> Tensor:
    steps = zero_point + torch.round(x * torch.reciprocal(scale))
    return (torch.clamp(steps, low, high) - zero_point) * scale


def fake_quantize_per_tensor_affine(
    self: Tensor, scale: float, zero_point: int, quant_min: int, quant_max: int
) -> Tensor:
    step = torch.full([], scale, dtype=torch.float32)
    return _h_quantized(self, step, torch.full([], zero_point, dtype=torch.float32), quant_min, quant_max)


def fake_quantize_per_tensor_affine__tensor_qparams(
    self: Tensor, scale: Tensor, zero_point: Tensor, quant_min: int, quant_max: int
) -> Tensor:
    step = scale.reshape([]).to(torch.float32)
    return _h_quantized(self, step, zero_point.reshape([]).to(torch.float32), quant_min, quant_max)


def fake_quantize_per_channel_affine(
    self: Tensor, scale: Tensor, zero_point: Tensor, axis: int, quant_min: int, quant_max: int
) -> Tensor:
    shape = [1] * self.dim()
    shape[axis] = self.size(axis)
    return _h_quantized(
        self, scale.reshape(shape), zero_point.to(torch.float32).reshape(shape), quant_min, quant_max
    )
