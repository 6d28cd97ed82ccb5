"""Products of bytes that were widened before: sums of products read the bytes, and widen them in their body.

In: the `linalg` stage. A contraction of 32-bit integers qualifies where each operand is a tensor of bytes with its elements
extended, or a constant whose numbers fit a byte. Out: one `linalg.generic` on bytes. Where weights are constant, the dimension that
both operands are summed over as it lies becomes a multiple of 4, the rest zeros: a processor adds up that many products at once.

    %w = extui %x : tensor<8x30xi8> to tensor<8x30xi32>          %p = tensor.pad %x [0, 0] [0, 2]
    %y = matmul %w, %c : 8x30xi32, 30x16xi32             =>      %y = generic { extui, extsi, muli, addi } %p, %bytes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from ...ir.affine import AffineDim, AffineExpr, AffineMap
from ...ir.attributes import Constant, DenseAttr
from ...ir.builder import Builder
from ...ir.core import Operation, Value, functions
from ...ir.dialects import arith, linalg, tensor
from ...ir.dialects.tensor import tensor_type
from ...ir.types import I8, I32, RankedTensorType
from ..effects import erase_unused
from .fuse_elementwise import is_contraction

_GROUP: Final = 4
_EXTENSIONS: Final = ("arith.extui", "arith.extsi")


@dataclass(frozen=True)
class _Bytes:
    """An operand as bytes: of a value, or of a constant."""

    source: Value | npt.NDArray[Any]
    map: AffineMap
    signed: bool

    @property
    def shape(self) -> tuple[int | None, ...]:
        return tensor_type(self.source).shape if isinstance(self.source, Value) else self.source.shape


@dataclass(frozen=True)
class NarrowProducts:
    name: str = "narrow-products"

    def apply(self, module: Operation) -> Operation:
        made = 0
        for function in functions(module):
            before = made
            for op in list(function.walk()):
                made += _narrow(op, made)
            if made > before:
                erase_unused(function)
        return module


def _narrow(op: Operation, number: int) -> bool:
    """Whether it was; `number` makes the names of constants their own."""
    if not linalg.is_structured(op) or not is_contraction(op) or tensor_type(op.operands[-1]).element != I32:
        return False
    if op.name == "linalg.generic" and [i.name for i in op.body().operations()] != ["arith.muli", "arith.addi", "linalg.yield"]:
        return False
    found = [_bytes_of(value, m) for value, m in zip(op.operands[:2], linalg.indexing_maps(op), strict=False)]
    if None in found:
        return False
    operands = _padded(op, cast("list[_Bytes]", found))
    b = Builder.before(op)
    values = [_value(b, operand, f"bytes{number}_{i}") for i, operand in enumerate(operands)]

    def body(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
        x, y = (
            (arith.extsi if operand.signed else arith.extui)(ib, arg, I32) for operand, arg in zip(operands, args, strict=False)
        )
        return [arith.addi(ib, args[2], arith.muli(ib, x, y))]

    maps = [*(operand.map for operand in operands), linalg.indexing_maps(op)[-1]]
    new = linalg.generic(b, values, [op.operands[-1]], maps, linalg.iterator_types(op), body)
    op.replace_with(new.results)
    return True


def _bytes_of(value: Value, read: AffineMap) -> _Bytes | None:
    op = value.defining_op()
    attribute = op.attributes.get("value") if op is not None and op.name == "arith.constant" else None
    if isinstance(attribute, DenseAttr):
        return _narrowed(attribute, read)
    if op is None or op.name != "linalg.generic" or len(op.operands) != 2 or len(op.results) != 1:
        return None
    source, (own, written) = op.operand(0), linalg.indexing_maps(op)
    body = list(op.body().operations())
    is_cast = len(body) == 2 and body[0].name in _EXTENSIONS and body[1].operand(0) is body[0].result
    if not is_cast or body[0].operand(0) is not op.body().args[0] or not isinstance(source.type, RankedTensorType):
        return None
    if source.type.element != I8 or not written.is_projected_permutation or len(written.results) != written.num_dims:
        return None
    dims: list[AffineExpr] = [AffineDim(0)] * written.num_dims
    for place, expr in zip(read.results, written.results, strict=True):
        dims[cast(AffineDim, expr).position] = place
    return _Bytes(source, own.compose(AffineMap(read.num_dims, tuple(dims))), body[0].name == "arith.extsi")


def _narrowed(attribute: DenseAttr, read: AffineMap) -> _Bytes | None:
    """The numbers of a constant in 8 bits; None where they do not fit."""
    shape = cast("tuple[int, ...]", cast(RankedTensorType, attribute.type).shape)
    value = attribute.value
    if isinstance(value, Constant):
        array = value.array
    else:
        array = np.reshape(value, shape) if isinstance(value, tuple) else np.full(shape, value)
    if array.size == 0:
        return None
    low, high = int(array.min()), int(array.max())
    if low >= -128 and high < 128:
        return _Bytes(np.ascontiguousarray(array.reshape(shape).astype(np.int8)), read, True)
    if low >= 0 and high < 256:
        return _Bytes(np.ascontiguousarray(array.reshape(shape).astype(np.uint8)), read, False)
    return None


def _padded(op: Operation, operands: list[_Bytes]) -> list[_Bytes]:
    """With a multiple of 4 steps in the dimension that is summed over as it lies, where one operand is constant."""
    constants = [isinstance(o.source, np.ndarray) for o in operands]
    if constants not in ([True, False], [False, True]):
        return operands
    values = operands[constants.index(False)]
    kinds = linalg.iterator_types(op)
    plain = [e for e in values.map.results if isinstance(e, AffineDim) and kinds[e.position] == linalg.REDUCTION]
    if len(plain) != 1:
        return operands
    if any(o.map.results.count(plain[0]) != 1 or _uses(o.map, plain[0]) != 1 for o in operands):
        return operands
    extents = {o.shape[o.map.results.index(plain[0])] for o in operands}
    (extent, *others) = extents
    if others or extent is None or extent % _GROUP == 0:
        return operands
    return [_with_zeros(Builder.before(op), o, o.map.results.index(plain[0]), -extent % _GROUP) for o in operands]


def _uses(m: AffineMap, dim: AffineDim) -> int:
    return sum(dim.position in e.dims_used() for e in m.results)


def _with_zeros(b: Builder, operand: _Bytes, at: int, count: int) -> _Bytes:
    high = [count if i == at else 0 for i in range(len(operand.shape))]
    if isinstance(operand.source, np.ndarray):
        return replace(operand, source=np.pad(operand.source, [(0, n) for n in high]))
    return replace(operand, source=tensor.pad(b, operand.source, [0] * len(high), high, arith.constant(b, 0, I8)))


def _value(b: Builder, operand: _Bytes, name: str) -> Value:
    if isinstance(operand.source, Value):
        return operand.source
    t = RankedTensorType(operand.source.shape, I8)
    return arith.dense(b, DenseAttr(Constant(name, operand.source), t))
