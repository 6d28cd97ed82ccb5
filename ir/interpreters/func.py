"""Interpreter of `func`, with the run-time functions that note values for the message of a failing assertion."""

from __future__ import annotations

from typing import Any, Final, cast

from ..attributes import SymbolRef
from ..core import Operation
from .engine import CONTEXT, Compiler, Context, Frame, Function, Rule, Step

_NOTES: Final = ("torchcc_note_i64", "torchcc_note_f64")


def _call(compiler: Compiler, op: Operation) -> Step:
    name = cast(SymbolRef, op.attributes["callee"]).name
    slots = compiler.slots(op.operands)
    results = compiler.slots(op.results)
    if name in _NOTES and name not in compiler.interpreter.externals:

        def note(f: Frame) -> None:
            cast(Context, f[CONTEXT]).notes.append(f[slots[0]])

        return note
    callee = compiler.interpreter.symbol(name)
    found: list[Function] = []  # compiled at the first call, so functions may call themselves

    def run(f: Frame) -> None:
        if not found:
            found.append(compiler.interpreter.function(callee))
        values: list[Any] = found[0](f[CONTEXT], [f[i] for i in slots])
        for slot, value in zip(results, values, strict=True):
            f[slot] = value

    return run


RULES: Final[dict[str, Rule]] = {"func.call": _call}
