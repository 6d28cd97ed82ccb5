"""What was computed once, on disk by content hash: object code, syntax trees.

The folder is TORCHCC_CACHE_DIR, else the user's cache folder; TORCHCC_CACHE_DIR set to nothing switches the cache off.
Processes may share it: files appear complete by renaming, a damaged one is found by its checksum and rebuilt. When the
files together exceed TORCHCC_CACHE_SIZE bytes (256 MB), those used longest ago go.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

import platformdirs

_MAGIC: Final = b"torchcc1"
_SUFFIX: Final = ".tco"
_DEFAULT_SIZE: Final = 256 << 20
_EVICT_TO: Final = 0.75

VERSION: Final = "torchcc-0.1.0"
"""Part of every key: what another version made is never used."""


def cache_folder() -> Path | None:
    """Where entries are kept; None when the cache is off."""
    text = os.environ.get("TORCHCC_CACHE_DIR")
    if text == "":
        return None
    return Path(text) if text is not None else Path(platformdirs.user_cache_dir("torchcc", appauthor=False)) / "objects"


def key(*parts: str) -> str:
    """Hash of everything that an entry depends on; `VERSION` comes by itself."""
    digest = hashlib.blake2b(digest_size=20)
    for part in (VERSION, *parts):
        data = part.encode()
        digest.update(f"{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()


def load(name: str) -> bytes | None:
    """The entry of that key; None when it is not there or damaged."""
    folder = cache_folder()
    if folder is None:
        return None
    path = folder / (name + _SUFFIX)
    try:
        data = path.read_bytes()
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
    folder = cache_folder()
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_MAGIC + hashlib.blake2b(data, digest_size=20).digest() + data)
            Path(temporary).replace(folder / (name + _SUFFIX))
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
        _evict(folder)
    except OSError:
        return


def _limit() -> int:
    text = os.environ.get("TORCHCC_CACHE_SIZE", "")
    return int(text) if text.isdigit() else _DEFAULT_SIZE


def _evict(folder: Path) -> None:
    entries: list[tuple[float, int, Path]] = []
    for path in folder.glob("*" + _SUFFIX):
        with contextlib.suppress(OSError):  # another process may have removed it
            status = path.stat()
            entries.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in entries)
    limit = _limit()
    if total <= limit:
        return
    for _, size, path in sorted(entries):
        with contextlib.suppress(OSError):
            path.unlink()
        total -= size
        if total <= limit * _EVICT_TO:
            return
