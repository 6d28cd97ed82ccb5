"""`torchcc ops`: the operators that are known, with their status."""

from __future__ import annotations

from .. import catalogue
from ..ir.diagnostics import CompileError, Diagnostic
from .console import out, table


def ops(pattern: str, *, core_only: bool) -> None:
    rows = [r for r in catalogue.operators() if pattern in r.name and (r.core or not core_only)]
    if not rows:
        raise CompileError(Diagnostic(f"no operator's name contains `{pattern}`"))
    table([("operator", "implemented as", "core"), *((r.name, r.status, "core" if r.core else "") for r in rows)])
    supported = sum(r.supported for r in rows)
    core = [r for r in rows if r.core]
    out.print(f"{supported} of {len(rows)} operators; {sum(r.supported for r in core)} of {len(core)} of Core ATen", style="bold")
