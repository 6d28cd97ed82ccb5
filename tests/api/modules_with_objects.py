"""Modules that keep objects, lists and dicts of run-time structure, for `test_state_of_objects.py`."""

from enum import Enum
from typing import Any, Dict, List, Optional, Tuple

import torch
from torch import Tensor, nn


class Color(Enum):
    R = 1
    G = 2
    B = 3


class Acc:

    def __init__(self, n: int, x: Tensor):
        self.n = n
        self.x = x
        self.l = [n]

    def add(self, k: int) -> int:
        self.n += k
        self.l.append(k)
        return self.n


class Box:

    def __init__(self, a: Acc):
        self.a = a
        self.h = [a]


class Lengths(nn.Module):
    l: List[int]

    def __init__(self):
        super().__init__()
        self.l = []

    def forward(self, k: int):
        self.l.append(k * 2)
        return len(self.l), self.l[0], sum(self.l)


class Sums(nn.Module):
    l: List[Tensor]

    def __init__(self):
        super().__init__()
        self.l = []

    def forward(self, x: Tensor, k: int):
        self.l.append(x * k)
        s = torch.zeros(3)
        for t in self.l:
            s = s + t
        return s, len(self.l)


class Counts(nn.Module):
    d: Dict[str, int]

    def __init__(self):
        super().__init__()
        self.d = {}

    def forward(self, k: int):
        key = "k" + str(k)
        if key in self.d:
            self.d[key] += 1
        else:
            self.d[key] = 1
        return len(self.d), self.d[key], self.d


class Optionally(nn.Module):
    a: Optional[Acc]

    def __init__(self):
        super().__init__()
        self.a = None

    def forward(self, x: Tensor, k: int):
        a = self.a
        if a is None:
            a = Acc(k, x)
            self.a = a
        a.x = a.x + k
        r = a.add(k)
        if k == 4:
            self.a = None
        return r, a.x, a.l


class Replaced(nn.Module):

    def __init__(self):
        super().__init__()
        self.a = Acc(0, torch.zeros(3))
        self.b = Acc(1, torch.ones(3))

    def forward(self, x: Tensor, k: int):
        if k % 3 == 0:
            self.a = Acc(k, x)
        if k % 3 == 1:
            self.b = self.a
        self.a.add(k)
        self.b.n += 100
        return self.a.n, self.b.n, self.a.x + self.b.x, self.a.l, self.a is self.b


class Recent(nn.Module):
    l: List[Acc]

    def __init__(self):
        super().__init__()
        self.l = []

    def forward(self, x: Tensor, k: int):
        self.l.append(Acc(k, x))
        s = 0
        for a in self.l:
            s += a.add(1)
        if len(self.l) > 4:
            self.l.pop(0)
        return s, self.l


class OptionalTensor(nn.Module):
    t: Optional[Tensor]

    def __init__(self):
        super().__init__()
        self.t = None

    def forward(self, x: Tensor, k: int):
        t = self.t
        if t is None:
            t = x * k
        else:
            t = t + x
        if k > 2:
            self.t = t
        if k == 5:
            self.t = None
        return t


class Entries(nn.Module):
    d: Dict[int, Acc]

    def __init__(self):
        super().__init__()
        self.d = {}

    def forward(self, x: Tensor, k: int):
        i = k % 3
        if i not in self.d:
            self.d[i] = Acc(k, x)
        self.d[i].add(k)
        return self.d[i].n, len(self.d), self.d


class States(nn.Module):
    h: List[Color]

    def __init__(self):
        super().__init__()
        self.c = Color.R
        self.h = []

    def forward(self, k: int):
        if self.c == Color.R and k > 1:
            self.c = Color.G
        elif self.c == Color.G:
            self.c = Color.B if k > 3 else Color.R
        self.h.append(self.c)
        return self.c, self.h


class Rows(nn.Module):
    l: List[List[int]]
    d: Dict[str, List[float]]

    def __init__(self):
        super().__init__()
        self.l = []
        self.d = {}

    def forward(self, k: int):
        self.l.append([k] * k)
        key = "a" if k % 2 == 0 else "b"
        if key not in self.d:
            self.d[key] = torch.jit.annotate(List[float], [])
        self.d[key].append(k * 0.5)
        for i in range(len(self.l)):
            self.l[i].append(-1)
        return self.l, self.d


class Words(nn.Module):
    words: List[str]
    counts: Dict[str, int]

    def __init__(self):
        super().__init__()
        self.words = []
        self.counts = {}

    def forward(self, text: str):
        for w in text.split(" "):
            self.words.append(w)
            self.counts[w] = self.counts.get(w, 0) + 1
        return len(self.words), self.counts


class Shared(nn.Module):
    rows: List[List[int]]
    row: List[int]

    def __init__(self):
        super().__init__()
        self.rows = []
        self.row = [0]

    def forward(self, n: int):
        for i in range(n):
            self.row.append(i)
            self.rows.append(self.row)
        return len(self.rows)


class Raises(nn.Module):
    l: List[Acc]

    def __init__(self):
        super().__init__()
        self.l = []
        self.a = Acc(0, torch.zeros(2))

    def forward(self, k: int):
        self.l.append(Acc(k, torch.ones(2)))
        self.a.add(k)
        if k == 2:
            self.a = Acc(50, torch.ones(2))
        assert k != 0, "zero"
        self.l[0].n += 1
        return len(self.l)


class Boxed(nn.Module):
    b: Optional[Box]

    def __init__(self):
        super().__init__()
        self.b = None
        self.cur = Acc(0, torch.zeros(2))

    def forward(self, x: Tensor, k: int):
        self.cur.add(k)
        b = self.b
        if b is None:
            self.b = Box(self.cur)
        else:
            b.a.n += 1000
            if k == 4:
                b.h.append(Acc(k, x))
            if k == 6:
                self.cur = b.h[-1]
        return self.cur.n, self.cur.x, self.cur.l


class History(nn.Module):
    hist: List[Tensor]

    def __init__(self):
        super().__init__()
        self.hist = []
        self.register_buffer("buf", torch.zeros(2))

    def forward(self, x: Tensor, k: int):
        self.buf = self.buf + x
        self.hist.append(self.buf)
        if len(self.hist) > 4:
            self.hist = self.hist[1:]
        return torch.stack(self.hist).sum(0), self.buf


class Queues(nn.Module):
    q: List[Tuple[int, Tensor]]
    d: Dict[str, Tuple[int, float]]
    o: List[Optional[int]]

    def __init__(self):
        super().__init__()
        self.q = []
        self.d = {}
        self.o = []

    def forward(self, x: Tensor, k: int):
        self.q.append((k, x * k))
        self.d[str(k)] = (k, k * 0.5)
        self.o.append(k if k % 2 == 0 else None)
        s = 0
        for i, t in self.q:
            s += i * t.numel()
        for v in self.o:
            if v is not None:
                s += v * 100
        return s, self.d, self.o


class Members(nn.Module):
    c: Optional[Color]
    m: Dict[str, Color]

    def __init__(self):
        super().__init__()
        self.c = None
        self.m = {}

    def forward(self, x: Tensor, k: int):
        if k > 3:
            self.c = Color.G
        elif k == 3:
            self.c = None
        else:
            self.c = Color.R
        self.m["k" + str(k % 4)] = Color.R if k % 3 == 0 else Color.G
        return self.c, self.m


class Best(nn.Module):

    def __init__(self):
        super().__init__()
        self.acc = [Acc(i, torch.ones(2)) for i in range(3)]
        self.best = self.acc[0]

    def forward(self, x: Tensor, k: int):
        self.best.add(1)
        self.best = self.acc[k % 3]
        self.best.x = self.best.x + x
        r = 0
        for a in self.acc:
            r = r * 10 + a.n
        return r, self.best.x, self.best is self.acc[0]


class Texts(nn.Module):

    def __init__(self):
        super().__init__()
        self.l = [1.0, 2.0]
        self.s = "a"
        self.t: Tuple[int, str] = (1, "x")

    def forward(self, x: Tensor, k: int):
        self.s = self.s + str(k)
        self.t = (self.t[0] + k, self.s)
        self.l[k % 2] += k
        return self.s, self.t, self.l


class Stack(nn.Module):
    stack: List[Acc]

    def __init__(self):
        super().__init__()
        self.stack = []

    def push(self, x: Tensor, k: int):
        self.stack.append(Acc(k, x))
        return len(self.stack)

    def pop(self) -> Optional[Acc]:
        if len(self.stack) == 0:
            return None
        return self.stack.pop()

    def forward(self, x: Tensor, k: int):
        if k % 3 == 0:
            a = self.pop()
            b = self.pop()
            r = 0
            if a is not None:
                r += a.n
            if b is not None:
                r += b.n * 100
            return r, a
        n = self.push(x, k)
        return n, self.stack[-1]


class Cache(nn.Module):
    cache: Dict[int, Tensor]

    def __init__(self):
        super().__init__()
        self.cache = {}
        self.hits = 0

    def forward(self, x: Tensor, k: int):
        if k in self.cache:
            self.hits += 1
            return self.cache[k], self.hits
        y = x * k
        self.cache[k] = y
        return y, self.hits


class Anything(nn.Module):
    a: Any

    def __init__(self):
        super().__init__()
        self.a = 1

    def forward(self, x: Tensor, k: int):
        v = self.a
        r = 0
        if isinstance(v, int):
            r = v
        elif isinstance(v, str):
            r = len(v)
        elif isinstance(v, Tensor):
            r = v.numel()
        if k % 3 == 0:
            self.a = "s" + str(k)
        elif k % 3 == 1:
            self.a = x
        else:
            self.a = k
        return r


class Window(nn.Module):
    l: List[Acc]

    def __init__(self):
        super().__init__()
        self.l = []

    def forward(self, x: Tensor, k: int):
        for i in range(k):
            self.l.append(Acc(i, x + i))
        while len(self.l) > 6:
            self.l.pop(0)
        s = torch.zeros(2)
        for a in self.l:
            s = s + a.x
            a.add(k)
        return s, [a.n for a in self.l]
