"""Results of which the run decides whether they are views, and of what: against PyTorch, through the Python interface.

Each function is called in PyTorch with tensors and compiled with arrays that lie alike. Values, strides and shared memory of the
results have to be the same; then all results are written to, and everything has to hold the same again.
"""

import importlib.util
import sys

import numpy as np
import pytest

import torchcc
from torchcc.ir.script_types import BOOL
from torchcc.ir.signature import ScalarSpec

torch = pytest.importorskip("torch", reason="compares with PyTorch")

SOURCE = """import torch
from torch import Tensor
from typing import Dict, List, Optional
def chosen(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  return x[0] if c else x[1]
def other_base(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  return x if c else y.t(), (x * 2 if c else x)
def at_index(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  j = i * 2 - 1
  k = int(y[0, 0]) % 3
  return x[j], x[:, k:], x[k:][::2], x.narrow(0, n % 2, 2), x[-1 - k:]
def through_shapes(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  j = i + 1
  v = x.unsqueeze(1).expand(4, 2, 6)[j]
  return v, x.t()[j].unsqueeze(-1), x.diagonal(i - 1)[j:], x.unfold(1, 2, 2)[j], x.view(2, 2, 6).permute(2, 0, 1)[j], \
    x.chunk(2, 1)[1][j], x.split([1, 3])[1][j], x.unbind(1)[2][j], torch.tensor_split(x, [1, 3])[1][j - 1], x.squeeze()[j]
def reshaped(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  v = x[:, 1:] if c else x[:, :5]
  return v.reshape(-1)[i:], v.reshape(2, 2, -1), v.contiguous(), x.reshape(-1), x.reshape(-1)[n:]
def of_open_extents(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  v = x[i:, n:]
  return v.reshape(-1), v.contiguous(), v.reshape(1, -1), x[i:].reshape(-1)
def last_row(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  v = x[0]
  w = x
  for k in range(n):
    v = x[k]
    w = w[1:].t()
    w = w.t()
  return v, w
def recurrent(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  h, g, a, b = x, x, x, y
  for k in range(n):
    h = h + 1
    if k > 0:
      g = g * 2
    a, b = b, a
  return h, g, a, b
def one_new(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  z = x * 2
  j = i + 1
  w = z if c else x
  return z[i], z[j], w[j:]
def written(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  z = x if c else y.t()
  z[i] = 7.0
  v = z[i:]
  for k in range(n):
    v.add_(1)
    v = v[:, 1:]
  return v, z
def while_loop(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  v = x
  k = n
  while k > 0 and v.size(0) > 1:
    if c:
      v = v[1:]
    else:
      v = v[:, 1:]
    k -= 1
  return v
def nested(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  v = x[0]
  for k in range(n):
    for m in range(i + 1):
      v = x[(k + m) % 4] if c else v
      if m == 3:
        v = v * 1
  return v
def from_list(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  l = [x[0], x[1, :]]
  for k in range(n):
    l.append(x[k] if c else x[k] * 2)
  return l[i], l[-1][1:], x
def from_lists_of_both(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  l = [x]
  for k in range(n):
    l.append(y.t() if k % 2 == 0 else l[-1])
  best = l[0]
  for v in l:
    if bool(v.sum() > best.sum()):
      best = v
  return l[n], best
def from_dict(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  d = {0: x[0]}
  for k in range(n):
    d[k] = x[k].view(2, 3)[0] if c else x[k, :3] + 1
  v = d.get(n - 1)
  return x[0] if v is None else v
def optional(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  v: Optional[Tensor] = None
  for k in range(n):
    if v is None:
      v = x[i]
    elif c:
      v = v[1:]
  return v
def complex_parts(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  z = torch.view_as_complex(x.contiguous().view(4, 3, 2))
  return z[i].imag if c else z.real[n], torch.view_as_real(z)[i:] if c else x.view(4, 3, 2)[n % 2:]
"""

# kept by a generator of random programs
SOURCE += """
def carried_out_of_a_list(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  v = y
  for k in range(i + 1):
    l = [v, y, y]
    for m in range(n):
      l.append(x[0].unsqueeze(0))
    v = l[-1]
  return v, v
def chosen_out_of_a_list(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  l = [x]
  for k in range(n):
    l.append(x)
  v = l[-1]
  w = v if i > 0 else x
  return w, v, v if i > 0 else w
def two_of_one_copy(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  v = x.reshape(2, -1)
  return v.t(), v[:, 0:], v[i:]
def copy_or_not(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  v = x.contiguous()
  return v, v if n > 1 else x, y.contiguous().t()
def of_nothing(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  v = x[:0]
  w = x[0]
  for k in range(n):
    v[k] = 1.0
    w = v[k]
  return w
def copy_by_strides(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  v = x.t() if c else y
  return v[n].contiguous(), x.t()[n].contiguous(), x.t().reshape(-1)[n:]
def layout_of_an_argument(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  z = x * 2
  v = z.reshape(-1)
  v[i] = 100.0
  return z, v
def kept_layout(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  v = x[:, :4].clone()
  z = v.reshape(-1)
  z[0] = 100.0
  return v, z
def parts_of_one_made_in_a_loop(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  a, b, d = x[0], x[1], x
  for k in range(n):
    for j in range(k + 1):
      z = x * (k + j)
      a, b = z[0], z[1:]
      if j == 0:
        d = z
  return a, b, d
def hidden_state_and_part(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  h, g, before = x, x, x
  for k in range(n):
    before = h
    h = h + 1
    g = h[1:] if c else h
  return h, g, before
def parts_of_one_made_in_a_branch(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  a, b = x[0], x[1]
  if n > 1:
    z = torch.cumsum(x, 0)
    a, b = z[0], z[i:]
  else:
    z = torch.cumsum(x, 1)
    a, b = z[n], z
  return a, b
def reshaped_in_a_loop(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  a, b = x[0], x[1]
  for k in range(n):
    r = x.reshape(-1)
    a, b = r[1:], r[n:]
  return a, b
def complex_parts_of_one_made_in_a_loop(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  a, b, d = x, x, torch.complex(x, x)
  for k in range(n):
    z = torch.complex(x, x * k)
    a, b, d = torch.real(z), torch.imag(z), z
  return a, b, d
def reshaped_as_the_argument_lies(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  z = x * 2
  a, b = x, x.reshape(-1)
  for k in range(n):
    w = x * 2
    a, b = w, w.reshape(-1)
  return z[i], z.reshape(-1)[n:], a, b
def expanded_in_a_loop(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  a, b, e = x[0], x[:3], x
  for k in range(n):
    z = x[0] * k
    a, b, e = z, z.expand(3, 6), z[i + 5:].unsqueeze(0)
  return a, b, e
"""

NUMBERS = [(0, 2, True), (1, 0, False), (1, 3, False), (0, 1, True)]
NAMES = [line.split("(")[0][4:] for line in SOURCE.splitlines() if line.startswith("def ")]


def given(kind):
    """4 by 6 and 6 by 4: row-major, transposed, parts of something wider."""
    if kind == "plain":
        return [np.arange(24.0, dtype=np.float32).reshape(4, 6), np.arange(24.0, 48.0, dtype=np.float32).reshape(6, 4)]
    if kind == "transposed":
        return [np.arange(24.0, dtype=np.float32).reshape(6, 4).T, np.arange(24.0, 48.0, dtype=np.float32).reshape(4, 6).T]
    return [np.arange(48.0, dtype=np.float32).reshape(4, 12)[:, :6], np.arange(24.0, 72.0, dtype=np.float32).reshape(6, 8)[:, ::2]]


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    path = tmp_path_factory.mktemp("views") / "programs_with_placed_results.py"
    path.write_text(SOURCE)
    found_at = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(found_at)
    sys.modules[path.stem] = module
    found_at.loader.exec_module(module)
    return module, torchcc.compile_source(SOURCE)


def outcome(function, arrays, numbers, convert):
    """Values, what shares memory with what, strides of views; then everything again after writes."""
    try:
        results = function(*map(convert, arrays), *numbers)
    except (RuntimeError, IndexError, torchcc.ExecutionError, torchcc.CompileError) as error:
        if isinstance(error, torchcc.CompileError) and "view size" not in str(error):
            raise
        return "raises"
    flat = results if isinstance(results, tuple) else (results,)
    found = [v.numpy() if isinstance(v, torch.Tensor) else v for v in flat if v is not None]
    before = [v.tolist() for v in found]
    shared = [[bool(np.shares_memory(v, w)) for w in (*arrays, *found)] for v in found]
    strides = [
        [s for s, e in zip(v.strides, v.shape, strict=True) if e > 1] if v.size and any(own[:2]) else None
        for v, own in zip(found, shared, strict=True)
    ]
    for i, v in enumerate(found):
        if not any(s == 0 and e > 1 for s, e in zip(v.strides, v.shape, strict=True)):
            v[...] = v + (i + 1) * 1000
    return before, shared, strides, [v.tolist() for v in (*found, *arrays)]


@pytest.mark.parametrize("name", NAMES)
def test_results_are_the_views_that_pytorch_gives(name, modules):
    eager, compiled = modules
    raised = 0
    for kind in ("plain", "transposed", "part"):
        for numbers in NUMBERS:
            expected = outcome(getattr(eager, name), given(kind), numbers, torch.from_numpy)
            raised += expected == "raises"
            assert outcome(getattr(compiled, name), given(kind), numbers, np.asarray) == expected, (kind, numbers)
    assert raised < 3 * len(NUMBERS)


def test_tensors_of_pytorch_are_seen_through_their_own(modules):
    x = torch.arange(24.0).view(4, 6)[:, 1:].to(torch.bfloat16)
    row = modules[1].chosen(x, x, 0, 0, False)
    assert row.data_ptr() == x[1].data_ptr() and row.stride() == x[1].stride()
    row[0] = 9
    assert x[1, 0] == 9
    same, _ = modules[1].other_base(x, x, 0, 0, True)
    assert same is x


def test_arrays_of_another_byte_order_and_read_only_ones(modules):
    x = np.arange(24.0).reshape(4, 6).astype(">f4")
    row = modules[1].chosen(x, x, 0, 0, True)
    row[1] = 5
    assert x[0, 1] == 5 and row.dtype == x.dtype
    x.flags.writeable = False
    assert not modules[1].chosen(x, x, 0, 0, True).flags.writeable


def test_extents_known_at_run_time():
    rows = torchcc.Dim("rows")
    fn = torchcc.compile_source("from torch import Tensor\ndef f(x: Tensor, c: bool, n: int):\n  return x[n:].reshape(-1) if c else x.t()[n]\n").f
    compiled = fn.compile(x=torchcc.TensorSpec(torchcc.float32, (rows, 4)), c=True, n=1)
    for x in (np.zeros((3, 4), np.float32), np.zeros((4, 5), np.float32).T):
        found = compiled(x, True, 1)
        assert np.shares_memory(found, x) == x.flags.c_contiguous and found.shape == (4 * len(x) - 4,)


MODULE = """
import torch
from torch import nn, Tensor
class Net(nn.Module):
  def __init__(self):
    super().__init__()
    self.register_buffer("table", torch.arange(12.0).view(3, 4))
    self.weight = nn.Parameter(torch.ones(4))
    self.h = torch.zeros(4)
    self.parts = [torch.zeros(2), torch.ones(2)]
  def forward(self, x, i: int):
    return self.table[i] + x
  @torch.jit.export
  def row(self, i: int):
    return self.table[i]
  @torch.jit.export
  def own(self):
    return self.weight
  @torch.jit.export
  def pick(self, c: bool, i: int):
    return self.parts[i] if c else self.table[0, :2]
  @torch.jit.export
  def step(self, x, n: int):
    for i in range(n):
      self.h = self.h + x
    return self.h, self.h[n:]
  @torch.jit.export
  def keep(self, x, c: bool):
    self.h = x[0] if c else x[1]
    return self.h
"""


def test_what_a_module_gives_out_is_its_own():
    net = torchcc.compile_source(MODULE).Net()
    x = np.zeros(4, np.float32)
    assert net(x, 1).tolist() == [4, 5, 6, 7]
    net.row(1)[0] = 50
    assert net(x, 1).tolist() == [50, 5, 6, 7] and net.row(1)[0] == 50
    net.own()[:] = 3
    assert net.own().tolist() == [3, 3, 3, 3] and net.state_dict()["weight"].tolist() == [3, 3, 3, 3]
    net.pick(True, 1)[0] = 9
    net.pick(False, 0)[1] = 77
    assert net.pick(True, 1).tolist() == [9, 1] and net.row(0).tolist() == [0, 77, 2, 3]


def test_state_that_a_loop_may_have_replaced():
    net = torchcc.compile_source(MODULE).Net()
    x = np.ones(4, np.float32)
    for n in (0, 1, 2):
        h, part = net.step(x, n)
        assert np.shares_memory(h, part)
        h[-1] = 100
        assert net.step(x, 0)[0].tolist() == h.tolist()


def test_a_module_keeps_no_memory_of_the_caller():
    net = torchcc.compile_source(MODULE).Net()
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    row = net.keep(x, True)
    assert np.shares_memory(row, x)
    x[:] = 0
    assert net.step(x[0], 0)[0].tolist() == [0, 1, 2, 3]


def test_what_is_surely_new_costs_nothing():
    fn = torchcc.compile_source("from torch import Tensor\ndef f(x: Tensor, c: bool):\n  return x + 1 if c else x[0]\n").f
    _, signature = fn.specialise([torchcc.TensorSpec(torchcc.float32, (2, 3)), ScalarSpec(BOOL)])
    assert signature.placed
    fn = torchcc.compile_source("from torch import Tensor\ndef f(x: Tensor, c: bool):\n  return x + 1 if c else x * 2, x[1]\n").f
    _, signature = fn.specialise([torchcc.TensorSpec(torchcc.float32, (2, 3)), ScalarSpec(BOOL)])
    assert not signature.placed and len(signature.results) == 2 and len(signature.parameters) == 2
