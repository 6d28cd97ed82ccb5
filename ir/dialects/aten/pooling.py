"""Pooling: the maximum or mean of a window that moves over the last dimensions.

The window is a reduction over positions `output * stride + window * dilation` of the padded input, of any number of
spatial dimensions. Adaptive pooling has windows of varying size: it reads through computed, clamped positions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import product as positions
from typing import Any

import numpy as np

from ...affine import AffineDim, AffineMap
from ...builder import Builder
from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample
from ...script_types import TensorType
from ...types import I64, INDEX
from .. import arith, linalg, tensor
from ..linalg import PARALLEL, REDUCTION
from .convolution import padded_with, without_batch
from .elementwise import Scalars
from .lowering import Extent, LoweringContext
from .rules import Array, not_implemented, opmath, shape_of
from .shapes import Known, as_list, floats, integers, known, size_text, spread, static_ints

# sizes


def _output_size(extent: Known, k: int, stride: int, pad: int, dilation: int, ceil_mode: bool) -> Known:
    if extent is None:
        return None
    reach = dilation * (k - 1)
    size = (extent + 2 * pad - reach - 1 + (stride - 1 if ceil_mode else 0)) // stride + 1
    if ceil_mode and (size - 1) * stride >= extent + pad:
        size -= 1
    return size


class Window:
    """Size, stride, padding and dilation of a pooling window, one number per spatial dimension."""

    def __init__(self, count: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any = 1) -> None:
        name = "pooling window"
        self.size = static_ints(spread(kernel_size, count), name)
        steps = [] if stride is None else as_list(stride)
        self.stride = static_ints(spread(steps, count), name) if steps else self.size
        self.padding = static_ints(spread(padding, count), name)
        self.dilation = static_ints(spread(dilation, count), name)

    def __len__(self) -> int:
        return len(self.size)

    def check(self, name: str) -> None:
        if any(s <= 0 for s in self.stride):
            raise OperatorError("stride should not be zero")
        if any(d <= 0 for d in self.dilation):
            raise OperatorError(f"{name}() dilation must be greater than zero, but got {next(d for d in self.dilation if d <= 0)}")
        if any(p < 0 for p in self.padding):
            raise OperatorError(f"pad must be non-negative, but got pad: {next(p for p in self.padding if p < 0)}")
        for k, p in zip(self.size, self.padding, strict=True):
            if k <= 0:
                raise OperatorError(
                    "kernel size should be greater than zero, but got " + " ".join(f"k: {k}" for k in self.size)
                )
            if p > k // 2:
                raise OperatorError(
                    f"{name}(): pad should be at most half of effective kernel size, but got pad={p}, "
                    f"kernel_size={k} and dilation=1"
                )


def _infer_sizes(name: str, self: TensorType, window: Window, ceil_mode: bool) -> TensorType:
    count = len(window)
    if self.rank not in (count + 1, count + 2):
        raise OperatorError(
            f"{name}(): Expected {count + 1}D or {count + 2}D tensor, but got input of size: "
            f"{size_text(shape_of(self))}"
        )
    window.check(name)
    shape = shape_of(self)
    if 0 in shape[self.rank - count - 1 :]:
        raise OperatorError(
            f"{name}(): Expected {count + 1}D or {count + 2}D (batch mode) tensor with optional 0 dim batch size for input, "
            f"but got: {size_text(shape)}"
        )
    columns = zip(shape[-count:], window.size, window.stride, window.padding, window.dilation, strict=True)
    sizes = [_output_size(e, k, s, p, d, ceil_mode) for e, k, s, p, d in columns]
    if any(s is not None and s < 1 for s in sizes):
        raise OperatorError(
            f"Given input size: ({'x'.join(map(str, shape[-count - 1 :]))}). Calculated output size: "
            f"({'x'.join(map(str, (shape[-count - 1], *sizes)))}). Output size is too small"
        )
    return TensorType(self.dtype, (*shape[:-count], *sizes))


def _lowered_sizes(cx: LoweringContext, extents: Sequence[Extent], window: Window, ceil_mode: bool) -> list[Extent]:
    sizes: list[Extent] = []
    columns = zip(extents, window.size, window.stride, window.padding, window.dilation, strict=True)
    for e, k, s, p, d in columns:
        if isinstance(e, int):
            size = _output_size(e, k, s, p, d, ceil_mode)
            assert size is not None
            sizes.append(size)
            continue
        room = cx.add(e, 2 * p - d * (k - 1) - 1 + (s - 1 if ceil_mode else 0))
        cx.check(cx.compare("ge", room, 0), "Output size is too small for an input of size {}", [e])
        size_value = cx.add(cx.floordiv(room, s), 1)
        if ceil_mode:
            beyond = cx.compare("ge", cx.mul(cx.sub(size_value, 1), s), cx.add(e, p))
            size_value = cx.select(beyond, cx.sub(size_value, 1), size_value)
        sizes.append(size_value)
    return sizes


def _high_padding(
    cx: LoweringContext, extents: Sequence[Extent], sizes: Sequence[Extent], window: Window
) -> list[Extent]:
    """Enough on the far side for the last window, which ceil_mode lets hang over."""
    columns = zip(extents, sizes, window.size, window.stride, window.padding, window.dilation, strict=True)
    return [
        cx.max(cx.sub(cx.add(cx.mul(cx.sub(n, 1), s), d * (k - 1) + 1), cx.add(e, p)), 0)
        for e, n, k, s, p, d in columns
    ]


def _batched(cx: LoweringContext, self: Value, count: int) -> tuple[Value, bool]:
    batched = cx.rank(self) == count + 2
    return (self if batched else cx.with_unit_dims(self, [0])), batched


def _window_maps(window: Window) -> tuple[AffineMap, AffineMap, AffineMap, list[str]]:
    """Maps of the padded input, of the window shape and of the result over (n, c, positions..., window...)."""
    count = len(window)
    total = 2 + 2 * count
    inside = [AffineDim(2 + count + i) for i in range(count)]
    read = [AffineDim(2 + i) * window.stride[i] + inside[i] * window.dilation[i] for i in range(count)]
    return (
        AffineMap(total, (AffineDim(0), AffineDim(1), *read)),
        AffineMap(total, tuple(inside)),
        AffineMap.of(total, *range(2 + count)),
        [PARALLEL] * (2 + count) + [REDUCTION] * count,
    )


# maximum


def _infer_max(
    count: int, self: TensorType, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> TensorType:
    if self.dtype is DType.bool:
        raise not_implemented("max_pool2d", DType.bool)
    return _infer_sizes(f"max_pool{count}d", self, Window(count, kernel_size, stride, padding, dilation), ceil_mode)


def _lower_max(cx: LoweringContext, self: Value, window: Window, ceil_mode: bool) -> tuple[Value, Value, bool]:
    """The padded input, an uninitialised result of its extents, and whether there was a batch dimension."""
    value, batched = _batched(cx, self, len(window))
    dims = cx.dims(value)
    sizes = _lowered_sizes(cx, dims[2:], window, ceil_mode)
    dtype = cx.dtype(self)
    high = _high_padding(cx, dims[2:], sizes, window)
    padded = padded_with(cx, value, window.padding, high, Scalars(cx.b, dtype).lowest)
    return padded, cx.empty([*dims[:2], *sizes], dtype.element), batched


def _maximum(cx: LoweringContext, self: Value, window: Window, ceil_mode: bool) -> Value:
    padded, out, batched = _lower_max(cx, self, window, ceil_mode)
    dtype = cx.dtype(self)
    read, shape, write, iterators = _window_maps(window)
    start = cx.fill(cx.dims(out), dtype.element, Scalars(cx.b, dtype).lowest)
    extent = tensor.empty(cx.b, window.size, dtype.element)

    def body(b: Builder, x: Value, _: Value, best: Value) -> Value:
        return Scalars(b, dtype).maximum(best, x)

    result = cx.generic(
        [padded, extent], [read, shape], cx.dims(out), dtype.element, iterators, body, init=start, out_map=write
    )
    cx.set_dtype(result, dtype)
    return result if batched else without_batch(cx, result)


def _maximum_and_place(cx: LoweringContext, self: Value, window: Window, ceil_mode: bool) -> tuple[Value, Value]:
    """The place is counted in the unpadded plane; of equal maxima the first, of NaNs the last, as PyTorch does."""
    padded, out, batched = _lower_max(cx, self, window, ceil_mode)
    dtype = cx.dtype(self)
    count = len(window)
    read, shape, write, iterators = _window_maps(window)
    plane = cx.dims(self)[-count:]
    strides = [cx.index(cx.product(plane[i + 1 :])) for i in range(count)]
    limits = [cx.index(e) for e in plane]
    constants = [[cx.index(v) for v in group] for group in (window.stride, window.dilation, window.padding)]
    zero = cx.index(0)
    start = cx.fill(cx.dims(out), dtype.element, Scalars(cx.b, dtype).lowest)
    # -1: no element met yet, so that the first one counts even if it is the lowest number
    place = cx.fill(cx.dims(out), I64, -1)
    extent = tensor.empty(cx.b, window.size, dtype.element)

    def body(b: Builder, x: Value, _: Value, best: Value, best_place: Value) -> Sequence[Value]:
        s = Scalars(b, dtype)
        here, inside = zero, s.true()
        for i in range(count):
            at = arith.addi(
                b,
                arith.muli(b, linalg.index(b, 2 + i), constants[0][i]),
                arith.muli(b, linalg.index(b, 2 + count + i), constants[1][i]),
            )
            at = arith.subi(b, at, constants[2][i])
            inside = arith.andi(b, inside, arith.cmpi(b, "sge", at, zero))
            inside = arith.andi(b, inside, arith.cmpi(b, "slt", at, limits[i]))
            here = arith.addi(b, here, arith.muli(b, at, strides[i]))
        none_yet = arith.cmpi(b, "slt", best_place, arith.constant(b, 0, I64))
        better = arith.ori(b, s.compare("gt", x, best), none_yet)
        if dtype.is_floating:
            better = arith.ori(b, better, arith.cmpf(b, "uno", x, x))
        taken = arith.andi(b, inside, better)
        return [arith.select(b, taken, x, best), arith.select(b, taken, arith.index_cast(b, here, I64), best_place)]

    values, places = cx.generic_many([padded, extent], [read, shape], [start, place], [write, write], iterators, body)
    cx.set_dtype(values, dtype)
    cx.set_dtype(places, DType.int64)
    return (values, places) if batched else (without_batch(cx, values), without_batch(cx, places))


def _reference_windows(self: Array, window: Window, ceil_mode: bool, fill: Any) -> tuple[Array, list[int], Array]:
    """Batched input padded for all windows, result sizes, and places of the padded elements in the plane."""
    count = len(window)
    x = self if self.ndim == count + 2 else self[None]
    extents = x.shape[2:]
    columns = list(zip(extents, window.size, window.stride, window.padding, window.dilation, strict=True))
    sizes = [_output_size(e, k, s, p, d, ceil_mode) or 0 for e, k, s, p, d in columns]
    pads = [
        (p, max((n - 1) * s + d * (k - 1) + 1 - e - p, 0)) for n, (e, k, s, p, d) in zip(sizes, columns, strict=True)
    ]
    places = np.pad(np.arange(math.prod(extents)).reshape(extents), pads, constant_values=-1)
    return np.pad(x, [(0, 0), (0, 0), *pads], constant_values=fill), sizes, places


def _box(window: Window, sizes: Sequence[int], at: Sequence[int]) -> tuple[slice, ...]:
    return tuple(
        slice(k * d, k * d + (n - 1) * s + 1, s)
        for k, d, n, s in zip(at, window.dilation, sizes, window.stride, strict=True)
    )


def _lowest(dtype: Any) -> Any:
    return np.iinfo(dtype).min if np.dtype(dtype).kind in "iu" else -np.inf


def _reference_max(self: Array, window: Window, ceil_mode: bool) -> tuple[Array, Array]:
    x, sizes, places = _reference_windows(self, window, ceil_mode, _lowest(self.dtype))
    best = np.full((*x.shape[:2], *sizes), _lowest(self.dtype), self.dtype)
    where = np.full(best.shape, -1, np.int64)
    for at in positions(*(range(k) for k in window.size)):
        box = _box(window, sizes, at)
        here, place = x[(slice(None),) * 2 + box], np.broadcast_to(places[box], best.shape)
        taken = (place >= 0) & ((here > best) | (where < 0) | np.isnan(here.astype(np.float64)))
        best, where = np.where(taken, here, best), np.where(taken, place, where)
    best = best.astype(self.dtype)
    return (best, where) if self.ndim == len(window) + 2 else (best[0], where[0])


def _max_operators(count: int, padding: str, dilation: str) -> tuple[Operator, Operator]:
    def infer(
        self: TensorType, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
    ) -> TensorType:
        return _infer_max(count, self, kernel_size, stride, padding, dilation, ceil_mode)

    def infer_both(
        self: TensorType, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
    ) -> tuple[TensorType, TensorType]:
        values = _infer_max(count, self, kernel_size, stride, padding, dilation, ceil_mode)
        return values, TensorType(DType.int64, values.shape)

    def lower(
        cx: LoweringContext, self: Value, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
    ) -> Value:
        return _maximum(cx, self, Window(count, kernel_size, stride, padding, dilation), ceil_mode)

    def lower_both(
        cx: LoweringContext, self: Value, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
    ) -> tuple[Value, Value]:
        return _maximum_and_place(cx, self, Window(count, kernel_size, stride, padding, dilation), ceil_mode)

    def reference(self: Array, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Array:
        return _reference_max(self, Window(count, kernel_size, stride, padding, dilation), ceil_mode)[0]

    def reference_both(
        self: Array, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
    ) -> tuple[Array, Array]:
        return _reference_max(self, Window(count, kernel_size, stride, padding, dilation), ceil_mode)

    def samples() -> Iterable[Sample]:
        return _max_samples(count)

    list_ = f"int[{count}]"
    arguments = (
        f"(Tensor self, {list_} kernel_size, {list_} stride=[], {list_} padding={padding},"
        f" {list_} dilation={dilation}, bool ceil_mode=False)"
    )
    return (
        Operator(f"aten::max_pool{count}d{arguments} -> Tensor", infer, lower, reference, samples),
        Operator(
            f"aten::max_pool{count}d_with_indices{arguments} -> (Tensor, Tensor)",
            infer_both,
            lower_both,
            reference_both,
            samples,
        ),
    )


_SPATIAL = (7, 6, 5)


def _max_samples(count: int) -> Iterable[Sample]:
    extents = _SPATIAL[:count]
    yield Sample((floats(2, 3, *extents), [2] * count))
    yield Sample((floats(3, *extents), [3] * count, [2] * count, [1] * count))
    yield Sample((floats(1, 2, *extents), [2] * count, [2] * count, [1] * count, [2] * count, True))
    yield Sample((floats(1, 2, *extents), [3] * count, [2] * count, [0] * count, [1] * count, True))
    if count > 1:
        yield Sample((integers(-9, 9, 1, 2, *extents), [3] * count, [1] * count, [1] * count))
    yield Sample((np.full((1, 1, *extents), -np.inf, np.float32), [2] * count))
    odd = floats(1, 1, *extents)
    odd.reshape(-1)[5] = np.nan
    yield Sample((odd, [3] * count, [1] * count))
    yield Sample((floats(1, 2, *extents, dtype=DType.bfloat16), [2] * count))
    if count > 1:
        yield Sample((floats(1, 2, *[1] * count), [3] * count), raises="Output size is too small")


# mean


def _infer_avg(
    count: int,
    self: TensorType,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    divisor_override: int | None,
) -> TensorType:
    assert self.dtype is not None
    if divisor_override == 0:
        raise OperatorError("divisor must be not zero")
    if not self.dtype.is_floating and self.dtype is not DType.int64:
        raise not_implemented(f"avg_pool{count}d_out_frame", self.dtype)
    return _infer_sizes(f"avg_pool{count}d", self, Window(count, kernel_size, stride, padding), ceil_mode)


def _sum_windows(cx: LoweringContext, value: Value, window: Window, sizes: Sequence[Extent]) -> Value:
    """Sums of the (already padded) input, in its computing dtype."""
    dtype = cx.dtype(value)
    wide = opmath(dtype)
    read, shape, write, iterators = _window_maps(window)
    dims = [*cx.dims(value)[:2], *sizes]
    extent = tensor.empty(cx.b, window.size, dtype.element)

    def body(b: Builder, x: Value, _: Value, total: Value) -> Value:
        return Scalars(b, wide).add(total, cx.cast(b, x, dtype, wide))

    start = cx.fill(dims, wide.element, 0)
    result = cx.generic([value, extent], [read, shape], dims, wide.element, iterators, body, init=start, out_map=write)
    return cx.set_dtype(result, wide)


def _divide(b: Builder, total: Value, divisor: Value, dtype: DType) -> Value:
    return arith.divf(b, total, divisor) if dtype.is_floating else arith.divsi(b, total, divisor)


def _mean(
    cx: LoweringContext,
    self: Value,
    window: Window,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Value:
    count = len(window)
    value, batched = _batched(cx, self, count)
    dims = cx.dims(value)
    sizes = _lowered_sizes(cx, dims[2:], window, ceil_mode)
    high = _high_padding(cx, dims[2:], sizes, window)
    dtype = cx.dtype(self)
    wide = opmath(dtype)
    total = _sum_windows(cx, padded_with(cx, value, window.padding, high, 0), window, sizes)
    no_edges = not ceil_mode and (count_include_pad or all(p == 0 for p in window.padding))
    if divisor_override is not None or no_edges:
        divisor = cx.constant(math.prod(window.size) if divisor_override is None else divisor_override, wide.element)

        def body(b: Builder, x: Value) -> Value:
            return cx.cast(b, _divide(b, x, divisor, wide), wide, dtype)

    else:
        members = _Members(cx, dims[2:], window, count_include_pad)

        def body(b: Builder, x: Value) -> Value:
            number = cx.cast(b, arith.index_cast(b, members.count(b), I64), DType.int64, wide)
            return cx.cast(b, _divide(b, x, number, wide), wide, dtype)

    result = cx.pointwise([total], dtype, body)
    return result if batched else without_batch(cx, result)


class _Members:
    """How many elements the window at the current position holds: windows are cut off at the edges."""

    def __init__(self, cx: LoweringContext, extents: Sequence[Extent], window: Window, count_include_pad: bool) -> None:
        self.include = count_include_pad
        self.extents = [cx.index(e) for e in extents]
        self.padded = [cx.index(cx.add(e, p)) for e, p in zip(extents, window.padding, strict=True)]
        self.zero = cx.index(0)
        self.sizes, self.strides, self.padding = (
            [cx.index(v) for v in g] for g in (window.size, window.stride, window.padding)
        )

    def count(self, b: Builder) -> Value:
        result = None
        for i, extent in enumerate(self.extents):
            start = arith.subi(b, arith.muli(b, linalg.index(b, 2 + i), self.strides[i]), self.padding[i])
            end = arith.minsi(b, arith.addi(b, start, self.sizes[i]), self.padded[i])
            if not self.include:
                start, end = arith.maxsi(b, start, self.zero), arith.minsi(b, end, extent)
            length = arith.subi(b, end, start)
            result = length if result is None else arith.muli(b, result, length)
        assert result is not None
        return result


def _reference_avg(
    self: Array, window: Window, ceil_mode: bool, count_include_pad: bool, divisor_override: int | None
) -> Array:
    wide = self.astype(np.float32) if self.dtype.itemsize == 2 else self
    x, sizes, _ = _reference_windows(wide, window, ceil_mode, 0)
    total = np.zeros((*x.shape[:2], *sizes), x.dtype)
    for at in positions(*(range(k) for k in window.size)):
        total = total + x[(slice(None),) * 2 + _box(window, sizes, at)]
    divisor: Any = divisor_override
    if divisor is None:
        divisor = np.ones((), np.int64)
        for extent, n, k, s, p in zip(
            self.shape[-len(window) :], sizes, window.size, window.stride, window.padding, strict=True
        ):
            start = np.arange(n) * s - p
            end = np.minimum(start + k, extent + p)
            if not count_include_pad:
                start, end = np.maximum(start, 0), np.minimum(end, extent)
            divisor = divisor[..., None] * (end - start)
    if total.dtype.kind == "i":
        quotient = np.trunc(total / divisor)
    else:
        quotient = total / np.asarray(divisor).astype(total.dtype)
    result = quotient.astype(self.dtype)
    return result if self.ndim == len(window) + 2 else result[0]


def _avg_operator(count: int, padding: str) -> Operator:
    def infer(
        self: TensorType,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        ceil_mode: bool,
        count_include_pad: bool,
        divisor_override: int | None,
    ) -> TensorType:
        del count_include_pad
        return _infer_avg(count, self, kernel_size, stride, padding, ceil_mode, divisor_override)

    def lower(
        cx: LoweringContext,
        self: Value,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        ceil_mode: bool,
        count_include_pad: bool,
        divisor_override: int | None,
    ) -> Value:
        return _mean(
            cx, self, Window(count, kernel_size, stride, padding), ceil_mode, count_include_pad, divisor_override
        )

    def reference(
        self: Array,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        ceil_mode: bool,
        count_include_pad: bool,
        divisor_override: int | None,
    ) -> Array:
        return _reference_avg(
            self, Window(count, kernel_size, stride, padding), ceil_mode, count_include_pad, divisor_override
        )

    def samples() -> Iterable[Sample]:
        extents = _SPATIAL[:count]
        yield from _avg_samples(count)
        yield Sample((floats(1, 2, *extents), [2] * count), {"divisor_override": 3})

    list_ = f"int[{count}]"
    arguments = (
        f"(Tensor self, {list_} kernel_size, {list_} stride=[], {list_} padding={padding},"
        " bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None)"
    )
    return Operator(f"aten::avg_pool{count}d{arguments} -> Tensor", infer, lower, reference, samples)


def _avg_samples(count: int) -> Iterable[Sample]:
    extents = _SPATIAL[:count]
    yield Sample((floats(2, 3, *extents), [2] * count))
    yield Sample((floats(3, *extents), [3] * count, [2] * count, [1] * count))
    yield Sample((floats(1, 2, *extents), [3] * count, [2] * count, [1] * count, True, True))
    yield Sample((floats(1, 2, *extents), [3] * count, [2] * count, [1] * count, True, False))
    yield Sample((floats(1, 2, *extents), [3] * count, [1] * count, [1] * count, False, False))
    if count < 3:
        yield Sample((floats(1, 2, *extents, dtype=DType.bfloat16), [2] * count))


def infer_avg1d(
    self: TensorType, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool
) -> TensorType:
    del count_include_pad
    return _infer_avg(1, self, kernel_size, stride, padding, ceil_mode, None)


def lower_avg1d(
    cx: LoweringContext,
    self: Value,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
) -> Value:
    return _mean(cx, self, Window(1, kernel_size, stride, padding), ceil_mode, count_include_pad, None)


def reference_avg1d(
    self: Array, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool
) -> Array:
    return _reference_avg(self, Window(1, kernel_size, stride, padding), ceil_mode, count_include_pad, None)


def avg1d_samples() -> Iterable[Sample]:
    return _avg_samples(1)


# adaptive


def _infer_adaptive(count: int, self: TensorType, output_size: Any) -> TensorType:
    sizes = [known(s) for s in spread(output_size, count)]
    if len(sizes) != count:
        raise OperatorError(f"adaptive_pool{count}d(): `output_size` must have {count} numbers, but got {len(sizes)}")
    if any(s is not None and s < 0 for s in sizes):
        raise OperatorError("elements of output_size must be greater than or equal to 0")
    shape = shape_of(self)
    if self.rank not in (count + 1, count + 2):
        raise OperatorError(
            f"adaptive_avg_pool{count}d(): Expected {count + 1}D or {count + 2}D tensor, but got {size_text(shape)}"
        )
    if any(e == 0 for e in shape[1:]):
        raise OperatorError(
            f"adaptive_avg_pool{count}d(): Expected input to have non-zero size for non-batch dimensions, but input "
            f"has sizes {size_text(shape)} with dimension {shape.index(0)} being empty"
        )
    return TensorType(self.dtype, (*shape[:-count], *sizes))


def _divides(extents: Sequence[Extent], sizes: Sequence[Extent]) -> Window | None:
    """The plain window that an adaptive pooling amounts to, if there is one."""
    window: list[int] = []
    for e, n in zip(extents, sizes, strict=True):
        if not isinstance(e, int) or not isinstance(n, int) or n == 0 or e % n:
            return None
        window.append(e // n)
    return Window(len(window), window, window, 0)


class _Adaptive:
    """Windows floor(i * extent / size) ... ceil((i + 1) * extent / size) of each spatial dimension."""

    def __init__(self, cx: LoweringContext, value: Value, sizes: Sequence[Extent]) -> None:
        self.cx = cx
        self.value = value
        self.dims = cx.dims(value)
        self.count = len(sizes)
        extents = self.dims[2:]
        # no window is longer than this; where there are no windows, any length will do
        reach = [cx.add(cx.ceildiv(e, cx.max(n, 1)), 1) for e, n in zip(extents, sizes, strict=True)]
        self.extent = cx.empty(reach, cx.dtype(value).element)
        self.out = [*self.dims[:2], *sizes]
        self.extents, self.sizes = [cx.index(e) for e in extents], [cx.index(n) for n in sizes]
        self.one = cx.index(1)
        total = 2 + 2 * self.count
        self.shape_map = AffineMap.of(total, *range(2 + self.count, total))
        self.out_map = AffineMap.of(total, *range(2 + self.count))
        self.iterators = [PARALLEL] * (2 + self.count) + [REDUCTION] * self.count

    def bounds(self, b: Builder, i: int) -> tuple[Value, Value]:
        at = linalg.index(b, 2 + i)
        start = arith.floordivsi(b, arith.muli(b, at, self.extents[i]), self.sizes[i])
        end = arith.ceildivsi(b, arith.muli(b, arith.addi(b, at, self.one), self.extents[i]), self.sizes[i])
        return start, end

    def read(self, b: Builder) -> tuple[Value, Value, list[Value]]:
        """The element, whether it belongs to the window, and where it lies."""
        places: list[Value] = []
        inside = arith.constant(b, True, arith.cmpi(b, "eq", self.one, self.one).type)
        for i in range(self.count):
            start, end = self.bounds(b, i)
            place = arith.addi(b, start, linalg.index(b, 2 + self.count + i))
            inside = arith.andi(b, inside, arith.cmpi(b, "slt", place, end))
            places.append(arith.minsi(b, place, arith.subi(b, self.extents[i], self.one)))
        element = tensor.extract(b, self.value, [linalg.index(b, 0), linalg.index(b, 1), *places])
        return element, inside, places


def _lower_adaptive_avg(count: int, cx: LoweringContext, self: Value, output_size: Any) -> Value:
    sizes = [cx.extent(s) for s in spread(output_size, count)]
    value, batched = _batched(cx, self, count)
    dtype = cx.dtype(self)
    wide = opmath(dtype)
    window = _divides(cx.dims(value)[2:], sizes)
    if window is not None:
        return _mean(cx, self, window, False, True, None)
    windows = _Adaptive(cx, cx.set_dtype(value, dtype), sizes)

    def add(b: Builder, _: Value, total: Value) -> Value:
        element, inside, _places = windows.read(b)
        s = Scalars(b, wide)
        return s.add(total, arith.select(b, inside, cx.cast(b, element, dtype, wide), s.constant(0)))

    start = cx.fill(windows.out, wide.element, 0)
    total = cx.generic(
        [windows.extent],
        [windows.shape_map],
        windows.out,
        wide.element,
        windows.iterators,
        add,
        init=start,
        out_map=windows.out_map,
    )
    cx.set_dtype(total, wide)

    def divide(b: Builder, x: Value) -> Value:
        number = None
        for i in range(count):
            first, last = windows.bounds(b, i)
            length = arith.subi(b, last, first)
            number = length if number is None else arith.muli(b, number, length)
        assert number is not None
        divisor = cx.cast(b, arith.index_cast(b, number, I64), DType.int64, wide)
        return cx.cast(b, _divide(b, x, divisor, wide), wide, dtype)

    result = cx.pointwise([total], dtype, divide)
    return result if batched else without_batch(cx, result)


def _lower_adaptive_max(count: int, cx: LoweringContext, self: Value, output_size: Any) -> tuple[Value, Value]:
    sizes = [cx.extent(s) for s in spread(output_size, count)]
    value, batched = _batched(cx, self, count)
    dtype = cx.dtype(self)
    window = _divides(cx.dims(value)[2:], sizes)
    if window is not None:
        return _maximum_and_place(cx, self, window, False)
    windows = _Adaptive(cx, cx.set_dtype(value, dtype), sizes)
    strides = [cx.index(cx.product(windows.dims[3 + i :])) for i in range(count)]

    def body(b: Builder, _: Value, best: Value, best_place: Value) -> Sequence[Value]:
        s = Scalars(b, dtype)
        x, inside, places = windows.read(b)
        here = arith.constant(b, 0, INDEX)
        for place, stride in zip(places, strides, strict=True):
            here = arith.addi(b, here, arith.muli(b, place, stride))
        none_yet = arith.cmpi(b, "slt", best_place, arith.constant(b, 0, I64))
        better = arith.ori(b, s.compare("gt", x, best), none_yet)
        if dtype.is_floating:
            better = arith.ori(b, better, arith.cmpf(b, "uno", x, x))
        taken = arith.andi(b, inside, better)
        return [arith.select(b, taken, x, best), arith.select(b, taken, arith.index_cast(b, here, I64), best_place)]

    start = cx.fill(windows.out, dtype.element, Scalars(cx.b, dtype).lowest)
    place = cx.fill(windows.out, I64, -1)
    maps = [windows.out_map, windows.out_map]
    values, indices = cx.generic_many(
        [windows.extent], [windows.shape_map], [start, place], maps, windows.iterators, body
    )
    cx.set_dtype(values, dtype)
    cx.set_dtype(indices, DType.int64)
    return (values, indices) if batched else (without_batch(cx, values), without_batch(cx, indices))


def _reference_adaptive(
    count: int, self: Array, output_size: Any
) -> Iterable[tuple[tuple[int, ...], tuple[slice, ...]]]:
    sizes = spread(output_size, count)
    extents = self.shape[-count:]
    for at in positions(*(range(n) for n in sizes)):
        yield at, tuple(slice(i * e // n, -(-(i + 1) * e // n)) for i, e, n in zip(at, extents, sizes, strict=True))


def _reference_adaptive_avg(count: int, self: Array, output_size: Any) -> Array:
    wide = self.astype(np.float32) if self.dtype.itemsize == 2 else self
    out = np.zeros((*self.shape[:-count], *spread(output_size, count)), wide.dtype)
    for at, box in _reference_adaptive(count, self, output_size):
        out[(..., *at)] = wide[(..., *box)].mean(tuple(range(-count, 0)))
    return out.astype(self.dtype)


def _reference_adaptive_max(count: int, self: Array, output_size: Any) -> tuple[Array, Array]:
    shape = (*self.shape[:-count], *spread(output_size, count))
    values, indices = np.zeros(shape, self.dtype), np.zeros(shape, np.int64)
    places = np.arange(math.prod(self.shape[-count:])).reshape(self.shape[-count:])
    for at, box in _reference_adaptive(count, self, output_size):
        flat = self[(..., *box)].reshape(*self.shape[:-count], -1)
        best = flat.astype(np.float64).argmax(-1)
        values[(..., *at)] = np.take_along_axis(flat, best[..., None], -1)[..., 0]
        indices[(..., *at)] = places[box].reshape(-1)[best]
    return values, indices


def _adaptive_samples(count: int) -> Iterable[Sample]:
    extents = _SPATIAL[:count]
    yield Sample((floats(2, 3, *extents), [1] * count))
    yield Sample((floats(3, *extents), [3, 4, 2][:count]))
    yield Sample((floats(1, 2, *extents), [7, 3, 5][:count]))
    yield Sample((floats(1, 2, *extents), [9, 8, 7][:count]))
    yield Sample((floats(1, 2, *extents, dtype=DType.bfloat16), [2] * count))


def _adaptive_avg(name: str, count: int, size: str) -> Operator:
    def infer(self: TensorType, output_size: Any) -> TensorType:
        assert self.dtype is not None
        if not self.dtype.is_floating:
            raise not_implemented("adaptive_avg_pool2d", self.dtype)
        return _infer_adaptive(count, self, output_size)

    def lower(cx: LoweringContext, self: Value, output_size: Any) -> Value:
        return _lower_adaptive_avg(count, cx, self, output_size)

    def reference(self: Array, output_size: Any) -> Array:
        return _reference_adaptive_avg(count, self, output_size)

    def samples() -> Iterable[Sample]:
        return _adaptive_samples(count)

    return Operator(
        f"aten::{name}(Tensor self, {size}[{count}] output_size) -> Tensor", infer, lower, reference, samples
    )


def _adaptive_max(count: int) -> Operator:
    def infer(self: TensorType, output_size: Any) -> tuple[TensorType, TensorType]:
        values = _infer_adaptive(count, self, output_size)
        return values, TensorType(DType.int64, values.shape)

    def lower(cx: LoweringContext, self: Value, output_size: Any) -> tuple[Value, Value]:
        return _lower_adaptive_max(count, cx, self, output_size)

    def reference(self: Array, output_size: Any) -> tuple[Array, Array]:
        return _reference_adaptive_max(count, self, output_size)

    def samples() -> Iterable[Sample]:
        return _adaptive_samples(count)

    return Operator(
        f"aten::adaptive_max_pool{count}d(Tensor self, int[{count}] output_size) -> (Tensor, Tensor)",
        infer,
        lower,
        reference,
        samples,
    )


OPERATORS: tuple[Operator, ...] = (
    *_max_operators(1, "[0]", "[1]"),
    *_max_operators(2, "0", "1"),
    *_max_operators(3, "0", "1"),
    Operator(
        "aten::avg_pool1d(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=[0], bool "
        "ceil_mode=False, bool count_include_pad=True) -> Tensor",
        infer_avg1d,
        lower_avg1d,
        reference_avg1d,
        avg1d_samples,
    ),
    _avg_operator(2, "0"),
    _avg_operator(3, "0"),
    _adaptive_avg("adaptive_avg_pool1d", 1, "int"),
    _adaptive_avg("adaptive_avg_pool2d", 2, "SymInt"),
    _adaptive_avg("adaptive_avg_pool3d", 3, "SymInt"),
    _adaptive_avg("_adaptive_avg_pool2d", 2, "SymInt"),
    _adaptive_avg("_adaptive_avg_pool3d", 3, "SymInt"),
    _adaptive_max(1),
    _adaptive_max(2),
    _adaptive_max(3),
)
