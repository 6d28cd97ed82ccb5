"""Python's cyclic garbage collector, called less often while something is compiled.

A compilation makes many objects that live as long as it does: looking for cycles among them every 700 allocations, as Python does
by default, takes a fifth of its time.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

_THRESHOLDS: Final = (200_000, 20, 20)

_lock = threading.Lock()
_running = 0
_before = (0, 0, 0)


@contextmanager
def rarely_collected() -> Generator[None]:
    """Inside, the collector runs rarely; a program that has made it run more rarely still, or not at all, keeps that."""
    global _running, _before  # noqa: PLW0603
    with _lock:
        _running += 1
        if _running == 1:
            _before = gc.get_threshold()
            if 0 < _before[0] < _THRESHOLDS[0]:
                gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    finally:
        with _lock:
            _running -= 1
            if not _running and gc.get_threshold() == _THRESHOLDS:
                gc.set_threshold(*_before)
