"""Random bits and what numbers are made of them, for the records of `random.py` and `random_normal.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...builder import Builder
from ...core import Value
from ...dtypes import DType
from ...types import F32, F64, I32, I64
from .. import arith, rt_random
from .lowering import Extent, LoweringContext

Array = npt.NDArray[Any]


def bits(cx: LoweringContext, dims: Sequence[Extent], *, wide: bool) -> Value:
    """A tensor of random bits: i64 if `wide`, else i32."""
    dims = [cx.extent(d) for d in dims]
    drawn = cx.set_dims(rt_random.bits(cx.b, cx.empty(dims, I64 if wide else I32)), dims)
    return cx.set_dtype(drawn, DType.int64 if wide else DType.int32)


def unit(b: Builder, drawn: Value) -> Value:
    """A number in [0, 1): an f64 of the lower 53 of 64 bits, an f32 of the lower 24 of 32."""
    digits, type = (53, F64) if drawn.type == I64 else (24, F32)
    whole = arith.andi(b, drawn, arith.constant(b, (1 << digits) - 1, drawn.type))
    return arith.mulf(b, arith.sitofp(b, whole, type), arith.constant(b, 2.0**-digits, type))


def units(cx: LoweringContext, dims: Sequence[Extent], dtype: DType) -> Value:
    """A tensor of numbers in [0, 1), of f32 or f64."""
    return cx.pointwise([bits(cx, dims, wide=dtype is DType.float64)], dtype, unit)


def working(dtype: DType) -> DType:
    """The precision in which numbers of a dtype are drawn."""
    return DType.float64 if dtype is DType.float64 else DType.float32


def numpy_of(dtype: DType) -> np.dtype[Any]:
    return np.dtype(dtype.numpy)
