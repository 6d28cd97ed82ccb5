"""Interpreter of `math`: computed in float64 and rounded once to the type of the operation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np

from ..core import Operation
from .arith import unsigned
from .engine import Rule, dtype_of, pure

Evaluate = Callable[..., Any]
Unary = Callable[[Any], Any]
Binary = Callable[[Any, Any], Any]


def _each(function: Callable[[float], float]) -> Unary:
    """A function of Python floats, for arrays of any shape."""
    vectorized = np.vectorize(function, otypes=[np.float64])
    return lambda x: vectorized(x)[()] if np.size(x) else np.empty(np.shape(x))


def _round_away(x: Any) -> Any:
    whole = np.trunc(x)
    return np.copysign(whole + np.where(np.abs(x - whole) >= 0.5, np.copysign(1.0, x), 0.0), x)


def _rsqrt(x: Any) -> Any:
    return 1.0 / np.sqrt(x)


def _wide(function: Evaluate) -> Callable[[Operation], Evaluate]:
    """A function in float64, rounded to the result's type."""

    def evaluate(op: Operation) -> Evaluate:
        dtype = dtype_of(op.result.type)
        if dtype == np.float64:
            return lambda *xs: np.asarray(function(*xs), dtype)[()]
        return lambda *xs: np.asarray(function(*[x.astype(np.float64) for x in xs])).astype(dtype)[()]

    return evaluate


def _predicate(function: Evaluate) -> Callable[[Operation], Unary]:
    return lambda op: lambda x: np.asarray(function(x.astype(np.float64)))[()]


def _is_normal(op: Operation) -> Evaluate:
    # The smallest normal number of each type, by its exponent.
    exponent = {"float16": -14, "bfloat16": -126, "float32": -126, "float64": -1022}[dtype_of(op.operand(0).type).name]

    def evaluate(x: Any) -> Any:
        wide = np.abs(x.astype(np.float64))
        return np.isfinite(wide) & (wide >= math.ldexp(1.0, exponent))

    return evaluate


def fma(a: Any, b: Any, c: Any) -> Any:
    """a * b + c in float64 with the error of the product kept (exact products of narrower types)."""
    product = a * b
    with np.errstate(all="ignore"):
        splitter = 134217729.0
        ah = splitter * a - (splitter * a - a)
        bh = splitter * b - (splitter * b - b)
        error = ((ah * bh - product) + ah * (b - bh) + (a - ah) * bh) + (a - ah) * (b - bh)
        total = product + c
        part = total - product
        lost = (product - (total - part)) + (c - part)
        correction = lost + error
        corrected = total + correction
    # Where there is nothing to correct the sum stays: -0.0 + 0.0 would lose its sign.
    return cast(Any, np.where(np.isfinite(corrected) & (correction != 0), corrected, total))


def _count(function: Callable[[int, int], int]) -> Callable[[Operation], Evaluate]:
    """A function of (bits, width)."""

    def evaluate(op: Operation) -> Unary:
        dtype = dtype_of(op.result.type)
        width = 1 if dtype.kind == "b" else 8 * dtype.itemsize

        def count(bits: Any) -> int:
            return function(int(bits), width)

        vectorized = np.vectorize(count, otypes=[np.int64])
        return lambda x: vectorized(unsigned(x)).astype(dtype)[()] if np.size(x) else x

    return evaluate


def _leading_zeros(bits: int, width: int) -> int:
    return width - bits.bit_length()


def _trailing_zeros(bits: int, width: int) -> int:
    return (bits & -bits).bit_length() - 1 if bits else width


def _ones(bits: int, width: int) -> int:
    del width
    return bits.bit_count()


def _integer_power(base: Any, exponent: Any) -> Any:
    """Modulo 2**width; a negative exponent gives 0, but 1 or -1 for a base of these."""
    positive = np.where(exponent > 0, exponent, 0).astype(base.dtype)
    power = np.power(base, positive)
    sign = np.where(exponent & 1, -1, 1)
    inverse = np.where(base == 1, 1, np.where(base == -1, sign, 0))
    return np.where(exponent < 0, inverse, power).astype(base.dtype)[()]


_UNARY: Final[dict[str, Evaluate]] = {
    "absf": np.abs,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atanh": np.arctanh,
    "cbrt": np.cbrt,
    "ceil": np.ceil,
    "cos": np.cos,
    "cosh": np.cosh,
    "erf": _each(math.erf),
    "erfc": _each(math.erfc),
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "floor": np.floor,
    "log": np.log,
    "log10": np.log10,
    "log1p": np.log1p,
    "log2": np.log2,
    "round": _round_away,
    "roundeven": np.rint,
    "rsqrt": _rsqrt,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "tanh": np.tanh,
    "trunc": np.trunc,
    "atan2": np.arctan2,
    "copysign": np.copysign,
    "powf": np.power,
    "fma": fma,
}

_EVALUATE: Final[dict[str, Callable[[Operation], Evaluate]]] = {
    **{name: _wide(function) for name, function in _UNARY.items()},
    "isfinite": _predicate(np.isfinite),
    "isinf": _predicate(np.isinf),
    "isnan": _predicate(np.isnan),
    "isnormal": _is_normal,
    "absi": lambda op: np.abs,
    "ctlz": _count(_leading_zeros),
    "cttz": _count(_trailing_zeros),
    "ctpop": _count(_ones),
    "ipowi": lambda op: _integer_power,
}

RULES: Final[dict[str, Rule]] = {f"math.{name}": pure(evaluate) for name, evaluate in _EVALUATE.items()}
