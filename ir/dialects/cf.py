"""`cf`: only the run-time assertion."""

from __future__ import annotations

from ..builder import Builder
from ..core import Operation, Value
from ..definition import OpDefinition


def assert_(b: Builder, condition: Value, message: str) -> Operation:
    """Fails at run time with `message` (PyTorch's text) unless `condition` (i1) holds. `{}` holes take noted values."""
    return b.create("cf.assert", (condition,), (), {"msg": message})


OPS: tuple[OpDefinition, ...] = (OpDefinition("cf.assert", ("arg",), results=0, assembly="$arg , #msg attr-dict"),)
