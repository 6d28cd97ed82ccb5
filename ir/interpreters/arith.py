"""Interpreter of `arith`: each operation once, for numpy scalars and for arrays of any shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np

from ..core import Operation
from ..types import I1, element_type
from .engine import Compiler, Rule, Step, attribute_value, constant_step, dtype_of, failure, pure

Evaluate = Callable[..., Any]
Unary = Callable[[Any], Any]
Binary = Callable[[Any, Any], Any]
_UNSIGNED: Final = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def unsigned(x: Any) -> Any:
    """The same bits read without a sign."""
    return x.astype(np.uint8) if x.dtype.kind == "b" else x.view(_UNSIGNED[x.dtype.itemsize])


def signed(x: Any) -> Any:
    """The number that signed operations see: i1 true is -1."""
    return -x.astype(np.int8) if x.dtype.kind == "b" else x


def _on_bits(function: Evaluate) -> Callable[[Operation], Evaluate]:
    """An operation on unsigned integers."""

    def evaluate(op: Operation) -> Binary:
        dtype = dtype_of(op.result.type)
        if dtype.kind == "b":
            return lambda a, b: function(unsigned(a), unsigned(b)).astype(dtype)
        return lambda a, b: function(unsigned(a), unsigned(b)).view(dtype)

    return evaluate


def _integer(function: Evaluate, on_bool: Evaluate) -> Callable[[Operation], Evaluate]:
    """A function of integers, and what it is modulo 2 (with true as -1 where the sign counts)."""
    return lambda op: on_bool if element_type(op.result.type) == I1 else function


def _plain(function: Evaluate) -> Callable[[Operation], Evaluate]:
    return lambda op: function


def _dividing(function: Evaluate) -> Callable[[Operation], Evaluate]:
    def evaluate(op: Operation) -> Evaluate:
        dtype = dtype_of(op.result.type)

        def divide(a: Any, b: Any) -> Any:
            if not np.all(b):
                raise failure(op, "division by zero")
            if dtype.kind == "b":
                return function(signed(a), signed(b)).astype(dtype)
            return function(a, b)

        return divide

    return evaluate


def _divide_to_zero(a: Any, b: Any) -> Any:
    quotient = a // b
    inexact = (quotient * b != a) & ((a < 0) != (b < 0))
    return quotient + inexact.astype(quotient.dtype)


def _divide_up(a: Any, b: Any) -> Any:
    quotient = a // b
    return quotient + (quotient * b != a).astype(quotient.dtype)


def _dividing_bits(function: Evaluate) -> Callable[[Operation], Evaluate]:
    checked = _on_bits(function)

    def evaluate(op: Operation) -> Evaluate:
        divide = checked(op)

        def run(a: Any, b: Any) -> Any:
            if not np.all(b):
                raise failure(op, "division by zero")
            return divide(a, b)

        return run

    return evaluate


def _maximum(a: Any, b: Any) -> Any:
    """NaN if either is; -0.0 is less than 0.0."""
    larger: Any = np.maximum(a, b)
    if np.ndim(larger) == 0:
        return a + b if larger == 0 and a == b else larger
    return cast(Any, np.where((larger == 0) & (a == b), a + b, larger))


def _minimum(a: Any, b: Any) -> Any:
    smaller: Any = np.minimum(a, b)
    if np.ndim(smaller) == 0:
        return -(-a - b) if smaller == 0 and a == b else smaller
    return cast(Any, np.where((smaller == 0) & (a == b), -(-a - b), smaller))


def _convert(prepare: Evaluate) -> Callable[[Operation], Evaluate]:
    """A conversion of numbers: the operand as the operation reads it, in the result's type."""

    def evaluate(op: Operation) -> Unary:
        dtype = dtype_of(op.result.type)
        return lambda x: prepare(x).astype(dtype)

    return evaluate


def _truncate(op: Operation) -> Unary:
    dtype = dtype_of(op.result.type)
    if dtype.kind == "b":
        return lambda x: (x & x.dtype.type(1)).astype(dtype)
    return lambda x: x.astype(dtype)


def _index_cast(extend: Evaluate) -> Callable[[Operation], Evaluate]:
    def evaluate(op: Operation) -> Unary:
        narrow = _truncate(op)
        widens = dtype_of(op.operand(0).type).itemsize < dtype_of(op.result.type).itemsize
        dtype = dtype_of(op.result.type)
        return (lambda x: extend(x).astype(dtype)) if widens else narrow

    return evaluate


def _to_unsigned(op: Operation) -> Unary:
    dtype = dtype_of(op.result.type)
    if dtype.kind == "b":
        return lambda x: x.astype(np.int64).astype(dtype)
    return lambda x: x.astype(_UNSIGNED[dtype.itemsize]).view(dtype)


def _to_signed(op: Operation) -> Unary:
    dtype = dtype_of(op.result.type)
    if dtype.itemsize < 4 or dtype.kind == "b":
        return lambda x: x.astype(np.int64).astype(dtype)
    return lambda x: x.astype(dtype)


def _bitcast(op: Operation) -> Unary:
    dtype = dtype_of(op.result.type)
    return lambda x: x.view(dtype) if dtype.kind != "b" else x.astype(dtype)


_COMPARISONS: Final[dict[str, Evaluate]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


def _unordered(a: Any, b: Any) -> Any:
    return np.isnan(a) | np.isnan(b)


def _compare_integers(op: Operation) -> Binary:
    predicate = cast(str, op.attributes["predicate"])
    if predicate in ("eq", "ne"):
        return _COMPARISONS[predicate]
    compare = _COMPARISONS[predicate[1:]]
    read = signed if predicate[0] == "s" else unsigned
    if predicate[0] == "s" and dtype_of(op.operand(0).type).kind != "b":
        return compare
    return lambda a, b: compare(read(a), read(b))


def _compare_floats(op: Operation) -> Binary:
    predicate = cast(str, op.attributes["predicate"])
    match predicate:
        case "false" | "true":
            value = np.bool_(predicate == "true")
            return lambda a, b: np.broadcast_to(value, np.broadcast(a, b).shape)[()]
        case "ord":
            return lambda a, b: ~_unordered(a, b)
        case "uno":
            return _unordered
        case "une":
            return np.not_equal
        case "one":
            return lambda a, b: np.not_equal(a, b) & ~_unordered(a, b)
        case _ if predicate[0] == "o":
            return _COMPARISONS[predicate[1:]]
        case _:
            compare = _COMPARISONS[predicate[1:]]
            return lambda a, b: compare(a, b) | _unordered(a, b)


def _select(condition: Any, a: Any, b: Any) -> Any:
    if np.ndim(condition) == 0:
        return a if condition else b
    return cast(Any, np.where(condition, a, b))


def _constant(compiler: Compiler, op: Operation) -> Step:
    return constant_step(compiler, op, attribute_value(op.attributes["value"]))


def _as_it_is(x: Any) -> Any:
    return x


def _signed_extension(x: Any) -> Any:
    return signed(x)


_EVALUATE: Final[dict[str, Callable[[Operation], Evaluate]]] = {
    "addi": _integer(np.add, np.logical_xor),
    "subi": _integer(np.subtract, np.logical_xor),
    "muli": _integer(np.multiply, np.logical_and),
    "divsi": _dividing(_divide_to_zero),
    "ceildivsi": _dividing(_divide_up),
    "floordivsi": _dividing(np.floor_divide),
    "remsi": _dividing(np.fmod),
    "divui": _dividing_bits(np.floor_divide),
    "remui": _dividing_bits(np.remainder),
    "andi": _plain(np.bitwise_and),
    "ori": _plain(np.bitwise_or),
    "xori": _plain(np.bitwise_xor),
    "shli": _plain(np.left_shift),
    "shrsi": _plain(np.right_shift),
    "shrui": _on_bits(np.right_shift),
    "maxsi": _integer(np.maximum, np.logical_and),
    "minsi": _integer(np.minimum, np.logical_or),
    "maxui": _on_bits(np.maximum),
    "minui": _on_bits(np.minimum),
    "addf": _plain(np.add),
    "subf": _plain(np.subtract),
    "mulf": _plain(np.multiply),
    "divf": _plain(np.divide),
    "remf": _plain(np.fmod),
    "maximumf": _plain(_maximum),
    "minimumf": _plain(_minimum),
    "maxnumf": _plain(np.fmax),
    "minnumf": _plain(np.fmin),
    "negf": _plain(np.negative),
    "extsi": _convert(_signed_extension),
    "extui": _convert(unsigned),
    "trunci": _truncate,
    "extf": _convert(_as_it_is),
    "truncf": _convert(_as_it_is),
    "sitofp": _convert(_signed_extension),
    "uitofp": _convert(unsigned),
    "fptosi": _to_signed,
    "fptoui": _to_unsigned,
    "bitcast": _bitcast,
    "index_cast": _index_cast(_signed_extension),
    "index_castui": _index_cast(unsigned),
    "cmpi": _compare_integers,
    "cmpf": _compare_floats,
    "select": _plain(_select),
}

RULES: Final[dict[str, Rule]] = {
    **{f"arith.{name}": pure(evaluate) for name, evaluate in _EVALUATE.items()},
    "arith.constant": _constant,
}
