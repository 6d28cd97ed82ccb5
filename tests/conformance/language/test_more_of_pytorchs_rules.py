"""Lists of tensors that are compared, awaitables, and what PyTorch's front end refuses in classes, dicts and annotations."""

import pytest

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
    "a Union of a list and a dict": ("def f():\n  l: Union[List[int], Dict[str, int]] = {}\n  return isinstance(l, List[int])", [((), False)]),
}

CLASS = "@torch.jit.script\nclass D:\n  def __init__(self):\n    self.x = 1\n    self.v: Optional[int] = None\n"
BAD = {
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
