"""Reading and writing at computed positions.

Reading is pure: one `linalg.generic` over the result extracts each element at its position. Positions are checked before,
all at once (smallest and largest), so that the reading itself can be fused and run in parallel. Writing is a loop over the
source in order, so that of several writes to one place the last one wins, and sums are added one after the other.
Boolean masks become positions through `nonzero`, whose result has a run-time extent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import numpy as np

from ...affine import AffineConstant, AffineDim, AffineExpr, AffineMap
from ...attributes import Constant, DenseAttr
from ...builder import Builder
from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample, Unknown
from ...script_types import TensorType
from ...types import I64, INDEX
from .. import arith, linalg, scf, tensor
from ..linalg import PARALLEL
from .elementwise import Scalars
from .layout import expanded, reshaped, with_dims
from .lowering import Extent, LoweringContext, Number
from .rules import Array, broadcast, cast_array, opmath, shape_of, wrap_dim
from .shapes import Known, counting, floats, integers, product, size_text

# positions


def _need_index(index: TensorType, name: str) -> None:
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
    flat = cx.reduce(index, list(axes), I64, (1 << 63) - 1, lambda b, x, low: arith.minsi(b, cx.cast(b, x, dtype, DType.int64), low))
    top = cx.reduce(index, list(axes), I64, -(1 << 63), lambda b, x, high: arith.maxsi(b, cx.cast(b, x, dtype, DType.int64), high))
    # without elements the extremes are the wrong way round: brought to a harmless 0
    low, high = (tensor.extract(cx.b, v, []) for v in (flat, top))
    zero = arith.constant(cx.b, 0, I64)
    none = arith.cmpi(cx.b, "sgt", low, high)
    return cx.index(arith.select(cx.b, none, zero, low)), cx.index(arith.select(cx.b, none, arith.constant(cx.b, -1, I64), high))


def check_positions(
    cx: LoweringContext, index: Value, extent: Extent, message: str, *, negative: bool = True, values: Sequence[Extent] = ()
) -> None:
    """Run-time error `message` (its first hole, if any, is the offending position) unless all lie inside `extent`."""
    low, high = smallest_and_largest(cx, index)
    floor = cx.sub(0, extent) if negative else 0
    fits_below, fits_above = cx.compare("ge", low, floor), cx.compare("lt", high, extent)
    offending = cx.select(fits_below, high, low)
    cx.check(cx.all_of(fits_below, fits_above), message, [offending, *values] if "{}" in message else [])


def position(cx: LoweringContext, b: Builder, element: Value, dtype: DType, extent: Value, *, negative: bool = True) -> Value:
    """An element of an index tensor as an `index`, counted from the end if negative."""
    at = arith.index_cast(b, cx.cast(b, element, dtype, DType.int64), INDEX)
    if not negative:
        return at
    below = arith.cmpi(b, "slt", at, arith.constant(b, 0, INDEX))
    return arith.select(b, below, arith.addi(b, at, extent), at)


OUT_OF_BOUNDS = "index {} is out of bounds for dimension {} with size {}"


# one index tensor


def infer_index_select(self: TensorType, dim: int, index: TensorType) -> TensorType:
    _need_index(index, "index_select")
    if index.rank > 1:
        raise OperatorError("index_select(): Index is supposed to be a vector")
    count = shape_of(index)[0] if index.rank else 1
    shape = shape_of(self)
    axis = wrap_dim(dim, len(shape))
    return self if not shape else TensorType(self.dtype, (*shape[:axis], count, *shape[axis + 1 :]))


def lower_index_select(cx: LoweringContext, self: Value, dim: int, index: Value) -> Value:
    dims = cx.dims(self)
    axis = wrap_dim(dim, len(dims))
    places = index if cx.rank(index) else reshaped(cx, index, [1])
    check_positions(cx, places, dims[axis] if dims else 1, "index out of range in self", negative=False)
    if not dims:
        return self
    return _select_rows(cx, self, axis, places)


def _select_rows(cx: LoweringContext, value: Value, axis: int, places: Value) -> Value:
    dims = cx.dims(value)
    rank = len(dims)
    out = [*dims[:axis], cx.dim(places, 0), *dims[axis + 1 :]]
    dtype = cx.dtype(places)

    def body(b: Builder, element: Value) -> Value:
        at = [linalg.index(b, i) for i in range(rank)]
        at[axis] = arith.index_cast(b, cx.cast(b, element, dtype, DType.int64), INDEX)
        return tensor.extract(b, value, at)

    result = cx.generic([places], [AffineMap.of(rank, axis)], out, cx.dtype(value).element, [PARALLEL] * rank, body)
    return with_dims(cx, result, value, out)


def reference_index_select(self: Array, dim: int, index: Array) -> Array:
    places = index.reshape(-1)
    extent = self.shape[wrap_dim(dim, self.ndim)] if self.ndim else 1
    if ((places < 0) | (places >= extent)).any():
        raise OperatorError("index out of range in self")
    return self.copy() if self.ndim == 0 else np.take(self, places, wrap_dim(dim, self.ndim))


def index_select_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 4), 0, np.array([2, 0, 0])))
    yield Sample((counting(3, 4), -1, np.array([1, 3], np.int32)))
    yield Sample((counting(3, 4), 1, np.array(2)))
    yield Sample((counting(3, 4), 0, np.array([], np.int64)))
    yield Sample((counting(3, 4), 0, np.array([3])), raises="index out of range in self")


def infer_embedding(weight: TensorType, indices: TensorType, padding_idx: Any, scale_grad_by_freq: Any, sparse: Any) -> TensorType:
    del padding_idx, scale_grad_by_freq, sparse
    if weight.rank != 2:
        raise OperatorError("'weight' must be 2-D")
    _need_index(indices, "embedding")
    return TensorType(weight.dtype, (*shape_of(indices), shape_of(weight)[1]))


def lower_embedding(cx: LoweringContext, weight: Value, indices: Value, padding_idx: Any, scale_grad_by_freq: Any, sparse: Any) -> Value:
    del padding_idx, scale_grad_by_freq, sparse
    check_positions(cx, indices, cx.dim(weight, 0), "index out of range in self", negative=False)
    dims, rank = cx.dims(indices), cx.rank(indices) + 1
    out = [*dims, cx.dim(weight, 1)]
    dtype = cx.dtype(indices)

    def body(b: Builder, element: Value) -> Value:
        row = arith.index_cast(b, cx.cast(b, element, dtype, DType.int64), INDEX)
        return tensor.extract(b, weight, [row, linalg.index(b, rank - 1)])

    maps = [AffineMap.of(rank, *range(rank - 1))]
    return with_dims(cx, cx.generic([indices], maps, out, cx.dtype(weight).element, [PARALLEL] * rank, body), weight, out)


def reference_embedding(weight: Array, indices: Array, padding_idx: Any, scale_grad_by_freq: Any, sparse: Any) -> Array:
    del padding_idx, scale_grad_by_freq, sparse
    if ((indices < 0) | (indices >= weight.shape[0])).any():
        raise OperatorError("index out of range in self")
    return weight[indices]


def embedding_samples() -> Iterable[Sample]:
    yield Sample((floats(5, 3), integers(0, 5, 2, 4)))
    yield Sample((floats(5, 3), np.array(4), 1))
    yield Sample((floats(5, 3), integers(0, 5, 7, dtype=DType.int32)))
    yield Sample((floats(5, 3), np.array([5])), raises="index out of range in self")


def _need_same_rank(name: str, self: TensorType, index: TensorType) -> None:
    if max(self.rank, 1) != max(index.rank, 1):
        raise OperatorError("Index tensor must have the same number of dimensions as input tensor" if name == "gather" else "Index tensor must have the same number of dimensions as self tensor")


def _need_inside(name: str, index: TensorType, bound: TensorType, axis: int | None, what: str) -> None:
    """Extents of the index must not exceed those of `bound`, but along `axis`."""
    for i, (have, limit) in enumerate(zip(shape_of(index), shape_of(bound), strict=False)):
        if i != axis and have is not None and limit is not None and have > limit:
            beyond = "" if axis is None else f" apart from dimension {axis}"
            raise OperatorError(f"Size does not match at dimension {i} expected index {size_text(shape_of(index))} to be no larger than {what} {size_text(shape_of(bound))}{beyond}")


def infer_gather(self: TensorType, dim: int, index: TensorType, sparse_grad: Any) -> TensorType:
    del sparse_grad
    _need_index(index, "gather")
    axis = wrap_dim(dim, self.rank)
    if 0 in shape_of(index):
        return TensorType(self.dtype, index.shape)
    _need_same_rank("gather", self, index)
    _need_inside("gather", index, self, axis, "self")
    return TensorType(self.dtype, index.shape)


def _check_inside(cx: LoweringContext, index: Value, bound: Value, axis: int | None, what: str) -> None:
    for i, (have, limit) in enumerate(zip(cx.dims(index), cx.dims(bound), strict=True)):
        if i != axis:
            cx.check(cx.compare("le", have, limit), f"Size does not match at dimension {i} expected index {{}} to be no larger than {what} {{}}", [have, limit])


def lower_gather(cx: LoweringContext, self: Value, dim: int, index: Value, sparse_grad: Any) -> Value:
    del sparse_grad
    if 0 in cx.shape(index):
        return cx.empty(cx.dims(index), cx.dtype(self).element)
    value, places = (v if cx.rank(v) else reshaped(cx, v, [1]) for v in (self, index))
    rank = cx.rank(value)
    axis = wrap_dim(dim, rank)
    extent = cx.dim(value, axis)
    _check_inside(cx, places, value, axis, "self")
    check_positions(cx, places, extent, f"index {{}} is out of bounds for dimension {axis} with size {{}}", negative=False, values=[extent])
    dtype, out = cx.dtype(index), cx.dims(places)

    def body(b: Builder, element: Value) -> Value:
        at = [linalg.index(b, i) for i in range(rank)]
        at[axis] = arith.index_cast(b, cx.cast(b, element, dtype, DType.int64), INDEX)
        return tensor.extract(b, value, at)

    maps = [AffineMap.identity(rank)]
    result = with_dims(cx, cx.generic([places], maps, out, cx.dtype(self).element, [PARALLEL] * rank, body), value, out)
    return reshaped(cx, result, cx.dims(index))


def _check_reference(index: Array, extent: int, axis: int) -> None:
    wrong = index[(index < 0) | (index >= extent)]
    if wrong.size:
        raise OperatorError(OUT_OF_BOUNDS.format(wrong.flat[0], axis, extent))


def reference_gather(self: Array, dim: int, index: Array, sparse_grad: Any) -> Array:
    del sparse_grad
    if index.size == 0:
        return np.zeros(index.shape, self.dtype)
    value, places = np.atleast_1d(self), np.atleast_1d(index)
    axis = wrap_dim(dim, value.ndim)
    _check_reference(places, value.shape[axis], axis)
    at = list(np.indices(places.shape))
    at[axis] = places
    return value[tuple(at)].reshape(index.shape)


def gather_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 4), 0, integers(0, 3, 2, 4)))
    yield Sample((counting(3, 4), 1, integers(0, 4, 3, 6)))
    yield Sample((counting(3, 4), -1, integers(0, 4, 2, 1)))
    yield Sample((counting(), 0, np.array(0)))
    yield Sample((counting(3, 4), 0, np.zeros((0, 4), np.int64)))
    yield Sample((counting(2, 2), 0, np.array([[9, 0]])), raises="index 9 is out of bounds for dimension 0 with size 2")


# writing one element after the other


def for_each(cx: LoweringContext, dims: Sequence[Extent], init: Value, body: Callable[[Builder, Sequence[Value], Value], Value]) -> Value:
    """A loop nest over a box in row-major order that carries a tensor: `body(b, positions, carried)` gives the next."""
    bounds = [cx.index(d) for d in dims]
    zero, one = cx.index(0), cx.index(1)

    def nest(b: Builder, at: Sequence[Value], carried: Value) -> Value:
        if len(at) == len(bounds):
            return body(b, at, carried)
        loop = scf.for_(b, zero, bounds[len(at)], one, [carried], lambda inner, args: [nest(inner, [*at, args[0]], args[1])])
        return loop.result

    return with_dims(cx, nest(cx.b, (), init), init, cx.dims(init))


Combine = Callable[[Scalars, Value, Value], Value]
"""How a written element meets the one that is there: `combine(s, old, new)`; None replaces it."""


def put(cx: LoweringContext, b: Builder, base: Value, at: Sequence[Value], new: Value, combine: Combine | None) -> Value:
    """`base` with one element (of its dtype) written or combined."""
    if combine is not None:
        dtype = cx.dtype(base)
        wide = opmath(dtype)
        old = cx.cast(b, tensor.extract(b, base, at), dtype, wide)
        new = cx.cast(b, combine(Scalars(b, wide), old, cx.cast(b, new, dtype, wide)), wide, dtype)
    result = tensor.insert(b, new, base, at)
    return cx.set_dtype(result, cx.dtype(base))


def add(s: Scalars, old: Value, new: Value) -> Value:
    return s.add(old, new)


def multiply(s: Scalars, old: Value, new: Value) -> Value:
    return s.mul(old, new)


def maximum(s: Scalars, old: Value, new: Value) -> Value:
    return s.maximum(old, new)


def minimum(s: Scalars, old: Value, new: Value) -> Value:
    return s.minimum(old, new)


REDUCTIONS: dict[str, Combine] = {
    "add": add, "multiply": multiply, "sum": add, "prod": multiply, "amax": maximum, "amin": minimum,
}  # fmt: skip
_NUMPY_REDUCTIONS: dict[str, Any] = {
    "add": np.add, "multiply": np.multiply, "sum": np.add, "prod": np.multiply, "amax": np.maximum, "amin": np.minimum, "mean": np.add,
}  # fmt: skip


def _infer_scatter(name: str, self: TensorType, dim: int, index: TensorType, src: TensorType | None) -> TensorType:
    _need_index(index, "scatter")
    axis = wrap_dim(dim, self.rank)
    if 0 in shape_of(index):
        return self
    _need_same_rank(name, self, index)
    _need_inside(name, index, self, axis, "self")
    if src is not None:
        if src.dtype is not self.dtype:
            raise OperatorError("scatter(): Expected self.dtype to be equal to src.dtype")
        _need_inside(name, index, src, None, "src")
    return self


def _lower_scatter(cx: LoweringContext, self: Value, dim: int, index: Value, source: Value | Number, combine: Combine | None) -> Value:
    if 0 in cx.shape(index):
        return self
    shape = cx.dims(self)
    base, places = (v if cx.rank(v) else reshaped(cx, v, [1]) for v in (self, index))
    rank = cx.rank(base)
    axis = wrap_dim(dim, rank)
    extent, dtype = cx.dim(base, axis), cx.dtype(self)
    _check_inside(cx, places, base, axis, "self")
    check_positions(cx, places, extent, f"index {{}} is out of bounds for dimension {axis} with size {{}}", negative=False, values=[extent])
    elements = None
    if isinstance(source, Value) and hasattr(source.type, "shape"):
        elements = source if cx.rank(source) else reshaped(cx, source, [1])
        _check_inside(cx, places, elements, None, "src")
    number = None if elements is not None else cx.number(source, dtype)
    index_dtype = cx.dtype(index)

    def write(b: Builder, at: Sequence[Value], carried: Value) -> Value:
        where = list(at)
        where[axis] = arith.index_cast(b, cx.cast(b, tensor.extract(b, places, at), index_dtype, DType.int64), INDEX)
        new = number if elements is None else tensor.extract(b, elements, at)
        assert new is not None
        cx.set_dtype(carried, dtype)
        return put(cx, b, carried, where, new, combine)

    return reshaped(cx, for_each(cx, cx.dims(places), base, write), shape)


def _reference_scatter(self: Array, dim: int, index: Array, source: Any, reduce: str | None) -> Array:
    result = np.atleast_1d(self).copy()
    if index.size == 0:
        return result.reshape(self.shape)
    places = np.atleast_1d(index)
    axis = wrap_dim(dim, result.ndim)
    _check_reference(places, result.shape[axis], axis)
    elements = np.atleast_1d(source) if isinstance(source, np.ndarray) else np.full(places.shape, cast_array(source, cast(DType, _dtype_of(self))))
    for at in np.ndindex(*places.shape):
        where = (*at[:axis], int(places[at]), *at[axis + 1 :])
        new = elements[at]
        result[where] = new if reduce is None else _NUMPY_REDUCTIONS[reduce](result[where], new)
    return result.reshape(self.shape)


def _dtype_of(array: Array) -> DType:
    return next(d for d in DType if d is not DType.complex32 and d.numpy == array.dtype)


def infer_scatter_src(self: TensorType, dim: int, index: TensorType, src: TensorType) -> TensorType:
    return _infer_scatter("scatter", self, dim, index, src)


def lower_scatter_src(cx: LoweringContext, self: Value, dim: int, index: Value, src: Value) -> Value:
    return _lower_scatter(cx, self, dim, index, src, None)


def reference_scatter_src(self: Array, dim: int, index: Array, src: Array) -> Array:
    return _reference_scatter(self, dim, index, src, None)


def infer_scatter_value(self: TensorType, dim: int, index: TensorType, value: Any) -> TensorType:
    del value
    return _infer_scatter("scatter", self, dim, index, None)


def lower_scatter_value(cx: LoweringContext, self: Value, dim: int, index: Value, value: Number) -> Value:
    return _lower_scatter(cx, self, dim, index, value, None)


def reference_scatter_value(self: Array, dim: int, index: Array, value: Any) -> Array:
    return _reference_scatter(self, dim, index, value, None)


def lower_scatter_add(cx: LoweringContext, self: Value, dim: int, index: Value, src: Value) -> Value:
    return _lower_scatter(cx, self, dim, index, src, add)


def reference_scatter_add(self: Array, dim: int, index: Array, src: Array) -> Array:
    return _reference_scatter(self, dim, index, src, "add")


def _need_reduction(reduce: str, allowed: Sequence[str]) -> None:
    if reduce not in allowed:
        raise OperatorError(f"reduce argument must be either {' or '.join(allowed)}, got {reduce}.")


def infer_scatter_reduce(self: TensorType, dim: int, index: TensorType, src: TensorType, reduce: str) -> TensorType:
    _need_reduction(reduce, ("add", "multiply"))
    return _infer_scatter("scatter", self, dim, index, src)


def lower_scatter_reduce(cx: LoweringContext, self: Value, dim: int, index: Value, src: Value, reduce: str) -> Value:
    return _lower_scatter(cx, self, dim, index, src, REDUCTIONS[reduce])


def reference_scatter_reduce(self: Array, dim: int, index: Array, src: Array, reduce: str) -> Array:
    return _reference_scatter(self, dim, index, src, reduce)


def infer_scatter_value_reduce(self: TensorType, dim: int, index: TensorType, value: Any, reduce: str) -> TensorType:
    del value
    _need_reduction(reduce, ("add", "multiply"))
    return _infer_scatter("scatter", self, dim, index, None)


def lower_scatter_value_reduce(cx: LoweringContext, self: Value, dim: int, index: Value, value: Number, reduce: str) -> Value:
    return _lower_scatter(cx, self, dim, index, value, REDUCTIONS[reduce])


def reference_scatter_value_reduce(self: Array, dim: int, index: Array, value: Any, reduce: str) -> Array:
    return _reference_scatter(self, dim, index, value, reduce)


_TWO = ("sum", "prod", "mean", "amax", "amin")


def infer_scatter_reduce_two(self: TensorType, dim: int, index: TensorType, src: TensorType, reduce: str, include_self: bool) -> TensorType:
    del include_self
    if reduce not in _TWO:
        raise OperatorError(f"reduce argument must be either {', '.join(_TWO[:-1])} or {_TWO[-1]}, got {reduce}.")
    return _infer_scatter("scatter", self, dim, index, src)


def _neutral(s: Scalars, reduce: str) -> float:
    """What a reduction starts from where the old value does not count."""
    if reduce == "amin":
        return float("inf") if s.is_float else (1 << (8 * s.dtype.itemsize - s.dtype.is_signed)) - 1
    return {"prod": 1, "amax": s.lowest}.get(reduce, 0)


def lower_scatter_reduce_two(cx: LoweringContext, self: Value, dim: int, index: Value, src: Value, reduce: str, include_self: bool) -> Value:
    dtype = cx.dtype(self)
    base = self
    if not include_self:
        base = _lower_scatter(cx, self, dim, index, _neutral(Scalars(cx.b, dtype), reduce), None)
    result = _lower_scatter(cx, base, dim, index, src, REDUCTIONS.get(reduce, add))
    if reduce != "mean":
        return result
    start = cx.set_dtype(cx.fill(cx.dims(self), I64, 1 if include_self else 0), DType.int64)
    counts = _lower_scatter(cx, start, dim, index, 1, add)
    wide = opmath(dtype)

    def divide(b: Builder, total: Value, count: Value) -> Value:
        divisor = cx.cast(b, arith.maxsi(b, count, arith.constant(b, 1, I64)), DType.int64, wide)
        value = cx.cast(b, total, dtype, wide)
        quotient = arith.divf(b, value, divisor) if wide.is_floating else arith.floordivsi(b, value, divisor)
        return cx.cast(b, quotient, wide, dtype)

    return cx.pointwise([result, counts], dtype, divide)


def reference_scatter_reduce_two(self: Array, dim: int, index: Array, src: Array, reduce: str, include_self: bool) -> Array:
    base = self
    ones = np.ones(self.shape, np.int64)
    if not include_self:
        s = Scalars(cast(Any, None), _dtype_of(self))
        base = _reference_scatter(self, dim, index, _neutral(s, reduce), None)
        ones = np.zeros(self.shape, np.int64)
    result = _reference_scatter(base, dim, index, src, reduce)
    if reduce != "mean":
        return result
    counts = np.maximum(_reference_scatter(ones, dim, index, 1, "add"), 1)
    quotient = result // counts if self.dtype.kind in "iu" else result / counts.astype(self.dtype)
    return np.asarray(quotient).astype(self.dtype)


def scatter_reduce_two_samples() -> Iterable[Sample]:
    for reduce in _TWO:
        for include_self in (True, False):
            yield Sample((counting(3, 4), 0, integers(0, 3, 5, 4), floats(5, 4), reduce), {"include_self": include_self})
    yield Sample((integers(0, 9, 3, 4), 1, integers(0, 4, 3, 4), integers(-9, 9, 3, 4), "amin"), {"include_self": False})


def _distinct(rows: int, columns: int, count: int) -> Array:
    """Row positions without repetition within a column."""
    rng = np.random.default_rng(3)
    return np.stack([rng.permutation(rows)[:count] for _ in range(columns)], 1)


def scatter_src_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 4), 0, _distinct(3, 4, 2), floats(2, 4)))
    yield Sample((counting(4, 3), 1, _distinct(3, 4, 2).T.copy(), floats(5, 2)))
    yield Sample((counting(), 0, np.array(0), floats()))
    yield Sample((counting(2, 2), 0, np.array([[9, 0]]), floats(1, 2)), raises="index 9 is out of bounds for dimension 0 with size 2")


def scatter_value_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 4), 0, integers(0, 3, 2, 4), 1.5))
    yield Sample((integers(0, 9, 3, 4), -1, integers(0, 4, 3, 1), 7))
    yield Sample((counting(3, 4), 0, np.zeros((0, 4), np.int64), 1))


def scatter_add_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 4), 0, integers(0, 3, 5, 4), floats(5, 4)))
    yield Sample((integers(0, 9, 3, 4), 1, integers(0, 4, 3, 4), integers(0, 9, 3, 4)))


def scatter_reduce_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 4), 0, integers(0, 3, 5, 4), floats(5, 4)), {"reduce": "add"})
    yield Sample((counting(3, 4), 0, integers(0, 3, 5, 4), floats(5, 4)), {"reduce": "multiply"})


def scatter_value_reduce_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 4), 0, integers(0, 3, 2, 4), 1.5), {"reduce": "add"})
    yield Sample((counting(3, 4), 0, integers(0, 3, 2, 4), 1.5), {"reduce": "multiply"})


# index_add, index_copy: whole slices at positions along one dimension


def _infer_rows(name: str, self: TensorType, dim: int, index: TensorType, source: TensorType) -> TensorType:
    _need_index(index, name)
    axis = wrap_dim(dim, self.rank)
    if index.rank > 1:
        raise OperatorError(f"{name}(): Index should have dimension 1 or 0 (got {index.rank})")
    if self.dtype is not source.dtype:
        raise OperatorError(f"{name}(): self and source expected to have the same dtype")
    count = shape_of(index)[0] if index.rank else 1
    have = shape_of(source)[axis] if source.rank else 1
    if have is not None and count is not None and have != count:
        raise OperatorError(f"{name}(): Number of indices ({count}) should be equal to source.size(dim): ({have})")
    return self


def _lower_rows(cx: LoweringContext, self: Value, dim: int, index: Value, source: Value, alpha: Number, combine: Combine | None) -> Value:
    shape = cx.dims(self)
    base, places, rows = (v if cx.rank(v) else reshaped(cx, v, [1]) for v in (self, index, source))
    axis = wrap_dim(dim, cx.rank(base))
    dtype, index_dtype = cx.dtype(self), cx.dtype(index)
    for i, (have, want) in enumerate(zip(cx.dims(rows), cx.dims(base), strict=True)):
        wanted = cx.dim(places, 0) if i == axis else want
        cx.check(cx.compare("eq", have, wanted), f"source has size {{}} at dimension {i}, expected {{}}", [have, wanted])
    extent = cx.dim(base, axis)
    check_positions(cx, places, extent, f"index {{}} is out of bounds for dimension {axis} with size {{}}", negative=False, values=[extent])
    plain = isinstance(alpha, int | float) and alpha == 1
    factor = None if plain else cx.number(alpha, dtype)

    def write(b: Builder, at: Sequence[Value], carried: Value) -> Value:
        where = list(at)
        where[axis] = arith.index_cast(b, cx.cast(b, tensor.extract(b, places, [at[axis]]), index_dtype, DType.int64), INDEX)
        new = tensor.extract(b, rows, at)
        cx.set_dtype(carried, dtype)
        return put(cx, b, carried, where, new if factor is None else Scalars(b, dtype).mul(new, factor), combine)

    return reshaped(cx, for_each(cx, cx.dims(rows), base, write), shape)


def infer_index_add(self: TensorType, dim: int, index: TensorType, source: TensorType, alpha: Any) -> TensorType:
    del alpha
    return _infer_rows("index_add", self, dim, index, source)


def lower_index_add(cx: LoweringContext, self: Value, dim: int, index: Value, source: Value, alpha: Number) -> Value:
    return _lower_rows(cx, self, dim, index, source, alpha, add)


def reference_index_add(self: Array, dim: int, index: Array, source: Array, alpha: Any) -> Array:
    result = np.atleast_1d(self).copy()
    moved = np.moveaxis(result, wrap_dim(dim, result.ndim), 0)
    places = np.atleast_1d(index)
    _check_reference(places, moved.shape[0], wrap_dim(dim, result.ndim))
    np.add.at(moved, places, np.moveaxis(np.atleast_1d(source), wrap_dim(dim, result.ndim), 0) * np.asarray(alpha).astype(self.dtype))
    return result.reshape(self.shape)


def infer_index_copy(self: TensorType, dim: int, index: TensorType, source: TensorType) -> TensorType:
    return _infer_rows("index_copy", self, dim, index, source)


def lower_index_copy(cx: LoweringContext, self: Value, dim: int, index: Value, source: Value) -> Value:
    return _lower_rows(cx, self, dim, index, source, 1, None)


def reference_index_copy(self: Array, dim: int, index: Array, source: Array) -> Array:
    result = np.atleast_1d(self).copy()
    moved = np.moveaxis(result, wrap_dim(dim, result.ndim), 0)
    moved[np.atleast_1d(index)] = np.moveaxis(np.atleast_1d(source), wrap_dim(dim, result.ndim), 0)
    return result.reshape(self.shape)


def index_add_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 4), 0, np.array([0, 2, 0]), floats(3, 4)))
    yield Sample((counting(3, 4), 1, np.array([3, 1]), floats(3, 2)), {"alpha": 2})
    yield Sample((counting(3, 4), 0, np.array([3]), floats(1, 4)), raises="index 3 is out of bounds for dimension 0 with size 3")


def index_copy_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 4), 0, np.array([0, 2]), floats(2, 4)))
    yield Sample((counting(3, 4), -1, np.array([3]), floats(3, 1)))


# several index tensors: x[i, :, j]


def _mask_shape(index: TensorType) -> bool:
    return index.dtype in (DType.bool, DType.uint8)


class Plan:
    """How `x[indices]` reads: which dimensions of x are indexed, where the broadcast index dimensions go in the result.

    A mask stands for as many dimensions as it has. With all indexed dimensions side by side the index dimensions stand
    there, else in front.
    """

    def __init__(self, rank: int, indices: Sequence[Any], ranks: Callable[[Any], int]) -> None:
        self.axes: list[int] = []
        at = 0
        for index in indices:
            width = 1 if index is None else ranks(index)
            if index is not None:
                self.axes.extend(range(at, at + width))
            at += width
        if at > rank:
            raise OperatorError(f"too many indices for tensor of dimension {rank}")
        self.rank = rank
        self.others = [i for i in range(rank) if i not in self.axes]
        adjacent = bool(self.axes) and self.axes == list(range(self.axes[0], self.axes[-1] + 1))
        self.front = self.axes[0] if adjacent else 0

    def shape(self, extents: Sequence[Any], index_shape: Sequence[Any]) -> list[Any]:
        """Of the result."""
        kept = [extents[i] for i in self.others]
        return [*kept[: self.front], *index_shape, *kept[self.front :]]

    def place(self, of: Sequence[Any], index_rank: int) -> list[Any]:
        """For each dimension of x that is not indexed, the matching one of the result's `of`."""
        return [*of[: self.front], *of[self.front + index_rank :]]


def _check_mask(shape: Sequence[Known], mask: Sequence[Known], at: int, text: str) -> None:
    for i, extent in enumerate(mask):
        if at + i >= len(shape):
            raise OperatorError(f"too many indices for tensor of dimension {len(shape)}")
        if extent is not None and shape[at + i] is not None and extent != shape[at + i]:
            raise OperatorError(f"The shape of the mask {size_text(mask)} at index {i} does not match the shape of the indexed tensor {text} at index {at + i}")


def _index_types(self: TensorType, indices: Sequence[TensorType | None]) -> tuple[Plan, tuple[Known, ...]]:
    plan = Plan(self.rank, indices, lambda t: t.rank if _mask_shape(t) else 1)
    at = 0
    shapes: list[tuple[Known, ...]] = []
    for index in indices:
        if index is None:
            at += 1
        elif _mask_shape(index):
            _check_mask(shape_of(self), shape_of(index), at, size_text(shape_of(self)))
            shapes.append((None,))
            at += index.rank
        else:
            if index.dtype not in (DType.int64, DType.int32, DType.int16, DType.int8):
                raise OperatorError("tensors used as indices must be long, int, byte or bool tensors")
            shapes.append(shape_of(index))
            at += 1
    try:
        return plan, broadcast(*shapes)
    except OperatorError:
        raise OperatorError(f"shape mismatch: indexing tensors could not be broadcast together with shapes {', '.join(map(size_text, shapes))}") from None


def infer_index(self: TensorType, indices: Sequence[TensorType | None]) -> TensorType:
    plan, shape = _index_types(self, indices)
    return TensorType(self.dtype, tuple(plan.shape(shape_of(self), shape)))


def _positions(cx: LoweringContext, self: Value, indices: Sequence[Value | None]) -> tuple[Plan, list[Value], list[Extent]]:
    """One integer tensor per indexed dimension, checked, and their common extents."""
    plan = Plan(cx.rank(self), indices, lambda v: cx.rank(v) if cx.dtype(v) in (DType.bool, DType.uint8) else 1)
    dims = cx.dims(self)
    places: list[Value] = []
    at = 0
    for index in indices:
        if index is None:
            at += 1
        elif cx.dtype(index) in (DType.bool, DType.uint8):
            for i, have in enumerate(cx.dims(index)):
                text = f"The shape of the mask at index {i} does not match the shape of the indexed tensor at index {at + i}: {{}} and {{}}"
                cx.check(cx.compare("eq", have, dims[at + i]), text, [have, dims[at + i]])
            places.extend(_columns(cx, nonzero(cx, index)))
            at += cx.rank(index)
        else:
            extent = dims[at]
            check_positions(cx, index, extent, f"index {{}} is out of bounds for dimension {at} with size {{}}", values=[extent])
            places.append(index)
            at += 1
    return plan, places, cx.broadcast_dims([cx.dims(p) for p in places])


def _columns(cx: LoweringContext, table: Value) -> list[Value]:
    """[n, r] -> r vectors."""
    count, width = cx.dims(table)
    assert isinstance(width, int)
    columns = (tensor.extract_slice(cx.b, table, [0, i], [count, 1], [1, 1], dropped=[1]) for i in range(width))
    return [with_dims(cx, c, table, [count]) for c in columns]


def _ready(cx: LoweringContext, places: Sequence[Value], common: Sequence[Extent]) -> list[Value]:
    """Index tensors whose extents are static 1 or exactly the common ones."""
    ready: list[Value] = []
    for value in places:
        dims = cx.dims(value)
        tail = common[len(common) - len(dims) :]
        sure = all(d is t or isinstance(d, int) and (d == 1 or d == t) for d, t in zip(dims, tail, strict=True))
        ready.append(value if sure else cx.pointwise([value], cx.dtype(value), lambda b, x: x, dims=tail))
    return ready


def _reading_map(cx: LoweringContext, value: Value, common: Sequence[Extent], first: int, total: int) -> AffineMap:
    """An index tensor over the result's iterators; the index dimensions start at iterator `first`."""
    dims = cx.dims(value)
    lead = len(common) - len(dims)
    results: list[AffineExpr] = []
    for i, extent in enumerate(dims):
        repeated = isinstance(extent, int) and extent == 1 and common[lead + i] != 1
        results.append(AffineConstant(0) if repeated else AffineDim(first + lead + i))
    return AffineMap(total, tuple(results))


def _with_positions(cx: LoweringContext, b: Builder, self: Value, plan: Plan, elements: Sequence[Value], dtypes: Sequence[DType], others: Sequence[Value], extents: Sequence[Value]) -> list[Value]:
    """Full position in `self` from the elements of the index tensors and the positions in the other dimensions."""
    at: list[Value] = [extents[0]] * plan.rank
    for axis, other in zip(plan.others, others, strict=True):
        at[axis] = other
    for axis, element, dtype, extent in zip(plan.axes, elements, dtypes, extents, strict=True):
        at[axis] = position(cx, b, element, dtype, extent)
    return at


def lower_index(cx: LoweringContext, self: Value, indices: Sequence[Value | None]) -> Value:
    if all(i is None for i in indices):
        return self
    plan, places, common = _positions(cx, self, indices)
    ready = _ready(cx, places, common)
    out = plan.shape(cx.dims(self), common)
    total = len(out)
    maps = [_reading_map(cx, p, common, plan.front, total) for p in ready]
    dtypes = [cx.dtype(p) for p in ready]
    extents = [cx.index(cx.dim(self, a)) for a in plan.axes]

    def body(b: Builder, *elements: Value) -> Value:
        others = plan.place([linalg.index(b, i) for i in range(total)], len(common))
        return tensor.extract(b, self, _with_positions(cx, b, self, plan, elements, dtypes, others, extents))

    result = cx.generic(ready, maps, out, cx.dtype(self).element, [PARALLEL] * total, body)
    return with_dims(cx, result, self, out)


def reference_index(self: Array, indices: Sequence[Array | None]) -> Array:
    return np.array(self[_numpy_index(self, indices)])


def _numpy_index(self: Array, indices: Sequence[Array | None]) -> Any:
    """Numpy has the same rule for where index dimensions go; only the errors differ."""
    at = 0
    result: list[Any] = []
    for index in indices:
        if index is None:
            result.append(slice(None))
            at += 1
        elif index.dtype == np.bool_ or index.dtype == np.uint8:
            _check_mask(self.shape, index.shape, at, size_text(self.shape))
            result.extend(index.nonzero() if index.ndim else (index != 0,))
            at += index.ndim
        else:
            if at >= self.ndim:
                raise OperatorError(f"too many indices for tensor of dimension {self.ndim}")
            extent = self.shape[at]
            wrong = index[(index < -extent) | (index >= extent)]
            if wrong.size:
                raise OperatorError(OUT_OF_BOUNDS.format(wrong.flat[0], at, extent))
            result.append(index)
            at += 1
    return tuple(result)


def index_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 4), [np.array([2, 0, -1])]))
    yield Sample((counting(3, 4), [np.array([[0, 2], [1, 1]]), np.array([3, -4])]))
    yield Sample((counting(3, 4, 5), [None, np.array([1, 0])]))
    yield Sample((counting(3, 4, 5), [np.array([1, 0]), None, np.array([4, 2])]))
    yield Sample((counting(3, 4, 5), [None, np.array([1, 0]), np.array([[4], [2]])]))
    yield Sample((counting(2, 3, 4, 5), [None, np.array([1]), None, np.array([4, 2])]))
    yield Sample((counting(3, 4), [np.array(1)]))
    yield Sample((counting(3, 4), [counting(3, 4) > 5]))
    yield Sample((counting(3, 4), [np.array([True, False, True])]))
    yield Sample((counting(3, 4), [None, np.array([True, False, True, True])]))
    yield Sample((counting(3, 4), [np.array([True, False, True]), np.array([1, 2])]))
    yield Sample((counting(3, 4), [np.array([], np.int64)]))
    yield Sample((counting(2, 3), [np.array([9])]), raises="index 9 is out of bounds for dimension 0 with size 2")
    yield Sample((counting(2, 3), [np.array([True, False, True])]), raises="The shape of the mask")


def _index_put_types(self: TensorType, indices: Sequence[TensorType | None], values: TensorType) -> None:
    if self.dtype is not values.dtype:
        assert self.dtype is not None and values.dtype is not None
        raise OperatorError(f"Index put requires the source and destination dtypes match, got {self.dtype.graph_name} for the destination and {values.dtype.graph_name} for the source.")
    plan, shape = _index_types(self, indices)
    target = plan.shape(shape_of(self), shape)
    given = shape_of(values)
    for i, (have, want) in enumerate(zip(reversed(given), reversed(target), strict=False)):
        del i
        if have not in (None, 1) and want is not None and have != want:
            raise OperatorError(f"shape mismatch: value tensor of shape {size_text(given)} cannot be broadcast to indexing result of shape {size_text(target)}")
    if product(given[: max(len(given) - len(target), 0)]) not in (1, None):
        raise OperatorError(f"shape mismatch: value tensor of shape {size_text(given)} cannot be broadcast to indexing result of shape {size_text(target)}")


def infer_index_put(self: TensorType, indices: Sequence[TensorType | None], values: TensorType, accumulate: Any) -> TensorType:
    del accumulate
    _index_put_types(self, indices, values)
    return self


def lower_index_put(cx: LoweringContext, self: Value, indices: Sequence[Value | None], values: Value, accumulate: bool) -> Value:
    masked = _as_where(cx, self, indices, values, accumulate)
    if masked is not None:
        return masked
    plan, places, common = _positions(cx, self, indices)
    target = plan.shape(cx.dims(self), common)
    source = _trimmed(cx, values, len(target))
    for have, want in zip(reversed(cx.dims(source)), reversed(target), strict=False):
        fits = cx.any_of(cx.compare("eq", have, want), cx.compare("eq", have, 1))
        cx.check(fits, "shape mismatch: value tensor with extent {} cannot be broadcast to indexing result with extent {}", [have, want])
    # values and index tensors are read at every position of the target: broadcast first, unless they are already
    source = expanded(cx, source, target)
    ready = [expanded(cx, p, common) for p in places]
    dtypes = [cx.dtype(p) for p in ready]
    extents = [cx.index(cx.dim(self, a)) for a in plan.axes]
    dtype = cx.dtype(self)

    def write(b: Builder, at: Sequence[Value], carried: Value) -> Value:
        inner = at[plan.front : plan.front + len(common)]
        elements = [tensor.extract(b, p, inner) for p in ready]
        others = plan.place(at, len(common))
        where = _with_positions(cx, b, self, plan, elements, dtypes, others, extents)
        cx.set_dtype(carried, dtype)
        return put(cx, b, carried, where, tensor.extract(b, source, at), add if accumulate is True else None)

    return for_each(cx, target, self, write)


def _trimmed(cx: LoweringContext, values: Value, rank: int) -> Value:
    """Without leading dimensions of extent 1 that the target does not have."""
    dims = cx.dims(values)
    return values if len(dims) <= rank else reshaped(cx, values, dims[len(dims) - rank :])


def _as_where(cx: LoweringContext, self: Value, indices: Sequence[Value | None], values: Value, accumulate: bool) -> Value | None:
    """`x[mask] = number` needs no positions: each element is chosen by the mask."""
    given = [i for i in indices if i is not None]
    if len(given) != 1 or indices[0] is None or cx.dtype(given[0]) is not DType.bool or any(d != 1 for d in cx.dims(values)):
        return None
    mask, dtype = given[0], cx.dtype(self)
    dims, rank = cx.dims(self), cx.rank(mask)
    for i, have in enumerate(cx.dims(mask)):
        cx.check(cx.compare("eq", have, dims[i]), "The shape of the mask does not match the shape of the indexed tensor: {} and {}", [have, dims[i]])
    if rank == 0 and cx.rank(self) == 0:
        return None
    number = reshaped(cx, values, [])
    maps = [AffineMap.identity(len(dims)), AffineMap.of(len(dims), *range(rank)), AffineMap(len(dims), ())]

    def body(b: Builder, x: Value, chosen: Value, new: Value) -> Value:
        return arith.select(b, chosen, Scalars(b, dtype).add(x, new) if accumulate is True else new, x)

    result = cx.generic([self, mask, number], maps, dims, dtype.element, [PARALLEL] * len(dims), body)
    return with_dims(cx, result, self, dims)


def reference_index_put(self: Array, indices: Sequence[Array | None], values: Array, accumulate: bool) -> Array:
    result = self.copy()
    at = _numpy_index(self, indices)
    if accumulate:
        np.add.at(result, at, values)
    else:
        result[at] = values
    return result


def index_put_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 4), [np.array([2, 0])], floats(2, 4)))
    yield Sample((counting(3, 4), [np.array([2, -2]), np.array([3, 0])], floats(2)))
    yield Sample((counting(3, 4), [np.array([1, 1, 0])], floats(4), True))
    yield Sample((counting(3, 4), [None, np.array([1, 0])], floats(3, 1)))
    yield Sample((counting(3, 4, 5), [np.array([1, 0]), None, np.array([4, 2])], floats(2, 4)))
    yield Sample((counting(3, 4), [counting(3, 4) > 5], floats()))
    yield Sample((counting(3, 4), [counting(3, 4) > 5], floats(6)))
    yield Sample((counting(3, 4), [np.array([True, False, True])], floats(1)))
    yield Sample((counting(3, 4), [np.array([True, False, True])], floats(2, 4)))
    yield Sample((counting(2, 3), [np.array([9])], floats(3)), raises="index 9 is out of bounds for dimension 0 with size 2")
    yield Sample((counting(2, 3), [np.array([0])], floats(4)), raises="shape mismatch: value tensor")


def index_list_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 4), [np.array([2, 0, -1])]))
    yield Sample((counting(3, 4), [np.array([[0, 2], [1, 1]]), np.array([3, -4])]))


def index_put_list_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 4), [np.array([2, 0])], floats(2, 4)))


# where elements are not zero


def nonzero(cx: LoweringContext, value: Value) -> Value:
    """Positions of the elements that are not zero, in row-major order: [count, rank]."""
    dims, dtype = cx.dims(value), cx.dtype(value)
    rank = len(dims)

    def count_one(b: Builder, x: Value, total: Value) -> Value:
        one, zero = arith.constant(b, 1, I64), arith.constant(b, 0, I64)
        return arith.addi(b, total, arith.select(b, Scalars(b, dtype).is_nonzero(x), one, zero))

    total = cx.reduce(value, list(range(rank)), I64, 0, count_one)
    count = cx.index(tensor.extract(cx.b, total, []))
    table = cx.set_dtype(cx.empty([count, rank], I64), DType.int64)
    bounds = [cx.index(d) for d in dims]
    zero, one = cx.index(0), cx.index(1)

    def nest(b: Builder, at: Sequence[Value], carried: Sequence[Value]) -> Sequence[Value]:
        if len(at) < rank:
            loop = scf.for_(b, zero, bounds[len(at)], one, carried, lambda inner, args: nest(inner, [*at, args[0]], args[1:]))
            return list(loop.results)
        found = Scalars(b, dtype).is_nonzero(tensor.extract(b, value, at))
        types = [v.type for v in carried]

        def note(inner: Builder, _: Sequence[Value]) -> Sequence[Value]:
            rows, row = carried
            for i, place in enumerate(at):
                rows = tensor.insert(inner, arith.index_cast(inner, place, I64), rows, [row, arith.constant(inner, i, INDEX)])
            return [rows, arith.addi(inner, row, one)]

        return list(scf.if_(b, found, types, note, lambda inner, _: list(carried)).results)

    if rank == 0:
        return table
    filled = nest(cx.b, (), [table, zero])[0]
    return with_dims(cx, filled, table, [count, rank])


def infer_nonzero(self: TensorType) -> TensorType:
    return TensorType(DType.int64, (None, self.rank))


def lower_nonzero(cx: LoweringContext, self: Value) -> Value:
    return nonzero(cx, self)


def reference_nonzero(self: Array) -> Array:
    return np.argwhere(np.atleast_1d(self))[:, : self.ndim]


def nonzero_samples() -> Iterable[Sample]:
    yield Sample((np.array([[0, 1, 0], [2, 0, 3]]),))
    yield Sample((np.array([True, False, True]),))
    yield Sample((np.array([0.0, np.nan, -0.0, 1.0], np.float32),))
    yield Sample((np.zeros((2, 2)),))
    yield Sample((np.array(3),))


def infer_nonzero_numpy(self: TensorType) -> list[TensorType]:
    return [TensorType(DType.int64, (None,))] * max(self.rank, 1)


def lower_nonzero_numpy(cx: LoweringContext, self: Value) -> list[Value]:
    return _columns(cx, nonzero(cx, self if cx.rank(self) else reshaped(cx, self, [1])))


def reference_nonzero_numpy(self: Array) -> list[Array]:
    return list(np.atleast_1d(self).nonzero())


def infer_masked_select(self: TensorType, mask: TensorType) -> TensorType:
    if mask.dtype is not DType.bool:
        raise OperatorError("masked_select: expected BoolTensor for mask")
    broadcast(shape_of(self), shape_of(mask))
    return TensorType(self.dtype, (None,))


def lower_masked_select(cx: LoweringContext, self: Value, mask: Value) -> Value:
    dims = cx.broadcast_dims([cx.dims(self), cx.dims(mask)])
    values, chosen = expanded(cx, self, dims), expanded(cx, mask, dims)
    if not dims:
        values, chosen = reshaped(cx, values, [1]), reshaped(cx, chosen, [1])
    return lower_index(cx, values, [chosen])


def reference_masked_select(self: Array, mask: Array) -> Array:
    values, chosen = np.broadcast_arrays(self, mask)
    return values[chosen]


def masked_select_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 4), counting(3, 4) % 2 == 0))
    yield Sample((counting(3, 4), np.array([True, False, True, False])))
    yield Sample((counting(), np.array(True)))


OPERATORS: tuple[Operator, ...] = (
    Operator("aten::index_select(Tensor self, int dim, Tensor index) -> Tensor", infer_index_select, lower_index_select, reference_index_select, index_select_samples),
    Operator(
        "aten::embedding(Tensor weight, Tensor indices, SymInt padding_idx=-1, bool scale_grad_by_freq=False, bool sparse=False) -> Tensor",
        infer_embedding, lower_embedding, reference_embedding, embedding_samples,
    ),
    Operator("aten::gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor", infer_gather, lower_gather, reference_gather, gather_samples),
    Operator("aten::scatter.src(Tensor self, int dim, Tensor index, Tensor src) -> Tensor", infer_scatter_src, lower_scatter_src, reference_scatter_src, scatter_src_samples),
    Operator("aten::scatter.value(Tensor self, int dim, Tensor index, Scalar value) -> Tensor", infer_scatter_value, lower_scatter_value, reference_scatter_value, scatter_value_samples),
    Operator("aten::scatter_add(Tensor self, int dim, Tensor index, Tensor src) -> Tensor", infer_scatter_src, lower_scatter_add, reference_scatter_add, scatter_add_samples),
    Operator("aten::scatter.reduce(Tensor self, int dim, Tensor index, Tensor src, *, str reduce) -> Tensor", infer_scatter_reduce, lower_scatter_reduce, reference_scatter_reduce, scatter_reduce_samples),
    Operator(
        "aten::scatter.value_reduce(Tensor self, int dim, Tensor index, Scalar value, *, str reduce) -> Tensor",
        infer_scatter_value_reduce, lower_scatter_value_reduce, reference_scatter_value_reduce, scatter_value_reduce_samples,
    ),
    Operator(
        "aten::scatter_reduce.two(Tensor self, int dim, Tensor index, Tensor src, str reduce, *, bool include_self=True) -> Tensor",
        infer_scatter_reduce_two, lower_scatter_reduce_two, reference_scatter_reduce_two, scatter_reduce_two_samples,
    ),
    Operator("aten::index_add(Tensor self, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> Tensor", infer_index_add, lower_index_add, reference_index_add, index_add_samples),
    Operator("aten::index_copy(Tensor self, int dim, Tensor index, Tensor source) -> Tensor", infer_index_copy, lower_index_copy, reference_index_copy, index_copy_samples),
    Operator("aten::index.Tensor(Tensor self, Tensor?[] indices) -> Tensor", infer_index, lower_index, reference_index, index_samples),
    Operator("aten::index.Tensor_hacked_twin(Tensor self, Tensor[] indices) -> Tensor", infer_index, lower_index, reference_index, index_list_samples),
    Operator(
        "aten::index_put(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor",
        infer_index_put, lower_index_put, reference_index_put, index_put_samples,
    ),
    Operator(
        "aten::index_put.hacked_twin(Tensor self, Tensor[] indices, Tensor values, bool accumulate=False) -> Tensor",
        infer_index_put, lower_index_put, reference_index_put, index_put_list_samples,
    ),
    Operator("aten::nonzero(Tensor self) -> Tensor", infer_nonzero, lower_nonzero, reference_nonzero, nonzero_samples),
    Operator("aten::nonzero_numpy(Tensor self) -> Tensor[]", infer_nonzero_numpy, lower_nonzero_numpy, reference_nonzero_numpy, nonzero_samples),
    Operator("aten::masked_select(Tensor self, Tensor mask) -> Tensor", infer_masked_select, lower_masked_select, reference_masked_select, masked_select_samples),
)  # fmt: skip
