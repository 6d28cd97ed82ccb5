"""Removes what nothing depends on, see `ir/dead_code.py`."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir.core import Operation, functions
from ...ir.dead_code import remove_dead_code


def eliminate_dead_code(module: Operation) -> None:
    for function in functions(module):
        remove_dead_code(function)


@dataclass(frozen=True)
class EliminateDeadCode:
    name: str = "eliminate-dead-code"

    def apply(self, module: Operation) -> Operation:
        eliminate_dead_code(module)
        return module
