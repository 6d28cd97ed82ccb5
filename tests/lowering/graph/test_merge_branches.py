"""`merge-branches`: `If`s on one condition become one, and only where nothing between them forbids it."""

import numpy as np
import pytest

from torchcc.lowering.graph.merge_branches import merge_branches

X = np.arange(6, dtype=np.float32).reshape(2, 3)

MERGED = {
    "one_after_the_other": "  y = x[0] if n > 1 else x\n  y = y + 1\n  z = torch.relu(y)\n  return z.sum()\n",
    "what_uses_the_first_comes_after": (
        "  y = x if n > 1 else x * 2\n  z = y + 1\n  w = x[0] if n > 1 else x\n  return z + w.sum()\n"
    ),
    "what_the_second_uses_comes_before": (
        "  y = x[0] if n > 1 else x\n  k = torch.tanh(x)\n  y = y * k\n  return y.sum()\n"
    ),
    "the_opposite_condition": "  y = x[0] if n > 1 else x\n  z = x if not n > 1 else x[1]\n  return y.sum() + z.sum()\n",
    "nested": "  y = x\n  if n >= 0:\n    y = y[0] if n > 1 else y\n    y = y + 1\n    y = y.sum()\n  return y.sum()\n",
}
KEPT = {
    "the_second_depends_on_the_first_through_others": (
        "  y = x if n > 1 else x * 2\n  z = torch.tanh(y)\n  w = z[0].sum() if n > 1 else z.sum()\n  return w\n"
    ),
    "an_error_between": (
        "  y = x if n > 1 else x * 2\n  if m > 5:\n    raise ValueError('large')\n  w = x[0].sum() if n > 1 else x.sum()\n"
        "  return y + w\n"
    ),
}


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("name", MERGED)
def test_one_condition_is_tested_once(name, n, steps):
    case = steps("def f(x, n: int, m: int):\n" + MERGED[name], [X, n, 0])
    expected = case.lower().run()[0]
    assert case.names.count("prim::If") > (2 if name == "nested" else 1)
    merge_branches(case.module)
    assert case.names.count("prim::If") == (2 if name == "nested" else 1)
    np.testing.assert_allclose(case.run()[0], expected, rtol=1e-6)


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("name", KEPT)
def test_what_stands_between_is_kept_in_order(name, n, steps):
    case = steps("def f(x, n: int, m: int):\n" + KEPT[name], [X, n, 0])
    expected = case.lower().run()[0]
    before = case.names.count("prim::If")
    merge_branches(case.module)
    assert case.names.count("prim::If") == before
    np.testing.assert_allclose(case.run()[0], expected, rtol=1e-6)
