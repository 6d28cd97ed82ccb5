"""Common subexpressions: of two equal pure operations the later one goes, where the earlier one is visible.

Works on every stage that `effects.py` knows; regions are compared by structure.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from ..ir.core import Block, Operation, Value
from ..ir.definition import Trait
from ..ir.dialects import DEFINITIONS
from ..ir.structural_key import constant_key
from .effects import is_pure, is_terminator

_UNIQUE = frozenset({"scf.for", "scf.if", "scf.while", "scf.parallel", "linalg.fill"})
"""Never merged: equal control flow is rare and dear to find; a fill that two reductions start from would have to be copied."""


def eliminate_common_subexpressions(root: Operation) -> bool:
    """True when something was merged."""
    changed = False
    for region in root.regions:
        for block in region.blocks:
            changed |= _visit(block, {})
    return changed


def _visit(block: Block, known: dict[Hashable, Operation]) -> bool:
    """`known`: operations that are visible here, by key; those of the block are taken out again where it ends."""
    changed = False
    added: list[Hashable] = []
    for op in block.operations():
        if op.results and op.name not in _UNIQUE and not is_terminator(op) and is_pure(op):
            key = _key(op, {})
            first = known.setdefault(key, op)
            if first is not op:
                op.replace_with(first.results)
                changed = True
                continue
            added.append(key)
        if not op.regions:
            continue
        isolated = op.name in _ISOLATED
        for region in op.regions:
            for inner in region.blocks:
                changed |= _visit(inner, {} if isolated else known)
    for key in added:
        del known[key]
    return changed


_ISOLATED = frozenset(name for name, definition in DEFINITIONS.items() if Trait.ISOLATED in definition.traits)

_COMMUTATIVE = frozenset(name for name, definition in DEFINITIONS.items() if Trait.COMMUTATIVE in definition.traits)


def _key(op: Operation, numbers: dict[Value, int]) -> Hashable:
    """Equal for operations of equal meaning; values made inside a compared region are `numbers`."""
    operands: list[Any] = [numbers.get(v, v) for v in op.operands] if numbers else list(op.operands)
    if op.name in _COMMUTATIVE:
        operands.sort(key=lambda v: (isinstance(v, Value), v if isinstance(v, int) else id(v)))
    regions: list[Hashable] = []
    for region in op.regions:
        for block in region.blocks:
            arguments: list[Hashable] = []
            for argument in block.args:
                numbers[argument] = len(numbers)
                arguments.append(argument.type)
            inner: list[Hashable] = []
            for nested in block.operations():
                inner.append(_key(nested, numbers))
                for result in nested.results:
                    numbers[result] = len(numbers)
            regions.append((tuple(arguments), tuple(inner)))
    attributes = tuple([(k, constant_key(v)) for k, v in sorted(op.attributes.items())]) if op.attributes else ()
    return op.name, tuple(operands), attributes, tuple([r.type for r in op.results]), tuple(regions)

