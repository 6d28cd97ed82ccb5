"""A recommender: bags of embeddings by offsets, in every mode, dense features beside them, pairwise products."""

from typing import Optional

import torch
from torch import Tensor, nn
from zoo import Model


class Recommender(nn.Module):
    def __init__(self, rows=(10000, 5000, 2000), width=64, dense=13, hidden=128, mode="sum", include_last=False):
        super().__init__()
        self.tables = nn.ModuleList([nn.EmbeddingBag(n, width, mode=mode, include_last_offset=include_last) for n in rows])
        self.bottom = nn.Sequential(nn.Linear(dense, hidden), nn.ReLU(), nn.Linear(hidden, width), nn.ReLU())
        pairs = len(rows) + 1
        self.top = nn.Sequential(nn.Linear(width + pairs * (pairs - 1) // 2, hidden), nn.ReLU(), nn.Linear(hidden, 1), nn.Sigmoid())
        self.register_buffer("pairs", torch.tril_indices(pairs, pairs, -1))

    def forward(self, dense: Tensor, values: Tensor, offsets: Tensor) -> Tensor:
        x = self.bottom(dense)
        vectors = [x]
        for i, table in enumerate(self.tables):
            vectors.append(table(values[i], offsets[i]))
        stacked = torch.stack(vectors, dim=1)
        products = torch.bmm(stacked, stacked.transpose(1, 2))
        flat = products[:, self.pairs[0], self.pairs[1]]
        return self.top(torch.cat([x, flat], dim=1)).squeeze(-1)


class Text(nn.Module):
    """Bags of words with weights of their own, a padding row, and rows of equal length."""

    def __init__(self, words=20000, width=64, classes=4):
        super().__init__()
        self.weighted = nn.EmbeddingBag(words, width, mode="sum", padding_idx=0)
        self.largest = nn.EmbeddingBag(words, width, mode="max")
        self.mean = nn.EmbeddingBag(words, width, mode="mean", padding_idx=0)
        self.fc = nn.Linear(3 * width, classes)

    def forward(self, words: Tensor, offsets: Tensor, weights: Optional[Tensor], rows: Tensor) -> Tensor:
        a = self.weighted(words, offsets, weights)
        return self.fc(torch.cat([a, self.largest(words, offsets), self.mean(rows)], dim=1))


def bags(count, rows, batch, length):
    """Values and offsets of each table; some bags are empty."""
    values = torch.stack([torch.randint(0, rows[i], (length,)) for i in range(count)])
    offsets = torch.stack([torch.cat([torch.zeros(1, dtype=torch.int64), torch.randint(0, length + 1, (batch - 1,)).sort()[0]]) for _ in range(count)])
    return values, offsets


def sizes(full):
    return (10000, 5000, 2000) if full else (20, 10, 7)


def maker(mode):
    return lambda full: Recommender(sizes(full), mode=mode) if full else Recommender(sizes(full), 6, 5, 8, mode)


def calls(full):
    dense = 13 if full else 5
    return [(torch.randn(b, dense), *bags(3, sizes(full), b, n)) for b, n in (((128, 2000), (64, 900)) if full else ((3, 9), (5, 17)))]


def text_calls(full):
    words, n = (20000, 500) if full else (12, 14)
    made = []
    for batch in (4, 6):
        values, offsets = bags(1, (words,), batch, n)
        values[0, ::5] = 0
        made.append((values[0], offsets[0], torch.rand(n), torch.randint(0, words, (batch, 7))))
    return made


OPEN = ((0, 0, "batch"), (1, 1, "words"), (2, 1, "batch"))
MODELS = (
    *(Model(f"recommender_{mode}", maker(mode), calls, dynamic=OPEN, settle=False) for mode in ("sum", "mean", "max")),
    Model("bags_of_words", lambda full: Text() if full else Text(12, 5), text_calls, dynamic=((0, 0, "words"), (1, 0, "batch"), (2, 0, "words"), (3, 0, "batch")), settle=False),
)  # fmt: skip
