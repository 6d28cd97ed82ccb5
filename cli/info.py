"""`torchcc info`: what a program takes, holds and needs, and what of it cannot be compiled."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

from .. import catalogue, driver
from ..frontend.archive.load import survey
from ..ir.attributes import Constant, ForeignTensor
from ..ir.diagnostics import CompileError
from ..ir.dtypes import from_numpy
from ..ir.places import Places
from .console import out, table
from .request import Request


def info(request: Request) -> None:
    try:
        program = request.callable
    except CompileError:
        print_survey(request)
        raise
    arguments = ", ".join(f"{a.name}: {a.type.annotation}" + (f" = {a.default!r}" if a.has_default else "") for a in program.parameters)
    out.print(f"{program.name}({arguments})", style="bold")
    print_weights(request)
    print_state(request)
    counts = Counter(catalogue.operators_used(program.program))
    out.print("operators: " + ", ".join(f"{n} x{c}" if c > 1 else n for n, c in sorted(counts.items())) if counts else "no operators")
    limits = catalogue.unsupported(program.program)
    missing = [m for m in limits if not m.conditional]
    print_limits("not supported", missing, "red")
    print_limits("not supported for some arguments", [m for m in limits if m.conditional], "yellow")
    if request.inputs:
        report_lowering(request, bool(missing))
    elif not missing:
        out.print("every operator is supported", style="green")


def print_survey(request: Request) -> None:
    """What else an archive with errors in its code needs and is not supported: all of it is listed at once."""
    if not request.is_archive:
        return
    with contextlib.suppress(CompileError):
        limits = catalogue.unsupported_in(survey(request.path, request.entry or "forward"))
        print_limits("not supported", [m for m in limits if not m.conditional], "red")


def print_limits(title: str, limits: Sequence[catalogue.Limit], style: str) -> None:
    if not limits:
        return
    lines = dict.fromkeys((str(m.span or ""), m.what) for m in limits)  # code that was copied has one place
    out.print(f"{title} ({len(lines)}):", style=style)
    width = max(len(place) for place, _ in lines)
    for place, what in lines:
        out.print(f"  {place:{width}}  {what}")


def print_weights(request: Request) -> None:
    weights = request.callable.state_dict()
    if not weights:
        return
    rows = [("parameter or buffer", "type", "elements")]
    arrays = {n: a for n, a in weights.items() if not isinstance(a, ForeignTensor)}
    for name, array in arrays.items():
        dtype = from_numpy(array.dtype)
        rows.append((name, f"{dtype.name if dtype else array.dtype}{list(array.shape)}", f"{array.size:,}"))
    for name, tensor in weights.items():
        if isinstance(tensor, ForeignTensor):
            rows.append((name, f"{tensor.dtype}{list(tensor.shape)}, {tensor.what}", f"{math.prod(tensor.shape):,}"))
    table(rows)
    out.print(f"{sum(a.size for a in arrays.values()):,} elements, {sum(a.nbytes for a in arrays.values()):,} bytes")


def print_state(request: Request) -> None:
    """Attributes that calls may change."""
    program = request.callable.program
    if program.receiver is None:
        return
    paths = catalogue.changed_attributes(program)
    if not paths:
        return
    attributes = Places(program.receiver).attributes
    rows = [("state between calls", "type", "now")]
    for path in paths:
        owner, name = attributes[path]
        declared = owner.type.attributes.get(name)
        rows.append((path, declared.annotation if declared is not None else "", _shown(owner.attributes.get(name))))
    table(rows)


def _shown(value: Any) -> str:
    if isinstance(value, Constant):
        dtype = from_numpy(value.array.dtype)
        return f"{dtype.name if dtype else value.array.dtype}{list(value.array.shape)}"
    if isinstance(value, list | tuple | dict):
        return f"{type(cast(object, value)).__name__} of {len(cast('list[Any]', value))}"
    return str(value) if len(str(value)) <= 40 else f"{str(value)[:37]}..."


def report_lowering(request: Request, some_unsupported: bool) -> None:
    """Lowers the program for the inputs given: some limits are only met then, and code that is not reached is none."""
    try:
        request.compiled(lambda specs, state: driver.lower(request.callable.program, specs, state=state))
    except CompileError as error:
        out.print("with these inputs:", style="red")
        for diagnostic in error.shown:
            out.print(diagnostic.render())
        return
    rest = "; what is not supported is not reached" if some_unsupported else ""
    out.print(f"with these inputs it compiles{rest}", style="green")
