"""Where programs that interpreters run print to: the standard output of this process, as it is redirected in Python."""

from __future__ import annotations

import sys


def write(data: bytes) -> None:
    """Writes bytes; where the output takes text only, what is no UTF-8 is shown as a replacement character."""
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        sys.stdout.write(data.decode("utf-8", "replace"))
        return
    sys.stdout.flush()
    buffer.write(data)
    buffer.flush()
