"""`python -m torchcc`, and the `torchcc` command."""

from __future__ import annotations

import gc
import os
import struct
import sys
from importlib import import_module
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from typing import Final

from .cli import quick
from .ir.cache import cache_folder

_LIBRARIES: Final = ("llvmlite.binding", "ml_dtypes", "numpy")


def _keep_bytecode(more: tuple[str, ...]) -> None:
    """Where the environment forbids bytecode beside the sources, the cache folder takes that of torchcc.

    Without it start-up takes twice as long. Libraries come first: theirs was written when they were installed. So was that of
    torchcc, if it was installed as they were: then it is used where it is.
    """
    folder = cache_folder()
    if sys.dont_write_bytecode and folder is not None and not _has_bytecode():
        for name in (*_LIBRARIES, *more):
            import_module(name)
        sys.pycache_prefix = str(folder / "bytecode")
        sys.dont_write_bytecode = False


def _has_bytecode() -> bool:
    """Whether every file of torchcc has bytecode of its own age beside it."""
    for folder, folders, files in os.walk(Path(__file__).parent):
        folders[:] = [f for f in folders if not f.startswith(("_", ".")) and f not in ("tests", "benchmarks", "docs", "examples")]
        for file in files:
            path = Path(folder, file)
            if path.suffix == ".py" and not _is_bytecode_of(path):
                return False
    return True


def _is_bytecode_of(source: Path) -> bool:
    try:
        with Path(cache_from_source(str(source))).open("rb") as file:
            magic, flags, when, size = struct.unpack("<4sIII", file.read(16))
        status = source.stat()
    except (OSError, struct.error):
        return False
    return (magic, flags, when, size) == (MAGIC_NUMBER, 0, int(status.st_mtime) & 0xFFFFFFFF, status.st_size & 0xFFFFFFFF)


def main() -> None:
    """Entry point of the command; Ctrl-C ends it quietly at any time, while it is still being imported too."""
    # A command makes many objects and little garbage: collecting as often as Python does by default doubles its time.
    gc.set_threshold(200_000, 20, 20)
    line = quick.read(sys.argv[1:])
    _keep_bytecode(() if line is not None else ("typer",))
    try:
        quick.main(line)
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1 if error.code else 0
    except KeyboardInterrupt:
        status = 130
    sys.stdout.flush()
    sys.stderr.flush()
    if status == 130:
        os._exit(status)  # native code may still run on a thread that cannot be stopped
    sys.exit(status)


if __name__ == "__main__":
    main()
