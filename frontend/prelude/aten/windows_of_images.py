# Windows of an image: taken out, put back, unpooled.

import torch
from torch import Tensor
from typing import List


# unpooling


def _h_max_unpool(self: Tensor, indices: Tensor, output_size: List[int], dims: int) -> Tensor:
    if self.dim() != dims + 1 and self.dim() != dims + 2:
        raise RuntimeError(
            "Input to max_unpooling{}d should be a {}d or {}d Tensor, but got a tensor with {} dims".format(
                dims, dims + 1, dims + 2, self.dim()
            )
        )
    if len(output_size) != dims:
        raise RuntimeError(
            "There should be exactly {} elements in output_size, but got {} elements.".format(dims, len(output_size))
        )
    if self.size() != indices.size():
        raise RuntimeError(
            "Expected shape of indices to be same as that of the input tensor ({}) but got indices tensor with shape: {}".format(
                self.size(), indices.size()
            )
        )
    kept: List[int] = []
    for i in range(self.dim() - dims):
        kept.append(self.size(i))
    total = 1
    for n in output_size:
        total = total * n
    empty = torch.zeros(kept + [total], dtype=self.dtype)
    full = empty.scatter(-1, indices.flatten(-dims), self.flatten(-dims))
    return full.reshape(kept + output_size)


def max_unpool2d(self: Tensor, indices: Tensor, output_size: List[int]) -> Tensor:
    return _h_max_unpool(self, indices, output_size, 2)


def max_unpool3d(
    self: Tensor, indices: Tensor, output_size: List[int], stride: List[int], padding: List[int]
) -> Tensor:
    return _h_max_unpool(self, indices, output_size, 3)


def im2col(self: Tensor, kernel_size: List[int], dilation: List[int], padding: List[int], stride: List[int]) -> Tensor:
    x = self if self.dim() == 4 else self.unsqueeze(0)
    x = torch.constant_pad_nd(x, [padding[1], padding[1], padding[0], padding[0]], 0)
    spread0 = dilation[0] * (kernel_size[0] - 1) + 1
    spread1 = dilation[1] * (kernel_size[1] - 1) + 1
    windows = x.unfold(2, spread0, stride[0]).unfold(3, spread1, stride[1])
    windows = windows[:, :, :, :, :: dilation[0], :: dilation[1]]
    columns = windows.permute([0, 1, 4, 5, 2, 3]).reshape(
        [x.size(0), x.size(1) * kernel_size[0] * kernel_size[1], windows.size(2) * windows.size(3)]
    )
    return columns if self.dim() == 4 else columns.squeeze(0)


# windows of an image, put back


def col2im(
    self: Tensor, output_size: List[int], kernel_size: List[int], dilation: List[int], padding: List[int], stride: List[int]
) -> Tensor:
    x = self if self.dim() == 3 else self.unsqueeze(0)
    count = kernel_size[0] * kernel_size[1]
    if x.size(1) % count != 0:
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got input.size(1)={} and kernel_size=({}, {}).".format(
                x.size(1), kernel_size[0], kernel_size[1]
            )
        )
    height = output_size[0] + 2 * padding[0]
    width = output_size[1] + 2 * padding[1]
    rows = (height - dilation[0] * (kernel_size[0] - 1) - 1) // stride[0] + 1
    cols = (width - dilation[1] * (kernel_size[1] - 1) - 1) // stride[1] + 1
    if x.size(2) != rows * cols:
        raise RuntimeError(
            "Given output_size=({}, {}), kernel_size=({}, {}), expected size of input's dimension 2 to match the calculated number of sliding blocks {} * {} = {}, but got input.size(2)={}.".format(
                output_size[0], output_size[1], kernel_size[0], kernel_size[1], rows, cols, rows * cols, x.size(2)
            )
        )
    # where every element of a column goes, as a place in the padded image
    tall = (torch.arange(kernel_size[0]) * dilation[0]).unsqueeze(1) + torch.arange(rows) * stride[0]
    wide = (torch.arange(kernel_size[1]) * dilation[1]).unsqueeze(1) + torch.arange(cols) * stride[1]
    place = tall.reshape([kernel_size[0], 1, rows, 1]) * width + wide.reshape([1, kernel_size[1], 1, cols])
    n = x.size(0)
    channels = x.size(1) // count
    flat = torch.zeros([n, channels, height * width], dtype=x.dtype)
    flat = torch.index_add(flat, 2, place.reshape([-1]), x.reshape([n, channels, count * rows * cols]))
    image = flat.reshape([n, channels, height, width])
    image = image[:, :, padding[0] : padding[0] + output_size[0], padding[1] : padding[1] + output_size[1]]
    return image if self.dim() == 3 else image.squeeze(0)


# convolutions by the names of their kernels


def thnn_conv2d(
    self: Tensor, weight: Tensor, kernel_size: List[int], bias: Optional[Tensor], stride: List[int], padding: List[int]
) -> Tensor:
    return torch.conv2d(self, weight, bias, stride, padding)


def slow_conv3d(
    self: Tensor, weight: Tensor, kernel_size: List[int], bias: Optional[Tensor], stride: List[int], padding: List[int]
) -> Tensor:
    return torch.conv3d(self, weight, bias, stride, padding)


def slow_conv_dilated2d(
    self: Tensor,
    weight: Tensor,
    kernel_size: List[int],
    bias: Optional[Tensor],
    stride: List[int],
    padding: List[int],
    dilation: List[int],
) -> Tensor:
    return torch.conv2d(self, weight, bias, stride, padding, dilation)


def slow_conv_dilated3d(
    self: Tensor,
    weight: Tensor,
    kernel_size: List[int],
    bias: Optional[Tensor],
    stride: List[int],
    padding: List[int],
    dilation: List[int],
) -> Tensor:
    return torch.conv3d(self, weight, bias, stride, padding, dilation)


def slow_conv_transpose2d(
    self: Tensor,
    weight: Tensor,
    kernel_size: List[int],
    bias: Optional[Tensor],
    stride: List[int],
    padding: List[int],
    output_padding: List[int],
    dilation: List[int],
) -> Tensor:
    return torch.conv_transpose2d(self, weight, bias, stride, padding, output_padding, 1, dilation)


def slow_conv_transpose3d(
    self: Tensor,
    weight: Tensor,
    kernel_size: List[int],
    bias: Optional[Tensor],
    stride: List[int],
    padding: List[int],
    output_padding: List[int],
    dilation: List[int],
) -> Tensor:
    return torch.conv_transpose3d(self, weight, bias, stride, padding, output_padding, 1, dilation)


def conv_tbc(self: Tensor, weight: Tensor, bias: Tensor, pad: int) -> Tensor:
    # time, batch, channels; the weight [taps, in, out]
    if self.dim() != 3:
        raise RuntimeError("Input must have 3 dims: time, batch, in_channel")
    if weight.dim() != 3:
        raise RuntimeError("Weight tensor must have 3 dims: kernel_width, in_channels, out_channels.")
    if bias.dim() != 1:
        raise RuntimeError("Bias must be 1-D")
    if self.size(2) != weight.size(1):
        raise RuntimeError("Input dim 2 (input channels) is not == dim 1 in the weight tensor")
    if weight.size(2) != bias.size(0):
        raise RuntimeError("Bias size must equal dim 2 in the weight tensor (output channels).")
    return torch.conv1d(self.permute([1, 2, 0]), weight.permute([2, 1, 0]), bias, 1, pad).permute([2, 0, 1])
