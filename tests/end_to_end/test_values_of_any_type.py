"""`Any` and Unions with tensors of several dtypes and ranks, objects, containers and members of Enums."""

import sys
from pathlib import Path

import numpy as np
import pytest

from torchcc.backend.cpu import jit

sys.path.insert(0, str(Path(__file__).parent))
from run_time_programs import check

CLASSES = """
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
    "tensors_of_several_kinds": (
        """
def f(n: int, x: Tensor):
    l: List[Any] = []
    for i in range(n):
        if i % 4 == 0:
            l.append(x + i)
        elif i % 4 == 1:
            l.append((x > 0).sum())
        elif i % 4 == 2:
            l.append("s" + str(i))
        else:
            l.append(i)
    s = 0.0
    t = torch.zeros(3)
    k = 0
    for v in l:
        if isinstance(v, Tensor):
            s += float(v.sum())
            k += v.dim()
        elif isinstance(v, str):
            s += len(v)
        elif isinstance(v, int):
            s += 100 * v
    return s, k, l
""",
        [9, np.ones((2, 3), np.float32)],
    ),
    "a_union_with_tensors": (
        """
def g(v: Union[Tensor, int, List[int]]) -> int:
    if isinstance(v, Tensor):
        return v.dim() * 10 + v.numel()
    elif isinstance(v, int):
        return v
    else:
        return len(v)
def f(n: int, x: Tensor):
    d: Dict[int, Union[Tensor, int, List[int]]] = {}
    for i in range(n):
        if i % 4 == 0:
            d[i] = x
        elif i % 4 == 1:
            d[i] = x[0] > 0
        elif i % 4 == 2:
            d[i] = i
        else:
            d[i] = [i, i]
    k = 0
    for i in range(n):
        k = k * 3 + g(d[i])
    return k, d
""",
        [9, np.ones((2, 3), np.float32)],
    ),
    "an_attribute_of_any_type": (
        """
class H:
    a: Any
    def __init__(self, a: Any):
        self.a = a
        self.k = 0
    def put(self, v: Any):
        self.a = v
        self.k += 1
def f(n: int, x: Tensor):
    h = H(1)
    l: List[H] = []
    for i in range(n):
        if i == 1:
            h.put(x)
        if i == 3:
            h.put("abc")
        if i == 5:
            h.put(x > 0)
        if i == 6:
            h = H(2.5)
        l.append(H(h.a))
    s = 0.0
    for q in l:
        v = q.a
        if isinstance(v, Tensor):
            s += float(v.sum())
        if isinstance(v, int):
            s += v
        if isinstance(v, str):
            s += 1000
        if isinstance(v, float):
            s += v
    return s, h.k, l
""",
        [8, np.ones((2, 3), np.float32)],
    ),
    "containers_of_several_types": (
        """
def f(n: int):
    l: List[Any] = []
    for i in range(n):
        if i % 3 == 0:
            l.append([i, i + 1])
        elif i % 3 == 1:
            l.append({"a": i})
        else:
            l.append((i, "x"))
    k = 0
    for v in l:
        if torch.jit.isinstance(v, List[int]):
            k += v[1]
        elif torch.jit.isinstance(v, Dict[str, int]):
            k += v["a"] * 100
        elif torch.jit.isinstance(v, Tuple[int, str]):
            k += v[0] * 1000 + len(v[1])
    return k, l
""",
        [7],
    ),
    "objects_of_two_classes": (
        CLASSES
        + """
def f(n: int, x: Tensor):
    l: List[Any] = []
    for i in range(n):
        if i % 3 == 0:
            a = A(i)
            a.b = B(2.0)
            l.append(a)
        elif i % 3 == 1:
            l.append(B(i * 1.0))
        else:
            l.append(x)
    s = 0.0
    for v in l:
        if isinstance(v, A):
            s += v.v
        elif isinstance(v, B):
            s += v.w * 10
    return s, l
""",
        [7, np.ones(2, np.float32)],
    ),
    "a_list_linked_by_any": (
        """
class N:
    nxt: Any
    def __init__(self, v: int, nxt: Any):
        self.v = v
        self.nxt = nxt
def f(n: int):
    h = N(0, "end")
    for i in range(n):
        h = N(i, h)
    s = 0
    p = h
    go = True
    while go:
        s = s * 2 + p.v
        q = p.nxt
        if isinstance(q, N):
            p = q
        else:
            go = False
    return s, h
""",
        [5],
    ),
    "a_tree_of_any": (
        """
class Leaf:
    def __init__(self, v: int):
        self.v = v
    def total(self) -> int:
        return self.v
class Pair:
    l: Any
    r: Any
    def __init__(self, l: Any, r: Any):
        self.l = l
        self.r = r
def depth(x: Any) -> int:
    d = 0
    cur = x
    go = True
    while go:
        if isinstance(cur, Pair):
            d += 1
            cur = cur.l
        else:
            go = False
    return d
def f(n: int):
    t = Pair(Leaf(1), Leaf(2))
    for i in range(n):
        t = Pair(t, Leaf(i))
    return depth(t), t
""",
        [4],
    ),
    "members_among_others": (
        """
class C(Enum):
    A = 1
    B = 2
    CC = 3
    D = 4
    E = 5
    F = 6
def f(n: int, x: Tensor):
    l: List[Any] = []
    for i in range(n):
        if i % 2 == 0:
            l.append(C.B if i % 4 == 0 else C.F)
        else:
            l.append(i)
    k = 0
    for v in l:
        if isinstance(v, C):
            k += v.value
        elif isinstance(v, int):
            k += 100
    return k, l
""",
        [7, np.ones(2, np.float32)],
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    left = jit.session().functions.objects_left
    before = left()
    check(*PROGRAMS[name])
    assert left() == before
