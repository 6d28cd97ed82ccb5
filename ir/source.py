"""Source text and positions in it: every AST node and every operation carries a `Span`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True, eq=False)
class SourceFile:
    """A named text. `name` is what diagnostics print: a path, `<string>`, or an archive member."""

    name: str
    text: str
    first_line: int = 1
    """The number of the first line: another one than 1 where the text is an excerpt of a file."""
    origin: Callable[[int, int], Span | None] | None = None
    """For text that a compiler wrote: where its author wrote what stands between two offsets, if that is known."""

    @property
    def is_library(self) -> bool:
        """Whether it is of the TorchScript library that comes with the compiler, and not of the user."""
        return self.name.startswith("torchcc/")

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        for i, c in enumerate(self.text):
            if c == "\n":
                starts.append(i + 1)
        return starts

    def position(self, offset: int) -> tuple[int, int]:
        """(line, column) of a character offset, both counted from 1."""
        index = bisect_right(self._line_starts, offset) - 1
        return index + self.first_line, offset - self._line_starts[index] + 1

    def line(self, number: int) -> str:
        """Text of a line (counted as in `position`), without its newline; empty past the end."""
        index = number - self.first_line
        if not 0 <= index < len(self._line_starts):
            return ""
        start = self._line_starts[index]
        end = self.text.find("\n", start)
        return self.text[start:] if end < 0 else self.text[start:end]


@dataclass(frozen=True)
class Span:
    """The characters `file.text[start:end]`.

    `origin` is set for text that a compiler wrote (code in an archive): the span in the file that its author wrote.
    """

    file: SourceFile = field(repr=False)
    start: int
    end: int
    origin: Span | None = None

    @property
    def written(self) -> Span:
        """What the author wrote: this span, or for text that a compiler wrote the one that it stands for."""
        if self.origin is not None:
            return self.origin
        found = None if self.file.origin is None else self.file.origin(self.start, self.end)
        return self if found is None else found

    @property
    def line(self) -> int:
        return self.file.position(self.start)[0]

    @property
    def column(self) -> int:
        return self.file.position(self.start)[1]

    @property
    def text(self) -> str:
        return self.file.text[self.start : self.end]

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of `other` (same file)."""
        return Span(self.file, self.start, other.end, self.origin)

    def __str__(self) -> str:
        line, column = self.file.position(self.start)
        return f"{self.file.name}:{line}:{column}"
