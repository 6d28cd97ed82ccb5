"""Writes in place that read what they write, at positions known at run time: PyTorch's errors, and its values."""

import itertools

import numpy as np
import pytest

import torchcc

torch = pytest.importorskip("torch", reason="compares with PyTorch")

BODIES = {
    "rows": "x[i:i + n] = x[j:j + n]",
    "one_row": "x[i] += x[j]",
    "row_to_rows": "x[i:i + n] += x[j]",
    "part_of_a_row": "x[2, i:i + n] -= x[2, j:j + n]",
    "in_a_loop": "for k in range(n):\n    x[k + 1:k + 1 + j] += x[i:i + j]",
    "an_element": "y = x.view(-1)\n  y[i:i + n].mul_(y[j])",
    "open_end": "x[i:] -= x[:6 - i]",
}
ORDERED = {
    "columns": "x[:, i:i + n] = x[:, j:j + n]",
    "steps": "x[i:i + 2 * n:2] = x[j:j + 2 * n:2]",
}
"""PyTorch computes something, by the order in which its kernels go through the elements: an error where that matters."""

HEAD = "import torch\nfrom torch import Tensor\n"
POSITIONS = list(itertools.product((0, 1, 3, -2), (0, 1, 2, -1), (0, 1, 3)))


def source(name, body):
    return f"def {name}(x: Tensor, i: int, j: int, n: int):\n  {body}\n  return x\n"


@pytest.fixture(scope="module")
def library():
    return torchcc.compile_source(HEAD + "".join(source(n, b) for n, b in {**BODIES, **ORDERED}.items()))


def outcome(function, x, position):
    try:
        function(x, *position)
    except (RuntimeError, torchcc.ExecutionError) as error:
        return "overlap" if "refer to a single memory location" in str(error) else "fails"
    return np.asarray(x).tolist()


@pytest.mark.parametrize("name", [*BODIES, *ORDERED])
def test_overlaps(name, library):
    names = {}
    exec(HEAD + source(name, {**BODIES, **ORDERED}[name]), names)
    seen = set()
    for position in POSITIONS:
        x = torch.arange(30.0).view(6, 5)
        found = outcome(getattr(library, name), x.numpy().copy(), position)
        expected = outcome(names[name], x, position)
        assert found == expected or (name in ORDERED and found == "overlap"), position
        seen.add(found if isinstance(found, str) else "values")
    assert "values" in seen and ("overlap" in seen or name in ("one_row", "steps"))


def test_extents_known_at_run_time():
    shift = torchcc.compile_source(HEAD + "def f(x: Tensor):\n  x[1:] += x[:-1]\n  return x\n").f
    call = shift.compile(torchcc.TensorSpec(torchcc.float32, (torchcc.Dim("n"),)))
    with pytest.raises(torchcc.ExecutionError, match="refer to a single memory location"):
        call(np.ones(4, np.float32))
    assert call(np.ones(1, np.float32)).tolist() == [1.0]
