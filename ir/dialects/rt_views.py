"""`rt.view_read` and `rt.view_write`: tensors that lie in memory which others look at too.

A *cell* is a box of a vector whose elements may change: one storage of PyTorch. A view of it is an offset, and an
extent and a stride for each dimension, all in elements. Reading takes what is there now, as a box of its own, which
does not change; writing puts a tensor there. Neither is pure: they stay in order. Whoever writes them makes sure that
the view lies within the cell; a cell is never unboxed but for its length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ..builder import Builder
from ..core import Operation, Value
from ..definition import OpDefinition
from ..types import INDEX, BoxType, MemRefType, RankedTensorType, Type


def cell_type(element: Type) -> BoxType:
    return BoxType(RankedTensorType((None,), element))


def read(
    b: Builder, cell: Value, shape: Sequence[int | None], offset: Value, strides: Sequence[Value], sizes: Sequence[Value]
) -> Value:
    """A box of the elements; `sizes` are the extents that `shape` leaves open."""
    element = cast(BoxType, cell.type).tensor.element
    result = BoxType(RankedTensorType(tuple(shape), element))
    return b.create("rt.view_read", (cell, offset, *strides, *sizes), (result,)).result


def write(b: Builder, source: Value, cell: Value, offset: Value, strides: Sequence[Value]) -> Operation:
    """Puts the elements of `source`, a tensor or buffer, into the cell."""
    return b.create("rt.view_write", (source, cell, offset, *strides))


def _is_cell(t: Type, element: Type) -> bool:
    return t == cell_type(element)


def _read(op: Operation) -> str | None:
    box = op.result.type
    if not isinstance(box, BoxType) or not _is_cell(op.operand(0).type, box.tensor.element):
        return f"{op.operand(0).type} read as {box}"
    shape = box.tensor.shape
    return _indices(op, 1, 1 + len(shape) + shape.count(None))


def _write(op: Operation) -> str | None:
    source = op.operand(0).type
    if not isinstance(source, RankedTensorType | MemRefType) or not _is_cell(op.operand(1).type, source.element):
        return f"{source} written to {op.operand(1).type}"
    return _indices(op, 2, 1 + len(source.shape))


def _indices(op: Operation, first: int, count: int) -> str | None:
    found = op.operands[first:]
    if len(found) != count or any(v.type != INDEX for v in found):
        return f"{count} indices are expected"
    return None


OPS: tuple[OpDefinition, ...] = (
    OpDefinition(
        "rt.view_read",
        ("cell", "geometry*"),
        1,
        assembly="( $cell , $geometry ) attr-dict : functional-type",
        verify=_read,
    ),
    OpDefinition(
        "rt.view_write",
        ("source", "cell", "geometry*"),
        0,
        assembly="( $source , $cell , $geometry ) attr-dict : functional-type",
        verify=_write,
    ),
)
