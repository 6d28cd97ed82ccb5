"""Between which numbers a float lies, where its computation says so: comparisons with others are decided at compile time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, cast

from ...ir.core import Operation, Value
from ...ir.dialects import arith
from ...ir.types import IntegerType

Range = tuple[float, float]
"""The least and the greatest value; never NaN."""

_MOST_STEPS: Final = 8
_WHOLE: Final[dict[str, Callable[[float], float]]] = {
    "math.roundeven": lambda x: float(round(x)) if math.isfinite(x) else x,
    "math.floor": lambda x: float(math.floor(x)) if math.isfinite(x) else x,
    "math.ceil": lambda x: float(math.ceil(x)) if math.isfinite(x) else x,
    "math.trunc": lambda x: float(math.trunc(x)) if math.isfinite(x) else x,
}


def range_of(value: Value, steps: int = _MOST_STEPS) -> Range | None:
    """None where it may be NaN, or nothing is known."""
    constant = arith.constant_value(value)
    if constant is not None:
        return None if math.isnan(constant) else (float(constant), float(constant))
    op = value.defining_op()
    if op is None or steps == 0:
        return None
    if op.name in _WHOLE:
        inner = range_of(op.operand(0), steps - 1)
        return None if inner is None else (_WHOLE[op.name](inner[0]), _WHOLE[op.name](inner[1]))
    kind = op.operand(0).type if op.name in ("arith.sitofp", "arith.uitofp") else None
    if isinstance(kind, IntegerType):
        width = kind.width
        return (-(2.0 ** (width - 1)), 2.0 ** (width - 1)) if op.name == "arith.sitofp" else (0.0, 2.0**width)
    return _chosen(op, steps) if op.name == "arith.select" else None


def _chosen(op: Operation, steps: int) -> Range | None:
    """`x > c ? x : c` and `x < c ? x : c`: x is chosen only where it is a number."""
    condition, x, other = op.operands
    compared, bound = condition.defining_op("arith.cmpf"), arith.constant_value(other)
    if compared is None or bound is None or math.isnan(bound) or compared.operands != (x, other):
        return None
    low, high = range_of(x, steps - 1) or (-math.inf, math.inf)
    match compared.attributes["predicate"]:
        case "ogt" | "oge":
            return max(low, bound), max(high, bound)
        case "olt" | "ole":
            return min(low, bound), min(high, bound)
        case _:
            return None


def decided(op: Operation, compare: dict[str, Callable[[float, float], bool]]) -> bool | None:
    """What a comparison with a number gives, if it gives the same for the whole range. `compare`: by predicates without `o` or `u`."""
    left, right = range_of(op.operand(0)), arith.constant_value(op.operand(1))
    predicate = cast(str, op.attributes["predicate"])[1:]
    if left is None or right is None or math.isnan(right) or predicate not in ("lt", "le", "gt", "ge"):
        return None
    results = {compare[predicate](bound, right) for bound in left}
    return results.pop() if len(results) == 1 else None
