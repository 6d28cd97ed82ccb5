"""Arithmetic on floating-point constants, rounded once as the machine does; comparisons that are decided by ranges."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np

from ....ir.core import Operation
from ....ir.dialects import arith
from ....ir.dtypes import DType
from ....ir.types import FloatType, Type
from ..float_ranges import decided
from .integers import COMMUTATIVE, COMPARE, bit_width, constant_to_the_right, signed, unsigned, wrap
from .rewriting import Rules, is_scalar, replace, replace_constant

_NUMPY: Final[dict[str, Any]] = {str(d.element): d.numpy.type for d in DType if d.is_floating}
_FLOAT: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "arith.addf": lambda x, y: x + y,
    "arith.subf": lambda x, y: x - y,
    "arith.mulf": lambda x, y: x * y,
    "arith.divf": lambda x, y: x / y,
}


def _rounded_once(value: float, t: Type) -> float:
    """`value` rounded to the float type `t` as `arith.truncf` does: directly, unlike a constant of PyTorch."""
    with np.errstate(all="ignore"):
        return float(_NUMPY[cast(FloatType, t).name](value))


def _fold_floats(op: Operation) -> bool:
    t = op.result.type
    if not isinstance(t, FloatType):
        return False
    x, y = (arith.constant_value(v) for v in op.operands)
    if x is not None and y is not None:
        dtype = _NUMPY[t.name]
        with np.errstate(all="ignore"):
            return replace_constant(op, float(_FLOAT[op.name](dtype(x), dtype(y))))
    # Exact for every x, NaN and signed zero included.
    if y == 1.0 and op.name in ("arith.mulf", "arith.divf"):
        return replace(op, op.operand(0))
    if (
        y is not None
        and y == 0.0
        and op.name in ("arith.subf", "arith.addf")
        and (math.copysign(1.0, y) > 0) == (op.name == "arith.subf")
    ):
        return replace(op, op.operand(0))
    return False


def _compare_floats(op: Operation) -> bool:
    x, y = (arith.constant_value(v) for v in op.operands)
    if y is not None and x is None and isinstance(op.operand(0).type, FloatType):
        known = decided(op, COMPARE)
        return known is not None and replace_constant(op, known)
    if x is None or y is None or not isinstance(op.operand(0).type, FloatType):
        return False
    predicate = cast(str, op.attributes["predicate"])
    unordered = math.isnan(x) or math.isnan(y)
    if predicate in ("true", "false"):
        return replace_constant(op, predicate == "true")
    if predicate in ("ord", "uno"):
        return replace_constant(op, unordered == (predicate == "uno"))
    if unordered:
        return replace_constant(op, predicate.startswith("u"))
    return replace_constant(op, COMPARE[predicate[1:]](x, y))


def _float_cast(op: Operation) -> bool:
    value = arith.constant_value(op.operand(0))
    source, target = op.operand(0).type, op.result.type
    if value is None or not is_scalar(target):
        return False
    match op.name:
        case "arith.extf" | "arith.truncf":
            return replace_constant(op, _rounded_once(value, target))
        case "arith.sitofp":
            return replace_constant(op, _rounded_once(signed(int(value), source), target))
        case "arith.uitofp":
            return replace_constant(op, _rounded_once(unsigned(int(value), source), target))
        case "arith.fptosi" if math.isfinite(value) and abs(value) < 2.0 ** (bit_width(target) - 1):
            return replace_constant(op, wrap(int(value), target))
        case _:
            return False


RULES: Final[Rules] = {
    **{n: (constant_to_the_right, _fold_floats) if n in COMMUTATIVE else (_fold_floats,) for n in _FLOAT},
    "arith.cmpf": (_compare_floats,),
    **{f"arith.{n}": (_float_cast,) for n in ("extf", "truncf", "sitofp", "uitofp", "fptosi")},
}
