"""A function as TorchScript text can say it: plain loops, and casts where a value becomes a variable of a wider type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

from ..core import Block, BlockArgument, Operation, OpResult, Value
from ..script_types import BOOL, INT, ScriptType

MAX_TRIPS: Final = (1 << 63) - 1


def normal_form(function: Operation) -> Operation:
    """A copy with what the text needs said: plain loops, and casts where a value becomes a variable of a wider type.

    A plain loop has a number of rounds or a condition, and not both: it is a `for` or a `while`. What is the same after
    both branches of an `if` is no result of it, as for a reader.
    """
    loops = [op for op in function.walk() if op.name == "prim::Loop" and not _is_plain_loop(op)]
    merges = [op for op in function.walk() if op.name == "prim::If" and any(_common_values(op))]
    if not loops and not merges and not any(True for _ in _widened(function)):
        return function
    copy = function.clone()
    for op in reversed(list(copy.walk())):
        if op.name == "prim::Loop" and not _is_plain_loop(op):
            _make_while(op)
        elif op.name == "prim::If":
            for result, value in zip(op.results, _common_values(op), strict=True):
                if value is not None:
                    result.replace_all_uses_with(value)
    for op, index, type_ in list(_widened(copy)):
        cast_ = Operation("prim::unchecked_cast", (op.operand(index),), (type_,), span=op.span)
        assert op.parent is not None
        op.set_operand(index, op.parent.insert_before(cast_, op).result)
    return copy


def _common_values(op: Operation) -> list[Value | None]:
    """For each result of a `prim::If`: the value that both branches give, if it is one and of the same type."""
    pairs = zip(op.body(0).terminator.operands, op.body(1).terminator.operands, op.results, strict=True)
    return [a if a is b and same_type(cast(ScriptType, a.type), cast(ScriptType, r.type)) else None for a, b, r in pairs]


def _widened(function: Operation) -> Iterator[tuple[Operation, int, ScriptType]]:
    """(operation, operand, type) where a value is given a wider type; None can be written under any."""
    for op in function.walk():
        if op.name == "prim::If":
            types = [cast(ScriptType, r.type) for r in op.results]
            found = [(op.body(i).terminator, k, t) for i in (0, 1) for k, t in enumerate(types)]
        elif op.name == "prim::Loop":
            found = [(op, i + 2, cast(ScriptType, r.type)) for i, r in enumerate(op.results)]
        else:
            continue
        for user, index, type_ in found:
            value = user.operand(index)
            if not is_none(value) and not same_type(cast(ScriptType, value.type), type_):
                yield user, index, type_


def _is_plain_loop(loop: Operation) -> bool:
    trips, start = loop.operands[:2]
    if constant_int(trips) == MAX_TRIPS:
        return not loop.body().args[0].uses
    return constant_bool(start) is True and constant_bool(loop.body().terminator.operand(0)) is True


def _make_while(loop: Operation) -> None:
    """A loop with a counter among its variables, and the number of rounds in its condition."""
    trips, start, *initial = loop.operands
    body = loop.body()
    outer, end = loop.parent, body.terminator
    assert outer is not None

    def make(block: Block, anchor: Operation, name: str, operands: Sequence[Value], type_: ScriptType) -> Value:
        return block.insert_before(Operation(name, operands, (type_,), span=loop.span), anchor).result

    def integer(block: Block, anchor: Operation, value: int) -> Value:
        op = Operation("prim::Constant", (), (INT,), {"value": value}, span=loop.span)
        return block.insert_before(op, anchor).result

    def condition(block: Block, anchor: Operation, given: Value, counter: Value) -> Value:
        if constant_int(trips) == MAX_TRIPS:
            return given
        within = make(block, anchor, "aten::lt.int", (counter, trips), BOOL)
        return within if constant_bool(given) is True else make(block, anchor, "aten::__and__.bool", (given, within), BOOL)

    zero = integer(outer, loop, 0)
    first = condition(outer, loop, start, zero)
    old = body.args[0]
    counter = BlockArgument(body, 1, INT, old.name)
    old.replace_all_uses_with(counter)
    old.name = None
    body.args.insert(1, counter)
    for i, argument in enumerate(body.args):
        argument.index = i
    following = make(body, end, "aten::add.int", (counter, integer(body, end, 1)), INT)
    again = condition(body, end, end.operand(0), following)
    end.set_operands((again, following, *end.operands[1:]))
    counted = OpResult(loop, 0, INT)
    loop.results.insert(0, counted)
    for i, result in enumerate(loop.results):
        result.index = i
    loop.set_operands((integer(outer, loop, MAX_TRIPS), first, zero, *initial))


def same_type(a: ScriptType, b: ScriptType) -> bool:
    return a == b or a.annotation == b.annotation


def constant(value: Value) -> Any:
    op = value.owner
    return op.attributes.get("value") if isinstance(op, Operation) and op.name == "prim::Constant" else None


def is_none(value: Value) -> bool:
    op = value.defining_op("prim::Constant")
    return op is not None and not op.attributes


def constant_int(value: Value) -> int | None:
    found = constant(value)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def constant_bool(value: Value) -> bool | None:
    found = constant(value)
    return found if isinstance(found, bool) else None
