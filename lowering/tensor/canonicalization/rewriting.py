"""What the rules of `canonicalize` share."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ....ir.builder import Builder
from ....ir.core import Operation, Value
from ....ir.dialects import arith
from ....ir.types import FloatType, IndexType, IntegerType, Type

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
