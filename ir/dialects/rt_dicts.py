"""`rt.dict...`: dicts whose keys are known at run time, as reference-counted objects.

A dict is a reference, as a list is (`rt.py`), and no operation on it is pure. Its entries stand in the order in which
their keys were put in. An entry has a position, which holds until the dict is changed; positions of neighbours may lie
apart, where one between them was removed: `next` finds them. A key is one value: i64, f64 (0.0 and -0.0 are one key,
nan is never found), complex<f64> (by its parts, as f64), i1 or a string (by its bytes).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, cast

from ..builder import Builder
from ..core import Operation, Value
from ..definition import OpDefinition
from ..types import INDEX, RunTimeDictType, Type
from .rt import is_legal_dict

Verify = Callable[[Operation], "str | None"]


def dict_type(value: Value) -> RunTimeDictType:
    return cast(RunTimeDictType, value.type)


def new(b: Builder, type: RunTimeDictType) -> Value:
    """An empty dict."""
    return b.create("rt.dict", (), (type,)).result


def length(b: Builder, source: Value) -> Value:
    """Number of entries, an index."""
    return b.create("rt.dict_len", (source,), (INDEX,)).result


def find(b: Builder, source: Value, key: Value) -> Value:
    """Position of the entry of a key; -1 where there is none."""
    return b.create("rt.dict_find", (source, key), (INDEX,)).result


def next_(b: Builder, source: Value, position: Value) -> Value:
    """The first position of an entry that is not before this one; there is one."""
    return b.create("rt.dict_next", (source, position), (INDEX,)).result


def key(b: Builder, source: Value, position: Value) -> Value:
    """The key of an entry."""
    return b.create("rt.dict_key", (source, position), (dict_type(source).key,)).result


def get(b: Builder, source: Value, position: Value) -> list[Value]:
    """The slots of the value of an entry."""
    return list(b.create("rt.dict_get", (source, position), dict_type(source).slots).results)


def put(b: Builder, target: Value, key: Value, slots: Sequence[Value]) -> Operation:
    """Another value for a key, or a new last entry."""
    return b.create("rt.dict_put", (target, key, *slots))


def put_at(b: Builder, target: Value, position: Value, key: Value, slots: Sequence[Value]) -> Operation:
    """The same where `find` has given `position` for the key and the dict is as it was."""
    return b.create("rt.dict_put_at", (target, position, key, *slots))


def erase(b: Builder, target: Value, position: Value) -> Operation:
    """Removes an entry."""
    return b.create("rt.dict_erase", (target, position))


def clear(b: Builder, target: Value) -> Operation:
    """Removes all entries."""
    return b.create("rt.dict_clear", (target,))


def _is_dict(op: Operation) -> str | None:
    t = op.operand(0).type
    return None if isinstance(t, RunTimeDictType) else f"{t} is no dict"


def _new(op: Operation) -> str | None:
    t = op.result.type
    return None if isinstance(t, RunTimeDictType) and is_legal_dict(t) else f"{t} is no dict"


def _at_position(results: Callable[[RunTimeDictType], tuple[Type, ...]]) -> Verify:
    def check(op: Operation) -> str | None:
        wrong = _is_dict(op)
        if wrong is None and op.operand(1).type != INDEX:
            return "the position is no index"
        if wrong is None and tuple(r.type for r in op.results) != results(dict_type(op.operand(0))):
            return f"{op.operand(0).type} gives {', '.join(str(r.type) for r in op.results)}"
        return wrong

    return check


def _with_key(op: Operation) -> str | None:
    wrong = _is_dict(op)
    if wrong is None and op.operand(1).type != dict_type(op.operand(0)).key:
        return f"{op.operand(1).type} is no key of {op.operand(0).type}"
    return wrong


def _put(op: Operation) -> str | None:
    wrong = _with_key(op)
    found = tuple(v.type for v in op.operands[2:])
    if wrong is None and found != dict_type(op.operand(0)).slots:
        return f"a value of {', '.join(map(str, found))} in {op.operand(0).type}"
    return wrong


def _put_at(op: Operation) -> str | None:
    target, position, key, *slots = op.operands
    wrong = _is_dict(op)
    if wrong is None and position.type != INDEX:
        return "the position is no index"
    found = (key.type, *(v.type for v in slots))
    if wrong is None and found != (dict_type(target).key, *dict_type(target).slots):
        return f"an entry of {', '.join(map(str, found))} in {target.type}"
    return wrong


def _op(name: str, operands: tuple[str, ...], verify: Verify, results: int | None = 0) -> OpDefinition:
    shown = " , ".join(f"${o.rstrip('*')}" for o in operands)
    assembly = f"( {shown} ) attr-dict : functional-type" if operands else "attr-dict : type(results)"
    return OpDefinition(name, operands, results, assembly=assembly, verify=verify)


OPS: Final[tuple[OpDefinition, ...]] = (
    _op("rt.dict", (), _new, 1),
    _op("rt.dict_len", ("dict",), _is_dict, 1),
    _op("rt.dict_find", ("dict", "key"), _with_key, 1),
    _op("rt.dict_next", ("dict", "position"), _at_position(lambda t: (INDEX,)), 1),
    _op("rt.dict_key", ("dict", "position"), _at_position(lambda t: (t.key,)), 1),
    _op("rt.dict_get", ("dict", "position"), _at_position(lambda t: t.slots), None),
    _op("rt.dict_put", ("dict", "key", "slots*"), _put),
    _op("rt.dict_put_at", ("dict", "position", "key", "slots*"), _put_at),
    _op("rt.dict_erase", ("dict", "position"), _at_position(lambda t: ())),
    _op("rt.dict_clear", ("dict",), _is_dict),
)
