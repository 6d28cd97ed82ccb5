"""What operations do besides computing results: decides what may be removed, merged or moved."""

from __future__ import annotations

from ..ir.core import Operation
from ..ir.definition import Trait
from ..ir.dialects import DEFINITIONS

_PURE_REGIONS = frozenset(
    {"scf.if", "scf.for", "scf.while", "scf.parallel", "linalg.generic", "linalg.fill", "linalg_ext.attention", "tensor.pad", "tensor.generate"}
)


_TERMINATORS = frozenset(name for name, definition in DEFINITIONS.items() if Trait.TERMINATOR in definition.traits)

_PURE = frozenset(name for name, definition in DEFINITIONS.items() if definition.is_pure)


def is_terminator(op: Operation) -> bool:
    return op.name in _TERMINATORS


def is_pure(op: Operation) -> bool:
    """No effect and no failure, its regions included; on memrefs structured operations write, so they are not pure."""
    if op.regions:
        if op.name not in DEFINITIONS:
            return False
        if op.name.startswith(("linalg.", "linalg_ext.")):
            if not op.results:
                return False
        elif op.name not in _PURE_REGIONS:
            return False
        return all(
            is_pure(inner) or is_terminator(inner)
            for region in op.regions
            for block in region.blocks
            for inner in block.operations()
        )
    return op.name in _PURE


def is_attached(op: Operation, root: Operation) -> bool:
    """Whether `op` still stands somewhere inside `root`."""
    current: Operation | None = op
    while current is not None and current is not root:
        current = current.parent_op
    return current is root


def _is_used(op: Operation) -> bool:
    for result in op.results:  # noqa: SIM110 - no generator: this runs for every operation, many times
        if result.uses:
            return True
    return False


def erase_unused(root: Operation) -> bool:
    """Removes pure operations whose results nobody uses, last first; True when something went."""
    changed = False
    for op in reversed(list(root.walk())):
        if op.results:
            if _is_used(op):
                continue
        elif op.name not in ("scf.for", "scf.if", "scf.parallel"):  # loops whose body does nothing
            continue
        if op is not root and op.parent is not None and not is_terminator(op) and is_pure(op):
            op.erase()
            changed = True
    return changed
