"""Interpreter of `llvm`: what the intrinsics compute, on arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from ..core import Operation
from ..dialects.llvm import BYTE_DOTS, WORD_DOTS, name_of
from .engine import Array, Rule, pure


def _wrapped(products: Array, group: int) -> Array:
    """Sums of `group` neighbours, to 32 bits."""
    return products.reshape(-1, group).sum(axis=1).astype(np.int32)


def _byte_dot(sums: Array, unsigned: Array, signed: Array) -> Array:
    return sums + _wrapped(unsigned.view(np.uint8).astype(np.int64) * signed.astype(np.int64), 4)


def _word_dot(a: Array, b: Array) -> Array:
    return _wrapped(a.astype(np.int64) * b.astype(np.int64), 2)


_FUNCTIONS: Final = {**dict.fromkeys(BYTE_DOTS.values(), _byte_dot), **dict.fromkeys(WORD_DOTS.values(), _word_dot)}


def _call(op: Operation) -> Callable[..., Any]:
    return _FUNCTIONS[name_of(op)]


RULES: Final[dict[str, Rule]] = {"llvm.call_intrinsic": pure(_call)}
