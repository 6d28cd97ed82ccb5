"""The order of `sort` and `sorted` on Python values, and what is refused."""

import math

import numpy as np
import pytest

from torchcc.ir.operator import OperatorError
from torchcc.ir.ordering import ordered, unsortable
from torchcc.ir.script_types import FLOAT, INT, STR, TENSOR, ListType, OptionalType, TupleType

ORDERED = {
    "numbers": ([3, 1, 2], False, [1, 2, 0]),
    "bools": ([True, False, True], True, [0, 2, 1]),
    "tuples, equal ones as they stood": ([(1, 2.0), (0, 9.0), (1, 2.0), (1, 1.0)], True, [0, 2, 3, 1]),
    "nested tuples": ([(1, (True, 0.5)), (1, (False, 7.0))], False, [1, 0]),
    "bytes of strings": (["\U00010000", "\uffff", "a"], False, [2, 1, 0]),
    "nan is last": ([math.nan, 2.0, math.nan, 1.0], False, [3, 1, 0, 2]),
    "nan is first in reverse": ([1.0, math.nan, 2.0], True, [1, 2, 0]),
    "tensors of one element": ([np.array([2.0]), np.array([1.0])], False, [1, 0]),
    "tensors that do not decide": ([(2, np.ones(3)), (1, np.ones(3))], False, [1, 0]),
    "nothing": ([], False, []),
}

REFUSED = {
    "lists": ([[1], [2]], "got list of List[int]"),
    "tuples of lists": ([(1, [2])], "Contained elements in (int, int[]) are not sortable"),
    "tensors of several elements": ([np.ones(2), np.ones(2)], "more than one value is ambiguous"),
    "tensors of none": ([np.ones(0), np.ones(0)], "no values is ambiguous"),
}


@pytest.mark.parametrize("name", ORDERED)
def test_ordered(name):
    values, reverse, positions = ORDERED[name]
    assert ordered(values, reverse) == positions


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    values, message = REFUSED[name]
    with pytest.raises(OperatorError) as found:
        ordered(values)
    assert message in str(found.value)


def test_types_that_have_an_order():
    assert unsortable(TupleType((INT, TENSOR, TupleType((FLOAT, STR))))) is None
    assert "in (float, str[])" in unsortable(TupleType((INT, TupleType((FLOAT, ListType(STR))))))
    assert unsortable(TupleType((OptionalType(INT),))) is not None
