"""Reading at computed positions, and `x[i] = v`.

Reading is pure: one `linalg.generic` over the result extracts each element at its position. Positions are checked
before, all at once (smallest and largest), so that the reading itself can be fused and run in parallel. Boolean masks
become positions through `nonzero`, whose result has a run-time extent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ...affine import AffineConstant, AffineDim, AffineExpr, AffineMap
from ...builder import Builder
from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample
from ...script_types import TensorType
from ...types import I64, INDEX
from .. import arith, linalg, scf, tensor
from ..linalg import PARALLEL
from .elementwise import Scalars
from .layout import (
    expanded,
    itself,
    reshaped,
    with_dims,
)
from .lowering import Extent, LoweringContext
from .positions import (
    OUT_OF_BOUNDS,
    check_along,
    check_inside,
    check_positions,
    check_reference,
    need_index,
    need_inside,
    need_same_rank,
    position,
)
from .rules import Array, array_type, broadcast, shape_of, wrap_dim
from .scatter import add, for_each, put
from .shapes import (
    Known,
    counting,
    floats,
    integers,
    product,
    size_text,
)


def infer_index_select(self: TensorType, dim: int, index: TensorType) -> TensorType:
    need_index(index, "index_select")
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


def infer_embedding(
    weight: TensorType, indices: TensorType, padding_idx: Any, scale_grad_by_freq: Any, sparse: Any
) -> TensorType:
    del padding_idx, scale_grad_by_freq, sparse
    if weight.rank != 2:
        raise OperatorError("'weight' must be 2-D")
    need_index(indices, "embedding")
    return TensorType(weight.dtype, (*shape_of(indices), shape_of(weight)[1]))


def lower_embedding(
    cx: LoweringContext, weight: Value, indices: Value, padding_idx: Any, scale_grad_by_freq: Any, sparse: Any
) -> Value:
    del padding_idx, scale_grad_by_freq, sparse
    check_positions(cx, indices, cx.dim(weight, 0), "index out of range in self", negative=False)
    dims, rank = cx.dims(indices), cx.rank(indices) + 1
    out = [*dims, cx.dim(weight, 1)]
    dtype = cx.dtype(indices)

    def body(b: Builder, element: Value) -> Value:
        row = arith.index_cast(b, cx.cast(b, element, dtype, DType.int64), INDEX)
        return tensor.extract(b, weight, [row, linalg.index(b, rank - 1)])

    maps = [AffineMap.of(rank, *range(rank - 1))]
    return with_dims(
        cx, cx.generic([indices], maps, out, cx.dtype(weight).element, [PARALLEL] * rank, body), weight, out
    )


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


def infer_gather(self: TensorType, dim: int, index: TensorType, sparse_grad: Any) -> TensorType:
    del sparse_grad
    axis = wrap_dim(dim, self.rank)
    if 0 in shape_of(index):
        return TensorType(self.dtype, index.shape)
    need_index(index, "gather")
    need_same_rank("gather", self, index)
    need_inside("gather", index, self, axis, "self")
    return TensorType(self.dtype, index.shape)


def lower_gather(cx: LoweringContext, self: Value, dim: int, index: Value, sparse_grad: Any) -> Value:
    del sparse_grad
    if 0 in cx.shape(index):
        return cx.empty(cx.dims(index), cx.dtype(self).element)
    value, places = (v if cx.rank(v) else reshaped(cx, v, [1]) for v in (self, index))
    rank = cx.rank(value)
    axis = wrap_dim(dim, rank)
    extent = cx.dim(value, axis)
    check_inside(cx, places, value, axis, "self")
    check_along(cx, places, extent, axis, negative=False)
    dtype, out = cx.dtype(index), cx.dims(places)

    def body(b: Builder, element: Value) -> Value:
        at = [linalg.index(b, i) for i in range(rank)]
        at[axis] = arith.index_cast(b, cx.cast(b, element, dtype, DType.int64), INDEX)
        return tensor.extract(b, value, at)

    maps = [AffineMap.identity(rank)]
    result = with_dims(cx, cx.generic([places], maps, out, cx.dtype(self).element, [PARALLEL] * rank, body), value, out)
    return reshaped(cx, result, cx.dims(index))


def reference_gather(self: Array, dim: int, index: Array, sparse_grad: Any) -> Array:
    del sparse_grad
    if index.size == 0:
        return np.zeros(index.shape, self.dtype)
    value, places = np.atleast_1d(self), np.atleast_1d(index)
    axis = wrap_dim(dim, value.ndim)
    check_reference(places, value.shape[axis], axis)
    at: list[Array] = [np.asarray(i) for i in np.indices(places.shape)]
    at[axis] = places
    return value[tuple(at)].reshape(index.shape)


def gather_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 4), 0, integers(0, 3, 2, 4)))
    yield Sample((counting(3, 4), 1, integers(0, 4, 3, 6)))
    yield Sample((counting(3, 4), -1, integers(0, 4, 2, 1)))
    yield Sample((counting(), 0, np.array(0)))
    yield Sample((counting(3, 4), 0, np.zeros((0, 4), np.int64)))
    yield Sample((counting(2, 2), 0, np.array([[9, 0]])), raises="index 9 is out of bounds for dimension 0 with size 2")


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
            raise OperatorError(
                f"The shape of the mask {size_text(mask)} at index {i} does not match the shape of the indexed "
                f"tensor {text} at index {at + i}"
            )


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
        raise OperatorError(
            "shape mismatch: indexing tensors could not be broadcast together with shapes "
            f"{', '.join(map(size_text, shapes))}"
        ) from None


def infer_index(self: TensorType, indices: Sequence[TensorType | None]) -> TensorType:
    plan, shape = _index_types(self, indices)
    _need_axes(plan, indices)
    return TensorType(self.dtype, tuple(plan.shape(shape_of(self), shape)))


def _need_axes(plan: Plan, indices: Sequence[TensorType | None]) -> None:
    """PyTorch's kernels fail in an internal assertion where nothing but masks without dimensions is given."""
    if not plan.axes and any(index is not None for index in indices):
        raise OperatorError("a mask without dimensions cannot be the only index")


def _positions(
    cx: LoweringContext, self: Value, indices: Sequence[Value | None]
) -> tuple[Plan, list[Value], list[Extent]]:
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
                text = f"The shape of the mask at index {i} does not match that of the indexed tensor at index {at + i}"
                cx.check(cx.compare("eq", have, dims[at + i]), text + ": {} and {}", [have, dims[at + i]])
            places.extend(_columns(cx, nonzero(cx, index)))
            at += cx.rank(index)
        else:
            extent = dims[at]
            check_along(cx, index, extent, at)
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
        sure = all(d is t or (isinstance(d, int) and d in (1, t)) for d, t in zip(dims, tail, strict=True))
        ready.append(value if sure else cx.pointwise([value], cx.dtype(value), itself, dims=tail))
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


def _with_positions(
    cx: LoweringContext,
    b: Builder,
    self: Value,
    plan: Plan,
    elements: Sequence[Value],
    dtypes: Sequence[DType],
    others: Sequence[Value],
    extents: Sequence[Value],
) -> list[Value]:
    """Full position in `self` from the elements of the index tensors and the positions in the other dimensions."""
    at: list[Value] = [extents[0]] * plan.rank if extents else list(others)
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
        elif array_type(index).dtype in (DType.bool, DType.uint8):
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
        raise OperatorError(
            f"Index put requires the source and destination dtypes match, got {self.dtype.graph_name} for the "
            f"destination and {values.dtype.graph_name} for the source."
        )
    plan, shape = _index_types(self, indices)
    target = plan.shape(shape_of(self), shape)
    given = shape_of(values)
    if any(extent != 1 for extent in given):
        _need_axes(plan, indices)
    for i, (have, want) in enumerate(zip(reversed(given), reversed(target), strict=False)):
        del i
        if have not in (None, 1) and want is not None and have != want:
            raise OperatorError(
                f"shape mismatch: value tensor of shape {size_text(given)} cannot be broadcast to indexing result of "
                f"shape {size_text(target)}"
            )
    if product(given[: max(len(given) - len(target), 0)]) not in (1, None):
        raise OperatorError(
            f"shape mismatch: value tensor of shape {size_text(given)} cannot be broadcast to indexing result of "
            f"shape {size_text(target)}"
        )


def infer_index_put(
    self: TensorType, indices: Sequence[TensorType | None], values: TensorType, accumulate: Any
) -> TensorType:
    del accumulate
    _index_put_types(self, indices, values)
    return self


def lower_index_put(
    cx: LoweringContext, self: Value, indices: Sequence[Value | None], values: Value, accumulate: bool
) -> Value:
    masked = _as_where(cx, self, indices, values, accumulate)
    if masked is not None:
        return masked
    plan, places, common = _positions(cx, self, indices)
    target = plan.shape(cx.dims(self), common)
    source = _trimmed(cx, values, len(target))
    for have, want in zip(reversed(cx.dims(source)), reversed(target), strict=False):
        fits = cx.any_of(cx.compare("eq", have, want), cx.compare("eq", have, 1))
        cx.check(
            fits,
            "shape mismatch: value tensor with extent {} cannot be broadcast to indexing result with extent {}",
            [have, want],
        )
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


def _as_where(
    cx: LoweringContext, self: Value, indices: Sequence[Value | None], values: Value, accumulate: bool
) -> Value | None:
    """`x[mask] = number` needs no positions: each element is chosen by the mask."""
    given = [i for i in indices if i is not None]
    if (
        len(given) != 1
        or indices[0] is None
        or cx.dtype(given[0]) is not DType.bool
        or any(d != 1 for d in cx.dims(values))
    ):
        return None
    mask, dtype = given[0], cx.dtype(self)
    dims, rank = cx.dims(self), cx.rank(mask)
    for i, have in enumerate(cx.dims(mask)):
        cx.check(
            cx.compare("eq", have, dims[i]),
            "The shape of the mask does not match the shape of the indexed tensor: {} and {}",
            [have, dims[i]],
        )
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
    yield Sample(
        (counting(2, 3), [np.array([9])], floats(3)), raises="index 9 is out of bounds for dimension 0 with size 2"
    )
    yield Sample((counting(2, 3), [np.array([0])], floats(4)), raises="shape mismatch: value tensor")


def index_list_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 4), [np.array([2, 0, -1])]))
    yield Sample((counting(3, 4), [np.array([[0, 2], [1, 1]]), np.array([3, -4])]))


def index_put_list_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 4), [np.array([2, 0])], floats(2, 4)))


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
            loop = scf.for_(
                b, zero, bounds[len(at)], one, carried, lambda inner, args: nest(inner, [*at, args[0]], args[1:])
            )
            return list(loop.results)
        found = Scalars(b, dtype).is_nonzero(tensor.extract(b, value, at))
        types = [v.type for v in carried]

        def note(inner: Builder, _: Sequence[Value]) -> Sequence[Value]:
            rows, row = carried
            for i, place in enumerate(at):
                rows = tensor.insert(
                    inner, arith.index_cast(inner, place, I64), rows, [row, arith.constant(inner, i, INDEX)]
                )
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
    Operator(
        "aten::index_select(Tensor self, int dim, Tensor index) -> Tensor",
        infer_index_select,
        lower_index_select,
        reference_index_select,
        index_select_samples,
    ),
    Operator(
        "aten::embedding(Tensor weight, Tensor indices, SymInt padding_idx=-1, bool scale_grad_by_freq=False, bool "
        "sparse=False) -> Tensor",
        infer_embedding,
        lower_embedding,
        reference_embedding,
        embedding_samples,
    ),
    Operator(
        "aten::gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor",
        infer_gather,
        lower_gather,
        reference_gather,
        gather_samples,
    ),
    Operator(
        "aten::index.Tensor(Tensor self, Tensor?[] indices) -> Tensor",
        infer_index,
        lower_index,
        reference_index,
        index_samples,
    ),
    Operator(
        "aten::index.Tensor_hacked_twin(Tensor self, Tensor[] indices) -> Tensor",
        infer_index,
        lower_index,
        reference_index,
        index_list_samples,
    ),
    Operator(
        "aten::index_put(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor",
        infer_index_put,
        lower_index_put,
        reference_index_put,
        index_put_samples,
    ),
    Operator(
        "aten::index_put.hacked_twin(Tensor self, Tensor[] indices, Tensor values, bool accumulate=False) -> Tensor",
        infer_index_put,
        lower_index_put,
        reference_index_put,
        index_put_list_samples,
    ),
    Operator("aten::nonzero(Tensor self) -> Tensor", infer_nonzero, lower_nonzero, reference_nonzero, nonzero_samples),
    Operator(
        "aten::nonzero_numpy(Tensor self) -> Tensor[]",
        infer_nonzero_numpy,
        lower_nonzero_numpy,
        reference_nonzero_numpy,
        nonzero_samples,
    ),
    Operator(
        "aten::masked_select(Tensor self, Tensor mask) -> Tensor",
        infer_masked_select,
        lower_masked_select,
        reference_masked_select,
        masked_select_samples,
    ),
)
