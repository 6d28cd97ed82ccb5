"""`rt.str_*`: strings whose bytes are known at run time, as reference-counted objects; and what a program prints.

In: values of type `!rt.str`, numbers and indices. A string never changes, so most operations are pure; those that may
run out of memory, or read a byte by its index, are not. Positions count bytes and are in range: whoever writes an
operation checks them first. Constants and strings of one byte exist once and are never given back.

`rt.str_append` is `rt.str_concat` that takes the reference to its first operand; `count_references` writes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, cast

from ..builder import Builder
from ..core import Operation, Value
from ..definition import OpDefinition, Trait
from ..types import F64, I1, I8, I64, INDEX, STRING, MemRefType, RankedTensorType, Type

_KIND: Final = re.compile(r"g|r|[feE]|\.[0-9]+[feg]")
"""How the text of a float is made: `g` as `str` shows it; `r` by `%.ne` with the fewest digits that say which number it is; else
as C's `printf` does it."""

Verify = Callable[[Operation], "str | None"]

BYTES: Final = RankedTensorType((None,), I8)
"""Bytes of a string as a tensor."""


def encoded(text: str) -> str:
    """A Python string as the attribute of a constant: one character for each of its bytes."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def constant(b: Builder, data: str) -> Value:
    """The string of these bytes, each as a character."""
    return b.create("rt.str_constant", (), (STRING,), {"value": data}).result


def constant_bytes(value: Value) -> bytes | None:
    """The bytes, where `value` is a constant."""
    op = value.defining_op("rt.str_constant")
    return None if op is None else cast(str, op.attributes["value"]).encode("latin-1")


def of_byte(b: Builder, byte: Value) -> Value:
    """The string of one byte: the lowest eight bits of an i64."""
    return b.create("rt.str_of_byte", (byte,), (STRING,)).result


def of_bytes(b: Builder, source: Value) -> Value:
    """The string whose bytes a vector of i8 holds: one copy."""
    return b.create("rt.str_of_bytes", (source,), (STRING,)).result


def new(b: Builder, length: Value) -> Value:
    """A string of that many bytes, which `fill` says before anything else is done with it."""
    return b.create("rt.str_new", (length,), (STRING,)).result


def fill(b: Builder, target: Value, index: Value, byte: Value) -> Operation:
    """Sets a byte of a new string: to the lowest eight bits of an i64."""
    return b.create("rt.str_fill", (target, index, byte))


def bytes_(b: Builder, source: Value, type: Type = BYTES) -> Value:
    """The bytes as a tensor; as a buffer, one that is only read, for as long as the string lives."""
    return b.create("rt.str_bytes", (source,), (type,)).result


def length(b: Builder, source: Value) -> Value:
    """Number of bytes, an index."""
    return b.create("rt.str_len", (source,), (INDEX,)).result


def byte(b: Builder, source: Value, index: Value) -> Value:
    """A byte as an i64 from 0 to 255."""
    return b.create("rt.str_byte", (source, index), (I64,)).result


def slice_(b: Builder, source: Value, start: Value, stop: Value) -> Value:
    """The bytes from `start` up to `stop`."""
    return b.create("rt.str_slice", (source, start, stop), (STRING,)).result


def concat(b: Builder, first: Value, second: Value) -> Value:
    return b.create("rt.str_concat", (first, second), (STRING,)).result


def append(b: Builder, first: Value, second: Value) -> Value:
    """Both, one behind the other, where nobody else needs `first`: in its memory, if that has room."""
    return b.create("rt.str_append", (first, second), (STRING,)).result


def equal(b: Builder, first: Value, second: Value) -> Value:
    return b.create("rt.str_equal", (first, second), (I1,)).result


def compare(b: Builder, first: Value, second: Value) -> Value:
    """Byte by byte: an i64 that is negative, zero or positive."""
    return b.create("rt.str_compare", (first, second), (I64,)).result


def find(b: Builder, source: Value, part: Value, start: Value, stop: Value) -> Value:
    """Where `part` first stands between `start` and `stop`, an i64; -1 where it does not."""
    return b.create("rt.str_find", (source, part, start, stop), (I64,)).result


def from_number(b: Builder, number: Value, kind: str = "g") -> Value:
    """The text of an i64 or f64; `kind`: see `_KIND`."""
    if number.type == I64:
        return b.create("rt.str_from_i64", (number,), (STRING,)).result
    return b.create("rt.str_from_f64", (number,), (STRING,), {"kind": kind}).result


def to_f64(b: Builder, source: Value) -> tuple[Value, Value]:
    """The number that the string begins with, as C's `strtod` reads it, and an i64: how many bytes that are;
    -1 where it is too large or too small."""
    op = b.create("rt.str_to_f64", (source,), (F64, I64))
    return op.results[0], op.results[1]


def note(b: Builder, value: Value) -> Operation:
    """Leaves a string for the next `{}` hole in the text of the assertion that fails next."""
    return b.create("rt.str_note", (value,))


def print_(b: Builder, value: Value) -> Operation:
    """Writes the string to the program's output."""
    return b.create("rt.print", (value,))


def _types(*operands: Type) -> Verify:
    def check(op: Operation) -> str | None:
        found = tuple(v.type for v in op.operands)
        if found == operands:
            return None
        return f"takes {', '.join(map(str, operands))}, not {', '.join(map(str, found))}"

    return check


def _is_bytes(t: Type) -> bool:
    return isinstance(t, RankedTensorType | MemRefType) and len(t.shape) == 1 and t.element == I8


def _of_bytes(op: Operation) -> str | None:
    return None if _is_bytes(op.operand(0).type) else f"{op.operand(0).type} is no vector of bytes"


def _bytes(op: Operation) -> str | None:
    t = op.result.type
    if not _is_bytes(t) or cast(RankedTensorType | MemRefType, t).shape != (None,):
        return f"{t} is no vector of bytes"
    if isinstance(t, MemRefType) and t.layout is not None:
        return "the bytes of a string have no layout"
    return _types(STRING)(op)


def _constant(op: Operation) -> str | None:
    value = op.attributes.get("value")
    return None if isinstance(value, str) and all(ord(c) < 256 for c in value) else "`value` is no text of bytes"


def _float_text(op: Operation) -> str | None:
    kind = op.attributes.get("kind")
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        return "`kind` is no way to show a float"
    return _types(F64)(op)


def _op(
    name: str, operands: tuple[str, ...], verify: Verify, results: int = 1, *, pure: bool = False
) -> OpDefinition:
    shown = " , ".join(f"${o}" for o in operands)
    return OpDefinition(
        f"rt.{name}",
        operands,
        results,
        assembly=f"( {shown} ) attr-dict : functional-type" if operands else "attr-dict : type(results)",
        traits=frozenset({Trait.PURE}) if pure else frozenset(),
        verify=verify,
    )


OPS: tuple[OpDefinition, ...] = (
    _op("str_constant", (), _constant, pure=True),
    _op("str_of_byte", ("byte",), _types(I64), pure=True),
    _op("str_of_bytes", ("source",), _of_bytes),
    _op("str_new", ("length",), _types(INDEX)),
    _op("str_fill", ("string", "index", "byte"), _types(STRING, INDEX, I64), 0),
    _op("str_bytes", ("source",), _bytes, pure=True),
    _op("str_len", ("source",), _types(STRING), pure=True),
    _op("str_byte", ("source", "index"), _types(STRING, INDEX)),
    _op("str_slice", ("source", "start", "stop"), _types(STRING, INDEX, INDEX)),
    _op("str_concat", ("first", "second"), _types(STRING, STRING)),
    _op("str_append", ("first", "second"), _types(STRING, STRING)),
    _op("str_equal", ("first", "second"), _types(STRING, STRING), pure=True),
    _op("str_compare", ("first", "second"), _types(STRING, STRING), pure=True),
    _op("str_find", ("source", "part", "start", "stop"), _types(STRING, STRING, INDEX, INDEX), pure=True),
    _op("str_from_i64", ("number",), _types(I64)),
    _op("str_from_f64", ("number",), _float_text),
    _op("str_to_f64", ("source",), _types(STRING), 2, pure=True),
    _op("str_note", ("value",), _types(STRING), 0),
    _op("print", ("value",), _types(STRING), 0),
)
