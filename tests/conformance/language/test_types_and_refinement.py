"""Sections 5 and 6: annotations, and what conditions tell about types."""

import pytest

GOOD = {
    "bars and builtin names": ("def f(x: int | str | None, d: torch.dtype, e: list[int], g: dict[str, int], h: tuple[int, str]) -> int | str | None: return x", [((1, 6, [1], {}, (1, "a")), 1)]),
    "empty tuple": ("def f() -> Tuple[()]:\n  return ()", [((), ())]),
    "named tuple as a tuple": ("class P(NamedTuple):\n  x: int\n  y: int\ndef g(a: Tuple[int, int]) -> int: return a[0] + a[1]\ndef f(n: int): return g(P(n, 2))", [((1,), 3)]),
    "covariant tuples": ("def g(t: Tuple[Optional[int], Any]) -> bool: return t[0] is None\ndef f(n: int): return g((n, n)), g((None, 'a'))", [((1,), (False, True))]),
    "device": ("def f(x): return x.device == torch.device('cpu'), x.device.type", [(("ones(1)",), (True, "cpu"))]),
    "aliases": ("T = List[int]\ndef f(l: T): return len(l)", [(([1],), 1)]),
    "is None, early return": (
        "def f(x: Optional[int], y: Optional[int]):\n  if x is None: return 0\n  assert y is not None, 'y'\n  z = x + y\n  return z if (x is not None and x > 1) else 5",
        [((2, 3), 5), ((None, 3), 0), ((2, None), "raises: AssertionError: y")],
    ),
    "assigned where it is None": ("def f(x: Optional[int]):\n  if x is None:\n    x = 5\n  return x + 1", [((None,), 6), ((1,), 2)]),
    "not": ("def f(x: Optional[int]):\n  if not (x is None):\n    return x + 1\n  return 0", [((None,), 0), ((1,), 2)]),
    "and": ("def f(x: Optional[int], y: Optional[int]):\n  if x is not None and y is not None:\n    return x + y\n  return 0", [((1, 2), 3), ((1, None), 0)]),
    "or": ("def f(x: Optional[int], y: Optional[int]):\n  if x is None or y is None:\n    return 0\n  return x + y", [((1, 2), 3), ((1, None), 0)]),
    "right operand": ("def f(x: Optional[int]):\n  return x is not None and x > 1, x is None or x > 1", [((None,), (False, True)), ((2,), (True, True)), ((1,), (False, False))]),
    "raise": ("def f(x: Optional[int]):\n  if x is None:\n    raise ValueError('none')\n  return x + 1", [((1,), 2), ((None,), "raises: none")]),
    "union": ("def f(x: Union[int, str]):\n  if isinstance(x, int): return x + 1\n  else: return len(x)", [((1,), 2), (("abc",), 3)]),
    "union of three": (
        "def f(x: Union[int, float, str]):\n  if isinstance(x, (int, float)):\n    if isinstance(x, int):\n      return x + 1\n    return int(x) + 10\n  return len(x)",
        [((1,), 2), ((2.5,), 12), (("abc",), 3)],
    ),
    "union after a return": ("def f(x: Union[int, List[int]]):\n  if isinstance(x, int):\n    return x\n  return x[0]", [((1,), 1), (([5],), 5)]),
    "Any": (
        "def f(x: Any):\n  if isinstance(x, int): return x + 1\n  elif isinstance(x, str): return len(x)\n  elif isinstance(x, List[int]): return x[0]\n  elif isinstance(x, (list, tuple)): return -1\n  elif isinstance(x, Tensor): return -2\n  return 0",
        [(("abc",), 3), ((1,), 2), (([7],), 7), ((["a"],), -1), (((1,),), -1), (("ones(1)",), -2), ((1.5,), 0), ((None,), 0), ((True,), 0)],
    ),
    "static isinstance": ("def f(x: int, y: List[str]):\n  if isinstance(x, int):\n    a = 1\n  else:\n    a = x.nonsense()\n  return a, isinstance(x, float), isinstance(y, list), isinstance(x, (float, int)), isinstance(True, int)", [((3, ["a"]), (1, False, True, True, False))]),
    "torch.jit.isinstance": ("def f(x: Any):\n  if torch.jit.isinstance(x, List[int]):\n    return x[0]\n  return 0", [(([4],), 4), (("a",), 0)]),
    "ternary": ("def f(x: Optional[int]):\n  return x + 1 if x is not None else 0", [((1,), 2), ((None,), 0)]),
    "while does not refine, a local does": ("def f(x: Optional[int]):\n  n = 0\n  while x is not None:\n    assert x is not None\n    n += x\n    x = None if x > 3 else x + 1\n  return n", [((2,), 9), ((None,), 0)]),
    "attribute by a local": (
        "class M(nn.Module):\n  x: Optional[int]\n  def __init__(self):\n    super().__init__()\n    self.x = 1\n  def forward(self):\n    x = self.x\n    if x is not None: return x + 1\n    return 0",
        [((), 2)],
    ),
    "unwrap": ("def f(x: Optional[int]):\n  return torch.jit._unwrap_optional(x) + 1", [((1,), 2), ((None,), "raises: nwrapping null optional")]),
    "optional tensor": ("def f(x, y: Optional[Tensor] = None):\n  if y is not None:\n    x = x + y\n  return x", [(("ones(1)",), "ones(1)"), (("ones(1)", "ones(1)"), "tensor([2.0])")]),
    "bool is no int": ("def f(x: Union[int, bool]):\n  if isinstance(x, bool):\n    return 10\n  return x", [((True,), 10), ((3,), 3)]),
}

BAD = {
    "after a continue": ("def f(l: List[Optional[int]]):\n  s = 0\n  for x in l:\n    if x is None:\n      continue\n    s += x  # <-\n  return s", ["Optional[int]"]),
    "after a break": ("def f(l: List[Optional[int]]):\n  s = 0\n  for x in l:\n    if x is None: break\n    s += x  # <-\n  return s", ["Optional[int]"]),
    "after a branch that goes on": ("def f(l: List[Union[int, str]], n: int):\n  s = 0\n  for x in l:\n    if isinstance(x, int):\n      s += x\n    else:\n      if n > 2: continue\n      else: break\n    s += x  # <-\n  return s", ["Union[int, str]"]),
    "Callable": ("def f(a: Callable[[int], int]): return a  # <-", ["Callable"]),
    "Set": ("def f(a: Set[int]): return a  # <-", ["Set"]),
    "Sequence": ("def f(a: Sequence[int]): return a  # <-", ["Sequence"]),
    "Final local": ("def f():\n  x: Final[int] = 3  # <-\n  return x", ["Final"]),
    "unknown type": ("def f(a: 'Foo'): return a  # <-", ["Foo"]),
    "bare List": ("def f(a: List): return a  # <-", ["List"]),
    "bare Dict": ("def f(a: Dict): return a  # <-", ["Dict"]),
    "key of a dict": ("def f(a: Dict[Tuple[int, int], int]): return a  # <-", ["keys"]),
    "tuple of any length": ("def f(a: Tuple[int, ...]): return a  # <-", ["any length"]),
    "torch.Size": ("def f(a: torch.Size): return a  # <-", ["Size"]),
    "value as a type": ("def f(a: 3): return a  # <-", ["not a type"]),
    "optional plus": ("def f(x: Optional[int]): return x + 1  # <-", ["Optional[int]"]),
    "union plus": ("def f(x: Union[int, str]): return x + 1  # <-", ["Union[int, str]"]),
    "truth of an optional": ("def f(x: Optional[int]):\n  if x: return 1  # <-\n  return 0", ["Optional[int]"]),
    "truth of Any": ("def f(x: Any):\n  if x: return 1  # <-\n  return 0", ["Any"]),
    "while does not refine": ("def f(x: Optional[int]):\n  while x is not None:\n    x = x + 1  # <-\n  return 0", ["Optional[int]"]),
    "attributes are not refined": (
        "class M(nn.Module):\n  x: Optional[int]\n  def __init__(self):\n    super().__init__()\n    self.x = 1\n  def forward(self):\n    if self.x is not None: return self.x + 1  # <-\n    return 0",
        ["Optional[int]"],
    ),
    "elements are not refined": ("def f(l: List[Optional[int]]):\n  if l[0] is not None:\n    return l[0] + 1  # <-\n  return 0", ["Optional[int]"]),
    "the other branch": ("def f(x: Union[int, str]):\n  if isinstance(x, int):\n    return 1\n  return x + 1  # <-", ["str"]),
    "iterating an optional": ("def f(x: Optional[List[int]]):\n  for y in x: pass  # <-", ["not iterable"]),
    "attribute of an optional": ("def f(x: Optional[Tensor]): return x.sum()  # <-", ["Optional[Tensor]"]),
}


@pytest.mark.parametrize("name", GOOD)
def test_accepted(accepted, name):
    text, calls, *options = GOOD[name]
    assert accepted(text, calls, **(options[0] if options else {}))


@pytest.mark.parametrize("name", BAD)
def test_refused(refused, name):
    text, words, *options = BAD[name]
    assert refused(text, words, **(options[0] if options else {}))
