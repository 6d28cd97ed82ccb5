# Quantized layers: transposed convolutions, steps of recurrent networks, packed sequences, embeddings.

import torch
from torch import Tensor
from typing import List, Optional, Tuple


def _h_q_half(weight: Tensor) -> Tensor:
    return torch.clamp(weight, -65504.0, 65504.0).to(torch.float16).to(torch.float32)


def _h_q_transposed(
    x: Tensor,
    zero_point: int,
    weight: Tensor,
    points: Tensor,
    is_centred: bool,
    stride: List[int],
    padding: List[int],
    output_padding: List[int],
    groups: int,
    dilation: List[int],
) -> Tensor:
    if points.numel() != 1:
        raise RuntimeError("weights of transposed convolutions are quantized with one scale here")
    image = x.to(torch.float64) - float(zero_point)
    numbers = weight.to(torch.float64)
    if not is_centred:
        numbers = numbers - points.to(torch.float64)
    if weight.dim() == 5:
        sums = torch.conv_transpose3d(image, numbers, None, stride, padding, output_padding, groups, dilation)
    else:
        sums = torch.conv_transpose2d(image, numbers, None, stride, padding, output_padding, groups, dilation)
    return sums.to(torch.int32)


def _h_q_lstm_step(given: Tensor, own: Tensor, cell: Tensor) -> Tuple[Tensor, Tensor]:
    parts = (given + own).chunk(4, 1)
    c = torch.sigmoid(parts[1]) * cell + torch.sigmoid(parts[0]) * torch.tanh(parts[2])
    return torch.sigmoid(parts[3]) * torch.tanh(c), c


def _h_q_gru_step(inputs: Tensor, hidden: Tensor, h: Tensor) -> Tensor:
    given = inputs.chunk(3, 1)
    own = hidden.chunk(3, 1)
    reset = torch.sigmoid(own[0] + given[0])
    kept = torch.sigmoid(own[1] + given[1])
    new = torch.tanh(given[2] + own[2] * reset)
    return (h - new) * kept + new


def _h_q_lstm_packed(
    inputs: Tensor,
    batch_sizes: Tensor,
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
    # A step quantizes the states of those sequences only that go on.
    h = hidden.clone()
    c = cell.clone()
    out = torch.zeros([inputs.size(0), hidden.size(1)], dtype=inputs.dtype)
    steps = batch_sizes.size(0)
    start = inputs.size(0) if backward else 0
    for i in range(steps):
        count = int(batch_sizes[steps - 1 - i if backward else i])
        if backward:
            start -= count
        own = _h_q_linear_dynamic(h[:count], weight, scales, points, is_centred, bias, reduce_range)
        new, cells = _h_q_lstm_step(inputs[start : start + count], own, c[:count])
        h[:count] = new
        c[:count] = cells
        out[start : start + count] = new
        if not backward:
            start += count
    return out, h, c


def _h_q_gru_packed(
    inputs: Tensor,
    batch_sizes: Tensor,
    hidden: Tensor,
    weight: Tensor,
    scales: Tensor,
    points: Tensor,
    is_centred: bool,
    bias: Optional[Tensor],
    reduce_range: bool,
    backward: bool,
) -> Tuple[Tensor, Tensor]:
    h = hidden.clone()
    out = torch.zeros([inputs.size(0), hidden.size(1)], dtype=inputs.dtype)
    steps = batch_sizes.size(0)
    start = inputs.size(0) if backward else 0
    for i in range(steps):
        count = int(batch_sizes[steps - 1 - i if backward else i])
        if backward:
            start -= count
        own = _h_q_linear_dynamic(h[:count], weight, scales, points, is_centred, bias, reduce_range)
        new = _h_q_gru_step(inputs[start : start + count], own, h[:count])
        h[:count] = new
        out[start : start + count] = new
        if not backward:
            start += count
    return out, h


def _h_q_row_parameters(scales: Tensor, points: Tensor) -> Tuple[Tensor, Tensor]:
    single = scales.to(torch.float32)
    return single, points.to(torch.float32) * single * -1.0


def _h_q_fused(numbers: Tensor, scale: Tensor, start: Tensor) -> Tensor:
    # one rounding: the product of a byte and a float32 is exact in float64
    return (numbers.to(torch.float64) * scale.to(torch.float64) + start.to(torch.float64)).to(torch.float32)


def _h_q_embedding(rows: Tensor, scales: Tensor, biases: Tensor, indices: Tensor) -> Tensor:
    return _h_q_fused(rows[indices], scales[indices].unsqueeze(-1), biases[indices].unsqueeze(-1))


def _h_q_embedding_bag(
    rows: Tensor,
    scales: Tensor,
    biases: Tensor,
    indices: Tensor,
    offsets: Optional[Tensor],
    weights: Optional[Tensor],
    include_last: bool,
) -> Tensor:
    # Row by row, each sum rounded as PyTorch's kernel rounds it.
    if indices.dim() == 2:
        starts = torch.arange(indices.size(0), dtype=torch.int64) * indices.size(1)
        last = False
    else:
        assert offsets is not None
        starts = offsets.to(torch.int64)
        last = include_last
    flat = indices.to(torch.int64).reshape([-1])
    factor, start = scales[flat], biases[flat]
    if weights is not None:
        factor, start = factor * weights.reshape([-1]), start * weights.reshape([-1])
    bags = starts.size(0) - 1 if last else starts.size(0)
    result = torch.zeros([bags, rows.size(1)], dtype=torch.float32)
    for bag in range(bags):
        first = int(starts[bag])
        end = int(starts[bag + 1]) if bag + 1 < starts.size(0) else flat.size(0)
        for i in range(first, end):
            result[bag] = _h_q_fused(rows[int(flat[i])], factor[i], result[bag] + start[i])
    return result


def _h_q_rows(packed: Tensor, bits: int) -> Tuple[Tensor, Tensor, Tensor]:
    # The numbers, scales and biases of rows of bytes.
    if bits == 8:
        ends = torch.view_copy(packed[:, -8:].contiguous(), torch.float32)
        return packed[:, :-8], ends[:, 0], ends[:, 1]
    ends = torch.view_copy(packed[:, -4:].contiguous(), torch.float16).to(torch.float32)
    per = 8 // bits
    shifts = torch.arange(per, dtype=torch.uint8) * bits
    numbers = (packed[:, :-4].unsqueeze(-1) >> shifts) & ((1 << bits) - 1)
    return numbers.reshape([packed.size(0), -1]), ends[:, 0], ends[:, 1]


def _h_q_unpack_rows(packed: Tensor, bits: int) -> Tensor:
    rows, scales, biases = _h_q_rows(packed, bits)
    if bits == 8:
        return _h_q_fused(rows, scales.unsqueeze(-1), biases.unsqueeze(-1))
    return rows.to(torch.float32) * scales.unsqueeze(-1) + biases.unsqueeze(-1)


def _h_q_pack_rows(weight: Tensor, bits: int) -> Tensor:
    x = weight.to(torch.float32)
    low, high = x.amin(1, True), x.amax(1, True)
    top = float((1 << bits) - 1)
    if bits == 8:
        spread = high - low
        numbers = torch.round((x - low) * (top / (spread + 1e-8))).to(torch.uint8)
        return torch.cat([numbers, torch.view_copy(torch.cat([spread / top, low], 1), torch.uint8)], 1)
    least = low.to(torch.float16).to(torch.float32)
    spread = high - least
    scale = torch.where(spread == 0.0, torch.ones_like(spread), spread / top).to(torch.float16).to(torch.float32)
    is_tiny = scale == 0.0
    scale = torch.where(is_tiny, torch.ones_like(scale), scale)
    inverse = 1.0 / scale
    is_wide = torch.isinf(inverse)
    scale = torch.where(is_wide, torch.ones_like(scale), scale)
    inverse = torch.where(is_wide, torch.ones_like(scale), inverse)
    numbers = torch.clamp(torch.round((x - least) * inverse), 0.0, top).to(torch.uint8)
    per = 8 // bits
    if numbers.size(1) % per != 0:
        numbers = torch.constant_pad_nd(numbers, [0, per - numbers.size(1) % per], 0)
    shifts = torch.arange(per, dtype=torch.uint8) * bits
    bytes = (numbers.reshape([x.size(0), -1, per]) << shifts).sum(-1).to(torch.uint8)
    return torch.cat([bytes, torch.view_copy(torch.cat([scale, least], 1).to(torch.float16), torch.uint8)], 1)
