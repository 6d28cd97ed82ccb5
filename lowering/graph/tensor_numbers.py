"""Numbers that are kept in tensors: a traced program computes its sizes so.

`int(torch.floor_divide(ops.prim.NumToTensor(torch.size(x, 1)), CONSTANTS.c0))` is read off the operations written so
far, so that it is known at compile time where the size is, and stays an expression of the size where it is not.

In: a tensor of one element that is about to be read. Out: its number, or None where it does not follow: then it is read
at run time. What is written in place is never looked through, nor is anything outside the block that is being written:
a loop may come back to it and find another value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from ...ir.attributes import Constant
from ...ir.core import Operation, Value
from ...ir.dialects import torch
from ...ir.dtypes import DType
from ...ir.operators import schema, split_name
from ...ir.script_types import INT, ScriptType, TensorType
from .fold_constants import RANDOM, computed
from .values import Abstract, Known, Scalar, Tensor, known, same

if TYPE_CHECKING:
    from .evaluator import Evaluator

Apply = Callable[[str, list[Abstract]], Abstract]
"""Writes an operator on numbers; its result."""

LIMIT: Final = 256
"""At most so many operations are looked at for one number."""

ELEMENTS: Final = 64
"""Tensors on the way to a number have at most so many elements."""

_SAME_NUMBER: Final = ("aten::clone", "aten::alias", "aten::detach", "aten::contiguous", "aten::to", "aten::_to_copy")

_ON_INTEGERS: Final = {
    "aten::add.Tensor": "aten::add.int",
    "aten::add.Scalar": "aten::add.int",
    "aten::sub.Tensor": "aten::sub.int",
    "aten::sub.Scalar": "aten::sub.int",
    "aten::mul.Tensor": "aten::mul.int",
    "aten::mul.Scalar": "aten::mul.int",
    "aten::floor_divide": "aten::floordiv.int",
    "aten::floor_divide.Scalar": "aten::floordiv.int",
    "aten::remainder.Tensor": "aten::remainder.int",
    "aten::remainder.Scalar": "aten::remainder.int",
    "aten::neg": "aten::neg.int",
    "aten::minimum": "prim::min.int",
    "aten::maximum": "prim::max.int",
}
"""Operators on tensors of one int64 that are an operator on ints; what follows the operands (`alpha`) has to be 1."""


def number_behind(ev: Evaluator, tensor: Tensor, apply: Apply) -> Abstract | None:
    value = ev.current(tensor).value
    search = _Search(ev, apply)
    array = search.array(value)
    if isinstance(array, np.ndarray) and array.size == 1:
        number = cast(Any, array).reshape(()).item()
        return None if isinstance(number, complex) else known(number)
    return search.integer(value)


class _Search:
    def __init__(self, ev: Evaluator, apply: Apply) -> None:
        self.ev = ev
        self.apply = apply
        self.left = LIMIT
        self.arrays: dict[Value, Any] = {}

    def owner(self, value: Value) -> Operation | None:
        """The operation that gives the value, if it gives it every time and nothing else has changed it since."""
        op = value.defining_op()
        if op is None or self.left <= 0:
            return None
        self.left -= 1
        if op.name == "prim::Constant":
            return None if _is_written(value) else op
        if op.parent is not self.ev.b.block or op.regions or op.name.startswith(RANDOM) or _is_written(value):
            return None
        return op

    def array(self, value: Value) -> Any:
        """What the value is known to be: an array, a number, a list; `_UNKNOWN` else."""
        if value not in self.arrays:
            self.arrays[value] = self._array(value)
        return self.arrays[value]

    def _array(self, value: Value) -> Any:
        op = self.owner(value)
        if op is None or not _is_small(value):
            return _UNKNOWN
        if op.name == "prim::Constant":
            held = op.attributes.get("value")
            return held.array if isinstance(held, Constant) else held
        operands = [self.array(v) for v in op.operands]
        if any(o is _UNKNOWN for o in operands):
            return _UNKNOWN
        if op.name == "prim::ListConstruct":
            return operands
        results = computed(op, operands) if op.name.startswith(("aten::", "prim::")) else None
        return _UNKNOWN if results is None else results[cast(Any, value).index]

    def integer(self, value: Value) -> Abstract | None:
        """The run-time int that a tensor of one int64 holds, or that an operand is."""
        type_ = cast(ScriptType, value.type)
        if not isinstance(type_, TensorType):
            op = value.defining_op("prim::Constant")
            if type_ != INT:
                return None
            return Scalar(value) if op is None else known(cast(int, op.attributes["value"]))
        if type_.dtype is not DType.int64 or type_.shape != ():
            return None
        array = self.array(value)
        if array is not _UNKNOWN:
            return known(int(array))
        op = self.owner(value)
        if op is None:
            return None
        base, _ = split_name(op.name)
        if base in _SAME_NUMBER:
            return self.integer(op.operand(0))
        if base == "aten::full":
            return self.integer(op.operand(1))
        return self.arithmetic(op)

    def arithmetic(self, op: Operation) -> Abstract | None:
        on_numbers = _ON_INTEGERS.get(op.name)
        if on_numbers is None:
            return None
        count = 1 if on_numbers == "aten::neg.int" else 2
        operands = [self.integer(v) for v in op.operands]
        numbers = [n for n in operands[:count] if n is not None]
        if len(numbers) != count or not all(n is not None and same(n, known(1)) for n in operands[count:]):
            return None
        if on_numbers.startswith(("aten::floordiv", "aten::remainder")) and not _is_positive(numbers[1]):
            return None  # dividing by 0 is an error of the tensor operator's own
        return self.apply(on_numbers, numbers)


_UNKNOWN: Final = object()


def _is_positive(number: Abstract) -> bool:
    return isinstance(number, Known) and cast(int, number.value) > 0


def _is_small(value: Value) -> bool:
    type_ = cast(ScriptType, value.type)
    if not isinstance(type_, TensorType):
        return True
    shape = type_.shape
    return shape is not None and None not in shape and int(np.prod([e or 0 for e in shape])) <= ELEMENTS


def _is_written(value: Value) -> bool:
    """Whether the tensor, or a view of it, is written to, or may be where it cannot be seen."""
    for op in value.users:
        if op.name in (torch.YIELD, "aten::copy_") and (op.name != "aten::copy_" or op.operand(0) is value):
            return True
        form = schema(op.name)
        if form is None or not any(a.alias for a in form.arguments):
            continue
        at = [v is value and a.alias is not None for v, a in zip(op.operands, form.arguments)]
        if any(at) and any(isinstance(r.type, TensorType) and _is_written(r) for r in op.results):
            return True
    return False
