"""Sliding windows to columns and back."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Module
from torch.nn.modules.utils import _pair


class Unfold(Module):
    __constants__ = ["kernel_size", "dilation", "padding", "stride"]

    def __init__(self, kernel_size, dilation=1, padding=0, stride=1):
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)


class Fold(Module):
    __constants__ = ["output_size", "kernel_size", "dilation", "padding", "stride"]

    def __init__(self, output_size, kernel_size, dilation=1, padding=0, stride=1):
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride
        self._sizes = _pair(output_size), _pair(kernel_size), _pair(dilation), _pair(padding), _pair(stride)

    def forward(self, input: Tensor) -> Tensor:
        """Adds every column, [channels * kernel height * kernel width], where its window stood."""
        (height, width), (kh, kw), (dh, dw), (ph, pw), (sh, sw) = self._sizes
        columns = input if input.dim() == 3 else input.unsqueeze(0)
        rows = (height + 2 * ph - dh * (kh - 1) - 1) // sh + 1
        cols = (width + 2 * pw - dw * (kw - 1) - 1) // sw + 1
        if columns.size(1) % (kh * kw) != 0 or columns.size(2) != rows * cols:
            raise RuntimeError(f"Fold: an input of size {input.size()} does not fit: expected {rows * cols} columns")
        n, channels = columns.size(0), columns.size(1) // (kh * kw)
        windows = columns.view(n, channels, kh, kw, rows, cols)
        output = torch.zeros([n, channels, height + 2 * ph, width + 2 * pw], dtype=input.dtype, device=input.device)
        for i in range(kh):
            for j in range(kw):
                top, left = i * dh, j * dw
                output[:, :, top : top + sh * rows : sh, left : left + sw * cols : sw] += windows[:, :, i, j]
        output = output[:, :, ph : ph + height, pw : pw + width]
        return output if input.dim() == 3 else output.squeeze(0)
