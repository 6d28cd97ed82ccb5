"""Calls in machine code from Python's objects and back: they give what the general way gives, and only what it would take."""

import gc
import sys
import threading

import ml_dtypes
import numpy as np
import pytest

import torchcc
from torchcc.api.function import DIRECT_AFTER
from torchcc.backend.cpu import direct

pytestmark = pytest.mark.skipif(not direct.is_possible(), reason="objects of this interpreter lie in memory in another way")

SOURCE = """
import torch
from torch import Tensor
from typing import Dict, List, NamedTuple, Optional, Tuple

def add(x: Tensor, y: Tensor) -> Tensor:
    return x + y

def numbers(x: Tensor, k: int, s: float, b: bool) -> Tuple[Tensor, int, float, bool]:
    return x * k + s, k + x.size(0), s * 2, not b

def optional(x: Tensor, y: Optional[Tensor] = None, flag: bool = False) -> Tuple[Tensor, Optional[Tensor]]:
    if y is None:
        return x + 1, None
    return x + y, x - y if flag else y * 2

def modes(x: Tensor, mode: str = "up", steps: int = 2, scale: float = 0.5) -> Tensor:
    if mode == "up":
        return x.unflatten(0, (steps, -1)) * scale
    return x

def total(x: Tensor) -> float:
    return float(x.sum())

def checked(x: Tensor, i: int) -> Tensor:
    if i > 3:
        raise ValueError("too far")
    return x[i]

def clear(x: Tensor) -> Tensor:
    return x.zero_()

def same(x: Tensor) -> Tensor:
    return x

class Pair(NamedTuple):
    a: Tensor
    b: Dict[str, int]

def named(x: Tensor) -> Pair:
    return Pair(x * 2, {"x": x.size(0) + 5, "y": 2})

def lists(x: Tensor) -> List[Tensor]:
    return [x + 1, x + 2]

def positive(x: Tensor) -> Tensor:
    return x[x > 0]
"""


@pytest.fixture(scope="module")
def functions():
    return torchcc.compile_source(SOURCE)


def often(function, *args):
    """The result of a call that was made so often that it is direct if it can be."""
    for _ in range(DIRECT_AFTER):
        function(*args)
    return function(*args)


def stubs(function):
    return function._direct


X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.int64, np.int8, np.uint8, np.complex64])
def test_tensors_of_every_dtype(functions, dtype):
    x = np.arange(6).reshape(2, 3).astype(dtype)
    result = often(functions.add, x, x)
    assert stubs(functions.add)
    assert result.dtype == x.dtype
    assert result.flags.writeable
    np.testing.assert_array_equal(result.astype(np.complex128), (x + x).astype(np.complex128))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (2, 1, 3, 1)])
def test_shapes(functions, shape):
    x = np.ones(shape, np.float32)
    result = often(functions.add, x, x)
    assert result.shape == shape
    np.testing.assert_array_equal(result, x + x)


def test_numbers(functions):
    result = often(functions.numbers, X, 3, 0.5, True)
    assert stubs(functions.numbers)
    assert [type(r) for r in result] == [np.ndarray, int, float, bool]
    np.testing.assert_array_equal(result[0], X * 3 + 0.5)
    assert result[1:] == (5, 1.0, False)
    assert functions.numbers(X, -7, 1.5, True)[1:] == (-5, 3.0, False)
    assert functions.numbers(X, 3, 2, True)[2] == 4.0  # an int for a float: the general way
    with pytest.raises((OverflowError, torchcc.CompileError)):
        functions.numbers(X, 2**70, 0.5, True)


def test_what_is_constant_or_left_out(functions):
    first, second = often(functions.optional, X)
    assert len(stubs(functions.optional)) == 1
    np.testing.assert_array_equal(first, X + 1)
    assert second is None
    for flag, expected in ((False, X * 2), (True, X - X)):
        first, second = often(functions.optional, X, X, flag)
        np.testing.assert_array_equal(first, X + X)
        np.testing.assert_array_equal(second, expected)
    assert functions.optional(X)[1] is None
    assert functions.optional(X, flag=True)[1] is None


def test_texts_and_numbers_that_are_fixed(functions):
    x = np.arange(4, dtype=np.float32)
    call = functions.modes.compile(x, "up", 2, 0.5)
    for _ in range(2):
        np.testing.assert_array_equal(often(call, x, "up", 2, 0.5), x.reshape(2, 2) * 0.5)
    for wrong in (("down", 2, 0.5), ("up", 4, 0.5), ("up", 2, 0.25)):
        np.testing.assert_array_equal(often(functions.modes, x, "up", 2, 0.5), x.reshape(2, 2) * 0.5)
        expected = x if wrong[0] == "down" else x.reshape(wrong[1], -1) * wrong[2]
        np.testing.assert_array_equal(functions.modes(x, *wrong), expected)


def test_what_is_not_for_the_stub_goes_the_general_way(functions):
    often(functions.add, X, X)
    for x in (
        X.T.copy().T,
        X.astype(np.float64),
        np.ones((3, 3), np.float32),
        np.broadcast_to(np.float32(2), (2, 3)),
        X.astype(">f4"),
        X.view(type("Named", (np.ndarray,), {})),
        np.frombuffer(b"\0" + X.tobytes(), np.float32, offset=1).reshape(2, 3),
    ):
        np.testing.assert_array_equal(functions.add(x, x), np.asarray(x) + np.asarray(x))
    for wrong in (1, None, [1.0], "x"):
        with pytest.raises((TypeError, torchcc.CompileError)):
            functions.add(X, wrong)
    with pytest.raises(torchcc.CompileError, match="missing"):
        functions.add(X)
    with pytest.raises(torchcc.CompileError, match="takes 2 arguments"):
        functions.add(X, X, X)


def test_errors_are_those_of_the_general_way(functions):
    row = often(functions.checked, np.ones((3, 2), np.float32), 1)
    np.testing.assert_array_equal(row, [1, 1])
    for i, text in ((4, "too far"), (3, "out of range")):
        with pytest.raises(torchcc.ExecutionError, match=text):
            functions.checked(np.ones((3, 2), np.float32), i)


def test_a_number_as_result(functions):
    assert often(functions.total, X) == 15.0


def test_results_of_any_structure(functions):
    first, second = often(functions.lists, X)
    assert stubs(functions.lists)
    np.testing.assert_array_equal(first, X + 1)
    np.testing.assert_array_equal(second, X + 2)
    found = often(functions.named, X)
    assert stubs(functions.named)
    assert type(found).__name__ == "Pair" and found.b == {"x": 7, "y": 2}
    np.testing.assert_array_equal(found.a, X * 2)


@pytest.mark.parametrize("name", ["clear", "same"])
def test_functions_that_do_more_are_never_direct(functions, name):
    function = getattr(functions, name)
    x = X.copy()
    for _ in range(3 * DIRECT_AFTER):
        result = function(x)
    assert not stubs(function)
    if name == "same":
        assert np.shares_memory(result, x)
    if name == "clear":
        assert not x.any()


def test_results_of_run_time_shape(functions):
    result = often(functions.positive, np.array([1, -1, 2], np.float32))
    np.testing.assert_array_equal(result, [1, 2])
    assert functions.positive(np.array([-1, -1, -2], np.float32)).shape == (0,)


def test_dynamic_dimensions():
    def normal(x, y):
        return x + y

    function = torchcc.compile_source("from torch import Tensor\ndef f(x: Tensor, y: Tensor) -> Tensor:\n    return x + y\n").f
    n = torchcc.Dim("n", 2, 9)
    call = function.compile(torchcc.TensorSpec(torchcc.float32, (n, 3)), torchcc.TensorSpec(torchcc.float32, (n, 3)))
    often(call, X, X)
    assert call._direct
    big = np.ones((9, 3), np.float32)
    np.testing.assert_array_equal(call(big, big), normal(big, big))
    for wrong in ((X, big), (np.ones((10, 3), np.float32),) * 2, (X.astype(np.float64), X)):
        with pytest.raises((torchcc.ExecutionError, torchcc.CompileError, TypeError)):
            call(*wrong)


def test_nothing_is_left_behind(functions):
    x = np.ones((4, 4), np.float32)
    often(functions.add, x, x)
    often(functions.numbers, X, 3, 0.5, True)
    watched = (x, x.dtype, np.ndarray, None, True, NotImplemented, ...)
    before = [sys.getrefcount(o) for o in watched]
    for _ in range(2000):
        functions.add(x, x)
        functions.numbers(X, 3, 0.5, True)
        functions.add(x, X[:1, :1])
    after = [sys.getrefcount(o) for o in watched]
    assert all(abs(a - b) < 500 for a, b in zip(after, before, strict=True)), list(zip(before, after, strict=True))


def test_a_result_outlives_its_function():
    function = torchcc.compile_source("from torch import Tensor\ndef f(x: Tensor) -> Tensor:\n    return x * 3\n").f
    kept = [often(function, X) for _ in range(3)]
    del function
    gc.collect()
    for result in kept:
        np.testing.assert_array_equal(result, X * 3)


def test_many_threads(functions):
    x = [np.full((50, 50), i, np.float32) for i in range(4)]
    often(functions.add, x[0], x[0])
    wrong = []

    def run(i):
        wrong.extend(n for n in range(500) if functions.add(x[i], x[i])[3, 4] != 2 * i)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_module_that_changes_is_compiled_anew(tmp_path):
    source = (
        "import torch\nfrom torch import Tensor, nn\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.k = 2\n    def forward(self, x: Tensor) -> Tensor:\n        return x * self.k\n"
    )
    (tmp_path / "net.py").write_text(source)
    module = torchcc.compile_file(tmp_path / "net.py", "Net")
    np.testing.assert_array_equal(often(module, X), X * 2)
    module.k = 5
    np.testing.assert_array_equal(often(module, X), X * 5)


COUNTER = """
import torch
from torch import Tensor, nn
from typing import List

class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.total = torch.zeros(3)
        self.other = torch.ones(3)
        self.calls = 0
        self.last: List[Tensor] = [torch.zeros(3)]
        self.limit = 100

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if self.calls > self.limit:
            raise ValueError("too often")
        self.total = self.total + x * self.other
        self.last = [self.total * 2]
        return self.total
"""


def test_state(tmp_path):
    (tmp_path / "counter.py").write_text(COUNTER)
    module = torchcc.compile_file(tmp_path / "counter.py", "Counter")
    x = np.array([1, 2, 3], np.float32)
    kept = [module(x) for _ in range(3 * DIRECT_AFTER)]
    assert stubs(module._torchcc.called())
    for n, found in enumerate(kept):
        np.testing.assert_array_equal(found, x * (n + 1))
    assert module.calls == 3 * DIRECT_AFTER
    np.testing.assert_array_equal(module.last[0], kept[-1] * 2)
    module.total = np.zeros(3, np.float32)
    np.testing.assert_array_equal(module(x), x)
    module.other = module.total  # one tensor under two names
    for _ in range(DIRECT_AFTER):
        before, total = module.total.copy(), module(x)
        np.testing.assert_array_equal(total, before + x * np.asarray(module.other))
    module.total = np.zeros((2, 3), np.float32)
    assert module(x).shape == (2, 3)
    module.calls = 0
    module.limit = 2
    often(lambda: module(x) if module.calls < 2 else None)
    with pytest.raises(torchcc.ExecutionError, match="too often"):
        module(x)
    assert module.calls == 3  # what was written before the error
