"""`torchcc info`: what a program takes, holds and needs, before it is compiled."""

from __future__ import annotations

from collections import Counter

from rich.table import Table

from .. import catalogue
from ..ir.dtypes import from_numpy
from .request import Request, out


def info(request: Request) -> None:
    program = request.callable
    arguments = ", ".join(f"{a.name}: {a.type.annotation}" + (f" = {a.default}" if a.has_default else "") for a in program.parameters)
    out.print(f"{program.name}({arguments})", style="bold", markup=False)
    weights = program.state_dict()
    if weights:
        table = Table("parameter or buffer", "type", "elements", box=None, pad_edge=False)
        for name, array in weights.items():
            dtype = from_numpy(array.dtype)
            table.add_row(name, f"{dtype.name if dtype else array.dtype}{list(array.shape)}", f"{array.size:,}")
        out.print(table)
        out.print(f"{sum(a.size for a in weights.values()):,} elements, {sum(a.nbytes for a in weights.values()):,} bytes")
    used = catalogue.operators_used(program.program)
    counts = Counter(u.name for u in used)
    out.print("operators: " + ", ".join(f"{n} x{c}" if c > 1 else n for n, c in sorted(counts.items())) if counts else "no operators")
    missing = [u for u in used if not u.supported]
    if not missing:
        out.print("everything is supported", style="green")
        return
    out.print(f"{len(missing)} not supported:", style="red")
    for use in missing:
        out.print(f"  {use.name}  {use.span or ''}", markup=False)
