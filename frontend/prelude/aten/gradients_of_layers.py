# Gradients of layers with weights. A gradient that `output_mask` does not ask for is an empty tensor.

import torch
from torch import Tensor
from typing import List, Optional, Tuple


def _h_convolution_weight_backward(
    x: Tensor,
    g: Tensor,
    kernel: List[int],
    stride: List[int],
    padding: List[int],
    dilation: List[int],
    groups: int,
) -> Tensor:
    # x [N, G C, ...], g [N, G O, ...] -> [G O, C, kernel...]: a convolution in which the batch is what is summed over,
    # the gradient the kernel, and stride and dilation change places
    n, c = x.size(0), x.size(1) // groups
    space = x.size()[2:]
    swapped = x.reshape([n, groups, c] + space).transpose(0, 2).reshape([c, groups * n] + space)
    full = torch.convolution(
        swapped, g.transpose(0, 1), None, dilation, padding, stride, False, [0] * len(stride), groups
    )
    for i in range(len(kernel)):
        full = full.narrow(i + 2, 0, kernel[i])
    return full.transpose(0, 1)


def convolution_backward(
    grad_output: Tensor,
    input: Tensor,
    weight: Tensor,
    bias_sizes: Optional[List[int]],
    stride: List[int],
    padding: List[int],
    dilation: List[int],
    transposed: bool,
    output_padding: List[int],
    groups: int,
    output_mask: List[bool],
) -> Tuple[Tensor, Tensor, Tensor]:
    x, w, g = _h_wide(input), _h_wide(weight), _h_wide(grad_output)
    k = weight.dim() - 2
    kernel = weight.size()[2:]
    strides = stride if len(stride) == k else [stride[0]] * k
    pads = padding if len(padding) == k else [padding[0]] * k
    dilations = dilation if len(dilation) == k else [dilation[0]] * k
    grad_input, grad_weight, grad_bias = x.new_zeros([0]), x.new_zeros([0]), x.new_zeros([0])
    if output_mask[0]:
        if transposed:
            grad_input = torch.convolution(g, w, None, strides, pads, dilations, False, [0] * k, groups)
        else:
            beyond: List[int] = []
            for i in range(k):
                reached = (g.size(i + 2) - 1) * strides[i] - 2 * pads[i] + dilations[i] * (kernel[i] - 1) + 1
                beyond.append(x.size(i + 2) - reached)
            grad_input = torch.convolution(g, w, None, strides, pads, dilations, True, beyond, groups)
    if output_mask[1]:
        if transposed:
            grad_weight = _h_convolution_weight_backward(g, x, kernel, strides, pads, dilations, groups)
        else:
            grad_weight = _h_convolution_weight_backward(x, g, kernel, strides, pads, dilations, groups)
    if output_mask[2]:
        dims = [0]
        for i in range(k):
            dims.append(i + 2)
        grad_bias = g.sum(dims)
    dtype = input.dtype
    return _h_narrow(grad_input, dtype), _h_narrow(grad_weight, dtype), _h_narrow(grad_bias, dtype)


def matmul_backward(grad: Tensor, self: Tensor, other: Tensor, mask: List[bool]) -> Tuple[Tensor, Tensor]:
    grad_self, grad_other = grad.new_zeros([0]), grad.new_zeros([0])
    if mask[0]:
        if self.dim() == 1 and other.dim() == 1:
            grad_self = other * grad
        elif other.dim() == 1:
            grad_self = grad.unsqueeze(-1) * other
        elif self.dim() == 1:
            grad_self = torch.sum_to_size(torch.matmul(other, grad.unsqueeze(-1)).squeeze(-1), self.size())
        else:
            grad_self = torch.sum_to_size(torch.matmul(grad, other.transpose(-2, -1)), self.size())
    if mask[1]:
        if self.dim() == 1 and other.dim() == 1:
            grad_other = self * grad
        elif self.dim() == 1:
            grad_other = self.unsqueeze(-1) * grad.unsqueeze(-2)
        elif other.dim() == 1:
            each = torch.matmul(self.transpose(-2, -1), grad.unsqueeze(-1)).squeeze(-1)
            grad_other = torch.sum_to_size(each, other.size())
        else:
            grad_other = torch.sum_to_size(torch.matmul(self.transpose(-2, -1), grad), other.size())
    return grad_self, grad_other


def embedding_dense_backward(
    grad_output: Tensor, indices: Tensor, num_weights: int, padding_idx: int, scale_grad_by_freq: bool
) -> Tensor:
    place = indices.reshape([-1])
    rows = _h_wide(grad_output).reshape([place.size(0), grad_output.size(-1)])
    kept = place != padding_idx
    if scale_grad_by_freq:
        counts = torch.index_add(torch.zeros([num_weights], dtype=rows.dtype), 0, place, torch.ones_like(rows[:, 0]))
        rows = rows / counts[place].unsqueeze(1)
    rows = torch.where(kept.unsqueeze(1), rows, torch.zeros_like(rows))
    total = torch.index_add(torch.zeros([num_weights, rows.size(1)], dtype=rows.dtype), 0, place, rows)
    return _h_narrow(total, grad_output.dtype)


def embedding_backward(
    grad: Tensor, indices: Tensor, num_weights: int, padding_idx: int, scale_grad_by_freq: bool, sparse: bool
) -> Tensor:
    if sparse:
        raise RuntimeError("embedding_backward: sparse gradients are not supported")
    return embedding_dense_backward(grad, indices, num_weights, padding_idx, scale_grad_by_freq)


def native_layer_norm_backward(
    grad_out: Tensor,
    input: Tensor,
    normalized_shape: List[int],
    mean: Tensor,
    rstd: Tensor,
    weight: Optional[Tensor],
    bias: Optional[Tensor],
    output_mask: List[bool],
) -> Tuple[Tensor, Tensor, Tensor]:
    inner: List[int] = []
    outer: List[int] = []
    for i in range(input.dim()):
        if i < input.dim() - len(normalized_shape):
            outer.append(i)
        else:
            inner.append(i)
    g = _h_wide(grad_out)
    x = (_h_wide(input) - _h_wide(mean)) * _h_wide(rstd)
    grad_input, grad_weight, grad_bias = g.new_zeros([0]), g.new_zeros([0]), g.new_zeros([0])
    if output_mask[0]:
        h = g
        if weight is not None:
            h = g * weight
        centred = h - h.mean(inner, True) - x * (h * x).mean(inner, True)
        grad_input = centred * _h_wide(rstd)
    if output_mask[1] and weight is not None:
        grad_weight = (g * x).sum(outer) if len(outer) > 0 else g * x
    if output_mask[2] and bias is not None:
        grad_bias = g.sum(outer) if len(outer) > 0 else g
    dtype = input.dtype if weight is None else weight.dtype
    return _h_narrow(grad_input, input.dtype), _h_narrow(grad_weight, dtype), _h_narrow(grad_bias, dtype)


def native_group_norm_backward(
    grad_out: Tensor,
    input: Tensor,
    mean: Tensor,
    rstd: Tensor,
    weight: Optional[Tensor],
    N: int,
    C: int,
    HxW: int,
    group: int,
    output_mask: List[bool],
) -> Tuple[Tensor, Tensor, Tensor]:
    grouped = [N, group, C // group, HxW]
    scale = _h_wide(rstd).reshape([N, group, 1, 1])
    x = (_h_wide(input).reshape(grouped) - _h_wide(mean).reshape([N, group, 1, 1])) * scale
    g = _h_wide(grad_out).reshape(grouped)
    grad_input, grad_weight, grad_bias = g.new_zeros([0]), g.new_zeros([0]), g.new_zeros([0])
    if output_mask[0]:
        h = g
        if weight is not None:
            h = g * weight.reshape([1, group, C // group, 1])
        centred = h - h.mean([2, 3], True) - x * (h * x).mean([2, 3], True)
        grad_input = (centred * scale).reshape(input.size())
    if output_mask[1]:
        grad_weight = (g * x).sum([0, 3]).reshape([C])
    if output_mask[2]:
        grad_bias = g.sum([0, 3]).reshape([C])
    dtype = input.dtype if weight is None else weight.dtype
    return _h_narrow(grad_input, input.dtype), _h_narrow(grad_weight, dtype), _h_narrow(grad_bias, dtype)


def conv_tbc_backward(
    self: Tensor, input: Tensor, weight: Tensor, bias: Tensor, pad: int
) -> Tuple[Tensor, Tensor, Tensor]:
    # time, batch, channels; the weight [taps, in, out]. Each tap has seen a part of the padded input.
    padded = torch.constant_pad_nd(input, [0, 0, 0, 0, pad, pad])
    grad_input = torch.zeros_like(padded)
    grad_weight: List[Tensor] = []
    for k in range(weight.size(0)):
        grad_input.narrow(0, k, self.size(0)).add_(torch.matmul(self, weight[k].t()))
        grad_weight.append(torch.matmul(padded.narrow(0, k, self.size(0)).flatten(0, 1).t(), self.flatten(0, 1)))
    return grad_input.narrow(0, pad, input.size(0)).contiguous(), torch.stack(grad_weight), self.sum([0, 1])
