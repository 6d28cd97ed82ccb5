"""`rt.str_*` and `rt.print`: strings as pointers to objects of the run time (`runtime/strings.ll`).

Lengths and bytes are read in place, constants stand in the program as read-only objects; the rest are calls.
"""

from __future__ import annotations

from typing import Final, cast

from ...ir.core import Operation, Value
from ...ir.dialects import rt, rt_strings
from ...ir.types import I8, MemRefType
from ..runtime.library import inlined_strings
from .buffers import Buffer
from .emitter import Emit, Emitter
from .linear import ZERO, Linear
from .memory import copy_buffer
from .types import quoted

_LENGTH: Final = 16
_BYTES: Final = 32
"""Bytes of a string object in front of its length, and of its first byte."""


def _at(e: Emitter, pointer: str, offset: int | str) -> str:
    return e.pure("ptr", f"getelementptr i8, ptr {pointer}, i64 {offset}")


def is_immortal(value: Value) -> bool:
    """Whether the value is a string that is never given back, so that nobody needs to count references to it."""
    return any(value.defining_op(f"rt.str_{made}") is not None for made in ("constant", "of_byte"))


def _constant(e: Emitter, op: Operation) -> None:
    e.set(op.result, constant_string(e, cast(str, op.attributes["value"]).encode("latin-1")))


def constant_string(e: Emitter, data: bytes) -> str:
    """Symbol of a string object that is never given back."""
    strings, key = e.context.strings, f"object {data!r}"
    if key not in strings:
        strings[key] = f'@"{e.context.prefix}.str.{len(strings)}"'
        kind = f"{{ i64, i64, i64, i64, [{len(data) + 1} x i8] }}"
        fields = f"i64 -1, i64 0, i64 {len(data)}, i64 {len(data)}, [{len(data) + 1} x i8] {quoted(data + bytes(1))}"
        e.context.globals.append(f"{strings[key]} = private unnamed_addr constant {kind} {{ {fields} }}, align 8")
    return strings[key]


def is_view(value: Value) -> bool:
    """Whether the value is part of another string, looked at where that has it: no object, but a buffer of its bytes."""
    op = value.defining_op("rt.str_slice")
    return op is not None and rt.is_borrowed(op, 0)


def parts(e: Emitter, value: Value) -> str:
    """Where the bytes of a string are, and how many: two arguments of a call."""
    if is_view(value):
        view = e.buffer(value)
        return f"ptr {view.base}, i64 {e.index_text(view.sizes[0])}"
    known = rt_strings.constant_bytes(value)
    length = e.index_text(_size(e, value)) if known is None else str(len(known))
    return f"ptr {_at(e, e.text(value), _BYTES)}, i64 {length}"


def prepare(e: Emitter) -> None:
    """Declares what may be inlined."""
    text = inlined_strings()
    if text not in e.context.globals:
        e.context.globals.append(text)


def _first(e: Emitter, value: Value) -> str:
    """Pointer to the first byte."""
    return e.buffer(value).base if is_view(value) else _at(e, e.text(value), _BYTES)


def _size(e: Emitter, value: Value) -> Linear:
    if is_view(value):
        return e.buffer(value).sizes[0]
    return Linear.of(e.op("i64", f"load i64, ptr {_at(e, e.text(value), _LENGTH)}, align 8"))


def _of_byte(e: Emitter, op: Operation) -> None:
    e.set(op.result, e.op("ptr", f"call ptr @torchcc.str_of_byte(i64 {e.text(op.operand(0))})"))


def _of_bytes(e: Emitter, op: Operation) -> None:
    source = e.buffer(op.operand(0))
    length = e.index_text(source.sizes[0])
    value = e.op("ptr", f"call ptr @torchcc.str_new(i64 {length}, i64 {length})")
    e.leave_if(e.op("i1", f"icmp eq ptr {value}, null"))
    target = Buffer(_at(e, value, _BYTES), source.element, source.sizes, (Linear.of(1),), ZERO, 0, 16, True)
    copy_buffer(e, source, target)
    e.set(op.result, value)


def _new(e: Emitter, op: Operation) -> None:
    length = e.index_text(e.linear(op.operand(0)))
    value = e.op("ptr", f"call ptr @torchcc.str_new(i64 {length}, i64 {length})")
    e.leave_if(e.op("i1", f"icmp eq ptr {value}, null"))
    e.set(op.result, value)


def _fill(e: Emitter, op: Operation) -> None:
    target, index, byte = op.operands
    place = e.op("ptr", f"getelementptr i8, ptr {_first(e, target)}, i64 {e.index_text(e.linear(index))}")
    e.line(f"store i8 {e.op('i8', f'trunc i64 {e.text(byte)} to i8')}, ptr {place}, align 1")


def _bytes(e: Emitter, op: Operation) -> None:
    source = op.operand(0)
    element = cast(MemRefType, op.result.type).element
    e.set(op.result, Buffer(_first(e, source), element, (_size(e, source),), (Linear.of(1),), ZERO, 0, 0, True))


def _length(e: Emitter, op: Operation) -> None:
    e.set(op.result, e.index_text(_size(e, op.operand(0))))


def _byte(e: Emitter, op: Operation) -> None:
    source, index = op.operands
    place = e.op("ptr", f"getelementptr i8, ptr {_first(e, source)}, i64 {e.index_text(e.linear(index))}")
    e.set(op.result, e.op("i64", f"zext i8 {e.op('i8', f'load i8, ptr {place}, align 1')} to i64"))


def _slice(e: Emitter, op: Operation) -> None:
    source, start, stop = op.operands
    first = e.op("ptr", f"getelementptr i8, ptr {_first(e, source)}, i64 {e.index_text(e.linear(start))}")
    size = e.index_text(e.linear(stop) - e.linear(start))
    if rt.is_borrowed(op, 0):
        e.set(op.result, Buffer(first, I8, (Linear.of(size),), (Linear.of(1),), ZERO, 0, 0, True))
        return
    value = e.op("ptr", f"call ptr @torchcc.str_slice(ptr {e.text(source)}, ptr {first}, i64 {size})")
    e.leave_if(e.op("i1", f"icmp eq ptr {value}, null"))
    e.set(op.result, value)


def _equal(e: Emitter, op: Operation) -> None:
    prepare(e)
    first, second = op.operands
    e.set(op.result, e.op("i1", f"call i1 @torchcc.str_equal({parts(e, first)}, {parts(e, second)})"))


def _compare(e: Emitter, op: Operation) -> None:
    first, second = op.operands
    e.set(op.result, e.op("i64", f"call i64 @torchcc.str_compare({parts(e, first)}, {parts(e, second)})"))


def _find(e: Emitter, op: Operation) -> None:
    source, part, *span = op.operands
    start, stop = (e.index_text(e.linear(v)) for v in span)
    operands = f"ptr {_first(e, source)}, {parts(e, part)}, i64 {start}, i64 {stop}"
    e.set(op.result, e.op("i64", f"call i64 @torchcc.str_find({operands})"))


def _made(function: str) -> Emit:
    """A call that makes a string of strings, numbers and indices; null where there is no memory."""

    def emit(e: Emitter, op: Operation) -> None:
        value = e.op("ptr", f"call ptr @torchcc.{function}({_arguments(e, op)})")
        e.leave_if(e.op("i1", f"icmp eq ptr {value}, null"))
        e.set(op.result, value)

    return emit


def _done(function: str) -> Emit:
    def emit(e: Emitter, op: Operation) -> None:
        e.line(f"call void @torchcc.{function}({_arguments(e, op)})")

    return emit


def _append(e: Emitter, op: Operation) -> None:
    """What is part of another string is copied from there; a byte is put behind a string in place, where nobody else
    sees that and there is room."""
    if is_view(op.operand(1)):
        operands = f"ptr {e.text(op.operand(0))}, {parts(e, op.operand(1))}"
        value = e.op("ptr", f"call ptr @torchcc.str_append_bytes({operands})")
        e.leave_if(e.op("i1", f"icmp eq ptr {value}, null"))
        e.set(op.result, value)
        return
    byte = op.operand(1).defining_op("rt.str_of_byte")
    if byte is None:
        _made("str_append")(e, op)
        return
    first, value = e.text(op.operand(0)), e.text(byte.operand(0))
    count = e.op("i64", f"load i64, ptr {first}, align 8")
    length_at = e.op("ptr", f"getelementptr i8, ptr {first}, i64 {_LENGTH}")
    length = e.op("i64", f"load i64, ptr {length_at}, align 8")
    room = e.op("ptr", f"getelementptr i8, ptr {first}, i64 {_LENGTH + 8}")
    fits = e.op("i1", f"icmp ult i64 {length}, {e.op('i64', f'load i64, ptr {room}, align 8')}")
    ready = e.op("i1", f"and i1 {fits}, {e.op('i1', f'icmp eq i64 {count}, 1')}")
    here, grow, done = e.new_label("here"), e.new_label("grow"), e.new_label("appended")
    e.line(f"br i1 {ready}, label %{here}, label %{grow}, !prof {e.likely()}")
    e.start_block(here)
    bytes_at = e.op("ptr", f"getelementptr i8, ptr {first}, i64 {_BYTES}")
    place = e.op("ptr", f"getelementptr i8, ptr {bytes_at}, i64 {length}")
    e.line(f"store i8 {e.op('i8', f'trunc i64 {value} to i8')}, ptr {place}, align 1")
    e.line(f"store i64 {e.op('i64', f'add i64 {length}, 1')}, ptr {length_at}, align 8")
    e.line(f"br label %{done}")
    e.start_block(grow)
    second = e.op("ptr", f"call ptr @torchcc.str_of_byte(i64 {value})")
    grown = e.op("ptr", f"call ptr @torchcc.str_append(ptr {first}, ptr {second})")
    e.leave_if(e.op("i1", f"icmp eq ptr {grown}, null"))
    grown_in = e.label
    e.line(f"br label %{done}")
    e.start_block(done)
    e.set(op.result, e.op("ptr", f"phi ptr [ {first}, %{here} ], [ {grown}, %{grown_in} ]"))


def _arguments(e: Emitter, op: Operation) -> str:
    return ", ".join(f"{e.component_types(v.type)[0]} {e.text(v)}" for v in op.operands)


def _from_float(e: Emitter, op: Operation) -> None:
    kind = cast(str, op.attributes["kind"])
    form = "null" if kind == "g" else e.context.string("%.*e" if kind == "r" else f"%{kind}")
    function = "str_shortest" if kind == "r" else "str_from_f64"
    value = e.op("ptr", f"call ptr @torchcc.{function}(double {e.text(op.operand(0))}, ptr {form})")
    e.leave_if(e.op("i1", f"icmp eq ptr {value}, null"))
    e.set(op.result, value)


def _to_float(e: Emitter, op: Operation) -> None:
    place = e.fresh("used")
    e.entry_lines.append(f"  {place} = alloca i64, align 8")
    value = e.op("double", f"call double @torchcc.str_to_f64(ptr {e.text(op.operand(0))}, ptr {place})")
    e.set(op.results[0], value)
    e.set(op.results[1], e.op("i64", f"load i64, ptr {place}, align 8"))


EMITTERS: Final[dict[str, Emit]] = {
    "rt.str_constant": _constant,
    "rt.str_of_byte": _of_byte,
    "rt.str_of_bytes": _of_bytes,
    "rt.str_new": _new,
    "rt.str_fill": _fill,
    "rt.str_bytes": _bytes,
    "rt.str_len": _length,
    "rt.str_byte": _byte,
    "rt.str_slice": _slice,
    "rt.str_concat": _made("str_concat"),
    "rt.str_append": _append,
    "rt.str_equal": _equal,
    "rt.str_compare": _compare,
    "rt.str_find": _find,
    "rt.str_from_i64": _made("str_from_i64"),
    "rt.str_from_f64": _from_float,
    "rt.str_to_f64": _to_float,
    "rt.str_note": _done("note_str"),
    "rt.print": _done("print"),
}
