"""Operators that cut a tensor into a list of parts: split, chunk, unbind.

Value semantics here; the references return numpy views, so that the interpreter of the `torch` stage keeps PyTorch's
aliasing. Writing back through a view stands in `view_writes.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import cast

import numpy as np

from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample, Unsupported
from ...script_types import TensorType
from .layout import (
    element_of,
    slice_of,
)
from .lowering import Extent, LoweringContext
from .rules import Array, shape_of, wrap_dim
from .shapes import (
    Known,
    Size,
    Sizes,
    counting,
    hole_text,
    known,
    size_text,
    static_ints,
    with_shape,
)
from .slicing import END, slice_bounds


def _pieces(shape: Sequence[Known], axis: int, lengths: Sequence[Known]) -> list[tuple[Known, ...]]:
    return [(*shape[:axis], n, *shape[axis + 1 :]) for n in lengths]


def _static_extent(extent: Known, what: str) -> int:
    if extent is None:
        raise Unsupported(
            f"into how many pieces {what} cuts is known only at run time; give this dimension a fixed extent"
        )
    return extent


def even_lengths(extent: int, size: int) -> list[int]:
    """Pieces of `size`, the last one smaller; one empty piece of nothing."""
    if size == 0 and extent == 0:
        return [0]
    count = max(-(-extent // size), 1)
    return [min(size, extent - i * size) for i in range(count)]


def split_lengths(shape: Sequence[Known], dim: int, split_size: Size) -> tuple[int, list[int]]:
    if not shape:
        raise OperatorError("split expects at least a 1-dimensional tensor")
    axis = wrap_dim(dim, len(shape))
    size = static_ints([split_size], "the size of the pieces")[0]
    extent = _static_extent(shape[axis], "split")
    if size < 0:
        raise OperatorError(f"split expects split_size be non-negative, but got split_size={size}")
    if size == 0 and extent != 0:
        raise OperatorError(f"split_size can only be 0 if dimension size is 0, but got dimension size of {extent}")
    return axis, even_lengths(extent, size)


def chunk_lengths(shape: Sequence[Known], dim: int, chunks: int) -> tuple[int, list[int]]:
    if not shape:
        raise OperatorError("chunk expects at least a 1-dimensional tensor")
    static_ints([chunks], "the number of chunks")
    if chunks <= 0:
        raise OperatorError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    axis = wrap_dim(dim, len(shape))
    extent = _static_extent(shape[axis], "chunk")
    size = -(-extent // chunks)
    return axis, [0] * chunks if extent == 0 else even_lengths(extent, size)


def section_lengths(shape: Sequence[Known], dim: int, sections: int) -> tuple[int, list[int]]:
    if not shape:
        raise OperatorError(
            f"tensor_split expected at least a 1-dimensional tensor, but got a tensor with {len(shape)} dims"
        )
    static_ints([sections], "the number of sections")
    if sections <= 0:
        raise OperatorError(f"number of sections must be larger than 0, got {sections}")
    axis = wrap_dim(dim, len(shape))
    least, more = divmod(_static_extent(shape[axis], "tensor_split"), sections)
    return axis, [least + 1 if i < more else least for i in range(sections)]


def _infer_pieces(self: TensorType, axis: int, lengths: Sequence[Known]) -> list[TensorType]:
    return [with_shape(self, s) for s in _pieces(shape_of(self), axis, lengths)]


def _lower_pieces(cx: LoweringContext, self: Value, axis: int, lengths: Sequence[Extent]) -> list[Value]:
    start: Extent = 0
    pieces: list[Value] = []
    for length in lengths:
        pieces.append(slice_of(cx, self, axis, start, length))
        start = cx.add(start, length)
    return pieces


def _reference_pieces(self: Array, axis: int, lengths: Sequence[int]) -> list[Array]:
    ends = np.cumsum([0, *lengths])
    return [self[(*([slice(None)] * axis), slice(a, e), ...)] for a, e in pairwise(ends)]


def infer_split(self: TensorType, split_size: Size, dim: int) -> list[TensorType]:
    return _infer_pieces(self, *split_lengths(shape_of(self), dim, split_size))


def lower_split(cx: LoweringContext, self: Value, split_size: int, dim: int) -> list[Value]:
    return _lower_pieces(cx, self, *split_lengths(cx.shape(self), dim, split_size))


def reference_split(self: Array, split_size: int, dim: int) -> list[Array]:
    return _reference_pieces(self, *split_lengths(self.shape, dim, split_size))


def split_samples() -> Iterable[Sample]:
    for size, dim in ((2, 0), (3, 1), (5, -1), (100, 0)):
        yield Sample((counting(5, 6), size, dim))
    yield Sample(
        (counting(5), 0), raises="split_size can only be 0 if dimension size is 0, but got dimension size of 5"
    )


def _given_lengths(self: TensorType, sizes: Sizes, dim: int, name: str) -> tuple[int, list[Known]]:
    shape = shape_of(self)
    axis = wrap_dim(dim, len(shape))
    lengths = [known(s) for s in sizes]
    if any(n is not None and n < 0 for n in lengths):
        raise OperatorError(
            f"{name} expects split_sizes have only non-negative entries, but got split_sizes={size_text(lengths)}"
        )
    extent = shape[axis]
    if extent is not None and None not in lengths and sum(cast(list[int], lengths)) != extent:
        raise OperatorError(
            f"{name} expects split_sizes to sum exactly to {extent} (input tensor's size at dimension {axis}), but "
            f"got split_sizes={size_text(lengths)}"
        )
    return axis, lengths


def _lower_sizes(cx: LoweringContext, self: Value, sizes: Sequence[Extent], dim: int) -> list[Value]:
    axis = wrap_dim(dim, cx.rank(self))
    lengths = [cx.extent(s) for s in sizes]
    total: Extent = 0
    for n in lengths:
        if isinstance(n, Value):
            cx.check(
                cx.compare("ge", n, 0),
                "split_with_sizes expects split_sizes have only non-negative entries, but got {}",
                [n],
            )
        total = cx.add(total, n)
    extent = cx.dim(self, axis)
    cx.check(
        cx.compare("eq", total, extent),
        f"split_with_sizes expects split_sizes to sum exactly to {{}} (input tensor's size at dimension {axis}), but "
        f"got split_sizes=[{hole_text(len(lengths))}]",
        [extent, *lengths],
    )
    return _lower_pieces(cx, self, axis, lengths)


def infer_split_sizes(self: TensorType, split_size: Sizes, dim: int) -> list[TensorType]:
    return _infer_pieces(self, *_given_lengths(self, split_size, dim, "split_with_sizes"))


def lower_split_sizes(cx: LoweringContext, self: Value, split_size: Sequence[Extent], dim: int) -> list[Value]:
    return _lower_sizes(cx, self, split_size, dim)


def reference_split_sizes(self: Array, split_size: Sequence[int], dim: int) -> list[Array]:
    infer_split_sizes(TensorType(DType.float32, self.shape), split_size, dim)
    return _reference_pieces(self, wrap_dim(dim, self.ndim), split_size)


def infer_split_with_sizes(self: TensorType, split_sizes: Sizes, dim: int) -> list[TensorType]:
    return infer_split_sizes(self, split_sizes, dim)


def lower_split_with_sizes(cx: LoweringContext, self: Value, split_sizes: Sequence[Extent], dim: int) -> list[Value]:
    return _lower_sizes(cx, self, split_sizes, dim)


def reference_split_with_sizes(self: Array, split_sizes: Sequence[int], dim: int) -> list[Array]:
    return reference_split_sizes(self, split_sizes, dim)


def split_sizes_samples() -> Iterable[Sample]:
    yield Sample((counting(5, 6), [1, 4], 0))
    yield Sample((counting(5, 6), [2, 0, 4], -1))
    yield Sample(
        (counting(5, 6), [2, 2], 0),
        raises="split_with_sizes expects split_sizes to sum exactly to 5 (input tensor's size at dimension 0),"
        " but got split_sizes=[2, 2]",
    )


def infer_chunk(self: TensorType, chunks: int, dim: int) -> list[TensorType]:
    return _infer_pieces(self, *chunk_lengths(shape_of(self), dim, chunks))


def lower_chunk(cx: LoweringContext, self: Value, chunks: int, dim: int) -> list[Value]:
    return _lower_pieces(cx, self, *chunk_lengths(cx.shape(self), dim, chunks))


def reference_chunk(self: Array, chunks: int, dim: int) -> list[Array]:
    return _reference_pieces(self, *chunk_lengths(self.shape, dim, chunks))


def chunk_samples() -> Iterable[Sample]:
    for chunks, dim in ((2, 0), (4, 1), (3, -1), (7, 0)):
        yield Sample((counting(5, 6), chunks, dim))
    yield Sample((counting(5), 0), raises="chunk expects `chunks` to be greater than 0, got: 0")


def infer_sections(self: TensorType, sections: int, dim: int) -> list[TensorType]:
    return _infer_pieces(self, *section_lengths(shape_of(self), dim, sections))


def lower_sections(cx: LoweringContext, self: Value, sections: int, dim: int) -> list[Value]:
    return _lower_pieces(cx, self, *section_lengths(cx.shape(self), dim, sections))


def reference_sections(self: Array, sections: int, dim: int) -> list[Array]:
    return _reference_pieces(self, *section_lengths(self.shape, dim, sections))


def sections_samples() -> Iterable[Sample]:
    yield Sample((counting(5, 6), 3))
    yield Sample((counting(5, 6), 4, 1))


def index_lengths(extent: Known, indices: Sequence[int]) -> list[tuple[int, int]]:
    """Start and length of each piece between cut positions, clamped like slices."""
    n = _static_extent(extent, "tensor_split")
    cuts = [0, *static_ints(indices, "where to split"), END]
    return [slice_bounds(n, a, e, 1) for a, e in pairwise(cuts)]


def infer_tensor_split(self: TensorType, indices: Sequence[int], dim: int) -> list[TensorType]:
    axis = wrap_dim(dim, self.rank)
    return _infer_pieces(self, axis, [n for _, n in index_lengths(shape_of(self)[axis], indices)])


def lower_tensor_split(cx: LoweringContext, self: Value, indices: Sequence[int], dim: int) -> list[Value]:
    axis = wrap_dim(dim, cx.rank(self))
    return [slice_of(cx, self, axis, start, n) for start, n in index_lengths(cx.shape(self)[axis], indices)]


def reference_tensor_split(self: Array, indices: Sequence[int], dim: int) -> list[Array]:
    axis = wrap_dim(dim, self.ndim)
    return [self[(*([slice(None)] * axis), slice(a, a + n), ...)] for a, n in index_lengths(self.shape[axis], indices)]


def tensor_split_samples() -> Iterable[Sample]:
    yield Sample((counting(5, 6), [1, 3]))
    yield Sample((counting(5, 6), [2, 9], 1))


def infer_unbind(self: TensorType, dim: int) -> list[TensorType]:
    shape = shape_of(self)
    if not shape:
        raise OperatorError("Dimension specified as 0 but tensor has no dimensions")
    axis = wrap_dim(dim, len(shape))
    return [with_shape(self, (*shape[:axis], *shape[axis + 1 :]))] * _static_extent(shape[axis], "unbind")


def lower_unbind(cx: LoweringContext, self: Value, dim: int) -> list[Value]:
    axis = wrap_dim(dim, cx.rank(self))
    return [element_of(cx, self, axis, i) for i in range(_static_extent(cx.shape(self)[axis], "unbind"))]


def reference_unbind(self: Array, dim: int) -> list[Array]:
    axis = wrap_dim(dim, self.ndim)
    return [self[(*([slice(None)] * axis), i, ...)] for i in range(self.shape[axis])]


def unbind_samples() -> Iterable[Sample]:
    yield Sample((counting(2, 3), 0))
    yield Sample((counting(2, 3, 2), -1))


OPERATORS: tuple[Operator, ...] = (
    Operator(
        "aten::split.Tensor(Tensor(a -> *) self, SymInt split_size, int dim=0) -> Tensor(a)[]",
        infer_split,
        lower_split,
        reference_split,
        split_samples,
    ),
    Operator(
        "aten::unsafe_split.Tensor(Tensor self, SymInt split_size, int dim=0) -> Tensor[]",
        infer_split,
        lower_split,
        reference_split,
        split_samples,
    ),
    Operator(
        "aten::split.sizes(Tensor(a -> *) self, SymInt[] split_size, int dim=0) -> Tensor(a)[]",
        infer_split_sizes,
        lower_split_sizes,
        reference_split_sizes,
        split_sizes_samples,
    ),
    Operator(
        "aten::split_with_sizes(Tensor(a -> *) self, SymInt[] split_sizes, int dim=0) -> Tensor(a)[]",
        infer_split_with_sizes,
        lower_split_with_sizes,
        reference_split_with_sizes,
        split_sizes_samples,
    ),
    Operator(
        "aten::split(Tensor(a -> *) self, int[] split_sizes, int dim=0) -> Tensor(a)[]",
        infer_split_with_sizes,
        lower_split_with_sizes,
        reference_split_with_sizes,
        split_sizes_samples,
    ),
    Operator(
        "aten::unsafe_split_with_sizes(Tensor self, SymInt[] split_sizes, int dim=0) -> Tensor[]",
        infer_split_with_sizes,
        lower_split_with_sizes,
        reference_split_with_sizes,
        split_sizes_samples,
    ),
    Operator(
        "aten::chunk(Tensor(a -> *) self, int chunks, int dim=0) -> Tensor(a)[]",
        infer_chunk,
        lower_chunk,
        reference_chunk,
        chunk_samples,
    ),
    Operator(
        "aten::unsafe_chunk(Tensor self, int chunks, int dim=0) -> Tensor[]",
        infer_chunk,
        lower_chunk,
        reference_chunk,
        chunk_samples,
    ),
    Operator(
        "aten::tensor_split.sections(Tensor(a -> *) self, SymInt sections, int dim=0) -> Tensor(a)[]",
        infer_sections,
        lower_sections,
        reference_sections,
        sections_samples,
    ),
    Operator(
        "aten::tensor_split.indices(Tensor(a -> *) self, SymInt[] indices, int dim=0) -> Tensor(a)[]",
        infer_tensor_split,
        lower_tensor_split,
        reference_tensor_split,
        tensor_split_samples,
    ),
    Operator(
        "aten::unbind.int(Tensor(a -> *) self, int dim=0) -> Tensor(a)[]",
        infer_unbind,
        lower_unbind,
        reference_unbind,
        unbind_samples,
    ),
)
