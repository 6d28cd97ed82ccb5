"""`rt.random_*`: calls of the run time's generator (`runtime/random.ll`)."""

from __future__ import annotations

from typing import Final

from ...ir.core import Operation
from ...ir.types import I64
from .emitter import Emit, Emitter


def _bits(e: Emitter, op: Operation) -> None:
    buffer = e.buffer(op.operand(0))
    pointer, _ = e.element_pointer(buffer, buffer.offset)
    width = 64 if buffer.element == I64 else 32
    e.line(f"call void @torchcc.random_bits{width}(ptr {pointer}, i64 {e.index_text(e.volume(buffer.sizes))})")


def _take_normal(e: Emitter, op: Operation) -> None:
    pair = e.op("{ i1, double }", "call { i1, double } @torchcc.random_take_normal()")
    e.set(op.results[0], e.op("i1", f"extractvalue {{ i1, double }} {pair}, 0"))
    e.set(op.results[1], e.op("double", f"extractvalue {{ i1, double }} {pair}, 1"))


def _keep_normal(e: Emitter, op: Operation) -> None:
    e.line(f"call void @torchcc.random_keep_normal(double {e.text(op.operand(0))})")


def _manual_seed(e: Emitter, op: Operation) -> None:
    e.line(f"call void @torchcc.manual_seed(i64 {e.text(op.operand(0))})")


def _exchange(function: str) -> Emit:
    def emit(e: Emitter, op: Operation) -> None:
        buffer = e.buffer(op.operand(0))
        pointer, _ = e.element_pointer(buffer, buffer.offset)
        e.line(f"call void @{function}(ptr {pointer})")

    return emit


def _number(function: str) -> Emit:
    def emit(e: Emitter, op: Operation) -> None:
        e.set(op.result, e.op("i64", f"call i64 @{function}()"))

    return emit


EMITTERS: Final[dict[str, Emit]] = {
    "rt.random_bits": _bits,
    "rt.random_enter": _exchange("torchcc.random_enter"),
    "rt.random_leave": _exchange("torchcc.random_leave"),
    "rt.random_take_normal": _take_normal,
    "rt.random_keep_normal": _keep_normal,
    "rt.random_manual_seed": _manual_seed,
    "rt.random_seed": _number("torchcc.random_seed"),
    "rt.random_initial_seed": _number("torchcc.initial_seed"),
}
