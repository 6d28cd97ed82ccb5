"""Functions on objects, for `test_object_arguments.py`: PyTorch scripts them, torchcc compiles this very text."""

from enum import Enum
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

import torch
from torch import Tensor


class C(Enum):
    R = 1
    G = 2
class P(NamedTuple):
    a: int
    t: Tensor
class Acc:
    def __init__(self, n: int, x: Tensor):
        self.n = n
        self.x = x
        self.l = [n]
        self.d = {"a": x}
        self.o = torch.jit.annotate(Optional[int], None)
        self.c = C.R
        self.p = P(n, x)
    def add(self, k: int) -> int:
        self.n += k
        self.l.append(k)
        return self.n
class Node:
    next: Optional["Node"]
    kids: List["Node"]
    def __init__(self, v: int):
        self.v = v
        self.next = None
        self.kids = torch.jit.annotate(List["Node"], [])
def make(n: int, x: Tensor):
    return Acc(n, x)
def use(a: Acc, k: int):
    r = a.add(k)
    a.x = a.x * 2
    if k > 2:
        a.c = C.G
        a.o = k
    return r, a.x.sum(), a, len(a.l)
def many(n: int, x: Tensor):
    l: List[Acc] = []
    for i in range(n):
        l.append(Acc(i, x + i))
    return l
def total(l: List[Acc]):
    s = 0
    t = torch.zeros(3)
    for a in l:
        s += a.add(1)
        t = t + a.x + a.d["a"]
    return s, t, l
def chain(n: int):
    h = Node(-1)
    for i in range(n):
        m = Node(i)
        m.next = h
        m.kids.append(Node(100 + i))
        h = m
    return h
def walk(h: Node):
    s = 0
    p = h
    go = True
    while go:
        s = s * 3 % 1000003 + p.v
        for k in p.kids:
            s += k.v
        q = p.next
        if q is None:
            go = False
        else:
            p = q
    return s, h
def enums(c: C, l: List[C], o: Optional[C]):
    m = C.R if c == C.G else C.G
    n = 0
    for e in l:
        n += e.value
    return m, l, o, n, c is C.R, c is c
def uni(v: Union[int, str, Tensor], l: List[Union[int, str]], a: Any):
    r = 0
    if isinstance(v, int):
        r += v
    elif isinstance(v, str):
        r += len(v)
    else:
        r += v.numel() * 100
    s = ""
    for e in l:
        if isinstance(e, int):
            r += e
        else:
            s += e
    if isinstance(a, int):
        r += 1000 * a
    return r, s, v, l
def opt(a: Optional[Acc], d: Dict[str, Acc], t: Tuple[Acc, int]):
    r = t[1] + t[0].n
    if a is not None:
        r += a.n
    for _k, v in d.items():
        r += v.n
    return r, a


def identity(c: C, d: C):
    x = C.R
    y = x
    made = [C.R for i in range(3)]
    both = [C.R, C.R]
    m = C.R if c == C.R else C.G
    first = (x is x, x is y, x is C.R, made[0] is made[1], both[0] is both[1], made[0] is both[0])
    return first, c is d, c is c, m is x, m is C.R, c is not C.R, [e for e in C][0] is C.R  # noqa: C416 - TorchScript has no other way


def nothing(a: Any, o: Optional[int]):
    found = [a is None, a is not None, o is None]
    if a is None:
        found.append(True)
    held = [a]
    return found, held[0] is None
