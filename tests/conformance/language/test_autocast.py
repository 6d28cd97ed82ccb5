"""`with torch.autocast("cpu")`: what the JIT casts, in callees too, and where; dtypes are those that PyTorch gives."""

import io

import numpy as np
import pytest

import torchcc
from torchcc.api import compile_source

X = "tensor([[1.0, 2.0], [3.0, -4.0]])"
HALF, FLOAT, DOUBLE, BFLOAT = 5, 6, 7, 15

GOOD = {
    "products and what follows": (
        "def f(x):\n  with torch.autocast('cpu'):\n    y = x @ x\n    return y.dtype, (y + y).dtype, y.relu().dtype, y.exp().dtype, F.linear(x, x, x[0]).dtype, y.float()",
        [((X,), (BFLOAT, FLOAT, BFLOAT, FLOAT, BFLOAT, "tensor([[7.0, -6.0], [-9.0, 22.0]])"))],
    ),
    "less precision is what is computed with": (
        "def f(x):\n  with torch.autocast('cpu'):\n    return (x @ x).float()",
        [(("tensor([[1.00390625]])",), "tensor([[1.0]])")],
    ),
    "float16, doubles and ints": (
        "def f(x):\n  i = torch.tensor([[1, 2], [3, 4]])\n  with torch.autocast('cpu', dtype=torch.float16):\n    y = torch.mm(x, x)\n    return y.dtype, (x.double() @ x.double()).dtype, (i @ i).dtype, (y * 2).dtype, (1 - y).dtype, torch.rsub(y, 1).dtype",
        [((X,), (HALF, DOUBLE, 4, FLOAT, FLOAT, HALF))],
    ),
    "a dtype that is asked for": (
        "def f(x):\n  h = x.half()\n  with torch.autocast('cpu'):\n    return h.sum().dtype, h.sum(dtype=torch.half).dtype, torch.softmax(h, 0).dtype, torch.log_softmax(h, 0).dtype, h.cumsum(0).dtype, h.mean().dtype",
        [((X,), (FLOAT, HALF, HALF, FLOAT, FLOAT, HALF))],
    ),
    "what writes is left alone": (
        "def f(x):\n  h = x.half()\n  with torch.autocast('cpu'):\n    return h.mul_(2).dtype, h.exp_().dtype, h.add_(x).dtype",
        [((X,), (HALF, HALF, HALF))],
    ),
    "regions in regions": (
        "def f(x):\n  with torch.autocast('cpu'):\n    a = x @ x\n    with torch.autocast('cpu', enabled=False):\n      b = x @ x\n      with torch.amp.autocast('cpu', dtype=torch.half):\n        c = x @ x\n    with torch.autocast('cuda'), torch.no_grad():\n      d = x @ x\n  e = x @ x\n  return a.dtype, b.dtype, c.dtype, d.dtype, e.dtype",
        [((X,), (BFLOAT, FLOAT, HALF, BFLOAT, FLOAT))],
    ),
    "callees": (
        "def h(x): return torch.mm(x, x)\ndef g(x):\n  with torch.cpu.amp.autocast(enabled=False):\n    y = h(x)\n  return h(x), y\ndef f(x):\n  with torch.cpu.amp.autocast():\n    a, b = g(x)\n  return a.dtype, b.dtype, h(x).dtype",
        [((X,), (BFLOAT, FLOAT, FLOAT))],
    ),
    "forks compute as ever": (
        "def g(x): return x @ x\ndef f(x):\n  with torch.autocast('cpu'):\n    w = torch.jit.fork(g, x)\n  return w.wait().dtype",
        [((X,), FLOAT)],
    ),
    "one object for two regions": (
        "def f(x):\n  on = torch.autocast('cpu')\n  if x.sum() > 1:\n    with on:\n      y = x @ x\n  else:\n    with on:\n      y = (x + 1) @ x\n  return y.dtype",
        [((X,), BFLOAT), (("tensor([[1.0, -2.0], [0.0, 0.0]])",), BFLOAT)],
    ),
    "loops and comprehensions": (
        "def f(x):\n  l: List[int] = []\n  for i in range(2):\n    with torch.autocast('cpu'):\n      y = x @ x\n      l.append(y.dtype)\n    l.append((x @ x).dtype)\n  with torch.autocast('cpu'):\n    l += [(x.half()[i].sum() + i).dtype for i in range(1)]\n  return l",
        [((X,), [BFLOAT, FLOAT, BFLOAT, FLOAT, FLOAT])],
    ),
    "errors end regions": (
        "def f(x):\n  with torch.autocast('cpu'):\n    y = x @ x\n    if y.sum() > 100: raise ValueError('large')\n  return (x @ x).dtype",
        [((X,), FLOAT), (("tensor([[100.0]])",), "raises: large")],
    ),
    "modules": (
        "class M(nn.Module):\n  def __init__(self):\n    super().__init__()\n    self.l = nn.Linear(2, 3)\n    self.n = nn.LayerNorm(3)\n    self.c = nn.Conv1d(2, 2, 1, bias=False)\n  def forward(self, x):\n    with torch.autocast('cpu'):\n      y = self.l(x)\n      z = self.n(y)\n      return y.dtype, z.dtype, self.c(x).dtype, F.relu(y).dtype, F.normalize(y).dtype, F.scaled_dot_product_attention(y, y, y).dtype",
        [((X,), (BFLOAT, FLOAT, BFLOAT, BFLOAT, FLOAT, BFLOAT))],
    ),
    "what is not on": (
        "def f(x):\n  with torch.autocast('cpu'):\n    a = torch.is_autocast_enabled()\n  return a, torch.is_autocast_enabled(), torch.is_autocast_cpu_enabled(), torch.get_autocast_dtype('cpu')",
        [((X,), (False, False, False, BFLOAT))],
    ),
    "losses that are unsafe": (
        "def f(x):\n  with torch.autocast('cpu'):\n    return F.binary_cross_entropy(x.sigmoid(), x.sigmoid())",
        [((X,), "raises: nsafe to autocast")],
        {"archive": False},
    ),
    # PyTorch's JIT refuses or crashes for these
    "a flag": (
        "def g(x, on: bool):\n  with torch.autocast('cpu', enabled=on):\n    return (x @ x).dtype\ndef f(x, on: bool): return g(x, True), g(x, False), g(x, on)",
        [((X, True), (BFLOAT, FLOAT, BFLOAT)), ((X, False), (BFLOAT, FLOAT, FLOAT))],
        {"torch": False},
    ),
    "regions that are left early": (
        "def f(x, n: int):\n  for i in range(3):\n    with torch.autocast('cpu'):\n      if i == n: return (x @ x).dtype, i\n      if i == n + 1: continue\n      x = (x @ x).float() / 9\n    x = x @ x / 9\n  return (x @ x).dtype, 9",
        [((X, 0), (BFLOAT, 0)), ((X, 2), (BFLOAT, 2)), ((X, 5), (FLOAT, 9))],
        {"torch": False},
    ),
    "is it on": (
        "def f(x):\n  with torch.autocast('cpu') as c, torch.autocast('cuda'):\n    return torch.is_autocast_enabled(), torch.is_autocast_cpu_enabled(), c.device",
        [((X,), (True, True, "cpu"))],
        {"torch": False},
    ),
}  # fmt: skip

BAD = {
    "an object that is not known": ("def f(x, b: bool):\n  on = torch.autocast('cpu')\n  with on if b else x:  # <-\n    return x @ x", []),
    "decorators": ("@torch.autocast('cpu')\ndef f(x): return x @ x  # <-", ["decorator"]),
}  # fmt: skip


@pytest.mark.parametrize("name", list(GOOD))
def test_accepted(accepted, name):
    text, calls, *options = GOOD[name]
    accepted(text, calls, **(options[0] if options else {}))


@pytest.mark.parametrize("name", list(BAD))
def test_refused(refused, name):
    text, words, *options = BAD[name]
    refused(text, words, **(options[0] if options else {}))


MODULE = """
import torch
import torch.nn as nn

class M(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(3, 3)
        self.register_buffer("w", torch.full((3, 3), 0.1))

    def forward(self, x):
        with torch.autocast("cpu"):
            y = self.l(x)
            with torch.no_grad():
                v = self.w @ self.w
            z = y + 1
            h = self.w.half().exp() + x.sum()
        with torch.autocast("cpu", enabled=False):
            pass
        return y, z, v, self.w @ self.w, h
"""


def dtypes(values):
    return [str(v.dtype).removeprefix("torch.") for v in values]


def test_archives_and_frozen_modules_keep_regions():
    x = np.ones((2, 3), np.float32)
    module = compile_source(MODULE).M().eval()
    expected = module(x)
    assert dtypes(expected) == ["bfloat16", "float32", "bfloat16", "float32", "float32"]
    buffer = io.BytesIO()
    torchcc.save(module, buffer)
    again = torchcc.load(buffer.getvalue())(x)
    frozen = torchcc.freeze(module)(x)
    for results in (again, frozen):
        assert dtypes(results) == dtypes(expected)
        assert all(np.array_equal(a, b) for a, b in zip(results, expected))
    torch = pytest.importorskip("torch", reason="reads the archive with PyTorch")
    theirs = torch.jit.load(io.BytesIO(buffer.getvalue()))(torch.from_numpy(x))
    assert dtypes(theirs) == dtypes(expected)
    assert all(np.array_equal(a.float().detach().numpy(), np.asarray(b, np.float32)) for a, b in zip(theirs[2:], expected[2:]))
