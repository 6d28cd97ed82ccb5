"""`rt.fork`, `rt.wait`, `rt.ready`: futures, as pointers to objects of the run time (`runtime/forks.ll`).

What a fork is given stands in fields of the future behind those for the results; a function of the module takes it from
there, makes the call and puts the results in:

    i32 run(ptr future)      ; 0, or 1 after recording an error
"""

from __future__ import annotations

from typing import Final, cast

from ...ir.core import Operation, Value
from ...ir.dialects import rt, rt_forks
from ...ir.types import BoxType, FutureType, IntegerType, MemRefType, Type
from .control import result_type
from .counted import box_contents, load_slot, retain, retain_all, retain_results, store_slots
from .emitter import Emit, Emitter

_HEAD: Final = 96
"""Bytes of a future in front of its masks: one word for each 64 fields."""


def _first_field(fields: int) -> int:
    return _HEAD + 8 * -(-fields // 64)


def _new(e: Emitter, references: list[bool], function: str) -> tuple[str, str]:
    """A future, and its fields, of which some hold references."""
    count = len(references)
    first = _first_field(count)
    future = e.op("ptr", f"call ptr @torchcc.future_new(i64 {first + 8 * count}, i64 {count}, ptr {function})")
    e.leave_if(e.op("i1", f"icmp eq ptr {future}, null"))
    for word in range(0, count, 64):
        mask = sum(1 << i for i, holds in enumerate(references[word : word + 64]) if holds)
        at = e.op("ptr", f"getelementptr i8, ptr {future}, i64 {_HEAD + word // 8}")
        e.line(f"store i64 {mask}, ptr {at}, align 8")
    return future, e.op("ptr", f"getelementptr i8, ptr {future}, i64 {first}")


def _parts(e: Emitter, value: Value) -> list[tuple[str, str]]:
    """LLVM types and registers of what a fork is given."""
    if value.type == IntegerType(1):
        return [("i64", e.op("i64", f"zext i1 {e.text(value)} to i64"))]
    return list(zip(e.component_types(value.type), e.flatten(value), strict=True))


def _fork(e: Emitter, op: Operation) -> None:
    slots = cast(FutureType, op.result.type).slots
    parts = [part for v in op.operands for part in _parts(e, v)]
    counted = [rt.is_counted(v.type) for v in op.operands for _ in e.component_types(v.type)]
    references = [*(rt.is_counted(s) for s in slots), *counted]
    future, fields = _new(e, references, _runner(e, op, len(references)))
    for i, (t, text) in enumerate(parts, len(slots)):
        at = e.op("ptr", f"getelementptr i64, ptr {fields}, i64 {i}")
        e.line(f"store {t} {text}, ptr {at}, align 8")
    retain_all(e, op.operands)
    if rt_forks.HERE in op.attributes:
        e.line(f"call void @torchcc.future_run_here(ptr {future})")
    elif rt_forks.LAZY not in op.attributes:
        e.line(f"call void @torchcc.future_start(ptr {future})")
    e.set(op.result, future)


def _runner(e: Emitter, op: Operation, fields: int) -> str:
    """The function that makes the call of a future; its symbol."""
    facts = e.context.facts[rt_forks.callee_of(op)]
    slots = cast(FutureType, op.result.type).slots
    symbol = f'@"{e.context.prefix}.fork.{len(e.context.functions)}.{e.context.forks}"'
    e.context.forks += 1
    inner = Emitter(e.context)
    at = inner.op("ptr", f"getelementptr i8, ptr %future, i64 {_first_field(fields)}")
    taken = len(slots)
    arguments: list[str] = []
    for value, wanted in zip(op.operands, facts.inputs, strict=True):
        types = inner.component_types(value.type)
        registers = [_load(inner, at, taken + k, t) for k, t in enumerate(types)]
        taken += len(types)
        if isinstance(value.type, BoxType):
            contents = box_contents(inner, registers[0], value.type)
            registers = inner.flatten_buffer(contents, cast(MemRefType, wanted))
        arguments += [f"{t} {r}" for t, r in zip(inner.component_types(wanted), registers, strict=True)]
    types = (["i32"] if facts.can_fail else []) + [t for r in facts.results for t in inner.component_types(r)]
    whole = result_type(types)
    value = inner.op(whole, f"call {whole} {facts.symbol}({', '.join(arguments)})")
    parts = [value] if len(types) == 1 else [inner.op(t, f"extractvalue {whole} {value}, {i}") for i, t in enumerate(types)]
    status = parts.pop(0) if facts.can_fail else "0"
    for i, (part, slot) in enumerate(zip(parts, slots, strict=True)):
        _store(inner, at, i, slot, part)
    inner.line(f"ret i32 {status}")
    lines = "\n".join((*inner.entry_lines, *inner.lines))
    e.context.functions.append(f"define internal i32 {symbol}(ptr %future) #0 {{\nentry:\n{lines}\n}}\n")
    return symbol


def _load(e: Emitter, fields: str, i: int, type: str) -> str:
    at = e.op("ptr", f"getelementptr i64, ptr {fields}, i64 {i}")
    if type != "i1":
        return e.op(type, f"load {type}, ptr {at}, align 8")
    return e.op("i1", f"trunc i64 {e.op('i64', f'load i64, ptr {at}, align 8')} to i1")


def _store(e: Emitter, fields: str, i: int, slot: Type, text: str) -> None:
    at = e.op("ptr", f"getelementptr i64, ptr {fields}, i64 {i}")
    (kind,) = e.component_types(slot)
    if kind == "i1":
        kind, text = "i64", e.op("i64", f"zext i1 {text} to i64")
    e.line(f"store {kind} {text}, ptr {at}, align 8")


def _wait(e: Emitter, op: Operation) -> None:
    """The fields of a future stand where the number of them says."""
    future = e.text(op.operand(0))
    e.leave_if(e.op("i1", f"call i1 @torchcc.future_wait(ptr {future})"))
    count = e.op("i64", f"load i64, ptr {e.op('ptr', f'getelementptr i64, ptr {future}, i64 2')}, align 8")
    words = e.op("i64", f"lshr i64 {e.op('i64', f'add i64 {count}, 63')}, 6")
    masks = e.op("ptr", f"getelementptr i8, ptr {future}, i64 {_HEAD}")
    fields = e.op("ptr", f"getelementptr i64, ptr {masks}, i64 {words}")
    for i, result in enumerate(op.results):
        e.set(result, load_slot(e, fields, i, result.type))
    retain_results(e, op)


def _ready(e: Emitter, op: Operation) -> None:
    future, fields = _new(e, [rt.is_counted(v.type) for v in op.operands], "null")
    for value in op.operands:
        if rt.is_counted(value.type):
            retain(e, e.text(value), value.type)
    store_slots(e, fields, op.operands)
    e.set(op.result, future)


EMITTERS: Final[dict[str, Emit]] = {"rt.fork": _fork, "rt.wait": _wait, "rt.ready": _ready}
