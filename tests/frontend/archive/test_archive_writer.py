"""Archives that torchcc writes: PyTorch loads them, they compute the same, and saving them again changes nothing."""

import io
import pickletools
import zipfile
from enum import Enum
from typing import Any, Dict, Final, List, NamedTuple, Optional, Tuple, Union

import numpy as np
import pytest

import torchcc
from torchcc.frontend import archive
from torchcc.frontend.archive.writer import save as write
from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import CompileError

torch = pytest.importorskip("torch", reason="PyTorch reads the archives and tells what they compute")
nn = torch.nn
F = torch.nn.functional
Tensor = torch.Tensor

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")


def pytorch_saves(module, **extra):
    buffer = io.BytesIO()
    torch.jit.save(module, buffer, _extra_files=extra)
    return buffer.getvalue()


def torchcc_saves(program):
    buffer = io.BytesIO()
    write(program, buffer)
    return buffer.getvalue()


def pytorch_loads(data):
    return torch.jit.load(io.BytesIO(data))


def members(data):
    """By name without the root."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert file.testzip() is None
        return {n.partition("/")[2]: file.read(n) for n in file.namelist()}


def code_of(data):
    return "\n".join(text.decode() for name, text in members(data).items() if name.endswith(".py"))


def same(a, b):
    if isinstance(b, torch.Tensor):
        assert a.dtype == b.dtype and a.shape == b.shape
        torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)
    elif isinstance(b, list | tuple):
        assert isinstance(a, tuple) == isinstance(b, tuple) and getattr(a, "_fields", None) == getattr(b, "_fields", None)
        assert len(a) == len(b)
        for x, y in zip(a, b):
            same(x, y)
    elif isinstance(b, dict):
        assert list(a) == list(b)
        for key in b:
            same(a[key], b[key])
    elif isinstance(b, float) and b != b:
        assert a != a
    else:
        assert a == b and type(a) is type(b)


def copied(values):
    return [v.clone() if isinstance(v, torch.Tensor) else v for v in values]


def result(function, args):
    with torch.no_grad():
        try:
            return function(*copied(args))
        except torch.jit.Error as error:
            return str(error).splitlines()[-1]


def stable(data):
    """Saving what was saved makes the same bytes."""
    again = members(torchcc_saves(archive.load(data)))
    for name, content in members(data).items():
        if name.endswith(".py"):
            assert again[name].decode() == content.decode()
        assert again[name] == content, name


def survives(module, *args, methods=("forward",), calls=1):
    """PyTorch -> torchcc -> PyTorch."""
    data = pytorch_saves(module)
    written = torchcc_saves(archive.load(data, methods[0]))
    before, after = pytorch_loads(data), pytorch_loads(written)
    same(dict(after.state_dict()), dict(before.state_dict()))
    assert [(n, p.requires_grad) for n, p in after.named_parameters()] == [(n, p.requires_grad) for n, p in before.named_parameters()]
    assert [n for n, _ in after.named_buffers()] == [n for n, _ in before.named_buffers()]
    for method in methods:
        for _ in range(calls):
            torch.manual_seed(0)
            expected = result(getattr(before, method), args)
            torch.manual_seed(0)
            same(result(getattr(after, method), args), expected)
    stable(written)
    return written


def x(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1)).to(dtype)


# functions, one feature each

FUNCTIONS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "arithmetic": ("def f(x, k: int, s: float):\n  return (x + k * s) / 3 - x // 2 + x % 2 + x ** 2 - -x", (x(3), 2, 0.5)),
    "numbers": (
        "def f(a: int, b: float, c: bool):\n  return a // 3, a / 2, a % -3, b // 2, -a, a & 3, a | 8, a ^ 1, a << 2, "
        "abs(-a), min(a, 3), max(b, 1.5), round(b), pow(a, 2), int(b), float(a), bool(a), str(b), not c, a == b, a < 4",
        (7, 2.5, True),
    ),
    "implicit_numbers": ("def f(x):\n  y = torch.arange(x.sum().long())\n  return y, x.view(x.sum().long()), int(x[0]), float(x[1]), x.max().item()", (torch.ones(2),)),
    "large_ints": ("def f():\n  return 9223372036854775807, -9223372036854775808, 4294967296, -1", ()),
    "complex": ("def f(z: complex):\n  return z * (1 + 2j), 3j, -2j, z == 0j", (1 + 1j,)),
    "strings": (
        'def f(s: str):\n  return s + "\\n\\t\\"\'\\\\\\a\\b\\f\\v", "a{}b".format(s), "%d-%s" % (3, s), s[0], s[1:], len(s), s.upper(), "x" in s, s == "t", "\\001"',
        ("text",),
    ),
    "unicode": ('def f(s: str):\n  return s + "grün 漢字 🙂"', ("é",)),
    "lists": (
        "def f(l: List[int], x):\n  a = [1, 2] + l\n  a.append(3)\n  a[0] = 9\n  del a[1]\n  b: List[Tensor] = []\n  for i in a:\n    b.append(x * i)\n"
        "  a.sort()\n  a.extend([4])\n  return a, b, a[1:], a[::2], len(a), 3 in a, a.pop(), a.index(4), sum(a), sorted(l), [i * 2 for i in l]",
        ([5, 4], x(2)),
    ),
    "typed_lists": ("def f(x):\n  a: List[Optional[Tensor]] = [x, None]\n  b: List[float] = []\n  c: List[List[int]] = [[1], [2, 3]]\n  d: List[Optional[int]] = [1, None]\n  return a, b, c, d", (x(2),)),
    "dicts": (
        "def f(d: Dict[str, Tensor], x):\n  d['b'] = x\n  e: Dict[int, List[int]] = {}\n  e[1] = [2]\n  g = {'a': 1, 'b': 2}\n  t = 0\n  for k in g:\n    t += g[k]\n"
        "  for k, v in g.items():\n    t += v\n  return d['a'] + d['b'], e, list(g.keys()), 'a' in g, len(g), t, g.get('z')",
        ({"a": x(2)}, x(2)),
    ),
    "tuples": ("def f(t: Tuple[int, Tensor]):\n  a, b = t\n  c = (a, b, (1, 2.5))\n  d, = (a,)\n  return c[2], c[1:], (c[0],), (), c[-1][0], d", ((3, x(2)),)),
    "branches": ("def f(x, k: int):\n  if k > 1:\n    y = x + 1\n    z = 1\n  elif k == 1:\n    y = x\n    z = 2\n  else:\n    y = -x\n    z = 3\n  return y, z", (x(2), 1)),
    "merged_optionals": ("def f(x, k: int):\n  y: Optional[Tensor] = None\n  n: Optional[int] = None\n  if k > 1:\n    y = x\n    n = 3\n  return y, n", (x(2), 2)),
    "nothing": ("def f(x, k: int):\n  y: Optional[Tensor] = None\n  if k > 1:\n    y = x\n  return y", (x(2), 0)),
    "early_return": ("def f(x, k: int):\n  if k == 0:\n    return x\n  for i in range(5):\n    if i == k:\n      return x + i\n    x = x * 2\n  return -x", (x(2), 3)),
    "break_and_continue": ("def f(n: int):\n  t = 0\n  for i in range(n):\n    if i == 2:\n      continue\n    if i > 4:\n      break\n    t += i\n  return t, n", (9,)),
    "while": ("def f(n: int):\n  t = 0\n  while n > 0 and t < 50:\n    t += n\n    n -= 1\n    if n == 3:\n      break\n  return t, n", (9,)),
    "nested_loops": ("def f(x, n: int):\n  out: List[Tensor] = []\n  for i in range(1, n, 2):\n    for j in range(i):\n      if j % 2 == 0:\n        x = x + j\n    out.append(x)\n  return out", (x(2), 6)),
    "enumerate_zip": ("def f(l: List[int], m: List[float], x):\n  t = 0.\n  for i, (a, b) in enumerate(zip(l, m)):\n    t += i * a * b\n  for row in x:\n    t += float(row.sum())\n  return t", ([1, 2], [0.5, 1.5, 2.5], x(2, 2))),
    "optional": ("def f(x: Optional[Tensor], k: Optional[int] = None):\n  if x is None:\n    return torch.ones(1)\n  if k is not None and k > 0:\n    x = x * k\n  return x", (x(2), 3)),
    "union": ("def f(v: Union[int, str, List[int]]):\n  if isinstance(v, int):\n    return v + 1\n  elif isinstance(v, str):\n    return len(v)\n  return v[0]", ("four",)),
    "any": ("def f(v: Any):\n  if isinstance(v, Tensor):\n    return v.dim()\n  return 5", (3,)),
    "scalars": ("def f(x, a: number):\n  s = x.sum().item()\n  return x * s, x + a", (torch.ones(2), 2.5)),
    "ternary": ("def f(x, k: int):\n  return x if k > 1 else -x, (k or 3) if False else k", (x(2), 1)),
    "assert_and_raise": ("def f(x, k: int):\n  assert k > 0, 'too small'\n  if k > 5:\n    raise ValueError('k is {}'.format(k))\n  return x", (x(2), 7)),
    "in_place": ("def f(x):\n  y = x.clone()\n  y += 1\n  y[0] = 5\n  y[1:] *= 2\n  y.add_(x)\n  y.relu_()\n  z = y.view(-1)\n  z.zero_()\n  return y", (x(3, 2),)),
    "order_of_effects": ("def f(l: List[int]):\n  a = l.pop() - l.pop() * l.pop()\n  b = [l.pop(), l.pop()]\n  return a, b, l", ([1, 2, 3, 4, 5, 6],)),
    "indexing": ("def f(x, i):\n  return x[0], x[:, 1:], x[..., None], x[i], x[i, 1], x[x > 0], x[-1, ::2], x[None]", (x(3, 4), torch.tensor([2, 0]))),
    "reductions": ("def f(x):\n  v, i = x.max(0)\n  w = torch.max(x, 1)\n  return v, i, w, x.sum([0, 1]), x.mean(-1, keepdim=True), x.sum(dtype=torch.float64), torch.topk(x, 2), x.std(), x.norm()", (x(3, 4),)),
    "factories": ("def f(n: int):\n  return torch.zeros(2, n), torch.ones([n], dtype=torch.int64), torch.full([2], n), torch.arange(n), torch.linspace(0, 1, n), torch.tensor([1, 2]), torch.empty(0), torch.eye(n, device='cpu')", (3,)),
    "dtypes": ("def f(x):\n  return x.to(torch.float64), x.int(), x.half().dtype, x.dtype, x.device, x.shape, x.size(0), x.dim(), x.is_cuda, x.type_as(x.double())", (x(2, 3),)),
    "tolist": ("def f(x):\n  a: List[float] = x.tolist()\n  b: List[List[float]] = x.view(1, -1).tolist()\n  return a, b", (x(3),)),
    "keyword_only": ("def f(x):\n  return torch.add(x, x, alpha=2), torch.sum(x, 0, keepdim=True), torch.div(x, 2, rounding_mode='floor'), torch.stack([x, x], dim=1), torch.sort(x, descending=True)", (x(3),)),
    "no_grad": ("def f(x):\n  with torch.no_grad():\n    y = x * 2\n  return y", (x(2),)),
    "print": ("def f(x, k: int):\n  print('k is', k, [k], x.shape)\n  return x", (x(2), 3)),
    "gelu_and_div": ("def f(x):\n  return torch.nn.functional.gelu(x) / 2 + torch.softmax(x, 0)", (x(3),)),
    "embedding": ("def f(x, w):\n  return torch.nn.functional.embedding(x, w), torch.nn.functional.cross_entropy(w, x)", (torch.tensor([1, 0]), x(2, 3))),
    "einsum": ("def f(a, b):\n  return torch.einsum('ij,jk->ik', a, b), a @ b, torch.cat([a, b.t()], 0), torch.where(a > 0, a, 0.)", (x(2, 3), x(3, 2))),
    "random": ("def f(x):\n  return torch.rand(2), torch.nn.functional.dropout(x, 0.5, True), torch.randint(0, 9, [3])", (x(4),)),
    "long_lines": ("def f(x):\n  return torch.nn.functional.conv2d(x.unsqueeze(0).repeat(1, 1, 1, 1), torch.ones(1, 1, 3, 3), None, [1, 1], [1, 1], [1, 1], 1) + x.sum(0).sum(0).reshape([-1]).mean()", (x(1, 5, 5),)),
    "names": ("def f(_0, _1, torch_: int, x0, x, input: int):\n  _2 = _0 + _1\n  x1 = x + x0\n  x = x1 + _2\n  x = x + 1\n  list_ = [x]\n  return list_, input, torch_", (x(2), x(2), 3, x(2), x(2), 4)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    source, args = FUNCTIONS[name]
    survives(torch.jit.CompilationUnit(source + "\n").f, *args)


class Foreign(nn.Module):
    """Tensors that no operator of torchcc takes."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.register_buffer("tensor_q", torch.quantize_per_tensor(torch.randn(3, 4), 0.1, 2, torch.qint8))
        scales, points = torch.tensor([0.1, 0.2, 0.3]).double(), torch.tensor([0, 1, 2])
        self.register_buffer("channel_q", torch.quantize_per_channel(torch.randn(3, 4), scales, points, 0, torch.quint8))
        self.register_buffer("float8", torch.randn(4).to(torch.float8_e4m3fn))
        self.register_buffer("words", torch.tensor([1, 65535]).to(torch.uint16))
        self.register_buffer("sparse", torch.eye(3).to_sparse())
        self.register_buffer("halves", torch.randn(3, dtype=torch.complex64).to(torch.complex32))
        self.register_buffer("conjugated", torch.randn(3, dtype=torch.complex64).conj())

    def forward(self, x):
        return x


@pytest.mark.filterwarnings("ignore")
def test_tensors_that_are_only_carried_along():
    data = pytorch_saves(torch.jit.script(Foreign()))
    written = torchcc_saves(archive.load(data))
    before, after = pytorch_loads(data).state_dict(), pytorch_loads(written).state_dict()
    assert {k: str(v) for k, v in after.items()} == {k: str(v) for k, v in before.items()}
    stable(written)


# modules


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.body = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3), nn.GELU(), nn.Dropout(0.1))

    def forward(self, x):
        return self.body(self.bn(self.conv(x)))


class Containers(nn.Module):
    def __init__(self):
        super().__init__()
        self.list = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4, bias=False)])
        self.table = nn.ModuleDict({"a": nn.Tanh(), "b-c": nn.LayerNorm(4), "0": nn.ReLU()})
        self.parameters_ = nn.ParameterList([nn.Parameter(torch.ones(4)), nn.Parameter(torch.full((4,), 2.0))])

    def forward(self, x):
        for i, m in enumerate(self.list):
            x = m(x) + i
        for m in self.table.values():
            x = m(x)
        for p in self.parameters_:
            x = x * p
        return x


class Methods(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)

    def forward(self, x, k: int = 2):
        return self.helper(x, k) + self.other(x)

    def helper(self, x, k: int):
        return self.fc(x) * k

    @torch.jit.export
    def other(self, x):
        return x.exp()


class Values(nn.Module):
    nothing: Optional[Tensor]
    lists: List[List[int]]
    table: Dict[str, int]
    k: Final[int]
    pair: Final[Tuple[int, float]]

    def __init__(self):
        super().__init__()
        self.nothing = None
        self.ints, self.floats, self.bools, self.tensors = [1, -2, 300, 70000, 1 << 40], [0.5], [True], [torch.ones(2)]
        self.lists, self.words, self.table = [[1], []], ["a", "ü"], {"x": 1}
        self.tables: Dict[str, List[Tensor]] = {"t": [torch.zeros(1)]}
        self.c, self.dev, self.dt, self.s, self.inf = 1 + 2j, torch.device("cpu"), torch.float16, 'q"\n', float("inf")
        self.t = (1, "a", (2.0, torch.ones(1)))
        self.k, self.pair = 5, (1, 2.0)
        self.b = True

    def forward(self, x):
        y = x * self.k + self.pair[1] + self.ints[2] + self.floats[0] + self.table["x"]
        return y, self.lists, self.words, self.tables, self.c, self.dev, self.dt, self.s, self.inf, self.t, self.bools, self.tensors


class Count(nn.Module):
    history: List[int]

    def __init__(self):
        super().__init__()
        self.n = 0
        self.register_buffer("total", torch.zeros(2))
        self.history = []

    def forward(self, x):
        self.n += 1
        self.total += x
        self.history.append(self.n)
        return self.total.clone(), self.n, self.history


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        base = torch.arange(12.0)
        self.register_buffer("all", base)
        self.register_buffer("head", base[:5])
        self.register_buffer("even", base[::2])
        self.register_buffer("matrix", base.view(3, 4).t())
        self.register_buffer("same", base)
        self.first = nn.Linear(2, 2)
        self.second = self.first

    def forward(self, x):
        self.head += 1
        return self.all + self.matrix.sum() + x.sum(), self.even, self.same, self.second(torch.ones(1, 2)) + self.first(torch.ones(1, 2))


class Dtypes(nn.Module):
    def __init__(self):
        super().__init__()
        kinds = (torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64, torch.bool, torch.complex64, torch.complex128)
        for kind in kinds:
            self.register_buffer("b_" + str(kind).partition(".")[2], torch.tensor([0, 1, 1]).to(kind))
        self.register_buffer("empty", torch.empty(0, 3))
        self.register_buffer("number", torch.tensor(2.5))
        self.register_buffer("nan", torch.tensor([float("nan"), float("inf"), -0.0]))
        self.register_buffer("wide", torch.ones(1).expand(3))
        self.register_buffer("hidden", torch.ones(1), persistent=False)

    def forward(self, x):
        return self.b_float16, self.b_bfloat16, self.b_float64, self.b_int8, self.b_uint8, self.b_bool, self.b_complex64, self.empty, self.number + x, self.nan, self.wide, self.hidden


class Frozen(nn.Module):
    def __init__(self):
        super().__init__()
        self.p = nn.Parameter(torch.ones(2))
        self.q = nn.Parameter(torch.ones(2), requires_grad=False)
        self.register_parameter("none", None)

    def forward(self, x):
        return x + self.p * self.q


class Pair(NamedTuple):
    left: Tensor
    right: int


class Tuples(nn.Module):
    def __init__(self):
        super().__init__()
        self.pair = Pair(torch.ones(2), 3)

    def forward(self, x):
        p = Pair(x, self.pair[1])
        return p, p.left + self.pair[0]


class Colour(Enum):
    RED = 1
    BLUE = 2


class Enums(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = Colour.RED

    def forward(self, x):
        if self.c == Colour.RED:
            x = x + 1
        return x + self.c.value, self.c.name


class Inner(nn.Module):
    def __init__(self, k: int):
        super().__init__()
        self.k = k
        self.word = "a" * k

    def forward(self, x):
        return x * self.k if self.word == "a" else x + self.k


class Same(nn.Module):
    """Two objects of one class with types of their own."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = Inner(1), Inner(2), nn.Sequential(Inner(3), nn.Sequential(nn.Linear(2, 2)))

    def forward(self, x):
        return self.c(self.b(self.a(x)))


class Hooked(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(2, 2)
        self.inner.register_forward_hook(after)
        self.inner.register_forward_pre_hook(before)

    def forward(self, x):
        return self.inner(x)


def before(self, input: Tuple[Tensor]) -> Tuple[Tensor]:
    return (input[0] * 2,)


def after(self, input: Tuple[Tensor], result: Tensor) -> Tensor:
    return result + 1


@torch.jit.interface
class Layer(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        pass


class Chosen(nn.Module):
    layer: Layer

    def __init__(self):
        super().__init__()
        self.layer = Annotated()

    def forward(self, x: Tensor) -> Tensor:
        return self.layer.forward(x)


class Annotated(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 1


class Doubled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2


class Indexed(nn.Module):
    def __init__(self):
        super().__init__()
        self.list = nn.ModuleList([Annotated(), Doubled()])
        self.table = nn.ModuleDict({"a": Annotated(), "b": Doubled()})

    def forward(self, x: Tensor, i: int, key: str) -> Tensor:
        first: Layer = self.list[i]
        second: Layer = self.table[key]
        return second.forward(first.forward(x))


class Parallel(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)

    def forward(self, x):
        first = torch.jit.fork(pair_of, x, 3)
        others = [torch.jit.fork(self.fc, x * i) for i in range(3)]
        a, b = torch.jit.wait(first)
        for other in others:
            a = a + torch.jit.wait(other)
        return a, b


def pair_of(x, k: int):
    return x * k, k


@torch.jit.script
class Point:
    def __init__(self, x: int, y: float):
        self.x = x
        self.y = y

    def scaled(self, k: int):
        return Point(self.x * k, self.y * k)


class Objects(nn.Module):
    def forward(self, x, k: int):
        p = Point(k, 2.0).scaled(3)
        p.x += 1
        return x * p.x + p.y


class WithState(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = torch.ones(2), 3

    @torch.jit.export
    def __getstate__(self):
        return (self.a, self.b, self.training)

    @torch.jit.export
    def __setstate__(self, state: Tuple[Tensor, int, bool]):
        self.a = state[0] * 2
        self.b = state[1]
        self.training = state[2]

    def forward(self, x):
        return x + self.a * self.b


class Deep(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.inner = Deep(depth - 1) if depth else nn.Identity()

    def forward(self, x):
        return self.inner(x) + 1


class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(3, 4)

    def forward(self, x, state: Optional[Tuple[Tensor, Tensor]] = None):
        outputs: List[Tensor] = []
        for t in range(x.size(0)):
            state = self.cell(x[t], state)
            outputs.append(state[0])
        return torch.stack(outputs)


class Wrapped(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


class Helped(nn.Module):
    def forward(self, x):
        return helper(x) + helper(x, 3) + helper(k=4, x=x)


def helper(x, k: int = 2):
    return x * k


class Branchy(nn.Module):
    def forward(self, x, v: Union[int, float], o: Optional[Tensor]):
        if torch.jit.isinstance(v, int):
            y = x + v
        else:
            y = x * 2
        if o is not None:
            y = y + o
            if y.sum() > 0:
                return y
        while y.sum() < 10:
            y = y + 1
            if y.max() > 100:
                break
        return y


MODULES: dict[str, tuple[Any, ...]] = {
    "plain": (lambda: Plain().eval(), x(1, 2, 4, 4)),
    "training": (Plain, x(2, 2, 4, 4)),
    "containers": (Containers, x(2, 4)),
    "methods": (Methods, x(2, 2)),
    "values": (Values, x(2)),
    "dtypes": (Dtypes, x(1)),
    "frozen": (Frozen, x(2)),
    "named_tuples": (Tuples, x(2)),
    "enums": (Enums, x(2)),
    "two_types_of_a_class": (Same, x(2, 2)),
    "hooks": (Hooked, x(2, 2)),
    "interfaces": (Chosen, x(2)),
    "container_indices": (Indexed, x(2), 1, "a"),
    "forks": (Parallel, x(1, 2)),
    "objects": (Objects, x(2), 3),
    "deep": (lambda: Deep(30), x(2)),
    "cell": (Cell, x(3, 2, 3)),
    "calls": (Helped, x(2)),
    "branchy": (Branchy, x(3), 2.5, x(3)),
    "lstm": (lambda: Wrapped(nn.LSTM(3, 4, 2, bidirectional=True)), x(2, 1, 3)),
    "gru": (lambda: Wrapped(nn.GRU(3, 4, batch_first=True)), x(2, 5, 3)),
    "attention": (lambda: nn.MultiheadAttention(8, 2).eval(), x(3, 1, 8), x(3, 1, 8), x(3, 1, 8)),
    "encoder": (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval(), x(1, 3, 8)),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules(name):
    make, *args = MODULES[name]
    torch.manual_seed(0)
    survives(torch.jit.script(make()), *args)


@pytest.mark.parametrize("name", ["plain", "containers", "cell", "calls"])
def test_traced(name):
    torch.manual_seed(0)
    make, *args = MODULES[name]
    survives(torch.jit.trace(make(), tuple(args), check_trace=False), *args)


def test_traced_function():
    survives(torch.jit.trace(lambda a, b: torch.cat([a[:, 0], b.sum(1) * a.size(0)]) + torch.tensor([1.5]), (x(2, 3), x(2, 3))), x(2, 3), x(2, 3))


def test_frozen_by_pytorch():
    module = torch.jit.freeze(torch.jit.script(Plain().eval()))
    assert b"CONSTANTS.c0" in code_of(survives(module, x(1, 2, 4, 4))).encode()


def test_state_and_aliasing():
    """Writes through one view are seen through the others, in what was saved too."""
    survives(torch.jit.script(Shared()), x(2), calls=2)
    survives(torch.jit.script(Count()), x(2), calls=3)
    data = survives(torch.jit.script(Shared()), x(2))
    assert sum(n.startswith("data/") for n in members(data)) == 3


class WithoutGradients(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(2))

    def forward(self, x, n: int):
        with torch.no_grad():
            y = x * self.w
            for _i in range(n):
                if y.sum() > 100:
                    self.w.mul_(2)
                y = y + self.w
            z = [y, y.exp()]
        return y, z, self.w + y


def test_gradients_are_computed_where_they_were():
    """A parameter may be written to under `no_grad`, and what comes out of it has no gradient."""
    data = pytorch_saves(torch.jit.script(WithoutGradients()))
    written = torchcc_saves(archive.load(data))
    stable(written)
    stable(torchcc_saves(from_source("def f(x):\n    y = x\n    with torch.no_grad():\n        if x.sum() > 3:\n            return x\n        y = y * 2\n    return y + x\n")))
    before, after = pytorch_loads(data), pytorch_loads(written)
    for n in (0, 3, 200):
        expected, got = before(torch.ones(2), n), after(torch.ones(2), n)
        same(got, expected)
        assert [t.requires_grad for t in (got[0], *got[1], got[2])] == [False, False, False, True]
    assert torch.is_grad_enabled()


def test_all_methods_are_saved():
    data = survives(torch.jit.script(Methods()), x(2, 2), methods=("other", "forward"))
    assert "def helper(" in code_of(data)


def test_state_methods_are_kept():
    """Who reads the archive makes the object by `__setstate__` again, as when PyTorch writes it."""
    data = pytorch_saves(torch.jit.script(WithState()))
    written = torchcc_saves(archive.load(data))
    assert "__setstate__" in code_of(written) and "__getstate__" in code_of(written)
    again = pytorch_saves(pytorch_loads(data))
    same(pytorch_loads(written)(x(2)), pytorch_loads(again)(x(2)))


@torch.jit.script
class Scaling:
    def __init__(self, k: int):
        self.k = k

    def __call__(self, x: torch.Tensor, add: int = 2) -> torch.Tensor:
        return x * self.k + add


def called_object(x: torch.Tensor):
    scaling = Scaling(3)
    return scaling(x), scaling(x, 5)


def test_classes_keep_their_call():
    data = pytorch_saves(torch.jit.script(called_object))
    written = torchcc_saves(archive.load(data))
    for found, expected in zip(pytorch_loads(written)(x(2)), called_object(x(2)), strict=True):
        same(found, expected)


def test_old_versions_keep_their_meaning():
    code = "class M(Module):\n  training : bool\n  def forward(self, x: Tensor, y: Tensor):\n    return torch.div(x, y)\n"
    pickle = b"\x80\x02c__torch__\nM\n)\x81}(X\x08\x00\x00\x00training\x88ub."
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as z:
        for name, content in {"data.pkl": pickle, "constants.pkl": b"\x80\x02).", "version": "3\n", "code/__torch__.py": code}.items():
            z.writestr(f"m/{name}", content)
    written = torchcc_saves(archive.load(data.getvalue()))
    args = torch.tensor([7, -7]), torch.tensor([2, 2])
    same(pytorch_loads(written)(*args), pytorch_loads(data.getvalue())(*args))
    assert members(written)["version"] == b"4\n"
    stable(written)


# from source


def from_source(text, entry=None):
    return compile_text(f"import torch\nfrom torch import nn, Tensor\nfrom typing import *\nimport torch.nn.functional as F\n{text}", entry=entry)


def test_a_module_of_source():
    program = from_source(
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.body = nn.ModuleList([nn.Linear(3, 3), nn.Sequential(nn.Linear(3, 3), nn.ReLU())])\n"
        "        self.register_buffer('scale', torch.full((3,), 2.0))\n"
        "        self.unused = nn.Conv2d(1, 1, 1)\n"
        "        self.sizes = [1, 2]\n"
        "    def forward(self, x: Tensor, k: int = 2) -> Tuple[Tensor, int]:\n"
        "        for m in self.body:\n"
        "            x = F.normalize(m(x)) * self.scale\n"
        "        return F.interpolate(x[None], size=k)[0], self.sizes[1]\n"
        "    @torch.jit.export\n"
        "    def twice(self, x: Tensor) -> Tensor:\n"
        "        return x * 2\n"
    )
    data = torchcc_saves(program)
    module = pytorch_loads(data)
    assert list(module.state_dict()) == ["scale", "body.0.weight", "body.0.bias", "body.1.0.weight", "body.1.0.bias", "unused.weight", "unused.bias"]
    got, expected = module(x(2, 3)), torchcc.load(data)(x(2, 3).numpy())
    np.testing.assert_allclose(got[0].detach().numpy(), expected[0], rtol=1e-5)
    assert got[1] == expected[1] == 2
    same(module.twice(x(2)), x(2) * 2)
    module.eval()
    assert not any(m.training for m in module.modules())
    again = pytorch_loads(pytorch_saves(torch.jit.freeze(module, preserved_attrs=["twice"])))
    torch.testing.assert_close(again(x(2, 3))[0], got[0])
    assert isinstance(module.unused(torch.ones(1, 1, 2, 2)), torch.Tensor), "what nothing calls can be called too"
    stable(data)


def test_source_may_say_more_than_archives():
    program = from_source("def f(x: Tensor, mode: str = 'a', d: torch.device = torch.device('cpu')):\n    return x.to(d) if mode == 'a' else -x, f'{mode}!'\n")
    module = pytorch_loads(torchcc_saves(program))
    same(module(x(2), mode="b"), (-x(2), "b!"))
    stable(torchcc_saves(program))


def test_numbers_and_strings_that_pytorch_itself_writes_wrongly():
    """Its own archives give 1e10 as an int, and a carriage return as an escape that it does not read."""
    program = from_source(
        "def f(a: float = 1e10, b: float = float('inf'), s: str = 'a\\r\\n\\0'):\n"
        "    return [1e10, 1e15, -1e16, 1e17, 1e300, 5e-324, -0.0, 0.1, 1.0, 123456789012.0], float('inf'), -float('inf'), a, b, s, 'x\\ry'\n"
    )
    data = torchcc_saves(program)
    found = pytorch_loads(data)()
    assert repr(found[0]) == "[10000000000.0, 1000000000000000.0, -1e+16, 1e+17, 1e+300, 5e-324, -0.0, 0.1, 1.0, 123456789012.0]"
    assert found[1:] == (float("inf"), -float("inf"), 1e10, float("inf"), "a\r\n\0", "x\ry")
    stable(data)


def test_static_methods_and_properties():
    program = from_source(
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.k = 2\n"
        "    @property\n"
        "    def double(self) -> int:\n"
        "        return self.k * 2\n"
        "    @staticmethod\n"
        "    def add(x, k: int):\n"
        "        return x + k\n"
        "    def forward(self, x):\n"
        "        return self.add(x, self.double)\n"
    )
    data = torchcc_saves(program)
    same(pytorch_loads(data)(x(2)), x(2) + 4)
    stable(data)


def test_constants_of_a_class():
    program = from_source(
        "class Net(nn.Module):\n"
        "    __constants__ = ['a', 'b', 'c', 'd', 'e', 'f', 'g']\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.a, self.b, self.c, self.d = None, -float('inf'), 'grün\"', [1, 2]\n"
        "        self.e, self.f, self.g = (1, (2.5, 'x')), torch.float16, torch.device('cpu')\n"
        "    def forward(self, x):\n"
        "        return (x if self.a is None else -x), self.b, self.c, self.d, self.e, self.f, self.g\n"
    )
    data = torchcc_saves(program)
    module = pytorch_loads(data)
    assert module(x(2))[1:] == (-float("inf"), 'grün"', (1, 2), (1, (2.5, "x")), 5, torch.device("cpu"))
    assert (module.a, module.b, module.d, module.e) == (None, -float("inf"), (1, 2), (1, (2.5, "x")))
    stable(data)


def test_names_outside_of_ascii():
    program = from_source(
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.größe = nn.Linear(2, 2)\n"
        "    def forward(self, x: Tensor) -> Tensor:\n"
        "        länge = self.größe(x)\n"
        "        return länge + länge\n"
    )
    data = torchcc_saves(program)
    assert list(pytorch_loads(data).state_dict()) == ["größe.weight", "größe.bias"]
    assert pytorch_loads(data)(x(1, 2)).shape == (1, 2)
    stable(data)
    with pytest.raises(CompileError, match="the parameter name `größe` is no identifier"):
        torchcc_saves(from_source("def f(größe: Tensor) -> Tensor:\n    return größe\n"))


def test_names_that_are_keywords():
    program = from_source(
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.body = nn.ModuleDict({'class': nn.Linear(2, 2), '0': nn.ReLU(), 'NoneType': nn.ReLU(), 'a\"b\\\\': nn.ReLU()})\n"
        "    def forward(self, x: Tensor, range: int, match: int = 2) -> Tensor:\n"
        "        return self.body['0'](self.body['class'](x)) * range\n"
    )
    data = torchcc_saves(program)
    assert pytorch_loads(data)(x(1, 2), range=2).shape == (1, 2)
    stable(data)


def test_the_python_interface(tmp_path):
    path = tmp_path / "model.pt"
    function = torchcc.compile_source("import torch\ndef f(x, k: int = 2):\n    return x * k\n").f
    torchcc.save(function, path, extra_files={"a/labels.txt": "grün", "raw": b"\0\1"})
    found = {"a/labels.txt": "", "raw": ""}
    module = torch.jit.load(path, _extra_files=found)
    assert found == {"a/labels.txt": "grün".encode(), "raw": b"\0\1"}
    same(module(x(2), 3), x(2) * 3)
    again = dict.fromkeys(found, b"")
    loaded = torchcc.load(path, extra_files=again)
    assert again == found and loaded(np.ones(1, np.float32))[0] == 2
    assert torch.jit.load(path).code == loaded.code


def test_what_is_saved_is_the_module_as_it_is_now():
    data = pytorch_saves(torch.jit.script(Count()))
    module = torchcc.load(data)
    for _ in range(3):
        module(np.ones(2, np.float32))
    buffer = io.BytesIO()
    torchcc.save(module, buffer)
    again = pytorch_loads(buffer.getvalue())
    assert again.n == 3 and again.total.tolist() == [3, 3] and again.history == [1, 2, 3]
    module.n = 10
    buffer = io.BytesIO()
    torchcc.save(module.eval(), buffer)
    assert pytorch_loads(buffer.getvalue()).n == 10 and not pytorch_loads(buffer.getvalue()).training


def test_a_submodule_is_saved_alone():
    buffer = io.BytesIO()
    torchcc.save(torchcc.load(pytorch_saves(torch.jit.script(Plain()))).conv, buffer)
    assert list(pytorch_loads(buffer.getvalue()).state_dict()) == ["weight", "bias"]


# the container


def test_layout():
    raw = torchcc_saves(archive.load(pytorch_saves(torch.jit.script(Plain()))))
    with zipfile.ZipFile(io.BytesIO(raw)) as file:
        infos = file.infolist()
    names = [i.filename for i in infos]
    assert names[0] == "archive/data/0" and names[-2:] == ["archive/byteorder", "archive/.data/serialization_id"]
    for info in infos:
        start = info.header_offset
        lengths = [int.from_bytes(raw[start + at : start + at + 2], "little") for at in (26, 28)]
        assert (start + 30 + sum(lengths)) % 64 == 0 and raw[start + 30 + lengths[0] :][:2] == b"FB"
        assert info.compress_type == (8 if "/code/" in info.filename and info.file_size > 200 else 0)
    text = members(raw)
    assert text["byteorder"] == b"little" and len(text[".data/serialization_id"]) == 40
    assert text[".data/version"] == b"10\n", "gelu"


def test_the_pickle_has_only_what_pytorch_writes():
    data = pytorch_saves(torch.jit.script(Values()))
    ours = pickletools.genops(members(torchcc_saves(archive.load(data)))["data.pkl"])
    theirs = pickletools.genops(members(data)["data.pkl"])
    assert {o.name for o, _, _ in ours} <= {o.name for o, _, _ in theirs} | {"BINPUT", "BINGET", "TUPLE1"}


def test_the_same_module_makes_the_same_bytes():
    data = pytorch_saves(torch.jit.script(Containers()))
    assert torchcc_saves(archive.load(data)) == torchcc_saves(archive.load(data))


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(b"old")
    program = from_source("def f(torch_: int) -> int:\n    return torch_\n")
    bad = {"..": b""}
    with pytest.raises(CompileError, match="no name for an extra file"):
        write(program, path, bad)
    with pytest.raises(CompileError, match="cannot write"):
        write(program, tmp_path / "no" / "model.pt")
    with pytest.raises(CompileError, match="word that this function's text needs"):
        write(from_source("def f(torch: Tensor) -> Tensor:\n    return torch + 1\n"), path)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
    write(program, path)
    assert torch.jit.load(path)(3) == 3 and list(tmp_path.iterdir()) == [path]


def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.pt"
    path.write_bytes(b"old")

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(from_source("def f(x):\n    return x\n"), path)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_saving_over_the_file_that_was_loaded(tmp_path):
    """Weights may be mapped from it."""
    path = tmp_path / "model.pt"
    module = torch.jit.script(nn.Linear(600, 600))
    torch.jit.save(module, path)
    write(archive.load(path), path)
    same(dict(torch.jit.load(path).state_dict()), dict(module.state_dict()))


def test_long_strings_and_many_members():
    module = Values()
    module.words = ["x" * 70000, "\0\1\r\n", ""]
    module.ints = list(range(-3, 2000))
    module.tensors = [torch.full((1,), float(i)) for i in range(300)]
    survives(torch.jit.script(module), x(2))
