"""A convolutional network for the 8x8 handwritten digits of scikit-learn, in plain TorchScript."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor


class ConvBlock(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)))


class DigitsNet(nn.Module):
    """Scores of the ten digits for a batch of images [batch, 1, 8, 8] with values 0 to 16."""

    def __init__(self, width: int = 16, classes: int = 10):
        super().__init__()
        self.features = nn.Sequential(ConvBlock(1, width), ConvBlock(width, 2 * width))
        self.pool = nn.MaxPool2d(2)
        self.deep = ConvBlock(2 * width, 4 * width)
        self.dropout = nn.Dropout(0.25)
        self.hidden = nn.Linear(4 * width * 2 * 2, 64)
        self.scores = nn.Linear(64, classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.pool(self.features(images / 16.0))
        x = self.pool(self.deep(x))
        x = torch.flatten(x, 1)
        x = self.dropout(F.relu(self.hidden(x)))
        return self.scores(x)
