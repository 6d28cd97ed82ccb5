"""What was computed once, on disk by content hash: object code, syntax trees, whole compiled functions, their constants.

The folder is TORCHCC_CACHE_DIR, else the user's cache folder; TORCHCC_CACHE_DIR set to nothing switches the cache off.
Processes may share it: files appear complete by renaming. An entry is small, is read whole, and a damaged one is found by
its checksum and rebuilt. A block (constants) may be large: it is mapped, and checked by its header and its size.
Files of other users are not read. When all files together exceed TORCHCC_CACHE_SIZE bytes (4 GiB), those used longest ago go.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import platformdirs

_MAGIC: Final = b"torchcc1"
_SUFFIX: Final = ".tco"
_BLOCK_MAGIC: Final = b"torchccB"
_BLOCK_SUFFIX: Final = ".tcb"
_BLOCK_HEADER: Final = struct.Struct("<8s40sQ32s40x")
"""Magic, key, bytes in the block, `_boot`; 128 bytes in all, so that what follows starts on a cache line."""

_BOOT_OFFSET: Final = 56

_DEFAULT_SIZE: Final = 4 << 30
_EVICT_TO: Final = 0.75
_STALE: Final = 3600.0
"""Seconds after which a file that nobody finished writing goes."""

_CHUNK: Final = 4 << 20

VERSION: Final = "torchcc-0.1.0"
"""Part of every key: what another version made is never used."""


def cache_folder() -> Path | None:
    """Where entries are kept; None when the cache is off."""
    text = os.environ.get("TORCHCC_CACHE_DIR")
    if text == "":
        return None
    return Path(text) if text is not None else Path(platformdirs.user_cache_dir("torchcc", appauthor=False)) / "objects"


# keys


def key(*parts: str) -> str:
    """Hash of everything that an entry depends on; `VERSION` comes by itself."""
    digest = hashlib.blake2b(digest_size=20)
    for part in (VERSION, *parts):
        data = part.encode()
        digest.update(f"{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()


def digest(*buffers: Any) -> str:
    """Hash of the contents of buffers, one after the other; several threads take 4 MiB pieces of them."""
    chunks: list[list[memoryview]] = [[]]
    room = _CHUNK
    for buffer in buffers:
        view = memoryview(buffer)
        view = view.cast("B") if view.nbytes else view[:0]  # an empty one cannot be cast
        while view.nbytes:
            piece, view = view[:room], view[room:]
            chunks[-1].append(piece)
            room -= len(piece)
            if not room:
                chunks.append([])
                room = _CHUNK
    if len(chunks) < 3:
        parts = list(map(_sha256, chunks))
    else:
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            parts = list(pool.map(_sha256, chunks))
    return hashlib.sha256(b"".join(parts)).hexdigest()[:40]


def _sha256(pieces: Sequence[memoryview]) -> bytes:
    state = hashlib.sha256()
    for piece in pieces:
        state.update(piece)
    return state.digest()


def file_digest(path: str | os.PathLike[str]) -> str:
    """`digest` of a file. OSError where it cannot be read.

    That of a large file that has not changed since is remembered.
    """
    with Path(path).open("rb") as file:
        status = os.fstat(file.fileno())
        if status.st_size < _CHUNK:
            return digest(file.read())
        name = _unchanged(status)
        known = None if name is None else load(name)
        if known is not None:
            return known.decode()
        try:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:
            raise OSError(str(error)) from error
        with data:
            found = digest(data)
        if name is not None and _unchanged(os.fstat(file.fileno())) == name:
            store(name, found.encode())
        return found


_SETTLED: Final = 60.0
"""Seconds after which a file's time of change says that it has not changed since: clocks of file systems are coarse, and what is
written through a mapping is seen when the page is written to the disk, half a minute later at most."""


def _unchanged(status: os.stat_result) -> str | None:
    """Key of what a file contained when it was changed last; None where that may have been just now.

    The time of change (ctime) is set by the system whenever contents, times or names change: nobody can set it back, and no copy
    has that of its original.
    """
    if os.name != "posix" or not 0 < status.st_ctime < time.time() - _SETTLED:
        return None
    identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return key("file", *map(str, identity))


@cache
def compiler() -> str:
    """Hash of what compiles: torchcc's own files by size and time of change (as Python does for bytecode), Python, numpy.

    An edited checkout has a hash of its own, so what an older state of it made is never used.
    """
    root = Path(__file__).parent.parent
    parts = [sys.version, np.__version__, sys.byteorder]
    for folder, folders, files in os.walk(root):
        top = folder == str(root)
        folders[:] = sorted(f for f in folders if f in _ROOMS or (not top and not f.startswith(("_", "."))))
        with os.scandir(folder) as entries:
            stats = {e.name: e.stat() for e in entries if e.name in files and e.name.endswith(SOURCES)}
        parts += [f"{folder}/{name} {s.st_size} {s.st_mtime_ns}" for name, s in sorted(stats.items())]
    return key("compiler", *parts)


_ROOMS: Final = frozenset({"ir", "frontend", "lowering", "backend", "api"})
SOURCES: Final = (".py", ".ll", ".lark", ".tables", ".tsv")
"""Endings of the files that decide what is compiled: code, the run time, the grammar, the schemas of operators."""


# entries: bytes, read whole


def load(name: str) -> bytes | None:
    """The entry of that key; None when it is not there or damaged."""
    folder = cache_folder()
    if folder is None:
        return None
    path = folder / (name + _SUFFIX)
    try:
        with path.open("rb") as file:
            if not _is_own(file):
                return None
            data = file.read()
    except OSError:
        return None
    header = len(_MAGIC) + 20
    body = data[header:]
    if data[: len(_MAGIC)] != _MAGIC or hashlib.blake2b(body, digest_size=20).digest() != data[len(_MAGIC) : header]:
        with contextlib.suppress(OSError):
            path.unlink()
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return body


def store(name: str, data: bytes) -> None:
    """Keeps an entry; a folder that cannot be written to is no error."""
    check = hashlib.blake2b(data, digest_size=20).digest()
    _keep(name + _SUFFIX, len(data), lambda file: file.write(_MAGIC + check + data))


def _is_own(file: BinaryIO) -> bool:
    """Whether the file is the user's or the system's: what another user wrote is not trusted."""
    return not hasattr(os, "geteuid") or os.fstat(file.fileno()).st_uid in (os.geteuid(), 0)


# blocks: large, mapped


def load_block(name: str, size: int) -> memoryview | None:
    """The block of that name and size, mapped read-only; None when it is not there or damaged. It starts on a cache line."""
    folder = cache_folder()
    if folder is None:
        return None
    path = folder / (name + _BLOCK_SUFFIX)
    try:
        with path.open("rb") as file:
            if not _is_own(file):
                return None
            header = file.read(_BLOCK_HEADER.size)
            if os.fstat(file.fileno()).st_size != _BLOCK_HEADER.size + size:
                header = b""
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))[_BLOCK_HEADER.size :]
        if not _is_whole(path, name, header, data):
            path.unlink()
            return None
        os.utime(path)
    except (OSError, ValueError):
        return None
    return data


def _is_whole(path: Path, name: str, header: bytes, data: memoryview) -> bool:
    if len(header) != _BLOCK_HEADER.size:
        return False
    magic, own_name, size, boot = _BLOCK_HEADER.unpack(header)
    if (magic, own_name, size) != (_BLOCK_MAGIC, name.encode(), len(data)):
        return False
    if boot == _boot():
        return True
    # Written before the machine was started: a power failure may have kept the name and lost the contents. Looked at once.
    if digest(data) != name:
        return False
    with contextlib.suppress(OSError), path.open("r+b") as file:
        file.seek(_BOOT_OFFSET)
        file.write(_boot())
    return True


@cache
def _boot() -> bytes:
    """Names the time since the machine was started: what was written in it is whole. Elsewhere than on Linux, this process."""
    try:
        return bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")).ljust(32, b"\0")
    except (OSError, ValueError):
        return os.urandom(32)


def has_block(name: str) -> bool:
    folder = cache_folder()
    return folder is not None and (folder / (name + _BLOCK_SUFFIX)).exists()


def store_block(name: str, pieces: Sequence[Any], size: int) -> bool:
    """Keeps buffers, one after the other, `size` bytes in all; False where there is no room or it cannot be written.

    `name` is their `digest`.
    """

    def write(file: BinaryIO) -> None:
        file.write(_BLOCK_HEADER.pack(_BLOCK_MAGIC, name.encode(), size, _boot()))
        for piece in pieces:
            file.write(piece)

    return _keep(name + _BLOCK_SUFFIX, size, write)


# the folder


def _keep(name: str, size: int, write: Callable[[BinaryIO], Any]) -> bool:
    folder = cache_folder()
    if folder is None or size > _limit() // 2:
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
            Path(temporary).replace(folder / name)
        except BaseException:  # Ctrl-C among them
            Path(temporary).unlink(missing_ok=True)
            raise
        _account(folder, size)
    except OSError:
        return False
    return True


def _limit() -> int:
    text = os.environ.get("TORCHCC_CACHE_SIZE", "")
    return int(text) if text.isdigit() else _DEFAULT_SIZE


_written: dict[Path, int] = {}
"""Bytes since the folder was last gone through."""


def _account(folder: Path, size: int) -> None:
    """Goes through the folder at the first write, then whenever enough was written to make a difference."""
    written = _written.get(folder)
    _written[folder] = (written or 0) + size + 4096
    if written is None or _written[folder] > _limit() // 64:
        _evict(folder)
        _written[folder] = 0


def _evict(folder: Path) -> None:
    entries: list[tuple[float, int, str]] = []
    now = time.time()
    with os.scandir(folder) as found:
        for entry in found:
            with contextlib.suppress(OSError):  # another process may have removed it
                status = entry.stat()
                if entry.name.endswith((_SUFFIX, _BLOCK_SUFFIX)):
                    entries.append((status.st_mtime, status.st_size, entry.path))
                elif entry.name.endswith(".tmp") and now - status.st_mtime > _STALE:
                    os.unlink(entry.path)  # its writer was killed
    total = sum(size for _, size, _ in entries)
    limit = _limit()
    if total <= limit:
        return
    for _, size, path in sorted(entries):
        with contextlib.suppress(OSError):
            os.unlink(path)
        total -= size
        if total <= limit * _EVICT_TO:
            return
