# Gradients of what moves and mixes the elements of images: pooling, padding, other sizes.

import torch
from torch import Tensor
from typing import List, Optional


def _h_spread(grad: Tensor, dim: int, place: Tensor, weight: Tensor, n: int) -> Tensor:
    # Element i of the result of a function was the sum of the elements place[i, j] along `dim`, weighted with
    # weight[i, j]: each gets its share of the gradient. Where a weight is 0, nothing was read.
    last = grad.transpose(dim, -1)
    each = last.unsqueeze(-1) * weight.to(grad.dtype)
    each = torch.where(weight == 0, torch.zeros_like(each), each)
    sizes = last.size()[:-1] + [n]
    total = torch.index_add(grad.new_zeros(sizes), last.dim() - 1, place.reshape([-1]), each.flatten(-2))
    return total.transpose(dim, -1)


# pooling


def _h_max_pool_backward(grad_output: Tensor, self: Tensor, indices: Tensor, dims: int) -> Tensor:
    lead = self.size()[:-dims]
    flat = torch.zeros_like(self).reshape(lead + [-1])
    return torch.scatter_add(flat, -1, indices.reshape(lead + [-1]), grad_output.reshape(lead + [-1])).reshape(self.size())


def max_pool2d_with_indices_backward(
    grad_output: Tensor,
    self: Tensor,
    kernel_size: List[int],
    stride: List[int],
    padding: List[int],
    dilation: List[int],
    ceil_mode: bool,
    indices: Tensor,
) -> Tensor:
    return _h_max_pool_backward(grad_output, self, indices, 2)


def max_pool3d_with_indices_backward(
    grad_output: Tensor,
    self: Tensor,
    kernel_size: List[int],
    stride: List[int],
    padding: List[int],
    dilation: List[int],
    ceil_mode: bool,
    indices: Tensor,
) -> Tensor:
    return _h_max_pool_backward(grad_output, self, indices, 3)


def adaptive_max_pool2d_backward(grad_output: Tensor, self: Tensor, indices: Tensor) -> Tensor:
    return _h_max_pool_backward(grad_output, self, indices, 2)


def adaptive_max_pool3d_backward(grad_output: Tensor, self: Tensor, indices: Tensor) -> Tensor:
    return _h_max_pool_backward(grad_output, self, indices, 3)


def fractional_max_pool2d_backward(
    grad_output: Tensor, self: Tensor, kernel_size: List[int], output_size: List[int], indices: Tensor
) -> Tensor:
    return _h_max_pool_backward(grad_output, self, indices, 2)


def fractional_max_pool3d_backward(
    grad_output: Tensor, self: Tensor, kernel_size: List[int], output_size: List[int], indices: Tensor
) -> Tensor:
    return _h_max_pool_backward(grad_output, self, indices, 3)


def _h_avg_axis_backward(
    grad: Tensor, dim: int, n: int, kernel: int, stride: int, padding: int, count_include_pad: bool, divide: bool
) -> Tensor:
    first = (torch.arange(grad.size(dim)) * stride - padding).unsqueeze(1)
    place = first + torch.arange(kernel)
    inside = torch.logical_and(place >= 0, place < n).to(grad.dtype)
    if not divide:
        share = inside
    elif count_include_pad:
        share = inside / (torch.clamp(first + kernel, max=n + padding) - first).to(grad.dtype)
    else:
        share = inside / inside.sum([1], True)
    return _h_spread(grad, dim, torch.clamp(place, 0, n - 1), share, n)


def _h_avg_pool_backward(
    grad_output: Tensor,
    self: Tensor,
    kernel_size: List[int],
    stride: List[int],
    padding: List[int],
    count_include_pad: bool,
    divisor_override: Optional[int],
    dims: int,
) -> Tensor:
    grad = _h_wide(grad_output)
    for i in range(dims):
        kernel = kernel_size[i] if len(kernel_size) == dims else kernel_size[0]
        pad = padding[i] if len(padding) == dims else padding[0]
        step = kernel
        if len(stride) > 0:
            step = stride[i] if len(stride) == dims else stride[0]
        dim = self.dim() - dims + i
        grad = _h_avg_axis_backward(
            grad, dim, self.size(dim), kernel, step, pad, count_include_pad, divisor_override is None
        )
    if divisor_override is not None:
        grad = grad / divisor_override
    return _h_narrow(grad, self.dtype)


def avg_pool2d_backward(
    grad_output: Tensor,
    self: Tensor,
    kernel_size: List[int],
    stride: List[int],
    padding: List[int],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: Optional[int],
) -> Tensor:
    return _h_avg_pool_backward(
        grad_output, self, kernel_size, stride, padding, count_include_pad, divisor_override, 2
    )


def avg_pool3d_backward(
    grad_output: Tensor,
    self: Tensor,
    kernel_size: List[int],
    stride: List[int],
    padding: List[int],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: Optional[int],
) -> Tensor:
    return _h_avg_pool_backward(
        grad_output, self, kernel_size, stride, padding, count_include_pad, divisor_override, 3
    )


def _h_adaptive_axis_backward(grad: Tensor, dim: int, n: int) -> Tensor:
    # window i of m holds the elements from floor(i n / m) to ceil((i + 1) n / m)
    m = grad.size(dim)
    start = (torch.arange(m) * n // m).unsqueeze(1)
    end = (((torch.arange(m) + 1) * n + m - 1) // m).unsqueeze(1)
    widest = n // m + 2
    place = start + torch.arange(widest)
    share = (place < end).to(grad.dtype) / (end - start).to(grad.dtype)
    return _h_spread(grad, dim, torch.clamp(place, max=n - 1), share, n)


def _adaptive_avg_pool2d_backward(grad_output: Tensor, self: Tensor) -> Tensor:
    rows = _h_adaptive_axis_backward(_h_wide(grad_output), self.dim() - 2, self.size(-2))
    return _h_narrow(_h_adaptive_axis_backward(rows, self.dim() - 1, self.size(-1)), self.dtype)


# padding


def _h_gather_axis_backward(grad: Tensor, dim: int, place: Tensor, n: int) -> Tensor:
    # of index_select(x, dim, place), x of extent n there
    sizes = grad.size()
    sizes[dim] = n
    return torch.index_add(grad.new_zeros(sizes), dim, place, grad)


def _h_pad_backward(grad_output: Tensor, self: Tensor, padding: List[int], mode: str) -> Tensor:
    grad = grad_output
    for i in range(len(padding) // 2):
        dim = self.dim() - 1 - i
        n = self.size(dim)
        before, after = padding[2 * i], padding[2 * i + 1]
        place = _h_reflected(n, before, after) if mode == "reflect" else _h_replicated(n, before, after)
        grad = _h_gather_axis_backward(grad, dim, place, n)
    return grad


def reflection_pad1d_backward(grad_output: Tensor, self: Tensor, padding: List[int]) -> Tensor:
    return _h_pad_backward(grad_output, self, padding, "reflect")


def reflection_pad2d_backward(grad_output: Tensor, self: Tensor, padding: List[int]) -> Tensor:
    return _h_pad_backward(grad_output, self, padding, "reflect")


def reflection_pad3d_backward(grad_output: Tensor, self: Tensor, padding: List[int]) -> Tensor:
    return _h_pad_backward(grad_output, self, padding, "reflect")


def replication_pad1d_backward(grad_output: Tensor, self: Tensor, padding: List[int]) -> Tensor:
    return _h_pad_backward(grad_output, self, padding, "replicate")


def replication_pad2d_backward(grad_output: Tensor, self: Tensor, padding: List[int]) -> Tensor:
    return _h_pad_backward(grad_output, self, padding, "replicate")


def replication_pad3d_backward(grad_output: Tensor, self: Tensor, padding: List[int]) -> Tensor:
    return _h_pad_backward(grad_output, self, padding, "replicate")


# other sizes: the gradient of a weighted sum of neighbours, axis after axis


def _h_nearest_axis_backward(grad: Tensor, dim: int, n: int, scale: Optional[float]) -> Tensor:
    size = grad.size(dim)
    place = torch.clamp(_h_nearest_places(n, size, _h_plain_scale(n, size, scale)), max=n - 1)
    return _h_gather_axis_backward(grad, dim, place, n)


def upsample_nearest1d_backward(
    grad_output: Tensor, output_size: List[int], input_size: List[int], scales: Optional[float]
) -> Tensor:
    return _h_nearest_axis_backward(grad_output, 2, input_size[2], scales)


def upsample_nearest2d_backward(
    grad_output: Tensor,
    output_size: List[int],
    input_size: List[int],
    scales_h: Optional[float],
    scales_w: Optional[float],
) -> Tensor:
    rows = _h_nearest_axis_backward(grad_output, 2, input_size[2], scales_h)
    return _h_nearest_axis_backward(rows, 3, input_size[3], scales_w)


def upsample_nearest3d_backward(
    grad_output: Tensor,
    output_size: List[int],
    input_size: List[int],
    scales_d: Optional[float],
    scales_h: Optional[float],
    scales_w: Optional[float],
) -> Tensor:
    planes = upsample_nearest2d_backward(grad_output, output_size, input_size, scales_d, scales_h)
    return _h_nearest_axis_backward(planes, 4, input_size[4], scales_w)


def _h_linear_axis_backward(grad: Tensor, dim: int, n: int, align_corners: bool, scale: Optional[float]) -> Tensor:
    if n == grad.size(dim):
        return grad
    place = torch.clamp_min(_h_positions(n, grad.size(dim), align_corners, scale, grad.dtype), 0)
    low = torch.clamp(torch.floor(place).to(torch.int64), max=n - 1)
    high = torch.clamp(low + 1, max=n - 1)
    share = place - low
    return _h_spread(grad, dim, torch.stack([low, high], 1), torch.stack([1 - share, share], 1), n)


def upsample_linear1d_backward(
    grad_output: Tensor, output_size: List[int], input_size: List[int], align_corners: bool, scales: Optional[float]
) -> Tensor:
    grad = _h_linear_axis_backward(_h_wide(grad_output), 2, input_size[2], align_corners, scales)
    return _h_narrow(grad, grad_output.dtype)


def upsample_bilinear2d_backward(
    grad_output: Tensor,
    output_size: List[int],
    input_size: List[int],
    align_corners: bool,
    scales_h: Optional[float],
    scales_w: Optional[float],
) -> Tensor:
    rows = _h_linear_axis_backward(_h_wide(grad_output), 2, input_size[2], align_corners, scales_h)
    return _h_narrow(_h_linear_axis_backward(rows, 3, input_size[3], align_corners, scales_w), grad_output.dtype)


def upsample_trilinear3d_backward(
    grad_output: Tensor,
    output_size: List[int],
    input_size: List[int],
    align_corners: bool,
    scales_d: Optional[float],
    scales_h: Optional[float],
    scales_w: Optional[float],
) -> Tensor:
    planes = _h_linear_axis_backward(_h_wide(grad_output), 2, input_size[2], align_corners, scales_d)
    rows = _h_linear_axis_backward(planes, 3, input_size[3], align_corners, scales_h)
    return _h_narrow(_h_linear_axis_backward(rows, 4, input_size[4], align_corners, scales_w), grad_output.dtype)


def affine_grid_generator_backward(grad: Tensor, size: List[int], align_corners: bool) -> Tensor:
    # the grid is linear in theta: its slope is the grid of each unit entry
    k = len(size) - 2
    unit = torch.eye(k + 1, dtype=grad.dtype)[:k]
    axes = affine_grid_generator(unit.unsqueeze(0), [1] + size[1:], align_corners).reshape([-1, k])
    ones = torch.ones([axes.size(0), 1], dtype=grad.dtype)
    base = torch.cat([axes, ones], 1)
    return torch.matmul(grad.reshape([size[0], -1, k]).transpose(1, 2), base)
