"""What is legal for an operation of a given name: one `OpDefinition` each, in the file of its dialect.

`assembly` is MLIR's declarative format, from which printer and parser both follow:

    `$name`                 operand group of that name (declared in `operands`)
    `type($name)`           its type(s); `type(results)` the result types; `functional-type` `(ins) -> outs`
    `attr-dict`             remaining attributes in braces, when there are any
    `#name`                 attribute of that name in its own syntax
    `region`                the next region (without entry arguments)
    `[? $name ]?`           a bracketed operand group that is left out, brackets too, when it is empty
    anything else           literal tokens

Tokens are separated by spaces. Result types that a format does not spell follow from the operands (`syntax.py`, which
also holds the functions that print and parse irregular operations). Operations with several variadic groups carry
their sizes in the attribute `operandSegmentSizes`, which is not printed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from .attributes import DenseArrayAttr
from .core import Operation, Value


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
    """Declarative format; None: irregular syntax (see `syntax.py`), or only MLIR's generic form."""
    traits: frozenset[Trait] = frozenset()
    verify: Callable[[Operation], str | None] | None = None
    """Returns what is wrong, or None."""
    evaluate: Callable[..., Any] | None = None
    """Meaning of a regular scalar operation on numpy values: `evaluate(op, *operands) -> value or tuple`."""

    @property
    def is_pure(self) -> bool:
        return Trait.PURE in self.traits


def operand_groups(op: Operation, definition: OpDefinition) -> dict[str, tuple[Value, ...]] | None:
    """The operands by the name of their group; None where their number does not fit the definition."""
    sizes = _group_sizes(op, definition)
    if sizes is None or sum(sizes) != len(op.operands):
        return None
    groups: dict[str, tuple[Value, ...]] = {}
    start = 0
    for name, size in zip(definition.operands, sizes, strict=True):
        groups[name.rstrip("*?")] = op.operands[start : start + size]
        start += size
    return groups


def _group_sizes(op: Operation, definition: OpDefinition) -> list[int] | None:
    variable = [name for name in definition.operands if name[-1] in "*?"]
    if len(variable) > 1:
        segments = op.attributes.get("operandSegmentSizes")
        if not isinstance(segments, DenseArrayAttr) or len(segments.values) != len(definition.operands):
            return None
        return list(segments.values)
    spare = len(op.operands) - len(definition.operands) + len(variable)
    return None if spare < 0 else [spare if name in variable else 1 for name in definition.operands]
