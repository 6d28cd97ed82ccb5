"""Sorting along one dimension, and what follows from it: argsort, topk, kthvalue.

A merge sort of positions, bottom up: each pass merges runs of `width` positions into runs of twice that. Every
element of a pass is found by itself: a binary search along the merge path tells how many of the elements before it
come from the left run. So a pass is one parallel `linalg.generic`; the order is stable, and NaN counts as the largest
number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np

from ...affine import AffineMap
from ...builder import Builder
from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample
from ...script_types import TensorType
from ...types import I64, INDEX
from .. import arith, linalg, scf, tensor
from ..linalg import PARALLEL
from .elementwise import Scalars
from .layout import permuted, reshaped, slice_of, with_dims
from .lowering import Extent, LoweringContext
from .rules import Array, shape_of, wrap_dim
from .shapes import Known, Size, floats, integers, known, static_ints


def comes_before(b: Builder, dtype: DType, x: Value, y: Value, descending: bool) -> Value:
    """Whether x stands strictly before y in the sorted order."""
    s = Scalars(b, dtype)
    before = s.compare("gt" if descending else "lt", x, y)
    if not dtype.is_floating:
        return before
    first, second = (y, x) if not descending else (x, y)
    only_first = arith.andi(b, arith.cmpf(b, "uno", first, first), arith.cmpf(b, "ord", second, second))
    return arith.ori(b, before, only_first)


def passes_for(cx: LoweringContext, extent: Extent) -> Value:
    """How often 1 has to be doubled to reach `extent`."""
    if isinstance(extent, int):
        return cx.index(max(extent - 1, 0).bit_length())
    zero, one, limit = cx.index(0), cx.index(1), cx.index(extent)

    def more(b: Builder, args: Sequence[Value]) -> Sequence[Value]:
        return [arith.cmpi(b, "slt", args[1], limit), *args]

    def double(b: Builder, args: Sequence[Value]) -> Sequence[Value]:
        return [arith.addi(b, args[0], one), arith.addi(b, args[1], args[1])]

    return scf.while_(cx.b, [zero, one], more, double).results[0]


def _column(b: Builder) -> Value:
    return arith.index_cast(b, linalg.index(b, 1), I64)


def sorted_positions(cx: LoweringContext, rows: Value, descending: bool) -> Value:
    """For a matrix: for each row the positions of its elements in sorted order (i64)."""
    dims = cx.dims(rows)
    both = [PARALLEL, PARALLEL]
    start = cx.generic([], [], dims, I64, both, _column)
    if dims[1] in (0, 1):
        return cx.set_dtype(start, DType.int64)
    zero, one, extent = cx.index(0), cx.index(1), cx.index(dims[1])

    def one_pass(b: Builder, args: Sequence[Value]) -> Sequence[Value]:
        width = arith.shli(b, one, args[0])
        steps = arith.addi(b, args[0], one)
        merge = _Merge(rows, args[1], cx.dtype(rows), descending, width, steps, extent, zero, one)
        return [cx.generic([], [], dims, I64, both, merge.element)]

    loop = scf.for_(cx.b, zero, passes_for(cx, dims[1]), one, [start], one_pass)
    cx.set_dims(loop.result, dims)
    return cx.set_dtype(loop.result, DType.int64)


class _Merge:
    """One element of a pass: the position that ends up at the current place of its row."""

    def __init__(
        self,
        rows: Value,
        order: Value,
        dtype: DType,
        descending: bool,
        width: Value,
        steps: Value,
        extent: Value,
        zero: Value,
        one: Value,
    ) -> None:
        self.rows, self.order, self.dtype, self.descending = rows, order, dtype, descending
        self.width, self.steps, self.extent, self.zero, self.one = width, steps, extent, zero, one

    def element(self, b: Builder) -> Value:
        row, place = linalg.index(b, 0), linalg.index(b, 1)
        pair = arith.addi(b, self.width, self.width)
        base = arith.muli(b, arith.divui(b, place, pair), pair)
        left_size = arith.minsi(b, self.width, arith.subi(b, self.extent, base))
        middle = arith.addi(b, base, left_size)
        right_size = arith.minsi(b, self.width, arith.subi(b, self.extent, middle))
        rank = arith.subi(b, place, base)
        low = arith.maxsi(b, self.zero, arith.subi(b, rank, right_size))
        high = arith.minsi(b, rank, left_size)

        def halve(inner: Builder, args: Sequence[Value]) -> Sequence[Value]:
            _, lo, hi = args
            mid = arith.shrui(inner, arith.addi(inner, lo, hi), self.one)
            other = arith.subi(inner, arith.subi(inner, rank, self.one), mid)
            left = self.value(inner, row, arith.addi(inner, base, mid))
            right = self.value(inner, row, arith.addi(inner, middle, other))
            taken = comes_before(inner, self.dtype, right, left, self.descending)
            active = arith.cmpi(inner, "slt", lo, hi)
            above = arith.select(inner, taken, lo, arith.addi(inner, mid, self.one))
            below = arith.select(inner, taken, mid, hi)
            return [arith.select(inner, active, above, lo), arith.select(inner, active, below, hi)]

        i = scf.for_(b, self.zero, self.steps, self.one, [low, high], halve).results[0]
        j = arith.subi(b, rank, i)
        left_at, right_at = arith.addi(b, base, i), arith.addi(b, middle, j)
        left, right = self.value(b, row, left_at), self.value(b, row, right_at)
        left_gone = arith.cmpi(b, "sge", i, left_size)
        right_there = arith.cmpi(b, "slt", j, right_size)
        right_first = arith.ori(b, left_gone, comes_before(b, self.dtype, right, left, self.descending))
        return self.position(b, row, arith.select(b, arith.andi(b, right_there, right_first), right_at, left_at))

    def position(self, b: Builder, row: Value, at: Value) -> Value:
        inside = arith.maxsi(b, arith.minsi(b, at, arith.subi(b, self.extent, self.one)), self.zero)
        return tensor.extract(b, self.order, [row, inside])

    def value(self, b: Builder, row: Value, at: Value) -> Value:
        """The element that stands at a place of the order so far; places outside give some element."""
        return tensor.extract(b, self.rows, [row, arith.index_cast(b, self.position(b, row, at), INDEX)])


def _as_rows(cx: LoweringContext, value: Value, axis: int) -> tuple[Value, list[Extent], list[int]]:
    """The sorted dimension last, all others as one; extents and order of dimensions to come back by."""
    rank = cx.rank(value)
    order = [*(i for i in range(rank) if i != axis), axis]
    turned = permuted(cx, value, order)
    dims = cx.dims(turned)
    return reshaped(cx, turned, [cx.product(dims[:-1]), dims[-1]]), dims, order


def _back(cx: LoweringContext, rows: Value, dims: Sequence[Extent], order: Sequence[int]) -> Value:
    return permuted(cx, reshaped(cx, rows, dims), [order.index(i) for i in range(len(order))])


def lower_sorted(
    cx: LoweringContext, self: Value, dim: int, descending: bool, count: Extent | None = None
) -> tuple[Value, Value]:
    """Values and positions along `dim`; only the first `count` of them where it is given."""
    value = self if cx.rank(self) else reshaped(cx, self, [1])
    axis = wrap_dim(dim, cx.rank(value))
    rows, dims, order = _as_rows(cx, value, axis)
    places = sorted_positions(cx, rows, descending)
    if count is not None:
        places = slice_of(cx, places, 1, 0, count)
        dims = [*dims[:-1], count]
    out = cx.dims(places)

    def body(b: Builder, place: Value) -> Value:
        return tensor.extract(b, rows, [linalg.index(b, 0), arith.index_cast(b, place, INDEX)])

    values = cx.generic([places], [AffineMap.identity(2)], out, cx.dtype(self).element, [PARALLEL] * 2, body)
    results = [_back(cx, v, dims, order) for v in (with_dims(cx, values, rows, out), places)]
    if not cx.rank(self):
        results = [reshaped(cx, v, []) for v in results]
    return results[0], results[1]


def infer_sort(self: TensorType, dim: int, descending: bool) -> tuple[TensorType, TensorType]:
    static_ints([dim, descending], "how to sort")
    wrap_dim(dim, self.rank)
    return self, TensorType(DType.int64, self.shape)


def lower_sort(cx: LoweringContext, self: Value, dim: int, descending: bool) -> tuple[Value, Value]:
    return lower_sorted(cx, self, dim, descending)


def _order(array: Array, descending: bool) -> Array:
    """Stable order along the last dimension; numpy puts NaN last."""
    wide = array.astype(np.float32) if array.dtype.itemsize == 2 and array.dtype.kind not in "iu" else array
    if not descending:
        return np.argsort(wide, -1, kind="stable")
    return wide.shape[-1] - 1 - np.argsort(wide[..., ::-1], -1, kind="stable")[..., ::-1]


def reference_sort(self: Array, dim: int, descending: bool) -> tuple[Array, Array]:
    array = np.moveaxis(np.atleast_1d(self), wrap_dim(dim, self.ndim), -1)
    order = _order(array, descending)
    values = np.take_along_axis(array, order, -1)
    axis = wrap_dim(dim, self.ndim)
    return np.moveaxis(values, -1, axis).reshape(self.shape), np.moveaxis(order, -1, axis).reshape(self.shape).astype(
        np.int64
    )


def sort_samples() -> Iterable[Sample]:
    yield Sample((floats(2, 7),))
    yield Sample((floats(5, 3), 0, True))
    yield Sample((floats(2, 9, 2), 1))
    yield Sample((np.array([3.0, np.nan, -1.0, np.inf, 2.0], np.float32),))
    yield Sample((np.array([3.0, np.nan, -1.0, np.inf, 2.0], np.float32), 0, True))
    yield Sample((np.random.default_rng(0).permutation(13),))
    yield Sample((floats(1),))
    yield Sample((floats(),))
    yield Sample((floats(2, 0),))


def stable_samples() -> Iterable[Sample]:
    yield Sample((integers(0, 4, 3, 11),), {"stable": True})
    yield Sample((integers(0, 4, 3, 11),), {"stable": True, "dim": 0, "descending": True})
    yield Sample((integers(0, 2, 9).astype(np.bool_),), {"stable": True})


def infer_stable_sort(self: TensorType, stable: Any, dim: int, descending: bool) -> tuple[TensorType, TensorType]:
    del stable
    return infer_sort(self, dim, descending)


def lower_stable_sort(cx: LoweringContext, self: Value, stable: Any, dim: int, descending: bool) -> tuple[Value, Value]:
    del stable
    return lower_sorted(cx, self, dim, descending)


def reference_stable_sort(self: Array, stable: Any, dim: int, descending: bool) -> tuple[Array, Array]:
    del stable
    return reference_sort(self, dim, descending)


def infer_argsort(self: TensorType, dim: int, descending: bool) -> TensorType:
    return infer_sort(self, dim, descending)[1]


def lower_argsort(cx: LoweringContext, self: Value, dim: int, descending: bool) -> Value:
    return lower_sorted(cx, self, dim, descending)[1]


def reference_argsort(self: Array, dim: int, descending: bool) -> Array:
    return reference_sort(self, dim, descending)[1]


def argsort_samples() -> Iterable[Sample]:
    yield Sample((floats(2, 7),))
    yield Sample((floats(5, 3), 0, True))


def infer_stable_argsort(self: TensorType, stable: Any, dim: int, descending: bool) -> TensorType:
    del stable
    return infer_argsort(self, dim, descending)


def lower_stable_argsort(cx: LoweringContext, self: Value, stable: Any, dim: int, descending: bool) -> Value:
    del stable
    return lower_argsort(cx, self, dim, descending)


def reference_stable_argsort(self: Array, stable: Any, dim: int, descending: bool) -> Array:
    del stable
    return reference_argsort(self, dim, descending)


def infer_topk(self: TensorType, k: Size, dim: int, largest: bool, sorted: bool) -> tuple[TensorType, TensorType]:
    del sorted
    static_ints([dim, largest], "how to choose")
    shape = shape_of(self)
    axis = wrap_dim(dim, len(shape))
    count, extent = known(k), shape[axis] if shape else 1
    if count is not None and (count < 0 or (extent is not None and count > extent)):
        raise OperatorError("selected index k out of range")
    out: tuple[Known, ...] = (*shape[:axis], count, *shape[axis + 1 :]) if shape else ()
    return TensorType(self.dtype, out), TensorType(DType.int64, out)


def lower_topk(
    cx: LoweringContext, self: Value, k: Extent, dim: int, largest: bool, sorted: bool
) -> tuple[Value, Value]:
    del sorted
    count = cx.extent(k)
    extent: Extent = cx.dims(self)[wrap_dim(dim, cx.rank(self))] if cx.rank(self) else 1
    cx.check(cx.all_of(cx.compare("ge", count, 0), cx.compare("le", count, extent)), "selected index k out of range")
    return lower_sorted(cx, self, dim, largest, count if cx.rank(self) else None)


def reference_topk(self: Array, k: int, dim: int, largest: bool, sorted: bool) -> tuple[Array, Array]:
    infer_topk(TensorType(DType.float32, self.shape), k, dim, largest, sorted)
    values, order = reference_sort(self, dim, largest)
    if self.ndim == 0:
        return values, order
    box = (*([slice(None)] * wrap_dim(dim, self.ndim)), slice(k))
    return values[box], order[box]


def topk_samples() -> Iterable[Sample]:
    yield Sample((floats(2, 7), 3))
    yield Sample((floats(5, 3), 2, 0, False))
    yield Sample((np.random.default_rng(0).permutation(13), 13))
    yield Sample((floats(4), 0))
    yield Sample((floats(4), 5), raises="selected index k out of range")


def infer_kthvalue(self: TensorType, k: Size, dim: int, keepdim: bool) -> tuple[TensorType, TensorType]:
    shape = shape_of(self)
    axis = wrap_dim(dim, len(shape))
    extent = shape[axis] if shape else 1
    place = known(k)
    if place is not None and (place < 1 or (extent is not None and place > extent)):
        raise OperatorError(f"kthvalue(): selected number k out of range for dimension {axis}")
    out = (
        () if not shape else (*shape[:axis], 1, *shape[axis + 1 :]) if keepdim else (*shape[:axis], *shape[axis + 1 :])
    )
    return TensorType(self.dtype, out), TensorType(DType.int64, out)


def lower_kthvalue(cx: LoweringContext, self: Value, k: Extent, dim: int, keepdim: bool) -> tuple[Value, Value]:
    results = lower_sorted(cx, self, dim, False)
    if not cx.rank(self):
        return results
    axis = wrap_dim(dim, cx.rank(self))
    place = cx.extent(k)
    inside = cx.all_of(cx.compare("ge", place, 1), cx.compare("le", place, cx.dim(self, axis)))
    cx.check(inside, f"kthvalue(): selected number k out of range for dimension {axis}")
    parts: list[Value] = []
    for value in results:
        part = slice_of(cx, value, axis, cx.sub(place, 1), 1)
        dims = cx.dims(part)
        parts.append(part if keepdim else reshaped(cx, part, [*dims[:axis], *dims[axis + 1 :]]))
    return parts[0], parts[1]


def reference_kthvalue(self: Array, k: int, dim: int, keepdim: bool) -> tuple[Array, Array]:
    infer_kthvalue(TensorType(DType.float32, self.shape), k, dim, keepdim)
    values, order = reference_sort(self, dim, False)
    if self.ndim == 0:
        return values, order
    at = slice(k - 1, k) if keepdim else k - 1
    box = cast(Any, (*([slice(None)] * wrap_dim(dim, self.ndim)), at))
    return values[box], order[box]


def kthvalue_samples() -> Iterable[Sample]:
    yield Sample((floats(2, 7), 3))
    yield Sample((floats(5, 3), 2, 0, True))
    yield Sample((floats(4), 5), raises="kthvalue(): selected number k out of range for dimension 0")


OPERATORS: tuple[Operator, ...] = (
    Operator(
        "aten::sort(Tensor self, int dim=-1, bool descending=False) -> (Tensor values, Tensor indices)",
        infer_sort,
        lower_sort,
        reference_sort,
        sort_samples,
    ),
    Operator(
        "aten::sort.stable(Tensor self, *, bool? stable, int dim=-1, bool descending=False) -> (Tensor values, "
        "Tensor indices)",
        infer_stable_sort,
        lower_stable_sort,
        reference_stable_sort,
        stable_samples,
    ),
    Operator(
        "aten::argsort(Tensor self, int dim=-1, bool descending=False) -> Tensor",
        infer_argsort,
        lower_argsort,
        reference_argsort,
        argsort_samples,
    ),
    Operator(
        "aten::argsort.stable(Tensor self, *, bool stable, int dim=-1, bool descending=False) -> Tensor",
        infer_stable_argsort,
        lower_stable_argsort,
        reference_stable_argsort,
        stable_samples,
    ),
    Operator(
        "aten::topk(Tensor self, SymInt k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor values, "
        "Tensor indices)",
        infer_topk,
        lower_topk,
        reference_topk,
        topk_samples,
    ),
    Operator(
        "aten::kthvalue(Tensor self, SymInt k, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices)",
        infer_kthvalue,
        lower_kthvalue,
        reference_kthvalue,
        kthvalue_samples,
    ),
)
