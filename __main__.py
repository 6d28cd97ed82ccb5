"""`python -m torchcc`, and the `torchcc` command."""

from __future__ import annotations

import gc
import os
import struct
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from typing import Final

from .cli import quick
from .ir.cache import cache_folder

_LIBRARIES: Final = ("llvmlite.binding", "ml_dtypes", "numpy")


_LATER: Final = ("ir/dialects", "lowering", "backend")
"""Folders whose modules are imported late, in that order, where something is compiled."""


def _keep_bytecode(more: tuple[str, ...]) -> subprocess.Popen[bytes] | None:
    """Where the environment forbids bytecode beside the sources, the cache folder takes that of torchcc.

    Without it start-up takes twice as long. Libraries come first: theirs was written when they were installed. So was that of
    torchcc, if it was installed as they were: then it is used where it is.

    Where there is none yet, a process of its own makes that of the compiler while this one reads the program; it is returned.
    """
    folder = cache_folder()
    if sys.dont_write_bytecode and folder is not None and not _has_bytecode():
        for name in (*_LIBRARIES, *more):
            import_module(name)
        sys.pycache_prefix = str(folder / "bytecode")
        sys.dont_write_bytecode = False
        root = Path(__file__).parent
        if more or Path(cache_from_source(str(root / "driver.py"))).exists() or (os.cpu_count() or 1) == 1:
            return None
        command = [sys.executable, "-S", "-X", f"pycache_prefix={sys.pycache_prefix}", "-m", "compileall", "-q"]
        nothing = subprocess.DEVNULL
        with suppress(OSError):
            return subprocess.Popen([*command, *(str(root / f) for f in _LATER)], stdin=nothing, stdout=nothing, stderr=nothing)
    return None


def _has_bytecode() -> bool:
    """Whether torchcc was installed with bytecode: that of its first folder is looked at. A checkout is edited, file by file."""
    root = os.path.dirname(__file__)
    sources = [os.path.join(root, name) for name in os.listdir(root) if name.endswith(".py")]
    return not os.path.exists(os.path.join(root, ".git")) and all(map(_is_bytecode_of, sources))


def _is_bytecode_of(source: str) -> bool:
    try:
        with Path(cache_from_source(source)).open("rb") as file:
            found = file.read(16)
    except OSError:
        return False
    status = Path(source).stat()
    return found == struct.pack("<4sIII", MAGIC_NUMBER, 0, int(status.st_mtime) & 0xFFFFFFFF, status.st_size & 0xFFFFFFFF)


def main() -> None:
    """Entry point of the command; Ctrl-C ends it quietly at any time, while it is still being imported too."""
    # A command makes many objects and little garbage: collecting as often as Python does by default doubles its time.
    gc.set_threshold(200_000, 20, 20)
    line = quick.read(sys.argv[1:])
    helper = _keep_bytecode(() if line is not None else ("typer",))
    try:
        quick.main(line)
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1 if error.code else 0
    except KeyboardInterrupt:
        status = 130
    finally:
        if helper is not None:
            helper.terminate()
            helper.wait()
    sys.stdout.flush()
    sys.stderr.flush()
    if status == 130:
        os._exit(status)  # native code may still run on a thread that cannot be stopped
    sys.exit(status)


if __name__ == "__main__":
    main()
