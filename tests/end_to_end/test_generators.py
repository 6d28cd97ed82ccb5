"""`torch.Generator`: made in programs, given to them, kept in loops; the numbers are those of PyTorch's, and so is what is left."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import torchcc
from torchcc import Dim, TensorSpec
from torchcc.ir.signature import ConstantSpec
from torchcc.verify import verify_stages

torch = pytest.importorskip("torch", reason="compares with PyTorch's generators")

sys.path[:0] = [str(Path(__file__).parent)]
from test_random_numbers import own_streams  # noqa: E402

X = np.random.default_rng(0).random((3, 4)).astype(np.float32)

SOURCE = """
import torch
from torch import Tensor
from typing import Optional

def made(x: Tensor, seed: int):
    g = torch.Generator()
    h = torch.Generator(device="cpu").manual_seed(seed)
    return (
        torch.rand(3, generator=g), g.initial_seed(), torch.randn(5, generator=h), torch.randn(20, generator=h),
        torch.randperm(9, generator=h), torch.randn(4, generator=h, dtype=torch.float64), h.initial_seed(),
        torch.rand_like(x, generator=h), torch.randint(0, 9, (4,), generator=h), torch.randint(2, 1 << 40, (3,), generator=g),
        torch.rand(2),
    )

def drawn(x: Tensor, g: Optional[torch.Generator] = None):
    y = torch.empty_like(x).uniform_(-1.0, 1.0, generator=g)
    z = torch.normal(x, 2.0, generator=g), torch.normal(0.0, x, generator=g), torch.empty(3).random_(generator=g)
    w = torch.empty(2, 3).normal_(float(x.min()), float(x.max()), generator=g)
    return y, z, w, torch.empty(4, dtype=torch.int64).random_(int(x.sum()), 100, generator=g), torch.rand(2), torch.poisson(x * 30, generator=g)

def in_a_loop(x: Tensor, g: torch.Generator):
    count = 0
    while bool(x.sum() < 20.0):
        x = x + torch.rand(x.shape, generator=g)
        count += 1
        if count % 2 == 0:
            x = x + torch.randn(1, generator=g).abs()
    return x, count

def given_back(x: Tensor, g: torch.Generator):
    h = torch.Generator()
    h.manual_seed(g.initial_seed() + 1)
    return g, h, torch.rand(2, generator=g)

def chosen(x: Tensor, first: torch.Generator, second: torch.Generator):
    g = first if bool(x.sum() > 5.0) else second
    torch.rand(3, generator=second)
    return torch.rand(3, generator=g)

def helper(g: torch.Generator, n: int):
    g.manual_seed(n)
    return torch.rand(1, generator=g)

def called(x: Tensor, n: int):
    g = torch.Generator()
    a = [helper(g, n + i) for i in range(3)]
    return torch.cat(a), torch.rand(2, generator=g), g

def with_mkl(x: Tensor, g: torch.Generator):
    a = torch.bernoulli(x, generator=g), torch.empty(3).exponential_(2.0, generator=g), torch.multinomial(x, 2, generator=g)
    return a, torch.empty(3).bernoulli_(0.3, generator=g), torch.empty(3).geometric_(0.2, generator=g)
"""


@pytest.fixture(scope="module")
def both() -> tuple[Any, dict[str, Any]]:
    scope: dict[str, Any] = {}
    exec(SOURCE, scope)
    return torchcc.compile_source(SOURCE), scope


def _same(got: Any, wanted: Any) -> None:
    if isinstance(wanted, tuple | list):
        assert len(got) == len(wanted)
        for a, b in zip(got, wanted, strict=True):
            _same(a, b)
    elif isinstance(wanted, torch.Generator):
        a, b = np.asarray(got.get_state())[:5056].copy(), wanted.get_state().numpy()
        np.testing.assert_allclose(*(s[5024:5032].view(np.float64) for s in (a, b)), rtol=1e-15)  # the next normal number
        a[5016:5040] = b[5016:5040]
        if b[8] == 1:  # all of the 624 numbers are used: where the next one stands has no meaning
            a[16:24] = b[16:24]
        np.testing.assert_array_equal(a, b)
    elif isinstance(wanted, torch.Tensor) and wanted.dtype == torch.float64:
        np.testing.assert_allclose(np.asarray(got), wanted.numpy(), rtol=1e-15)  # libm is asked for logarithms and sines
    else:
        np.testing.assert_array_equal(np.asarray(got), np.asarray(wanted))


def _check(both: tuple[Any, dict[str, Any]], name: str, *arguments: Any, generators: int = 0) -> None:
    ours, theirs = both
    for _ in range(2):
        torchcc.manual_seed(3)
        torch.manual_seed(3)
        own = [torchcc.Generator().manual_seed(7 + i) for i in range(generators)]
        lent = [torch.Generator().manual_seed(7 + i) for i in range(generators)]
        other = [torch.Generator().manual_seed(7 + i) for i in range(generators)]
        for _ in range(2):
            wanted = theirs[name](torch.tensor(X), *arguments, *other)
            _same(getattr(ours, name)(X, *arguments, *own), wanted)
            _same(own, other)
        torchcc.manual_seed(3)
        torch.manual_seed(3)
        fresh = [torch.Generator().manual_seed(7 + i) for i in range(generators)]
        wanted = theirs[name](torch.tensor(X), *arguments, *fresh)
        _same(getattr(ours, name)(X, *arguments, *lent), wanted)
        _same(lent, fresh)


def test_made_in_the_program(both: Any) -> None:
    _check(both, "made", 5)
    assert both[0].made(X, -3)[6] == -3
    _check(both, "called", 4)


@pytest.mark.parametrize("name", ["drawn", "in_a_loop", "given_back"])
def test_given_to_it(both: Any, name: str) -> None:
    _check(both, name, generators=1)


def test_left_out(both: Any) -> None:
    _check(both, "drawn")


def test_one_of_two(both: Any) -> None:
    _check(both, "chosen", generators=2)
    g = torch.Generator()
    np.testing.assert_array_equal(both[0].chosen(X, *[torchcc.Generator()] * 2), torch.rand(6, generator=g)[3:])


@own_streams
def test_formulas_that_draw(both: Any) -> None:
    _check(both, "with_mkl", generators=1)


def test_every_stage() -> None:
    library = torchcc.compile_source(SOURCE)
    x = TensorSpec(torchcc.float32, (3, 4))
    state = torchcc.Generator().words
    words = TensorSpec(torchcc.int64, state.shape)
    for function, specs, values in (
        (library.made, [x, ConstantSpec(5)], [X, 5]),
        (library.called, [x, ConstantSpec(4)], [X, 4]),
        (library.in_a_loop, [x, words], [X, state]),
        (library.chosen, [x, words, words], [X, state, state.copy()]),
    ):
        assert all(stage.agrees for stage in verify_stages(function.program, specs, values))


def test_shapes_known_at_run_time() -> None:
    text = "import torch\ndef f(x: torch.Tensor, g: torch.Generator):\n    return torch.randn(x.size(0), generator=g), torch.randperm(x.size(0), generator=g)\n"
    scope: dict[str, Any] = {}
    exec(text, scope)
    f = torchcc.compile_source(text).f
    g = f.compile(x=TensorSpec(torchcc.float32, (Dim("n", 0, 100),)), g=torchcc.Generator())
    ours, theirs = torchcc.Generator(), torch.Generator()
    for n in (3, 0, 17, 16):
        _same(g(np.zeros(n, np.float32), ours), scope["f"](torch.zeros(n), theirs))


def test_errors_leave_the_generators_in_their_places() -> None:
    text = (
        "import torch\ndef f(x: torch.Tensor, g: torch.Generator):\n"
        "    return torch.empty(3).normal_(0.0, float(x), generator=g)\n"
        "def r(x: torch.Tensor, n: int, g: torch.Generator):\n    return torch.empty(3, dtype=torch.int64).random_(n, int(x), generator=g)\n"
    )
    ours = torchcc.compile_source(text)
    g, theirs = torchcc.Generator(), torch.Generator()
    torchcc.manual_seed(1)
    torch.manual_seed(1)
    with pytest.raises(torchcc.ExecutionError, match="normal expects std >= 0.0, but found std -1"):
        ours.f(np.float32(-1.0), g)
    with pytest.raises(torchcc.ExecutionError, match="random_ expects 'from' to be less than 'to', but got from=7 >= to=3"):
        ours.r(np.float32(3.0), 7, g)
    _same(ours.f(np.float32(2.0), g), torch.empty(3).normal_(0.0, 2.0, generator=theirs))
    h = torchcc.compile_source("import torch\ndef h(n: int):\n    return torch.rand(n)\n").h
    np.testing.assert_array_equal(h(4), torch.rand(4).numpy())


def test_threads_draw_from_their_own() -> None:
    f = torchcc.compile_source(
        "import torch\ndef f(x: torch.Tensor, g: torch.Generator):\n    return torch.rand(x.shape, generator=g)\n"
    ).f
    x = np.zeros(997, np.float32)
    found: dict[int, list[Any]] = {}

    def draw(seed: int) -> None:
        g = torchcc.Generator().manual_seed(seed)
        found[seed] = [f(x, g) for _ in range(30)]

    f(x, torchcc.Generator())
    threads = [threading.Thread(target=draw, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for seed, drawn in found.items():
        g = torch.Generator().manual_seed(seed)
        for one in drawn:
            np.testing.assert_array_equal(one, torch.rand(997, generator=g).numpy())


def test_states() -> None:
    g, theirs = torchcc.Generator(), torch.Generator()
    assert g.initial_seed() == theirs.initial_seed()
    assert g.seed() == g.initial_seed()
    g.set_state(theirs.manual_seed(2**63 + 1).get_state())
    assert g.initial_seed() == 2**63 + 1
    with pytest.raises(ValueError, match="5056 bytes"):
        g.set_state(np.zeros(3, np.uint8))
    with pytest.raises(ValueError, match="on the CPU"):
        torchcc.Generator("cuda")
    with pytest.raises(torchcc.CompileError, match="must be a torch.Generator, but a value of type int was given"):
        torchcc.compile_source(SOURCE).in_a_loop(X, 3)
