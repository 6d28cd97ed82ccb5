"""Numbers that are computed while passes go on: weights are packed by numpy on another core.

A pass opens `background()`; whatever is given to `in_background` until it ends is done when it ends, at the latest. Who opens it
around several passes has the numbers at the end of the last one: the passes must not look at them, then.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar


class _Tasks:
    """Work of one thread, in order: another one would only wait for memory."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._begun: list[Future[None]] = []

    def add(self, work: Callable[[], None]) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "torchcc-packing")
        self._begun.append(self._pool.submit(work))

    def wait(self) -> None:
        for task in tuple(self._begun):
            task.result()

    def end(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


_tasks: ContextVar[_Tasks | None] = ContextVar("tasks", default=None)


@contextmanager
def background() -> Generator[None]:
    """What is computed in the background inside is there after the outermost one. Raises what a computation raised."""
    if _tasks.get() is not None:
        yield
        return
    tasks = _Tasks()
    token = _tasks.set(tasks)
    try:
        yield
        tasks.wait()
    finally:
        _tasks.reset(token)
        tasks.end()


def in_background(work: Callable[[], None]) -> None:
    """Begins `work`, which must touch nothing that anyone else looks at before `finish`; outside of `background` it is done at once."""
    tasks = _tasks.get()
    if tasks is None:
        work()
    else:
        tasks.add(work)


def finish() -> None:
    """Waits for what was begun."""
    pending()()


def pending() -> Callable[[], None]:
    """Waits for what has been begun here, on any thread."""
    tasks = _tasks.get()
    return tasks.wait if tasks is not None else lambda: None
