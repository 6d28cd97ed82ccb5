"""An Inception-style network: parallel branches, asymmetric kernels, average pools without padding in their count, an
auxiliary head that only training uses, ceil-mode pooling, and a NamedTuple as the result in training."""

from typing import List, NamedTuple, Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from zoo import Model


class Outputs(NamedTuple):
    logits: Tensor
    aux: Optional[Tensor]


class Conv(nn.Module):
    def __init__(self, inputs, outputs, **kwargs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, bias=False, **kwargs)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


class BlockA(nn.Module):
    def __init__(self, inputs: int, w: int, pool: int):
        super().__init__()
        self.branch1 = Conv(inputs, w, kernel_size=1)
        self.branch5 = nn.Sequential(Conv(inputs, w, kernel_size=1), Conv(w, w, kernel_size=5, padding=2))
        self.branch3 = nn.Sequential(Conv(inputs, w, kernel_size=1), Conv(w, w, kernel_size=3, padding=1), Conv(w, w, kernel_size=3, padding=1))
        self.branch_pool = Conv(inputs, pool, kernel_size=1)

    def _branches(self, x: Tensor) -> List[Tensor]:
        pooled = self.branch_pool(F.avg_pool2d(x, kernel_size=3, stride=1, padding=1, count_include_pad=False))
        return [self.branch1(x), self.branch5(x), self.branch3(x), pooled]

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat(self._branches(x), 1)


class BlockB(nn.Module):
    """Halves the plane."""

    def __init__(self, inputs: int, w: int):
        super().__init__()
        self.branch3 = Conv(inputs, w, kernel_size=3, stride=2)
        self.branch33 = nn.Sequential(Conv(inputs, w, kernel_size=1), Conv(w, w, kernel_size=3, padding=1), Conv(w, w, kernel_size=3, stride=2))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch3(x), self.branch33(x), F.max_pool2d(x, kernel_size=3, stride=2)], 1)


class BlockC(nn.Module):
    """Kernels of 1 x 7 and 7 x 1."""

    def __init__(self, inputs: int, w: int, outputs: int):
        super().__init__()
        self.branch1 = Conv(inputs, outputs, kernel_size=1)
        self.branch7 = nn.Sequential(
            Conv(inputs, w, kernel_size=1), Conv(w, w, kernel_size=(1, 7), padding=(0, 3)), Conv(w, outputs, kernel_size=(7, 1), padding=(3, 0))
        )
        self.branch_pool = Conv(inputs, outputs, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.avg_pool2d(x, 3, 1, 1)
        return torch.cat((self.branch1(x), self.branch7(x), self.branch_pool(pooled)), 1)


class BlockE(nn.Module):
    """Branches that branch again."""

    def __init__(self, inputs: int, w: int):
        super().__init__()
        self.branch1 = Conv(inputs, w, kernel_size=1)
        self.stem = Conv(inputs, w, kernel_size=1)
        self.wide = Conv(w, w, kernel_size=(1, 3), padding=(0, 1))
        self.tall = Conv(w, w, kernel_size=(3, 1), padding=(1, 0))

    def forward(self, x: Tensor) -> Tensor:
        y = self.stem(x)
        split = torch.cat([self.wide(y), self.tall(y)], 1)
        return torch.cat([self.branch1(x), split, F.max_pool2d(x, 3, 1, 1, ceil_mode=True)], 1)


class Inception(nn.Module):
    def __init__(self, w=64, blocks=(3, 4, 2), classes=1000, aux=True, transform=True):
        super().__init__()
        self.transform_input = transform
        self.stem1 = Conv(3, w // 2, kernel_size=3, stride=2)
        self.stem2 = Conv(w // 2, w, kernel_size=3, padding=1)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.stem3 = Conv(w, 3 * w, kernel_size=3)
        self.pool2 = nn.MaxPool2d(3, 2)
        layers, channels = [], 3 * w
        for _ in range(blocks[0]):
            layers.append(BlockA(channels, w, w))
            channels = 4 * w
        layers.append(BlockB(channels, 2 * w))
        channels += 4 * w
        for _ in range(blocks[1]):
            layers.append(BlockC(channels, 2 * w, 3 * w))
            channels = 9 * w
        for _ in range(blocks[2]):
            layers.append(BlockE(channels, 4 * w))
            channels += 12 * w
        self.blocks = nn.Sequential(*layers)
        self.aux = nn.Linear(3 * w, classes) if aux else None
        self.dropout = nn.Dropout(0.4)
        self.fc = nn.Linear(channels, classes)

    def _transformed(self, x: Tensor) -> Tensor:
        if self.transform_input:
            r = torch.unsqueeze(x[:, 0], 1) * (0.229 / 0.5) + (0.485 - 0.5) / 0.5
            g = torch.unsqueeze(x[:, 1], 1) * (0.224 / 0.5) + (0.456 - 0.5) / 0.5
            b = torch.unsqueeze(x[:, 2], 1) * (0.225 / 0.5) + (0.406 - 0.5) / 0.5
            x = torch.cat((r, g, b), 1)
        return x

    def forward(self, x: Tensor) -> Outputs:
        x = self.pool1(self.stem2(self.stem1(self._transformed(x))))
        x = self.pool2(self.stem3(x))
        aux: Optional[Tensor] = None
        if self.aux is not None:
            if self.training:
                aux = self.aux(x.mean(dim=[2, 3]))
        x = self.blocks(x)
        x = torch.flatten(F.adaptive_avg_pool2d(x, (1, 1)), 1)
        return Outputs(self.fc(self.dropout(x)), aux)


class Classifier(nn.Module):
    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x).logits


def make(full):
    return Classifier(Inception() if full else Inception(4, (1, 1, 1), 10))


def images(full):
    extent = 299 if full else 63
    return [(torch.randn(n, 3, extent, extent),) for n in (1, 3)]


MODELS = (Model("inception", make, images, dynamic=((0, 0, "batch"),)),)
