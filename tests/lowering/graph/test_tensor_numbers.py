"""Numbers kept in tensors are known where the sizes they come from are; what is written in place is read at run time."""

import numpy as np
import pytest

import torchcc

HEAD = "import torch\nfrom torch import Tensor\nfrom typing import List\n"


def compiled(body, *specs):
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    return torchcc.compile_source(f"{HEAD}def f(x: Tensor, y: Tensor):\n{lines}\n").f.compile(*specs)


def spec(*shape, dtype="float32"):
    return torchcc.TensorSpec(torchcc.DType[dtype], shape)


def numbers(*values, dtype=np.float32):
    return np.array(values, dtype)


STATIC = {
    "floor_divide": "n = torch.tensor(x.size(0))\nreturn x.chunk(int(torch.floor_divide(n, 2)))[1]",
    "scaled": "n = (torch.tensor(x.size(0)).to(torch.float32) * 0.5).floor()\nreturn x.chunk(int(n))[1]",
    "mixed": "n = torch.tensor(x.size(0)) - torch.tensor(1) * 2\nreturn x.split(int(n))[1]",
    "reduced": "n = torch.stack([torch.tensor(x.size(0)), torch.tensor(3)]).min()\nreturn x.split(int(n))[1]",
    "range": "n = torch.arange(x.size(0))\nreturn x.split(int(n[2]))[1]",
}


@pytest.mark.parametrize("name", STATIC)
def test_known_where_the_size_is(name):
    """The number of chunks and the size of a piece have to be known at compile time."""
    x = numbers(1, 2, 3, 4)
    rest = {"floor_divide": x[2:], "scaled": x[2:], "mixed": x[2:], "reduced": x[3:], "range": x[2:]}[name]
    np.testing.assert_array_equal(compiled(STATIC[name], spec(4), spec(1))(x, numbers(0)), rest)


def test_run_time_extents_stay_expressions_of_the_size():
    """The result is known to have as many rows as `x`: adding it to `x` needs no check, and both extents are one."""
    body = "n = torch.tensor(x.size(0))\nm = torch.floor_divide(n * 2, torch.tensor(2))\nreturn x.view(int(m), -1), int(m) + 1"
    f = compiled(body, spec(torchcc.Dim("n"), 3), spec(1))
    for rows in (1, 4):
        x = np.arange(3 * rows, dtype=np.float32).reshape(rows, 3)
        view, number = f(x, numbers(0))
        np.testing.assert_array_equal(view, x)
        assert number == rows + 1


WRITTEN = {
    "in_place": ("n = torch.tensor(x.size(0))\nn += 3\nreturn int(n)", 7),
    "through_a_view": ("n = torch.tensor([x.size(0), 9])\nm = n[0]\nn[0] = 5\nreturn int(m)", 5),
    "of_the_source": ("n = torch.tensor(x.size(0))\nm = n.view(1)[0]\nn.fill_(8)\nreturn int(m)", 8),
    "before_the_write": ("n = torch.tensor(x.size(0))\nk = int(n)\nn += 3\nreturn k * 100 + int(n)", 407),
    "in_a_loop": ("n = torch.tensor(x.size(0))\nk = 0\nfor i in range(int(y[0])):\n    k = k * 10 + int(n)\n    n += 1\nreturn k", 456),
    "rebound_in_a_loop": ("n = torch.tensor(x.size(0))\nk = 0\nfor i in range(int(y[0])):\n    k = k * 10 + int(n)\n    n = n + 1\nreturn k", 456),
    "in_a_branch": ("n = torch.tensor(x.size(0))\nif bool(y[0] > 1):\n    n += 1\nreturn int(n)", 5),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_writes_are_seen(name):
    body, expected = WRITTEN[name]
    assert compiled(body, spec(4), spec(1))(numbers(1, 2, 3, 4), numbers(3)) == expected


def test_division_by_zero_is_the_operators_own_error():
    body = "n = torch.tensor(x.size(0))\nreturn int(torch.floor_divide(torch.tensor(6), n))"
    f = compiled(body, spec(torchcc.Dim("n")), spec(1))
    assert f(numbers(1, 2), numbers(0)) == 3
    with pytest.raises(torchcc.ExecutionError, match="ZeroDivisionError|zero"):
        f(numbers(), numbers(0))
