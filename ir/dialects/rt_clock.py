"""`rt.clock`: what time it is, for programs that measure themselves."""

from __future__ import annotations

from ..builder import Builder
from ..core import Value
from ..definition import OpDefinition
from ..types import I64


def clock(b: Builder) -> Value:
    """Nanoseconds of a clock that never goes back, an i64. Not pure: it stays where it is among its neighbours."""
    return b.create("rt.clock", (), (I64,)).result


OPS: tuple[OpDefinition, ...] = (OpDefinition("rt.clock", (), 1, assembly="attr-dict : type(results)"),)
