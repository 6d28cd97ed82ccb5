"""Lists of tensors that are compared, awaitables, and what PyTorch's front end refuses in classes, dicts and annotations."""

import pytest

from torchcc.api import compile_source
from torchcc.ir.diagnostics import ExecutionError

G = "def g(x: Tensor, k: int = 1):\n  if k > 5: raise ValueError('large')\n  return x + k\n"
GOOD = {
    "lists of tensors are equal": (
        "def f(a: List[Tensor], b: List[Tensor]): return a == b, a != b",
        [
            ((["tensor([1.0])"], ["tensor([1.0])"]), (True, False)),
            ((["tensor([1.0])", "tensor(2)"], ["tensor([1.0])", "tensor(3)"]), (False, True)),
            ((["tensor([[1.0]])"], ["tensor([1.0])"]), (True, False)),
            ((["tensor([1.0])"], []), (False, True)),
            (([], []), (True, False)),
            ((["ones(2)"], ["ones(2)"]), "raises: Boolean value of Tensor with more than one value is ambiguous"),
        ],
    ),
    "tensors looked for in lists": (
        "def f(a: List[Tensor], x):\n  n = a.count(x)\n  i = a.index(x)\n  a.remove(x)\n  return n, i, a",
        [
            ((["tensor([1.0])", "tensor([2.0])", "tensor([2.0])"], "tensor([2.0])"), (2, 1, ["tensor([1.0])", "tensor([2.0])"])),
            ((["tensor([1.0])"], "tensor([2.0])"), "raises: is not in list"),
            ((["ones(2)"], "ones(2)"), "raises: Boolean value of Tensor with more than one value is ambiguous"),
        ],
    ),
    "lists of tensors of the run": (
        "def f(n: int, x):\n  l = [x]\n  for i in range(n): l.append(x + i)\n  m = [e * 1 for e in l]\n  l.remove(x + 2)\n"
        "  return len(l), l.index(x + 1), l.count(x), l == m, m == m",
        [((4, "ones()"), (4, 2, 2, False, True)), ((2, "ones()"), "raises: list.remove(x): x not in list")],
    ),
    "awaitables": (
        G + "def f(x):\n  a = torch.jit._awaitable(g, x)\n  b = torch.jit._awaitable(g, x, k=9)\n  c = torch.jit._awaitable_nowait(x * 3)\n"
        "  x += 5\n  y = torch.jit._awaitable_wait(a)\n  y += 1\n  return torch.jit._awaitable_wait(a), torch.jit._awaitable_wait(c)",
        [(("ones()",), ("tensor(8.0)", "tensor(3.0)"))],
        {"archive": False},
    ),
    "awaitables in branches and loops": (
        G + "def f(x, n: int):\n  a = torch.jit._awaitable(g, x, n)\n  if n > 1: b = torch.jit._awaitable_wait(a)\n"
        "  else:\n    b = torch.jit._awaitable_wait(a) * 2\n  for i in range(n):\n    c = torch.jit._awaitable(g, x, i)\n"
        "    if i % 2 == 0:\n      b = b + torch.jit._awaitable_wait(a) + torch.jit._awaitable_wait(c)\n  return b",
        [(("ones()", 1), ("tensor(7.0)")), (("ones()", 4), "tensor(19.0)"), (("ones()", 6), "raises: large")],
        {"archive": False},
    ),
    "braces in messages": (
        "def f(s: str, n: int, x):\n  if n == 1: raise ValueError(s + '{}' + str(n))\n  if n == 2: raise ValueError('{}' + str(n) + '{' + s)\n"
        "  if n == 3: raise ValueError(f'{x} no')\n  assert n > 4, '{' + s + '}'\n  return n",
        [
            (("a", 1, "ones()"), "raises: a{}1"),
            (("}", 2, "ones()"), "raises: {}2{}"),
            (("", 3, "ones()"), "raises: [ CPUFloatType{} ] no"),
            (("", 4, "ones()"), "raises: {}"),
            (("", 5, "ones()"), 5),
        ],
    ),
    "keywords of exceptions": (
        "class E(Exception):\n  pass\ndef f(n: int):\n  if n == 1: raise ValueError(msg='a')\n  if n == 2: raise E('b' + str(n), code=n)\n  return n",
        [((1,), "raises: "), ((2,), "raises: b2"), ((3,), 3)],
    ),
    "tensors as defaults": (
        "T = torch.ones(2)\ndef g(x, y=T, z: Optional[Tensor] = T, k: Tensor = torch.tensor(3)):\n  y = y + 1\n  y += 1\n"
        "  return x + y * k if z is None else x + z\ndef f(x, y: Tensor = T): return g(x) + g(x, z=None) + y",
        [(("ones(2)",), "tensor([13.0, 13.0])")],
    ),
    "a tensor as default of a method": (
        "class N(nn.Module):\n  def forward(self, x, y: Tensor = torch.ones(2)): return x + y\nclass M(nn.Module):\n  def __init__(self):\n"
        "    super().__init__()\n    self.n = N()\n    self.m = N()\n  def forward(self, x): return self.n(x) * self.m(x, y=x)",
        [(("ones(2)",), "tensor([4.0, 4.0])")],
    ),
    "dicts of pairs and keywords": (
        "def f(e: Dict[str, int], k: List[str], n: int):\n  d: Dict[str, int] = dict([])\n  g: Dict[int, int] = dict({})\n  h = dict([], b=n)\n"
        "  d['z'] = n\n  return d, g, h, dict(e, b=n), dict([('a', n)], b=4), dict(zip(k, range(n))), dict(enumerate(k)), e",
        [(({"a": 1}, ["p", "q"], 2), ({"z": 2}, {}, {"b": 2}, {"a": 1, "b": 2}, {"a": 2, "b": 4}, {"p": 0, "q": 1}, {0: "p", 1: "q"}, {"a": 1}))],
    ),
    "empty lists in tuples that are given": (
        "@torch.jit.script\nclass D:\n  def __init__(self, t: Tuple[List[int], int]): self.t = t\ndef g(t: Tuple[List[int], int]):\n  t[0].append(t[1])\n"
        "  return t[0]\ndef h(t: Optional[Tuple[Tuple[List[str], int], int]]): return 0 if t is None else t[1]\n"
        "def f(n: int): return g(([], n)), h((([], 1), n)), D(([], n)).t",
        [((4,), ([4], 4, ([], 4)))],
    ),
    "parameter containers": (
        "class M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.p = nn.ParameterList([nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))])\n"
        "    self.d = nn.ParameterDict(dict(a=nn.Parameter(torch.ones(2))))\n  def forward(self, x):\n    for i, p in enumerate(self.p): x = x + p * i\n"
        "    return torch.stack(list(self.p)).sum() + self.d['a'] + self.p[-1] + x",
        [(("ones(2)",), "tensor([8.0, 8.0])")],
    ),
    "defaults of other methods and modules": (
        "class N(nn.Module):\n  def forward(self, x, k: int = 2): return x * k\n  @torch.jit.export\n  def e(self, x, k: int = 5): return x * k\n"
        "class M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.n = N()\n  def g(self, x, k: int = 3): return x * k\n"
        "  def forward(self, x): return self.g(x) + self.n(x) + self.n.e(x) + self.n.forward(x)",
        [(("ones(2)",), "tensor([12.0, 12.0])")],
    ),
    "dtypes in an Enum": (
        "class C(Enum):\n  A = torch.float32\n  B = torch.int64\ndef g(x, c: C): return x.to(c.value)\ndef f(x): return g(x, C.B), g(x, C.A), C.B.name",
        [(("ones(2)",), ("tensor([1, 1])", "ones(2)", "B"))],
    ),
    "hash of an object": (
        "@torch.jit.script\nclass D:\n  def __init__(self, x: int): self.x = x\n  def __hash__(self) -> int: return self.x\n"
        "def f(n: int): return hash(D(n)) if n > 2 else n",
        [((1,), 1), ((3,), "raises: ")],
    ),
    "a Union of a list and a dict": ("def f():\n  l: Union[List[int], Dict[str, int]] = {}\n  return isinstance(l, List[int])", [((), False)]),
}

CLASS = "@torch.jit.script\nclass D:\n  def __init__(self):\n    self.x = 1\n    self.v: Optional[int] = None\n"
SUB = "class S(nn.Module):\n  def forward(self, x): return x\n"
WITH = "class M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.p = {}\n"
PLIST = "nn.ParameterList([nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))])"
PDICT = "nn.ParameterDict(dict(a=nn.Parameter(torch.ones(2))))"
BAD = {
    "empty list in an annotated tuple": (
        "def f():\n  t: Tuple[List[int], int] = ([], 1)  # <-\n  return t", ["Tuple[List[int], int]", "Tuple[List[Tensor], int]"],
    ),
    "empty list in a tuple for an attribute": (
        "@torch.jit.script\nclass D:\n  def __init__(self, l: List[int]): self.t = (l, 1)\n  def s(self): self.t = ([], 1)  # <-\ndef f(): return D([1]).t",
        ["wrong type for attribute assignment"],
    ),
    "keywords for an iterator's dict": ("def f(k: List[str]): return dict(zip(k, k), q='a')  # <-", ["no keyword arguments"]),
    "exception's keyword that is not defined": ("def f(n: int):\n  if n > 1: raise ValueError(msg=nothing)  # <-\n  return n", ["nothing"]),
    "augmented element of an object": (
        "@torch.jit.script\nclass V:\n  def __init__(self): self.l = [1.0]\n  def __getitem__(self, i: int) -> float: return self.l[i]\n"
        "  def __setitem__(self, i: int, v: float): self.l[i] = v\ndef f():\n  v = V()\n  v[0] += 1.0  # <-\n  return v[0]",
        ["augmented assignment", "v[0] = v[0] + ..."],
    ),
    "default of an own entry point": (
        "class M(nn.Module):\n  @torch.jit.export\n  def g(self, x, k: int = 2): return x * k\n  def forward(self, x): return self.g(x)  # <-", ["`k` is missing"],
    ),
    "default of the own forward": (
        "class M(nn.Module):\n  @torch.jit.export\n  def g(self, x): return self(x)  # <-\n  def forward(self, x, k: int = 2): return x * k", ["`k` is missing"],
    ),
    "module as a parameter that is called": (
        SUB + "def g(m: S, x): return m(x)  # <-\n" + WITH.format("S()") + "  def forward(self, x): return g(self.p, x)", ["cannot be called"],
    ),
    "length of a ParameterList": (WITH.format(PLIST) + "  def forward(self, x): return len(self.p)  # <-", ["ParameterList"]),
    "slice of a ParameterList": (WITH.format(PLIST) + "  def forward(self, x):\n    for p in self.p[1:]: x = x + p  # <-\n    return x", ["a slice of"]),
    "keys of a ParameterDict": (WITH.format(PDICT) + "  def forward(self, x):\n    for k in self.p.keys(): x = x + 1  # <-\n    return x", ["`keys` of"]),
    "items of a ParameterDict": (
        WITH.format(PDICT) + "  def forward(self, x):\n    for k, p in self.p.items(): x = x + p  # <-\n    return x", ["`items` of"],
    ),
    "in of a ParameterDict": (WITH.format(PDICT) + "  def forward(self, x): return 'a' in self.p  # <-", ["`in` of"]),
    "sorted of objects backwards": (
        "@torch.jit.script\nclass D:\n  def __init__(self, x: int): self.x = x\n  def __lt__(self, o: D) -> bool: return self.x < o.x\n"
        "def f(): return [d.x for d in sorted([D(1), D(2)], reverse=True)]  # <-", ["`sorted` of objects"],
    ),
    "in for tensors": ("def f(a: List[Tensor], x): return x in a  # <-", ["`in`"]),
    "awaitable in a list": (G + "def f(x):\n  l = [torch.jit._awaitable(g, x)]  # <-\n  return x", ["an awaitable"], {"torch": False}),
    "awaitable waited for on some paths": (
        G + "def f(x, n: int):\n  a = torch.jit._awaitable(g, x, n)\n  if n > 1: x = torch.jit._awaitable_wait(a)\n"
        "  return torch.jit._awaitable_wait(a) * x  # <-", ["on some paths"], {"torch": False},
    ),
    "wait for what is none": ("def f(x):\n  return torch.jit._awaitable_wait(x)  # <-", ["no awaitable"]),
    "default of an own method": (
        CLASS + "  def g(self, y: int = 3) -> int: return y\n  def h(self) -> int: return self.g()  # <-\ndef f(): return D().h()", ["`g`", "y"],
    ),
    "static method of an object": (CLASS + "  @staticmethod\n  def g(): return 1\ndef f(): return D().g()  # <-", ["D.g(...)"]),
    "None stays None": (CLASS + "  def s(self): self.v = 3  # <-\ndef f(): return D().v", ["expected NoneType, found int"]),
    "Enum as a key": ("class C(Enum):\n  R = 1\ndef f(c: C): return {c: 1}  # <-", ["keys of type"]),
    "Enum as a key of a comprehension": ("class C(Enum):\n  R = 1\ndef f(): return {c: 1 for c in C}  # <-", ["keys of type"]),
    "interface without a result": ("@torch.jit.interface\nclass I:\n  def run(self, x): return x  # <-\ndef f(i: I, x): return i.run(x)", ["return annotation"]),
    "global None": ("K = None\ndef f(a: int): return K  # <-", ["undefined value `K`"]),
    "layout": ("def f(a: torch.layout): return a  # <-", ["`layout`"]),
    "memory format": ("def f(a: torch.memory_format): return a  # <-", ["`memory_format`"]),
    "bare List in isinstance": ("def f(x: Any): return isinstance(x, List)  # <-", ["needs the type of its contents"]),
}


@pytest.mark.parametrize("name", GOOD)
def test_accepted(accepted, name):
    text, calls, *options = GOOD[name]
    assert accepted(text, calls, **(options[0] if options else {}))


@pytest.mark.parametrize("name", BAD)
def test_refused(refused, name):
    text, words, *options = BAD[name]
    assert refused(text, words, **(options[0] if options else {}))


def test_strings_cut_inside_a_character(quick):
    """Python gets no string that is no UTF-8, be it known when it is compiled or not; pieces may come together again."""
    library = compile_source(
        "import torch.nn as nn\nfrom typing import Dict, List\ndef one(s: str, n: int): return s[:n]\n"
        "def some(s: str) -> Dict[str, List[str]]: return {s[:1]: [s]}\n"
        "def joined(s: str): return s[:1] + s[1:], len(s[:1])\n"
        "def message(s: str):\n  if len(s) > 1: raise ValueError(s[:1])\n  return 1\n"
        "class M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.a = ''\n"
        "  def forward(self, s: str):\n    self.a = s[:1]\n    return len(self.a)\n",
        "cut.py",
    )
    assert library.one("\u00e9", 2) == "\u00e9" and library.joined("\u00e9") == ("\u00e9", 1) and library.M()("\u00e9") == 1
    for call in (lambda: library.one("\u00e9", 1), lambda: library.some("\u00e9")):
        with pytest.raises(UnicodeDecodeError):
            call()
    with pytest.raises(ExecutionError, match="ValueError: \ufffd"):
        library.message("\u00e9")
