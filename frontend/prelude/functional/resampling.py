# Resampling of torch.nn.functional.

import math

import torch
from torch import Tensor
from typing import List, Optional


def _h_as_sizes(size: List[int], count: int) -> List[int]:
    # one number arrives three times
    if len(size) == 3 and count < 3 and size[0] == size[1] and size[1] == size[2]:
        return [size[0]] * count
    if len(size) != count:
        raise ValueError(
            "Input and output must have the same number of spatial dimensions, but got input with spatial dimensions of {} and output size of {}.".format(
                count, size
            )
        )
    return size


def _h_as_factors(factor: List[float], count: int) -> List[float]:
    if len(factor) == 3 and count < 3 and factor[0] == factor[1] and factor[1] == factor[2]:
        return [factor[0]] * count
    if len(factor) != count:
        raise ValueError(
            "Input and scale_factor must have the same number of spatial dimensions, but got input with spatial dimensions of {} and scale_factor of shape {}.".format(
                count, factor
            )
        )
    return factor


def _h_nearest_exact(input: Tensor, dim: int, size: int, factor: Optional[float]) -> Tensor:
    n = input.size(dim)
    ratio = float(n) / float(size)
    if factor is not None:
        ratio = 1.0 / factor
    place = torch.floor((torch.arange(size).to(torch.float32) + 0.5) * ratio).to(torch.int64)
    return torch.index_select(input, dim, torch.clamp(place, max=n - 1))


def _h_scaled_sizes(input: Tensor, factors: List[float]) -> List[int]:
    sizes: List[int] = []
    for i in range(len(factors)):
        sizes.append(int(math.floor(float(input.size(i + 2)) * factors[i])))
    return sizes


def interpolate(
    input: Tensor,
    size: Optional[BroadcastingList3[int]] = None,
    scale_factor: Optional[BroadcastingList3[float]] = None,
    mode: str = "nearest",
    align_corners: Optional[bool] = None,
    recompute_scale_factor: Optional[bool] = None,
    antialias: bool = False,
) -> Tensor:
    count = input.dim() - 2
    corners = False
    if mode == "nearest" or mode == "area" or mode == "nearest-exact":
        if align_corners is not None:
            raise ValueError(
                "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
            )
    else:
        if align_corners is not None:
            corners = align_corners
    if antialias:
        if count != 2 or (mode != "bilinear" and mode != "bicubic"):
            raise ValueError("Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D tensor as input")
    sizes: List[int] = []
    factors: Optional[List[float]] = None
    if size is not None:
        if scale_factor is not None:
            raise ValueError("only one of size or scale_factor should be defined")
        sizes = _h_as_sizes(size, count)
    else:
        if scale_factor is None:
            raise ValueError("either size or scale_factor should be defined")
        given = _h_as_factors(scale_factor, count)
        sizes = _h_scaled_sizes(input, given)
        recompute = False
        if recompute_scale_factor is not None:
            recompute = recompute_scale_factor
        if not recompute:
            factors = given
    if mode == "area":
        if count == 1:
            return torch.adaptive_avg_pool1d(input, sizes)
        if count == 2:
            return torch.adaptive_avg_pool2d(input, sizes)
        return torch.adaptive_avg_pool3d(input, sizes)
    s0: Optional[float] = None
    s1: Optional[float] = None
    s2: Optional[float] = None
    if factors is not None:
        s0 = factors[0]
        if count > 1:
            s1 = factors[1]
        if count > 2:
            s2 = factors[2]
    if mode == "nearest":
        if count == 1:
            return torch.upsample_nearest1d(input, sizes, s0)
        if count == 2:
            return torch.upsample_nearest2d(input, sizes, s0, s1)
        return torch.upsample_nearest3d(input, sizes, s0, s1, s2)
    if mode == "nearest-exact":
        x = _h_nearest_exact(input, 2, sizes[0], s0)
        if count > 1:
            x = _h_nearest_exact(x, 3, sizes[1], s1)
        if count > 2:
            x = _h_nearest_exact(x, 4, sizes[2], s2)
        return x
    if mode == "linear" and count == 1:
        return torch.upsample_linear1d(input, sizes, corners, s0)
    if antialias and mode == "bilinear":
        return torch._upsample_bilinear2d_aa(input, sizes, corners, s0, s1)
    if antialias:
        return torch._upsample_bicubic2d_aa(input, sizes, corners, s0, s1)
    if mode == "bilinear" and count == 2:
        return torch.upsample_bilinear2d(input, sizes, corners, s0, s1)
    if mode == "trilinear" and count == 3:
        return torch.upsample_trilinear3d(input, sizes, corners, s0, s1, s2)
    if mode == "bicubic" and count == 2:
        return torch.upsample_bicubic2d(input, sizes, corners, s0, s1)
    raise NotImplementedError(
        "Input Error: Only 3D, 4D and 5D input Tensors supported (got {}D) for the modes: nearest | linear | bilinear | bicubic | trilinear | area | nearest-exact (got {})".format(
            input.dim(), mode
        )
    )


def upsample(
    input: Tensor,
    size: Optional[BroadcastingList3[int]] = None,
    scale_factor: Optional[BroadcastingList3[float]] = None,
    mode: str = "nearest",
    align_corners: Optional[bool] = None,
) -> Tensor:
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(
    input: Tensor,
    size: Optional[BroadcastingList3[int]] = None,
    scale_factor: Optional[BroadcastingList3[float]] = None,
) -> Tensor:
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(
    input: Tensor,
    size: Optional[BroadcastingList3[int]] = None,
    scale_factor: Optional[BroadcastingList3[float]] = None,
) -> Tensor:
    return interpolate(input, size, scale_factor, "bilinear", True)


def affine_grid(theta: Tensor, size: List[int], align_corners: Optional[bool] = None) -> Tensor:
    corners = False
    if align_corners is not None:
        corners = align_corners
    return torch.affine_grid_generator(theta, size, corners)


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: Optional[bool] = None,
) -> Tensor:
    if mode != "bilinear" and mode != "nearest" and mode != "bicubic":
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{}'".format(
                mode
            )
        )
    if padding_mode != "zeros" and padding_mode != "border" and padding_mode != "reflection":
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: '{}'".format(
                padding_mode
            )
        )
    interpolation = 0 if mode == "bilinear" else 1 if mode == "nearest" else 2
    padding = 0 if padding_mode == "zeros" else 1 if padding_mode == "border" else 2
    corners = False
    if align_corners is not None:
        corners = align_corners
    return torch.grid_sampler(input, grid, interpolation, padding, corners)
