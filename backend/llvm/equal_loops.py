"""Bodies of parallel loops that are equal but for the constants they read are written once.

`sharing.py` makes one function of equal bodies; here their text is not even made: loops are compared as operations, with what
stands for the values they use of their surroundings. In: a loop, and how to write its body. Out: the body, or a reference to an
earlier one and what its constants are called here.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from ...ir.attributes import SymbolRef
from ...ir.core import Operation, Value
from ...ir.structural_key import StructuralKeys
from .buffers import Buffer
from .sharing import Body

if TYPE_CHECKING:
    from .emitter import Emitter

_UNDERSTOOD: Final = ("arith.", "math.", "vector.", "memref.", "scf.")
"""Starts of names of operations whose text depends on nothing but themselves and what their operands are held in."""


@dataclass
class EqualLoops:
    """The loops of a module so far."""

    _keys: StructuralKeys = field(default_factory=StructuralKeys)
    _bodies: dict[Hashable, tuple[Body, bool, list[str]]] = field(default_factory=dict[Hashable, tuple[Body, bool, list[str]]])

    def body(
        self,
        e: Emitter,
        op: Operation,
        symbol: str,
        place: str,
        captured: Sequence[Value],
        bounds: Any,
        write: Callable[[], Body],
    ) -> tuple[Body, bool]:
        """The body, and whether it can fail. `e` holds the `captured` values as the body gets them."""
        constants = _Constants(e)
        held = [constants.without(e.values[v]) for v in captured]
        outside = {v: -1 - i for i, v in enumerate(captured)}
        structure = self._keys.key(op, outside, _UNDERSTOOD, constants.named_in)
        if structure is None:
            return write(), e.fails
        sizes = tuple(e.context.data[s[2:-1]].nbytes for s in constants.symbols)
        key = (e.final, repr(bounds), tuple(held), sizes, structure)
        known = self._bodies.get(key)
        if known is not None:
            first, fails, symbols = known
            renaming = tuple(zip(symbols, constants.symbols, strict=True))
            return Body(symbol, first.text, first.is_scalar, place, first, renaming), fails
        before = _shared_state(e)
        body = write()
        if _shared_state(e) == before:
            self._bodies[key] = body, e.fails, list(constants.symbols)
        return body, e.fails


def _shared_state(e: Emitter) -> tuple[int, ...]:
    """What a body must leave as it is, if another one is to have the same text."""
    c = e.context
    return len(c.failures), len(c.globals), len(c.functions), len(c.data), len(c.strings), c.lookups, c.forks, c.outlined


class _Constants:
    """Numbers the external constants of a body in the order they are met in."""

    def __init__(self, e: Emitter) -> None:
        self.symbols: dict[str, int] = {}
        self._context = e.context

    def without(self, held: Any) -> Hashable:
        """What a value is held in, the name of a constant replaced by its number."""
        if isinstance(held, Buffer) and held.base.startswith("@"):
            return self._number(held.base), held.renamed({held.base: ""})
        return held

    def named_in(self, op: Operation) -> Hashable | None:
        """What stands for the attributes of an operation that names a constant."""
        if op.name != "memref.get_global":
            return None
        symbol = self._context.buffers.get(cast(SymbolRef, op.attributes["name"]).name)
        return None if symbol is None else self._number(symbol)

    def _number(self, symbol: str) -> Hashable:
        if symbol[2:-1] not in self._context.data:
            return symbol
        return ("constant", self.symbols.setdefault(symbol, len(self.symbols)))
