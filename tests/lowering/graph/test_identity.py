"""`is` on tensors: known where it can be, an error where an operator, branch or loop may have handed the very tensor on."""

import numpy as np
import pytest

import torchcc

KNOWN = """
import torch
from torch import Tensor
def same(x: Tensor, c: Tensor):
    y = x
    y += 1
    return y is x, x is not x.clone(), [x, c][0] is x, x[0] is x, x.view(-1) is x
def after_a_branch(x: Tensor, c: Tensor):
    y = x + 2
    if bool(c > 0):
        y = x + 1
    return y is x, (x * 2) is y
def after_a_loop(x: Tensor, c: Tensor):
    y = c * 1
    for i in range(int(c)):
        y = y + 1
    return y is x, x.contiguous() is c
"""
UNKNOWN = {
    "contiguous": "return x is x.contiguous()",
    "cast": "return x.float() is x",
    "branch": "y = x\n    if bool(c > 0):\n        y = x + 1\n    return y is x",
    "loop": "y = x\n    for i in range(int(c)):\n        y = y + 1\n    return x is not y",
    "in a loop": "y = x\n    b = True\n    for i in range(int(c)):\n        y = y.contiguous()\n        b = y is x\n    return b",
}
X, C = np.ones(3, np.float32), np.array(1)


def test_what_is_known():
    unit = torchcc.compile_source(KNOWN)
    assert unit.same(X.copy(), C) == (True, True, True, False, False)
    assert unit.after_a_branch(X, C) == (False, False)
    assert unit.after_a_loop(X, C) == (False, False)


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_known_is_an_error(name):
    unit = torchcc.compile_source(f"import torch\nfrom torch import Tensor\ndef f(x: Tensor, c: Tensor):\n    {UNKNOWN[name]}\n")
    with pytest.raises(torchcc.CompileError, match="whether these two are one tensor is not known"):
        unit.f(X, C)
