"""WaveNet-style stacks: causal dilated convolutions of one dimension, gated activations, sums of skips, mu-law input."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from zoo import Model


class CausalConv1d(nn.Conv1d):
    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int):
        super().__init__(inputs, outputs, kernel, dilation=dilation)
        self.before = (kernel - 1) * dilation

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (self.before, 0)))


class Layer(nn.Module):
    def __init__(self, width: int, skip: int, dilation: int):
        super().__init__()
        self.pad = 2 * dilation
        self.conv = nn.Conv1d(width, 2 * width, 3, dilation=dilation)
        self.residual = nn.Conv1d(width, width, 1)
        self.skip = nn.Conv1d(width, skip, 1)

    def forward(self, x: Tensor):
        y = self.conv(F.pad(x, [self.pad, 0]))
        filter_, gate = torch.split(y, y.size(1) // 2, dim=1)
        y = torch.tanh(filter_) * torch.sigmoid(gate)
        return x + self.residual(y), self.skip(y)


class WaveNet(nn.Module):
    def __init__(self, width=64, skip=128, depth=10, stacks=2, levels=256):
        super().__init__()
        self.levels = levels
        self.start = nn.Conv1d(levels, width, 1)
        self.layers = nn.ModuleList([Layer(width, skip, 1 << i) for _ in range(stacks) for i in range(depth)])
        self.end = nn.Sequential(nn.ReLU(), nn.Conv1d(skip, levels, 1), nn.ReLU(), nn.Conv1d(levels, levels, 1))

    def forward(self, x: Tensor) -> Tensor:
        mu = float(self.levels - 1)
        compressed = torch.sign(x) * torch.log1p(mu * torch.abs(x)) / torch.log1p(torch.tensor(mu))
        codes = ((compressed + 1) / 2 * mu + 0.5).to(torch.int64)
        y = self.start(F.one_hot(codes.clamp(0, self.levels - 1), self.levels).to(x.dtype).transpose(1, 2))
        total = torch.zeros(1)
        for layer in self.layers:
            y, skip = layer(y)
            total = total + skip
        return self.end(total)


class TemporalBlock(nn.Module):
    """A temporal convolutional network's block with normalised weights, average pooling, and a transposed convolution."""

    def __init__(self, inputs=16, width=64):
        super().__init__()
        self.conv1 = nn.utils.parametrizations.weight_norm(nn.Conv1d(inputs, width, 3, padding=4, dilation=4))
        self.norm = nn.BatchNorm1d(width)
        self.average = nn.AvgPool1d(3, 2, 1)
        self.up = nn.ConvTranspose1d(width, inputs, 4, 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.silu(self.norm(self.conv1(x)))
        return torch.cat([self.up(self.average(y)), x], 1)


class PlaceKeeper(nn.Module):
    """Maxima are put back where they came from, as in SegNet: pooling with indices, unpooling.

    Weights and inputs are multiples of 1/64 and 1/8, so that the convolution is exact in whatever order it adds up. Else
    some of a hundred thousand maxima are nearer to their neighbours than rounding, and stand in either place.
    """

    def __init__(self, inputs=16, width=64):
        super().__init__()
        self.encode = nn.Conv1d(inputs, width, 5, padding=2)
        with torch.no_grad():
            for parameter in self.encode.parameters():
                parameter.copy_(torch.round(parameter * 64) / 64)
        self.pool = nn.MaxPool1d(2, return_indices=True)
        self.pool2 = nn.MaxPool2d((2, 3), return_indices=True)

    def forward(self, x: Tensor):
        y = torch.tanh(self.encode(torch.round(x * 8) / 8))
        pooled, places = self.pool(y)
        restored = F.max_unpool1d(pooled, places, [2], [2], [0], y.size())
        plane, where = self.pool2(restored.unsqueeze(1))
        again = F.max_unpool2d(plane, where, [2, 3], [2, 3], [0, 0], restored.unsqueeze(1).size())
        return restored, again.squeeze(1), where


class Separable(nn.Module):
    """Time-channel separable convolutions that keep the length (`padding="same"`), as networks for keywords have them."""

    def __init__(self, bands=64, width=128, kernels=(11, 13, 16, 17), classes=30):
        super().__init__()
        self.start = nn.Sequential(nn.Conv1d(bands, width, 5, stride=2, padding="valid", bias=False), nn.BatchNorm1d(width), nn.ReLU())
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(width, width, kernel, padding="same", dilation=1 + i, groups=width),
                nn.Conv1d(width, width, 1, padding="same", bias=False),
                nn.BatchNorm1d(width),
            )
            for i, kernel in enumerate(kernels)
        )
        self.plane = nn.Conv2d(1, 2, (3, 4), padding="same")
        self.end = nn.Linear(2 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        y = self.start(x)
        for block in self.blocks:
            y = torch.relu(y + block(y))
        return self.end(self.plane(y.unsqueeze(1)).amax(-1).flatten(1))


def wavenet(full):
    return WaveNet() if full else WaveNet(4, 6, 3, 1, 16)


def sound(full):
    return [(0.9 * torch.sin(torch.randn(n, 2000 if full else 40)),) for n in (1, 2)]


def spectrograms(full):
    return [(torch.randn(n, 64 if full else 5, 101 if full else 21),) for n in (1, 3)]


def signals(full):
    return [(torch.randn(n, 16 if full else 4, 512 if full else 32),) for n in (1, 3)]


MODELS = (
    Model("wavenet", wavenet, sound, dynamic=((0, 0, "batch"), (0, 1, "time"))),
    Model("temporal", lambda full: TemporalBlock() if full else TemporalBlock(4, 6), signals, forms=("traced",), dynamic=((0, 0, "batch"),)),
    Model("place_keeper", lambda full: PlaceKeeper() if full else PlaceKeeper(4, 6), signals, forms=("scripted",), dynamic=((0, 0, "batch"),)),
    Model("separable", lambda full: Separable() if full else Separable(5, 6, (3, 4), 3), spectrograms, dynamic=((0, 0, "batch"), (0, 2, "time"))),
)  # fmt: skip
