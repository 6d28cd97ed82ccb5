"""`vector`: what a register holds. Loads and stores are along the innermost, contiguous dimension of a memref."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, cast

from ..attributes import DenseArrayAttr
from ..builder import Builder
from ..core import Operation, Value
from ..definition import OpDefinition, Trait
from ..types import I1, I64, FloatType, IntegerType, Type, VectorType


def vector_type(value: Value) -> VectorType:
    return cast(VectorType, value.type)


def load(b: Builder, base: Value, indices: Sequence[Value], type: VectorType) -> Value:
    return b.create("vector.load", (base, *indices), (type,)).result


def store(b: Builder, value: Value, base: Value, indices: Sequence[Value]) -> Operation:
    return b.create("vector.store", (value, base, *indices))


def masked_load(b: Builder, base: Value, indices: Sequence[Value], mask: Value, pass_through: Value) -> Value:
    """Lanes with a false mask bit take `pass_through` and touch no memory."""
    return b.create("vector.maskedload", (base, *indices, mask, pass_through), (pass_through.type,)).result


def masked_store(b: Builder, base: Value, indices: Sequence[Value], mask: Value, value: Value) -> Operation:
    return b.create("vector.maskedstore", (base, *indices, mask, value))


def gather(b: Builder, base: Value, indices: Sequence[Value], index_vector: Value, mask: Value, pass_through: Value) -> Value:
    """Lane i reads base[indices][index_vector[i]] (offset along the innermost dimension)."""
    return b.create("vector.gather", (base, *indices, index_vector, mask, pass_through), (pass_through.type,)).result


def broadcast(b: Builder, source: Value, to: VectorType) -> Value:
    return b.create("vector.broadcast", (source,), (to,)).result


def fma(b: Builder, lhs: Value, rhs: Value, acc: Value) -> Value:
    return b.create("vector.fma", (lhs, rhs, acc), (acc.type,)).result


def extract(b: Builder, source: Value, position: Sequence[int]) -> Value:
    """A scalar or sub-vector at a static position."""
    shape = vector_type(source).shape[len(position) :]
    element = vector_type(source).element
    result = VectorType(shape, element) if shape else element
    return b.create("vector.extract", (source,), (result,), {"static_position": DenseArrayAttr(tuple(position), I64)}).result


def insert(b: Builder, value: Value, dest: Value, position: Sequence[int]) -> Value:
    return b.create("vector.insert", (value, dest), (dest.type,), {"static_position": DenseArrayAttr(tuple(position), I64)}).result


def reduction(b: Builder, kind: str, source: Value, fastmath: str = "") -> Value:
    """`kind`: add, mul, minsi, maxsi, minui, maxui, minimumf, maximumf, and, or, xor. Float add needs `reassoc` to be fast."""
    attributes = {"kind": kind, **({"fastmath": fastmath} if fastmath else {})}
    return b.create("vector.reduction", (source,), (vector_type(source).element,), attributes).result


def create_mask(b: Builder, count: Value, lanes: int) -> Value:
    """The first `count` (index) of `lanes` bits are set."""
    from_type = VectorType((lanes,), I1)
    return b.create("vector.create_mask", (count,), (from_type,)).result


def step(b: Builder, type: VectorType) -> Value:
    """0, 1, 2, ... of a vector of index."""
    return b.create("vector.step", (), (type,)).result


def shuffle(b: Builder, v1: Value, v2: Value, mask: Sequence[int]) -> Value:
    """Lanes of v1 and v2, counted on from v1's, in the order of `mask`."""
    result = VectorType((len(mask),), vector_type(v1).element)
    return b.create("vector.shuffle", (v1, v2), (result,), {"mask": DenseArrayAttr(tuple(mask), I64)}).result


def bitcast(b: Builder, source: Value, to: VectorType) -> Value:
    """The same bits as elements of another width, the lowest first."""
    return b.create("vector.bitcast", (source,), (to,)).result


def _verify_bitcast(op: Operation) -> str | None:
    sizes = [_bits(v.type) for v in (op.operand(0), op.result)]
    return None if sizes[0] == sizes[1] and sizes[0] is not None else f"{op.operand(0).type} and {op.result.type} are not the same bits"


def _bits(t: Type) -> int | None:
    if not isinstance(t, VectorType) or not isinstance(t.element, IntegerType | FloatType):
        return None
    return math.prod(t.shape) * t.element.width


_PURE: Final = frozenset({Trait.PURE})

OPS: tuple[OpDefinition, ...] = (
    OpDefinition("vector.load", ("base", "indices*"), assembly="$base [ $indices ] attr-dict : type($base) , type(results)"),
    OpDefinition("vector.store", ("valueToStore", "base", "indices*"), results=0, assembly="$valueToStore , $base [ $indices ] attr-dict : type($base) , type($valueToStore)"),
    OpDefinition("vector.maskedload", ("base", "indices*", "mask", "pass_thru"), assembly="$base [ $indices ] , $mask , $pass_thru attr-dict : type($base) , type($mask) , type($pass_thru) into type(results)"),
    OpDefinition("vector.maskedstore", ("base", "indices*", "mask", "valueToStore"), results=0, assembly="$base [ $indices ] , $mask , $valueToStore attr-dict : type($base) , type($mask) , type($valueToStore)"),
    OpDefinition("vector.gather", ("base", "indices*", "index_vec", "mask", "pass_thru"), assembly="$base [ $indices ] [ $index_vec ] , $mask , $pass_thru attr-dict : type($base) , type($index_vec) , type($mask) , type($pass_thru) into type(results)"),
    OpDefinition("vector.broadcast", ("source",), assembly="$source attr-dict : type($source) to type(results)", traits=_PURE),
    OpDefinition("vector.fma", ("lhs", "rhs", "acc"), assembly="$lhs , $rhs , $acc attr-dict : type($lhs)", traits=_PURE),
    OpDefinition("vector.extract", ("source",), traits=_PURE),
    OpDefinition("vector.insert", ("valueToStore", "dest"), traits=_PURE),
    OpDefinition("vector.reduction", ("vector",), traits=_PURE),
    OpDefinition("vector.create_mask", ("operands*",), assembly="$operands attr-dict : type(results)", traits=_PURE),
    OpDefinition("vector.step", assembly="attr-dict : type(results)", traits=_PURE),
    OpDefinition("vector.shuffle", ("v1", "v2"), traits=_PURE),
    OpDefinition("vector.bitcast", ("source",), assembly="$source attr-dict : type($source) to type(results)", traits=_PURE, verify=_verify_bitcast),
)
