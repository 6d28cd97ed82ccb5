"""The zip container of a `.pt` file: members by name, without their root directory, as bytes.

An archive is untrusted: every offset and size is checked before it is used, payloads may not overlap, and what inflates
has a limit. Check sums are not enforced, as in PyTorch.

A large file is mapped, copy on write: members that are stored are views of it, no byte of them is read before it is
used, and what a program writes to its weights stays in this process. The file has to stay as it is while the model is in
use: bytes that somebody else overwrites in place may be seen, and a file that is cut short makes the system end the
process on the next access. (A file that is replaced by renaming another over it is safe: the mapping keeps the old one.)
"""

from __future__ import annotations

import itertools
import mmap
import os
import stat
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from ...ir.diagnostics import CompileError

MAX_BYTES: Final = 64 << 30
MAX_MEMBERS: Final = 1 << 18
MAX_TEXT: Final = 256 << 20
"""Bytes of one pickle or code file."""

_INFLATED_FLOOR: Final = 256 << 20
_INFLATED_FACTOR: Final = 32
"""All members together may inflate to this many times the file's size; small files to the floor."""

_MAX_RATIO: Final = 1032
"""What deflate can reach at most."""

_MAPPED: Final = 1 << 20
"""Files from this size on are mapped; smaller ones are read, which no one else can change then."""

_STORED, _DEFLATED = 0, 8
_ENCRYPTED: Final = 0x2041

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")
_END64_LOCATOR: Final = struct.Struct("<4sLQL")
_END64: Final = struct.Struct("<4sQ2H2L4Q")


class Readable(Protocol):
    """A binary file object."""

    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True)
class Member:
    """One entry of the central directory; `start` is where its payload begins."""

    name: str
    method: int
    packed: int
    size: int
    start: int


class ArchiveReader:
    """Members of one archive. `name` is what messages call it."""

    def __init__(self, name: str, data: npt.NDArray[np.uint8]) -> None:
        self.name = name
        self.root = ""
        self._data = data.data
        self._members: dict[str, Member] = {}
        self._budget = max(_INFLATED_FLOOR, _INFLATED_FACTOR * len(self._data))
        for member in _Directory(self, self._data).members():
            self._add(member)
        if not self._members:
            raise self.fault("it is an empty zip file")

    def fault(self, why: str, member: str | None = None, help: str | None = None) -> CompileError:
        """CompileError that names the archive, and the member with its reason."""
        where = f"the archive {self.name}" if member is None else f"the archive {self.name}: `{_printable(member)}`"
        return CompileError.at(None, f"{where}: {why}" if member is None else f"{where} {why}", help=help)

    def _add(self, member: Member) -> None:
        parts = member.name.split("/")
        if (
            any(p in ("", ".", "..") for p in parts[:-1])
            or parts[-1] in (".", "..")
            or "\\" in member.name
            or "\0" in member.name
        ):
            raise self.fault("has a name that leads out of the archive", member.name)
        if len(parts) == 1:
            raise self.fault(
                "is not in a subdirectory", member.name, "all members of an archive stand below one directory"
            )
        root, _, rest = member.name.partition("/")
        if self.root and root != self.root:
            raise self.fault(f"is not below `{_printable(self.root)}/`, as the others are", member.name)
        self.root = root
        if not parts[-1]:
            return  # an entry of a directory
        if rest in self._members:
            raise self.fault("occurs twice", rest)
        self._members[rest] = member

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def names(self) -> list[str]:
        return list(self._members)

    @property
    def bytes(self) -> int:
        """Bytes of the whole file."""
        return len(self._data)

    def size(self, name: str) -> int:
        """Bytes of a member; it must exist."""
        return self._member(name).size

    def _member(self, name: str) -> Member:
        found = self._members.get(name)
        if found is None:
            raise self.fault("is missing", name)
        return found

    def read(self, name: str) -> memoryview:
        """The bytes of a member: of the file itself if it is stored."""
        member = self._member(name)
        packed = self._data[member.start : member.start + member.packed]
        if member.method == _STORED:
            return packed
        if member.size > self._budget:
            raise self.fault("inflates to more than the archive may hold", name, "save the model again with PyTorch")
        self._budget -= member.size
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = inflater.decompress(packed, member.size + 1)
        except zlib.error as error:
            raise self.fault(f"is damaged: {error}", name) from None
        if len(data) != member.size or not inflater.eof:
            raise self.fault(f"does not inflate to the {member.size} bytes that it should have", name)
        return memoryview(data)

    def text(self, name: str) -> str:
        """A member that is UTF-8 text."""
        if self.size(name) > MAX_TEXT:
            raise self.fault(f"is larger than {MAX_TEXT >> 20} MiB", name)
        try:
            return str(self.read(name), "utf-8")
        except UnicodeDecodeError:
            raise self.fault("is not UTF-8 text", name) from None

    def pickle(self, name: str) -> bytes:
        if self.size(name) > MAX_TEXT:
            raise self.fault(f"is larger than {MAX_TEXT >> 20} MiB", name)
        return bytes(self.read(name))


class _Directory:
    """The central directory of a zip file."""

    def __init__(self, reader: ArchiveReader, data: memoryview) -> None:
        self.reader = reader
        self.data = data

    def damage(self, why: str) -> CompileError:
        return self.reader.fault(f"it is a damaged zip file: {why}")

    def members(self) -> list[Member]:
        count, size, start, shift = self._end()
        if count > MAX_MEMBERS:
            raise self.reader.fault(f"it has more than {MAX_MEMBERS} members")
        found: list[Member] = []
        ranges: list[tuple[int, int, str]] = []
        at, end = start, start + size
        for _ in range(count):
            if at + _CENTRAL.size > end:
                raise self.damage("its directory ends early")
            member, header, at = self._entry(at, end, start, shift)
            found.append(member)
            ranges.append((header, member.start + member.packed, member.name))
        ranges.sort()
        for (_, stop, name), (begin, _, other) in itertools.pairwise(ranges):
            if begin < stop:
                raise self.reader.fault(f"overlaps `{_printable(other)}`", name)
        return found

    def _end(self) -> tuple[int, int, int, int]:
        """(entries, bytes and place of the directory, what to add to all places): from the record at the end."""
        data = self.data
        tail = bytes(data[max(0, len(data) - _END.size - 0xFFFF) :])
        found = tail.rfind(b"PK\x05\x06")
        if found < 0 or found + _END.size > len(tail):
            raise self.reader.fault("it is not a zip file", help="archives are made by torch.jit.save")
        at = len(data) - len(tail) + found
        _, disk, disk_start, here, count, size, offset, _ = _END.unpack_from(data, at)
        end = at
        is_wide = 0xFFFF in (disk, here, count) or 0xFFFFFFFF in (size, offset)
        # PyTorch writes the wide record also where it is not needed
        if is_wide or bytes(data[max(0, at - _END64_LOCATOR.size) : at]).startswith(b"PK\x06\x07"):
            end, disk, disk_start, here, count, size, offset = self._end64(at)
        if disk or disk_start or here != count:
            raise self.damage("it has several parts")
        start = end - size
        if start < 0 or offset > start or count * _CENTRAL.size > size:
            raise self.damage("its directory is not where it should be")
        return count, size, start, start - offset

    def _end64(self, at: int) -> tuple[int, int, int, int, int, int, int]:
        locator = at - _END64_LOCATOR.size
        if locator < 0:
            raise self.damage("its zip64 record is missing")
        magic, _, place, _ = _END64_LOCATOR.unpack_from(self.data, locator)
        if magic != b"PK\x06\x07" or place > locator - _END64.size:
            raise self.damage("its zip64 record is missing")
        magic, _, _, _, disk, disk_start, here, count, size, offset = _END64.unpack_from(self.data, place)
        if magic != b"PK\x06\x06":
            raise self.damage("its zip64 record is missing")
        return place, disk, disk_start, here, count, size, offset

    def _entry(self, at: int, end: int, limit: int, shift: int) -> tuple[Member, int, int]:
        """(member, place of its local header, place of the next entry)."""
        fields = _CENTRAL.unpack_from(self.data, at)
        magic, _, _, flags, method, _, _, _, packed, size, n, extra, comment, disk, _, _, offset = fields
        if magic != b"PK\x01\x02":
            raise self.damage("an entry of its directory does not begin as one")
        text = at + _CENTRAL.size
        if text + n + extra + comment > end:
            raise self.damage("its directory ends early")
        raw = bytes(self.data[text : text + n])
        try:
            name = raw.decode("utf-8")
        except UnicodeDecodeError:
            name = raw.decode("cp437")
        wide = 0xFFFFFFFF
        if wide in (packed, size, offset):
            size, packed, offset = self._zip64(bytes(self.data[text + n : text + n + extra]), size, packed, offset)
        if flags & _ENCRYPTED:
            raise self.reader.fault("is encrypted", name)
        if method not in (_STORED, _DEFLATED):
            raise self.reader.fault(f"is packed by method {method}, which is not supported", name)
        if disk:
            raise self.damage("it has several parts")
        start = self._payload(name, offset + shift, limit)
        if packed > limit - start:
            raise self.reader.fault("reaches beyond the end of the file", name)
        if (method == _STORED and packed != size) or size > MAX_BYTES or size > _MAX_RATIO * (packed + 64):
            raise self.reader.fault(f"cannot have {size} bytes: it takes {packed} in the file", name)
        return Member(name, method, packed, size, start), offset + shift, text + n + extra + comment

    def _zip64(self, extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
        at = 0
        while at + 4 <= len(extra):
            kind, length = struct.unpack_from("<2H", extra, at)
            if kind == 1:
                body = extra[at + 4 : at + 4 + length]
                wide = [v == 0xFFFFFFFF for v in (size, packed, offset)]
                if len(body) < 8 * sum(wide):
                    break
                values = iter(struct.unpack_from(f"<{sum(wide)}Q", body))
                size, packed, offset = (
                    next(values) if w else v for w, v in zip(wide, (size, packed, offset), strict=True)
                )
                return size, packed, offset
            at += 4 + length
        raise self.damage("sizes of a large member are missing")

    def _payload(self, name: str, header: int, limit: int) -> int:
        if header + _LOCAL.size > limit:
            raise self.reader.fault("begins beyond the end of the file", name)
        fields: tuple[Any, ...] = _LOCAL.unpack_from(self.data, header)
        if fields[0] != b"PK\x03\x04":
            raise self.reader.fault("does not begin where the directory says", name)
        start = header + _LOCAL.size + fields[-2] + fields[-1]
        if start > limit:
            raise self.reader.fault("begins beyond the end of the file", name)
        return start


def open_archive(source: str | os.PathLike[str] | Readable | bytes) -> ArchiveReader:
    """Reads a path, a binary file object (from where it stands), or bytes.

    CompileError where that is no zip file with one root.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return ArchiveReader("<bytes>", np.frombuffer(source, np.uint8))
    if not isinstance(source, str | os.PathLike):
        name = getattr(source, "name", "<file>")
        return ArchiveReader(name if isinstance(name, str) else "<file>", _read_file(source))
    name = os.fspath(source)
    try:
        status = Path(name).stat()
        if not stat.S_ISREG(status.st_mode):
            raise CompileError.at(None, f"cannot read the archive {name}: it is not a file")
        if status.st_size > MAX_BYTES:
            raise CompileError.at(None, f"the archive {name} is larger than {MAX_BYTES >> 30} GiB")
        data = _mapped(name) if status.st_size >= _MAPPED else np.fromfile(name, np.uint8)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CompileError.at(None, f"cannot read the archive {name}: {reason}") from error
    return ArchiveReader(name, data)


def _mapped(name: str) -> npt.NDArray[np.uint8]:
    """The bytes of a file, copied only where they are written to; read where the file system maps none."""
    with Path(name).open("rb") as file:
        try:
            return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY), np.uint8)
        except (OSError, ValueError):
            return np.fromfile(file, np.uint8)


def _read_file(file: Readable) -> npt.NDArray[np.uint8]:
    """The rest of a file object. CompileError where it gives no bytes, or too many."""
    try:
        data: Any = file.read()
    except (OSError, ValueError) as error:
        raise CompileError.at(None, f"cannot read the archive: {error}") from error
    if not isinstance(data, bytes | bytearray):
        raise CompileError.at(
            None,
            f"cannot read the archive: `read` gives a value of type {type(data).__name__}, not bytes",
            help="open the file in binary mode",
        )
    if len(data) > MAX_BYTES:
        raise CompileError.at(None, f"the archive is larger than {MAX_BYTES >> 30} GiB")
    return np.frombuffer(data, np.uint8)


def _printable(name: str) -> str:
    text = "".join(c if c.isprintable() else "?" for c in name)
    return text if len(text) <= 100 else f"{text[:97]}..."
