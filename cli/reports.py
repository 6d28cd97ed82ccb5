"""What a command says when it fails, and its exit status."""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections.abc import Generator
from contextlib import contextmanager

from ..ir.diagnostics import CompileError, Diagnostic, ExecutionError, InternalError
from .console import note, painter

_COLOURS = {"error": "1;31", "note": "1", "help": "1;36", "gutter": "34", "caret": "1;31"}


@contextmanager
def reported() -> Generator[None]:
    """A user's fault is printed as a diagnostic, status 1; a fault of ours as an internal error, status 2."""
    try:
        yield
    except CompileError as error:
        sys.stderr.write("\n\n".join(map(_text, error.shown)) + "\n")
        raise SystemExit(1) from None
    except ExecutionError as error:
        sys.stderr.write(_text(Diagnostic(error.message, error.span) if error.span else Diagnostic(str(error))) + "\n")
        raise SystemExit(1) from None
    except InternalError as error:
        if error.__cause__ is not None:
            traceback.print_exception(error.__cause__)
        report_bug(str(error), error.before)
        raise SystemExit(2) from None
    except BrokenPipeError:
        raise
    except Exception as error:  # whatever else comes up here is a bug, and is to be reported as one
        traceback.print_exc()
        report_bug(f"{type(error).__name__}: {error}", None)
        raise SystemExit(2) from None


def _text(diagnostic: Diagnostic) -> str:
    return diagnostic.render(painter(_COLOURS))


def report_bug(message: str, before: str | None) -> None:
    """`before` is the IR that went into a pass that failed; it is kept in a file."""
    note(_text(Diagnostic(message)).replace("error", "internal error", 1))
    if before is not None:
        with tempfile.NamedTemporaryFile("w", prefix="before-", suffix=".mlir", delete=False) as file:
            file.write(before)
        note(f"the IR before it is in {file.name}")
    note("This is a bug in torchcc; please report it with the program and the command.")
