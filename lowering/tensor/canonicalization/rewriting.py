"""What the rules of `canonicalize` share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ....ir.affine import AffineMap
from ....ir.builder import Builder
from ....ir.core import Operation, Value
from ....ir.dialects import arith, linalg, tensor
from ....ir.dialects.tensor import Size, tensor_type
from ....ir.types import INDEX, FloatType, IndexType, IntegerType, Type

Rule = Callable[[Operation], bool]
"""Rewrites one operation in place; True when something changed."""

Rules = Mapping[str, tuple[Rule, ...]]
"""By the operation's name; they are tried in this order."""


def replace(op: Operation, value: Value) -> bool:
    op.replace_with([value])
    return True


def replace_constant(op: Operation, number: float) -> bool:
    b = Builder.before(op)
    return replace(op, arith.constant(b, number, op.result.type))


def is_scalar(t: Type) -> bool:
    return isinstance(t, IntegerType | IndexType | FloatType)


def integer(value: Value) -> int | None:
    number = arith.constant_value(value)
    return int(number) if number is not None and isinstance(value.type, IntegerType | IndexType) else None


def permuted(b: Builder, value: Value, order: Sequence[int]) -> Value:
    """A copy whose dimension i is dimension order[i] of the value."""
    shape = tensor_type(value).shape
    sizes: list[Size] = [_extent(b, value, i, shape[i]) for i in order]
    out = tensor.empty(b, sizes, tensor_type(value).element)
    rank = len(order)
    maps = [AffineMap.of(rank, *(order.index(i) for i in range(rank))), AffineMap.identity(rank)]
    return linalg.generic(b, [value], [out], maps, [linalg.PARALLEL] * rank, lambda _, args: [args[0]]).result


def _extent(b: Builder, value: Value, i: int, known: int | None) -> Size:
    return known if known is not None else tensor.dim(b, value, arith.constant(b, i, INDEX))
