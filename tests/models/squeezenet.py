"""SqueezeNet: fire modules (squeeze, then two expansions side by side), ceil-mode pooling, a convolution as classifier."""

import torch
from torch import Tensor, nn
from zoo import Model


class Fire(nn.Module):
    def __init__(self, inputs: int, squeeze: int, expand: int):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3 = nn.Conv2d(squeeze, expand, 3, padding=1)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.activation(self.squeeze(x))
        return torch.cat([self.activation(self.expand1(x)), self.activation(self.expand3(x))], 1)


class SqueezeNet(nn.Module):
    def __init__(self, stem=64, fires=((16, 64, 2), (32, 128, 2), (48, 192, 2), (64, 256, 2)), classes=1000):
        super().__init__()
        layers = [nn.Conv2d(3, stem, 3, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, ceil_mode=True)]
        inputs = stem
        for i, (squeeze, expand, count) in enumerate(fires):
            for _ in range(count):
                layers.append(Fire(inputs, squeeze, expand))
                inputs = 2 * expand
            if i < 2:
                layers.append(nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(p=0.5), nn.Conv2d(inputs, classes, 1), nn.ReLU(True), nn.AdaptiveAvgPool2d((1, 1)))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x)).flatten(start_dim=1)


def make(full):
    return SqueezeNet() if full else SqueezeNet(8, ((4, 8, 1), (4, 8, 1)), 10)


def images(full):
    extent = 224 if full else 36
    return [(torch.randn(n, 3, extent, extent),) for n in (1, 3)]


MODELS = (Model("squeezenet", make, images, dynamic=((0, 0, "batch"),)),)
