"""Section 4: parameters, variables in branches and loops, declared types, implicit conversions, dead code."""

import pytest

GOOD = {
    "defaults of other kinds of numbers": (
        "def f(a: bool = 1, b: int = True, c: float = True, d: complex = 1, e: Optional[int] = True, g: complex = 1.5):\n  return a, b, c, d, e, g",
        [((), (True, 1, 1.0, 1 + 0j, 1, 1.5 + 0j))],
    ),
    "types that differ where nobody looks": (
        "def f(n: int):\n  if n > 0: y = 1\n  else: y = 1.0\n  for i in range(n):\n    if i > 0: z = 1\n    else: z = 'a'\n  y = 'b'\n  return n, y", [((3,), (3, "b"))],
    ),
    "int or None is optional": ("def f(n: int):\n  if n > 0: return 1\n  return None", [((1,), 1), ((0,), None)]),
    "type comment": ("def f(a, b):\n  # type: (int, float) -> float\n  return a + b", [((1, 2.0), 3.0)]),
    "type comments of arguments": ("def f(a,  # type: int\n      b  # type: float\n      ):\n  # type: (...) -> float\n  return a + b", [((1, 2.0), 3.0)]),
    "string annotations": ("def f(a: 'int', b: \"Optional[int]\") -> 'int':\n  return a if b is None else b", [((1, None), 1), ((1, 2), 2)]),
    "nothing returned": ("def f(n: int): pass", [((1,), None)]),
    "nothing on one path": ("def f(n: int):\n  if n > 1:\n    return n", [((1,), None), ((2,), 2)]),
    "empty return": ("def f(n: int) -> None:\n  if n > 1:\n    return\n  return None", [((1,), None)]),
    "defaults": ("def f(x: int, y: int = 3, z: float = 0.5, s: str = 'a', o: Optional[int] = None, t: Tuple[int, int] = (1, 2)):\n  return x + y, z, s, o, t", [((1,), (4, 0.5, "a", None, (1, 2))), ((1, 2, 1.0), (3, 1.0, "a", None, (1, 2)))]),
    "keyword only": ("def g(x: int, y: int = 3, *, z: int):\n  return x * 100 + y * 10 + z\ndef f(n: int):\n  return g(n, z=1), g(n, 2, z=n), g(z=5, x=n)", [((4,), (431, 424, 435))]),
    "unannotated is a tensor": ("def f(x, y):\n  return x + y", [(("ones(2)", "ones(2)"), "tensor([2.0, 2.0])")]),
    "rebound in one block": ("def f(c: bool):\n  n = 1\n  if c: n = 2\n  n = 'x'\n  return n", [((True,), "x")]),
    "rebound to another type in a branch": ("def f(c: bool):\n  r = 0\n  if c:\n    m = 1\n    m = 'ab'\n    r = len(m)\n  return r", [((True,), 2), ((False,), 0)]),
    "tensor to int in a branch": ("def f(c: bool, t):\n  n = 1\n  if c: n = t\n  return n", [((True, "tensor(7)"), 7), ((False, "tensor(7)"), 1)]),
    "narrower in a branch": ("def f(c: bool):\n  x: Optional[int] = None\n  if c:\n    x = 3\n  return x", [((True,), 3), ((False,), None)]),
    "set in both branches": ("def f(n: int):\n  if n > 0: y = 1\n  else: y = 2\n  return y", [((1,), 1), ((0,), 2)]),
    "value and None": ("def f(n: int):\n  if n > 0: y = 1\n  else: y = None\n  return y", [((1,), 1), ((0,), None)]),
    "a branch that raises does not count": (
        "def f(n: int):\n  if n > 0: y = 1\n  else: raise ValueError('bad')\n  z = n if n > 0 else None\n  i = -1\n  for i in range(n): pass\n  return y, z, i",
        [((3,), (1, 3, 2)), ((0,), "raises: bad")],
    ),
    "a branch that returns does not count": ("def f(n: int):\n  if n > 5:\n    return 0\n  elif n > 2:\n    y = 1\n  else:\n    y = 2\n  return y", [((6,), 0), ((3,), 1), ((1,), 2)]),
    "unused where it is undefined": ("def f(n: int):\n  if n > 0: y = 1\n  return n", [((1,), 1)]),
    "defined before the loop": ("def f(n: int):\n  x = -1\n  for i in range(n):\n    x = i\n    y = x\n  return x", [((3,), 2), ((0,), -1)]),
    "declared type": ("def f(n: int):\n  y: Optional[int] = None\n  for i in range(n):\n    if i == 2: y = i\n  return y", [((3,), 2), ((1,), None)]),
    "declared list": ("def f(n: int):\n  l: List[Optional[int]] = [n, None]\n  return l", [((3,), [3, None])]),
    "tensor to int at return": ("def f(n: Tensor) -> int: return n", [(("tensor(3)",), 3), (("ones(2)",), "raises: "), (("ones()",), "raises: ")], {"archive": True}),
    "tensor to int at a call": (
        "def g(y: int): return y\ndef f(n): return g(n)",
        [(("tensor(4)",), 4), (("ones(2)",), "raises: Cannot input a tensor of dimension other than 0 as a scalar argument"), (("tensor(2.7)",), "raises: Cannot input a tensor of type Float as an integral argument")],
    ),
    "tensor to float at a call": ("def g(y: float): return y * 2\ndef f(n): return g(n)", [(("tensor(1.5)",), 3.0), (("tensor(2)",), 4.0)]),
    "tensor to a number of an operator": ("def f(x, k):\n  return torch.full([2], k), x.select(0, k)", [(("ones(3)", "tensor(1)"), ("tensor([1, 1])", "ones()"))]),
    "truth of a tensor": ("def f(x):\n  if x: return 1\n  return 0", [(("ones()",), 1), (("tensor([0])",), 0), (("ones(2)",), "raises: Boolean value of Tensor with more than one value is ambiguous")]),
    "int for int[2]": ("def f(x):\n  return F.avg_pool2d(x, 2).shape, F.max_pool2d(x, (2, 1)).shape", [(("ones(1, 1, 4, 4)",), ([1, 1, 2, 2], [1, 1, 2, 4]))]),
    "ints for int[]": ("def f(x, n: int):\n  return x.view(3, n).shape, torch.zeros(2, n).shape, x.view(n, 3).permute(1, 0).shape, x.view((n, 3)).shape", [(("ones(6)", 2), ([3, 2], [2, 2], [3, 2], [2, 3]))]),
    "tuple for a list": ("def g(l: List[int]): return l[0] + len(l)\ndef f(a: int): return g((a, 2)), torch.zeros((a, 2)).shape", [((3,), (5, [3, 2]))]),
    "bool in arithmetic": ("def f(a: bool, n: int): return True + 1, a + n, a + a, a * 3, a - True", [((True, 4), (2, 5, 2, 3, 0))]),
    "str for a device": ("def f(x): return x.to('cpu'), torch.zeros(1, device='cpu')", [(("ones(1)",), ("ones(1)", "tensor([0.0])"))]),
    "optional arguments": ("def g(x: Optional[int], y: Union[int, str], z: Any):\n  return x is None, isinstance(y, int), isinstance(z, str)\ndef f(n: int): return g(n, n, n), g(None, 'a', 'b')", [((1,), ((False, True, False), (True, False, True)))]),
    "fits the parameters": ("def f(x: float, i: int, l: List[int], t: Tuple[int, float]): return x, i, l, t", [((3, True, (1, 2), [1, 2]), (3.0, 1, [1, 2], (1, 2.0)))]),
    "lists are copied on entry": ("def f(l: List[int]):\n  l.append(3)\n  return l", [(([1],), [1, 3])]),
    "dead code is dropped": ("def f():\n  l = [1]\n  l.index(7)\n  l[9]\n  return l", [((), [1])], {"torch": True}),
    "dead code of an argument": ("def f(l: List[int], n: int):\n  l[n]\n  x = n // 0\n  return len(l)", [(([1], 5), 1)]),
    "effects are no dead code": ("def f(n: int):\n  l = [n]\n  l.pop()\n  l.append(5)\n  m = l.pop()\n  return l", [((3,), [])]),
}

BAD = {
    "positional only": ("def f(x: int, /, y: int): return x + y  # <-", ["positional-only"]),
    "default behind a star": ("def f(x: int, *, z: int = 2): return x + z  # <-", ["keyword-only parameters with defaults"]),
    "default behind a star of a method": ("class M(nn.Module):\n  def g(self, x, *, z: int = 2): return x  # <-\n  def forward(self, x): return self.g(x)", ["keyword-only"]),
    "set in a branch that does not break": (
        "def f(n: int):\n  s = 0\n  for i in range(n):\n    if i == 3:\n      break\n    else:\n      y = i * 2\n    s += y  # <-\n  return s", ["`y` is not set in the true branch"],
    ),
    "types that differ beside a continue": (
        "def f(n: int):\n  s = 0\n  for i in range(n):\n    if i == 3:  # <-\n      y = 1.0\n      continue\n    else:\n      y = 1\n    s += y\n  return s", ["type mismatch"],
    ),
    "empty list in a generic place": ("def f(d: Dict[str, List[int]]):\n  d['a'] = []  # <-\n  return d", ["List[Tensor]"]),
    "empty list appended": ("def f():\n  l: List[List[int]] = []\n  l.append([])  # <-\n  return l", ["List[Tensor]"]),
    "empty list in a list": ("def f() -> List[List[int]]:\n  return [[]]  # <-", ["List[int]", "List[Tensor]"]),
    "empty list in a dict": ("def f() -> Dict[str, List[int]]:\n  return {'a': []}  # <-", ["List[Tensor]"]),
    "empty lists of a comprehension": ("def f():\n  l: List[List[int]] = [[] for _ in range(3)]  # <-\n  return l", ["List[Tensor]"]),
    "empty list added": ("def f(l: List[int]): return l + []  # <-", ["List[Tensor]"]),
    "empty list for an attribute": (
        "class M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.l = [1]\n  def forward(self, x):\n    self.l = []  # <-\n    return self.l", ["expected List[int], found List[Tensor]"],
    ),
    "function in a tuple": ("def g(a: int): return a\ndef f(a: int):\n  t = (g, 1)  # <-\n  return t[0](a)", ["the function `g` cannot be used as a value"]),
    "not on all paths": ("def f(n: int) -> int:  # <-\n  if n > 0: return 1", ["does not return along all paths"]),
    "returns of two types": ("def f(n: int):\n  if n > 0: return 1\n  return 1.0  # <-", ["returns a value of type int", "float"]),
    "mutable default": ("def f(x: List[int] = [1]): return x  # <-", ["mutable default"]),
    "default of another type": ("def f(x: int = 1.5): return x  # <-", ["default value of type int"]),
    "*args": ("def f(*x): return x  # <-", ["variable number of arguments"]),
    "**kwargs": ("def f(**x): return x  # <-", ["variable number of arguments"]),
    "other type in a branch": ("def f(c: bool):\n  n = 1\n  if c: n = 1.0  # <-\n  return n", ["previously had type int", "float"]),
    "other type in a loop": ("def f():\n  n = 1\n  for i in range(3): n += 1.5  # <-\n  return n", ["previously had type int"]),
    "annotated again inside": ("def f(c: bool):\n  n = 1\n  if c:\n    n: int = 2  # <-\n  return n", ["already defined in an outer block"]),
    "one branch only": ("def f(n: int):\n  if n > 0: y = 1\n  return y  # <-", ["`y` is not defined", "false branch"]),
    "two types": ("def f(n: int):\n  if n > 0: y = 1  # <-\n  else: y = 1.0\n  return y", ["`y` is int", "float"]),
    "loop variable": ("def f(n: int):\n  for i in range(n): pass\n  return i  # <-", ["`i` is not defined"]),
    "in a loop only": ("def f(n: int):\n  for i in range(n): z = i\n  return z  # <-", ["`z` is not defined"]),
    "int for a declared float": ("def f(n: int):\n  y: float = n  # <-\n  return y", ["annotated with type float", "int"]),
    "int for a returned float": ("def f(n: int) -> float:\n  return n  # <-", ["annotated as having type float", "int"]),
    "int for a returned tensor": ("def f(n: int) -> Tensor:\n  return n  # <-", ["Tensor", "int"]),
    "int for a declared tensor": ("def f(n: int):\n  y: Tensor = n  # <-\n  return y", ["Tensor", "int"]),
    "int for a float": ("def g(x: float): return x\ndef f(n: int): return g(n)  # <-", ["`x` expects float, found int"]),
    "tensor for a bool": ("def g(x: bool): return x\ndef f(n): return g(n)  # <-", ["`x` expects bool, found Tensor"]),
    "int for a tensor": ("def g(x): return x\ndef f(n: int): return g(n)  # <-", ["`x` expects Tensor, found int"]),
    "list of others": ("def g(x: List[float]): return x\ndef f(): return g([1, 2])  # <-", ["List[int]"]),
    "list of optionals": ("def g(x: List[Optional[int]]): return x\ndef f(a: List[int]): return g(a)  # <-", ["List[int]"]),
    "missing argument": ("def g(x: int, y: int): return x\ndef f(n: int): return g(n)  # <-", ["`y` is missing"]),
    "too many arguments": ("def g(x: int): return x\ndef f(n: int): return g(n, n)  # <-", ["at most 1"]),
    "unknown keyword": ("def g(x: int): return x\ndef f(n: int): return g(n, q=n)  # <-", ["q"]),
    "given twice": ("def g(x: int): return x\ndef f(n: int): return g(n, x=n)  # <-", ["x"]),
    "tuple for declared": ("def f(n: int):\n  t: Tuple[int, str] = (n, n)  # <-\n  return t", ["Tuple[int, str]"]),
}


@pytest.mark.parametrize("name", GOOD)
def test_accepted(accepted, name):
    text, calls, *options = GOOD[name]
    assert accepted(text, calls, **(options[0] if options else {}))


@pytest.mark.parametrize("name", BAD)
def test_refused(refused, name):
    text, words, *options = BAD[name]
    assert refused(text, words, **(options[0] if options else {}))
