"""`torchcc ops`: the operators that are known, with their status."""

from __future__ import annotations

from .. import operator_table
from ..ir.diagnostics import CompileError, Diagnostic
from .console import out, table


def ops(pattern: str, *, core_only: bool) -> None:
    rows = operator_table.rows(pattern, core_only=core_only)
    if not rows:
        raise CompileError(Diagnostic(f"no operator's name contains `{pattern}`"))
    table([operator_table.HEAD, *(r.cells for r in rows)])
    supported = sum(r.operator.supported for r in rows)
    core = [r.operator for r in rows if r.operator.core]
    out.print(f"{supported} of {len(rows)} operators; {sum(o.supported for o in core)} of {len(core)} of Core ATen", style="bold")
