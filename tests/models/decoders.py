"""Language models: GPT-2, greedy decoding with a growing cache, T5-style relative attention, Llama-style blocks."""

import math
from typing import List, Optional, Tuple

import torch
import torch.nn.functional as F
from initial import as_transformer
from torch import Tensor, nn
from zoo import Model


class CausalAttention(nn.Module):
    def __init__(self, width: int, heads: int, positions: int):
        super().__init__()
        self.heads = heads
        self.width = width
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.register_buffer("mask", torch.tril(torch.ones(positions, positions)).view(1, 1, positions, positions))

    def forward(self, x: Tensor) -> Tensor:
        b, t, c = x.size()
        q, k, v = self.qkv(x).split(self.width, dim=2)
        q = q.view(b, t, self.heads, c // self.heads).transpose(1, 2)
        k = k.view(b, t, self.heads, c // self.heads).transpose(1, 2)
        v = v.view(b, t, self.heads, c // self.heads).transpose(1, 2)
        scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        scores = scores.masked_fill(self.mask[:, :, :t, :t] == 0, float("-inf"))
        x = F.softmax(scores, dim=-1) @ v
        return self.out(x.transpose(1, 2).contiguous().view(b, t, c))


class NewGelu(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0))))


class GptBlock(nn.Module):
    def __init__(self, width: int, heads: int, positions: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = CausalAttention(width, heads, positions)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), NewGelu(), nn.Linear(4 * width, width), nn.Dropout(0.1))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Gpt2(nn.Module):
    """Logits for every position."""

    def __init__(self, vocabulary: int, positions: int, width: int, depth: int, heads: int):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(positions, width)
        self.blocks = nn.ModuleList([GptBlock(width, heads, positions) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, ids: Tensor) -> Tensor:
        places = torch.arange(0, ids.size(1), dtype=torch.long, device=ids.device)
        x = self.tokens(ids) + self.positions(places)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class CachedAttention(nn.Module):
    """Attention of the newest tokens to all before them; gives the caches with the new keys and values at their end."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.width = width
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, past_k: Tensor, past_v: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        b, t, c = x.size()
        q, k, v = self.qkv(x).split(self.width, dim=2)
        q = q.view(b, t, self.heads, c // self.heads).transpose(1, 2)
        k = torch.cat([past_k, k.view(b, t, self.heads, c // self.heads).transpose(1, 2)], dim=2)
        v = torch.cat([past_v, v.view(b, t, self.heads, c // self.heads).transpose(1, 2)], dim=2)
        total = k.size(2)
        visible = torch.ones(t, total, dtype=torch.bool, device=x.device).tril(total - t)
        scores = (q @ k.transpose(-2, -1)) / math.sqrt(c // self.heads)
        scores = scores.masked_fill(~visible, float("-inf"))
        y = (torch.softmax(scores, dim=-1) @ v).transpose(1, 2).reshape(b, t, c)
        return self.out(y), k, v


class CachedBlock(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = CachedAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.wide = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, x: Tensor, past_k: Tensor, past_v: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        y, k, v = self.attention(self.norm1(x), past_k, past_v)
        x = x + y
        x = x + self.narrow(F.gelu(self.wide(self.norm2(x)), approximate="tanh"))
        return x, k, v


class GreedyStacked(nn.Module):
    """Greedy decoding; all caches in two tensors [depth, batch, heads, time, size]."""

    def __init__(self, vocabulary: int, positions: int, width: int, depth: int, heads: int):
        super().__init__()
        self.depth = depth
        self.heads = heads
        self.size = width // heads
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(positions, width)
        self.blocks = nn.ModuleList([CachedBlock(width, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)

    def step(self, ids: Tensor, keys: Tensor, values: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        start = keys.size(3)
        x = self.tokens(ids) + self.positions(torch.arange(start, start + ids.size(1)))
        new_k: List[Tensor] = []
        new_v: List[Tensor] = []
        for i, block in enumerate(self.blocks):
            x, k, v = block(x, keys[i], values[i])
            new_k.append(k)
            new_v.append(v)
        return self.head(self.norm(x[:, -1])), torch.stack(new_k), torch.stack(new_v)

    def forward(self, ids: Tensor, steps: int) -> Tensor:
        keys = torch.zeros(self.depth, ids.size(0), self.heads, 0, self.size)
        values = torch.zeros(self.depth, ids.size(0), self.heads, 0, self.size)
        logits, keys, values = self.step(ids, keys, values)
        for _ in range(steps):
            token = torch.argmax(logits, dim=-1, keepdim=True)
            ids = torch.cat([ids, token], dim=1)
            logits, keys, values = self.step(token, keys, values)
        return ids


class GreedyLists(nn.Module):
    """Greedy decoding; one pair of caches per layer, in a list that the loop replaces element by element."""

    def __init__(self, vocabulary: int, positions: int, width: int, depth: int, heads: int):
        super().__init__()
        self.heads = heads
        self.size = width // heads
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(positions, width)
        self.blocks = nn.ModuleList([CachedBlock(width, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, ids: Tensor, steps: int, end: int = -1) -> Tensor:
        caches: List[Tuple[Tensor, Tensor]] = []
        for _ in self.blocks:
            empty = torch.zeros(ids.size(0), self.heads, 0, self.size)
            caches.append((empty, empty))
        fresh = ids
        for _step in range(steps):
            start = caches[0][0].size(2)
            x = self.tokens(fresh) + self.positions(torch.arange(start, start + fresh.size(1)))
            for i, block in enumerate(self.blocks):
                k, v = caches[i]
                x, k, v = block(x, k, v)
                caches[i] = (k, v)
            fresh = self.head(self.norm(x[:, -1:])).argmax(-1)
            ids = torch.cat([ids, fresh], dim=1)
            if bool((fresh == end).all()):
                break
        return ids


class T5Attention(nn.Module):
    def __init__(self, width: int, heads: int, buckets: int, farthest: int, biased: bool):
        super().__init__()
        self.heads = heads
        self.size = width // heads
        self.buckets = buckets
        self.farthest = farthest
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, width, bias=False)
        self.v = nn.Linear(width, width, bias=False)
        self.o = nn.Linear(width, width, bias=False)
        self.bias = nn.Embedding(buckets, heads) if biased else None

    def bucket(self, relative: Tensor) -> Tensor:
        """Half of the buckets for exact distances, the others for ranges that grow up to `farthest`; sign is the upper half."""
        half = self.buckets // 2
        result = (relative > 0).to(torch.long) * half
        distance = torch.abs(relative)
        exact = half // 2
        near = distance < exact
        far = exact + (
            torch.log(distance.float() / exact) / math.log(self.farthest / exact) * (half - exact)
        ).to(torch.long)
        far = torch.min(far, torch.full_like(far, half - 1))
        return result + torch.where(near, distance, far)

    def position_bias(self, queries: int, keys: int) -> Tensor:
        table = self.bias
        assert table is not None
        relative = torch.arange(keys, dtype=torch.long)[None, :] - torch.arange(queries, dtype=torch.long)[:, None]
        return table(self.bucket(relative)).permute([2, 0, 1]).unsqueeze(0)

    def forward(self, x: Tensor, mask: Tensor, shared: Optional[Tensor]) -> Tuple[Tensor, Tensor]:
        b, n, _ = x.shape
        q = self.q(x).view(b, -1, self.heads, self.size).transpose(1, 2)
        k = self.k(x).view(b, -1, self.heads, self.size).transpose(1, 2)
        v = self.v(x).view(b, -1, self.heads, self.size).transpose(1, 2)
        scores = torch.einsum("bnqd,bnkd->bnqk", q, k)
        bias = shared if shared is not None else self.position_bias(n, k.shape[2]) + mask
        scores += bias
        weights = F.softmax(scores.float(), dim=-1).type_as(scores)
        y = torch.einsum("bnqk,bnkd->bnqd", weights, v).transpose(1, 2).contiguous().view(b, -1, self.heads * self.size)
        return self.o(y), bias


class T5Norm(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        variance = x.to(torch.float32).pow(2).mean(-1, keepdim=True)
        return self.weight * (x * torch.rsqrt(variance + 1e-6))


class T5Layer(nn.Module):
    def __init__(self, width: int, heads: int, biased: bool):
        super().__init__()
        self.norm1 = T5Norm(width)
        self.attention = T5Attention(width, heads, 32, 128, biased)
        self.norm2 = T5Norm(width)
        self.wi = nn.Linear(width, 4 * width, bias=False)
        self.wo = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor, mask: Tensor, shared: Optional[Tensor]) -> Tuple[Tensor, Tensor]:
        y, bias = self.attention(self.norm1(x), mask, shared)
        x = x + y
        return x + self.wo(F.relu(self.wi(self.norm2(x)))), bias


class T5Encoder(nn.Module):
    """The first layer makes the bias by relative position, the others take it over."""

    def __init__(self, vocabulary: int, width: int, depth: int, heads: int):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.layers = nn.ModuleList([T5Layer(width, heads, i == 0) for i in range(depth)])
        self.norm = T5Norm(width)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        x = self.tokens(ids)
        blocked = (1.0 - mask[:, None, None, :].type_as(x)) * -1e9
        bias: Optional[Tensor] = None
        for layer in self.layers:
            x, bias = layer(x, blocked, bias)
        return self.norm(x)


class RmsNorm(nn.Module):
    def __init__(self, width: int, eps: float = 1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)).type_as(x) * self.weight


def rotate_half(x: Tensor) -> Tensor:
    first, second = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]
    return torch.cat((-second, first), dim=-1)


class GroupedAttention(nn.Module):
    """Rotary positions; several query heads share a key and value head."""

    def __init__(self, width: int, heads: int, kv_heads: int):
        super().__init__()
        self.heads = heads
        self.kv_heads = kv_heads
        self.size = width // heads
        self.q = nn.Linear(width, heads * self.size, bias=False)
        self.k = nn.Linear(width, kv_heads * self.size, bias=False)
        self.v = nn.Linear(width, kv_heads * self.size, bias=False)
        self.o = nn.Linear(heads * self.size, width, bias=False)

    def repeat(self, x: Tensor) -> Tensor:
        b, h, n, d = x.shape
        groups = self.heads // self.kv_heads
        return x[:, :, None, :, :].expand(b, h, groups, n, d).reshape(b, h * groups, n, d)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        b, n, _ = x.shape
        q = self.q(x).view(b, n, self.heads, self.size).transpose(1, 2)
        k = self.k(x).view(b, n, self.kv_heads, self.size).transpose(1, 2)
        v = self.v(x).view(b, n, self.kv_heads, self.size).transpose(1, 2)
        q = q * cos + rotate_half(q) * sin
        k = k * cos + rotate_half(k) * sin
        y = F.scaled_dot_product_attention(q, self.repeat(k), self.repeat(v), is_causal=True)
        return self.o(y.transpose(1, 2).reshape(b, n, -1))


class LlamaBlock(nn.Module):
    def __init__(self, width: int, heads: int, kv_heads: int, hidden: int):
        super().__init__()
        self.norm1 = RmsNorm(width)
        self.attention = GroupedAttention(width, heads, kv_heads)
        self.norm2 = RmsNorm(width)
        self.gate = nn.Linear(width, hidden, bias=False)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x), cos, sin)
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Llama(nn.Module):
    def __init__(self, vocabulary: int, width: int, depth: int, heads: int, kv_heads: int, hidden: int):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.blocks = nn.ModuleList([LlamaBlock(width, heads, kv_heads, hidden) for _ in range(depth)])
        self.norm = RmsNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        size = width // heads
        self.register_buffer("frequencies", 1.0 / (10000.0 ** (torch.arange(0, size, 2).float() / size)))

    def forward(self, ids: Tensor) -> Tensor:
        angles = torch.outer(torch.arange(ids.shape[1], dtype=torch.float32), self.frequencies)
        angles = torch.cat((angles, angles), dim=-1)
        cos, sin = angles.cos()[None, None], angles.sin()[None, None]
        x = self.tokens(ids)
        for block in self.blocks:
            x = block(x, cos, sin)
        return self.head(self.norm(x))


def tokens(vocabulary, batch, length):
    return torch.randint(0, vocabulary, (batch, length))


def padded(vocabulary, batch, length):
    lengths = torch.tensor([length - 2 * i for i in range(batch)])
    return tokens(vocabulary, batch, length), (torch.arange(length)[None, :] < lengths[:, None]).long()


IDS = ((0, 0, "batch"), (0, 1, "length"))
GPT2 = (50257, 1024, 768, 12, 12)

MODELS = (
    Model(
        "gpt2",
        lambda full: as_transformer(Gpt2(*GPT2), 768) if full else as_transformer(Gpt2(60, 32, 24, 2, 3), 24),
        lambda full: [(tokens(50257, 1, 64),), (tokens(50257, 2, 17),)] if full else [(tokens(60, 2, 9),), (tokens(60, 1, 20),)],
        dynamic=IDS,
        settle=False,
    ),
    Model(
        "greedy_stacked",
        lambda full: GreedyStacked(*GPT2) if full else GreedyStacked(60, 32, 24, 2, 3),
        lambda full: [(tokens(50257, 1, 16), 12)] if full else [(tokens(60, 2, 5), 4), (tokens(60, 2, 5), 9), (tokens(60, 1, 3), 0)],
        forms=("scripted",),
        settle=False,
    ),
    Model(
        "greedy_lists",
        lambda full: GreedyLists(*GPT2) if full else GreedyLists(60, 32, 24, 2, 3),
        lambda full: [(tokens(50257, 1, 16), 12)] if full else [(tokens(60, 2, 5), 4), (tokens(60, 2, 5), 9), (tokens(60, 1, 3), 0)],
        forms=("scripted",),
        settle=False,
    ),
    Model(
        "t5_encoder",
        lambda full: T5Encoder(32128, 512, 6, 8) if full else T5Encoder(60, 24, 2, 3),
        lambda full: [padded(32128, 1, 128), padded(32128, 2, 150)] if full else [padded(60, 2, 9), padded(60, 1, 40)],
        dynamic=(*IDS, (1, 0, "batch"), (1, 1, "length")),
        settle=False,
    ),
    Model(
        "llama",
        lambda full: Llama(32000, 1024, 4, 16, 4, 2816) if full else Llama(60, 32, 2, 4, 2, 48),
        lambda full: [(tokens(32000, 1, 64),), (tokens(32000, 2, 33),)] if full else [(tokens(60, 2, 9),), (tokens(60, 1, 14),)],
        dynamic=IDS,
        settle=False,
    ),
)
