"""Trial inputs that records share, edge cases first: special floats, empty, 0-dim, broadcast, mixed dtypes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ...dtypes import SHORT_NAMES, DType
from ...operator import Sample

Array = npt.NDArray[Any]

NAMES = {name: dtype for name, dtype in SHORT_NAMES.items() if not dtype.is_complex}

NAN, INF = float("nan"), float("inf")

DTYPES: dict[str, np.dtype[Any]] = {"b1": DType.bool.numpy} | {name: dtype.numpy for name, dtype in NAMES.items()}
"""By the short names of `--input x=f32[2,3]`, with `b1` for bool."""


def tensor(values: Any, dtype: str = "f32") -> Array:
    return np.asarray(values, DTYPES[dtype])


def ramp(*shape: int, dtype: str = "f32", low: float = -2.0, step: float = 0.75) -> Array:
    """Distinct moderate values, negative ones first (non-negative for u8; alternating for bool)."""
    count = int(np.prod(shape))
    values = low + step * np.arange(count)
    if dtype == "b1":
        return (np.arange(count) % 3 == 0).reshape(shape)
    if dtype == "u8":
        values = np.abs(values)
    return values.astype(DTYPES[dtype]).reshape(shape)


def positive(*shape: int, dtype: str = "f32", low: float = 0.1, step: float = 0.3) -> Array:
    return ramp(*shape, dtype=dtype, low=low, step=step)


SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.0, 30.0, -30.0, 1e-6, INF, -INF, NAN]


def unary_floats() -> Iterator[Sample]:
    """For functions of one float tensor that are defined everywhere."""
    yield Sample((tensor(SPECIAL),))
    yield Sample((ramp(2, 3),))
    yield Sample((tensor(0.5),))
    yield Sample((ramp(0, 3),))
    for dtype in ("f64", "f16", "bf16"):
        yield Sample((ramp(2, 3, dtype=dtype),))


def unary_numbers() -> Iterator[Sample]:
    """Floats, and integers that give floats."""
    yield from unary_floats()
    for dtype in ("i64", "i32", "u8", "b1"):
        yield Sample((ramp(5, dtype=dtype),))


def unary_reals() -> Iterator[Sample]:
    """Floats and integers without bool, for operators that keep the dtype."""
    yield from unary_floats()
    for dtype in ("i64", "i32", "i16", "i8", "u8"):
        yield Sample((ramp(5, dtype=dtype, low=-3, step=2),))


def unary_any() -> Iterator[Sample]:
    yield from unary_reals()
    yield Sample((ramp(4, dtype="b1"),))


def unary_kinds() -> Iterator[Sample]:
    yield from unary_any()
    for dtype in (np.complex64, np.complex128):
        yield Sample((np.asarray([1 + 2j, complex(INF, 1), complex(1, -INF), complex(NAN, 0), complex(0, NAN), complex(NAN, INF)], dtype),))


def binary_tensors(*dtypes: str, zero: bool = True) -> Iterator[Sample]:
    """Two tensors: broadcast, 0-dim, empty, mixed dtypes. Without `zero`, the second operand has no 0."""
    low = 0.5 if not zero else -1.0
    for dtype in dtypes:
        whole = dtype not in ("f16", "bf16", "f32", "f64")
        second = (
            ramp(3, dtype=dtype, low=1 if not zero else -1, step=1)
            if whole
            else ramp(3, dtype=dtype, low=low, step=1.0)
        )
        yield Sample((ramp(2, 3, dtype=dtype, low=-4, step=2), second))
    first = dtypes[0]
    one = tensor(2, first)
    yield Sample((ramp(2, 1, 3, dtype=first), positive(4, 1, dtype=first, low=1, step=1)))
    yield Sample((ramp(2, 3, dtype=first), one))
    yield Sample((one, positive(3, dtype=first, low=1, step=1)))
    yield Sample((one, tensor(3, first)))
    yield Sample((ramp(0, 3, dtype=first), positive(3, dtype=first, low=1, step=1)))
    yield Sample((ramp(2, 3, dtype=first), positive(2, dtype=first, low=1)), raises="must match the size of tensor b")


def mixed_tensors(zero: bool = True) -> Iterator[Sample]:
    """Dtypes that promotion has to bring together."""
    for x, y in (("i64", "f32"), ("f32", "f64"), ("u8", "i8"), ("i32", "i64"), ("f16", "bf16"), ("i64", "f16")):
        yield Sample((ramp(2, 3, dtype=x, low=-4, step=2), positive(3, dtype=y, low=1 if not zero else 0, step=1)))
    yield Sample((ramp(3, dtype="i32"), tensor(2.5, "f64")))
    yield Sample((ramp(3, dtype="f32"), tensor(3, "i64")))
    yield Sample((ramp(3, dtype="f16"), tensor(2.5, "f64")))


def with_numbers(*numbers: float, dtypes: tuple[str, ...] = ("f32", "i64", "u8", "f16")) -> Iterator[Sample]:
    """A tensor and a Python number."""
    for dtype in dtypes:
        for number in numbers:
            yield Sample((ramp(2, 3, dtype=dtype, low=-4, step=2), number))


def special_pairs(dtype: str = "f32") -> Sample:
    values = tensor([0.0, -0.0, 1.0, -1.5, 2.5, INF, -INF, NAN], dtype)
    return Sample((values[:, None], values))
