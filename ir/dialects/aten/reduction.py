"""Reductions over dimensions, positions of extremes, and running reductions (scans)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ...affine import AffineDim, AffineMap
from ...builder import Builder
from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample
from ...script_types import TensorType
from ...types import I64
from .. import arith, linalg, math
from .. import complex as complexes
from ..linalg import PARALLEL, REDUCTION
from .elementwise import Scalars
from .lowering import Extent, LoweringContext
from .rules import Array, cast_array, dtype_of, operand_of, opmath, shape_of, wrap_dim, wrap_dims
from .samples import NAN, ramp, special_pairs, tensor

Samples = Callable[[], Iterable[Sample]]
Combine = Callable[[Scalars, Value, Value], Value]
Dims = Sequence[int] | int | None

REASSOCIATE = "reassoc"
"""Float sums and products may be reordered, so that they vectorise; PyTorch's own order is pairwise."""


def axes_of(dim: Dims, rank: int, empty_is_all: bool = True) -> tuple[int, ...]:
    """The dimensions that are reduced: None (and mostly an empty list) means all."""
    if isinstance(dim, int):
        dim = [dim]
    if dim is None or (not dim and empty_is_all):
        return tuple(range(rank))
    wrapped = wrap_dims(list(dim), rank)
    return wrapped if rank else ()


def reduced_shape(shape: Sequence[Any], axes: Sequence[int], keepdim: bool) -> tuple[Any, ...]:
    kept = (1 if i in axes else e for i, e in enumerate(shape) if keepdim or i not in axes)
    return tuple(kept)


def reduce_tensor(
    cx: LoweringContext,
    self: Value,
    axes: Sequence[int],
    keepdim: bool,
    accumulator: DType,
    result: DType,
    init: float,
    combine: Combine,
    prepare: Callable[[Scalars, Value], Value] | None = None,
    finish: Callable[[Scalars, Value], Value] | None = None,
) -> Value:
    """Folds `axes` in `accumulator`: `combine(k, prepare(x), acc)`; `finish` works on what came out."""
    source = cx.dtype(self)

    def body(b: Builder, x: Value, acc: Value) -> Value:
        if prepare is not None:
            x = prepare(Scalars(b, source), x)
        x = x if x.type == acc.type else cx.cast(b, x, source, accumulator)
        return combine(Scalars(b, accumulator), x, acc)

    folded = cx.set_dtype(cx.reduce(self, axes, accumulator.element, init, body), accumulator)
    if finish is not None or accumulator is not result:

        def last(b: Builder, x: Value) -> Value:
            x = finish(Scalars(b, accumulator), x) if finish is not None else x
            return cx.cast(b, x, accumulator, result)

        folded = cx.pointwise([folded], result, last)
    return cx.with_unit_dims(folded, axes if keepdim else ())


def _plus(k: Scalars, x: Value, acc: Value) -> Value:
    if k.is_complex:
        return complexes.add(k.b, acc, x, REASSOCIATE)
    return arith.addf(k.b, acc, x, REASSOCIATE) if k.is_float else arith.addi(k.b, acc, x)


def _times(k: Scalars, x: Value, acc: Value) -> Value:
    if k.is_complex:
        return complexes.mul(k.b, acc, x)
    return arith.mulf(k.b, acc, x, REASSOCIATE) if k.is_float else arith.muli(k.b, acc, x)


# sum, prod, nansum


def _sum_dtype(dtype: DType, wanted: int | None) -> DType:
    if wanted is not None:
        return DType(wanted)
    return DType.int64 if dtype.category <= 1 else dtype


def _sum_accumulator(result: DType) -> DType:
    return DType.int64 if result.category <= 1 else opmath(result)


def _drop_nan(k: Scalars, x: Value) -> Value:
    return k.select(math.isnan(k.b, x), k.constant(0), x) if k.is_float else x


def _folding(
    signature: str,
    init: float,
    combine: Combine,
    function: Callable[..., Any],
    samples: Samples,
    prepare: Callable[[Scalars, Value], Value] | None = None,
) -> Operator:
    """A sum or product: `dim` and `keepdim` where the signature has them, `dtype` casts first."""

    def infer(self: TensorType, dim: Dims = None, keepdim: bool = False, dtype: int | None = None) -> TensorType:
        axes = axes_of(dim, self.rank)
        return TensorType(_sum_dtype(dtype_of(self), dtype), reduced_shape(shape_of(self), axes, keepdim))

    def lower(
        cx: LoweringContext, self: Value, dim: Dims = None, keepdim: bool = False, dtype: int | None = None
    ) -> Value:
        axes = axes_of(dim, cx.rank(self))
        result = _sum_dtype(cx.dtype(self), dtype)
        if dtype is not None and result.category < cx.dtype(self).category:
            self = cx.cast_tensor(self, result)
        return reduce_tensor(cx, self, axes, keepdim, _sum_accumulator(result), result, init, combine, prepare)

    def reference(self: Array, dim: Dims = None, keepdim: bool = False, dtype: int | None = None) -> Array:
        axes = axes_of(dim, self.ndim)
        result = _sum_dtype(dtype_of(operand_of(self)), dtype)
        wide = cast_array(cast_array(self, result), _sum_accumulator(result))
        with np.errstate(all="ignore"):
            return cast_array(function(wide, axis=axes, keepdims=keepdim), result)

    return Operator(signature, infer, lower, reference, samples)


def _whole_samples(*dtypes: str) -> Samples:
    def samples() -> Iterator[Sample]:
        for dtype in dtypes:
            yield Sample((ramp(2, 3, dtype=dtype),))
        yield Sample((tensor(2.5),))
        yield Sample((ramp(2, 3, 4),))

    return samples


def _whole_with_empty(*dtypes: str) -> Samples:
    def samples() -> Iterator[Sample]:
        yield from _whole_samples(*dtypes)()
        yield Sample((ramp(0, 3),))

    return samples


def _over_dims(*dtypes: str, empty: bool = True, none: bool = True) -> Samples:
    def samples() -> Iterator[Sample]:
        for dims in ([0], [1], [-1], [0, 2], [0, 1, 2], []):
            yield Sample((ramp(2, 3, 4), dims))
            yield Sample((ramp(2, 3, 4), dims, True))
        if none:
            yield Sample((ramp(2, 3), None))
        for dtype in dtypes:
            yield Sample((ramp(2, 3, dtype=dtype), [1]))
        yield Sample((tensor(2.5), [0]))
        yield Sample((tensor([[1.0, NAN], [2.0, 3.0]]), [1]))
        yield Sample((ramp(0, 3), [1]))
        if empty:
            yield Sample((ramp(0, 3), [0]))
        yield Sample((ramp(2, 3), [5]), raises="Dimension out of range (expected to be in range of [-2, 1], but got 5)")
        yield Sample((ramp(2, 3), [0, 0]), raises="dim 0 appears multiple times in the list of dims")

    return samples


def _over_dim(*dtypes: str, empty: bool = True) -> Samples:
    def samples() -> Iterator[Sample]:
        for dim in (0, 1, -1):
            yield Sample((ramp(2, 3, 4), dim))
            yield Sample((ramp(2, 3, 4), dim, True))
        for dtype in dtypes:
            yield Sample((ramp(2, 3, dtype=dtype), 1))
        yield Sample((tensor(2.5), 0))
        yield Sample((tensor([[1.0, NAN], [2.0, 3.0]]), 1))
        yield Sample((ramp(0, 3), 1))
        if empty:
            yield Sample((ramp(0, 3), 0))
        yield Sample((ramp(2, 3), 5), raises="Dimension out of range (expected to be in range of [-2, 1], but got 5)")

    return samples


def _with_dtype(samples: Samples) -> Samples:
    def with_dtypes() -> Iterator[Sample]:
        yield from samples()
        first = next(iter(samples()))
        yield Sample(first.args, {"dtype": int(DType.float64)})
        yield Sample(first.args, {"dtype": int(DType.int64)})
        yield Sample((ramp(2, 3, dtype="i64"), *first.args[1:]), {"dtype": int(DType.float32)})

    return with_dtypes


_SUMMED = ("i64", "i32", "u8", "b1", "f16", "bf16", "f64", "i8")

SUMS: tuple[Operator, ...] = (
    _folding(
        "aten::sum(Tensor self, *, ScalarType? dtype=None) -> Tensor",
        0,
        _plus,
        np.sum,
        _with_dtype(_whole_with_empty(*_SUMMED)),
    ),
    _folding(
        "aten::sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
        0,
        _plus,
        np.sum,
        _with_dtype(_over_dims(*_SUMMED)),
    ),
    _folding(
        "aten::nansum(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
        0,
        _plus,
        np.nansum,
        _over_dims(*_SUMMED),
        _drop_nan,
    ),
    _folding(
        "aten::prod(Tensor self, *, ScalarType? dtype=None) -> Tensor",
        1,
        _times,
        np.prod,
        _with_dtype(_whole_with_empty(*_SUMMED)),
    ),
    _folding(
        "aten::prod.dim_int(Tensor self, int dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
        1,
        _times,
        np.prod,
        _with_dtype(_over_dim(*_SUMMED)),
    ),
)


# mean


def _mean_dtype(dtype: DType, wanted: int | None) -> DType:
    result = dtype if wanted is None else DType(wanted)
    if result.category < 2:
        which = "Input" if wanted is None else "Optional"
        raise OperatorError(
            f"mean(): could not infer output dtype. {which} dtype must be either a floating point or complex dtype. "
            f"Got: {result.graph_name}"
        )
    return result


def _infer_mean(self: TensorType, dim: Dims = None, keepdim: bool = False, dtype: int | None = None) -> TensorType:
    result = _mean_dtype(dtype_of(self), dtype)
    return TensorType(result, reduced_shape(shape_of(self), axes_of(dim, self.rank), keepdim))


def _lower_mean(
    cx: LoweringContext, self: Value, dim: Dims = None, keepdim: bool = False, dtype: int | None = None
) -> Value:
    result = _mean_dtype(cx.dtype(self), dtype)
    axes = axes_of(dim, cx.rank(self))
    count = cx.product([cx.dim(self, i) for i in axes])
    accumulator = opmath(result)
    total = cx.number(count if isinstance(count, int) else cx.i64(count), accumulator)
    return reduce_tensor(
        cx, self, axes, keepdim, accumulator, result, 0, _plus, finish=lambda k, x: k.div(x, total)
    )


def _reference_mean(self: Array, dim: Dims = None, keepdim: bool = False, dtype: int | None = None) -> Array:
    result = _mean_dtype(dtype_of(operand_of(self)), dtype)
    axes = axes_of(dim, self.ndim)
    wide = cast_array(self, opmath(result))
    count = wide.dtype.type(np.prod([self.shape[i] for i in axes]))
    with np.errstate(all="ignore"):
        return cast_array(np.sum(wide, axis=axes, keepdims=keepdim) / count, result)


def _mean_samples(samples: Samples) -> Samples:
    def checked() -> Iterator[Sample]:
        yield from samples()
        first = next(iter(samples()))
        rest = first.args[1:]
        yield Sample((ramp(3, dtype="i64"), *rest), raises="mean(): could not infer output dtype. Input dtype must be")
        yield Sample((ramp(2, 3, 4, dtype="i64"), *rest), {"dtype": int(DType.float32)})

    return checked


MEANS: tuple[Operator, ...] = (
    Operator(
        "aten::mean(Tensor self, *, ScalarType? dtype=None) -> Tensor",
        _infer_mean,
        _lower_mean,
        _reference_mean,
        _mean_samples(_whole_with_empty("f64", "f16", "bf16")),
    ),
    Operator(
        "aten::mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
        _infer_mean,
        _lower_mean,
        _reference_mean,
        _mean_samples(_over_dims("f64", "f16", "bf16")),
    ),
)


# any, all, count_nonzero


def _truth_dtype(dtype: DType) -> DType:
    return DType.uint8 if dtype is DType.uint8 else DType.bool


def _truth(
    signature: str, init: bool, build: Callable[..., Value], function: Callable[..., Any], samples: Samples
) -> Operator:
    """`dim=[]` reduces nothing here."""

    def infer(self: TensorType, dim: Dims = None, keepdim: bool = False) -> TensorType:
        axes = axes_of(dim, self.rank, empty_is_all=False)
        return TensorType(_truth_dtype(dtype_of(self)), reduced_shape(shape_of(self), axes, keepdim))

    def lower(cx: LoweringContext, self: Value, dim: Dims = None, keepdim: bool = False) -> Value:
        axes = axes_of(dim, cx.rank(self), empty_is_all=False)
        return reduce_tensor(
            cx,
            self,
            axes,
            keepdim,
            DType.bool,
            _truth_dtype(cx.dtype(self)),
            init,
            lambda k, x, acc: build(k.b, acc, x),
            lambda k, x: k.is_nonzero(x),
        )

    def reference(self: Array, dim: Dims = None, keepdim: bool = False) -> Array:
        axes = axes_of(dim, self.ndim, empty_is_all=False)
        return cast_array(
            np.asarray(function(self != 0, axis=axes, keepdims=keepdim)), _truth_dtype(dtype_of(operand_of(self)))
        )

    return Operator(signature, infer, lower, reference, samples)


_TRUTHS = ("b1", "u8", "i64", "f16", "bf16", "f64")


def _truths(name: str, init: bool, build: Callable[..., Value], function: Callable[..., Any]) -> tuple[Operator, ...]:
    return (
        _truth(f"aten::{name}(Tensor self) -> Tensor", init, build, function, _whole_with_empty(*_TRUTHS)),
        _truth(
            f"aten::{name}.dim(Tensor self, int dim, bool keepdim=False) -> Tensor",
            init,
            build,
            function,
            _over_dim(*_TRUTHS),
        ),
        _truth(
            f"aten::{name}.dims(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor",
            init,
            build,
            function,
            _over_dims(*_TRUTHS),
        ),
    )


def _infer_count(self: TensorType, dim: Dims) -> TensorType:
    return TensorType(DType.int64, reduced_shape(shape_of(self), axes_of(dim, self.rank), keepdim=False))


def _lower_count(cx: LoweringContext, self: Value, dim: Dims) -> Value:
    def one_if(k: Scalars, x: Value) -> Value:
        return arith.extui(k.b, k.is_nonzero(x), I64)

    return reduce_tensor(cx, self, axes_of(dim, cx.rank(self)), False, DType.int64, DType.int64, 0, _plus, one_if)


def _reference_count(self: Array, dim: Dims) -> Array:
    return np.asarray(np.sum(self != 0, axis=axes_of(dim, self.ndim), dtype=np.int64))


def _count_samples() -> Iterator[Sample]:
    yield Sample((ramp(2, 3, dtype="b1"), None))
    yield Sample((tensor([[0, 1, 0], [2, 0, 0]], "i64"), 0))
    yield Sample((special_pairs().args[1], None))


def _count_list_samples() -> Iterator[Sample]:
    yield Sample((ramp(2, 3, 4, dtype="b1"), [0, 2]))
    yield Sample((tensor([[0, 1, 0], [2, 0, 0]], "i64"), [1]))


TRUTHS: tuple[Operator, ...] = (
    *_truths("any", False, arith.ori, np.any),
    *_truths("all", True, arith.andi, np.all),
    Operator(
        "aten::count_nonzero(Tensor self, int? dim=None) -> Tensor",
        _infer_count,
        _lower_count,
        _reference_count,
        _count_samples,
    ),
    Operator(
        "aten::count_nonzero.dim_IntList(Tensor self, int[] dim) -> Tensor",
        _infer_count,
        _lower_count,
        _reference_count,
        _count_list_samples,
    ),
)


# extremes


def _unspecified(name: str, hint: bool) -> str:
    text = f"{name}(): Expected reduction dim to be specified for input.numel() == 0."
    return text + (" Specify the reduction dim with the 'dim' argument." if hint else "")


def _refuse_empty(
    name: str, shape: Sequence[int | None], axes: Sequence[int], all_axes: bool, hint: bool = True
) -> None:
    if all_axes and 0 in shape:
        raise OperatorError(_unspecified(name, hint))
    for axis in axes:
        if shape[axis] == 0:
            raise OperatorError(f"{name}(): Expected reduction dim {axis} to have non-zero size.")


def _check_not_empty(
    cx: LoweringContext, name: str, self: Value, axes: Sequence[int], all_axes: bool, hint: bool = True
) -> None:
    if all_axes:
        text = _unspecified(name, hint)
        cx.check(cx.all_of(*(cx.compare("ne", e, 0) for e in cx.dims(self))), text)
        return
    for axis in axes:
        extent = cx.dim(self, axis)
        cx.check(cx.compare("ne", extent, 0), f"{name}(): Expected reduction dim {axis} to have non-zero size.")


def _extreme(largest: bool) -> tuple[Callable[[Scalars], float], Combine, Callable[..., Any]]:
    if largest:
        return lambda k: k.lowest, lambda k, x, acc: k.maximum(acc, x), np.max
    return lambda k: k.highest, lambda k, x, acc: k.minimum(acc, x), np.min


def lower_extreme(cx: LoweringContext, self: Value, axes: Sequence[int], keepdim: bool, largest: bool) -> Value:
    dtype = cx.dtype(self)
    start, combine, _ = _extreme(largest)
    wide = opmath(dtype)
    return reduce_tensor(cx, self, axes, keepdim, wide, dtype, start(Scalars(cx.b, wide)), combine)


def _reduced_extreme(array: Array, axes: tuple[int, ...], keepdim: bool, largest: bool) -> Array:
    wide = cast_array(array, opmath(dtype_of(operand_of(array))))
    kept = reduced_shape(array.shape, axes, keepdim)
    if 0 in kept:
        return np.empty(kept, array.dtype)
    return np.asarray(_extreme(largest)[2](wide, axis=axes, keepdims=keepdim)).astype(array.dtype)


def _extreme_record(signature: str, name: str, largest: bool, samples: Samples) -> Operator:
    def infer(self: TensorType, dim: Dims = None, keepdim: bool = False) -> TensorType:
        axes = axes_of(dim, self.rank)
        _refuse_empty(name, shape_of(self), axes, dim is None or dim == [])
        return TensorType(self.dtype, reduced_shape(shape_of(self), axes, keepdim))

    def lower(cx: LoweringContext, self: Value, dim: Dims = None, keepdim: bool = False) -> Value:
        axes = axes_of(dim, cx.rank(self))
        _check_not_empty(cx, name, self, axes, dim is None or dim == [])
        return lower_extreme(cx, self, axes, keepdim, largest)

    def reference(self: Array, dim: Dims = None, keepdim: bool = False) -> Array:
        axes = axes_of(dim, self.ndim)
        _refuse_empty(name, self.shape, axes, dim is None or dim == [])
        return _reduced_extreme(self, axes, keepdim, largest)

    return Operator(signature, infer, lower, reference, samples)


_ORDERED = ("i64", "i32", "u8", "i8", "b1", "f16", "bf16", "f64")


def _extreme_samples(samples: Samples, name: str, *extra: Any) -> Samples:
    def checked() -> Iterator[Sample]:
        yield from samples()
        yield Sample((tensor([-float("inf"), -float("inf")]), *extra))
        yield Sample((ramp(0, 3), *extra), raises=f"{name}(): Expected reduction dim")

    return checked


def _infer_aminmax(self: TensorType, dim: int | None, keepdim: bool) -> tuple[TensorType, TensorType]:
    axes = axes_of(dim, self.rank)
    _refuse_empty("aminmax", shape_of(self), axes, dim is None)
    type = TensorType(self.dtype, reduced_shape(shape_of(self), axes, keepdim))
    return type, type


def _lower_aminmax(cx: LoweringContext, self: Value, dim: int | None, keepdim: bool) -> tuple[Value, Value]:
    axes = axes_of(dim, cx.rank(self))
    _check_not_empty(cx, "aminmax", self, axes, dim is None)
    return lower_extreme(cx, self, axes, keepdim, False), lower_extreme(cx, self, axes, keepdim, True)


def _reference_aminmax(self: Array, dim: int | None, keepdim: bool) -> tuple[Array, Array]:
    axes = axes_of(dim, self.ndim)
    return _reduced_extreme(self, axes, keepdim, False), _reduced_extreme(self, axes, keepdim, True)


def _aminmax_samples() -> Iterator[Sample]:
    for dtype in ("f32", *_ORDERED):
        yield Sample((ramp(2, 3, dtype=dtype),), {"dim": 1})
    yield Sample((ramp(2, 3),), {"dim": None})
    yield Sample((ramp(2, 3),), {"dim": 0, "keepdim": True})


EXTREMES: tuple[Operator, ...] = (
    _extreme_record(
        "aten::amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor",
        "amax",
        True,
        _extreme_samples(_over_dims(*_ORDERED, empty=False, none=False), "amax", []),
    ),
    _extreme_record(
        "aten::amin(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor",
        "amin",
        False,
        _extreme_samples(_over_dims(*_ORDERED, empty=False, none=False), "amin", []),
    ),
    _extreme_record(
        "aten::max(Tensor self) -> Tensor", "max", True, _extreme_samples(_whole_samples(*_ORDERED), "max")
    ),
    _extreme_record(
        "aten::min(Tensor self) -> Tensor", "min", False, _extreme_samples(_whole_samples(*_ORDERED), "min")
    ),
    Operator(
        "aten::aminmax(Tensor self, *, int? dim=None, bool keepdim=False) -> (Tensor min, Tensor max)",
        _infer_aminmax,
        _lower_aminmax,
        _reference_aminmax,
        _aminmax_samples,
    ),
)


# positions of extremes


def _is_better(k: Scalars, x: Value, best: Value, largest: bool) -> Value:
    """Strictly better, so that the first of equals stays; the first NaN beats everything."""
    better = k.compare("gt" if largest else "lt", x, best)
    if not k.is_float:
        return better
    fresh_nan = arith.andi(k.b, math.isnan(k.b, x), arith.cmpf(k.b, "ord", best, best))
    return arith.ori(k.b, better, fresh_nan)


def lower_extreme_with_index(
    cx: LoweringContext, self: Value, axes: Sequence[int], keepdim: bool, largest: bool
) -> tuple[Value, Value]:
    """The extreme and its position: along the one axis, or in row-major order over all."""
    dims, dtype, rank = cx.dims(self), cx.dtype(self), cx.rank(self)
    wide = opmath(dtype)
    kept = [d for i, d in enumerate(dims) if i not in axes]
    start = _extreme(largest)[0](Scalars(cx.b, wide))
    inits = [cx.fill(kept, dtype.element, start), cx.fill(kept, I64, 0)]
    to_kept = AffineMap(rank, tuple(AffineDim(i) for i in range(rank) if i not in axes))

    def body(b: Builder, x: Value, best: Value, place: Value) -> Sequence[Value]:
        k = Scalars(b, wide)
        better = _is_better(k, cx.cast(b, x, dtype, wide), cx.cast(b, best, dtype, wide), largest)
        here = arith.index_cast(b, _linear_index(cx, b, dims, axes), I64)
        return [arith.select(b, better, x, best), arith.select(b, better, here, place)]

    iterators = [REDUCTION if i in axes else PARALLEL for i in range(rank)]
    values, places = cx.generic_many([self], [AffineMap.identity(rank)], inits, [to_kept, to_kept], iterators, body)
    cx.set_dtype(values, dtype)
    cx.set_dtype(places, DType.int64)
    inserted = axes if keepdim else ()
    return cx.with_unit_dims(values, inserted), cx.with_unit_dims(places, inserted)


def _linear_index(cx: LoweringContext, b: Builder, dims: Sequence[Extent], axes: Sequence[int]) -> Value:
    position: Value | None = None
    for axis in axes:
        here = linalg.index(b, axis)
        if position is not None:
            here = arith.addi(b, arith.muli(b, position, cx.index(dims[axis])), here)
        position = here
    return cx.index(0) if position is None else position


def _reference_extreme_with_index(array: Array, axis: int, keepdim: bool, largest: bool) -> tuple[Array, Array]:
    if array.ndim == 0:
        return array.copy(), np.asarray(0, np.int64)
    wide = cast_array(array, opmath(dtype_of(operand_of(array))))
    if 0 in reduced_shape(array.shape, (axis,), False):
        shape = reduced_shape(array.shape, (axis,), keepdim)
        return np.empty(shape, array.dtype), np.empty(shape, np.int64)
    places = np.asarray((np.argmax if largest else np.argmin)(wide, axis=axis, keepdims=True), np.int64)
    values = np.take_along_axis(array, places, axis)
    return (values, places) if keepdim else (values.squeeze(axis), places.squeeze(axis))


def _extreme_along(name: str, largest: bool) -> Operator:
    def infer(self: TensorType, dim: int, keepdim: bool) -> tuple[TensorType, TensorType]:
        axes = axes_of(dim, self.rank)
        _refuse_empty(name, shape_of(self), axes, False)
        shape = reduced_shape(shape_of(self), axes, keepdim)
        return TensorType(self.dtype, shape), TensorType(DType.int64, shape)

    def lower(cx: LoweringContext, self: Value, dim: int, keepdim: bool) -> tuple[Value, Value]:
        axes = axes_of(dim, cx.rank(self))
        _check_not_empty(cx, name, self, axes, False)
        return lower_extreme_with_index(cx, self, axes, keepdim, largest)

    def reference(self: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
        axes = axes_of(dim, self.ndim)
        _refuse_empty(name, self.shape, axes, False)
        return _reference_extreme_with_index(self, wrap_dim(dim, self.ndim), keepdim, largest)

    signature = f"aten::{name}.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)"
    return Operator(
        signature, infer, lower, reference, _extreme_samples(_tied(_over_dim(*_ORDERED, empty=False)), name, 0)
    )


def _tied(samples: Samples) -> Samples:
    def with_ties() -> Iterator[Sample]:
        yield from samples()
        yield Sample((tensor([[3, 1, 3], [2, 2, 2]], "i64"), 1))
        yield Sample((tensor([1.0, NAN, 5.0, NAN]), 0))

    return with_ties


def _arg_extreme(name: str, largest: bool) -> Operator:
    def check(dtype: DType, shape: Sequence[int | None], dim: int | None) -> tuple[int, ...]:
        axes = axes_of(dim, len(shape))
        _refuse_empty(name, shape, axes, dim is None, hint=False)
        if dtype is DType.bool:
            raise OperatorError(f"{name}(): does not support bool input")
        return axes

    def infer(self: TensorType, dim: int | None, keepdim: bool) -> TensorType:
        axes = check(dtype_of(self), shape_of(self), dim)
        return TensorType(DType.int64, reduced_shape(shape_of(self), axes, keepdim))

    def lower(cx: LoweringContext, self: Value, dim: int | None, keepdim: bool) -> Value:
        axes = axes_of(dim, cx.rank(self))
        _check_not_empty(cx, name, self, axes, dim is None, hint=False)
        return lower_extreme_with_index(cx, self, axes, keepdim, largest)[1]

    def reference(self: Array, dim: int | None, keepdim: bool) -> Array:
        check(dtype_of(operand_of(self)), self.shape, dim)
        if dim is not None:
            return _reference_extreme_with_index(self, wrap_dim(dim, self.ndim), keepdim, largest)[1]
        place = _reference_extreme_with_index(self.reshape(-1), 0, False, largest)[1]
        return place.reshape((1,) * self.ndim) if keepdim else place

    def samples() -> Iterator[Sample]:
        for dtype in ("f32", "i64", "u8", "f16", "bf16"):
            yield Sample((ramp(2, 3, dtype=dtype),))
            yield Sample((ramp(2, 3, dtype=dtype), 1, True))
        yield Sample((tensor([[3.0, 1.0, 3.0], [2.0, 5.0, 5.0]]), None, True))
        yield Sample((tensor([[3.0, 1.0, 3.0], [2.0, 5.0, 5.0]]), 0))
        yield Sample((tensor([1.0, NAN, 2.0]),))
        yield Sample((tensor(2.5),))
        yield Sample((ramp(0, 3), 1))
        yield Sample((ramp(0, 3),), raises=f"{name}(): Expected reduction dim to be specified")
        yield Sample((ramp(3, dtype="b1"),), raises=f"{name}(): does not support bool input")

    return Operator(
        f"aten::{name}(Tensor self, int? dim=None, bool keepdim=False) -> Tensor", infer, lower, reference, samples
    )


POSITIONS: tuple[Operator, ...] = (
    _extreme_along("max", True),
    _extreme_along("min", False),
    _arg_extreme("argmax", True),
    _arg_extreme("argmin", False),
)


# scans: the reduction iterator runs in order, and each step also writes what it has so far


def accumulator_of(dtype: DType) -> DType:
    """What a scan counts in: PyTorch's scans of 32-bit floats count in 64 bits."""
    return {DType.float32: DType.float64, DType.complex64: DType.complex128}.get(dtype, opmath(dtype))


def scan_iterators(rank: int, axis: int) -> tuple[AffineMap, list[str]]:
    kept = AffineMap.of(rank, *(i for i in range(rank) if i != axis))
    return kept, [REDUCTION if i == axis else PARALLEL for i in range(rank)]


def _scan(signature: str, init: float, combine: Combine, function: Callable[..., Any]) -> Operator:
    def infer(self: TensorType, dim: int, dtype: int | None) -> TensorType:
        wrap_dim(dim, self.rank)
        return TensorType(_sum_dtype(dtype_of(self), dtype), self.shape)

    def lower(cx: LoweringContext, self: Value, dim: int, dtype: int | None) -> Value:
        result = _sum_dtype(cx.dtype(self), dtype)
        rank, dims = cx.rank(self), cx.dims(self)
        if rank == 0:
            return cx.cast_tensor(self, result)
        axis = wrap_dim(dim, rank)
        source, wide = cx.dtype(self), accumulator_of(result)
        start = cx.fill([d for i, d in enumerate(dims) if i != axis], wide.element, init)
        kept, iterators = scan_iterators(rank, axis)
        identity = AffineMap.identity(rank)

        def body(b: Builder, x: Value, acc: Value, _: Value) -> Sequence[Value]:
            narrow = cx.cast(b, x, source, result)
            total = combine(Scalars(b, wide), cx.cast(b, narrow, result, wide), acc)
            return [total, cx.cast(b, total, wide, result)]

        outs = [start, cx.empty(dims, result.element)]
        return cx.set_dtype(cx.generic_many([self], [identity], outs, [kept, identity], iterators, body)[1], result)

    def reference(self: Array, dim: int, dtype: int | None) -> Array:
        result = _sum_dtype(dtype_of(operand_of(self)), dtype)
        array = cast_array(self, result)
        if self.ndim == 0:
            return array
        wide = accumulator_of(result)
        return cast_array(function(cast_array(array, wide), axis=wrap_dim(dim, self.ndim), dtype=wide.numpy), result)

    return Operator(signature, infer, lower, reference, _with_dtype(_scan_samples))


def _scan_samples() -> Iterator[Sample]:
    for dim in (0, 1, -1):
        yield Sample((ramp(2, 3, 4), dim))
    for dtype in ("i64", "i32", "u8", "b1", "f16", "bf16", "f64"):
        yield Sample((ramp(2, 3, dtype=dtype), 1))
    yield Sample((tensor(2.5), 0))
    yield Sample((ramp(0, 3), 0))
    yield Sample((ramp(2, 3), 5), raises="Dimension out of range (expected to be in range of [-2, 1], but got 5)")


def _running_plus(k: Scalars, x: Value, acc: Value) -> Value:
    return k.add(acc, x)


def _running_times(k: Scalars, x: Value, acc: Value) -> Value:
    return k.mul(acc, x)


def _running_extreme(name: str, largest: bool) -> Operator:
    """cummax, cummin: later equals and NaN win."""

    def infer(self: TensorType, dim: int) -> tuple[TensorType, TensorType]:
        wrap_dim(dim, self.rank)
        return TensorType(self.dtype, self.shape), TensorType(DType.int64, self.shape)

    def lower(cx: LoweringContext, self: Value, dim: int) -> tuple[Value, Value]:
        dtype, rank, dims = cx.dtype(self), cx.rank(self), cx.dims(self)
        if rank == 0:
            return self, cx.set_dtype(cx.fill([], I64, 0), DType.int64)
        axis = wrap_dim(dim, rank)
        wide = opmath(dtype)
        rest = [d for i, d in enumerate(dims) if i != axis]
        kept, iterators = scan_iterators(rank, axis)
        identity = AffineMap.identity(rank)
        start = _extreme(largest)[0](Scalars(cx.b, wide))

        def body(b: Builder, x: Value, best: Value, place: Value, *_: Value) -> Sequence[Value]:
            k = Scalars(b, wide)
            new, old = cx.cast(b, x, dtype, wide), cx.cast(b, best, dtype, wide)
            better = k.compare("ge" if largest else "le", new, old)
            if k.is_float:
                better = arith.ori(b, better, math.isnan(b, new))
            here = arith.index_cast(b, linalg.index(b, axis), I64)
            value, index = arith.select(b, better, x, best), arith.select(b, better, here, place)
            return [value, index, value, index]

        inits = [
            cx.fill(rest, dtype.element, start),
            cx.fill(rest, I64, 0),
            cx.empty(dims, dtype.element),
            cx.empty(dims, I64),
        ]
        results = cx.generic_many([self], [identity], inits, [kept, kept, identity, identity], iterators, body)
        return cx.set_dtype(results[2], dtype), cx.set_dtype(results[3], DType.int64)

    def reference(self: Array, dim: int) -> tuple[Array, Array]:
        values, places = self.copy(), np.zeros(self.shape, np.int64)
        if self.ndim == 0:
            return values, places
        axis = wrap_dim(dim, self.ndim)
        moved, out = np.moveaxis(values, axis, 0), np.moveaxis(places, axis, 0)
        for i in range(1, moved.shape[0]):
            better = moved[i] >= moved[i - 1] if largest else moved[i] <= moved[i - 1]
            better = better | (moved[i] != moved[i])
            out[i] = np.where(better, i, out[i - 1])
            moved[i] = np.where(better, moved[i], moved[i - 1])
        return values, places

    def samples() -> Iterator[Sample]:
        for dim in (0, 1):
            yield Sample((tensor([[1.0, 3.0, 3.0, 2.0], [NAN, 0.0, 5.0, -1.0]]), dim))
            yield Sample((tensor([[1, 3, 3, 2], [4, 0, 5, -1]], "i64"), dim))
        yield Sample((ramp(2, 3, dtype="f16"), -1))
        yield Sample((tensor(2.5), 0))

    return Operator(
        f"aten::{name}(Tensor self, int dim) -> (Tensor values, Tensor indices)", infer, lower, reference, samples
    )


SCANS: tuple[Operator, ...] = (
    _scan("aten::cumsum(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor", 0, _running_plus, np.cumsum),
    _scan("aten::cumprod(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor", 1, _running_times, np.cumprod),
    _running_extreme("cummax", True),
    _running_extreme("cummin", False),
)


OPERATORS: tuple[Operator, ...] = (*SUMS, *MEANS, *TRUTHS, *EXTREMES, *POSITIONS, *SCANS)
