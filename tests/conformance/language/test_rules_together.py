"""Rules that meet one another: what one says where the other applies."""

import pytest

X = "tensor([[1.0, 2.0], [3.0, -4.0]])"

GOOD = {
    "abs of a tensor": ("def f(x): return abs(x), abs(x.sum() - 5)", [((X,), ("tensor([[1.0, 2.0], [3.0, 4.0]])", "tensor(3.0)"))]),
    "math on tensors": (
        "def f(x, n: float): return math.floor(x), math.sqrt(abs(x)), math.isnan(x), math.pow(x, 2), math.fmod(x, n), math.atan2(x, x * 0)",
        [((X, 1.5), (
            X, "tensor([[1.0, 1.41421356], [1.7320508, 2.0]])", "tensor([[False, False], [False, False]])",
            "tensor([[1.0, 4.0], [9.0, 16.0]])", "tensor([[1.0, 0.5], [0.0, -1.0]])", "tensor([[1.5707964, 1.5707964], [1.5707964, -1.5707964]])",
        ))],
    ),
    "math of a tensor for a number": ("def f(x): return math.degrees(x), math.radians(x)", [(("tensor(180)",), (10313.240312354817, 3.141592653589793)), (("tensor(0.5)",), "raises: Cannot input a tensor of type Float as an integral argument")]),
    "lists of a tensor are checked": (
        "def f(x):\n  y: List[float] = x.tolist()\n  return y",
        [(("ones(2)",), [1.0, 1.0]), (("ones(1, 2)",), "raises: Output annotation list dimension and runtime tensor dimension must match for tolist()"), (("tensor([1, 2])",), "raises: Output annotation element type and runtime tensor element type must match for tolist(): Float vs Long")],
    ),
    "a tensor without a default": ("def f(x, m=None):\n  if m is not None: x = x + m\n  return x", [((X, X), "tensor([[2.0, 4.0], [6.0, -8.0]])"), ((X,), "raises: Expected a proper Tensor but got None (or an undefined Tensor in C++) for argument")], {"archive": False}),
    "a tensor without a default that nobody uses": ("class S(nn.Module):\n  def forward(self, x, mask=None):\n    return x * 2\nclass M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.s = S()\n  def forward(self, x, mask=None):\n    return self.s(x, mask)", [(("ones(2)",), "tensor([2.0, 2.0])")], {"torch": False}),
    "autocast that is off": (
        "def f(x, b: bool):\n  with torch.autocast('cpu', enabled=False), torch.no_grad():\n    with torch.cuda.amp.autocast():\n      y = x @ x\n    if b: return y\n  return y * 2",
        [(("ones(2, 2)", True), "tensor([[2.0, 2.0], [2.0, 2.0]])"), (("ones(2, 2)", False), "tensor([[4.0, 4.0], [4.0, 4.0]])")],
    ),
    "in-place methods of objects": (
        "class A:\n  def __init__(self, x: int): self.x = x\n  def __iadd__(self, o: 'A') -> 'A':\n    self.x += o.x\n    return self\n  def __sub__(self, o: int) -> 'A': return A(self.x - o)\ndef f(n: int):\n  a = A(n)\n  b = a\n  a += A(1)\n  c = a\n  a -= 3\n  return a.x, b.x, c.x",
        [((5,), (3, 6, 6))],
    ),
    "complex numbers as keys": (
        "def f(n: int, c: complex, e: Dict[complex, int]):\n  d: Dict[complex, int] = {1j: n, complex(0.0, -0.0): 1}\n  for i in range(n): d[complex(i % 2, i)] = i\n  d[complex(math.nan, 0.0)] = 1\n  e[c] = 4\n  s: List[complex] = []\n  for k, v in d.items():\n    s.append(k * v)\n  del e[5j]\n  return d[1 + 1j], 2j in d, 9j in d, len(d), s[:3], e.get(7j), e.get(1 - 2j), e.pop(3j), e.setdefault(8j, 9), e",
        [((3, 1 + 2j, {3j: 3, 5j: 1}), (1, True, False, 5, [3j, 0j, 1 + 1j], None, None, 3, 9, {1 + 2j: 4, 8j: 9}))],
    ),
    "templates and tuples": ("def f(x: float, n: int): return '%s %d' % (x, n), '%s' % ((n, n),), '%d%%' % n, '%s' % (x,)", [((1.5, 2), ("1.5 2", "(2, 2)", "2%", "1.5"))]),
    "text of complex numbers": (
        "def f(a: float, b: float):\n  c = complex(a, b)\n  l = [c]\n  for i in range(2): l.append(c)\n  return str(c), f'{c}', '%s' % c, str((c, 1)), str(l)",
        [((1.0, -2.5), ("1.-2.5j", "1.-2.5j", "1.-2.5j", "(1.-2.5j, 1)", "[1.-2.5j, 1.-2.5j, 1.-2.5j]")), ((-0.0, float("nan")), ("0.-nanj", "0.-nanj", "0.-nanj", "(0.-nanj, 1)", "[0.-nanj, 0.-nanj, 0.-nanj]"))],
    ),
    "members of a Union as values": ("def f(n: int):\n  x: Union[int, str] = n\n  if n > 2: x = 'big'\n  y: Any = x\n  return x, isinstance(y, str), f'{x}'", [((1,), (1, False, "1")), ((5,), ("big", True, "big"))]),
    "what cannot be converted": ("def f(x: complex): return int(x)", [((1 + 2j,), "raises: ")], {"archive": False}),
    "numbers that are no ints": ("def f(x: float): return int(x)", [((2.7,), 2), ((-1e300,), -(2**63)), ((float("nan"),), -(2**63))]),
    "poles of the gamma function": ("def f(x: float): return math.gamma(x), math.lgamma(x)", [((0.0,), (float("inf"), float("inf"))), ((-1.0,), (float("nan"), float("inf")))]),
    "the hash of what may be None": ("def f(i: Optional[int], s: str):\n  d: Dict[int, str] = {}\n  for k in range(2): d[hash((k, s))] = s\n  return hash(i), len(d)", [((3, "a"), (3, 2)), ((None, "b"), (0, 2))]),
    "errors of forks": (
        "def g(x, k: int):\n  if k > 2: raise ValueError('large')\n  return x * k\ndef f(x, k: int):\n  a = torch.jit.fork(g, x, k)\n  l: List[torch.jit.Future[Tensor]] = [a]\n  for i in range(2): l.append(torch.jit.fork(g, x, i))\n  assert k < 9, 'first'\n  return torch.jit.wait(l[0]) + l[2].wait()",
        [(("ones(2)", 2), "tensor([3.0, 3.0])"), (("ones(2)", 5), "raises: large"), (("ones(2)", 9), "raises: first")],
    ),
}  # fmt: skip

BAD = {
    "the default of a tensor in a call": ("def g(x, m=None): return x\ndef f(x): return g(x)  # <-", ["no tensor"]),
    "None for a tensor": ("def g(x, m=None): return x\ndef f(x): return g(x, None)  # <-", ["Tensor"]),
}  # fmt: skip


@pytest.mark.parametrize("name", list(GOOD))
def test_accepted(accepted, name):
    text, calls, *options = GOOD[name]
    accepted(text, calls, **(options[0] if options else {}))


@pytest.mark.parametrize("name", list(BAD))
def test_refused(refused, name):
    text, words, *options = BAD[name]
    refused(text, words, **(options[0] if options else {}))
