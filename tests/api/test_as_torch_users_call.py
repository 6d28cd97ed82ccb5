"""Calls as users of PyTorch write them: torch tensors in, everything out; a module converted, walked over, saved."""

from __future__ import annotations

import io

import numpy as np
import pytest

import torchcc

pytestmark = pytest.mark.filterwarnings("ignore")

torch = pytest.importorskip("torch", reason="calls with torch tensors")

FUNCTIONS = """
import torch
from torch import Tensor
from typing import Dict, List, Optional, Tuple

def texts(x: Tensor, d: Dict[str, int]) -> Tuple[List[str], Dict[int, str], Tensor, List[int], Optional[str], List[Tensor]]:
    some: Optional[str] = None
    if x.sum() > 0:
        some = "yes"
    return [k + "!" for k in d], {v: k for k, v in d.items()}, x + 1, [v for v in d.values()], some, [row for row in x]

def cast(x: Tensor, dtype: torch.dtype) -> Tensor:
    return x.to(dtype)

def parts(x: Tensor) -> Tuple[Tensor, Tensor]:
    y = torch.complex(x, x * 2)
    return y.real, y.imag
"""

MODULES = """
import torch
from torch import Tensor, nn

def make(n, *sizes):
    return nn.Linear(n, sizes[0])

def shifted(x: Tensor) -> Tensor:
    return x + 1

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = make(2, 3, 4)
        self.act = nn.Sequential(nn.ReLU())
        self.register_buffer("scale", torch.ones(3))
        self.register_buffer("extra", torch.full((1,), 2.0), persistent=False)
        self.register_buffer("steps", torch.zeros(1, dtype=torch.int64))

    def forward(self, x: Tensor, k: int = 1) -> Tensor:
        return self.act(self.fc(shifted(x)) * self.scale + k) * self.extra

class Exports(nn.Module):
    def __init__(self):
        super().__init__()
        self.k = 3

    @torch.jit.export
    def run(self, x: Tensor) -> Tensor:
        return x + self.k

    @torch.jit.export
    def again(self, x: Tensor) -> Tensor:
        return self.run(self.run(x))
"""


@pytest.fixture(scope="module")
def functions():
    return torchcc.compile_source(FUNCTIONS)


@pytest.fixture(scope="module")
def modules():
    return torchcc.compile_source(MODULES)


def test_text_beside_torch_tensors(functions):
    words, table, x, numbers, some, rows = functions.texts(torch.ones(2, 2), {"a": 1, "bc": 2})
    assert (words, table, numbers, some) == (["a!", "bc!"], {1: "a", 2: "bc"}, [1, 2], "yes")
    assert isinstance(x, torch.Tensor) and [type(r) for r in rows] == [torch.Tensor] * 2


@pytest.mark.parametrize("dtype", [torch.float64, torch.int32, torchcc.float64, 7])
def test_dtypes_as_arguments(functions, dtype):
    assert functions.cast(torch.ones(2), dtype).dtype == (torch.int32 if dtype is torch.int32 else torch.float64)


@pytest.mark.parametrize("make", [torch.tensor, lambda v: np.array(v, np.float32)], ids=["torch", "numpy"])
def test_parts_of_a_new_complex_tensor(functions, make):
    """Views of another dtype, over memory that nobody else is given."""
    real, imag = functions.parts(make([1.0, 3.0]))
    assert str(real.dtype).endswith("float32") and real.tolist() == [1.0, 3.0] and imag.tolist() == [2.0, 6.0]


def test_converted_modules(modules):
    net = modules.Net()
    before = net(np.ones((1, 2), np.float32))
    assert net.double() is net and net.to("cpu") is net and net.cpu() is net
    assert {str(p.dtype) for p in net.parameters()} == {"float64"} and str(net.steps.dtype) == "int64"
    after = net(np.ones((1, 2)))
    assert after.dtype == np.float64
    np.testing.assert_allclose(after, before, rtol=1e-6)
    for dtype in (torch.float32, torchcc.float32):
        assert str(net.half().fc.weight.dtype) == "float16" and str(net.to(dtype).fc.weight.dtype) == "float32"
    assert str(net.to(torch.device("cpu"), torch.bfloat16).float().scale.dtype) == "float32"
    with pytest.raises(torchcc.CompileError, match="cuda"):
        net.to("cuda")
    with pytest.raises(torchcc.CompileError, match="floating"):
        net.to(torch.int64)


def test_apply_and_save(modules, tmp_path):
    net = modules.Net()
    names = []
    assert net.apply(lambda m: names.append(m.original_name)) is net
    assert names == ["Linear", "ReLU", "Sequential", "Net"]
    assert net.zero_grad() is None
    net.save(tmp_path / "net.pt", {"note": "hi"})
    x = torch.ones(1, 2)
    assert torch.allclose(torch.jit.load(tmp_path / "net.pt")(x, 1), net(x))


def test_signatures(functions, modules):
    assert str(functions.cast.schema) == "cast(Tensor x, int dtype) -> Tensor"
    assert str(modules.Net().forward.schema) == "forward(__torch__.Net self, Tensor x, int k=1) -> Tensor"


def test_weights_of_a_scripted_module(modules):
    """PyTorch forgets, when it scripts a module, which buffers do not persist: they are in its state_dict."""
    net = modules.Net()
    state = {n: np.array(a) for n, a in net.state_dict().items()}
    assert set(state) == {"fc.weight", "fc.bias", "scale", "extra", "steps"}
    other = modules.Net(weights={**state, "extra": np.array([5.0], np.float32)})
    assert other.extra.tolist() == [5.0]
    del state["extra"]
    assert modules.Net(weights=state).extra.tolist() == [2.0]


def test_module_without_forward(modules):
    net = modules.Exports()
    assert net.again(np.ones(1, np.float32)).tolist() == [7.0] and net.k == 3
    with pytest.raises(AttributeError, match="forward"):
        net(np.ones(1, np.float32))


def test_a_file_with_a_module_without_forward(tmp_path):
    (tmp_path / "exports.py").write_text(MODULES)
    net = torchcc.compile_file(tmp_path / "exports.py", "Exports")
    assert net.run(np.ones(1, np.float32)).tolist() == [4.0]
    run = torchcc.compile_file(tmp_path / "exports.py", "Exports().again")
    assert run(np.ones(1, np.float32)).tolist() == [7.0]


def test_functions_that_only_make_modules(modules):
    assert modules.shifted(np.ones(1, np.float32)).tolist() == [2.0]
    with pytest.raises(torchcc.CompileError, match="variable number"):
        _ = modules.make
    with pytest.raises(AttributeError, match="shifted"):
        _ = modules.unknown
    with pytest.raises(torchcc.CompileError, match="variable number"):
        torchcc.compile_source("def make(n, *sizes):\n    return n\n")


def test_extra_files_in_memory(modules):
    stream = io.BytesIO()
    modules.Net().save(stream, {"note": b"hi"})
    files = {"note": "", "none": "x"}
    torchcc.load(stream.getvalue(), extra_files=files)
    assert files == {"note": b"hi", "none": b""}


def test_a_conjugate_view_is_written_in_place():
    def conjugated():
        return torch.conj(torch.tensor([1 + 2j, 3 - 1j]))

    function = torchcc.compile_source("from torch import Tensor\ndef f(x: Tensor) -> Tensor:\n    return x.mul_(2j)\n").f
    ours, theirs = conjugated(), conjugated()
    function(ours)
    theirs.mul_(2j)
    assert torch.equal(ours.resolve_conj(), theirs.resolve_conj())
