"""Replaces arithmetic on complex numbers by arithmetic on their parts, for CPU and GPU alike.

In: any operation of `complex`. Out: of them `create`, `re`, `im` and `constant` only, which are no instructions: a complex
number is two registers, and a load or store of one is two of floats side by side.

    %z = complex.mul %x, %y    =>    %a = complex.re %x ... %z = complex.create (a c - b d), (a d + b c)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ...ir.builder import Builder
from ...ir.core import Operation, Value, functions
from ...ir.dialects import arith
from ...ir.dialects import complex as complexd
from ..effects import erase_unused


@dataclass(frozen=True)
class ExpandComplex:
    name: str = "expand-complex"

    def apply(self, module: Operation) -> Operation:
        for op in list(module.walk()):
            rule = EXPANSIONS.get(op.name)
            if rule is not None:
                b = Builder.before(op)
                op.replace_with([rule(_Parts(b, op), *op.operands)])
        for function in functions(module):
            erase_unused(function)
        return module


class _Parts:
    """Writes operations on the parts, with the fast-math flags of the operation that they stand for."""

    def __init__(self, b: Builder, op: Operation) -> None:
        self.b = b
        flags = op.attributes.get("fastmath")
        self.fastmath = flags if isinstance(flags, str) else ""

    def of(self, value: Value) -> tuple[Value, Value]:
        return complexd.re(self.b, value), complexd.im(self.b, value)

    def add(self, x: Value, y: Value) -> Value:
        return arith.addf(self.b, x, y, self.fastmath)

    def sub(self, x: Value, y: Value) -> Value:
        return arith.subf(self.b, x, y, self.fastmath)

    def mul(self, x: Value, y: Value) -> Value:
        return arith.mulf(self.b, x, y, self.fastmath)

    def create(self, re: Value, im: Value) -> Value:
        return complexd.create(self.b, re, im)


def _add(p: _Parts, x: Value, y: Value) -> Value:
    (a, b), (c, d) = p.of(x), p.of(y)
    return p.create(p.add(a, c), p.add(b, d))


def _sub(p: _Parts, x: Value, y: Value) -> Value:
    (a, b), (c, d) = p.of(x), p.of(y)
    return p.create(p.sub(a, c), p.sub(b, d))


def _mul(p: _Parts, x: Value, y: Value) -> Value:
    (a, b), (c, d) = p.of(x), p.of(y)
    return p.create(p.sub(p.mul(a, c), p.mul(b, d)), p.add(p.mul(a, d), p.mul(b, c)))


def _neg(p: _Parts, x: Value) -> Value:
    a, b = p.of(x)
    return p.create(arith.negf(p.b, a), arith.negf(p.b, b))


def _conj(p: _Parts, x: Value) -> Value:
    a, b = p.of(x)
    return p.create(a, arith.negf(p.b, b))


def _eq(p: _Parts, x: Value, y: Value) -> Value:
    (a, b), (c, d) = p.of(x), p.of(y)
    return arith.andi(p.b, arith.cmpf(p.b, "oeq", a, c), arith.cmpf(p.b, "oeq", b, d))


def _neq(p: _Parts, x: Value, y: Value) -> Value:
    (a, b), (c, d) = p.of(x), p.of(y)
    return arith.ori(p.b, arith.cmpf(p.b, "une", a, c), arith.cmpf(p.b, "une", b, d))


EXPANSIONS: Final[dict[str, Callable[..., Value]]] = {
    "complex.add": _add,
    "complex.sub": _sub,
    "complex.mul": _mul,
    "complex.neg": _neg,
    "complex.conj": _conj,
    "complex.eq": _eq,
    "complex.neq": _neq,
}
