"""Objects of script classes and members of Enums as results: every stage gives what PyTorch gives."""

import sys
from pathlib import Path

import numpy as np
import pytest

from torchcc.backend.cpu import jit
from torchcc.backend.cpu.header import header_text

sys.path.insert(0, str(Path(__file__).parent))
from run_time_programs import check, lowered, native, plain

CLASSES = """
class C(Enum):
    R = 1
    G = 2
    B = 7
class S(Enum):
    X = "xx"
    Y = "yy"
class P:
    def __init__(self, x: int, t: Tensor):
        self.x = x
        self.t = t
        self.c = C.R
    def grow(self, k: int):
        self.x += k
        self.t = self.t * 2
        if k > 2:
            self.c = C.G
class Q:
    p: Optional[P]
    def __init__(self, n: int):
        self.p = None
        self.l = torch.jit.annotate(List[P], [])
        self.d = torch.jit.annotate(Dict[str, P], {})
        self.n = n
class H:
    v: Any
    def __init__(self, v: Any):
        self.v = v
"""

PROGRAMS = {
    "objects_in_an_object": (
        CLASSES
        + """
def f(n: int, t: Tensor):
    q = Q(n)
    for i in range(n):
        a = P(i, t + i)
        q.l.append(a)
        q.d["k" + str(i % 3)] = a
        if i == 2:
            q.p = a
    for a in q.l:
        a.grow(1)
    return q
""",
        [5, np.arange(4, dtype=np.float32)],
    ),
    "one_of_two": (
        CLASSES
        + """
def f(n: int, t: Tensor):
    a = P(n, t)
    if n > 3:
        a.grow(3)
        b = a
    else:
        b = P(0, t * 0)
    b.x += 1
    return a, b, a.c, b.c == C.G
""",
        [5, np.arange(4, dtype=np.float32)],
    ),
    "optionals_and_members": (
        CLASSES
        + """
def f(n: int, t: Tensor) -> Tuple[Optional[P], Optional[C], Dict[str, C], List[Optional[S]]]:
    r = torch.jit.annotate(Optional[P], None)
    c = torch.jit.annotate(Optional[C], None)
    l: List[Optional[S]] = []
    d: Dict[str, C] = {}
    for i in range(n):
        if i == 3:
            r = P(i, t)
            c = C.B
        if i % 2 == 0:
            l.append(S.X)
        elif i % 3 == 0:
            l.append(S.Y)
        else:
            l.append(None)
        d[str(i)] = C.B if i > 2 else C.R
    return r, c, d, l
""",
        [6, np.arange(4, dtype=np.float32)],
    ),
    "anything": (
        CLASSES
        + """
def f(n: int, t: Tensor) -> Any:
    r: Any = 1
    if n == 3:
        r = P(n, t)
    elif n == 4:
        r = "s"
    elif n == 5:
        r = C.G
    elif n == 6:
        r = t
    elif n == 7:
        r = [1, 2]
    return r
""",
        [3, np.arange(4, dtype=np.float32)],
    ),
    "anything_in_containers": (
        CLASSES
        + """
def f(n: int, t: Tensor):
    d: Dict[str, Any] = {"a": 1, "t": t, "o": P(2, t)}
    if n > 2:
        d["b"] = C.R
    h = H(t)
    if n > 3:
        h.v = "x"
    h2 = H(h)
    return d, h, h2, H(None)
""",
        [5, np.arange(4, dtype=np.float32)],
    ),
    "found_or_not": (
        CLASSES
        + """
def find(l: List[P], x: int) -> Optional[P]:
    for a in l:
        if a.x == x:
            return a
    return None
def f(n: int, t: Tensor):
    l = [P(i * 2, t + i) for i in range(n)]
    a = find(l, 4)
    b = find(l, 5)
    if a is not None:
        a.grow(10)
    return a, b, l[2].x, a is not None
""",
        [5, np.arange(4, dtype=np.float32)],
    ),
    "a_stack": (
        CLASSES
        + """
class Stack:
    def __init__(self):
        self.items: List[P] = []
    def push(self, a: P) -> "Stack":
        self.items.append(a)
        return self
    def pop(self) -> P:
        return self.items.pop()
    def __len__(self) -> int:
        return len(self.items)
def f(n: int, t: Tensor):
    s = Stack()
    for i in range(n):
        s.push(P(i, t)).push(P(-i, t))
        if i % 2 == 1:
            s.pop()
    k = 0
    while len(s) > 3:
        k = k * 7 + s.pop().x
    return s, k, len(s)
""",
        [6, np.arange(4, dtype=np.float32)],
    ),
    "lists_by_key": (
        CLASSES
        + """
def f(n: int, t: Tensor):
    m: Dict[int, List[P]] = {}
    for i in range(n):
        k = i * i % 5
        if k not in m:
            m[k] = torch.jit.annotate(List[P], [])
        m[k].append(P(i, t[:i % 3 + 1]))
    s = 0
    for k, v in m.items():
        for a in v:
            a.grow(k)
            s += a.x * k
    return m, s
""",
        [7, np.arange(4, dtype=np.float32)],
    ),
    "named_tuples_in_objects": (
        CLASSES
        + """
class V(NamedTuple):
    a: int
    b: Tensor
class W:
    def __init__(self, v: V):
        self.v = v
        self.h: List[V] = [v]
def f(n: int, t: Tensor):
    w = W(V(1, t))
    for i in range(n):
        w.v = V(w.v.a + i, w.v.b + 1)
        w.h.append(w.v)
    return w, w.v, w.h
""",
        [4, np.arange(4, dtype=np.float32)],
    ),
    "states_of_a_machine": (
        CLASSES
        + """
def f(n: int, t: Tensor):
    c = C.R
    cnt: Dict[str, int] = {"R": 0, "G": 0, "B": 0}
    for i in range(n):
        if c == C.R:
            c = C.G
        elif c == C.G:
            c = C.B if i % 2 == 0 else C.R
        else:
            c = C.R
        cnt[c.name] += c.value
    return c, cnt, c.name, c.value, c is C.R, c is not C.B
""",
        [9, np.arange(4, dtype=np.float32)],
    ),
    "the_best_so_far": (
        CLASSES
        + """
def step(a: P, depth: int) -> P:
    b = P(a.x + depth, a.t + depth)
    if depth > 3:
        b.c = C.B
    return b
def f(n: int, t: Tensor):
    a = P(0, t)
    best = a
    trace: List[Tuple[int, P]] = []
    for i in range(n):
        a = step(a, i)
        if a.x > best.x or i == 2:
            best = a
        trace.append((i, best))
    return best, trace, a is best
""",
        [5, np.arange(4, dtype=np.float32)],
    ),
    "a_union_of_three": (
        CLASSES
        + """
def f(n: int, t: Tensor):
    l: List[Union[P, int, Tensor]] = []
    for i in range(n):
        if i % 3 == 0:
            l.append(P(i, t))
        elif i % 3 == 1:
            l.append(i)
        else:
            l.append(t.sum() if i > 4 else t)
    k = 0
    for v in l:
        if isinstance(v, P):
            v.grow(1)
            k += v.x
        elif isinstance(v, int):
            k += v * 10
        else:
            k += v.dim() * 100
    return l, k
""",
        [8, np.arange(4, dtype=np.float32)],
    ),
    "tokens": (
        CLASSES
        + """
class Tok:
    def __init__(self, kind: S, text: str):
        self.kind = kind
        self.text = text
def lex(s: str) -> List[Tok]:
    r: List[Tok] = []
    i = 0
    while i < len(s):
        j = i
        if s[i].isdigit():
            while j < len(s) and s[j].isdigit():
                j += 1
            r.append(Tok(S.X, s[i:j]))
            i = j
        else:
            r.append(Tok(S.Y, s[i]))
            i += 1
    return r
def f(n: int):
    toks = lex(str(n) + "+" + str(n * 3) + "*2")
    v = 0
    for t in toks:
        if t.kind == S.X:
            v += int(t.text)
    return toks, v, [t.kind for t in toks]
""",
        [123],
    ),
    "no_attributes": (
        CLASSES
        + """
class Empty:
    def __init__(self):
        pass
    def one(self) -> int:
        return 1
def f(n: int):
    l: List[Empty] = []
    for i in range(n):
        l.append(Empty())
    e = Empty()
    return l, e, sum([q.one() for q in l])
""",
        [3],
    ),
    "one_object_in_several_places": (
        CLASSES
        + """
def f(n: int, t: Tensor):
    l = [P(i, t) for i in range(n)]
    m = l
    l2 = [l[0], l[0]]
    m[0].grow(5)
    return l, l2, l2[0] is l[0], (l2, {"a": l2})
""",
        [3, np.arange(4, dtype=np.float32)],
    ),
    "members_of_many": (
        CLASSES
        + """
class Big(Enum):
    A = 0.5
    B = 1.5
    C = 2.5
    D = 3.5
    E = 4.5
    F = 5.5
class HB:
    def __init__(self, b: Big):
        self.b = b
        self.o = torch.jit.annotate(Optional[Big], None)
def f(n: int):
    l: List[HB] = []
    for i in range(n):
        h = HB(Big.A if i % 2 == 0 else Big.F)
        if i > 2:
            h.o = Big.C
        l.append(h)
    b = l[n // 2].b
    s = 0.0
    for h in l:
        s += h.b.value
        o = h.o
        if o is not None:
            s += o.value * 10
    d = {1: b}
    return l, b, s, d, (b, [b])
""",
        [5],
    ),
    "anything_in_a_list": (
        CLASSES
        + """
def f(n: int, t: Tensor):
    l: List[Any] = [None, 1, t]
    for i in range(n):
        l.append((i, t + i))
        l.append([t, t])
    s = 0.0
    for v in l:
        if torch.jit.isinstance(v, Tuple[int, Tensor]):
            s += float(v[1].sum()) * v[0]
        elif torch.jit.isinstance(v, List[Tensor]):
            s += len(v)
        elif isinstance(v, Tensor):
            s += 0.25
    return s, l
""",
        [3, np.arange(4, dtype=np.float32)],
    ),
    "an_iterator": (
        CLASSES
        + """
class It:
    def __init__(self, lo: int, hi: int):
        self.lo = lo
        self.hi = hi
    def next(self) -> Optional[int]:
        if self.lo < self.hi:
            self.lo += 1
            return self.lo - 1
        return None
def f(n: int):
    it = It(0, n)
    r: List[int] = []
    go = True
    while go:
        v = it.next()
        if v is None:
            go = False
        else:
            r.append(v)
    return r, it
""",
        [4],
    ),
    "members_of_enums": (
        """
class C(Enum):
    R = 1
    G = 2
class D(Enum):
    A = "a"
    B = "b"
    CC = "c"
    DD = "d"
    E = "e"
    F = "f"
class H:
    def __init__(self, c: C, d: D):
        self.c = c
        self.d = d
        self.o = torch.jit.annotate(Optional[D], None)
def f(n: int):
    l: List[C] = []
    m: List[D] = []
    h: List[H] = []
    dd: Dict[int, D] = {}
    for i in range(n):
        l.append(C.R if i % 2 == 0 else C.G)
        m.append(D.A if i % 2 == 0 else D.F)
        h.append(H(l[-1], m[-1]))
        if i == 2:
            h[-1].o = D.CC
        dd[i] = m[i]
    t = (l[0], m[1])
    return C.R, l, m, h, t, m[n // 2], l[n // 2], h[1], dd, {"a": C.G}
""",
        [4],
    ),
    "optional_objects": (
        """
class P:
    def __init__(self, x: Tensor, k: int):
        self.x = x
        self.k = k
        self.l = [k]
def f(n: int, x: Tensor):
    p = torch.jit.annotate(Optional[P], None)
    q = torch.jit.annotate(Optional[P], None)
    for i in range(n):
        if i > 2:
            p = P(x + i, i)
        if i == 1:
            q = p
    r = P(x, 2) if n > 3 else P(x + 1, 3)
    o = [p, q, r]
    return p, q, r, o, {"a": p}, (r, [q])
""",
        [4, np.ones((2, 3), np.float32)],
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    left = jit.session().functions.objects_left
    before = left()
    check(*PROGRAMS[name])
    assert left() == before


def test_results_are_snapshots():
    """What a call gave is not changed by the next one, and each place has an object of its own unless they lead to one another."""
    call = native(*PROGRAMS["one_object_in_several_places"])
    first = call()
    second = call()
    assert plain(first) == plain(second) if not isinstance(first, tuple) else len(first) == len(second)
    assert first[0][0] is not second[0][0]
    first[0][0].x = 100
    assert call()[0][0].x == second[0][0].x


def test_how_they_show():
    found = native(*PROGRAMS["members_of_enums"])()
    assert repr(found[0]) == "<C.R: 1>" and found[0] is found[6] and type(found[0]).__name__ == "C"
    assert repr(found[7]) == "H(c=<C.G: 2>, d=<D.F: 'f'>, o=None)"


def test_the_header_says_where_objects_stand():
    text = header_text([lowered(*PROGRAMS["tokens"]).signature], "library")
    assert "objects by number in out" in text
    assert "objects of class Tok: kind members of S (X, Y) by number in out" in text
    text = header_text([lowered(*PROGRAMS["optional_objects"]).signature], "library")
    assert "P(x=out8, k=out9, l=[out9])" in text
