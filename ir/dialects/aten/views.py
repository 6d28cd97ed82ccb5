"""Operators that in PyTorch give another view of the same elements; here they have value semantics.

Sizes and indices may be known only at run time; what cannot be checked at compile time is checked then, with PyTorch's
texts. The references return numpy views, so that the interpreter of the `torch` stage keeps PyTorch's aliasing. How a new
value is written back through a view stands in `view_writes.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import numpy as np
from numpy.lib.stride_tricks import as_strided as numpy_as_strided

from ...affine import AffineDim, AffineExpr, AffineMap
from ...builder import Builder
from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample, Unknown, Unsupported, unsupported
from ...script_types import INT, TensorType
from .. import arith, linalg, tensor
from ..linalg import PARALLEL
from .layout import Product, element_of, expanded, joined, permuted, put_slice, reshaped, reversed_along, same, slice_of, with_dims
from .lowering import Extent, LoweringContext
from .rules import Array, shape_of, wrap_dim, wrap_dims
from .shapes import Known, Size, counting, floats, hole_text, known, product, refined, size_text, static_ints
from .view_writes import VIEW_WRITES as VIEW_WRITES

Sizes = Sequence[Size]
Index = int | Unknown | None

_END = 1 << 62
"""Slice ends from here on mean "to the end" (PyTorch writes the largest int)."""


def _typed(self: TensorType, shape: Sequence[Known]) -> TensorType:
    return TensorType(self.dtype, tuple(shape))


# reshape


def infer_shape(shape: Sequence[Known], sizes: Sizes) -> tuple[Known, ...]:
    """Extents after a reshape to `sizes`, of which one may be -1."""
    wanted = [known(s) for s in sizes]
    if any(w is not None and w < -1 for w in wanted):
        raise OperatorError(f"invalid shape dimension {next(w for w in wanted if w is not None and w < -1)}")
    if wanted.count(-1) > 1:
        raise OperatorError("only one dimension can be inferred")
    total = product(shape)
    rest = product([w for w in wanted if w != -1])
    text = f"shape '{size_text(wanted)}' is invalid for input of size {total}"
    if -1 not in wanted:
        if total is not None and rest is not None and total != rest:
            raise OperatorError(text)
        return tuple(wanted)
    if rest == 0:
        raise OperatorError(f"cannot reshape tensor of 0 elements into shape {size_text(wanted)} because the unspecified dimension size -1 can be any value and is ambiguous")
    if total is None or rest is None:
        return tuple(None if w == -1 else w for w in wanted)
    if total % rest:
        raise OperatorError(text)
    return tuple(total // rest if w == -1 else w for w in wanted)


def infer_view(self: TensorType, size: Sizes) -> TensorType:
    return _typed(self, infer_shape(shape_of(self), size))


def infer_reshape(self: TensorType, shape: Sizes) -> TensorType:
    return _typed(self, infer_shape(shape_of(self), shape))


def lowered_shape(cx: LoweringContext, dims: Sequence[Extent], sizes: Sequence[Extent], message: str | None = None) -> list[Extent]:
    """Extents of a reshape, checked to hold as many elements. A size that is computed may turn out to be the -1."""
    wanted = [cx.extent(s) for s in sizes]
    text = f"shape '[{hole_text(len(wanted))}]' is invalid for input of size {{}}" if message is None else message
    inferred = [i for i, w in enumerate(wanted) if isinstance(w, int) and w == -1]
    total = Product.of(dims)
    if not inferred:
        if total == Product.of(wanted):
            return wanted
        negative = {i: cx.compare("lt", w, 0) for i, w in enumerate(wanted) if isinstance(w, Value) and is_computed(w)}
        if not negative:
            everything, given = total.extent(cx), cx.product(wanted)
            cx.check(cx.compare("eq", everything, given), text, [*wanted, everything])
            return wanted
        for i in negative:
            for k in negative:
                if i < k:
                    one = cx.any_of(cx.compare("ge", wanted[i], 0), cx.compare("ge", wanted[k], 0))
                    cx.check(one, "only one dimension can be inferred")
        positive = [cx.select(negative[i], 1, w) if i in negative else w for i, w in enumerate(wanted)]
        size = _remaining(cx, total, Product.of(positive), text, wanted)
        result = [cx.select(negative[i], size, w) if i in negative else w for i, w in enumerate(wanted)]
        everything = total.extent(cx)
        cx.check(cx.compare("eq", everything, cx.product(result)), text, [*wanted, everything])
        return result
    size = _remaining(cx, total, Product.of([w for i, w in enumerate(wanted) if i not in inferred]), text, wanted)
    return [size if i in inferred else w for i, w in enumerate(wanted)]


def is_computed(size: Value) -> bool:
    """Whether a size came from arithmetic on ints, and not straight from an extent."""
    return size.defining_op("arith.index_cast") is not None


def _remaining(cx: LoweringContext, total: Product, rest: Product, text: str, wanted: Sequence[Extent]) -> Extent:
    """What -1 stands for: all elements divided by the product of the other sizes."""
    quotient = total.divided(rest)
    if quotient is not None:
        return quotient.extent(cx)
    everything, divisor = total.extent(cx), rest.extent(cx)
    size = cx.floordiv(everything, cx.max(divisor, 1))
    cx.check(cx.compare("eq", cx.mul(size, divisor), everything), text, [*wanted, everything])
    return size


def lower_reshape_to(cx: LoweringContext, self: Value, sizes: Sequence[Extent]) -> Value:
    return reshaped(cx, self, lowered_shape(cx, cx.dims(self), sizes))


def lower_view(cx: LoweringContext, self: Value, size: Sequence[Extent]) -> Value:
    return lower_reshape_to(cx, self, size)


def lower_reshape(cx: LoweringContext, self: Value, shape: Sequence[Extent]) -> Value:
    return lower_reshape_to(cx, self, shape)


def _reference_reshape(self: Array, sizes: Sequence[int]) -> Array:
    return self.reshape([cast(int, e) for e in infer_shape(self.shape, sizes)])


def reference_view(self: Array, size: Sequence[int]) -> Array:
    return _reference_reshape(self, size)


def reference_reshape(self: Array, shape: Sequence[int]) -> Array:
    return _reference_reshape(self, shape)


def reshape_samples() -> Iterable[Sample]:
    for old, new in (((2, 3, 4), [6, 4]), ((2, 3, 4), [2, 12]), ((2, 3, 4), [4, -1]), ((2, 3, 4), [-1]), ((6,), [2, 3, 1]), ((1, 6), [6, 1]), ((), [1, 1]), ((1, 1), []), ((2, 0), [0, 5]), ((4, 6), [3, 8]), ((2, 3, 4), [2, 3, 4])):
        yield Sample((counting(*old), new))
    yield Sample((counting(6), [4]), raises="shape '[4]' is invalid for input of size 6")
    yield Sample((counting(6), [-1, -1]), raises="only one dimension can be inferred")


def infer_like_other(self: TensorType, other: TensorType) -> TensorType:
    shape = shape_of(other)
    if _differs(product(shape_of(self)), product(shape)):
        raise OperatorError(f"shape '{size_text(shape)}' is invalid for input of size {product(shape_of(self))}")
    return _typed(self, shape)


def _differs(x: Known, y: Known) -> bool:
    return x is not None and y is not None and x != y


def lower_like_other(cx: LoweringContext, self: Value, other: Value) -> Value:
    return lower_reshape_to(cx, self, cx.dims(other))


def reference_like_other(self: Array, other: Array) -> Array:
    return self.reshape(other.shape)


def like_other_samples() -> Iterable[Sample]:
    yield Sample((counting(2, 6), floats(3, 4)))


def _flattened_range(rank: int, start_dim: int, end_dim: int) -> tuple[int, int]:
    first, last = wrap_dim(start_dim, rank), wrap_dim(end_dim, rank)
    if first > last:
        raise OperatorError("flatten() has invalid args: start_dim cannot come after end_dim")
    return first, last


def infer_flatten(self: TensorType, start_dim: int, end_dim: int) -> TensorType:
    shape = shape_of(self)
    first, last = _flattened_range(len(shape), start_dim, end_dim)
    if not shape:
        return _typed(self, (1,))
    return _typed(self, (*shape[:first], product(shape[first : last + 1]), *shape[last + 1 :]))


def lower_flatten(cx: LoweringContext, self: Value, start_dim: int, end_dim: int) -> Value:
    dims = cx.dims(self)
    first, last = _flattened_range(len(dims), start_dim, end_dim)
    if not dims:
        return reshaped(cx, self, [1])
    return reshaped(cx, self, [*dims[:first], cx.product(dims[first : last + 1]), *dims[last + 1 :]])


def reference_flatten(self: Array, start_dim: int, end_dim: int) -> Array:
    first, last = _flattened_range(self.ndim, start_dim, end_dim)
    if self.ndim == 0:
        return self.reshape(1)
    return self.reshape([*self.shape[:first], math.prod(self.shape[first : last + 1]), *self.shape[last + 1 :]])


def flatten_samples() -> Iterable[Sample]:
    for arguments in ((0, -1), (1, -1), (1, 2), (0, 0), (2, 3)):
        yield Sample((counting(2, 3, 4, 5), *arguments))
    yield Sample((counting(),))
    yield Sample((counting(2, 3), 1, 0), raises="flatten() has invalid args: start_dim cannot come after end_dim")


def _unflatten_text(sizes: str, axis: int) -> str:
    return f"unflatten: Provided sizes [{sizes}] don't multiply up to the size of dim {axis} ({{}}) in the input tensor"


def infer_unflatten(self: TensorType, dim: int, sizes: Sizes) -> TensorType:
    shape = shape_of(self)
    axis = wrap_dim(dim, len(shape))
    if not sizes:
        raise OperatorError("unflatten: sizes must be non-empty")
    try:
        parts = infer_shape([shape[axis]], sizes)
    except OperatorError:
        given = size_text([known(s) for s in sizes])[1:-1]
        raise OperatorError(_unflatten_text(given, axis).format(shape[axis])) from None
    return _typed(self, (*shape[:axis], *parts, *shape[axis + 1 :]))


def lower_unflatten(cx: LoweringContext, self: Value, dim: int, sizes: Sequence[Extent]) -> Value:
    dims = cx.dims(self)
    axis = wrap_dim(dim, len(dims))
    return reshaped(cx, self, [*dims[:axis], *lowered_shape(cx, [dims[axis]], sizes, _unflatten_text(hole_text(len(sizes)), axis)), *dims[axis + 1 :]])


def reference_unflatten(self: Array, dim: int, sizes: Sequence[int]) -> Array:
    axis = wrap_dim(dim, self.ndim)
    parts = [cast(int, e) for e in infer_shape([self.shape[axis]], sizes)]
    return self.reshape([*self.shape[:axis], *parts, *self.shape[axis + 1 :]])


def unflatten_samples() -> Iterable[Sample]:
    yield Sample((counting(2, 12), 1, [3, 4]))
    yield Sample((counting(2, 12), -1, [3, -1]))
    yield Sample((counting(12, 2), 0, [2, 2, 3]))
    yield Sample((counting(2, 12), 1, [5, 2]), raises="unflatten: Provided sizes [5, 2] don't multiply up to the size of dim 1 (12) in the input tensor")


def infer_ravel(self: TensorType) -> TensorType:
    return _typed(self, (product(shape_of(self)),))


def lower_ravel(cx: LoweringContext, self: Value) -> Value:
    return reshaped(cx, self, [cx.numel(self)])


def reference_ravel(self: Array) -> Array:
    return self.reshape(-1)


def any_rank_samples() -> Iterable[Sample]:
    for shape in ((2, 3, 4), (3,), (), (2, 0)):
        yield Sample((counting(*shape),))


def infer_itself(self: TensorType) -> TensorType:
    return self


def lower_itself(cx: LoweringContext, self: Value) -> Value:
    del cx
    return self


def reference_itself(self: Array) -> Array:
    return self.view()


# permutations


def swapped(rank: int, one: int, two: int) -> list[int]:
    """The order of dimensions after exchanging two."""
    order = list(range(rank))
    a, c = wrap_dim(one, rank), wrap_dim(two, rank)
    if rank:
        order[a], order[c] = order[c], order[a]
    return order


def moved(rank: int, source: Any, destination: Any) -> list[int]:
    """The order after moving dimensions `source` to places `destination`; the others keep theirs."""
    here, there = (v if isinstance(v, list | tuple) else [v] for v in (source, destination))
    origins, places = static_ints(here, "a dimension"), static_ints(there, "a dimension")
    if len(origins) != len(places):
        raise OperatorError(
            f"movedim: Invalid source or destination dims: source ({size_text(origins)} dims) should contain the same number of dims as destination ({size_text(places)} dims)"
        )
    begins, ends = wrap_dims(origins, rank), wrap_dims(places, rank)
    rest = iter(i for i in range(rank) if i not in begins)
    return [begins[ends.index(i)] if i in ends else next(rest) for i in range(rank)]


def order_permute(rank: int, dims: Sequence[int]) -> Sequence[int]:
    if len(dims) != rank:
        raise OperatorError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired ordering of dimensions"
            f" i.e. input.dim() = {rank} is not equal to len(dims) = {len(dims)}"
        )
    order = [wrap_dim(d, rank) for d in static_ints(dims, "dims")]
    if len(set(order)) != rank:
        raise OperatorError("permute(): duplicate dims are not allowed.")
    return order


def order_t(rank: int) -> Sequence[int]:
    if rank > 2:
        raise OperatorError(f"t() expects a tensor with <= 2 dimensions, but self is {rank}D")
    return tuple(reversed(range(rank)))


def order_all_reversed(rank: int) -> Sequence[int]:
    return tuple(reversed(range(rank)))


def order_matrix_transpose(rank: int) -> Sequence[int]:
    if rank < 2:
        raise OperatorError(f"tensor.mT is only supported on matrices or batches of matrices. Got {rank}-D tensor.")
    return swapped(rank, -2, -1)


def _reordered(self: TensorType, order: Sequence[int]) -> TensorType:
    return _typed(self, [shape_of(self)[i] for i in order])


def infer_permute(self: TensorType, dims: Sequence[int]) -> TensorType:
    return _reordered(self, order_permute(self.rank, dims))


def lower_permute(cx: LoweringContext, self: Value, dims: Sequence[int]) -> Value:
    return permuted(cx, self, order_permute(cx.rank(self), dims))


def reference_permute(self: Array, dims: Sequence[int]) -> Array:
    return self.transpose(order_permute(self.ndim, dims))


def permute_samples() -> Iterable[Sample]:
    for dims in ([0, 2, 1], [2, 0, 1], [0, 1, 2], [-1, 0, 1]):
        yield Sample((counting(2, 3, 4), dims))
    yield Sample((counting(1, 3, 1, 4), [1, 0, 3, 2]))
    yield Sample((counting(), []))
    yield Sample((counting(2, 3), [0, 0]), raises="permute(): duplicate dims are not allowed.")


def infer_transpose(self: TensorType, dim0: int, dim1: int) -> TensorType:
    return _reordered(self, swapped(self.rank, *static_ints([dim0, dim1], "a dimension")))


def lower_transpose(cx: LoweringContext, self: Value, dim0: int, dim1: int) -> Value:
    return permuted(cx, self, swapped(cx.rank(self), dim0, dim1))


def reference_transpose(self: Array, dim0: int, dim1: int) -> Array:
    return self.transpose(swapped(self.ndim, dim0, dim1))


def infer_swapaxes(self: TensorType, axis0: int, axis1: int) -> TensorType:
    return infer_transpose(self, axis0, axis1)


def lower_swapaxes(cx: LoweringContext, self: Value, axis0: int, axis1: int) -> Value:
    return lower_transpose(cx, self, axis0, axis1)


def reference_swapaxes(self: Array, axis0: int, axis1: int) -> Array:
    return reference_transpose(self, axis0, axis1)


def transpose_samples() -> Iterable[Sample]:
    for dims in ((0, 1), (-1, 0), (1, 1)):
        yield Sample((counting(2, 3, 4), *dims))
    yield Sample((counting(1, 3), 0, 1))
    yield Sample((counting(), 0, -1))
    yield Sample((counting(2, 3), 0, 2), raises="Dimension out of range (expected to be in range of [-2, 1], but got 2)")


def infer_movedim(self: TensorType, source: Any, destination: Any) -> TensorType:
    return _reordered(self, moved(self.rank, source, destination))


def lower_movedim(cx: LoweringContext, self: Value, source: Any, destination: Any) -> Value:
    return permuted(cx, self, moved(cx.rank(self), source, destination))


def reference_movedim(self: Array, source: Any, destination: Any) -> Array:
    return self.transpose(moved(self.ndim, source, destination))


def movedim_samples() -> Iterable[Sample]:
    yield Sample((counting(2, 3, 4, 5), 1, -1))
    yield Sample((counting(2, 3, 4, 5), 3, 0))


def movedim_list_samples() -> Iterable[Sample]:
    yield Sample((counting(2, 3, 4, 5), [0, 1], [-1, -2]))
    yield Sample((counting(2, 3, 4, 5), [3, 1], [0, 2]))


def _reordering(signature: str, order: Callable[[int], Sequence[int]], samples: Callable[[], Iterable[Sample]]) -> Operator:
    """An operator whose order of dimensions follows from the rank alone."""

    def infer(self: TensorType) -> TensorType:
        return _reordered(self, order(self.rank))

    def lower(cx: LoweringContext, self: Value) -> Value:
        return permuted(cx, self, order(cx.rank(self)))

    def reference(self: Array) -> Array:
        return self.transpose(order(self.ndim))

    return Operator(signature, infer, lower, reference, samples)


def matrix_samples() -> Iterable[Sample]:
    yield Sample((counting(2, 3),))
    yield Sample((counting(0, 3),))


def batch_matrix_samples() -> Iterable[Sample]:
    yield Sample((counting(2, 3),))
    yield Sample((counting(4, 2, 3),))
    yield Sample((counting(3),), raises="tensor.mT is only supported on matrices or batches of matrices. Got 1-D tensor.")


# unit dimensions


def _unknown_squeeze() -> Unsupported:
    return Unsupported("whether this extent is 1 is known only at run time; give the dimensions to squeeze, or reshape")


def squeezed_axes(shape: Sequence[Known], dims: Sequence[int] | None) -> list[int]:
    """Which dimensions a squeeze drops: those of extent 1 (among `dims`)."""
    axes = list(range(len(shape))) if dims is None else list(wrap_dims(static_ints(dims, "a dimension"), len(shape)))
    axes = [a for a in axes if a < len(shape)]
    if any(shape[a] is None for a in axes):
        raise _unknown_squeeze()
    return [a for a in axes if shape[a] == 1]


def _infer_squeezed(self: TensorType, dims: Sequence[int] | None) -> TensorType:
    shape = shape_of(self)
    gone = squeezed_axes(shape, dims)
    return _typed(self, [e for i, e in enumerate(shape) if i not in gone])


def _lower_squeezed(cx: LoweringContext, self: Value, dims: Sequence[int] | None) -> Value:
    gone = squeezed_axes(cx.shape(self), dims)
    return reshaped(cx, self, [e for i, e in enumerate(cx.dims(self)) if i not in gone])


def infer_squeeze(self: TensorType) -> TensorType:
    return _infer_squeezed(self, None)


def lower_squeeze(cx: LoweringContext, self: Value) -> Value:
    return _lower_squeezed(cx, self, None)


def reference_squeeze(self: Array) -> Array:
    return self.reshape([e for e in self.shape if e != 1])


def infer_squeeze_dim(self: TensorType, dim: int) -> TensorType:
    return _infer_squeezed(self, [dim])


def lower_squeeze_dim(cx: LoweringContext, self: Value, dim: int) -> Value:
    return _lower_squeezed(cx, self, [dim])


def reference_squeeze_dim(self: Array, dim: int) -> Array:
    gone = squeezed_axes(self.shape, [dim])
    return self.squeeze(tuple(gone)) if gone else self.view()


def infer_squeeze_dims(self: TensorType, dim: Sequence[int]) -> TensorType:
    return _infer_squeezed(self, dim)


def lower_squeeze_dims(cx: LoweringContext, self: Value, dim: Sequence[int]) -> Value:
    return _lower_squeezed(cx, self, dim)


def reference_squeeze_dims(self: Array, dim: Sequence[int]) -> Array:
    gone = squeezed_axes(self.shape, dim)
    return self.squeeze(tuple(gone)) if gone else self.view()


def squeeze_samples() -> Iterable[Sample]:
    for shape in ((1, 3, 1), (2, 3), (1, 1), ()):
        yield Sample((counting(*shape),))


def squeeze_dim_samples() -> Iterable[Sample]:
    for shape, dim in (((1, 3, 1), 0), ((1, 3, 1), 1), ((1, 3, 1), -1), ((), 0)):
        yield Sample((counting(*shape), dim))


def squeeze_dims_samples() -> Iterable[Sample]:
    yield Sample((counting(1, 3, 1), [0, 2]))
    yield Sample((counting(1, 3, 1), [1, -1]))


def _unsqueezed_axis(rank: int, dim: int) -> int:
    return wrap_dim(static_ints([dim], "a dimension")[0], rank + 1)


def infer_unsqueeze(self: TensorType, dim: int) -> TensorType:
    shape = shape_of(self)
    axis = _unsqueezed_axis(len(shape), dim)
    return _typed(self, (*shape[:axis], 1, *shape[axis:]))


def lower_unsqueeze(cx: LoweringContext, self: Value, dim: int) -> Value:
    return cx.with_unit_dims(self, [_unsqueezed_axis(cx.rank(self), dim)])


def reference_unsqueeze(self: Array, dim: int) -> Array:
    return np.expand_dims(self, _unsqueezed_axis(self.ndim, dim))


def unsqueeze_samples() -> Iterable[Sample]:
    for dim in (0, 1, 2, -1, -3):
        yield Sample((counting(2, 3), dim))
    yield Sample((counting(), 0))
    yield Sample((counting(2, 3), 4), raises="Dimension out of range (expected to be in range of [-3, 2], but got 4)")


# repetition


def _not_expandable(wanted: Known, extent: Known, dim: int, target: Sequence[Known], shape: Sequence[Known]) -> OperatorError:
    return OperatorError(
        f"The expanded size of the tensor ({wanted}) must match the existing size ({extent}) at non-singleton dimension {dim}."
        f"  Target sizes: {size_text(target)}.  Tensor sizes: {size_text(shape)}"
    )


def infer_expanded(self: TensorType, sizes: Sizes) -> TensorType:
    shape = shape_of(self)
    wanted = [known(s) for s in sizes]
    missing = len(wanted) - len(shape)
    if missing < 0:
        raise OperatorError(
            f"expand({size_text(shape)}, size={size_text(wanted)}): the number of sizes provided ({len(wanted)}) must be greater or equal"
            f" to the number of dimensions in the tensor ({len(shape)})"
        )
    result: list[Known] = []
    for i, w in enumerate(wanted):
        extent = shape[i - missing] if i >= missing else 1
        if w == -1:
            if i < missing:
                raise OperatorError(f"expand({size_text(shape)}, size={size_text(wanted)}): the expanded size of the tensor ({w}) isn't allowed in a leading, non-existing dimension {i}")
            result.append(extent)
        elif w is not None and extent is not None and extent != 1 and w != extent:
            raise _not_expandable(w, extent, i, wanted, shape)
        else:
            result.append(w)
    return _typed(self, result)


def _lower_expanded(cx: LoweringContext, self: Value, sizes: Sequence[Extent]) -> Value:
    dims = cx.dims(self)
    missing = len(sizes) - len(dims)
    target: list[Extent] = []
    for i, size in enumerate(sizes):
        wanted = cx.extent(size)
        old: Extent = dims[i - missing] if i >= missing else 1
        if isinstance(wanted, int) and wanted == -1:
            wanted = old
        elif isinstance(wanted, Value) and i >= missing:
            # a size of -1 that is known only at run time keeps the extent
            wanted = wanted if same(wanted, old) else cx.select(cx.compare("eq", wanted, -1), old, wanted)
        if not same(old, wanted) and old != 1:
            fits = cx.any_of(cx.compare("eq", old, wanted), cx.compare("eq", old, 1))
            cx.check(fits, f"The expanded size of the tensor ({{}}) must match the existing size ({{}}) at non-singleton dimension {i}.", [wanted, old])
        target.append(wanted)
    return expanded(cx, self, refined(cx, target))


def infer_expand(self: TensorType, size: Sizes, implicit: bool) -> TensorType:
    del implicit
    return infer_expanded(self, size)


def lower_expand(cx: LoweringContext, self: Value, size: Sequence[Extent], implicit: bool) -> Value:
    del implicit
    return _lower_expanded(cx, self, size)


def _reference_expanded(self: Array, sizes: Sequence[int]) -> Array:
    missing = len(sizes) - self.ndim
    view = np.broadcast_to(self, [self.shape[i - missing] if s == -1 else s for i, s in enumerate(sizes)])
    if self.flags.writeable:
        view.flags.writeable = True
    return view


def reference_expand(self: Array, size: Sequence[int], implicit: bool) -> Array:
    del implicit
    return _reference_expanded(self, size)


def infer_broadcast_to(self: TensorType, size: Sizes) -> TensorType:
    return infer_expanded(self, size)


def lower_broadcast_to(cx: LoweringContext, self: Value, size: Sequence[Extent]) -> Value:
    return _lower_expanded(cx, self, size)


def reference_broadcast_to(self: Array, size: Sequence[int]) -> Array:
    return _reference_expanded(self, size)


def expand_samples() -> Iterable[Sample]:
    for shape, size in (((3, 1), [3, 4]), ((3, 1), [2, 3, 4]), ((3, 1), [-1, 2]), ((), [2, 3]), ((2, 3), [2, 3]), ((1,), [0]), ((3,), [1, 1, 3])):
        yield Sample((counting(*shape), size))
    yield Sample((counting(2), [4]), raises="The expanded size of the tensor (4) must match the existing size (2) at non-singleton dimension 0")


def infer_expand_as(self: TensorType, other: TensorType) -> TensorType:
    return infer_expanded(self, [Unknown(INT) if e is None else e for e in shape_of(other)])


def lower_expand_as(cx: LoweringContext, self: Value, other: Value) -> Value:
    return _lower_expanded(cx, self, cx.dims(other))


def reference_expand_as(self: Array, other: Array) -> Array:
    return _reference_expanded(self, other.shape)


def expand_as_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 1), floats(2, 3, 4)))
    yield Sample((counting(2), floats(3)), raises="The expanded size of the tensor (3) must match the existing size (2) at non-singleton dimension 0")


def infer_repeat(self: TensorType, repeats: Sizes) -> TensorType:
    shape = shape_of(self)
    if len(repeats) < len(shape):
        raise OperatorError("Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor")
    full = [*([1] * (len(repeats) - len(shape))), *shape]
    if any((known(r) or 0) < 0 for r in repeats):
        raise OperatorError("Trying to create tensor with negative dimension")
    return _typed(self, [product([e, known(r)]) for e, r in zip(full, repeats, strict=True)])


def lower_repeat(cx: LoweringContext, self: Value, repeats: Sequence[Extent]) -> Value:
    """[a, b] -> [ra, a, rb, b] by reading each element r times -> [ra * a, rb * b]."""
    dims = cx.dims(self)
    counts = [cx.extent(r) for r in repeats]
    missing = len(counts) - len(dims)
    full = [*([1] * missing), *dims]
    wide: list[Extent] = []
    reads: list[AffineExpr] = []
    for i, (extent, count) in enumerate(zip(full, counts, strict=True)):
        if isinstance(count, Value):
            cx.check(cx.compare("ge", count, 0), "Trying to create tensor with negative dimension", [])
        if not same(count, 1):
            wide.append(count)
        if i >= missing:
            reads.append(AffineDim(len(wide)))
        wide.append(extent)
    maps = [AffineMap(len(wide), tuple(reads))]
    copied = cx.generic([self], maps, wide, cx.dtype(self).element, [PARALLEL] * len(wide), lambda b, x: x)
    return reshaped(cx, with_dims(cx, copied, self, wide), [cx.mul(e, c) for e, c in zip(full, counts, strict=True)])


def reference_repeat(self: Array, repeats: Sequence[int]) -> Array:
    return np.tile(self, repeats).copy()


def repeat_samples() -> Iterable[Sample]:
    for repeats in ([2, 1], [2, 3], [2, 1, 3], [1, 1], [0, 1]):
        yield Sample((counting(2, 3), repeats))
    yield Sample((counting(), [2]))
    yield Sample((counting(2, 3), [2]), raises="Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor")


def infer_flip(self: TensorType, dims: Sequence[int]) -> TensorType:
    wrap_dims(static_ints(dims, "dims"), self.rank)
    return self


def lower_flip(cx: LoweringContext, self: Value, dims: Sequence[int]) -> Value:
    axes = [a for a in wrap_dims(dims, cx.rank(self)) if a < cx.rank(self) and cx.dim(self, a) != 1]
    return reversed_along(cx, self, axes) if axes else self


def reference_flip(self: Array, dims: Sequence[int]) -> Array:
    return np.flip(self, wrap_dims(dims, self.ndim)).copy() if self.ndim else self.copy()


def flip_samples() -> Iterable[Sample]:
    for dims in ([0], [1], [0, -1], []):
        yield Sample((counting(2, 3), dims))


def _rolled(rank: int, shifts: Any, dims: Any) -> tuple[list[Any], list[int]]:
    amounts = list(shifts) if isinstance(shifts, list | tuple) else [shifts]
    axes = static_ints(list(dims) if isinstance(dims, list | tuple) else [dims], "dims")
    if not axes and len(amounts) == 1:
        return amounts, []
    if len(axes) != len(amounts):
        raise OperatorError(f"shifts and dimensions must align. shifts: {len(amounts)}, dims:{len(axes)}")
    return amounts, [wrap_dim(a, rank) for a in axes]


def infer_roll(self: TensorType, shifts: Any, dims: Any) -> TensorType:
    _rolled(self.rank, shifts, dims)
    return self


def lower_roll(cx: LoweringContext, self: Value, shifts: Any, dims: Any) -> Value:
    amounts, axes = _rolled(cx.rank(self), shifts, dims)
    if not axes:
        shape = cx.dims(self)
        return reshaped(cx, _roll_along(cx, reshaped(cx, self, [cx.numel(self)]), 0, amounts[0]), shape)
    value = self
    for amount, axis in zip(amounts, axes, strict=True):
        value = _roll_along(cx, value, axis, amount)
    return value


def _roll_along(cx: LoweringContext, value: Value, axis: int, amount: Extent) -> Value:
    extent = cx.dim(value, axis)
    if extent in (0, 1):
        return value
    cut = cx.mod(cx.sub(0, cx.extent(amount)), cx.max(extent, 1))
    if cut == 0:
        return value
    head = slice_of(cx, value, axis, 0, cut)
    tail = slice_of(cx, value, axis, cut, cx.sub(extent, cut))
    return with_dims(cx, joined(cx, [tail, head], axis), value, cx.dims(value))


def reference_roll(self: Array, shifts: Any, dims: Any) -> Array:
    amounts, axes = _rolled(self.ndim, shifts, dims)
    return np.roll(self, amounts[0]) if not axes else np.roll(self, amounts, axes)


def roll_samples() -> Iterable[Sample]:
    yield Sample((counting(5), [2], [0]))
    yield Sample((counting(2, 3), [-1], [1]))
    yield Sample((counting(2, 3), [4, 1], [1, 0]))
    yield Sample((counting(2, 3), [2], []))


# slices


def _place(index: Index) -> str:
    return "?" if index is None or isinstance(index, Unknown) else str(index)


def infer_select(self: TensorType, dim: int, index: Size) -> TensorType:
    shape = shape_of(self)
    if not shape:
        raise OperatorError("select() cannot be applied to a 0-dim tensor.")
    axis = wrap_dim(static_ints([dim], "a dimension")[0], len(shape))
    at, extent = known(index), shape[axis]
    if at is not None and extent is not None and not -extent <= at < extent:
        raise OperatorError(f"select(): index {at} out of range for tensor of size {size_text(shape)} at dimension {axis}")
    return _typed(self, (*shape[:axis], *shape[axis + 1 :]))


def checked_index(cx: LoweringContext, value: Value, axis: int, index: Extent) -> Extent:
    """A position along `axis`, counted from the end if negative, checked at run time where needed."""
    dims = cx.dims(value)
    at, extent = cx.extent(index), dims[axis]
    inside = cx.all_of(cx.compare("lt", at, extent), cx.compare("ge", at, cx.sub(0, extent)))
    cx.check(inside, f"select(): index {{}} out of range for tensor of size [{hole_text(len(dims))}] at dimension {axis}", [at, *dims])
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
    yield Sample((counting(2, 3), 0, 5), raises="select(): index 5 out of range for tensor of size [2, 3] at dimension 0")


def slice_bounds(extent: int, start: int | None, end: int | None, step: int) -> tuple[int, int]:
    """First position and length of a slice, as PyTorch clamps it."""
    first = 0 if start is None else start
    last = _END if end is None else end
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
    return _typed(self, (*shape[:axis], _slice_length(shape[axis], start, end, step), *shape[axis + 1 :]))


def _slice_length(extent: Known, start: Index, end: Index, step: Size) -> Known:
    whole_end = end is None or (isinstance(end, int) and end >= _END)
    if whole_end and start in (None, 0) and step == 1:
        return extent
    if extent is None or any(isinstance(v, Unknown) for v in (start, end, step)):
        return None
    return slice_bounds(extent, cast(int | None, start), cast(int | None, end), cast(int, step))[1]


def lowered_bounds(cx: LoweringContext, extent: Extent, start: Extent | None, end: Extent | None, step: Extent) -> tuple[Extent, Extent, Extent]:
    """First position, length and step, with extents of any kind."""
    first: Extent = 0 if start is None else cx.extent(start)
    last: Extent = extent if end is None else cx.extent(end)
    stride = cx.extent(step)
    if isinstance(last, int) and last >= _END:
        last = extent
    if isinstance(stride, Value):
        cx.check(cx.compare("gt", stride, 0), "slice step must be positive", [])
        stride = cx.max(stride, 1)
    if not same(first, 0):
        first = cx.min(cx.max(cx.wrap_index(first, extent), 0), extent)
    if not same(last, extent):
        last = cx.min(cx.max(cx.wrap_index(last, extent), first), extent)
    return first, cx.ceildiv(cx.sub(last, first), stride), stride


def lower_slice(cx: LoweringContext, self: Value, dim: int, start: Extent | None, end: Extent | None, step: Extent) -> Value:
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
    for arguments in ((0, 1, 3, 1), (1, None, None, 1), (1, 0, 9223372036854775807, 2), (-1, -3, -1, 1), (0, 3, 1, 1), (0, 10, 20, 1), (1, 1, None, 3), (0, -100, 2, 1)):
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
            raise OperatorError(f"start out of range (expected to be in range of [-{extent}, {extent}], but got {first})")
        first += extent if first < 0 else 0
        if count is not None and first + count > extent:
            raise OperatorError(f"start ({first}) + length ({count}) exceeds dimension size ({extent}).")
    return _typed(self, (*shape[:axis], count, *shape[axis + 1 :]))


def lower_narrow(cx: LoweringContext, self: Value, dim: int, start: Extent, length: Extent) -> Value:
    axis = wrap_dim(dim, cx.rank(self))
    extent, count = cx.dim(self, axis), cx.extent(length)
    first = cx.wrap_index(start, extent)
    inside = cx.all_of(cx.compare("ge", first, 0), cx.compare("ge", count, 0), cx.compare("le", cx.add(first, count), extent))
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


# lists of slices


def _pieces(shape: Sequence[Known], axis: int, lengths: Sequence[Known]) -> list[tuple[Known, ...]]:
    return [(*shape[:axis], n, *shape[axis + 1 :]) for n in lengths]


def _static_extent(extent: Known, what: str) -> int:
    if extent is None:
        raise Unsupported(f"into how many pieces {what} cuts is known only at run time; give this dimension a fixed extent")
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
        raise OperatorError(f"tensor_split expected at least a 1-dimensional tensor, but got a tensor with {len(shape)} dims")
    static_ints([sections], "the number of sections")
    if sections <= 0:
        raise OperatorError(f"number of sections must be larger than 0, got {sections}")
    axis = wrap_dim(dim, len(shape))
    least, more = divmod(_static_extent(shape[axis], "tensor_split"), sections)
    return axis, [least + 1 if i < more else least for i in range(sections)]


def _infer_pieces(self: TensorType, axis: int, lengths: Sequence[Known]) -> list[TensorType]:
    return [_typed(self, s) for s in _pieces(shape_of(self), axis, lengths)]


def _lower_pieces(cx: LoweringContext, self: Value, axis: int, lengths: Sequence[Extent]) -> list[Value]:
    start: Extent = 0
    pieces: list[Value] = []
    for length in lengths:
        pieces.append(slice_of(cx, self, axis, start, length))
        start = cx.add(start, length)
    return pieces


def _reference_pieces(self: Array, axis: int, lengths: Sequence[int]) -> list[Array]:
    ends = np.cumsum([0, *lengths])
    return [self[(*([slice(None)] * axis), slice(a, e), ...)] for a, e in zip(ends[:-1], ends[1:], strict=True)]


def infer_split(self: TensorType, split_size: Size, dim: int) -> list[TensorType]:
    return _infer_pieces(self, *split_lengths(shape_of(self), dim, split_size))


def lower_split(cx: LoweringContext, self: Value, split_size: int, dim: int) -> list[Value]:
    return _lower_pieces(cx, self, *split_lengths(cx.shape(self), dim, split_size))


def reference_split(self: Array, split_size: int, dim: int) -> list[Array]:
    return _reference_pieces(self, *split_lengths(self.shape, dim, split_size))


def split_samples() -> Iterable[Sample]:
    for size, dim in ((2, 0), (3, 1), (5, -1), (100, 0)):
        yield Sample((counting(5, 6), size, dim))
    yield Sample((counting(5), 0), raises="split_size can only be 0 if dimension size is 0, but got dimension size of 5")


def _given_lengths(self: TensorType, sizes: Sizes, dim: int, name: str) -> tuple[int, list[Known]]:
    shape = shape_of(self)
    axis = wrap_dim(dim, len(shape))
    lengths = [known(s) for s in sizes]
    if any(n is not None and n < 0 for n in lengths):
        raise OperatorError(f"{name} expects split_sizes have only non-negative entries, but got split_sizes={size_text(lengths)}")
    extent = shape[axis]
    if extent is not None and None not in lengths and sum(cast(list[int], lengths)) != extent:
        raise OperatorError(f"{name} expects split_sizes to sum exactly to {extent} (input tensor's size at dimension {axis}), but got split_sizes={size_text(lengths)}")
    return axis, lengths


def _lower_sizes(cx: LoweringContext, self: Value, sizes: Sequence[Extent], dim: int) -> list[Value]:
    axis = wrap_dim(dim, cx.rank(self))
    lengths = [cx.extent(s) for s in sizes]
    total: Extent = 0
    for n in lengths:
        if isinstance(n, Value):
            cx.check(cx.compare("ge", n, 0), "split_with_sizes expects split_sizes have only non-negative entries, but got {}", [n])
        total = cx.add(total, n)
    extent = cx.dim(self, axis)
    cx.check(
        cx.compare("eq", total, extent),
        f"split_with_sizes expects split_sizes to sum exactly to {{}} (input tensor's size at dimension {axis}), but got split_sizes=[{hole_text(len(lengths))}]",
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
    yield Sample((counting(5, 6), [2, 2], 0), raises="split_with_sizes expects split_sizes to sum exactly to 5 (input tensor's size at dimension 0), but got split_sizes=[2, 2]")


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
    cuts = [0, *static_ints(indices, "where to split"), _END]
    return [slice_bounds(n, a, e, 1) for a, e in zip(cuts[:-1], cuts[1:], strict=True)]


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
    return [_typed(self, (*shape[:axis], *shape[axis + 1 :]))] * _static_extent(shape[axis], "unbind")


def lower_unbind(cx: LoweringContext, self: Value, dim: int) -> list[Value]:
    axis = wrap_dim(dim, cx.rank(self))
    return [element_of(cx, self, axis, i) for i in range(_static_extent(cx.shape(self)[axis], "unbind"))]


def reference_unbind(self: Array, dim: int) -> list[Array]:
    axis = wrap_dim(dim, self.ndim)
    return [self[(*([slice(None)] * axis), i, ...)] for i in range(self.shape[axis])]


def unbind_samples() -> Iterable[Sample]:
    yield Sample((counting(2, 3), 0))
    yield Sample((counting(2, 3, 2), -1))


# diagonals and windows


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
    return _typed(self, (*(e for i, e in enumerate(shape) if i not in (first, second)), length))


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
    result = cx.generic([square], maps, out, cx.dtype(self).element, [PARALLEL] * len(out), lambda b, x: x)
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
        return _typed(self, (size,))
    return _typed(self, (*shape[:axis], count, *shape[axis + 1 :], size))


def lower_unfold(cx: LoweringContext, self: Value, dimension: int, size: int, step: int) -> Value:
    if cx.rank(self) == 0:
        return expanded(cx, self, [size])
    dims, rank = cx.dims(self), cx.rank(self)
    axis = wrap_dim(dimension, rank)
    cx.check(cx.compare("ge", dims[axis], size), f"maximum size for tensor at dimension {axis} is {{}} but size is {size}", [dims[axis]])
    count = cx.add(cx.floordiv(cx.sub(dims[axis], size), step), 1)
    out = [*dims[:axis], count, *dims[axis + 1 :], size]
    results: list[AffineExpr] = [AffineDim(i) for i in range(rank)]
    results[axis] = AffineDim(axis) * step + AffineDim(rank)
    result = cx.generic([self], [AffineMap(rank + 1, tuple(results))], out, cx.dtype(self).element, [PARALLEL] * (rank + 1), lambda b, x: x)
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
    return _typed(self, [known(s) for s in size])


def reference_as_strided(self: Array, size: Sequence[int], stride: Sequence[int], storage_offset: int | None) -> Array:
    flat = self.reshape(-1)[storage_offset or 0 :]
    return numpy_as_strided(flat, size, [s * self.itemsize for s in stride])


def as_strided_samples() -> Iterable[Sample]:
    yield Sample((counting(12), [3, 2], [2, 1], 1))


# writing into a part


def infer_scattered(self: TensorType, src: TensorType, part: TensorType, name: str) -> TensorType:
    """`self` with `part` of it replaced by `src`, which must have the part's shape."""
    for have, want in zip(shape_of(src), shape_of(part), strict=False):
        if _differs(have, want) or src.rank != part.rank:
            raise OperatorError(f"expected src to have a size equal to the {name} of self. src size = {size_text(shape_of(src))}, {name} size = {size_text(shape_of(part))}")
    return self


def check_part(cx: LoweringContext, src: Value, part: Sequence[Extent]) -> None:
    """At run time: `src` has the shape of the part that it replaces."""
    given = cx.dims(src)
    fits = cx.all_of(*(cx.compare("eq", g, p) for g, p in zip(given, part, strict=True)))
    holes = hole_text(len(given))
    cx.check(fits, f"expected src to have a size equal to the slice of self. src size = [{holes}], slice size = [{holes}]", [*given, *part])


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
    yield Sample((counting(2, 3), floats(2), 0, 1), raises="expected src to have a size equal to the slice of self. src size = [2], slice size = [3]")


def infer_slice_scatter(self: TensorType, src: TensorType, dim: int, start: Index, end: Index, step: Size) -> TensorType:
    return infer_scattered(self, src, infer_slice(self, dim, start, end, step), "slice")


def lower_slice_scatter(cx: LoweringContext, self: Value, src: Value, dim: int, start: Extent | None, end: Extent | None, step: Extent) -> Value:
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
        "aten::slice_copy.Tensor(Tensor self, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1) -> Tensor",
        infer_slice, lower_slice, reference_slice, slice_samples,
    )  # fmt: skip


OPERATORS: tuple[Operator, ...] = (
    Operator("aten::view(Tensor(a) self, SymInt[] size) -> Tensor(a)", infer_view, lower_view, reference_view, reshape_samples),
    Operator("aten::reshape(Tensor(a) self, SymInt[] shape) -> Tensor(a)", infer_reshape, lower_reshape, reference_reshape, reshape_samples),
    Operator("aten::view_as(Tensor(a) self, Tensor other) -> Tensor(a)", infer_like_other, lower_like_other, reference_like_other, like_other_samples),
    Operator("aten::reshape_as(Tensor(a) self, Tensor other) -> Tensor(a)", infer_like_other, lower_like_other, reference_like_other, like_other_samples),
    Operator("aten::flatten.using_ints(Tensor(a) self, int start_dim=0, int end_dim=-1) -> Tensor(a)", infer_flatten, lower_flatten, reference_flatten, flatten_samples),
    Operator("aten::unflatten.int(Tensor(a) self, int dim, SymInt[] sizes) -> Tensor(a)", infer_unflatten, lower_unflatten, reference_unflatten, unflatten_samples),
    Operator("aten::ravel(Tensor(a) self) -> Tensor(a)", infer_ravel, lower_ravel, reference_ravel, any_rank_samples),
    _itself("aten::alias(Tensor(a) self) -> Tensor(a)"),
    _itself("aten::detach(Tensor(a) self) -> Tensor(a)"),
    _itself("aten::lift_fresh(Tensor(a) self) -> Tensor(a)"),
    Operator("aten::permute(Tensor(a) self, int[] dims) -> Tensor(a)", infer_permute, lower_permute, reference_permute, permute_samples),
    Operator("aten::transpose.int(Tensor(a) self, int dim0, int dim1) -> Tensor(a)", infer_transpose, lower_transpose, reference_transpose, transpose_samples),
    Operator("aten::swapdims(Tensor(a) self, int dim0, int dim1) -> Tensor(a)", infer_transpose, lower_transpose, reference_transpose, transpose_samples),
    Operator("aten::swapaxes(Tensor(a) self, int axis0, int axis1) -> Tensor(a)", infer_swapaxes, lower_swapaxes, reference_swapaxes, transpose_samples),
    Operator("aten::movedim.int(Tensor(a) self, int source, int destination) -> Tensor(a)", infer_movedim, lower_movedim, reference_movedim, movedim_samples),
    Operator("aten::movedim.intlist(Tensor(a) self, int[] source, int[] destination) -> Tensor(a)", infer_movedim, lower_movedim, reference_movedim, movedim_list_samples),
    Operator("aten::moveaxis.int(Tensor(a) self, int source, int destination) -> Tensor(a)", infer_movedim, lower_movedim, reference_movedim, movedim_samples),
    Operator("aten::moveaxis.intlist(Tensor(a) self, int[] source, int[] destination) -> Tensor(a)", infer_movedim, lower_movedim, reference_movedim, movedim_list_samples),
    _reordering("aten::t(Tensor(a) self) -> Tensor(a)", order_t, matrix_samples),
    _reordering("aten::numpy_T(Tensor(a) self) -> Tensor(a)", order_all_reversed, any_rank_samples),
    _reordering("aten::numpy_T.a(Tensor(a) self) -> Tensor(a)", order_all_reversed, any_rank_samples),
    _reordering("aten::mT(Tensor(a) self) -> Tensor(a)", order_matrix_transpose, batch_matrix_samples),
    _reordering("aten::mT.a(Tensor(a) self) -> Tensor(a)", order_matrix_transpose, batch_matrix_samples),
    Operator("aten::squeeze(Tensor(a) self) -> Tensor(a)", infer_squeeze, lower_squeeze, reference_squeeze, squeeze_samples),
    Operator("aten::squeeze.dim(Tensor(a) self, int dim) -> Tensor(a)", infer_squeeze_dim, lower_squeeze_dim, reference_squeeze_dim, squeeze_dim_samples),
    Operator("aten::squeeze.dims(Tensor(a) self, int[] dim) -> Tensor(a)", infer_squeeze_dims, lower_squeeze_dims, reference_squeeze_dims, squeeze_dims_samples),
    Operator("aten::unsqueeze(Tensor(a) self, int dim) -> Tensor(a)", infer_unsqueeze, lower_unsqueeze, reference_unsqueeze, unsqueeze_samples),
    Operator("aten::expand(Tensor(a) self, SymInt[] size, *, bool implicit=False) -> Tensor(a)", infer_expand, lower_expand, reference_expand, expand_samples),
    Operator("aten::broadcast_to(Tensor(a) self, SymInt[] size) -> Tensor(a)", infer_broadcast_to, lower_broadcast_to, reference_broadcast_to, expand_samples),
    Operator("aten::expand_as(Tensor(a) self, Tensor other) -> Tensor(a)", infer_expand_as, lower_expand_as, reference_expand_as, expand_as_samples),
    Operator("aten::repeat(Tensor self, SymInt[] repeats) -> Tensor", infer_repeat, lower_repeat, reference_repeat, repeat_samples),
    Operator("aten::flip(Tensor self, int[] dims) -> Tensor", infer_flip, lower_flip, reference_flip, flip_samples),
    Operator("aten::roll(Tensor self, SymInt[1] shifts, int[1] dims=[]) -> Tensor", infer_roll, lower_roll, reference_roll, roll_samples),
    Operator("aten::select.int(Tensor(a) self, int dim, SymInt index) -> Tensor(a)", infer_select, lower_select, reference_select, select_samples),
    Operator("aten::slice.Tensor(Tensor(a) self, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1) -> Tensor(a)", infer_slice, lower_slice, reference_slice, slice_samples),
    _copied_slice(),
    Operator("aten::narrow(Tensor(a) self, int dim, SymInt start, SymInt length) -> Tensor(a)", infer_narrow, lower_narrow, reference_narrow, narrow_samples),
    Operator("aten::split.Tensor(Tensor(a -> *) self, SymInt split_size, int dim=0) -> Tensor(a)[]", infer_split, lower_split, reference_split, split_samples),
    Operator("aten::unsafe_split.Tensor(Tensor self, SymInt split_size, int dim=0) -> Tensor[]", infer_split, lower_split, reference_split, split_samples),
    Operator("aten::split.sizes(Tensor(a -> *) self, SymInt[] split_size, int dim=0) -> Tensor(a)[]", infer_split_sizes, lower_split_sizes, reference_split_sizes, split_sizes_samples),
    Operator("aten::split_with_sizes(Tensor(a -> *) self, SymInt[] split_sizes, int dim=0) -> Tensor(a)[]", infer_split_with_sizes, lower_split_with_sizes, reference_split_with_sizes, split_sizes_samples),
    Operator("aten::split(Tensor(a -> *) self, int[] split_sizes, int dim=0) -> Tensor(a)[]", infer_split_with_sizes, lower_split_with_sizes, reference_split_with_sizes, split_sizes_samples),
    Operator("aten::unsafe_split_with_sizes(Tensor self, SymInt[] split_sizes, int dim=0) -> Tensor[]", infer_split_with_sizes, lower_split_with_sizes, reference_split_with_sizes, split_sizes_samples),
    Operator("aten::chunk(Tensor(a -> *) self, int chunks, int dim=0) -> Tensor(a)[]", infer_chunk, lower_chunk, reference_chunk, chunk_samples),
    Operator("aten::unsafe_chunk(Tensor self, int chunks, int dim=0) -> Tensor[]", infer_chunk, lower_chunk, reference_chunk, chunk_samples),
    Operator("aten::tensor_split.sections(Tensor(a -> *) self, SymInt sections, int dim=0) -> Tensor(a)[]", infer_sections, lower_sections, reference_sections, sections_samples),
    Operator("aten::tensor_split.indices(Tensor(a -> *) self, SymInt[] indices, int dim=0) -> Tensor(a)[]", infer_tensor_split, lower_tensor_split, reference_tensor_split, tensor_split_samples),
    Operator("aten::unbind.int(Tensor(a -> *) self, int dim=0) -> Tensor(a)[]", infer_unbind, lower_unbind, reference_unbind, unbind_samples),
    Operator("aten::diagonal(Tensor(a) self, int offset=0, int dim1=0, int dim2=1) -> Tensor(a)", infer_diagonal, lower_diagonal, reference_diagonal, diagonal_samples),
    Operator("aten::unfold(Tensor(a) self, int dimension, int size, int step) -> Tensor(a)", infer_unfold, lower_unfold, reference_unfold, unfold_samples),
    Operator(
        "aten::as_strided(Tensor(a) self, SymInt[] size, SymInt[] stride, SymInt? storage_offset=None) -> Tensor(a)", infer_as_strided,
        unsupported("as_strided depends on how the elements lie in memory; use view, select, slice or unfold"), reference_as_strided, as_strided_samples,
    ),
    Operator("aten::select_scatter(Tensor self, Tensor src, int dim, SymInt index) -> Tensor", infer_select_scatter, lower_select_scatter, reference_select_scatter, select_scatter_samples),
    Operator("aten::slice_scatter(Tensor self, Tensor src, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1) -> Tensor", infer_slice_scatter, lower_slice_scatter, reference_slice_scatter, slice_scatter_samples),
    Operator("aten::diagonal_scatter(Tensor self, Tensor src, int offset=0, int dim1=0, int dim2=1) -> Tensor", infer_diagonal_scatter, lower_diagonal_scatter, reference_diagonal_scatter, diagonal_scatter_samples),
)  # fmt: skip
