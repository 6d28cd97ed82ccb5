"""The same elements in another shape: view, reshape, flatten, squeeze, unsqueeze.

Sizes may be known only at run time; what cannot be checked at compile time is checked then, with PyTorch's texts.
Value semantics here; the references return numpy views, so that the interpreter of the `torch` stage keeps PyTorch's
aliasing. Writing back through a view stands in `view_writes.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np

from ...core import Value
from ...operator import Operator, OperatorError, Sample, Unsupported
from ...script_types import TensorType
from .layout import (
    Product,
    reshaped,
)
from .lowering import Extent, LoweringContext
from .rules import Array, shape_of, wrap_dim, wrap_dims
from .shapes import (
    Known,
    Sizes,
    counting,
    differ,
    floats,
    hole_text,
    known,
    product,
    size_text,
    static_ints,
    with_shape,
)


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
        raise OperatorError(
            f"cannot reshape tensor of 0 elements into shape {size_text(wanted)} because the unspecified dimension "
            "size -1 can be any value and is ambiguous"
        )
    if total is None or rest is None:
        return tuple(None if w == -1 else w for w in wanted)
    if total % rest:
        raise OperatorError(text)
    return tuple(total // rest if w == -1 else w for w in wanted)


def infer_view(self: TensorType, size: Sizes) -> TensorType:
    return with_shape(self, infer_shape(shape_of(self), size))


def infer_reshape(self: TensorType, shape: Sizes) -> TensorType:
    return with_shape(self, infer_shape(shape_of(self), shape))


def lowered_shape(
    cx: LoweringContext, dims: Sequence[Extent], sizes: Sequence[Extent], message: str | None = None
) -> list[Extent]:
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
    for old, new in (
        ((2, 3, 4), [6, 4]),
        ((2, 3, 4), [2, 12]),
        ((2, 3, 4), [4, -1]),
        ((2, 3, 4), [-1]),
        ((6,), [2, 3, 1]),
        ((1, 6), [6, 1]),
        ((), [1, 1]),
        ((1, 1), []),
        ((2, 0), [0, 5]),
        ((4, 6), [3, 8]),
        ((2, 3, 4), [2, 3, 4]),
    ):
        yield Sample((counting(*old), new))
    yield Sample((counting(6), [4]), raises="shape '[4]' is invalid for input of size 6")
    yield Sample((counting(6), [-1, -1]), raises="only one dimension can be inferred")


def infer_like_other(self: TensorType, other: TensorType) -> TensorType:
    shape = shape_of(other)
    if differ(product(shape_of(self)), product(shape)):
        raise OperatorError(f"shape '{size_text(shape)}' is invalid for input of size {product(shape_of(self))}")
    return with_shape(self, shape)


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
        return with_shape(self, (1,))
    return with_shape(self, (*shape[:first], product(shape[first : last + 1]), *shape[last + 1 :]))


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
    return with_shape(self, (*shape[:axis], *parts, *shape[axis + 1 :]))


def lower_unflatten(cx: LoweringContext, self: Value, dim: int, sizes: Sequence[Extent]) -> Value:
    dims = cx.dims(self)
    axis = wrap_dim(dim, len(dims))
    return reshaped(
        cx,
        self,
        [
            *dims[:axis],
            *lowered_shape(cx, [dims[axis]], sizes, _unflatten_text(hole_text(len(sizes)), axis)),
            *dims[axis + 1 :],
        ],
    )


def reference_unflatten(self: Array, dim: int, sizes: Sequence[int]) -> Array:
    axis = wrap_dim(dim, self.ndim)
    parts = [cast(int, e) for e in infer_shape([self.shape[axis]], sizes)]
    return self.reshape([*self.shape[:axis], *parts, *self.shape[axis + 1 :]])


def unflatten_samples() -> Iterable[Sample]:
    yield Sample((counting(2, 12), 1, [3, 4]))
    yield Sample((counting(2, 12), -1, [3, -1]))
    yield Sample((counting(12, 2), 0, [2, 2, 3]))
    yield Sample(
        (counting(2, 12), 1, [5, 2]),
        raises="unflatten: Provided sizes [5, 2] don't multiply up to the size of dim 1 (12) in the input tensor",
    )


def infer_ravel(self: TensorType) -> TensorType:
    return with_shape(self, (product(shape_of(self)),))


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
    return with_shape(self, [e for i, e in enumerate(shape) if i not in gone])


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
    return with_shape(self, (*shape[:axis], 1, *shape[axis:]))


def lower_unsqueeze(cx: LoweringContext, self: Value, dim: int) -> Value:
    return cx.with_unit_dims(self, [_unsqueezed_axis(cx.rank(self), dim)])


def reference_unsqueeze(self: Array, dim: int) -> Array:
    return np.expand_dims(self, _unsqueezed_axis(self.ndim, dim))


def unsqueeze_samples() -> Iterable[Sample]:
    for dim in (0, 1, 2, -1, -3):
        yield Sample((counting(2, 3), dim))
    yield Sample((counting(), 0))
    yield Sample((counting(2, 3), 4), raises="Dimension out of range (expected to be in range of [-3, 2], but got 4)")


OPERATORS: tuple[Operator, ...] = (
    Operator(
        "aten::view(Tensor(a) self, SymInt[] size) -> Tensor(a)",
        infer_view,
        lower_view,
        reference_view,
        reshape_samples,
    ),
    Operator(
        "aten::reshape(Tensor(a) self, SymInt[] shape) -> Tensor(a)",
        infer_reshape,
        lower_reshape,
        reference_reshape,
        reshape_samples,
    ),
    Operator(
        "aten::view_as(Tensor(a) self, Tensor other) -> Tensor(a)",
        infer_like_other,
        lower_like_other,
        reference_like_other,
        like_other_samples,
    ),
    Operator(
        "aten::reshape_as(Tensor(a) self, Tensor other) -> Tensor(a)",
        infer_like_other,
        lower_like_other,
        reference_like_other,
        like_other_samples,
    ),
    Operator(
        "aten::flatten.using_ints(Tensor(a) self, int start_dim=0, int end_dim=-1) -> Tensor(a)",
        infer_flatten,
        lower_flatten,
        reference_flatten,
        flatten_samples,
    ),
    Operator(
        "aten::unflatten.int(Tensor(a) self, int dim, SymInt[] sizes) -> Tensor(a)",
        infer_unflatten,
        lower_unflatten,
        reference_unflatten,
        unflatten_samples,
    ),
    Operator("aten::ravel(Tensor(a) self) -> Tensor(a)", infer_ravel, lower_ravel, reference_ravel, any_rank_samples),
    Operator(
        "aten::squeeze(Tensor(a) self) -> Tensor(a)", infer_squeeze, lower_squeeze, reference_squeeze, squeeze_samples
    ),
    Operator(
        "aten::squeeze.dim(Tensor(a) self, int dim) -> Tensor(a)",
        infer_squeeze_dim,
        lower_squeeze_dim,
        reference_squeeze_dim,
        squeeze_dim_samples,
    ),
    Operator(
        "aten::squeeze.dims(Tensor(a) self, int[] dim) -> Tensor(a)",
        infer_squeeze_dims,
        lower_squeeze_dims,
        reference_squeeze_dims,
        squeeze_dims_samples,
    ),
    Operator(
        "aten::unsqueeze(Tensor(a) self, int dim) -> Tensor(a)",
        infer_unsqueeze,
        lower_unsqueeze,
        reference_unsqueeze,
        unsqueeze_samples,
    ),
)
