# Gradients of sampling at fractional places.

import torch
from torch import Tensor
from typing import List, Tuple


def _h_grid_slope(coordinate: Tensor, n: int, padding_mode: int, align_corners: bool) -> Tensor:
    # derivative of the place that is looked up
    slope = torch.full_like(coordinate, float(n - 1) / 2.0 if align_corners else float(n) / 2.0)
    place = _h_grid_place(coordinate, n, align_corners)
    if padding_mode == 2:
        low, high = (0.0, float(n - 1)) if align_corners else (-0.5, float(n) - 0.5)
        if low == high:
            return torch.zeros_like(place)
        flips = torch.floor(torch.abs(place - low) / (high - low))
        forward = (torch.remainder(flips, 2) == 0) == (place >= low)
        slope = torch.where(forward, slope, -slope)
        place = _h_reflect_place(place, low, high)
    if padding_mode != 0:
        slope = torch.where((place > 0) & (place < n - 1), slope, torch.zeros_like(slope))
    return slope


def _h_grid_element(places: List[Tensor], sizes: List[int]) -> Tuple[Tensor, Tensor]:
    # of whole numbers [N, P], one for each dimension, the last first: which element, and whether there is one
    index = torch.zeros_like(places[0], dtype=torch.int64)
    inside = torch.ones_like(places[0], dtype=torch.bool)
    for axis in range(len(places)):
        inside = inside & (places[axis] >= 0) & (places[axis] <= sizes[len(sizes) - 1 - axis] - 1)
    for i in range(len(places)):
        index = index * sizes[i] + _h_whole_place(places[len(places) - 1 - i], inside)
    return index.unsqueeze(1), inside.unsqueeze(1)


def _h_grid_share(
    total: Tensor, flat: Tensor, grad: Tensor, places: List[Tensor], weight: Tensor, sizes: List[int]
) -> Tuple[Tensor, Tensor]:
    # `total` with the share of the elements at these places, and the product [N, P] of these elements with `grad`
    index, inside = _h_grid_element(places, sizes)
    index = index.expand(grad.size())
    total = torch.scatter_add(total, 2, index, grad * (weight.unsqueeze(1) * inside))
    return total, (torch.gather(flat, 2, index) * inside * grad).sum(1)


def _h_cubic_slope(distance: Tensor) -> Tensor:
    # derivative of `_h_cubic_weight`
    d = distance.abs()
    slope = torch.where(d <= 1.0, (3.75 * d - 4.5) * d, (-2.25 * d + 7.5) * d - 6.0)
    return slope * torch.sign(distance)


def _h_grid_cubic_backward(
    grad: Tensor, flat: Tensor, points: Tensor, sizes: List[int], padding_mode: int, align_corners: bool
) -> Tuple[Tensor, Tensor]:
    h, w = sizes[0], sizes[1]
    x = _h_grid_place(points.select(2, 0), w, align_corners)
    y = _h_grid_place(points.select(2, 1), h, align_corners)
    x0 = torch.floor(x)
    y0 = torch.floor(y)
    total = torch.zeros_like(flat)
    slope_x = torch.zeros_like(x)
    slope_y = torch.zeros_like(y)
    for i in range(-1, 3):
        ys = _h_grid_pad(y0 + float(i), h, padding_mode, align_corners)
        dy = y - y0 - float(i)
        for j in range(-1, 3):
            xs = _h_grid_pad(x0 + float(j), w, padding_mode, align_corners)
            dx = x - x0 - float(j)
            weight = _h_cubic_weight(dx) * _h_cubic_weight(dy)
            total, part = _h_grid_share(total, flat, grad, [xs, ys], weight, sizes)
            slope_x = slope_x + part * _h_cubic_slope(dx) * _h_cubic_weight(dy)
            slope_y = slope_y + part * _h_cubic_slope(dy) * _h_cubic_weight(dx)
    slopes = [
        slope_x * _h_grid_slope(points.select(2, 0), w, 0, align_corners),
        slope_y * _h_grid_slope(points.select(2, 1), h, 0, align_corners),
    ]
    return total, torch.stack(slopes, 2)


def _h_grid_linear_backward(
    grad: Tensor, flat: Tensor, points: Tensor, sizes: List[int], padding_mode: int, align_corners: bool
) -> Tuple[Tensor, Tensor]:
    dims = len(sizes)
    first: List[Tensor] = []
    part: List[Tensor] = []
    slopes: List[Tensor] = []
    for axis in range(dims):
        n = sizes[dims - 1 - axis]
        coordinate = points.select(2, axis)
        place = _h_grid_pad(_h_grid_place(coordinate, n, align_corners), n, padding_mode, align_corners)
        first.append(torch.floor(place))
        part.append(place - first[axis])
        slopes.append(torch.zeros_like(place))
    total = torch.zeros_like(flat)
    for corner in range(1 << dims):
        places: List[Tensor] = []
        weights: List[Tensor] = []
        weight = torch.ones_like(part[0])
        for axis in range(dims):
            upper = (corner >> axis) & 1
            places.append(first[axis] + float(upper))
            weights.append(part[axis] if upper == 1 else 1.0 - part[axis])
            weight = weight * weights[axis]
        total, product = _h_grid_share(total, flat, grad, places, weight, sizes)
        for axis in range(dims):
            slope = product if (corner >> axis) & 1 == 1 else -product
            for other in range(dims):
                if other != axis:
                    slope = slope * weights[other]
            slopes[axis] = slopes[axis] + slope
    for axis in range(dims):
        slopes[axis] = slopes[axis] * _h_grid_slope(
            points.select(2, axis), sizes[dims - 1 - axis], padding_mode, align_corners
        )
    return total, torch.stack(slopes, 2)


def _h_grid_nearest_backward(
    grad: Tensor, flat: Tensor, points: Tensor, sizes: List[int], padding_mode: int, align_corners: bool
) -> Tuple[Tensor, Tensor]:
    places: List[Tensor] = []
    for axis in range(len(sizes)):
        n = sizes[len(sizes) - 1 - axis]
        place = _h_grid_place(points.select(2, axis), n, align_corners)
        places.append(torch.round(_h_grid_pad(place, n, padding_mode, align_corners)))
    total, _ = _h_grid_share(torch.zeros_like(flat), flat, grad, places, torch.ones_like(places[0]), sizes)
    return total, torch.zeros_like(points)


def _h_grid_backward(
    grad_output: Tensor, input: Tensor, grid: Tensor, mode: int, padding_mode: int, align_corners: bool, output_mask: List[bool]
) -> Tuple[Tensor, Tensor]:
    sizes = input.size()[2:]
    points = grid.reshape([grid.size(0), -1, len(sizes)])
    grad = grad_output.reshape([input.size(0), input.size(1), -1])
    flat = input.reshape([input.size(0), input.size(1), -1])
    if mode == 2:
        total, slopes = _h_grid_cubic_backward(grad, flat, points, sizes, padding_mode, align_corners)
    elif mode == 1:
        total, slopes = _h_grid_nearest_backward(grad, flat, points, sizes, padding_mode, align_corners)
    else:
        total, slopes = _h_grid_linear_backward(grad, flat, points, sizes, padding_mode, align_corners)
    grad_input = total.reshape(input.size()) if output_mask[0] else input.new_zeros([0])
    return grad_input, slopes.reshape(grid.size())


def grid_sampler_2d_backward(
    grad_output: Tensor,
    input: Tensor,
    grid: Tensor,
    interpolation_mode: int,
    padding_mode: int,
    align_corners: bool,
    output_mask: List[bool],
) -> Tuple[Tensor, Tensor]:
    return _h_grid_backward(grad_output, input, grid, interpolation_mode, padding_mode, align_corners, output_mask)


def grid_sampler_3d_backward(
    grad_output: Tensor,
    input: Tensor,
    grid: Tensor,
    interpolation_mode: int,
    padding_mode: int,
    align_corners: bool,
    output_mask: List[bool],
) -> Tuple[Tensor, Tensor]:
    if interpolation_mode == 2:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    return _h_grid_backward(grad_output, input, grid, interpolation_mode, padding_mode, align_corners, output_mask)
