"""`torchcc compile`: ahead of time, to a file."""

from __future__ import annotations

from pathlib import Path

from .. import driver
from ..ir.diagnostics import CompileError, Diagnostic
from .request import Request, out, waiting

EMITTED_BY_SUFFIX = {".so": "so", ".dylib": "so", ".o": "obj", ".ll": "llvm", ".s": "asm", ".ptx": "ptx"}


def compile_to(request: Request, output: Path, *, emit: str | None, target: str, name: str | None) -> None:
    kind = emit or EMITTED_BY_SUFFIX.get(output.suffix)
    if kind not in (*EMITTED_BY_SUFFIX.values(),):
        raise CompileError(Diagnostic(f"what to emit does not follow from `{output.name}`", help="add --emit so, obj, llvm, asm or ptx"))
    symbol = name or c_identifier(request.entry or request.callable.name)
    program = request.callable.program
    try:
        written = waiting("compiling", lambda: driver.compile_ahead(program, request.specs, kind, output, symbol, target))
    except OSError as error:
        raise CompileError(Diagnostic(f"cannot write `{error.filename or output}`: {error.strerror or error}")) from None
    for path in written:
        out.print(f"{path}  {path.stat().st_size:,} bytes", markup=False)


def c_identifier(entry: str) -> str:
    """`Net(10)` -> `net`, `DigitsNet` -> `digits_net`: a C function's name."""
    base = entry.partition("(")[0].replace(".", "_")
    snake = "".join(f"_{c.lower()}" if c.isupper() and i and not base[i - 1].isupper() else c.lower() for i, c in enumerate(base))
    return snake if snake.isidentifier() else "forward"
