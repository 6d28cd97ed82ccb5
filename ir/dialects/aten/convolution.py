"""Convolutions of any number of spatial dimensions.

One lowering: the input is padded with zeros, then one `linalg.generic` sums over channels and window positions,
reading the input at `output * stride + window * dilation`. Groups are a dimension of their own, split off the channels.
A transposed convolution is the same after spreading the input by its stride and turning the window round, or, without the
zeros between, as many plain convolutions as there are phases (`phases.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product as positions
from typing import Any

import numpy as np

from ...affine import AffineDim, AffineExpr, AffineMap
from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample
from ...script_types import TensorType
from .. import tensor
from ..linalg import PARALLEL, REDUCTION
from .layout import reversed_along, with_dims
from .linear import broadcast_to, contract, multiply_accumulate, rounded
from .lowering import Extent, LoweringContext
from .phases import Phase, phases_of
from .rules import Array, not_implemented, opmath, shape_of
from .shapes import Known, floats, hole_text, integers, size_text, spread, static_ints

# types


def _spatial(input: TensorType, weight: TensorType, transposed: bool = False) -> int:
    """Number of spatial dimensions; the input may lack the batch dimension."""
    count = weight.rank - 2
    if count < 1 or input.rank not in (count + 1, count + 2):
        name = f"conv{'_transpose' if transposed else ''}{count}d"
        raise OperatorError(
            f"Expected {count + 1}D (unbatched) or {count + 2}D (batched) input to {name}, but got input of size: "
            f"{size_text(shape_of(input))}"
        )
    return count


def _check(input: TensorType, weight: TensorType, bias: TensorType | None, groups: int, transposed: bool) -> None:
    if input.dtype is not weight.dtype:
        assert input.dtype is not None and weight.dtype is not None
        raise OperatorError(
            f"Input type ({input.dtype.graph_name}) and weight type ({weight.dtype.graph_name}) should be the same"
        )
    assert input.dtype is not None
    if bias is not None and bias.dtype is not input.dtype:
        assert bias.dtype is not None
        raise OperatorError(f"Input type ({input.dtype.graph_name}) and bias type ({bias.dtype.graph_name}) should be the same")
    if input.dtype is DType.bool:
        raise not_implemented("slow_conv2d_cpu", input.dtype)
    w = shape_of(weight)
    channels = shape_of(input)[-(len(w) - 1)]
    static_ints([groups], "groups of a convolution")
    if groups <= 0:
        raise OperatorError("non-positive groups is not supported")
    wanted = w[0] if transposed else None if w[1] is None else w[1] * groups
    if w[0] is not None and w[0] % groups:
        raise OperatorError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of "
            f"size {size_text(w)} instead"
        )
    if wanted is not None and channels is not None and wanted != channels:
        prefix = "Given transposed=1" if transposed else f"Given groups={groups}"
        raise OperatorError(
            f"{prefix}, weight of size {size_text(w)}, expected input{size_text(shape_of(input))} to have {wanted} "
            f"channels, but got {channels} channels instead"
        )
    outs = w[0] if not transposed else None if w[1] is None else w[1] * groups
    if bias is not None and outs is not None and (bias.rank != 1 or shape_of(bias)[0] not in (None, outs)):
        raise OperatorError(
            f"Given weight of size {size_text(w)}, expected bias to be 1-dimensional with {outs} elements, but got "
            f"bias of size {size_text(shape_of(bias))} instead"
        )


def _lead(input: TensorType, count: int) -> tuple[Known, ...]:
    return shape_of(input)[: input.rank - count - 1]


def infer_convolved(
    input: TensorType,
    weight: TensorType,
    bias: TensorType | None,
    stride: Any,
    low: Sequence[int],
    high: Sequence[int],
    dilation: Any,
    groups: int,
) -> TensorType:
    count = _spatial(input, weight)
    _check(input, weight, bias, groups, transposed=False)
    steps, spread_by = _steps(stride, count, "stride"), _steps(dilation, count, "dilation")
    if any(s <= 0 for s in steps):
        raise OperatorError("non-positive stride is not supported")
    if any(d <= 0 for d in spread_by):
        raise OperatorError("dilation should be greater than zero")
    if any(p < 0 for p in low):
        raise OperatorError("negative padding is not supported")
    w = shape_of(weight)
    sizes: list[Known] = []
    padded = [None if e is None else e + lo + hi for e, lo, hi in zip(shape_of(input)[-count:], low, high, strict=True)]
    windows = [None if k is None else d * (k - 1) + 1 for k, d in zip(w[2:], spread_by, strict=True)]
    if any(p is not None and k is not None and p < k for p, k in zip(padded, windows, strict=True)):
        raise OperatorError(
            f"Calculated padded input size per channel: ({_crossed(padded)}). Kernel size: ({_crossed(windows)}). "
            "Kernel size can't be greater than actual input size"
        )
    for p, k, s in zip(padded, windows, steps, strict=True):
        sizes.append(None if p is None or k is None else (p - k) // s + 1)
    return TensorType(input.dtype, (*_lead(input, count), w[0], *sizes))


def _crossed(sizes: Sequence[Known]) -> str:
    return " x ".join("?" if s is None else str(s) for s in sizes)


def infer_transposed(
    input: TensorType,
    weight: TensorType,
    bias: TensorType | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> TensorType:
    count = _spatial(input, weight, transposed=True)
    _check(input, weight, bias, groups, transposed=True)
    w = shape_of(weight)
    sizes: list[Known] = []
    names = ("stride", "padding", "output padding", "dilation")
    lists = [_steps(v, count, n) for n, v in zip(names, (stride, padding, output_padding, dilation), strict=True)]
    for e, k, s, p, o, d in zip(shape_of(input)[-count:], w[2:], *lists, strict=True):
        if o >= s and o >= d:
            raise OperatorError("output padding must be smaller than either stride or dilation")
        sizes.append(None if e is None or k is None else (e - 1) * s - 2 * p + d * (k - 1) + o + 1)
    channels = None if w[1] is None else w[1] * groups
    return TensorType(input.dtype, (*_lead(input, count), channels, *sizes))


def infer_conv(
    input: TensorType,
    weight: TensorType,
    bias: TensorType | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> TensorType:
    count = _spatial(input, weight)
    pads = _steps(padding, count, "padding")
    return infer_convolved(input, weight, bias, stride, pads, pads, dilation, groups)


def _check_named(padding: str, stride: Sequence[int]) -> None:
    if padding not in ("valid", "same"):
        raise OperatorError(f"Invalid padding string: '{padding}'")
    if padding == "same" and any(s != 1 for s in stride):
        raise OperatorError("padding='same' is not supported for strided convolutions")


def _steps(values: Any, count: int, what: str) -> list[int]:
    return static_ints(spread(values, count), f"{what} of a convolution")


def infer_conv_named(
    input: TensorType,
    weight: TensorType,
    bias: TensorType | None,
    stride: Any,
    padding: str,
    dilation: Any,
    groups: int,
) -> TensorType:
    count = _spatial(input, weight)
    _check_named(padding, _steps(stride, count, "stride"))
    if padding == "same":
        _check(input, weight, bias, groups, transposed=False)
        return TensorType(input.dtype, (*_lead(input, count), shape_of(weight)[0], *shape_of(input)[-count:]))
    return infer_convolved(input, weight, bias, stride, [0] * count, [0] * count, dilation, groups)


def infer_convolution(
    input: TensorType,
    weight: TensorType,
    bias: TensorType | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> TensorType:
    if transposed:
        return infer_transposed(input, weight, bias, stride, padding, output_padding, groups, dilation)
    return infer_conv(input, weight, bias, stride, padding, dilation, groups)


# lowering


def lower_convolved(
    cx: LoweringContext,
    input: Value,
    weight: Value,
    bias: Value | None,
    stride: Any,
    low: Sequence[Extent],
    high: Sequence[Extent],
    dilation: Any,
    groups: int,
) -> Value:
    count = cx.rank(weight) - 2
    steps, gaps = _steps(stride, count, "stride"), _steps(dilation, count, "dilation")
    batched = cx.rank(input) == count + 2
    value = input if batched else cx.with_unit_dims(input, [0])
    dims, window = cx.dims(value), cx.dims(weight)
    channels = cx.mul(window[1], groups)
    given = f"Given groups={groups}, weight of size [{hole_text(len(window))}], expected input[{hole_text(len(dims))}]"
    cx.check(
        cx.compare("eq", dims[1], channels),
        f"{given} to have {{}} channels, but got {{}} channels instead",
        [*window, *dims, channels, dims[1]],
    )
    padded = padded_with(cx, value, low, high, 0)
    sizes = window_count(cx, cx.dims(padded)[2:], window[2:], steps, gaps)
    if not all(isinstance(s, int) for s in sizes):
        for e, k, d in zip(cx.dims(padded)[2:], window[2:], gaps, strict=True):
            reach = cx.add(cx.mul(cx.sub(k, 1), d), 1)
            cx.check(
                cx.compare("ge", e, reach),
                "Calculated padded input size per channel: ({}). Kernel size: ({}). Kernel size can't be greater "
                "than actual input size",
                [e, reach],
            )
    dtype = cx.result_dtype()
    start = _start(cx, bias, [dims[0], window[0], *sizes], opmath(dtype))
    is_product = groups == 1 and all(k == 1 for k in window[2:]) and all(s == 1 for s in steps)
    result = (
        _as_product(cx, padded, weight, start)
        if is_product
        else _contract_windows(cx, padded, weight, start, steps, gaps, groups)
    )
    return _finish(cx, result, dtype, batched)


def _finish(cx: LoweringContext, result: Value, dtype: DType, batched: bool) -> Value:
    result = rounded(cx, result, dtype)
    return result if batched else without_batch(cx, result)


def without_batch(cx: LoweringContext, value: Value) -> Value:
    """Drops the leading dimension, of extent 1."""
    dims = cx.dims(value)
    rank = len(dims)
    zeros, ones = [0] * rank, [1] * rank
    result = tensor.extract_slice(cx.b, value, zeros, [1, *dims[1:]], ones, dropped=[0])
    return cx.set_dtype(cx.set_dims(result, dims[1:]), cx.dtype(value))


def padded_with(
    cx: LoweringContext, value: Value, low: Sequence[Extent], high: Sequence[Extent], number: float
) -> Value:
    """Spatial dimensions (all but two) widened on both sides."""
    if all(p == 0 for p in (*low, *high)):
        return value
    lead = cx.rank(value) - len(low)
    dtype = cx.dtype(value)
    befores, afters = [*([0] * lead), *low], [*([0] * lead), *high]
    fill = cx.constant(number, dtype.element)
    return cx.set_dtype(tensor.pad(cx.b, value, befores, afters, fill), dtype)


def window_count(
    cx: LoweringContext, extents: Sequence[Extent], window: Sequence[Extent], steps: Sequence[int], gaps: Sequence[int]
) -> list[Extent]:
    """How many windows fit into each (padded) extent."""
    counts: list[Extent] = []
    for e, k, s, d in zip(extents, window, steps, gaps, strict=True):
        reach = cx.mul(cx.sub(k, 1), d)
        counts.append(cx.add(cx.floordiv(cx.sub(cx.sub(e, reach), 1), s), 1))
    return counts


def _start(cx: LoweringContext, bias: Value | None, dims: Sequence[Extent], wide: DType) -> Value:
    """What the sums start from: the bias of each channel (dimension 1), or zero."""
    if bias is None:
        return cx.fill(dims, wide.element, 0)
    spatial = len(dims) - 2
    return broadcast_to(cx, cx.with_unit_dims(bias, range(1, spatial + 1)), dims, wide)


def _as_product(cx: LoweringContext, value: Value, weight: Value, start: Value) -> Value:
    """A window of one element: a product of matrices, whose columns are positions."""
    count = cx.rank(value) - 2
    parts = [[0], list(range(1, count + 2))]
    matrix = cx.set_dtype(tensor.collapse_shape(cx.b, weight, parts), cx.dtype(weight))
    spatial = [f"s{i}" for i in range(count)]
    return contract(cx, [matrix, value], [["o", "c"], ["n", "c", *spatial]], ["n", "o", *spatial], start)


def collapse_from(cx: LoweringContext, value: Value, first: int) -> Value:
    """Dimensions from `first` on as one."""
    rank = cx.rank(value)
    if rank - first == 1:
        return value
    groups = [*([i] for i in range(first)), list(range(first, rank))]
    return cx.set_dtype(tensor.collapse_shape(cx.b, value, groups), cx.dtype(value))


def expand_last(cx: LoweringContext, value: Value, dims: Sequence[Extent]) -> Value:
    """The last dimension split so that the extents are `dims`."""
    rank = cx.rank(value)
    if len(dims) == rank:
        return value
    groups = [*([i] for i in range(rank - 1)), list(range(rank - 1, len(dims)))]
    result = tensor.expand_shape(cx.b, value, groups, dims)
    return cx.set_dtype(cx.set_dims(result, dims), cx.dtype(value))


def split_channels(cx: LoweringContext, value: Value, axis: int, groups: int) -> Value:
    """Dimension `axis` as two: group, and channel within it."""
    dims = cx.dims(value)
    sizes = [*dims[:axis], groups, cx.floordiv(dims[axis], groups), *dims[axis + 1 :]]
    parts = [[i] if i < axis else [i, i + 1] if i == axis else [i + 1] for i in range(len(dims))]
    result = tensor.expand_shape(cx.b, value, parts, sizes)
    return cx.set_dtype(cx.set_dims(result, sizes), cx.dtype(value))


def join_channels(cx: LoweringContext, value: Value, axis: int) -> Value:
    rank = cx.rank(value)
    parts = [*([i] for i in range(axis)), [axis, axis + 1], *([i] for i in range(axis + 2, rank))]
    return cx.set_dtype(tensor.collapse_shape(cx.b, value, parts), cx.dtype(value))


def _contract_windows(
    cx: LoweringContext,
    value: Value,
    weight: Value,
    start: Value,
    steps: Sequence[int],
    gaps: Sequence[int],
    groups: int,
    transposed: bool = False,
) -> Value:
    """Iterators: n, group, channel of the group out, positions, channel of the group in, window."""
    count = len(steps)
    channels = cx.dim(weight, 0 if transposed else 1)
    depthwise = groups > 1 and not transposed and channels == 1 and cx.dim(weight, 0) == groups
    if depthwise:
        return _contract_depthwise(cx, value, weight, start, steps, gaps)
    grouped = groups > 1
    if grouped:
        value = split_channels(cx, value, 1, groups)
        start = split_channels(cx, start, 1, groups)
        weight = split_channels(cx, weight, 0, groups)
    names = [
        "n",
        *(["g"] if grouped else []),
        "o",
        *(f"s{i}" for i in range(count)),
        "c",
        *(f"k{i}" for i in range(count)),
    ]
    place = {name: AffineDim(i) for i, name in enumerate(names)}
    group: list[AffineExpr] = [place["g"]] if grouped else []
    read = [place[f"s{i}"] * steps[i] + place[f"k{i}"] * gaps[i] for i in range(count)]
    window: list[AffineExpr] = [place[f"k{i}"] for i in range(count)]
    factors = [place["c"], place["o"]] if transposed else [place["o"], place["c"]]
    maps = [
        AffineMap(len(names), (place["n"], *group, place["c"], *read)),
        AffineMap(len(names), (*group, *factors, *window)),
    ]
    iterators = [REDUCTION if n[0] in "ck" else PARALLEL for n in names]
    dtype = cx.dtype(value)
    dims = cx.dims(start)
    result = cx.generic(
        [value, weight], maps, dims, opmath(dtype).element, iterators, multiply_accumulate(cx, dtype), init=start
    )
    cx.set_dtype(result, opmath(dtype))
    return join_channels(cx, result, 1) if grouped else result


def _contract_depthwise(
    cx: LoweringContext, value: Value, weight: Value, start: Value, steps: Sequence[int], gaps: Sequence[int]
) -> Value:
    """Every channel by itself: iterators n, channel, positions, window."""
    count = len(steps)
    total = 2 + 2 * count
    window = [AffineDim(2 + count + i) for i in range(count)]
    read = [AffineDim(2 + i) * steps[i] + window[i] * gaps[i] for i in range(count)]
    maps = [AffineMap(total, (AffineDim(0), AffineDim(1), *read)), AffineMap(total, (AffineDim(1), *window))]
    flat = join_channels(cx, weight, 0)
    iterators = [PARALLEL] * (2 + count) + [REDUCTION] * count
    dtype = cx.dtype(value)
    result = cx.generic(
        [value, flat],
        maps,
        cx.dims(start),
        opmath(dtype).element,
        iterators,
        multiply_accumulate(cx, dtype),
        init=start,
    )
    return cx.set_dtype(result, opmath(dtype))


def lower_transposed(
    cx: LoweringContext,
    input: Value,
    weight: Value,
    bias: Value | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Value:
    count = cx.rank(weight) - 2
    steps, gaps = _steps(stride, count, "stride"), _steps(dilation, count, "dilation")
    pads, extra = _steps(padding, count, "padding"), _steps(output_padding, count, "output padding")
    batched = cx.rank(input) == count + 2
    value = input if batched else cx.with_unit_dims(input, [0])
    dims, factors = cx.dims(value), cx.dims(weight)
    window = factors[2:]
    given = f"Given transposed=1, weight of size [{hole_text(len(factors))}], expected input[{hole_text(len(dims))}]"
    cx.check(
        cx.compare("eq", dims[1], factors[0]),
        f"{given} to have {{}} channels, but got {{}} channels instead",
        [*factors, *dims, factors[0], dims[1]],
    )
    reach = [cx.mul(cx.sub(k, 1), d) for k, d in zip(window, gaps, strict=True)]
    low = [cx.sub(r, p) for r, p in zip(reach, pads, strict=True)]
    high = [cx.add(cx.sub(r, p), o) for r, p, o in zip(reach, pads, extra, strict=True)]
    axes = phases_of(dims[2:], window, steps, gaps, pads, extra)
    if axes is not None:
        return _finish(cx, _in_phases(cx, value, weight, bias, axes, groups), cx.result_dtype(), batched)
    ready = spread_out(cx, value, steps, low, high)
    turned = reversed_along(cx, weight, [i + 2 for i, k in enumerate(window) if k != 1])
    sizes = window_count(cx, cx.dims(ready)[2:], window, [1] * count, gaps)
    dtype = cx.result_dtype()
    start = _start(cx, bias, [cx.dim(value, 0), cx.mul(cx.dim(weight, 1), groups), *sizes], opmath(dtype))
    result = _contract_windows(cx, ready, turned, start, [1] * count, gaps, groups, transposed=True)
    return _finish(cx, result, dtype, batched)


def _in_phases(
    cx: LoweringContext,
    value: Value,
    weight: Value,
    bias: Value | None,
    axes: Sequence[tuple[int, list[Phase]]],
    groups: int,
) -> Value:
    """A transposed convolution as plain ones, as many as its steps multiply to, whose results are interleaved."""
    wide = opmath(cx.result_dtype())
    lead = [cx.dim(value, 0), cx.mul(cx.dim(weight, 1), groups)]
    steps = [step for step, _ in axes]
    extents = [sum(p.count for p in phases) for _, phases in axes]
    dims = [*lead, *extents]
    every = list(positions(*(phases for _, phases in axes)))
    is_covered = all(p.taps for phases in every for p in phases)
    result = cx.set_dtype(cx.empty(dims, wide.element), wide) if is_covered else _start(cx, bias, dims, wide)
    for phases in every:
        if not all(p.taps for p in phases):
            continue
        sizes = [p.taps for p in phases]
        taps = tensor.extract_slice(
            cx.b,
            weight,
            [0, 0, *(p.tap for p in phases)],
            [*cx.dims(weight)[:2], *sizes],
            [1, 1, *(p.tap_step for p in phases)],
        )
        taps = with_dims(cx, taps, weight, [*cx.dims(weight)[:2], *sizes])
        taps = reversed_along(cx, taps, [i + 2 for i, k in enumerate(sizes) if k != 1])
        ready = spread_out(cx, value, [1] * len(axes), [p.low for p in phases], [p.high for p in phases])
        counts = [p.count for p in phases]
        start = _start(cx, bias, [*lead, *counts], wide)
        part = _contract_windows(
            cx, ready, taps, start, [1] * len(axes), [p.gap for p in phases], groups, transposed=True
        )
        first = [p.first for p in phases]
        put = tensor.insert_slice(cx.b, part, result, [0, 0, *first], [*lead, *counts], [1, 1, *steps])
        result = with_dims(cx, put, part, dims)
    return result


def spread_out(
    cx: LoweringContext, value: Value, steps: Sequence[int], low: Sequence[Extent], high: Sequence[Extent]
) -> Value:
    """Zeros between elements (`steps` apart) and around them; a negative border cuts elements off."""
    certain = all(isinstance(p, int) and p >= 0 for p in (*low, *high))
    if certain and all(s == 1 for s in steps):
        return padded_with(cx, value, low, high, 0)
    dims, dtype = cx.dims(value), cx.dtype(value)
    before, after = [cx.max(p, 0) for p in low], [cx.max(p, 0) for p in high]
    gapped = [cx.max(cx.add(cx.mul(cx.sub(e, 1), s), 1), 0) for e, s in zip(dims[2:], steps, strict=True)]
    wide = [*dims[:2], *(cx.add(cx.add(g, b), a) for g, b, a in zip(gapped, before, after, strict=True))]
    blank = cx.fill(wide, dtype.element, 0)
    value = with_dims(cx, tensor.insert_slice(cx.b, value, blank, [0, 0, *before], dims, [1, 1, *steps]), value, wide)
    if certain:
        return value
    offsets = [cx.sub(b, p) for b, p in zip(before, low, strict=True)]
    cuts = [cx.sub(a, p) for a, p in zip(after, high, strict=True)]
    sizes = [*dims[:2], *(cx.sub(cx.sub(w, o), c) for w, o, c in zip(wide[2:], offsets, cuts, strict=True))]
    return with_dims(cx, tensor.extract_slice(cx.b, value, [0, 0, *offsets], sizes, [1] * len(dims)), value, sizes)


def lower_conv(
    cx: LoweringContext,
    input: Value,
    weight: Value,
    bias: Value | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Value:
    pads = _steps(padding, cx.rank(weight) - 2, "padding")
    return lower_convolved(cx, input, weight, bias, stride, pads, pads, dilation, groups)


def lower_conv_named(
    cx: LoweringContext,
    input: Value,
    weight: Value,
    bias: Value | None,
    stride: Any,
    padding: str,
    dilation: Any,
    groups: int,
) -> Value:
    count = cx.rank(weight) - 2
    low: list[Extent] = [0] * count
    high: list[Extent] = [0] * count
    if padding == "same":
        totals = [
            cx.mul(cx.sub(k, 1), d)
            for k, d in zip(cx.dims(weight)[2:], _steps(dilation, count, "dilation"), strict=True)
        ]
        low = [cx.floordiv(t, 2) for t in totals]
        high = [cx.sub(t, lo) for t, lo in zip(totals, low, strict=True)]
    return lower_convolved(cx, input, weight, bias, stride, low, high, dilation, groups)


def lower_convolution(
    cx: LoweringContext,
    input: Value,
    weight: Value,
    bias: Value | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Value:
    if transposed:
        return lower_transposed(cx, input, weight, bias, stride, padding, output_padding, groups, dilation)
    return lower_conv(cx, input, weight, bias, stride, padding, dilation, groups)


# references


def _wide(array: Array) -> Array:
    return array.astype(np.float32) if array.dtype.itemsize == 2 and array.dtype.kind not in "iu" else array


def reference_convolved(
    input: Array,
    weight: Array,
    bias: Array | None,
    stride: Any,
    low: Sequence[int],
    high: Sequence[int],
    dilation: Any,
    groups: int,
) -> Array:
    count = weight.ndim - 2
    steps, gaps = spread(stride, count), spread(dilation, count)
    x = _wide(input if input.ndim == count + 2 else input[None])
    w = _wide(weight)
    x = np.pad(x, [(0, 0), (0, 0), *zip(low, high, strict=True)])
    sizes = [(e - d * (k - 1) - 1) // s + 1 for e, k, s, d in zip(x.shape[2:], w.shape[2:], steps, gaps, strict=True)]
    x = x.reshape(x.shape[0], groups, -1, *x.shape[2:])
    w = w.reshape(groups, -1, *w.shape[1:])
    out = np.zeros((x.shape[0], groups, w.shape[1], *sizes), x.dtype)
    for window in positions(*(range(k) for k in w.shape[3:])):
        box = tuple(
            slice(k * d, k * d + (n - 1) * s + 1, s) for k, d, n, s in zip(window, gaps, sizes, steps, strict=True)
        )
        out += np.einsum("ngc...,goc->ngo...", x[(slice(None),) * 3 + box], w[(slice(None),) * 3 + window])
    return _reference_finish(out, bias, input, count)


def _reference_finish(out: Array, bias: Array | None, input: Array, count: int) -> Array:
    out = out.reshape(out.shape[0], -1, *out.shape[3:])
    if bias is not None:
        out = out + _wide(bias).reshape(-1, *([1] * count))
    return (out if input.ndim == count + 2 else out[0]).astype(input.dtype)


def reference_transposed(
    input: Array,
    weight: Array,
    bias: Array | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Array:
    count = weight.ndim - 2
    steps, gaps, pads, extra = (spread(v, count) for v in (stride, dilation, padding, output_padding))
    x = _wide(input if input.ndim == count + 2 else input[None])
    w = _wide(weight)
    extents = x.shape[2:]
    sizes = [
        (e - 1) * s + d * (k - 1) + 1 + o
        for e, k, s, d, o in zip(extents, w.shape[2:], steps, gaps, extra, strict=True)
    ]
    x = x.reshape(x.shape[0], groups, -1, *extents)
    w = w.reshape(groups, -1, *w.shape[1:])
    out = np.zeros((x.shape[0], groups, w.shape[2], *sizes), x.dtype)
    for window in positions(*(range(k) for k in w.shape[3:])):
        box = tuple(
            slice(k * d, k * d + (n - 1) * s + 1, s) for k, d, n, s in zip(window, gaps, extents, steps, strict=True)
        )
        out[(slice(None),) * 3 + box] += np.einsum("ngc...,gco->ngo...", x, w[(slice(None),) * 3 + window])
    cut = tuple(slice(p, n - p) for p, n in zip(pads, sizes, strict=True))
    return _reference_finish(out[(slice(None),) * 3 + cut], bias, input, count)


def reference_conv(
    input: Array, weight: Array, bias: Array | None, stride: Any, padding: Any, dilation: Any, groups: int
) -> Array:
    pads = spread(padding, weight.ndim - 2)
    return reference_convolved(input, weight, bias, stride, pads, pads, dilation, groups)


def reference_conv_named(
    input: Array, weight: Array, bias: Array | None, stride: Any, padding: str, dilation: Any, groups: int
) -> Array:
    count = weight.ndim - 2
    _check_named(padding, spread(stride, count))
    totals = [
        d * (k - 1) if padding == "same" else 0 for k, d in zip(weight.shape[2:], spread(dilation, count), strict=True)
    ]
    low, high = [t // 2 for t in totals], [t - t // 2 for t in totals]
    return reference_convolved(input, weight, bias, stride, low, high, dilation, groups)


def reference_convolution(
    input: Array,
    weight: Array,
    bias: Array | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Array:
    if transposed:
        return reference_transposed(input, weight, bias, stride, padding, output_padding, groups, dilation)
    return reference_conv(input, weight, bias, stride, padding, dilation, groups)


# samples


def conv1d_samples() -> Iterable[Sample]:
    yield Sample((floats(2, 3, 8), floats(4, 3, 3), floats(4)))
    yield Sample((floats(3, 8), floats(4, 3, 3)), {"padding": [2], "stride": [2]})
    yield Sample((floats(2, 4, 8), floats(6, 2, 3), floats(6)), {"groups": 2, "dilation": [2]})


def conv2d_samples() -> Iterable[Sample]:
    yield Sample((floats(2, 3, 6, 7), floats(4, 3, 3, 2), floats(4)))
    yield Sample(
        (floats(2, 3, 6, 7), floats(4, 3, 3, 3), floats(4)), {"stride": [2, 1], "padding": [1, 2], "dilation": [1, 2]}
    )
    yield Sample((floats(3, 6, 7), floats(4, 3, 1, 1)))
    yield Sample((floats(2, 4, 5, 5), floats(4, 1, 3, 3), floats(4)), {"groups": 4, "padding": [1, 1]})
    yield Sample((floats(1, 4, 5, 5), floats(8, 1, 3, 3)), {"groups": 4})
    yield Sample((floats(1, 4, 5, 5), floats(6, 2, 2, 2), floats(6)), {"groups": 2, "stride": [2, 2]})
    for dtype in (DType.float64, DType.bfloat16, DType.float16):
        yield Sample(
            (floats(1, 3, 4, 4, dtype=dtype), floats(2, 3, 3, 3, dtype=dtype), floats(2, dtype=dtype)),
            {"padding": [1, 1]},
        )
    yield Sample((integers(-3, 4, 1, 2, 4, 4), integers(-3, 4, 2, 2, 3, 3)))
    yield Sample(
        (floats(1, 2, 3, 3), floats(1, 3, 1, 1)),
        raises="Given groups=1, weight of size [1, 3, 1, 1], expected input[1, 2, 3, 3] to have 3 channels,"
        " but got 2 channels instead",
    )
    yield Sample((floats(1, 2, 2, 2), floats(1, 2, 3, 3)), raises="Kernel size can't be greater than actual input size")


def conv3d_samples() -> Iterable[Sample]:
    yield Sample((floats(1, 2, 4, 5, 4), floats(3, 2, 2, 3, 2), floats(3)), {"padding": [1, 0, 1], "stride": [1, 2, 1]})


def _named(rank: int) -> Iterable[Sample]:
    spatial = [5, 6, 4][:rank]
    yield Sample((floats(1, 2, *spatial), floats(3, 2, *[3, 2, 2][:rank]), floats(3)), {"padding": "same"})
    yield Sample((floats(1, 2, *spatial), floats(3, 2, *[3, 2, 2][:rank])), {"padding": "valid", "stride": [2] * rank})


def conv1d_named_samples() -> Iterable[Sample]:
    return _named(1)


def conv2d_named_samples() -> Iterable[Sample]:
    return _named(2)


def conv3d_named_samples() -> Iterable[Sample]:
    return _named(3)


def transpose1d_samples() -> Iterable[Sample]:
    yield Sample((floats(2, 3, 5), floats(3, 4, 3), floats(4)))
    yield Sample(
        (floats(3, 5), floats(3, 2, 4)),
        {"stride": [3], "padding": [1], "output_padding": [2], "groups": 1, "dilation": [2]},
    )


def transpose2d_samples() -> Iterable[Sample]:
    yield Sample((floats(1, 3, 4, 5), floats(3, 2, 3, 2), floats(2)), {"stride": [2, 1]})
    yield Sample(
        (floats(1, 4, 4, 5), floats(4, 3, 3, 3)),
        {"stride": [2, 2], "padding": [1, 1], "output_padding": [1, 0], "groups": 2},
    )
    yield Sample((floats(1, 2, 3, 3), floats(2, 2, 1, 1)), {"padding": [1, 1]})
    yield Sample(
        (floats(1, 2, 3, 3, dtype=DType.bfloat16), floats(2, 1, 2, 2, dtype=DType.bfloat16)),
        {"groups": 2, "stride": [2, 2]},
    )


def transpose3d_samples() -> Iterable[Sample]:
    yield Sample((floats(1, 2, 3, 2, 3), floats(2, 2, 2, 2, 2)), {"stride": [2, 1, 2]})


def convolution_samples() -> Iterable[Sample]:
    yield Sample((floats(1, 2, 5, 5), floats(3, 2, 3, 3), floats(3), [1, 1], [1, 1], [1, 1], False, [0, 0], 1))
    yield Sample((floats(1, 3, 4, 5), floats(3, 2, 3, 2), None, [2, 1], [0, 1], [1, 1], True, [1, 0], 1))


def older_convolution_samples() -> Iterable[Sample]:
    for s in convolution_samples():
        yield Sample((*s.args, False, False, True))


def old_convolution_samples() -> Iterable[Sample]:
    for s in convolution_samples():
        yield Sample((*s.args, False, False, True, True))


def mode_samples() -> Iterable[Sample]:
    yield Sample((floats(2, 4, 6, 5), floats(6, 2, 4, 3), floats(6), [1, 1], "same", [1, 2], 2))
    yield Sample((floats(2, 3, 7), floats(2, 3, 2), None, [2], "valid", [1], 1))
    yield Sample((floats(1, 2, 3, 4, 3), floats(3, 2, 2, 1, 3), None, [1, 1, 1], "same", [1, 1, 1], 1))


def infer_old(
    input: TensorType,
    weight: TensorType,
    bias: TensorType | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
    benchmark: Any,
    deterministic: Any,
    cudnn_enabled: Any,
    allow_tf32: Any = None,
) -> TensorType:
    """The last four only choose among PyTorch's kernels."""
    del benchmark, deterministic, cudnn_enabled, allow_tf32
    return infer_convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups)


def lower_old(
    cx: LoweringContext,
    input: Value,
    weight: Value,
    bias: Value | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
    benchmark: Any,
    deterministic: Any,
    cudnn_enabled: Any,
    allow_tf32: Any = None,
) -> Value:
    del benchmark, deterministic, cudnn_enabled, allow_tf32
    return lower_convolution(cx, input, weight, bias, stride, padding, dilation, transposed, output_padding, groups)


def reference_old(
    input: Array,
    weight: Array,
    bias: Array | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
    benchmark: Any,
    deterministic: Any,
    cudnn_enabled: Any,
    allow_tf32: Any = None,
) -> Array:
    del benchmark, deterministic, cudnn_enabled, allow_tf32
    return reference_convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups)


def _conv(n: int, ones: str, zeros: str, samples: Any, named: Any) -> tuple[Operator, ...]:
    head = f"aten::conv{n}d"
    tensors = "(Tensor input, Tensor weight, Tensor? bias=None"
    return (
        Operator(
            f"{head}{tensors}, SymInt[{n}] stride={ones}, SymInt[{n}] padding={zeros}, SymInt[{n}] dilation={ones}, "
            "SymInt groups=1) -> Tensor",
            infer_conv,
            lower_conv,
            reference_conv,
            samples,
        ),
        Operator(
            f'{head}.padding{tensors}, SymInt[{n}] stride={ones}, str padding="valid", SymInt[{n}] dilation={ones}, '
            "SymInt groups=1) -> Tensor",
            infer_conv_named,
            lower_conv_named,
            reference_conv_named,
            named,
        ),
    )


def _transpose(n: int, overload: str, ones: str, zeros: str, samples: Any) -> Operator:
    return Operator(
        f"aten::conv_transpose{n}d{overload}(Tensor input, Tensor weight, Tensor? bias=None, SymInt[{n}] "
        f"stride={ones}, SymInt[{n}] padding={zeros},"
        f" SymInt[{n}] output_padding={zeros}, SymInt groups=1, SymInt[{n}] dilation={ones}) -> Tensor",
        infer_transposed,
        lower_transposed,
        reference_transposed,
        samples,
    )


OPERATORS: tuple[Operator, ...] = (
    *_conv(1, "[1]", "[0]", conv1d_samples, conv1d_named_samples),
    *_conv(2, "[1, 1]", "[0, 0]", conv2d_samples, conv2d_named_samples),
    *_conv(3, "[1, 1, 1]", "[0, 0, 0]", conv3d_samples, conv3d_named_samples),
    _transpose(1, "", "[1]", "[0]", transpose1d_samples),
    _transpose(2, ".input", "[1, 1]", "[0, 0]", transpose2d_samples),
    _transpose(3, ".input", "[1, 1, 1]", "[0, 0, 0]", transpose3d_samples),
    Operator(
        "aten::convolution(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, SymInt[] padding, SymInt[] "
        "dilation, bool transposed,"
        " SymInt[] output_padding, SymInt groups) -> Tensor",
        infer_convolution,
        lower_convolution,
        reference_convolution,
        convolution_samples,
    ),
    Operator(
        "aten::_convolution_mode(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, str padding, SymInt[] "
        "dilation, SymInt groups) -> Tensor",
        infer_conv_named,
        lower_conv_named,
        reference_conv_named,
        mode_samples,
    ),
    Operator(
        "aten::_convolution(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, SymInt[] padding, SymInt[] "
        "dilation, bool transposed,"
        " SymInt[] output_padding, SymInt groups, bool benchmark, bool deterministic, bool cudnn_enabled, bool "
        "allow_tf32) -> Tensor",
        infer_old,
        lower_old,
        reference_old,
        old_convolution_samples,
    ),
    Operator(
        "aten::_convolution.deprecated(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, SymInt[] padding, "
        "SymInt[] dilation, bool transposed,"
        " int[] output_padding, SymInt groups, bool benchmark, bool deterministic, bool cudnn_enabled) -> Tensor",
        infer_old,
        lower_old,
        reference_old,
        older_convolution_samples,
    ),
)
