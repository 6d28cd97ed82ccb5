"""`torchcc compile`: ahead of time, to a file."""

from __future__ import annotations

from pathlib import Path

from .. import driver
from ..ir.diagnostics import CompileError, Diagnostic
from .console import out
from .request import Request

EMITTED_BY_SUFFIX = {".so": "so", ".dylib": "so", ".o": "obj", ".ll": "llvm", ".s": "asm", ".ptx": "ptx"}


def compile_to(request: Request, output: Path, *, emit: str | None, target: str, name: str | None) -> None:
    kind = output_kind(output, emit)
    if name is not None and not (name.isidentifier() and name.isascii()):
        raise CompileError(Diagnostic(f"--name {name}: this is not a name in C"))
    symbol = name or c_identifier(request.entry or request.callable.name)
    program = request.callable.program
    try:
        written = request.compiled(
            lambda specs, state: driver.compile_ahead(
                program, specs, kind, output, symbol, target, state, request.callable.accept
            )
        )
    except OSError as error:
        raise CompileError(Diagnostic(f"cannot write `{error.filename or output}`: {error.strerror or error}")) from None
    for path in written:
        out.print(f"{path}  {path.stat().st_size:,} bytes")


def output_kind(output: Path, emit: str | None) -> str:
    """What is made: as told, or as the file is called."""
    kinds = dict.fromkeys(EMITTED_BY_SUFFIX.values())
    if emit is not None and emit not in kinds:
        raise CompileError(Diagnostic(f"--emit {emit}: there is no such output", help=f"there are {', '.join(kinds)}"))
    kind = emit or EMITTED_BY_SUFFIX.get(output.suffix)
    if kind is None:
        raise CompileError(Diagnostic(f"what to emit does not follow from `{output.name}`", help=f"add --emit {', '.join(kinds)}"))
    return kind


def c_identifier(entry: str) -> str:
    """`Net(10)` -> `net`, `DigitsNet` -> `digits_net`: a C function's name."""
    base = entry.partition("(")[0].replace(".", "_")
    snake = "".join(f"_{c.lower()}" if c.isupper() and i and not base[i - 1].isupper() else c.lower() for i, c in enumerate(base))
    return snake if snake.isidentifier() and snake.isascii() else "forward"
