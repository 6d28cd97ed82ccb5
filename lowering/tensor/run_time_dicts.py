"""Dicts made at run time at the `linalg` stage: each node on one becomes a few `rt.dict` operations and loops over them.

What PyTorch checks (is the key there?) is checked here, with its messages. Where a node needs an entry twice it is looked
for once; that a program asks for one key several times in a row is something the run time is prepared for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from ...ir.builder import Builder
from ...ir.core import Operation, Value
from ...ir.diagnostics import CompileError, InternalError
from ...ir.dialects import arith, rt_dicts, scf
from ...ir.dialects import complex as complexes
from ...ir.dialects.aten.lowering import LoweringContext
from ...ir.dtypes import DType
from ...ir.operators import split_name
from ...ir.script_types import BoolType, ComplexType, DictType, FloatType, ScriptType, TupleType
from ...ir.types import COMPLEX_F64, F64, I1, RunTimeDictType
from . import run_time_values
from .run_time_lists import Lists, is_list

Lowered = Any
"""What a value of the `torch` stage became: a Value, a Python constant, a sequence of these."""

MAX_SLOTS: Final = 61
"""Of one value: with its key and hash, as many words as the run time's mask of references has bits."""


def dict_type(t: DictType) -> RunTimeDictType:
    """Type of a dict in the `linalg` stage."""
    slots = run_time_values.slots_of(t.value)
    if len(slots) > MAX_SLOTS:
        raise CompileError.at(None, f"values of a dict have more than {MAX_SLOTS} parts")
    if isinstance(t.key, ComplexType):
        return RunTimeDictType(COMPLEX_F64, slots)
    (key,) = run_time_values.slots_of(t.key)
    return RunTimeDictType(key, slots)


def is_dict(lowered: Lowered) -> bool:
    """Whether a lowered value is a dict made at run time."""
    return isinstance(lowered, Value) and isinstance(lowered.type, RunTimeDictType)


class Dicts:
    """Lowers nodes on dicts of type `t` through `cx`."""

    def __init__(self, cx: LoweringContext, t: DictType) -> None:
        self.cx = cx
        self.t = t

    # keys and values

    def key(self, key: Lowered) -> Value:
        if isinstance(self.t.key, ComplexType):
            return key if isinstance(key, Value) else complexes.create(self.cx.b, *run_time_values.parts(self.cx, key))
        (slot,) = run_time_values.slots(self.cx, key, self.t.key)
        return slot

    def slots(self, value: Lowered) -> list[Value]:
        return run_time_values.slots(self.cx, value, self.t.value)

    def value(self, slots: Sequence[Value]) -> Lowered:
        return run_time_values.value(self.cx, slots, self.t.value)

    def key_at(self, source: Value, position: Value) -> Lowered:
        found = rt_dicts.key(self.cx.b, source, position)
        if isinstance(self.t.key, ComplexType):
            return self.cx.set_dtype(found, DType.complex128)
        return run_time_values.value(self.cx, [found], self.t.key)

    def value_at(self, source: Value, position: Value) -> Lowered:
        return self.value(rt_dicts.get(self.cx.b, source, position))

    def is_there(self, position: Value) -> Value:
        return arith.cmpi(self.cx.b, "sge", position, self.cx.index(0))

    def position(self, source: Value, key: Lowered) -> Value:
        """Where the key is; it has to be there."""
        slot = self.key(key)
        position = rt_dicts.find(self.cx.b, source, slot)
        self.check_key(self.is_there(position), slot)
        return position

    def check_key(self, there: Value, key: Value) -> None:
        cx = self.cx
        if isinstance(self.t.key, ComplexType):
            self._check_number(there, key)
            return
        if not isinstance(self.t.key, BoolType):
            cx.check(there, "KeyError: {}", [key])
            return
        true = arith.constant(cx.b, True, I1)
        cx.check(arith.ori(cx.b, there, arith.xori(cx.b, key, true)), "KeyError: True")
        cx.check(arith.ori(cx.b, there, key), "KeyError: False")

    def _check_number(self, there: Value, key: Value) -> None:
        """The message has a sign in front of the imaginary part, which a negative one shows itself."""
        cx = self.cx
        re, im = run_time_values.parts(cx, key)
        zero = arith.constant(cx.b, 0.0, F64)
        negative = arith.cmpf(cx.b, "olt", im, zero)
        positive = arith.cmpf(cx.b, "oge", im, zero)
        nan = arith.cmpf(cx.b, "uno", im, im)
        for sign, excused in (("+", (negative, nan)), ("", (positive, nan)), ("-", (negative, positive))):
            cx.check(arith.ori(cx.b, there, arith.ori(cx.b, *excused)), f"KeyError: {{}}{sign}{{}}j", [re, im])

    def either(self, condition: Value, then: Callable[[], Lowered], otherwise: Callable[[], Lowered]) -> Lowered:
        """A value of the dict, by a condition."""
        types = run_time_values.slots_of(self.t.value)

        def side(make: Callable[[], Lowered]) -> scf.Body:
            def body(b: Builder, args: Sequence[Value]) -> Sequence[Value]:
                del b, args
                return self.slots(make())

            return body

        return self.value(scf.if_(self.cx.b, condition, types, side(then), side(otherwise)).results)

    def each(self, source: Value, visit: Callable[[Value], None]) -> None:
        """`visit(position)` for all entries in their order; it must not change the dict."""
        cx = self.cx

        def one(i: Value, carried: Sequence[Value]) -> Sequence[Value]:
            del i
            position = rt_dicts.next_(cx.b, source, carried[0])
            visit(position)
            return [cx.index(cx.add(position, 1))]

        Lists(cx, self.t.key).repeat(rt_dicts.length(cx.b, source), [cx.index(0)], one)

    # what nodes do

    def new(self) -> Value:
        return rt_dicts.new(self.cx.b, dict_type(self.t))

    def construct(self, *parts: Lowered) -> Value:
        """`prim::DictConstruct`: keys and values by turns."""
        target = self.new()
        for key, value in zip(parts[::2], parts[1::2], strict=True):
            self.set_item(target, key, value)
        return target

    def of_pairs(self, pairs: Lowered) -> Value:
        """`dict(list of pairs)`."""
        target = self.new()
        lists = Lists(self.cx, TupleType((self.t.key, self.t.value)))
        source: Value = pairs if is_list(pairs) else lists.construct(pairs)

        def one(i: Value, _: Sequence[Value]) -> Sequence[Value]:
            key, value = lists.get(source, i)
            self.set_item(target, key, value)
            return ()

        lists.repeat(lists.length(source), (), one)
        return target

    def copy(self, source: Lowered) -> Value:
        if not is_dict(source):
            return self.of_pairs(source)
        target = self.new()
        self.put_all(target, source)
        return target

    def len_(self, source: Value) -> Value:
        return self.cx.i64(rt_dicts.length(self.cx.b, source))

    def contains(self, source: Value, key: Lowered) -> Value:
        return self.is_there(rt_dicts.find(self.cx.b, source, self.key(key)))

    def getitem(self, source: Value, key: Lowered) -> Lowered:
        return self.value_at(source, self.position(source, key))

    def get(self, source: Value, key: Lowered, default: Lowered) -> Lowered:
        position = rt_dicts.find(self.cx.b, source, self.key(key))
        return self.either(self.is_there(position), lambda: self.value_at(source, position), lambda: default)

    def set_item(self, target: Value, key: Lowered, value: Lowered) -> None:
        rt_dicts.put(self.cx.b, target, self.key(key), self.slots(value))

    def delete(self, target: Value, key: Lowered) -> None:
        rt_dicts.erase(self.cx.b, target, self.position(target, key))

    def pop(self, target: Value, key: Lowered, *default: Lowered) -> Lowered:
        if not default:
            return self.taken(target, self.position(target, key))
        position = rt_dicts.find(self.cx.b, target, self.key(key))
        return self.either(self.is_there(position), lambda: self.taken(target, position), lambda: default[0])

    def taken(self, target: Value, position: Value) -> Lowered:
        value = self.value_at(target, position)
        rt_dicts.erase(self.cx.b, target, position)
        return value

    def popitem(self, target: Value) -> Lowered:
        """The first entry, as in PyTorch."""
        cx = self.cx
        cx.check(cx.compare("gt", rt_dicts.length(cx.b, target), 0), "popitem(): dictionary is empty")
        position = rt_dicts.next_(cx.b, target, cx.index(0))
        key = self.key_at(target, position)
        return [key, self.taken(target, position)]

    def setdefault(self, target: Value, key: Lowered, default: Lowered) -> Lowered:
        position = rt_dicts.find(self.cx.b, target, self.key(key))

        def put() -> Lowered:
            self.set_item(target, key, default)
            return default

        return self.either(self.is_there(position), lambda: self.value_at(target, position), put)

    def update(self, target: Value, other: Value) -> None:
        # nan is a new key each time: where both are one dict, it must not change while it is gone through
        self.put_all(target, self.copy(other) if isinstance(self.t.key, FloatType | ComplexType) else other)

    def put_all(self, target: Value, other: Value) -> None:
        cx = self.cx

        def one(position: Value) -> None:
            slots = rt_dicts.get(cx.b, other, position)
            rt_dicts.put(cx.b, target, rt_dicts.key(cx.b, other, position), slots)

        self.each(other, one)

    def clear(self, target: Value) -> None:
        rt_dicts.clear(self.cx.b, target)

    def listed(self, source: Value, element: ScriptType, make: Callable[[Value], Lowered]) -> Value:
        lists = Lists(self.cx, element)
        target = lists.new()
        self.each(source, lambda position: lists.push(target, make(position)))
        return target

    def keys(self, source: Value) -> Value:
        return self.listed(source, self.t.key, lambda at: self.key_at(source, at))

    def values(self, source: Value) -> Value:
        return self.listed(source, self.t.value, lambda at: self.value_at(source, at))

    def items(self, source: Value) -> Value:
        t = TupleType((self.t.key, self.t.value))
        return self.listed(source, t, lambda at: [self.key_at(source, at), self.value_at(source, at)])


_METHODS: Final[dict[str, Callable[..., Any]]] = {
    "prim::DictConstruct": Dicts.construct,
    "aten::dict": Dicts.copy,
    "aten::copy": Dicts.copy,
    "aten::len": Dicts.len_,
    "aten::__contains__": Dicts.contains,
    "aten::__getitem__": Dicts.getitem,
    "aten::get": Dicts.get,
    "aten::_set_item": Dicts.set_item,
    "aten::Delete": Dicts.delete,
    "aten::pop": Dicts.pop,
    "aten::popitem": Dicts.popitem,
    "aten::setdefault": Dicts.setdefault,
    "aten::update": Dicts.update,
    "aten::clear": Dicts.clear,
    "aten::keys": Dicts.keys,
    "aten::values": Dicts.values,
    "aten::items": Dicts.items,
}

_MAKERS: Final = ("prim::DictConstruct", "aten::dict")


def _type(op: Operation) -> DictType | None:
    """The type of the dict that a node works on, or makes."""
    base = split_name(op.name)[0]
    if base not in _METHODS:
        return None
    t = op.result.type if base in _MAKERS else op.operand(0).type
    return t if isinstance(t, DictType) else None


def is_dict_node(op: Operation) -> bool:
    """Whether the node of the `torch` stage makes a dict at run time, changes or reads one."""
    return _type(op) is not None


def lower(cx: LoweringContext, op: Operation, arguments: Sequence[Lowered]) -> list[Lowered]:
    """What the results of the node become."""
    t = _type(op)
    if t is None:
        raise InternalError(f"{op.name} has no dict")
    result = _METHODS[split_name(op.name)[0]](Dicts(cx, t), *arguments)
    return [result] if op.results else []
