"""Arguments that share memory, one of which is written in place: the same tensor twice is one, others are its parts."""

import numpy as np
import pytest

import torchcc

SOURCE = """
from typing import Dict, List
import torch
from torch import Tensor
def both(x: Tensor, y: Tensor):
    x.add_(1)
    return x + y
def chosen(x: Tensor, y: Tensor, n: int):
    z = x if n > 0 else y
    z.mul_(2)
    return x + y
def elements(l: List[Tensor]):
    for t in l:
        t.add_(1)
    return l[0]
def entries(d: Dict[str, Tensor]):
    d['a'].add_(1)
    return d['b']
def reads(x: Tensor, y: Tensor):
    return x + y
"""


@pytest.fixture(scope="module")
def library():
    return torchcc.compile_source(SOURCE)


def ones(n=3):
    return np.ones(n, np.float32)


def test_a_tensor_given_twice_is_one_tensor(library):
    x = ones()
    for k in (4, 6):  # compiled the first time
        np.testing.assert_array_equal(library.both(x, x), k)
    np.testing.assert_array_equal(x, 3)
    np.testing.assert_array_equal(library.chosen(x, x, 1), 12)
    np.testing.assert_array_equal(library.chosen(x, x, 0), 24)


def test_in_lists_and_dicts(library):
    x = ones()
    np.testing.assert_array_equal(library.elements([x, x]), 3)
    np.testing.assert_array_equal(library.entries({"a": x, "b": x}), 4)
    np.testing.assert_array_equal(x, 4)


def test_parts_of_one_memory(library):
    x = ones(4)
    np.testing.assert_array_equal(library.both(x[1:], x[:-1]), [3, 4, 4])
    np.testing.assert_array_equal(x, [1, 2, 2, 2])
    np.testing.assert_array_equal(library.reads(x[1:], x[:-1]), [3, 4, 4])
    np.testing.assert_array_equal(library.elements([x[1:], x[:2], x[1:]]), [5, 4, 4])
    np.testing.assert_array_equal(x, [2, 5, 4, 4])


def test_parts_of_several_dtypes_are_refused(library):
    x = ones(4)
    with pytest.raises(torchcc.ExecutionError, match="`x` and `y` share memory, and `x` is written in place"):
        library.both(x, x.view(np.int32))
    with pytest.raises(torchcc.ExecutionError, match="share memory"):
        library.both(x[1:], x[2::-1])  # PyTorch has no negative strides
    np.testing.assert_array_equal(x, 1)


def test_elements_that_lie_between_each_other_are_apart(library):
    x = ones(4)
    np.testing.assert_array_equal(library.both(x[::2], x[1::2]), 3)
    np.testing.assert_array_equal(x, [2, 1, 2, 1])
    whole = np.ones((4, 6), np.float32)
    np.testing.assert_array_equal(library.both(whole[:, :3], whole[:, 3:]), 3)
    np.testing.assert_array_equal(library.both(whole[:, :3], whole[:, 2:5]), [[6, 4, 4]] * 4)


def test_torch_tensors(library):
    torch = pytest.importorskip("torch", reason="passes torch tensors")
    x = torch.ones(3)
    assert library.both(x, x).tolist() == [4.0] * 3 and x.tolist() == [2.0] * 3

