"""`torchcc save`: a program with its weights as a `.pt` archive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .. import api
from ..ir.diagnostics import CompileError, Diagnostic
from .console import out, waiting
from .request import Request


def save(request: Request, output: Path, extra: Sequence[str]) -> None:
    """`extra` are texts NAME=FILE, or FILE for a file under its own name."""
    files = dict(map(_extra, extra))
    waiting("saving", lambda: api.save(request.callable, output, files))
    out.print(f"{output}  {output.stat().st_size:,} bytes")


def _extra(text: str) -> tuple[str, bytes]:
    name, found, path = text.partition("=")
    file = Path(path if found else text)
    try:
        return name if found else file.name, file.read_bytes()
    except OSError as error:
        raise CompileError(Diagnostic(f"cannot read `{file}`: {error.strerror or error}")) from None
