"""Output of the commands: results on stdout as plain lines, never wrapped or recoloured in a pipe; progress on stderr."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")

PATIENCE = 0.5
"""Seconds until somebody who waits is told what for."""


class Output:
    """Lines on stdout; a terminal gets them in colour."""

    def print(self, text: str, style: str | None = None) -> None:
        """`style` in rich's words: bold, red."""
        if style is not None and sys.stdout.isatty():
            _console(stderr=False).print(text, style=style)
        else:
            self.out(text)

    def out(self, text: str) -> None:
        """As it is."""
        sys.stdout.write(text + "\n")


out: Final = Output()


@cache
def _console(*, stderr: bool) -> Console:
    from rich.console import Console  # noqa: PLC0415 - 15 ms, for terminals only

    return Console(stderr=stderr, highlight=False, soft_wrap=not stderr, markup=False, emoji=False)


def note(text: str) -> None:
    """A line about the run, not of its result."""
    sys.stderr.write(text + "\n")


def table(rows: Sequence[Sequence[str]]) -> None:
    """Aligned columns, the first row in bold."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        line = "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        out.print(line.rstrip(), style=None if number else "bold")


def painter(roles: dict[str, str]) -> Callable[[str, str], str] | None:
    """Puts ANSI colours around text by its role; None where stderr is no terminal or NO_COLOR is set."""
    if not _is_styled():
        return None
    return lambda role, text: f"\x1b[{roles[role]}m{text}\x1b[0m" if role in roles else text


def _is_styled() -> bool:
    """Whether stderr is a terminal that wants colours, and lines that move."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def waiting(what: str, work: Callable[[], T]) -> T:
    """The result of `work`; a terminal sees a spinner if it takes long.

    It is done on a thread of its own, so that Ctrl-C ends the wait even while native code runs.
    """
    results: list[T] = []
    errors: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name=what, daemon=True).start()
    if not done.wait(PATIENCE) and _is_styled():
        with _console(stderr=True).status(what):
            done.wait()
    done.wait()
    if errors:
        raise errors[0]
    return results[0]
