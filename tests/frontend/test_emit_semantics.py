"""Programs on numbers, strings and lists mean what Python says (the `torch` stage's interpreter runs them)."""

import math
import random
from typing import Any

import pytest

from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import ExecutionError
from torchcc.ir.interpreters.torch import Interpreter

_HEAD = "import math\nfrom typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union\n"


def run(text: str, *arguments: Any) -> Any:
    return Interpreter().run_program(compile_text(_HEAD + text, entry="f"), list(arguments))


def python(text: str, *arguments: Any) -> Any:
    names: dict[str, Any] = {}
    exec(compile(_HEAD + text, "<python>", "exec"), names)
    return names["f"](*arguments)


_PROGRAMS = {
    "search": (
        """\
def f(l: List[int], n: int):
    for i, x in enumerate(l):
        if x == n: return i
    return -1
""",
        [([1, 2, 3], 2), ([1], 5), ([], 0)],
    ),
    "nested loops with every exit": (
        """\
def f(n: int, k: int):
    s = 0
    for i in range(n):
        if i == 3: continue
        for j in range(i):
            if j == k: break
            if i * j > 20: return -s
            s += i * j
        else_ = s
        while True:
            s -= 1
            if s % 3 == 0: break
            if s < 0: return s
    return s
""",
        [(n, k) for n in range(9) for k in range(3)],
    ),
    "maybe returned": (
        """\
def f(a: int, b: int):
    if a > 0:
        if b > 0:
            return 1
        a = b
    elif a < -1:
        a = 7
    b += a
    if b == 3: return b
    return a * 10 + b
""",
        [(a, b) for a in range(-3, 3) for b in range(-3, 4)],
    ),
    "while with a condition on what it changes": (
        """\
def f(n: int):
    l: List[int] = []
    while n > 0 and len(l) < 5:
        n = n // 2
        if n % 2 == 1: continue
        l.append(n)
    return l, n
""",
        [(n,) for n in (0, 1, 5, 64, 100)],
    ),
    "optional": (
        """\
def f(x: Optional[int], y: int):
    if x is None:
        x = y
    z = x if x > 1 else None
    if z is not None and z > 3: return z
    return x + 1
""",
        [(None, 1), (2, 1), (5, 1)],
    ),
    "tuples": (
        """\
def f(a: int):
    t = (a, 2, 'x')
    p, *q = t
    (u, v), w = (1, 2), 3
    return p, tuple(q), u + v + w, t[1:], t[-1], len(t), t + (1,)
""",
        [(4,)],
    ),
    "lists": (
        """\
def f(l: List[int]):
    l = l + [7]
    l += [8]
    l[0] += 10
    l.insert(1, 5)
    a = l.pop()
    del l[-1]
    return (
        l, a, l[::2], l[1:3], sum(l), max(l), 5 in l, [x * 2 for x in l], l == [1],
        [(i, x) for i, x in enumerate(l)],
    )
""",
        [([1, 2, 3],)],
    ),
    "dicts": (
        """\
def f(d: Dict[str, int]):
    d['b'] = 2
    d['a'] += 5
    s = ''
    for k in d: s += k
    for k, v in d.items(): s += k + str(v)
    del d['b']
    return s, 'b' in d, len(d), d.get('a', 0), {x: x + 1 for x in range(3)}
""",
        [({"a": 1},)],
    ),
    "strings": (
        """\
def f(s: str, n: int):
    return (
        s.upper(), s[1:], s[::-1], s + 'x', f'{n}-{s}', '%d %s' % (n, s), s.split(','), len(s),
        'a' in s, ','.join([s, s]),
    )
""",
        [("ab,c", 3)],
    ),
    "numbers": (
        """\
def f(a: int, b: int):
    return (
        a + b, a - b, a * b, a / b, a // b, a % b, -a, a << 2, a & b, a | b, a ^ b, 0 < a <= b,
        abs(a), float(a), bool(a), divmod(a, b),
    )
""",
        [(7, 2), (-7, 2), (7, -2), (1, 5)],
    ),
    "math": (
        """\
def f(x: float, n: int):
    return (
        math.sqrt(x), math.ceil(x), math.floor(x), math.log(x), math.pow(x, n), math.pi * x,
        math.gcd(n, 6), int(x), round(x),
    )
""",
        [(2.25, 4)],
    ),
    "calls": (
        """\
def g(a: int, b: int = 2, c: int = 3) -> int:
    return a * 100 + b * 10 + c
def f(n: int):
    h = g
    t = (n, 5)
    return g(n), g(n, c=7), h(1, *t), g(b=1, a=2)
""",
        [(4,)],
    ),
    "variables rebound in one block": (
        """\
def f(n: int):
    x = n
    y = x + 1
    s = 'a'
    x, y = y, x
    return x, y, s
""",
        [(4,)],
    ),
    "unrolled loop with a return": (
        """\
def f(n: int):
    for x, y in ((1, 'a'), (2, 'b'), (3, 'c')):
        if x == n: return y
    return 'none'
""",
        [(n,) for n in range(5)],
    ),
    "isinstance": (
        """\
def f(x: Union[int, str]):
    if isinstance(x, int):
        return x + 1
    else:
        return len(x)
""",
        [(3,), ("abc",)],
    ),
    "range and zip": (
        """\
def f(n: int, l: List[str]):
    s = ''
    for i, x in zip(range(n, 0, -2), l): s += str(i) + x
    return s, list(range(n)), list(zip(l, l))
""",
        [(5, ["a", "b", "c", "d"]), (0, ["a"])],
    ),
    "named tuple": (
        """\
class P(NamedTuple):
    x: int
    y: int = 3
def f(n: int):
    p = P(n)
    a, b = P(y=1, x=2)
    return p.x + p.y, p[0], a, b
""",
        [(4,)],
    ),
    "short circuit": (
        """\
def f(l: List[int], i: int):
    return i < len(l) and l[i] > 2, i >= len(l) or l[i] > 2, not l
""",
        [([1, 5], 1), ([1, 5], 7), ([], 0)],
    ),
}


@pytest.mark.parametrize("name", _PROGRAMS)
def test_program(name):
    text, calls = _PROGRAMS[name]
    for call in calls:
        copy = [list(a) if isinstance(a, list) else dict(a) if isinstance(a, dict) else a for a in call]
        expected = python(text, *copy)
        found = run(text, *call)
        if isinstance(expected, float):
            assert math.isclose(found, expected), call
        else:
            assert found == expected, call


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("def f(n: int):\n    assert n > 3, f'n is {n}'\n    return n\n", (1,), "AssertionError: n is 1"),
        ("def f(n: int):\n    if n < 3: raise ValueError('small')\n    return n\n", (1,), "small"),
        ("def f(l: List[int]):\n    return l[3]\n", ([1],), "list index out of range"),
    ],
)
def test_errors_at_run_time(text, arguments, message):
    with pytest.raises(ExecutionError, match=message):
        run(text, *arguments)


class _Generator:
    """Random programs of nested branches and loops; all variables are ints, all loops are bounded."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.counter = 0

    def program(self) -> str:
        body = self.block(1, in_loop=False, depth=3)
        return "def f(a: int, b: int):\n    c = 0\n    d = a\n" + body + "    return a * 7 + b * 5 + c * 3 + d\n"

    def expression(self) -> str:
        x, y = self.random.choice("abcd"), self.random.choice("abcd")
        return self.random.choice(
            [f"{x} + {y}", f"{x} - {y}", f"({x} * {y}) % 11", f"{x} + {self.random.randrange(5)}"]
        )

    def condition(self) -> str:
        x, y = self.random.choice("abcd"), self.random.choice("abcd")
        return self.random.choice(
            [f"{x} > {y}", f"{x} % 3 == {self.random.randrange(3)}", f"{x} < 4 and {y} > 0", f"not ({x} == {y})"]
        )

    def block(self, level: int, in_loop: bool, depth: int) -> str:
        pad = "    " * level
        lines = ""
        for _ in range(self.random.randrange(1, 4)):
            kind = self.random.randrange(10)
            if kind < 4 or depth == 0:
                lines += (
                    f"{pad}{self.random.choice('abcd')} {self.random.choice(['=', '+=', '-='])} {self.expression()}\n"
                )
            elif kind < 7:
                lines += f"{pad}if {self.condition()}:\n" + self.block(level + 1, in_loop, depth - 1)
                if self.random.random() < 0.5:
                    lines += f"{pad}else:\n" + self.block(level + 1, in_loop, depth - 1)
            elif kind < 8:
                self.counter += 1
                lines += f"{pad}for i{self.counter} in range({self.random.randrange(1, 5)}):\n"
                lines += self.block(level + 1, True, depth - 1)
            elif kind < 9:
                self.counter += 1
                n = f"n{self.counter}"
                lines += f"{pad}{n} = 0\n{pad}while {n} < 4 and {self.condition()}:\n{pad}    {n} += 1\n"
                lines += self.block(level + 1, True, depth - 1)
            else:
                lines += f"{pad}{self._leave(in_loop)}\n"
        return lines

    def _leave(self, in_loop: bool) -> str:
        choices = [f"return {self.expression()}"]
        return self.random.choice([*choices, "break", "continue"] if in_loop else choices)


@pytest.mark.parametrize("seed", range(40))
def test_random_control_flow(seed):
    text = _Generator(seed).program()
    program = compile_text(text, entry="f")
    for a in (-2, 0, 3, 8):
        for b in (-1, 1, 5):
            assert Interpreter().run_program(program, [a, b]) == python(text, a, b), text
