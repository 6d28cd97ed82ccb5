"""Elements that may be None, of several types, or members of an Enum, known at run time: every stage, and PyTorch, agree."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from run_time_programs import check, normal

COLOR = """
class Color(Enum):
    RED = 1
    GREEN = 2
    BLUE = 4
"""

SHAPES = """
class Square:
    def __init__(self, side: float):
        self.side = side
    def area(self) -> float:
        return self.side * self.side
class Circle:
    def __init__(self, radius: float, centre: Tensor):
        self.radius = radius
        self.centre = centre
    def area(self) -> float:
        return 3.0 * self.radius * self.radius
"""


PROGRAMS = {
    "ints": (
        """
def f(n: int):
    l: List[Optional[int]] = []
    for i in range(n):
        l.append(None if i % 3 == 0 else i)
    s = 0
    for x in l:
        if x is not None:
            s += x
        else:
            s += 100
    l[0] = 7
    l[1] = None
    return s, len(l), l[1] is None, l[0], l
""",
        [10],
    ),
    "floats_bools_and_lists": (
        """
def f(n: int):
    a: List[Optional[float]] = []
    b: List[Optional[bool]] = []
    c: List[Optional[List[int]]] = []
    for i in range(n):
        if i % 2 == 0:
            a.append(i * 0.5)
            b.append(None)
            c.append([i] * i)
        else:
            a.append(None)
            b.append(i > 2)
            c.append(None)
    m = c[2]
    if m is not None:
        m.append(99)
    a.reverse()
    return a, b, c, b[1], c[1]
""",
        [5],
    ),
    "tensors": (
        """
def f(x: Tensor, n: int):
    l: List[Optional[Tensor]] = []
    for i in range(n):
        l.append(x[:i] * i if i % 2 == 0 else None)
    s = torch.zeros(3)
    for y in l:
        if y is not None:
            s = s + y.sum(0)
    first = l[0]
    return s, l, first
""",
        [normal(5, 3), 5],
    ),
    "filled_in_later": (
        """
def f(x: Tensor, n: int):
    l: List[Optional[Tensor]] = []
    for i in range(n):
        l.append(None)
    for i in range(n):
        h = l[i - 1]
        if h is None:
            h = x
        l[i] = torch.tanh(h @ x)
    s = torch.zeros(3, 3)
    for y in l:
        assert y is not None
        s = s + y
    return s, len(l)
""",
        [normal(3, 3), 4],
    ),
    "layers_of_states": (
        """
def f(x: Tensor, w: Tensor, layers: int):
    states: List[Optional[Tuple[Tensor, Tensor]]] = []
    for i in range(layers):
        states.append(None)
    outs: List[Tensor] = []
    for t in range(x.size(0)):
        y = x[t]
        for i in range(layers):
            state = states[i]
            if state is None:
                h = torch.zeros(x.size(1))
                c = torch.ones(x.size(1))
            else:
                h, c = state
            c = torch.tanh(w @ y) * c
            h = h * 0.5 + c
            states[i] = (h, c)
            y = h
        outs.append(y)
    return torch.stack(outs), states
""",
        [normal(4, 3), normal(3, 3), 3],
    ),
    "never_filled_in": (
        """
def f(x: Tensor, n: int):
    l: List[Optional[Tensor]] = []
    e: List[List[Tensor]] = []
    for i in range(n):
        l.append(None)
        empty: List[Tensor] = []
        e.append(empty)
    count = 0
    for y in l:
        if y is not None:
            count += y.size(0)
    for k in e:
        for y in k:
            count += y.size(0)
    return count, l, e
""",
        [normal(3, 3), 4],
    ),
    "groups_filled_in_later": (
        """
def f(x: Tensor, n: int):
    groups: List[List[Tensor]] = []
    for i in range(n):
        empty: List[Tensor] = []
        groups.append(empty)
    for i in range(x.size(0)):
        groups[i % n].append(x[i])
    return [torch.stack(g).sum(0) for g in groups]
""",
        [normal(7, 3), 3],
    ),
    "tuples_with_optionals": (
        """
def f(x: Tensor, n: int):
    l: List[Tuple[Optional[int], Optional[Tensor], float]] = []
    for i in range(n):
        a: Optional[int] = None
        b: Optional[Tensor] = None
        if i % 2 == 0:
            a = i
        if i % 3 == 0:
            b = x[:i]
        l.append((a, b, float(i)))
    total = 0
    for a, b, c in l:
        if a is not None and b is not None:
            total += a * b.size(0)
        elif a is not None:
            total += 1000
    p, q, r = l[2]
    return total, l, p, r
""",
        [normal(6, 2), 6],
    ),
    "chosen_in_a_loop": (
        """
def f(x: Tensor):
    best: Optional[Tuple[List[int], float]] = None
    path: List[int] = []
    for i in range(x.size(0)):
        path.append(i)
        v = float(x[i])
        if best is None:
            best = (path.copy(), v)
        elif v > best[1]:
            best = (path.copy(), v)
            best[0].append(-1)
    if best is None:
        return [0], 0.0
    return best
""",
        [normal(7)],
    ),
    "optional_list": (
        """
def f(n: int):
    held: Optional[List[int]] = None
    for i in range(n):
        now = held
        if now is None:
            held = [i]
        else:
            now.append(i)
            held = None if len(now) > 3 else now
    return held
""",
        [13],
    ),
    "optional_dict": (
        """
def f(n: int):
    held: Optional[Dict[int, float]] = None
    for i in range(n):
        now = held
        if now is None:
            held = {i: 0.5}
        else:
            now[i] = float(i)
            held = None if len(now) > 2 else now
    return held
""",
        [11],
    ),
    "of_two_types": (
        """
def f(n: int):
    l: List[Union[int, float]] = []
    for i in range(n):
        if i % 2 == 0:
            l.append(i)
        else:
            l.append(i * 0.5)
    s = 0.0
    for v in l:
        if isinstance(v, int):
            s += 100.0 * v
        else:
            s += v
    return s, l
""",
        [6],
    ),
    "of_three_types_or_none": (
        """
def f(x: Tensor, n: int):
    l: List[Union[int, Tensor, List[int], None]] = []
    for i in range(n):
        if i % 4 == 0:
            l.append(i)
        elif i % 4 == 1:
            l.append(x[:i])
        elif i % 4 == 2:
            l.append([i, i])
        else:
            l.append(None)
    s = 0
    for v in l:
        if isinstance(v, int):
            s += v
        if isinstance(v, Tensor):
            s += 10 * v.size(0)
        if v is None:
            s += 1000
        if isinstance(v, list):
            s += 100
    return s, len(l), l
""",
        [normal(9, 2), 9],
    ),
    "anything": (
        """
def f(x: Tensor, n: int):
    l: List[Any] = []
    for i in range(n):
        if i % 2 == 0:
            l.append(i)
        else:
            l.append(x * i)
    s = 0.0
    for v in l:
        if isinstance(v, int):
            s += float(v)
        if isinstance(v, Tensor):
            s += float(v.sum()) * 100.0
    return s, len(l)
""",
        [normal(3), 5],
    ),
    "objects_of_two_classes": (
        SHAPES
        + """
def f(x: Tensor, n: int):
    l: List[Union[Square, Circle]] = []
    for i in range(n):
        if i % 2 == 0:
            l.append(Square(float(i)))
        else:
            l.append(Circle(float(i), x[i]))
    total = 0.0
    for s in l:
        if isinstance(s, Square):
            s.side += 1.0
            total += s.area()
        else:
            total += s.area() + float(s.centre.sum())
    first = l[0]
    if isinstance(first, Square):
        total += first.side * 1000.0
    return total, len(l)
""",
        [normal(6, 2), 6],
    ),
    "members_of_an_enum": (
        COLOR
        + """
def next_color(c: Color) -> Color:
    if c == Color.RED:
        return Color.GREEN
    elif c == Color.GREEN:
        return Color.BLUE
    else:
        return Color.RED
def f(n: int):
    l: List[Color] = []
    c = Color.RED
    for i in range(n):
        l.append(c)
        c = next_color(c)
    s = 0
    for k in l:
        s = s * 2 + k.value
    l[0] = Color.BLUE
    return s, l[0] == Color.BLUE, l[1] == l[2], c == l[n - 1], len(l)
""",
        [7],
    ),
    "enum_in_an_object": (
        COLOR
        + """
class Light:
    def __init__(self, c: Color):
        self.c = c
        self.previous = torch.jit.annotate(Optional[Color], None)
    def set(self, c: Color) -> None:
        self.previous = self.c
        self.c = c
def f(x: Tensor):
    lights: List[Light] = []
    for i in range(x.size(0)):
        lights.append(Light(Color.RED if float(x[i]) > 0 else Color.GREEN))
    lights[0].set(Color.BLUE)
    reds = 0
    for l in lights:
        if l.c == Color.RED:
            reds += 1
        p = l.previous
        if p is not None:
            reds += 100 * p.value
    return reds
""",
        [normal(6)],
    ),
    "one_of_fifteen_lists": (
        """
def f(n: int):
    if n == 0:
        l = [1]
    elif n == 1:
        l = [n, n]
    elif n == 2:
        l = [n, n, n]
    elif n == 3:
        l = [n, n, n, n]
    elif n == 4:
        l = [n, n, n, n, n]
    elif n == 5:
        l = [n, n, n, n, n, n]
    elif n == 6:
        l = [n, n, n, n, n, n, n]
    elif n == 7:
        l = [n, n, n, n, n, n, n, n]
    elif n == 8:
        l = [n, n, n, n, n, n, n, n, n]
    elif n == 9:
        l = [n, n, n, n, n, n, n, n, n, n]
    elif n == 10:
        l = [n, n, n, n, n, n, n, n, n, n, n]
    elif n == 11:
        l = [n, n, n, n, n, n, n, n, n, n, n, n]
    elif n == 12:
        l = [n, n, n, n, n, n, n, n, n, n, n, n, n]
    elif n == 13:
        l = [n, n, n, n, n, n, n, n, n, n, n, n, n, n]
    elif n == 14:
        l = [n, n, n, n, n, n, n, n, n, n, n, n, n, n, n]
    else:
        l = [0, 0]
    l.append(9)
    return l, len(l), sum(l)
""",
        [7],
    ),
    "of_many_lengths": (
        """
def f(x: Tensor):
    l: List[int] = []
    m = l
    if bool(x[0] > 0):
        l.append(0)
    if bool(x[1] > 0):
        l.append(1)
    if bool(x[2] > 0):
        l.append(2)
    if bool(x[3] > 0):
        l.append(3)
    if bool(x[4] > 0):
        l.append(4)
    if bool(x[5] > 0):
        l.append(5)
    if bool(x[6] > 0):
        l.append(6)
    if bool(x[7] > 0):
        l.append(7)
    if bool(x[8] > 0):
        l.append(8)
    if bool(x[9] > 0):
        l.append(9)
    if bool(x[10] > 0):
        l.append(10)
    if bool(x[11] > 0):
        l.append(11)
    if bool(x[12] > 0):
        l.append(12)
    if bool(x[13] > 0):
        l.append(13)
    m.append(100)
    return l, len(l)
""",
        [normal(14)],
    ),
    "of_many_keys": (
        """
def f(x: Tensor):
    d: Dict[int, float] = {}
    if bool(x[0] > 0):
        d[0] = float(x[0])
    if bool(x[1] > 0):
        d[1] = float(x[1])
    if bool(x[2] > 0):
        d[2] = float(x[2])
    if bool(x[3] > 0):
        d[3] = float(x[3])
    if bool(x[4] > 0):
        d[4] = float(x[4])
    if bool(x[5] > 0):
        d[5] = float(x[5])
    if bool(x[6] > 0):
        d[6] = float(x[6])
    if bool(x[7] > 0):
        d[7] = float(x[7])
    s = 0.0
    for k in d:
        s = s * 2 + d[k]
    return s, len(d)
""",
        [normal(14)],
    ),
    "one_of_fourteen_lists_or_none": (
        """
def f(n: int):
    l: Optional[List[int]] = None
    if n == 0:
        l = None
    elif n == 1:
        l = [n, n]
    elif n == 2:
        l = [n, n, n]
    elif n == 3:
        l = [n, n, n, n]
    elif n == 4:
        l = [n, n, n, n, n]
    elif n == 5:
        l = [n, n, n, n, n, n]
    elif n == 6:
        l = [n, n, n, n, n, n, n]
    elif n == 7:
        l = [n, n, n, n, n, n, n, n]
    elif n == 8:
        l = [n, n, n, n, n, n, n, n, n]
    elif n == 9:
        l = [n, n, n, n, n, n, n, n, n, n]
    elif n == 10:
        l = [n, n, n, n, n, n, n, n, n, n, n]
    elif n == 11:
        l = [n, n, n, n, n, n, n, n, n, n, n, n]
    elif n == 12:
        l = [n, n, n, n, n, n, n, n, n, n, n, n, n]
    elif n == 13:
        l = [n, n, n, n, n, n, n, n, n, n, n, n, n, n]
    elif n == 14:
        l = [n, n, n, n, n, n, n, n, n, n, n, n, n, n, n]
    if l is not None:
        l.append(9)
    return l
""",
        [7],
    ),
    "changed_in_many_ways": (
        """
def f(x: Tensor, n: int):
    l: List[int] = []
    if bool(x[0] > 0):
        l.append(1)
    if bool(x[1] > 0):
        l.append(2)
    if bool(x[2] > 0):
        l = l + [3, 4]
    if bool(x[3] > 0):
        l.insert(0, 5)
    if bool(x[4] > 0):
        l.extend([6, 7])
    if bool(x[5] > 0):
        l.append(8)
    return l, len(l)
""",
        [normal(6), 9],
    ),
    "several_optionals": (
        """
def f(x: Tensor, n: int):
    c: Optional[List[List[int]]] = None
    d: Optional[Dict[str, Optional[int]]] = None
    for i in range(n):
        if i % 5 == 1:
            c = [[i], [i, i]]
        if i % 5 == 2 and c is not None:
            c.append([7])
        if i % 5 == 3:
            d = {"a": i, "b": None}
        if i % 7 == 4:
            d = None
        if d is not None:
            d["c" + str(i)] = i if i % 2 == 0 else None
    return c, d
""",
        [normal(3), 9],
    ),
    "a_state_that_is_reset": (
        """
def step(h: Optional[Tensor], x: Tensor) -> Optional[Tensor]:
    if h is None:
        return x
    if bool(h.sum() > 5):
        return None
    return h + x
def f(x: Tensor, n: int):
    h: Optional[Tensor] = None
    hs: List[Optional[Tensor]] = []
    i = 0
    while i < n:
        h = step(h, x)
        hs.append(h)
        i += 1
    return hs, h
""",
        [np.ones(3, np.float32), 7],
    ),
    "named_tuples_with_optionals": (
        """
class R(NamedTuple):
    ok: bool
    val: Optional[List[int]]
def g(i: int) -> R:
    if i % 2 == 0:
        return R(True, [i] * i)
    return R(False, None)
def f(n: int):
    out: List[R] = []
    tot = 0
    for i in range(n):
        r = g(i)
        out.append(r)
        v = r.val
        if r.ok and v is not None:
            tot += len(v)
    w = out[2].val
    if w is not None:
        w.append(5)
    z = out[2].val
    assert z is not None
    return tot, z
""",
        [5],
    ),
    "an_enum_of_many_members": (
        """
class E(Enum):
    M0 = 0
    M1 = 1
    M2 = 4
    M3 = 9
    M4 = 16
    M5 = 25
    M6 = 36
    M7 = 49
    M8 = 64
    M9 = 81
    M10 = 100
    M11 = 121
    M12 = 144
    M13 = 169
    M14 = 196

class T:
    def __init__(self, kind: E):
        self.kind = kind
def f(n: int):
    l: List[E] = []
    for i in range(n):
        if i % 2 == 0:
            l.append(E.M3)
        elif i % 3 == 0:
            l.append(E.M11)
        else:
            l.append(E.M7)
    c = 0
    ts: List[T] = []
    last = E.M0
    for e in l:
        if e == E.M7:
            c += 1
        if e != last:
            c += 10
        c = c * 2 + e.value
        ts.append(T(e))
        last = e
    ts[0].kind = E.M14
    return c, ts[0].kind.value, l[0] == l[1], last == E.M7, ts[1].kind == l[1]
""",
        [7],
    ),
    "names_of_members": (
        """
class E(Enum):
    M0 = "v0"
    M1 = "v1"
    M2 = "v2"
    M3 = "v3"
    M4 = "v4"
    M5 = "v5"
    M6 = "v6"

def f(n: int):
    l: List[E] = []
    for i in range(n):
        l.append(E.M3 if i % 2 == 0 else E.M5)
    s = ""
    for e in l:
        s += e.name + ":" + e.value + ";"
    o: List[Optional[E]] = []
    for e in l:
        o.append(e if e == E.M3 else None)
    k = 0
    for q in o:
        if q is not None:
            if q == E.M3:
                k += 1
    return s, k
""",
        [4],
    ),
    "strings_among_anything": (
        """
def f(n: int):
    l: List[Any] = []
    for i in range(n):
        if i % 3 == 0:
            l.append(i)
        elif i % 3 == 1:
            l.append("s" + str(i))
        else:
            l.append(i * 0.5)
    s = ""
    for v in l:
        if isinstance(v, str):
            s += v
        if isinstance(v, int):
            s += str(v)
        if isinstance(v, float):
            s += "f"
    return s
""",
        [7],
    ),
    "a_dict_of_two_types": (
        """
def f(n: int):
    d: Dict[str, Union[int, str]] = {}
    for i in range(n):
        if i % 2 == 0:
            d["k" + str(i)] = i
        else:
            d["k" + str(i)] = "v"
    t = 0
    for k, v in d.items():
        if isinstance(v, int):
            t += v
        else:
            t += 100 * len(v)
    return t, d
""",
        [5],
    ),
    "an_optional_union": (
        """
def f(n: int):
    x: Optional[Union[int, List[int]]] = None
    for i in range(n):
        if i == 1:
            x = 5
        if i == 3:
            x = [i, n]
    t = 0
    if x is not None:
        if isinstance(x, int):
            t = x
        else:
            t = len(x) * 100
    return t
""",
        [5],
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    check(*PROGRAMS[name])
