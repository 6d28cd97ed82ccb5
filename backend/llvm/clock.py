"""`rt.clock`: a call of the run time's clock (`runtime/clock.ll`)."""

from __future__ import annotations

from typing import Final

from ...ir.core import Operation
from .emitter import Emit, Emitter


def _clock(e: Emitter, op: Operation) -> None:
    e.set(op.result, e.op("i64", "call i64 @torchcc.clock()"))


EMITTERS: Final[dict[str, Emit]] = {"rt.clock": _clock}
