"""`torchcc ops`: the operators that are known, with their status."""

from __future__ import annotations

from rich.table import Table

from .. import catalogue
from .request import out


def ops(pattern: str, *, core_only: bool) -> None:
    rows = [r for r in catalogue.operators() if pattern in r.name and (r.core or not core_only)]
    table = Table("operator", "implemented as", "core", box=None, pad_edge=False)
    for row in rows:
        table.add_row(row.name, row.status, "core" if row.core else "", style=None if row.supported else "dim")
    out.print(table)
    supported = sum(r.supported for r in rows)
    core = [r for r in rows if r.core]
    out.print(f"{supported} of {len(rows)} operators; {sum(r.supported for r in core)} of {len(core)} of Core ATen", style="bold")
