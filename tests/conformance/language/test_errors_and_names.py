"""Sections 15 and 17: exceptions, functions, what names mean."""

import math

import pytest

from torchcc.api import compile_source
from torchcc.frontend.compile import compile_text
from torchcc.ir.diagnostics import ExecutionError
from torchcc.ir.interpreters.torch import Interpreter

GOOD = {
    "exceptions": (
        "class MyErr(Exception):\n  def __init__(self, msg): super().__init__(msg)\ndef f(i: int):\n  if i == 0: raise ValueError('v %d' % i)\n  elif i == 1: raise MyErr('m')\n  elif i == 2: raise NotImplementedError\n  elif i == 3: raise KeyError('a', 'b')\n  elif i == 4: assert i == 3, f'msg {i}'\n  elif i == 5: raise RuntimeError()\n  elif i == 6: raise ValueError(3)\n  elif i == 7: assert i < 0\n  return i",
        [((0,), "raises: ValueError: v 0"), ((1,), "raises: MyErr: m"), ((2,), "raises: "), ((3,), "raises: KeyError: (a, b)"), ((4,), "raises: AssertionError: msg 4"), ((5,), "raises: "), ((6,), "raises: ValueError: 3"), ((7,), "raises: AssertionError: "), ((8,), 8)],
    ),
    "an exception in a variable": ("def f(n: int):\n  e = ValueError('text')\n  if n > 2:\n    raise e\n  return n", [((1,), 1), ((3,), "raises: text")], {"torch": False}),
    "in a callee": ("def g(n: int):\n  if n > 2:\n    raise ValueError('text')\n  return n\ndef f(n: int): return g(n) + 1", [((1,), 2), ((3,), "raises: text")]),
    "in a loop": ("def f(n: int):\n  for i in range(n):\n    if i == 3:\n      raise IndexError(f'{i}')\n  return n", [((3,), 3), ((5,), "raises: 3")]),
    "on every path": ("def f(n: int) -> int:\n  if n > 2:\n    raise ValueError('a')\n  else:\n    raise ValueError('b')", [((1,), "raises: b"), ((3,), "raises: a")]),
    "asserted types": ("def f(x: Optional[int]):\n  assert x is not None\n  return x + 1", [((1,), 2), ((None,), "raises: AssertionError")]),
    "assert of a string and a list": ("def f(l: List[int], n: int):\n  assert l, 'empty'\n  assert n > 0, n\n  return l[0]", [(([1], 1), 1), (([], 1), "raises: empty"), (([1], -5), "raises: -5")]),
    "calls": ("def g(a: int, b: int = 2) -> int:\n  return a * b\ndef h(a: int):\n  return g(a) + g(b=a, a=3)\ndef f(n: int):\n  k = h\n  return k(n), g(n, 5)", [((4,), (20, 20))]),
    "constants of modules": ("def f(x): return math.pi, torch.float64, x.to(torch.float64).dtype == torch.float64, math.inf", [(("ones(1)",), (math.pi, 7, True, float("inf")))]),
    "functions in variables": ("def f(x):\n  g = torch.relu\n  h = F.relu\n  return g(x), h(x)", [(("ones(1)",), ("ones(1)", "ones(1)"))]),
    "decorators of torch": ("@torch.jit.script_if_tracing\ndef g(x): return x + 1\n@torch.no_grad()\ndef f(x): return x * 2", [(("ones(1)",), "tensor([2.0])")], {"torch": False}),
    "own decorators": (
        "def deco(f):\n  def w(x):\n    return f(x) + 1\n  return w\ndef twice(k):\n  def inner(f):\n    def w(x):\n      return f(f(x))\n    return w\n  return inner\n@deco\ndef g(x): return x * 2\n@twice(3)\n@deco\ndef f(x): return g(x)",
        [(("ones(1)",), "tensor([10.0])")],
    ),
    "made by a function": ("def make(n):\n  def f(x): return x * 2\n  return f\nf = make(3)", [(("ones(1)",), "tensor([2.0])")]),
    "script functions call script functions": ("@torch.jit.script\ndef g(x: int): return x + 1\ndef f(n: int): return g(n)", [((1,), 2)]),
    "names of builtins may be taken": ("def f(max: int, list: int):\n  sum = max + list\n  return sum", [((1, 2), 3)]),
    "local names hide globals": ("def g(n: int): return 100\ndef f(n: int):\n  g = n + 1\n  return g", [((1,), 2)]),
    "dtype of modules as arguments": ("def f(x): return torch.zeros([2], dtype=x.dtype), x.to(torch.int64), torch.tensor([1], dtype=torch.float32)", [(("ones(1)",), ("tensor([0.0, 0.0])", "tensor([1])", "tensor([1.0])"))]),
}

BAD = {
    "raise a string": ("def f(i: int):\n  raise 'a'  # <-", ["BaseException"]),
    "raise an int": ("def f(i: int):\n  raise i  # <-", ["BaseException"]),
    "global int": ("K = 3\ndef f(a: int): return a + K  # <-", ["`int`"]),
    "global Final": ("K: Final[int] = 3\ndef f(a: int): return a + K  # <-", ["`int`"]),
    "global tensor": ("K = torch.ones(1)\ndef f(a): return a + K  # <-", ["Tensor"], {"extra": {}}),
    "global dtype": ("K = torch.float32\ndef f(a): return a.to(K)  # <-", ["dtype"]),
    "global list": ("K = [1, 2]\ndef f(a: int): return K[0] + a  # <-", ["list"]),
    "global tuple": ("K = (1, 2)\ndef f(a: int): return K  # <-", ["tuple"]),
    "global str": ("K = 'a'\ndef f(a: str): return a + K  # <-", ["`str`"]),
    "decorator that is not known": ("from nothing import deco\n@deco  # <-\ndef f(x): return x", ["decorator"]),
    "value of a closure": ("def make(n):\n  def f(x): return x * n  # <-\n  return f\nf = make(3)", ["`int`"]),
    "recursion": ("def f(n: int) -> int:\n  if n <= 1: return 1\n  return n * f(n - 1)  # <-", ["recursive"]),
    "mutual recursion": ("def g(n: int) -> int: return f(n)  # <-\ndef f(n: int) -> int:\n  return g(n)", ["recursive"]),
    "function in a list": ("def f(x):\n  l = [torch.relu]  # <-\n  return l[0](x)", ["value"]),
    "function as an argument": ("def g(x: int): return x\ndef f(n: int): return max(g, n)  # <-", ["function `g`"]),
    "function returned": ("def g(x: int): return x\ndef f(n: int): return g  # <-", ["function `g`"]),
    "unknown function": ("def f(x): return torch.nonsense(x)  # <-", ["nonsense"]),
    "unknown method": ("def f(x): return x.nonsense()  # <-", ["nonsense"]),
    "module as a value": ("def f(x): return math  # <-", ["math"]),
    "class as a value": ("class A(nn.Module):\n  pass\ndef f(x): return A  # <-", ["A"]),
    "calling an int": ("def f(n: int): return n(1)  # <-", ["int"]),
    "operator arguments": ("def f(x): return torch.relu(x, x, x)  # <-", ["relu"]),
    "names of tensors": ("def f(x): return x.names  # <-", ["names"]),
}


@pytest.mark.parametrize("name", GOOD)
def test_accepted(accepted, name):
    text, calls, *options = GOOD[name]
    assert accepted(text, calls, **(options[0] if options else {}))


@pytest.mark.parametrize("name", BAD)
def test_refused(refused, name):
    text, words, *options = BAD[name]
    assert refused(text, words, **(options[0] if options else {}))


RAISING = """
class MyErr(Exception):
  def __init__(self, msg): super().__init__(msg)
def f(i: int, l: List[int], d: Dict[str, int]):
  if i == 0: raise ValueError('v %d' % i)
  if i == 1: raise MyErr('m')
  if i == 2: raise KeyError('a', 'b')
  if i == 3: raise NotImplementedError
  if i == 4: assert i < 0, 'text'
  if i == 5: return d['q']
  return l[i]
"""
RAISED = [
    ("builtins.ValueError", "v 0", "ValueError: v 0"),
    ("MyErr", "m", "MyErr: m"),
    ("builtins.KeyError", "(a, b)", "KeyError: (a, b)"),
    (None, "", ""),
    (None, "AssertionError: text", "AssertionError: text"),
    (None, "KeyError: q", "KeyError: q"),
    (None, "list index out of range", "list index out of range"),
]


def test_class_and_text_of_what_is_raised(quick):
    head = "from typing import Dict, List\n"
    function = compile_source(head + RAISING).f
    program = compile_text(head + RAISING, entry="f")
    for i, expected in enumerate(RAISED):
        with pytest.raises(ExecutionError) as native:
            function(i, [1], {"a": 1})
        with pytest.raises(ExecutionError) as interpreted:
            Interpreter().run_program(program, [i, [1], {"a": 1}])
        for error in (native.value, interpreted.value):
            assert (error.exception, error.text, error.message) == expected
        assert native.value.span.text == interpreted.value.span.text
