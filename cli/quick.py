"""`torchcc run`, its command line read without typer: half of a warm start is spent on importing what reads command lines.

Takes only what needs no explanation: options that `run` has, spelled out, each with a value that fits. Everything else (help,
mistakes, other commands) goes to `main.py`, which says what is wrong; what is taken here means the same there.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Final

_WITH_VALUE: Final = {
    "--input": "input", "-i": "input", "--weights": "weights", "-w": "weights", "--seed": "seed", "--labels": "labels",
    "--output": "output", "-o": "output", "--threads": "threads",
}  # fmt: skip

_MOST_THREADS: Final = 1023


@dataclass
class Line:
    """A command line of `run`."""

    model: str
    inputs: list[str] = field(default_factory=list[str])
    weights: Path | None = None
    seed: int = 0
    labels: Path | None = None
    output: Path | None = None
    verify_stages: bool = False
    threads: int | None = None


def read(arguments: Sequence[str]) -> Line | None:
    """What the arguments say; None where that is for typer to find out."""
    if not arguments or arguments[0] != "run":
        return None
    given: dict[str, list[str]] = {}
    models: list[str] = []
    verify = False
    rest = iter(arguments[1:])
    for argument in rest:
        name, equals, value = argument.partition("=")
        if argument == "--verify-stages":
            verify = True
        elif argument in _WITH_VALUE:
            following = next(rest, None)
            if following is None or following.startswith("-"):
                return None
            given.setdefault(_WITH_VALUE[argument], []).append(following)
        elif equals and name.startswith("--") and name in _WITH_VALUE:
            given.setdefault(_WITH_VALUE[name], []).append(value)
        elif argument.startswith("-"):
            return None
        else:
            models.append(argument)
    inputs = given.pop("input", [])
    if len(models) != 1 or any(len(values) > 1 for values in given.values()):
        return None
    single = {name: values[0] for name, values in given.items()}
    seed, threads = _number(single.get("seed", "0")), _number(single.get("threads", "1"))
    if seed is None or threads is None or not 1 <= threads <= _MOST_THREADS or "" in (*models, *single.values()):
        return None
    paths = {name: Path(single[name]) for name in ("weights", "labels", "output") if name in single}
    return Line(models[0], inputs, seed=seed, verify_stages=verify, threads=threads if "threads" in single else None, **paths)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def main(line: Line | None) -> None:
    """Runs the command line: `line` is what `read` has made of it."""
    if line is None:
        import_module(".main", __package__).main()
        return
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    from .reports import reported  # noqa: PLC0415 - help and mistakes need none of these

    with reported():
        from .request import Request  # noqa: PLC0415
        from .run import run  # noqa: PLC0415

        request = Request.of(line.model, line.inputs, line.weights, line.seed, line.threads)
        run(request, labels=line.labels, output=line.output, verify=line.verify_stages)
