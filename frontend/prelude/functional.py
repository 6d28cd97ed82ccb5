# torch.nn.functional as TorchScript, with PyTorch's signatures: data for our own parser, never imported.
#
# Only what is more than another name of an operator stands here: `F.conv2d` is `aten::conv2d` by itself.
# `BroadcastingList2[int]` is `int[2]`: a single number may be given. Names with `_h_` in front are helpers.

import math

import torch
from torch import Generator, Tensor
from typing import List, Optional, Tuple


def _h_reduction(reduction: str, size_average: Optional[bool] = None, reduce: Optional[bool] = None) -> int:
    if size_average is not None or reduce is not None:
        # the old flags: reduce=False keeps every element, size_average=False sums
        if reduce is not None and not reduce:
            return 0
        if size_average is not None and not size_average:
            return 2
        return 1
    if reduction == "none":
        return 0
    if reduction == "mean":
        return 1
    if reduction == "sum":
        return 2
    raise ValueError(reduction + " is not a valid value for reduction")


# activations


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    return torch.relu_(input) if inplace else torch.relu(input)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    return torch.hardtanh_(input, 0.0, 6.0) if inplace else torch.relu6(input)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    return torch.elu_(input, alpha) if inplace else torch.elu(input, alpha)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    return torch.selu_(input) if inplace else torch.selu(input)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    return torch.celu_(input, alpha) if inplace else torch.celu(input, alpha)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    return torch.leaky_relu_(input, negative_slope) if inplace else torch.leaky_relu(input, negative_slope)


def rrelu(
    input: Tensor,
    lower: float = 0.125,
    upper: float = 0.3333333333333333,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    return torch.rrelu_(input, lower, upper, training) if inplace else torch.rrelu(input, lower, upper, training)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return torch.hardtanh_(input, min_val, max_val) if inplace else torch.hardtanh(input, min_val, max_val)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    return torch.hardsigmoid_(input) if inplace else torch.hardsigmoid(input)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    return torch.hardswish_(input) if inplace else torch.hardswish(input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    return torch.silu_(input) if inplace else torch.silu(input)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    return torch.mish_(input) if inplace else torch.mish(input)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    return torch.threshold_(input, threshold, value) if inplace else torch.threshold(input, threshold, value)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    if input.dim() == 0:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    return torch.glu(input, dim)


def logsigmoid(input: Tensor, out: Optional[Tensor] = None) -> Tensor:
    return torch.log_sigmoid(input) if out is None else torch.log_sigmoid(input, out=out)


def softsign(input: Tensor) -> Tensor:
    return input / (input.abs() + 1)


def tanhshrink(input: Tensor) -> Tensor:
    return input - input.tanh()


def tanh(input: Tensor) -> Tensor:
    return input.tanh()


def sigmoid(input: Tensor) -> Tensor:
    return input.sigmoid()


def _h_softmax_dim(rank: int) -> int:
    return 0 if rank == 0 or rank == 1 or rank == 3 else 1


def softmax(input: Tensor, dim: Optional[int] = None, _stacklevel: int = 3, dtype: Optional[int] = None) -> Tensor:
    axis = _h_softmax_dim(input.dim()) if dim is None else dim
    return torch.softmax(input, axis) if dtype is None else torch.softmax(input, axis, dtype=dtype)


def softmin(input: Tensor, dim: Optional[int] = None, _stacklevel: int = 3, dtype: Optional[int] = None) -> Tensor:
    axis = _h_softmax_dim(input.dim()) if dim is None else dim
    return torch.softmax(-input, axis) if dtype is None else torch.softmax(-input, axis, dtype=dtype)


def log_softmax(input: Tensor, dim: Optional[int] = None, _stacklevel: int = 3, dtype: Optional[int] = None) -> Tensor:
    axis = _h_softmax_dim(input.dim()) if dim is None else dim
    return torch.log_softmax(input, axis) if dtype is None else torch.log_softmax(input, axis, dtype=dtype)


def gumbel_softmax(logits: Tensor, tau: float = 1.0, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    gumbels = -torch.log(torch.empty_like(logits).exponential_())
    soft = torch.softmax((logits + gumbels) / tau, dim)
    if not hard:
        return soft
    index = torch.argmax(soft, dim, True)
    return torch.scatter(torch.zeros_like(logits), dim, index, 1.0) - soft.detach() + soft


# random layers


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


# normalisation


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


# embeddings and pieces


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: Optional[int] = None,
    max_norm: Optional[float] = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    if max_norm is not None:
        torch.embedding_renorm_(weight, input, max_norm, norm_type)
    padding = -1
    if padding_idx is not None:
        if padding_idx >= weight.size(0) or padding_idx < -weight.size(0):
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding = padding_idx + weight.size(0) if padding_idx < 0 else padding_idx
    return torch.embedding(weight, input, padding, scale_grad_by_freq, sparse)


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Optional[Tensor] = None,
    max_norm: Optional[float] = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Optional[Tensor] = None,
    include_last_offset: bool = False,
    padding_idx: Optional[int] = None,
) -> Tensor:
    if max_norm is not None:
        torch.embedding_renorm_(weight, input, max_norm, norm_type)
    if mode != "sum" and mode != "mean" and mode != "max":
        raise ValueError("mode has to be one of sum, mean or max")
    if per_sample_weights is not None:
        if per_sample_weights.dim() != input.dim():
            raise ValueError("embedding_bag: per_sample_weights must have the same shape as the input")
        if mode != "sum":
            raise NotImplementedError("embedding_bag: per_sample_weights was not None, but it needs mode='sum'")
    kind = 0 if mode == "sum" else 1 if mode == "mean" else 2
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError("if input is 2D, then offsets has to be None, as input is treated as bags of equal size")
        starts = torch.arange(0, input.numel(), input.size(1))
        weights = None if per_sample_weights is None else per_sample_weights.reshape(-1)
        words = input.reshape(-1)
        return torch.embedding_bag(
            weight, words, starts, scale_grad_by_freq, kind, sparse, weights, include_last_offset, padding_idx
        )[0]
    if input.dim() != 1:
        raise ValueError("input has to be 1D or 2D Tensor, but got Tensor of dimension {}".format(input.dim()))
    if offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    return torch.embedding_bag(
        weight, input, offsets, scale_grad_by_freq, kind, sparse, per_sample_weights, include_last_offset, padding_idx
    )[0]


def pad(input: Tensor, pad: List[int], mode: str = "constant", value: Optional[float] = None) -> Tensor:
    return torch.pad(input, pad, mode, value)


def unfold(
    input: Tensor,
    kernel_size: BroadcastingList2[int],
    dilation: BroadcastingList2[int] = 1,
    padding: BroadcastingList2[int] = 0,
    stride: BroadcastingList2[int] = 1,
) -> Tensor:
    return torch.im2col(input, kernel_size, dilation, padding, stride)


def fold(
    input: Tensor,
    output_size: BroadcastingList2[int],
    kernel_size: BroadcastingList2[int],
    dilation: BroadcastingList2[int] = 1,
    padding: BroadcastingList2[int] = 0,
    stride: BroadcastingList2[int] = 1,
) -> Tensor:
    return torch.col2im(input, output_size, kernel_size, dilation, padding, stride)


# pooling


def adaptive_max_pool1d_with_indices(
    input: Tensor, output_size: BroadcastingList1[int], return_indices: bool = False
) -> Tuple[Tensor, Tensor]:
    return torch.adaptive_max_pool1d(input, output_size)


def adaptive_max_pool1d(input: Tensor, output_size: BroadcastingList1[int], return_indices: bool = False) -> Tensor:
    # with a constant True, the call is one of the function above
    if return_indices:
        raise RuntimeError("adaptive_max_pool1d: return_indices must be a constant")
    return torch.adaptive_max_pool1d(input, output_size)[0]


def adaptive_max_pool2d_with_indices(
    input: Tensor, output_size: BroadcastingList2[int], return_indices: bool = False
) -> Tuple[Tensor, Tensor]:
    return torch.adaptive_max_pool2d(input, output_size)


def adaptive_max_pool2d(input: Tensor, output_size: BroadcastingList2[int], return_indices: bool = False) -> Tensor:
    # with a constant True, the call is one of the function above
    if return_indices:
        raise RuntimeError("adaptive_max_pool2d: return_indices must be a constant")
    return torch.adaptive_max_pool2d(input, output_size)[0]


def adaptive_max_pool3d_with_indices(
    input: Tensor, output_size: BroadcastingList3[int], return_indices: bool = False
) -> Tuple[Tensor, Tensor]:
    return torch.adaptive_max_pool3d(input, output_size)


def adaptive_max_pool3d(input: Tensor, output_size: BroadcastingList3[int], return_indices: bool = False) -> Tensor:
    # with a constant True, the call is one of the function above
    if return_indices:
        raise RuntimeError("adaptive_max_pool3d: return_indices must be a constant")
    return torch.adaptive_max_pool3d(input, output_size)[0]


def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: BroadcastingList1[int],
    stride: Optional[BroadcastingList1[int]] = None,
    padding: BroadcastingList1[int] = 0,
    dilation: BroadcastingList1[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tuple[Tensor, Tensor]:
    step = kernel_size if stride is None else stride
    return torch.max_pool1d_with_indices(input, kernel_size, step, padding, dilation, ceil_mode)


def max_pool1d(
    input: Tensor,
    kernel_size: BroadcastingList1[int],
    stride: Optional[BroadcastingList1[int]] = None,
    padding: BroadcastingList1[int] = 0,
    dilation: BroadcastingList1[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    if return_indices:
        raise RuntimeError("max_pool1d: return_indices must be a constant")
    step = kernel_size if stride is None else stride
    return torch.max_pool1d(input, kernel_size, step, padding, dilation, ceil_mode)


def max_pool2d_with_indices(
    input: Tensor,
    kernel_size: BroadcastingList2[int],
    stride: Optional[BroadcastingList2[int]] = None,
    padding: BroadcastingList2[int] = 0,
    dilation: BroadcastingList2[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tuple[Tensor, Tensor]:
    step = kernel_size if stride is None else stride
    return torch.max_pool2d_with_indices(input, kernel_size, step, padding, dilation, ceil_mode)


def max_pool2d(
    input: Tensor,
    kernel_size: BroadcastingList2[int],
    stride: Optional[BroadcastingList2[int]] = None,
    padding: BroadcastingList2[int] = 0,
    dilation: BroadcastingList2[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    if return_indices:
        raise RuntimeError("max_pool2d: return_indices must be a constant")
    step = kernel_size if stride is None else stride
    return torch.max_pool2d(input, kernel_size, step, padding, dilation, ceil_mode)


def max_pool3d_with_indices(
    input: Tensor,
    kernel_size: BroadcastingList3[int],
    stride: Optional[BroadcastingList3[int]] = None,
    padding: BroadcastingList3[int] = 0,
    dilation: BroadcastingList3[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tuple[Tensor, Tensor]:
    step = kernel_size if stride is None else stride
    return torch.max_pool3d_with_indices(input, kernel_size, step, padding, dilation, ceil_mode)


def max_pool3d(
    input: Tensor,
    kernel_size: BroadcastingList3[int],
    stride: Optional[BroadcastingList3[int]] = None,
    padding: BroadcastingList3[int] = 0,
    dilation: BroadcastingList3[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    if return_indices:
        raise RuntimeError("max_pool3d: return_indices must be a constant")
    step = kernel_size if stride is None else stride
    return torch.max_pool3d(input, kernel_size, step, padding, dilation, ceil_mode)


def lp_pool1d(
    input: Tensor,
    norm_type: float,
    kernel_size: int,
    stride: Optional[BroadcastingList1[int]] = None,
    ceil_mode: bool = False,
) -> Tensor:
    powers = torch.pow(input, norm_type)
    mean = torch.avg_pool1d(powers, kernel_size, [kernel_size] if stride is None else stride, 0, ceil_mode)
    return torch.pow(torch.sign(mean) * torch.relu(torch.abs(mean)) * float(kernel_size), 1.0 / norm_type)


def lp_pool2d(
    input: Tensor,
    norm_type: float,
    kernel_size: BroadcastingList2[int],
    stride: Optional[BroadcastingList2[int]] = None,
    ceil_mode: bool = False,
) -> Tensor:
    powers = torch.pow(input, norm_type)
    mean = torch.avg_pool2d(powers, kernel_size, kernel_size if stride is None else stride, 0, ceil_mode)
    count = float(kernel_size[0] * kernel_size[1])
    return torch.pow(torch.sign(mean) * torch.relu(torch.abs(mean)) * count, 1.0 / norm_type)


def lp_pool3d(
    input: Tensor,
    norm_type: float,
    kernel_size: BroadcastingList3[int],
    stride: Optional[BroadcastingList3[int]] = None,
    ceil_mode: bool = False,
) -> Tensor:
    powers = torch.pow(input, norm_type)
    mean = torch.avg_pool3d(powers, kernel_size, kernel_size if stride is None else stride, 0, ceil_mode)
    count = float(kernel_size[0] * kernel_size[1] * kernel_size[2])
    return torch.pow(torch.sign(mean) * torch.relu(torch.abs(mean)) * count, 1.0 / norm_type)


def _h_fractional_size(given: Optional[List[int]], ratio: Optional[List[float]], input: Tensor, dims: int) -> List[int]:
    if given is not None:
        return given
    if ratio is None:
        raise ValueError("fractional_max_pool requires specifying either an output_size or an output_ratio")
    sizes: List[int] = []
    for i in range(dims):
        sizes.append(int(input.size(i - dims) * ratio[i]))
    return sizes


def _h_fractional_samples(given: Optional[Tensor], input: Tensor, dims: int) -> Tensor:
    if given is not None:
        return given
    batch = 1 if input.dim() == dims + 1 else input.size(0)
    return torch.rand([batch, input.size(-dims - 1), dims], dtype=input.dtype)


def fractional_max_pool2d_with_indices(
    input: Tensor,
    kernel_size: BroadcastingList2[int],
    output_size: Optional[BroadcastingList2[int]] = None,
    output_ratio: Optional[BroadcastingList2[float]] = None,
    return_indices: bool = False,
    _random_samples: Optional[Tensor] = None,
) -> Tuple[Tensor, Tensor]:
    size = _h_fractional_size(output_size, output_ratio, input, 2)
    return torch._C._nn.fractional_max_pool2d(input, kernel_size, size, _h_fractional_samples(_random_samples, input, 2))


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: BroadcastingList2[int],
    output_size: Optional[BroadcastingList2[int]] = None,
    output_ratio: Optional[BroadcastingList2[float]] = None,
    return_indices: bool = False,
    _random_samples: Optional[Tensor] = None,
) -> Tensor:
    if return_indices:
        raise RuntimeError("fractional_max_pool2d: return_indices must be a constant")
    size = _h_fractional_size(output_size, output_ratio, input, 2)
    return torch._C._nn.fractional_max_pool2d(input, kernel_size, size, _h_fractional_samples(_random_samples, input, 2))[0]


def fractional_max_pool3d_with_indices(
    input: Tensor,
    kernel_size: BroadcastingList3[int],
    output_size: Optional[BroadcastingList3[int]] = None,
    output_ratio: Optional[BroadcastingList3[float]] = None,
    return_indices: bool = False,
    _random_samples: Optional[Tensor] = None,
) -> Tuple[Tensor, Tensor]:
    size = _h_fractional_size(output_size, output_ratio, input, 3)
    return torch._C._nn.fractional_max_pool3d(input, kernel_size, size, _h_fractional_samples(_random_samples, input, 3))


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: BroadcastingList3[int],
    output_size: Optional[BroadcastingList3[int]] = None,
    output_ratio: Optional[BroadcastingList3[float]] = None,
    return_indices: bool = False,
    _random_samples: Optional[Tensor] = None,
) -> Tensor:
    if return_indices:
        raise RuntimeError("fractional_max_pool3d: return_indices must be a constant")
    size = _h_fractional_size(output_size, output_ratio, input, 3)
    return torch._C._nn.fractional_max_pool3d(input, kernel_size, size, _h_fractional_samples(_random_samples, input, 3))[0]


def _unpool_output_size(
    input: Tensor, kernel_size: List[int], stride: List[int], padding: List[int], output_size: Optional[List[int]]
) -> List[int]:
    count = len(kernel_size)
    usual: List[int] = []
    for d in range(count):
        usual.append((input.size(d - count) - 1) * stride[d] + kernel_size[d] - 2 * padding[d])
    if output_size is None:
        return usual
    sizes = output_size
    if len(sizes) == count + 2:
        sizes = sizes[2:]
    if len(sizes) != count:
        raise ValueError(
            "output_size should be a sequence containing {} or {} elements, but it has a length of '{}'".format(
                count, count + 2, len(sizes)
            )
        )
    for d in range(count):
        low = usual[d] - stride[d]
        high = usual[d] + stride[d]
        if not (low < sizes[d] and sizes[d] < high):
            raise ValueError(
                'invalid output_size "{}" (dim {} must be between {} and {})'.format(sizes, d, low, high)
            )
    return sizes


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: BroadcastingList1[int],
    stride: Optional[BroadcastingList1[int]] = None,
    padding: BroadcastingList1[int] = 0,
    output_size: Optional[List[int]] = None,
) -> Tensor:
    step = kernel_size if stride is None else stride
    sizes = _unpool_output_size(input, kernel_size, step, padding, output_size)
    return torch.max_unpool2d(input.unsqueeze(-1), indices.unsqueeze(-1), sizes + [1]).squeeze(-1)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: BroadcastingList2[int],
    stride: Optional[BroadcastingList2[int]] = None,
    padding: BroadcastingList2[int] = 0,
    output_size: Optional[List[int]] = None,
) -> Tensor:
    step = kernel_size if stride is None else stride
    sizes = _unpool_output_size(input, kernel_size, step, padding, output_size)
    return torch.max_unpool2d(input, indices, sizes)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: BroadcastingList3[int],
    stride: Optional[BroadcastingList3[int]] = None,
    padding: BroadcastingList3[int] = 0,
    output_size: Optional[List[int]] = None,
) -> Tensor:
    step = kernel_size if stride is None else stride
    sizes = _unpool_output_size(input, kernel_size, step, padding, output_size)
    return torch.max_unpool3d(input, indices, sizes, step, padding)


# resampling


def _h_as_sizes(size: List[int], count: int) -> List[int]:
    # one number arrives three times
    if len(size) == 3 and count < 3 and size[0] == size[1] and size[1] == size[2]:
        return [size[0]] * count
    if len(size) != count:
        raise ValueError(
            "Input and output must have the same number of spatial dimensions, but got input with spatial dimensions of {} and output size of {}.".format(
                count, size
            )
        )
    return size


def _h_as_factors(factor: List[float], count: int) -> List[float]:
    if len(factor) == 3 and count < 3 and factor[0] == factor[1] and factor[1] == factor[2]:
        return [factor[0]] * count
    if len(factor) != count:
        raise ValueError(
            "Input and scale_factor must have the same number of spatial dimensions, but got input with spatial dimensions of {} and scale_factor of shape {}.".format(
                count, factor
            )
        )
    return factor


def _h_nearest_exact(input: Tensor, dim: int, size: int, factor: Optional[float]) -> Tensor:
    n = input.size(dim)
    ratio = float(n) / float(size)
    if factor is not None:
        ratio = 1.0 / factor
    place = torch.floor((torch.arange(size).to(torch.float32) + 0.5) * ratio).to(torch.int64)
    return torch.index_select(input, dim, torch.clamp(place, max=n - 1))


def _h_scaled_sizes(input: Tensor, factors: List[float]) -> List[int]:
    sizes: List[int] = []
    for i in range(len(factors)):
        sizes.append(int(math.floor(float(input.size(i + 2)) * factors[i])))
    return sizes


def interpolate(
    input: Tensor,
    size: Optional[BroadcastingList3[int]] = None,
    scale_factor: Optional[BroadcastingList3[float]] = None,
    mode: str = "nearest",
    align_corners: Optional[bool] = None,
    recompute_scale_factor: Optional[bool] = None,
    antialias: bool = False,
) -> Tensor:
    count = input.dim() - 2
    corners = False
    if mode == "nearest" or mode == "area" or mode == "nearest-exact":
        if align_corners is not None:
            raise ValueError(
                "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
            )
    else:
        if align_corners is not None:
            corners = align_corners
    if antialias:
        if count != 2 or (mode != "bilinear" and mode != "bicubic"):
            raise ValueError("Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D tensor as input")
    sizes: List[int] = []
    factors: Optional[List[float]] = None
    if size is not None:
        if scale_factor is not None:
            raise ValueError("only one of size or scale_factor should be defined")
        sizes = _h_as_sizes(size, count)
    else:
        if scale_factor is None:
            raise ValueError("either size or scale_factor should be defined")
        given = _h_as_factors(scale_factor, count)
        sizes = _h_scaled_sizes(input, given)
        recompute = False
        if recompute_scale_factor is not None:
            recompute = recompute_scale_factor
        if not recompute:
            factors = given
    if mode == "area":
        if count == 1:
            return torch.adaptive_avg_pool1d(input, sizes)
        if count == 2:
            return torch.adaptive_avg_pool2d(input, sizes)
        return torch.adaptive_avg_pool3d(input, sizes)
    s0: Optional[float] = None
    s1: Optional[float] = None
    s2: Optional[float] = None
    if factors is not None:
        s0 = factors[0]
        if count > 1:
            s1 = factors[1]
        if count > 2:
            s2 = factors[2]
    if mode == "nearest":
        if count == 1:
            return torch.upsample_nearest1d(input, sizes, s0)
        if count == 2:
            return torch.upsample_nearest2d(input, sizes, s0, s1)
        return torch.upsample_nearest3d(input, sizes, s0, s1, s2)
    if mode == "nearest-exact":
        x = _h_nearest_exact(input, 2, sizes[0], s0)
        if count > 1:
            x = _h_nearest_exact(x, 3, sizes[1], s1)
        if count > 2:
            x = _h_nearest_exact(x, 4, sizes[2], s2)
        return x
    if mode == "linear" and count == 1:
        return torch.upsample_linear1d(input, sizes, corners, s0)
    if antialias and mode == "bilinear":
        return torch._upsample_bilinear2d_aa(input, sizes, corners, s0, s1)
    if antialias:
        return torch._upsample_bicubic2d_aa(input, sizes, corners, s0, s1)
    if mode == "bilinear" and count == 2:
        return torch.upsample_bilinear2d(input, sizes, corners, s0, s1)
    if mode == "trilinear" and count == 3:
        return torch.upsample_trilinear3d(input, sizes, corners, s0, s1, s2)
    if mode == "bicubic" and count == 2:
        return torch.upsample_bicubic2d(input, sizes, corners, s0, s1)
    raise NotImplementedError(
        "Input Error: Only 3D, 4D and 5D input Tensors supported (got {}D) for the modes: nearest | linear | bilinear | bicubic | trilinear | area | nearest-exact (got {})".format(
            input.dim(), mode
        )
    )


def upsample(
    input: Tensor,
    size: Optional[BroadcastingList3[int]] = None,
    scale_factor: Optional[BroadcastingList3[float]] = None,
    mode: str = "nearest",
    align_corners: Optional[bool] = None,
) -> Tensor:
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(
    input: Tensor,
    size: Optional[BroadcastingList3[int]] = None,
    scale_factor: Optional[BroadcastingList3[float]] = None,
) -> Tensor:
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(
    input: Tensor,
    size: Optional[BroadcastingList3[int]] = None,
    scale_factor: Optional[BroadcastingList3[float]] = None,
) -> Tensor:
    return interpolate(input, size, scale_factor, "bilinear", True)


def affine_grid(theta: Tensor, size: List[int], align_corners: Optional[bool] = None) -> Tensor:
    corners = False
    if align_corners is not None:
        corners = align_corners
    return torch.affine_grid_generator(theta, size, corners)


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: Optional[bool] = None,
) -> Tensor:
    if mode != "bilinear" and mode != "nearest" and mode != "bicubic":
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{}'".format(
                mode
            )
        )
    if padding_mode != "zeros" and padding_mode != "border" and padding_mode != "reflection":
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: '{}'".format(
                padding_mode
            )
        )
    interpolation = 0 if mode == "bilinear" else 1 if mode == "nearest" else 2
    padding = 0 if padding_mode == "zeros" else 1 if padding_mode == "border" else 2
    corners = False
    if align_corners is not None:
        corners = align_corners
    return torch.grid_sampler(input, grid, interpolation, padding, corners)


# losses


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Optional[Tensor] = None,
    size_average: Optional[bool] = None,
    ignore_index: int = -100,
    reduce: Optional[bool] = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    return torch.cross_entropy_loss(
        input, target, weight, _h_reduction(reduction, size_average, reduce), ignore_index, label_smoothing
    )


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Optional[Tensor] = None,
    size_average: Optional[bool] = None,
    ignore_index: int = -100,
    reduce: Optional[bool] = None,
    reduction: str = "mean",
) -> Tensor:
    return torch.nll_loss_nd(input, target, weight, _h_reduction(reduction, size_average, reduce), ignore_index)


def _h_weighted(loss: Tensor, weight: Tensor, reduction: str) -> Tensor:
    weighted = loss * weight
    if reduction == "none":
        return weighted
    if reduction == "sum":
        return torch.sum(weighted)
    return torch.sum(weighted) / torch.sum(weight)


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: Optional[bool] = None,
    reduce: Optional[bool] = None,
    reduction: str = "mean",
    weight: Optional[Tensor] = None,
) -> Tensor:
    if weight is not None:
        return _h_weighted(torch.mse_loss(input, target, 0), weight, reduction)
    return torch.mse_loss(input, target, _h_reduction(reduction, size_average, reduce))


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Optional[bool] = None,
    reduce: Optional[bool] = None,
    reduction: str = "mean",
    weight: Optional[Tensor] = None,
) -> Tensor:
    if weight is not None:
        return _h_weighted(torch.l1_loss(input, target, 0), weight, reduction)
    return torch.l1_loss(input, target, _h_reduction(reduction, size_average, reduce))


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Optional[bool] = None,
    reduce: Optional[bool] = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    return torch.smooth_l1_loss(input, target, _h_reduction(reduction, size_average, reduce), beta)


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Optional[Tensor] = None
) -> Tensor:
    if weight is not None:
        return _h_weighted(torch.huber_loss(input, target, 0, delta), weight, reduction)
    return torch.huber_loss(input, target, _h_reduction(reduction), delta)


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Optional[Tensor] = None,
    size_average: Optional[bool] = None,
    reduce: Optional[bool] = None,
    reduction: str = "mean",
) -> Tensor:
    return torch.binary_cross_entropy(input, target, weight, _h_reduction(reduction, size_average, reduce))


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Optional[Tensor] = None,
    size_average: Optional[bool] = None,
    reduce: Optional[bool] = None,
    reduction: str = "mean",
    pos_weight: Optional[Tensor] = None,
) -> Tensor:
    return torch.binary_cross_entropy_with_logits(
        input, target, weight, pos_weight, _h_reduction(reduction, size_average, reduce)
    )


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: Optional[bool] = None,
    reduce: Optional[bool] = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    if reduction == "batchmean":
        total = torch.kl_div(input, target, 2, log_target=log_target)
        return total / float(input.size(0)) if input.dim() != 0 else total
    return torch.kl_div(input, target, _h_reduction(reduction, size_average, reduce), log_target=log_target)


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: Optional[bool] = None,
    eps: float = 1e-8,
    reduce: Optional[bool] = None,
    reduction: str = "mean",
) -> Tensor:
    return torch.poisson_nll_loss(input, target, log_input, full, eps, _h_reduction(reduction, size_average, reduce))


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Tensor, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    spread = var
    if reduction != "none" and reduction != "mean" and reduction != "sum":
        raise ValueError(reduction + " is not valid")
    if var.dim() == input.dim() - 1:
        spread = var.unsqueeze(-1)
    spread = torch.clamp_min(spread, eps)
    difference = input - target
    loss = (torch.log(spread) + difference * difference / spread) * 0.5
    if full:
        loss = loss + 0.9189385332046727
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: Optional[bool] = None,
    reduce: Optional[bool] = None,
    reduction: str = "mean",
) -> Tensor:
    return torch.hinge_embedding_loss(input, target, margin, _h_reduction(reduction, size_average, reduce))


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: Optional[bool] = None,
    reduce: Optional[bool] = None,
    reduction: str = "mean",
) -> Tensor:
    return torch.soft_margin_loss(input, target, _h_reduction(reduction, size_average, reduce))


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Optional[Tensor] = None,
    size_average: Optional[bool] = None,
    reduce: Optional[bool] = None,
    reduction: str = "mean",
) -> Tensor:
    return torch.multi_margin_loss(input, target, p, margin, weight, _h_reduction(reduction, size_average, reduce))


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: Optional[bool] = None,
    reduce: Optional[bool] = None,
    reduction: str = "mean",
) -> Tensor:
    return torch.multilabel_margin_loss(input, target, _h_reduction(reduction, size_average, reduce))


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    return torch.ctc_loss(
        log_probs, targets, input_lengths, target_lengths, blank, _h_reduction(reduction), zero_infinity
    )


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Optional[Tensor] = None,
    size_average: Optional[bool] = None,
    reduce: Optional[bool] = None,
    reduction: str = "mean",
) -> Tensor:
    loss = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        loss = loss * weight
    loss = loss.mean([input.dim() - 1])
    how = _h_reduction(reduction, size_average, reduce)
    if how == 1:
        return loss.mean()
    return loss.sum() if how == 2 else loss


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0.0,
    size_average: Optional[bool] = None,
    reduce: Optional[bool] = None,
    reduction: str = "mean",
) -> Tensor:
    return torch.cosine_embedding_loss(input1, input2, target, margin, _h_reduction(reduction, size_average, reduce))


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0.0,
    size_average: Optional[bool] = None,
    reduce: Optional[bool] = None,
    reduction: str = "mean",
) -> Tensor:
    return torch.margin_ranking_loss(input1, input2, target, margin, _h_reduction(reduction, size_average, reduce))


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: Optional[bool] = None,
    reduce: Optional[bool] = None,
    reduction: str = "mean",
) -> Tensor:
    return torch.triplet_margin_loss(
        anchor, positive, negative, margin, p, eps, swap, _h_reduction(reduction, size_average, reduce)
    )


# attention


def _h_split_heads(x: Tensor, num_heads: int) -> Tensor:
    # [length, batch, heads * size] -> [batch, heads, length, size]
    return x.reshape([x.size(0), x.size(1), num_heads, -1]).permute([1, 2, 0, 3])


def _h_added_mask(mask: Tensor, dtype: int) -> Tensor:
    # a mask that is added to the scores: True means "not allowed"
    if mask.dtype == torch.bool:
        return torch.where(mask, torch.full([], float("-inf"), dtype=dtype), torch.zeros([], dtype=dtype))
    return mask


def _h_given_heads(given: Tensor, name: str, q: Tensor) -> Tensor:
    # [batch * heads, length, size] as [batch, heads, length, size]
    if given.size(0) != q.size(0) * q.size(1):
        raise AssertionError("expecting {}.size(0) of {}, but got {}".format(name, q.size(0) * q.size(1), given.size(0)))
    if given.size(2) != q.size(3):
        raise AssertionError("expecting {}.size(2) of {}, but got {}".format(name, q.size(3), given.size(2)))
    return given.reshape([q.size(0), q.size(1), given.size(1), given.size(2)])


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Optional[Tensor],
    in_proj_bias: Optional[Tensor],
    bias_k: Optional[Tensor],
    bias_v: Optional[Tensor],
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Optional[Tensor],
    training: bool = True,
    key_padding_mask: Optional[Tensor] = None,
    need_weights: bool = True,
    attn_mask: Optional[Tensor] = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Optional[Tensor] = None,
    k_proj_weight: Optional[Tensor] = None,
    v_proj_weight: Optional[Tensor] = None,
    static_k: Optional[Tensor] = None,
    static_v: Optional[Tensor] = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> Tuple[Tensor, Optional[Tensor]]:
    batched = query.dim() == 3
    q_in = query if batched else query.unsqueeze(1)
    k_in = key if batched else key.unsqueeze(1)
    v_in = value if batched else value.unsqueeze(1)
    embed = q_in.size(2)
    if embed != embed_dim_to_check:
        raise AssertionError("was expecting embedding dimension of {}, but got {}".format(embed_dim_to_check, embed))
    b_q: Optional[Tensor] = None
    b_k: Optional[Tensor] = None
    b_v: Optional[Tensor] = None
    if in_proj_bias is not None:
        b_q = in_proj_bias.narrow(0, 0, embed)
        b_k = in_proj_bias.narrow(0, embed, embed)
        b_v = in_proj_bias.narrow(0, 2 * embed, embed)
    if use_separate_proj_weight:
        assert q_proj_weight is not None and k_proj_weight is not None and v_proj_weight is not None
        q = torch.linear(q_in, q_proj_weight, b_q)
        k = torch.linear(k_in, k_proj_weight, b_k)
        v = torch.linear(v_in, v_proj_weight, b_v)
    else:
        assert in_proj_weight is not None, "use_separate_proj_weight is False but in_proj_weight is None"
        q = torch.linear(q_in, in_proj_weight.narrow(0, 0, embed), b_q)
        k = torch.linear(k_in, in_proj_weight.narrow(0, embed, embed), b_k)
        v = torch.linear(v_in, in_proj_weight.narrow(0, 2 * embed, embed), b_v)
    length, batch = q.size(0), q.size(1)
    mask: Optional[Tensor] = None
    if attn_mask is not None:
        m = _h_added_mask(attn_mask, q.dtype)
        mask = m.unsqueeze(0).unsqueeze(0) if m.dim() == 2 else m.reshape([batch, num_heads, m.size(1), m.size(2)])
    padding: Optional[Tensor] = None
    if key_padding_mask is not None:
        p = _h_added_mask(key_padding_mask, q.dtype)
        padding = p if batched else p.unsqueeze(0)
    if bias_k is not None and bias_v is not None:
        k = torch.cat([k, bias_k.expand([1, batch, embed])], 0)
        v = torch.cat([v, bias_v.expand([1, batch, embed])], 0)
        if mask is not None:
            mask = torch.constant_pad_nd(mask, [0, 1], 0)
        if padding is not None:
            padding = torch.constant_pad_nd(padding, [0, 1], 0)
    qh = _h_split_heads(q, num_heads)
    kh = _h_split_heads(k, num_heads) if static_k is None else _h_given_heads(static_k, "static_k", qh)
    vh = _h_split_heads(v, num_heads) if static_v is None else _h_given_heads(static_v, "static_v", qh)
    if add_zero_attn:
        kh = torch.constant_pad_nd(kh, [0, 0, 0, 1], 0)
        vh = torch.constant_pad_nd(vh, [0, 0, 0, 1], 0)
        if mask is not None:
            mask = torch.constant_pad_nd(mask, [0, 1], 0)
        if padding is not None:
            padding = torch.constant_pad_nd(padding, [0, 1], 0)
    if padding is not None:
        across = padding.reshape([batch, 1, 1, -1])
        if mask is None:
            mask = across
        else:
            mask = mask + across
    p_drop = dropout_p if training else 0.0
    if need_weights:
        scores = torch.matmul(qh * (1.0 / float(qh.size(3)) ** 0.5), kh.transpose(2, 3))
        if mask is not None:
            scores = scores + mask
        weights = torch.dropout(torch.softmax(scores, -1), p_drop, p_drop > 0.0)
        heads = torch.matmul(weights, vh)
    else:
        weights = qh
        heads = torch.scaled_dot_product_attention(qh, kh, vh, mask, p_drop, is_causal and mask is None)
    joined = heads.permute([2, 0, 1, 3]).reshape([length * batch, embed])
    out = torch.linear(joined, out_proj_weight, out_proj_bias).reshape([length, batch, -1])
    if not batched:
        out = out.squeeze(1)
    if not need_weights:
        return out, None
    if average_attn_weights:
        weights = weights.mean([1])
    return out, weights if batched else weights.squeeze(0)


# torch.nn.init, as far as torch.jit compiles it: `_h_init_NAME`


def _h_init_uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Optional[Generator] = None) -> Tensor:
    return tensor.uniform_(a, b, generator=generator)


def _h_init_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Optional[Generator] = None) -> Tensor:
    return tensor.normal_(mean, std, generator=generator)


def _h_init_constant_(tensor: Tensor, val: float) -> Tensor:
    return tensor.fill_(val)


def _h_init_ones_(tensor: Tensor) -> Tensor:
    return tensor.fill_(1.0)


def _h_init_zeros_(tensor: Tensor) -> Tensor:
    return tensor.zero_()


def _h_init_fans(tensor: Tensor) -> Tuple[int, int]:
    if tensor.dim() < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    receptive = 1
    for i in range(2, tensor.dim()):
        receptive = receptive * tensor.size(i)
    return tensor.size(1) * receptive, tensor.size(0) * receptive


def _h_init_xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Optional[Generator] = None) -> Tensor:
    fan_in, fan_out = _h_init_fans(tensor)
    bound = math.sqrt(3.0) * (gain * math.sqrt(2.0 / float(fan_in + fan_out)))
    return tensor.uniform_(-bound, bound, generator=generator)


def _h_init_xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Optional[Generator] = None) -> Tensor:
    fan_in, fan_out = _h_init_fans(tensor)
    return tensor.normal_(0.0, gain * math.sqrt(2.0 / float(fan_in + fan_out)), generator=generator)
