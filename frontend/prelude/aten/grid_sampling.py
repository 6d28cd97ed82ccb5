# Sampling at fractional places.

import torch
from torch import Tensor
from typing import List


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


def _h_grid_place(coordinate: Tensor, n: int, align_corners: bool) -> Tensor:
    if align_corners:
        place = (coordinate + 1.0) / 2.0 * float(n - 1)
    else:
        place = ((coordinate + 1.0) * float(n) - 1.0) / 2.0
    return place


def _h_grid_pad(place: Tensor, n: int, padding_mode: int, align_corners: bool) -> Tensor:
    # where a place outside is looked up
    if padding_mode == 2:
        if align_corners:
            place = _h_reflect_place(place, 0.0, float(n - 1))
        else:
            place = _h_reflect_place(place, -0.5, float(n) - 0.5)
    if padding_mode != 0:
        place = torch.clamp(place, 0, n - 1)
    return place


def _h_whole_place(x: Tensor, inside: Tensor) -> Tensor:
    # before it is counted with: a float may not hold the number of all elements
    return torch.where(inside, x, torch.zeros_like(x)).to(torch.int64)


def _h_grid_pick(flat: Tensor, x: Tensor, y: Tensor, h: int, w: int) -> Tensor:
    # flat [N, C, H * W], x and y [N, P] whole numbers; zero outside
    inside = (x >= 0) & (x <= w - 1) & (y >= 0) & (y <= h - 1)
    index = _h_whole_place(y, inside) * w + _h_whole_place(x, inside)
    index = index.unsqueeze(1).expand([flat.size(0), flat.size(1), x.size(1)])
    return torch.gather(flat, 2, index) * inside.unsqueeze(1)


def _h_cubic_weight(distance: Tensor) -> Tensor:
    # of an element at this distance, up to 2
    d = distance.abs()
    near = (1.25 * d - 2.25) * d * d + 1.0
    far = ((-0.75 * d + 3.75) * d - 6.0) * d + 3.0
    return torch.where(d <= 1.0, near, far)


def _h_grid_cubic(
    flat: Tensor, x: Tensor, y: Tensor, h: int, w: int, padding_mode: int, align_corners: bool
) -> Tensor:
    # 4 x 4 neighbours, each of which may lie outside
    x0 = torch.floor(x)
    y0 = torch.floor(y)
    result = torch.zeros([1], dtype=flat.dtype)
    for i in range(-1, 3):
        ys = _h_grid_pad(y0 + float(i), h, padding_mode, align_corners)
        line = torch.zeros([1], dtype=flat.dtype)
        for j in range(-1, 3):
            xs = _h_grid_pad(x0 + float(j), w, padding_mode, align_corners)
            line = line + _h_grid_pick(flat, xs, ys, h, w) * _h_cubic_weight(x - x0 - float(j)).unsqueeze(1)
        result = result + line * _h_cubic_weight(y - y0 - float(i)).unsqueeze(1)
    return result


def grid_sampler_2d(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    n, c, h, w = input.size(0), input.size(1), input.size(2), input.size(3)
    shape = [n, c, grid.size(1), grid.size(2)]
    points = grid.reshape([n, grid.size(1) * grid.size(2), 2])
    x = _h_grid_place(points.select(2, 0), w, align_corners)
    y = _h_grid_place(points.select(2, 1), h, align_corners)
    flat = input.reshape([n, c, h * w])
    if interpolation_mode == 2:
        return _h_grid_cubic(flat, x, y, h, w, padding_mode, align_corners).reshape(shape)
    x = _h_grid_pad(x, w, padding_mode, align_corners)
    y = _h_grid_pad(y, h, padding_mode, align_corners)
    if interpolation_mode == 1:
        return _h_grid_pick(flat, torch.round(x), torch.round(y), h, w).reshape(shape)
    x0 = torch.floor(x)
    y0 = torch.floor(y)
    fx = (x - x0).unsqueeze(1)
    fy = (y - y0).unsqueeze(1)
    top = _h_grid_pick(flat, x0, y0, h, w) * (1.0 - fx) + _h_grid_pick(flat, x0 + 1.0, y0, h, w) * fx
    bottom = _h_grid_pick(flat, x0, y0 + 1.0, h, w) * (1.0 - fx) + _h_grid_pick(flat, x0 + 1.0, y0 + 1.0, h, w) * fx
    return (top * (1.0 - fy) + bottom * fy).reshape(shape)


def _h_grid_pick_3d(flat: Tensor, x: Tensor, y: Tensor, z: Tensor, w: int, h: int, d: int) -> Tensor:
    # flat [N, C, D * H * W], the places [N, P] whole numbers; zero outside
    inside = (x >= 0) & (x <= w - 1) & (y >= 0) & (y <= h - 1) & (z >= 0) & (z <= d - 1)
    index = (_h_whole_place(z, inside) * h + _h_whole_place(y, inside)) * w + _h_whole_place(x, inside)
    index = index.unsqueeze(1).expand([flat.size(0), flat.size(1), x.size(1)])
    return torch.gather(flat, 2, index) * inside.unsqueeze(1)


def grid_sampler_3d(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    n, c, d, h, w = input.size(0), input.size(1), input.size(2), input.size(3), input.size(4)
    shape = [n, c, grid.size(1), grid.size(2), grid.size(3)]
    points = grid.reshape([n, grid.size(1) * grid.size(2) * grid.size(3), 3])
    x = _h_grid_pad(_h_grid_place(points.select(2, 0), w, align_corners), w, padding_mode, align_corners)
    y = _h_grid_pad(_h_grid_place(points.select(2, 1), h, align_corners), h, padding_mode, align_corners)
    z = _h_grid_pad(_h_grid_place(points.select(2, 2), d, align_corners), d, padding_mode, align_corners)
    flat = input.reshape([n, c, d * h * w])
    if interpolation_mode == 1:
        return _h_grid_pick_3d(flat, torch.round(x), torch.round(y), torch.round(z), w, h, d).reshape(shape)
    x0 = torch.floor(x)
    y0 = torch.floor(y)
    z0 = torch.floor(z)
    result = torch.zeros([1], dtype=input.dtype)
    for k in range(2):
        for j in range(2):
            for i in range(2):
                weight = (
                    (x - x0 if i == 1 else x0 + 1.0 - x)
                    * (y - y0 if j == 1 else y0 + 1.0 - y)
                    * (z - z0 if k == 1 else z0 + 1.0 - z)
                )
                corner = _h_grid_pick_3d(flat, x0 + float(i), y0 + float(j), z0 + float(k), w, h, d)
                result = result + corner * weight.unsqueeze(1)
    return result.reshape(shape)


def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    if input.dtype != grid.dtype:
        raise RuntimeError(
            "expected scalar type {} but found {}".format(_h_type_name(input.dtype), _h_type_name(grid.dtype))
        )
    if input.dim() == 5 and interpolation_mode == 2:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    if input.dim() == 5:
        return grid_sampler_3d(input, grid, interpolation_mode, padding_mode, align_corners)
    if input.dim() != 4:
        raise RuntimeError("grid_sampler(): expected 4D or 5D input and grid with same number of dimensions")
    return grid_sampler_2d(input, grid, interpolation_mode, padding_mode, align_corners)
