"""`torchcc run`, its command line read by argparse: half of a warm start would be spent on importing typer.

Takes only what needs no explanation: options that `run` has, spelled out, each with a value that fits. Everything else (help,
mistakes, other commands) goes to `main.py`, which says what is wrong; what is taken here means the same there.
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Final, NoReturn

_MOST_THREADS: Final = 1023


class _ForTyperError(Exception):
    """The command line wants more than this module knows."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _ForTyperError(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("model", type=_text)
    parser.add_argument("--input", "-i", action="append", default=[])
    parser.add_argument("--weights", "-w", type=_path)
    parser.add_argument("--seed", type=_number, default=0)
    parser.add_argument("--labels", type=_path)
    parser.add_argument("--output", "-o", type=_path)
    parser.add_argument("--verify-stages", action="store_true")
    parser.add_argument("--threads", type=_number, choices=range(1, _MOST_THREADS + 1))
    return parser


def _text(text: str) -> str:
    if not text:
        raise ValueError("nothing")
    return text


def _path(text: str) -> Path:
    return Path(_text(text))


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ValueError("no small number")
    return int(text)


def read(arguments: Sequence[str]) -> argparse.Namespace | None:
    """What the arguments say; None where that is for typer to find out."""
    if not arguments or arguments[0] != "run":
        return None
    if any(a == "--" or (a.startswith("-") and a[1:2] != "-" and len(a) > 2) for a in arguments):
        return None  # the two libraries read `-i=x` differently
    try:
        return _parser().parse_args(arguments[1:])
    except _ForTyperError:
        return None


def main(line: argparse.Namespace | None) -> None:
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

        request = Request.of(line.model, line.input, line.weights, line.seed, line.threads)
        run(request, labels=line.labels, output=line.output, verify=line.verify_stages)
