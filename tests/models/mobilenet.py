"""Networks for small devices: depthwise convolutions, inverted residuals, ReLU6; squeeze and excitation, hardswish."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from zoo import FORMS, Model


def unit(inputs, outputs, kernel, stride=1, groups=1, activation=nn.ReLU6):
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)]
    if activation is not None:
        layers.append(activation(inplace=True))
    return nn.Sequential(*layers)


class InvertedResidual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, ratio: int):
        super().__init__()
        hidden = inputs * ratio
        self.use_residual = stride == 1 and inputs == outputs
        layers = [] if ratio == 1 else [unit(inputs, hidden, 1)]
        layers += [unit(hidden, hidden, 3, stride, hidden), unit(hidden, outputs, 1, activation=None)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        if self.use_residual:
            return x + self.layers(x)
        return self.layers(x)


class MobileNetV2(nn.Module):
    SETTING = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))

    def __init__(self, setting=SETTING, stem=32, last=1280, classes=1000):
        super().__init__()
        layers = [unit(3, stem, 3, 2)]
        inputs = stem
        for ratio, outputs, count, stride in setting:
            for i in range(count):
                layers.append(InvertedResidual(inputs, outputs, stride if i == 0 else 1, ratio))
                inputs = outputs
        layers.append(unit(inputs, last, 1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, classes))

    def forward(self, x: Tensor) -> Tensor:
        x = F.adaptive_avg_pool2d(self.features(x), (1, 1))
        return self.classifier(torch.flatten(x, 1))


class SqueezeExcitation(nn.Module):
    def __init__(self, channels: int, squeezed: int):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        scale = F.relu(self.reduce(self.pool(x)), inplace=True)
        return x * self.gate(self.expand(scale))


class BlockV3(nn.Module):
    def __init__(self, inputs, kernel, hidden, outputs, excite, activation, stride):
        super().__init__()
        layers = [] if hidden == inputs else [unit(inputs, hidden, 1, activation=activation)]
        layers.append(unit(hidden, hidden, kernel, stride, hidden, activation))
        if excite:
            layers.append(SqueezeExcitation(hidden, max(hidden // 4 // 8 * 8, 8)))
        layers.append(unit(hidden, outputs, 1, activation=None))
        self.block = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.block(x)
        if self.residual:
            y += x
        return y


class MobileNetV3(nn.Module):
    R, H = nn.ReLU, nn.Hardswish
    # kernel, hidden, outputs, squeeze and excitation, activation, stride
    LARGE = (
        (3, 16, 16, False, R, 1), (3, 64, 24, False, R, 2), (3, 72, 24, False, R, 1), (5, 72, 40, True, R, 2),
        (5, 120, 40, True, R, 1), (5, 120, 40, True, R, 1), (3, 240, 80, False, H, 2), (3, 200, 80, False, H, 1),
        (3, 184, 80, False, H, 1), (3, 184, 80, False, H, 1), (3, 480, 112, True, H, 1), (3, 672, 112, True, H, 1),
        (5, 672, 160, True, H, 2), (5, 960, 160, True, H, 1), (5, 960, 160, True, H, 1),
    )  # fmt: skip
    TINY = ((3, 8, 8, False, R, 1), (5, 16, 8, True, R, 2), (5, 24, 8, True, H, 1))

    def __init__(self, setting=LARGE, stem=16, last=1280, classes=1000):
        super().__init__()
        layers = [unit(3, stem, 3, 2, activation=nn.Hardswish)]
        inputs = stem
        for kernel, hidden, outputs, excite, activation, stride in setting:
            layers.append(BlockV3(inputs, kernel, hidden, outputs, excite, activation, stride))
            inputs = outputs
        layers.append(unit(inputs, 6 * inputs, 1, activation=nn.Hardswish))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(6 * inputs, last), nn.Hardswish(inplace=True), nn.Dropout(p=0.2, inplace=True), nn.Linear(last, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.pool(self.features(x)), 1))


def v2(full):
    return MobileNetV2() if full else MobileNetV2(((1, 8, 1, 1), (6, 8, 2, 2)), 8, 24, 10)


def v3(full):
    return MobileNetV3() if full else MobileNetV3(MobileNetV3.TINY, 8, 24, 10)


def images(full):
    extent = 224 if full else 32
    return [(torch.randn(n, 3, extent, extent),) for n in (1, 3)]


BATCH = ((0, 0, "batch"),)
MODELS = (
    Model("mobilenet_v2", v2, images, forms=FORMS[:3], dynamic=BATCH),
    Model("mobilenet_v3", v3, images, dynamic=BATCH),
)
