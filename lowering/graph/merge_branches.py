"""Two `If`s on one condition become one.

In: a functional graph (no writes). Out: the same graph; an `If` whose condition was tested by an earlier `If` of the
same block is appended to that one, branch by branch, where nothing between them stands in the way. Specialisation
writes a node on a value of several structures as an `If` of its own; after this pass they are the two straight lines
of code that the program has under each value of the condition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...ir.core import Block, Operation, OpResult, Value, functions
from ...ir.dead_code import has_effect

WINDOW: Final = 256
"""An `If` is merged with one at most so many operations before it."""


def merge_branches(module: Operation) -> None:
    for function in functions(module):
        _merge_in(function.body())


def _merge_in(block: Block) -> None:
    earlier: dict[Value, Operation] = {}
    for op in list(block.operations()):
        if op.name == "prim::If":
            condition, negated = _condition(op)
            first = earlier.get(condition)
            if first is not None and _merged(block, first, op, negated != _condition(first)[1]):
                continue
            earlier[condition] = op
    for op in block.operations():
        for region in op.regions:
            for inner in region.blocks:
                _merge_in(inner)


def _condition(op: Operation) -> tuple[Value, bool]:
    """What is tested, and whether for the opposite."""
    condition, negated = op.operand(0), False
    while (inverse := condition.defining_op("aten::__not__")) is not None:
        condition, negated = inverse.operand(0), not negated
    return condition, negated


def _merged(block: Block, first: Operation, second: Operation, opposite: bool) -> bool:
    """Appends `second` to `first`, which moves to its place; False where something between them forbids that."""
    between = _between(block, first, second)
    if between is None or (between and (has_effect(first) or has_effect(second))):
        return False
    following = _users(first, between)
    made = {r for op in following for r in op.results}
    if any(v in made for inner in second.walk() for v in inner.operands):
        return False
    block.insert_before(first.detach(), second)
    for op in following:
        block.insert_before(op.detach(), second)
    yielded = [_append(first, second, i, 1 - i if opposite else i) for i in (0, 1)]
    for i, values in enumerate(yielded):
        terminator = first.body(i).terminator
        terminator.set_operands([*terminator.operands, *values])
    for result in second.results:
        added = OpResult(first, len(first.results), result.type)
        added.name = result.name
        first.results.append(added)
        result.replace_all_uses_with(added)
    second.erase()
    return True


def _between(block: Block, first: Operation, second: Operation) -> list[Operation] | None:
    """The operations between the two; None if there are too many, or some that must stay where they are."""
    found: list[Operation] = []
    op = second.prev
    while op is not None and op is not first:
        if len(found) >= WINDOW or has_effect(op):
            return None
        found.append(op)
        op = op.prev
    return None if op is None else found[::-1]


def _users(first: Operation, between: list[Operation]) -> list[Operation]:
    """Those that use a result of `first`, directly or not: they come after it wherever it goes."""
    made = set[Value](first.results)
    found: list[Operation] = []
    for op in between:
        if any(v in made for inner in op.walk() for v in inner.operands):
            found.append(op)
            made.update(op.results)
    return found


def _append(first: Operation, second: Operation, into: int, taken: int) -> list[Value]:
    """Moves a branch of `second` to the end of a branch of `first`; what it yields."""
    target, source = first.body(into), second.body(taken)
    terminator = target.terminator
    known: dict[Value, Value] = dict(zip(first.results, terminator.operands))
    ending = source.terminator
    for op in list(source.operations()):
        if op is not ending:
            target.insert_before(op.detach(), terminator)
            for inner in op.walk():
                inner.set_operands([known.get(v, v) for v in inner.operands])
    return [known.get(v, v) for v in ending.operands]


@dataclass(frozen=True)
class MergeBranches:
    name: str = "merge-branches"

    def apply(self, module: Operation) -> Operation:
        merge_branches(module)
        return module
