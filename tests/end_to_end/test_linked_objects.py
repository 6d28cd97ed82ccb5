"""Objects that lead to one another: lists, trees, graphs, cycles, classes that hold one another."""

import sys
from pathlib import Path

import numpy as np
import pytest

from torchcc.backend.cpu import jit

sys.path.insert(0, str(Path(__file__).parent))
from run_time_programs import NODE, POINT, check, native

TWO_CLASSES = """
class A:
    b: Optional["B"]
    def __init__(self, v: int):
        self.v = v
        self.b = None
class B:
    a: Optional[A]
    l: List[A]
    def __init__(self, w: float):
        self.w = w
        self.a = None
        self.l = torch.jit.annotate(List[A], [])
"""

PROGRAMS = {
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
    "trie": (
        """
class Trie:
    kids: Dict[int, "Trie"]
    def __init__(self):
        self.kids = torch.jit.annotate(Dict[int, "Trie"], {})
        self.count = 0
def f(x: Tensor):
    root = Trie()
    for r in range(x.size(0)):
        at = root
        for c in range(x.size(1)):
            k = int(x[r, c])
            if k not in at.kids:
                at.kids[k] = Trie()
            at = at.kids[k]
            at.count += 1
    at = root
    path: List[int] = []
    while len(at.kids) > 0:
        best = -1
        for k in at.kids:
            if best < 0 or at.kids[k].count > at.kids[best].count:
                best = k
        path.append(best)
        at = at.kids[best]
    return path, root.count, len(root.kids)
""",
        [np.array([[1, 2, 3], [1, 2, 4], [1, 3, 3], [2, 2, 2], [1, 2, 4]])],
    ),
    "vertices_of_a_graph": (
        """
class Vertex:
    def __init__(self, i: int):
        self.i = i
        self.near: List[int] = []
        self.dist = -1
def f(e: Tensor, n: int):
    vs: List[Vertex] = []
    for i in range(n):
        vs.append(Vertex(i))
    for k in range(e.size(0)):
        a, b = int(e[k, 0]), int(e[k, 1])
        vs[a].near.append(b)
        vs[b].near.append(a)
    q: List[Vertex] = [vs[0]]
    vs[0].dist = 0
    while len(q) > 0:
        v = q.pop(0)
        for j in v.near:
            w = vs[j]
            if w.dist < 0:
                w.dist = v.dist + 1
                q.append(w)
    return [v.dist for v in vs], vs[3].near
""",
        [np.array([[0, 1], [1, 2], [2, 3], [0, 4], [4, 3], [5, 6]]), 7],
    ),
    "chained_both_ways": (
        """
class Node:
    next: Optional["Node"]
    prev: Optional["Node"]
    def __init__(self, v: int):
        self.v = v
        self.next = torch.jit.annotate(Optional["Node"], None)
        self.prev = torch.jit.annotate(Optional["Node"], None)
def f(n: int):
    first = Node(0)
    last = first
    for i in range(1, n):
        c = Node(i * i)
        c.prev = last
        last.next = c
        last = c
    s = 0
    at: Optional[Node] = last
    while at is not None:
        assert at is not None
        s = s * 3 + at.v
        at = at.prev
    second = first.next
    assert second is not None
    p = second.prev
    assert p is not None
    return s, p is first
""",
        [6],
    ),
    "objects_that_lead_to_themselves": (
        """
class Node:
    next: List["Node"]
    def __init__(self, v: int):
        self.v = v
        self.next = torch.jit.annotate(List["Node"], [])
def f(n: int):
    l: List[Node] = []
    for i in range(n):
        l.append(Node(i))
    for i in range(n):
        l[i].next.append(l[(i + 1) % n])
        l[i].next.append(l[(i * i) % n])
    at = l[0]
    s: List[int] = []
    for i in range(2 * n):
        at = at.next[i % 2]
        s.append(at.v)
    return s
""",
        [6],
    ),
    "a_chain_reversed": (
        """
class N:
    next: Optional["N"]
    def __init__(self, v: int):
        self.v = v
        self.next = torch.jit.annotate(Optional["N"], None)
def rev(h: Optional[N]) -> Optional[N]:
    prev: Optional[N] = None
    cur = h
    while cur is not None:
        assert cur is not None
        nx = cur.next
        cur.next = prev
        prev = cur
        cur = nx
    return prev
def f(n: int):
    h: Optional[N] = None
    for i in range(n):
        m = N(i)
        m.next = h
        h = m
    r = rev(h)
    out: List[int] = []
    while r is not None:
        assert r is not None
        out.append(r.v)
        r = r.next
    return out
""",
        [5],
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
    "a_list_that_objects_share": (
        """
class Node:
    def __init__(self, v: int, kids: List[int]):
        self.v = v
        self.kids = kids
def f(n: int):
    cur = Node(0, [0])
    hist: List[Node] = []
    for i in range(n):
        hist.append(cur)
        if i % 2 == 0:
            cur = Node(i, cur.kids)
        else:
            cur = Node(i, cur.kids + [i])
        cur.kids.append(100 + i)
    return [h.v for h in hist], [h.kids for h in hist], cur.kids
""",
        [5],
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
    "two_classes": (
        TWO_CLASSES
        + """
def f(n: int):
    l: List[A] = []
    for i in range(n):
        a = A(i)
        b = B(i * 0.5)
        a.b = b
        b.a = a
        if len(l) > 0:
            b.l.append(l[-1])
        l.append(a)
    s = 0.0
    for a in l:
        b = a.b
        if b is not None:
            s += b.w
            a2 = b.a
            if a2 is not None:
                s += a2.v
            for c in b.l:
                c.v += 100
    return s, [a.v for a in l]
""",
        [4],
    ),
    "two_classes_in_a_list": (
        TWO_CLASSES
        + """
def f(n: int):
    l: List[A] = []
    for i in range(n):
        a = A(i)
        b = B(i * 0.5)
        a.b = b
        if i > 0:
            b.l.append(l[-1])
            b.a = l[0]
        l.append(a)
    return l
""",
        [4],
    ),
    "a_chain_of_two_classes": (
        TWO_CLASSES
        + """
def f(n: int):
    a = A(0)
    for i in range(n):
        b = B(i * 0.5)
        b.a = a
        a2 = A(i + 1)
        a2.b = b
        a = a2
    return a
""",
        [4],
    ),
    "a_cycle_that_is_returned": (
        TWO_CLASSES
        + """
def f(n: int):
    a = A(0)
    b = B(1.0)
    a.b = b
    b.a = a
    b.l.append(a)
    return [a, a], b
""",
        [4],
    ),
    "a_tree_that_is_returned": (
        """
class T:
    kids: List["T"]
    x: Tensor
    def __init__(self, v: int, x: Tensor):
        self.v = v
        self.x = x
        self.kids = torch.jit.annotate(List["T"], [])
def f(n: int, x: Tensor):
    root = T(0, x)
    q = [root]
    for i in range(1, n):
        t = T(i, x * i)
        p = q[(i - 1) // 2]
        p.kids.append(t)
        q.append(t)
    s = x * 0
    for t in q:
        for k in t.kids:
            s = s + k.x * t.v
    return s, root
""",
        [7, np.ones(3, np.float32)],
    ),
    "three_classes": (
        """
class X:
    y: Dict[str, "Y"]
    def __init__(self, n: int):
        self.n = n
        self.y = torch.jit.annotate(Dict[str, "Y"], {})
class Z:
    x: Optional[X]
    t: Tensor
    def __init__(self, t: Tensor):
        self.x = None
        self.t = t
class Y:
    z: List[Z]
    def __init__(self):
        self.z = torch.jit.annotate(List[Z], [])
def f(n: int, t: Tensor):
    x = X(0)
    for i in range(n):
        y = Y()
        for j in range(i):
            z = Z(t + j)
            if j % 2 == 1:
                z.x = x
            y.z.append(z)
        nx = X(i)
        nx.y["k" + str(i)] = y
        nx.y["old"] = Y()
        x = nx
    s = 0
    for k, y in x.y.items():
        for z in y.z:
            q = z.x
            if q is not None:
                s += q.n + 1
    return s, x
""",
        [4, np.ones(2, np.float32)],
    ),
}


CYCLES = ("chained_both_ways", "objects_that_lead_to_themselves", "two_classes", "a_cycle_that_is_returned")
"""Programs whose objects hold one another: they go when the call ends."""


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    left = jit.session().functions.objects_left
    before = left()
    check(*PROGRAMS[name])
    assert (left() == before) == (name not in CYCLES)


def test_objects_are_given_back_while_the_function_runs():
    source = NODE + """
def f(n: int):
    last = Node(0)
    for i in range(n):
        node = Node(i)
        node.next = last if i % 1000 != 0 else torch.jit.annotate(Optional[Node], None)
        last = node
    return last.value
"""
    call = native(source, [10])
    assert call(300_000) == 299_999  # chains of 1000 come and go


def test_a_long_chain_is_dropped_without_recursion():
    source = NODE + """
def f(n: int):
    head: Optional[Node] = None
    for i in range(n):
        node = Node(i)
        node.next = head
        head = node
    head = None
    return n
"""
    assert native(source, [10])(1_000_000) == 1_000_000
