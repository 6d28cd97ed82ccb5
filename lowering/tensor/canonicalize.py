"""Cleans up the `linalg` stage (and the scalar code of `loops`): folds, removes, merges. Valid IR in, valid IR out.

- arithmetic on constants, index arithmetic above all; neutral elements; comparisons that are decided
- `tensor.dim` of a value whose extent is known somewhere up its chain of producers
- dynamic sizes that are constants become static; `tensor.cast` moves towards the results
- `scf.if` on a constant, `scf.for` of no or one iteration
- structured operations: duplicate and unused inputs, copies, constant bodies
- slices and reshapes that change nothing, or that follow each other; writes through views of views
- unused operations and common subexpressions

    %c = arith.constant 4 : index                      %e = tensor.empty() : tensor<4xf32>
    %e = tensor.empty(%c) : tensor<?xf32>      =>
    %d = tensor.dim %e, %c0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...ir.core import Operation, functions
from ..cse import eliminate_common_subexpressions
from ..effects import erase_unused, is_attached
from .canonicalization import (
    complexes,
    control,
    elements,
    extents,
    floats,
    integers,
    slices,
    static_operands,
    structured,
    view_writes,
)
from .canonicalization.rewriting import Rule, Rules

_FAMILIES: Final = (integers, floats, complexes, extents, static_operands, structured, elements, slices, view_writes, control)
"""Rules of one operation are tried in this order: sizes become static before anything else looks at them."""

_MAX_SWEEPS: Final = 20


def _all_rules() -> Rules:
    found: dict[str, tuple[Rule, ...]] = {}
    for family in _FAMILIES:
        for name, rules in family.RULES.items():
            found[name] = (*found.get(name, ()), *rules)
    return found


_RULES: Final = _all_rules()


@dataclass(frozen=True)
class Canonicalize:
    name: str = "canonicalize"

    def apply(self, module: Operation) -> Operation:
        canonicalize(module)
        return module


def canonicalize(module: Operation) -> None:
    """All rules to a fixed point, on every function of the module."""
    for function in functions(module):
        is_merged = False
        for _ in range(_MAX_SWEEPS):
            changed = _sweep(function)
            changed |= erase_unused(function)
            if not changed and is_merged:
                break
            is_merged = True  # merging leaves nothing that it could merge
            if not eliminate_common_subexpressions(function) and not changed:
                break


def _sweep(function: Operation) -> bool:
    changed = False
    for op in list(function.walk()):
        rules = _RULES.get(op.name)
        if rules is None or not is_attached(op, function):
            continue
        for rule in rules:
            if rule(op):
                changed = True
                if op.parent is None:
                    break
    return changed
