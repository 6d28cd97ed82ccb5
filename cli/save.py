"""`torchcc save`: a program with its weights as a `.pt` archive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .. import api
from ..ir.diagnostics import CompileError, Diagnostic
from .console import out, waiting
from .request import Request


def save(request: Request, output: Path, extra: Sequence[str], *, freeze: bool = False) -> None:
    """`extra` are texts NAME=FILE, or FILE for a file under its own name."""
    files = dict(map(_extra, extra))
    function = request.callable
    if freeze:
        frozen = waiting("freezing", lambda: _frozen(function))
        waiting("saving", lambda: api.save(frozen, output, files))
    else:
        waiting("saving", lambda: api.save(function, output, files))
    out.print(f"{output}  {output.stat().st_size:,} bytes")


def _frozen(function: api.ScriptFunction) -> api.ScriptModule:
    """The module of the method, in eval mode, with nothing but the method and what it needs."""
    if function.program.receiver is None:
        raise CompileError(Diagnostic(f"`{function.name}` is a function: only a module can be frozen"))
    module = api.module_of(function).eval()
    return api.freeze(module, [function.name])


def _extra(text: str) -> tuple[str, bytes]:
    name, found, path = text.partition("=")
    file = Path(path if found else text)
    try:
        return name if found else file.name, file.read_bytes()
    except OSError as error:
        raise CompileError(Diagnostic(f"cannot read `{file}`: {error.strerror or error}")) from None
