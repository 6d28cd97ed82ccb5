"""Which tensor a result of control flow is made from by writing alone, so that its memory can be the result's.

In: tensors, before a region is given buffers. Out: the value, defined outside of a block, that what the block passes on began as:

    %r = scf.if %c {                                    the origin of %r is %x, in both branches
      %y = tensor.insert %v into %x[%i]
      scf.yield %y
    } else {
      scf.yield %x
    }
"""

from __future__ import annotations

from typing import cast

from ...ir.core import Block, BlockArgument, Operation, OpResult, Value
from ...ir.dialects import linalg

_LONGEST = 10_000
"""Writes in a row that are followed."""


def origin(value: Value, block: Block) -> Value | None:
    """What `value`, which `block` passes on, was before operations in `block` wrote to it; defined outside, or an argument of it.

    None where it is not made by writing alone, or by writing to what is made in the block.
    """
    for _ in range(_LONGEST):
        definition = value.defining_op()
        if definition is None or definition.parent is not block:
            return value
        before = _before(definition, cast(OpResult, value).index)
        if before is None:
            return None
        value = before
    return None


def _before(op: Operation, index: int) -> Value | None:
    if op.name in ("tensor.insert_slice", "tensor.insert"):
        return op.operand(1)
    if op.name == "scf.if":
        return origin_of_branches(op, index)
    if op.name == "scf.for":
        return op.operand(3 + index) if keeps_in_for(op, index) else None
    if op.name == "scf.while":
        carried = carried_by_while(op, index)
        return None if carried is None else op.operand(carried)
    if linalg.is_structured(op):
        return linalg.outputs(op)[index]
    return None


def origin_of_branches(fork: Operation, index: int) -> Value | None:
    """The one value outside of `fork`, an `scf.if`, from which either branch makes result `index`."""
    found: Value | None = None
    for region in fork.regions:
        if not region.blocks:
            return None
        block = region.blocks[0]
        value = origin(block.terminator.operand(index), block)
        if value is None or (found is not None and value is not found):
            return None
        found = value
    return found


def keeps_in_for(loop: Operation, index: int) -> bool:
    """Each iteration of an `scf.for` makes what is carried at `index` from what it was."""
    block = loop.body()
    return origin(block.terminator.operand(index), block) is block.args[index + 1]


def carried_by_while(loop: Operation, index: int) -> int | None:
    """The operand that an `scf.while` passes on at result `index`, if each turn makes it from what it was."""
    before, after = (region.blocks[0] for region in loop.regions)
    argument = origin(before.terminator.operand(index + 1), before)
    if not isinstance(argument, BlockArgument) or argument.owner is not before:
        return None
    if argument is not before.terminator.operand(index + 1):
        return None
    value = origin(after.terminator.operand(argument.index), after)
    return argument.index if value is after.args[index] else None
