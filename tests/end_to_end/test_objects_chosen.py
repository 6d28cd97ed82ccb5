"""Which object a name means is known at run time: branches, loops, calls, optional attributes; nothing is left on the heap."""

import sys
from pathlib import Path

import pytest

from torchcc.backend.cpu import jit

sys.path.insert(0, str(Path(__file__).parent))
from run_time_programs import POINT, check, normal

PROGRAMS = {
    "one_object_many_names": (
        POINT
        + """
def f(n: int):
    p = Point(1, 1.5)
    l: List[Point] = []
    for i in range(n):
        l.append(p)
        l[0].shift(i)
    p.x += 1000
    return p.x, p.y, l[0].x, l[-1] is p, [q.x for q in l]
""",
        [5],
    ),
    "chosen_by_branches": (
        POINT
        + """
def f(x: Tensor, n: int):
    a = Point(1, 2.0)
    b = Point(3, 4.0)
    for i in range(n):
        c = a if float(x[i]) > 0 else b
        c.shift(i)
        if c is a:
            c.y += 100.0
    return a.x, a.y, b.x, b.y
""",
        [normal(8), 8],
    ),
    "best_of": (
        POINT
        + """
def f(x: Tensor):
    best: Optional[Point] = None
    for i in range(x.size(0)):
        p = Point(i, float(x[i]))
        if best is None:
            best = p
        elif p.y > best.y:
            best = p
            best.shift(10)
    assert best is not None
    return best.x, best.y
""",
        [normal(9)],
    ),
    "best_of_none": (
        POINT
        + """
def f(x: Tensor):
    best: Optional[Point] = None
    for i in range(x.size(0)):
        if float(x[i]) > 100.0:
            best = Point(i, 1.0)
    return best is None
""",
        [normal(9)],
    ),
    "carried_and_replaced": (
        POINT
        + """
def f(x: Tensor):
    cur = Point(0, 0.0)
    old = cur
    for i in range(x.size(0)):
        if float(x[i]) > 0:
            old = cur
            cur = Point(cur.x + 1, float(x[i]))
        old.x += 1
    return cur.x, cur.y, old.x, old.y, cur is old
""",
        [normal(9)],
    ),
    "swapped": (
        POINT
        + """
def f(n: int):
    a = Point(1, 1.0)
    b = Point(2, 2.0)
    first = a
    for i in range(n):
        a, b = b, a
        a.x += 10
    return a.x, b.x, first.x, first is a, first is b
""",
        [5],
    ),
    "early_return": (
        POINT
        + """
def find(l: List[Point], x: int) -> Optional[Point]:
    for p in l:
        if p.x == x:
            return p
    return None
def f(n: int):
    l: List[Point] = []
    for i in range(n):
        l.append(Point(i * 3 % 7, float(i)))
    a = find(l, 5)
    b = find(l, 50)
    if a is not None:
        a.y = 100.0
        return a.y, b is None, [p.y for p in l]
    return 0.0, b is None, [p.y for p in l]
""",
        [7],
    ),
    "nested_loops_and_breaks": (
        POINT
        + """
def f(n: int):
    l: List[Point] = []
    i = 0
    while True:
        p = Point(i, 0.0)
        for j in range(i):
            if j > 2:
                break
            p.shift(j)
        l.append(p)
        i += 1
        if i >= n:
            break
    return [q.x for q in l], [q.y for q in l]
""",
        [6],
    ),
    "picked_by_a_function": (
        """
class P:
    def __init__(self, h: Tensor, k: int):
        self.h = h
        self.k = k
        self.l: List[Tensor] = []

def pick(l: List[P], k: int) -> P:
    for p in l:
        if p.k == k:
            return p
    return l[0]
def f(x: Tensor, n: int):
    l: List[P] = []
    for i in range(n):
        l.append(P(x * i, i))
    q = pick(l, 2)
    q.l.append(x)
    r = pick(l, 77)
    r.l.append(q.h)
    return len(l[2].l), l[0].l, q is l[2], r is l[0]
""",
        [normal(3), 4],
    ),
    "a_condition_on_an_attribute": (
        """
class S:
    def __init__(self):
        self.stack: List[int] = []
        self.done = False
    def step(self, n: int):
        if len(self.stack) > n:
            self.done = True
        else:
            self.stack.append(len(self.stack) * 2)
def f(n: int):
    s = S()
    c = 0
    while not s.done:
        s.step(n)
        c += 1
        if c > 100:
            break
    return s.stack, c
""",
        [6],
    ),
    "made_in_branches_of_a_call": (
        """
class A:
    def __init__(self, v: int):
        self.v = v
def mk(i: int) -> Tuple[A, int]:
    if i % 3 == 0:
        return A(i), 1
    elif i % 3 == 1:
        return A(i * 10), 2
    else:
        return A(-i), 3
def f(n: int):
    l: List[A] = []
    s = 0
    for i in range(n):
        a, k = mk(i)
        a.v += k
        l.append(a)
        s += k
    return [a.v for a in l], s
""",
        [7],
    ),
    "an_object_made_on_demand": (
        """
class Inner:
    def __init__(self, v: int):
        self.v = v
class Outer:
    def __init__(self):
        inner: Optional[Inner] = None
        self.inner = inner
        self.n = 0
    def get(self) -> Inner:
        i = self.inner
        if i is None:
            i = Inner(self.n)
            self.inner = i
        self.n += 1
        return i
def f(n: int):
    l: List[Outer] = []
    for i in range(n):
        l.append(Outer())
    for i in range(n * 2):
        l[i % n].get().v += i
    s: List[int] = []
    for o in l:
        i = o.inner
        if i is not None:
            s.append(i.v)
    return s, l[0].get() is l[0].get()
""",
        [3],
    ),
    "attributes_swapped": (
        """
class A:
    def __init__(self, l: List[int]):
        self.l = l
def f(n: int):
    a = A([1])
    b = A([2, 3])
    for i in range(n):
        a.l, b.l = b.l, a.l
        a.l.append(i)
    return a.l, b.l
""",
        [5],
    ),
    "chosen_twice": (
        """
class A:
    def __init__(self, x: Tensor):
        self.x = x
def f(x: Tensor, c: bool, d: bool):
    a = A(x)
    b = A(x + 1)
    e = a if c else b
    g = a if d else e
    g.x = g.x * 2
    e.x += 1
    return a.x, b.x, e is g, g is a
""",
        [normal(3), True, False],
    ),
    "kept_if_better": (
        POINT
        + """
def f(n: int):
    best = Point(0, 0.0)
    for i in range(n):
        c = Point(i, float(i * 7919 % 1007))
        if c.y > best.y:
            best = c
            best.x += 1
    return best.x, best.y
""",
        [40],
    ),
    "made_in_many_branches": (
        """
class A:
    def __init__(self, v: int):
        self.v = v
def pick(i: int) -> A:
    if i == 0:
        return A(10)
    if i == 1:
        return A(11)
    if i == 2:
        return A(12)
    if i == 3:
        return A(13)
    return A(0)
def f(n: int):
    a = pick(n)
    b = pick(n + 1)
    c = a if n > 2 else b
    c.v += 1
    return a.v, b.v, c.v, c is a
""",
        [2],
    ),
    "one_of_several": (
        """
class A:
    def __init__(self, v: int):
        self.v = v
def f(n: int, m: int):
    a = A(1)
    b = A(2)
    c = A(3)
    d = A(4)
    e = A(5)
    l = [a, b, c, d, e]
    x = l[n]
    y = l[m]
    x.v += 10
    y.v += 100
    z = x if x.v > y.v else y
    z.v += 1000
    return a.v, b.v, c.v, d.v, e.v, x is y
""",
        [2, 3],
    ),
    "one_of_many": (
        """
class A:
    def __init__(self, v: int):
        self.v = v
def f(n: int):
    l = [A(0), A(1), A(2), A(3), A(4), A(5), A(6), A(7), A(8), A(9), A(10), A(11), A(12), A(13), A(14), A(15)]
    a = l[n]
    a.v += 100
    return a.v, l[3].v, a is l[3]
""",
        [3],
    ),
    "one_of_two_by_sign": (
        """
class A:
    def __init__(self):
        self.xs: List[float] = []
        self.name = "n"
def f(x: Tensor):
    pos = A()
    neg = A()
    for i in range(x.size(0)):
        v = float(x[i])
        t = pos if v > 0 else neg
        t.xs.append(v)
        t.name = t.name + str(i)
    return pos.xs, neg.xs, pos.name, neg.name
""",
        [normal(9)],
    ),
    "counters": (
        """
class Counter:
    def __init__(self):
        self.n = 0
    def next(self) -> int:
        self.n += 1
        return self.n
def use(c: Counter, k: int) -> int:
    s = 0
    for i in range(k):
        s += c.next()
    return s
def f(k: int):
    c = Counter()
    a = use(c, k)
    b = use(c, k)
    l = [c, Counter()]
    for x in l:
        x.next()
    return a, b, c.n, [x.n for x in l]
""",
        [4],
    ),
    "two_names_after_a_branch": (
        POINT
        + """
def f(n: int, c: bool):
    if c:
        a = Point(1, 1.0)
        b = a
        k = [1]
        m = k
    else:
        a = Point(2, 1.0)
        b = Point(3, 1.0)
        k = [2]
        m = [3]
    a.x += 10
    k.append(5)
    l: List[Point] = []
    for i in range(n):
        l.append(b)
    l[0].x += 100
    return a.x, b.x, a is b, k, m
""",
        [2, True],
    ),
    "optional_attribute": (
        """
class Cache:
    def __init__(self):
        k: Optional[Tensor] = None
        self.k = k
        self.count = 0
    def add(self, x: Tensor) -> Tensor:
        k = self.k
        if k is None:
            k = x.unsqueeze(0)
        else:
            k = torch.cat([k, x.unsqueeze(0)])
        self.k = k
        self.count += 1
        return k.sum(0)
def f(x: Tensor, layers: int):
    caches: List[Cache] = []
    for i in range(layers):
        caches.append(Cache())
    total = torch.zeros(x.size(1))
    for t in range(x.size(0)):
        total = total + caches[t % layers].add(x[t])
    k = caches[0].k
    assert k is not None
    return total, k, caches[-1].count
""",
        [normal(7, 3), 3],
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    left = jit.session().functions.objects_left
    before = left()
    check(*PROGRAMS[name])
    assert left() == before
