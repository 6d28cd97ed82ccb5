"""BERT-like encoders: embeddings, masks, post-norm blocks; a sentence encoder with mean pooling. Seeded random weights."""

from typing import Optional

import torch
import torch.nn.functional as F
from initial import as_transformer
from torch import Tensor, nn
from zoo import Model


class Embeddings(nn.Module):
    def __init__(self, vocabulary: int, positions: int, width: int):
        super().__init__()
        self.word = nn.Embedding(vocabulary, width, padding_idx=0)
        self.position = nn.Embedding(positions, width)
        self.segment = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.dropout = nn.Dropout(0.1)
        self.register_buffer("position_ids", torch.arange(positions).expand((1, -1)), persistent=False)

    def forward(self, ids: Tensor, segments: Tensor) -> Tensor:
        positions = self.position_ids[:, : ids.size(1)]
        return self.dropout(self.norm(self.word(ids) + self.segment(segments) + self.position(positions)))


class SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.size = width // heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.dropout = nn.Dropout(0.1)

    def split(self, x: Tensor) -> Tensor:
        return x.view(list(x.size()[:-1]) + [self.heads, self.size]).permute(0, 2, 1, 3)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        scores = torch.matmul(self.split(self.query(x)), self.split(self.key(x)).transpose(-1, -2)) / self.size**0.5
        weights = self.dropout(F.softmax(scores + mask, dim=-1))
        context = torch.matmul(weights, self.split(self.value(x))).permute(0, 2, 1, 3).contiguous()
        context = context.view(list(context.size()[:-2]) + [self.heads * self.size])
        return self.norm(self.dropout(self.out(context)) + x)


class Layer(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.attention = SelfAttention(width, heads)
        self.intermediate = nn.Linear(width, 4 * width)
        self.output = nn.Linear(4 * width, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.attention(x, mask)
        return self.norm(self.dropout(self.output(F.gelu(self.intermediate(x)))) + x)


class Bert(nn.Module):
    """Hidden states, and the pooled first token through tanh."""

    def __init__(self, vocabulary: int, positions: int, width: int, depth: int, heads: int):
        super().__init__()
        self.embeddings = Embeddings(vocabulary, positions, width)
        self.layers = nn.ModuleList([Layer(width, heads) for _ in range(depth)])
        self.pooler = nn.Linear(width, width)

    def forward(self, ids: Tensor, mask: Tensor, segments: Optional[Tensor] = None) -> tuple[Tensor, Tensor]:
        if segments is None:
            segments = torch.zeros_like(ids)
        blocked = (1.0 - mask[:, None, None, :].to(torch.float32)) * -3.4028234663852886e38
        x = self.embeddings(ids, segments)
        for layer in self.layers:
            x = layer(x, blocked)
        return x, torch.tanh(self.pooler(x[:, 0]))


class MaskedLanguageModel(nn.Module):
    """Bert with the head that fills in words; the decoder's weights are those of the embedding."""

    def __init__(self, vocabulary: int, positions: int, width: int, depth: int, heads: int):
        super().__init__()
        self.bert = Bert(vocabulary, positions, width, depth, heads)
        self.transform = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.decoder = nn.Linear(width, vocabulary)
        self.decoder.weight = self.bert.embeddings.word.weight

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        hidden, _ = self.bert(ids, mask)
        return self.decoder(self.norm(F.gelu(self.transform(hidden))))


class SentenceEncoder(nn.Module):
    """The mean of the hidden states that the mask keeps, of length 1."""

    def __init__(self, vocabulary: int, positions: int, width: int, depth: int, heads: int):
        super().__init__()
        self.bert = Bert(vocabulary, positions, width, depth, heads)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        hidden, _ = self.bert(ids, mask, None)
        kept = mask.unsqueeze(-1).expand(hidden.size()).float()
        mean = torch.sum(hidden * kept, 1) / torch.clamp(kept.sum(1), min=1e-9)
        return F.normalize(mean, p=2.0, dim=1)


def sentences(vocabulary, batch, length, *, segments=False):
    """Words, and a mask that cuts off the end of each sentence but the first."""
    ids = torch.randint(1, vocabulary, (batch, length))
    lengths = torch.tensor([length - 2 * i for i in range(batch)])
    mask = (torch.arange(length)[None, :] < lengths[:, None]).long()
    return (ids * mask, mask, torch.randint(0, 2, (batch, length))) if segments else (ids * mask, mask)


OPEN = ((0, 0, "batch"), (0, 1, "length"), (1, 0, "batch"), (1, 1, "length"))

MODELS = (
    Model(
        "bert",
        lambda full: as_transformer(Bert(30522, 512, 768, 12, 12), 768) if full else as_transformer(Bert(50, 32, 24, 2, 3), 24),
        lambda full: (
            [sentences(30522, 1, 128, segments=True), sentences(30522, 2, 37, segments=True)]
            if full
            else [sentences(50, 2, 9, segments=True), sentences(50, 1, 16, segments=True)]
        ),
        dynamic=(*OPEN, (2, 0, "batch"), (2, 1, "length")),
        settle=False,
    ),
    Model(
        "masked_language_model",
        lambda full: as_transformer(MaskedLanguageModel(30522, 512, 256, 4, 4), 256) if full else as_transformer(MaskedLanguageModel(50, 32, 24, 1, 3), 24),
        lambda full: [sentences(30522, 1, 64)] if full else [sentences(50, 2, 9), sentences(50, 1, 5)],
        dynamic=OPEN,
        settle=False,
    ),
    Model(
        "minilm",
        lambda full: as_transformer(SentenceEncoder(30522, 512, 384, 6, 12), 384) if full else as_transformer(SentenceEncoder(50, 32, 24, 2, 3), 24),
        lambda full: [sentences(30522, 2, 128)] if full else [sentences(50, 2, 9), sentences(50, 3, 7)],
        dynamic=OPEN,
        settle=False,
    ),
)
