# Quantized tensors: numbers as integers, sums with numbers, normalisations.

import torch
from torch import Tensor
from typing import List, Optional, Tuple


def _h_q_number(value: number) -> float:
    return float(value)


def _h_q_integer(value: float, scale: float, zero_point: int, low: int, high: int) -> int:
    inverse = 1.0 / _h_q_single(scale)
    steps = torch.round(torch.full([], _h_q_single(value), dtype=torch.float32) * inverse).to(torch.float64)
    return int(torch.clamp(steps + zero_point, low, high))


def _h_q_prelu(
    values: Tensor,
    scale: float,
    zero_point: int,
    weight: Tensor,
    weight_scale: float,
    weight_point: int,
    one: int,
    out_scale: float,
    out_point: int,
    low: int,
    high: int,
    dtype: int,
) -> Tensor:
    x = values.to(torch.int32) - zero_point
    slopes = weight.to(torch.int32) - weight_point
    if weight.numel() > 1:
        slopes = slopes.reshape([1, -1] + [1] * (values.dim() - 2))
    products = torch.where(x > 0, x * (one - weight_point), x * slopes)
    single = torch.full([], scale, dtype=torch.float32) * torch.full([], weight_scale, dtype=torch.float32)
    factor = single * torch.reciprocal(torch.full([], out_scale, dtype=torch.float32))
    steps = torch.round(products.to(torch.float32) * factor).to(torch.int32) + out_point
    return torch.clamp(steps, low, high).to(dtype)


def _h_q_at_least(values: Tensor, bound: int) -> Tensor:
    return torch.clamp(values, min=bound)


def _h_q_at_most(values: Tensor, bound: int) -> Tensor:
    return torch.clamp(values, max=bound)


def _h_q_pad(values: Tensor, pads: List[int], fill: int) -> Tensor:
    return torch.constant_pad_nd(values, pads, fill)


def _h_q_sort(values: Tensor, dim: int, descending: bool) -> Tuple[Tensor, Tensor]:
    return torch.sort(values, dim, descending)


def _h_q_topk(values: Tensor, k: int, dim: int, largest: bool, sorted: bool) -> Tuple[Tensor, Tensor]:
    return torch.topk(values, k, dim, largest, sorted)


def _h_q_max(values: Tensor, dim: int, keepdim: bool) -> Tuple[Tensor, Tensor]:
    return torch.max(values, dim, keepdim)


def _h_q_min(values: Tensor, dim: int, keepdim: bool) -> Tuple[Tensor, Tensor]:
    return torch.min(values, dim, keepdim)


def _h_q_softmax(x: Tensor, dim: int) -> Tensor:
    return torch.softmax(x, dim)


def _h_q_scaled(values: Tensor, factor: float, zero_point: int, relu: bool, low: int, high: int) -> Tensor:
    steps = torch.round(values.to(torch.float32) * factor).to(torch.int32) + zero_point
    return torch.clamp(steps, max(low, zero_point) if relu else low, high)


def _h_q_add_scalar(
    values: Tensor, scale: float, zero_point: int, other: float, low: int, high: int, relu: bool
) -> Tuple[Tensor, float, int]:
    # The zero point moves by the number; where that is beyond the range, the scale grows.
    step = int(torch.round(torch.full([], other / scale, dtype=torch.float64)))
    point = zero_point - step
    if point < low or point > high:
        new_scale = float(high - point if point < low else point - low) / float(high - low) * scale
        new_point = low if point < low else high
        sums = values.to(torch.int32) - zero_point + step
        factor = _h_q_single(_h_q_single(scale) * _h_q_single(1.0 / _h_q_single(new_scale)))
        return _h_q_scaled(sums, factor, new_point, relu, low, high).to(values.dtype), new_scale, new_point
    kept = torch.clamp(values.to(torch.int32), min=point).to(values.dtype) if relu else values.clone()
    return kept, scale, point


def _h_q_mul_scalar(
    values: Tensor, scale: float, zero_point: int, other: float, low: int, high: int, relu: bool
) -> Tuple[Tensor, float, int]:
    if other > 0.0:
        kept = torch.clamp(values.to(torch.int32), min=zero_point).to(values.dtype) if relu else values.clone()
        return kept, other * scale, zero_point
    if other == 0.0:
        return torch.zeros_like(values), 1.0, 0
    point = high - (zero_point - low)
    turned = high + low - values.to(torch.int32)
    return (torch.clamp(turned, min=point) if relu else turned).to(values.dtype), abs(other) * scale, point


def _h_q_normalised(rows: Tensor, scale: float, zero_point: int, eps: float) -> Tuple[Tensor, Tensor, Tensor]:
    # [groups, elements]: less the zero point; their mean, and what to divide by, as float32
    count = float(rows.size(1))
    wide = rows.to(torch.int64)
    shifted = wide.sum(1, True).to(torch.float32) / count
    spread = torch.clamp((wide * wide).sum(1, True).to(torch.float32) / count - shifted * shifted, min=0.0)
    single = _h_q_single(scale)
    deviation = torch.sqrt(spread * single * single + eps)
    return rows.to(torch.float32) - float(zero_point), shifted - float(zero_point), single / deviation


def _h_q_layer_norm(
    values: Tensor,
    scale: float,
    zero_point: int,
    shape: List[int],
    weight: Optional[Tensor],
    bias: Optional[Tensor],
    eps: float,
) -> Tensor:
    count = 1
    for extent in shape:
        count *= extent
    x, mean, inverse = _h_q_normalised(values.reshape([-1, count]), scale, zero_point, eps)
    result = ((x - mean) * inverse).reshape(values.size())
    if weight is not None:
        result = result * weight
    return result if bias is None else result + bias


def _h_q_group_norm(
    values: Tensor,
    scale: float,
    zero_point: int,
    groups: int,
    weight: Optional[Tensor],
    bias: Optional[Tensor],
    eps: float,
) -> Tensor:
    # Without groups (-1): each channel on its own.
    channels = values.size(1)
    parts = channels if groups < 0 else groups
    rows = values.reshape([values.size(0) * parts, values.numel() // (values.size(0) * parts)])
    x, mean, inverse = _h_q_normalised(rows, scale, zero_point, eps)
    each = [values.size(0), parts, channels // parts, rows.size(1) // (channels // parts)]
    x, mean, inverse = x.reshape(each), mean.reshape(each[:2] + [1, 1]), inverse.reshape(each[:2] + [1, 1])
    if weight is None and bias is None:
        return ((x - mean) * inverse).reshape(values.size())
    factor = inverse if weight is None else inverse * weight.reshape([1, parts, -1, 1])
    offset = -factor * mean
    if bias is not None:
        offset = offset + bias.reshape([1, parts, -1, 1])
    return (x * factor + offset).reshape(values.size())
