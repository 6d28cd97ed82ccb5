"""Writes through views of views, and tensors kept in lists, dicts and optionals that are changed later: as `torch.jit.script` has it.

Compared are results, the argument afterwards, and what shares memory with what.
"""

import importlib.util
import sys

import numpy as np
import pytest

import torchcc
from torchcc import driver
from torchcc.frontend.compile import compile_text
from torchcc.ir.dtypes import DType
from torchcc.ir.printer import print_module
from torchcc.ir.signature import Dim, TensorSpec

torch = pytest.importorskip("torch", reason="compares with PyTorch")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SOURCE = """import torch
from torch import Tensor
from typing import Dict, List, Optional
def turned(x: Tensor, n: int):
    v = x.t()[n:]
    for j in range(v.size(0)):
        for i in range(v.size(1)):
            v[j][i] += float(i + n * j) + v[j][i - 1]
    return v
def part_of_part(x: Tensor, n: int):
    v = x[1:, 1:]
    for i in range(v.size(0)):
        for j in range(v.size(1) - 1):
            v[i, j:j + 2].mul_(2.0)
            v[i][j] = v[i - 1, j] + float(n)
    return v, x
def stepped(x: Tensor, n: int):
    v = x[:, ::2].permute(1, 0)
    for k in range(n):
        v[k, 1:][0] = 7.0
        v[k + 1:, k] = v[0, 0]
    return x
def turned_twice(x: Tensor, n: int):
    z = torch.zeros(2, x.size(0), x.size(1))
    v = z.permute(2, 0, 1)
    for k in range(n):
        v[k, 1, 1:].add_(x[1:, k])
        v[k + 1][0] = x[:, k]
    return z
def replaced_in_dict(x: Tensor, n: int):
    d: Dict[str, Tensor] = {"a": x[0], "b": x[:, 0]}
    e: Dict[int, List[int]] = {0: [n]}
    old = e[0]
    e[0] += [1]
    d["a"] += 1.0
    d["b"] *= 2.0
    d["a"][1] += 5.0
    return d, len(old), e[0]
def moved_in_list(x: Tensor, n: int):
    beams = [torch.zeros(5) for _ in range(3)]
    for k in range(n):
        b = beams[k % 3]
        b.add_(x[k])
        beams[(k + 1) % 3] = b
    return beams
def first_of_many(x: Tensor, n: int):
    o: Optional[Tensor] = None
    for k in range(n):
        if o is None:
            o = x[k]
        else:
            o += x[k]
    if o is not None:
        o[0] = 5.0
        return o
    return x
"""

NAMES = [line.split("(")[0][4:] for line in SOURCE.splitlines() if line.startswith("def ")]


@pytest.fixture(scope="module")
def functions(tmp_path_factory):
    path = tmp_path_factory.mktemp("views") / "programs_with_views_of_views.py"
    path.write_text(SOURCE)
    found_at = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(found_at)
    sys.modules[path.stem] = module
    found_at.loader.exec_module(module)
    return module, torchcc.compile_source(SOURCE)


def leaves(value):
    if isinstance(value, list | tuple):
        return [leaf for v in value for leaf in leaves(v)]
    return leaves(list(value.items())) if isinstance(value, dict) else [value]


def outcome(result, x):
    found = [np.asarray(v) if isinstance(v, torch.Tensor) else v for v in leaves(result)]
    tensors = [v for v in found if isinstance(v, np.ndarray)]
    shared = [[bool(np.shares_memory(v, w)) for w in (x, *tensors)] for v in tensors]
    return [v.tolist() if isinstance(v, np.ndarray) else v for v in found], x.tolist(), shared


@pytest.mark.parametrize("name", NAMES)
def test_computes_what_pytorch_does(name, functions):
    eager, compiled = functions
    scripted = torch.jit.script(getattr(eager, name))
    for n in (0, 2):
        given = [np.arange(20, dtype=np.float32).reshape(4, 5) for _ in range(2)]
        expected = outcome(scripted(torch.from_numpy(given[0]), n), given[0])
        assert outcome(getattr(compiled, name)(given[1], n), given[1]) == expected


ELEMENTS = """from torch import Tensor
def turned(x: Tensor):
    v = x.t()
    for j in range(v.size(0)):
        for i in range(v.size(1)):
            v[j][i] += 1.0
    return x
def part(x: Tensor):
    v = x[1:, 1:]
    for i in range(v.size(0)):
        for j in range(v.size(1)):
            v[i][j] = float(i)
            v[i][j] = v[i][j] * 2.0
    return x
"""


@pytest.mark.parametrize("shape", [(40, 50), (Dim("m"), Dim("n"))], ids=["static", "dynamic"])
@pytest.mark.parametrize("name", ["turned", "part"])
def test_elements_are_put_into_the_tensor_itself(name, shape):
    program = compile_text(ELEMENTS, entry=name)
    text = print_module(driver.lower(program, [TensorSpec(DType.float32, shape)]).modules["linalg"])
    assert 'iterator_types = ["parallel", "parallel"]' not in text
    written = [line for line in text.splitlines() if "tensor.insert_slice" in line]
    assert written and all("tensor<f32> into tensor" in line and "[1, 1] [1, 1]" in line for line in written), written


SMALL = """from torch import Tensor
def f(x: Tensor, y: Tensor):
  v1 = y.unsqueeze(0).squeeze()
  y.mul_(2)
  x.t()[0] += 4
  v2 = y.permute(1, 0)
  v3 = v2.abs()
  v2[-3].mul_(3)
  v4 = v1[-3]
  y -= v3 * 2
  v5 = v1.flatten()
  return v4, v3, v5
"""


def test_blocks_that_a_vectoriser_of_llvm_stumbles_over():
    """Of the same matrix twice: LLVM 22 ended the process for it."""
    x = np.arange(16, dtype=np.float32).reshape(4, 4)
    last = torchcc.compile_source(SMALL).f(x, x)[2]
    other = torch.arange(16, dtype=torch.float32).reshape(4, 4)
    names = {}
    exec(SMALL, names)
    assert last.tolist() == names["f"](other, other)[2].tolist()
