"""Borrows what is only looked at: `table[i][j]` needs no count of the row.

In: counted references. Out: the same, but a reference that is read from a list, dict or record and given back before
anything could take the object out of there is not counted at all (attribute `borrowed`: which results). What it was
read from is given back after it.

    %row = rt.get(%table, %i) : ...        %row = rt.get(%table, %i) {borrowed = array<i64: 0>} : ...
    %x = rt.get(%row, %j) : ...       =>   %x = rt.get(%row, %j) : ...
    rt.release(%row) : ...

So is a part of a string, `rt.str_slice`, that is only compared, looked for or put behind another string: nothing is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

from ...ir.attributes import DenseArrayAttr
from ...ir.core import Block, Operation, Value, functions
from ...ir.dialects import func, rt
from ...ir.types import I64

_READS: Final = frozenset({"rt.get", "rt.field", "rt.dict_key", "rt.dict_get"})

_LOOKS: Final = frozenset(
    {
        "rt.str_len", "rt.str_byte", "rt.str_equal", "rt.str_compare", "rt.str_find", "rt.str_append", "rt.dict_find",
        "rt.dict_put", "rt.release",
    }
)  # fmt: skip
"""Operations to which a part of a string may be given where that string has it: they keep none, or a copy."""

_LEAVES_OBJECTS: Final = _READS | {
    "rt.list", "rt.len", "rt.push", "rt.insert", "rt.extend", "rt.repeat", "rt.box", "rt.unbox", "rt.retain", "rt.release",
    "rt.dict", "rt.dict_len", "rt.dict_find", "rt.dict_next", "rt.record", "rt.null", "rt.same", "rt.address", "rt.cast",
    "rt.str_constant", "rt.str_of_bytes", "rt.str_bytes", "rt.str_len", "rt.str_byte", "rt.str_of_byte", "rt.str_slice", "rt.str_concat", "rt.str_equal",
    "rt.str_compare", "rt.str_find", "rt.str_from_i64", "rt.str_from_f64", "rt.str_to_f64", "rt.str_note",
}  # fmt: skip
"""Operations after which all that was in a list, dict or record is still there. `rt.release` gives back what its own
block has; what is borrowed hangs on something else."""


@dataclass(frozen=True)
class BorrowReferences:
    name: str = "borrow-references"

    def apply(self, module: Operation) -> Operation:
        for function in functions(module):
            if not func.is_declaration(function):
                for op in list(function.walk()):
                    if op.name in _READS or (op.name == "rt.str_slice" and _is_looked_at(op.result)):
                        _borrow(op)
        return module


def _borrow(read: Operation) -> None:
    borrowed: list[int] = []
    for i, value in enumerate(read.results):
        if rt.is_counted(value.type) and _is_borrowed(read, value):
            borrowed.append(i)
    if borrowed:
        read.attributes["borrowed"] = DenseArrayAttr(tuple(borrowed), I64)


def _is_looked_at(part: Value) -> bool:
    """Whether a part of a string need not be a string of its own."""
    for user in part.users:
        at = {"rt.str_append": 1, "rt.dict_find": 1, "rt.dict_put": 1}.get(user.name)
        if user.name not in _LOOKS or (at is not None and any(v is part for i, v in enumerate(user.operands) if i != at)):
            return False
    return True


def _is_borrowed(read: Operation, value: Value) -> bool:
    """Drops the release of a value if it may be borrowed."""
    block = cast(Block, read.parent)
    release = next((u for u in value.users if u.name == "rt.release"), None)
    if release is None or release.parent is not block:
        return False
    between = _between(read, release)
    sources = _sources(read)
    if not all(_is_harmless(inner, sources) for op in between for inner in op.walk()):
        return False
    for op in between:
        if op.name == "rt.release" and op.operand(0) in sources:
            block.insert_before(op.detach(), release.next)
    release.erase()
    return True


def _between(first: Operation, last: Operation) -> list[Operation]:
    found: list[Operation] = []
    current = first.next
    while current is not None and current is not last:
        found.append(current)
        current = current.next
    return found


def _is_harmless(op: Operation, sources: set[Value]) -> bool:
    """Whether all that hangs on the sources is still there after it: a loop may give back what it starts with."""
    if op.name in ("scf.for", "scf.while") and not sources.isdisjoint(op.operands):
        return False
    if op.name == "rt.dict_put":  # the key stays; a number that makes room for another one is no object
        return not any(rt.is_counted(v.type) for v in op.operands[2:])
    if op.name == "rt.str_append":  # where it grows the string in place, nobody else has it
        return op.operand(0) not in sources
    return op.name in _LEAVES_OBJECTS if op.name.startswith("rt.") else op.name != "func.call"


def _sources(read: Operation) -> set[Value]:
    """What the value hangs on: what it was read from, and what that was borrowed from."""
    found: set[Value] = set()
    current: Operation | None = read
    while current is not None:
        source = current.operand(0)
        found.add(source)
        owner = source.owner
        current = owner if isinstance(owner, Operation) and "borrowed" in owner.attributes else None
    return found
