"""Objects of script classes that are made at run time: every stage, and PyTorch, compute the same; nothing is left.

Each program is run by the reference interpreter, at each stage, natively, and by Python with PyTorch.
"""

import numpy as np
import pytest

from torchcc import driver
from torchcc.backend.cpu.jit import compile_module
from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import CompileError
from torchcc.ir.dtypes import from_numpy
from torchcc.ir.interpreters.torch import Interpreter
from torchcc.ir.parser import parse_module
from torchcc.ir.script_types import BOOL, FLOAT, INT
from torchcc.ir.signature import Dim, ScalarSpec, TensorSpec, rebuild
from torchcc.ir.structure import difference
from torchcc.verify import verify_stages

PRELUDE = """
import torch
from torch import Tensor
from typing import Dict, List, NamedTuple, Optional, Tuple
"""

POINT = """
class Point:
    def __init__(self, x: int, y: float):
        self.x = x
        self.y = y
    def moved(self, by: int) -> "Point":
        return Point(self.x + by, self.y * 2)
    def shift(self, by: int) -> None:
        self.x += by
        self.y = self.y + by
    def norm(self) -> float:
        return self.x * self.x + self.y * self.y
"""

NODE = """
class Node:
    next: Optional["Node"]
    def __init__(self, value: int):
        self.value = value
        self.next = torch.jit.annotate(Optional["Node"], None)
"""

HYP = """
class Hyp:
    def __init__(self, tokens: List[int], score: float, h: Tensor):
        self.tokens = tokens
        self.score = score
        self.h = h
        self.last: Optional[Tensor] = None
    def grow(self, token: int, score: float, h: Tensor) -> "Hyp":
        made = Hyp(self.tokens + [token], self.score + score, h)
        made.last = self.h
        return made
"""


def normal(*shape):
    return np.random.RandomState(sum(shape) + len(shape)).randn(*shape).astype(np.float32)


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
    "linked_list": (
        NODE
        + """
def f(n: int):
    head: Optional[Node] = None
    for i in range(n):
        node = Node(i)
        node.next = head
        head = node
    s = 0
    while head is not None:
        assert head is not None
        s = s * 3 + head.value
        head = head.next
    return s
""",
        [6],
    ),
    "appended_at_the_end": (
        NODE
        + """
def f(n: int):
    root = Node(-1)
    last = root
    for i in range(n):
        last.next = Node(i * i)
        following = last.next
        assert following is not None
        last = following
    values: List[int] = []
    at = root.next
    while at is not None:
        assert at is not None
        values.append(at.value)
        at = at.next
    return values, root.value, last.value
""",
        [6],
    ),
    "tree": (
        """
class Tree:
    children: List["Tree"]
    def __init__(self, value: int):
        self.value = value
        self.children = torch.jit.annotate(List["Tree"], [])
def f(n: int):
    root = Tree(0)
    every: List[Tree] = [root]
    for i in range(1, n):
        t = Tree(i)
        every[(i - 1) // 2].children.append(t)
        every.append(t)
    order: List[int] = []
    pending: List[Tree] = [root]
    while len(pending) > 0:
        t = pending.pop()
        order.append(t.value)
        for c in t.children:
            pending.append(c)
    return order, len(root.children)
""",
        [9],
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
    "optional_attribute": (
        """
class Cache:
    def __init__(self):
        self.k: Optional[Tensor] = None
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
    "objects_in_objects": (
        POINT
        + """
class Segment:
    def __init__(self, a: Point, b: Point):
        self.a = a
        self.b = b
    def length(self) -> float:
        return float(self.b.x - self.a.x)
def f(n: int):
    points = [Point(0, 0.0)]
    segments: List[Segment] = []
    for i in range(n):
        p = Point(i * i, 1.0)
        segments.append(Segment(points[-1], p))
        points.append(p)
    points[1].x = 1000
    return [s.length() for s in segments], segments[1].a is points[1], segments[0].b is segments[1].a
""",
        [5],
    ),
    "shared_by_attribute": (
        POINT
        + """
class Holder:
    def __init__(self, p: Point):
        self.p = p
def f(n: int):
    p = Point(0, 0.0)
    holders: List[Holder] = []
    for i in range(n):
        holders.append(Holder(p))
        if i == 2:
            p = Point(100, 0.0)
    for h in holders:
        h.p.x += 1
    holders[0].p = p
    return [h.p.x for h in holders], p.x, holders[0].p is p
""",
        [5],
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
    "a_method_that_keeps_self": (
        """
class Registry:
    def __init__(self):
        self.names: List[int] = []
class Item:
    def __init__(self, key: int, r: Registry):
        self.key = key
        r.names.append(key)
        self.r = r
def f(n: int):
    r = Registry()
    items: List[Item] = []
    for i in range(n):
        items.append(Item(i * 2, r))
    items[0].r.names.append(99)
    return r.names, len(items), items[-1].r is r
""",
        [4],
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
}


def spec(value, dynamic=True):
    if isinstance(value, np.ndarray):
        shape = tuple(Dim(f"d{i}_{e}") if dynamic else e for i, e in enumerate(value.shape))
        return TensorSpec(from_numpy(value.dtype), shape)
    return ScalarSpec(BOOL if isinstance(value, bool) else INT if isinstance(value, int) else FLOAT)


def program_of(source):
    return compile_text(PRELUDE + source, entry="f")


def in_torch(source, arguments):
    torch = pytest.importorskip("torch", reason="the expected values are PyTorch's")

    def plain(value):
        if isinstance(value, list | tuple):
            return type(value)(map(plain, value))
        return value.numpy() if isinstance(value, torch.Tensor) else value

    names = {}
    exec(PRELUDE + source, names)
    return plain(names["f"](*(torch.from_numpy(a.copy()) if isinstance(a, np.ndarray) else a for a in arguments)))


def assert_same(expected, got):
    if isinstance(expected, list | tuple):
        assert type(got) is type(expected) and len(got) == len(expected)
        for e, g in zip(expected, got):
            assert_same(e, g)
    elif isinstance(expected, np.ndarray):
        assert got.shape == expected.shape and got.dtype == expected.dtype
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    else:
        assert type(got) is type(expected) and got == pytest.approx(expected)


def check(source, arguments):
    program = program_of(source)
    specs = [spec(a) for a in arguments]
    report = verify_stages(program, specs, arguments)
    assert all(line.agrees for line in report), report
    assert_same(in_torch(source, arguments), Interpreter(driver.composite).run_program(program, arguments))
    lowered = driver.lower(program, specs)
    for stage in ("linalg", "loops"):
        again = parse_module(driver.print_stage(lowered, stage), driver.constants(lowered.modules[stage]))
        assert difference(lowered.modules[stage], again) is None, stage


def native(source, arguments):
    lowered = driver.lower(program_of(source), [spec(a) for a in arguments])
    compiled = compile_module(lowered.modules["loops"], lowered.signature)
    return lambda *given: rebuild(lowered.signature.tree, compiled.call_flat(given))


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    check(*PROGRAMS[name])
