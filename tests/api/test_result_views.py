"""What callers see of memory: results that are views of arguments and of one another, and arguments that change their shape.

Each function is called in PyTorch, and compiled with torch tensors and with numpy arrays; then all results are written to, and
arguments and results have to be the same everywhere.
"""

import contextlib
import importlib.util
import sys

import numpy as np
import pytest

import torchcc

torch = pytest.importorskip("torch", reason="compares with PyTorch")

SOURCE = """import torch
from torch import Tensor
from typing import List
def ident(x: Tensor):
  return x
def row(x: Tensor, i: int):
  return x[i]
def many(x: Tensor, y: Tensor):
  z = x + 1
  return x.t(), z, z[1:], x[:, 1:].unsqueeze(0), z.view(-1), y.expand(3, 4), x.view_as(z), z.expand_as(x), x.diagonal()
def in_place(x: Tensor):
  x.add_(1)
  return x.view(-1), x
def unsqueezed(x: Tensor):
  x.unsqueeze_(0)
  return x.shape
def transposed(x: Tensor):
  x.t_()
  x[0] = 5.0
  return x
def parts(l: List[Tensor]):
  a, b = l[1].chunk(2)
  return [l[0][0], b, a]
def strides(x: Tensor):
  return x.stride(), x.is_contiguous(), x.reshape(-1), x.storage_offset()
def viewed(x: Tensor):
  return x.view(-1)
def reshaped(x: Tensor):
  y = x.reshape(-1)
  y[0] = 100.0
  return y
def made_contiguous(x: Tensor):
  z = x.contiguous()
  z[0] = 7.0
  return z
def chosen(x: Tensor, i: int):
  if i > 0:
    return x + 1
  return x * 2
"""


def matrix():
    return torch.arange(12.0).view(3, 4)


def column_major():
    return matrix().t()


CALLS = {
    "ident": [(matrix,), (column_major,)],
    "row": [(matrix, 1), (matrix, -1), (column_major, 0)],
    "many": [(matrix, lambda: torch.arange(4.0))],
    "in_place": [(matrix,), (lambda: torch.arange(48.0).view(3, 16)[:, :4],)],
    "unsqueezed": [(matrix,)],
    "transposed": [(lambda: torch.arange(9.0).view(3, 3),), (matrix,)],
    "parts": [(lambda: [torch.arange(6.0).view(2, 3), torch.arange(4.0)],)],
    "strides": [(matrix,), (column_major,), (lambda: matrix()[:, ::2],)],
    "viewed": [(matrix,), (column_major,)],
    "reshaped": [(matrix,), (column_major,)],
    "made_contiguous": [(matrix,), (column_major,), (lambda: matrix()[:, ::2],)],
    "chosen": [(matrix, 1), (matrix, 0)],
}


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    path = tmp_path_factory.mktemp("views") / "programs_with_views.py"
    path.write_text(SOURCE)
    found_at = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(found_at)
    sys.modules[path.stem] = module
    found_at.loader.exec_module(module)
    return module, torchcc.compile_source(SOURCE)


def as_numpy(value):
    if isinstance(value, list):
        return [as_numpy(v) for v in value]
    return value.numpy() if isinstance(value, torch.Tensor) else value


def flat(value):
    return [v for part in value for v in flat(part)] if isinstance(value, list | tuple) else [value]


def listed(values):
    return [v.tolist() if isinstance(v, torch.Tensor | np.ndarray) else v for v in flat(values)]


def outcome(function, arguments):
    """What is in arguments and results when each result has been written to."""
    try:
        results = function(*arguments)
    except (RuntimeError, torchcc.CompileError, torchcc.ExecutionError) as error:
        return "raises" if "view size is not compatible" in str(error) else str(error)
    for i, result in enumerate(flat(results)):
        if isinstance(result, torch.Tensor | np.ndarray):
            with contextlib.suppress(RuntimeError, ValueError):  # expanded
                result[...] = result + (i + 1) * 1000
    return listed(arguments), listed(results)


@pytest.mark.parametrize("name", CALLS)
def test_callers_see_what_they_see_in_pytorch(name, modules):
    eager, compiled = modules
    for given in CALLS[name]:
        made = [[g() if callable(g) else g for g in given] for _ in range(3)]
        expected = outcome(getattr(eager, name), made[0])
        assert outcome(getattr(compiled, name), made[1]) == expected, given
        if name != "transposed":  # numpy has no arrays whose strides change
            assert outcome(getattr(compiled, name), [as_numpy(a) for a in made[2]]) == expected, given


def test_an_argument_comes_back_as_itself(modules):
    x, y = matrix(), matrix().numpy()
    assert modules[1].ident(x) is x and modules[1].ident(y) is y


def test_an_array_that_cannot_change_its_strides(modules):
    with pytest.raises(ValueError, match="changes its shape in place"):
        modules[1].transposed(matrix().numpy())


def test_a_shape_known_only_at_run_time():
    source = "def f(x: Tensor, c: bool, n: int):\n  if n > 1:\n    x.unsqueeze_(0)\n  return n\n"
    with pytest.raises(torchcc.CompileError, match="only known at run time"):
        torchcc.compile_source("from torch import Tensor\n" + source).f(matrix(), True, 2)


def test_a_buffer_that_is_returned():
    source = """
import torch
from torch import nn
class Net(nn.Module):
  def __init__(self):
    super().__init__()
    self.register_buffer("total", torch.zeros(3))
    self.last = torch.zeros(3)
  def forward(self, x):
    self.total += x
    self.last = x + 1
    return self.total, self.last, self.total[1:]
"""
    net = torchcc.compile_source(source).Net()
    for _ in range(2):
        total, last, part = net(np.ones(3, np.float32))
    assert total.tolist() == [2, 2, 2] and part.base is not None
    part[0] = 50
    assert total.tolist() == [2, 50, 2]
    assert net(np.ones(3, np.float32))[0].tolist() == [3, 51, 3] and total.tolist() == [3, 51, 3]
    assert last.tolist() == [2, 2, 2]


def test_the_first_elements_of_an_argument():
    """Strides and start are those of the argument, only the extents are not."""
    source = "import torch\nfrom torch import Tensor\ndef f(x: Tensor, n: Tensor):\n  k = int(n[0])\n  return x[0:k], x[:, :k], x[:k, : k + 1]\n"
    f = torchcc.compile_source(source).f
    x = torch.arange(12.0).reshape(3, 4)
    for found, expected in zip(f(x, torch.tensor([2])), (x[:2], x[:, :2], x[:2, :3]), strict=True):
        assert found.tolist() == expected.tolist()
    found = f(x.numpy(), np.array([2]))[2]
    found[1, 2] = 50
    assert found.tolist() == [[0, 1, 2], [4, 5, 50]] and x[1, 2] == 50
