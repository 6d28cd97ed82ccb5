"""ShuffleNetV2: channels split in halves by `chunk`, shuffled by view, transpose and view."""

import torch
from torch import Tensor, nn
from zoo import Model


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    batch, channels, height, width = x.size()
    x = x.view(batch, groups, channels // groups, height, width)
    x = torch.transpose(x, 1, 2).contiguous()
    return x.view(batch, channels, height, width)


def depthwise(channels, stride):
    return [nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False), nn.BatchNorm2d(channels)]


def pointwise(inputs, outputs):
    return [nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


class Unit(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.stride = stride
        half = outputs // 2
        self.left = nn.Sequential(*depthwise(inputs, stride), *pointwise(inputs, half)) if stride > 1 else nn.Sequential()
        first = inputs if stride > 1 else half
        self.right = nn.Sequential(*pointwise(first, half), *depthwise(half, stride), *pointwise(half, half))

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1:
            kept, changed = x.chunk(2, dim=1)
            y = torch.cat((kept, self.right(changed)), dim=1)
        else:
            y = torch.cat((self.left(x), self.right(x)), dim=1)
        return channel_shuffle(y, 2)


class ShuffleNetV2(nn.Module):
    def __init__(self, counts=(4, 8, 4), widths=(24, 116, 232, 464, 1024), classes=1000):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], 3, 2, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        )
        units, inputs = [], widths[0]
        for count, width in zip(counts, widths[1:-1]):
            for i in range(count):
                units.append(Unit(inputs, width, 2 if i == 0 else 1))
                inputs = width
        self.units = nn.Sequential(*units)
        self.last = nn.Sequential(*pointwise(inputs, widths[-1]))
        self.fc = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.last(self.units(self.stem(x)))
        return self.fc(x.mean([2, 3]))


def make(full):
    return ShuffleNetV2() if full else ShuffleNetV2((2, 1), (8, 12, 16, 24), 10)


def images(full):
    extent = 224 if full else 40
    return [(torch.randn(n, 3, extent, extent),) for n in (1, 3)]


MODELS = (Model("shufflenet_v2", make, images, dynamic=((0, 0, "batch"),)),)
