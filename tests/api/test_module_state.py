"""Modules whose calls change them: results and attributes after every call are PyTorch's."""

import io
import sys
import threading
from enum import Enum
from pathlib import Path
from typing import List

import numpy as np
import pytest

import torchcc
from torchcc.api import spec_of
from torchcc.verify import verify_stages

pytestmark = pytest.mark.filterwarnings("ignore")

torch = pytest.importorskip("torch", reason="runs the modules")

sys.path.insert(0, str(Path(__file__).parent))
from stateful_modules import CASES  # noqa: E402


def loaded(scripted):
    file = io.BytesIO()
    torch.jit.save(scripted, file)
    return torchcc.load(file.getvalue())


def ours(value):
    match value:
        case torch.Tensor():
            value = value.detach().clone()
            return value if value.dtype == torch.bfloat16 else value.numpy()
        case list() | tuple():
            return type(value)(map(ours, value))
        case dict():
            return {k: ours(v) for k, v in value.items()}
        case _:
            return value


def agree(found, expected, what):
    match expected:
        case torch.Tensor():
            expected = expected.detach()
            if expected.dtype == torch.bfloat16:
                expected, found = expected.float(), np.asarray(found).astype(np.float32)
            found = np.asarray(found)
            assert found.shape == tuple(expected.shape) and found.dtype == expected.numpy().dtype, what
            np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5, err_msg=what)
        case list() | tuple():
            assert len(found) == len(expected), what
            for f, e in zip(found, expected):
                agree(f, e, what)
        case dict():
            assert list(found) == list(expected), what
            for k in expected:
                agree(found[k], expected[k], f"{what}[{k}]")
        case float():
            assert found == pytest.approx(expected, rel=1e-5, nan_ok=True), what
        case Enum():
            assert (found.name, found.value) == (expected.name, expected.value), what
        case _ if isinstance(found, torchcc.ScriptInstance):
            for name in found._torchcc.value.type.attributes:
                agree(getattr(found, name), getattr(expected, name), f"{what}.{name}")
        case _:
            assert found == expected and type(found) is type(expected), f"{what}: {found} {expected}"


def agree_in_state(found, scripted, what):
    """Every attribute of every module below."""
    for name, module in scripted.named_modules():
        mine = found
        for part in filter(None, name.split(".")):
            mine = getattr(mine, part)
        for attribute in mine._torchcc.value.type.attributes:
            if attribute.startswith("_is_full") or attribute in dict(module.named_children()):
                continue
            agree(getattr(mine, attribute), getattr(module, attribute), f"{what}: {name}.{attribute}")


def named(call):
    """A call as (method, arguments...)."""
    call = call if isinstance(call, tuple) else (call,)
    return call if isinstance(call[0], str) else ("forward", *call)


def step(module, call):
    method, *arguments = call
    if method.endswith("!"):
        return getattr(module, method[:-1])() and None
    return getattr(module, method)(*arguments)


@pytest.mark.parametrize("name", CASES)
def test_every_call_is_as_in_pytorch(name):
    cls, calls = CASES[name]
    torch.manual_seed(0)
    scripted = torch.jit.script(cls())
    mine = loaded(scripted)
    agree_in_state(mine, scripted, "at first")
    for i, call in enumerate(map(named, calls)):
        with torch.no_grad():
            expected = step(scripted, call)
        found = step(mine, ours(call))
        agree(found, expected, f"call {i}")
        agree_in_state(mine, scripted, f"after call {i}")


@pytest.mark.parametrize("name", CASES)
def test_every_stage_agrees(name):
    cls, calls = CASES[name]
    torch.manual_seed(0)
    mine = loaded(torch.jit.script(cls()))
    method, *arguments = next(c for c in map(named, calls) if c[0] == "forward")
    function, values = getattr(mine, method), ours(arguments)
    settled = function.settled(
        tuple(map(spec_of, values)),
        values,
        lambda specs, state: (verify_stages(function.program, specs, values, state), None),
    )
    assert all(line.agrees for line in settled.result), settled.result


def specialisations(module, method="forward"):
    return len(getattr(module, method)._compiled)


@pytest.mark.parametrize(
    ("name", "most"),
    [("Counter", 1), ("Ring", 1), ("Loops", 1), ("Attention", 1), ("Cache", 3), ("Maybe", 2), ("StaticInteger", 2)],
)
def test_state_is_an_input_and_not_compiled_anew(name, most):
    cls, calls = CASES[name]
    mine = loaded(torch.jit.script(cls()))
    for call in map(named, calls):
        if call[0] == "forward":
            step(mine, ours(call))
    assert specialisations(mine) <= most


def test_specialisations_are_bounded(monkeypatch):
    monkeypatch.setattr("torchcc.api.function.MAX_SPECIALISATIONS", 3)
    mine = loaded(torch.jit.script(CASES["Shapes"][0]()))
    for n in (1, 2, 3, 4, 1, 4):
        assert mine(np.ones(n, np.float32)).tolist() == [2.0] * n
    assert specialisations(mine) <= 3


def test_what_a_method_writes_is_no_constant_of_another():
    class M(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("scale", torch.ones(2))
            self.k = 1

        def forward(self, x: torch.Tensor):
            return x * self.scale * self.k

        @torch.jit.export
        def change(self):
            self.scale.mul_(3)
            self.k += 1

    mine = loaded(torch.jit.script(M()))
    ones = np.ones(2, np.float32)
    assert mine(ones).tolist() == [1, 1]
    mine.change()
    assert mine(ones).tolist() == [6, 6]
    mine.change()
    assert mine(ones).tolist() == [27, 27]


def test_methods_that_use_no_state_do_not_depend_on_it():
    class M(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cache = torch.zeros(0)

        def forward(self, x: torch.Tensor):
            self.cache = torch.cat([self.cache, x])
            return self.cache.sum()

        @torch.jit.export
        def encode(self, x: torch.Tensor):
            return x * 2

    mine = loaded(torch.jit.script(M()))
    for _ in range(5):
        mine(np.ones(2, np.float32))
        mine.encode(np.ones(2, np.float32))
    assert specialisations(mine, "encode") == 1 and mine.cache.shape == (10,)


def test_results_and_arguments_share_no_memory_with_the_state():
    class M(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.last = torch.zeros(2)

        def forward(self, x: torch.Tensor):
            self.last = x
            return self.last

    mine = loaded(torch.jit.script(M()))
    given = np.ones(2, np.float32)
    result = mine(given)
    given[:] = 7
    result[:] = 8
    assert mine.last.tolist() == [1, 1]
    as_torch = mine(torch.full((2,), 3.0))
    as_torch.zero_()
    assert isinstance(as_torch, torch.Tensor) and mine.last.tolist() == [3, 3]


def test_views_of_each_other_are_changed_in_place():
    class M(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.whole = torch.zeros(4)
            self.part = torch.zeros(2)

        def forward(self, x: torch.Tensor):
            self.whole = x * 1
            self.part = self.whole[:2]
            return self.part.sum()

        @torch.jit.export
        def clear(self):
            self.part.zero_()

    mine = loaded(torch.jit.script(M()))
    assert mine(np.ones(4, np.float32)) == 2
    mine.clear()
    assert mine.whole.tolist() == [0, 0, 1, 1]
    assert mine(np.ones(4, np.float32)) == 2 and mine(np.ones(6, np.float32)) == 2


def test_parts_that_do_not_overlap_may_be_changed():
    class M(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.h = torch.zeros(2)
            self.c = torch.zeros(2)

        def forward(self, x: torch.Tensor):
            both = x * 1
            self.h, self.c = both[0], both[1]
            return both

        @torch.jit.export
        def clear(self):
            self.h.zero_()

    scripted = torch.jit.script(M())
    mine = loaded(scripted)
    x2 = torch.arange(4.0).reshape(2, 2)
    agree(mine(x2.numpy()), scripted(x2), "forward")
    scripted.clear()
    mine.clear()
    agree_in_state(mine, scripted, "after clear")


def test_calls_from_many_threads_come_one_after_the_other():
    mine = loaded(torch.jit.script(CASES["Counter"][0]()))
    given = np.ones((2, 3), np.float32)
    mine(given)
    seen = []

    def work():
        for _ in range(50):
            seen.append(mine(given)[1])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(seen) == list(range(2, 202)) and mine.count == 201


class Raising(torch.nn.Module):
    items: List[torch.Tensor]

    def __init__(self):
        super().__init__()
        self.calls = 0
        self.register_buffer("seen", torch.zeros(3))
        self.register_buffer("other", self.seen)
        self.last = torch.zeros(3)
        self.items = []
        self.table = {"n": 0}
        self.names = ["a"]

    def forward(self, x: torch.Tensor, at: int):
        self.calls += 1
        self.seen += x
        self.last = x * 2
        self.items.append(x)
        self.table["n"] += 1
        if bool(x.sum() > 0):
            self.names.append("b")
            raise ValueError("positive")
        self.calls += 10
        y = self.seen[at]
        self.calls += 100
        return y, self.other


def test_a_call_that_raises_keeps_the_writes_before_that():
    scripted = torch.jit.script(Raising())
    mine = loaded(scripted)
    down = -torch.ones(3)
    for i, (given, at) in enumerate([(down, 0), (-down, 0), (down, 5), (down, 1), (-down, 1), (down, 2)]):
        try:
            expected = scripted(given, at)
        except (RuntimeError, IndexError, torch.jit.Error):
            with pytest.raises(torchcc.ExecutionError):
                mine(given.numpy(), at)
        else:
            agree(mine(given.numpy(), at), expected, f"call {i}")
        agree_in_state(mine, scripted, f"after call {i}")


def test_a_call_that_is_not_worth_repeating_leaves_the_module_as_it_was(monkeypatch):
    monkeypatch.setattr("torchcc.api.replay.MAX_OPERATIONS", 3)
    mine = loaded(torch.jit.script(Raising()))
    with pytest.raises(torchcc.ExecutionError):
        mine(np.ones(3, np.float32), 0)
    assert mine.calls == 0 and mine.items == [] and not mine.seen.any()
