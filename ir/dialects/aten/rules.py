"""Rules that records share: type promotion, broadcasting, dimensions; the same code infers and checks references."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ...dtypes import DType, from_numpy
from ...operator import OperatorError, Unknown
from ...script_types import BOOL, FLOAT, INT, TensorType
from .lowering import convert_number

Array = npt.NDArray[Any]
Shape = tuple[int | None, ...]
Operand = TensorType | Unknown | bool | int | float | complex
"""An argument of an `infer` rule that takes part in type promotion."""

DEFAULT_FLOAT = DType.float32
DEFAULT_COMPLEX = DType.complex64

_COMPLEX_OF = {
    DType.float16: DType.complex32,
    DType.bfloat16: DType.complex64,
    DType.float32: DType.complex64,
    DType.float64: DType.complex128,
}


def dtype_of(operand: Operand) -> DType:
    """The dtype of a tensor; of a number the one that a tensor made from it would have."""
    if isinstance(operand, TensorType):
        assert operand.dtype is not None
        return operand.dtype
    kind = operand.type if isinstance(operand, Unknown) else None
    if kind is BOOL or isinstance(operand, bool):
        return DType.bool
    if kind is INT or isinstance(operand, int):
        return DType.int64
    if kind is FLOAT or isinstance(operand, float):
        return DEFAULT_FLOAT
    return DEFAULT_COMPLEX


def shape_of(type: TensorType) -> Shape:
    assert type.shape is not None
    return type.shape


def promote_types(x: DType, y: DType) -> DType:
    """PyTorch's promotion table for two operands of the same kind."""
    if x is y:
        return x
    if (x.is_wide_unsigned or y.is_wide_unsigned) and not (x.is_floating or y.is_floating):
        raise OperatorError(
            "Promotion for uint16, uint32, uint64 types is not supported, attempted to promote "
            f"{x.graph_name} and {y.graph_name}"
        )
    if x.category != y.category:
        low, high = sorted((x, y), key=lambda d: d.category)
        if high.is_complex and low.is_floating:
            return promote_types(high, _COMPLEX_OF[low])
        return high
    if x.is_floating and {x, y} == {DType.float16, DType.bfloat16}:
        return DType.float32
    if DType.uint8 in (x, y):
        other = y if x is DType.uint8 else x
        return DType.int16 if other is DType.int8 else other
    return max(x, y, key=lambda d: (d.real.itemsize, d))


def result_type(*operands: Operand) -> DType:
    """dtype of an operation on tensors, 0-dim tensors and numbers: a lower kind matters only by a higher category."""
    kinds: list[DType | None] = [None, None, None]
    for operand in operands:
        kind = 2 if not isinstance(operand, TensorType) else 0 if operand.rank else 1
        known, dtype = kinds[kind], dtype_of(operand)
        kinds[kind] = dtype if known is None else promote_types(known, dtype)
    result = _combine(kinds[0], _combine(kinds[1], kinds[2]))
    assert result is not None
    return result


def _combine(high: DType | None, low: DType | None) -> DType | None:
    if high is None or low is None:
        return low if high is None else high
    if high.is_floating and low.is_complex:
        return _COMPLEX_OF[high]
    if high.is_floating or high.is_complex:
        return high
    if high is DType.bool or low.category > 1:
        return promote_types(high, low)
    return high


def opmath(dtype: DType) -> DType:
    """Where arithmetic on a dtype is done: 16-bit floats compute in float32."""
    if dtype is DType.complex32:
        return DType.complex64
    return DType.float32 if dtype in (DType.float16, DType.bfloat16) else dtype


def floating(dtype: DType) -> DType:
    """Result dtype of a float function: integers and bool give the default float."""
    return dtype if dtype.category >= 2 else DEFAULT_FLOAT


def not_implemented(kernel: str, dtype: DType) -> OperatorError:
    return OperatorError(f"\"{kernel}\" not implemented for '{dtype.graph_name}'")


def broadcast(*shapes: Shape) -> Shape:
    """Common shape of operands; extents known only at run time are taken to fit (the lowering checks them)."""
    rank = max((len(s) for s in shapes), default=0)
    result: list[int | None] = []
    for axis in range(rank):
        extent: int | None = 1
        for shape in shapes:
            position = axis - (rank - len(shape))
            if position >= 0:
                extent = _common(extent, shape[position], axis)
        result.append(extent)
    return tuple(result)


def _common(x: int | None, y: int | None, axis: int) -> int | None:
    if y in (x, 1):
        return x
    if x == 1:
        return y
    if x is None or y is None:
        return y if x is None else x
    raise OperatorError(
        f"The size of tensor a ({x}) must match the size of tensor b ({y}) at non-singleton dimension {axis}"
    )


def wrap_dim(dim: int, rank: int) -> int:
    """A dimension counted from the end made non-negative; a 0-dim tensor has dimension 0 and -1."""
    span = max(rank, 1)
    if not -span <= dim < span:
        raise OperatorError(f"Dimension out of range (expected to be in range of [{-span}, {span - 1}], but got {dim})")
    return dim % span


def wrap_dims(dims: Sequence[int], rank: int) -> tuple[int, ...]:
    """Distinct non-negative dimensions, in the given order."""
    wrapped = tuple(wrap_dim(d, rank) for d in dims)
    for i, dim in enumerate(wrapped):
        if dim in wrapped[:i]:
            raise OperatorError(f"dim {dim} appears multiple times in the list of dims")
    return wrapped


def like_self(self: TensorType) -> TensorType:
    return TensorType(self.dtype, self.shape)


# references


def operand_of(value: Any) -> Operand:
    """The `infer` view of a reference's argument."""
    return array_type(cast(Array, value)) if is_array(value) else value


def is_array(value: Any) -> bool:
    """A numpy array, or a numpy scalar standing for a 0-dim one."""
    return isinstance(value, np.ndarray | np.generic)


def array_type(array: Array) -> TensorType:
    dtype = from_numpy(array.dtype)
    assert dtype is not None, array.dtype
    return TensorType(dtype, tuple(array.shape))


def cast_array(value: Any, dtype: DType) -> Array:
    """An array or number in `dtype`, converted as `LoweringContext.cast` converts scalars."""
    if not is_array(value):
        if dtype.is_complex:
            return np.asarray(value, dtype.numpy)
        if isinstance(value, complex):
            value = bool(value) if dtype is DType.bool else value.real
        return np.asarray(convert_number(value, dtype), dtype.numpy)
    array: Array = np.asarray(value)
    if array.dtype == dtype.numpy:
        return array
    source = from_numpy(array.dtype)
    assert source is not None
    with np.errstate(all="ignore"):
        if source.is_complex and not dtype.is_complex and dtype is not DType.bool:
            return cast_array(real_part(array), dtype)
        if dtype is DType.bool or dtype.is_complex or source.is_complex:
            return array != 0 if dtype is DType.bool else array.astype(dtype.numpy)
        if not source.is_floating:
            wide = array if opmath(dtype) is dtype else array.astype(np.float32)
            return wide.astype(dtype.numpy)
        if dtype.is_floating:
            wide = array if opmath(dtype) is dtype and opmath(source) is source else array.astype(np.float32)
            return wide.astype(dtype.numpy)
        return _truncate(array.astype(opmath(source).numpy), dtype)


def real_part(array: Array) -> Array:
    """A view, of half-precision numbers too, whose parts numpy does not know; a real array itself."""
    return _halves(array, 0) if array.dtype == DType.complex32.numpy else np.real(array)


def imaginary_part(array: Array) -> Array:
    return _halves(array, 1) if array.dtype == DType.complex32.numpy else np.imag(array)


def _halves(array: Array, part: int) -> Array:
    parts = np.asarray(array)[..., None].view(np.float16)
    return cast(Array, parts[..., part])


def choose(condition: Any, x: Any, y: Any) -> Array:
    """`np.where`, typed."""
    return np.asarray(cast(Array, np.where(condition, x, y)))


def _truncate(array: Array, dtype: DType) -> Array:
    if dtype is DType.uint64:
        high = array >= 2.0**63
        low = _truncate(np.where(high, array - array.dtype.type(2.0**63), array), DType.int64).view(np.uint64)
        return np.where(high, low ^ np.uint64(1 << 63), low)
    wide = np.dtype(np.int64) if dtype in (DType.int64, DType.uint32) else np.dtype(np.int32)
    limit = float(1 << (8 * wide.itemsize - 1))
    fits = (array >= -limit) & (array < limit)
    whole = np.where(fits, np.where(fits, array, 0).astype(wide), np.iinfo(wide).min).astype(wide)
    return whole.astype(dtype.numpy)
