"""Sums of products of bytes, several of which one instruction adds up in each lane.

In: the nest of a contraction that reads bytes (extended to 32 bits in its body) and has constant weights. Out: the same nest with
fewer, wider steps: one step of the last reduction dimension takes `step` neighbours at once, the left operand's as it lies in
memory, the constant's side by side in a number of 32 bits (`packed`). Tiles, panels and schedules see elements of 32 bits.

    acc + extui(x[m, k]) * extsi(w[k, n])      =>      vpdpbusd(acc, x[m, 4 k .. 4 k + 3], packed[k, n])
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from ...ir.affine import AffineDim, AffineMap
from ...ir.builder import Builder
from ...ir.core import Value
from ...ir.dialects import arith, linalg, llvm, vector
from ...ir.target import Target
from ...ir.types import I8, I16, I32, VectorType
from .nest import Access, Nest, is_unit_along
from .vector_body import product_of

_EXTENSIONS: Final = ("arith.extsi", "arith.extui")


@dataclass(frozen=True)
class Dot:
    """How the products of one step are added up."""

    step: int
    """Elements of the reduction in one step: 4 bytes, or 2 numbers of 16 bits."""
    left_is_signed: bool
    right_is_signed: bool

    def left(self, b: Builder, access: Access, where: list[Value], lanes: int) -> Value:
        """The neighbours of one step, in every lane."""
        loaded = vector.load(b, access.buffer, where, VectorType((self.step,), I8))
        if self.step == 2:
            extend = arith.extsi if self.left_is_signed else arith.extui
            loaded = extend(b, loaded, VectorType((2,), I16))
        return vector.broadcast(b, vector.bitcast(b, loaded, VectorType((1,), I32)), VectorType((lanes,), I32))

    def add(self, b: Builder, sums: Value, left: Value, right: Value) -> Value:
        lanes = vector.vector_type(sums).shape[0]
        parts = VectorType((lanes * self.step,), I8 if self.step == 4 else I16)
        operands = [vector.bitcast(b, v, parts) for v in (left, right)]
        if self.step == 4:
            return llvm.call_intrinsic(b, llvm.BYTE_DOTS[lanes], [sums, *operands], sums.type)
        return arith.addi(b, sums, llvm.call_intrinsic(b, llvm.WORD_DOTS[lanes], operands, sums.type))

    def packed(self, panels: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
        """Panels of bytes [..., steps of one, columns] as [..., steps of several, columns]."""
        *lead, steps, columns = panels.shape
        numbers = panels if self.step == 4 else panels.view(np.int8 if self.right_is_signed else np.uint8).astype(np.int16)
        apart = np.moveaxis(numbers.reshape(*lead, steps // self.step, self.step, columns), -2, -1)
        return np.ascontiguousarray(apart).view(np.int32)[..., 0]


def dot_of(nest: Nest, left: int, target: Target) -> Dot | None:
    """How a merged nest, whose other operand is constant, adds up its products several at a time; None where it cannot."""
    product = product_of(nest)
    lanes = target.lanes(I32)
    reductions = nest.of_kind(linalg.REDUCTION)
    if product is None or nest.outputs[0].type.element != I32 or lanes not in llvm.WORD_DOTS or not reductions:
        return None
    factors = [v.defining_op() for v in product.product.operands]
    signs: dict[Value, bool] = {}
    for factor in factors:
        if factor is None or factor.name not in _EXTENSIONS or factor.operand(0).type != I8:
            return None
        signs[factor.operand(0)] = factor.name == "arith.extsi"
    if len(list(nest.body.operations())) != 5 or set(signs) != set(nest.body.args[:2]):
        return None
    left_is_signed, right_is_signed = (signs[nest.body.args[i]] for i in (left, 1 - left))
    bytes_fit = target.byte_dots and not left_is_signed and right_is_signed
    if not bytes_fit and not target.word_dots:
        return None
    step = 4 if bytes_fit else 2
    last, operand = reductions[-1], cast(Access, nest.inputs[left])
    extent = nest.extents[last]
    whole = isinstance(extent, int) and extent > 0 and extent % step == 0
    if not whole or not is_unit_along(operand, last) or operand.map.results[-1] != AffineDim(last):
        return None
    return Dot(step, left_is_signed, right_is_signed)


def in_steps(nest: Nest, left: int, dot: Dot) -> Nest:
    """The nest with the steps of the last reduction dimension `dot.step` times as wide, for the left operand at least."""
    last = nest.of_kind(linalg.REDUCTION)[-1]
    operand = cast(Access, nest.inputs[left])
    wide = AffineMap(operand.map.num_dims, (*operand.map.results[:-1], AffineDim(last) * dot.step))
    inputs = list(nest.inputs)
    inputs[left] = replace(operand, map=wide)
    extents = list(nest.extents)
    extents[last] = cast(int, extents[last]) // dot.step
    return replace(nest, inputs=tuple(inputs), extents=tuple(extents))
