"""`scf.if` on a constant, `scf.for` of no or one iteration, what loops carry in vain, assertions that hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ....ir.builder import Builder
from ....ir.core import Block, Operation, Value
from .rewriting import Rules, integer


def _inline_block(op: Operation, block: Block, arguments: Sequence[Value]) -> bool:
    """Replaces `op` by the operations of one of its blocks."""
    for argument, value in zip(block.args, arguments, strict=True):
        argument.replace_all_uses_with(value)
    results = block.terminator.operands
    target = op.parent
    assert target is not None
    for inner in list(block.operations()):
        if inner is block.terminator:
            continue
        target.insert_before(inner.detach(), op)
    op.replace_with(results)
    return True


def _fold_if(op: Operation) -> bool:
    condition = integer(op.operand(0))
    if condition is None:
        return _drop_equal_results(op)
    region = op.regions[0 if condition else 1]
    if not region.blocks:
        op.erase()
        return True
    return _inline_block(op, region.blocks[0], ())


def _drop_equal_results(op: Operation) -> bool:
    """A result that both branches take from the same outer value is that value; an empty `if` goes."""
    changed = False
    if not op.results and all(len(r.blocks[0]) == 1 for r in op.regions if r.blocks):
        op.erase()
        return True
    if len(op.regions) < 2 or not op.regions[1].blocks:
        return False
    for i, result in enumerate(op.results):
        then, orelse = op.body(0).terminator.operand(i), op.body(1).terminator.operand(i)
        if then is orelse and result.uses:
            result.replace_all_uses_with(then)
            changed = True
    if changed or all(r.uses for r in op.results):
        return changed
    used = [i for i, r in enumerate(op.results) if r.uses]
    for block in (op.body(0), op.body(1)):
        block.terminator.set_operands([block.terminator.operand(i) for i in used])
    regions = [r.clone({}) for r in op.regions]
    new = Builder.before(op).create(op.name, op.operands, [op.results[i].type for i in used], op.attributes, regions)
    for i, result in zip(used, new.results, strict=True):
        op.results[i].replace_all_uses_with(result)
    op.erase()
    return True


def _fold_for(op: Operation) -> bool:
    lower, upper, step = (integer(v) for v in op.operands[:3])
    inits = op.operands[3:]
    if lower is not None and upper is not None:
        if upper <= lower:
            op.replace_with(inits)
            return True
        if step is not None and upper - lower <= step:
            return _inline_block(op, op.body(), (op.operand(0), *inits))
    return _drop_invariant_arguments(op)


def _drop_invariant_arguments(op: Operation) -> bool:
    """An iteration argument that is yielded unchanged is the initial value."""
    block = op.body()
    changed = False
    for i, init in enumerate(op.operands[3:]):
        argument = block.args[i + 1]
        yielded = block.terminator.operand(i)
        if (yielded is argument or yielded is init) and (
            argument.uses.keys() - {(block.terminator, i)} or op.results[i].uses
        ):
            block.terminator.set_operand(i, argument)
            op.results[i].replace_all_uses_with(init)
            for user, index in list(argument.uses):
                if user is not block.terminator or index != i:
                    user.set_operand(index, init)
            changed = True
    return changed


def _fold_assert(op: Operation) -> bool:
    if integer(op.operand(0)) == 1:
        op.erase()
        return True
    return False


RULES: Final[Rules] = {"scf.if": (_fold_if,), "scf.for": (_fold_for,), "cf.assert": (_fold_assert,)}
