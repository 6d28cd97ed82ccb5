"""What records of shape-changing operators share: lists of sizes, extents that may be unknown, arrays for samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from ...core import Value
from ...dtypes import DType
from ...operator import NotConstant, Unknown
from ...script_types import TensorType
from .lowering import Extent, LoweringContext
from .rules import Array

Size = int | Unknown
"""An element of an `int[]` argument in an `infer` rule."""

Known = int | None
"""An extent in an `infer` rule: None where only run time tells."""

Sizes = Sequence[Size]


def known(size: Size) -> Known:
    return None if isinstance(size, Unknown) else int(size)


def with_shape(type: TensorType, shape: Sequence[Known]) -> TensorType:
    """The same dtype in another shape."""
    return TensorType(type.dtype, tuple(shape))


def differ(x: Known, y: Known) -> bool:
    """Whether two extents are known to be unequal."""
    return x is not None and y is not None and x != y


def as_list(values: Any) -> list[Any]:
    """An argument that is a number or a list, as a list."""
    return list(cast(Sequence[Any], values)) if isinstance(values, list | tuple) else [values]


def spread(values: Any, count: int) -> list[Any]:
    """An `int[N]` argument in full: one number stands for all."""
    given = as_list(values)
    return given * count if len(given) == 1 else given


def static_ints(values: Sequence[Size], what: str) -> list[int]:
    if any(isinstance(v, Unknown | Value) for v in values):
        raise NotConstant(what)
    return [int(cast(int, v)) for v in values]


def product(extents: Sequence[Known]) -> Known:
    """Of all; 0 as soon as one extent is 0, None where one is unknown."""
    if 0 in extents:
        return 0
    result = 1
    for e in extents:
        if e is None:
            return None
        result *= e
    return result


def size_text(shape: Sequence[Known]) -> str:
    """As PyTorch prints sizes: `[2, 3]`."""
    return f"[{', '.join('?' if e is None else str(e) for e in shape)}]"


def hole_text(count: int, separator: str = ", ") -> str:
    """Holes for a list of run-time sizes in a message."""
    return separator.join(["{}"] * count)


def refined(cx: LoweringContext, dims: Sequence[Extent], index: int = 0) -> list[Extent]:
    """Extents of a result: the inferred ones where inference knows them."""
    shape = cx.result_type(index).shape
    assert shape is not None
    return [d if e is None else e for d, e in zip(dims, shape, strict=True)]


def floats(*shape: int, dtype: DType = DType.float32, seed: int = 0) -> Array:
    """Normally distributed numbers."""
    return np.random.default_rng(seed + sum(shape)).standard_normal(shape).astype(np.float32).astype(dtype.numpy)


def integers(low: int, high: int, *shape: int, dtype: DType = DType.int64, seed: int = 0) -> Array:
    """Numbers in low ... high - 1."""
    return np.random.default_rng(seed + sum(shape)).integers(low, high, shape).astype(dtype.numpy)


def counting(*shape: int, dtype: DType = DType.float32) -> Array:
    """0, 1, 2, ... : every element tells where it came from."""
    return np.arange(int(np.prod(shape))).reshape(shape).astype(dtype.numpy)
