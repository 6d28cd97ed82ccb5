"""Sections 7 and 8: numbers, augmented assignment, truth values."""

import pytest

INF = float("inf")
NAN = float("nan")

GOOD = {
    "signs of nan in texts": (
        "def f(x: float, y: float):\n  z = [math.fmod(x, y), x % y, math.remainder(x, y), math.sin(x / y), math.pow(-x, 0.5), math.log(-x), math.acos(x + 1), math.acosh(-x)]\n"
        "  return ' '.join([str(v) for v in z]) + str(math.fmod(1.0, 0.0)) + str(math.remainder(1.0, 0.0)) + str(math.log(-1.0))",
        [((1.0, 0.0), "-nan -nan -nan -nan -nan nan nan -nan-nan-nannan")],
    ),
    "ints": ("def f(a: int, b: int): return a + b, a * b, a / b, a // b, a % b, divmod(a, b), a ** b, a >> 1, a & b, a << 3, a | b, a ^ b", [
        ((-7, 2), (-5, -14, -3.5, -4, 1, (-4, 1), 49.0, -4, 0, -56, -5, -5)),
        ((7, -2), (5, -14, -3.5, -4, -1, (-4, -1), 7.0 ** -2, 3, 6, 56, -1, -7)),
    ]),
    "floats": ("def f(a: float, b: float): return a // b, a % b, a / b, a ** b, divmod(a, b)", [((-7.5, 2.0), (-4.0, 0.5, -3.75, 56.25, (-4.0, 0.5))), ((7.5, -2.0), (-4.0, -0.5, -3.75, 7.5 ** -2, (-4.0, -0.5)))]),
    "division of floats by zero": ("def f(a: float, b: float): return a / b, -a / b", [((1.0, 0.0), (INF, -INF))]),
    "division of ints by zero": ("def f(a: int, b: int): return a / b, -a / b", [((1, 0), (INF, -INF))]),
    "mixed": ("def f(a: int, b: float): return a + b, a - b, a * b, a / b, a // b, a % b, a ** b, b ** a, b - a", [((7, 2.0), (9.0, 5.0, 14.0, 3.5, 3.0, 1.0, 49.0, 128.0, -5.0))]),
    "wraps": ("def f(a: int): return a * a, a * a * 1024 + a, (9223372036854775807 + a) - a", [((2**40,), (0, 2**40, 2**63 - 1)), ((2**31 + 5,), ((2**31 + 5) ** 2, ((2**31 + 5) ** 2 * 1024 + 2**31 + 5 + 2**63) % 2**64 - 2**63, 2**63 - 1))]),
    "rounding": ("def f(a: float): return round(2.5), round(3.5), round(a), round(-2.5), round(3)", [((0.5,), (2.0, 4.0, 0.0, -2.0, 3.0)), ((-1.7,), (2.0, 4.0, -2.0, -2.0, 3.0))]),
    "pow": ("def f(a: int, b: float): return pow(2, 3), pow(a, 2), pow(b, a), 2 ** 3", [((3, 1.5), (8.0, 9.0, 3.375, 8.0))]),
    "bools": ("def f(a: bool, b: bool): return a & b, a | b, a ^ b, a + b, a == b, not a", [((True, False), (False, True, True, 1, False, False))]),
    "abs and neg": ("def f(a: int, b: float): return abs(a), abs(b), -a, -b", [((-3, -2.5), (3, 2.5, 3, 2.5))]),
    "shifts": ("def f(a: int, n: int): return a << n, a >> n", [((-5, 1), (-10, -3)), ((5, 2), (20, 1))]),
    "complex": (
        "def f(a: complex, b: complex): return a + b, a - b, a * b, a / b, -a, abs(a), a == b, a != b, a + 1, 2.5 * a, a - 1.5",
        [((1 + 2j, 3 - 1j), (4 + 1j, -2 + 3j, 5 + 5j, (1 + 2j) / (3 - 1j), -1 - 2j, abs(1 + 2j), False, True, 2 + 2j, 2.5 + 5j, -0.5 + 2j))],
    ),
    "power of complex": ("def f(a: complex, b: complex): return a ** b, a ** 2.0", [((1 + 2j, 3 - 1j), ((1 + 2j) ** (3 - 1j), (1 + 2j) ** 2))]),
    "complex and int": ("def f(a: complex): return 1 / a, a ** 2, a * 0 == 0j", [((1 + 2j,), (1 / (1 + 2j), (1 + 2j) ** 2, True))], {"torch": False}),
    "complex in containers": ("def f(a: complex, n: int):\n  l = [a, a * 2]\n  t = (a, n)\n  d = {'a': a}\n  o: Optional[complex] = None\n  if n > 2: o = a\n  return l, t, d, o, sum(l)", [((1 + 2j, 3), ([1 + 2j, 2 + 4j], (1 + 2j, 3), {"a": 1 + 2j}, 1 + 2j, 3 + 6j)), ((1j, 1), ([1j, 2j], (1j, 1), {"a": 1j}, None, 3j))], {"torch": False}),
    "complex for Any": ("def g(x: Any):\n  if isinstance(x, complex): return 1\n  elif isinstance(x, (tuple, list)): return 2\n  return 3\ndef f(a: complex): return g(a), g((1.0, 2.0)), g(1.0)", [((1j,), (1, 2, 3))]),
    "complex made": ("def f(a: float, n: int): return complex(a, 2.0), complex(n, a), complex(1, 2)", [((1.5, 2), (1.5 + 2j, 2 + 1.5j, 1 + 2j))]),
    "complex in branches and loops": ("def f(a: complex, n: int):\n  s = 0j\n  for i in range(n):\n    if i % 2 == 0:\n      s = s + a * i\n    else:\n      s = s - a\n  return s", [((1 + 2j, 4), (1 + 2j) * 2 - 2 * (1 + 2j))]),
    "strings": ("def f(a: str, b: str): return a + b, a == b, a < b, a != b, a >= b", [(("a", "b"), ("ab", False, True, True, False))]),
    "percent": ("def f(a: str, n: int): return '%d-%s' % (n, a), '%s' % a, '%d%%' % n", [(("a", 3), ("3-a", "a", "3%"))]),
    "min and max": ("def f(a: int, b: float): return min(a, 2), max(a, b), min(b, a), max(1.5, 2), min([3, a]), max(a, 2, 3)", [((5, 1.5), (2, 5.0, 1.5, 2.0, 3, 5))]),
    "number": ("def f(x): return x.item() + 1, x.item() * 2.5, int(x.item()), float(x.item())", [(("tensor(3)",), (4, 7.5, 3, 3.0)), (("tensor(1.5)",), (2.5, 3.75, 1, 1.5))]),
    "divided by zero": ("def f(a: int, b: int): return a // b", [((7, 2), 3), ((1, 0), "raises: ")]),
    "remainder by zero": ("def f(a: int, b: int): return a % b", [((7, 2), 1), ((1, 0), "raises: ")], {"torch": False}),
    "smallest by minus one": ("def f(a: int, b: int): return a // b, a % b", [((-(2**63), -1), (-(2**63), 0))], {"torch": False}),
    "in place on tensors": (
        "def f(x, l: List[int]):\n  y = x\n  y += 1\n  y %= 3\n  y -= 0.5\n  y *= 2\n  y /= 4\n  l += [5]\n  l[0] += 7\n  return x, l",
        [(("tensor([4.0, 0.0])", [1]), ("tensor([0.75, 0.25])", [8, 5]))],
    ),
    "lists multiplied in place": (
        "def f(l: List[int], n: int):\n  m = l\n  m *= n\n  k = [1]\n  j = k\n  j *= n\n  return l, m, k",
        [(([1, 2], 2), ([1, 2, 1, 2], [1, 2, 1, 2], [1, 1])), (([1, 2], 0), ([], [], []))],
    ),
    "rebinding on tensors": ("def f(x):\n  y = x\n  y **= 2\n  z = x > 1\n  w = z\n  w |= x > 5\n  w &= x < 7\n  w ^= z\n  return x, y, z, w", [(("tensor([4.0, 0.0])",), ("tensor([4.0, 0.0])", "tensor([16.0, 0.0])", "tensor([True, False])", "tensor([False, False])"))]),
    "remainders in place": ("def f(x):\n  x %= 3\n  return x, torch.tensor([-4.0]) % 3", [(("tensor([-4.0, 4.0])",), ("tensor([-1.0, 1.0])", "tensor([2.0])"))]),
    "%= of numbers gives floats": ("def f(a: int, b: float):\n  a %= 5\n  b %= 2.0\n  return a, b", [((-7, -7.5), (-2.0, -1.5)), ((7, 3.5), (2.0, 1.5))]),
    "+= of tuples gives a list": ("def f(t: Tuple[int, int]):\n  t += (3,)\n  return t", [(((1, 2),), [1, 2, 3])]),
    "elements of tensors": ("def f(x):\n  x[0] += 1\n  x[1, 1] *= 5\n  x[:, 0] -= 1\n  x[x > 4] += 100\n  return x", [(("ones(2, 2)",), "tensor([[1.0, 2.0], [0.0, 105.0]])")]),
    "elements of dicts": ("def f(d: Dict[str, int]):\n  d['a'] += 2\n  d['a'] *= 3\n  return d", [(({"a": 1},), {"a": 9})]),
    "index once evaluated": ("def f(l: List[int], m: List[int]):\n  l[m.pop()] += 10\n  return l, m", [(([1, 2], [0, 1]), ([1, 12], [0]))], {"torch": False}),
    "attributes": ("class M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.n = 1\n    self.l = [1]\n  def forward(self, k: int):\n    self.n += k\n    self.l += [k]\n    self.l[0] -= 1\n    return self.n, self.l", [((2,), (3, [0, 2]))], {"torch": True}),
    "truth": ("def f(l: List[int], s: str, i: int, x: float, d: Dict[str, int], t):\n  r = 0\n  if l: r += 1\n  if s: r += 10\n  if i: r += 100\n  if x: r += 1000\n  if d: r += 10000\n  if t: r += 100000\n  return r", [
        (([1], "a", 2, 0.5, {"a": 1}, "ones()"), 111111), (([], "", 0, 0.0, {}, "tensor([0.0])"), 0),
    ]),
    "truth in operators": ("def f(l: List[int], i: int):\n  return not l, bool(l), bool(i), not i, l and i, l or i, (1 if l else 2), bool('a'), bool('')", [(([1], 0), (False, True, False, True, False, True, 1, True, False))]),
    "while": ("def f(i: int, l: List[int]):\n  n = 0\n  while i:\n    i -= 1\n    n += 1\n  while l:\n    l.pop()\n    n += 10\n  return n", [((3, [1, 2]), 23)]),
    "nan": ("def f(a: float): return a == a, a < 1.0, a != a, bool(a)", [((NAN,), (False, False, True, True))], {"torch": False}),
}

BAD = {
    "str times int": ("def f(a: str): return a * 3  # <-", ["str", "int"]),
    "round to digits": ("def f(x: float): return round(x, 1)  # <-", ["round"]),
    "str and int": ("def f(a: str): return a + 1  # <-", ["str", "int"]),
    "int and str compared": ("def f(a: str): return a < 1  # <-", ["str", "int"]),
    "list minus": ("def f(a: List[int]): return a - [1]  # <-", ["List[int]"]),
    "%= of a str": ("def f(a: str):\n  a %= 1  # <-\n  return a", ["%="]),
    "%= of an element": ("def f(l: List[int]):\n  l[0] %= 5  # <-\n  return l", ["float"]),
    "shift of a float": ("def f(a: float): return a << 1  # <-", ["float"]),
    "real of a complex": ("def f(a: complex): return a.real  # <-", ["real"]),
    "truth of a tuple": ("def f(a: Tuple[int, int]):\n  if a: return 1  # <-\n  return 0", ["Tuple[int, int]"]),
    "truth of None": ("def f():\n  if None: return 1  # <-\n  return 0", ["None"]),
    "truth of a complex": ("def f(a: complex):\n  if a: return 1  # <-\n  return 0", ["complex"]),
}


@pytest.mark.parametrize("name", GOOD)
def test_accepted(accepted, name):
    text, calls, *options = GOOD[name]
    assert accepted(text, calls, **(options[0] if options else {}))


@pytest.mark.parametrize("name", BAD)
def test_refused(refused, name):
    text, words, *options = BAD[name]
    assert refused(text, words, **(options[0] if options else {}))
