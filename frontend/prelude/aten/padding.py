# Padding.

import torch
from torch import Tensor
from typing import List, Optional


def _h_reflected(n: int, before: int, after: int) -> Tensor:
    if before >= n or after >= n:
        raise RuntimeError(
            "Argument #4: Padding size should be less than the corresponding input dimension, but got: padding ({}, {}) at a dimension of size {}".format(
                before, after, n
            )
        )
    place = torch.abs(torch.arange(-before, n + after))
    return n - 1 - torch.abs(n - 1 - place)


def _h_replicated(n: int, before: int, after: int) -> Tensor:
    return torch.clamp(torch.arange(-before, n + after), 0, n - 1)


def _h_pad_with(self: Tensor, padding: List[int], mode: str) -> Tensor:
    # padding holds (before, after) of the last dimension, of the one before it, ...
    result = self
    for i in range(len(padding) // 2):
        dim = self.dim() - 1 - i
        n = self.size(dim)
        before, after = padding[2 * i], padding[2 * i + 1]
        if before != 0 or after != 0:
            if mode == "reflect":
                index = _h_reflected(n, before, after)
            elif mode == "replicate":
                index = _h_replicated(n, before, after)
            else:
                # what is cut off is not wrapped round
                kept = n + min(before, 0) + min(after, 0)
                if before > kept or after > kept:
                    raise RuntimeError("Padding value causes wrapping around more than once.")
                index = torch.remainder(torch.arange(-max(before, 0), kept + max(after, 0)), kept) - min(before, 0)
            result = torch.index_select(result, dim, index)
    return result


def reflection_pad1d(self: Tensor, padding: List[int]) -> Tensor:
    return _h_pad_with(self, padding, "reflect")


def reflection_pad2d(self: Tensor, padding: List[int]) -> Tensor:
    return _h_pad_with(self, padding, "reflect")


def reflection_pad3d(self: Tensor, padding: List[int]) -> Tensor:
    return _h_pad_with(self, padding, "reflect")


def replication_pad1d(self: Tensor, padding: List[int]) -> Tensor:
    return _h_pad_with(self, padding, "replicate")


def replication_pad2d(self: Tensor, padding: List[int]) -> Tensor:
    return _h_pad_with(self, padding, "replicate")


def replication_pad3d(self: Tensor, padding: List[int]) -> Tensor:
    return _h_pad_with(self, padding, "replicate")


def pad(self: Tensor, pad: List[int], mode: str, value: Optional[float]) -> Tensor:
    if len(pad) % 2 != 0:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(pad) > 2 * self.dim():
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got padding length {} and input of dimension {}".format(
                len(pad), self.dim()
            )
        )
    if mode == "constant":
        fill = 0.0
        if value is not None:
            fill = value
        return torch.constant_pad_nd(self, pad, fill)
    return _h_pad_with(self, pad, mode)
