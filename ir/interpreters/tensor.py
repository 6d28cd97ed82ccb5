"""Interpreter of `tensor`: arrays that are never written to once they are values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

import numpy as np

from ..attributes import DenseArrayAttr
from ..core import Operation
from ..dialects.tensor import DYNAMIC_SENTINEL
from ..rank_reduction import kept_dims
from ..types import RankedTensorType
from .domain import is_vectorizable
from .engine import Array, Compiler, Frame, Rule, Step, dtype_of, extents, failure, garbage, mixed
from .memory import MemRef, inside


def tensor_type(op: Operation) -> RankedTensorType:
    return cast(RankedTensorType, op.result.type)


def static(op: Operation, name: str) -> tuple[int, ...]:
    return cast(DenseArrayAttr, op.attributes[name]).values


def segments(op: Operation) -> tuple[int, ...]:
    return static(op, "operandSegmentSizes")


def groups_of(op: Operation, slots: Sequence[int]) -> list[list[int]]:
    """Slots of the operands by the sizes of their groups."""
    groups: list[list[int]] = []
    start = 0
    for size in segments(op):
        groups.append(list(slots[start : start + size]))
        start += size
    return groups


def checked_indices(op: Operation, array: Array, indices: Sequence[Any]) -> tuple[Any, ...]:
    for i, extent in zip(indices, array.shape, strict=True):
        if not (0 <= i < extent if np.ndim(i) == 0 else inside(i, extent)):
            raise failure(op, f"index out of the bounds of shape {list(array.shape)}")
    return tuple(indices)


def _empty(compiler: Compiler, op: Operation) -> Step:
    out, sizes = compiler.slot(op.result), compiler.slots(op.operands)
    shape, dtype = tensor_type(op).shape, dtype_of(op.result.type)

    def run(f: Frame) -> None:
        full = extents(shape, [f[i] for i in sizes])
        if any(n < 0 for n in full):
            raise failure(op, f"negative extent in {list(full)}")
        f[out] = garbage(full, dtype)

    return run


def dim(compiler: Compiler, op: Operation) -> Step:
    """`tensor.dim` and `memref.dim`."""
    out, source, index = compiler.slot(op.result), *compiler.slots(op.operands)

    def run(f: Frame) -> None:
        value = f[source]
        shape = value.sizes if isinstance(value, MemRef) else cast(Array, value).shape
        if not 0 <= f[index] < len(shape):
            raise failure(op, f"dimension {f[index]} of {len(shape)}")
        f[out] = np.int64(shape[int(f[index])])

    return run


def _extract(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)
    source, *indices = compiler.slots(op.operands)

    def run(f: Frame) -> None:
        array: Array = f[source]
        f[out] = array[checked_indices(op, array, [f[i] for i in indices])]

    return run


def _insert(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)
    scalar, target, *indices = compiler.slots(op.operands)

    def run(f: Frame) -> None:
        array: Array = f[target].copy()
        array[checked_indices(op, array, [f[i] for i in indices])] = f[scalar]
        f[out] = array

    return run


def _from_elements(compiler: Compiler, op: Operation) -> Step:
    out, elements = compiler.slot(op.result), compiler.slots(op.operands)
    shape, dtype = cast(tuple[int, ...], tensor_type(op).shape), dtype_of(op.result.type)

    def run(f: Frame) -> None:
        f[out] = np.array([f[i] for i in elements], dtype).reshape(shape)

    return run


def check_shape(op: Operation, shape: Sequence[int], expected: Sequence[int | None]) -> None:
    fits = len(shape) == len(expected) and all(e is None or n == e for n, e in zip(shape, expected, strict=True))
    if not fits:
        raise failure(op, f"a value of shape {list(shape)} becomes one of type {op.results[0].type}")


def _cast(compiler: Compiler, op: Operation) -> Step:
    out, source = compiler.slot(op.result), compiler.slot(op.operand(0))
    shape = tensor_type(op).shape

    def run(f: Frame) -> None:
        check_shape(op, f[source].shape, shape)
        f[out] = f[source]

    return run


def box(op: Operation, shape: Sequence[int], boxes: Sequence[Sequence[int]]) -> tuple[slice, ...]:
    """Slices of offsets, sizes and strides, after the bounds check."""
    slices: list[slice] = []
    for extent, offset, size, stride in zip(shape, *boxes, strict=True):
        last = offset + (size - 1) * stride
        if size < 0 or offset < 0 or (size > 0 and not (0 <= offset < extent and 0 <= last < extent)):
            raise failure(op, f"offset {offset}, size {size}, stride {stride} leave the extent {extent}")
        end = last + (1 if stride > 0 else -1)
        slices.append(slice(0, 0) if size == 0 else slice(offset, None if end < 0 else end, stride))
    return tuple(slices)


_BOX: Final = ("static_offsets", "static_sizes", "static_strides")


def box_dims(op: Operation, shape: Sequence[int | None]) -> tuple[int, ...]:
    """Dimensions of the box that a slice of this shape keeps."""
    kept = kept_dims([None if n == DYNAMIC_SENTINEL else n for n in static(op, "static_sizes")], shape)
    if kept is None:
        raise failure(op, f"the box makes no value of shape {list(shape)}")
    return kept


def _extract_slice(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)
    (source,), *dynamic = groups_of(op, compiler.slots(op.operands))
    statics = [static(op, name) for name in _BOX]
    shape = tensor_type(op).shape
    kept = box_dims(op, shape)

    def run(f: Frame) -> None:
        boxes = [mixed(s, [f[i] for i in d]) for s, d in zip(statics, dynamic, strict=True)]
        array: Array = f[source]
        result = array[box(op, array.shape, boxes)]
        result = result.reshape([result.shape[d] for d in kept])
        check_shape(op, result.shape, shape)
        f[out] = result

    return run


def _insert_slice(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)
    (source,), (target,), *dynamic = groups_of(op, compiler.slots(op.operands))
    statics = [static(op, name) for name in _BOX]

    def run(f: Frame) -> None:
        boxes = [mixed(s, [f[i] for i in d]) for s, d in zip(statics, dynamic, strict=True)]
        result: Array = f[target].copy()
        place = result[box(op, result.shape, boxes)]
        piece: Array = f[source]
        if place.size != piece.size:
            raise failure(op, f"a source of shape {list(piece.shape)} for a box of {list(place.shape)}")
        place[...] = piece.reshape(place.shape)
        f[out] = result

    return run


def _collapse(compiler: Compiler, op: Operation) -> Step:
    out, source = compiler.slot(op.result), compiler.slot(op.operand(0))
    groups = cast(tuple[tuple[int, ...], ...], op.attributes["reassociation"])

    def run(f: Frame) -> None:
        array: Array = f[source]
        f[out] = array.reshape([int(np.prod([array.shape[i] for i in g])) for g in groups])

    return run


def _expand(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)
    source, *sizes = compiler.slots(op.operands)
    shape = static(op, "static_output_shape")

    def run(f: Frame) -> None:
        full = mixed(shape, [f[i] for i in sizes])
        if int(np.prod(full)) != f[source].size:
            raise failure(op, f"{list(f[source].shape)} does not expand to {full}")
        f[out] = f[source].reshape(full)

    return run


def _reshape(compiler: Compiler, op: Operation) -> Step:
    out, source, shape = compiler.slot(op.result), *compiler.slots(op.operands)
    expected = tensor_type(op).shape

    def run(f: Frame) -> None:
        full = [int(n) for n in f[shape]]
        if int(np.prod(full)) != f[source].size:
            raise failure(op, f"{list(f[source].shape)} does not reshape to {full}")
        check_shape(op, full, expected)
        f[out] = f[source].reshape(full)

    return run


def _pad(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)
    (source,), low, high = groups_of(op, compiler.slots(op.operands))
    static_low, static_high = static(op, "static_low"), static(op, "static_high")
    dtype = dtype_of(op.result.type)
    fill = _elements(compiler, op)

    def run(f: Frame) -> None:
        array: Array = f[source]
        before, after = mixed(static_low, [f[i] for i in low]), mixed(static_high, [f[i] for i in high])
        if any(n < 0 for n in (*before, *after)):
            raise failure(op, "negative padding")
        full = [b + n + a for b, n, a in zip(before, array.shape, after, strict=True)]
        check_shape(op, full, tensor_type(op).shape)
        result = np.empty(full, dtype)
        fill(f, result)
        result[tuple(slice(b, b + n) for b, n in zip(before, array.shape, strict=True))] = array
        f[out] = result

    return run


def _elements(compiler: Compiler, op: Operation) -> Any:
    """`fill(frame, array)`: each element from the body of `op`, which takes its indices."""
    arguments, body = compiler.body(op)
    at_once = is_vectorizable(op.body())

    def fill(f: Frame, array: Array) -> None:
        if array.size == 0:
            return
        if at_once:
            for slot, index in zip(arguments, np.ogrid[tuple(slice(n) for n in array.shape)], strict=True):
                f[slot] = index
            array[...] = body(f)[0]
            return
        for point in np.ndindex(*array.shape):
            for slot, index in zip(arguments, point, strict=True):
                f[slot] = np.int64(index)
            array[point] = body(f)[0]

    return fill


def _generate(compiler: Compiler, op: Operation) -> Step:
    out, sizes = compiler.slot(op.result), compiler.slots(op.operands)
    shape, dtype = tensor_type(op).shape, dtype_of(op.result.type)
    fill = _elements(compiler, op)

    def run(f: Frame) -> None:
        result = np.empty(extents(shape, [f[i] for i in sizes]), dtype)
        fill(f, result)
        f[out] = result

    return run


def _splat(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)
    scalar, *sizes = compiler.slots(op.operands)
    shape, dtype = tensor_type(op).shape, dtype_of(op.result.type)

    def run(f: Frame) -> None:
        f[out] = np.full(extents(shape, [f[i] for i in sizes]), f[scalar], dtype)

    return run


RULES: Final[dict[str, Rule]] = {
    "tensor.empty": _empty,
    "tensor.dim": dim,
    "tensor.extract": _extract,
    "tensor.insert": _insert,
    "tensor.from_elements": _from_elements,
    "tensor.cast": _cast,
    "tensor.extract_slice": _extract_slice,
    "tensor.insert_slice": _insert_slice,
    "tensor.collapse_shape": _collapse,
    "tensor.expand_shape": _expand,
    "tensor.reshape": _reshape,
    "tensor.pad": _pad,
    "tensor.generate": _generate,
    "tensor.splat": _splat,
}
