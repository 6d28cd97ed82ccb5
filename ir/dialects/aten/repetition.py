"""Operators that repeat or turn round elements: expand, repeat, flip, roll.

Value semantics here; the references return numpy views, so that the interpreter of the `torch` stage keeps PyTorch's
aliasing. Writing back through a view stands in `view_writes.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ...affine import AffineDim, AffineExpr, AffineMap
from ...core import Value
from ...operator import Operator, OperatorError, Sample, Unknown
from ...script_types import INT, TensorType
from ..linalg import PARALLEL
from .layout import (
    expanded,
    itself,
    joined,
    reshaped,
    reversed_along,
    same,
    slice_of,
    with_dims,
)
from .lowering import Extent, LoweringContext
from .rules import Array, shape_of, wrap_dim, wrap_dims
from .shapes import (
    Known,
    Sizes,
    as_list,
    counting,
    floats,
    known,
    product,
    refined,
    size_text,
    static_ints,
    with_shape,
)


def _not_expandable(
    wanted: Known, extent: Known, dim: int, target: Sequence[Known], shape: Sequence[Known]
) -> OperatorError:
    return OperatorError(
        f"The expanded size of the tensor ({wanted}) must match the existing size ({extent}) at non-singleton "
        f"dimension {dim}."
        f"  Target sizes: {size_text(target)}.  Tensor sizes: {size_text(shape)}"
    )


def infer_expanded(self: TensorType, sizes: Sizes) -> TensorType:
    shape = shape_of(self)
    wanted = [known(s) for s in sizes]
    missing = len(wanted) - len(shape)
    if missing < 0:
        raise OperatorError(
            f"expand({size_text(shape)}, size={size_text(wanted)}): the number of sizes provided ({len(wanted)}) "
            "must be greater or equal"
            f" to the number of dimensions in the tensor ({len(shape)})"
        )
    result: list[Known] = []
    for i, w in enumerate(wanted):
        extent = shape[i - missing] if i >= missing else 1
        if w == -1:
            if i < missing:
                raise OperatorError(
                    f"expand({size_text(shape)}, size={size_text(wanted)}): the expanded size of the tensor ({w}) "
                    f"isn't allowed in a leading, non-existing dimension {i}"
                )
            result.append(extent)
        elif w is not None and extent is not None and extent not in (1, w):
            raise _not_expandable(w, extent, i, wanted, shape)
        else:
            result.append(w)
    return with_shape(self, result)


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
            cx.check(
                fits,
                f"The expanded size of the tensor ({{}}) must match the existing size ({{}}) at non-singleton "
                f"dimension {i}.",
                [wanted, old],
            )
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
    for shape, size in (
        ((3, 1), [3, 4]),
        ((3, 1), [2, 3, 4]),
        ((3, 1), [-1, 2]),
        ((), [2, 3]),
        ((2, 3), [2, 3]),
        ((1,), [0]),
        ((3,), [1, 1, 3]),
    ):
        yield Sample((counting(*shape), size))
    yield Sample(
        (counting(2), [4]),
        raises="The expanded size of the tensor (4) must match the existing size (2) at non-singleton dimension 0",
    )


def infer_expand_as(self: TensorType, other: TensorType) -> TensorType:
    return infer_expanded(self, [Unknown(INT) if e is None else e for e in shape_of(other)])


def lower_expand_as(cx: LoweringContext, self: Value, other: Value) -> Value:
    return _lower_expanded(cx, self, cx.dims(other))


def reference_expand_as(self: Array, other: Array) -> Array:
    return _reference_expanded(self, other.shape)


def expand_as_samples() -> Iterable[Sample]:
    yield Sample((counting(3, 1), floats(2, 3, 4)))
    yield Sample(
        (counting(2), floats(3)),
        raises="The expanded size of the tensor (3) must match the existing size (2) at non-singleton dimension 0",
    )


def infer_repeat(self: TensorType, repeats: Sizes) -> TensorType:
    shape = shape_of(self)
    if len(repeats) < len(shape):
        raise OperatorError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor"
        )
    full = [*([1] * (len(repeats) - len(shape))), *shape]
    if any((known(r) or 0) < 0 for r in repeats):
        raise OperatorError("Trying to create tensor with negative dimension")
    return with_shape(self, [product([e, known(r)]) for e, r in zip(full, repeats, strict=True)])


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
    copied = cx.generic([self], maps, wide, cx.dtype(self).element, [PARALLEL] * len(wide), itself)
    return reshaped(cx, with_dims(cx, copied, self, wide), [cx.mul(e, c) for e, c in zip(full, counts, strict=True)])


def reference_repeat(self: Array, repeats: Sequence[int]) -> Array:
    return np.tile(self, repeats).copy()


def repeat_samples() -> Iterable[Sample]:
    for repeats in ([2, 1], [2, 3], [2, 1, 3], [1, 1], [0, 1]):
        yield Sample((counting(2, 3), repeats))
    yield Sample((counting(), [2]))
    yield Sample(
        (counting(2, 3), [2]),
        raises="Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor",
    )


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
    amounts = as_list(shifts)
    axes = static_ints(as_list(dims), "dims")
    if not amounts:
        raise OperatorError("`shifts` required")
    if axes and not rank and len(axes) == len(amounts):
        raise OperatorError("Dimension specified as 0 but tensor has no dimensions")
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


OPERATORS: tuple[Operator, ...] = (
    Operator(
        "aten::expand(Tensor(a) self, SymInt[] size, *, bool implicit=False) -> Tensor(a)",
        infer_expand,
        lower_expand,
        reference_expand,
        expand_samples,
    ),
    Operator(
        "aten::broadcast_to(Tensor(a) self, SymInt[] size) -> Tensor(a)",
        infer_broadcast_to,
        lower_broadcast_to,
        reference_broadcast_to,
        expand_samples,
    ),
    Operator(
        "aten::expand_as(Tensor(a) self, Tensor other) -> Tensor(a)",
        infer_expand_as,
        lower_expand_as,
        reference_expand_as,
        expand_as_samples,
    ),
    Operator(
        "aten::repeat(Tensor self, SymInt[] repeats) -> Tensor",
        infer_repeat,
        lower_repeat,
        reference_repeat,
        repeat_samples,
    ),
    Operator("aten::flip(Tensor self, int[] dims) -> Tensor", infer_flip, lower_flip, reference_flip, flip_samples),
    Operator(
        "aten::roll(Tensor self, SymInt[1] shifts, int[1] dims=[]) -> Tensor",
        infer_roll,
        lower_roll,
        reference_roll,
        roll_samples,
    ),
)
