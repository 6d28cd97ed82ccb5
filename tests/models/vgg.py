"""VGG: plain 3 x 3 convolutions, max pooling, an adaptive pool to 7 x 7, wide linear layers with dropout."""

import torch
from torch import Tensor, nn
from zoo import Model


class VGG(nn.Module):
    def __init__(self, widths=(64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0), hidden=4096, classes=1000):
        super().__init__()
        layers, inputs = [], 3
        for width in widths:
            if width:
                layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU(inplace=True)]
                inputs = width
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(inputs * 49, hidden), nn.ReLU(True), nn.Dropout(),
            nn.Linear(hidden, hidden), nn.ReLU(True), nn.Dropout(), nn.Linear(hidden, classes),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.features(x))
        return self.classifier(x.view(x.size(0), -1))


def make(full):
    return VGG() if full else VGG((8, 0, 8, 8, 0), 16, 10)


def images(full):
    extent = 224 if full else 40
    return [(torch.randn(n, 3, extent, extent),) for n in (1, 3)]


MODELS = (Model("vgg11", make, images, dynamic=((0, 0, "batch"),)),)
