"""Operators that take a regular part of a tensor, and those that replace one: select, slice, diagonal, unfold.

Value semantics here; the references return numpy views, so that the interpreter of the `torch` stage keeps PyTorch's
aliasing. Writing back through a view stands in `view_writes.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np
from numpy.lib.stride_tricks import as_strided as numpy_as_strided

from ...affine import AffineDim, AffineExpr, AffineMap
from ...builder import Builder
from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample, Unknown, unsupported
from ...script_types import TensorType
from .. import arith, linalg, tensor
from ..linalg import PARALLEL
from .layout import (
    element_of,
    expanded,
    itself,
    put_slice,
    same,
    slice_of,
    with_dims,
)
from .lowering import Extent, LoweringContext
from .reshaping import any_rank_samples, infer_itself, lower_itself, reference_itself
from .rules import Array, shape_of, wrap_dim
from .shapes import (
    Known,
    Size,
    Sizes,
    counting,
    differ,
    floats,
    hole_text,
    known,
    size_text,
    static_ints,
    with_shape,
)

Index = int | Unknown | None

END = 1 << 62
"""Slice ends from here on mean "to the end" (PyTorch writes the largest int)."""

_LARGEST = (1 << 63) - 1


def infer_select(self: TensorType, dim: int, index: Size) -> TensorType:
    shape = shape_of(self)
    if not shape:
        raise OperatorError("select() cannot be applied to a 0-dim tensor.")
    axis = wrap_dim(static_ints([dim], "a dimension")[0], len(shape))
    at, extent = known(index), shape[axis]
    if at is not None and extent is not None and not -extent <= at < extent:
        raise OperatorError(
            f"select(): index {at} out of range for tensor of size {size_text(shape)} at dimension {axis}"
        )
    return with_shape(self, (*shape[:axis], *shape[axis + 1 :]))


def checked_index(cx: LoweringContext, value: Value, axis: int, index: Extent) -> Extent:
    """A position along `axis`, counted from the end if negative, checked at run time where needed."""
    dims = cx.dims(value)
    at, extent = cx.extent(index), dims[axis]
    inside = cx.all_of(cx.compare("lt", at, extent), cx.compare("ge", at, cx.sub(0, extent)))
    cx.check(
        inside,
        f"select(): index {{}} out of range for tensor of size [{hole_text(len(dims))}] at dimension {axis}",
        [at, *dims],
    )
    return cx.wrap_index(at, extent)


def lower_select(cx: LoweringContext, self: Value, dim: int, index: Extent) -> Value:
    axis = wrap_dim(dim, cx.rank(self))
    return element_of(cx, self, axis, checked_index(cx, self, axis, index))


def reference_select(self: Array, dim: int, index: int) -> Array:
    infer_select(TensorType(DType.float32, self.shape), dim, index)
    at = [slice(None)] * self.ndim
    axis = wrap_dim(dim, self.ndim)
    return self[(*at[:axis], index, ...)]


def select_samples() -> Iterable[Sample]:
    for dim, index in ((0, 0), (1, 2), (-1, -1), (2, -4)):
        yield Sample((counting(2, 3, 4), dim, index))
    yield Sample(
        (counting(2, 3), 0, 5), raises="select(): index 5 out of range for tensor of size [2, 3] at dimension 0"
    )


def slice_bounds(extent: int, start: int | None, end: int | None, step: int) -> tuple[int, int]:
    """First position and length of a slice, as PyTorch clamps it."""
    first = 0 if start is None else start
    last = END if end is None else end
    first, last = (v + extent if v < 0 else v for v in (first, last))
    first = min(max(first, 0), extent)
    last = min(max(last, first), extent)
    return first, (last - first + step - 1) // step


def infer_slice(self: TensorType, dim: int, start: Index, end: Index, step: Size) -> TensorType:
    shape = shape_of(self)
    if not shape:
        raise OperatorError("slice() cannot be applied to a 0-dim tensor.")
    axis = wrap_dim(static_ints([dim], "a dimension")[0], len(shape))
    if isinstance(step, int) and step <= 0:
        raise OperatorError("slice step must be positive")
    return with_shape(self, (*shape[:axis], _slice_length(shape[axis], start, end, step), *shape[axis + 1 :]))


def _slice_length(extent: Known, start: Index, end: Index, step: Size) -> Known:
    whole_end = end is None or (isinstance(end, int) and end >= END)
    if whole_end and start in (None, 0) and step == 1:
        return extent
    if extent is None or any(isinstance(v, Unknown) for v in (start, end, step)):
        return None
    return slice_bounds(extent, cast(int | None, start), cast(int | None, end), cast(int, step))[1]


def lowered_bounds(
    cx: LoweringContext, extent: Extent, start: Extent | None, end: Extent | None, step: Extent
) -> tuple[Extent, Extent, Extent]:
    """First position, length and step, with extents of any kind."""
    first: Extent = 0 if start is None else cx.extent(start)
    last: Extent = extent if end is None else cx.extent(end)
    stride = cx.extent(step)
    if isinstance(last, int) and last >= END:
        last = extent
    if isinstance(stride, Value):
        cx.check(cx.compare("gt", stride, 0), "slice step must be positive", [])
        stride = cx.max(stride, 1)
    if not same(first, 0):
        first = cx.min(cx.max(cx.wrap_index(first, extent), 0), extent)
    if not same(last, extent):
        last = cx.min(cx.max(cx.wrap_index(last, extent), first), extent)
    return first, cx.ceildiv(cx.sub(last, first), stride), stride


def sequence_bounds(
    cx: LoweringContext, length: Extent, start: Extent | None, end: Extent | None, step: int
) -> tuple[Extent, Extent]:
    """First position of a slice of a list or string, and the one behind its last; the largest int is as good as no bound."""
    low, high = (0, length) if step > 0 else (-1, cx.sub(length, 1))

    def bound(value: Extent | None, absent: Extent, far: bool) -> Extent:
        if value is None or same(value, _LARGEST):
            return absent
        given = cx.min(cx.max(cx.wrap_index(value, length), low), high)
        return given if far else cx.select(cx.compare("eq", value, _LARGEST), absent, given)

    return bound(start, low if step > 0 else high, step < 0), bound(end, high if step > 0 else low, step > 0)


def lower_slice(
    cx: LoweringContext, self: Value, dim: int, start: Extent | None, end: Extent | None, step: Extent
) -> Value:
    axis = wrap_dim(dim, cx.rank(self))
    first, length, stride = lowered_bounds(cx, cx.dim(self, axis), start, end, step)
    return slice_of(cx, self, axis, first, refined_at(cx, axis, length), stride)


def refined_at(cx: LoweringContext, axis: int, length: Extent) -> Extent:
    """The length of a slice, static if inference knows it."""
    shape = cx.result_type().shape
    assert shape is not None
    inferred = shape[axis]
    return length if inferred is None else inferred


def reference_slice(self: Array, dim: int, start: int | None, end: int | None, step: int) -> Array:
    axis = wrap_dim(dim, self.ndim)
    first, length = slice_bounds(self.shape[axis], start, end, step)
    box = slice(first, first + max(length - 1, 0) * step + 1 if length else first, step)
    return self[(*([slice(None)] * axis), box, ...)]


def slice_samples() -> Iterable[Sample]:
    for arguments in (
        (0, 1, 3, 1),
        (1, None, None, 1),
        (1, 0, 9223372036854775807, 2),
        (-1, -3, -1, 1),
        (0, 3, 1, 1),
        (0, 10, 20, 1),
        (1, 1, None, 3),
        (0, -100, 2, 1),
    ):
        yield Sample((counting(4, 7, 5), *arguments))
    yield Sample((counting(4), 0, None, None, -1), raises="slice step must be positive")


def infer_narrow(self: TensorType, dim: int, start: Size, length: Size) -> TensorType:
    shape = shape_of(self)
    if not shape:
        raise OperatorError("narrow() cannot be applied to a 0-dim tensor.")
    axis = wrap_dim(static_ints([dim], "a dimension")[0], len(shape))
    first, count, extent = known(start), known(length), shape[axis]
    if count is not None and count < 0:
        raise OperatorError("narrow(): length must be non-negative.")
    if first is not None and extent is not None:
        if not -extent <= first <= extent:
            raise OperatorError(
                f"start out of range (expected to be in range of [-{extent}, {extent}], but got {first})"
            )
        first += extent if first < 0 else 0
        if count is not None and first + count > extent:
            raise OperatorError(f"start ({first}) + length ({count}) exceeds dimension size ({extent}).")
    return with_shape(self, (*shape[:axis], count, *shape[axis + 1 :]))


def lower_narrow(cx: LoweringContext, self: Value, dim: int, start: Extent, length: Extent) -> Value:
    axis = wrap_dim(dim, cx.rank(self))
    extent, count = cx.dim(self, axis), cx.extent(length)
    first = cx.wrap_index(start, extent)
    inside = cx.all_of(
        cx.compare("ge", first, 0), cx.compare("ge", count, 0), cx.compare("le", cx.add(first, count), extent)
    )
    cx.check(inside, "start ({}) + length ({}) exceeds dimension size ({}).", [first, count, extent])
    return slice_of(cx, self, axis, first, count)


def reference_narrow(self: Array, dim: int, start: int, length: int) -> Array:
    infer_narrow(TensorType(DType.float32, self.shape), dim, start, length)
    axis = wrap_dim(dim, self.ndim)
    first = start + self.shape[axis] if start < 0 else start
    return self[(*([slice(None)] * axis), slice(first, first + length), ...)]


def narrow_samples() -> Iterable[Sample]:
    for arguments in ((0, 1, 2), (1, 0, 5), (-1, -3, 2), (0, 4, 0)):
        yield Sample((counting(4, 5), *arguments))
    yield Sample((counting(2), 0, 1, 5), raises="start (1) + length (5) exceeds dimension size (2).")


def diagonal_axes(rank: int, dim1: int, dim2: int) -> tuple[int, int]:
    first, second = wrap_dim(dim1, rank), wrap_dim(dim2, rank)
    if first == second:
        raise OperatorError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return first, second


def infer_diagonal(self: TensorType, offset: int, dim1: int, dim2: int) -> TensorType:
    shape = shape_of(self)
    first, second = diagonal_axes(len(shape), dim1, dim2)
    shift = static_ints([offset], "the offset of a diagonal")[0]
    rows, columns = shape[first], shape[second]
    length = None
    if rows is not None and columns is not None:
        length = max(min(rows, columns - shift) if shift >= 0 else min(rows + shift, columns), 0)
    return with_shape(self, (*(e for i, e in enumerate(shape) if i not in (first, second)), length))


def _diagonal_length(cx: LoweringContext, value: Value, first: int, second: int, offset: int) -> Extent:
    rows, columns = cx.dim(value, first), cx.dim(value, second)
    if offset >= 0:
        return cx.max(cx.min(rows, cx.sub(columns, offset)), 0)
    return cx.max(cx.min(cx.add(rows, offset), columns), 0)


def lower_diagonal(cx: LoweringContext, self: Value, offset: int, dim1: int, dim2: int) -> Value:
    rank = cx.rank(self)
    first, second = diagonal_axes(rank, dim1, dim2)
    length = _diagonal_length(cx, self, first, second, offset)
    # cut to a square first: an iterator that is a plain index into two dimensions needs them to be equal
    square = slice_of(cx, self, first, cx.min(max(-offset, 0), cx.dim(self, first)), length)
    square = slice_of(cx, square, second, cx.min(max(offset, 0), cx.dim(self, second)), length)
    kept = [i for i in range(rank) if i not in (first, second)]
    reads = [AffineDim(kept.index(i) if i in kept else len(kept)) for i in range(rank)]
    out = [*(cx.dim(self, i) for i in kept), length]
    maps = [AffineMap(len(out), tuple(reads))]
    result = cx.generic([square], maps, out, cx.dtype(self).element, [PARALLEL] * len(out), itself)
    return with_dims(cx, result, self, out)


def reference_diagonal(self: Array, offset: int, dim1: int, dim2: int) -> Array:
    view = np.diagonal(self, offset, *diagonal_axes(self.ndim, dim1, dim2))
    if self.flags.writeable:
        view.flags.writeable = True
    return view


def diagonal_samples() -> Iterable[Sample]:
    for arguments in ((0, 0, 1), (1, 0, 1), (-1, 0, 1), (1, 2, 1), (0, -2, -1), (7, 0, 1)):
        yield Sample((counting(3, 4, 5), *arguments))


def infer_unfold(self: TensorType, dimension: int, size: int, step: int) -> TensorType:
    shape = shape_of(self)
    axis = wrap_dim(dimension, len(shape))
    extent = shape[axis] if shape else 1
    static_ints([size, step], "the window of unfold")
    if step <= 0:
        raise OperatorError(f"step is {step} but must be > 0")
    if extent is not None and size > extent:
        raise OperatorError(f"maximum size for tensor at dimension {axis} is {extent} but size is {size}")
    count = None if extent is None else (extent - size) // step + 1
    if not shape:
        return with_shape(self, (size,))
    return with_shape(self, (*shape[:axis], count, *shape[axis + 1 :], size))


def lower_unfold(cx: LoweringContext, self: Value, dimension: int, size: int, step: int) -> Value:
    if cx.rank(self) == 0:
        return expanded(cx, self, [size])
    dims, rank = cx.dims(self), cx.rank(self)
    axis = wrap_dim(dimension, rank)
    cx.check(
        cx.compare("ge", dims[axis], size),
        f"maximum size for tensor at dimension {axis} is {{}} but size is {size}",
        [dims[axis]],
    )
    count = cx.add(cx.floordiv(cx.sub(dims[axis], size), step), 1)
    out = [*dims[:axis], count, *dims[axis + 1 :], size]
    results: list[AffineExpr] = [AffineDim(i) for i in range(rank)]
    results[axis] = AffineDim(axis) * step + AffineDim(rank)
    result = cx.generic(
        [self],
        [AffineMap(rank + 1, tuple(results))],
        out,
        cx.dtype(self).element,
        [PARALLEL] * (rank + 1),
        itself,
    )
    return with_dims(cx, result, self, out)


def reference_unfold(self: Array, dimension: int, size: int, step: int) -> Array:
    infer_unfold(TensorType(DType.float32, self.shape), dimension, size, step)
    if self.ndim == 0:
        return self.reshape(1)[:size]
    axis = wrap_dim(dimension, self.ndim)
    count = (self.shape[axis] - size) // step + 1
    shape = (*self.shape[:axis], count, *self.shape[axis + 1 :], size)
    strides = (*self.strides[:axis], self.strides[axis] * step, *self.strides[axis + 1 :], self.strides[axis])
    return numpy_as_strided(self, shape, strides)


def unfold_samples() -> Iterable[Sample]:
    for arguments in ((0, 2, 1), (1, 3, 2), (-1, 1, 3), (1, 7, 1)):
        yield Sample((counting(4, 7), *arguments))
    yield Sample((counting(4), 0, 5, 1), raises="maximum size for tensor at dimension 0 is 4 but size is 5")


def infer_as_strided(self: TensorType, size: Sizes, stride: Sizes, storage_offset: Index) -> TensorType:
    del stride, storage_offset
    return with_shape(self, [known(s) for s in size])


def reference_as_strided(self: Array, size: Sequence[int], stride: Sequence[int], storage_offset: int | None) -> Array:
    flat = self.reshape(-1)[storage_offset or 0 :]
    return numpy_as_strided(flat, size, [s * self.itemsize for s in stride])


def as_strided_samples() -> Iterable[Sample]:
    yield Sample((counting(12), [3, 2], [2, 1], 1))


def infer_scattered(self: TensorType, src: TensorType, part: TensorType, name: str) -> TensorType:
    """`self` with `part` of it replaced by `src`, which must have the part's shape."""
    for have, want in zip(shape_of(src), shape_of(part), strict=False):
        if differ(have, want) or src.rank != part.rank:
            raise OperatorError(
                f"expected src to have a size equal to the {name} of self. src size = {size_text(shape_of(src))}, "
                f"{name} size = {size_text(shape_of(part))}"
            )
    return self


def check_part(cx: LoweringContext, src: Value, part: Sequence[Extent]) -> None:
    """At run time: `src` has the shape of the part that it replaces."""
    given = cx.dims(src)
    fits = cx.all_of(*(cx.compare("eq", g, p) for g, p in zip(given, part, strict=True)))
    holes = hole_text(len(given))
    cx.check(
        fits,
        f"expected src to have a size equal to the slice of self. src size = [{holes}], slice size = [{holes}]",
        [*given, *part],
    )


def infer_select_scatter(self: TensorType, src: TensorType, dim: int, index: Size) -> TensorType:
    return infer_scattered(self, src, infer_select(self, dim, index), "slice")


def lower_select_scatter(cx: LoweringContext, self: Value, src: Value, dim: int, index: Extent) -> Value:
    axis = wrap_dim(dim, cx.rank(self))
    dims = cx.dims(self)
    check_part(cx, src, [*dims[:axis], *dims[axis + 1 :]])
    return put_slice(cx, cx.cast_tensor(src, cx.dtype(self)), self, axis, checked_index(cx, self, axis, index), 1)


def reference_select_scatter(self: Array, src: Array, dim: int, index: int) -> Array:
    result = self.copy()
    reference_select(result, dim, index)[...] = src.astype(self.dtype)
    return result


def select_scatter_samples() -> Iterable[Sample]:
    yield Sample((counting(2, 3), floats(3), 0, 1))
    yield Sample((counting(2, 3), floats(2), 1, -1))
    yield Sample(
        (counting(2, 3), floats(2), 0, 1),
        raises="expected src to have a size equal to the slice of self. src size = [2], slice size = [3]",
    )


def infer_slice_scatter(
    self: TensorType, src: TensorType, dim: int, start: Index, end: Index, step: Size
) -> TensorType:
    return infer_scattered(self, src, infer_slice(self, dim, start, end, step), "slice")


def lower_slice_scatter(
    cx: LoweringContext, self: Value, src: Value, dim: int, start: Extent | None, end: Extent | None, step: Extent
) -> Value:
    axis = wrap_dim(dim, cx.rank(self))
    first, length, stride = lowered_bounds(cx, cx.dim(self, axis), start, end, step)
    dims, given = cx.dims(self), cx.dim(src, axis)
    check_part(cx, src, [*dims[:axis], length, *dims[axis + 1 :]])
    size = given if isinstance(given, int) else length
    return put_slice(cx, cx.cast_tensor(src, cx.dtype(self)), self, axis, first, size, stride)


def reference_slice_scatter(self: Array, src: Array, dim: int, start: int | None, end: int | None, step: int) -> Array:
    result = self.copy()
    reference_slice(result, dim, start, end, step)[...] = src.astype(self.dtype)
    return result


def slice_scatter_samples() -> Iterable[Sample]:
    yield Sample((counting(4, 3), floats(2, 3), 0, 1, 3, 1))
    yield Sample((counting(4, 3), floats(4, 2), 1, None, None, 2))
    yield Sample((counting(4, 3), floats(0, 3), 0, 3, 1, 1))


def infer_diagonal_scatter(self: TensorType, src: TensorType, offset: int, dim1: int, dim2: int) -> TensorType:
    return infer_scattered(self, src, infer_diagonal(self, offset, dim1, dim2), "slice")


def lower_diagonal_scatter(cx: LoweringContext, self: Value, src: Value, offset: int, dim1: int, dim2: int) -> Value:
    """Each element of `self`, or the one of `src` that belongs to its row where it lies on the diagonal."""
    dims, rank = cx.dims(self), cx.rank(self)
    first, second = diagonal_axes(rank, dim1, dim2)
    dtype = cx.dtype(self)
    source = cx.cast_tensor(src, dtype)
    length = cx.dim(source, -1)
    others = [d for i, d in enumerate(dims) if i not in (first, second)]
    check_part(cx, source, [*others, _diagonal_length(cx, self, first, second, offset)])
    if same(length, 0):
        return self
    last, zero, shift, before = cx.index(cx.sub(length, 1)), cx.index(0), cx.index(offset), cx.index(min(offset, 0))

    def body(b: Builder, x: Value) -> Value:
        row, column = linalg.index(b, first), linalg.index(b, second)
        on = arith.cmpi(b, "eq", arith.addi(b, row, shift), column)
        place = arith.minsi(b, arith.maxsi(b, arith.addi(b, row, before), zero), last)
        others = [linalg.index(b, i) for i in range(rank) if i not in (first, second)]
        return arith.select(b, on, tensor.extract(b, source, [*others, place]), x)

    result = cx.generic([self], [AffineMap.identity(rank)], dims, dtype.element, [PARALLEL] * rank, body)
    return with_dims(cx, result, self, dims)


def reference_diagonal_scatter(self: Array, src: Array, offset: int, dim1: int, dim2: int) -> Array:
    result = self.copy()
    reference_diagonal(result, offset, dim1, dim2)[...] = src.astype(self.dtype)
    return result


def diagonal_scatter_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 4), floats(3), 0, 0, 1))
    yield Sample((counting(3, 4), floats(2), 2, 0, 1))
    yield Sample((counting(3, 4), floats(2), -1, 0, 1))
    yield Sample((counting(2, 3, 4), floats(3, 2), 0, 0, 2))


def _itself(signature: str) -> Operator:
    return Operator(signature, infer_itself, lower_itself, reference_itself, any_rank_samples)


def _copied_slice() -> Operator:
    return Operator(
        "aten::slice_copy.Tensor(Tensor self, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1) -> "
        "Tensor",
        infer_slice,
        lower_slice,
        reference_slice,
        slice_samples,
    )


OPERATORS: tuple[Operator, ...] = (
    _itself("aten::alias(Tensor(a) self) -> Tensor(a)"),
    _itself("aten::detach(Tensor(a) self) -> Tensor(a)"),
    _itself("aten::lift_fresh(Tensor(a) self) -> Tensor(a)"),
    Operator(
        "aten::select.int(Tensor(a) self, int dim, SymInt index) -> Tensor(a)",
        infer_select,
        lower_select,
        reference_select,
        select_samples,
    ),
    Operator(
        "aten::slice.Tensor(Tensor(a) self, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1) -> "
        "Tensor(a)",
        infer_slice,
        lower_slice,
        reference_slice,
        slice_samples,
    ),
    _copied_slice(),
    Operator(
        "aten::narrow(Tensor(a) self, int dim, SymInt start, SymInt length) -> Tensor(a)",
        infer_narrow,
        lower_narrow,
        reference_narrow,
        narrow_samples,
    ),
    Operator(
        "aten::diagonal(Tensor(a) self, int offset=0, int dim1=0, int dim2=1) -> Tensor(a)",
        infer_diagonal,
        lower_diagonal,
        reference_diagonal,
        diagonal_samples,
    ),
    Operator(
        "aten::unfold(Tensor(a) self, int dimension, int size, int step) -> Tensor(a)",
        infer_unfold,
        lower_unfold,
        reference_unfold,
        unfold_samples,
    ),
    Operator(
        "aten::as_strided(Tensor(a) self, SymInt[] size, SymInt[] stride, SymInt? storage_offset=None) -> Tensor(a)",
        infer_as_strided,
        unsupported("as_strided depends on how the elements lie in memory; use view, select, slice or unfold"),
        reference_as_strided,
        as_strided_samples,
    ),
    Operator(
        "aten::select_scatter(Tensor self, Tensor src, int dim, SymInt index) -> Tensor",
        infer_select_scatter,
        lower_select_scatter,
        reference_select_scatter,
        select_scatter_samples,
    ),
    Operator(
        "aten::slice_scatter(Tensor self, Tensor src, int dim=0, SymInt? start=None, SymInt? end=None, SymInt "
        "step=1) -> Tensor",
        infer_slice_scatter,
        lower_slice_scatter,
        reference_slice_scatter,
        slice_scatter_samples,
    ),
    Operator(
        "aten::diagonal_scatter(Tensor self, Tensor src, int offset=0, int dim1=0, int dim2=1) -> Tensor",
        infer_diagonal_scatter,
        lower_diagonal_scatter,
        reference_diagonal_scatter,
        diagonal_scatter_samples,
    ),
)
