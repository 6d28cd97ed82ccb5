"""Residual networks: basic and bottleneck blocks, batch normalisation, in-place sums, an optional shortcut projection."""

from typing import Optional

import torch
from torch import Tensor, nn
from zoo import FORMS, Model

BRANCH = 0.3
"""Scale of what a block adds: as in trained networks, small enough that rounding is not amplified from block to block."""


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int, shortcut: Optional[nn.Module]):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = shortcut
        nn.init.constant_(self.norm2.weight, BRANCH)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        y += x if self.shortcut is None else self.shortcut(x)
        return self.relu(y)


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int, shortcut: Optional[nn.Module]):
        super().__init__()
        self.reduce = nn.Sequential(nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width))
        self.spatial = nn.Sequential(nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width))
        self.expand = nn.Sequential(nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width))
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = shortcut
        nn.init.constant_(self.expand[1].weight, BRANCH)

    def forward(self, x: Tensor) -> Tensor:
        short = x
        y = self.relu(self.reduce(x))
        y = self.relu(self.spatial(y))
        y = self.expand(y)
        if self.shortcut is not None:
            short = self.shortcut(x)
        y += short
        return self.relu(y)


class ResNet(nn.Module):
    def __init__(self, block, counts, width=64, classes=1000):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        )
        stages = []
        inputs = width
        for i, count in enumerate(counts):
            for j in range(count):
                stride = 2 if i > 0 and j == 0 else 1
                outputs = (width << i) * block.expansion
                shortcut = None
                if stride != 1 or inputs != outputs:
                    shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
                stages.append(block(inputs, width << i, stride, shortcut))
                inputs = outputs
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d((1, 1))
        self.head = nn.Linear(inputs, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages(self.stem(x))
        return self.head(torch.flatten(self.pool(x), 1))


def resnet18(full):
    return ResNet(BasicBlock, (2, 2, 2, 2)) if full else ResNet(BasicBlock, (1, 1), 8, 10)


def resnet50(full):
    return ResNet(Bottleneck, (3, 4, 6, 3)) if full else ResNet(Bottleneck, (1, 1), 8, 10)


def images(full):
    extent = 224 if full else 33
    return [(torch.randn(1, 3, extent, extent),), (torch.randn(3, 3, extent, extent),)]


BATCH = ((0, 0, "batch"),)
MODELS = (
    Model("resnet18", resnet18, images, forms=FORMS[:4], dynamic=BATCH),
    Model("resnet50", resnet50, images, forms=FORMS[:4], dynamic=BATCH),
)
