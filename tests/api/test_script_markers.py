"""`torchcc.script` of functions that call what PyTorch's decorators mark."""

import importlib.util
import sys

import pytest

import torchcc

SOURCE = """
import torch
from torch import Tensor

@torch.jit.unused
def never(x: int) -> int:
    return x.nonsense

@torch.jit.interface
class Step:
    def go(self, x: Tensor) -> Tensor: pass

class Add:
    def __init__(self, k: int): self.k = k
    def go(self, x: Tensor) -> Tensor: return x + self.k

def run(step: Step, x): return step.go(x)

def guarded(x: int):
    if x > 5: return never(x)
    return x

def stepped(x): return run(Add(3), x)
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_decorators_of_what_is_called(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch", reason="the functions are of a file that imports it")
    path = tmp_path / "marked_functions.py"
    path.write_text(SOURCE)
    loader = importlib.util.spec_from_file_location("marked_functions", path)
    module = importlib.util.module_from_spec(loader)
    monkeypatch.setitem(sys.modules, loader.name, module)
    loader.loader.exec_module(module)
    guarded = torchcc.script(module.guarded)
    assert guarded(2) == 2
    with pytest.raises(torchcc.ExecutionError, match="annotated to be ignored"):
        guarded(9)
    assert torch.equal(torch.as_tensor(torchcc.script(module.stepped)(torch.ones(2))), torch.full((2,), 4.0))


def test_keyword_only_parameters_in_archives(tmp_path):
    """PyTorch reads what is written: no `*`, all arguments of calls by position, NamedTuples by their names."""
    torch = pytest.importorskip("torch", reason="loads what is written")
    text = (
        "from typing import NamedTuple\nimport torch.nn as nn\nclass P(NamedTuple):\n  n: int\n  k: int = 2\n"
        "def g(x: int, y: int = 3, *, z: int): return x * y + z\n"
        "def h(x: int, p: P = P(1)): return x * p.k\n"
        "class M(nn.Module):\n  def forward(self, x, n: int): return x + g(n, z=2) + g(n, 4, z=1) + h(n) + h(n, P(1, 5))\n"
    )
    path = tmp_path / "model.pt"
    torchcc.save(torchcc.compile_source(text, "keywords.py").M(), str(path))
    assert torch.jit.load(str(path))(torch.ones(1), 2).item() == 1 + 8 + 9 + 4 + 10
