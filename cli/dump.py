"""`torchcc dump`: the program at a stage, or after a pass."""

from __future__ import annotations

from pathlib import Path

from .. import driver
from ..backend.cpu.host import named_target
from ..frontend.ast_printer import print_ast
from ..ir.diagnostics import CompileError, Diagnostic
from ..ir.printer import print_module
from ..ir.schedule import print_schedules
from .console import out
from .request import Request


def dump(
    request: Request, stage: str, *, after: str | None, folder: Path | None, target: str, schedules: bool = False
) -> None:
    program = request.callable.program
    if schedules:
        out.out(schedules_text(request, target).rstrip("\n"))
    elif folder is not None:
        dump_all(request, folder, target)
    elif after == "emit":
        out.out(print_module(program.module).rstrip("\n"))  # needs no inputs
    elif after is None and stage not in driver.STAGES:
        raise CompileError(Diagnostic(f"there is no stage `{stage}`", help=f"stages are {', '.join(driver.STAGES)}"))
    elif after is None and stage == "ast":
        out.out(ast_text(request).rstrip("\n"))
    else:
        text = request.compiled(
            lambda specs, state: driver.dump(program, specs, stage, after=after, target=target, state=state)
        )
        out.out(text.rstrip("\n"))


def schedules_text(request: Request, target: str) -> str:
    """How each group is computed, as `torchcc compile --schedule` reads it."""
    if driver.is_gpu(target):
        raise CompileError(Diagnostic(f"schedules are of CPUs; `{target}` has none"))
    lowered = request.compiled(lambda specs, state: driver.lower(request.callable.program, specs, target, state=state))
    return print_schedules(lowered.schedules.decided.values(), named_target(target).facts.name)


def ast_text(request: Request) -> str:
    source = request.callable.source
    if source is None:
        raise CompileError(Diagnostic("an archive has no syntax tree of its own", help="its first stage is `torch`"))
    return print_ast(source)


def dump_all(request: Request, folder: Path, target: str) -> None:
    """`ast.txt`, then `NN-step.graph` or `NN-step.mlir` for every step, `emit`, `specialize` and `functionalize` among them."""
    program = request.callable.program

    def write(name: str, text: str) -> None:
        (folder / name).write_text(text)
        out.print(str(folder / name))

    try:
        folder.mkdir(parents=True, exist_ok=True)
        if request.callable.source is not None:
            write("ast.txt", ast_text(request))
        request.compiled(lambda specs, state: driver.dump_all(program, specs, target, write, state))
    except OSError as error:
        raise CompileError(Diagnostic(f"cannot write to `{folder}`: {error.strerror or error}")) from None
