"""Index arithmetic at compile time: sums `c1 * %a + c2 * %b + k` over SSA names.

Values of type index are kept in this form and turned into instructions only where an instruction needs them, so that
`%i + 1` in an unrolled loop becomes a displacement of the address and not an addition.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Linear:
    """The sum of `coefficient * name` over `terms`, plus `constant`."""

    terms: tuple[tuple[str, int], ...] = ()
    constant: int = 0

    @staticmethod
    def of(value: int | str) -> Linear:
        """A number or an SSA name."""
        return Linear((), value) if isinstance(value, int) else Linear(((value, 1),))

    @property
    def is_constant(self) -> bool:
        return not self.terms

    def known(self) -> int | None:
        """The number, when nothing depends on run time."""
        return None if self.terms else self.constant

    def __add__(self, other: Linear) -> Linear:
        if not other.terms:
            return Linear(self.terms, self.constant + other.constant)
        sums = dict(self.terms)
        for name, coefficient in other.terms:
            sums[name] = sums.get(name, 0) + coefficient
        return Linear(tuple((n, c) for n, c in sums.items() if c), self.constant + other.constant)

    def scaled(self, factor: int) -> Linear:
        if factor == 0:
            return Linear()
        return Linear(tuple((n, c * factor) for n, c in self.terms), self.constant * factor)

    def __sub__(self, other: Linear) -> Linear:
        return self + other.scaled(-1)

    def names(self) -> Iterator[str]:
        return (name for name, _ in self.terms)

    def renamed(self, names: dict[str, str]) -> Linear:
        return Linear(tuple((names.get(n, n), c) for n, c in self.terms), self.constant)


ZERO = Linear()
