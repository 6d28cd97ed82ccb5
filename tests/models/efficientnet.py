"""EfficientNet: inverted residuals with SiLU, squeeze and excitation by mean, and random depth in training."""

from typing import List

import torch
from torch import Tensor, nn
from zoo import Model


class ConvNormAct(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, act: bool = True):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3)
        self.act = nn.SiLU(inplace=True) if act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.norm(self.conv(x)))


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int, squeezed: int):
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)
        self.act = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        s = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.expand(self.act(self.reduce(s))))


class DropPath(nn.Module):
    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return x
        keep = 1.0 - self.p
        shape: List[int] = [x.shape[0]] + [1] * (x.ndim - 1)
        return x * torch.empty(shape, dtype=x.dtype).bernoulli_(keep) / keep


class MBConv(nn.Module):
    def __init__(self, inputs: int, outputs: int, ratio: int, kernel: int, stride: int, drop: float):
        super().__init__()
        hidden = inputs * ratio
        self.expand = ConvNormAct(inputs, hidden, 1) if ratio != 1 else nn.Identity()
        self.depthwise = ConvNormAct(hidden, hidden, kernel, stride, hidden)
        self.excite = SqueezeExcite(hidden, max(1, inputs // 4))
        self.project = ConvNormAct(hidden, outputs, 1, act=False)
        self.drop = DropPath(drop)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.excite(self.depthwise(self.expand(x))))
        return x + self.drop(y) if self.residual else y


class EfficientNet(nn.Module):
    # ratio, kernel, stride, outputs, count
    B0 = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1))

    def __init__(self, setting=B0, stem=32, last=1280, classes=1000):
        super().__init__()
        self.stem = ConvNormAct(3, stem, 3, 2)
        self.blocks = nn.ModuleList()
        inputs = stem
        for ratio, kernel, stride, outputs, count in setting:
            for i in range(count):
                self.blocks.append(MBConv(inputs, outputs, ratio, kernel, stride if i == 0 else 1, 0.05 * i))
                inputs = outputs
        self.head = ConvNormAct(inputs, last, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, classes))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.classifier(self.pool(self.head(x)).flatten(1))


def make(full):
    return EfficientNet() if full else EfficientNet(((1, 3, 1, 8, 1), (6, 5, 2, 8, 2)), 8, 16, 10)


def images(full):
    extent = 224 if full else 24
    return [(torch.randn(n, 3, extent, extent),) for n in (1, 3)]


MODELS = (Model("efficientnet_b0", make, images, dynamic=((0, 0, "batch"),)),)
