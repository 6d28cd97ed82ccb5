"""Operators that put tensors together: cat and stack, and padding with a constant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np

from ...core import Value
from ...dtypes import DType
from ...operator import Operator, OperatorError, Sample
from ...script_types import TensorType
from .. import tensor
from .fitting import check_fitting, require_fitting
from .layout import joined, slice_of, with_dims
from .lowering import Extent, LoweringContext, Number
from .rules import Array, array_type, cast_array, dtype_of, result_type, shape_of, wrap_dim
from .shapes import Known, Size, counting, floats, integers, known, size_text, static_ints


def _kept(shapes: Sequence[Sequence[Known]]) -> list[int]:
    """Which operands cat puts together: it ignores empty vectors, whatever the rank of the others.

    A vector of unknown extent between tensors of higher rank has to be empty, which is checked at run time.
    """
    rank = max(map(len, shapes))
    return [i for i, s in enumerate(shapes) if tuple(s) != (0,) and not (tuple(s) == (None,) and rank > 1)]


def infer_cat(tensors: Sequence[TensorType], dim: int) -> TensorType:
    if not tensors:
        raise OperatorError("torch.cat(): expected a non-empty list of Tensors")
    if any(t.rank == 0 for t in tensors):
        place = next(i for i, t in enumerate(tensors) if t.rank == 0)
        raise OperatorError(f"zero-dimensional tensor (at position {place}) cannot be concatenated")
    dtype = result_type(*tensors)
    kept = [(i, shape_of(tensors[i])) for i in _kept([shape_of(t) for t in tensors])]
    if not kept:
        return TensorType(dtype, (0,))
    first = kept[0][1]
    axis = wrap_dim(static_ints([dim], "a dimension")[0], len(first))
    result = list(first)
    total: Known = 0
    for number, shape in kept:
        if len(shape) != len(first):
            raise OperatorError(f"Tensors must have same number of dimensions: got {len(first)} and {len(shape)}")
        for i, extent in enumerate(shape):
            if i == axis:
                total = None if total is None or extent is None else total + extent
            elif result[i] is None:
                result[i] = extent
            elif extent is not None and extent != result[i]:
                raise OperatorError(_mismatch(axis, result[i], extent, number))
    result[axis] = total
    return TensorType(dtype, tuple(result))


def _mismatch(axis: int, expected: Any, extent: Any, number: int) -> str:
    return (
        f"Sizes of tensors must match except in dimension {axis}. Expected size {expected} but got size {extent}"
        f" for tensor number {number} in the list."
    )


def lower_cat(cx: LoweringContext, tensors: Sequence[Value], dim: int) -> Value:
    places = _kept([cx.shape(t) for t in tensors])
    kept = [(i, tensors[i]) for i in places]
    for i, value in enumerate(tensors):
        if i not in places:
            cx.check(cx.compare("eq", cx.dim(value, 0), 0), "Tensors must have same number of dimensions")
    dtype = cx.result_dtype()
    if not kept:
        return cx.cast_tensor(tensors[0], dtype)
    axis = wrap_dim(dim, cx.rank(kept[0][1]))
    for number, value in kept[1:]:
        for i, (expected, extent) in enumerate(zip(cx.dims(kept[0][1]), cx.dims(value), strict=True)):
            if i != axis:
                cx.check(cx.compare("eq", expected, extent), _mismatch(axis, "{}", "{}", number), [expected, extent])
    return joined(cx, [cx.cast_tensor(t, dtype) for _, t in kept], axis)


def reference_cat(tensors: Sequence[Array], dim: int) -> Array:
    dtype = result_type(*(array_type(t) for t in tensors))
    kept = [cast_array(tensors[i], dtype) for i in _kept([t.shape for t in tensors])]
    return np.concatenate(kept, wrap_dim(dim, kept[0].ndim)) if kept else cast_array(tensors[0], dtype)


def cat_samples() -> Iterable[Sample]:
    yield Sample(([counting(2, 3), floats(4, 3)], 0))
    yield Sample(([counting(2, 3), floats(2, 1), floats(2, 2)], -1))
    yield Sample(([counting(2, 3)],))
    yield Sample(([floats(0), counting(2, 3)], 1))
    yield Sample(([integers(0, 5, 2), floats(3)],))
    yield Sample(([counting(2, 0), counting(2, 3)], 1))
    yield Sample(([counting(2, 3), counting(3, 3)], 1), raises=_mismatch(1, 2, 3, 1))
    yield Sample(([],), raises="expected a non-empty list of Tensors")


def infer_stack(tensors: Sequence[TensorType], dim: int) -> TensorType:
    if not tensors:
        raise OperatorError("stack expects a non-empty TensorList")
    first = list(shape_of(tensors[0]))
    axis = wrap_dim(static_ints([dim], "a dimension")[0], len(first) + 1)
    for number, other in enumerate(tensors):
        shape = shape_of(other)
        if len(shape) != len(first) or any(
            e is not None and f is not None and e != f for e, f in zip(shape, first, strict=True)
        ):
            raise OperatorError(
                f"stack expects each tensor to be equal size, but got {size_text(first)} at entry 0 and "
                f"{size_text(shape)} at entry {number}"
            )
        first = [e if f is None else f for e, f in zip(shape, first, strict=True)]
    return TensorType(result_type(*tensors), (*first[:axis], len(tensors), *first[axis:]))


def lower_stack(cx: LoweringContext, tensors: Sequence[Value], dim: int) -> Value:
    dtype = cx.result_dtype()
    dims = cx.dims(tensors[0])
    axis = wrap_dim(dim, len(dims) + 1)
    holes = ", ".join(["{}"] * len(dims))
    for number, value in enumerate(tensors[1:], 1):
        given = cx.dims(value)
        fits = cx.all_of(*(cx.compare("eq", d, g) for d, g in zip(dims, given, strict=True)))
        cx.check(
            fits,
            f"stack expects each tensor to be equal size, but got [{holes}] at entry 0 and [{holes}] at entry {number}",
            [*dims, *given],
        )
    return joined(cx, [cx.with_unit_dims(cx.cast_tensor(t, dtype), [axis]) for t in tensors], axis)


def reference_stack(tensors: Sequence[Array], dim: int) -> Array:
    dtype = result_type(*(array_type(t) for t in tensors))
    return np.stack([cast_array(t, dtype) for t in tensors], wrap_dim(dim, tensors[0].ndim + 1))


def stack_samples() -> Iterable[Sample]:
    for dim in (0, 1, -1):
        yield Sample(([counting(2, 3), floats(2, 3)], dim))
    yield Sample(([counting(), floats()],))
    yield Sample(
        ([counting(2, 3), counting(3, 3)],),
        raises="stack expects each tensor to be equal size, but got [2, 3] at entry 0 and [3, 3] at entry 1",
    )


# constant padding


def _borders(rank: int, pad: Sequence[Any]) -> list[tuple[Any, Any]]:
    """(before, after) of each dimension; `pad` lists them from the last dimension on."""
    if len(pad) % 2:
        raise OperatorError(f"Length of pad must be even but instead it equals {len(pad)}")
    if len(pad) > 2 * rank:
        raise OperatorError(
            "Length of pad should be no more than twice the number of dimensions of the input. Pad length is "
            f"{len(pad)} while the input has {rank} dimensions."
        )
    pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
    return [*([(0, 0)] * (rank - len(pairs))), *reversed(pairs)]


def infer_constant_pad(self: TensorType, pad: Sequence[Size], value: Any) -> TensorType:
    require_fitting(value, dtype_of(self))
    shape: list[Known] = []
    for extent, (before, after) in zip(shape_of(self), _borders(self.rank, pad), strict=True):
        low, high = known(before), known(after)
        size = None if extent is None or low is None or high is None else extent + low + high
        if size is not None and size < 0:
            raise OperatorError("narrow(): length must be non-negative.")
        shape.append(extent if (low, high) == (0, 0) else size)
    return TensorType(self.dtype, tuple(shape))


def lower_constant_pad(cx: LoweringContext, self: Value, pad: Sequence[Extent], value: Number) -> Value:
    borders = [(cx.extent(b), cx.extent(a)) for b, a in _borders(cx.rank(self), pad)]
    result = self
    for axis, (before, after) in enumerate(borders):
        result = _cropped(cx, result, axis, before, after)
    low = [cx.max(b, 0) for b, _ in borders]
    high = [cx.max(a, 0) for _, a in borders]
    if all(p == 0 for p in (*low, *high)):
        return result
    dims = [cx.add(cx.add(d, b), a) for d, b, a in zip(cx.dims(result), low, high, strict=True)]
    check_fitting(cx, value, cx.dtype(self))
    padded = tensor.pad(cx.b, result, low, high, cx.number(value, cx.dtype(self)))
    return with_dims(cx, padded, self, dims)


def _cropped(cx: LoweringContext, value: Value, axis: int, before: Extent, after: Extent) -> Value:
    """Negative borders cut elements off."""
    if all(isinstance(p, int) and p >= 0 for p in (before, after)):
        return value
    extent = cx.dim(value, axis)
    start = cx.max(cx.sub(0, before), 0)
    length = cx.sub(cx.sub(extent, start), cx.max(cx.sub(0, after), 0))
    cx.check(cx.compare("ge", length, 0), "narrow(): length must be non-negative.")
    return slice_of(cx, value, axis, start, length)


def reference_constant_pad(self: Array, pad: Sequence[int], value: Any) -> Array:
    borders = _borders(self.ndim, pad)
    inner = tuple(slice(max(-b, 0), n - max(-a, 0)) for n, (b, a) in zip(self.shape, borders, strict=True))
    fill = cast_array(value, cast(DType, array_type(self).dtype))
    return np.pad(self[inner], [(max(b, 0), max(a, 0)) for b, a in borders], constant_values=fill)


def constant_pad_samples() -> Iterable[Sample]:
    yield Sample((floats(2, 3), [1, 2]))
    yield Sample((floats(2, 3), [1, 2, 0, 1], 3.5))
    yield Sample((floats(2, 3), [-1, 2], 1))
    yield Sample((integers(0, 5, 2, 3), [0, 0, -1, 0], 2))
    yield Sample((floats(2, 3), []))
    yield Sample((floats(2, 3), [-2, -2]), raises="narrow(): length must be non-negative.")


OPERATORS: tuple[Operator, ...] = (
    Operator("aten::cat(Tensor[] tensors, int dim=0) -> Tensor", infer_cat, lower_cat, reference_cat, cat_samples),
    Operator(
        "aten::stack(Tensor[] tensors, int dim=0) -> Tensor", infer_stack, lower_stack, reference_stack, stack_samples
    ),
    Operator(
        "aten::constant_pad_nd(Tensor self, SymInt[] pad, Scalar value=0) -> Tensor",
        infer_constant_pad,
        lower_constant_pad,
        reference_constant_pad,
        constant_pad_samples,
    ),
)
