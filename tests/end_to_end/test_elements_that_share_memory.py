"""Lists, dicts and objects of tensors that are returned whole: what shares memory with what, against PyTorch.

As in `test_results_that_may_be_views.py`: values and shared memory, then a write to every tensor, and the same again.
"""

import importlib.util
import sys

import numpy as np
import pytest

import torchcc
from torchcc.ir.script_types import BOOL, INT
from torchcc.ir.signature import ScalarSpec

torch = pytest.importorskip("torch", reason="compares with PyTorch")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SOURCE = """import torch
from torch import Tensor
from typing import Dict, List, Optional, Tuple
def ident(x: Tensor):
  return x
def row(x: Tensor, k: int):
  return x[k]
def pair(x: Tensor, k: int):
  return x[k], x * 2
def list_rows(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  l: List[Tensor] = []
  for k in range(n):
    l.append(x[k])
  return l
def list_mixed(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  l = [x]
  for k in range(n):
    l.append(x if c else x * 2)
  return l, l[-1]
def list_same(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  z = x * 2
  l = [z]
  for k in range(n):
    l.append(z[k:])
  return l
def list_new_each(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  l: List[Tensor] = []
  for k in range(n):
    z = x[k] + 1
    l.append(z)
    l.append(z[1:])
  return l
def list_elem_written(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  l: List[Tensor] = []
  for k in range(n):
    l.append(x[k])
    l[-1].add_(1)
  return l
def list_list(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  l: List[List[Tensor]] = []
  for k in range(n):
    l.append([x[k], y[:, k]])
  return l
def list_tuple(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  l: List[Tuple[int, Tensor]] = []
  for k in range(n):
    l.append((k, x.t()[k]))
  return l
def dict_rows(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  d: Dict[int, Tensor] = {}
  for k in range(n):
    d[k * 2] = x[k]
  return d
def dict_str(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  d: Dict[str, Tensor] = {}
  for k in range(n):
    d[str(k)] = y[k:]
  return d
def list_opt(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  l: List[Optional[Tensor]] = []
  for k in range(n):
    l.append(x[k] if k % 2 == 0 else None)
  return l
def unbind_list(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  return x[:n].unbind(0)
def fork_list(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  fs = [torch.jit.fork(row, x, k) for k in range(n)]
  return [torch.jit.wait(f) for f in fs]
def list_from_args(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  l = [x, x]
  for k in range(n):
    l = l + [x[k:]]
  return l[i:]
def list_of_reversed(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  l = [x[k] for k in range(n)]
  l.reverse()
  m = l.copy()
  return l, m
def list_and_carried(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  h = x[0]
  l: List[Tensor] = []
  for k in range(n):
    h = h * 2
    l.append(h)
  return l, h
def list_of_new(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  l: List[Tensor] = []
  for k in range(n):
    l.append(x[k] * 2)
  return l
def picked_future(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  fs = [torch.jit.fork(row, x, k % 4) for k in range(n + 2)]
  return torch.jit.wait(fs[i])
def picked_future_of_pairs(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  fs = [torch.jit.fork(pair, x, k % 4) for k in range(n + 2)]
  a, b = torch.jit.wait(fs[i])
  return b, a
def futures_that_may_be_one(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  fs = [torch.jit.fork(row, x * k, 1) for k in range(n + 2)]
  a = torch.jit.wait(fs[i])
  b = torch.jit.wait(fs[i + n - 2])
  return a, b[1:]
def elements_that_may_be_one(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  l = [x * 2, x * 3]
  for k in range(n):
    l.append(x * k)
  return l[i], l[i + n - 2][1:]
def put_and_taken(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  h = x * 2
  l = [h]
  for k in range(n):
    h = h + 1
    l.append(h)
  return l[i % len(l)], h
def two_of_dict(x: Tensor, y: Tensor, i: int, n: int, c: bool):
  d: Dict[int, Tensor] = {}
  for k in range(n + 2):
    d[k] = x * k
  v = d[0]
  if i in d:
    v = d[i]
  return v, d[1], v[0]
"""

NUMBERS = [(0, 2, True), (1, 0, False), (1, 3, False)]
NAMES = [line.split("(")[0][4:] for line in SOURCE.splitlines() if line.startswith("def ") and "i: int, n: int" in line]


def given(kind):
    if kind == "plain":
        return [np.arange(24.0, dtype=np.float32).reshape(4, 6), np.arange(24.0, 48.0, dtype=np.float32).reshape(6, 4)]
    return [np.arange(24.0, dtype=np.float32).reshape(6, 4).T, np.arange(24.0, 72.0, dtype=np.float32).reshape(6, 8)[:, ::2]]


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    path = tmp_path_factory.mktemp("views") / "programs_with_placed_elements.py"
    path.write_text(SOURCE)
    found_at = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(found_at)
    sys.modules[path.stem] = module
    found_at.loader.exec_module(module)
    return module, torchcc.compile_source(SOURCE)


def tensors(value):
    if isinstance(value, list | tuple | dict):
        return [t for v in (value.values() if isinstance(value, dict) else value) for t in tensors(v)]
    return [value] if isinstance(value, np.ndarray | torch.Tensor) else []


def outcome(results, arrays):
    found = [np.asarray(t) for t in tensors(results)]
    before = [v.tolist() for v in found]
    shared = [[bool(np.shares_memory(v, w)) for w in (*arrays, *found)] for v in found]
    for i, v in enumerate(found):
        v[...] = v + (i + 1) * 1000
    return before, shared, [v.tolist() for v in (*found, *arrays)]


@pytest.mark.parametrize("name", NAMES)
def test_elements_share_the_memory_that_they_share_in_pytorch(name, modules):
    eager, compiled = modules
    for kind in ("plain", "strided"):
        for numbers in NUMBERS:
            own, others, same = given(kind), given(kind), given(kind)
            expected = outcome(getattr(eager, name)(*map(torch.from_numpy, own), *numbers), own)
            assert outcome(getattr(compiled, name)(*others, *numbers), others) == expected, (kind, numbers)
            assert outcome(getattr(compiled, name)(*map(torch.from_numpy, same), *numbers), same) == expected, (kind, numbers)


def test_lists_of_new_tensors_cost_nothing():
    call = torchcc.compile_source(SOURCE).list_of_new
    x, y = (torchcc.TensorSpec(torchcc.float32, shape) for shape in ((4, 6), (6, 4)))
    integer = ScalarSpec(INT)
    _, signature = call.specialise([x, y, integer, integer, ScalarSpec(BOOL)])
    assert not signature.placed_columns


OF_LISTS = """from torch import Tensor
from typing import Dict, List, Optional, Tuple
def picked(l: List[Tensor], i: int):
  return l[i]
def whole(l: List[Tensor], i: int):
  return l
def slices(l: List[Tensor], i: int):
  return l[i:], l[i][1:]
def rows(l: List[Tensor], i: int):
  m: List[Tensor] = []
  for t in l:
    m.append(t[0])
  return m
def reshaped(l: List[Tensor], i: int):
  return l[i].reshape(-1), l[i].t()[1], l[i].reshape(3, 2)
def last(l: List[Tensor], i: int):
  h = l[0]
  for t in l:
    h = t
  return h, l[i:i + 3] + [h * 2]
"""


@pytest.fixture(scope="module")
def functions_of_lists(tmp_path_factory):
    path = tmp_path_factory.mktemp("views") / "programs_that_take_lists.py"
    path.write_text(OF_LISTS)
    found_at = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(found_at)
    sys.modules[path.stem] = module
    found_at.loader.exec_module(module)
    return module, torchcc.compile_source(OF_LISTS)


@pytest.mark.parametrize("name", [line.split("(")[0][4:] for line in OF_LISTS.splitlines() if line.startswith("def ")])
def test_elements_of_long_lists_are_given_back(name, functions_of_lists):
    eager, compiled = functions_of_lists
    layouts = (np.asarray, np.asfortranarray, lambda a: np.repeat(a, 2, 1)[:, ::2])
    for layout in layouts:
        arrays = [[layout(np.arange(6, dtype=np.float32).reshape(2, 3) + 10 * k) for k in range(20)] for _ in range(3)]
        expected = outcome(getattr(eager, name)([torch.from_numpy(a) for a in arrays[0]], 1), arrays[0])
        assert outcome(getattr(compiled, name)(arrays[1], 1), arrays[1]) == expected
        assert outcome(getattr(compiled, name)([torch.from_numpy(a) for a in arrays[2]], 1), arrays[2]) == expected


MODULE = """
import torch
from typing import List
from torch import nn, Tensor
class Net(nn.Module):
  def __init__(self):
    super().__init__()
    self.register_buffer("table", torch.arange(12.0).view(3, 4))
    self.register_buffer("row", torch.zeros(4))
  def forward(self, x: Tensor, n: int):
    l: List[Tensor] = []
    for k in range(n):
      l.append(self.table[k] if k % 2 == 0 else x[k])
    return l
  @torch.jit.export
  def picked(self, x: Tensor, n: int):
    l = [x[0]]
    for k in range(n):
      l.append(self.row)
    return l[n]
  @torch.jit.export
  def total(self, x: Tensor):
    return self.table + self.row
"""


def test_tensors_of_the_module_in_lists_are_its_own():
    net = torchcc.compile_source(MODULE).Net()
    x = np.zeros((3, 4), np.float32)
    rows = net(x, 3)
    for i, row in enumerate(rows):
        row += 100 * i
    net.picked(x, 2)[:] += 7
    assert net.total(x).tolist() == [[7, 8, 9, 10], [11, 12, 13, 14], [215, 216, 217, 218]]
    assert x.tolist() == [[0] * 4, [100] * 4, [0] * 4]
