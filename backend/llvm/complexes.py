"""`complex`: a number is two registers; nothing of it is an instruction but the loads and stores (`memory.py`)."""

from __future__ import annotations

from typing import Final, cast

from ...ir.attributes import FloatAttr
from ...ir.core import Operation
from .emitter import Emit, Emitter, Pair
from .types import literal


def _create(e: Emitter, op: Operation) -> None:
    e.values[op.result] = Pair(*map(e.text, op.operands))


def _constant(e: Emitter, op: Operation) -> None:
    re, im = cast(tuple[FloatAttr, FloatAttr], op.attributes["value"])
    e.values[op.result] = Pair(literal(re.value, re.type), literal(im.value, im.type))


def _part(e: Emitter, op: Operation) -> None:
    pair = e.pair(op.operand(0))
    e.set(op.result, pair.re if op.name == "complex.re" else pair.im)


EMITTERS: Final[dict[str, Emit]] = {
    "complex.create": _create,
    "complex.constant": _constant,
    "complex.re": _part,
    "complex.im": _part,
}
