"""Inserts operations at a point of a block; the dialects' constructors (`arith.addf(b, x, y)`) take one as `b`."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager

from .attributes import Attribute
from .core import Block, Operation, Region, Value
from .source import Span
from .types import Type


class Builder:
    """An insertion point (`block`, before `anchor`; at the end for None) and the span that new operations get."""

    def __init__(self, block: Block, anchor: Operation | None = None, span: Span | None = None) -> None:
        self.block = block
        self.anchor = anchor
        self.span = span

    @staticmethod
    def before(op: Operation) -> Builder:
        assert op.parent is not None
        return Builder(op.parent, op, op.span)

    @staticmethod
    def after(op: Operation) -> Builder:
        assert op.parent is not None
        return Builder(op.parent, op.next, op.span)

    @staticmethod
    def at_start(block: Block, span: Span | None = None) -> Builder:
        return Builder(block, block.first, span)

    def create(
        self,
        name: str,
        operands: Sequence[Value] = (),
        result_types: Sequence[Type] = (),
        attributes: Mapping[str, Attribute] | None = None,
        regions: Sequence[Region] = (),
    ) -> Operation:
        return self.insert(Operation(name, operands, result_types, attributes, regions, self.span))

    def insert(self, op: Operation) -> Operation:
        return self.block.insert_before(op, self.anchor)

    @contextmanager
    def inside(self, block: Block) -> Generator[Builder]:
        """Inserts at the end of `block` within the `with`."""
        saved = self.block, self.anchor
        self.block, self.anchor = block, None
        try:
            yield self
        finally:
            self.block, self.anchor = saved
