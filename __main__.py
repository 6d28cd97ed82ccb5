"""`python -m torchcc`, and the `torchcc` command."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from typing import Final

from .ir.cache import cache_folder

_LIBRARIES: Final = ("llvmlite.binding", "ml_dtypes", "numpy", "typer")


def _keep_bytecode() -> None:
    """Where the environment forbids bytecode beside the sources, the cache folder takes that of torchcc.

    Without it start-up takes twice as long. Libraries come first: theirs was written when they were installed.
    """
    folder = cache_folder()
    if sys.dont_write_bytecode and folder is not None:
        for name in _LIBRARIES:
            import_module(name)
        sys.pycache_prefix = str(folder / "bytecode")
        sys.dont_write_bytecode = False


def main() -> None:
    """Entry point of the command; Ctrl-C ends it quietly at any time, while it is still being imported too."""
    # A command makes many objects and little garbage: collecting as often as Python does by default doubles its time.
    gc.set_threshold(200_000, 20, 20)
    _keep_bytecode()
    try:
        import_module("torchcc.cli.main").main()
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
