"""Dicts whose keys are known at run time only: every stage, and PyTorch, compute the same; nothing is left on the heap."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from torchcc import driver
from torchcc.api import compile_source
from torchcc.backend.cpu.header import header_text
from torchcc.backend.cpu.jit import compile_module
from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import CompileError, ExecutionError
from torchcc.ir.dtypes import from_numpy
from torchcc.ir.parser import parse_module
from torchcc.ir.printer import print_module
from torchcc.ir.script_types import INT
from torchcc.ir.signature import ScalarSpec, TensorSpec, rebuild
from torchcc.ir.structure import difference
from torchcc.verify import verify_stages

sys.path.insert(0, str(Path(__file__).parent))
from run_time_programs import PRELUDE, lowered, native, spec

WORDS = np.random.RandomState(0).randint(0, 9, 40).astype(np.int64)
ROWS = np.random.RandomState(1).randn(6, 3).astype(np.float32)
ODD = np.array([1.5, np.nan, 2.0, np.nan, -0.0, 0.0, 1.5])

PROGRAMS = {
    "count": ("""
def f(x: Tensor, n: int):
    d: Dict[int, int] = {}
    e: Dict[int, int] = {5: 1, 7: 2}
    for i in range(n):
        k = int(x[i])
        d[k] = d.get(k, 0) + 1
        if k in e:
            e[k] += 1
        else:
            e[k] = 1
    s = 0
    for k, v in d.items():
        s += k * v
    return d, e, len(d), s, d.keys(), d.values()
""", [WORDS, 40]),
    "methods": ("""
def f(x: Tensor, n: int):
    d: Dict[int, float] = {}
    for i in range(n):
        d[i * 7 % 11] = float(i)
    a = d.pop(7)
    b = d.pop(100, -1.0)
    c = d.popitem()
    e = d.setdefault(3, 9.0)
    g = d.setdefault(50, 9.5)
    del d[50]
    h = d.get(2, 0.5)
    k = len(d)
    d2 = d.copy()
    d2[77] = 1.0
    d.update(d2)
    d.update({3: -1.0})
    d3 = dict(d)
    d.clear()
    d[4] = 4.0
    return a, b, c, e, g, h, k, d, d2, d3.items(), 77 in d3, 78 in d3, list(d3), sorted(d3.keys())
""", [WORDS, 9]),
    "changed_while_iterated": ("""
def f(x: Tensor, n: int):
    d: Dict[int, int] = {}
    for i in range(n):
        d[i] = i
    for k in d:
        d[k + 100] = k
        if k % 2 == 0:
            del d[k]
    for k, v in d.items():
        d.pop(k)
        d[v] = k
    e = d.copy()
    s = 0
    for v in d.values():
        s = s * 3 + v
        d.clear()
    return s, d, e
""", [WORDS, 9]),
    "bools": ("""
def f(x: Tensor, n: int):
    d: Dict[bool, int] = {}
    for i in range(n):
        b = int(x[i]) > 4
        d[b] = d.get(b, 0) + 1
    return d, d[True], d.get(False, -1)
""", [WORDS, 20]),
    "complex_numbers": ("""
def f(x: Tensor, n: int):
    d: Dict[complex, int] = {}
    l: List[complex] = []
    o: List[Optional[complex]] = [None]
    t: List[Tuple[complex, str]] = []
    z = complex(float(x[0]), -0.0)
    for i in range(n):
        d[z] = d.get(z, 0) + i
        l.append(z * z)
        o.append(z if i % 2 == 0 else None)
        t.append((z, str(z)))
        z = z * 1j + (1.0 if i == 4 else 0.0)
    d[0j] = 1
    d[-0.0 + 0j] = d[0j] + 1
    bad = complex((float(x[0]) - float(x[0])) / 0.0, 0.0)
    d[bad] = 5
    e = d.copy()
    e.update({1j: 9})
    e.pop(0j)
    del e[1j]
    total = 0j
    for k in e: total += k if k == k else 0j
    l.insert(1, 7j)
    l.pop(1)
    u = {w: k for k, w in d.items()}
    seen = z in d, l[0] in d, 0j in d, 0j in e
    return d, e, str(l), str(o), str(t), total, sum(l), len(l), seen, str(d), str(u), d.popitem(), d.setdefault(3j, 4)
""", [WORDS, 9]),
    "floats": ("""
def f(x: Tensor, n: int):
    d: Dict[float, int] = {}
    for i in range(n):
        d[float(x[i])] = i
    d.update(d.copy())
    return len(d), float(x[1]) in d, float(x[4]) in d, d.get(float(x[1]), -7), d.keys(), d.values()
""", [ODD, 7]),
    "update_itself": ("""
def f(x: Tensor, n: int):
    d: Dict[int, int] = {}
    e: Dict[float, int] = {}
    for i in range(n):
        d[int(x[i])] = i
        e[int(x[i]) * 0.5] = i
    d.update(d)
    e.update(e)
    g = {5: 5}
    g.update(d)
    return d, e, g
""", [WORDS, 20]),
    "tensors": ("""
def f(t: Tensor, n: int):
    d: Dict[int, Tensor] = {}
    for i in range(n):
        k = i % 4
        if k in d:
            d[k] = d[k] + t[i]
        else:
            d[k] = t[i] * 2
    r = torch.zeros(3)
    for k, v in d.items():
        r = r + v * k
    return r, d, torch.stack(d.values())
""", [ROWS, 6]),
    "cache": ("""
def f(x: Tensor, n: int):
    cache: Dict[int, Tensor] = {}
    out: List[Tensor] = []
    for i in range(n):
        k = int(x[i])
        c = cache.get(k)
        if c is None:
            c = x * k
            cache[k] = c
        out.append(c + 1)
    return torch.stack(out), len(cache)
""", [WORDS, 8]),
    "lists_and_tuples": ("""
def f(x: Tensor, n: int):
    d: Dict[int, List[int]] = {}
    e: Dict[int, Tuple[int, float]] = {}
    for i in range(n):
        k = int(x[i])
        if k not in d:
            d[k] = torch.jit.annotate(List[int], [])
        d[k].append(i)
        a, b = e.get(k, (0, 0.5))
        e[k] = (a + 1, b * 2)
    return d, e, d[int(x[0])], [len(d[k]) for k in sorted(d.keys())]
""", [WORDS, 20]),
    "nested": ("""
def f(x: Tensor, n: int):
    d: Dict[int, Dict[int, int]] = {}
    for i in range(n):
        k = int(x[i]) % 3
        if k not in d:
            d[k] = torch.jit.annotate(Dict[int, int], {})
        e = d[k]
        e[int(x[i])] = e.get(int(x[i]), 0) + 1
        d[k][100] = i
    return d
""", [WORDS, 20]),
    "dicts_in_lists": ("""
def f(x: Tensor, n: int):
    l: List[Dict[int, int]] = []
    for i in range(n):
        l.append({i: int(x[i])})
    for i in range(n):
        l[i][i + 1] = 5
    m = l[0]
    m[77] = 1
    return l, [(d, len(d)) for d in l]
""", [WORDS, 5]),
    "static_keys": ("""
def f(x: Tensor, n: int):
    d = {1: 10, 2: 20, 3: 30, 4: 40, 0: 0, 5: 1, 6: 2, 7: 3, 8: 4, 9: 5, 10: 6, 11: 7, 12: 1, 13: 2, 14: 3, 15: 4, 16: 5}
    s = 0
    for i in range(n):
        s = s * 3 % 1000 + d[int(x[i])]
    d[n] = 5
    return s, d, n in d
""", [WORDS, 20]),
    "a_branch_chooses": ("""
def f(x: Tensor, n: int):
    a = {1: 2, 3: 4}
    b: Dict[int, int] = {}
    for i in range(n):
        b[i] = i * i
    c = a if n > 10 else b
    c[n] = 7
    g = {1: 5, 3: 4, 9: 9}
    h = a if int(x[0]) > 4 else g
    h[n] = 8
    s = 0
    for i in range(n):
        if i in h:
            s += h[i]
    return c.keys(), a, b, g, h, s
""", [WORDS, 12]),
    "comprehensions": ("""
def f(x: Tensor, n: int):
    d = {i: i * i for i in range(n)}
    e = {i: float(v) for i, v in d.items()}
    g = {float(v): k for k, v in zip(d.values(), [1, 2, 3])}
    return d, e, g, [k * 2 for k in d], {v: k for k, v in d.items()}
""", [WORDS, 12]),
    "of_pairs": ("""
def f(x: Tensor, n: int):
    l: List[Tuple[int, int]] = []
    for i in range(n):
        l.append((int(x[i]), i))
    d = dict(l)
    e = OrderedDict(l)
    return d, e.keys(), {n: 1, n + 1: 2, int(x[0]): 3}
""", [WORDS, 12]),
    "truth": ("""
def f(x: Tensor, n: int):
    d: Dict[int, int] = {}
    a = 1 if d else 0
    for i in range(n):
        d[i] = 1
    a += 2 if d else 0
    while d:
        d.popitem()
        a += 10
    return a, bool(d), not d
""", [WORDS, 5]),
    "handed_on": ("""
class P(NamedTuple):
    a: int
    b: Tensor
def add(d: Dict[int, P], k: int, x: Tensor) -> Dict[int, P]:
    d[k] = P(k, x)
    return d
def find(d: Dict[int, P], q: int) -> int:
    for k, v in d.items():
        if v.a == q:
            return k
    return -1
def f(x: Tensor, n: int):
    d: Dict[int, P] = {}
    for i in range(n):
        add(d, int(x[i]), x[i:])
        if len(d) > 5:
            break
    e = add(d, 100, x)
    e[101] = P(-1, x)
    return find(d, 3), find(d, 77), [(k, p.a, p.b) for k, p in d.items()]
""", [WORDS, 30]),
    "memo": ("""
def f(x: Tensor, n: int):
    memo: Dict[int, int] = {0: 0, 1: 1}
    stack = [n]
    while len(stack) > 0:
        k = stack[-1]
        if k in memo:
            stack.pop()
        elif (k - 1) in memo and (k - 2) in memo:
            memo[k] = memo[k - 1] + memo[k - 2]
            stack.pop()
        else:
            stack.append(k - 1)
            stack.append(k - 2)
    return memo[n], len(memo)
""", [WORDS, 30]),
    "sorted": ("""
def f(x: Tensor, n: int):
    d: Dict[int, int] = {}
    for i in range(n):
        d[int(x[i])] = d.get(int(x[i]), 0) + 1
    l = d.items()
    l.sort()
    m = [(v, k) for k, v in d.items()]
    m.sort(reverse=True)
    s = 0
    for i, (k, v) in enumerate(d.items()):
        s += i * k * v
    return l, m, max(d.values()), min(d.keys()), sum(d.values()), s
""", [WORDS, 30]),
    "carried": ("""
def f(x: Tensor, n: int):
    d: Dict[int, int] = {0: 1}
    e: Dict[int, int] = {}
    i = 0
    while i < n:
        e = d
        d = torch.jit.annotate(Dict[int, int], {})
        for k, v in e.items():
            d[k + 1] = v * 2
            d[k] = v
        i += 1
    return d, e
""", [WORDS, 4]),
    "strings": ("""
def f(x: Tensor, n: int):
    d: Dict[str, int] = {}
    e: Dict[str, List[str]] = {}
    g: Dict[int, str] = {}
    for i in range(n):
        k = str(int(x[i]))
        d["a longer key than that: " + k] = d.get("a longer key than that: " + k, 0) + 1
        if k in e:
            e[k].append(str(i))
        else:
            e[k] = [str(i)]
        g[int(x[i])] = k + "x" if i % 3 else ""
    ks = e.keys()
    ks.sort()
    return d, e, g, ks, ",".join(sorted(d.keys())), "8" in e, "88" in e, e.get("", ["none"]), str(g), [d, d]
""", [WORDS, 30]),
    "words": ("""
def f(x: Tensor, n: int):
    text = "the quick brown fox jumps over the lazy dog the fox " + str(n) + " times"
    d: Dict[str, int] = {}
    for w in text.split(" "):
        if w in d:
            d[w] += 1
        else:
            d[w] = 1
    best = ""
    m = 0
    for k, v in d.items():
        if v > m:
            m = v
            best = k
    lengths = {"zero": 0, "one": 1, "two": 2, str(n): n}
    lengths[best] = len(best)
    return best, m, d, lengths, lengths.get("one"), lengths.get("three")
""", [WORDS, 30]),
    "optional_values": ("""
def f(x: Tensor, n: int):
    d: Dict[int, Optional[int]] = {}
    e: Dict[int, Optional[Tensor]] = {}
    l: List[Optional[Dict[int, int]]] = []
    o: Optional[Dict[int, int]] = None
    for i in range(n):
        k = int(x[i])
        d[k] = None if k % 2 == 0 else i
        e[k] = None if k % 2 == 0 else x[i:]
        l.append(None if k % 2 == 0 else {i: k})
        if o is None:
            o = {i: 1}
        else:
            o[k] = i
    s = torch.zeros(1)
    for k in d:
        v = d[k]
        t = e[k]
        if v is not None and t is not None:
            s = s + v + t.sum()
    return s, d, e, l, o, d.get(77)
""", [WORDS, 20]),
    "tensors_deep_inside": ("""
def f(x: Tensor, n: int):
    d: Dict[int, Dict[int, Tensor]] = {}
    e: Dict[int, List[Tensor]] = {}
    for i in range(n):
        k = int(x[i]) % 3
        if k not in d:
            d[k] = torch.jit.annotate(Dict[int, Tensor], {})
            e[k] = []
        d[k][i] = x[i:i + 2]
        e[k].append(x[i:i + 2])
        for v in e.values():
            v.append(x[:2] + k)
    return d, {k: torch.stack(v) for k, v in e.items()}
""", [WORDS, 9]),
    "changed_in_place": ("""
def f(x: Tensor, n: int):
    d: Dict[int, Tensor] = {}
    for i in range(n):
        k = i % 3
        if k not in d:
            d[k] = torch.zeros(4)
        d[k] += 1
    e = d[0]
    e.add_(10)
    return d
""", [WORDS, 8]),
    "two_names": ("""
def f(x: Tensor, n: int):
    d: Dict[int, int] = {}
    e = d
    for i in range(n):
        d[int(x[i])] = i
        e[100 + i] = i
    l = [e]
    l[0][7] = 7
    return d is e, d is e.copy(), len(d), e
""", [WORDS, 5]),
    "graph": ("""
def f(x: Tensor, n: int):
    g: Dict[int, List[int]] = {}
    for i in range(n):
        for a, b in [(i, int(x[i])), (int(x[i]), i)]:
            if a not in g:
                g[a] = torch.jit.annotate(List[int], [])
            g[a].append(b)
    seen: Dict[int, bool] = {0: True}
    queue = [0]
    order: List[int] = []
    while len(queue) > 0:
        u = queue.pop(0)
        order.append(u)
        for w in g[u]:
            if w not in seen:
                seen[w] = True
                queue.append(w)
    return order, g
""", [WORDS, 20]),
}

FAILING = {
    "int": ("def f(x: Tensor, n: int):\n  d = {i: i for i in range(n)}\n  return d[n + 3]\n", "KeyError: 23"),
    "float": ("def f(x: Tensor, n: int):\n  d = {i + 0.5: i for i in range(n)}\n  del d[n + 3.0]\n  return d\n", "KeyError: 23."),
    "bool": ("def f(x: Tensor, n: int):\n  d = {i > 100: i for i in range(n)}\n  return d.pop(n > 10)\n", "KeyError: True"),
    "complex": ("def f(x: Tensor, n: int):\n  d = {complex(i, 0.5): i for i in range(n)}\n  return d[complex(n, -1.5)]\n", "KeyError: 20.-1.5j"),
    "str": (
        "def f(x: Tensor, n: int):\n  d = {str(i): i for i in range(n)}\n  return d['x' + str(n)]\n",
        "KeyError: x20",
    ),
    "empty": (
        "def f(x: Tensor, n: int):\n  d = {i: [i] for i in range(n)}\n  while True:\n    d.popitem()\n  return n\n",
        "popitem(): dictionary is empty",
    ),
}

RANDOM = """
def f(ops: Tensor, n: int):
    d: Dict[int, int] = {}
    log: List[int] = []
    for i in range(n):
        op = int(ops[i, 0])
        k = int(ops[i, 1])
        if op < 4:
            d[k] = i
        elif op < 6:
            log.append(d.pop(k, -1))
        elif op == 6:
            log.append(d.get(k, -2))
        elif op == 7:
            if k in d:
                del d[k]
        elif op == 8:
            log.append(d.setdefault(k, i))
        elif op == 9:
            d[k] = d.get(k, 0) + 1
        elif op == 10:
            if len(d) > 0:
                a, b = d.popitem()
                log.append(a * 1000 + b)
        elif op == 11:
            d = d.copy()
        elif op == 12:
            e = d
            e.update({k: 1, k + 1: 2})
        elif op == 13 and k % 8 == 0:
            d.clear()
        log.append(len(d))
    return log, d
"""


def plain(value):
    """Comparable, with dicts in their order."""
    match value:
        case dict():
            return "dict", [(plain(k), plain(v)) for k, v in value.items()]
        case list() | tuple():
            return type(value).__name__, [plain(v) for v in value]
        case bool() | int() | str() | None:
            return value
        case _:
            array = np.asarray(value)
            return array.dtype.kind, array.shape, [repr(round(float(v), 4)) for v in array.reshape(-1)]


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_stage_agrees(name):
    source, values = PROGRAMS[name]
    report = verify_stages(compile_text(PRELUDE + source), [spec(v) for v in values], list(values))
    assert [(r.stage, r.text) for r in report if not r.agrees] == []
    assert report[-1].stage == "native"


@pytest.mark.parametrize("name", PROGRAMS)
def test_pytorch_agrees(name, tmp_path):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    source, values = PROGRAMS[name]
    path = tmp_path / f"{name}.py"
    path.write_text(PRELUDE + source)
    loader = importlib.util.spec_from_file_location(f"run_time_dicts_{name}", path)
    module = importlib.util.module_from_spec(loader)
    loader.loader.exec_module(module)
    given = [torch.from_numpy(v.copy()) if isinstance(v, np.ndarray) else v for v in values]
    assert plain(native(source, values)()) == plain(torch.jit.script(module.f)(*given))


@pytest.mark.parametrize("name", FAILING)
def test_errors(name):
    source, message = FAILING[name]
    with pytest.raises(ExecutionError) as found:
        native(source, [WORDS, 20])()
    assert found.value.message == message and found.value.span is not None


@pytest.mark.parametrize("span", [7, 200, 1 << 40])
def test_thousands_of_operations(span):
    rnd = np.random.RandomState(span % 1000)
    ops = np.stack([rnd.randint(0, 14, 5000), rnd.randint(-span, span, 5000) // 8 * 8], 1)
    log, table = native(RANDOM, [ops, len(ops)])()
    assert (log, list(table.items())) == model(ops)


def model(ops):
    d, log = {}, []
    for i, (op, k) in enumerate(ops.tolist()):
        if op < 4:
            d[k] = i
        elif op < 6:
            log.append(d.pop(k, -1))
        elif op == 6:
            log.append(d.get(k, -2))
        elif op == 7:
            d.pop(k, None)
        elif op == 8:
            log.append(d.setdefault(k, i))
        elif op == 9:
            d[k] = d.get(k, 0) + 1
        elif op == 10 and d:
            a = next(iter(d))
            log.append(a * 1000 + d.pop(a))
        elif op == 12:
            d.update({k: 1, k + 1: 2})
        elif op == 13 and k % 8 == 0:
            d.clear()
        log.append(len(d))
    return log, list(d.items())


def test_every_stage_agrees_on_many_operations():
    rnd = np.random.RandomState(5)
    ops = np.stack([rnd.randint(0, 14, 150), rnd.randint(0, 12, 150)], 1)
    report = verify_stages(compile_text(PRELUDE + RANDOM), [spec(ops), ScalarSpec(INT)], [ops, len(ops)])
    assert all(r.agrees for r in report)


def test_growth_to_many_keys_with_deletions():
    source = """
def f(n: int):
    d: Dict[int, int] = {}
    for i in range(n):
        d[i * 8] = i
        if i % 3 == 0:
            del d[i * 8]
    s = 0
    while len(d) > 10:
        k, v = d.popitem()
        s += k - v
    return s, d
"""
    s, left = native(source, [100_000])()
    kept = [i for i in range(100_000) if i % 3]
    assert s == sum(i * 7 for i in kept[:-10]) and left == {i * 8: i for i in kept[-10:]}


TABLES = """
class M(torch.nn.Module):
    words: Dict[str, int]
    roots: Dict[int, float]
    def __init__(self):
        super().__init__()
        self.words = {"w" + str(i) + "é" * (i % 3): i for i in range(3000)}
        self.roots = {i * i: i / 2 for i in range(300)}
        self.names: List[str] = [str(i) for i in range(200)]
        self.tails = ["", "é", "éé"]
    def forward(self, x: Tensor, n: int):
        out: List[int] = []
        s = 0.0
        for i in range(n):
            k = int(x[i]) * 300
            out.append(self.words.get("w" + self.names[int(x[i])] + self.tails[int(x[i]) % 3], -1))
            out.append(self.words.get("w" + str(k), -1))
            s += self.roots.get(k, -1.0)
        return out, s, len(self.words), "w3001" in self.words
"""


def test_large_tables_are_loops_over_vectors():
    """Of 3000 words none is written by itself; every stage finds the same."""
    program = compile_text(PRELUDE + TABLES, entry="M")
    specs = [spec(WORDS), ScalarSpec(INT)]
    found = driver.lower(program, specs)
    assert len(list(found.modules["linalg"].walk())) < 500
    report = verify_stages(program, specs, [WORDS, 20])
    assert [(r.stage, r.text) for r in report if not r.agrees] == []
    function = compile_module(found.modules["loops"], found.signature)
    out, s, count, there = rebuild(found.signature.tree, function.call_flat([WORDS, 20]))
    words = {"w" + str(i) + "é" * (i % 3): i for i in range(3000)}
    expected = [words.get(w, -1) for x in WORDS[:20].tolist() for w in (f"w{x}" + "é" * (x % 3), f"w{x * 300}")]
    roots = {i * i: i / 2 for i in range(300)}
    assert (out, count, there) == (expected, 3000, False)
    assert s == sum(roots.get(x * 300, -1.0) for x in WORDS[:20].tolist())


def test_colliding_keys_are_no_trouble():
    """Keys that differ in high bits only, and strings that differ in one byte: a poor hash would take minutes."""
    source = """
def f(n: int):
    d: Dict[int, int] = {}
    e: Dict[float, int] = {}
    g: Dict[str, int] = {}
    for i in range(n):
        d[i << 40] = i
        e[float(i) * 1e300] = i
        g["aaaaaaaaaaaaaaaaaaaaaaaa" + chr(65 + i % 26) + str(i) + "bbbbbbbbbbbbbbbbbbbb"] = i
    e2 = 0
    for i in range(n):
        e2 += d[i << 40] - i
        e[float(i) * 1e300] += 1
    return e2, len(d), len(e), len(g)
"""
    assert native(source, [50_000])()[0] == 0


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.parametrize("name", ["tensors", "lists_and_tuples", "nested", "empty"])
def test_calls_leave_nothing(name):
    call = native(*(PROGRAMS[name] if name in PROGRAMS else (FAILING[name][0], [WORDS, 20])))

    def run(times):
        for _ in range(times):
            try:
                call()
            except ExecutionError:
                assert name in FAILING

    try:
        resident()
    except OSError:
        pytest.skip("needs /proc")
    run(200)
    before = resident()
    run(5000)
    assert resident() - before < 4 << 20


def test_what_is_removed_is_given_back_while_the_function_runs():
    source = """
def f(x: Tensor, n: int):
    d: Dict[int, Tensor] = {}
    for i in range(n):
        d[i] = x * 0.5
        d[i] = x + 1
        if len(d) > 3:
            d.popitem()
        if i % 100 == 0:
            d.clear()
    return len(d)
"""
    call = native(source, [np.ones(250_000, np.float32), 1000])
    call()
    before = resident()
    assert call() == 3
    assert resident() - before < 64 << 20  # 2000 tensors of one megabyte came and went


def test_the_text_of_every_stage_can_be_read_again():
    found = lowered(*PROGRAMS["nested"])
    for stage in ("linalg", "loops"):
        module = found.modules[stage]
        assert difference(module, parse_module(print_module(module))) is None


def test_a_dict_of_known_keys_stays_one():
    source = "def f(x: Tensor):\n  d: Dict[int, Tensor] = {}\n  for i in range(20):\n    d[i] = x + i\n  return torch.cat(d.values())\n"
    found = driver.lower(compile_text(PRELUDE + source), [TensorSpec(from_numpy(ROWS.dtype), ROWS.shape)])
    assert not any(op.name.startswith("rt.") for op in found.modules["linalg"].walk())


def test_the_header_says_how_a_dict_is_handed_out():
    text = header_text([lowered(*PROGRAMS["tensors"]).signature], "library")
    assert "a dict of out1 entries: keys numbers in out2, values tensors (elements in out3, 1 extents each in out4)" in text


REFUSED = {
    "keys that are tensors": (
        "def f(x: Tensor, n: int):\n  d: Dict[Tensor, int] = {}\n  for i in range(n):\n    d[x[i]] = i\n  return len(d)\n",
        "a dict with tensors for keys is not supported",
    ),
    "a comparison": (
        "def f(x: Tensor, n: int):\n  d = {i: i for i in range(n)}\n  return d == d\n",
        "arguments for call of `==` are not valid",
    ),
    "values of several dtypes": (
        "def f(x: Tensor, n: int):\n  d: Dict[int, Tensor] = {}\n  for i in range(n):\n    d[i] = x if i > 2 else x > 0\n  return d\n",
        "only known at run time",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    source, message = REFUSED[name]
    with pytest.raises(CompileError) as found:
        lowered(source, [WORDS, 3])
    assert message in str(found.value) and found.value.diagnostics[0].span is not None


def test_an_argument_with_tensors_for_keys_is_refused():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    library = compile_source(PRELUDE + "def f(d: Dict[Tensor, int]): return len(d.keys())\n", "keys.py")
    with pytest.raises(CompileError, match="argument 'd': a dict with tensors for keys is not supported"):
        library.f({torch.ones(1): 1})
