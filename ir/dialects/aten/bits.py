"""Numbers as others of the same bits: `view_copy(dtype)`. Elements of another width take more or fewer places in the last
dimension, the lowest bytes first.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...builder import Builder
from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample, Unsupported
from ...script_types import TensorType
from ...types import I8, I16, I32, I64, Type
from .. import arith, linalg, tensor
from ..linalg import PARALLEL
from .cast import known_dtype
from .lowering import LoweringContext
from .rules import Array, dtype_of, shape_of
from .samples import INF, ramp
from .samples import tensor as sample

_INTEGERS: dict[int, Type] = {1: I8, 2: I16, 4: I32, 8: I64}


def _infer(self: TensorType, dtype: int) -> TensorType:
    old, new, shape = dtype_of(self), known_dtype(dtype), shape_of(self)
    if old is new:
        return TensorType(new, shape)
    if any(d is DType.bool or d.is_complex for d in (old, new)):
        raise Unsupported(f"the bits of {old.graph_name} as {new.graph_name}")
    if old.itemsize == new.itemsize:
        return TensorType(new, shape)
    if not shape:
        raise OperatorError(
            f"self.dim() cannot be 0 to view {old.graph_name} as {new.graph_name} (different element sizes)"
        )
    last = shape[-1]
    if last is not None and last * old.itemsize % new.itemsize:
        raise OperatorError(
            f"self.size(-1) must be divisible by {new.itemsize // old.itemsize} to view {old.graph_name} as "
            f"{new.graph_name} (different element sizes), but got {last}"
        )
    return TensorType(new, (*shape[:-1], None if last is None else last * old.itemsize // new.itemsize))


def _lower(cx: LoweringContext, self: Value, dtype: int) -> Value:
    old, new, dims = cx.dtype(self), known_dtype(dtype), cx.dims(self)
    whole, part = (_INTEGERS[d.itemsize] for d in (old, new))

    def cast(b: Builder, x: Value, to: Type) -> Value:
        return x if x.type == to else arith.bitcast(b, x, to)

    def same_width(b: Builder, x: Value) -> Value:
        return cast(b, x, new.element)

    if old.itemsize == new.itemsize:
        return cx.pointwise([self], new, same_width, dims)
    ratio = max(old.itemsize, new.itemsize) // min(old.itemsize, new.itemsize)
    narrower = new.itemsize < old.itemsize
    if not narrower and not isinstance(dims[-1], int):
        cx.check(
            cx.compare("eq", cx.mul(cx.floordiv(dims[-1], ratio), ratio), dims[-1]),
            f"self.size(-1) must be divisible by {ratio} to view {old.graph_name} as {new.graph_name} (different element sizes)",
        )
    last = cx.mul(dims[-1], ratio) if narrower else cx.floordiv(dims[-1], ratio)
    out = [*dims[:-1], last]
    rank = len(dims)

    def split(b: Builder) -> Value:
        *outer, at = (linalg.index(b, i) for i in range(rank))
        step = arith.constant(b, ratio, at.type)
        number = cast(b, tensor.extract(b, self, [*outer, arith.divui(b, at, step)]), whole)
        shift = arith.index_cast(b, arith.muli(b, arith.remui(b, at, step), arith.constant(b, 8 * new.itemsize, at.type)), whole)
        return cast(b, arith.trunci(b, arith.shrui(b, number, shift), part), new.element)

    def joined(b: Builder) -> Value:
        *outer, at = (linalg.index(b, i) for i in range(rank))
        start = arith.muli(b, at, arith.constant(b, ratio, at.type))
        total: Value | None = None
        for i in range(ratio):
            place = arith.addi(b, start, arith.constant(b, i, at.type))
            piece = arith.extui(b, cast(b, tensor.extract(b, self, [*outer, place]), whole), part)
            piece = arith.shli(b, piece, arith.constant(b, 8 * old.itemsize * i, part))
            total = piece if total is None else arith.ori(b, total, piece)
        assert total is not None
        return cast(b, total, new.element)

    result = cx.generic([], [], out, new.element, [PARALLEL] * rank, split if narrower else joined)
    return cx.set_dtype(cx.set_dims(result, out), new)


def _reference(self: Array, dtype: int) -> Array:
    return np.ascontiguousarray(self).view(known_dtype(dtype).numpy)


def _samples() -> Iterator[Sample]:
    numbers = sample([1.0, -2.5, 0.0, -0.0, INF, 3.4e38])
    for dtype in (3, 2, 0, 1, 4, 7, 6):
        yield Sample((numbers, dtype))
        yield Sample((ramp(2, 8, dtype="u8"), dtype))
    yield Sample((numbers.astype(np.float64), 4))
    yield Sample((numbers.astype(np.float64).reshape(2, 3), 0))
    yield Sample((numbers[:5].astype(np.float16), 2))
    yield Sample((ramp(2, 3, dtype="i32"), 6))
    yield Sample((ramp(2, 3), 4), raises="self.size(-1) must be divisible by 2")


OPERATORS: tuple[Operator, ...] = (
    Operator("aten::view_copy.dtype(Tensor self, ScalarType dtype) -> Tensor", _infer, _lower, _reference, _samples),
)
