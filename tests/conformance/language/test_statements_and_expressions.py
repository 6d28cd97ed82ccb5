"""Sections 2 and 3: which statements, expressions and literals there are."""

import pytest

GOOD = {
    "several targets": ("def f(n: int):\n  a = b = n + 1\n  return a, b", [((3,), (4, 4))]),
    "nested tuple targets": ("def f(t: Tuple[int, Tuple[int, str]]):\n  a, (b, c) = t\n  return c, b, a", [(((1, (2, "x")),), ("x", 2, 1))]),
    "parentheses around targets": ("def f(n: int):\n  (a, b) = n, n + 1\n  (c), d = b, a\n  return a, b, c, d", [((1,), (1, 2, 2, 1))]),
    "docstring and other strings": ('def f(n: int):\n  """Text."""\n  "more"\n  3\n  return n', [((1,), 1)]),
    "annotated": ("def f(n: int):\n  x: Optional[int] = None\n  if n > 1:\n    x = n\n  return x", [((1,), None), ((2,), 2)]),
    "augmented": (
        "def f(a: int, b: float):\n  a += 2\n  a -= 1\n  a *= 3\n  c = a\n  c %= 5\n  b /= 2\n  b **= 2\n  a |= 8\n  a &= 12\n  a ^= 1\n  a <<= 2\n  a >>= 1\n  return a, b, c",
        [((3, 4.0), (((((((3 + 2 - 1) * 3) | 8) & 12) ^ 1) << 2) >> 1, 4.0, 2.0)), ((-9, 4.0), (((((((-9 + 2 - 1) * 3) | 8) & 12) ^ 1) << 2) >> 1, 4.0, -4.0))],
    ),
    "elif and else": ("def f(n: int):\n  if n == 0:\n    return 'a'\n  elif n == 1:\n    return 'b'\n  else:\n    return 'c'", [((0,), "a"), ((1,), "b"), ((2,), "c")]),
    "pass": ("def f(n: int):\n  if n > 0:\n    pass\n  else:\n    pass\n  return n", [((1,), 1)]),
    "raise from": ("def f(n: int):\n  if n > 3:\n    raise ValueError('a') from None\n  return n", [((1,), 1), ((4,), "raises: a")]),
    "delete": (
        "def f(d: Dict[str, int], l: List[int]):\n  del d['a'], l[0]\n  x = 1\n  del x\n  return d, l",
        [(({"a": 1, "b": 2}, [1, 2]), ({"b": 2}, [2]))],
    ),
    "delete and set again": ("def f(n: int):\n  x = n\n  del x\n  x = 'a'\n  return x", [((1,), "a")]),
    "several on a line": ("def f(n: int):\n  a = n; b = a + 1; return a * b", [((3,), 12)]),
    "binary operators": (
        "def f(a: int, b: int):\n  return a + b, a - b, a * b, a / b, a // b, a % b, a ** b, a & b, a | b, a ^ b, a << b, a >> b",
        [((7, 2), (9, 5, 14, 3.5, 3, 1, 49.0, 2, 7, 5, 28, 1))],
    ),
    "matrix product": ("def f(x, y):\n  return (x @ y).sum().item() > 0", [(("ones(2, 3)", "ones(3, 2)"), True)]),
    "unary": ("def f(a: int, b: bool, c: float):\n  return -a, not b, -c, -(-a), not not b", [((3, True, 1.5), (-3, False, -1.5, 3, True))]),
    "comparisons and chains": (
        "def f(a: int, b: int):\n  return a == b, a != b, a < b, a <= b, a > b, a >= b, 0 < a <= b != 5, 1 < 2 < a",
        [((2, 3), (False, True, True, True, False, False, True, False))],
    ),
    "and, or give bools": ("def f(a: int, b: int):\n  return a and b, a or b, not a, 0 < a <= b != 5", [((2, 3), (True, True, False, True)), ((0, 3), (False, True, True, False))]),
    "short circuit": (
        "def f(l: List[int], n: int):\n  return len(l) > n and l[n] > 0, n >= len(l) or l[n] > 0",
        [(([1, 2], 1), (True, True)), (([1, 2], 5), (False, True))],
    ),
    "in": (
        "def f(l: List[int], d: Dict[str, int], s: str, n: int):\n  return n in l, n not in l, s in d, s not in d, 'b' in s, 'q' in s, n in (1, 2)",
        [(([1, 2], {"abc": 1}, "abc", 2), (True, False, True, False, True, False, True))],
    ),
    "is None": ("def f(a: Optional[int], b: int):\n  return a is None, a is not None, b is None", [((None, 1), (True, False, False)), ((1, 1), (False, True, False))]),
    "conditional expression": ("def f(n: int):\n  return (n if n > 1 else -n), ('a' if n == 0 else 'b')", [((2,), (2, "b")), ((0,), (0, "a"))]),
    "keywords and stars": (
        "def g(a: int, b: int = 2, c: int = 3):\n  return a * 100 + b * 10 + c\ndef f(n: int):\n  t = (n, 5)\n  return g(n), g(n, c=7), g(1, *t), g(b=1, a=2), g(*t, c=4), g(*(1, 2, n))",
        [((4,), (423, 427, 145, 213, 454, 124))],
    ),
    "displays": ("def f(n: int):\n  return [n, 2], (n, 'x'), {'a': n, 'b': 2}, (), (n,), [[n], [1, 2]]", [((1,), ([1, 2], (1, "x"), {"a": 1, "b": 2}, (), (1,), [[1], [1, 2]]))]),
    "trailing commas": ("def f(n: int,):\n  l = [n, 2,]\n  t = (n, 'x',)\n  return l, t, max(n, 2,)", [((1,), ([1, 2], (1, "x"), 2))]),
    "comprehensions": (
        "def f(n: int):\n  return [i * i for i in range(n)], {i: i + 1 for i in range(n)}, sum(i for i in range(n)), [[i + j for i in range(n)] for j in range(n)]",
        [((2,), ([0, 1], {0: 1, 1: 2}, 1, [[0, 1], [1, 2]])), ((0,), ([], {}, 0, []))],
    ),
    "comprehensions with strings": ("def f(n: int):\n  return {i: str(i) for i in range(n)}, [str(i) for i in range(n)]", [((2,), ({0: "0", 1: "1"}, ["0", "1"]))]),
    "comprehension over a list and a tuple": (
        "def f(l: List[int], t: Tuple[int, int]):\n  return [x + 1 for x in l], [x * 2 for x in t], [a + b for a, b in zip(l, l)], [i * x for i, x in enumerate(l)]",
        [(([1, 2], (3, 4)), ([2, 3], [6, 8], [2, 4], [0, 2]))],
    ),
    "comprehension variable is its own": ("def f(n: int):\n  i = 100\n  l = [i for i in range(n)]\n  return i, l", [((2,), (100, [0, 1]))]),
    "indices": ("def f(l: List[int], i: int):\n  return l[i], l[i:], l[:-1], l[::2], l[-1], l[1:3], l[i : i + 1]", [(([1, 2, 3], 1), (2, [2, 3], [1, 2], [1, 3], 3, [2, 3], [2]))]),
    "f-strings": ("def f(n: int, s: str):\n  return f'{n}-{s}', f'{n + 1}', f'a' 'b', f''", [((3, "x"), ("3-x", "4", "ab", ""))]),
    "literals": (
        "def f():\n  return 1_000, 0xff, 0o17, 0b11, 1e3, .5, 5., 1_0.5, 'a\\n\\x41\\u00e9', 'a' \"b\", r'\\n', None, True, False, '''x\ny'''",
        [((), (1000, 255, 15, 3, 1000.0, 0.5, 5.0, 10.5, "a\nA\u00e9", "ab", "\\n", None, True, False, "x\ny"))],
    ),
    "complex literal": ("def f():\n  a = 2j\n  return a * a, a + 1, 1.5 - a", [((), (-4 + 0j, 1 + 2j, 1.5 - 2j))]),
    "smallest int": ("def f():\n  return -9223372036854775808, 9223372036854775807", [((), (-(2**63), 2**63 - 1))], {"torch": False}),
    "folded constants": (
        "def f():\n  return float('inf'), -float('inf'), math.inf, math.pi, torch.pi, torch.inf, math.e, float('nan') == float('nan')",
        [((), (float("inf"), -float("inf"), float("inf"), 3.141592653589793, 3.141592653589793, float("inf"), 2.718281828459045, False))],
    ),
    "empty displays": (
        "def f():\n  a: List[int] = []\n  b = torch.jit.annotate(Dict[str, int], {})\n  c: List[str] = list()\n  d: Dict[int, int] = dict()\n  a.append(1)\n  b['x'] = 2\n  return a, b, c, d, [], {}",
        [((), ([1], {"x": 2}, [], {}, [], {}))],
    ),
    "mixed lists": ("def f():\n  return [1, 2.0], [1, None], {'a': 1, 'b': 2.0}", [((), ([1, 2.0], [1, None], {"a": 1, "b": 2.0}))]),
    "comments and continuation": ("def f(n: int):  # one\n  # two\n  a = n + \\\n      1\n  b = (a +\n       2)  # three\n\n  return a, b", [((1,), (2, 4))]),
    "precedence": ("def f(a: int, b: int):\n  return a + b * 2 - -a, -a ** 2, not a == b, a < b and b < 5 or a > 7, a | b & 1 ^ 2 << 1, (a if b else 2) + 1", [((2, 3), (10, -4.0, True, True, 2 | 3 & 1 ^ 2 << 1, 3))]),
}

BAD = {
    "global": ("X = 1\ndef f():\n  global X  # <-\n  X = 2", ["global"]),
    "nonlocal": ("def f():\n  nonlocal x  # <-\n  x = 2", ["nonlocal"], {"torch": False}),
    "nested def": ("def f(n: int):\n  def g(x: int): return x  # <-\n  return g(n)", ["nested functions"]),
    "lambda": ("def f(n: int):\n  g = lambda x: x  # <-\n  return g(n)", ["lambdas are not supported"]),
    "walrus": ("def f(n: int):\n  if (m := n) > 1: return m  # <-\n  return 0", [":="]),
    "try": ("def f(n: int):\n  try:  # <-\n    return 1\n  except Exception:\n    return 2", ["`try` blocks"]),
    "yield": ("def f(n: int):\n  yield n  # <-", ["yield"]),
    "import": ("def f(n: float):\n  import math  # <-\n  return n", ["import statements"]),
    "match": ("def f(n: int):\n  match n:  # <-\n    case 1: return 2\n  return 3", ["match"]),
    "class": ("def f(n: int):\n  class A: pass  # <-\n  return n", ["classes inside functions"]),
    "async": ("async def f(n: int):  # <-\n  return n", ["async"]),
    "//=": ("def f(n: int):\n  n //= 2  # <-\n  return n", ["`//=`"]),
    "@=": ("def f(x, y):\n  x @= y  # <-\n  return x", ["`@=`"]),
    "annotation without value": ("def f():\n  x: int  # <-\n  x = 1\n  return x", ["needs a value"]),
    "annotated attribute": ("class M(nn.Module):\n  def forward(self, x):\n    self.x: int = 1  # <-\n    return x", ["annotat"]),
    "else of for": ("def f(n: int):\n  for i in range(n): pass\n  else: pass  # <-", ["else branches of for loops"]),
    "else of while": ("def f(n: int):\n  while n > 0: n -= 1\n  else: pass  # <-", ["else branches of while loops"]),
    "bare raise": ("def f(n: int):\n  raise  # <-", ["without an exception"]),
    "deleted": ("def f():\n  x = 1\n  del x\n  return x  # <-", ["undefined value `x`"]),
    "delete a slice": ("def f(l: List[int]):\n  del l[0:2]  # <-\n  return l", ["only single elements"]),
    "delete an attribute": ("class M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.c = 1\n  def forward(self, x):\n    del self.c  # <-\n    return x", ["deleted"]),
    "break outside": ("def f(n: int):\n  if n > 1:\n    break  # <-\n  return n", ["`break` outside"]),
    "assign to a call": ("def f(n: int):\n  g(n) = 2  # <-\n  return n", ["cannot assign to a call"]),
    "if in comprehension": ("def f(n: int):\n  return [i for i in range(n) if i > 1]  # <-", ["`if` in a comprehension"]),
    "two generators": ("def f(n: int):\n  return [i for i in range(n) for j in range(n)]  # <-", ["single `for`"]),
    "set comprehension": ("def f(n: int):\n  return {i for i in range(n)}  # <-", ["sets are not supported"]),
    "set": ("def f(x):\n  y = {1, 2}  # <-\n  return x", ["sets are not supported"]),
    "format in f-string": ("def f(a: int):\n  return f'{a:3d}'  # <-", ["formats"]),
    "conversion in f-string": ("def f(a: int):\n  return f'{a!r}'  # <-", ["conversions"]),
    "unary plus": ("def f(a: int):\n  return +a  # <-", ["unary `+`"]),
    "invert a bool": ("def f(a: bool):\n  return ~a  # <-", ["bool"]),
    "invert an int": ("def f(a: int):\n  return ~a  # <-", ["int"]),
    "** in a call": ("def g(a: int): return a\ndef f(d: Dict[str, int]):\n  return g(**d)  # <-", ["`**`"]),
    "* of a list": ("def g(a: int, b: int): return a\ndef f(l: List[int]):\n  return g(*l)  # <-", ["cannot statically infer the expected size of a list"]),
    "* in a list": ("def f(l: List[int]):\n  return [*l]  # <-", ["size of a list"]),
    "** in a dict": ("def f(d: Dict[str, int]):\n  return {**d}  # <-", ["`**`"]),
    "bytes": ("def f():\n  return b'a'  # <-", ["bytes"]),
    "ellipsis": ("def f():\n  return ...  # <-", ["`...`"]),
    "large int": ("def f():\n  return 9223372036854775808  # <-", ["out of range"]),
    "annotated list of others": ("def f():\n  return torch.jit.annotate(List[int], [1.0])  # <-", ["this is float"]),
    "mixed if-expression": ("def f(n: int):\n  return n if n > 0 else 1.0  # <-", ["true branch has type int but false branch has type float"]),
    "await": ("def f(n: int):\n  return await n  # <-", ["await"], {"torch": False}),
    "starred value": ("def f(t: Tuple[int, int]):\n  a = *t  # <-\n  return a", [], {"torch": False}),
    "keys of several types": ("def f():\n  return {1: 2, 'a': 3}  # <-", ["keys"]),
    "unknown name": ("def f(n: int):\n  return m + n  # <-", ["undefined value `m`"]),
    "lambda argument": ("def f(l: List[int]):\n  l.sort(key=lambda x: -x)  # <-\n  return l", []),
}


@pytest.mark.parametrize("name", GOOD)
def test_accepted(accepted, name):
    text, calls, *options = GOOD[name]
    assert accepted(text, calls, **(options[0] if options else {}))


@pytest.mark.parametrize("name", BAD)
def test_refused(refused, name):
    text, words, *options = BAD[name]
    assert refused(text, words, **(options[0] if options else {}))
