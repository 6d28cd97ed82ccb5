"""Super-resolution: convolutions on the small image, then PixelShuffle; a residual variant with reflection padding."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from zoo import Model


class SubPixel(nn.Module):
    def __init__(self, width=64, factor=3):
        super().__init__()
        self.relu = nn.ReLU()
        self.conv1 = nn.Conv2d(1, width, (5, 5), (1, 1), (2, 2))
        self.conv2 = nn.Conv2d(width, width, (3, 3), (1, 1), (1, 1))
        self.conv3 = nn.Conv2d(width, width // 2, (3, 3), (1, 1), (1, 1))
        self.conv4 = nn.Conv2d(width // 2, factor**2, (3, 3), (1, 1), (1, 1))
        self.shuffle = nn.PixelShuffle(factor)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.conv1(x))
        x = self.relu(self.conv2(x))
        x = self.relu(self.conv3(x))
        return self.shuffle(self.conv4(x))


class Enhancer(nn.Module):
    """Reflection and replication padding, PReLU, instance and group normalisation, clamping, the image added at the end."""

    def __init__(self, width=32):
        super().__init__()
        self.stem = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7), nn.InstanceNorm2d(width, affine=True), nn.PReLU(width))
        self.body = nn.Sequential(nn.ReplicationPad2d(1), nn.Conv2d(width, width, 3, groups=2), nn.GroupNorm(4, width), nn.ELU(), nn.ZeroPad2d((1, 1, 0, 2)))
        self.down = nn.PixelUnshuffle(2)
        self.up = nn.Sequential(nn.Conv2d(4 * width, 12, 3, padding=1, padding_mode="circular"), nn.PixelShuffle(2))

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(self.stem(x))
        y = F.local_response_norm(y, 3)
        y = y[:, :, : x.size(2), : x.size(3)]
        y = self.up(self.down(y))
        return (x + 0.1 * y).clamp(0.0, 1.0)


def subpixel(full):
    return SubPixel() if full else SubPixel(8)


def enhancer(full):
    return Enhancer() if full else Enhancer(4)


def grey(full):
    extent = 224 if full else 18
    return [(torch.rand(n, 1, extent, extent),) for n in (1, 3 if not full else 2)]


def colour(full):
    extent = 128 if full else 16
    return [(torch.rand(n, 3, extent, extent),) for n in (1, 2)]


MODELS = (
    Model("subpixel", subpixel, grey, dynamic=((0, 0, "batch"), (0, 2, "height"), (0, 3, "width"))),
    Model("enhancer", enhancer, colour, dynamic=((0, 0, "batch"),)),
)
