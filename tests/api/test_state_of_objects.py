"""Modules that keep objects, lists and dicts of run-time structure: results and attributes are PyTorch's after each call."""

import io
import sys
from pathlib import Path

import pytest

import torchcc

pytestmark = pytest.mark.filterwarnings("ignore")

torch = pytest.importorskip("torch", reason="runs the modules")

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "end_to_end")]
import modules_with_objects as modules  # noqa: E402
from run_time_programs import assert_same, plain  # noqa: E402

X = torch.arange(3.0)
NUMBERS = [(k,) for k in (1, 2, 3, 3, 4, 1, 5, 6, 2)]
TENSORS = [(X + k, k) for k in (1, 2, 3, 4, 5, 6, 7, 1, 2)]
TEXTS = [("a b c",), ("b b d",), ("x",), ("a q r s t",), ("zz a",)]
PAIRS = [(torch.arange(2.0) + k, k) for k in (1, 2, 3, 4, 6, 7, 1, 2)]
CALLS = {
    "Boxed": PAIRS[:6],
    "History": PAIRS,
    "Queues": PAIRS,
    "Members": PAIRS,
    "Best": PAIRS[:5],
    "Texts": PAIRS,
    "Stack": PAIRS,
    "Cache": PAIRS,
    "Anything": PAIRS,
    "Window": PAIRS,
    "Lengths": NUMBERS,
    "Sums": TENSORS,
    "Counts": NUMBERS,
    "Optionally": TENSORS,
    "Replaced": TENSORS[:7],
    "Recent": TENSORS,
    "OptionalTensor": TENSORS,
    "Entries": TENSORS[:6],
    "States": NUMBERS,
    "Rows": NUMBERS[:6],
    "Words": TEXTS,
}


def loaded(name):
    scripted = torch.jit.script(getattr(modules, name)())
    file = io.BytesIO()
    torch.jit.save(scripted, file)
    return scripted, torchcc.load(file.getvalue())


@pytest.mark.parametrize("name", CALLS)
def test_modules(name):
    expected, found = loaded(name)
    for given in CALLS[name]:
        own = [a.numpy() if isinstance(a, torch.Tensor) else a for a in given]
        assert_same(plain(expected(*given)), plain(found(*own)))


@pytest.mark.parametrize(("name", "attribute"), [("Lengths", "l"), ("Counts", "d"), ("Words", "counts")])
def test_attributes(name, attribute):
    expected, found = loaded(name)
    for given in CALLS[name]:
        expected(*given)
        found(*given)
        assert_same(plain(getattr(expected, attribute)), plain(getattr(found, attribute)))


def test_few_of_many_calls_compile(monkeypatch):
    """From the third length on a list is given at run time, and dicts by their keys."""
    from torchcc.api import native

    count = 0
    compile_native = native.compile_native

    def counted(*args, **kwargs):
        nonlocal count
        count += 1
        return compile_native(*args, **kwargs)

    monkeypatch.setattr(native, "compile_native", counted)
    for name in ("Lengths", "Counts"):
        _, found = loaded(name)
        count = 0
        for k in range(20):
            found(k)
        assert count <= 6


def test_one_list_in_two_places_is_refused():
    """Each place would have one of its own after the call."""
    _, found = loaded("Shared")
    with pytest.raises(torchcc.TorchccError, match="kept in two places"):
        for k in range(5):
            found(k)


def test_a_call_that_raises_keeps_what_was_written_before():
    expected, found = loaded("Raises")
    for k in (1, 2, 0, 3, 0, 4):
        for module in (expected, found):
            try:
                module(k)
            except Exception as error:  # of another class in each
                assert "zero" in str(error)
        assert [(a.n, a.l) for a in expected.l] == [(a.n, a.l) for a in found.l]
        assert (expected.a.n, expected.a.l) == (found.a.n, found.a.l)
