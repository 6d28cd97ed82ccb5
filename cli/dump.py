"""`torchcc dump`: the program at a stage, or after a pass."""

from __future__ import annotations

from pathlib import Path

from .. import driver
from ..frontend.ast_printer import print_ast
from ..ir.diagnostics import CompileError, Diagnostic
from .request import Request, out, waiting


def dump(request: Request, stage: str, *, after: str | None, folder: Path | None, target: str) -> None:
    program = request.callable.program
    source = request.callable.source
    if folder is not None:
        dump_all(request, folder, target)
        return
    if after is None and stage not in driver.STAGES:
        raise CompileError(Diagnostic(f"there is no stage `{stage}`", help=f"stages are {', '.join(driver.STAGES)}"))
    if stage == "ast" and after is None:
        assert source is not None
        out.out(print_ast(source).rstrip("\n"))
        return
    text = waiting("compiling", lambda: driver.dump(program, request.specs, stage, after=after, target=target))
    out.out(text.rstrip("\n"))


def dump_all(request: Request, folder: Path, target: str) -> None:
    """`NN-pass.mlir` for every pass, then one file per stage."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        source = request.callable.source
        assert source is not None
        (folder / "ast.txt").write_text(print_ast(source))
        for name, text in waiting("compiling", lambda: driver.dump_all(request.callable.program, request.specs, target)):
            (folder / name).write_text(text)
            out.print(str(folder / name), markup=False)
    except OSError as error:
        raise CompileError(Diagnostic(f"cannot write to `{folder}`: {error.strerror or error}")) from None
