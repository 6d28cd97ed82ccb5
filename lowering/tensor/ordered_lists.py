"""Sorting a list of run-time length whose elements are tuples, tensors of one element, or numbers.

A merge sort of positions, bottom up, stable: each pass merges runs of `width` positions into runs of twice that.
What stands before what is decided as `ir/ordering.py` says; tensors are read only where they decide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from ...ir.core import Value
from ...ir.dialects import arith, rt, rt_strings, scf, tensor
from ...ir.dialects.aten.sort import comes_before, passes_for
from ...ir.dtypes import DType
from ...ir.ordering import NO_VALUES, SEVERAL_VALUES, leaves
from ...ir.script_types import BoolType, FloatType, ScriptType, StrType, TensorType
from ...ir.types import I1, I64, INDEX, RunTimeListType
from . import memory, run_time_values

if TYPE_CHECKING:
    from .run_time_lists import Lists


def sorted_copy(lists: Lists, source: Value, reverse: Value | bool) -> Value:
    """A new list of the same elements, in order."""
    order = _positions(lists, source, reverse)
    target = lists.new()
    b = lists.cx.b

    def one(i: Value, _: Sequence[Value]) -> Sequence[Value]:
        rt.push(b, target, rt.get(b, source, _position(lists, order, i)))
        return ()

    lists.repeat(lists.length(source), (), one)
    return target


def sort_in_place(lists: Lists, target: Value, reverse: Value | bool) -> None:
    """Puts the elements of the list itself in order."""
    done = sorted_copy(lists, target, reverse)
    b = lists.cx.b

    def one(i: Value, _: Sequence[Value]) -> Sequence[Value]:
        rt.set_(b, target, i, rt.get(b, done, i))
        return ()

    lists.repeat(lists.length(target), (), one)


def _position(lists: Lists, order: Value, at: Value) -> Value:
    b = lists.cx.b
    return arith.index_cast(b, rt.get(b, order, at)[0], INDEX)


def _positions(lists: Lists, source: Value, reverse: Value | bool) -> Value:
    """A list of ints: where the elements in sorted order stand."""
    b, cx = lists.cx.b, lists.cx
    start = rt.new(b, RunTimeListType((I64,)))

    def first(i: Value, _: Sequence[Value]) -> Sequence[Value]:
        rt.push(b, start, [arith.index_cast(b, i, I64)])
        return ()

    lists.repeat(lists.length(source), (), first)
    passes = passes_for(cx, lists.length(source))

    def one_pass(i: Value, carried: Sequence[Value]) -> Sequence[Value]:
        return [_merged(lists, source, carried[0], arith.shli(b, cx.index(1), i), reverse)]

    return lists.repeat(passes, [start], one_pass)[0]


def _merged(lists: Lists, source: Value, order: Value, width: Value, reverse: Value | bool) -> Value:
    """The order with each two runs of `width` merged."""
    b, cx = lists.cx.b, lists.cx
    merged = rt.new(b, RunTimeListType((I64,)))
    n = lists.length(source)
    pair = arith.addi(b, width, width)
    zero, one = cx.index(0), cx.index(1)

    def place(k: Value, carried: Sequence[Value]) -> Sequence[Value]:
        base = arith.muli(b, arith.divui(b, k, pair), pair)
        middle = arith.minsi(b, arith.addi(b, base, width), n)
        end = arith.minsi(b, arith.addi(b, base, pair), n)
        begins = arith.cmpi(b, "eq", k, base)
        left = arith.select(b, begins, base, carried[0])
        right = arith.select(b, begins, middle, carried[1])
        left_there, right_there = arith.cmpi(b, "slt", left, middle), arith.cmpi(b, "slt", right, end)

        def compare(_: Any, __: Sequence[Value]) -> Sequence[Value]:
            return [_overtakes(lists, source, order, left, right, reverse)]

        def only(_: Any, __: Sequence[Value]) -> Sequence[Value]:
            return [right_there]

        both = arith.andi(b, left_there, right_there)
        take_right = scf.if_(b, both, [I1], compare, only).result
        at = arith.select(b, take_right, right, left)
        rt.push(b, merged, rt.get(b, order, at))
        more_left = arith.addi(b, left, arith.select(b, take_right, zero, one))
        more_right = arith.addi(b, right, arith.select(b, take_right, one, zero))
        return [more_left, more_right]

    lists.repeat(n, [zero, zero], place)
    return merged


def _overtakes(
    lists: Lists, source: Value, order: Value, left: Value, right: Value, reverse: Value | bool
) -> Value:
    """Whether the element of the right run has to stand before that of the left one."""
    b = lists.cx.b
    if isinstance(reverse, Value):
        left, right = arith.select(b, reverse, right, left), arith.select(b, reverse, left, right)
    elif reverse:
        left, right = right, left
    x, y = (rt.get(b, source, _position(lists, order, at)) for at in (right, left))
    return _before(lists, x, y, leaves(lists.element))


def _before(lists: Lists, x: Sequence[Value], y: Sequence[Value], types: Sequence[ScriptType]) -> Value:
    """Whether an element stands strictly before another; both as slots."""
    b = lists.cx.b
    if isinstance(types[0], StrType):
        order = rt_strings.compare(b, x[0], y[0])
        before, behind = (arith.cmpi(b, p, order, lists.cx.i64(0)) for p in ("slt", "sgt"))
        return _or_by_the_rest(lists, (x[1:], y[1:]), types, before, lambda: behind)
    dtype, width = _dtype(types[0]), len(run_time_values.slots_of(types[0]))
    first, second = (_number(lists, slots[:width], types[0]) for slots in (x, y))
    before = comes_before(b, dtype, first, second, False)
    rest = x[width:], y[width:]
    return _or_by_the_rest(lists, rest, types, before, lambda: comes_before(b, dtype, second, first, False))


def _or_by_the_rest(
    lists: Lists,
    pair: tuple[Sequence[Value], Sequence[Value]],
    types: Sequence[ScriptType],
    before: Value,
    behind: Callable[[], Value],
) -> Value:
    """Whether the first of a pair stands before the second, by their first parts, or `pair`, the others, where these are
    equal."""
    if len(types) == 1:
        return before
    b = lists.cx.b
    differ = arith.ori(b, before, behind())
    x, y = pair

    def decided(_: Any, __: Sequence[Value]) -> Sequence[Value]:
        return [before]

    def rest(_: Any, __: Sequence[Value]) -> Sequence[Value]:
        return [_before(lists, x, y, types[1:])]

    return scf.if_(b, differ, [I1], decided, rest).result


def _dtype(t: ScriptType) -> DType:
    match t:
        case TensorType(dtype):
            return cast(DType, dtype)
        case FloatType():
            return DType.float64
        case BoolType():
            return DType.bool
        case _:
            return DType.int64


def _number(lists: Lists, slots: Sequence[Value], t: ScriptType) -> Value:
    if not isinstance(t, TensorType):
        return slots[0]
    cx = lists.cx
    value = memory.as_value(cx, lists.value(slots, t))
    count = cx.numel(value)
    cx.check(cx.compare("ge", count, 1), NO_VALUES)
    cx.check(cx.compare("le", count, 1), SEVERAL_VALUES)
    return tensor.extract(cx.b, value, [cx.index(0)] * cx.rank(value))
