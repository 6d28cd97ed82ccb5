"""What PyTorch takes modules by name for (no values of the graph), bare `list` and `tuple`, defaults that are NamedTuples."""

import pytest

MODULES = (
    "class M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.a = nn.ReLU()\n    self.b = nn.ReLU()\n    self.c = nn.Tanh()\n"
    "    self.ml = nn.ModuleList([nn.ReLU(), nn.Softsign()])\n    self.ps = nn.ParameterList([nn.Parameter(torch.ones(1)) for _ in range(2)])\n"
    "  def forward(self, x, c: bool = True):\n    "
)
ONE = [(("ones(1)",), "ones(1)")]

NAMED = (
    "class P(NamedTuple):\n  x: int\n  y: str = 'q'\nclass M(nn.Module):\n  {}\n  def __init__(self):\n    super().__init__()\n    self.p = P(2)\n    self.l = [P(3)]\n"
    "  def forward(self, n: int): return self.{}  # <-"
)

GOOD = {
    "an attribute that is a NamedTuple is a tuple": (NAMED.format("pass", "p[0] + self.l[0][0] + n"), [((1,), 6)]),
    "an annotated attribute that is a NamedTuple": (NAMED.format("p: P", "p.x + n"), [((1,), 3)]),
    "a constant that is a NamedTuple": (NAMED.format("__constants__ = ['p']", "p[1] + str(n)"), [((1,), "q1")]),
    "zip does not look at strict": ("def f(a: List[int], b: List[int]): return [x * y for x, y in zip(a, b, strict=True)]", [(([1, 2], [3]), [3])]),
    "names of modules": (MODULES + "n = self.a\n    x = n(x)\n    n = self.b\n    return n(x)", ONE),
    "a module out of a condition by its method": (MODULES + "return (self.a if c else self.b).forward(x)", ONE),
    "a module out of a condition known ahead by its method": (MODULES + "n = self.a if self.b is not None else self.c\n    return n.forward(x)", ONE),
    "modules of a slice by their method": (MODULES + "for m in self.ml[:1]: x = m.forward(x)\n    return x * len(self.ml[1:])", ONE),
    "a module of a tuple by its method": (MODULES + "t = (self.a, 1)\n    a, _ = t\n    return a.forward(x)", ONE),
    "a name that is a module goes on being it": (MODULES + "n = self.a\n    n = 3\n    return n(x)", ONE),
    "set in a branch, and again behind it": (MODULES + "if c:\n      n = self.a\n      x = n(x)\n    n = 3\n    return x * n / 3", ONE),
    "number beside modules by enumerate": (MODULES + "for i, (m, k) in enumerate(zip(self.ml, (1, 2))): x = x * (i + 1) * k\n    return x / 4", ONE),
    "list and tuple of any": (
        "def g(x: list, y: tuple): return str(x) + str(y)\ndef f(n: int): return g([n], (n, 'a')) + g(['b'], (1.5,))",
        [((1,), "[1](1, a)[b](1.5,)")],
    ),
    "any list, tested": (
        "def f(x: Any):\n  if isinstance(x, list): return 1\n  if isinstance(x, (int, tuple)): return 2\n  return 3",
        [(([1],), 1), (((1, "a"),), 2), ((4,), 2), (("s",), 3)],
    ),
    "default that is a NamedTuple": (
        "class P(NamedTuple):\n  x: int\n  y: str = 'q'\nclass M(nn.Module):\n"
        "  def forward(self, x: int, p: P = P(2), t: Tuple[int, P] = (1, P(3, 'r'))): return str(x + p.x + t[1].x) + p.y + t[1].y",
        [((1,), "6qr")],
    ),
    "default that is a NamedTuple in a call": (
        "class P(NamedTuple):\n  x: int\n  y: str = 'q'\ndef g(n: int, p: P = P(2)): return str(n * p.x) + p.y\ndef f(n: int): return g(n) + g(n, P(5, 'z'))",
        [((3,), "6q15z")],
    ),
}

MODULE = "class S(nn.Module):\n  def forward(self, x): return x\nclass M(nn.Module):\n  s: {0}\n  def __init__(self):\n    super().__init__()\n    self.s = {1}\n  def forward(self, x): return x"

BAD = {
    "a module out of a condition is called": (MODULES + "return (self.a if c else self.b)(x)  # <-", ["`.forward(...)`"]),
    "an attribute that is a NamedTuple, by its names": (NAMED.format("pass", "p.x"), ["no attribute"]),
    "a module out of a condition known ahead is called": (MODULES + "n = self.a if True else self.c\n    return n(x)  # <-", ["`.forward(...)`"]),
    "a ModuleList out of a condition": (MODULES + "for m in (self.ml if True else self.ps): x = m(x)  # <-\n    return x", ["is not iterable"]),
    "a module of a slice is called": (MODULES + "for m in self.ml[:1]: x = m(x)  # <-\n    return x", ["`.forward(...)`"]),
    "a module of a tuple is called": (MODULES + "return (self.a, self.c)[0](x)  # <-", ["`.forward(...)`"]),
    "a module of a list is called": (MODULES + "for m in [self.a, self.b]: x = m(x)  # <-\n    return x", ["`.forward(...)`"]),
    "a name that was a module as a number": (MODULES + "n = self.a\n    n = 3\n    return x + n  # <-", ["not valid"]),
    "a loop's module as a number": (MODULES + "for m in self.ml: x = m(x)\n    m = 3\n    return x + m  # <-", ["not valid"]),
    "a name that was a function as a number": (MODULES + "g = torch.relu\n    g = 3\n    return x + g  # <-", ["cannot be used as a value"]),
    "a module in a branch": (MODULES + "n = self.a\n    if c: n = self.b  # <-\n    return n(x)", ["must be a value in both places"]),
    "a module of two branches": (MODULES + "if c: n = self.a\n    else: n = self.b\n    return n(x)  # <-", ["`n` is not defined"]),
    "a function behind a return": (MODULES + "if c: return x\n    else: g = torch.relu\n    return g(x)  # <-", ["`g` is not defined", "torch.relu"]),
    "a ModuleList unpacked": (MODULES + "a, b = self.ml  # <-\n    return a(b(x))", ["cannot be unpacked"]),
    "a range beside modules": (MODULES + "for i, m in zip(range(2), self.ml): x = m(x)  # <-\n    return x", ["statically determinable length"]),
    "a range beside parameters": (MODULES + "for i, p in zip(range(2), self.ps): x = x + p  # <-\n    return x", ["statically determinable length"]),
    "a range beside a tuple": ("def f(x: int):\n  for i, p in zip(range(2), (1, 2)): x += p  # <-\n  return x", ["statically determinable length"]),
    "an attribute's annotation is a module class": (MODULE.format("S  # <-", "S()"), ["`s` is no type"]),
    "an attribute's annotation is an Optional module": (MODULE.format("Optional[S]  # <-", "S()"), ["`s` is no type"], {"torch": False}),
    "an attribute's annotation is a library module": (MODULE.format("nn.ReLU  # <-", "nn.ReLU()"), ["`s` is no type"], {"torch": False}),
    "an attribute's annotation is a string": (MODULE.format("'int'  # <-", "1"), ["`s` is no type"]),
    "an attribute's annotation is a bare list": (MODULE.format("list  # <-", "[1]"), ["`s` is no type"]),
    "an element of any list": ("def f(x: list): return x[0]  # <-", ["list"]),
    "a loop over any tuple": ("def f(x: tuple):\n  for y in x: print(y)  # <-", ["tuple"]),
    "Optional of a bare list": ("def f(x: Optional[list]): return 1  # <-", ["needs the type of its contents"], {"torch": False}),
}


@pytest.mark.parametrize("name", GOOD)
def test_accepted(accepted, name):
    text, calls, *options = GOOD[name]
    assert accepted(text, calls, **(options[0] if options else {}))


@pytest.mark.parametrize("name", BAD)
def test_refused(refused, name):
    text, words, *options = BAD[name]
    assert refused(text, words, **(options[0] if options else {}))
