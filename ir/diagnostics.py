"""Errors as a user sees them: rustc's layout, plain words, the smallest wrong span, one thing to do.

Two families, never mixed: `CompileError` and `ExecutionError` are the user's to act on; `InternalError` is a bug of ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from .source import Span

Severity = Literal["error", "warning", "note", "help"]


@dataclass(frozen=True)
class Note:
    """A line of context below a diagnostic; with a span it shows that source line too."""

    message: str
    span: Span | None = None
    label: str = ""
    severity: Severity = "note"


@dataclass(frozen=True)
class Diagnostic:
    """One fault: `message` stands alone, `span` is the smallest text that is wrong, `label` says what it is."""

    message: str
    span: Span | None = None
    label: str = ""
    notes: tuple[Note, ...] = ()
    help: str | None = None
    severity: Severity = "error"

    def render(self, style: Callable[[str, str], str] | None = None) -> str:
        """Plain text of the diagnostic. `style(role, text)` may add colours; roles: error, note, help, gutter, caret."""
        paint = style or _plain
        parts = [f"{paint(self.severity, self.severity)}: {self.message}"]
        parts += _excerpt(self.span, self.label, paint, "error")
        for note in self.notes:
            parts.append(f"{paint('note', note.severity)}: {note.message}")
            parts += _excerpt(note.span, note.label, paint, "note")
        if self.help:
            parts.append(f"{paint('help', 'help')}: {self.help}")
        return "\n".join(parts)


def _plain(role: str, text: str) -> str:
    del role
    return text


def _excerpt(span: Span | None, label: str, paint: Callable[[str, str], str], role: str) -> list[str]:
    if span is None:
        return []
    shown = span.written
    line, column = shown.file.position(shown.start)
    text = "".join(c if c.isprintable() or c == "\t" else "?" for c in shown.file.line(line))
    width = max(1, min(shown.end, shown.start + len(text) - (column - 1)) - shown.start)
    at = column
    text, column, width = _clipped(text, column, width)
    lead = "".join("\t" if c == "\t" else " " for c in text[: column - 1])
    gutter = " " * len(str(line))
    bar = paint("gutter", "|")
    caret = paint("caret" if role == "error" else "note", "^" * width + (f" {label}" if label else ""))
    lines = [
        f"{gutter}{paint('gutter', '-->')} {shown.file.name}:{line}:{at}",
        f"{gutter} {bar}",
        f"{paint('gutter', str(line))} {bar} {text}",
        f"{gutter} {bar} {lead}{caret}",
    ]
    if shown is not span:
        lines.append(f"{gutter} = note: stored as {span}")
    return lines


def _clipped(text: str, column: int, width: int) -> tuple[str, int, int]:
    """Of a very long line the part around the place; the number of the line and of the column say where it is."""
    if len(text) <= _LONGEST_LINE:
        return text, column, width
    first = max(0, column - 1 - _LONGEST_LINE // 3)
    last = min(len(text), first + _LONGEST_LINE)
    lead = "..." if first else ""
    trail = "..." if last < len(text) else ""
    return f"{lead}{text[first:last]}{trail}", column - first + len(lead), min(width, last - (column - 1))


_LONGEST_LINE: Final = 240


class TorchccError(Exception):
    """Base of everything that torchcc raises on purpose."""


class CompileError(TorchccError):
    """The program, the archive or the request is at fault; holds all independent diagnostics of one run."""

    def __init__(self, diagnostics: Diagnostic | Sequence[Diagnostic]) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = (
            (diagnostics,) if isinstance(diagnostics, Diagnostic) else tuple(diagnostics)
        )
        super().__init__("\n\n".join(d.render() for d in self.shown))

    @property
    def shown(self) -> tuple[Diagnostic, ...]:
        """The diagnostics for a reader: a fault that is found again and again (an operator that is missing) stands once."""
        groups: dict[tuple[str, str, str | None], list[Diagnostic]] = {}
        for d in self.diagnostics:
            groups.setdefault((d.message, d.label, d.help), []).append(d)
        return tuple(m for d in self.diagnostics for m in _shown(d, groups[d.message, d.label, d.help]))

    @staticmethod
    def at(span: Span | None, message: str, *, label: str = "", help: str | None = None, notes: Sequence[Note] = ()) -> CompileError:
        return CompileError(Diagnostic(message, span, label, tuple(notes), help))


@contextmanager
def placed(span: Span | None) -> Generator[None]:
    """What is found wrong inside without knowing its place is wrong at `span`."""
    try:
        yield
    except CompileError as error:
        if span is None or all(d.span is not None for d in error.diagnostics):
            raise
        raise type(error)([d if d.span is not None else replace(d, span=span) for d in error.diagnostics]) from error


@contextmanager
def guarded_nesting(span: Span | None) -> Generator[None]:
    """Python's own stack is the last bound on nesting; what exceeds it is the program's fault."""
    try:
        yield
    except RecursionError:
        raise CompileError.at(
            span,
            "the program is nested too deeply",
            label="the code after each early `return`, `break` and `continue` is nested too",
            help="move parts of it into functions of their own",
        ) from None


class CallError(CompileError, RuntimeError):
    """The arguments of a call do not fit; a RuntimeError, as PyTorch raises for these."""


class NotStatic(CompileError):
    """Something that has to be known at compile time is not; unrolling a loop around it, or a constant, may help."""


class ExecutionError(TorchccError, RuntimeError):
    """A compiled program failed while running: a shape, an index, an assert, a raise.

    `message` is PyTorch's text: `ValueError: text` for `raise ValueError("text")`. `exception` is the qualified name of
    the class that was raised (`builtins.ValueError`, `module.MyError`); None for a failed operator or assert, and for a
    class that is raised without being called, of which PyTorch keeps no name either. `text` is the message without it.
    """

    def __init__(self, message: str, span: Span | None = None, location: str = "") -> None:
        name, self.text = _raised_class(message)
        self.exception = name and name.removeprefix("__torch__.")
        message = message if name is None else f"{self.exception}: {self.text}".removeprefix("builtins.")
        self.message = message
        self.span = span
        self.location = location or (str(span) if span else "")
        super().__init__(Diagnostic(message, span).render() if span else (f"{message}\n  --> {self.location}" if self.location else message))


def raised_text(name: str | None, message: str = "") -> str:
    """What compiled code says that raises: the class by its qualified name, and the message."""
    if not name:
        return message
    return f"{name if name.startswith('builtins.') else f'__torch__.{name}'}: {message}"


def _raised_class(text: str) -> tuple[str | None, str]:
    """The class and the message of what `raised_text` has written."""
    found = _RAISED.match(text)
    return (None, text) if found is None else (found[1], text[found.end() :])


_RAISED: Final = re.compile(r"((?:builtins|__torch__)(?:\.\w+)+): ")


class InternalError(TorchccError):
    """A bug in torchcc. Carries what is needed to report it: the pass, the printed IR, the operation."""

    before: str | None = None
    """IR that went into a pass that failed."""


_REPEATED: Final = 3
"""So often is the same fault shown in full."""

_PLACES: Final = 4


def _shown(diagnostic: Diagnostic, same: Sequence[Diagnostic]) -> Sequence[Diagnostic]:
    """A diagnostic as it is; of many that are the same, only the first, with the places of the others."""
    if len(same) <= _REPEATED:
        return (diagnostic,)
    first, *others = same
    if diagnostic is not first:
        return ()
    places = [str(d.span) for d in others[:_PLACES] if d.span is not None]
    more = [f"{len(others) - len(places)} more"] if len(others) > len(places) else []
    note = Note(f"the same at {len(others)} other places: {', '.join([*places, *more])}")
    return (replace(first, notes=(*first.notes, note)),)


@dataclass
class Diagnostics:
    """Collects diagnostics so that independent errors of one run are reported together."""

    items: list[Diagnostic] = field(default_factory=list[Diagnostic])

    def error(self, span: Span | None, message: str, *, label: str = "", help: str | None = None, notes: Sequence[Note] = ()) -> None:
        diagnostic = Diagnostic(message, span, label, tuple(notes), help)
        if diagnostic not in self.items:
            self.items.append(diagnostic)

    def raise_if_any(self) -> None:
        if self.items:
            raise CompileError(self.items)
