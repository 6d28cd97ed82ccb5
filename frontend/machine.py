"""What the parts of the module evaluator need of the evaluator itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NoReturn, Protocol, TypeGuard

from ..ir.diagnostics import CompileError
from ..ir.generator import Generator
from ..ir.source import Span
from .values import ClassValue, Value


class LimitError(CompileError):
    """The program does more than the evaluator allows: not an error of one definition, but of the whole."""


class Machine(Protocol):
    generator: Generator

    def charge(self, steps: int, span: Span | None) -> None:
        """Account for work; raises a LimitError when there is too much of it."""
        ...

    def reserve(self, count: int, itemsize: int) -> None:
        """Account for the memory of a tensor."""
        ...

    def call(
        self, function: Value, args: Sequence[Value], keywords: Mapping[str, Value], span: Span | None
    ) -> Value: ...

    def attribute(self, value: Value, name: str, span: Span | None) -> Value:
        """`value.name`, or MISSING."""
        ...

    def set_attribute(self, target: Value, name: str, value: Value, span: Span | None) -> None: ...

    def iterate(self, value: Value, span: Span | None) -> Iterable[Value]: ...

    def truth(self, value: Value, span: Span | None) -> bool: ...

    def text(self, value: Value) -> str: ...

    def compare(self, op: str, left: Value, right: Value, span: Span | None) -> Value: ...

    def type_of(self, value: Value) -> Value: ...

    @property
    def module_class(self) -> ClassValue:
        """`torch.nn.Module`."""
        ...


def is_list(value: object) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    """A list or a tuple, of anything."""
    return isinstance(value, list | tuple)


def is_iterable(value: object) -> TypeGuard[Collection[Any]]:
    """A container or string of Python's own."""
    return isinstance(value, list | tuple | str | range | set | dict)


def is_dict(value: object) -> TypeGuard[dict[Any, Any]]:
    return isinstance(value, dict)


def fail(span: Span | None, message: str, *, label: str = "", help: str | None = None) -> NoReturn:
    raise CompileError.at(span, message, label=label, help=help)
