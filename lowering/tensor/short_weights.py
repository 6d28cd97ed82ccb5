"""Weights of linear layers in 16 bits: what is read from memory halves, sums stay as they are.

In: the `linalg` stage, where a product of matrices has a constant operand in f32. Out: the constant in bf16 or f16, and the product
extends its elements, which is exact. That is done to constants whose numbers all are numbers of 16 bits (weights that a program holds
in bf16 and extends before it uses them, which is a constant by now); with `rounds`, to all others too, rounded to bf16.

    linalg.matmul ins(%x, %w : 1x768xf32, 768x3072xf32)   =>   linalg.generic { extf, mulf, addf } ins(%x, %short : 1x768xf32, 768x3072xbf16)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import ml_dtypes
import numpy as np
import numpy.typing as npt

from ...ir.affine import AffineDim
from ...ir.attributes import Constant, DenseAttr
from ...ir.builder import Builder
from ...ir.core import Operation, Value, functions
from ...ir.dialects import arith, linalg
from ...ir.dialects.tensor import tensor_type
from ...ir.types import BF16, F16, F32, FloatType, RankedTensorType
from ..effects import erase_unused
from .fuse_elementwise import is_contraction

_FEWEST: Final = 1 << 12
"""Elements: fewer stay in the caches."""

_MOST_ROWS: Final = 64
"""With more rows the product waits for its arithmetic, not for its weights, and extending them takes 5 % of it."""

_SAMPLE: Final = 1 << 10


@dataclass(frozen=True)
class ShortWeights:
    rounds: bool = False
    """Whether weights that are no numbers of 16 bits are rounded to bf16."""
    name: str = "short-weights"

    def apply(self, module: Operation) -> Operation:
        made: dict[int, tuple[Constant, FloatType] | None] = {}
        for function in functions(module):
            for op in list(function.walk()):
                if linalg.is_structured(op) and is_contraction(op):
                    self._shorten(op, made)
            erase_unused(function)
        return module

    def _shorten(self, op: Operation, made: dict[int, tuple[Constant, FloatType] | None]) -> None:
        at = _weights_of(op)
        if at is None:
            return
        constant = cast(Constant, _constant(op.operand(at)))
        if id(constant.array) not in made:
            made[id(constant.array)] = self._short(constant)
        short = made[id(constant.array)]
        if short is None:
            return
        b = Builder.before(op)
        values = list(op.operands)
        values[at] = arith.dense(b, DenseAttr(short[0], RankedTensorType(tensor_type(values[at]).shape, short[1])))

        def body(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
            factors = list(args[:2])
            factors[at] = arith.extf(ib, factors[at], F32)
            return [arith.addf(ib, args[2], arith.mulf(ib, *factors))]

        new = linalg.generic(b, values[:2], values[2:], linalg.indexing_maps(op), linalg.iterator_types(op), body)
        op.replace_with(new.results)

    def _short(self, constant: Constant) -> tuple[Constant, FloatType] | None:
        array = constant.array
        for element, dtype in ((BF16, np.dtype(ml_dtypes.bfloat16)), (F16, np.dtype(np.float16))):
            if _is_exact(array.reshape(-1)[:_SAMPLE], dtype) and _is_exact(array, dtype):
                return Constant(f"{constant.name}_{element}", array.astype(dtype)), element
        if self.rounds:
            return Constant(f"{constant.name}_bf16", array.astype(ml_dtypes.bfloat16)), BF16
        return None


def _is_exact(array: npt.NDArray[Any], dtype: np.dtype[Any]) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.array_equal(array.astype(dtype).astype(np.float32), array))


def _weights_of(op: Operation) -> int | None:
    """Which operand of a product of matrices is constant, where the other one's rows lie along what is summed over."""
    if tensor_type(op.operands[-1]).element != F32:
        return None
    if op.name == "linalg.generic" and [i.name for i in op.body().operations()] != ["arith.mulf", "arith.addf", "linalg.yield"]:
        return None
    maps, kinds = linalg.indexing_maps(op), linalg.iterator_types(op)
    sums = [AffineDim(d) for d, kind in enumerate(kinds) if kind == linalg.REDUCTION]
    if len(sums) != 1 or not all(m.is_projected_permutation for m in maps):
        return None
    for at, other in ((1, 0), (0, 1)):
        constant = _constant(op.operand(at))
        read = maps[other].results
        if constant is not None and constant.array.dtype == np.float32 and constant.array.size >= _FEWEST:
            plain = _constant(op.operand(other)) is None and bool(read) and read[-1] == sums[0] and sums[0] in maps[at].results
            return at if plain and not _has_many_rows(op.operand(other)) else None
    return None


def _has_many_rows(value: Value) -> bool:
    rows = tensor_type(value).shape[:-1]
    return None not in rows and math.prod(cast("tuple[int, ...]", rows)) > _MOST_ROWS


def _constant(value: Value) -> Constant | None:
    op = value.defining_op("arith.constant")
    attribute = None if op is None else op.attributes["value"]
    return attribute.value if isinstance(attribute, DenseAttr) and isinstance(attribute.value, Constant) else None
