"""`rt`: lists and boxes, as pointers to objects of the run time (`runtime/lists.ll`, which also says how they lie in memory).

Elements are read and written in place; making room, growing and the last release are calls.
"""

from __future__ import annotations

import math
from typing import Final, cast

from ...ir.core import Operation, Value
from ...ir.dialects import rt
from ...ir.types import AnyObjectType, BoxType, FloatType, IntegerType, MemRefType, RunTimeListType, StringType, Type
from .buffers import Buffer
from .emitter import HEAP_ALIGNMENT, Emit, Emitter
from .linear import ZERO, Linear
from .memory import copy_buffer
from .strings import is_immortal
from .types import itemsize

_LENGTH: Final = 24
_CAPACITY: Final = 32
_DATA: Final = 40
"""Bytes of a list object in front of its length, of the room it has, and of the pointer to its elements."""

_COUNT: Final = "count"
_HEADER: Final = "header"
_SLOT: Final = "slot"
"""Alias classes: a new element changes neither the length of another list nor any count."""

_EXTENTS: Final = 16
"""Bytes of a box in front of its extents."""

_NO_BOX: Final = 1024
"""Bytes of a box that is nothing: more than there are extents."""


def data_offset(rank: int) -> int:
    """Bytes of a box in front of its elements: a multiple of the heap's alignment."""
    return math.ceil((_EXTENTS + 8 * rank) / HEAP_ALIGNMENT) * HEAP_ALIGNMENT


def reference_mask(t: RunTimeListType) -> int:
    """Which slots hold references."""
    return sum(1 << i for i, slot in enumerate(t.slots) if rt.is_counted(slot))


def _is_packed(t: RunTimeListType) -> bool:
    """A list of bools has a byte for each."""
    return t.slots == (IntegerType(1),)


def _stride(t: RunTimeListType) -> int:
    """Bytes of an element."""
    return 1 if _is_packed(t) else 8 * len(t.slots)


def _at(e: Emitter, pointer: str, offset: int) -> str:
    return e.pure("ptr", f"getelementptr i8, ptr {pointer}, i64 {offset}") if offset else pointer


def retain(e: Emitter, pointer: str, t: Type) -> None:
    """One reference more, unless it is null."""
    if isinstance(t, StringType | AnyObjectType):  # some are never given back
        e.line(f"call void @torchcc.retain(ptr {pointer})")
        return
    some, done = e.new_label("some"), e.new_label("none")
    e.line(f"br i1 {e.op('i1', f'icmp eq ptr {pointer}, null')}, label %{done}, label %{some}")
    e.start_block(some)
    kind = e.context.alias_class(_COUNT)
    count = e.op("i64", f"load i64, ptr {pointer}, align 8{kind}")
    e.line(f"store i64 {e.op('i64', f'add i64 {count}, 1')}, ptr {pointer}, align 8{kind}")
    e.line(f"br label %{done}")
    e.start_block(done)


def _new(e: Emitter, op: Operation) -> None:
    t = cast(RunTimeListType, op.result.type)
    if len(t.slots) > 64:
        raise AssertionError("a list of more than 64 slots")
    pointer = e.op("ptr", f"call ptr @torchcc.list_new(i64 {_stride(t)}, i64 {reference_mask(t)})")
    e.leave_if(e.op("i1", f"icmp eq ptr {pointer}, null"))
    e.set(op.result, pointer)


def _header(e: Emitter, source: str, offset: int) -> str:
    """A number in the header of a list."""
    return e.op("i64", f"load i64, ptr {_at(e, source, offset)}, align 8{e.context.alias_class(_HEADER)}")


def _length_of(e: Emitter, source: str) -> str:
    return _header(e, source, _LENGTH)


def _len(e: Emitter, op: Operation) -> None:
    e.set(op.result, _length_of(e, e.text(op.operand(0))))


def _element(e: Emitter, source: Value, index: Linear) -> str:
    """Pointer to the first slot of an element."""
    kind = e.context.alias_class(_HEADER)
    data = e.op("ptr", f"load ptr, ptr {_at(e, e.text(source), _DATA)}, align 8{kind}")
    t = rt.list_type(source)
    if _is_packed(t):
        return e.op("ptr", f"getelementptr i8, ptr {data}, i64 {e.index_text(index)}")
    return e.op("ptr", f"getelementptr i64, ptr {data}, i64 {e.index_text(index.scaled(len(t.slots)))}")


def _slot_type(t: Type) -> str:
    match t:
        case IntegerType():
            return "i64"
        case FloatType():
            return "double"
        case _:
            return "ptr"


def load_slot(e: Emitter, element: str, i: int, t: Type) -> str:
    kind = _slot_type(t)
    value = e.op(kind, f"load {kind}, ptr {_at(e, element, 8 * i)}, align 8{e.context.alias_class(_SLOT)}")
    return e.op("i1", f"trunc i64 {value} to i1") if t == IntegerType(1) else value


def store_slots(e: Emitter, element: str, values: tuple[Value, ...], first: int = 0) -> None:
    for i, value in enumerate(values, first):
        text = e.text(value)
        if value.type == IntegerType(1):
            text = e.op("i64", f"zext i1 {text} to i64")
        kind = e.context.alias_class(_SLOT)
        e.line(f"store {_slot_type(value.type)} {text}, ptr {_at(e, element, 8 * i)}, align 8{kind}")


def _load_packed(e: Emitter, element: str) -> str:
    value = e.op("i8", f"load i8, ptr {element}, align 1{e.context.alias_class(_SLOT)}")
    return e.op("i1", f"trunc i8 {value} to i1")


def _store_packed(e: Emitter, element: str, value: Value) -> None:
    text = e.op("i8", f"zext i1 {e.text(value)} to i8")
    e.line(f"store i8 {text}, ptr {element}, align 1{e.context.alias_class(_SLOT)}")


def _get(e: Emitter, op: Operation) -> None:
    element = _element(e, op.operand(0), e.linear(op.operand(1)))
    if _is_packed(rt.list_type(op.operand(0))):
        e.set(op.result, _load_packed(e, element))
        return
    for i, result in enumerate(op.results):
        e.set(result, load_slot(e, element, i, result.type))
    retain_results(e, op)


def retain_results(e: Emitter, op: Operation) -> None:
    """A reference for each result that is not only borrowed."""
    for i, result in enumerate(op.results):
        if rt.is_counted(result.type) and not rt.is_borrowed(op, i):
            retain(e, e.text(result), result.type)


def retain_all(e: Emitter, values: tuple[Value, ...]) -> None:
    for value in values:
        if rt.is_counted(value.type):
            retain(e, e.text(value), value.type)


def _set(e: Emitter, op: Operation) -> None:
    target, index, *rest = op.operands
    slots = tuple(rest)
    element = _element(e, target, e.linear(index))
    if _is_packed(rt.list_type(target)):
        _store_packed(e, element, slots[0])
        return
    retain_all(e, slots)
    old = [load_slot(e, element, i, v.type) for i, v in enumerate(slots) if rt.is_counted(v.type)]
    store_slots(e, element, slots)
    for pointer in old:
        e.line(f"call void @torchcc.release(ptr {pointer})")


def _fill(e: Emitter, target: Value, element: str, slots: tuple[Value, ...]) -> None:
    """Stores a new element."""
    if _is_packed(rt.list_type(target)):
        _store_packed(e, element, slots[0])
        return
    retain_all(e, slots)
    store_slots(e, element, slots)


def _push(e: Emitter, op: Operation) -> None:
    target, *slots = op.operands
    pointer = e.text(target)
    length = _length_of(e, pointer)
    full = e.op("i1", f"icmp eq i64 {length}, {_header(e, pointer, _CAPACITY)}")
    grow, room = e.new_label("grow"), e.new_label("room")
    rarely = e.context.rarely()
    e.line(f"br i1 {full}, label %{grow}, label %{room}, !prof {rarely}")
    e.start_block(grow)
    e.leave_if(e.op("i1", f"call i1 @torchcc.list_grow(ptr {pointer})"))
    e.line(f"br label %{room}")
    e.start_block(room)
    element = _element(e, target, Linear.of(length))
    more = e.op("i64", f"add i64 {length}, 1")
    e.line(f"store i64 {more}, ptr {_at(e, pointer, _LENGTH)}, align 8{e.context.alias_class(_HEADER)}")
    _fill(e, target, element, tuple(slots))


def _insert(e: Emitter, op: Operation) -> None:
    target, index, *slots = op.operands
    at = e.index_text(e.linear(index))
    element = e.op("ptr", f"call ptr @torchcc.list_room(ptr {e.text(target)}, i64 {at})")
    e.leave_if(e.op("i1", f"icmp eq ptr {element}, null"))
    _fill(e, target, element, tuple(slots))


def _extend(e: Emitter, op: Operation) -> None:
    target, source, *numbers = op.operands
    start, count = (e.index_text(e.linear(v)) for v in numbers)
    lists = f"ptr {e.text(target)}, ptr {e.text(source)}"
    e.leave_if(e.op("i1", f"call i1 @torchcc.list_extend({lists}, i64 {start}, i64 {count})"))


def _repeat(e: Emitter, op: Operation) -> None:
    target, count, *slots = op.operands
    pointer, more = e.text(target), e.index_text(e.linear(count))
    first = _length_of(e, pointer)
    last = e.op("i64", f"add i64 {first}, {more}")
    e.leave_if(e.op("i1", f"call i1 @torchcc.list_reserve(ptr {pointer}, i64 {last})"))
    before, head, body, done = e.label, e.new_label("repeat"), e.new_label("element"), e.new_label("repeated")
    position, following = e.define(e.fresh(), "i64"), e.define(e.fresh(), "i64")
    e.line(f"br label %{head}")
    e.start_block(head)
    at_phi = len(e.lines)
    e.line(f"br i1 {e.op('i1', f'icmp slt i64 {position}, {last}')}, label %{body}, label %{done}")
    e.start_block(body)
    with e.scope():
        _fill(e, target, _element(e, target, Linear.of(position)), tuple(slots))
    e.line(f"{following} = add i64 {position}, 1")
    e.lines.insert(at_phi, f"  {position} = phi i64 [ {first}, %{before} ], [ {following}, %{e.label} ]")
    e.line(f"br label %{head}")
    e.start_block(done)
    at = _at(e, pointer, _LENGTH)
    e.line(f"store i64 {last}, ptr {at}, align 8{e.context.alias_class(_HEADER)}")


def _erase(e: Emitter, op: Operation) -> None:
    target, index, count = op.operands
    numbers = f"i64 {e.index_text(e.linear(index))}, i64 {e.index_text(e.linear(count))}"
    e.line(f"call void @torchcc.list_erase(ptr {e.text(target)}, {numbers})")


def new_box(e: Emitter, t: BoxType, sizes: tuple[Linear, ...]) -> tuple[str, Buffer]:
    """A box of these extents, and its elements, which are to be filled in."""
    size = e.volume(sizes).scaled(itemsize(t.tensor.element))
    pointer = e.op("ptr", f"call ptr @torchcc.box_new(i64 {e.index_text(size + Linear.of(data_offset(len(sizes))))})")
    e.leave_if(e.op("i1", f"icmp eq ptr {pointer}, null"))
    for i, extent in enumerate(sizes):
        e.line(f"store i64 {e.index_text(extent)}, ptr {_at(e, pointer, _EXTENTS + 8 * i)}, align 8")
    return pointer, _contents(e, pointer, t, sizes)


def _box(e: Emitter, op: Operation) -> None:
    source = e.buffer(op.operand(0))
    pointer, contents = new_box(e, cast(BoxType, op.result.type), source.sizes)
    copy_buffer(e, source, contents)
    e.set(op.result, pointer)


def _contents(e: Emitter, pointer: str, t: BoxType, sizes: tuple[Linear, ...]) -> Buffer:
    base = _at(e, pointer, data_offset(len(sizes)))
    return Buffer(base, t.tensor.element, sizes, e.row_major(sizes), ZERO, 0, HEAP_ALIGNMENT, True)


def box_contents(e: Emitter, pointer: str, t: BoxType) -> Buffer:
    """The elements of a box that is there."""
    sizes: list[Linear] = []
    for i, extent in enumerate(t.tensor.shape):
        if extent is None:
            extent = e.op("i64", f"load i64, ptr {_at(e, pointer, _EXTENTS + 8 * i)}, align 8")
        sizes.append(Linear.of(extent))
    return _contents(e, pointer, t, tuple(sizes))


def _declare_no_box(e: Emitter) -> None:
    """What a null box is read as: extents of zero, and one element."""
    text = f"@torchcc.no_box = internal constant [{_NO_BOX} x i8] zeroinitializer, align {HEAP_ALIGNMENT}"
    if text not in e.context.globals:
        e.context.globals.append(text)


def _unbox(e: Emitter, op: Operation) -> None:
    pointer = e.text(op.operand(0))
    if None in cast(MemRefType, op.result.type).shape or not cast(MemRefType, op.result.type).shape:
        _declare_no_box(e)
        absent = e.op("i1", f"icmp eq ptr {pointer}, null")
        pointer = e.op("ptr", f"select i1 {absent}, ptr @torchcc.no_box, ptr {pointer}")
    e.set(op.result, box_contents(e, pointer, cast(BoxType, op.operand(0).type)))


def _retain_value(e: Emitter, op: Operation) -> None:
    if not is_immortal(op.operand(0)):
        retain(e, e.text(op.operand(0)), op.operand(0).type)


def _release(e: Emitter, op: Operation) -> None:
    if not is_immortal(op.operand(0)):
        e.line(f"call void @torchcc.release(ptr {e.text(op.operand(0))})")


EMITTERS: Final[dict[str, Emit]] = {
    "rt.list": _new,
    "rt.len": _len,
    "rt.get": _get,
    "rt.set": _set,
    "rt.push": _push,
    "rt.insert": _insert,
    "rt.extend": _extend,
    "rt.repeat": _repeat,
    "rt.erase": _erase,
    "rt.box": _box,
    "rt.unbox": _unbox,
    "rt.retain": _retain_value,
    "rt.release": _release,
}
