"""Interpreter of `rt.dict...`: the content of a dict is a `Table`."""

from __future__ import annotations

import cmath
from typing import Any, Final, cast

import numpy as np

from ..core import Operation
from ..dialects import rt_dicts
from .engine import Compiler, Frame, Rule, Step, failure
from .rt import Counted, Entry, Table, View, alive, kept_results, made, release, retain


def _is_nan(key: Any) -> bool:
    return isinstance(key, float | complex) and cmath.isnan(key)


def _plain(key: Any) -> Any:
    """What stands for a key in a Python dict: equal, and only then, if the keys are."""
    if isinstance(key, Counted):
        return key.content
    if _is_nan(key):
        return object()
    return cast(Any, key).item() if isinstance(key, np.generic) else key


def _entry(op: Operation, table: Table, position: Any) -> tuple[int, Entry]:
    at = int(position)
    found = table.entries[at] if 0 <= at < len(table.entries) else None
    if found is None:
        raise failure(op, f"there is no entry at position {at}")
    return at, found


def _kept(op: Operation, value: Any) -> Any:
    if isinstance(value, Counted):
        retain(alive(op, value))
    return value


def _dict(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)

    def run(f: Frame) -> None:
        f[out] = made(f, Table())

    return run


def _len(compiler: Compiler, op: Operation) -> Step:
    out, source = compiler.slot(op.result), compiler.slot(op.operand(0))

    def run(f: Frame) -> None:
        f[out] = np.int64(len(alive(op, f[source]).content.positions))

    return run


def _find(compiler: Compiler, op: Operation) -> Step:
    out, source, key = compiler.slot(op.result), compiler.slot(op.operand(0)), compiler.slot(op.operand(1))

    def run(f: Frame) -> None:
        table: Table = alive(op, f[source]).content
        f[out] = np.int64(table.positions.get(_plain(f[key]), -1))

    return run


def _next(compiler: Compiler, op: Operation) -> Step:
    out, source, position = compiler.slot(op.result), compiler.slot(op.operand(0)), compiler.slot(op.operand(1))

    def run(f: Frame) -> None:
        entries = alive(op, f[source]).content.entries
        at = int(f[position])
        while at < len(entries) and entries[at] is None:
            at += 1
        if not 0 <= at < len(entries):
            raise failure(op, f"there is no entry from position {int(f[position])} on")
        f[out] = np.int64(at)

    return run


def _key(compiler: Compiler, op: Operation) -> Step:
    source, position = compiler.slots(op.operands)
    keep = kept_results(compiler, op)

    def run(f: Frame) -> None:
        _, (key, _) = _entry(op, alive(op, f[source]).content, f[position])
        keep(f, (key,))

    return run


def _get(compiler: Compiler, op: Operation) -> Step:
    source, position = compiler.slots(op.operands)
    keep = kept_results(compiler, op)

    def run(f: Frame) -> None:
        _, (_, slots) = _entry(op, alive(op, f[source]).content, f[position])
        keep(f, slots)

    return run


def _put(compiler: Compiler, op: Operation) -> Step:
    target, key, *slots = compiler.slots(op.operands)

    def run(f: Frame) -> None:
        _place(f, op, alive(op, f[target]).content, f[key], tuple(_kept(op, f[i]) for i in slots))

    return run


def _put_at(compiler: Compiler, op: Operation) -> Step:
    target, position, key, *slots = compiler.slots(op.operands)

    def run(f: Frame) -> None:
        table: Table = alive(op, f[target]).content
        found = table.positions.get(_plain(f[key]), -1)
        if found != f[position]:
            raise failure(op, f"the key is not at {int(f[position])}, but at {found}")
        _place(f, op, table, f[key], tuple(_kept(op, f[i]) for i in slots))

    return run


def _place(f: Frame, op: Operation, table: Table, key: Any, new: tuple[Any, ...]) -> None:
    plain = _plain(key)
    at = table.positions.get(plain)
    if at is None:
        table.positions[plain] = len(table.entries)
        table.entries.append((made(f, key.content) if isinstance(key, View) else _kept(op, key), new))
        return
    old_key, old = _entry(op, table, at)[1]
    table.entries[at] = (old_key, new)
    for value in old:
        release(value)


def _erase(compiler: Compiler, op: Operation) -> Step:
    target, position = compiler.slots(op.operands)

    def run(f: Frame) -> None:
        table: Table = alive(op, f[target]).content
        at, (key, old) = _entry(op, table, f[position])
        table.entries[at] = None
        if _is_nan(key):
            table.positions = {k: v for k, v in table.positions.items() if v != at}
        else:
            del table.positions[_plain(key)]
        for value in (key, *old):
            release(value)

    return run


def _clear(compiler: Compiler, op: Operation) -> Step:
    target = compiler.slot(op.operand(0))

    def run(f: Frame) -> None:
        counted = alive(op, f[target])
        old: Table = counted.content
        counted.content = Table()
        for value in old.held():
            release(value)

    return run


RULES: Final[dict[str, Rule]] = {
    "rt.dict": _dict,
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
assert RULES.keys() == {definition.name for definition in rt_dicts.OPS}
