"""Keys of operations with all that is in them: equal for the same structure, whatever values are called and come from.

In: an operation, and numbers for the values that it uses of its surroundings. Out: something hashable. What is equal by it is
the same program when these values are (`structure.py` compares two programs, and says what differs).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final, cast

from .core import Operation, Value


def constant_key(attribute: Any) -> Hashable:
    """0.0, -0.0, 0 and False compare equal in Python and are different constants."""
    if isinstance(attribute, tuple):
        return tuple(constant_key(entry) for entry in cast("tuple[Any, ...]", attribute))
    value: Any = getattr(attribute, "value", attribute)
    if isinstance(value, float | complex | tuple):
        return type(attribute).__name__, attribute, repr(cast(Any, value))
    return type(attribute).__name__, attribute, type(value).__name__


_NOTES: Final = frozenset({"schedule"})
"""Attributes that say how an operation came about, and change nothing."""


class StructuralKeys:
    """Makes keys that may be compared with one another: types and attributes are numbered in the order they are met in."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._known: dict[int, tuple[Any, int]] = {}
        """By identity, of objects that are kept alive by standing here: hashing a type or a map is dear."""

    def number(self, thing: Any) -> int:
        """The same for equal types or attributes. TypeError for one that cannot be hashed."""
        known = self._known.get(id(thing))
        if known is None:
            number = self._numbers.setdefault(constant_key(thing), len(self._numbers))
            known = self._known[id(thing)] = thing, number
        return known[1]

    def key(
        self,
        op: Operation,
        outside: Mapping[Value, int],
        names: tuple[str, ...] = ("",),
        replaced: Callable[[Operation], Hashable | None] = lambda op: None,
    ) -> Hashable | None:
        """Of `op`; None where it uses a value that is not in `outside`, whose numbers are negative.

        None, too, where an operation is in it whose name begins with none of `names`. What `replaced` gives for an operation stands
        for its attributes.
        """
        parts: list[Any] = []
        add = parts.append
        numbers: dict[Value, int] = dict(outside)
        count = 0
        number = self.number
        for inner in op.walk():
            if not inner.name.startswith(names):
                return None
            operands, results, regions, attributes = inner.operands, inner.results, inner.regions, inner.attributes
            add((inner.name, len(operands), len(results), len(regions)))
            for value in operands:
                known = numbers.get(value)
                if known is None:
                    return None
                add(known)
            for result in results:
                numbers[result] = count
                count += 1
                add(number(result.type))
            if attributes and attributes.keys() != _NOTES:
                other = replaced(inner)
                if other is None:
                    add(len(attributes.keys() - _NOTES))
                    for name in sorted(attributes) if len(attributes) > 1 else attributes:
                        if name not in _NOTES:
                            add(name)
                            add(number(attributes[name]))
                else:
                    add(other)
            for region in regions:
                add(len(region.blocks))
                for block in region.blocks:
                    add(len(block.args))
                    for argument in block.args:
                        numbers[argument] = count
                        count += 1
                        add(number(argument.type))
        return tuple(parts)
