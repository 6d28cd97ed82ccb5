"""A tensor at compile time: a numpy array, maybe a view of another one, with PyTorch's bookkeeping and promotion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..ir.dtypes import DType, from_numpy

Array = npt.NDArray[Any]
Number = int | float | complex | bool

DEFAULT_DTYPE: Final = DType.float32


@dataclass(eq=False)
class HostTensor:
    """`array` may be a view: writes through it are seen by every tensor of the same storage, as in PyTorch."""

    array: Array
    requires_grad: bool = False
    is_parameter: bool = False

    @property
    def dtype(self) -> DType:
        dtype = from_numpy(self.array.dtype)
        if dtype is None:
            raise TypeError(f"a tensor cannot have the numpy dtype {self.array.dtype}")
        return dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape


def result_dtype(*operands: HostTensor | Number) -> DType:
    """PyTorch's type promotion: tensors with dimensions count before 0-dim ones, those before Python numbers."""
    groups: tuple[list[DType], list[DType], list[DType]] = ([], [], [])
    for operand in operands:
        if isinstance(operand, HostTensor):
            groups[0 if operand.array.ndim else 1].append(operand.dtype)
        else:
            groups[2].append(number_dtype(operand))
    result: DType | None = None
    for group in groups:
        for dtype in group:
            if result is None or (result in group and dtype.category == result.category):
                result = dtype if result is None else promote(result, dtype)
            elif dtype.category > result.category:
                result = dtype if group is not groups[2] else _default_of(dtype, result)
    assert result is not None
    return result


def _default_of(number: DType, other: DType) -> DType:
    """A Python number raises the category of a tensor to that category's default dtype."""
    if number.is_complex:
        return {DType.float64: DType.complex128, DType.float16: DType.complex32}.get(other, DType.complex64)
    return DEFAULT_DTYPE if number.is_floating else number


def number_dtype(value: Number) -> DType:
    if isinstance(value, bool):
        return DType.bool
    if isinstance(value, int):
        return DType.int64
    return DEFAULT_DTYPE if isinstance(value, float) else DType.complex64


def promote(a: DType, b: DType) -> DType:
    """`torch.promote_types`."""
    if a is b:
        return a
    if a.category != b.category:
        low, high = sorted((a, b), key=lambda d: d.category)
        if high.is_complex and low.itemsize > high.real.itemsize and low.is_floating:
            return DType.complex128 if low is DType.float64 else DType.complex64
        return high
    if {a, b} == {DType.float16, DType.bfloat16}:
        return DType.float32
    if DType.uint8 in (a, b) and DType.int8 in (a, b):
        return DType.int16
    return max((a, b), key=lambda d: (d.itemsize, d.is_signed))


def float_dtype(dtype: DType) -> DType:
    """The dtype in which `sqrt` or a true division of such tensors is computed."""
    return DEFAULT_DTYPE if dtype.category < 2 else dtype


def as_array(value: HostTensor | Number, dtype: DType) -> Array:
    array = value.array if isinstance(value, HostTensor) else np.asarray(value)
    return array.astype(dtype.numpy, copy=False)
