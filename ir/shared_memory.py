"""Tensors of a module that lie among one another: views of one memory, as buffers of an archive may be.

In: arrays. Out: which of them lie in one piece of memory (by the bytes from their first element to their last), that piece as an
array, and copies of which those share memory that did before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def address(array: Array) -> int:
    return cast(int, array.__array_interface__["data"][0])


def bounds(array: Array) -> tuple[int, int]:
    """The address of the first byte, and of the one behind the last."""
    low = high = address(array)
    for extent, stride in zip(array.shape, array.strides, strict=True):
        low, high = low + min(0, (extent - 1) * stride), high + max(0, (extent - 1) * stride)
    return low, high + array.itemsize


def place(array: Array) -> tuple[Any, ...]:
    """Equal for tensors of the same elements in the same shape."""
    strides = tuple(s for n, s in zip(array.shape, array.strides, strict=True) if n != 1)
    return address(array), array.shape, strides, array.dtype


def pieces(arrays: Sequence[Array]) -> list[tuple[int, int, list[int]]]:
    """Memory that several of the arrays lie in: first byte, the one behind the last, and the numbers of the arrays, in order."""
    found: list[tuple[int, int, list[int]]] = []
    spans = sorted((*bounds(a), i) for i, a in enumerate(arrays) if a.size)
    for low, high, number in spans:
        if found and low < found[-1][1]:
            start, end, members = found[-1]
            found[-1] = start, max(end, high), [*members, number]
        else:
            found.append((low, high, [number]))
    return [(low, high, sorted(members)) for low, high, members in found if len(members) > 1]


class _Bytes:
    """Memory that lives as long as an array in it."""

    def __init__(self, start: int, count: int, keep: Array) -> None:
        self._keep = keep
        read_only = not keep.flags.writeable
        self.__array_interface__ = {"data": (start, read_only), "shape": (count,), "typestr": "|u1", "version": 3}


def memory(first: Array, start: int, count: int) -> Array:
    """`count` bytes from the address `start` on, in which `first` lies: as an array over the same memory."""
    return np.asarray(cast("Any", _Bytes(start, count, first)))


def elements(first: Array, offset: int, count: int) -> Array:
    """The `count` elements of the piece of memory in which `first` is at element `offset`."""
    return memory(first, address(first) - offset * first.itemsize, count * first.itemsize).view(first.dtype)


def copied(arrays: Sequence[Array]) -> list[Array]:
    """Copies that may be written to; those of arrays that share memory share memory, and of one place there is one."""
    found: dict[int, Array] = {}
    for low, high, members in pieces(arrays):
        fresh = np.array(memory(arrays[members[0]], low, high - low))
        made: dict[Any, Array] = {}
        for number in members:
            array = arrays[number]
            offset = address(array) - low
            key = place(array)
            if key not in made:
                made[key] = np.ndarray(array.shape, array.dtype, fresh, offset, array.strides)
            found[number] = made[key]
    return [found[i] if i in found else np.array(array) for i, array in enumerate(arrays)]
