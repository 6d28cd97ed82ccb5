# What quantization would make of a tensor, still in floating point.

import torch
from torch import Tensor


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
