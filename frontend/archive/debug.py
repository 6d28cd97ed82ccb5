"""`.debug_pkl`: which line of the author's file a piece of an archive's code comes from.

The member is read when an error is shown, and not before. It is a convenience that comes from an untrusted file: whatever
is wrong with it means that nothing is known. Lines of the author's file are in the member; the file is not looked for.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from ...ir.diagnostics import CompileError
from ...ir.source import SourceFile, Span
from ..machine import is_list
from .reader import ArchiveReader
from .unpickler import Storages, Unpickler

MAX_BYTES: Final = 32 << 20
MAX_EXCERPT: Final = 1 << 20
"""Characters of the author's text that one range may refer to."""

MAX_NAME: Final = 300

_TABLE: Final = "FORMAT_WITH_STRING_TABLE"


@dataclass
class DebugRanges:
    """Ranges of one code file; `text` is what the file holds, in which offsets are counted."""

    reader: ArchiveReader
    member: str
    text: str
    _files: dict[tuple[str, str, int], SourceFile] = field(default_factory=dict[tuple[str, str, int], SourceFile])

    def find(self, start: int, end: int) -> Span | None:
        """What the author wrote for the code between two offsets: for what stands at the first, or next behind it."""
        first = len(self.text[:start].encode())
        last = first + len(self.text[start:end].encode())
        offsets = self._offsets
        index = max(bisect_right(offsets, first) - 1, 0)
        while index < len(offsets) and offsets[index] < last:
            found = self._span(self._records[index])
            if found is not None:
                return found
            index += 1
        return None

    @cached_property
    def _offsets(self) -> list[int]:
        return [r[0] for r in self._records]

    @cached_property
    def _content(self) -> tuple[Sequence[Any], Sequence[Any]]:
        """(strings, records); without strings in the older form."""
        if self.reader.size(self.member) > MAX_BYTES:
            return (), ()
        try:
            value = Unpickler(self.reader, self.member, Storages(self.reader, "data")).load()
        except CompileError:
            return (), ()
        if not is_list(value):
            return (), ()
        if len(value) == 3 and value[0] == _TABLE:
            return (value[1], value[2]) if is_list(value[1]) and is_list(value[2]) else ((), ())
        return (), value

    @cached_property
    def _records(self) -> list[tuple[int, Any]]:
        """(offset, range) by offset."""
        found: list[tuple[int, Any]] = []
        for record in self._content[1]:
            if not is_list(record) or len(record) < 2 or type(record[0]) is not int:
                return []
            found.append((record[0], record[1]))
        found.sort(key=lambda r: r[0])
        return found

    def _span(self, record: tuple[int, Any]) -> Span | None:
        described = record[1]
        if not is_list(described) or len(described) != 3 or not is_list(described[0]):
            return None
        file, begin, end = self._source(described[0]), described[1], described[2]
        if file is None or type(begin) is not int or type(end) is not int:
            return None
        raw = file.text.encode()
        if not 0 <= begin < end <= len(raw):
            return None
        first = len(raw[:begin].decode(errors="ignore"))
        return Span(file, first, first + max(1, len(raw[begin:end].decode(errors="ignore"))))

    def _source(self, source: Sequence[Any]) -> SourceFile | None:
        """The excerpt that a range stands in, with the number of its first line in the file."""
        match source:
            case [str(text), name, int(line)]:
                pass
            case [indices, name, int(line)] if is_list(indices):
                text = self._joined(indices)
            case _:
                return None
        if type(name) is int:
            name = self._string(name)
        if not isinstance(name, str) or not text or not name or len(text) > MAX_EXCERPT or not 0 <= line < 1 << 31:
            return None
        shown = "".join(c if c.isprintable() else "?" for c in name[-MAX_NAME:])
        return self._files.setdefault((shown, text, line), SourceFile(shown, text, max(line, 1)))

    def _string(self, index: Any) -> str | None:
        strings = self._content[0]
        value = strings[index] if type(index) is int and 0 <= index < len(strings) else None
        return value if isinstance(value, str) else None

    def _joined(self, indices: Sequence[Any]) -> str:
        parts: list[str] = []
        size = 0
        for index in indices:
            line = self._string(index)
            if line is None:
                return ""
            size += len(line)
            if size > MAX_EXCERPT:
                return ""
            parts.append(line)
        return "".join(parts)
