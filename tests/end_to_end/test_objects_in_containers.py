"""Objects of script classes in lists, dicts and tuples, with lists and tensors in them; nothing is left on the heap."""

import sys
from pathlib import Path

import numpy as np
import pytest

from torchcc.backend.cpu import jit

sys.path.insert(0, str(Path(__file__).parent))
from run_time_programs import POINT, check, normal

HYP = """
class Hyp:
    def __init__(self, tokens: List[int], score: float, h: Tensor):
        self.tokens = tokens
        self.score = score
        self.h = h
        last: Optional[Tensor] = None
        self.last = last
    def grow(self, token: int, score: float, h: Tensor) -> "Hyp":
        made = Hyp(self.tokens + [token], self.score + score, h)
        made.last = self.h
        return made
"""


PROGRAMS = {
    "in_a_list": (
        POINT
        + """
def f(n: int):
    l: List[Point] = []
    for i in range(n):
        l.append(Point(i, 0.5))
    for p in l:
        p.shift(1)
    l[0].x = 100
    s = 0.0
    for p in l:
        s += p.norm()
    return s, l[-1].x, l[0] is l[1], l[0] is l[0], l[0] is not l[2], len(l)
""",
        [7],
    ),
    "made_by_methods": (
        POINT
        + """
def f(n: int):
    p = Point(1, 1.5)
    l: List[Point] = [p]
    for i in range(n):
        p = p.moved(i)
        l.append(p)
    p.x = -5
    return l[-1].x, l[-1].y, l[0].x, [q.x for q in l]
""",
        [5],
    ),
    "hypotheses": (
        HYP
        + """
def f(logp: Tensor, steps: int, width: int):
    beams: List[Hyp] = [Hyp([0], 0.0, logp[0])]
    for s in range(steps):
        candidates: List[Hyp] = []
        for b in beams:
            row = logp[b.tokens[-1]] + b.h * 0.1
            for v in range(row.size(0)):
                candidates.append(b.grow(v, float(row[v]), row))
        chosen: List[Hyp] = []
        while len(chosen) < width:
            best = 0
            for j in range(len(candidates)):
                if candidates[j].score > candidates[best].score:
                    best = j
            chosen.append(candidates.pop(best))
        beams = chosen
    last = beams[0].last
    return [b.tokens for b in beams], [b.score for b in beams], beams[0].h, last is None
""",
        [normal(5, 5), 3, 3],
    ),
    "tensors_in_attributes": (
        """
class Cell:
    def __init__(self, w: Tensor):
        self.w = w
        self.h = torch.zeros(w.size(0))
        self.seen: List[Tensor] = []
    def step(self, x: Tensor) -> Tensor:
        self.h = torch.tanh(self.w @ x + self.h)
        self.seen.append(self.h)
        return self.h
def f(w: Tensor, x: Tensor, layers: int):
    cells: List[Cell] = []
    for i in range(layers):
        cells.append(Cell(w * (i + 1)))
    for t in range(x.size(0)):
        y = x[t]
        for c in cells:
            y = c.step(y)
    return torch.stack(cells[-1].seen), cells[0].h, len(cells[0].seen)
""",
        [normal(3, 3), normal(4, 3), 3],
    ),
    "tuples_of_objects": (
        POINT
        + """
def f(n: int):
    l: List[Tuple[int, Point]] = []
    for i in range(n):
        l.append((i * 3 % 5, Point(i, 1.0)))
    key, p = l[2]
    p.x = 77
    total = 0
    for k, q in l:
        total += k * q.x
    return key, total, l[2][1].x
""",
        [5],
    ),
    "dict_of_objects": (
        POINT
        + """
def f(n: int):
    d: Dict[int, Point] = {}
    for i in range(n):
        k = i % 3
        if k in d:
            d[k].shift(i)
        else:
            d[k] = Point(i, 0.5)
    s = 0.0
    for k in d:
        s = s * 2 + d[k].norm()
    return s, len(d), [d[k].x for k in d]
""",
        [8],
    ),
    "dict_in_an_object": (
        """
class Counter:
    def __init__(self):
        self.counts: Dict[int, int] = {}
        self.total = 0
    def add(self, k: int) -> int:
        self.total += 1
        if k in self.counts:
            self.counts[k] += 1
        else:
            self.counts[k] = 1
        return self.counts[k]
def f(n: int):
    counters: List[Counter] = []
    for i in range(n):
        if i % 4 == 0:
            counters.append(Counter())
        counters[-1].add(i % 3)
    c = Counter()
    for i in range(n):
        c.add(i % 2)
    return [k.total for k in counters], counters[0].counts[0], c.counts[1], c.total
""",
        [9],
    ),
    "stack_machine": (
        """
class Machine:
    def __init__(self):
        self.stack: List[int] = []
        self.steps = 0
    def push(self, v: int) -> None:
        self.stack.append(v)
        self.steps += 1
    def add(self) -> None:
        a = self.stack.pop()
        b = self.stack.pop()
        self.push(a + b)
def f(x: Tensor):
    m = Machine()
    for i in range(x.size(0)):
        v = int(x[i])
        if v == 0:
            m.add()
        else:
            m.push(v)
    return m.stack, m.steps
""",
        [np.array([3, 4, 0, 5, 0, 7])],
    ),
    "named_tuples": (
        """
class Entry(NamedTuple):
    score: float
    word: int
    state: Tensor
def f(x: Tensor, n: int):
    l: List[Entry] = []
    for i in range(n):
        l.append(Entry(float(x[i, 0]), i, x[i]))
    best = l[0]
    for e in l:
        if e.score > best.score:
            best = e
    return best.word, best.score, best.state, len(l)
""",
        [normal(6, 3), 6],
    ),
    "attributes_of_growing_extent": (
        """
class Buffer:
    def __init__(self, x: Tensor):
        self.x = x
def f(x: Tensor, n: int):
    l = [Buffer(x)]
    for i in range(n):
        l.append(Buffer(torch.cat([l[-1].x, x])))
    l[0].x = torch.ones(2, 5)
    return l[-1].x, l[0].x, [b.x.size(0) for b in l]
""",
        [normal(2, 3), 3],
    ),
    "queue_with_priority": (
        """
class Task:
    def __init__(self, cost: int, name: int):
        self.cost = cost
        self.name = name
    def __lt__(self, other: "Task") -> bool:
        return self.cost < other.cost
def f(n: int):
    tasks: List[Task] = []
    for i in range(n):
        tasks.append(Task(i * 7 % 5, i))
    order: List[int] = []
    while len(tasks) > 0:
        best = 0
        for j in range(len(tasks)):
            if tasks[j] < tasks[best]:
                best = j
        order.append(tasks.pop(best).name)
    return order
""",
        [9],
    ),
    "removed_and_reversed": (
        POINT
        + """
def f(n: int):
    l: List[Point] = []
    for i in range(n):
        l.insert(i // 2, Point(i, 1.0))
    l.reverse()
    p = l.pop(1)
    del l[0]
    m = l[1:] + l[:1]
    m[0].x = 55
    l.extend(m)
    c = l.copy()
    c.append(p)
    return [q.x for q in l], [q.x for q in c], p.x, len(m)
""",
        [7],
    ),
    "attributes_changed_in_place": (
        """
class P:
    def __init__(self, h: Tensor, k: int):
        self.h = h
        self.k = k
        self.l: List[Tensor] = []

def f(x: Tensor, n: int):
    l: List[P] = []
    for i in range(n):
        l.append(P(x * i, i))
    for p in l:
        p.h.add_(1)
        p.h[0] = 5.0
    return [p.h for p in l]
""",
        [normal(3), 4],
    ),
    "cache_of_entries": (
        """
class Entry:
    def __init__(self, key: int, value: float):
        self.key = key
        self.value = value
        self.uses = 0
class Cache:
    def __init__(self, size: int):
        self.size = size
        self.entries: Dict[int, Entry] = {}
        self.order: List[int] = []
        self.misses = 0
    def get(self, key: int) -> float:
        if key in self.entries:
            e = self.entries[key]
            e.uses += 1
            self.order.remove(key)
            self.order.append(key)
            return e.value
        self.misses += 1
        if len(self.order) >= self.size:
            old = self.order.pop(0)
            del self.entries[old]
        self.entries[key] = Entry(key, key * 0.5)
        self.order.append(key)
        return self.entries[key].value
def f(n: int):
    c = Cache(3)
    s = 0.0
    for i in range(n):
        s += c.get(i * i % 7)
    return s, c.misses, c.order, [c.entries[k].uses for k in c.order]
""",
        [20],
    ),
    "beams_that_are_sorted": (
        """
class Beam:
    def __init__(self, toks: List[int], score: float, state: Optional[Tensor]):
        self.toks = toks
        self.score = score
        self.state = state
    def __lt__(self, other: "Beam") -> bool:
        return self.score < other.score
def f(w: Tensor, emb: Tensor, steps: int, k: int):
    beams: List[Beam] = [Beam([0], 0.0, None)]
    for s in range(steps):
        cand: List[Beam] = []
        for b in beams:
            st = b.state
            if st is None:
                st = torch.zeros(w.size(0))
            h = torch.tanh(w @ st + emb[b.toks[-1]])
            for v in range(emb.size(0)):
                cand.append(Beam(b.toks + [v], b.score + float(h[v % h.size(0)]) * (v + 1), h))
        cand.sort(reverse=True)
        beams = cand[:k]
    out = beams[0].state
    assert out is not None
    return [b.toks for b in beams], [b.score for b in beams], out
""",
        [normal(3, 3), normal(5, 3), 3, 2],
    ),
    "two_objects_with_lists": (
        """
class A:
    def __init__(self, x: Tensor):
        self.hs = [x, x * 2]
        self.t = (x, 1)
def f(x: Tensor, n: int):
    a = A(x)
    b = A(x + 1)
    c = a
    for i in range(n):
        c = a if i % 2 == 0 else b
        c.hs[i % 2] = c.hs[0] + 1
        c.t = (c.t[0] * 2, c.t[1] + i)
    return a.hs, b.hs, c.t, a.t
""",
        [normal(3), 5],
    ),
    "lists_of_objects_with_lists": (
        """
class Leaf:
    def __init__(self, t: Tensor):
        self.t = t
class Mid:
    def __init__(self, a: Leaf):
        self.leaves = [a]
        self.by: Dict[int, Leaf] = {0: a}
class Top:
    def __init__(self):
        self.mids: List[Mid] = []
def f(x: Tensor, n: int):
    t = Top()
    for i in range(n):
        m = Mid(Leaf(x * i))
        m.leaves.append(Leaf(x + i))
        m.by[i] = m.leaves[1]
        t.mids.append(m)
    t.mids[1].by[0].t = x * 100
    s = torch.zeros(3)
    for m in t.mids:
        for l in m.leaves:
            s = s + l.t
        for k, v in m.by.items():
            s = s + v.t * k
    return s, t.mids[1].leaves[0].t
""",
        [normal(3), 4],
    ),
    "means_by_key": (
        """
class Acc:
    def __init__(self):
        self.total = torch.zeros([])
        self.n = 0
    def add(self, x: Tensor):
        self.total = self.total + x.sum()
        self.n += 1
    def mean(self) -> Tensor:
        return self.total / self.n
def f(x: Tensor, k: int):
    accs: Dict[int, Acc] = {}
    for i in range(x.size(0)):
        key = i % k
        if key not in accs:
            accs[key] = Acc()
        accs[key].add(x[i])
    return [a.mean() for a in accs.values()]
""",
        [normal(7, 2), 3],
    ),
    "many_attributes": (
        """
class C:
    def __init__(self, v: int):
        self.a0 = v + 0
        self.a1 = v + 1
        self.a2 = v + 2
        self.a3 = v + 3
        self.a4 = v + 4
        self.a5 = v + 5
        self.a6 = v + 6
        self.a7 = v + 7
        self.a8 = v + 8
        self.a9 = v + 9
        self.a10 = v + 10
        self.a11 = v + 11
        self.a12 = v + 12
        self.a13 = v + 13
        self.a14 = v + 14
        self.a15 = v + 15
        self.a16 = v + 16
        self.a17 = v + 17
        self.a18 = v + 18
        self.a19 = v + 19
        self.a20 = v + 20
        self.a21 = v + 21
        self.a22 = v + 22
        self.a23 = v + 23
        self.a24 = v + 24
        self.a25 = v + 25
        self.a26 = v + 26
        self.a27 = v + 27
        self.a28 = v + 28
        self.a29 = v + 29
        self.a30 = v + 30
        self.a31 = v + 31
        self.a32 = v + 32
        self.a33 = v + 33
        self.a34 = v + 34
        self.a35 = v + 35
        self.a36 = v + 36
        self.a37 = v + 37
        self.a38 = v + 38
        self.a39 = v + 39
        self.a40 = v + 40
        self.a41 = v + 41
        self.a42 = v + 42
        self.a43 = v + 43
        self.a44 = v + 44
        self.a45 = v + 45
        self.a46 = v + 46
        self.a47 = v + 47
        self.a48 = v + 48
        self.a49 = v + 49
        self.a50 = v + 50
        self.a51 = v + 51
        self.a52 = v + 52
        self.a53 = v + 53
        self.a54 = v + 54
        self.a55 = v + 55
        self.a56 = v + 56
        self.a57 = v + 57
        self.a58 = v + 58
        self.a59 = v + 59
        self.a60 = v + 60
        self.a61 = v + 61
        self.a62 = v + 62
        self.a63 = v + 63
        self.a64 = v + 64
        self.a65 = v + 65
        self.a66 = v + 66
        self.a67 = v + 67
        self.a68 = v + 68
        self.a69 = v + 69
        self.t = torch.zeros(2) + v
        self.s = "x" + str(v)
def f(n: int):
    l: List[C] = []
    for i in range(n):
        l.append(C(i))
    s = 0
    out = torch.zeros(2)
    for c in l:
        s += c.a0 + c.a69 * 2 + len(c.s)
        c.a65 = s
        out = out + c.t
    return s, l[1].a65, out, l[2].s
""",
        [4],
    ),
    "in_an_optional_tuple": (
        """
class A:
    def __init__(self, v: int):
        self.v = v
def f(n: int):
    best: Optional[Tuple[A, int]] = None
    for i in range(n):
        c = (A(i), i * 7 % 5)
        if best is None:
            best = c
        elif c[1] > best[1]:
            best = c
            best[0].v += 100
    assert best is not None
    a, k = best
    return a.v, k
""",
        [6],
    ),
    "in_slots_that_may_be_empty": (
        """
class A:
    def __init__(self, v: int):
        self.v = v
def f(n: int):
    slots: List[Optional[A]] = []
    for i in range(n):
        slots.append(None)
    for i in range(2 * n):
        s = slots[i * 3 % n]
        if s is None:
            slots[i * 3 % n] = A(i)
        else:
            s.v += 10
    out: List[int] = []
    for s in slots:
        out.append(-1 if s is None else s.v)
    return out
""",
        [6],
    ),
    "a_list_replaced_in_an_attribute": (
        """
class A:
    def __init__(self):
        self.l = [0]
def f(n: int):
    a = A()
    keep = a.l
    for i in range(n):
        if i == 2:
            a.l = [5]
        a.l.append(i)
    keep.append(99)
    return keep, a.l, len(keep)
""",
        [5],
    ),
    "lists_of_objects_that_are_shared": (
        """
class A:
    def __init__(self):
        self.l = [0]
def f(n: int):
    a = A()
    keep = a.l
    objs: List[A] = [a]
    for i in range(n):
        objs.append(a if i % 2 == 0 else A())
    for o in objs:
        o.l.append(7)
    keep.append(99)
    return keep, a.l, objs[2].l
""",
        [3],
    ),
    "one_tensor_in_many_objects": (
        """
class A:
    def __init__(self, t: Tensor):
        self.t = t
def f(x: Tensor, n: int):
    y = x * 2
    objs: List[A] = []
    for i in range(n):
        objs.append(A(y))
    y.add_(1)
    objs[0].t.mul_(3)
    z = objs[1].t[0]
    z.fill_(7)
    return y, objs[-1].t
""",
        [normal(3, 2), 3],
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    left = jit.session().functions.objects_left
    before = left()
    check(*PROGRAMS[name])
    assert left() == before
