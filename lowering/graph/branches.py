"""`If` on a condition known at run time: both branches are written, and what they leave is merged (`merging.py`).

A branch that always raises contributes nothing: the other one's code follows the `If` and is not nested. Inside a
branch, and after a guard, what its condition implies is taken as known (`Evaluator.assumed`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ...ir.core import Block, Operation, OpResult, Region, Value
from ...ir.dialects import torch
from .merging import Branch, Merge
from .values import Abstract, Diverged, KnownValue, Scalar

if TYPE_CHECKING:
    from .evaluator import Evaluator

Side = Callable[[], list[Abstract]]


def fork(ev: Evaluator, condition: Scalar, then: Side, otherwise: Side) -> list[Abstract]:
    """Results of `then()` if the condition holds at run time, else of `otherwise()`."""
    negated = condition.value.defining_op("aten::__not__")
    if negated is not None:
        return fork(ev, Scalar(negated.operand(0)), otherwise, then)
    sides = [_evaluate(ev, condition.value, then, True), _evaluate(ev, condition.value, otherwise, False)]
    op = Operation("prim::If", (condition.value,), span=ev.span)
    if any(s.diverged for s in sides):
        return _guard(ev, op, sides)
    merge = Merge(ev, op, sides[0], sides[1])
    results = [merge.values(a, b) for a, b in zip(sides[0].results, sides[1].results, strict=True)]
    ev.heap = merge.heaps()
    if op.results or sides[0].block.first is not None or sides[1].block.first is not None:
        for side, values in zip(sides, merge.yielded()):
            _finish(side.block, values, op)
        ev.b.insert(op)
    else:
        op.drop_operands()
    return results


def _evaluate(ev: Evaluator, condition: Value, side: Side, holds: bool) -> Branch:
    heap, assumed, computed, span = ev.heap, ev.assumed, ev.computed, ev.span
    block = Block()
    results: list[Abstract] = []
    diverged = False
    ev.heap = dict(heap)
    facts = implied(condition, holds)
    ev.assumed = {**assumed, **facts}
    ev.computed = computed.new_child()
    ev.conditional += 1
    try:
        with ev.b.inside(block):
            results = side()
    except Diverged:
        diverged = True
    finally:
        branch = Branch(block, results, ev.heap, diverged, facts, ev.computed.maps[0])
        ev.heap, ev.assumed, ev.computed, ev.b.span = heap, assumed, computed, span
        ev.conditional -= 1
    return branch


MAX_IMPLIED: Final = 32
"""Steps taken back from a condition for what it implies."""


def implied(condition: Value, holds: bool) -> dict[Value, KnownValue]:
    """What follows from a condition: itself, what it negates or combines, the number that it compares with."""
    facts: dict[Value, KnownValue] = {}
    pending: list[tuple[Value, KnownValue]] = [(condition, holds)]
    while pending and len(facts) < MAX_IMPLIED:
        value, known = pending.pop()
        if value not in facts:
            facts[value] = known
            if isinstance(known, bool):
                pending += _premises(value, known)
    return facts


def _premises(value: Value, holds: bool) -> list[tuple[Value, KnownValue]]:
    op = value.defining_op()
    if op is None:
        return []
    match op.name:
        case "aten::__not__":
            return [(op.operand(0), not holds)]
        case "aten::__and__.bool" if holds:
            return [(v, True) for v in op.operands]
        case "aten::__or__.bool" if not holds:
            return [(v, False) for v in op.operands]
        case "aten::eq.int" | "aten::ne.int" if holds == (op.name == "aten::eq.int"):
            return [(a, c) for a, b in (op.operands, op.operands[::-1]) if (c := _constant(b)) is not None]
        case "aten::Bool.int" if not holds:
            return [(op.operand(0), 0)]
        case "prim::If" if isinstance(value, OpResult) and len(op.regions) == 2:
            return _premises_of_if(op, value.index, holds)
        case _:
            return []


def _premises_of_if(op: Operation, index: int, holds: bool) -> list[tuple[Value, KnownValue]]:
    """Where one side always gives the opposite, it was the other side."""
    yielded = [op.body(i).terminator.operand(index) for i in (0, 1)]
    for i in (0, 1):
        constant = _constant(yielded[i])
        if constant is not None and constant != holds:
            return [(op.operand(0), i == 1), (yielded[1 - i], holds)]
    return []


def _constant(value: Value) -> bool | int | None:
    op = value.defining_op("prim::Constant")
    constant = None if op is None else op.attributes.get("value")
    return constant if isinstance(constant, bool | int) else None


def _finish(block: Block, values: list[Value], op: Operation) -> None:
    block.append(Operation(torch.YIELD, values, span=op.span))
    op.add_region(Region([block]))


def _guard(ev: Evaluator, op: Operation, sides: list[Branch]) -> list[Abstract]:
    """One branch always raises: it alone is conditional. If both do, nothing follows."""
    for side in sides:
        _finish(side.block if side.diverged else Block(), [], op)
    ev.b.insert(op)
    going_on = next((s for s in sides if not s.diverged), None)
    if going_on is None:
        raise Diverged
    ev.splice(going_on.block)
    ev.heap = going_on.heap
    ev.assumed = {**ev.assumed, **going_on.facts}
    ev.computed.update(going_on.computed)
    return going_on.results
