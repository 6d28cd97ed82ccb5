"""The command line: `torchcc run | compile | dump | info | ops | bench`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, ParamSpec

import typer
from rich.console import Console

from ..ir.diagnostics import CompileError, Diagnostic, ExecutionError, InternalError
from . import bench, compile_command, dump, info, ops, run
from .request import Request

app = typer.Typer(
    name="torchcc",
    help="The stand-alone compiler for TorchScript: source in, native machine code or PTX out; no PyTorch needed.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

errors = Console(stderr=True, highlight=False, soft_wrap=True)

P = ParamSpec("P")


@contextmanager
def reported() -> Iterator[None]:
    """A user's fault is printed as a diagnostic, status 1; a fault of ours as an internal error, status 2."""
    try:
        yield
    except CompileError as error:
        for number, diagnostic in enumerate(error.diagnostics):
            if number:
                sys.stderr.write("\n")
            _print(diagnostic)
        raise typer.Exit(1) from None
    except ExecutionError as error:
        _print(Diagnostic(error.message, error.span, notes=()) if error.span else Diagnostic(str(error)))
        raise typer.Exit(1) from None
    except InternalError as error:
        errors.print(f"internal error: {error}", style="bold red", markup=False)
        errors.print("This is a bug in torchcc; please report it with the program and the command.", markup=False)
        raise typer.Exit(2) from None


_STYLES = {"error": "bold red", "note": "bold", "help": "bold cyan", "gutter": "blue", "caret": "bold red"}


def _print(diagnostic: Diagnostic) -> None:
    if errors.is_terminal:
        text = diagnostic.render(lambda role, text: f"[{_STYLES[role]}]{text.replace('[', chr(92) + '[')}[/]" if role in _STYLES else text)
        errors.print(text)
    else:
        sys.stderr.write(diagnostic.render() + "\n")


def command(function: Callable[P, None]) -> Callable[P, None]:
    @wraps(function)
    def run_reported(*args: P.args, **kwargs: P.kwargs) -> None:
        with reported():
            function(*args, **kwargs)

    return run_reported


Model = Annotated[str, typer.Argument(metavar="MODEL", help="file.py, file.py:Name or file.py:Name(arguments)")]
Inputs = Annotated[
    list[str] | None,
    typer.Option("--input", "-i", help="name=f32[1,3,8,8] (random), name=@file.npy, name=3; f32[batch,3] is dynamic"),
]
Weights = Annotated[Path | None, typer.Option("--weights", "-w", help=".safetensors, .npz or a PyTorch state_dict file")]
Seed = Annotated[int, typer.Option("--seed", help="seed of random inputs, and of the initialisation where there are no weights")]
Threads = Annotated[int | None, typer.Option("--threads", help="threads that parallel loops use (default: all cores)")]


@app.command(name="run", epilog="Example: torchcc run net.py:Net --weights net.safetensors --input x=f32[1,3,8,8]")
@command
def run_(
    model: Model,
    input: Inputs = None,
    weights: Weights = None,
    seed: Seed = 0,
    labels: Annotated[Path | None, typer.Option("--labels", help=".npy of class numbers: prints the accuracy of the scores")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="write the result to .npy or .npz")] = None,
    verify_stages: Annotated[bool, typer.Option("--verify-stages", help="run every stage and name the first that differs")] = False,
    threads: Threads = None,
) -> None:
    """Compile MODEL to native code, run it, and print its result."""
    run.run(Request.of(model, input or [], weights, seed, threads), labels=labels, output=output, verify=verify_stages)


@app.command(name="compile", epilog="Example: torchcc compile net.py --input x=f32[batch,784] -o libnet.so")
@command
def compile_(
    model: Model,
    output: Annotated[Path, typer.Option("--output", "-o", help="file to write; a header of the same name goes beside .so and .o")],
    input: Inputs = None,
    weights: Weights = None,
    seed: Seed = 0,
    emit: Annotated[str | None, typer.Option("--emit", help="so, obj, llvm, asm or ptx (default: by the output's suffix)")] = None,
    target: Annotated[str, typer.Option("--target", help="host, or an NVIDIA chip such as sm_90")] = "host",
    name: Annotated[str | None, typer.Option("--name", help="name of the C function (default: the entry's)")] = None,
) -> None:
    """Compile MODEL ahead of time: a shared library, an object file, LLVM IR, assembly or PTX."""
    compile_command.compile_to(Request.of(model, input or [], weights, seed, None), output, emit=emit, target=target, name=name)


@app.command(name="dump", epilog="Example: torchcc dump net.py --input x=f32[2,3] --stage loops --after bufferize")
@command
def dump_(
    model: Model,
    stage: Annotated[str, typer.Option("--stage", "-s", help="ast, torch, linalg, loops, llvm, asm or ptx")] = "linalg",
    input: Inputs = None,
    weights: Weights = None,
    seed: Seed = 0,
    after: Annotated[str | None, typer.Option("--after", help="show the program right after this pass")] = None,
    all: Annotated[Path | None, typer.Option("--all", help="write every stage and the result of every pass to this folder")] = None,
    target: Annotated[str, typer.Option("--target", help="host, or an NVIDIA chip such as sm_90")] = "host",
) -> None:
    """Print MODEL at a stage of its compilation."""
    dump.dump(Request.of(model, input or [], weights, seed, None), stage, after=after, folder=all, target=target)


@app.command(name="info", epilog="Example: torchcc info net.py:Net")
@command
def info_(model: Model, weights: Weights = None) -> None:
    """Show signature, parameters and operators of MODEL, and what is not supported, with the source lines."""
    info.info(Request.of(model, [], weights, 0, None))


@app.command(name="ops", epilog="Example: torchcc ops softmax")
@command
def ops_(
    pattern: Annotated[str, typer.Argument(help="only operators whose name contains this")] = "",
    core: Annotated[bool, typer.Option("--core", help="only Core ATen")] = False,
) -> None:
    """List the operators that are known, and how each is implemented."""
    ops.ops(pattern, core_only=core)


@app.command(name="bench", epilog="Example: torchcc bench net.py --input x=f32[64,784] --runs 200")
@command
def bench_(
    model: Model,
    input: Inputs = None,
    weights: Weights = None,
    seed: Seed = 0,
    runs: Annotated[int, typer.Option("--runs", help="timed calls")] = 100,
    threads: Threads = None,
) -> None:
    """Time the compiled MODEL: compile time, then minimum, median and maximum of the calls."""
    bench.bench(Request.of(model, input or [], weights, seed, threads), runs)


def main() -> None:
    """Entry point of the `torchcc` command."""
    app()


