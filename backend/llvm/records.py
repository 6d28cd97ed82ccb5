"""`rt.record` and its fields, null and identity: records are pointers to objects of the run time (`runtime/lists.ll`)."""

from __future__ import annotations

from typing import Final

from ...ir.core import Operation, Value
from ...ir.dialects import rt, rt_records
from ...ir.types import RecordType
from .counted import load_slot, retain, retain_all, retain_results, store_slots
from .emitter import Emit, Emitter

_HEADER: Final = 24
"""Bytes of a record in front of the masks that say which fields are references: one word for each 64 fields."""


def _first_field(t: RecordType) -> int:
    return _HEADER + 8 * -(-len(t.slots) // 64)


def _fields(e: Emitter, record: Value) -> str:
    return e.op("ptr", f"getelementptr i8, ptr {e.text(record)}, i64 {_first_field(rt_records.record_type(record))}")


def _new(e: Emitter, op: Operation) -> None:
    t = rt_records.record_type(op.result)
    first = _first_field(t)
    pointer = e.op("ptr", f"call ptr @torchcc.record_new(i64 {first + 8 * len(t.slots)}, i64 {len(t.slots)})")
    e.leave_if(e.op("i1", f"icmp eq ptr {pointer}, null"))
    for word in range(0, len(t.slots), 64):
        mask = sum(1 << i for i, slot in enumerate(t.slots[word : word + 64]) if rt.is_counted(slot))
        at = e.op("ptr", f"getelementptr i8, ptr {pointer}, i64 {_HEADER + word // 8}")
        e.line(f"store i64 {mask}, ptr {at}, align 8")
    e.set(op.result, pointer)


def _field(e: Emitter, op: Operation) -> None:
    fields = _fields(e, op.operand(0))
    for i, result in enumerate(op.results, rt_records.first_of(op)):
        e.set(result, load_slot(e, fields, i, result.type))
    retain_results(e, op)


def _set_field(e: Emitter, op: Operation) -> None:
    fields, first, values = _fields(e, op.operand(0)), rt_records.first_of(op), op.operands[1:]
    retain_all(e, values)
    old = [load_slot(e, fields, i, v.type) for i, v in enumerate(values, first) if rt.is_counted(v.type)]
    store_slots(e, fields, values, first)
    for pointer in old:
        e.line(f"call void @torchcc.release(ptr {pointer})")


def _null(e: Emitter, op: Operation) -> None:
    e.set(op.result, "null")


def _same(e: Emitter, op: Operation) -> None:
    e.set(op.result, e.op("i1", f"icmp eq ptr {e.text(op.operand(0))}, {e.text(op.operand(1))}"))


def _address(e: Emitter, op: Operation) -> None:
    e.set(op.result, e.op("i64", f"ptrtoint ptr {e.text(op.operand(0))} to i64"))


def _cast(e: Emitter, op: Operation) -> None:
    pointer = e.text(op.operand(0))
    retain(e, pointer, op.operand(0).type)
    e.set(op.result, pointer)


EMITTERS: Final[dict[str, Emit]] = {
    "rt.record": _new,
    "rt.field": _field,
    "rt.set_field": _set_field,
    "rt.null": _null,
    "rt.same": _same,
    "rt.address": _address,
    "rt.cast": _cast,
}
