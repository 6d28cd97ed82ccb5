"""Section 18: what is compiled of a module, its attributes, mutation, containers, hooks."""

import pytest

BASE = "class M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    %s\n  def forward(self, x, i: int = 0):\n    %s"
SUB = "class Sub(nn.Module):\n  def forward(self, x): return x + 1\n"

GOOD = {
    "all kinds of attributes": (
        SUB + """class M(nn.Module):
  k: Final[int]
  opt: Optional[Tensor]
  __constants__ = ["c"]
  def __init__(self):
    super().__init__()
    self.k, self.c, self.n, self.opt, self.none = 3, [1, 2], 1, None, None
    self.p = nn.Parameter(torch.ones(1))
    self.register_buffer("b", torch.zeros(1))
    self.ml = nn.ModuleList([Sub(), Sub()])
    self.md = nn.ModuleDict({"a": Sub()})
    self.unusable = object()
  @torch.jit.unused
  def un(self, x): return x.nonsense
  @torch.jit.export
  def ex(self, x: int): return x + self.k
  @property
  def prop(self) -> int: return 5
  def forward(self, x, c: bool = False):
    for i, m in enumerate(self.ml): x = m(x) + i
    for name, m in self.md.items(): x = m(x) + len(name)
    if self.none is not None: x = x + self.none.foo
    if self.training: x = x + 100
    if c: x = self.un(x)
    self.n += 1
    self.b = self.b + 1
    return self.ml[-1](x) + self.prop + self.c[1]
""",
        [(("tensor([0.0])",), "tensor([13.0])"), (("tensor([0.0])", True), "raises: ")],
    ),
    "types of attributes": (
        "class M(nn.Module):\n  l: List[int]\n  d: Dict[str, List[int]]\n  def __init__(self):\n    super().__init__()\n    self.l = []\n    self.d = {}\n    self.i, self.f, self.s, self.b, self.t = 1, 2.5, 'a', True, (1, 'x')\n    self.m = [1, 2]\n    self.dd = {'a': 1.5}\n    self.dt = torch.float32\n    self.dev = torch.device('cpu')\n  def forward(self):\n    self.l.append(3)\n    self.d['q'] = self.l\n    return self.l, self.d, self.i, self.f, self.s, self.b, self.t, self.m, self.dd, self.dt, self.dev.type",
        [((), ([3], {"q": [3]}, 1, 2.5, "a", True, (1, "x"), [1, 2], {"a": 1.5}, 6, "cpu"))],
    ),
    "torch.jit.Attribute": ("class M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.l = torch.jit.Attribute([], List[int])\n    self.o = torch.jit.Attribute(None, Optional[int])\n  def forward(self):\n    self.l.append(1)\n    self.o = 3\n    return self.l", [((), [1])]),
    "parameters": ("class M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.w = nn.Parameter(torch.ones(2))\n    self.register_parameter('n', None)\n    self.register_buffer('nb', None)\n  def forward(self, x):\n    if self.n is not None: x = x.nonsense\n    if self.nb is None: x = x + 1\n    return x + self.w", [(("ones(2)",), "tensor([3.0, 3.0])")]),
    "methods": (BASE % ("self.c = 2", "return self.g(x) + self.h(i)\n  def g(self, x): return x * self.c\n  def h(self, i: int) -> int: return i + self.c"), [(("ones(1)", 3), "tensor([7.0])")]),
    "static methods": (BASE % ("pass", "return self.s(i) + M.s(2)\n  @staticmethod\n  def s(i: int) -> int: return i + 1"), [(("ones(1)", 3), 7)]),
    "functions as attributes": ("def g(x): return x + 1\n" + BASE % ("self.act = torch.relu\n    self.g = g", "return self.act(self.g(x))"), [(("ones(1)",), "tensor([2.0])")]),
    "inherited methods": ("class A(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.c = 2\n  def g(self, x): return x * self.c\nclass M(A):\n  def forward(self, x): return self.g(x) + 1", [(("ones(1)",), "tensor([3.0])")]),
    "containers": (
        SUB + BASE % ("self.ml = nn.ModuleList([Sub(), Sub()])\n    self.md = nn.ModuleDict({'a': Sub(), 'b': Sub()})\n    self.sq = nn.Sequential(Sub(), Sub())\n    self.pl = nn.ParameterList([nn.Parameter(torch.ones(1))])\n    self.pd = nn.ParameterDict({'w': nn.Parameter(torch.ones(1))})", "for m in self.ml[:1]: x = m.forward(x)\n    for m in self.sq: x = m(x)\n    for k in self.md: x = x + len(k)\n    for m in self.md.values(): x = m(x)\n    for k in self.md.keys(): x = x + len(k)\n    for p in self.pl: x = x + p\n    r = [y(x) for y in self.ml]\n    return self.sq(x) + self.md['a'](x) + self.ml[1](x) + self.sq[0](x) + r[1] + self.pl[0] + self.pd['w'] + len(self.ml) + len(self.md) + len(self.sq), 'a' in self.md, 'q' in self.md"),
        [(("tensor([0.0])",), ("tensor([64.0])", True, False))],
    ),
    "zip of modules": (SUB + BASE % ("self.a = nn.ModuleList([Sub(), Sub()])\n    self.b = nn.ModuleList([Sub(), Sub()])", "for m, n in zip(self.a, self.b): x = m(n(x))\n    for i, (m, n) in enumerate(zip(self.a, self.b)): x = m(x) * i\n    return x"), [(("ones(1)",), "tensor([1.0])")]),
    "None instead of a submodule": (SUB + BASE % ("self.sub = None\n    self.other = Sub()", "if self.sub is not None: x = self.sub(x)\n    if self.other is not None: x = self.other(x)\n    return x"), [(("ones(1)",), "tensor([2.0])")]),
    "constants decide": ("class M(nn.Module):\n  flag: Final[bool]\n  def __init__(self):\n    super().__init__()\n    self.flag = True\n  def forward(self, x):\n    if self.flag: return x\n    else: return x.nonsense()", [(("ones(1)",), "ones(1)")]),
    "hasattr": (BASE % ("self.c = 1", "if hasattr(self, 'foo'): return x.nonsense()\n    if hasattr(self, 'c'): x = x + 1\n    return x"), [(("ones(1)",), "tensor([2.0])")]),
    "getattr": (BASE % ("self.c = 2", "return x + getattr(self, 'c') + getattr(self, 'nothing', 3)"), [(("ones(1)",), "tensor([6.0])")], {"torch": False}),
    "hooks": (
        "class H(nn.Module):\n  def forward(self, x: Tensor): return x + 1\ndef pre(self, input: Tuple[Tensor]) -> Tuple[Tensor]: return (input[0] * 2,)\ndef post(self, input: Tuple[Tensor], out: Tensor) -> Tensor: return out * 3\nclass M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.h = H()\n    self.h.register_forward_pre_hook(pre)\n    self.h.register_forward_hook(post)\n  def forward(self, x: Tensor): return self.h(x), self.h.forward(x)",
        [(("ones(1)",), ("tensor([9.0])", "tensor([2.0])"))],
    ),
    "hook of the module itself": (
        "def post(self, input: Tuple[Tensor], out: Tensor) -> Tensor: return out * 3\nclass M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.register_forward_hook(post)\n  def forward(self, x: Tensor): return x + 1",
        [(("ones(1)",), "tensor([6.0])")],
        {"extra": {"call": True}},
    ),
    "hook that gives nothing": (
        "class H(nn.Module):\n  def forward(self, x: Tensor): return x + 1\ndef pre(self, input: Tuple[Tensor]) -> None:\n  assert input[0].numel() > 0\nclass M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.h = H()\n    self.h.register_forward_pre_hook(pre)\n  def forward(self, x: Tensor): return self.h(x)",
        [(("ones(1)",), "tensor([2.0])")],
    ),
    "ignored function": (BASE % ("pass", "if i > 3:\n      x = self.py(x)\n    return x\n  @torch.jit.ignore\n  def py(self, x): return x.numpy()"), [(("ones(1)", 1), "ones(1)"), (("ones(1)", 5), "raises: ")], {"torch": False}),
    "unused function": ("@torch.jit.unused\ndef un(x: Tensor) -> Tensor: return x.nonsense\ndef f(x, i: int):\n  if i > 3:\n    return un(x)\n  return x", [(("ones(1)", 1), "ones(1)"), (("ones(1)", 5), "raises: ")]),
    "property with a setter": ("class M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.n = 1\n  @property\n  def twice(self) -> int: return self.n * 2\n  @twice.setter\n  def twice(self, v: int): self.n = v\n  def forward(self, k: int):\n    self.twice = k\n    return self.twice", [((4,), 8)]),
    "unused properties": ("class M(nn.Module):\n  __jit_unused_properties__ = ['p']\n  @property\n  def p(self): return self.nonsense\n  def forward(self, x): return x", [(("ones(1)",), "ones(1)")]),
    "mutation": (BASE % ("self.c = 1\n    self.l = [1]\n    self.register_buffer('b', torch.zeros(1))", "self.c = self.c + i\n    self.l.append(i)\n    self.b += 1\n    return self.c, self.l, self.b"), [(("ones(1)", 3), (4, [1, 3], "tensor([1.0])"))]),
    "shared submodules": (SUB + BASE % ("self.a = Sub()\n    self.b = self.a", "return self.a(x) + self.b(x)"), [(("ones(1)",), "tensor([4.0])")]),
    "enum and named tuple attributes": ("class C(Enum):\n  R = 1\n  G = 2\nclass P(NamedTuple):\n  x: int\n  y: float\n" + BASE % ("self.e = C.G\n    self.p = P(1, 2.5)", "return self.e.value, self.p[1], self.e == C.G"), [(("ones(1)",), (2, 2.5, True))]),
    "nested tuples as constants": ("class M(nn.Module):\n  __constants__ = ['t', 's']\n  def __init__(self):\n    super().__init__()\n    self.t = [(1, 2), (3, 4)]\n    self.s = 'a'\n  def forward(self, x):\n    n = 0\n    for a, b in self.t: n += a * b\n    return n, self.s", [(("ones(1)",), (14, "a"))]),
    "lambda as constant of init": (BASE % ("f = lambda n: n + 1\n    self.c = f(2)", "return x + self.c"), [(("ones(1)",), "tensor([4.0])")]),
    "overloaded methods": (
        "class M(nn.Module):\n  @torch.jit._overload_method\n  def g(self, x: int) -> int: pass\n  @torch.jit._overload_method\n  def g(self, x: Tensor) -> Tensor: pass\n  def g(self, x):\n    return x + 1\n  def forward(self, x: Tensor): return self.g(x), self.g(3)",
        [(("ones(1)",), ("tensor([2.0])", 4))],
    ),
    "overloaded functions": ("@torch.jit._overload\ndef g(x: int) -> int: pass\n@torch.jit._overload\ndef g(x: str) -> str: pass\ndef g(x):\n  return x + x\ndef f(n: int): return g(n), g('a')", [((3,), (6, "aa"))]),
    "__getstate__ and __setstate__": ("class M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.n = 3\n  @torch.jit.export\n  def __getstate__(self): return (self.n, self.training)\n  @torch.jit.export\n  def __setstate__(self, state: Tuple[int, bool]):\n    self.n = state[0] + 10\n    self.training = state[1]\n  def forward(self, x): return x + self.n", [(("ones(1)",), "tensor([4.0])")], {"archive": False}),
}

BAD = {
    "unusable attribute": (BASE % ("self.o = object()", "return self.o  # <-"), ["`o`"]),
    "empty list without a type": (BASE % ("self.e: List[int] = []", "return self.e  # <-"), ["type annotation"]),
    "assigning a new attribute": (BASE % ("pass", "self.c = 2  # <-"), ["nonexistent attribute: c"]),
    "assigning a constant": ("class M(nn.Module):\n  c: Final[int]\n  def __init__(self):\n    super().__init__()\n    self.c = 1\n  def forward(self, x):\n    self.c = 2  # <-\n    return x", ["nonexistent attribute: c"]),
    "wrong type": (BASE % ("self.c = 1", "self.c = 2.0  # <-"), ["expected int"]),
    "late index": (BASE % ("self.ml = nn.ModuleList([nn.ReLU()])", "return self.ml[i](x)  # <-"), ["int literal"]),
    "calling elements of a slice": (BASE % ("self.ml = nn.ModuleList([nn.ReLU()])", "for m in self.ml: break  # <-\n    return x"), ["`break`"]),
    "zip with a list": (BASE % ("self.ml = nn.ModuleList([nn.ReLU()])", "for m, k in zip(self.ml, x.unbind(0)): x = m(k)  # <-\n    return x"), ["statically determinable length"]),
    "tensor as a constant": ("class M(nn.Module):  # <-\n  __constants__ = ['t']\n  def __init__(self):\n    super().__init__()\n    self.t = torch.ones(1)\n  def forward(self, x): return x", ["not a valid constant"]),
    "value of the class": ("class M(nn.Module):\n  plain = 8\n  def forward(self, x): return x + self.plain  # <-", ["plain"]),
    "unknown method": (BASE % ("pass", "return self.nothing(x)  # <-"), ["nothing"]),
    "flag that does not fold": ("class M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.flag = True\n  def forward(self, x):\n    if self.flag: return x\n    else: return x.nonsense()  # <-", ["nonsense"]),
    "super": ("class A(nn.Module):\n  def forward(self, x): return x\nclass M(A):\n  def forward(self, x): return super().forward(x)  # <-", ["super"]),
    "reversed modules": (BASE % ("self.ml = nn.ModuleList([nn.ReLU()])", "for m in reversed(self.ml): x = m(x)  # <-\n    return x"), ["reversed"]),
    "making a module": (BASE % ("pass", "return nn.ReLU()(x)  # <-"), ["ReLU"]),
    "setattr": (BASE % ("self.c = 1", "setattr(self, 'c', 2)  # <-\n    return x"), ["setattr"]),
    "key of a dict": (BASE % ("self.md = nn.ModuleDict({'a': nn.ReLU()})", "return self.md['b'](x)  # <-"), ["`b`"]),
    "hook without annotations": ("def pre(self, input):  # <-\n  return input\nclass M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.s = nn.ReLU()\n    self.s.register_forward_pre_hook(pre)\n  def forward(self, x): return self.s(x)", ["annotation"]),
    "error in an export": ("class M(nn.Module):\n  def forward(self, x): return x\n  @torch.jit.export\n  def g(self, x): return x.nonsense()  # <-", ["nonsense"]),
    "error in a property": ("class M(nn.Module):\n  def forward(self, x): return x\n  @property\n  def p(self): return self.nonsense  # <-", ["nonsense"]),
}


@pytest.mark.parametrize("name", GOOD)
def test_accepted(accepted, name):
    text, calls, *options = GOOD[name]
    assert accepted(text, calls, **(options[0] if options else {}))


@pytest.mark.parametrize("name", BAD)
def test_refused(refused, name):
    text, words, *options = BAD[name]
    assert refused(text, words, **(options[0] if options else {}))
