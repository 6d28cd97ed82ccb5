"""The order of `list.sort` and `sorted`: by value, tuples part by part, stable; NaN stands after every number.

PyTorch sorts numbers, strings, tensors of one element, and tuples of these. `unsortable` tells from the type of the
elements what PyTorch's error for others is, `ordered` sorts Python values (tensors as arrays). Tensors are compared
only where what stands before them in the tuples is equal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cmp_to_key
from typing import Any, Final, cast

import numpy as np

from .operator import OperatorError
from .script_types import (
    BOOL,
    FLOAT,
    INT,
    NONE,
    STR,
    TENSOR,
    BoolType,
    ClassType,
    DictType,
    FloatType,
    IntType,
    ListType,
    ScriptType,
    StrType,
    TensorType,
    TupleType,
)

NO_VALUES: Final = "Boolean value of Tensor with no values is ambiguous"
SEVERAL_VALUES: Final = "Boolean value of Tensor with more than one value is ambiguous"

_SORTABLE: Final = "a User Defined Class"
_LEAVES: Final = (IntType, FloatType, BoolType, StrType, TensorType, ClassType)


def unsortable(element: ScriptType) -> str | None:
    """PyTorch's error for sorting a list with elements of that type that is not empty; None where it is sorted."""
    match element:
        case TupleType():
            wrong = _unsortable_tuple(element)
            if wrong is None:
                return None
            return (
                f"Contained elements in {_open(wrong)} are not sortable. Only Int, Bool, Float, String, Tensor, "
                f"{_SORTABLE} with __lt__ method defined or Tuples of aforementioned types can be sorted."
            )
        case ListType() | DictType():
            return (
                f"Only list of Tensors, ints, floats, bools, strs, {_SORTABLE} that defines the __lt__ compare method "
                f"or Tuples of aforementioned types can be sorted, got list of {_open(element).annotation}"
            )
        case _:
            return None


def _unsortable_tuple(t: TupleType) -> TupleType | None:
    """The innermost tuple with a part that has no order."""
    for part in t.elements:
        wrong = _unsortable_tuple(part) if isinstance(part, TupleType) else None
        if wrong is None and not isinstance(part, (TupleType, *_LEAVES)):
            wrong = t
        if wrong is not None:
            return wrong
    return None


def _open(t: ScriptType) -> ScriptType:
    """The type as the source has it: nothing is said of tensors."""
    match t:
        case TensorType():
            return TENSOR
        case ListType():
            return ListType(_open(t.element))
        case TupleType():
            return TupleType(tuple(map(_open, t.elements)))
        case _:
            return t


def leaves(t: ScriptType) -> tuple[ScriptType, ...]:
    """Types of the parts that are compared, in order."""
    return tuple(leaf for e in t.elements for leaf in leaves(e)) if isinstance(t, TupleType) else (t,)


def ordered(values: Sequence[Any], reverse: bool = False) -> list[int]:
    """Positions of the values in sorted order. OperatorError where PyTorch does not sort such values."""
    wrong = unsortable(_type_of(values[0])) if values else None
    if wrong is not None:
        raise OperatorError(wrong)
    key = cmp_to_key(_compare)
    keys = [key(v) for v in values]
    return sorted(range(len(values)), key=keys.__getitem__, reverse=reverse)


def _type_of(value: Any) -> ScriptType:
    match value:
        case bool() | np.bool_():
            return BOOL
        case int():
            return INT
        case float():
            return FLOAT
        case str():
            return STR
        case None:
            return NONE
        case tuple():
            return TupleType(tuple(map(_type_of, cast("tuple[Any, ...]", value))))
        case list():
            return ListType(_type_of(value[0]) if value else TENSOR)
        case _:
            return TENSOR


def _compare(a: Any, b: Any) -> int:
    """Negative where `a` stands first, 0 where neither does."""
    if isinstance(a, tuple):
        signs = (_compare(x, y) for x, y in zip(cast("tuple[Any, ...]", a), b, strict=True))
        return next((s for s in signs if s), 0)
    a, b = _plain(a, b), _plain(b, a)
    last = [isinstance(v, float) and math.isnan(v) for v in (a, b)]
    return last[0] - last[1] if any(last) else int(a > b) - int(a < b)


def _plain(value: Any, other: Any) -> Any:
    """What is compared: the one number of a tensor, the bytes of a string."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if not isinstance(value, np.ndarray):
        return value
    array = cast("np.ndarray[Any, Any]", value)
    count = np.broadcast(array, other).size
    if count != 1:
        raise OperatorError(SEVERAL_VALUES if count else NO_VALUES)
    return array.item()
