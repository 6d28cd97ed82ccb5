"""U-Nets: one goes up with transposed convolutions, one with bilinear interpolation; the way up is padded to match."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from zoo import Model


class Double(nn.Sequential):
    def __init__(self, inputs: int, outputs: int):
        layers = []
        for i in (inputs, outputs):
            layers += [nn.Conv2d(i, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        super().__init__(*layers)


class Up(nn.Module):
    def __init__(self, inputs: int, outputs: int, bilinear: bool):
        super().__init__()
        if bilinear:
            self.up = nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), nn.Conv2d(inputs, inputs // 2, 1))
        else:
            self.up = nn.ConvTranspose2d(inputs, inputs // 2, kernel_size=2, stride=2)
        self.conv = Double(inputs, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = self.up(x)
        dy = skip.size(2) - x.size(2)
        dx = skip.size(3) - x.size(3)
        x = F.pad(x, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
        return self.conv(torch.cat([skip, x], dim=1))


class UNet(nn.Module):
    def __init__(self, width=64, depth=4, classes=2, bilinear=False):
        super().__init__()
        self.start = Double(3, width)
        self.down = nn.ModuleList([nn.Sequential(nn.MaxPool2d(2), Double(width << i, width << i + 1)) for i in range(depth)])
        self.up = nn.ModuleList([Up(width << i + 1, width << i, bilinear) for i in reversed(range(depth))])
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips = [self.start(x)]
        for layer in self.down:
            skips.append(layer(skips[-1]))
        y = skips.pop()
        for layer in self.up:
            y = layer(y, skips.pop())
        return self.head(y)


class SegmentationHead(nn.Module):
    """As the heads of segmentation networks: logits resized to the image, the class of each pixel beside them."""

    def __init__(self, width=32, classes=21):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, width, 3, 2, 1), nn.ReLU(), nn.Conv2d(width, width, 3, 1, 2, dilation=2), nn.ReLU())
        self.classifier = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor):
        height, width = x.shape[-2:]
        pooled = F.adaptive_avg_pool2d(self.body(x), (6, 5))
        y = self.classifier(F.interpolate(pooled, scale_factor=2.0, mode="nearest", recompute_scale_factor=True))
        y = F.interpolate(y, size=(height, width), mode="bilinear", align_corners=False)
        z = F.interpolate(y, scale_factor=0.5, mode="bicubic", align_corners=False)
        return y, torch.argmax(y, dim=1), F.softmax(z, dim=1)


def plain(full):
    return UNet() if full else UNet(4, 2)


def bilinear(full):
    return UNet(bilinear=True) if full else UNet(4, 2, bilinear=True)


def head(full):
    return SegmentationHead() if full else SegmentationHead(8, 5)


def images(full):
    height, width = (188, 252) if full else (22, 27)
    return [(torch.randn(n, 3, height, width),) for n in (1, 3 if not full else 2)]


PLANE = ((0, 0, "batch"), (0, 2, "height"), (0, 3, "width"))
MODELS = (
    Model("unet", plain, images, dynamic=((0, 0, "batch"),)),
    Model("unet_bilinear", bilinear, images, forms=("scripted",), dynamic=PLANE),
    Model("segmentation", head, images, dynamic=((0, 0, "batch"),)),
)
