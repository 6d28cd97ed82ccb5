"""Counts references: every list and box is given back when nobody uses it any more.

In: `rt` operations without counts. Out: the same with `rt.retain` and `rt.release`. Each value of a counted type owns
one reference: that of an operation's result or of a block's argument goes after its last use, uses of a box's buffer
included. What a block yields or a loop starts with is handed over: doubled first, unless that was its last use.
What an `scf.if` uses last is given back in its branches. A string
that gets another one put behind it for its last use is handed over too (`rt.str_append`): it may grow where it is.
After a run-time error the wrapper of the function frees what is left (`torchcc.free_blocks`).

    %l = rt.list : !rt.list<i64>           %l = rt.list : !rt.list<i64>
    rt.push(%l, %x) : ...           =>     rt.push(%l, %x) : ...
    %n = rt.len(%l) : ...                  %n = rt.len(%l) : ...
                                           rt.release(%l) : ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ...ir.builder import Builder
from ...ir.core import Block, Operation, Value, functions
from ...ir.dialects import func, rt, rt_strings
from .bufferize import aliases

_HANDS_OVER: Final = frozenset({"scf.yield", "scf.condition", "func.return", "scf.for", "scf.while", "func.call"})
_LOOPS: Final = frozenset({"scf.for", "scf.while"})


@dataclass(frozen=True)
class CountReferences:
    name: str = "count-references"

    def apply(self, module: Operation) -> Operation:
        for function in functions(module):
            if not func.is_declaration(function) and any(op.name.startswith("rt.") for op in function.walk()):
                handed_in: dict[Block, list[Value]] = {}
                for op in list(function.walk()):  # outer blocks first
                    for region in op.regions:
                        for block in region.blocks:
                            _count_in(op, block, handed_in)
        return module


def _count_in(parent: Operation, block: Block, handed_in: dict[Block, list[Value]]) -> None:
    owned = [*handed_in.get(block, ()), *_owned(parent, block)]
    if _append_in(block, owned):
        owned = [*handed_in.get(block, ()), *_owned(parent, block)]
    operations = list(block.operations())
    positions = {op: i for i, op in enumerate(operations)}
    kept: set[tuple[Operation, Value]] = set()
    given_back: list[tuple[Value, Operation | None]] = []
    for value in owned:
        if rt.is_counted(value.type):
            last = _last_use(value, block, positions)
            if last is not None and last.name == "rt.str_append" and last.operand(0) is value:
                continue
            if last is not None and _is_handed_over_once(value, last):
                kept.add((last, value))
                continue
            if last is not None and last.name == "scf.if" and last.regions[1].blocks:
                for region in last.regions:
                    handed_in.setdefault(region.blocks[0], []).append(value)
                continue
            given_back.append((value, last))
    for op in operations:
        if op.name in _HANDS_OVER:
            for value in op.operands:
                if rt.is_counted(value.type) and (op, value) not in kept:
                    rt.retain(Builder.before(op), value)
    for value, last in given_back:  # after what hands it over has doubled it
        _release(value, block, last)


def _owned(parent: Operation, block: Block) -> list[Value]:
    """The values whose references are the block's to give back."""
    arguments = list(block.args) if parent.name in _LOOPS else []
    return [*arguments, *(r for op in block.operations() for r in op.results)]


def _append_in(block: Block, owned: Sequence[Value]) -> bool:
    """What puts a string behind another one takes over that one's reference, where this is its last use; whether there
    is such a place."""
    joining = [op for op in block.operations() if op.name == "rt.str_concat" and op.operand(0) is not op.operand(1)]
    if not joining:
        return False
    positions = {op: i for i, op in enumerate(block.operations())}
    ours = set(owned)
    last = [op for op in joining if op.operand(0) in ours and _last_use(op.operand(0), block, positions) is op]
    for op in last:
        op.replace_with((rt_strings.append(Builder.before(op), *op.operands),))
    return bool(last)


def _release(value: Value, block: Block, last: Operation | None) -> None:
    owner = value.owner
    if last is None:
        if isinstance(owner, Operation) and owner.parent is block:
            b = Builder.after(owner)
        else:
            b = Builder.at_start(block)
    else:
        b = Builder.before(last) if last is block.terminator else Builder.after(last)
    rt.release(b, value)


def _uses(value: Value) -> list[Operation]:
    """Operations that need the object: those that use it, or the memory of a box or string."""
    found: list[Operation] = []
    for user in value.users:
        found.append(user)
        if user.name in ("rt.unbox", "rt.str_bytes"):
            found += [u for alias in aliases(user.result) for u in alias.users]
    return found


def _last_use(value: Value, block: Block, positions: dict[Operation, int]) -> Operation | None:
    last: Operation | None = None
    for user in _uses(value):
        current: Operation | None = user
        while current is not None and current.parent is not block:
            current = current.parent_op
        if current is not None and (last is None or positions.get(current, -1) > positions[last]):
            last = current
    return last


def _is_handed_over_once(value: Value, last: Operation) -> bool:
    """The last use gives the reference away: as one operand of a terminator or loop, and nowhere inside that."""
    return (
        last.name in _HANDS_OVER
        and list(last.operands).count(value) == 1
        and all(user is last or not _is_inside(user, last) for user in _uses(value))
    )


def _is_inside(op: Operation, outer: Operation) -> bool:
    current = op.parent_op
    while current is not None:
        if current is outer:
            return True
        current = current.parent_op
    return False
