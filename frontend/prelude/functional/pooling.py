# Pooling of torch.nn.functional.

import torch
from torch import Tensor
from typing import List, Optional, Tuple


def adaptive_max_pool1d_with_indices(
    input: Tensor, output_size: BroadcastingList1[int], return_indices: bool = False
) -> Tuple[Tensor, Tensor]:
    return torch.adaptive_max_pool1d(input, output_size)


def adaptive_max_pool1d(input: Tensor, output_size: BroadcastingList1[int], return_indices: bool = False) -> Tensor:
    # with a constant True, the call is one of the function above
    if return_indices:
        raise RuntimeError("adaptive_max_pool1d: return_indices must be a constant")
    return torch.adaptive_max_pool1d(input, output_size)[0]


def adaptive_max_pool2d_with_indices(
    input: Tensor, output_size: BroadcastingList2[int], return_indices: bool = False
) -> Tuple[Tensor, Tensor]:
    return torch.adaptive_max_pool2d(input, output_size)


def adaptive_max_pool2d(input: Tensor, output_size: BroadcastingList2[int], return_indices: bool = False) -> Tensor:
    # with a constant True, the call is one of the function above
    if return_indices:
        raise RuntimeError("adaptive_max_pool2d: return_indices must be a constant")
    return torch.adaptive_max_pool2d(input, output_size)[0]


def adaptive_max_pool3d_with_indices(
    input: Tensor, output_size: BroadcastingList3[int], return_indices: bool = False
) -> Tuple[Tensor, Tensor]:
    return torch.adaptive_max_pool3d(input, output_size)


def adaptive_max_pool3d(input: Tensor, output_size: BroadcastingList3[int], return_indices: bool = False) -> Tensor:
    # with a constant True, the call is one of the function above
    if return_indices:
        raise RuntimeError("adaptive_max_pool3d: return_indices must be a constant")
    return torch.adaptive_max_pool3d(input, output_size)[0]


def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: BroadcastingList1[int],
    stride: Optional[BroadcastingList1[int]] = None,
    padding: BroadcastingList1[int] = 0,
    dilation: BroadcastingList1[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tuple[Tensor, Tensor]:
    step = kernel_size if stride is None else stride
    return torch.max_pool1d_with_indices(input, kernel_size, step, padding, dilation, ceil_mode)


def max_pool1d(
    input: Tensor,
    kernel_size: BroadcastingList1[int],
    stride: Optional[BroadcastingList1[int]] = None,
    padding: BroadcastingList1[int] = 0,
    dilation: BroadcastingList1[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    if return_indices:
        raise RuntimeError("max_pool1d: return_indices must be a constant")
    step = kernel_size if stride is None else stride
    return torch.max_pool1d(input, kernel_size, step, padding, dilation, ceil_mode)


def max_pool2d_with_indices(
    input: Tensor,
    kernel_size: BroadcastingList2[int],
    stride: Optional[BroadcastingList2[int]] = None,
    padding: BroadcastingList2[int] = 0,
    dilation: BroadcastingList2[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tuple[Tensor, Tensor]:
    step = kernel_size if stride is None else stride
    return torch.max_pool2d_with_indices(input, kernel_size, step, padding, dilation, ceil_mode)


def max_pool2d(
    input: Tensor,
    kernel_size: BroadcastingList2[int],
    stride: Optional[BroadcastingList2[int]] = None,
    padding: BroadcastingList2[int] = 0,
    dilation: BroadcastingList2[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    if return_indices:
        raise RuntimeError("max_pool2d: return_indices must be a constant")
    step = kernel_size if stride is None else stride
    return torch.max_pool2d(input, kernel_size, step, padding, dilation, ceil_mode)


def max_pool3d_with_indices(
    input: Tensor,
    kernel_size: BroadcastingList3[int],
    stride: Optional[BroadcastingList3[int]] = None,
    padding: BroadcastingList3[int] = 0,
    dilation: BroadcastingList3[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tuple[Tensor, Tensor]:
    step = kernel_size if stride is None else stride
    return torch.max_pool3d_with_indices(input, kernel_size, step, padding, dilation, ceil_mode)


def max_pool3d(
    input: Tensor,
    kernel_size: BroadcastingList3[int],
    stride: Optional[BroadcastingList3[int]] = None,
    padding: BroadcastingList3[int] = 0,
    dilation: BroadcastingList3[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    if return_indices:
        raise RuntimeError("max_pool3d: return_indices must be a constant")
    step = kernel_size if stride is None else stride
    return torch.max_pool3d(input, kernel_size, step, padding, dilation, ceil_mode)


def lp_pool1d(
    input: Tensor,
    norm_type: float,
    kernel_size: int,
    stride: Optional[BroadcastingList1[int]] = None,
    ceil_mode: bool = False,
) -> Tensor:
    powers = torch.pow(input, norm_type)
    mean = torch.avg_pool1d(powers, kernel_size, [kernel_size] if stride is None else stride, 0, ceil_mode)
    return torch.pow(torch.sign(mean) * torch.relu(torch.abs(mean)) * float(kernel_size), 1.0 / norm_type)


def lp_pool2d(
    input: Tensor,
    norm_type: float,
    kernel_size: BroadcastingList2[int],
    stride: Optional[BroadcastingList2[int]] = None,
    ceil_mode: bool = False,
) -> Tensor:
    powers = torch.pow(input, norm_type)
    mean = torch.avg_pool2d(powers, kernel_size, kernel_size if stride is None else stride, 0, ceil_mode)
    count = float(kernel_size[0] * kernel_size[1])
    return torch.pow(torch.sign(mean) * torch.relu(torch.abs(mean)) * count, 1.0 / norm_type)


def lp_pool3d(
    input: Tensor,
    norm_type: float,
    kernel_size: BroadcastingList3[int],
    stride: Optional[BroadcastingList3[int]] = None,
    ceil_mode: bool = False,
) -> Tensor:
    powers = torch.pow(input, norm_type)
    mean = torch.avg_pool3d(powers, kernel_size, kernel_size if stride is None else stride, 0, ceil_mode)
    count = float(kernel_size[0] * kernel_size[1] * kernel_size[2])
    return torch.pow(torch.sign(mean) * torch.relu(torch.abs(mean)) * count, 1.0 / norm_type)


def _h_fractional_size(given: Optional[List[int]], ratio: Optional[List[float]], input: Tensor, dims: int) -> List[int]:
    if given is not None:
        return given
    if ratio is None:
        raise ValueError("fractional_max_pool requires specifying either an output_size or an output_ratio")
    sizes: List[int] = []
    for i in range(dims):
        sizes.append(int(input.size(i - dims) * ratio[i]))
    return sizes


def _h_fractional_samples(given: Optional[Tensor], input: Tensor, dims: int) -> Tensor:
    if given is not None:
        return given
    batch = 1 if input.dim() == dims + 1 else input.size(0)
    return torch.rand([batch, input.size(-dims - 1), dims], dtype=input.dtype)


def fractional_max_pool2d_with_indices(
    input: Tensor,
    kernel_size: BroadcastingList2[int],
    output_size: Optional[BroadcastingList2[int]] = None,
    output_ratio: Optional[BroadcastingList2[float]] = None,
    return_indices: bool = False,
    _random_samples: Optional[Tensor] = None,
) -> Tuple[Tensor, Tensor]:
    size = _h_fractional_size(output_size, output_ratio, input, 2)
    return torch._C._nn.fractional_max_pool2d(input, kernel_size, size, _h_fractional_samples(_random_samples, input, 2))


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: BroadcastingList2[int],
    output_size: Optional[BroadcastingList2[int]] = None,
    output_ratio: Optional[BroadcastingList2[float]] = None,
    return_indices: bool = False,
    _random_samples: Optional[Tensor] = None,
) -> Tensor:
    if return_indices:
        raise RuntimeError("fractional_max_pool2d: return_indices must be a constant")
    size = _h_fractional_size(output_size, output_ratio, input, 2)
    return torch._C._nn.fractional_max_pool2d(input, kernel_size, size, _h_fractional_samples(_random_samples, input, 2))[0]


def fractional_max_pool3d_with_indices(
    input: Tensor,
    kernel_size: BroadcastingList3[int],
    output_size: Optional[BroadcastingList3[int]] = None,
    output_ratio: Optional[BroadcastingList3[float]] = None,
    return_indices: bool = False,
    _random_samples: Optional[Tensor] = None,
) -> Tuple[Tensor, Tensor]:
    size = _h_fractional_size(output_size, output_ratio, input, 3)
    return torch._C._nn.fractional_max_pool3d(input, kernel_size, size, _h_fractional_samples(_random_samples, input, 3))


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: BroadcastingList3[int],
    output_size: Optional[BroadcastingList3[int]] = None,
    output_ratio: Optional[BroadcastingList3[float]] = None,
    return_indices: bool = False,
    _random_samples: Optional[Tensor] = None,
) -> Tensor:
    if return_indices:
        raise RuntimeError("fractional_max_pool3d: return_indices must be a constant")
    size = _h_fractional_size(output_size, output_ratio, input, 3)
    return torch._C._nn.fractional_max_pool3d(input, kernel_size, size, _h_fractional_samples(_random_samples, input, 3))[0]


def _unpool_output_size(
    input: Tensor, kernel_size: List[int], stride: List[int], padding: List[int], output_size: Optional[List[int]]
) -> List[int]:
    count = len(kernel_size)
    usual: List[int] = []
    for d in range(count):
        usual.append((input.size(d - count) - 1) * stride[d] + kernel_size[d] - 2 * padding[d])
    if output_size is None:
        return usual
    sizes = output_size
    if len(sizes) == count + 2:
        sizes = sizes[2:]
    if len(sizes) != count:
        raise ValueError(
            "output_size should be a sequence containing {} or {} elements, but it has a length of '{}'".format(
                count, count + 2, len(sizes)
            )
        )
    for d in range(count):
        low = usual[d] - stride[d]
        high = usual[d] + stride[d]
        if not (low < sizes[d] and sizes[d] < high):
            raise ValueError(
                'invalid output_size "{}" (dim {} must be between {} and {})'.format(sizes, d, low, high)
            )
    return sizes


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: BroadcastingList1[int],
    stride: Optional[BroadcastingList1[int]] = None,
    padding: BroadcastingList1[int] = 0,
    output_size: Optional[List[int]] = None,
) -> Tensor:
    step = kernel_size if stride is None else stride
    sizes = _unpool_output_size(input, kernel_size, step, padding, output_size)
    return torch.max_unpool2d(input.unsqueeze(-1), indices.unsqueeze(-1), sizes + [1]).squeeze(-1)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: BroadcastingList2[int],
    stride: Optional[BroadcastingList2[int]] = None,
    padding: BroadcastingList2[int] = 0,
    output_size: Optional[List[int]] = None,
) -> Tensor:
    step = kernel_size if stride is None else stride
    sizes = _unpool_output_size(input, kernel_size, step, padding, output_size)
    return torch.max_unpool2d(input, indices, sizes)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: BroadcastingList3[int],
    stride: Optional[BroadcastingList3[int]] = None,
    padding: BroadcastingList3[int] = 0,
    output_size: Optional[List[int]] = None,
) -> Tensor:
    step = kernel_size if stride is None else stride
    sizes = _unpool_output_size(input, kernel_size, step, padding, output_size)
    return torch.max_unpool3d(input, indices, sizes, step, padding)
