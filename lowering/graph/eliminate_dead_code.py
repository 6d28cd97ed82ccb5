"""Removes what nothing depends on, see `ir/dead_code.py`, and functions that nobody forks any more."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir.core import Operation, functions
from ...ir.dead_code import remove_dead_code
from .forks import forked_functions


def eliminate_dead_code(module: Operation) -> None:
    entry, *others = functions(module)
    for function in (entry, *others):
        remove_dead_code(function)
    reached = forked_functions(entry, others)
    for function in others:
        if function not in reached:
            function.erase()


@dataclass(frozen=True)
class EliminateDeadCode:
    name: str = "eliminate-dead-code"

    def apply(self, module: Operation) -> Operation:
        eliminate_dead_code(module)
        return module
