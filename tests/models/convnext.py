"""ConvNeXt: 7 x 7 depthwise convolutions, layer norm over channels with permutes around it, GELU, learned layer scale."""

from typing import List

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from zoo import Model


class LayerNorm2d(nn.LayerNorm):
    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class Permute(nn.Module):
    def __init__(self, dims: List[int]):
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        return torch.permute(x, self.dims)


class Block(nn.Module):
    def __init__(self, width: int, scale: float):
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(width, width, kernel_size=7, padding=3, groups=width), Permute([0, 2, 3, 1]), nn.LayerNorm(width, eps=1e-6),
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), Permute([0, 3, 1, 2]),
        )  # fmt: skip
        self.layer_scale = nn.Parameter(torch.ones(width, 1, 1) * scale)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layer_scale * self.block(x)


class ConvNeXt(nn.Module):
    def __init__(self, counts=(3, 3, 9, 3), widths=(96, 192, 384, 768), classes=1000, scale=0.1):
        super().__init__()
        layers = [nn.Sequential(nn.Conv2d(3, widths[0], 4, 4), LayerNorm2d(widths[0], eps=1e-6))]
        for i, (count, width) in enumerate(zip(counts, widths)):
            if i > 0:
                layers.append(nn.Sequential(LayerNorm2d(widths[i - 1], eps=1e-6), nn.Conv2d(widths[i - 1], width, 2, 2)))
            layers.append(nn.Sequential(*[Block(width, scale) for _ in range(count)]))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(LayerNorm2d(widths[-1], eps=1e-6), nn.Flatten(1), nn.Linear(widths[-1], classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.pool(self.features(x)))


def make(full):
    return ConvNeXt() if full else ConvNeXt((1, 1), (8, 16), 10)


def images(full):
    extent = 224 if full else 32
    return [(torch.randn(n, 3, extent, extent),) for n in (1, 3)]


MODELS = (Model("convnext_tiny", make, images, dynamic=((0, 0, "batch"),)),)
