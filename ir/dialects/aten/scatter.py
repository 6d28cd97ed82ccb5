"""Writing at computed positions.

A loop over the source in order, so that of several writes to one place the last one wins, and sums are added one
after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import numpy as np

from ...builder import Builder
from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample
from ...script_types import TensorType
from ...types import I64, INDEX
from .. import arith, scf, tensor
from .elementwise import Scalars
from .fitting import check_fitting, require_fitting
from .layout import (
    reshaped,
    with_dims,
)
from .lowering import Extent, LoweringContext, Number
from .positions import (
    check_along,
    check_inside,
    check_reference,
    need_index,
    need_inside,
    need_same_rank,
)
from .rules import Array, cast_array, dtype_of, opmath, shape_of, wrap_dim
from .shapes import (
    counting,
    floats,
    integers,
)


def for_each(
    cx: LoweringContext, dims: Sequence[Extent], init: Value, body: Callable[[Builder, Sequence[Value], Value], Value]
) -> Value:
    """A loop nest over a box in row-major order that carries a tensor: `body(b, positions, carried)` gives the next."""
    bounds = [cx.index(d) for d in dims]
    zero, one = cx.index(0), cx.index(1)

    def nest(b: Builder, at: Sequence[Value], carried: Value) -> Value:
        if len(at) == len(bounds):
            return body(b, at, carried)
        loop = scf.for_(
            b, zero, bounds[len(at)], one, [carried], lambda inner, args: [nest(inner, [*at, args[0]], args[1])]
        )
        return loop.result

    return with_dims(cx, nest(cx.b, (), init), init, cx.dims(init))


Combine = Callable[[Scalars, Value, Value], Value]
"""How a written element meets the one that is there: `combine(s, old, new)`; None replaces it."""


def put(
    cx: LoweringContext, b: Builder, base: Value, at: Sequence[Value], new: Value, combine: Combine | None
) -> Value:
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
    "add": add,
    "multiply": multiply,
    "sum": add,
    "prod": multiply,
    "amax": maximum,
    "amin": minimum,
}
_NUMPY_REDUCTIONS: dict[str, Any] = {
    "add": np.add,
    "multiply": np.multiply,
    "sum": np.add,
    "prod": np.multiply,
    "amax": np.maximum,
    "amin": np.minimum,
    "mean": np.add,
}


def _infer_scatter(name: str, self: TensorType, dim: int, index: TensorType, src: TensorType | None) -> TensorType:
    axis = wrap_dim(dim, self.rank)
    if 0 in shape_of(index):
        return self
    need_index(index, "scatter")
    need_same_rank(name, self, index)
    need_inside(name, index, self, axis, "self")
    if src is not None:
        if src.dtype is not self.dtype:
            raise OperatorError("scatter(): Expected self.dtype to be equal to src.dtype")
        need_same_rank(name, self, src)
        need_inside(name, index, src, None, "src")
    return self


def _lower_scatter(
    cx: LoweringContext, self: Value, dim: int, index: Value, source: Value | Number, combine: Combine | None
) -> Value:
    if 0 in cx.shape(index):
        return self
    shape = cx.dims(self)
    base, places = (v if cx.rank(v) else reshaped(cx, v, [1]) for v in (self, index))
    rank = cx.rank(base)
    axis = wrap_dim(dim, rank)
    extent, dtype = cx.dim(base, axis), cx.dtype(self)
    check_inside(cx, places, base, axis, "self")
    check_along(cx, places, extent, axis, negative=False)
    elements = None
    if isinstance(source, Value) and hasattr(source.type, "shape"):
        elements = source if cx.rank(source) else reshaped(cx, source, [1])
        check_inside(cx, places, elements, None, "src")
    check_fitting(cx, source, dtype)
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
    check_reference(places, result.shape[axis], axis)
    elements: Array = np.atleast_1d(source)
    if not isinstance(source, np.ndarray):
        elements = np.full(places.shape, cast_array(source, _dtype_of(self)))
    for at in np.ndindex(*places.shape):
        where = (*at[:axis], int(places[at]), *at[axis + 1 :])
        new = elements[at]
        result[where] = new if reduce is None else _NUMPY_REDUCTIONS[reduce](result[where], new)
    return result.reshape(self.shape)


def _dtype_of(array: Array) -> DType:
    return next(d for d in DType if d.numpy == array.dtype)


def infer_scatter_src(self: TensorType, dim: int, index: TensorType, src: TensorType) -> TensorType:
    return _infer_scatter("scatter", self, dim, index, src)


def lower_scatter_src(cx: LoweringContext, self: Value, dim: int, index: Value, src: Value) -> Value:
    return _lower_scatter(cx, self, dim, index, src, None)


def reference_scatter_src(self: Array, dim: int, index: Array, src: Array) -> Array:
    return _reference_scatter(self, dim, index, src, None)


def infer_scatter_value(self: TensorType, dim: int, index: TensorType, value: Any) -> TensorType:
    require_fitting(value, dtype_of(self))
    return _infer_scatter("scatter", self, dim, index, None)


def lower_scatter_value(cx: LoweringContext, self: Value, dim: int, index: Value, value: Number) -> Value:
    return _lower_scatter(cx, self, dim, index, value, None)


def reference_scatter_value(self: Array, dim: int, index: Array, value: Any) -> Array:
    return _reference_scatter(self, dim, index, value, None)


def _in_wide(cx: LoweringContext, self: Value, source: Value, write: Callable[[Value, Value], Value]) -> Value:
    """`write(self, source)` with 16-bit floats in f32: a sum of many is rounded once, as PyTorch's."""
    dtype = cx.dtype(self)
    wide = opmath(dtype)
    return cx.cast_tensor(write(cx.cast_tensor(self, wide), cx.cast_tensor(source, wide)), dtype)


def _in_wide_numpy(self: Array, source: Array, write: Callable[[Array, Array], Array]) -> Array:
    wide = opmath(_dtype_of(self)).numpy
    return np.asarray(write(self.astype(wide), source.astype(wide))).astype(self.dtype)


def lower_scatter_add(cx: LoweringContext, self: Value, dim: int, index: Value, src: Value) -> Value:
    return _in_wide(cx, self, src, lambda base, new: _lower_scatter(cx, base, dim, index, new, add))


def reference_scatter_add(self: Array, dim: int, index: Array, src: Array) -> Array:
    return _in_wide_numpy(self, src, lambda base, new: _reference_scatter(base, dim, index, new, "add"))


def _need_reduction(reduce: str, allowed: Sequence[str]) -> None:
    if reduce not in allowed:
        raise OperatorError(f"reduce argument must be either {' or '.join(allowed)}, got {reduce}.")


def infer_scatter_reduce(self: TensorType, dim: int, index: TensorType, src: TensorType, reduce: str) -> TensorType:
    _need_reduction(reduce, ("add", "multiply"))
    return _infer_scatter("scatter", self, dim, index, src)


def lower_scatter_reduce(cx: LoweringContext, self: Value, dim: int, index: Value, src: Value, reduce: str) -> Value:
    return _in_wide(cx, self, src, lambda base, new: _lower_scatter(cx, base, dim, index, new, REDUCTIONS[reduce]))


def reference_scatter_reduce(self: Array, dim: int, index: Array, src: Array, reduce: str) -> Array:
    return _in_wide_numpy(self, src, lambda base, new: _reference_scatter(base, dim, index, new, reduce))


def infer_scatter_value_reduce(self: TensorType, dim: int, index: TensorType, value: Any, reduce: str) -> TensorType:
    del value
    _need_reduction(reduce, ("add", "multiply"))
    return _infer_scatter("scatter", self, dim, index, None)


def lower_scatter_value_reduce(
    cx: LoweringContext, self: Value, dim: int, index: Value, value: Number, reduce: str
) -> Value:
    return _lower_scatter(cx, self, dim, index, value, REDUCTIONS[reduce])


def reference_scatter_value_reduce(self: Array, dim: int, index: Array, value: Any, reduce: str) -> Array:
    return _reference_scatter(self, dim, index, value, reduce)


_TWO = ("sum", "prod", "mean", "amax", "amin")


def infer_scatter_reduce_two(
    self: TensorType, dim: int, index: TensorType, src: TensorType, reduce: str, include_self: bool
) -> TensorType:
    del include_self
    if reduce not in _TWO:
        raise OperatorError(f"reduce argument must be either {', '.join(_TWO[:-1])} or {_TWO[-1]}, got {reduce}.")
    return _infer_scatter("scatter", self, dim, index, src)


def _neutral(s: Scalars, reduce: str) -> float:
    """What a reduction starts from where the old value does not count."""
    if reduce == "amin":
        return float("inf") if s.is_float else (1 << (8 * s.dtype.itemsize - s.dtype.is_signed)) - 1
    return {"prod": 1, "amax": s.lowest}.get(reduce, 0)


def lower_scatter_reduce_two(
    cx: LoweringContext, self: Value, dim: int, index: Value, src: Value, reduce: str, include_self: bool
) -> Value:
    return _in_wide(cx, self, src, lambda base, new: _lower_reduce_two(cx, base, dim, index, new, reduce, include_self))


def _lower_reduce_two(
    cx: LoweringContext, self: Value, dim: int, index: Value, src: Value, reduce: str, include_self: bool
) -> Value:
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
        whole = arith.floordivsi if dtype.is_signed else arith.divui
        quotient = (arith.divf if wide.is_floating else whole)(b, value, divisor)
        return cx.cast(b, quotient, wide, dtype)

    return cx.pointwise([result, counts], dtype, divide)


def reference_scatter_reduce_two(
    self: Array, dim: int, index: Array, src: Array, reduce: str, include_self: bool
) -> Array:
    return _in_wide_numpy(self, src, lambda base, new: _reference_reduce_two(base, dim, index, new, reduce, include_self))


def _reference_reduce_two(
    self: Array, dim: int, index: Array, src: Array, reduce: str, include_self: bool
) -> Array:
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
            yield Sample(
                (counting(3, 4), 0, integers(0, 3, 5, 4), floats(5, 4), reduce), {"include_self": include_self}
            )
    yield Sample(
        (integers(0, 9, 3, 4), 1, integers(0, 4, 3, 4), integers(-9, 9, 3, 4), "amin"), {"include_self": False}
    )
    bytes_ = np.array([255, 255, 3], np.uint8)
    yield Sample((bytes_, 0, np.array([0, 0, 1]), bytes_, "mean"), {"include_self": True})


def _distinct(rows: int, columns: int, count: int) -> Array:
    """Row positions without repetition within a column."""
    rng = np.random.default_rng(3)
    return np.stack([rng.permutation(rows)[:count] for _ in range(columns)], 1)


def scatter_src_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 4), 0, _distinct(3, 4, 2), floats(2, 4)))
    yield Sample((counting(4, 3), 1, _distinct(3, 4, 2).T.copy(), floats(5, 2)))
    yield Sample((counting(), 0, np.array(0), floats()))
    yield Sample(
        (counting(2, 2), 0, np.array([[9, 0]]), floats(1, 2)),
        raises="index 9 is out of bounds for dimension 0 with size 2",
    )


def scatter_value_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 4), 0, integers(0, 3, 2, 4), 1.5))
    yield Sample((integers(0, 9, 3, 4), -1, integers(0, 4, 3, 1), 7))
    yield Sample((integers(0, 9, 3, 4), -1, integers(0, 4, 3, 1), 1e39), raises="type int64_t without overflow")
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


def _infer_rows(name: str, self: TensorType, dim: int, index: TensorType, source: TensorType) -> TensorType:
    need_index(index, name)
    axis = wrap_dim(dim, self.rank)
    if index.rank > 1:
        raise OperatorError(f"{name}(): Index should have dimension 1 or 0 (got {index.rank})")
    if self.dtype is not source.dtype:
        raise OperatorError(f"{name}(): self and source expected to have the same dtype")
    if max(self.rank, 1) != max(source.rank, 1):
        raise OperatorError(f"{name}(): self and source must have the same number of dimensions, but got {self.rank} and {source.rank}")
    count = shape_of(index)[0] if index.rank else 1
    have = shape_of(source)[axis] if source.rank else 1
    if have is not None and count is not None and have != count:
        raise OperatorError(f"{name}(): Number of indices ({count}) should be equal to source.size(dim): ({have})")
    return self


def _lower_rows(
    cx: LoweringContext, self: Value, dim: int, index: Value, source: Value, alpha: Number, combine: Combine | None
) -> Value:
    shape = cx.dims(self)
    base, places, rows = (v if cx.rank(v) else reshaped(cx, v, [1]) for v in (self, index, source))
    axis = wrap_dim(dim, cx.rank(base))
    dtype, index_dtype = cx.dtype(self), cx.dtype(index)
    for i, (have, want) in enumerate(zip(cx.dims(rows), cx.dims(base), strict=True)):
        wanted = cx.dim(places, 0) if i == axis else want
        cx.check(
            cx.compare("eq", have, wanted), f"source has size {{}} at dimension {i}, expected {{}}", [have, wanted]
        )
    extent = cx.dim(base, axis)
    check_along(cx, places, extent, axis, negative=False)
    plain = isinstance(alpha, int | float) and alpha == 1
    factor = None if plain else cx.number(alpha, dtype)

    def write(b: Builder, at: Sequence[Value], carried: Value) -> Value:
        where = list(at)
        where[axis] = arith.index_cast(
            b, cx.cast(b, tensor.extract(b, places, [at[axis]]), index_dtype, DType.int64), INDEX
        )
        new = tensor.extract(b, rows, at)
        cx.set_dtype(carried, dtype)
        return put(cx, b, carried, where, new if factor is None else Scalars(b, dtype).mul(new, factor), combine)

    return reshaped(cx, for_each(cx, cx.dims(rows), base, write), shape)


def infer_index_add(self: TensorType, dim: int, index: TensorType, source: TensorType, alpha: Any) -> TensorType:
    del alpha
    return _infer_rows("index_add", self, dim, index, source)


def lower_index_add(cx: LoweringContext, self: Value, dim: int, index: Value, source: Value, alpha: Number) -> Value:
    return _in_wide(cx, self, source, lambda base, new: _lower_rows(cx, base, dim, index, new, alpha, add))


def reference_index_add(self: Array, dim: int, index: Array, source: Array, alpha: Any) -> Array:
    result = np.atleast_1d(self).copy()
    moved = np.moveaxis(result, wrap_dim(dim, result.ndim), 0)
    places = np.atleast_1d(index)
    check_reference(places, moved.shape[0], wrap_dim(dim, result.ndim))
    np.add.at(
        moved,
        places,
        np.moveaxis(np.atleast_1d(source), wrap_dim(dim, result.ndim), 0) * np.asarray(alpha).astype(self.dtype),
    )
    return result.reshape(self.shape)


def infer_index_copy(self: TensorType, dim: int, index: TensorType, source: TensorType) -> TensorType:
    if index.dtype is not DType.int64:
        raise OperatorError(f"index_copy_(): Expected a long tensor for index, but got {dtype_of(index).graph_name}")
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
    yield Sample(
        (counting(3, 4), 0, np.array([3]), floats(1, 4)), raises="index 3 is out of bounds for dimension 0 with size 3"
    )


def index_copy_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 4), 0, np.array([0, 2]), floats(2, 4)))
    yield Sample((counting(3, 4), -1, np.array([3]), floats(3, 1)))


OPERATORS: tuple[Operator, ...] = (
    Operator(
        "aten::scatter.src(Tensor self, int dim, Tensor index, Tensor src) -> Tensor",
        infer_scatter_src,
        lower_scatter_src,
        reference_scatter_src,
        scatter_src_samples,
    ),
    Operator(
        "aten::scatter.value(Tensor self, int dim, Tensor index, Scalar value) -> Tensor",
        infer_scatter_value,
        lower_scatter_value,
        reference_scatter_value,
        scatter_value_samples,
    ),
    Operator(
        "aten::scatter_add(Tensor self, int dim, Tensor index, Tensor src) -> Tensor",
        infer_scatter_src,
        lower_scatter_add,
        reference_scatter_add,
        scatter_add_samples,
    ),
    Operator(
        "aten::scatter.reduce(Tensor self, int dim, Tensor index, Tensor src, *, str reduce) -> Tensor",
        infer_scatter_reduce,
        lower_scatter_reduce,
        reference_scatter_reduce,
        scatter_reduce_samples,
    ),
    Operator(
        "aten::scatter.value_reduce(Tensor self, int dim, Tensor index, Scalar value, *, str reduce) -> Tensor",
        infer_scatter_value_reduce,
        lower_scatter_value_reduce,
        reference_scatter_value_reduce,
        scatter_value_reduce_samples,
    ),
    Operator(
        "aten::scatter_reduce.two(Tensor self, int dim, Tensor index, Tensor src, str reduce, *, bool "
        "include_self=True) -> Tensor",
        infer_scatter_reduce_two,
        lower_scatter_reduce_two,
        reference_scatter_reduce_two,
        scatter_reduce_two_samples,
    ),
    Operator(
        "aten::index_add(Tensor self, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> Tensor",
        infer_index_add,
        lower_index_add,
        reference_index_add,
        index_add_samples,
    ),
    Operator(
        "aten::index_copy(Tensor self, int dim, Tensor index, Tensor source) -> Tensor",
        infer_index_copy,
        lower_index_copy,
        reference_index_copy,
        index_copy_samples,
    ),
)
