"""Interpreter of `cf`: the run-time assertion."""

from __future__ import annotations

from typing import Any, Final, cast

import numpy as np

from ..core import Operation
from ..diagnostics import ExecutionError
from .builtins import format_float
from .engine import CONTEXT, Compiler, Context, Frame, Rule, Step


def fill_in(message: str, notes: list[Any]) -> str:
    """The message with each `{}` replaced by the next noted value."""
    values = iter(notes)
    first, *rest = message.split("{}")
    text = first
    for part in rest:
        value = next(values, None)
        text += ("{}" if value is None else _shown(value)) + part
    return text


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return format_float(float(value)) if value.dtype.kind == "f" else str(int(value))


def _assert(compiler: Compiler, op: Operation) -> Step:
    condition = compiler.slot(op.operand(0))
    message = cast(str, op.attributes["msg"])

    def run(f: Frame) -> None:
        context = cast(Context, f[CONTEXT])
        if not np.all(f[condition]):
            raise ExecutionError(fill_in(message, context.notes), op.span)
        context.notes.clear()

    return run


RULES: Final[dict[str, Rule]] = {"cf.assert": _assert}
