# Arithmetic of quantized tensors, on their integers: rounding to even, one float32 multiplication from sums to integers.

import math
import torch
from torch import Tensor
from typing import List, Optional, Tuple


def _h_q_single(scale: float) -> float:
    return float(torch.full([], scale, dtype=torch.float64).to(torch.float32))


def _h_q_float(value: Tensor) -> float:
    return float(value.reshape([]))


def _h_q_int(value: Tensor) -> int:
    return int(value.reshape([]))


def _h_q_same_int(value: int) -> int:
    return value


def _h_q_yes() -> bool:
    return True


def _h_q_one_scale(scale: float) -> Tensor:
    return torch.full([1], scale, dtype=torch.float32)


def _h_q_one_point(zero_point: int) -> Tensor:
    return torch.full([1], zero_point, dtype=torch.int32)


def _h_q_scales(scales: Tensor) -> Tensor:
    return scales.to(torch.float32)


def _h_q_points(points: Tensor) -> Tensor:
    return points.to(torch.int32)


def _h_q_steps(x: Tensor, inverse: Tensor, zero_point: Tensor, low: int, high: int, dtype: int) -> Tensor:
    if dtype == torch.int32:
        wide = torch.round(x * inverse).to(torch.float64) + zero_point
        return torch.clamp(wide, low, high).to(dtype)
    # Bounds first: what is beyond them has no place in an integer.
    steps = torch.clamp(torch.round(x * inverse), -65536.0, 65536.0).to(torch.int32) + zero_point
    return torch.clamp(steps, low, high).to(dtype)


def _h_q_nearest(steps: Tensor, zero_point: int, low: int, high: int, dtype: int) -> Tensor:
    # Between the bounds first, which are whole numbers: what is rounded then needs no further look. NaN is the least number.
    bottom = float(low - zero_point)
    top = float(high - zero_point)
    steps = torch.where(steps > bottom, steps, bottom)
    steps = torch.where(steps < top, steps, top)
    return (torch.round(steps).to(torch.int32) + zero_point).to(dtype)


def _h_q_quantize(x: Tensor, scale: float, zero_point: int, low: int, high: int, dtype: int) -> Tensor:
    inverse = torch.reciprocal(torch.full([], scale, dtype=torch.float32))
    if dtype == torch.int32:
        return _h_q_steps(x, inverse, torch.full([], zero_point, dtype=torch.int32), low, high, dtype)
    return _h_q_nearest(x * inverse, zero_point, low, high, dtype)


def _h_q_along(parameters: Tensor, rank: int, axis: int) -> Tensor:
    shape = [1] * rank
    shape[axis] = parameters.size(0)
    return parameters.reshape(shape)


def _h_q_quantize_by_channel(
    x: Tensor, scales: Tensor, points: Tensor, axis: int, low: int, high: int, dtype: int
) -> Tensor:
    inverse = torch.reciprocal(_h_q_along(scales.to(torch.float32), x.dim(), axis))
    return _h_q_steps(x, inverse, _h_q_along(points.to(torch.int32), x.dim(), axis), low, high, dtype)


def _h_q_centred_integers(values: Tensor, zero_point: int) -> Tensor:
    return values.to(torch.int32) - zero_point


def _h_q_dequantize(values: Tensor, scale: float, zero_point: int) -> Tensor:
    return _h_q_centred_integers(values, zero_point).to(torch.float32) * torch.full([], scale, dtype=torch.float32)


def _h_q_dequantize_by_channel(values: Tensor, scales: Tensor, points: Tensor, axis: int) -> Tensor:
    centred = values.to(torch.float64) - _h_q_along(points.to(torch.float64), values.dim(), axis)
    return (centred * _h_q_along(scales.to(torch.float64), values.dim(), axis)).to(torch.float32)


def _h_q_centred_weight(values: Tensor, points: Tensor) -> Tensor:
    return values.to(torch.int32) - _h_q_along(points, values.dim(), 0)


def _h_q_products(x: Tensor, zero_point: int, weight: Tensor, points: Tensor, is_centred: bool) -> Tensor:
    # Products of the integers as they are; what zero points add to the sums of a column is a constant if the weights are.
    rows = x.reshape([-1, x.size(-1)]).to(torch.int32)
    numbers = weight.to(torch.int32)
    shift = numbers.sum(1, dtype=torch.int32) * -zero_point
    if not is_centred:
        shift = shift + points * (zero_point * weight.size(1))
    sums = torch.addmm(shift, rows, numbers.t())
    if not is_centred:
        sums = sums - rows.sum(1, True, dtype=torch.int32) * points
    return sums.reshape(x.size()[:-1] + [weight.size(0)])


def _h_q_convolution(
    x: Tensor,
    zero_point: int,
    weight: Tensor,
    points: Tensor,
    is_centred: bool,
    stride: List[int],
    padding: List[int],
    dilation: List[int],
    groups: int,
) -> Tensor:
    # What is around an image is its zero; what zero points add to the sums of a channel is a constant if the weights are.
    pads: List[int] = []
    for p in padding:
        pads = [p, p] + pads
    image = torch.constant_pad_nd(x, pads, zero_point).to(torch.int32) if sum(padding) > 0 else x.to(torch.int32)
    numbers = weight.to(torch.int32) if is_centred else _h_q_centred_weight(weight, points)
    shift = numbers.flatten(1).sum(1, dtype=torch.int32) * -zero_point
    none = [0] * len(padding)
    if weight.dim() == 5:
        return torch.conv3d(image, numbers, shift, stride, none, dilation, groups)
    return torch.conv2d(image, numbers, shift, stride, none, dilation, groups)


def _h_q_as_plane(x: Tensor) -> Tensor:
    return x.unsqueeze(-2)


def _h_q_as_line(x: Tensor) -> Tensor:
    return x.squeeze(-2)


def _h_q_requantize(
    sums: Tensor,
    scale: float,
    scales: Tensor,
    bias: Optional[Tensor],
    out_scale: float,
    out_zero_point: int,
    axis: int,
    relu: bool,
    low: int,
    high: int,
    dtype: int,
) -> Tensor:
    products = torch.full([], scale, dtype=torch.float32) * scales
    numbers = sums.to(torch.float32)
    if bias is not None:
        shift = bias * torch.reciprocal(products) if products.size(0) == 1 else bias / products
        numbers = numbers + _h_q_along(shift, sums.dim(), axis)
    factors = products / torch.full([], out_scale, dtype=torch.float32)
    steps = numbers * (factors if products.size(0) == 1 else _h_q_along(factors, sums.dim(), axis))
    return _h_q_nearest(steps, out_zero_point, max(low, out_zero_point) if relu else low, high, dtype)


def _h_q_choose(x: Tensor, low: int, high: int, reduce_range: bool) -> Tuple[float, int]:
    bottom = low // 2 if reduce_range else low
    top = high // 2 if reduce_range else high
    smallest = 0.0
    largest = 0.0
    if x.numel() > 0:
        smallest = min(float(x.min()), 0.0)
        largest = max(float(x.max()), 0.0)
    scale = (largest - smallest) / float(top - bottom)
    single = _h_q_single(scale)
    if single == 0.0 or single < 2.938736e-39:
        scale = 0.1
    if scale < 6.1e-05:
        before = _h_q_single(scale)
        scale = 6.099999882280827e-05
        if smallest == 0.0:
            largest = _h_q_single(scale * float(top - bottom))
        elif largest == 0.0:
            smallest = -_h_q_single(scale * float(top - bottom))
        else:
            factor = _h_q_single(scale / before)
            smallest = _h_q_single(smallest * factor)
            largest = _h_q_single(largest * factor)
    from_smallest = float(bottom) - smallest / scale
    from_largest = float(top) - largest / scale
    smallest_error = abs(float(bottom)) - abs(smallest / scale)
    largest_error = abs(float(top)) - abs(largest / scale)
    point = from_smallest if smallest_error < largest_error else from_largest
    point = min(max(point, float(bottom)), float(top))
    whole = int(torch.round(torch.full([], point, dtype=torch.float64)))
    return _h_q_single(scale), whole


def _h_q_linear_dynamic(
    x: Tensor,
    weight: Tensor,
    scales: Tensor,
    points: Tensor,
    is_centred: bool,
    bias: Optional[Tensor],
    reduce_range: bool,
) -> Tensor:
    if weight.is_floating_point():
        return torch.linear(x, weight, bias)
    scale, zero_point = _h_q_choose(x, 0, 255, reduce_range)
    values = _h_q_quantize(x, scale, zero_point, 0, 255, torch.uint8)
    sums = _h_q_products(values, zero_point, weight, points, is_centred).to(torch.float32)
    result = sums * (torch.full([], scale, dtype=torch.float32) * scales)
    return result if bias is None else result + bias


def _h_q_lstm_layer(
    inputs: Tensor,
    hidden: Tensor,
    cell: Tensor,
    weight: Tensor,
    scales: Tensor,
    points: Tensor,
    is_centred: bool,
    bias: Optional[Tensor],
    reduce_range: bool,
    backward: bool,
) -> Tuple[Tensor, Tensor, Tensor]:
    steps = inputs.size(0)
    h = hidden
    c = cell
    out = torch.zeros([steps, hidden.size(0), hidden.size(1)], dtype=inputs.dtype)
    for i in range(steps):
        at = steps - 1 - i if backward else i
        gates = inputs[at] + _h_q_linear_dynamic(h, weight, scales, points, is_centred, bias, reduce_range)
        parts = gates.chunk(4, 1)
        c = torch.sigmoid(parts[1]) * c + torch.sigmoid(parts[0]) * torch.tanh(parts[2])
        h = torch.sigmoid(parts[3]) * torch.tanh(c)
        out[at] = h
    return out, h, c


def _h_q_gru_layer(
    inputs: Tensor,
    hidden: Tensor,
    weight: Tensor,
    scales: Tensor,
    points: Tensor,
    is_centred: bool,
    bias: Optional[Tensor],
    reduce_range: bool,
    backward: bool,
) -> Tuple[Tensor, Tensor]:
    steps = inputs.size(0)
    h = hidden
    out = torch.zeros([steps, hidden.size(0), hidden.size(1)], dtype=inputs.dtype)
    for i in range(steps):
        at = steps - 1 - i if backward else i
        given = inputs[at].chunk(3, 1)
        own = _h_q_linear_dynamic(h, weight, scales, points, is_centred, bias, reduce_range).chunk(3, 1)
        reset = torch.sigmoid(own[0] + given[0])
        kept = torch.sigmoid(own[1] + given[1])
        new = torch.tanh(given[2] + own[2] * reset)
        h = (h - new) * kept + new
        out[at] = h
    return out, h


def _h_q_add(a: Tensor, b: Tensor) -> Tensor:
    return a + b


def _h_q_mul(a: Tensor, b: Tensor) -> Tensor:
    return a * b


def _h_q_join(tensors: List[Tensor], dim: int) -> Tensor:
    return torch.cat(tensors, dim)


def _h_q_stack(tensors: List[Tensor]) -> Tensor:
    return torch.stack(tensors, 0)


def _h_q_relu(values: Tensor, zero_point: int) -> Tensor:
    return torch.clamp(values.to(torch.int32), min=zero_point).to(values.dtype)


def _h_q_hardswish(values: Tensor, scale: float, zero_point: int) -> Tensor:
    # As PyTorch's vector code: the multiplication by the scale and the subtraction of the zero point are one operation.
    wide = torch.full([], scale, dtype=torch.float32).to(torch.float64)
    shift = torch.full([], -zero_point, dtype=torch.float32) * torch.full([], scale, dtype=torch.float32)
    x = (values.to(torch.float64) * wide + shift.to(torch.float64)).to(torch.float32)
    return x * torch.clamp(x + 3.0, 0.0, 6.0) / 6.0


def _h_q_norm(
    x: Tensor, weight: Optional[Tensor], bias: Optional[Tensor], mean: Tensor, var: Tensor, eps: float
) -> Tensor:
    return torch.batch_norm(x, weight, bias, mean, var, False, 0.0, eps, False)


def _h_q_centred(values: Tensor, zero_point: int) -> Tensor:
    return _h_q_centred_integers(values, zero_point).to(torch.float32)


def _h_q_rounded(means: Tensor, zero_point: int, low: int, high: int, dtype: int) -> Tensor:
    return torch.clamp(torch.round(means + zero_point), low, high).to(dtype)
