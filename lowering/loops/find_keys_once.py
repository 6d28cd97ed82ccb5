"""Finds a key once: `d[k] = d.get(k, 0) + 1` looks for `k` one time.

In: dicts at the end of the stage. Out: the same, but where a key was looked for before, in the block or around it, and no
dict was changed since, the position that was found is used again; what puts a value for it does not look for it.

    %i = rt.dict_find(%d, %k) : ...           %i = rt.dict_find(%d, %k) : ...
    ...                                =>     ...
    rt.dict_put(%d, %k, %v) : ...             rt.dict_put_at(%d, %i, %k, %v) : ...
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...ir.builder import Builder
from ...ir.core import Block, Operation, Value, functions
from ...ir.dialects import func, rt_dicts

_CHANGES: Final = frozenset({"rt.dict_put", "rt.dict_put_at", "rt.dict_erase", "rt.dict_clear", "func.call"})

_Known = dict[tuple[Value, Value], Value]
"""Positions by dict and key."""


@dataclass(frozen=True)
class FindKeysOnce:
    name: str = "find-keys-once"

    def apply(self, module: Operation) -> Operation:
        for function in functions(module):
            if not func.is_declaration(function) and any(op.name == "rt.dict_find" for op in function.walk()):
                _in_block(function.body(), {})
        return module


def _in_block(block: Block, known: _Known) -> None:
    """`known`: what holds where the block begins; changed to what holds where it ends."""
    for op in list(block.operations()):
        if op.name == "rt.dict_find":
            found = known.setdefault((op.operand(0), op.operand(1)), op.result)
            if found is not op.result:
                op.replace_with((found,))
        elif op.name == "rt.dict_put":
            target, key, *slots = op.operands
            position = known.get((target, key))
            known.clear()
            if position is not None:
                rt_dicts.put_at(Builder.before(op), target, position, key, slots)
                op.erase()
        elif op.regions:
            _in_regions(op, known)
        elif op.name in _CHANGES:
            known.clear()


def _in_regions(op: Operation, known: _Known) -> None:
    changes = _changes(op)
    for region in op.regions:
        for inner in region.blocks:
            _in_block(inner, dict(known) if op.name == "scf.if" or not changes else {})
    if changes:
        known.clear()


def _changes(op: Operation) -> bool:
    """Whether there is a change of any dict in it."""
    return any(inner.name in _CHANGES for inner in op.walk())
