"""Sections 19 to 21: script classes, enums, NamedTuples, interfaces, `with`."""

import pytest

POINT = """@torch.jit.script
class Pt:
  def __init__(self, x: int, y: float = 2.0):
    self.x = x
    self.y = y
    self.l: List[int] = []
    self.o = torch.jit.annotate(Optional[int], None)
  def add(self, k: int) -> int:
    self.x += k
    self.l.append(k)
    return self.x
  def __add__(self, o: "Pt") -> "Pt": return Pt(self.x + o.x, self.y)
  def __lt__(self, o: "Pt") -> bool: return self.x < o.x
  def __len__(self) -> int: return len(self.l)
  def __getitem__(self, i: int) -> int: return self.l[i]
  def __contains__(self, i: int) -> bool: return i in self.l
  def __call__(self, i: int) -> int: return i + self.x
  @staticmethod
  def make(i: int) -> int: return i
  @property
  def pr(self) -> int: return 9
"""
CONTEXT = """@torch.jit.script
class Ctx:
  def __init__(self, n: int, log: List[int]):
    self.n = n
    self.log = log
  def __enter__(self) -> int:
    self.n += 1
    return self.n
  def __exit__(self, t: Any, v: Any, tb: Any) -> None:
    self.n += 10
    self.log.append(self.n)
"""
OPERATORS = """@torch.jit.script
class N:
  def __init__(self, n: int): self.n = n
  def __sub__(self, o: "N") -> int: return self.n - o.n
  def __mul__(self, o: int) -> "N": return N(self.n * o)
  def __truediv__(self, o: float) -> float: return self.n / o
  def __mod__(self, o: int) -> int: return self.n % o
  def __pow__(self, o: int) -> float: return self.n ** o
  def __and__(self, o: int) -> int: return self.n & o
  def __or__(self, o: int) -> int: return self.n | o
  def __xor__(self, o: int) -> int: return self.n ^ o
  def __lshift__(self, o: int) -> int: return self.n << o
  def __rshift__(self, o: int) -> int: return self.n >> o
  def __eq__(self, o: "N") -> bool: return self.n == o.n
  def __ne__(self, o: "N") -> bool: return self.n != o.n
  def __le__(self, o: "N") -> bool: return self.n <= o.n
  def __gt__(self, o: "N") -> bool: return self.n > o.n
  def __ge__(self, o: "N") -> bool: return self.n >= o.n
  def __neg__(self) -> int: return -self.n
  def __bool__(self) -> bool: return self.n > 3
  def __setitem__(self, i: int, v: int) -> None: self.n = i * 100 + v
  def __str__(self) -> str: return 'N'
  def __int__(self) -> int: return self.n
  def __float__(self) -> float: return self.n + 0.5
"""
ENUM = "class C(Enum):\n  R = 1\n  G = 2\n"

GOOD = {
    "an object": (POINT + "def f():\n  p = Pt(1)\n  q = p\n  p.add(5)\n  p.o = 3\n  return q.x, (p + q).x, len(p), p[0], 5 in p, p(1), Pt.make(4), p.pr, p.o, q.y", [((), (6, 12, 1, 5, True, 7, 4, 9, 3, 2.0))]),
    "objects in a list": (POINT + "def f():\n  l = [Pt(1), Pt(0)]\n  l[0].add(2)\n  return l[0].x, len(l[0]), len(l[1])", [((), (3, 1, 0))]),
    "sorted by __lt__": (POINT + "def f():\n  l = [Pt(3), Pt(1), Pt(2)]\n  l.sort()\n  return l[0].x, l[1].x, l[2].x", [((), (1, 2, 3))]),
    "references": (POINT + "def g(p: Pt) -> None:\n  p.x = 50\ndef f():\n  p = Pt(1)\n  g(p)\n  t = (p, p)\n  t[0].add(1)\n  return p.x, p is t[1]", [((), (51, True))]),
    "keyword arguments and defaults": (POINT + "def f(n: int):\n  return Pt(y=3.0, x=n).y, Pt(n).y, Pt(x=n).x", [((4,), (3.0, 2.0, 4))]),
    "operators": (
        OPERATORS + "def f(n: int):\n  a, b = N(n), N(3)\n  c = a - b, (a * 2).n, a / 2.0, a % 4, a ** 2, a & 3, a | 8, a ^ 1, a << 1, a >> 1\n  d = a == b, a != b, a <= b, a > b, a >= b, -a, bool(a), bool(b), str(a), int(a), float(a)\n  a[2] = 5\n  e = 1 if a else 2\n  return c, d, a.n, e",
        [((7,), ((4, 14, 3.5, 3, 49.0, 3, 15, 6, 14, 3), (False, True, False, True, True, -7, True, False, "N", 7, 7.5), 205, 1))],
    ),
    "truth by length": (POINT + "def f():\n  p = Pt(1)\n  r = 1 if p else 2\n  p.add(1)\n  return r, not p, (1 if p else 2)", [((), (2, False, 1))], {"torch": False}),
    "in branches and loops": (POINT + "def f(n: int):\n  p = Pt(0)\n  for i in range(n):\n    if i % 2 == 0:\n      p.add(i)\n    else:\n      p.x = p.x * 2\n  return p.x, len(p)", [((5,), (8, 3))]),
    "an object of two": (POINT + "def f(n: int):\n  a, b = Pt(1), Pt(2)\n  c = a if n > 3 else b\n  c.add(10)\n  return a.x, b.x, c.x", [((5,), (11, 2, 11)), ((1,), (1, 12, 12))]),
    "objects in objects": (POINT + "@torch.jit.script\nclass Q:\n  def __init__(self, p: Pt):\n    self.p = p\n    self.n = p.x\n  def get(self) -> int: return self.p.x + self.n\ndef f():\n  p = Pt(1)\n  q = Q(p)\n  p.add(5)\n  q.p.add(1)\n  return q.get(), p.x", [((), (8, 7))]),
    "a class without a decorator": ("class A:\n  def __init__(self, n: int):\n    self.n = n\n  def get(self) -> int:\n    return self.n + 1\ndef f(n: int): return A(n).get()", [((1,), 2)]),
    "class-level annotations": ("@torch.jit.script\nclass A:\n  x: Optional[int]\n  l: List[str]\n  def __init__(self):\n    self.x = None\n    self.l = []\n  def get(self) -> int:\n    x = self.x\n    return 0 if x is None else x\ndef f(n: int):\n  a = A()\n  b = a.get()\n  a.x = n\n  a.l.append('a')\n  return b, a.get(), a.l", [((4,), (0, 4, ["a"]))], {"torch": False}),
    "property with a setter": ("@torch.jit.script\nclass A:\n  def __init__(self):\n    self._n = 1\n  @property\n  def n(self) -> int:\n    return self._n * 10\n  @n.setter\n  def n(self, value: int):\n    self._n = value\ndef f(k: int):\n  a = A()\n  a.n = k\n  return a.n", [((3,), 30)]),
    "static methods": (POINT + "def f():\n  return Pt.make(3), Pt.make(4)", [((), (3, 4))]),
    "methods call each other": ("@torch.jit.script\nclass A:\n  def __init__(self, n: int):\n    self.n = n\n    self.m = self.double()\n  def double(self) -> int: return self.twice(self.n)\n  def twice(self, k: int) -> int: return k * 2\ndef f(k: int):\n  a = A(k)\n  return a.m + a.double()", [((3,), 12)]),
    "an optional object": (POINT + "def f(n: int):\n  p: Optional[Pt] = None\n  if n > 2:\n    p = Pt(n)\n  if p is not None:\n    return p.x\n  return 0", [((5,), 5), ((1,), 0)]),
    "isinstance of objects": (POINT + "def g(p: Any) -> int:\n  if isinstance(p, Pt):\n    return p.x\n  return 0\ndef f(n: int): return g(Pt(n)), g(n)", [((3,), (3, 0))]),
    "tensors in objects": ("@torch.jit.script\nclass A:\n  def __init__(self, x: Tensor):\n    self.x = x\n  def step(self) -> Tensor:\n    self.x = self.x * 2\n    return self.x\ndef f(x):\n  a = A(x)\n  a.step()\n  return a.step() + a.x", [(("ones(2)",), "tensor([8.0, 8.0])")]),
    "dataclass": ("@torch.jit.script\n@dataclass\nclass D:\n  x: int\n  y: float = 1.5\n  def both(self) -> float: return self.x + self.y\ndef f(n: int):\n  d = D(n)\n  e = D(n, 1.5)\n  return d.both(), d == e, D(x=n, y=0.5).y", [((2,), (3.5, True, 0.5))]),
    "dataclass with an order": ("@torch.jit.script\n@dataclass(order=True)\nclass D:\n  x: int\n  y: int = 0\ndef f(n: int):\n  a, b = D(n, 1), D(n, 2)\n  return a < b, a > b, a <= a, a >= b, D(1) < D(2)", [((2,), (True, False, True, False, True))], {"torch": True}),
    "dataclass with __post_init__": ("@torch.jit.script\n@dataclass\nclass D:\n  x: int\n  def __post_init__(self):\n    self.x = self.x * 2\ndef f(n: int): return D(n).x", [((2,), 4)]),
    "named tuple": ("class P(NamedTuple):\n  x: int\n  y: int = 3\ndef f(n: int):\n  p = P(n)\n  a, b = p\n  q = P(y=1, x=2)\n  return p.y + p[0], a, b, q.x, len(p), [i for i in p]", [((1,), (4, 1, 3, 2, 2, [1, 3]))]),
    "collections.namedtuple": ("P = namedtuple('P', ['a', 'b'])\ndef f(x):\n  p = P(x, x + 1)\n  return p.b, p.a", [(("ones(1)",), ("tensor([2.0])", "ones(1)"))]),
    "enum": (ENUM + "def f(k: int):\n  c = C.R\n  s = ''\n  for e in C: s += e.name\n  return s, c == C.R, c != C.G, c.value, c.name, C.G.value + k", [((1,), ("RG", True, True, 1, "R", 3))]),
    "enum of strings and floats": ("class A(Enum):\n  X = 'x'\nclass B(Enum):\n  Y = 1.5\ndef f(): return A.X.value, B.Y.value", [((), ("x", 1.5))]),
    "enum chosen late": (ENUM + "def f(n: int):\n  c = C.R if n > 2 else C.G\n  return c == C.R, c.value, c.name", [((3,), (True, 1, "R")), ((1,), (False, 2, "G"))]),
    "enums in containers": (ENUM + "def f(n: int):\n  l = [C.R, C.G]\n  d = {'a': C.G}\n  return l[n].value, d['a'].name", [((1,), (2, "G"))]),
    "interface": (
        "@torch.jit.interface\nclass I:\n  def run(self, x: Tensor, k: int) -> Tensor: pass\n@torch.jit.script\nclass A:\n  def __init__(self): pass\n  def run(self, x: Tensor, k: int) -> Tensor: return x + k\n@torch.jit.script\nclass B:\n  def __init__(self, n: int): self.n = n\n  def run(self, x: Tensor, k: int) -> Tensor: return x * k + self.n\ndef use(i: I, x: Tensor): return i.run(x, 3)\ndef f(x): return use(A(), x), use(B(2), x)",
        [(("ones(1)",), ("tensor([4.0])", "tensor([5.0])"))],
    ),
    "module interface": (
        "@torch.jit.interface\nclass I(nn.Module):\n  def forward(self, x: Tensor) -> Tensor: pass\nclass A(nn.Module):\n  def forward(self, x: Tensor) -> Tensor: return x + 1\nclass M(nn.Module):\n  sub: I\n  def __init__(self):\n    super().__init__()\n    self.sub = A()\n    self.ml = nn.ModuleList([A(), A()])\n  def forward(self, x: Tensor, i: int):\n    m: I = self.ml[i]\n    return self.sub.forward(x) + m.forward(x)",
        [(("ones(1)", 1), "tensor([4.0])")],
    ),
    "with": (CONTEXT + "def f(k: int):\n  log: List[int] = []\n  c = Ctx(k, log)\n  with c as z, Ctx(5, log) as w:\n    y = z + w\n  return y, c.n, log", [((1,), (8, 12, [16, 12]))]),
    "with and return": (CONTEXT + "def g(k: int, log: List[int]):\n  with Ctx(k, log) as z:\n    if k > 3:\n      return z\n    with Ctx(100, log) as y:\n      if k > 1: return y\n    k += 5\n  return k\ndef f(k: int):\n  log: List[int] = []\n  return g(k, log), log", [((5,), (6, [16])), ((2,), (101, [111, 13])), ((0,), (5, [111, 11]))], {"torch": False}),
    "with and break": (CONTEXT + "def f(k: int):\n  log: List[int] = []\n  r = 0\n  for i in range(5):\n    with Ctx(i, log) as z:\n      if i == k: break\n      if i == 1: continue\n      r += z\n  return r, log", [((3,), (4, [11, 12, 13, 14])), ((9,), (13, [11, 12, 13, 14, 15]))], {"torch": False}),
    "with without a name": (CONTEXT + "def f(k: int):\n  log: List[int] = []\n  with Ctx(k, log):\n    a = 1\n  return a, log", [((1,), (1, [12]))]),
    "with and raise": (
        CONTEXT + "class M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.l = [0]\n  def forward(self, k: int):\n    with Ctx(k, self.l):\n      if k > 2:\n        raise ValueError('late')\n    return self.l",
        [((1,), [0, 12]), ((5,), "raises: late")],
    ),
    "no_grad": ("def f(x):\n  with torch.no_grad():\n    y = x * 2\n  with torch.autograd.profiler.record_function('a'):\n    y = y + 1\n  return y", [(("ones(1)",), "tensor([3.0])")]),
    "an object as an attribute": (
        "@torch.jit.script\nclass A:\n  def __init__(self, n: int):\n    self.n = n\n  def add(self, k: int) -> int:\n    self.n += k\n    return self.n\nclass M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.a = A(3)\n  def forward(self, k: int):\n    self.a.add(k)\n    return self.a.n",
        [((1,), 4)],
    ),
}

BAD = {
    "inheritance": ("class B: pass\n@torch.jit.script\nclass D(B):  # <-\n  def g(self) -> int: return 1\ndef f(): return D().g()", ["inheritance"]),
    "assignment in a branch": ("@torch.jit.script\nclass D:\n  def __init__(self, c: bool):\n    if c: self.x = 1  # <-\n    else: self.x = 2\ndef f(): return D(True)", ["first assignment", "control-flow"]),
    "new attribute in a method": ("@torch.jit.script\nclass D:\n  def __init__(self): pass\n  def s(self): self.x = 1  # <-\ndef f(): return D()", ["nonexistent attribute: x"]),
    "value of the class": ("@torch.jit.script\nclass D:\n  K = 3\n  def __init__(self): pass\n  def g(self) -> int: return self.K  # <-\ndef f(): return D().g()", ["K"]),
    "unused method with an error": ("@torch.jit.script\nclass D:\n  def __init__(self): pass\n  def g(self): return self.nothing  # <-\ndef f(): return D()", ["nothing"]),
    "wrong type": ("@torch.jit.script\nclass D:\n  def __init__(self): self.x = 1\ndef f():\n  d = D()\n  d.x = 1.5  # <-\n  return d.x", ["expected int"]),
    "no such attribute": ("@torch.jit.script\nclass D:\n  def __init__(self): self.x = 1\ndef f(): return D().y  # <-", ["'y'"]),
    "missing operator": ("@torch.jit.script\nclass D:\n  def __init__(self): self.x = 1\ndef f(): return D() + D()  # <-", ["__add__"]),
    "truth of an object": ("@torch.jit.script\nclass D:\n  def __init__(self): self.x = 1\ndef f():\n  if D(): return 1  # <-\n  return 0", ["truth value"]),
    "calling an object": ("@torch.jit.script\nclass D:\n  def __init__(self): self.x = 1\ndef f(): return D()(1)  # <-", ["__call__"]),
    "iterating an object": ("@torch.jit.script\nclass D:\n  def __init__(self): self.x = 1\ndef f():\n  for x in D(): pass  # <-", ["not iterable"]),
    "arguments of a class": ("@torch.jit.script\nclass D:\n  def __init__(self, n: int): self.x = n\ndef f(): return D('a').x  # <-", ["n"]),
    "mixed enum": ("class C(Enum):  # <-\n  R = 1\n  G = 'a'\ndef f(): return C.R.value", ["enum"]),
    "enum constructor": ("class C(Enum):\n  R = 1\ndef f(c: int): return C(c)  # <-", ["enum `C`"]),
    "named tuple fields": ("class P(NamedTuple):\n  x: int\ndef f(): return P(1).y  # <-", ["y"]),
    "named tuple arguments": ("class P(NamedTuple):\n  x: int\ndef f(): return P('a')  # <-", ["x"]),
    "interface not met": (
        "@torch.jit.interface\nclass I:\n  def run(self, k: int) -> int: pass\n@torch.jit.script\nclass A:\n  def __init__(self): pass\n  def run(self, k: float) -> int: return 1\ndef use(i: I) -> int: return i.run(3)\ndef f(): return use(A())  # <-",
        ["I"],
    ),
    "with of an int": ("def f(n: int):\n  with n as y:  # <-\n    return y", ["with n"]),
    "with of a class without __exit__": ("@torch.jit.script\nclass D:\n  def __init__(self): self.x = 1\n  def __enter__(self) -> int: return 1\ndef f():\n  with D() as y:  # <-\n    z = y\n  return z", ["__exit__"]),
    "with enable_grad": ("def f(x):\n  with torch.enable_grad():  # <-\n    return x", ["torch.enable_grad"]),
    "with inference_mode": ("def f(x):\n  with torch.inference_mode():  # <-\n    return x", ["torch.inference_mode"]),
}


@pytest.mark.parametrize("name", GOOD)
def test_accepted(accepted, name):
    text, calls, *options = GOOD[name]
    assert accepted(text, calls, **(options[0] if options else {}))


@pytest.mark.parametrize("name", BAD)
def test_refused(refused, name):
    text, words, *options = BAD[name]
    assert refused(text, words, **(options[0] if options else {}))
