"""`rt.view_read` and `rt.view_write`: a box filled from a strided part of a cell, and such a part overwritten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from ...ir.core import Operation, Value
from ...ir.types import BoxType
from .buffers import Buffer
from .counted import data_offset, new_box
from .emitter import HEAP_ALIGNMENT, Emit, Emitter
from .linear import Linear
from .memory import copy_buffer


def _part(e: Emitter, cell: Value, offset: Value, strides: Sequence[Value], sizes: Sequence[Linear]) -> Buffer:
    base = e.pure("ptr", f"getelementptr i8, ptr {e.text(cell)}, i64 {data_offset(1)}")
    element = cast(BoxType, cell.type).tensor.element
    steps = tuple(e.linear(s) for s in strides)
    return Buffer(base, element, tuple(sizes), steps, e.linear(offset), 0, HEAP_ALIGNMENT)


def _read(e: Emitter, op: Operation) -> None:
    cell, offset, *rest = op.operands
    shape = cast(BoxType, op.result.type).tensor.shape
    open_ones = iter(rest[len(shape) :])
    sizes = tuple(e.linear(next(open_ones)) if n is None else Linear.of(n) for n in shape)
    source = _part(e, cell, offset, rest[: len(shape)], sizes)
    pointer, target = new_box(e, cast(BoxType, op.result.type), sizes)
    copy_buffer(e, source, target)
    e.set(op.result, pointer)


def _write(e: Emitter, op: Operation) -> None:
    source = e.buffer(op.operand(0))
    _, cell, offset, *strides = op.operands
    copy_buffer(e, source, _part(e, cell, offset, strides, source.sizes))


EMITTERS: Final[dict[str, Emit]] = {"rt.view_read": _read, "rt.view_write": _write}
