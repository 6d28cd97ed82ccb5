"""Interpreter of `rt.str_*`: strings as counted objects whose content is bytes, printing to this process's output.

Constants and strings of one byte are never given back, so they are no objects of the call.
"""

# Tables of one-line lambdas on values of a running program, which are untyped by nature.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final, cast

import numpy as np

from ..core import Operation
from ..dialects import rt_strings
from ..dialects.rt import is_borrowed
from ..types import MemRefType
from .builtins import float_text
from .engine import CONTEXT, Compiler, Context, Frame, Rule, Step, failure
from .memory import MemRef
from .output import write
from .rt import Counted, View, alive, made, release
from .strings import leading_number

_FOREVER: Final = 1 << 62

@cache
def immortal(content: bytes) -> Counted:
    """A string that nobody gives back."""
    value = Counted(content)
    value.count = _FOREVER
    return value


def new(f: Frame, content: bytes) -> Counted:
    """A string; of at most one byte, one that exists already."""
    return immortal(content) if len(content) < 2 else made(f, content)


def _computed(compute: Callable[..., Any]) -> Rule:
    """An operation on contents (bytes) and numbers: `compute(op, *operands)` gives a number, or a tuple of these."""

    def rule(compiler: Compiler, op: Operation) -> Step:
        operands, results = compiler.slots(op.operands), compiler.slots(op.results)

        def run(f: Frame) -> None:
            value = compute(op, *(_content(op, f[o]) for o in operands))
            values = cast("tuple[Any, ...]", value) if isinstance(value, tuple) else (value,)
            for slot, number in zip(results, values, strict=True):
                f[slot] = number

        return run

    return rule


def _built(compute: Callable[..., bytes]) -> Rule:
    """An operation on contents and numbers that makes a string."""

    def rule(compiler: Compiler, op: Operation) -> Step:
        operands, result = compiler.slots(op.operands), compiler.slot(op.result)

        def run(f: Frame) -> None:
            f[result] = new(f, compute(op, *(_content(op, f[o]) for o in operands)))

        return run

    return rule


def _content(op: Operation, value: Any) -> Any:
    return alive(op, value).content if isinstance(value, Counted) else value


def _constant(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)
    value = immortal(cast(str, op.attributes["value"]).encode("latin-1"))

    def run(f: Frame) -> None:
        f[out] = value

    return run


def _byte(op: Operation, data: bytes, index: Any) -> Any:
    if not 0 <= index < len(data):
        raise failure(op, f"byte {int(index)} of a string of {len(data)} bytes")
    return np.int64(data[int(index)])


def _slice(compiler: Compiler, op: Operation) -> Step:
    source, start, stop = compiler.slots(op.operands)
    result = compiler.slot(op.result)
    is_view = is_borrowed(op, 0)

    def run(f: Frame) -> None:
        data = _content(op, f[source])
        if not 0 <= f[start] <= f[stop] <= len(data):
            raise failure(op, f"bytes {int(f[start])} to {int(f[stop])} of a string of {len(data)} bytes")
        part = data[int(f[start]) : int(f[stop])]
        f[result] = View(f[source], part) if is_view else new(f, part)

    return run


def _of_bytes(compiler: Compiler, op: Operation) -> Step:
    source, result = compiler.slot(op.operand(0)), compiler.slot(op.result)

    def run(f: Frame) -> None:
        data = f[source]
        f[result] = new(f, np.asarray(data.array if isinstance(data, MemRef) else data).tobytes())

    return run


def _new(compiler: Compiler, op: Operation) -> Step:
    length, result = compiler.slot(op.operand(0)), compiler.slot(op.result)

    def run(f: Frame) -> None:
        f[result] = made(f, bytes(int(f[length])))

    return run


def _fill(compiler: Compiler, op: Operation) -> Step:
    target, index, byte = compiler.slots(op.operands)

    def run(f: Frame) -> None:
        value = alive(op, f[target])
        at, data = int(f[index]), value.content
        if value.count != 1 or not 0 <= at < len(data):
            raise failure(op, f"byte {at} of a string of {len(data)} bytes with {value.count} references is set")
        value.content = data[:at] + bytes([int(f[byte]) & 255]) + data[at + 1 :]

    return run


def _bytes(compiler: Compiler, op: Operation) -> Step:
    source, result = compiler.slot(op.operand(0)), compiler.slot(op.result)
    as_buffer = isinstance(op.result.type, MemRefType)

    def run(f: Frame) -> None:
        data = np.frombuffer(_content(op, f[source]), np.int8)
        f[result] = MemRef.contiguous(data) if as_buffer else data

    return run


def _append(compiler: Compiler, op: Operation) -> Step:
    (first, second), result = compiler.slots(op.operands), compiler.slot(op.result)

    def run(f: Frame) -> None:
        content = _content(op, f[first]) + _content(op, f[second])
        release(f[first])
        f[result] = new(f, content)

    return run


def _find(op: Operation, data: bytes, part: bytes, start: Any, stop: Any) -> Any:
    return np.int64(data.find(part, int(start), int(stop)) if start <= stop else -1)


def _float(op: Operation, data: bytes) -> tuple[Any, Any]:
    number, used = leading_number(data)
    return np.float64(number), np.int64(used)


def _note(compiler: Compiler, op: Operation) -> Step:
    value = compiler.slot(op.operand(0))

    def run(f: Frame) -> None:
        cast(Context, f[CONTEXT]).notes.append(_content(op, f[value]))

    return run


def _print(compiler: Compiler, op: Operation) -> Step:
    value = compiler.slot(op.operand(0))

    def run(f: Frame) -> None:
        write(_content(op, f[value]))

    return run


RULES: Final[dict[str, Rule]] = {
    "rt.str_constant": _constant,
    "rt.str_of_byte": _built(lambda op, byte: bytes([int(byte) & 255])),
    "rt.str_of_bytes": _of_bytes,
    "rt.str_new": _new,
    "rt.str_fill": _fill,
    "rt.str_bytes": _bytes,
    "rt.str_len": _computed(lambda op, data: np.int64(len(data))),
    "rt.str_byte": _computed(_byte),
    "rt.str_slice": _slice,
    "rt.str_concat": _built(lambda op, a, b: a + b),
    "rt.str_append": _append,
    "rt.str_equal": _computed(lambda op, a, b: np.bool_(a == b)),
    "rt.str_compare": _computed(lambda op, a, b: np.int64((a > b) - (a < b))),
    "rt.str_find": _computed(_find),
    "rt.str_from_i64": _built(lambda op, number: str(int(number)).encode()),
    "rt.str_from_f64": _built(lambda op, number: float_text(float(number), cast(str, op.attributes["kind"])).encode()),
    "rt.str_to_f64": _computed(_float),
    "rt.str_note": _note,
    "rt.print": _print,
}
assert RULES.keys() == {definition.name for definition in rt_strings.OPS}
