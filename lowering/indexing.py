"""Index arithmetic that folds while it is built: sizes are Python integers where known, index values where not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from ..ir.affine import AffineBinary, AffineConstant, AffineDim, AffineExpr, AffineSymbol
from ..ir.attributes import DenseArrayAttr
from ..ir.builder import Builder
from ..ir.core import Operation, Value
from ..ir.dialects import arith, memref
from ..ir.dialects.tensor import DYNAMIC_SENTINEL, Size
from ..ir.types import INDEX


def as_value(b: Builder, size: Size) -> Value:
    """`size` as an index value."""
    return size if isinstance(size, Value) else arith.constant(b, size, INDEX)


def as_size(value: Value) -> Size:
    """The number where `value` is a constant, else the value."""
    number = arith.constant_value(value)
    return value if number is None else int(number)


def _fold(
    fold: Callable[[int, int], int], build: Callable[[Builder, Value, Value], Value], b: Builder, x: Size, y: Size
) -> Size:
    if isinstance(x, int) and isinstance(y, int):
        return fold(x, y)
    return build(b, as_value(b, x), as_value(b, y))


def add(b: Builder, x: Size, y: Size) -> Size:
    if y == 0:
        return x
    return y if x == 0 else _fold(lambda p, q: p + q, arith.addi, b, x, y)


def sub(b: Builder, x: Size, y: Size) -> Size:
    if y == 0:
        return x
    return 0 if x is y else _fold(lambda p, q: p - q, arith.subi, b, x, y)


def mul(b: Builder, x: Size, y: Size) -> Size:
    if x == 0 or y == 0:
        return 0
    if y == 1:
        return x
    return y if x == 1 else _fold(lambda p, q: p * q, arith.muli, b, x, y)


def floordiv(b: Builder, x: Size, y: Size) -> Size:
    """For non-negative x and positive y."""
    return x if y == 1 else _fold(lambda p, q: p // q, arith.divui, b, x, y)


def rem(b: Builder, x: Size, y: Size) -> Size:
    """For non-negative x and positive y."""
    return 0 if y == 1 else _fold(lambda p, q: p % q, arith.remui, b, x, y)


def ceildiv(b: Builder, x: Size, y: int) -> Size:
    return floordiv(b, add(b, x, y - 1), y)


def minimum(b: Builder, x: Size, y: Size) -> Size:
    return x if x is y else _fold(min, arith.minsi, b, x, y)


def maximum(b: Builder, x: Size, y: Size) -> Size:
    return x if x is y else _fold(max, arith.maxsi, b, x, y)


def product(b: Builder, sizes: Sequence[Size]) -> Size:
    result: Size = 1
    for size in sizes:
        result = mul(b, result, size)
    return result


def apply(b: Builder, expr: AffineExpr, dims: Sequence[Size]) -> Size:
    """The value of an affine expression; its dimensions are never negative."""
    match expr:
        case AffineDim(position):
            return dims[position]
        case AffineConstant(value):
            return value
        case AffineBinary(op, left, right):
            x, y = apply(b, left, dims), apply(b, right, dims)
            match op:
                case "+":
                    return add(b, x, y)
                case "*":
                    return mul(b, x, y)
                case "floordiv":
                    return _fold(lambda p, q: p // q, arith.floordivsi, b, x, y)
                case "mod":
                    return _modulo(b, x, y)
        case AffineSymbol() | _:
            raise AssertionError(f"affine symbols have no value here: {expr}")


def _modulo(b: Builder, x: Size, y: Size) -> Size:
    if isinstance(x, int) and isinstance(y, int):
        return x % y
    quotient = _fold(lambda p, q: p // q, arith.floordivsi, b, x, y)
    return sub(b, x, mul(b, quotient, y))


def buffer_dim(b: Builder, buffer: Value, position: int) -> Size:
    """Extent of a memref: from its type, from the allocation it comes from, or read at run time."""
    static = memref.memref_type(buffer).shape[position]
    if static is not None:
        return static
    op = buffer.defining_op("memref.alloc")
    if op is not None:
        dynamic = [i for i, e in enumerate(memref.memref_type(buffer).shape) if e is None]
        return as_size(op.operand(dynamic.index(position)))
    return memref.dim(b, buffer, arith.constant(b, position, INDEX))


def buffer_shape(b: Builder, buffer: Value) -> list[Size]:
    return [buffer_dim(b, buffer, i) for i in range(memref.memref_type(buffer).rank)]


def mixed(op: Operation, attribute: str, group: int) -> list[Size]:
    """The entries of a `static_...` attribute with its operands (operand group `group`) filled in."""
    segments = cast(DenseArrayAttr, op.attributes["operandSegmentSizes"]).values
    start = sum(segments[:group])
    dynamic = iter(op.operands[start : start + segments[group]])
    static = cast(DenseArrayAttr, op.attributes[attribute]).values
    return [next(dynamic) if s == DYNAMIC_SENTINEL else s for s in static]


def slice_parameters(op: Operation) -> tuple[list[Size], list[Size], list[Size]]:
    """Offsets, sizes, strides of an extract_slice, insert_slice or subview."""
    groups = len(cast(DenseArrayAttr, op.attributes["operandSegmentSizes"]).values)
    return (
        mixed(op, "static_offsets", groups - 3),
        mixed(op, "static_sizes", groups - 2),
        mixed(op, "static_strides", groups - 1),
    )


def dropped_dims(shape: Sequence[int | None], sizes: Sequence[Size]) -> list[int]:
    """Dimensions of static size 1 that a rank-reduced slice of type `shape` leaves out (upstream's rule)."""
    dropped: list[int] = []
    position = 0
    for i, size in enumerate(sizes):
        extent = size if isinstance(size, int) else None
        if position < len(shape) and shape[position] == extent:
            position += 1
        else:
            dropped.append(i)
    return dropped
