"""Which keys the region of an attention hides from a query by their position alone.

In: `linalg_ext.attention`. Out: c, where the region gives -inf (or NaN) for every key that stands behind the query's position + c, so
that blocks of such keys need not be looked at. Whatever comparisons, truth values and masks of zeros and infinities it is written with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, cast

from ...ir.core import Operation, Value
from ...ir.dialects import arith, linalg_ext

_DEEP: Final = 24
"""Operations that are looked through, one behind the other."""

_FLIPPED: Final = {"sle": "sge", "slt": "sgt", "sge": "sle", "sgt": "slt"}


@dataclass(frozen=True)
class _Dimensions:
    queries: int
    keys: int


@dataclass(frozen=True)
class _Order:
    """A truth value that is key <= query + `shift`, or, where not `seen`, the opposite."""

    shift: int
    seen: bool


def causal_shift(op: Operation) -> int | None:
    """c, where nothing of the keys behind the query's position + c is in the result."""
    rank = linalg_ext.rank(op)
    return _hidden_behind(op.body().terminator.operand(0), _Dimensions(rank - 4, rank - 3), _DEEP)


def _hidden_behind(value: Value, dims: _Dimensions, depth: int) -> int | None:
    op = value.defining_op()
    if op is None or depth == 0:
        return None
    if op.name == "arith.addf":
        shifts = [_hidden_behind(v, dims, depth - 1) for v in op.operands]
        return min((s for s in shifts if s is not None), default=None)
    if op.name != "arith.select":
        return None
    order = _order(op.operand(0), dims, depth - 1)
    if order is not None and arith.constant_value(op.operand(2 if order.seen else 1)) == -math.inf:
        return order.shift
    return None


def _order(value: Value, dims: _Dimensions, depth: int) -> _Order | None:
    op = value.defining_op()
    if op is None or depth == 0:
        return None
    match op.name:
        case "arith.xori":
            for x, y in (op.operands, op.operands[::-1]):
                inner = _order(x, dims, depth - 1)
                if inner is not None and arith.constant_value(y) is not None:
                    return _Order(inner.shift, inner.seen != bool(arith.constant_value(y)))
            return None
        case "arith.cmpi" | "arith.cmpf":
            return _of_numbers(op, dims) or _of_marks(op, dims, depth - 1)
        case _:
            return None


def _of_numbers(op: Operation, dims: _Dimensions) -> _Order | None:
    """A comparison of positions."""
    left, right = (_linear(v, dims, _DEEP) for v in op.operands)
    if left is None or right is None:
        return None
    keys, queries, rest = (a - b for a, b in zip(left, right, strict=True))
    predicate = cast(str, op.attributes["predicate"])
    if (keys, queries) == (-1, 1):
        predicate, rest = _FLIPPED.get(predicate, ""), -rest
    elif (keys, queries) != (1, -1):
        return None
    match predicate:  # key - query + rest against 0
        case "sle":
            return _Order(-rest, True)
        case "slt":
            return _Order(-rest - 1, True)
        case "sgt":
            return _Order(-rest, False)
        case "sge":
            return _Order(-rest - 1, False)
        case _:
            return None


def _of_marks(op: Operation, dims: _Dimensions, depth: int) -> _Order | None:
    """A comparison of a number that is one for what is seen, and another for what is hidden."""
    for x, y in (op.operands, op.operands[::-1]):
        select, number = x.defining_op("arith.select"), arith.constant_value(y)
        if select is None or number is None:
            continue
        order = _order(select.operand(0), dims, depth)
        marks = [arith.constant_value(v) for v in select.operands[1:]]
        holds = [_is_equal(op, mark, number) for mark in marks if mark is not None]
        if order is not None and len(holds) == 2 and None not in holds and holds[0] != holds[1]:
            return _Order(order.shift, order.seen == holds[0])
    return None


def _is_equal(op: Operation, mark: float, number: float) -> bool | None:
    match op.attributes["predicate"]:
        case "eq" | "oeq" | "ueq":
            return mark == number
        case "ne" | "one" | "une":
            return mark != number
        case _:
            return None


def _linear(value: Value, dims: _Dimensions, depth: int) -> tuple[int, int, int] | None:
    """Factors of key and query, and the rest, of a number that is made of positions."""
    op = value.defining_op()
    if op is None or depth == 0:
        return None
    match op.name:
        case "arith.constant":
            number = arith.constant_value(value)
            return None if not isinstance(number, int) else (0, 0, number)
        case "linalg.index":
            dim = op.attributes["dim"]
            return (1, 0, 0) if dim == dims.keys else (0, 1, 0) if dim == dims.queries else None
        case "arith.index_cast" | "arith.extsi":
            return _linear(op.operand(0), dims, depth - 1)
        case "arith.addi" | "arith.subi":
            x, y = (_linear(v, dims, depth - 1) for v in op.operands)
            sign = 1 if op.name == "arith.addi" else -1
            return None if x is None or y is None else (x[0] + sign * y[0], x[1] + sign * y[1], x[2] + sign * y[2])
        case "arith.muli":
            x, y = (_linear(v, dims, depth - 1) for v in op.operands)
            if x is None or y is None or (x[:2] != (0, 0) and y[:2] != (0, 0)):
                return None
            (a, b, c), factor = (y, x[2]) if x[:2] == (0, 0) else (x, y[2])
            return a * factor, b * factor, c * factor
        case _:
            return None
