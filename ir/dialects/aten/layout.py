"""Moving elements at the `linalg` stage without computing: slices, permutations, reshapes, repetitions.

Each function takes and gives tensors of full value semantics; what needs no copy (a slice of everything, a permutation
of unit dimensions, a reshape along dimension borders) makes none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ...affine import AffineDim, AffineExpr, AffineMap
from ...builder import Builder
from ...core import Value
from ...types import RankedTensorType
from .. import arith, linalg, tensor
from ..linalg import PARALLEL
from .lowering import Extent, LoweringContext


def itself(b: Builder, x: Value) -> Value:
    """Body of a `linalg.generic` that only moves elements."""
    del b
    return x


def same(x: Extent, y: Extent) -> bool:
    """Whether two extents are known to be equal."""
    return x is y or (isinstance(x, int) and isinstance(y, int) and x == y)


def with_dims(cx: LoweringContext, result: Value, like: Value, dims: Sequence[Extent]) -> Value:
    """Records what is known of a fresh result: its extents, and the dtype of the value it was made from."""
    cx.set_dims(result, dims)
    return cx.set_dtype(result, cx.dtype(like))


def slice_of(cx: LoweringContext, value: Value, dim: int, start: Extent, length: Extent, step: Extent = 1) -> Value:
    dims = cx.dims(value)
    if same(length, dims[dim]) and start == 0 and step == 1:
        return value
    offsets: list[Extent] = [0] * len(dims)
    strides: list[Extent] = [1] * len(dims)
    offsets[dim], strides[dim] = start, step
    sizes = [*dims[:dim], length, *dims[dim + 1 :]]
    return with_dims(cx, tensor.extract_slice(cx.b, value, offsets, sizes, strides), value, sizes)


def element_of(cx: LoweringContext, value: Value, dim: int, index: Extent) -> Value:
    """The slice at `index` without its dimension."""
    dims = cx.dims(value)
    offsets: list[Extent] = [0] * len(dims)
    offsets[dim] = index
    sizes = [*dims[:dim], 1, *dims[dim + 1 :]]
    result = tensor.extract_slice(cx.b, value, offsets, sizes, [1] * len(dims), dropped=[dim])
    return with_dims(cx, result, value, [*dims[:dim], *dims[dim + 1 :]])


def put_slice(
    cx: LoweringContext, source: Value, base: Value, dim: int, start: Extent, length: Extent, step: Extent = 1
) -> Value:
    """`base` with a slice replaced; `source` may lack dimension `dim` if `length` is 1."""
    dims = cx.dims(base)
    offsets: list[Extent] = [0] * len(dims)
    strides: list[Extent] = [1] * len(dims)
    offsets[dim], strides[dim] = start, step
    sizes = [*dims[:dim], length, *dims[dim + 1 :]]
    full = cx.rank(source) == len(dims)
    ready = cast_to(cx, source, sizes if full else [*dims[:dim], *dims[dim + 1 :]])
    return with_dims(cx, tensor.insert_slice(cx.b, ready, base, offsets, sizes, strides), base, dims)


def cast_to(cx: LoweringContext, value: Value, dims: Sequence[Extent]) -> Value:
    """The value in a type that is static exactly where `dims` are."""
    to = RankedTensorType(tensor.extents(dims), tensor.tensor_type(value).element)
    if value.type == to:
        return value
    return with_dims(cx, tensor.cast_(cx.b, value, to), value, dims)


def permuted(cx: LoweringContext, value: Value, order: Sequence[int]) -> Value:
    """Dimension i of the result is dimension `order[i]` of the value."""
    dims = cx.dims(value)
    out = [dims[i] for i in order]
    moved = [i for i in order if dims[i] != 1]
    if moved == sorted(moved):
        return value if list(order) == sorted(order) else reshaped(cx, value, out)
    results: list[AffineExpr] = [AffineDim(0)] * len(order)
    for position, source in enumerate(order):
        results[source] = AffineDim(position)
    maps = [AffineMap(len(order), tuple(results))]
    result = cx.generic([value], maps, out, cx.dtype(value).element, [PARALLEL] * len(order), itself)
    return with_dims(cx, result, value, out)


def expanded(cx: LoweringContext, value: Value, dims: Sequence[Extent]) -> Value:
    """Broadcast to these extents; the caller has checked that they fit."""
    old = cx.dims(value)
    missing = len(dims) - len(old)
    if all(same(o, d) for o, d in zip(old, dims[missing:], strict=True)) and all(d == 1 for d in dims[:missing]):
        return cx.with_unit_dims(value, range(missing))
    return cx.pointwise([value], cx.dtype(value), itself, dims=dims)


@dataclass(frozen=True)
class Product:
    """A product of extents: `factor` times run-time values, compared by identity."""

    factor: int
    values: Counter[Value]

    @staticmethod
    def of(extents: Sequence[Extent]) -> Product:
        factor = 1
        values: Counter[Value] = Counter()
        for e in extents:
            if isinstance(e, int):
                factor *= e
            else:
                values[e] += 1
        return Product(factor, values)

    def divided(self, other: Product) -> Product | None:
        """The exact quotient, if it can be seen."""
        if other.factor == 0 or self.factor % other.factor or any(self.values[v] < n for v, n in other.values.items()):
            return None
        return Product(self.factor // other.factor, self.values - other.values)

    def extent(self, cx: LoweringContext) -> Extent:
        return cx.product([self.factor, *self.values.elements()])


def reshaped(cx: LoweringContext, value: Value, dims: Sequence[Extent]) -> Value:
    """Row-major reshape to extents with the same number of elements, which the caller has checked."""
    old = cx.dims(value)
    if len(old) == len(dims) and all(same(o, d) for o, d in zip(old, dims, strict=True)):
        return value
    groups = _common_groups(old, dims)
    if groups is None:
        groups = [(list(range(len(old))), list(range(len(dims))))]
    return _expand(cx, _collapse(cx, value, groups), groups, dims)


Groups = list[tuple[list[int], list[int]]]
"""Adjacent dimensions of the old shape that become adjacent ones of the new shape."""


def _common_groups(old: Sequence[Extent], new: Sequence[Extent]) -> Groups | None:
    """The finest such grouping that can be seen, None where there is none."""
    if not old or not new or 0 in old or 0 in new:
        return None
    groups: Groups = []
    i = j = 0
    while i < len(old) and j < len(new):
        left, right = [i], [j]
        i, j = i + 1, j + 1
        while (a := Product.of([old[x] for x in left])) != (c := Product.of([new[x] for x in right])):
            if i < len(old) and (a.divided(c) is None or j == len(new)):
                left.append(i)
                i += 1
            elif j < len(new):
                right.append(j)
                j += 1
            else:
                return None
        groups.append((left, right))
    if any(e != 1 for e in (*old[i:], *new[j:])):
        return None
    groups[-1][0].extend(range(i, len(old)))
    groups[-1][1].extend(range(j, len(new)))
    return groups


def _collapse(cx: LoweringContext, value: Value, groups: Groups) -> Value:
    """One dimension per group."""
    old = cx.dims(value)
    if not old:
        return with_dims(cx, tensor.expand_shape(cx.b, value, [], [1]), value, [1])
    if len(groups) == len(old):
        return value
    merged = [cx.product([old[i] for i in left]) for left, _ in groups]
    # the operation types the result by the operand's type, which may know less than was traced
    ready = cast_to(cx, value, old)
    return with_dims(cx, tensor.collapse_shape(cx.b, ready, [left for left, _ in groups]), value, merged)


def _expand(cx: LoweringContext, value: Value, groups: Groups, dims: Sequence[Extent]) -> Value:
    merged: list[Extent] = []
    for (_, right), extent in zip(groups, cx.dims(value), strict=True):
        static = all(isinstance(dims[i], int) for i in right)
        total = cx.product([dims[i] for i in right])
        merged.append(total if static else cx.index(extent))
    if not dims:
        return with_dims(cx, tensor.collapse_shape(cx.b, cast_to(cx, value, [1]), []), value, [])
    value = cast_to(cx, value, merged)
    if len(groups) == len(dims):
        return with_dims(cx, value, value, list(dims))
    return with_dims(cx, tensor.expand_shape(cx.b, value, [g[1] for g in groups], list(dims)), value, list(dims))


def joined(cx: LoweringContext, values: Sequence[Value], dim: int) -> Value:
    """Concatenation along `dim`; all other extents are known to be equal."""
    if len(values) == 1:
        return values[0]
    dims = cx.dims(values[0])
    lengths = [cx.dim(v, dim) for v in values]
    total: Extent = 0
    for length in lengths:
        total = cx.add(total, length)
    sizes = [*dims[:dim], total, *dims[dim + 1 :]]
    result = with_dims(cx, cx.empty(sizes, cx.dtype(values[0]).element), values[0], sizes)
    start: Extent = 0
    for value, length in zip(values, lengths, strict=True):
        result = put_slice(cx, value, result, dim, start, length)
        start = cx.add(start, length)
    return result


def reversed_along(cx: LoweringContext, value: Value, axes: Sequence[int]) -> Value:
    dims, rank = cx.dims(value), cx.rank(value)
    element = cx.dtype(value).element
    iterators = [PARALLEL] * rank
    if all(isinstance(dims[a], int) and dims[a] != 0 for a in axes):
        results: list[AffineExpr] = [AffineDim(i) for i in range(rank)]
        for a in axes:
            extent = dims[a]
            if isinstance(extent, int) and extent > 1:
                results[a] = AffineDim(a) * -1 + (extent - 1)
        result = cx.generic([value], [AffineMap(rank, tuple(results))], dims, element, iterators, itself)
        return with_dims(cx, result, value, dims)
    last = {a: cx.index(cx.sub(dims[a], 1)) for a in axes}

    def body(b: Builder) -> Value:
        places = [linalg.index(b, i) for i in range(rank)]
        for a, end in last.items():
            places[a] = arith.subi(b, end, places[a])
        return tensor.extract(b, value, places)

    return with_dims(cx, cx.generic([], [], dims, element, iterators, body), value, dims)
