"""Interpreter of `rt.record` and its fields, of null and of identity: the content of a record is a list of one tuple."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ..core import Operation
from ..dialects import rt_records
from ..dialects.rt import is_counted
from .engine import Compiler, Frame, Rule, Step, dtype_of
from .rt import Counted, alive, kept_results, made, release, retain


def _record(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)
    slots = rt_records.record_type(op.result).slots
    fields = tuple(None if is_counted(t) else dtype_of(t).type(0) for t in slots)

    def run(f: Frame) -> None:
        f[out] = made(f, [fields])

    return run


def _field(compiler: Compiler, op: Operation) -> Step:
    source, keep = compiler.slot(op.operand(0)), kept_results(compiler, op)
    first, count = rt_records.first_of(op), len(op.results)

    def run(f: Frame) -> None:
        fields = alive(op, f[source]).content[0]
        keep(f, fields[first : first + count])

    return run


def _kept(op: Operation, value: Any) -> Any:
    if isinstance(value, Counted):
        retain(alive(op, value))
    return value


def _set_field(compiler: Compiler, op: Operation) -> Step:
    target, *slots = compiler.slots(op.operands)
    first = rt_records.first_of(op)

    def run(f: Frame) -> None:
        content = alive(op, f[target]).content
        fields = content[0]
        old = fields[first : first + len(slots)]
        content[0] = (*fields[:first], *(_kept(op, f[i]) for i in slots), *fields[first + len(slots) :])
        for value in old:
            release(value)

    return run


def _null(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)

    def run(f: Frame) -> None:
        f[out] = None

    return run


def _same(compiler: Compiler, op: Operation) -> Step:
    out, a, b = compiler.slot(op.result), compiler.slot(op.operand(0)), compiler.slot(op.operand(1))

    def run(f: Frame) -> None:
        f[out] = np.bool_(f[a] is f[b])

    return run


def _address(compiler: Compiler, op: Operation) -> Step:
    out, source = compiler.slot(op.result), compiler.slot(op.operand(0))

    def run(f: Frame) -> None:
        f[out] = np.int64(id(f[source]))

    return run


def _cast(compiler: Compiler, op: Operation) -> Step:
    out, source = compiler.slot(op.result), compiler.slot(op.operand(0))

    def run(f: Frame) -> None:
        f[out] = _kept(op, f[source])

    return run


RULES: Final[dict[str, Rule]] = {
    "rt.record": _record,
    "rt.field": _field,
    "rt.set_field": _set_field,
    "rt.null": _null,
    "rt.same": _same,
    "rt.address": _address,
    "rt.cast": _cast,
}
assert RULES.keys() == {definition.name for definition in rt_records.OPS}
