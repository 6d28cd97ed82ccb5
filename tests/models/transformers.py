"""PyTorch's own transformer classes, with masks, and a beam search over a small language model."""

import math
from typing import List, Optional, Tuple

import torch
from torch import Tensor, nn
from zoo import Model


class SinusoidPositions(nn.Module):
    def __init__(self, width: int, longest: int):
        super().__init__()
        position = torch.arange(longest).unsqueeze(1)
        rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
        table = torch.zeros(longest, 1, width)
        table[:, 0, 0::2] = torch.sin(position * rates)
        table[:, 0, 1::2] = torch.cos(position * rates)
        self.register_buffer("table", table)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(x + self.table[: x.size(0)])


class CausalEncoder(nn.Module):
    """The language model of the tutorial: nn.TransformerEncoder under a causal mask, time first."""

    def __init__(self, vocabulary: int, width: int, heads: int, hidden: int, depth: int):
        super().__init__()
        self.width = width
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = SinusoidPositions(width, 512)
        layer = nn.TransformerEncoderLayer(width, heads, hidden, 0.1)
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.head = nn.Linear(width, vocabulary)
        # as the tutorial starts it; PyTorch's own embeddings are 17 times larger, and their rounding with them
        nn.init.uniform_(self.tokens.weight, -0.1, 0.1)
        nn.init.uniform_(self.head.weight, -0.1, 0.1)
        nn.init.zeros_(self.head.bias)

    def forward(self, ids: Tensor, mask: Optional[Tensor] = None) -> Tensor:
        x = self.positions(self.tokens(ids) * math.sqrt(self.width))
        if mask is None:
            mask = torch.triu(torch.full((ids.size(0), ids.size(0)), float("-inf")), diagonal=1)
        return self.head(self.encoder(x, mask))


class PaddedEncoder(nn.Module):
    """Batch first, gelu, norm first, a final norm, and a padding mask: the classes' fast path."""

    def __init__(self, width: int, heads: int, hidden: int, depth: int, norm_first: bool):
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            width, heads, hidden, 0.0, activation="gelu", batch_first=True, norm_first=norm_first
        )
        self.encoder = nn.TransformerEncoder(layer, depth, norm=nn.LayerNorm(width), enable_nested_tensor=False)

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        return self.encoder(x, src_key_padding_mask=padding)


class Decoder(nn.Module):
    def __init__(self, width: int, heads: int, hidden: int, depth: int):
        super().__init__()
        layer = nn.TransformerDecoderLayer(width, heads, hidden, 0.0, batch_first=True)
        self.decoder = nn.TransformerDecoder(layer, depth)

    def forward(self, target: Tensor, memory: Tensor, memory_padding: Tensor) -> Tensor:
        n = target.size(1)
        causal = torch.ones(n, n, dtype=torch.bool).triu(1)
        return self.decoder(target, memory, tgt_mask=causal, memory_key_padding_mask=memory_padding)


class Whole(nn.Module):
    """nn.Transformer from source and target words to the target's logits."""

    def __init__(self, vocabulary: int, width: int, heads: int, hidden: int, depth: int):
        super().__init__()
        self.source = nn.Embedding(vocabulary, width)
        self.target = nn.Embedding(vocabulary, width)
        self.transformer = nn.Transformer(width, heads, depth, depth, hidden, 0.1, batch_first=True)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        padding = source == 0
        mask = nn.Transformer.generate_square_subsequent_mask(target.size(1))
        y = self.transformer(
            self.source(source),
            self.target(target),
            tgt_mask=mask,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
            tgt_is_causal=True,
        )
        return self.head(y)


class Attends(nn.Module):
    """nn.MultiheadAttention: other key and value widths, bias rows, weights per head, masks of both kinds."""

    def __init__(self, width: int, heads: int, key_width: int, value_width: int):
        super().__init__()
        self.own = nn.MultiheadAttention(width, heads, batch_first=True)
        self.cross = nn.MultiheadAttention(width, heads, kdim=key_width, vdim=value_width, batch_first=True)
        self.biased = nn.MultiheadAttention(width, heads, add_bias_kv=True, add_zero_attn=True)

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, padding: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
        n = x.size(1)
        mask = torch.full((n, n), float("-inf")).triu(1)
        a, _ = self.own(x, x, x, attn_mask=mask, need_weights=False)
        b, weights = self.cross(a, keys, values, key_padding_mask=padding)
        c, heads = self.biased(b.transpose(0, 1), b.transpose(0, 1), b.transpose(0, 1), average_attn_weights=False)
        assert weights is not None and heads is not None
        return a, c, weights, heads


class BeamSearch(nn.Module):
    """Beam search with lists of hypotheses, as one writes it first: over a causal encoder, one hypothesis at a time."""

    def __init__(self, vocabulary: int, width: int, heads: int, hidden: int, depth: int, beams: int, end: int):
        super().__init__()
        self.model = CausalEncoder(vocabulary, width, heads, hidden, depth)
        self.beams = beams
        self.end = end

    def forward(self, start: List[int], longest: int) -> Tuple[List[int], float]:
        beams: List[Tuple[float, List[int]]] = [(0.0, start)]
        finished: List[Tuple[float, List[int]]] = []
        for _ in range(longest):
            candidates: List[Tuple[float, int]] = []  # TorchScript sorts no tuples that hold lists
            longer: List[List[int]] = []
            for score, tokens in beams:
                logits = self.model(torch.tensor(tokens).unsqueeze(1))[-1, 0]
                values, indices = torch.log_softmax(logits, 0).topk(self.beams)
                for k in range(self.beams):
                    candidates.append((score + float(values[k]), len(longer)))
                    longer.append(tokens + [int(indices[k])])
            candidates.sort(reverse=True)
            beams = []
            for score, place in candidates[: self.beams]:
                tokens = longer[place]
                if tokens[-1] == self.end:
                    finished.append((score / len(tokens), tokens))
                else:
                    beams.append((score, tokens))
            if len(beams) == 0:
                break
        for score, tokens in beams:
            finished.append((score / len(tokens), tokens))
        best = finished[0]
        for hypothesis in finished:
            if hypothesis[0] > best[0]:
                best = hypothesis
        return best[1], best[0]


def some(full, small, large):
    return large if full else small


def cut(batch, length):
    """A padding mask: sentence i lacks its last i places."""
    return torch.arange(length)[None, :] >= (length - torch.arange(batch))[:, None]


def words(vocabulary, batch, length):
    ids = torch.randint(1, vocabulary, (batch, length))
    return ids.masked_fill(cut(batch, length), 0)


MODELS = (
    Model(
        "transformer_language_model",
        lambda full: CausalEncoder(*some(full, (50, 8, 2, 12, 2), (28782, 200, 2, 200, 2))),
        lambda full: [(words(*some(full, (50, 7, 3), (28782, 35, 4))),), (words(*some(full, (50, 4, 2), (28782, 20, 1))),)],
        dynamic=((0, 0, "length"), (0, 1, "batch")),
        settle=False,
    ),
    *(
        Model(
            f"transformer_encoder_{'pre' if first else 'post'}norm",
            lambda full, first=first: PaddedEncoder(*some(full, (8, 2, 12, 2), (512, 8, 2048, 6)), first),
            lambda full: [(torch.randn(*some(full, (2, 6, 8), (2, 100, 512))), cut(2, some(full, 6, 100)))],
            dynamic=((0, 0, "batch"), (0, 1, "length"), (1, 0, "batch"), (1, 1, "length")),
            settle=False,
        )
        for first in (False, True)
    ),
    Model(
        "transformer_decoder",
        lambda full: Decoder(*some(full, (8, 2, 12, 2), (512, 8, 2048, 6))),
        lambda full: [
            (torch.randn(*some(full, (2, 5, 8), (2, 50, 512))), torch.randn(*some(full, (2, 7, 8), (2, 80, 512))), cut(2, some(full, 7, 80)))
        ],
        dynamic=((0, 0, "batch"), (0, 1, "length"), (1, 0, "batch"), (1, 1, "memory"), (2, 0, "batch"), (2, 1, "memory")),
        settle=False,
    ),
    Model(
        "transformer",
        lambda full: Whole(*some(full, (40, 8, 2, 12, 2), (10000, 512, 8, 2048, 6))),
        lambda full: [(words(*some(full, (40, 2, 6), (10000, 1, 40))), words(*some(full, (40, 2, 5), (10000, 1, 30))))],
        dynamic=((0, 0, "batch"), (0, 1, "source"), (1, 0, "batch"), (1, 1, "target")),
        settle=False,
    ),
    Model(
        "multihead_attention",
        lambda full: Attends(*some(full, (8, 2, 6, 10), (256, 8, 128, 512))),
        lambda full: [
            (torch.randn(2, 5, 8), torch.randn(2, 7, 6), torch.randn(2, 7, 10), cut(2, 7))
            if not full
            else (torch.randn(2, 50, 256), torch.randn(2, 70, 128), torch.randn(2, 70, 512), cut(2, 70))
        ],
        settle=False,
    ),
    Model(
        "beam_search",
        lambda full: BeamSearch(*some(full, (20, 8, 2, 12, 2), (5000, 128, 4, 256, 2)), 3, 7),
        lambda full: [([1, 5], 5), ([2, 4, 3], 8)],
        forms=("scripted",),
        settle=False,
    ),
)
