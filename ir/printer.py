"""Prints IR of every stage: MLIR text for `linalg` and `loops`, TorchScript graph text for `torch`."""

from __future__ import annotations

from collections.abc import Mapping

from . import graph_text
from .core import Operation
from .dialects import DEFINITIONS
from .dialects.torch import FUNC
from .syntax import PRINT
from .text_printer import Printer


def print_module(op: Operation, marks: Mapping[Operation, str] | None = None) -> str:
    """Text of a module (or any operation) with everything in it. `marks`: messages below operations of it."""
    if any(nested.name == FUNC for nested in _top(op)):
        return graph_text.print_module(op, marks=marks)
    return Printer(DEFINITIONS, PRINT, marks).render(op)


def _top(op: Operation) -> list[Operation]:
    return [op, *(o for region in op.regions for block in region.blocks for o in block.operations())]
