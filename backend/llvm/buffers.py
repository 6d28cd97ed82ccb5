"""Memrefs as compile-time descriptors: a base pointer, and offset, sizes and strides that are mostly numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...ir.types import Type
from .linear import ZERO, Linear


@dataclass(frozen=True)
class Buffer:
    """Element `[i, j]` lies at `base + offset + i * strides[0] + j * strides[1]`, in elements."""

    base: str
    """An SSA name or a global symbol."""
    element: Type
    sizes: tuple[Linear, ...]
    strides: tuple[Linear, ...]
    offset: Linear = ZERO
    space: int = 0
    alignment: int = 0
    """Of `base`, in bytes; 0: only that of an element."""
    row_major: bool = False
    """Known to be contiguous, even where sizes are not known."""

    @property
    def rank(self) -> int:
        return len(self.sizes)

    def names(self) -> Iterator[str]:
        """SSA names that the descriptor mentions, without the base."""
        for linear in (self.offset, *self.sizes, *self.strides):
            yield from linear.names()

    def renamed(self, names: dict[str, str]) -> Buffer:
        return Buffer(
            names.get(self.base, self.base),
            self.element,
            tuple(s.renamed(names) for s in self.sizes),
            tuple(s.renamed(names) for s in self.strides),
            self.offset.renamed(names),
            self.space,
            self.alignment,
            self.row_major,
        )

    def is_contiguous_from(self, dimension: int) -> bool:
        """Whether dimensions `dimension` and on are known to lie without gaps, row-major."""
        if self.row_major:
            return True
        expected: Linear | None = Linear.of(1)
        for size, stride in zip(reversed(self.sizes[dimension:]), reversed(self.strides[dimension:]), strict=True):
            if size.known() == 1:
                continue
            if expected is None or stride != expected:
                return False
            factor = size.known()
            other = expected.known()
            if factor is not None:
                expected = expected.scaled(factor)
            elif other is not None:
                expected = size.scaled(other)
            else:
                expected = None
        return True
