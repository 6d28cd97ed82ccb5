"""Speech: a Conformer encoder (feed forward, attention with relative positions, convolution, in blocks after a subsampling),
and a length regulator, which makes frames of sounds."""

import math
from typing import Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from zoo import Model


class RelativePositions(nn.Module):
    """Sines and cosines for the distances t-1 .. -(t-1)."""

    def __init__(self, width: int):
        super().__init__()
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        time = x.size(1)
        distances = torch.arange(time - 1, -time, -1.0, dtype=torch.float32).unsqueeze(1)
        rates = torch.exp(torch.arange(0, self.width, 2, dtype=torch.float32) * -(math.log(10000.0) / self.width))
        table = torch.zeros(2 * time - 1, self.width)
        table[:, 0::2] = torch.sin(distances * rates)
        table[:, 1::2] = torch.cos(distances * rates)
        return table.unsqueeze(0).to(device=x.device, dtype=x.dtype)


class RelativeAttention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.size = width // heads
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, width)
        self.v = nn.Linear(width, width)
        self.position = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width)
        self.content_bias = nn.Parameter(torch.randn(heads, width // heads) * 0.1)
        self.position_bias = nn.Parameter(torch.randn(heads, width // heads) * 0.1)

    def shift(self, x: Tensor) -> Tensor:
        """Column of distance to column of position."""
        b, h, t, d = x.size()
        x = torch.cat([torch.zeros((b, h, t, 1), device=x.device, dtype=x.dtype), x], dim=-1)
        return x.view(b, h, d + 1, t)[:, :, 1:].view(b, h, t, d)[:, :, :, : d // 2 + 1]

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        b, t, _ = x.size()
        q = self.q(x).view(b, t, self.heads, self.size)
        k = self.k(x).view(b, t, self.heads, self.size).permute(0, 2, 3, 1)
        v = self.v(x).view(b, t, self.heads, self.size).transpose(1, 2)
        p = self.position(positions).view(1, -1, self.heads, self.size).permute(0, 2, 3, 1)
        content = torch.matmul((q + self.content_bias).transpose(1, 2), k)
        place = self.shift(torch.matmul((q + self.position_bias).transpose(1, 2), p))
        scores = (content + place) / math.sqrt(self.size)
        scores = scores.masked_fill(mask.unsqueeze(1).eq(0), -1e4)
        weights = torch.softmax(scores, dim=-1).masked_fill(mask.unsqueeze(1).eq(0), 0.0)
        return self.out(torch.matmul(weights, v).transpose(1, 2).contiguous().view(b, t, -1))


class Convolution(nn.Module):
    def __init__(self, width: int, kernel: int):
        super().__init__()
        self.expand = nn.Conv1d(width, 2 * width, 1)
        self.depthwise = nn.Conv1d(width, width, kernel, padding=(kernel - 1) // 2, groups=width)
        self.norm = nn.BatchNorm1d(width)
        self.project = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor, kept: Tensor) -> Tensor:
        x = F.glu(self.expand(x.transpose(1, 2)), dim=1)
        x = x.masked_fill(~kept.unsqueeze(1), 0.0)
        return self.project(F.silu(self.norm(self.depthwise(x)))).transpose(1, 2)


class FeedForward(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.wide = nn.Linear(width, 4 * width)
        self.act = nn.SiLU()
        self.dropout = nn.Dropout(0.1)
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.narrow(self.dropout(self.act(self.wide(x))))


class ConformerBlock(nn.Module):
    def __init__(self, width: int, heads: int, kernel: int):
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(5)])
        self.feed1 = FeedForward(width)
        self.attention = RelativeAttention(width, heads)
        self.convolution = Convolution(width, kernel)
        self.feed2 = FeedForward(width)

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor, kept: Tensor) -> Tensor:
        x = x + 0.5 * self.feed1(self.norms[0](x))
        x = x + self.attention(self.norms[1](x), positions, mask)
        x = x + self.convolution(self.norms[2](x), kept)
        x = x + 0.5 * self.feed2(self.norms[3](x))
        return self.norms[4](x)


class Conformer(nn.Module):
    """Log probabilities of symbols [batch, time / 4, symbols] and the lengths."""

    def __init__(self, features: int, width: int, depth: int, heads: int, kernel: int, symbols: int):
        super().__init__()
        self.subsample = nn.Sequential(nn.Conv2d(1, width, 3, 2), nn.ReLU(), nn.Conv2d(width, width, 3, 2), nn.ReLU())
        self.project = nn.Linear(width * (((features - 1) // 2 - 1) // 2), width)
        self.positions = RelativePositions(width)
        self.blocks = nn.ModuleList([ConformerBlock(width, heads, kernel) for _ in range(depth)])
        self.head = nn.Linear(width, symbols)

    def forward(self, x: Tensor, lengths: Tensor) -> Tuple[Tensor, Tensor]:
        x = self.subsample(x.unsqueeze(1))
        b, c, t, f = x.size()
        x = self.project(x.transpose(1, 2).contiguous().view(b, t, c * f))
        lengths = torch.div(torch.div(lengths - 1, 2, rounding_mode="floor") - 1, 2, rounding_mode="floor")
        kept = torch.arange(t, device=x.device).expand(b, t) < lengths.unsqueeze(1)
        mask = kept.unsqueeze(1) & kept.unsqueeze(2)
        positions = self.positions(x)
        for block in self.blocks:
            x = block(x, positions, mask, kept)
        return F.log_softmax(self.head(x), dim=-1), lengths


def features(batch, time, width):
    return torch.randn(batch, time, width), torch.tensor([time - 9 * i for i in range(batch)])


class LengthRegulator(nn.Module):
    """Text to frames as FastSpeech does it: every sound is repeated for as many frames as it is predicted to last."""

    def __init__(self, sounds: int, width: int, bands: int):
        super().__init__()
        self.embedding = nn.Embedding(sounds, width)
        self.encoder = nn.Sequential(nn.Conv1d(width, width, 5, padding="same"), nn.ReLU(), nn.BatchNorm1d(width))
        self.duration = nn.Linear(width, 1)
        self.decoder = nn.Sequential(nn.Conv1d(width, width, 4, padding="same"), nn.Tanh(), nn.Conv1d(width, bands, 1))

    def forward(self, ids: Tensor) -> Tuple[Tensor, Tensor]:
        x = self.encoder(self.embedding(ids).transpose(1, 2)).transpose(1, 2)
        frames = torch.clamp(torch.round(torch.exp(self.duration(x).squeeze(-1)) * 3), 0, 9).to(torch.long)
        spoken = torch.repeat_interleave(x, frames[0], dim=1)
        return self.decoder(spoken.transpose(1, 2)), frames


MODELS = (
    Model(
        "conformer",
        lambda full: Conformer(80, 256, 12, 4, 31, 128) if full else Conformer(20, 8, 2, 2, 5, 6),
        lambda full: [features(1, 300, 80)] if full else [features(2, 40, 20), features(1, 33, 20)],
        dynamic=((0, 0, "batch"), (0, 1, "time"), (1, 0, "batch")),
    ),
    Model(
        "length_regulator",
        lambda full: LengthRegulator(80, 256, 80) if full else LengthRegulator(12, 6, 5),
        lambda full: [(torch.randint(0, 80 if full else 12, (1, n)),) for n in ((60, 25) if full else (9, 5))],
        dynamic=((0, 1, "length"),),
    ),
)
