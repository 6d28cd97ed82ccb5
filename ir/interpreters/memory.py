"""Buffers of the interpreter: a MemRef is a strided window on a one-dimensional numpy array, as a descriptor is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..diagnostics import InternalError

Array = npt.NDArray[Any]


def as_strided(array: Array, shape: Sequence[int], strides: Sequence[int], writeable: bool = True) -> Array:
    """numpy's, which does not take half-precision complex numbers."""
    if array.dtype.name != "complex32":
        return np.lib.stride_tricks.as_strided(array, shape, strides, writeable=writeable)
    return np.lib.stride_tricks.as_strided(array.view(np.int32), shape, strides, writeable=writeable).view(array.dtype)


class MemRef:
    """`array[i, j]` is `buffer[offset + i * strides[0] + j * strides[1]]`; strides count elements."""

    __slots__ = ("array", "buffer", "offset", "sizes", "strides")

    def __init__(self, buffer: Array, offset: int, sizes: Sequence[int], strides: Sequence[int]) -> None:
        self.buffer = buffer
        self.offset = offset
        self.sizes = tuple(sizes)
        self.strides = tuple(strides)
        if all(self.sizes):
            reach = [(n - 1) * s for n, s in zip(self.sizes, self.strides, strict=True)]
            low, high = offset + sum(min(r, 0) for r in reach), offset + sum(max(r, 0) for r in reach)
            if low < 0 or high >= buffer.size:
                raise InternalError(f"a view of elements {low} to {high} leaves its buffer of {buffer.size} elements")
            steps = [s * buffer.itemsize for s in self.strides]
            self.array: Array = as_strided(buffer[offset:], self.sizes, steps, writeable=buffer.flags.writeable)
        else:
            self.array = np.empty(self.sizes, buffer.dtype)

    @staticmethod
    def contiguous(array: Array) -> MemRef:
        """The buffer of an array; the array itself where it is contiguous, so writes are seen."""
        flat = np.ascontiguousarray(array).reshape(-1)
        return MemRef(flat, 0, array.shape, row_major(array.shape))

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.buffer.dtype

    def index(self, indices: Sequence[Any]) -> tuple[Any, ...]:
        """Indices (numbers, or arrays of them) after the bounds check."""
        if len(indices) != len(self.sizes):
            raise InternalError(f"{len(indices)} indices into a buffer of shape {list(self.sizes)}")
        for i, n in zip(indices, self.sizes, strict=True):
            if not (0 <= i < n if np.ndim(i) == 0 else inside(i, n)):
                raise InternalError(f"index {_shown(indices)} is outside of a buffer of shape {list(self.sizes)}")
        return tuple(indices)


def inside(indices: Array, extent: int) -> bool:
    """Whether all indices are legal."""
    return indices.size == 0 or bool(indices.min() >= 0 and indices.max() < extent)


def _shown(indices: Sequence[Any]) -> list[Any]:
    return [int(i) if np.ndim(i) == 0 else f"{np.min(i)}..{np.max(i)}" for i in indices]


def row_major(sizes: Sequence[int]) -> tuple[int, ...]:
    strides: list[int] = []
    step = 1
    for n in reversed(sizes):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))
