# Pooling with windows at pseudo-random places (Graham).

import torch
from torch import Tensor
from typing import List, Tuple


def _h_fractional_starts(sample: Tensor, input: int, output: int, kernel: int) -> Tensor:
    # sample [...]: where the windows begin, [..., output]
    last = input - kernel
    if output == 1:
        return torch.full_like(sample.unsqueeze(-1), float(last)).to(torch.int64)
    alpha = torch.full([], float(last), dtype=sample.dtype) / float(output - 1)
    place = torch.arange(output - 1).to(sample.dtype)
    s = sample.unsqueeze(-1)
    starts = ((place + s) * alpha).to(torch.int64) - (s * alpha).to(torch.int64)
    return torch.cat([starts, torch.full_like(s, float(last)).to(torch.int64)], -1)


def fractional_max_pool2d(
    self: Tensor, kernel_size: List[int], output_size: List[int], random_samples: Tensor
) -> Tuple[Tensor, Tensor]:
    x = self if self.dim() == 4 else self.unsqueeze(0)
    if x.dim() != 4:
        raise RuntimeError("fractional_max_pool2d(): Expected 3D or 4D tensor, but got: {}".format(self.size()))
    n, c, h, w = x.size(0), x.size(1), x.size(2), x.size(3)
    wide = _h_fractional_starts(random_samples.select(2, 0), w, output_size[1], kernel_size[1])
    tall = _h_fractional_starts(random_samples.select(2, 1), h, output_size[0], kernel_size[0])
    rows = tall.unsqueeze(-1) + torch.arange(kernel_size[0])
    cols = wide.unsqueeze(-1) + torch.arange(kernel_size[1])
    # [n, c, oh, ow, kh, kw]
    place = rows.unsqueeze(3).unsqueeze(5) * w + cols.unsqueeze(2).unsqueeze(4)
    count = kernel_size[0] * kernel_size[1]
    flat = place.reshape([n, c, output_size[0] * output_size[1] * count])
    windows = torch.gather(x.reshape([n, c, h * w]), 2, flat).reshape([n, c, output_size[0], output_size[1], count])
    values, best = torch.max(windows, 4)
    places = torch.gather(place.reshape([n, c, output_size[0], output_size[1], count]), 4, best.unsqueeze(4)).squeeze(4)
    return (values, places) if self.dim() == 4 else (values.squeeze(0), places.squeeze(0))


def fractional_max_pool3d(
    self: Tensor, kernel_size: List[int], output_size: List[int], random_samples: Tensor
) -> Tuple[Tensor, Tensor]:
    x = self if self.dim() == 5 else self.unsqueeze(0)
    if x.dim() != 5:
        raise RuntimeError("fractional_max_pool3d_out(): Expected 4D or 5D tensor, but got: {}".format(self.size()))
    n, c, t, h, w = x.size(0), x.size(1), x.size(2), x.size(3), x.size(4)
    deep = _h_fractional_starts(random_samples.select(2, 0), t, output_size[0], kernel_size[0])
    tall = _h_fractional_starts(random_samples.select(2, 1), h, output_size[1], kernel_size[1])
    wide = _h_fractional_starts(random_samples.select(2, 2), w, output_size[2], kernel_size[2])
    layers = (deep.unsqueeze(-1) + torch.arange(kernel_size[0])).reshape([n, c, output_size[0], 1, 1, kernel_size[0], 1, 1])
    rows = (tall.unsqueeze(-1) + torch.arange(kernel_size[1])).reshape([n, c, 1, output_size[1], 1, 1, kernel_size[1], 1])
    cols = (wide.unsqueeze(-1) + torch.arange(kernel_size[2])).reshape([n, c, 1, 1, output_size[2], 1, 1, kernel_size[2]])
    place = (layers * h + rows) * w + cols
    count = kernel_size[0] * kernel_size[1] * kernel_size[2]
    cells = output_size[0] * output_size[1] * output_size[2]
    windows = torch.gather(x.reshape([n, c, t * h * w]), 2, place.reshape([n, c, cells * count])).reshape([n, c, cells, count])
    values, best = torch.max(windows, 3)
    places = torch.gather(place.reshape([n, c, cells, count]), 3, best.unsqueeze(3)).squeeze(3)
    shape = [n, c, output_size[0], output_size[1], output_size[2]]
    values, places = values.reshape(shape), places.reshape(shape)
    return (values, places) if self.dim() == 5 else (values.squeeze(0), places.squeeze(0))
