"""Tensors that loops carry and operators make: how these lie decides what later views share, at run time, as in PyTorch."""

import numpy as np
import pytest

import torchcc

torch = pytest.importorskip("torch", reason="compares with PyTorch")

PROGRAMS = {
    "transposed_once": "h = x.t()\nfor k in range(n):\n  v = h.reshape(-1)\n  v[0] += 1\n  h = h * 2\nreturn h",
    "transposed_each_time": "h = x @ y\nfor k in range(n):\n  h = h.t() + 1\n  r = h.reshape(-1)\n  r += 1\nreturn h",
    "cloned": "h = x.clone()\nfor k in range(n):\n  h = h.permute(1, 0).clone()\n  v = h.reshape(-1)\n  v[k] += 1\nreturn h",
    "as_it_lies": "z = x.t()\nfor k in range(n):\n  z = z * 2\nw = z.contiguous()\nw[0, 0] = 99.0\nreturn x, w, z",
    "two_operands": "h = x.t()\nfor k in range(n):\n  h = torch.where(h > 3, h + y, y) * 1\n  h.reshape(-1)[k] = -5\nreturn h",
    "row_major": "h = x.t()\nfor k in range(n):\n  h = torch.softmax(h.t() * 0, 0)\n  h.flatten()[1] = 7\nreturn h",
    "refused_or_not": "h = x.t()\nv = h\nfor k in range(n):\n  h = h.t() * 2\n  v = h.reshape(-1)\n  v[1] += 1\nreturn h.view(-1) + v",
    "three_dimensions": (
        "h = x.reshape(2, 2, 6)\nfor k in range(n):\n  h = (h.permute(2, 0, 1) + 1).permute(1, 2, 0).abs()\n"
        "  h.transpose(0, 1).reshape(-1)[0] = 50\n  h.reshape(-1)[1] += 1\nreturn h"
    ),
}
SOURCE = "import torch\nfrom torch import Tensor\n" + "".join(
    f"def {name}(x: Tensor, y: Tensor, n: int):\n  {body.replace(chr(10), chr(10) + '  ')}\n" for name, body in PROGRAMS.items()
)


def given(kind):
    x, y = torch.arange(24.0).reshape(4, 6), torch.arange(24.0, 48.0).reshape(6, 4)
    if kind == "transposed":
        return x.reshape(6, 4).t(), y.reshape(4, 6).t()
    return (x, y) if kind == "plain" else (torch.arange(48.0).reshape(4, 12)[:, :6], y)


def outcome(function, arguments, n, convert):
    try:
        results = function(*map(convert, arguments), n)
    except (RuntimeError, torchcc.ExecutionError):
        return "raises"
    found = [np.asarray(r) for r in (results if isinstance(results, tuple) else (results,))]
    shared = [[np.shares_memory(r, a) for a in (*map(np.asarray, arguments), *found)] for r in found]
    return [r.tolist() for r in found], [a.tolist() for a in arguments], shared


@pytest.fixture(scope="module")
def functions():
    names = {}
    exec(SOURCE, names)
    return names, torchcc.compile_source(SOURCE)


@pytest.mark.parametrize("name", PROGRAMS)
def test_views_of_what_a_loop_carries(functions, name):
    theirs, mine = functions
    for kind in ("plain", "transposed", "part"):
        for n in (0, 1, 2, 3):
            expected = outcome(theirs[name], given(kind), n, lambda v: v)
            assert outcome(getattr(mine, name), given(kind), n, lambda v: v.numpy()) == expected, (kind, n)


def test_what_nobody_knows_is_not_guessed():
    body = "h = x * 1\n  for k in range(n):\n    v = h.flatten()\n    v.mul_(2)\n    h = torch.einsum('ij->ji', h)\n  return h"
    with pytest.raises(torchcc.CompileError, match="whether this shares memory with what it is made from"):
        torchcc.compile_source(f"import torch\nfrom torch import Tensor\ndef f(x: Tensor, n: int):\n  {body}\n").f(np.ones((2, 2), np.float32), 2)
