"""What random programs have found, cut down: every stage does what PyTorch does."""

import numpy as np
import pytest
from oracle import HAS_TORCH, judge_text
from programs import Shared

HEAD = "import math\nfrom typing import Any, Dict, List, NamedTuple, Optional\nimport torch\nfrom torch import Tensor\n"

PROGRAMS = {
    "annotate leaves a narrower type": (
        """
def main(n: int):
    v = torch.jit.annotate(Optional[int], 1)
    w = torch.jit.annotate(Optional[int], None)
    if n > 1:
        w = 1
    o = torch.jit.annotate(Optional[str], 'a' if n > 2 else None)
    if o is not None:
        if n % 2 == 0:
            o = torch.jit.annotate(Optional[str], 'b')
    return v + 1, w, o
""",
        [[1], [3], [4]],
    ),
    "what a condition calls a method of is evaluated twice": (
        """
class C:
    def __init__(self, n: int):
        self.n = n
    def g(self) -> str:
        self.n += 1
        return 'ab'
    def __getitem__(self, i: int) -> str:
        self.n *= 3
        return 'a'

def main(n: int):
    o = C(n)
    r = 1 if o.g().isspace() else 2
    if not o[0].startswith('b') and (n > 0 or o.g().upper().islower()):
        r += 3
    x = o.g().startswith('a')
    while bool(o.g().startswith('b')):
        r += 1
    return r, o.n, x
""",
        [[1], [-4]],
    ),
    "contexts whose entering does nothing": (
        """
class C:
    def __init__(self, n: int):
        self.n = n
    def __enter__(self) -> int:
        return self.n
    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        self.n += 1
        print('left', self.n)

def main(n: int, l: List[int]):
    c = C(n)
    with c:
        with c as k:
            n = n * 2
        n += l[1]
    return n, c.n
""",
        [[1, [1, 2]], [3, []]],
    ),
    "errors come in the order of the program": (
        """
def main(d: Dict[str, int], s: List[str], x: Tensor, n: int):
    y = d['b'] + n
    t = s[n]
    assert x.dim() == 3, 'bad'
    return y, t
""",
        [[{"a": 1}, ["p", "q", "r"], np.ones(2, np.float32), 1], [{"b": 1}, ["p"], np.ones(2, np.float32), 5], [{"b": 1}, ["p"], np.ones(2, np.float32), 0]],
    ),
    "the largest int is no bound of a slice": (
        """
def main(l: List[int], s: str, a: int, b: int):
    return l[a:b], l[a:b:-1], s[a:b], s[a:b:-1], len('a'[9223372036854775807:1]), [1, 2, 3][1:9223372036854775807:-1]
""",
        [[[1, 2, 3], "abc", 2**63 - 1, 1], [[1, 2, 3], "abc", 1, 2**63 - 1], [[1, 2], "ab", 2**63 - 1, 2**63 - 1]],
    ),
    "the left side of % is evaluated twice": (
        """
class C:
    def __init__(self, n: int):
        self.n = n
    def g(self) -> int:
        self.n += 1
        return self.n

def main(l: List[int]):
    o = C(0)
    d: Dict[int, int] = {}
    d[o.g() % 4] = 5
    a = l.pop() % 3
    b = (l.pop() % 7 + o.g()) % 5 % 9
    return d, l, a, b, o.n
""",
        [[list(range(50, 90))]],
    ),
    "what is repeated once is new": (
        """
def main(x: Tensor):
    y = x.repeat_interleave(1, 0)
    y[0] = 5.0
    return y
""",
        [[np.ones((2, 3), np.float32)]],
    ),
    "tensors that overlap": (
        """
def main(x: Tensor, y: Tensor, z: Tensor):
    for i in range(2):
        x += 1
        y[0] = z[1] * 2
    return x, y, z.is_contiguous()
""",
        [[np.arange(6, dtype=np.float32), Shared(0), Shared(0, 1, 4)]],
    ),
    "the sum of no floats is a float": (
        """
def main(l: List[float], n: int):
    m: List[float] = [0.5 for i in range(n)]
    return sum(l), sum(m)
""",
        [[[], 0], [[1.0], 2]],
    ),
    "whether a string is None": (
        """
def main(c: bool, n: int):
    s: Optional[str] = torch.jit.annotate(Optional[str], 'a' if n > 1 else None)
    l: List[str] = []
    if s is not None:
        l.append(s)
    return l, s is None, s
""",
        [[True, 0], [True, 2]],
    ),
    "a string in parts, constant and not": (
        """
def main(n: int, s: str):
    a = (s + str(n)).partition('a')
    return a, a[0], 'xay'.rpartition('a')[2]
""",
        [[7, "bac"], [1, "q"]],
    ),
    "an entry that only one of two dicts has": (
        """
class R(NamedTuple):
    f: str
    g: str

def main(n: int, l: List[str]):
    d: Dict[str, R] = {'a': R('a', 'a'), 'b': R('a', 'a')}
    if 1 / n < 1.0:
        d = {'b': R('a', 'a')}
    del d['b']
    for k, v in d.items():
        l.append(k + v.f)
    return l, len(d)
""",
        [[3, ["x"]], [1, []]],
    ),
    "dicts and tensors in dicts go away": (
        """
def main(n: int, k: Tensor):
    d: Dict[int, Dict[int, bool]] = {n: {1: True}}
    e: Dict[int, Tensor] = {1: k, n: k}
    return d, e
""",
        [[2, np.ones(2, np.float32)], [1, np.ones(3, np.float32)]],
    ),
    "numbers that are known late are printed": (
        """
def main(n: int, k: Tensor):
    v = torch.full([0, 2], 1, dtype=torch.int64)
    for row in k:
        w = v.sum()
        print(n, int(w), bool(w > 0), float(w), str(int(w)) + 'x')
    return str(bool(v.sum() < 1))
""",
        [[2, np.ones(2, np.float32)]],
    ),
    "remainders of floats are rounded as PyTorch rounds them": (
        """
def main(n: int, x: float, y: float):
    return math.copysign(1.0, (n / 4) % (-1.5)), x % y, (n * x) % y, n % y, x % (n + 0.5)
""",
        [[0, 0.1, 3.0], [1, 0.1, float("inf")], [3, -0.1, 7.3], [-5, 0.3, -0.7], [2, 1e-20, 1.0], [2, -1e-20, 1.0]],
    ),
    "a name that is None is set again further in": (
        """
def main(n: int, u: Optional[int]):
    if u is None:
        for i in range(n):
            u = torch.jit.annotate(Optional[int], i if i < 3 else None)
    return u
""",
        [[0, None], [2, None], [5, None], [2, 7]],
    ),
    "a result in one of two dicts, one with a list made at run time": (
        """
def main(n: int, m: int, s: str):
    v: Dict[str, List[int]] = {'a': [2], 'a': [1]}
    w: List[List[int]] = [[1]]
    x: Dict[str, str] = {'k': s}
    if n > 3:
        v[s] = [1 for i in range(m % 4)]
        w.append([i for i in range(m % 4)])
        x['q'] = s + 'b'
    elif n > 1:
        v = {'z': [n]}
        x = {'y': 'u'}
    return v, w, x
""",
        [[7, 3, "zz"], [2, 3, "zz"], [1, 2, "a"]],
    ),
    "a key twice, and one known late": (
        """
def main(n: int, m: int, s: str):
    v: Dict[str, List[int]] = {'a': [1 for i in range(1 % 4)], 'a': [1]}
    if 1.0 >= n / 4:
        v[s] = [1 for i in range(m % 4)]
    return v
""",
        [[7, 3, "zz"], [2, 3, "zz"], [2, 3, "a"]],
    ),
    "a field that is None as a result": (
        """
class C:
    def __init__(self, f: int, g: Optional[str], h: Optional[List[int]]):
        self.f = f
        self.g = g
        self.h = h

def main(n: int):
    c = C(1, torch.jit.annotate(Optional[str], None), torch.jit.annotate(Optional[List[int]], None))
    l = [c for i in range(n % 4)]
    for i in range(n):
        if i > 1:
            l.append(C(i, 'abc', [1, i]))
    d = l[-1] if n > 0 else c
    return c.g, (c.f, c.g, c.h), d.g, d.h
""",
        [[0], [1], [2], [3]],
    ),
    "loops that bind a dict of lists anew": (
        """
def main(n: int):
    d: Dict[str, List[str]] = {'a': list('')}
    l: List[int] = []
    i = 0
    while i < 5 and n > 1:
        i += 1
        l.append(i)
        j = 0
        while j < 6 and n > 1:
            j += 1
            d = {'a': ['a', 'a'], 'b': ['b']}
    return d, l
""",
        [[0], [2]],
    ),
}


@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch says what is right")
@pytest.mark.parametrize("name", PROGRAMS)
def test_found(name):
    source, inputs = PROGRAMS[name]
    verdict = judge_text(HEAD + source, inputs)
    assert verdict.kind == "agrees", verdict
