"""Vision transformers: ViT, and Swin with shifted windows. Plain PyTorch, seeded random weights."""

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from zoo import Model


class Attention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        weights = ((q * self.scale) @ k.transpose(-2, -1)).softmax(dim=-1)
        return self.out((weights @ v).transpose(1, 2).reshape(b, n, c))


class Mlp(nn.Module):
    def __init__(self, width: int, ratio: int = 4):
        super().__init__()
        self.wide = nn.Linear(width, ratio * width)
        self.act = nn.GELU()
        self.narrow = nn.Linear(ratio * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.narrow(self.act(self.wide(x)))


class Block(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    def __init__(self, image: int, patch: int, width: int, depth: int, heads: int, classes: int):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.class_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.positions = nn.Parameter(torch.randn(1, (image // patch) ** 2 + 1, width) * 0.02)
        self.dropout = nn.Dropout(0.1)
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.class_token.expand(x.shape[0], -1, -1), x), dim=1)
        x = self.norm(self.blocks(self.dropout(x + self.positions)))
        return self.head(x[:, 0])


def partition(x: Tensor, window: int) -> Tensor:
    """[b, h, w, c] to [b * windows, window * window, c]."""
    b, h, w, c = x.shape
    x = x.view(b, h // window, window, w // window, window, c)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, window * window, c)


def join(windows: Tensor, window: int, h: int, w: int) -> Tensor:
    """The inverse of `partition`."""
    c = windows.shape[-1]
    x = windows.view(-1, h // window, w // window, window, window, c)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, h, w, c)


class WindowAttention(nn.Module):
    def __init__(self, width: int, window: int, heads: int):
        super().__init__()
        self.heads = heads
        self.area = window * window
        self.scale = (width // heads) ** -0.5
        self.bias_table = nn.Parameter(torch.randn((2 * window - 1) ** 2, heads) * 0.02)
        grid = torch.stack(torch.meshgrid([torch.arange(window), torch.arange(window)], indexing="ij")).flatten(1)
        offsets = (grid[:, :, None] - grid[:, None, :]).permute(1, 2, 0) + window - 1
        self.register_buffer("offset_index", offsets[..., 0] * (2 * window - 1) + offsets[..., 1])
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Optional[Tensor]) -> Tensor:
        windows, n, c = x.shape
        qkv = self.qkv(x).reshape(windows, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        scores = (qkv[0] * self.scale) @ qkv[1].transpose(-2, -1)
        bias = self.bias_table[self.offset_index.view(-1)].view(self.area, self.area, -1).permute(2, 0, 1).contiguous()
        scores = scores + bias.unsqueeze(0)
        if mask is not None:
            count = mask.shape[0]
            scores = scores.view(windows // count, count, self.heads, n, n) + mask.unsqueeze(1).unsqueeze(0)
            scores = scores.view(-1, self.heads, n, n)
        x = (F.softmax(scores, dim=-1) @ qkv[2]).transpose(1, 2).reshape(windows, n, c)
        return self.out(x)


class SwinBlock(nn.Module):
    mask: Optional[Tensor]

    def __init__(self, width: int, resolution: int, heads: int, window: int, shift: int):
        super().__init__()
        self.resolution = resolution
        self.window = window
        self.shift = shift
        self.norm1 = nn.LayerNorm(width)
        self.attention = WindowAttention(width, window, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width)
        mask = None
        if shift > 0:
            regions = torch.zeros(1, resolution, resolution, 1)
            slices = (slice(0, -window), slice(-window, -shift), slice(-shift, None))
            for i, rows in enumerate(slices):
                for j, columns in enumerate(slices):
                    regions[:, rows, columns, :] = 3 * i + j
            ids = partition(regions, window).squeeze(-1)
            different = ids.unsqueeze(1) - ids.unsqueeze(2)
            mask = different.masked_fill(different != 0, -100.0).masked_fill(different == 0, 0.0)
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        h, w = self.resolution, self.resolution
        b, n, c = x.shape
        assert n == h * w, "wrong resolution"
        shortcut = x
        x = self.norm1(x).view(b, h, w, c)
        if self.shift > 0:
            x = torch.roll(x, shifts=(-self.shift, -self.shift), dims=(1, 2))
        x = join(self.attention(partition(x, self.window), self.mask), self.window, h, w)
        if self.shift > 0:
            x = torch.roll(x, shifts=(self.shift, self.shift), dims=(1, 2))
        x = shortcut + x.reshape(b, h * w, c)
        return x + self.mlp(self.norm2(x))


class PatchMerging(nn.Module):
    def __init__(self, width: int, resolution: int):
        super().__init__()
        self.resolution = resolution
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        b, _, c = x.shape
        x = x.view(b, self.resolution, self.resolution, c)
        x = torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], -1)
        return self.reduction(self.norm(x.view(b, -1, 4 * c)))


class Swin(nn.Module):
    def __init__(self, image: int, patch: int, width: int, depths: list[int], heads: list[int], window: int, classes: int):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.norm_in = nn.LayerNorm(width)
        resolution = image // patch
        layers: list[nn.Module] = []
        for stage, (depth, count) in enumerate(zip(depths, heads)):
            if stage > 0:
                layers.append(PatchMerging(width, resolution))
                width, resolution = 2 * width, resolution // 2
            for i in range(depth):
                shift = window // 2 if i % 2 and resolution > window else 0
                layers.append(SwinBlock(width, resolution, count, window, shift))
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(width)
        self.pool = nn.AdaptiveAvgPool1d(1)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm_in(self.patches(x).flatten(2).transpose(1, 2))
        for layer in self.layers:
            x = layer(x)
        x = self.pool(self.norm(x).transpose(1, 2)).flatten(1)
        return self.head(x)


def images(batch, size):
    return (torch.randn(batch, 3, size, size),)


MODELS = (
    Model(
        "vit",
        lambda full: VisionTransformer(224, 16, 192, 12, 3, 1000) if full else VisionTransformer(32, 8, 24, 2, 3, 10),
        lambda full: [images(1, 224 if full else 32), images(3, 224 if full else 32)],
        dynamic=((0, 0, "batch"),),
        settle=False,
    ),
    Model(
        "swin",
        lambda full: (
            Swin(224, 4, 96, [2, 2, 6, 2], [3, 6, 12, 24], 7, 1000) if full else Swin(32, 4, 8, [2, 2], [1, 2], 4, 10)
        ),
        lambda full: [images(1, 224 if full else 32), images(2, 224 if full else 32)],
        dynamic=((0, 0, "batch"),),
        settle=False,
    ),
)
