"""The command line: `torchcc run | compile | save | dump | info | bench | profile | ops | opt`."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, ParamSpec

import typer

from .. import __version__
from .reports import reported

# Each command imports what it needs when it is called: `run` of a program that is in the cache needs no compiler.

app = typer.Typer(
    name="torchcc",
    help="The stand-alone compiler for TorchScript: source in, native machine code or PTX out; no PyTorch needed.",
    epilog="""\b
Exit status:
  0    done
  1    the program, its inputs or its files are at fault: printed as `error: ...`
  2    the command line cannot be understood, or torchcc has a bug: `internal error: ...`
  130  Ctrl-C""",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

P = ParamSpec("P")

def _examples(*lines: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def command(function: Callable[P, None]) -> Callable[P, None]:
    @wraps(function)
    def run_reported(*args: P.args, **kwargs: P.kwargs) -> None:
        with reported():
            function(*args, **kwargs)

    return run_reported


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"torchcc {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="show the version")] = False,
) -> None:
    del version


Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="file.py, file.py:name, file.py:Net(arguments) or file.py:Net(arguments).method")
]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        "-i",
        metavar="NAME=VALUE",
        help="once per parameter: x=f32[1,3,8,8] (random), x=@file.npy, k=3, s=text, xs=[f32[2],f32[3]]; "
        "f32[batch,3] has a dynamic dimension, f32[batch=8,3] gives it a size for runs",
    ),
]
Weights = Annotated[
    Path | None, typer.Option("--weights", "-w", metavar="FILE", help=".safetensors, .npz or a PyTorch state_dict file")
]
Seed = Annotated[
    int, typer.Option("--seed", min=0, help="seed of random inputs, of what the program draws, of the initialisation without weights")
]
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, max=1023, help="threads that parallel loops use (default: all cores)")
]
Target = Annotated[
    str,
    typer.Option(
        "--target",
        metavar="TARGET",
        help="host, x86-64 (SSE2), x86-64-v3, x86-64-v4, aarch64, riscv64, aarch64-apple-darwin, an LLVM triple or triple:cpu, "
        "or an NVIDIA chip such as sm_90",
    ),
]


@app.command(
    name="run",
    epilog=_examples(
        'torchcc run net.py --input x=f32[1,3,8,8]',
        'torchcc run net.py:Net --weights net.safetensors --input x=@images.npy --labels labels.npy',
        'torchcc run "net.py:Net(10)" --input "x=f32[batch=8,3]" --verify-stages',
    ),
)
@command
def run_(
    model: Model,
    input: Inputs = None,
    weights: Weights = None,
    seed: Seed = 0,
    labels: Annotated[
        Path | None, typer.Option("--labels", metavar="FILE", help=".npy of class numbers: prints the accuracy of the scores")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="write the result to .npy, or a list of them to .npz")
    ] = None,
    verify_stages: Annotated[
        bool, typer.Option("--verify-stages", help="run every stage too, and name the first that differs")
    ] = False,
    threads: Threads = None,
) -> None:
    """Compile MODEL to native code, run it, print the result."""
    from . import run  # noqa: PLC0415 - see above
    from .request import Request  # noqa: PLC0415

    run.run(Request.of(model, input or [], weights, seed, threads), labels=labels, output=output, verify=verify_stages)


@app.command(
    name="compile",
    epilog=_examples(
        'torchcc compile net.py --input "x=f32[batch,784]" -o libnet.so',
        'torchcc compile net.py --input x=f32[8,784] --target aarch64 -o net.o',
        'torchcc compile net.py --input x=f32[8,784] --target sm_90 -o net.ptx',
        'torchcc compile net.py --input x=f32[8,784] --tune --tune-seconds 300 -o libnet.so',
        'torchcc compile net.py --input x=f32[8,784] --target x86-64-v4 --schedule net.toml -o libnet.so',
    ),
)
@command
def compile_(
    model: Model,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="file to write; a header of the same name goes beside .so and .o"),
    ],
    input: Inputs = None,
    weights: Weights = None,
    seed: Seed = 0,
    emit: Annotated[
        str | None, typer.Option("--emit", metavar="KIND", help="so, obj, llvm, asm or ptx (default: by the output's suffix)")
    ] = None,
    target: Target = "host",
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="name of the C function (default: the entry's)")
    ] = None,
    timings: Annotated[
        bool, typer.Option("--timings", help="show what each pass took, and LLVM for each kernel")
    ] = False,
    schedule: Annotated[
        Path | None,
        typer.Option("--schedule", metavar="FILE", help="schedules of groups of operations, as `torchcc dump --print-schedules` writes them"),
    ] = None,
    tune: Annotated[
        bool, typer.Option("--tune", help="measure other schedules on this machine first; what is faster is kept in the cache, for all commands")
    ] = False,
    tune_seconds: Annotated[float, typer.Option("--tune-seconds", min=1, metavar="SECONDS", help="how long --tune may measure")] = 60,
) -> None:
    """Compile MODEL to a file: library, object or text."""
    from . import compile_command  # noqa: PLC0415 - see above
    from .request import Request  # noqa: PLC0415

    request = Request.of(model, input or [], weights, seed, None)
    compile_command.compile_to(
        request, output, emit=emit, target=target, name=name, timings=timings, schedule=schedule, tune_seconds=tune_seconds if tune else None
    )


@app.command(
    name="save",
    epilog=_examples(
        'torchcc save net.py:Net --weights net.safetensors -o net.pt',
        'torchcc save net.py --extra labels.txt -o net.pt',
    ),
)
@command
def save_(
    model: Model,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="archive to write")],
    weights: Weights = None,
    seed: Seed = 0,
    extra: Annotated[
        list[str] | None,
        typer.Option("--extra", metavar="[NAME=]FILE", help="a file to store beside the model (`_extra_files` of PyTorch)"),
    ] = None,
    freeze: Annotated[
        bool, typer.Option("--freeze", help="weights as constants of the code, in eval mode (`torch.jit.freeze` of PyTorch)")
    ] = False,
) -> None:
    """Save MODEL and its weights as an archive that torch.jit.load and torchcc read."""
    from . import save  # noqa: PLC0415 - see above
    from .request import Request  # noqa: PLC0415

    save.save(Request.of(model, [], weights, seed, None), output, extra or [], freeze=freeze)


@app.command(
    name="dump",
    epilog=_examples(
        'torchcc dump net.py --stage ast',
        'torchcc dump net.py --input x=f32[2,3] --stage loops',
        'torchcc dump net.py --input x=f32[2,3] --after bufferize',
        'torchcc dump net.py --input x=f32[2,3] --all stages/',
        'torchcc dump net.py --input x=f32[2,3] --target x86-64-v4 --print-schedules > net.toml',
    ),
)
@command
def dump_(
    model: Model,
    stage: Annotated[
        str, typer.Option("--stage", "-s", metavar="STAGE", help="ast, torch, linalg, loops, llvm, asm or ptx")
    ] = "linalg",
    input: Inputs = None,
    weights: Weights = None,
    seed: Seed = 0,
    after: Annotated[
        str | None,
        typer.Option(
            "--after", metavar="PASS", help="the program right after this pass; emit, specialize and functionalize come first"
        ),
    ] = None,
    all: Annotated[
        Path | None, typer.Option("--all", metavar="FOLDER", help="write the program after every pass to this folder")
    ] = None,
    target: Target = "host",
    print_schedules: Annotated[
        bool, typer.Option("--print-schedules", help="how each group of operations is computed, as `torchcc compile --schedule` reads it")
    ] = False,
) -> None:
    """Print MODEL at a stage of its compilation."""
    from . import dump  # noqa: PLC0415 - see above
    from .request import Request  # noqa: PLC0415

    request = Request.of(model, input or [], weights, seed, None)
    dump.dump(request, stage, after=after, folder=all, target=target, schedules=print_schedules)


@app.command(
    name="info",
    epilog=_examples("torchcc info net.py:Net", "torchcc info net.py --input x=f32[2,3]    (and can it be compiled for these?)"),
)
@command
def info_(model: Model, input: Inputs = None, weights: Weights = None) -> None:
    """Show what MODEL takes, holds and needs.

    Signature, parameters, operators, and everything that is not supported, with the source lines.
    """
    from . import info  # noqa: PLC0415 - see above
    from .request import Request  # noqa: PLC0415

    info.info(Request.of(model, input or [], weights, 0, None))


@app.command(
    name="bench",
    epilog=_examples(
        "torchcc bench net.py --input x=f32[64,784] --runs 200",
        "torchcc bench net.pt --input x=f32[1,3,224,224] --threads 1 --against torch,onnxruntime,openvino",
    ),
)
@command
def bench_(
    model: Model,
    input: Inputs = None,
    weights: Weights = None,
    seed: Seed = 0,
    runs: Annotated[int, typer.Option("--runs", min=1, help="timed calls")] = 100,
    threads: Threads = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="NAMES", help="torch, onnxruntime, openvino: run the model by these too, in turn"),
    ] = None,
    peer_python: Annotated[
        str | None, typer.Option("--peer-python", metavar="FILE", help="interpreter that has these libraries (default: this one)")
    ] = None,
) -> None:
    """Time the compiled MODEL.

    Prints the compile time, then minimum, median and maximum of the calls. With --against, other libraries run the same
    archive with the same inputs and threads, each in a process of its own and in turn with torchcc: medians, their
    ratio (below 1: torchcc is faster), seconds until the first result, and how far the results lie apart.
    """
    from . import bench  # noqa: PLC0415 - see above
    from .request import Request  # noqa: PLC0415

    names = [n.strip() for n in (against or "").split(",") if n.strip()]
    bench.bench(Request.of(model, input or [], weights, seed, threads), runs, names, peer_python)


@app.command(
    name="profile",
    epilog=_examples(
        "torchcc profile net.py --input x=f32[64,784]", "torchcc profile net.pt --input x=f32[1,3,224,224] --trace net.json"
    ),
)
@command
def profile_(
    model: Model,
    input: Inputs = None,
    weights: Weights = None,
    seed: Seed = 0,
    runs: Annotated[int, typer.Option("--runs", min=1, help="calls, of which the medians are shown")] = 30,
    top: Annotated[int, typer.Option("--top", min=1, help="kernels shown, those that take longest")] = 20,
    trace: Annotated[
        Path | None, typer.Option("--trace", metavar="FILE", help="write a trace for Perfetto or chrome://tracing")
    ] = None,
    threads: Threads = None,
) -> None:
    """Show which kernels of MODEL take how long.

    For each kernel: time, operations and bytes per second, what share of this machine's measured roofline that is (more than
    100 % where caches hold the data), and the line of the source that it was written for.
    """
    from . import profile  # noqa: PLC0415 - see above
    from .request import Request  # noqa: PLC0415

    profile.profile(Request.of(model, input or [], weights, seed, threads), runs=runs, top=top, trace=trace)


@app.command(name="ops", epilog=_examples("torchcc ops softmax", "torchcc ops --core"))
@command
def ops_(
    pattern: Annotated[str, typer.Argument(metavar="[TEXT]", help="only operators whose name contains this")] = "",
    core: Annotated[bool, typer.Option("--core", help="only Core ATen")] = False,
) -> None:
    """List operators and how they are implemented."""
    from . import ops  # noqa: PLC0415 - see above

    ops.ops(pattern, core_only=core)


@app.command(
    name="opt",
    epilog=_examples("torchcc opt before.mlir --pass canonicalize --pass 'map-to-gpu{block_size=128}'"),
)
@command
def opt_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="printed IR of the torch, linalg or loops stage")],
    passes: Annotated[
        list[str] | None, typer.Option("--pass", "-p", metavar="PASS", help="name or name{option=value ...}, in order")
    ] = None,
    target: Target = "host",
) -> None:
    """Run passes on printed IR and print the result.

    Without a pass: parse, verify and print.
    """
    from . import opt  # noqa: PLC0415 - see above

    opt.opt(file, passes or [], target)


def main() -> None:
    """Runs the command line; a reader that goes away (`| head`) ends it quietly."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    app()
