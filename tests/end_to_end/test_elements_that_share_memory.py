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
