"""What is known of PyTorch's operators: which are implemented, and how; which a program uses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from .frontend import prelude
from .ir.operators import find, functional_form
from .ir.overloads import candidates, core_names, names
from .ir.program import Program
from .ir.source import Span

SUPPORTED: Final = ("primitive", "composite", "derived")


@dataclass(frozen=True)
class KnownOperator:
    name: str
    status: str
    """primitive, composite, derived (in-place or `out=` of one of these), or why not."""
    core: bool

    @property
    def supported(self) -> bool:
        return self.status in SUPPORTED


def operators() -> list[KnownOperator]:
    """Every operator that has a schema here, with its status."""
    core = set(core_names())
    found = [schema.name for base in names() if base.startswith("aten::") for schema in candidates(base)]
    return [KnownOperator(name, status(name), name in core) for name in found]


@cache
def status(name: str) -> str:
    """How `aten::add.Tensor` is implemented."""
    record = find(name)
    if record is not None:
        return f"not yet: {record.lower.__doc__}" if record.lower.__name__ == "unsupported" else "primitive"
    if prelude.is_composite(name):
        return "composite"
    form = functional_form(name)
    if form is not None and status(form[0]) in SUPPORTED:
        return "derived"
    return "not yet"


@dataclass(frozen=True)
class OperatorUse:
    name: str
    span: Span | None
    supported: bool


def operators_used(program: Program) -> list[OperatorUse]:
    """The `aten::` operators in all functions of a program, with their places."""
    uses = [op for op in program.module.walk() if op.name.startswith("aten::")]
    return [OperatorUse(op.name, op.span, status(op.name) in SUPPORTED) for op in uses]
