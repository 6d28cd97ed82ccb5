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
    canonicalize_loops(copy)
    for op in reversed(list(copy.walk())):
        if op.name == "prim::If":
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


def canonicalize_loops(function: Operation) -> None:
    """In place: loops with a number of rounds and a condition get a counter among their variables, as PyTorch writes them."""
    for op in [op for op in function.walk() if op.name == "prim::Loop" and not _is_plain_loop(op)]:
        _make_while(op)


def _make_while(loop: Operation) -> None:
    """A loop with a counter behind its variables, and the number of rounds in its condition."""
    trips, start, *initial = loop.operands
    body = loop.body()
    outer, end = loop.parent, body.terminator
    assert outer is not None

    def make(block: Block, anchor: Operation, name: str, operands: Sequence[Value], type_: ScriptType) -> Value:
        return block.insert_before(Operation(name, operands, (type_,), span=loop.span), anchor).result

    def constant_of(anchor: Operation, value: int | bool, type_: ScriptType) -> Value:
        op = Operation("prim::Constant", (), (type_,), {"value": value}, span=loop.span)
        assert anchor.parent is not None
        return anchor.parent.insert_before(op, anchor).result

    zero = constant_of(loop, 0, INT)
    rounds = constant_int(trips)
    if rounds is None:
        first = make(outer, loop, "aten::gt.int", (trips, zero), BOOL)
    else:
        first = constant_of(loop, rounds > 0, BOOL)
    if constant_bool(start) is not True:
        first = start if constant_bool(first) is True else make(outer, loop, "aten::__and__.bool", (first, start), BOOL)
    old = body.args[0]
    counter = BlockArgument(body, len(body.args), INT, old.name)
    old.replace_all_uses_with(counter)
    old.name = None
    body.args.append(counter)
    following = make(body, end, "aten::add.int", (counter, constant_of(end, 1, INT)), INT)
    again = end.operand(0)
    if rounds != MAX_TRIPS:
        within = make(body, end, "aten::lt.int", (following, trips), BOOL)
        again = make(body, end, "aten::__and__.bool", (within, again), BOOL)
    end.set_operands((again, *end.operands[1:], following))
    loop.results.append(OpResult(loop, len(loop.results), INT))
    loop.set_operands((constant_of(loop, MAX_TRIPS, INT), first, *initial, zero))


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
