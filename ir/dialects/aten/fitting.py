"""Numbers that a dtype does not hold: PyTorch refuses them where a number fills a tensor or bounds it, and wraps them in arithmetic.

In: a number, or an argument whose number comes at run time, and the dtype. Out: nothing, or PyTorch's error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...core import Value
from ...dtypes import DType
from ...operator import OperatorError
from .. import arith, math
from .elementwise import Types
from .lowering import LoweringContext

_NAMES = {
    DType.float16: "c10::Half", DType.bfloat16: "c10::BFloat16", DType.float32: "float", DType.int32: "int",
    DType.complex64: "c10::complex<float>", DType.complex32: "c10::complex<c10::Half>",
}  # fmt: skip
_LARGEST = {DType.float16: 65504.0, DType.bfloat16: 3.3895313892515355e38, DType.float32: 3.4028234663852886e38}


def require_fitting(value: Any, dtype: DType) -> None:
    """For `infer`: raises if the number is known and does not fit; nothing is said of tensors, None and unknown numbers."""
    if isinstance(value, int | float | complex) and not _fits(value, dtype):
        raise OperatorError(_text(dtype))


def check_fitting(cx: LoweringContext, value: Any, dtype: DType) -> None:
    """For `lower`: the same of a number that comes at run time."""
    if not isinstance(value, Value) or hasattr(value.type, "shape"):
        return
    source = cx.dtype(value)
    if source is DType.bool or source.is_complex or dtype is DType.bool:
        return
    holds = _fits_at_run_time(cx, value, source, dtype)
    if holds is not None:
        cx.check(holds, _text(dtype))


def guarding(*places: int) -> Callable[..., None]:
    """The guard of an elementwise operator whose operands at `places` are numbers of the result's dtype."""

    def guard(cx: LoweringContext, chosen: Types, *operands: Any) -> None:
        for place in places:
            check_fitting(cx, operands[place], chosen.result)

    return guard


def _text(dtype: DType) -> str:
    return f"value cannot be converted to type {_NAMES.get(dtype, f'{dtype.name}_t')} without overflow"


def _largest(dtype: DType) -> float | None:
    """Of the finite numbers of a float or complex dtype; None if it has all that a Python number can be."""
    return _LARGEST.get(dtype.real if dtype.is_complex else dtype)


def _least_whole(dtype: DType) -> int:
    """Negative integers count for unsigned dtypes as those that they wrap to."""
    limits = np.iinfo(dtype.numpy)
    return int(limits.min) if dtype.is_signed else -int(limits.max)


def _fits(value: complex, dtype: DType) -> bool:
    if dtype is DType.bool or isinstance(value, bool):
        return True
    if isinstance(value, complex):
        if not dtype.is_complex:
            return not value.imag and _fits(value.real, dtype)
        return _fits(value.real, dtype.real) and _fits(value.imag, dtype.real)
    if not dtype.is_integral:
        largest = _largest(dtype)
        return largest is None or not largest < abs(value) < float("inf")
    limits = np.iinfo(dtype.numpy)
    least = _least_whole(dtype) if isinstance(value, int) else int(limits.min)
    return bool(least <= value <= int(limits.max))


def _fits_at_run_time(cx: LoweringContext, value: Value, source: DType, dtype: DType) -> Value | None:
    b = cx.b
    if dtype.is_integral and source.is_integral:
        if dtype in (DType.int64, DType.uint64):
            return None
        bounds = (_least_whole(dtype), int(np.iinfo(dtype.numpy).max))
        whole = cx.cast(b, value, source, DType.int64)
        low, high = (arith.constant(b, bound, whole.type) for bound in bounds)
        return arith.andi(b, arith.cmpi(b, "sge", whole, low), arith.cmpi(b, "sle", whole, high))
    number = cx.cast(b, value, source, DType.float64)
    if dtype.is_integral:
        limits = np.iinfo(dtype.numpy)
        low, high = (arith.constant(b, float(bound), number.type) for bound in (limits.min, limits.max))
        return arith.andi(b, arith.cmpf(b, "oge", number, low), arith.cmpf(b, "ole", number, high))
    largest = _largest(dtype)
    if largest is None:
        return None
    size = math.absf(b, number)
    finite = arith.cmpf(b, "ule", size, arith.constant(b, largest, number.type))
    return arith.ori(b, finite, arith.cmpf(b, "oeq", size, arith.constant(b, float("inf"), number.type)))
