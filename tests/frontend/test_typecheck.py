"""Types of expressions, and programs that are refused: the kind of message, its place, what it advises."""

import pytest

from torchcc.frontend import ast
from torchcc.frontend.ast_printer import print_ast
from torchcc.frontend.compile import compile_functions, compile_source, compile_text
from torchcc.ir.diagnostics import CompileError
from torchcc.ir.source import SourceFile

_HEAD = "import torch, math\nimport torch.nn as nn\nimport torch.nn.functional as F\nfrom torch import Tensor\n"
_HEAD += "from enum import Enum\nfrom typing import Any, Callable, Dict, Final, List, Optional, Tuple, Union\n"


def bad(text: str) -> CompileError:
    with pytest.raises(CompileError) as caught:
        compile_text(_HEAD + text, "t.py", "M()" if "class M(" in text else "f")
    return caught.value


_REFUSED = [
    ("def f(x):\n  y = {1, 2}\n  return x", "sets are not supported"),
    ("def f(n: int):\n  def g(x: int): return x\n  return g(n)", "nested functions are not supported"),
    ("def f(n: int):\n  g = lambda x: x\n  return g(n)", "lambdas are not supported"),
    ("def f(n: int):\n  n //= 2\n  return n", "unsupported augmented assignment"),
    ("def f(n: int):\n  for i in range(n): pass\n  else: pass", "else branches of for loops"),
    ("def f():\n  x = 1\n  del x\n  return x", "undefined value `x`"),
    ("def f(l: List[int]):\n  del l[0:2]\n  return l", "only single elements can be deleted"),
    ("def f(n: int):\n  return [i for i in range(n) if i > 1]", "an `if` in a comprehension"),
    ("def f(n: int):\n  return [i for i in range(n) for j in range(n)]", "only a single `for`"),
    (
        "def g(a: int, b: int): return a\ndef f(l: List[int]):\n  return g(*l)",
        "cannot statically infer the expected size",
    ),
    ("def f():\n  return 9223372036854775808", "integral constant out of range"),
    ("def f(n: int) -> int:\n  if n > 0: return 1", "does not return along all paths"),
    ("def f(n: int):\n  if n > 0: return 1\n  return 1.0", "before this one returns a value of type int"),
    ("def f(x: List[int] = [1]): return x", "mutable default parameters"),
    ("def f(x: int = 1.5): return x", "expected a default value of type int"),
    ("def f(*x): return x", "variable number of arguments"),
    ("def f(c: bool):\n  n = 1\n  if c: n = 1.0\n  return n", "'n' previously had type int but is now being assigned"),
    ("def f(n: int):\n  if n > 0: y = 1\n  return y", "`y` is not defined on every path"),
    (
        "def f(n: int):\n  if n > 0: y = 1\n  else: y = 1.0\n  return y",
        "type mismatch: `y` is int after the true branch",
    ),
    ("def f(n: int):\n  for i in range(n): pass\n  return i", "`i` is not defined on every path"),
    ("def f(n: int):\n  return n if n > 0 else 1.0", "true branch has type int but false branch has type float"),
    ("def f(n: int):\n  y: float = n\n  return y", "is annotated with type float but is being assigned"),
    ("def f(n: int) -> float:\n  return n", "annotated as having type float but is actually of type int"),
    ("def g(x: float): return x\ndef f(n: int): return g(n)", "cannot call `g`: argument `x` expects float, found int"),
    ("def g(x): return x\ndef f(n: int): return g(n)", "argument `x` expects Tensor, found int"),
    ("def g(x: int): return x\ndef f(n: int): return g(n, 1)", "expected at most 1 positional argument, found 2"),
    ("def g(x: int): return x\ndef f(n: int): return g(y=n)", "argument `x` is missing"),
    ("def f(a: Callable[[int], int]): return a", "unknown type constructor `Callable`"),
    ("def f(a: 'Foo'): return a", "unknown type name `Foo`"),
    ("def f(a: List): return a", "`List` needs the type of its contents"),
    ("def f(a: Dict[Tuple[int, int], int]): return a", "a Dict cannot have keys of type"),
    ("def f(x: Optional[int]): return x + 1", "no variant takes (Optional[int], int)"),
    ("def f(x: Optional[int]):\n  if x: return 1\n  return 0", "a value of type Optional[int] has no truth value"),
    ("def f(a: str): return a * 3", "no variant takes (str, int)"),
    ("def f(a: bool): return ~a", "argument `self` expects Tensor, found bool"),
    ("def f(a: Tuple[int, str], i: int): return a[i]", "cannot index a Tuple[int, str]"),
    ("def f(a: Tuple[int, str]): return a[2]", "tuple index 2 is out of range"),
    ("def f(l: List[int]):\n  l[0:2] = [7]\n  return l", "slices of lists cannot be assigned to"),
    ("def f(a: Tuple[int, int]):\n  x, y, z = a\n  return x", "need 3 values to unpack but found only 2"),
    ("def f(n: int): return len(range(n))", "a range cannot be used as a value"),
    ("def f(n):\n  for i in range(n): pass", "all inputs of range must be ints"),
    ("def f(n: int):\n  for i in n: pass", "'int' object is not iterable"),
    (
        "def f(t: Tuple[int, float]):\n  for x in t: break\n  return 1",
        "`break` is not supported in a loop over modules",
    ),
    ("def f(s: str): return s.encode()", "'str' object has no attribute or method 'encode'"),
    ("def f(s: str): return repr(s)", "Python builtin `repr` is not supported"),
    ("def f(x: float): return math.log2(x)", "unknown function `math.log2`"),
    ("def f(i: int):\n  print(i, sep='')", "print doesn't accept any keyword arguments"),
    ("def f(i: int):\n  raise 'a'", "exceptions must derive from BaseException"),
    ("def f(x): return x[True]", "a tensor cannot be indexed with a bool"),
    ("def f(x): return x[..., 0, ...]", "an index can only have one ellipsis"),
    ("K = 3\ndef f(a: int): return a + K", "the Python value of type `int` cannot be used as a value"),
    ("def f(x): return [torch.relu]", "cannot be used as a value"),
    ("def f(n: int) -> int:\n  return n * f(n - 1)", "function 'f' is called recursively"),
    ("def f(n: int): return n(1)", "cannot call a value of type 'int'"),
    ("def f(n: int): return n[0]", "a value of type int cannot be indexed"),
    ("class M(nn.Module):\n  def forward(self, x):\n    self.c = 2", "tried to set nonexistent attribute: c"),
    ("class C(Enum):\n  R = 1\ndef f(c: int): return C(c)", "cannot call the enum `C`"),
]

_INIT = "class M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    "
_REFUSED_MODULES = [
    ("self.e: List[int] = []", "return self.e", "attribute `e` of `M` has no TorchScript type"),
    ("self.c = 1", "self.c = 2.0", "wrong type for attribute assignment: expected int, found float"),
    ("self.ml = nn.ModuleList([nn.Identity()])", "return self.ml[i](x)", "expected an int literal as index"),
    (
        "self.ml = nn.ModuleList([nn.Identity()])",
        "for m, k in zip(self.ml, x.unbind(0)): x = m(k)",
        "statically determinable length",
    ),
    ("self.md = nn.ModuleDict({'a': nn.Identity()})", "return self.md['b'](x)", "there is no `b` among the keys"),
    ("self.weight = 1", "return self.wieght", "module 'M' has no attribute 'wieght'"),
]


@pytest.mark.parametrize(("text", "message"), _REFUSED)
def test_refused(text, message):
    error = bad(text)
    assert message in str(error)
    assert len(error.diagnostics) == 1, str(error)
    assert error.diagnostics[0].span is not None


@pytest.mark.parametrize(("init", "body", "message"), _REFUSED_MODULES)
def test_refused_modules(init, body, message):
    error = bad(f"{_INIT}{init}\n  def forward(self, x, i: int = 0):\n    {body}\n")
    assert message in str(error) and len(error.diagnostics) == 1


def test_independent_errors_are_all_reported_and_none_twice():
    text = "def f(x, y: int):\n  a = undefined_one\n  b = x.foo()\n  c = a + b\n  d = c * y\n"
    text += "  return torch.relu(c, d), y.bar\n"
    messages = [d.message for d in bad(text).diagnostics]
    assert messages == [
        "undefined value `undefined_one`",
        "'Tensor' object has no attribute or method 'foo'",
        "'int' object has no attribute or method 'bar'",
    ]


def test_errors_of_called_functions_are_reported_once():
    text = "def g(x):\n  return x.foo()\ndef f(x):\n  a = g(x)\n  b = g(a)\n  return a + b + undefined\n"
    assert len(bad(text).diagnostics) == 2


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("def f(x): return torch.rleu(x)", "did you mean `torch.relu`?"),
        ("def f(x): return x.permutee(1, 0)", "did you mean `permute`?"),
        ("def f(weight): return wieght", "did you mean `weight`?"),
        ("def f(x): return torch.sum(x, dimm=1)", "did you mean `dim`?"),
        ("def f(x: Tensr): return x", "did you mean `Tensor`?"),
        ("def f(x): return torch.cat(x, 1)", "put the tensors in a list"),
        ("def f(x: Tensor, y: Optional[Tensor]): return x + y", "may be None"),
        ("def f(n: int) -> float: return n", "write `float(...)`"),
        ("def f(n: int):\n  l = []\n  l.append(n)\n  return l", "an empty list is a List[Tensor] unless"),
    ],
)
def test_advice(text, advice):
    assert advice in (bad(text).diagnostics[0].help or "")


def test_the_smallest_wrong_place_is_shown():
    error = bad("def g(x: float): return x\ndef f(n: int): return g(n)")
    assert error.diagnostics[0].span.text == "n"
    assert error.diagnostics[0].notes[0].message == "declared as g(float x) -> float"


def types(text: str) -> dict[str, str]:
    """Types of the expressions that are assigned to variables of `f`."""
    compiled = compile_source(SourceFile("t.py", _HEAD + text), "f")
    (function,) = [s for s in compiled.source.body if isinstance(s, ast.FunctionDef) and s.name == "f"]
    assigned = [s for s in function.body if isinstance(s, ast.Assign)]
    return {s.targets[0].id: s.value.type.annotation for s in assigned}


def test_types_of_expressions():
    found = types(
        "def f(x, n: int, y: float, s: str, l: List[int], o: Optional[int]):\n"
        "  a = x + n\n  b = n / 2\n  c = n + y\n  d = [n, None]\n  e = (n, s)\n  g = x.shape\n  h = n > 1 and s\n"
        "  i = x.item()\n  j = [1, 2.0]\n  k = {'a': x}\n  m = []\n  p = x.max(1)\n  q = o if o is not None else 3\n"
        "  r = True + 1\n  t = l[1:]\n  u = x.dtype\n  v = x.device\n  w = 2j\n"
    )
    assert found == {
        "a": "Tensor", "b": "float", "c": "float", "d": "List[Optional[int]]", "e": "Tuple[int, str]", "g": "List[int]",
        "h": "bool", "i": "number", "j": "List[Union[float, int]]", "k": "Dict[str, Tensor]", "m": "List[Tensor]",
        "p": "Tuple[Tensor, Tensor]", "q": "int", "r": "int", "t": "List[int]", "u": "int",
        "v": "Device", "w": "complex",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("def f(x, n: int = 3): return x", "f(Tensor x, int n=3) -> Tensor"),
        ("def f(x: int | str | None): return x", "f(Union(int, NoneType, str) x) -> Union(int, NoneType, str)"),
        ("def f(x: list[int], d: dict[str, int]): return d", "f(int[] x, Dict(str, int) d) -> Dict(str, int)"),
        ("def f(x: 'Optional[Tensor]' = None): return 1", "f(Tensor? x=None) -> int"),
        ("def f(a, b):\n    # type: (int, float) -> float\n    return a + b", "f(int a, float b) -> float"),
        ("def f(x: torch.Tensor, d: torch.dtype): return d", "f(Tensor x, int d) -> int"),
        ("def f(n: int):\n  if n > 0: return 1\n  return None", "f(int n) -> int?"),
        ("def f(n: int): pass", "f(int n) -> NoneType"),
        ("def f(x: int, *, k: float): return k", "f(int x, *, float k) -> float"),
    ],
)
def test_signatures(signature, expected):
    assert str(compile_text(_HEAD + signature, entry="f").schema) == expected


def test_default_entry():
    assert compile_text("def g(x): return x\ndef f(x): return g(x)\n").entry == "f"
    with pytest.raises(CompileError, match="which one"):
        compile_text("def g(x): return x\ndef f(x): return x\n")
    with pytest.raises(CompileError, match="has no function"):
        compile_text("x = 1\n")


def test_every_function_of_a_text():
    programs = compile_functions(SourceFile("t.py", _HEAD + "def g(x): return x\ndef f(x): return g(x)\n"))
    assert list(programs) == ["g", "f"]


def test_printed_tree():
    compiled = compile_source(SourceFile("t.py", "def f(x, n: int):\n    return x + n\n"), "f")
    assert "BinaryOp + : Tensor" in print_ast(compiled.source)
    assert "Name n : int" in print_ast(compiled.source)


def test_what_is_none_keeps_its_type():
    """As in PyTorch: only the other side of `is None` knows more."""
    head = "def f(c: bool, u: Optional[int]):\n    if u is None:\n"
    for body in ("if c:\n            u = 3", "for i in range(3):\n            u = i", "while c:\n            u, c = 1, False"):
        compile_text(f"from typing import *\n{head}        {body}\n    return u\n")
    compile_text("from typing import *\ndef f(c: bool, u: Optional[int]):\n    assert u is None\n    if c:\n        u = 3\n    return u\n")
