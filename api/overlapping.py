"""Attributes of a module whose tensors are views of one memory: how they are given to compiled code.

In: the tensors of the attributes that are inputs. Out: for each that lies among others its `PartSpec`, and what tells two such
states apart. What is compiled takes the memory, as one parameter (`Parameter.part`), and makes the views itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from ..ir.attributes import Constant
from ..ir.dtypes import DType
from ..ir.shared_memory import address, pieces, place
from ..ir.signature import PartSpec


def lying(constant: Constant) -> npt.NDArray[Any]:
    """The tensor as it lies in memory that others may share."""
    return constant.array if constant.strided is None else constant.strided


def is_regular(array: npt.NDArray[Any]) -> bool:
    """Whether PyTorch has tensors that lie so."""
    return all(s >= 0 and s % array.itemsize == 0 for s in array.strides)


class Overlapping:
    """Which of these tensors are views of one memory."""

    def __init__(self, constants: Sequence[Constant]) -> None:
        self._arrays = list({id(c.array): lying(c) for c in constants}.values())
        numbers = list({id(c.array): None for c in constants})
        self._pieces = pieces(self._arrays)
        self._of = {numbers[i]: k for k, (_, _, members) in enumerate(self._pieces) for i in members}
        self._first: dict[Any, int] = {}
        for _, _, members in self._pieces:
            for i in members:
                self._first.setdefault(place(self._arrays[i]), numbers[i])
        self._begun: dict[int, int] = {}

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def layout(self) -> Any:
        """Equal for tensors that overlap in the same way."""
        found = [(i, address(self._arrays[i]) - low, self._arrays[i].strides) for low, _, m in self._pieces for i in m]
        return tuple(found), tuple(a.strides for a in self._arrays if not a.flags.c_contiguous)

    def identity(self, constant: Constant) -> int:
        """Tensors of one place are one."""
        own = id(constant.array)
        return self._first.get(place(lying(constant)), own) if own in self._of else own

    def holds_any(self, constants: Sequence[Constant]) -> bool:
        return bool(self._of) and any(id(c.array) in self._of for c in constants)

    def part(self, constant: Constant, dtype: DType) -> PartSpec | None:
        """None for a tensor that overlaps no other one, or ones of other dtypes."""
        number = self._of.get(id(constant.array))
        if number is None:
            return None
        array, (low, high, members) = lying(constant), self._pieces[number]
        inside = [self._arrays[i] for i in members]
        if not are_parts(inside) or len({place(a) for a in inside}) == 1:
            return None
        size = array.itemsize
        length = None if number in self._begun else (high - low) // size
        whole = self._begun.setdefault(number, len(self._begun))
        return PartSpec(dtype, array.shape, tuple(s // size for s in array.strides), (address(array) - low) // size, whole, length)


def are_parts(arrays: Sequence[npt.NDArray[Any]]) -> bool:
    """Whether tensors that overlap can be parts of one memory: elements of one dtype, in places that are multiples of its size."""
    first = arrays[0]
    return all(
        a.dtype == first.dtype and is_regular(a) and (address(a) - address(first)) % first.itemsize == 0 for a in arrays
    )
