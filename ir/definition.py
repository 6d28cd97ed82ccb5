"""What is legal for an operation of a given name: one `OpDefinition` each, in the file of its dialect.

`assembly` is MLIR's declarative format, from which printer and parser both follow:

    `$name`                 operand group of that name (declared in `operands`)
    `type($name)`           its type(s); `type(results)` the result types; `functional-type` `(ins) -> outs`
    `attr-dict`             remaining attributes in braces, when there are any
    `#name`                 attribute of that name in its own syntax
    `region`                the next region (without entry arguments)
    anything else           literal tokens

Irregular operations give `syntax`, a pair of functions, instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from .core import Operation


class Trait(Enum):
    PURE = auto()
    """No effect, no failure: may be removed when unused, moved, computed twice."""
    TERMINATOR = auto()
    COMMUTATIVE = auto()
    SAME_TYPE = auto()
    """All operands and results have one type."""
    SYMBOL = auto()
    ISOLATED = auto()
    """Its regions use no value from outside."""
    ELEMENTWISE = auto()
    """Works on scalars and, element by element, on vectors and tensors."""


@dataclass(frozen=True)
class OpDefinition:
    name: str
    operands: tuple[str, ...] = ()
    """Names of operand groups; a trailing `*` marks a variadic one, `?` an optional one."""
    results: int | None = 1
    """Number of results; None where it varies."""
    regions: int | None = 0
    assembly: str | None = None
    """Declarative format; None with no `syntax`: only MLIR's generic form."""
    syntax: tuple[Callable[..., None], Callable[..., Operation]] | None = None
    """(print(printer, op), parse(parser) -> op) of an irregular operation."""
    traits: frozenset[Trait] = frozenset()
    verify: Callable[[Operation], str | None] | None = None
    """Returns what is wrong, or None."""
    evaluate: Callable[..., Any] | None = None
    """Meaning of a regular scalar operation on numpy values: `evaluate(op, *operands) -> value or tuple`."""

    @property
    def is_pure(self) -> bool:
        return Trait.PURE in self.traits
