"""Programs and calls of users who put torchcc where they had torch.jit, next to what PyTorch gives for them."""

from __future__ import annotations

import importlib.util
import io
import math
import sys

import numpy as np
import pytest

import torchcc

pytestmark = pytest.mark.filterwarnings("ignore")

FUNCTIONS = """
import cmath, math
import torch
from torch import Tensor
from typing import Any, List

def twice(c: complex = 2 - 3j) -> complex:
    return c * 2

def part(x: Any) -> complex:
    if isinstance(x, complex):
        return x
    if isinstance(x, List[complex]):
        return x[0]
    return 0j

def reals(c: complex, x: float, n: int):
    return int(c), float(c), cmath.phase(x), cmath.phase(n)

def found(a: float, values: List[float]):
    return a in [a, 1.0], a in values, [a] == [a], values.count(a)

def double(x: Tensor, n: int) -> Tensor:
    return x * n

def contexts(x: Tensor) -> Tensor:
    torch._assert(x.size(0) > 1, f"rows: {x.size(0)}")
    with torch.autograd.profiler.record_function("part") as span, torch.no_grad() as nothing:
        y = x + 1
    return torch.jit._wait(torch.jit._fork(double, y, 3))

def names(x: Tensor, y: Tensor) -> Tensor:
    return torch.multiply(torch.absolute(x), torch.special.expit(y)).clip_(0.0, 1.0)
"""


@pytest.fixture(scope="module")
def functions():
    return torchcc.compile_source(FUNCTIONS)


def test_complex_numbers_at_the_boundary(functions):
    assert functions.twice(np.array(1 + 1j)) == 2 + 2j and functions.twice() == 4 - 6j
    assert str(functions.twice.schema) == "twice(complex c=2.-3.j) -> complex"
    assert [functions.part(v) for v in (2j, [1j, 2], 3, "a", [1])] == [2j, 1j, 0j, 0j, 0j]


def test_complex_numbers_become_real(functions):
    assert functions.reals(2.5 + 0j, -2.0, 3) == (2, 2.5, math.pi, 0.0)
    assert functions.reals(1.0, -0.0, -3) == (1, 1.0, math.pi, math.pi)
    assert functions.reals(1.0, math.nan, 1)[2] == 0.0
    with pytest.raises(torchcc.ExecutionError, match="without overflow"):
        functions.reals(1 + 2j, 1.0, 1)


def test_nan_is_in_no_list(functions):
    assert functions.found(math.nan, [math.nan]) == (False, False, False, 0)
    assert functions.found(1.0, [1.0]) == (True, True, True, 1)


def test_contexts_assertions_and_forks(functions):
    assert functions.contexts(np.ones(2, np.float32)).tolist() == [6.0, 6.0]
    with pytest.raises(torchcc.ExecutionError, match="rows: 1"):
        functions.contexts(np.ones(1, np.float32))


def test_graphs_have_the_first_name_of_each_operator(functions):
    text = functions.names.graph
    assert text.startswith("graph(%x : Tensor,\n      %y : Tensor):\n")
    for name in ("abs(", "sigmoid(", "mul(", "clamp_("):
        assert f"= aten::{name}" in text


MODULES = """
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence
from typing import Optional, Tuple

class Either(nn.Module):
    @torch.jit._overload_method
    def forward(self, x: Tuple[Tensor, Tensor]) -> Tensor: pass
    @torch.jit._overload_method
    def forward(self, x: Tensor) -> Tensor: pass
    def forward(self, x):
        if isinstance(x, Tensor):
            return x
        else:
            return x[0] * x[1]

class Old(torch.jit.ScriptModule):
    __constants__ = ["k"]

    def __init__(self, k: int):
        super().__init__()
        self.k = k
        self.w = nn.Parameter(torch.ones(2))

    @torch.jit.script_method
    def forward(self, x):
        return x * self.w * self.k

    @torch.jit.script_method
    def plus(self, x, n: int = 1):
        return self.forward(x) + n

    def only_python(self, x):
        return x.anything()

class Net(nn.Module):
    __jit_ignored_attributes__ = ["strange"]

    def __init__(self):
        super().__init__()
        self.either = Either()
        self.old = Old(3)
        self.c = 1 + 2j
        self.rows = [5, 6, 7]

    @property
    def strange(self):
        return object()

    @torch.jit.export
    def __len__(self) -> int:
        return len(self.rows)

    @torch.jit.export
    def __getitem__(self, i: int) -> int:
        return self.rows[i]

    @torch.jit.export
    def __contains__(self, n: int) -> bool:
        return n in self.rows

    def forward(self, x: Tensor) -> Tensor:
        return self.old(self.either(x) + self.either((x, x)))

class Recurrent(nn.Module):
    def __init__(self, kind: str):
        super().__init__()
        if kind == "LSTM":
            self.net = nn.LSTM(2, 3)
        elif kind == "GRU":
            self.net = nn.GRU(2, 3)
        else:
            self.net = nn.RNN(2, 3, nonlinearity="relu")

    def packed(self, x: PackedSequence):
        return self.net(x)

    def forward(self, x: Tensor, lengths: Tensor):
        out, state = self.packed(pack_padded_sequence(x, lengths, enforce_sorted=False))
        return pad_packed_sequence(out, total_length=4), out.batch_sizes, state, self.net(x)[0]
"""


@pytest.fixture(scope="module")
def modules():
    return torchcc.compile_source(MODULES)


@pytest.fixture(scope="module")
def net(modules):
    return modules.Net()


def test_overloaded_forward_and_old_modules(net):
    assert net(np.full(2, 2.0, np.float32)).tolist() == [18.0, 18.0]
    assert net.old.plus(np.ones(2, np.float32), 2).tolist() == [5.0, 5.0] and not hasattr(net.old, "only_python")


def test_special_methods_of_modules(net):
    assert (len(net), net[1], 6 in net, 9 in net, bool(net)) == (3, 6, True, False, True)
    with pytest.raises(TypeError, match="no container"):
        len(net.either)


def test_complex_attributes(net):
    net.c = 3j
    assert net.c == 3j


def test_methods_are_defined_once(net):
    net.define("def more(self, x):\n  return x + 1\n")
    with pytest.raises(torchcc.CompileError, match="already"):
        net.define("def more(self, x):\n  return x\n")
    assert net.more(np.ones(1, np.float32)).tolist() == [2.0]


def test_keys_that_match(net):
    assert repr(net.load_state_dict(net.state_dict())) == "<All keys matched successfully>"


NORMED = """
import torch
from torch import nn

class Normed(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1)
        self.norm = nn.BatchNorm2d(2)

    def forward(self, x):
        return self.norm(self.conv(x))
"""


def test_freezing_without_numerics():
    net = torchcc.compile_source(NORMED).Normed()
    x = np.ones((1, 1, 2, 2), np.float32)
    plain, folded = torchcc.freeze(net, None, False), torchcc.freeze(net, optimize_numerics=True)
    assert "aten::batch_norm" in plain.graph and "aten::batch_norm" not in folded.graph
    best = torchcc.optimize_for_inference(net.train())
    assert torchcc.optimize_for_inference(best) is best and not hasattr(best, "training") and not net.training
    for frozen in (plain, folded, best):
        np.testing.assert_allclose(frozen(x), net(x), atol=1e-6)
    with pytest.raises(torchcc.CompileError, match="ScriptModule"):
        torchcc.optimize_for_inference(3)  # type: ignore[arg-type]


HELPERS = """
from math import sqrt as root
from helpers_far import far
import torch

def near(x: torch.Tensor) -> torch.Tensor:
    return far(x) + root(4.0)
"""
CALLER = """
import math as m
import helpers_near
from helpers_near import near as close
from torch import Tensor, relu
from torch.nn.functional import softmax

def f(x: Tensor) -> Tensor:
    return close(x) + helpers_near.near(x) + relu(-x) + m.pi * softmax(x, 0)
"""


def test_functions_of_other_modules(tmp_path, monkeypatch):
    """`@torchcc.script` finds what a function uses in modules that Python has loaded."""
    pytest.importorskip("torch", reason="the user's modules import it")
    texts = {"helpers_far": "def far(x):\n    return x * 3\n", "helpers_near": HELPERS, "helpers_caller": CALLER}
    for name, text in texts.items():
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
    f = sys.modules["helpers_caller"].f
    x = np.array([1.0, 1.0], np.float32)
    np.testing.assert_allclose(torchcc.script(f)(x), [10 + math.pi / 2] * 2, rtol=1e-6)


def test_overloads_come_along(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch", reason="the declarations are PyTorch's")
    text = (
        "import torch\nfrom typing import List\n@torch.jit._overload\ndef size(x: List[int]) -> int: ...\n"
        "@torch.jit._overload\ndef size(x: str) -> int: ...\ndef size(x): return len(x)\ndef f(): return size([1, 2]), size('abc')\n"
    )
    path = tmp_path / "overloaded_sizes.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location("overloaded_sizes", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "overloaded_sizes", module)
    spec.loader.exec_module(module)
    assert torchcc.script(module.f)() == torch.jit.script(module.f)() == (2, 3)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_packed_sequences(modules, kind):
    torch = pytest.importorskip("torch", reason="compared with PyTorch")
    rnn = torch.nn.utils.rnn
    net = modules.Recurrent(kind)
    own = {"LSTM": lambda: torch.nn.LSTM(2, 3), "GRU": lambda: torch.nn.GRU(2, 3)}
    theirs = own.get(kind, lambda: torch.nn.RNN(2, 3, nonlinearity="relu"))()
    theirs.load_state_dict({n.removeprefix("net."): torch.tensor(a) for n, a in net.state_dict().items()})
    x, lengths = torch.rand(4, 3, 2), torch.tensor([2, 4, 1])
    out, state = theirs(rnn.pack_padded_sequence(x, lengths, enforce_sorted=False))
    expected = rnn.pad_packed_sequence(out, total_length=4), out.batch_sizes, state, theirs(x)[0]
    stream = io.BytesIO()
    torchcc.save(net, stream)
    again = torch.jit.load(io.BytesIO(stream.getvalue()))
    for found in (net(x, lengths), again(x, lengths)):
        for a, b in zip(_leaves(found), _leaves(expected), strict=True):
            torch.testing.assert_close(a, b)


def _leaves(value):
    return [leaf for v in value for leaf in _leaves(v)] if isinstance(value, tuple | list) else [value]


def test_padded_sequences():
    torch = pytest.importorskip("torch", reason="compared with PyTorch")
    rnn = torch.nn.utils.rnn
    text = """
import torch
from typing import List
def pad(xs: List[torch.Tensor], n: torch.Tensor):
    p = torch.nn.utils.rnn.pad_sequence(xs, True, 2.0)
    q = torch.nn.utils.rnn.pack_sequence(xs, enforce_sorted=False)
    return p, torch.nn.utils.rnn.unpad_sequence(p, n, True), q.data, q.batch_sizes, torch.nn.utils.rnn.unpack_sequence(q)
"""
    xs = [torch.arange(2.0), torch.arange(4.0)]
    p, parts, data, sizes, unpacked = torchcc.compile_source(text).pad(xs, torch.tensor([2, 4]))
    packed = rnn.pack_sequence(xs, enforce_sorted=False)
    assert torch.equal(p, rnn.pad_sequence(xs, True, 2.0)) and torch.equal(data, packed.data) and torch.equal(sizes, packed.batch_sizes)
    for got in (parts, unpacked):
        assert [t.tolist() for t in got] == [t.tolist() for t in xs]


def test_live_modules_and_traces():
    torch = pytest.importorskip("torch", reason="traces are PyTorch's")
    net, x = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU()), torch.ones(1, 2)
    for made in (torchcc.script(net), torchcc.script(torch.jit.script(net)), torchcc.trace(net, (x,))):
        assert isinstance(made, torchcc.ScriptModule)
        torch.testing.assert_close(made(x), net(x).detach())
    assert torchcc.trace(lambda a: a * 2, (x,))(x).tolist() == [[2.0, 2.0]]

    class Two(torch.nn.Module):
        def forward(self, a):
            return a + 1

        def other(self, a, b):
            return a * b

    two = torchcc.trace_module(Two(), {"forward": x, "other": (x, x)})
    assert two(x).tolist() == [[2.0, 2.0]] and two.other(x * 3, x).tolist() == [[3.0, 3.0]]
    with pytest.raises(torchcc.CompileError, match="Only tensors"):
        torchcc.trace(lambda a: 3, (x,))


INTERFACES = """
import torch
from typing import Optional

@torch.jit.interface
class Step:
    def go(self, x: torch.Tensor) -> torch.Tensor: pass

@torch.jit.script
class Minus:
    def __init__(self):
        self.k = 1
    def go(self, x: torch.Tensor) -> torch.Tensor:
        return x - self.k

def f(x: torch.Tensor, n: int) -> torch.Tensor:
    step: Optional[Step] = None
    if n > 1:
        step = Minus()
    if step is not None:
        x = step.go(x)
    return x
"""


def test_optional_interfaces_in_archives(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch", reason="the archive is PyTorch's")
    path = tmp_path / "optional_steps.py"
    path.write_text(INTERFACES)
    spec = importlib.util.spec_from_file_location("optional_steps", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "optional_steps", module)
    spec.loader.exec_module(module)
    stream = io.BytesIO()
    torch.jit.save(torch.jit.script(module.f), stream)
    loaded = torchcc.load(stream.getvalue())
    assert [loaded(np.ones(1, np.float32), n).tolist() for n in (1, 2)] == [[1.0], [0.0]]
