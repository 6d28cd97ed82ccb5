"""`torchcc info`: what a program takes, holds and needs, and what of it cannot be compiled."""

from __future__ import annotations

from collections import Counter

from .. import catalogue, driver
from ..ir.diagnostics import CompileError
from ..ir.dtypes import from_numpy
from .console import out, table
from .request import Request


def info(request: Request) -> None:
    program = request.callable
    arguments = ", ".join(f"{a.name}: {a.type.annotation}" + (f" = {a.default!r}" if a.has_default else "") for a in program.parameters)
    out.print(f"{program.name}({arguments})", style="bold")
    print_weights(request)
    counts = Counter(catalogue.operators_used(program.program))
    out.print("operators: " + ", ".join(f"{n} x{c}" if c > 1 else n for n, c in sorted(counts.items())) if counts else "no operators")
    missing = catalogue.unsupported(program.program)
    if missing:
        out.print(f"not supported ({len(missing)}):", style="red")
        places = [str(m.span or "") for m in missing]
        width = max(map(len, places))
        for place, found in zip(places, missing, strict=True):
            out.print(f"  {place:{width}}  {found.what}")
    if request.inputs:
        report_lowering(request, bool(missing))
    elif not missing:
        out.print("every operator is supported", style="green")


def print_weights(request: Request) -> None:
    weights = request.callable.state_dict()
    if not weights:
        return
    rows = [("parameter or buffer", "type", "elements")]
    for name, array in weights.items():
        dtype = from_numpy(array.dtype)
        rows.append((name, f"{dtype.name if dtype else array.dtype}{list(array.shape)}", f"{array.size:,}"))
    table(rows)
    out.print(f"{sum(a.size for a in weights.values()):,} elements, {sum(a.nbytes for a in weights.values()):,} bytes")


def report_lowering(request: Request, some_unsupported: bool) -> None:
    """Lowers the program for the inputs given: some limits are only met then, and code that is not reached is none."""
    try:
        request.compiled(lambda specs: driver.lower(request.callable.program, specs))
    except CompileError as error:
        out.print("with these inputs:", style="red")
        for diagnostic in error.diagnostics:
            out.print(diagnostic.render())
        return
    rest = "; what is not supported is not reached" if some_unsupported else ""
    out.print(f"with these inputs it compiles{rest}", style="green")
