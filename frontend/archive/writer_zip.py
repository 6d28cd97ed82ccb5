"""The zip container of a `.pt` file as PyTorch lays it out, written front to back.

Payloads start at multiples of 64 bytes (the gap is an extra field `FB`), so that a reader can map them. Time stamps are
fixed: the same members make the same bytes. Memory is written as it is, without a copy.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import Final, Protocol

ALIGNMENT: Final = 64

_SMALL: Final = 200
"""Code up to this many bytes is not worth deflating."""

_CHUNK: Final = 16 << 20
_WIDE: Final = 0xFFFFFFFF
_UTF8: Final = 0x0800

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")
_END64_LOCATOR: Final = struct.Struct("<4sLQL")
_END64: Final = struct.Struct("<4sQ2H2L4Q")

Payload = bytes | memoryview


class Writable(Protocol):
    """A binary file object."""

    def write(self, data: bytes | memoryview, /) -> object: ...


class ArchiveWriter:
    """Writes members below `root`, in the order of the calls; `finish` ends the file."""

    def __init__(self, file: Writable, root: str) -> None:
        self._file = file
        self._root = root
        self._position = 0
        self._directory: list[bytes] = []
        self._names: set[str] = set()
        self._name_hash = hashlib.blake2b(digest_size=8)
        self._content_hash = hashlib.blake2b(digest_size=8)

    def add(self, name: str, payload: Payload, *, pack: bool = False) -> None:
        """One member; `pack` deflates it if that may help."""
        assert name not in self._names, name
        self._names.add(name)
        data = memoryview(payload).cast("B") if len(payload) else memoryview(b"")
        crc = 0
        for start in range(0, len(data), _CHUNK):
            crc = zlib.crc32(data[start : start + _CHUNK], crc)
        self._name_hash.update(name.encode() + b"\0")
        self._content_hash.update(struct.pack("<QL", len(data), crc))
        method, packed = 0, data
        if pack and len(data) > _SMALL:
            deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
            method, packed = 8, memoryview(deflater.compress(data) + deflater.flush())
        self._member(f"{self._root}/{name}".encode(), method, crc, packed, len(data))

    def _member(self, name: bytes, method: int, crc: int, packed: memoryview, size: int) -> None:
        offset = self._position
        is_wide = max(size, len(packed)) >= _WIDE
        extra = struct.pack("<2H2Q", 1, 16, size, len(packed)) if is_wide else b""
        gap = -(offset + _LOCAL.size + len(name) + len(extra) + 4) % ALIGNMENT
        extra += struct.pack("<2sH", b"FB", gap) + b"Z" * gap
        sizes = (_WIDE, _WIDE) if is_wide else (len(packed), size)
        version = 45 if is_wide else 20 if method else 0
        self._write(_LOCAL.pack(b"PK\3\4", version, _UTF8, method, 0, 0, crc, *sizes, len(name), len(extra)))
        self._write(name)
        self._write(extra)
        for start in range(0, len(packed), _CHUNK):
            self._write(packed[start : start + _CHUNK])
        wide = struct.pack("<2Q", size, len(packed)) if is_wide else b""
        wide += struct.pack("<Q", offset) if offset >= _WIDE else b""
        central = struct.pack("<2H", 1, len(wide)) + wide if wide else b""
        fixed = (b"PK\1\2", 0, 45 if wide else version, _UTF8, method, 0, 0, crc, *sizes, len(name), len(central))
        self._directory.append(_CENTRAL.pack(*fixed, 0, 0, 0, 0, min(offset, _WIDE)) + name + central)

    def finish(self) -> None:
        """Adds the identification of the contents, and the directory."""
        digits = [int.from_bytes(h.digest(), "little") for h in (self._name_hash, self._content_hash)]
        self.add(".data/serialization_id", "".join(f"{d:020}" for d in digits).encode())
        start, count = self._position, len(self._directory)
        for entry in self._directory:
            self._write(entry)
        size, end = self._position - start, self._position
        if max(start, size) >= _WIDE or count >= 0xFFFF:
            record = _END64.pack(b"PK\6\6", _END64.size - 12, 45, 45, 0, 0, count, count, size, start)
            self._write(record + _END64_LOCATOR.pack(b"PK\6\7", 0, end, 1))
        few = min(count, 0xFFFF)
        self._write(_END.pack(b"PK\5\6", 0, 0, few, few, min(size, _WIDE), min(start, _WIDE), 0))

    def _write(self, data: Payload) -> None:
        self._file.write(data)
        self._position += len(data)


