"""Writes through views, branches and loops become values; what cannot be followed is refused."""

import numpy as np
import pytest

from torchcc.ir.diagnostics import CompileError
from torchcc.lowering.graph.aliases import reshaped_strides

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_nothing_writes_afterwards(steps):
    source = "def f(x):\n  y = x * 2\n  y[0].mul_(3)\n  y.view(-1)[2:5].add_(y[0, 0])\n  return y\n"
    case = steps(source, [X])
    case.check()
    assert not any(n.endswith("_") for n in case.names)


def test_arguments_written_in_place_become_results(steps):
    case = steps("def f(x, y):\n  x += y\n  return y * 2\n", [X, X]).lower()
    first, second = case.signature.parameters
    assert first.write_back == 1 and second.write_back is None and len(case.signature.results) == 2


def test_views_that_are_never_written_are_left_alone(steps):
    case = steps("def f(x):\n  y = x.t()\n  return y + 1, x[0]\n", [X]).lower()
    assert case.names.count("aten::t") == 1 and case.signature.parameters[0].write_back is None


def test_a_view_is_made_again_after_its_base_was_written(steps):
    source = "def f(x):\n  b = x.clone()\n  v = b[0]\n  s = v.sum()\n  b.add_(1)\n  return v, s\n"
    steps(source, [X]).check()


def test_branches_give_back_what_they_write(steps):
    source = "def f(x, n: int):\n  b = x.clone()\n  v = b[1]\n  if n > 0:\n    v.mul_(n)\n  return b, v\n"
    case = steps(source, [X, 3])
    case.check()
    (branch,) = [op for op in case.function.walk() if op.name == "prim::If"]
    assert len(branch.results) == 1


def test_loops_carry_what_they_write(steps):
    source = "def f(x, n: int):\n  b = x.clone()\n  for i in range(n):\n    b[i % 2] += i\n  return b\n"
    case = steps(source, [X, 5])
    case.check()
    (loop,) = [op for op in case.function.walk() if op.name == "prim::Loop"]
    assert len(loop.results) == 1


AMBIGUOUS = {
    "branch": "def f(x, n: int):\n  y = x * 1\n  if n > 0:\n    z = y\n  else:\n    z = y + 1\n  z.add_(1)\n  return y\n",
    "branch_of_argument": "def f(x, n: int):\n  if n > 0:\n    x = x + 1\n  x.add_(1)\n  return x\n",
    "loop": "def f(x, n: int):\n  y = x * 1\n  z = y\n  for i in range(n):\n    z.add_(1)\n    z = z * 2\n  return y\n",
}


@pytest.mark.parametrize("name", AMBIGUOUS)
@pytest.mark.parametrize("n", [0, 1, 2])
def test_ambiguous_memory_is_written_and_read_in_order(name, n, steps):
    case = steps(AMBIGUOUS[name], [X, n])
    case.check()
    assert "aten::copy_" in case.names


def test_ambiguous_memory_is_fine_if_nobody_looks(steps):
    source = "def f(x, n: int):\n  y = x * 1\n  if n > 0:\n    z = y\n  else:\n    z = y + 1\n  z.add_(1)\n  return z\n"
    steps(source, [X, 1]).check()


def test_writing_to_an_expanded_tensor_is_refused(steps):
    with pytest.raises(CompileError, match="more than one element of the written-to tensor"):
        steps("def f(x):\n  y = x[:1].expand(4, 3)\n  y.add_(1)\n  return y\n", [X]).lower()


def test_result_dtype_must_fit(steps):
    with pytest.raises(CompileError, match="result type Float can't be cast to the desired output type Long"):
        steps("def f(x):\n  x += 1.5\n  return x\n", [np.arange(3)]).lower()


def test_result_shape_must_fit(steps):
    with pytest.raises(CompileError, match="doesn't match the broadcast shape"):
        steps("def f(x):\n  y = x[0]\n  y += x * 2\n  return y\n", [X]).lower()


@pytest.mark.parametrize(
    ("shape", "strides", "wanted"),
    [
        ((2, 3), (3, 1), (6,)),
        ((3, 2), (1, 3), (6,)),
        ((3, 2), (1, 3), (3, 2, 1)),
        ((2, 3, 4), (12, 4, 1), (6, 2, 2)),
        ((2, 3, 4), (24, 4, 1), (2, 12)),
        ((2, 3, 4), (24, 4, 1), (6, 4)),
        ((4, 1, 2), (2, 7, 1), (8,)),
        ((2, 2), (0, 1), (4,)),
        ((1, 1), (5, 9), ()),
        ((), (), (1, 1)),
        ((0, 3), (3, 1), (3, 0)),
    ],
)
def test_reshape_is_a_view_where_torch_says_so(shape, strides, wanted):
    torch = pytest.importorskip("torch", reason="PyTorch decides what is a view")
    base = torch.zeros(200).as_strided(shape, strides)
    try:
        expected = base.view(wanted)
    except RuntimeError:
        expected = None
    found = reshaped_strides(shape, strides, wanted)
    assert (found is None) == (expected is None)
    if expected is not None and expected.numel():
        assert all(s == e or n == 1 for s, e, n in zip(found, expected.stride(), expected.shape, strict=True))
