"""Reading a text from left to right: what the parsers of both IR text formats share."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import Any, ClassVar, TypeVar

from .diagnostics import CompileError
from .source import SourceFile, Span

T = TypeVar("T")
Task = Generator[Any, Any, Any]
"""A parse in progress: yields the tasks it waits for and is sent their results."""


def drive(task: Task) -> Any:
    """Result of a task, with those it waits for; no recursion."""
    stack = [task]
    result: Any = None
    while stack:
        try:
            request = stack[-1].send(result)
        except StopIteration as stop:
            stack.pop()
            result = stop.value
        else:
            stack.append(request)
            result = None
    return result


class Cursor:
    """`position` is the next character; blanks and comments behind a token are skipped with it."""

    SKIP: ClassVar[re.Pattern[str]]
    """Blanks and comments."""
    UNIT: ClassVar[re.Pattern[str]]
    """What is underlined where something else was expected."""

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self.text = file.text
        self.position = 0
        self.token_end = 0
        self.skip()

    def skip(self) -> None:
        self.token_end = self.position
        match = self.SKIP.match(self.text, self.position)
        assert match is not None
        self.position = match.end()

    def error(
        self, message: str, start: int | None = None, end: int | None = None, help: str | None = None
    ) -> CompileError:
        """An error at the next token, or at the given text."""
        if start is None:
            word = self.UNIT.match(self.text, self.position)
            start, end = self.position, word.end() if word else self.position
        return CompileError.at(self.span(start, end), message, help=help)

    def span(self, start: int, end: int | None = None) -> Span:
        return Span(self.file, start, max(start, self.token_end) if end is None else end)

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The next token if it has this form; it is consumed."""
        found = pattern.match(self.text, self.position)
        if found is not None:
            self.position = found.end()
            self.skip()
        return found

    def peek(self, literal: str) -> bool:
        return self.text.startswith(literal, self.position)

    def accept(self, literal: str) -> bool:
        """Whether the next token is this word or punctuation; it is consumed then."""
        if not self.peek(literal):
            return False
        self.position += len(literal)
        self.skip()
        return True

    def expect(self, literal: str) -> None:
        if not self.accept(literal):
            raise self.error(f"expected `{literal}`")

    def token(self, pattern: re.Pattern[str], what: str) -> str:
        found = self.match(pattern)
        if found is None:
            raise self.error(f"expected {what}")
        return found[0]

    def list_of(self, item: Callable[[], T], close: str) -> list[T]:
        """Items separated by commas up to `close`, which is consumed."""
        items: list[T] = []
        if self.accept(close):
            return items
        items.append(item())
        while self.accept(","):
            items.append(item())
        self.expect(close)
        return items
