"""Writes in place that read, through another view, the memory that they write: PyTorch refuses them.

In: a tensor that is written and those that the operator reads, in a graph under construction. Where both are views of one
tensor by static extents and constant positions, it is known here which elements they are. PyTorch raises where both are
dense; elsewhere its result depends on the order in which elements are written. That order is the one of memory: a shift to
the front (`buffer[:, :-1] = buffer[:, 1:]`) reads all before it writes them, anything else is an error here as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from ...ir.core import Operation, OpResult, Value
from ...ir.operator import Unknown
from ...ir.operators import is_view, schema
from ...ir.script_types import TensorType
from . import run_time_overlaps
from .aliases import RESHAPES, contiguous_strides, reshaped_strides, static_shape, view_of
from .nodes import inferred

if TYPE_CHECKING:
    from .evaluator import Evaluator

INPUT_OVERLAP: Final = (
    "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory "
    "location. Please clone() the tensor before performing the operation."
)
INTERNAL_OVERLAP: Final = (
    "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
    "Please clone() the tensor before performing the operation."
)
_MAX_WORK: Final[Any] = 100_000


@dataclass(frozen=True)
class _Place:
    """Where the elements of a tensor lie in a contiguous one."""

    root: Value
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def on(self, base: Any) -> Any:
        """An array of one byte per element that lies so from `base` on; its elements are never touched."""
        start = np.lib.stride_tricks.as_strided(base, (self.offset + 1,), (1,))[self.offset :]
        return np.lib.stride_tricks.as_strided(start, self.shape, self.strides)

    def spans(self) -> list[tuple[int, int]]:
        return [(n, s) for n, s in zip(self.shape, self.strides) if n != 1]

    def is_dense(self) -> bool:
        """Whether its elements lie one next to the other, in whatever order."""
        step = 1
        for stride, extent in sorted((s, n) for n, s in self.spans()):
            if stride != step:
                return False
            step *= extent
        return True


def check(ev: Evaluator, target: Value, inputs: Sequence[Value]) -> None:
    """Raises the error of the program where an input shares some elements with the target, in other places."""
    written = _place(target)
    if written is None or any(_place(value) is None for value in inputs):
        for value in inputs:
            if isinstance(value.type, TensorType):
                run_time_overlaps.check(ev, target, value, INPUT_OVERLAP)
    if written is None or 0 in written.shape:
        return
    if any(n > 1 and s == 0 for n, s in zip(written.shape, written.strides)):
        raise ev.operator_error(INTERNAL_OVERLAP)
    for value in inputs:
        read = _place(value)
        if read is not None and read.root is written.root and 0 not in read.shape and _is_partial(written, read):
            raise ev.operator_error(INPUT_OVERLAP)


def _is_partial(written: _Place, read: _Place) -> bool:
    if written.spans() == read.spans():
        if written.offset == read.offset:
            # each element is read where it is written; PyTorch compares the strides of extents of 1, too
            return written.strides != read.strides and written.is_dense() and read.is_dense()
        if read.offset > written.offset and not (written.is_dense() and read.is_dense()):
            return False  # in the order of memory each element is read before it is written
    return _share(written, read)


def _share(a: _Place, b: _Place) -> bool:
    base = np.zeros(1, np.int8)
    try:
        return bool(np.shares_memory(a.on(base), b.on(base), max_work=_MAX_WORK))
    except np.exceptions.TooHardError:
        return True


def _place(value: Value) -> _Place | None:
    """None where it is not known."""
    shape = static_shape(value.type)
    if shape is None:
        return None
    op = value.defining_op()
    form = None if op is None else schema(op.name)
    if op is None or form is None or not is_view(form) or not isinstance(op.operand(0).type, TensorType):
        return _Place(value, 0, shape, contiguous_strides(shape))
    if op.name.startswith("aten::to."):
        same = cast(TensorType, op.operand(0).type).dtype is cast(TensorType, value.type).dtype
        return _place(op.operand(0)) if same else _Place(value, 0, shape, contiguous_strides(shape))
    source = _place(op.operand(0))
    return None if source is None else _through(op, [*op.results].index(cast(OpResult, value)), source, shape)


def _through(op: Operation, index: int, source: _Place, shape: tuple[int, ...]) -> _Place | None:
    result = op.results[index]
    if op.name in RESHAPES or op.name.startswith(("aten::view", "aten::unflatten", "aten::contiguous")):
        strides = reshaped_strides(source.shape, source.strides, shape)
        if op.name == "aten::contiguous" and source.strides != contiguous_strides(shape):
            strides = None
        if strides is None:
            return _Place(result, 0, shape, contiguous_strides(shape))
        return replace(source, shape=shape, strides=strides)
    if op.name == "aten::as_strided":
        return _strided(op, source, shape)
    if any(_is_open(inferred(v)) for v in op.operands[1:]):
        return None
    whole = replace(source, offset=0).on(np.zeros(1, np.int8))
    view = view_of(op, index, whole)
    if view is None:
        return None
    offset = view.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    return _Place(source.root, source.offset + offset, shape, tuple(int(s) for s in view.strides))


def _strided(op: Operation, source: _Place, shape: tuple[int, ...]) -> _Place | None:
    """Of the whole storage, wherever the source lies in it."""
    strides, offset = (inferred(v) for v in op.operands[2:4])
    if _is_open(strides) or _is_open(offset):
        return None
    first = source.offset if offset is None else cast(int, offset)
    return _Place(source.root, first, shape, tuple(cast("list[int]", strides)))


def _is_open(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_is_open, cast(Sequence[Any], value)))
    return isinstance(value, Unknown)
