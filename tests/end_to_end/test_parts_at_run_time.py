"""`split`, `chunk`, `tensor_split` into as many parts as a number says that shows at run time, against PyTorch; and reductions of nothing."""

from __future__ import annotations

from typing import Any

import pytest

from torchcc.api import compile_source
from torchcc.ir.diagnostics import ExecutionError

torch = pytest.importorskip("torch", reason="says what is right")

HEAD = "import torch\nfrom torch import Tensor\nfrom typing import List\n"
PARTS = """
def by_size(x: Tensor, t: Tensor):
    n = int(t)
    return x.split(n), torch.unsafe_split(x, n, 1)

def chunks(x: Tensor, t: Tensor):
    n = int(t)
    return x.chunk(n), torch.unsafe_chunk(x, n, -1)

def sections(x: Tensor, t: Tensor):
    n = int(t)
    return x.tensor_split(n), torch.tensor_split(x, n, 1)

def equal_parts(x: Tensor, t: Tensor):
    return torch.hsplit(x, int(t))

def of_rows(x: Tensor, t: Tensor):
    y = x[: int(t)]
    total = torch.zeros([4])
    for part in y.tensor_split(3):
        total = total * 2 + part.sum(0)
    first, second = y.tensor_split(2)
    return total, first, second

def cut(x: Tensor, t: Tensor):
    n = int(t)
    places: List[int] = []
    for i in range(n):
        places.append(2 * i - 1)
    return x.tensor_split(places), x.tensor_split([n, n + 1], 1)

def written(x: Tensor, t: Tensor):
    y = x.clone()
    for i, part in enumerate(y.chunk(int(t))):
        part.mul_(i + 2)
    return y
"""


def flat(value: Any) -> list[Any]:
    return [leaf for v in value for leaf in flat(v)] if isinstance(value, list | tuple) else [value]


@pytest.fixture(scope="module")
def both():
    return compile_source(HEAD + PARTS), torch.jit.CompilationUnit(PARTS)


@pytest.mark.parametrize("name", ["by_size", "chunks", "sections", "equal_parts", "of_rows", "cut", "written"])
def test_parts(both, name):
    ours, theirs = (getattr(b, name) for b in both)
    x = torch.arange(24.0).reshape(6, 4)
    for count in (4, 1, 2) if name == "equal_parts" else (3, 1, 2, 5):
        number = torch.tensor(count)
        for found, expected in zip(flat(ours(x, number)), flat(theirs(x, number)), strict=True):
            torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    "name, count, text",
    [
        ("by_size", -1, "split expects split_size be non-negative, but got split_size=-1"),
        ("by_size", 0, "split_size can only be 0 if dimension size is 0, but got dimension size of 6"),
        ("chunks", 0, "chunk expects `chunks` to be greater than 0, got: 0"),
        ("sections", 0, "number of sections must be larger than 0, got 0"),
    ],
)
def test_what_is_refused(both, name, count, text):
    with pytest.raises(ExecutionError, match=text.replace("`", ".")):
        getattr(both[0], name)(torch.zeros(6, 4), torch.tensor(count))


def test_reductions_of_nothing():
    text = "def f(x: Tensor):\n    y = x[x > 0]\n    return torch.logsumexp(y, 0), torch.log_softmax(y, 0), torch.diff(y), torch.cumulative_trapezoid(y)\n"
    ours, theirs = compile_source(HEAD + text).f, torch.jit.CompilationUnit(text).f
    for x in (torch.tensor([1.0, -1.0, 2.0]), torch.tensor([-1.0])):
        torch.testing.assert_close(ours(x), theirs(x))


def test_triangles_of_run_time_sizes():
    text = "def f(t: Tensor):\n    n = int(t)\n    return torch.tril_indices(n, n), torch.triu_indices(n, 3, n - 3, dtype=torch.int32)\n"
    ours, theirs = compile_source(HEAD + text).f, torch.jit.CompilationUnit(text).f
    for count in (4, 0, 1):
        torch.testing.assert_close(ours(torch.tensor(count)), theirs(torch.tensor(count)))
