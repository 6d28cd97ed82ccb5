"""Strings known at run time, and printing, at the `linalg` stage: each primitive node becomes a few `rt.str_*` operations.

A string known at compile time is a Python string until an operation needs it. A string of one byte that is only compared,
or asked for its number, is never made: `s[i] == t[j]` compares two bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from ...ir.builder import Builder
from ...ir.core import Operation, Value
from ...ir.diagnostics import CompileError, InternalError
from ...ir.dialects import arith, rt, rt_strings, scf
from ...ir.dialects.aten.lowering import Condition, Extent, LoweringContext
from ...ir.dialects.aten.slicing import sequence_bounds
from ...ir.dtypes import DType
from ...ir.interpreters.builtins import OWN_FORMAT, to_text
from ...ir.string_operators import BYTES_OF, OF_BYTES, is_primitive
from ...ir.types import F32, F64, I1, I64, STRING

Lowered = Any
"""What a value of the `torch` stage became: a Value, a Python constant, a sequence of these."""


def is_string_node(op: Operation) -> bool:
    """Whether the node of the `torch` stage is a primitive on strings."""
    return is_primitive(op.name)


def lower(cx: LoweringContext, op: Operation, arguments: Sequence[Lowered]) -> list[Lowered]:
    """What the results of the node become."""
    method = _METHODS[op.name]
    result = method(cx, *arguments)
    return [result] if op.results else []


def string(b: Builder, lowered: Lowered) -> Value:
    """A string, or one known at compile time, as a value."""
    return rt_strings.constant(b, rt_strings.encoded(lowered)) if isinstance(lowered, str) else lowered


def length(cx: LoweringContext, source: Lowered) -> Extent:
    """How many bytes it has."""
    if isinstance(source, str):
        return len(rt_strings.encoded(source))
    if source.defining_op("rt.str_of_byte") is not None:
        return 1
    return rt_strings.length(cx.b, source)


def _byte(cx: LoweringContext, source: Lowered) -> Value | None:
    """The only byte of a string that is known to have one, as an i64."""
    if isinstance(source, str):
        data = rt_strings.encoded(source)
        return cx.i64(ord(data)) if len(data) == 1 else None
    op = source.defining_op("rt.str_of_byte")
    return None if op is None else op.operand(0)


def equal(cx: LoweringContext, a: Lowered, b: Lowered) -> Value:
    """Whether two strings are equal, as an i1."""
    x, y = _byte(cx, a), _byte(cx, b)
    if x is not None and y is not None:
        return arith.cmpi(cx.b, "eq", x, y)
    for one, other in ((a, b), (b, a)):
        if isinstance(one, str) and len(one) == 0:
            return _truth(cx, cx.compare("eq", length(cx, other), 0))
        if isinstance(one, str) and _byte(cx, other) is not None:
            return arith.constant(cx.b, False, I1)  # of another length than one byte
    return rt_strings.equal(cx.b, string(cx.b, a), string(cx.b, b))


def _truth(cx: LoweringContext, condition: Condition) -> Value:
    return condition if isinstance(condition, Value) else arith.constant(cx.b, condition, I1)


def _differs(cx: LoweringContext, a: Lowered, b: Lowered) -> Value:
    return arith.xori(cx.b, equal(cx, a, b), arith.constant(cx.b, True, I1))


def _ordered(predicate: str) -> Callable[..., Value]:
    def compare(cx: LoweringContext, a: Lowered, b: Lowered) -> Value:
        x, y = _byte(cx, a), _byte(cx, b)
        if x is not None and y is not None:
            return arith.cmpi(cx.b, predicate, x, y)
        order = rt_strings.compare(cx.b, string(cx.b, a), string(cx.b, b))
        return arith.cmpi(cx.b, predicate, order, cx.i64(0))

    return compare


def _length(cx: LoweringContext, source: Lowered) -> Value:
    return cx.i64(length(cx, source))


def _get(cx: LoweringContext, source: Lowered, index: Extent) -> Value:
    n = length(cx, source)
    at = cx.wrap_index(index, n)
    if not (isinstance(at, int) and at >= 0):
        # PyTorch shows the position as an unsigned number: 2**64 - 3 for -3
        shown = cx.add(at, (1 << 64) - 18446744070000000000)
        text = "basic_string::at: __n (which is 1844674407{}) >= this->size() (which is {})"
        cx.check(cx.compare("ge", at, 0), text, [shown, n])
    cx.check(cx.compare("lt", at, n), "basic_string::at: __n (which is {}) >= this->size() (which is {})", [at, n])
    return rt_strings.of_byte(cx.b, rt_strings.byte(cx.b, string(cx.b, source), cx.index(at)))


def _slice(
    cx: LoweringContext, source: Lowered, start: Extent | None = None, end: Extent | None = None, step: Extent = 1
) -> Value:
    if not isinstance(step, int):
        raise CompileError.at(cx.span, "the step of this slice is only known at run time")
    if step == 0:
        raise CompileError.at(cx.span, "slice step cannot be zero")
    n = length(cx, source)
    first, last = sequence_bounds(cx, n, start, end, step)
    whole = string(cx.b, source)
    if step == 1:
        return rt_strings.slice_(cx.b, whole, cx.index(first), cx.index(cx.max(first, last)))
    distance = cx.sub(last, first) if step > 0 else cx.sub(first, last)

    def one(inner: Builder, args: Sequence[Value]) -> Sequence[Value]:
        at = cx.index(cx.add(first, cx.mul(args[0], step)))
        return [rt_strings.concat(inner, args[1], rt_strings.of_byte(inner, rt_strings.byte(inner, whole, at)))]

    count = cx.ceildiv(cx.max(distance, 0), abs(step))
    return scf.for_(cx.b, cx.index(0), cx.index(count), cx.index(1), [string(cx.b, "")], one).results[0]


def _add(cx: LoweringContext, a: Lowered, b: Lowered) -> Lowered:
    if isinstance(a, str) and isinstance(b, str):
        return a + b
    for one, other in ((a, b), (b, a)):
        if one == "":
            return other
    return rt_strings.concat(cx.b, string(cx.b, a), string(cx.b, b))


def _join(cx: LoweringContext, separator: Lowered, values: Lowered) -> Lowered:
    """The strings of a list one behind the other, the separator between them."""
    if not isinstance(values, Value):
        result: Lowered = ""
        for i, value in enumerate(cast("Sequence[Lowered]", values)):
            result = _add(cx, _add(cx, result, separator if i else ""), value)
        return result
    b, one = cx.b, cx.index(1)
    n = rt.length(b, values)

    def item(inner: Builder, at: Value) -> Value:
        return rt.get(inner, values, at)[0]

    def more(inner: Builder, args: Sequence[Value]) -> Sequence[Value]:
        result = args[1] if separator == "" else rt_strings.concat(inner, args[1], string(inner, separator))
        return [rt_strings.concat(inner, result, item(inner, args[0]))]

    zero = cx.index(0)
    some = _truth(cx, cx.compare("gt", n, 0))
    first = scf.if_(b, some, [STRING], lambda inner, _: [item(inner, zero)], lambda inner, _: [string(inner, "")])
    return scf.for_(b, one, n, one, [first.results[0]], more).results[0]


def text(cx: LoweringContext, value: Lowered) -> Lowered:
    """A number or string as `str` shows it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return to_text(value)  # became known after the program was specialised
    if not isinstance(value, Value):
        raise InternalError(f"{value!r} is formatted, but known")
    if value.type == STRING:
        return value
    if value.type in (I64, F64):
        return rt_strings.from_number(cx.b, value)
    if value.type == I1:

        def word(shown: str) -> scf.Body:
            return lambda inner, _: [string(inner, shown)]

        return scf.if_(cx.b, value, [STRING], word("True"), word("False")).results[0]
    raise InternalError(f"a value of type {value.type} is formatted")


def _format(cx: LoweringContext, template: Lowered, *values: Lowered) -> Lowered:
    literals = cast(str, template).split("{}")
    result: Lowered = literals[0]
    for literal, value in zip(literals[1:], values, strict=True):
        result = _add(cx, _add(cx, result, text(cx, value)), literal)
    return result


def _percent(cx: LoweringContext, template: Lowered, number: Lowered) -> Value:
    """A float by one specifier, `%f`: through C's `float`, as PyTorch does it."""
    if cast(str, template).startswith(OWN_FORMAT):
        return rt_strings.from_number(cx.b, number, cast(str, template).removeprefix(OWN_FORMAT))
    rounded = arith.extf(cx.b, arith.truncf(cx.b, number, F32), F64)
    return rt_strings.from_number(cx.b, rounded, cast(str, template)[1].replace("F", "f"))


def _character(cx: LoweringContext, number: Value) -> Value:
    valid = cx.all_of(cx.compare("ge", number, 0), cx.compare("lt", number, 0x110000))
    cx.check(valid, "chr() arg not in range(0x110000), found {}", [number])
    return rt_strings.of_byte(cx.b, arith.andi(cx.b, number, cx.i64(255)))


def _ord(cx: LoweringContext, source: Lowered) -> Value:
    byte = _byte(cx, source)
    if byte is not None:
        return byte
    n = length(cx, source)
    cx.check(cx.compare("eq", n, 1), "String for ord() must be 1 character, found {}", [n])
    return rt_strings.byte(cx.b, string(cx.b, source), cx.index(0))


def _find(cx: LoweringContext, source: Lowered, part: Lowered, start: Extent, stop: Extent) -> Value:
    """`start` and `stop` are in range: the prelude sees to that."""
    b = cx.b
    return rt_strings.find(b, string(b, source), string(b, part), cx.index(start), cx.index(stop))


def _to_float(cx: LoweringContext, source: Lowered) -> Value:
    number, used = rt_strings.to_f64(cx.b, string(cx.b, source))
    cx.check(cx.compare("gt", used, 0), "stod")
    fits = cx.compare("eq", used, length(cx, source))
    cx.check(fits, "could not convert string to float: '{}'", [source])
    return number


def _of_bytes(cx: LoweringContext, data: Value) -> Value:
    return rt_strings.of_bytes(cx.b, data)


def _bytes(cx: LoweringContext, source: Lowered) -> Value:
    return cx.set_dtype(rt_strings.bytes_(cx.b, string(cx.b, source)), DType.uint8)


def _print(cx: LoweringContext, line: Lowered) -> None:
    for part in (line, "\n"):
        rt_strings.print_(cx.b, string(cx.b, part))


_METHODS: Final[dict[str, Callable[..., Any]]] = {
    "aten::len.str": _length,
    "aten::__getitem__.str": _get,
    "prim::StringIndex": _get,
    "aten::slice.str": _slice,
    "aten::add.str": _add,
    "aten::eq.str": equal,
    "aten::ne.str": _differs,
    "aten::lt.str": _ordered("slt"),
    "aten::le.str": _ordered("sle"),
    "aten::gt.str": _ordered("sgt"),
    "aten::ge.str": _ordered("sge"),
    "aten::ord": _ord,
    "aten::chr": _character,
    "aten::join": _join,
    "aten::format": _format,
    "aten::percentFormat": _percent,
    "aten::find": _find,
    "aten::Float.str": _to_float,
    "prim::Print": _print,
    OF_BYTES: _of_bytes,
    BYTES_OF: _bytes,
}
