"""`rt.dict...`: dicts as pointers to objects of the run time (`runtime/dicts.ll`, which also says how they lie in memory).

Values are read and written in place; finding a key is a function of the run time that LLVM may inline.
"""

from __future__ import annotations

from typing import Final

from ...ir.core import Operation, Value
from ...ir.dialects import rt, rt_dicts
from ...ir.types import ComplexType, FloatType, IntegerType, RunTimeDictType, StringType
from ..runtime.library import inlined_dicts
from . import strings
from .counted import load_slot, retain_all, retain_results, store_slots
from .emitter import Emit, Emitter

_LENGTH: Final = 64
"""Bytes of a dict object in front of its length."""

_INLINED: Final = 16
"""In so many places finding a key is written in place; a call takes a nanosecond more, and much less code."""

_KEY: Final = 1
"""Words of an entry in front of its key."""


def _value_word(t: RunTimeDictType) -> int:
    """Words of an entry in front of its value: a complex key takes two."""
    return _KEY + (2 if isinstance(t.key, ComplexType) else 1)


def _width(t: RunTimeDictType) -> int:
    return _value_word(t) + len(t.slots)


def _references(t: RunTimeDictType) -> int:
    """Which words of an entry hold references."""
    counted = [_KEY] if rt.is_counted(t.key) else []
    counted += [_value_word(t) + i for i, slot in enumerate(t.slots) if rt.is_counted(slot)]
    return sum(1 << word for word in counted)


def _kind(t: RunTimeDictType) -> str:
    """The name of functions for such keys."""
    match t.key:
        case IntegerType():
            return "i64"
        case FloatType():
            return "f64"
        case ComplexType():
            return "c128"
        case _:
            return "str"


def _key_text(e: Emitter, key: Value) -> str:
    """The key as an argument, or as several."""
    if isinstance(key.type, StringType):
        return strings.parts(e, key)
    if isinstance(key.type, ComplexType):
        return ", ".join(f"double {part}" for part in e.flatten(key))
    text = e.text(key)
    if key.type == IntegerType(1):
        text = e.op("i64", f"zext i1 {text} to i64")
    return f"{'double' if isinstance(key.type, FloatType) else 'i64'} {text}"


def _new_key_text(e: Emitter, key: Value) -> str:
    """The same for a key that is kept."""
    if not isinstance(key.type, StringType):
        return _key_text(e, key)
    return f"ptr {'null' if strings.is_view(key) else e.text(key)}, {strings.parts(e, key)}"


def _prepare(e: Emitter) -> None:
    """Declares what may be inlined."""
    strings.prepare(e)
    text = inlined_dicts()
    if text not in e.context.globals:
        e.context.globals.append(text)


def _new(e: Emitter, op: Operation) -> None:
    t = op.result.type
    assert isinstance(t, RunTimeDictType)
    if _width(t) > 64:
        raise AssertionError("a dict of more than 62 slots")
    pointer = e.op("ptr", f"call ptr @torchcc.dict_new(i64 {_width(t)}, i64 {_references(t)})")
    e.leave_if(e.op("i1", f"icmp eq ptr {pointer}, null"))
    e.set(op.result, pointer)


def _len(e: Emitter, op: Operation) -> None:
    at = e.pure("ptr", f"getelementptr i8, ptr {e.text(op.operand(0))}, i64 {_LENGTH}")
    e.set(op.result, e.op("i64", f"load i64, ptr {at}, align 8"))


def _find(e: Emitter, op: Operation) -> None:
    e.set(op.result, _position(e, op.operand(0), op.operand(1)))


def _position(e: Emitter, source: Value, key: Value) -> str:
    _prepare(e)
    t = rt_dicts.dict_type(source)
    operands = f"ptr {e.text(source)}, {_key_text(e, key)}, i64 {_width(t)}"
    e.context.lookups += 1
    inline = "" if e.context.lookups <= _INLINED else " noinline"
    return e.op("i64", f"call i64 @torchcc.dict_find_{_kind(t)}({operands}){inline}")


def _next(e: Emitter, op: Operation) -> None:
    source, position = op.operands
    operands = f"ptr {e.text(source)}, i64 {e.index_text(e.linear(position))}"
    e.set(op.result, e.op("i64", f"call i64 @torchcc.dict_next({operands})"))


def _entry(e: Emitter, source: Value, position: Value) -> str:
    _prepare(e)
    width = _width(rt_dicts.dict_type(source))
    operands = f"ptr {e.text(source)}, i64 {e.index_text(e.linear(position))}, i64 {width}"
    return e.op("ptr", f"call ptr @torchcc.dict_at({operands})")


def _key(e: Emitter, op: Operation) -> None:
    t = op.result.type
    entry = _entry(e, *op.operands)
    if isinstance(t, ComplexType):
        e.values[op.result] = e.unflatten(t, [load_slot(e, entry, _KEY + i, t.element) for i in range(2)])
        return
    e.set(op.result, load_slot(e, entry, _KEY, t))
    retain_results(e, op)


def _get(e: Emitter, op: Operation) -> None:
    entry = _entry(e, *op.operands)
    first = _value_word(rt_dicts.dict_type(op.operand(0)))
    for i, result in enumerate(op.results):
        e.set(result, load_slot(e, entry, first + i, result.type))
    retain_results(e, op)


def _put(e: Emitter, op: Operation) -> None:
    target, key, *slots = op.operands
    _place(e, target, _position(e, target, key), key, tuple(slots))


def _put_at(e: Emitter, op: Operation) -> None:
    target, position, key, *slots = op.operands
    _prepare(e)
    _place(e, target, e.index_text(e.linear(position)), key, tuple(slots))


def _place(e: Emitter, target: Value, position: str, key: Value, slots: tuple[Value, ...]) -> None:
    """Stores a value at the position that was found for the key, in a new entry where that is -1."""
    t = rt_dicts.dict_type(target)
    operands = f"ptr {e.text(target)}, i64 {position}, {_new_key_text(e, key)}, i64 {_width(t)}"
    entry = e.op("ptr", f"call ptr @torchcc.dict_place_{_kind(t)}({operands})")
    e.leave_if(e.op("i1", f"icmp eq ptr {entry}, null"))
    retain_all(e, slots)
    first = _value_word(t)
    old = [load_slot(e, entry, first + i, v.type) for i, v in enumerate(slots) if rt.is_counted(v.type)]
    store_slots(e, entry, slots, first)
    for pointer in old:
        e.line(f"call void @torchcc.release(ptr {pointer})")


def _erase(e: Emitter, op: Operation) -> None:
    target, position = op.operands
    operands = f"ptr {e.text(target)}, i64 {e.index_text(e.linear(position))}"
    e.leave_if(e.op("i1", f"call i1 @torchcc.dict_erase({operands})"))


def _clear(e: Emitter, op: Operation) -> None:
    e.leave_if(e.op("i1", f"call i1 @torchcc.dict_clear(ptr {e.text(op.operand(0))})"))


EMITTERS: Final[dict[str, Emit]] = {
    "rt.dict": _new,
    "rt.dict_len": _len,
    "rt.dict_find": _find,
    "rt.dict_next": _next,
    "rt.dict_key": _key,
    "rt.dict_get": _get,
    "rt.dict_put": _put,
    "rt.dict_put_at": _put_at,
    "rt.dict_erase": _erase,
    "rt.dict_clear": _clear,
}
