"""Positions that stand in integer tensors: checked all at once, and made into indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from ...attributes import Constant, DenseAttr
from ...builder import Builder
from ...core import Value
from ...dtypes import DType
from ...operator import OperatorError
from ...script_types import TensorType
from ...types import I64, INDEX
from .. import arith, tensor
from .lowering import Extent, LoweringContext
from .rules import Array, shape_of
from .shapes import size_text


def need_index(index: TensorType, name: str) -> None:
    if index.dtype not in (DType.int64, DType.int32):
        raise OperatorError(f"{name}(): Expected dtype int32 or int64 for index")


def _constant_array(value: Value) -> Array | None:
    """The elements, where `value` is a tensor constant."""
    op = value.defining_op("arith.constant")
    attribute = op.attributes["value"] if op is not None else None
    if not isinstance(attribute, DenseAttr):
        return None
    return attribute.value.array if isinstance(attribute.value, Constant) else np.asarray(attribute.value)


def smallest_and_largest(cx: LoweringContext, index: Value) -> tuple[Extent, Extent]:
    """Of all elements of an integer tensor (0 and -1 if there is none, which is inside of everything)."""
    known = _constant_array(index)
    if known is not None:
        return (int(known.min()), int(known.max())) if known.size else (0, -1)
    dtype = cx.dtype(index)
    axes = range(cx.rank(index))
    flat = cx.reduce(
        index, list(axes), I64, (1 << 63) - 1, lambda b, x, low: arith.minsi(b, cx.cast(b, x, dtype, DType.int64), low)
    )
    top = cx.reduce(
        index, list(axes), I64, -(1 << 63), lambda b, x, high: arith.maxsi(b, cx.cast(b, x, dtype, DType.int64), high)
    )
    # without elements the extremes are the wrong way round: brought to a harmless 0
    low, high = (tensor.extract(cx.b, v, []) for v in (flat, top))
    zero = arith.constant(cx.b, 0, I64)
    none = arith.cmpi(cx.b, "sgt", low, high)
    return cx.index(arith.select(cx.b, none, zero, low)), cx.index(
        arith.select(cx.b, none, arith.constant(cx.b, -1, I64), high)
    )


def check_positions(
    cx: LoweringContext,
    index: Value,
    extent: Extent,
    message: str,
    *,
    negative: bool = True,
    values: Sequence[Extent] = (),
) -> None:
    """Run-time error `message` (its first hole, if any, is the offending position) unless all lie inside `extent`."""
    low, high = smallest_and_largest(cx, index)
    floor = cx.sub(0, extent) if negative else 0
    fits_below, fits_above = cx.compare("ge", low, floor), cx.compare("lt", high, extent)
    offending = cx.select(fits_below, high, low)
    cx.check(cx.all_of(fits_below, fits_above), message, [offending, *values] if "{}" in message else [])


OUT_OF_BOUNDS: Final = "index {} is out of bounds for dimension {} with size {}"


def check_along(cx: LoweringContext, index: Value, extent: Extent, axis: int, *, negative: bool = True) -> None:
    """Run-time error unless all positions lie inside dimension `axis`, which has this extent."""
    message = OUT_OF_BOUNDS.format("{}", axis, "{}")
    check_positions(cx, index, extent, message, negative=negative, values=[extent])


def position(
    cx: LoweringContext, b: Builder, element: Value, dtype: DType, extent: Value, *, negative: bool = True
) -> Value:
    """An element of an index tensor as an `index`, counted from the end if negative."""
    at = arith.index_cast(b, cx.cast(b, element, dtype, DType.int64), INDEX)
    if not negative:
        return at
    below = arith.cmpi(b, "slt", at, arith.constant(b, 0, INDEX))
    return arith.select(b, below, arith.addi(b, at, extent), at)


def need_same_rank(name: str, self: TensorType, index: TensorType) -> None:
    if max(self.rank, 1) != max(index.rank, 1):
        raise OperatorError(
            "Index tensor must have the same number of dimensions as input tensor"
            if name == "gather"
            else "Index tensor must have the same number of dimensions as self tensor"
        )


def need_inside(name: str, index: TensorType, bound: TensorType, axis: int | None, what: str) -> None:
    """Extents of the index must not exceed those of `bound`, but along `axis`."""
    for i, (have, limit) in enumerate(zip(shape_of(index), shape_of(bound), strict=False)):
        if i != axis and have is not None and limit is not None and have > limit:
            beyond = "" if axis is None else f" apart from dimension {axis}"
            raise OperatorError(
                f"Size does not match at dimension {i} expected index {size_text(shape_of(index))} to be no larger "
                f"than {what} {size_text(shape_of(bound))}{beyond}"
            )


def check_inside(cx: LoweringContext, index: Value, bound: Value, axis: int | None, what: str) -> None:
    for i, (have, limit) in enumerate(zip(cx.dims(index), cx.dims(bound), strict=True)):
        if i != axis:
            cx.check(
                cx.compare("le", have, limit),
                f"Size does not match at dimension {i} expected index {{}} to be no larger than {what} {{}}",
                [have, limit],
            )


def check_reference(index: Array, extent: int, axis: int) -> None:
    wrong = index[(index < 0) | (index >= extent)]
    if wrong.size:
        raise OperatorError(OUT_OF_BOUNDS.format(wrong.flat[0], axis, extent))
