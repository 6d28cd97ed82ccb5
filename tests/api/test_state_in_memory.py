"""Buffers that are written where only the run time knows which: all calls leave what PyTorch leaves."""

import importlib.util
import sys

import numpy as np
import pytest

import torchcc

PRELUDE = """import torch
import torch.nn as nn
from torch import Tensor
from typing import Dict, List, Optional, Tuple
class M(nn.Module):
  def __init__(self):
    super().__init__()
    self.register_buffer('a', torch.arange(3.0))
    self.register_buffer('b', torch.ones(3))
    self.register_buffer('m', torch.arange(9.0).view(3, 3))
    self.l: List[Tensor] = [torch.zeros(3), torch.ones(3)]
  def forward(self, x: Tensor, n: int, c: bool):
"""

FORWARD = {
"choice": "    z = self.a if c else self.b\n    z.add_(x)\n    return z * 1",
"list": "    l = [self.a, self.b]\n    for i in range(n):\n      l[i % 2].add_(x)\n    return self.a + self.b",
"rtlist": "    l: List[Tensor] = []\n    for i in range(n + 1):\n      l.append(self.a if i % 2 == 0 else self.b)\n    for t in l:\n      t.mul_(0.5)\n      t.add_(x)\n    return l[-1]",
"view": "    v = self.m[0] if c else self.m[:, 0]\n    v.add_(x)\n    return self.m.sum()",
"rebind": "    if c:\n      self.a = self.b\n    self.a.add_(x)\n    return self.a * 1, self.b * 1",
"attr_list": "    self.l[n % 2].add_(x)\n    return self.l[0] + self.l[1]",
"attr_list_loop": "    for t in self.l:\n      t.add_(x)\n    return self.l[0] + self.l[1]",
"store": "    z = x + 1 if c else x * 1\n    self.a = z\n    z.add_(1)\n    return self.a * 1",
"param": "    z = x if c else self.a\n    w = z.clone()\n    w.add_(1)\n    return w, z * 1",
"arg_choice": "    z = x if c else self.a\n    z.add_(1)\n    return z * 1",
"walk": "    v = self.a\n    for i in range(n):\n      v.mul_(2)\n      v = self.b\n    return self.a + self.b",
"unused": "    z = self.a if c else self.b\n    return z + x",
}

CALLS = ((1, True), (2, False), (3, True), (0, False))


@pytest.mark.parametrize("name", FORWARD)
def test_calls_leave_what_pytorch_leaves(name, tmp_path):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    path = tmp_path / f"state_{name}.py"
    path.write_text(PRELUDE + FORWARD[name])
    found_at = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(found_at)
    sys.modules[path.stem] = module
    found_at.loader.exec_module(module)
    expected, own = module.M(), torchcc.compile_source(PRELUDE + FORWARD[name]).M()
    for k, (n, c) in enumerate(CALLS):
        x = np.full(3, k + 1, np.float32)
        given = torch.from_numpy(x.copy())
        e, g = expected(given, n, c), own(x, n, c)
        for a, b in zip(e if isinstance(e, tuple) else (e,), g if isinstance(g, tuple) else (g,), strict=True):
            np.testing.assert_allclose(a.numpy(), b)
        np.testing.assert_allclose(x, given.numpy())
        state = own.state_dict()
        for path_of, tensor in expected.state_dict().items():
            np.testing.assert_allclose(np.asarray(state[path_of]), tensor.numpy(), err_msg=path_of)
