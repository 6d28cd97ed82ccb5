"""DenseNet: every layer reads the concatenation of all before it; normalisation first, average-pooling transitions."""

from typing import List

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from zoo import Model


class DenseLayer(nn.Module):
    def __init__(self, inputs: int, growth: int, bottleneck: int):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, bottleneck * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(bottleneck * growth)
        self.conv2 = nn.Conv2d(bottleneck * growth, growth, 3, padding=1, bias=False)
        self.drop_rate = 0.0

    def forward(self, before: List[Tensor]) -> Tensor:
        x = self.conv1(F.relu(self.norm1(torch.cat(before, 1)), inplace=True))
        x = self.conv2(F.relu(self.norm2(x), inplace=True))
        return F.dropout(x, p=self.drop_rate, training=self.training) if self.drop_rate > 0 else x


class DenseBlock(nn.Module):
    def __init__(self, inputs: int, count: int, growth: int, bottleneck: int = 4):
        super().__init__()
        self.layers = nn.ModuleList([DenseLayer(inputs + i * growth, growth, bottleneck) for i in range(count)])

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for layer in self.layers:
            features.append(layer(features))
        return torch.cat(features, 1)


class Transition(nn.Sequential):
    def __init__(self, inputs: int, outputs: int):
        super().__init__(nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), nn.Conv2d(inputs, outputs, 1, bias=False), nn.AvgPool2d(2, 2))


class DenseNet(nn.Module):
    def __init__(self, counts=(6, 12, 24, 16), growth=32, stem=64, classes=1000):
        super().__init__()
        layers = [nn.Conv2d(3, stem, 7, 2, 3, bias=False), nn.BatchNorm2d(stem), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)]
        width = stem
        for i, count in enumerate(counts):
            layers.append(DenseBlock(width, count, growth))
            width += count * growth
            if i + 1 < len(counts):
                layers.append(Transition(width, width // 2))
                width //= 2
        self.features = nn.Sequential(*layers, nn.BatchNorm2d(width))
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.features(x), inplace=True)
        x = F.adaptive_avg_pool2d(x, (1, 1))
        return self.classifier(torch.flatten(x, 1))


def make(full):
    return DenseNet() if full else DenseNet((2, 2), 4, 8, 10)


def images(full):
    extent = 224 if full else 32
    return [(torch.randn(n, 3, extent, extent),) for n in (1, 3)]


MODELS = (Model("densenet121", make, images, dynamic=((0, 0, "batch"),)),)
