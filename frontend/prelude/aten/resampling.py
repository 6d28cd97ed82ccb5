# Images and signals of another size.

import torch
from torch import Tensor
from typing import List, Optional, Tuple


# resampling


def _h_nearest_places(n: int, size: int, scale: Optional[float]) -> Tensor:
    ratio = float(n) / float(size)
    if scale is not None:
        if scale > 0.0:
            ratio = 1.0 / scale
    # PyTorch computes positions in float32
    return torch.floor(torch.arange(size).to(torch.float32) * ratio).to(torch.int64)


def _h_plain_scale(n: int, size: int, scale: Optional[float]) -> Optional[float]:
    # some of PyTorch's kernels take no notice of a scale where sizes are the same or double
    if size == n or size == 2 * n:
        return None
    return scale


def _h_need_resampling(self: Tensor, output_size: List[int], name: str, takes_bytes: bool) -> None:
    for i in range(len(output_size)):
        if output_size[i] <= 0 or self.size(i + 2) <= 0:
            raise RuntimeError(
                "Input and output sizes should be greater than 0, but got input {} and output {}".format(
                    self.size()[2:], output_size
                )
            )
    if not self.is_floating_point() and not (takes_bytes and self.dtype == torch.uint8):
        raise RuntimeError("\"{}\" not implemented for '{}'".format(name, _h_type_name(self.dtype)))


def _h_nearest(self: Tensor, dim: int, size: int, scale: Optional[float]) -> Tensor:
    n = self.size(dim)
    return torch.index_select(self, dim, torch.clamp(_h_nearest_places(n, size, scale), max=n - 1))


def upsample_nearest1d(self: Tensor, output_size: List[int], scales: Optional[float]) -> Tensor:
    _h_need_resampling(self, output_size, "compute_indices_weights_nearest", True)
    return _h_nearest(self, 2, output_size[0], scales)


def upsample_nearest2d(
    self: Tensor, output_size: List[int], scales_h: Optional[float], scales_w: Optional[float]
) -> Tensor:
    _h_need_resampling(self, output_size, "upsample_nearest2d_channels_last", True)
    h, w = output_size[0], output_size[1]
    rows = _h_nearest(self, 2, h, _h_plain_scale(self.size(2), h, scales_h))
    return _h_nearest(rows, 3, w, _h_plain_scale(self.size(3), w, scales_w))


def upsample_nearest3d(
    self: Tensor,
    output_size: List[int],
    scales_d: Optional[float],
    scales_h: Optional[float],
    scales_w: Optional[float],
) -> Tensor:
    _h_need_resampling(self, output_size, "compute_indices_weights_nearest", True)
    planes = _h_nearest(_h_nearest(self, 2, output_size[0], scales_d), 3, output_size[1], scales_h)
    return _h_nearest(planes, 4, output_size[2], scales_w)


def _h_positions(n: int, size: int, align_corners: bool, scale: Optional[float], dtype: int) -> Tensor:
    # where each output element lies in the input, computed in the type of the elements
    steps = torch.arange(size).to(dtype)
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
    place = torch.clamp_min(_h_positions(n, size, align_corners, scale, self.dtype), 0)
    low = torch.clamp(torch.floor(place).to(torch.int64), max=n - 1)
    high = torch.clamp(low + 1, max=n - 1)
    share = place - low
    for _ in range(self.dim() - 1 - dim):
        share = share.unsqueeze(-1)
    return torch.index_select(self, dim, low) * (1 - share) + torch.index_select(self, dim, high) * share


def upsample_linear1d(self: Tensor, output_size: List[int], align_corners: bool, scales: Optional[float]) -> Tensor:
    _h_need_resampling(self, output_size, "compute_indices_weights_linear", False)
    return _h_narrow(_h_linear_axis(_h_wide(self), 2, output_size[0], align_corners, scales), self.dtype)


def upsample_bilinear2d(
    self: Tensor, output_size: List[int], align_corners: bool, scales_h: Optional[float], scales_w: Optional[float]
) -> Tensor:
    _h_need_resampling(self, output_size, "upsample_bilinear2d_channels_last", True)
    if self.dtype == torch.uint8:
        return _h_resized_bytes(self, output_size, align_corners, scales_h, scales_w, False, False)
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
    _h_need_resampling(self, output_size, "compute_indices_weights_linear", False)
    planes = _h_linear_axis(_h_wide(self), 2, output_size[0], align_corners, scales_d)
    rows = _h_linear_axis(planes, 3, output_size[1], align_corners, scales_h)
    return _h_narrow(_h_linear_axis(rows, 4, output_size[2], align_corners, scales_w), self.dtype)


def _h_cubic_axis(self: Tensor, dim: int, size: int, align_corners: bool, scale: Optional[float]) -> Tensor:
    # Keys' kernel with a = -0.75 over four neighbours, clamped at the border
    n = self.size(dim)
    place = _h_positions(n, size, align_corners, scale, self.dtype)
    base = torch.floor(place)
    t = place - base
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
    _h_need_resampling(self, output_size, "compute_indices_weights_cubic", True)
    if self.dtype == torch.uint8:
        return _h_resized_bytes(self, output_size, align_corners, scales_h, scales_w, True, False)
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


def _h_permute_last(x: Tensor, order: List[int]) -> Tensor:
    lead = x.dim() - len(order)
    dims: List[int] = []
    for i in range(lead):
        dims.append(i)
    for d in order:
        dims.append(lead + d)
    return x.permute(dims)


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
    split = self.reshape(lead + [c // (r * r), r, r, h, w])
    return _h_permute_last(split, [0, 3, 1, 4, 2]).reshape(lead + [c // (r * r), h * r, w * r])


def pixel_unshuffle(self: Tensor, downscale_factor: int) -> Tensor:
    r = downscale_factor
    lead = self.size()[:-3]
    c, h, w = self.size(-3), self.size(-2), self.size(-1)
    split = self.reshape(lead + [c, h // r, r, w // r, r])
    return _h_permute_last(split, [0, 2, 4, 1, 3]).reshape(lead + [c * r * r, h // r, w // r])


def channel_shuffle(self: Tensor, groups: int) -> Tensor:
    split = self.unflatten(1, [groups, self.size(1) // groups])
    return split.transpose(1, 2).reshape(self.size())


def native_channel_shuffle(self: Tensor, groups: int) -> Tensor:
    return channel_shuffle(self, groups)


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
    _h_need_resampling(self, output_size, "compute_indices_weights_nearest", True)
    return _h_nearest_middle(self, 2, output_size[0], scales)


def _upsample_nearest_exact2d(
    self: Tensor, output_size: List[int], scales_h: Optional[float], scales_w: Optional[float]
) -> Tensor:
    _h_need_resampling(self, output_size, "upsample_nearest2d_channels_last", True)
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


def _h_filter_scale(n: int, size: int, align_corners: bool, given: Optional[float]) -> float:
    if align_corners:
        return float(n - 1) / float(size - 1) if size > 1 else 0.0
    if given is not None:
        if given > 0.0:
            return 1.0 / given
    return float(n) / float(size)


def _h_keys_kernel(far: Tensor, a: float) -> Tensor:
    near = ((a + 2.0) * far - (a + 3.0)) * far * far + 1.0
    return torch.where(far < 1.0, near, torch.where(far < 2.0, ((far - 5.0) * far + 8.0) * (a * far) - 4.0 * a, 0.0 * far))


def _h_filter(n: int, size: int, scale: float, cubic: bool, dtype: int) -> Tuple[Tensor, Tensor, Tensor]:
    # for each element of the result the places that it is made of, their weights, and which of them are there
    wide = scale if scale >= 1.0 else 1.0
    support = (2.0 if cubic else 1.0) * wide
    # PyTorch computes positions in the type of the elements
    center = (scale * (torch.arange(size).to(dtype) + 0.5)).unsqueeze(1)
    low = torch.clamp_min(torch.trunc(center - support + 0.5), 0)
    high = torch.clamp(torch.trunc(center + support + 0.5), max=n)
    taps = 1 - 2 * int(-support // 1.0)
    place = low + torch.arange(taps)
    inside = place < high
    far = torch.abs((place - center + 0.5) / wide)
    near = _h_keys_kernel(far, -0.5) if cubic else torch.clamp_min(1.0 - far, 0)
    weight = torch.where(inside, near, 0.0 * near)
    total = weight.sum([1], True)
    weight = weight / torch.where(total == 0.0, torch.ones_like(total), total)
    return torch.clamp(place.to(torch.int64), max=n - 1), weight, inside


def _h_filtered(self: Tensor, dim: int, size: int, align_corners: bool, given: Optional[float], cubic: bool) -> Tensor:
    n = self.size(dim)
    place, weight, inside = _h_filter(n, size, _h_filter_scale(n, size, align_corners, given), cubic, self.dtype)
    taken = torch.index_select(self, dim, place.reshape([-1])).unflatten(dim, [size, place.size(1)])
    for _ in range(self.dim() - 1 - dim):
        weight = weight.unsqueeze(-1)
        inside = inside.unsqueeze(-1)
    return torch.where(inside, taken * weight, torch.zeros([], dtype=self.dtype)).sum([dim + 1])


# bytes: weights are whole numbers of 16 bits, and each axis is rounded to bytes


def _h_taps(n: int, size: int, scale: float, align_corners: bool, cubic: bool) -> Tuple[Tensor, Tensor]:
    steps = torch.arange(size).to(torch.float64)
    at = steps * scale if align_corners else (steps + 0.5) * scale - 0.5
    if not cubic:
        at = torch.clamp_min(at, 0)
    base = torch.clamp(torch.floor(at), max=n - 1)
    share = torch.clamp(at - base, 0.0, 1.0).unsqueeze(1)
    first = -1 if cubic else 0
    offset = torch.arange(first, 3 if cubic else 2)
    place = torch.clamp(base.unsqueeze(1).to(torch.int64) + offset, 0, n - 1)
    far = torch.abs(offset - share)
    weight = _h_keys_kernel(far, -0.75) if cubic else 1.0 - far
    # beyond the border the outermost element is meant: it gets all their weight before that is rounded
    same = place.unsqueeze(2) == place.unsqueeze(1)
    taps = weight.size(1)
    earlier = torch.arange(taps).unsqueeze(1) > torch.arange(taps)
    merged = torch.where(same, weight.unsqueeze(1), 0.0 * weight.unsqueeze(1)).sum([2])
    return place, torch.where((same & earlier).any(2), 0.0 * merged, merged)


def _h_resized_axis_of_bytes(
    self: Tensor, dim: int, size: int, align_corners: bool, given: Optional[float], cubic: bool, antialias: bool
) -> Tensor:
    n = self.size(dim)
    if n == size:
        return self
    scale = _h_filter_scale(n, size, align_corners, given)
    place, weight = _h_taps(n, size, scale, align_corners, cubic)
    if antialias:
        place, weight, inside = _h_filter(n, size, scale, cubic, torch.float64)
    # as many binary digits as the largest weight leaves
    digits = (weight.amax() * torch.pow(2.0, torch.arange(1, 23)) < 32767.5).sum().to(torch.int32)
    scaled = weight * torch.pow(2.0, digits.to(torch.float64))
    whole = torch.trunc(scaled + torch.where(weight < 0.0, -0.5 + 0.0 * scaled, 0.5 + 0.0 * scaled)).to(torch.int32)
    taken = torch.index_select(self, dim, place.reshape([-1])).unflatten(dim, [size, place.size(1)]).to(torch.int32)
    for _ in range(self.dim() - 1 - dim):
        whole = whole.unsqueeze(-1)
    total = (taken * whole).sum([dim + 1], dtype=torch.int32)
    half = torch.bitwise_left_shift(torch.ones_like(digits), digits - 1)
    return torch.clamp(torch.bitwise_right_shift(total + half, digits), 0, 255).to(torch.uint8)


def _h_resized_bytes(
    self: Tensor,
    output_size: List[int],
    align_corners: bool,
    scales_h: Optional[float],
    scales_w: Optional[float],
    cubic: bool,
    antialias: bool,
) -> Tensor:
    rows = _h_resized_axis_of_bytes(self, 3, output_size[1], align_corners, scales_w, cubic, antialias)
    return _h_resized_axis_of_bytes(rows, 2, output_size[0], align_corners, scales_h, cubic, antialias)


def _h_filtered_plane(
    self: Tensor,
    output_size: List[int],
    align_corners: bool,
    scales_h: Optional[float],
    scales_w: Optional[float],
    cubic: bool,
) -> Tensor:
    if self.dtype == torch.uint8:
        return _h_resized_bytes(self, output_size, align_corners, scales_h, scales_w, cubic, True)
    if not self.is_floating_point():
        raise RuntimeError("resizing with antialias is supported for floating point tensors and bytes only")
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
