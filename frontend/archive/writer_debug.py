"""`.debug_pkl`, written: which line of the author's file each line of an archive's code comes from.

In: the lines of a code file with their spans. Out: the pickle in PyTorch's form, a table of strings and records
`(offset in the code file, ((lines, file name, first line), begin, end), tag)`; `debug.py` reads it, and so does PyTorch.
Of the author's file an excerpt is written for each function: from the first to the last line that is referred to.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ...ir.source import SourceFile, Span
from ...ir.torchscript.printer import Line

_MOST: Final = 1 << 18
"""Characters of an excerpt; where it would be longer, nothing is said about a function."""


def pickle_ranges(lines: Sequence[Line]) -> bytes:
    """The contents of the member for a code file of these lines."""
    table = _Table()
    offset = 0
    function: list[tuple[int, Span]] = []
    is_inside = False
    for line in lines:
        span = _of_the_author(line.span)
        if function and (line.is_head or (span is not None and span.file is not function[0][1].file)):
            table.add(function)
            function = []
        is_inside = line.is_head or (is_inside and line.text.startswith(" "))
        if span is not None:
            function.append((offset, span))
        elif line.is_head or not is_inside:
            table.add(function)
            table.add_unknown(offset)
            function = []
        offset += len(line.text.encode())
    table.add(function)
    return table.pickled()


def _of_the_author(span: Span | None) -> Span | None:
    """None for code in an archive that says of other code where it comes from, but not of this."""
    found = None if span is None else span.written
    return None if found is None or found.file.origin is not None else found


@dataclass(frozen=True)
class _Source:
    """An excerpt: numbers of strings, that of the file's name, and the number of its first line."""

    lines: tuple[int, ...]
    name: int
    first: int


@dataclass
class _Table:
    strings: dict[str, int] = field(default_factory=lambda: {"": 0})
    records: list[tuple[int, _Source, int, int]] = field(default_factory=list[tuple[int, _Source, int, int]])
    """(offset, excerpt, begin, end); the last two are bytes of the excerpt."""

    def add_unknown(self, offset: int) -> None:
        self._record(offset, _Source((), 0, 0), 0, 0)

    def _record(self, offset: int, source: _Source, begin: int, end: int) -> None:
        """A record holds until the next one: the same again is left out."""
        if not self.records or self.records[-1][1:] != (source, begin, end):
            self.records.append((offset, source, begin, end))

    def add(self, function: Sequence[tuple[int, Span]]) -> None:
        """The lines of a function that come from one file."""
        if not function:
            return
        file = function[0][1].file
        first = min(_line_start(file, span.start) for _, span in function)
        last = max(_line_end(file, max(span.start, span.end - 1)) for _, span in function)
        if last - first > _MOST:
            self.add_unknown(function[0][0])
            return
        text = file.text[first:last]
        lines = tuple(self._number(line) for line in text.splitlines(keepends=True))
        source = _Source(lines, self._number(file.name), file.position(first)[0])
        for offset, span in function:
            begin = len(file.text[first : span.start].encode())
            self._record(offset, source, begin, begin + len(span.text.encode()))

    def _number(self, text: str) -> int:
        return self.strings.setdefault(text, len(self.strings))

    def pickled(self) -> bytes:
        out = bytearray(b"\x80\x02" + _text("FORMAT_WITH_STRING_TABLE") + b"(")
        for text in self.strings:
            out += _text(text)
        out += b"t("
        kept: dict[_Source, int] = {}
        for tag, (offset, source, begin, end) in enumerate(self.records):
            out += _integer(offset)
            if source in kept:
                out += b"j" + struct.pack("<I", kept[source])
            else:
                kept[source] = len(kept)
                out += b"ctorch.jit._pickle\nbuild_intlist\n(]("
                out += b"".join(map(_integer, source.lines)) + b"etR"
                out += _integer(source.name) + _integer(source.first) + b"\x87"
                out += b"r" + struct.pack("<I", kept[source])
            out += _integer(begin) + _integer(end) + b"\x87" + _integer(tag) + b"\x87"
        return bytes(out + b"t\x87.")


def _line_start(file: SourceFile, offset: int) -> int:
    return file.text.rfind("\n", 0, offset) + 1


def _line_end(file: SourceFile, offset: int) -> int:
    found = file.text.find("\n", offset)
    return len(file.text) if found < 0 else found + 1


def _text(value: str) -> bytes:
    data = value.encode(errors="replace")
    return b"X" + struct.pack("<I", len(data)) + data


def _integer(value: int) -> bytes:
    if value < 1 << 8:
        return b"K" + bytes([value])
    if value < 1 << 16:
        return b"M" + struct.pack("<H", value)
    return b"J" + struct.pack("<i", value) if value < 1 << 31 else b"\x8a\x08" + struct.pack("<q", value)
