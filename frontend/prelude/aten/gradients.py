# Gradients of functions of single elements, and of losses: what `..._backward` operators compute.

import torch
from torch import Tensor
from typing import List, Optional


def sigmoid_backward(grad_output: Tensor, output: Tensor) -> Tensor:
    return grad_output * (1 - output) * output


def tanh_backward(grad_output: Tensor, output: Tensor) -> Tensor:
    return grad_output * (1 - output * output)


def threshold_backward(grad_output: Tensor, self: Tensor, threshold: number) -> Tensor:
    return torch.where(self <= threshold, torch.zeros_like(grad_output), grad_output)


def gelu_backward(grad_output: Tensor, self: Tensor, approximate: str) -> Tensor:
    x = _h_wide(self)
    if approximate == "tanh":
        beta = 0.7978845608028654  # sqrt(2 / pi)
        t = torch.tanh(beta * (x + 0.044715 * x * x * x))
        slope = 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * (beta * (1 + 3 * 0.044715 * x * x))
    else:
        below = 0.5 * (1 + torch.erf(x * 0.7071067811865476))
        density = torch.exp(-0.5 * x * x) * 0.3989422804014327  # 1 / sqrt(2 pi)
        slope = below + x * density
    return _h_narrow(_h_wide(grad_output) * slope, self.dtype)


def infinitely_differentiable_gelu_backward(grad: Tensor, self: Tensor) -> Tensor:
    return gelu_backward(grad, self, "none")


def silu_backward(grad_output: Tensor, self: Tensor) -> Tensor:
    x = _h_wide(self)
    s = torch.sigmoid(x)
    return _h_narrow(_h_wide(grad_output) * s * (1 + x * (1 - s)), self.dtype)


def mish_backward(grad_output: Tensor, self: Tensor) -> Tensor:
    x = _h_wide(self)
    t = torch.tanh(torch.log1p(torch.exp(x)))
    return _h_narrow(_h_wide(grad_output) * (t + x * torch.sigmoid(x) * (1 - t * t)), self.dtype)


def elu_backward(
    grad_output: Tensor, alpha: number, scale: number, input_scale: number, is_result: bool, self_or_result: Tensor
) -> Tensor:
    x = _h_wide(self_or_result)
    g = _h_wide(grad_output)
    low = float(alpha) * float(scale)
    if is_result:
        negative = g * input_scale * (x + low)
    else:
        negative = g * input_scale * low * torch.exp(x * input_scale)
    return _h_narrow(torch.where(x <= 0, negative, g * scale), self_or_result.dtype)


def leaky_relu_backward(grad_output: Tensor, self: Tensor, negative_slope: number, self_is_result: bool) -> Tensor:
    return torch.where(self > 0, grad_output, grad_output * negative_slope)


def hardtanh_backward(grad_output: Tensor, self: Tensor, min_val: number, max_val: number) -> Tensor:
    outside = torch.logical_or(self <= min_val, self >= max_val)
    return torch.where(outside, torch.zeros_like(grad_output), grad_output)


def hardsigmoid_backward(grad_output: Tensor, self: Tensor) -> Tensor:
    inside = torch.logical_and(self > -3, self < 3)
    return torch.where(inside, grad_output * (1.0 / 6.0), torch.zeros_like(grad_output))


def hardswish_backward(grad_output: Tensor, self: Tensor) -> Tensor:
    x = _h_wide(self)
    g = _h_wide(grad_output)
    middle = torch.where(x < 3, g * (x / 3 + 0.5), g)
    return _h_narrow(torch.where(x <= -3, torch.zeros_like(g), middle), self.dtype)


def softplus_backward(grad_output: Tensor, self: Tensor, beta: number, threshold: number) -> Tensor:
    x = _h_wide(self)
    g = _h_wide(grad_output)
    z = torch.exp(x * beta)
    return _h_narrow(torch.where(x * beta > threshold, g, g * z / (z + 1)), self.dtype)


def _h_shrink_backward(grad_output: Tensor, self: Tensor, lambd: number) -> Tensor:
    inside = torch.logical_and(self >= -lambd, self <= lambd)
    return torch.where(inside, torch.zeros_like(grad_output), grad_output)


def softshrink_backward(grad_output: Tensor, self: Tensor, lambd: number) -> Tensor:
    return _h_shrink_backward(grad_output, self, lambd)


def hardshrink_backward(grad_out: Tensor, self: Tensor, lambd: number) -> Tensor:
    return _h_shrink_backward(grad_out, self, lambd)


def log_sigmoid_backward(grad_output: Tensor, self: Tensor, buffer: Tensor) -> Tensor:
    # `buffer` is exp(-|x|), what `log_sigmoid_forward` gives beside its result
    negative = self < 0
    share = buffer / (1 + buffer)
    return grad_output * torch.where(negative, 1 - share, share)


def logit_backward(grad_output: Tensor, self: Tensor, eps: Optional[float]) -> Tensor:
    x = _h_wide(self)
    g = _h_wide(grad_output)
    slope = g / (x * (1 - x))
    if eps is None:
        at_edge = torch.where(torch.logical_or(x == 0, x == 1), g * float("inf"), slope)
        result = torch.where(torch.logical_or(x < 0, x > 1), torch.full_like(x, float("nan")), at_edge)
    else:
        result = torch.where(torch.logical_or(x < eps, x > 1 - eps), torch.zeros_like(x), slope)
    return _h_narrow(result, self.dtype)


def glu_backward(grad_output: Tensor, self: Tensor, dim: int) -> Tensor:
    n = self.size(dim) // 2
    first = _h_wide(self.narrow(dim, 0, n))
    gate = torch.sigmoid(_h_wide(self.narrow(dim, n, n)))
    g = _h_wide(grad_output)
    return _h_narrow(torch.cat([g * gate, g * first * (1 - gate) * gate], dim), self.dtype)


# losses: `grad_output` is a number where they are reduced, else one per element


def _h_share(x: Tensor, reduction: int) -> float:
    return 1.0 / float(x.numel()) if reduction == 1 else 1.0


def mse_loss_backward(grad_output: Tensor, self: Tensor, target: Tensor, reduction: int) -> Tensor:
    return (2.0 * _h_share(self, reduction)) * (self - target) * grad_output


def smooth_l1_loss_backward(
    grad_output: Tensor, self: Tensor, target: Tensor, reduction: int, beta: float
) -> Tensor:
    d = self - target
    g = _h_share(self, reduction) * grad_output
    outside = torch.where(d >= beta, g, d * g / beta)
    return torch.where(d <= -beta, -g, outside)


def huber_loss_backward(grad_output: Tensor, self: Tensor, target: Tensor, reduction: int, delta: float) -> Tensor:
    d = self - target
    g = _h_share(self, reduction) * grad_output
    outside = torch.where(d >= delta, g * delta, d * g)
    return torch.where(d <= -delta, -g * delta, outside)


def soft_margin_loss_backward(grad_output: Tensor, self: Tensor, target: Tensor, reduction: int) -> Tensor:
    z = torch.exp(-target * self)
    return -_h_share(self, reduction) * target * z / (1 + z) * grad_output


def binary_cross_entropy_backward(
    grad_output: Tensor, self: Tensor, target: Tensor, weight: Optional[Tensor], reduction: int
) -> Tensor:
    result = grad_output * (self - target) / torch.clamp_min((1 - self) * self, 1e-12)
    if weight is not None:
        result = result * weight
    return result * _h_share(self, reduction)


def _h_nll_backward(
    grad_output: Tensor,
    self: Tensor,
    target: Tensor,
    weight: Optional[Tensor],
    reduction: int,
    ignore_index: int,
    total_weight: Tensor,
) -> Tensor:
    # self [N, C, ...], target [N, ...]
    kept = target != ignore_index
    index = torch.where(kept, target, torch.zeros_like(target))
    g = grad_output / total_weight if reduction == 1 else grad_output
    each = -g.expand(target.size())
    if weight is not None:
        each = each * weight[index]
    each = torch.where(kept, each, torch.zeros_like(each))
    return torch.scatter(torch.zeros_like(self), 1, index.unsqueeze(1), each.to(self.dtype).unsqueeze(1))


def nll_loss_backward(
    grad_output: Tensor,
    self: Tensor,
    target: Tensor,
    weight: Optional[Tensor],
    reduction: int,
    ignore_index: int,
    total_weight: Tensor,
) -> Tensor:
    if self.dim() == 1:
        row, place = self.unsqueeze(0), target.reshape([1])
        return _h_nll_backward(grad_output, row, place, weight, reduction, ignore_index, total_weight).squeeze(0)
    return _h_nll_backward(grad_output, self, target, weight, reduction, ignore_index, total_weight)


def nll_loss2d_backward(
    grad_output: Tensor,
    self: Tensor,
    target: Tensor,
    weight: Optional[Tensor],
    reduction: int,
    ignore_index: int,
    total_weight: Tensor,
) -> Tensor:
    return _h_nll_backward(grad_output, self, target, weight, reduction, ignore_index, total_weight)


# selections: what was not chosen gets zero


def select_backward(grad_output: Tensor, input_sizes: List[int], dim: int, index: int) -> Tensor:
    return torch.select_scatter(grad_output.new_zeros(input_sizes), grad_output, dim, index)


def slice_backward(grad_output: Tensor, input_sizes: List[int], dim: int, start: int, end: int, step: int) -> Tensor:
    return torch.slice_scatter(grad_output.new_zeros(input_sizes), grad_output, dim, start, end, step)


def diagonal_backward(grad_output: Tensor, input_sizes: List[int], offset: int, dim1: int, dim2: int) -> Tensor:
    return torch.diagonal_scatter(grad_output.new_zeros(input_sizes), grad_output, offset, dim1, dim2)


def trace_backward(grad: Tensor, sizes: List[int]) -> Tensor:
    if len(sizes) != 2:
        raise RuntimeError("expected matrix input")
    return torch.eye(sizes[0], sizes[1], dtype=grad.dtype) * grad


def index_select_backward(grad: Tensor, self_sizes: List[int], dim: int, index: Tensor) -> Tensor:
    return torch.index_add(grad.new_zeros(self_sizes), dim, index, grad)


def gather_backward(grad: Tensor, self: Tensor, dim: int, index: Tensor, sparse_grad: bool) -> Tensor:
    return torch.scatter_add(grad.new_zeros(self.size()), dim, index, grad)


def cummaxmin_backward(grad: Tensor, input: Tensor, indices: Tensor, dim: int) -> Tensor:
    return torch.scatter_add(grad.new_zeros(input.size()), dim, indices, grad)


def masked_select_backward(grad: Tensor, input: Tensor, mask: Tensor) -> Tensor:
    return torch.masked_scatter(torch.zeros_like(input), mask, grad)


def value_selecting_reduction_backward(
    grad: Tensor, dim: int, indices: Tensor, sizes: List[int], keepdim: bool
) -> Tensor:
    g, index = grad, indices
    if not keepdim and len(sizes) > 0:
        g, index = grad.unsqueeze(dim), indices.unsqueeze(dim)
    return torch.scatter(grad.new_zeros(sizes), dim, index, g)


def unfold_backward(grad_in: Tensor, input_sizes: List[int], dim: int, size: int, step: int) -> Tensor:
    if len(input_sizes) == 0:
        return grad_in.sum()
    d = dim if dim >= 0 else dim + len(input_sizes)
    windows = grad_in.movedim(-1, d + 1)
    place = (torch.arange(windows.size(d)) * step).unsqueeze(1) + torch.arange(size)
    return torch.index_add(grad_in.new_zeros(input_sizes), d, place.reshape([-1]), windows.flatten(d, d + 1))
