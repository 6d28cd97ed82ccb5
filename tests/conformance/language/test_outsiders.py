"""Programs of people who had not seen this compiler: each was wrong, or refused, once."""

import pytest

GOOD = {
    "tuples unpacked in a list": ("def f(t: Tuple[int, int], n: int): return [*t], [n, *t, 7], [*(), n]", [(((1, 2), 5), ([1, 2], [5, 1, 2, 7], [5]))]),
    "dataclass with optional fields": (
        "@torch.jit.script\n@dataclass(order=True)\nclass D:\n  x: int\n  o: Optional[int] = None\ndef f(k: int):\n"
        "  return D(1) == D(1), D(1, k) == D(1), D(1, 3) == D(1, k), D(1, k) < D(1, 3), D(0) < D(1), D(1, k) >= D(1, 2), D(2) > D(1), D(1) <= D(1)",
        [((2,), (True, False, False, True, True, True, True, True)), ((3,), (True, False, True, False, True, True, True, True))],
    ),
    "dataclass compared with None": (
        "@torch.jit.script\n@dataclass(order=True)\nclass D:\n  o: Optional[int] = None\ndef f(k: int): return D(k) < D()",
        [((2,), "raises: Cannot compare D with None")],
    ),
    "dataclass fields that differ": (
        "import dataclasses\nfrom dataclasses import InitVar, field\n@torch.jit.script\n@dataclass\nclass D:\n  x: int\n  k: InitVar[int]\n"
        "  y: int = field(default=2, compare=False)\n  def __post_init__(self, k: int):\n    self.x = self.x * k\n"
        "def f(n: int):\n  return D(n, 5).x, D(n, 6, 7).y, D(n, 1) == D(n, 1, 9), D(n, 1) == D(n, 2)",
        [((4,), (20, 7, True, False))],
    ),
    "numbered members of an Enum": (
        "import enum\nclass C(Enum):\n  A = enum.auto()\n  B = enum.auto()\n  D = 10\n  E = enum.auto()\ndef f(): return [c.value for c in C], [c.name for c in C]",
        [((), ([1, 2, 10, 11], ["A", "B", "D", "E"]))],
    ),
    "another name of a member": (
        "class C(Enum):\n  A = 1\n  B = 2\n  A2 = 1\ndef f(): return [c.name for c in C]", [((), ["A", "B"])],
    ),
    "iterations over a module": (
        "class M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.l = nn.ReLU()\n    self.q = nn.Sequential(nn.Tanh(), nn.ReLU())\n"
        "    self.register_buffer('b', torch.ones(2))\n  def forward(self, x):\n    names: List[str] = []\n"
        "    for n, m in self.named_modules(): names.append(n)\n    for n, m in self.named_children(): names.append(n)\n"
        "    for n, b in self.named_buffers():\n      names.append(n)\n      x = x + b\n    k = 0\n    for m in self.modules(): k += 1\n"
        "    for c in self.children(): x = c(x)\n    return x, names, k",
        [(("ones(2)",), ("tensor([0.9640275836, 0.9640275836])", ["", "l", "q", "q.0", "q.1", "l", "q", "b"], 5))],
    ),
    "dicts for Any": (
        "def f(x: Any):\n  if torch.jit.isinstance(x, Dict[str, List[int]]): return x['a'][0]\n  if torch.jit.isinstance(x, Dict[int, str]): return len(x[3])\n"
        "  return 0",
        [(({"a": [5]},), 5), (({3: "abcd"},), 4), (({"a": 1.5},), 0)],
        {"torch": True},
    ),
    "hooks that say little": (
        "def h(self, inp: Tuple[Tensor], out):\n  return out * 2\ndef g(self, inp: Tuple[Tensor], out: Tensor):\n  print(inp[0].shape)\n"
        "class M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.register_forward_hook(h)\n    self.register_forward_hook(g)\n  def forward(self, x): return x + 1",
        [(("ones(2)",), "tensor([4.0, 4.0])")],
    ),
    "tensors without dimensions are printed": ("def f():\n  print(torch.tensor(3.5), torch.tensor(2))\n  return 1", [((), 1)], {"torch": True}),
    "lists of tuples and numbers": (
        "def f(l: List[Union[Tuple[float, float], float]]):\n  s = 0.0\n  for e in l:\n    if isinstance(e, float): s += e\n    else: s += e[0] * e[1]\n  return s",
        [(([(2.0, 3.0), 1.0],), 7.0), (([],), 0.0)],
    ),
    "dicts of dicts and numbers": (
        "def f(d: Dict[str, Union[Dict[str, int], int]]):\n  n = 0\n  for v in d.values():\n    if isinstance(v, int): n += v\n    else: n += v['q']\n  return n",
        [(({"a": 3, "b": {"q": 5}},), 8)],
    ),
    "interface met by methods that do not say what they return": (
        "@torch.jit.interface\nclass I(nn.Module):\n  def forward(self, x: Tensor) -> Tensor: pass\n@torch.jit.interface\nclass J:\n"
        "  def run(self, x: Tensor, k: int) -> Tensor: pass\n@torch.jit.script\nclass B:\n  def __init__(self): self.a = 1\n"
        "  def run(self, x: Tensor, k: int): return x * k\ndef g(j: J, x): return j.run(x, 3)\nclass A(nn.Module):\n"
        "  def forward(self, x: Tensor): return x + 1\nclass M(nn.Module):\n  p: I\n  def __init__(self):\n    super().__init__()\n    self.p = A()\n"
        "  def forward(self, x): return g(B(), self.p.forward(x))",
        [(("ones(2)",), "tensor([6.0, 6.0])")],
    ),
}

INTERFACE = (
    "@torch.jit.interface\nclass I(nn.Module):\n  def forward(self, x: Tensor) -> Tensor: pass\nclass A(nn.Module):\n"
    "  def forward(%s%s\nclass M(nn.Module):  # <-\n  p: I\n  def __init__(self):\n    super().__init__()\n    self.p = A()\n"
    "  def forward(self, x): return x"
)

BAD = {
    "interface with another result": (INTERFACE % ("self, x: Tensor) -> int", ": return 1"), ["not compatible with interface"]),
    "interface with other names": (INTERFACE % ("self, y: Tensor) -> Tensor", ": return y"), ["not compatible with interface"]),
    "interface with further arguments": (INTERFACE % ("self, x: Tensor, k: int = 2) -> Tensor", ": return x"), ["not compatible with interface"]),
    "class without __init__": ("@torch.jit.script\nclass A:\n  def g(self, k: int) -> int: return k\ndef f(n: int): return A().g(n)  # <-", ["`__init__` function"]),
    "list as a target": ("def f(a: int):\n  [b, c] = (a, a)  # <-\n  return b", ["list"]),
    "list unpacked in a list": ("def f(l: List[int]): return [*l]  # <-", ["size of a list"]),
    "pre-hook without a result type": (
        "def h(self, inp: Tuple[Tensor]):  # <-\n  return inp\nclass M(nn.Module):\n  def __init__(self):\n    super().__init__()\n"
        "    self.register_forward_pre_hook(h)\n  def forward(self, x): return x",
        ["return annotation"],
    ),
    "hook for other arguments": (
        "def h(self, inp: Tuple[int], out: Tensor) -> Tensor:  # <-\n  return out\nclass M(nn.Module):\n  def __init__(self):\n    super().__init__()\n"
        "    self.register_forward_hook(h)\n  def forward(self, x): return x",
        ["takes Tuple[int] for `inp`"],
    ),
    "hook for another result": (
        "def h(self, inp: Tuple[Tensor], out: int) -> Tensor:  # <-\n  return inp[0]\nclass M(nn.Module):\n  def __init__(self):\n    super().__init__()\n"
        "    self.register_forward_hook(h)\n  def forward(self, x): return x",
        ["takes int for `out`"],
    ),
    "enum of tuples": ("class C(Enum):  # <-\n  A = (1, 2)\ndef f(c: C): return c.value", ["all int"]),
}


@pytest.mark.parametrize("name", GOOD)
def test_accepted(accepted, name):
    text, calls, *options = GOOD[name]
    assert accepted(text, calls, **(options[0] if options else {}))


@pytest.mark.parametrize("name", BAD)
def test_refused(refused, name):
    text, words, *options = BAD[name]
    assert refused(text, words, **(options[0] if options else {}))
