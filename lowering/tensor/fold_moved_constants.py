"""Constants whose elements are only moved become other constants: turned, permuted, sliced weights, merged dimensions.

In: the `linalg` stage. Out: the same; a contraction whose weights were turned round (transposed convolutions) or cut (one
phase of them) reads a constant again, which is packed at compile time and lets images lie with their channels last.

    %t = generic (d0, d1) -> (d1, -d0 + 3) %constant        =>      %t = arith.constant dense_resource<...>

Nothing grows: broadcasts stay.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from ...ir.affine import AffineMap
from ...ir.attributes import Constant, DenseAttr
from ...ir.builder import Builder
from ...ir.core import Operation, Value, functions
from ...ir.dialects import arith, linalg
from ...ir.dialects.tensor import tensor_type
from ..effects import erase_unused
from ..indexing import dropped_dims, slice_parameters


@dataclass(frozen=True)
class FoldMovedConstants:
    name: str = "fold-moved-constants"

    def apply(self, module: Operation) -> Operation:
        made = 0
        for function in functions(module):
            before = made
            for op in list(function.walk()):
                made += _fold(op, made)
            if made > before:
                erase_unused(function)
        return module


def _fold(op: Operation, number: int) -> bool:
    """Whether it was; `number` makes the name of the constant its own."""
    rule = _RULES.get(op.name)
    source = _constant(op.operand(0)) if rule is not None and op.operands else None
    if rule is None or source is None:
        return False
    array = rule(op, source.array)
    if array is None or array.size > source.array.size:
        return False
    constant = Constant(f"{source.name}_moved{number}", np.ascontiguousarray(array))
    op.replace_with([arith.dense(Builder.before(op), DenseAttr(constant, tensor_type(op.result)))])
    return True


def _constant(value: Value) -> Constant | None:
    op = value.defining_op("arith.constant")
    attribute = None if op is None else op.attributes["value"]
    return attribute.value if isinstance(attribute, DenseAttr) and isinstance(attribute.value, Constant) else None


def _moved(op: Operation, array: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    """What an operation gives that yields the elements of its only input, in another order."""
    if len(op.operands) != 2 or len(op.results) != 1 or set(linalg.iterator_types(op)) - {linalg.PARALLEL}:
        return None
    body = op.body()
    read, written = linalg.indexing_maps(op)
    shape = tensor_type(op.result).shape
    if body.terminator.operand(0) is not body.args[0] or len(list(body.operations())) != 1 or None in shape:
        return None
    sizes = cast("tuple[int, ...]", shape)
    if written != AffineMap.identity(len(sizes)) or math.prod(sizes) > array.size:
        return None
    if tensor_type(op.result).element != tensor_type(op.operand(0)).element:
        return None
    grids: list[Any] = list(np.meshgrid(*(np.arange(s) for s in sizes), indexing="ij", sparse=True))
    return np.broadcast_to(array[read.evaluate(grids)], sizes)


def _sliced(op: Operation, array: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    offsets, sizes, strides = slice_parameters(op)
    box: list[slice] = []
    for offset, size, stride in zip(offsets, sizes, strides, strict=True):
        if not (isinstance(offset, int) and isinstance(size, int) and isinstance(stride, int)) or size == 0:
            return None
        box.append(slice(offset, offset + (size - 1) * stride + 1, stride))
    shape = tensor_type(op.result).shape
    found = array[tuple(box)]
    dropped = dropped_dims(shape, sizes)
    return found.reshape([e for i, e in enumerate(found.shape) if i not in dropped])


def _collapsed(op: Operation, array: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    """The weights of a 1x1 convolution as a matrix. (Dimensions that are added are seen through where that matters.)"""
    shape = tensor_type(op.result).shape
    return None if None in shape else array.reshape(cast("tuple[int, ...]", shape))


_RULES: Final[dict[str, Callable[[Operation, npt.NDArray[Any]], npt.NDArray[Any] | None]]] = {
    "linalg.generic": _moved,
    "tensor.extract_slice": _sliced,
    "tensor.collapse_shape": _collapsed,
}
