"""Interpreter of `complex`: numpy's complex scalars, computed part by part as the operations say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import ml_dtypes
import numpy as np

from ..attributes import FloatAttr
from ..core import Operation
from .engine import Compiler, Rule, Step, constant_step, dtype_of, pure

Evaluate = Callable[..., Any]

_HALVES: Final = np.dtype(ml_dtypes.complex32)
"""Of which numpy does not know the parts."""


def made(dtype: np.dtype[Any], re: Any, im: Any) -> Any:
    """re + im i without arithmetic: infinities and signs of zeros stay as they are."""
    result = np.empty(np.broadcast(re, im).shape, np.complex64 if dtype == _HALVES else dtype)
    result.real, result.imag = re, im
    return result.astype(dtype)[()]


def _multiply(op: Operation) -> Evaluate:
    dtype = dtype_of(op.result.type)

    def multiply(a: Any, b: Any) -> Any:
        (p, q), (r, s) = (_real(a), _imaginary(a)), (_real(b), _imaginary(b))
        return made(dtype, p * r - q * s, p * s + q * r)

    return multiply


def _create(op: Operation) -> Evaluate:
    dtype = dtype_of(op.result.type)

    def create(re: Any, im: Any) -> Any:
        return made(dtype, re, im)

    return create


def _plain(function: Evaluate) -> Callable[[Operation], Evaluate]:
    return lambda op: function


def _real(z: Any) -> Any:
    return np.real(z.astype(np.complex64)).astype(np.float16)[()] if z.dtype == _HALVES else np.real(z)[()]


def _imaginary(z: Any) -> Any:
    return np.imag(z.astype(np.complex64)).astype(np.float16)[()] if z.dtype == _HALVES else np.imag(z)[()]


def _constant(compiler: Compiler, op: Operation) -> Step:
    real, imaginary = cast(tuple[FloatAttr, FloatAttr], op.attributes["value"])
    return constant_step(compiler, op, made(dtype_of(op.result.type), real.value, imaginary.value))


_EVALUATE: Final[dict[str, Callable[[Operation], Evaluate]]] = {
    "add": _plain(np.add),
    "sub": _plain(np.subtract),
    "mul": _multiply,
    "neg": _plain(np.negative),
    "conj": _plain(np.conjugate),
    "eq": _plain(np.equal),
    "neq": _plain(np.not_equal),
    "re": _plain(_real),
    "im": _plain(_imaginary),
    "create": _create,
}

RULES: Final[dict[str, Rule]] = {
    **{f"complex.{name}": pure(evaluate) for name, evaluate in _EVALUATE.items()},
    "complex.constant": _constant,
}
