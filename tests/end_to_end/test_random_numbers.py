"""Random numbers: after a seed, compiled programs give the numbers of PyTorch's CPU generator, in program order."""

from __future__ import annotations

import ctypes
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import torchcc
from torchcc import Dim, TensorSpec, driver
from torchcc.backend.cpu.compile import translate
from torchcc.backend.cpu.host import host
from torchcc.backend.cpu.random import random_state, set_random_state
from torchcc.backend.cpu.shared_library import write_shared_library
from torchcc.ir.generator import DEFAULT, Generator
from torchcc.ir.script_types import INT
from torchcc.ir.signature import ScalarSpec
from torchcc.verify import verify_stages

torch = pytest.importorskip("torch", reason="compares with PyTorch's generator")

X = np.random.default_rng(0).standard_normal((5, 6)).astype(np.float32)


def _draws_in_place() -> bool:
    """Whether this PyTorch draws `bernoulli_` and `exponential_` from its own generator; on Intel's processors it is MKL's."""
    torch.manual_seed(1)
    torch.empty(3).bernoulli_(0.5)
    after = torch.rand(1)
    torch.manual_seed(1)
    torch.rand(6)
    return bool(after == torch.rand(1))


own_streams = pytest.mark.skipif(not _draws_in_place(), reason="PyTorch draws these from MKL's generator here")

# expressions of `x`, bit for bit as PyTorch's
UNIFORM = """
    torch.rand(3, 5)
    torch.rand(3, 5, dtype=torch.float64)
    torch.rand(30, dtype=torch.float16)
    torch.rand(300, dtype=torch.bfloat16)
    torch.rand_like(x)
    torch.rand([])
    x.clone().uniform_(-0.3, 0.7)
    x.to(torch.float16).uniform_(-0.3, 0.7)
    x.double().uniform_(-0.3, 0.7)
    torch.empty(0, 3).uniform_()
    torch.view_as_real(torch.rand(3, 4, dtype=torch.complex64))
    torch.view_as_real(torch.empty(3, dtype=torch.complex128).uniform_(2.0, 5.0))
"""
NORMAL = """
    torch.randn(7)
    torch.randn(4, 4)
    torch.randn(37)
    torch.randn(3, 5, dtype=torch.float16)
    torch.randn(37, dtype=torch.float16)
    torch.randn(32, dtype=torch.bfloat16)
    torch.randn_like(x)
    torch.view_as_real(torch.randn(3, 4, dtype=torch.complex64))
    torch.view_as_real(torch.randn_like(x, dtype=torch.complex64))
    torch.view_as_real(torch.empty(3, dtype=torch.complex64).normal_(1.0, 0.5))
    torch.empty(0).normal_()
    torch.normal(0.5, 2.0, [5, 9])
    torch.normal(x, 2.0)
    torch.normal(2.0, x.abs())
    torch.normal(x, x.abs())
    x.clone().normal_(1.0, 0.2)
    x.clone().log_normal_()
    torch.empty(3).log_normal_(0.5, 0.25)
"""
INTEGERS = """
    x.clone().random_()
    torch.empty(9, dtype=torch.int64).random_()
    torch.empty(9, dtype=torch.int32).random_()
    torch.empty(9, dtype=torch.uint8).random_()
    torch.empty(9, dtype=torch.int8).random_()
    torch.empty(9, dtype=torch.bool).random_()
    torch.empty(9, dtype=torch.float64).random_()
    torch.empty(9, dtype=torch.float16).random_()
    torch.empty(9, dtype=torch.int64).random_(10)
    torch.empty(9, dtype=torch.int32).random_(-5, 100)
    torch.empty(9, dtype=torch.int64).random_(-5, 1 << 40)
    torch.empty(9, dtype=torch.int64).random_(-5, None)
    torch.empty(9, dtype=torch.int64).random_(-9223372036854775807 - 1, None)
    torch.randint(10, [3, 4])
    torch.randint(-3, 10, [3, 4], dtype=torch.float32)
    torch.randint_like(x, 7)
    torch.randint_like(x, -7, 7)
    torch.randperm(11)
    torch.randperm(1)
    torch.randperm(0)
    torch.randperm(20, dtype=torch.float32)
    torch.bernoulli(torch.sigmoid(x))
    torch.bernoulli(torch.sigmoid(x.double()))
    torch.empty(5, 6, dtype=torch.int64).bernoulli_(torch.sigmoid(x))
    torch.multinomial(torch.sigmoid(x), 20, True)
    torch.multinomial(torch.sigmoid(x[0]), 20, True)
    torch.poisson(x.abs() * 8)
    torch.poisson(x.abs() * 80)
    torch.rrelu(x, 0.1, 0.4, True)
"""
ONE_BY_ONE = """
    torch.bernoulli(x, 0.3)
    x.clone().bernoulli_(0.3)
    x.clone().bernoulli_()
    x.clone().exponential_()
    x.clone().geometric_(0.3)
    torch.empty(20, dtype=torch.int64).geometric_(0.1)
    x.clone().cauchy_(1.0, 3.0)
    torch.multinomial(torch.sigmoid(x), 3)
    torch.multinomial(torch.sigmoid(x), 1)
    torch.nn.functional.dropout(x, 0.3, True)
    torch.nn.functional.dropout2d(x.reshape(2, 5, 3, 1), 0.3, True)
    torch.nn.functional.dropout3d(x.reshape(2, 5, 3, 1), 0.3, True)
    torch.nn.functional.alpha_dropout(x, 0.3, True)
    torch.nn.functional.feature_alpha_dropout(x.reshape(2, 5, 3, 1), 0.3, True)
    torch.native_dropout(x, 0.3, True)[0]
    torch.nn.functional.gumbel_softmax(x, hard=True)
"""


def _expressions(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


def _function(text: str) -> str:
    results = "".join(f"        {e},\n" for e in _expressions(text))
    return f"import torch\ndef f(x: torch.Tensor):\n    return (\n{results}        torch.rand(2),\n    )\n"


def _numbers(value: Any) -> Any:
    return value.to(torch.float64).numpy() if isinstance(value, torch.Tensor) else np.asarray(value).astype(np.float64)


def _expected(text: str, seed: int, x: Any = X) -> list[Any]:
    torch.manual_seed(seed)
    scope = {"torch": torch, "x": torch.tensor(x)}
    return [eval(e, scope) for e in [*_expressions(text), "torch.rand(2)"]]


def _same(text: str, got: Any, expected: list[Any]) -> None:
    for expression, value, wanted in zip([*_expressions(text), "torch.rand(2)"], got, expected, strict=True):
        assert str(wanted.dtype).removeprefix("torch.") == str(value.dtype), expression
        np.testing.assert_array_equal(_numbers(value), _numbers(wanted), expression)


@pytest.mark.parametrize(
    "text", [UNIFORM, NORMAL, INTEGERS, pytest.param(ONE_BY_ONE, marks=own_streams)], ids=["uniform", "normal", "integers", "serial"]
)
def test_numbers_are_those_of_pytorch(text: str) -> None:
    f = torchcc.compile_source(_function(text)).f
    for seed in (7, 2**40 + 3):
        torchcc.manual_seed(seed)
        _same(text, f(X), _expected(text, seed))


def test_double_precision_is_close() -> None:
    """Where PyTorch calls libm in double precision, the last bit may differ."""
    text = "torch.randn(37, dtype=torch.float64)\ntorch.randn(3, dtype=torch.float64)\ntorch.empty(40, dtype=torch.float64).log_normal_()"
    f = torchcc.compile_source(_function(text)).f
    torchcc.manual_seed(3)
    for value, wanted in zip(f(X), _expected(text, 3), strict=True):
        np.testing.assert_allclose(value, wanted.numpy(), rtol=1e-14)


def test_every_stage_draws_the_same() -> None:
    text = "torch.rand(3)\ntorch.randn(5)\ntorch.randn(20)\ntorch.randint(5, [4])\ntorch.randperm(6)\ntorch.rrelu(x, 0.1, 0.4, True)\ntorch.poisson(x.abs())"
    f = torchcc.compile_source(_function(text)).f
    torchcc.manual_seed(5)
    report = verify_stages(f.program, [TensorSpec(torchcc.float32, (5, 6))], [X])
    assert [line for line in report if not line.agrees] == []


ORDER = """
import torch
from torch import Tensor
from typing import List

def mixed(x: Tensor, n: int):
    s = torch.zeros(4)
    for i in range(n):
        s = s + torch.rand(4)
        if float(torch.rand(1)) < 0.5:
            s = s + torch.randn(4)
        else:
            torch.rand(3)
    return s, torch.rand(1)

def unused(x: Tensor):
    torch.rand(3)
    y = torch.randn(5)
    return torch.rand(2) + torch.rand(2)

def grows(x: Tensor, n: int):
    out: List[Tensor] = []
    for i in range(n):
        out.append(torch.rand(i + 1))
    return out

def waits(x: Tensor):
    k = 0
    while float(torch.rand(1)) < 0.9:
        k += 1
    return k, torch.rand(1)

def seeded(x: Tensor, seed: int):
    a = torch.rand(2)
    torch.manual_seed(seed)
    return a, torch.rand(2)

def parts(x: Tensor):
    y = torch.zeros(4, 6)
    y[1].uniform_()
    y[:, 2].normal_()
    y[2:].random_(0, 9)
    return y

def decides(x: Tensor):
    y = torch.rand(3)
    if bool(x.sum() > 0):
        y = torch.rand(3) + y
    else:
        y = torch.randn(3) * y
    return y, torch.rand(1)

def turned(x: Tensor):
    y = torch.zeros(5, 6)
    y.t().uniform_()
    y[1:3].t().random_(0, 9)
    z = x.reshape(5, 2, 3).permute(2, 0, 1)
    return y, torch.rand_like(x.t()), torch.bernoulli(torch.sigmoid(x).t()), z.clone().random_(0, 100), z.contiguous().random_(0, 100)

def sized(x: Tensor, n: int):
    return torch.rand(n), torch.randn(n, 3), torch.randint(n, [4]), torch.randperm(n), torch.rand(1)
"""


def _flat(value: Any) -> list[Any]:
    return [leaf for v in value for leaf in _flat(v)] if isinstance(value, list | tuple) else [value]


@pytest.mark.parametrize(
    ("name", "calls"),
    [
        ("mixed", [(0,), (9,)]),
        ("unused", [()]),
        ("grows", [(4,)]),
        ("waits", [()]),
        ("seeded", [(9,), (-1,)]),
        ("parts", [()]),
        ("decides", [()]),
        ("turned", [()]),
        ("sized", [(1,), (6,), (16,), (23,)]),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_program_order_is_kept(name: str, calls: list[tuple[int, ...]]) -> None:
    f = getattr(torchcc.compile_source(ORDER), name)
    scope: dict[str, Any] = {}
    exec(ORDER, scope)
    for arguments in calls:
        for x in (X, -np.abs(X)):
            torchcc.manual_seed(11)
            torch.manual_seed(11)
            got, wanted = _flat(f(x, *arguments)), _flat(scope[name](torch.tensor(x), *arguments))
            assert len(got) == len(wanted)
            for a, b in zip(got, wanted, strict=True):
                np.testing.assert_array_equal(a, b)


def test_shapes_known_at_run_time() -> None:
    text = "torch.rand_like(x)\ntorch.randn_like(x)\ntorch.randperm(x.size(0))\ntorch.bernoulli(torch.sigmoid(x))\ntorch.randint(0, x.size(0), [5])\nx.clone().log_normal_()"
    f = torchcc.compile_source(_function(text)).f
    g = f.compile(x=TensorSpec(torchcc.float32, (Dim("a", 1, 100), Dim("b", 1, 100))))
    for shape in ((3, 4), (5, 6), (1, 1), (4, 4), (7, 9)):
        x = np.zeros(shape, np.float32)
        torchcc.manual_seed(2)
        _same(text, g(x), _expected(text, 2, x))


class _Net:
    source = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 32)
        self.norm = nn.BatchNorm1d(32)
        self.drop = nn.Dropout(0.4)
        self.last = nn.Linear(32, 3)
    def forward(self, x):
        return self.last(self.drop(torch.relu(self.norm(self.first(x)))))
"""


@own_streams
def test_a_module_in_training_mode() -> None:
    scope: dict[str, Any] = {}
    exec(_Net.source, scope)
    theirs = scope["Net"]()
    weights = {k: v.numpy().copy() for k, v in theirs.state_dict().items()}
    ours = torchcc.compile_source(_Net.source).Net()
    ours.load_state_dict(weights)
    ours.train()
    theirs.train()
    torchcc.manual_seed(4)
    torch.manual_seed(4)
    for _ in range(3):
        with torch.no_grad():
            np.testing.assert_allclose(ours(X), theirs(torch.tensor(X)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours.state_dict()["norm.running_var"], theirs.state_dict()["norm.running_var"], rtol=1e-5)
    ours.eval()
    theirs.eval()
    np.testing.assert_allclose(ours(X), theirs(torch.tensor(X)).detach(), rtol=1e-4, atol=1e-5)


def test_state_of_the_generator() -> None:
    f = torchcc.compile_source("import torch\ndef f(n: int):\n    return torch.rand(3), torch.randn(n)\n").f
    torchcc.manual_seed(2**63 + 5)
    assert torchcc.initial_seed() == 2**63 + 5
    f(3)
    state = random_state()
    first = f(3)
    DEFAULT.state = state
    np.testing.assert_array_equal(first[0], DEFAULT.uniform(3, np.dtype(np.float32)))
    set_random_state(state)
    for a, b in zip(first, f(3), strict=True):
        np.testing.assert_array_equal(a, b)
    assert torchcc.seed() == torchcc.initial_seed()
    with pytest.raises(ValueError, match="64 bits"):
        torchcc.manual_seed(1 << 64)


def test_threads_share_one_stream() -> None:
    """What four threads draw together is what one draws alone, in runs of whole calls."""
    f = torchcc.compile_source("import torch\ndef f(x: torch.Tensor):\n    return torch.rand_like(x)\n").f
    x = np.zeros(997, np.float32)
    f(x)
    torchcc.manual_seed(1)
    drawn: list[Any] = []

    def draw() -> None:
        for _ in range(25):
            drawn.append(f(x))

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = Generator(1).uniform(100 * 997, np.dtype(np.float32)).reshape(100, 997)
    assert {row.tobytes() for row in drawn} == {row.tobytes() for row in alone}


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("torch.empty(3).uniform_(2.0, 1.0)", "uniform_ expects to return a [from, to) range, but found from=2 > to=1"),
        ("torch.empty(3, dtype=torch.int64).random_(5, 5)", "random_ expects 'from' to be less than 'to', but got from=5 >= to=5"),
        ("torch.empty(3, dtype=torch.uint8).random_(0, 300)", "to - 1 is out of bounds for unsigned char"),
        ("torch.empty(3).normal_(0.0, -1.0)", "normal expects std >= 0.0, but found std -1"),
        ("torch.multinomial(torch.zeros(3), 1)", "invalid multinomial distribution (sum of probabilities <= 0)"),
        ("torch.bernoulli(torch.full([3], 2.0))", "Expected p_in >= 0 && p_in <= 1 to be true, but got false."),
        ("torch.randperm(-1)", "n must be non-negative"),
    ],
)
def test_wrong_arguments(expression: str, text: str) -> None:
    f = torchcc.compile_source(f"import torch\ndef f(x: torch.Tensor):\n    return {expression}\n").f
    with pytest.raises(torchcc.TorchccError) as error:
        f(X)
    assert text in str(error.value)


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler on this machine")
def test_a_library_has_a_generator_of_its_own(tmp_path: Path) -> None:
    f = torchcc.compile_source("import torch\ndef draw(n: int):\n    return float(torch.rand(5)[n])\n").draw
    lowered = driver.lower(f.program, [ScalarSpec(INT)])
    path = tmp_path / "libdraw.so"
    write_shared_library([translate(lowered.modules["loops"], lowered.signature, host())], host(), path)
    library = ctypes.CDLL(str(path))
    library.torchcc_initial_seed.restype = ctypes.c_int64
    library.torchcc_manual_seed(ctypes.c_int64(5))
    assert library.torchcc_initial_seed() == 5
    result = ctypes.c_double()
    torchcc.manual_seed(9)
    assert library.draw(ctypes.c_int64(2), ctypes.byref(result)) == 0
    assert result.value == Generator(5).uniform(3, np.dtype(np.float32))[2]
    assert torchcc.initial_seed() == 9
