"""A list of run-time length as plain vectors: how it leaves a program (`ir/signature.py`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ...ir.attributes import Constant
from ...ir.core import Block, Operation, Region, Value
from ...ir.dialects import torch
from ...ir.dtypes import DType
from ...ir.script_types import (
    BOOL,
    FLOAT,
    INT,
    NEVER,
    NONE,
    STR,
    ClassType,
    DictType,
    EnumType,
    InstanceType,
    ListType,
    OptionalType,
    ScriptType,
    StrType,
    TensorType,
    TupleType,
    UnionType,
)
from . import run_time_strings
from .branches import fork
from .run_time_lists import appended, element_of, empty
from .run_time_types import NUMBERS, parts
from .values import Abstract, Scalar, Tensor, describe

if TYPE_CHECKING:
    from .evaluator import Evaluator


@dataclass(frozen=True)
class OfLists:
    lengths: Value
    elements: Columns


@dataclass(frozen=True)
class OfDicts:
    lengths: Value
    keys: Columns
    values: Columns


@dataclass(frozen=True)
class OfTensors:
    elements: Value
    extents: Value
    rank: int


@dataclass(frozen=True)
class OfStrings:
    lengths: Value
    bytes: Value


@dataclass(frozen=True)
class OfOptionals:
    present: Value
    values: Columns


@dataclass(frozen=True)
class OfUnions:
    tags: Value
    members: tuple[Columns | None, ...]


Columns = Value | tuple[Any, ...] | OfLists | OfDicts | OfOptionals | OfStrings | OfTensors | OfUnions
"""The elements of a list in vectors: of numbers, and of tuples, lists and tensors of these."""


def check(ev: Evaluator, value: Value) -> None:
    """An error where what is returned holds objects."""
    pending = [cast(ScriptType, value.type)]
    for t in pending:
        if isinstance(t, InstanceType | ClassType | EnumType):
            raise ev.error(
                f"{describe(t.of if isinstance(t, InstanceType) else t)} cannot be returned from compiled code",
                help="return tensors, numbers, lists or tuples",
            )
        pending += parts(t)


def is_of_numbers(value: Value) -> bool:
    """Whether a list or dict holds numbers only."""
    t = value.type
    return t.key in NUMBERS and t.value in NUMBERS if isinstance(t, DictType) else element_of(value) in NUMBERS


def columns(ev: Evaluator, value: Value) -> tuple[Value, Columns]:
    """The length of a list, and its elements as vectors."""
    t = element_of(value)
    length = ev.emit("aten::len.t", (value,), (INT,)).result
    if t in NUMBERS:
        return length, _vector(ev, value)
    if t == NEVER:
        return length, _no_numbers(ev)
    gathered = _gathering(ev, t)
    _each(ev, value, lambda item: _gather(ev, item, t, gathered))
    return length, _finished(ev, gathered)


def dict_columns(ev: Evaluator, value: Value) -> tuple[Value, Columns, Columns]:
    """The length of a dict, its keys and its values as vectors."""
    length, keys = columns(ev, dict_part(ev, value, "keys"))
    return length, keys, columns(ev, dict_part(ev, value, "values"))[1]


def dict_part(ev: Evaluator, value: Value, which: str) -> Value:
    """The list of the keys, or of the values, of a dict."""
    t = cast(DictType, value.type)
    return ev.emit(f"aten::{which}.{t.key}", (value,), (ListType(t.key if which == "keys" else t.value),)).result


def _gathering(ev: Evaluator, t: ScriptType) -> Columns:
    """The same with lists in place of vectors, empty."""
    match t:
        case TupleType():
            return tuple(_gathering(ev, e) for e in t.elements)
        case ListType():
            return OfLists(empty(ev, INT), _gathering(ev, t.element))
        case DictType():
            return OfDicts(empty(ev, INT), _gathering(ev, t.key), _gathering(ev, t.value))
        case StrType():
            return OfStrings(empty(ev, INT), empty(ev, STR))
        case OptionalType():
            return OfOptionals(empty(ev, BOOL), _gathering(ev, t.element))
        case UnionType():
            return OfUnions(empty(ev, INT), tuple(None if m == NONE else _gathering(ev, m) for m in t.members))
        case TensorType(dtype):
            assert dtype is not None
            # an empty vector first, so that there is always something to concatenate
            nothing = Constant(ev.literal_name(), np.zeros(0, dtype.numpy))
            first = ev.pool.tensor(nothing, dtype)
            return OfTensors(empty(ev, TensorType(dtype, (None,)), (first,)), empty(ev, INT), t.rank)
        case _:
            return empty(ev, t)


def _each(ev: Evaluator, value: Value, visit: Callable[[Value], None]) -> None:
    """Writes a loop over the elements."""
    length = ev.emit("aten::len.t", (value,), (INT,)).result
    block = Block([INT])
    always = ev.pool.number(True, BOOL)
    with ev.b.inside(block):
        visit(ev.emit("aten::__getitem__.t", (value, block.args[0]), (element_of(value),)).result)
        torch.yield_(ev.b, [always])
    ev.b.insert(Operation("prim::Loop", (length, always), (), regions=[Region([block])], span=ev.span))


def _gather(ev: Evaluator, item: Value, t: ScriptType, into: Columns) -> None:
    match into:
        case tuple():
            types = cast(TupleType, t).elements
            for part, e, column in zip(ev.emit("prim::TupleUnpack", (item,), types).results, types, into):
                _gather(ev, part, e, column)
        case OfLists():
            appended(ev, into.lengths, ev.emit("aten::len.t", (item,), (INT,)).result)
            inner = cast(ListType, t).element
            _each(ev, item, lambda element: _gather(ev, element, inner, into.elements))
        case OfDicts():
            d = cast(DictType, t)
            keys, values = dict_part(ev, item, "keys"), dict_part(ev, item, "values")
            appended(ev, into.lengths, ev.emit("aten::len.t", (keys,), (INT,)).result)
            _each(ev, keys, lambda element: _gather(ev, element, d.key, into.keys))
            _each(ev, values, lambda element: _gather(ev, element, d.value, into.values))
        case OfStrings():
            appended(ev, into.lengths, ev.emit("aten::len.str", (item,), (INT,)).result)
            appended(ev, into.bytes, item)
        case OfOptionals():
            inner = cast(OptionalType, t).element
            there = ev.emit("aten::__isnot__", (item, ev.pool.number(None, NONE)), (BOOL,)).result
            appended(ev, into.present, there)

            def gathered() -> list[Abstract]:
                _gather(ev, ev.emit("prim::unchecked_cast", (item,), (inner,)).result, inner, into.values)
                return []

            fork(ev, Scalar(there), gathered, list)
        case OfUnions():
            _gather_member(ev, item, cast(UnionType, t), into)
        case OfTensors():
            whole = cast(TensorType, t)
            minus = ev.emit("prim::ListConstruct", (ev.pool.number(-1, INT),), (ListType(INT),)).result
            own = ev.emit("aten::clone", (item, ev.pool.number(None, NONE)), (cast(TensorType, item.type),)).result
            appended(ev, into.elements, ev.emit("aten::reshape", (own, minus), (TensorType(whole.dtype, (None,)),)).result)
            for extent in ev.shape(Tensor(item)):
                appended(ev, into.extents, ev.materialise(extent))
        case _:
            appended(ev, into, item)


def _gather_member(ev: Evaluator, item: Value, t: UnionType, into: OfUnions, at: int = 0) -> None:
    """Writes a condition for each member but the last."""

    def this() -> list[Abstract]:
        column = into.members[at]
        appended(ev, into.tags, ev.pool.number(at, INT))
        if column is not None:
            _gather(ev, ev.emit("prim::unchecked_cast", (item,), (t.members[at],)).result, t.members[at], column)
        return []

    def others() -> list[Abstract]:
        _gather_member(ev, item, t, into, at + 1)
        return []

    if at == len(t.members) - 1:
        this()
        return
    is_this = ev.emit("prim::isinstance", (item,), (BOOL,), {"types": (t.members[at],)}).result
    fork(ev, Scalar(is_this), this, others)


def _no_numbers(ev: Evaluator) -> Value:
    return ev.pool.tensor(Constant(ev.literal_name(), np.zeros(0, np.int64)), DType.int64)


def _vector(ev: Evaluator, value: Value) -> Value:
    t = element_of(value)
    if t == NEVER:
        return _no_numbers(ev)
    dtype = DType.float64 if t == FLOAT else DType.bool if t == BOOL else DType.int64
    none = ev.pool.number(None, NONE)
    operands = (value, ev.pool.number(int(dtype), INT), none, ev.pool.number(False, BOOL))
    return ev.emit("aten::tensor", operands, (TensorType(dtype, (None,)),)).result


def _finished(ev: Evaluator, gathered: Columns) -> Columns:
    match gathered:
        case tuple():
            return tuple(_finished(ev, c) for c in gathered)
        case OfLists():
            return OfLists(_vector(ev, gathered.lengths), _finished(ev, gathered.elements))
        case OfDicts():
            return OfDicts(_vector(ev, gathered.lengths), _finished(ev, gathered.keys), _finished(ev, gathered.values))
        case OfStrings():
            whole = ev.emit("aten::join", (ev.pool.number("", STR), gathered.bytes), (STR,)).result
            return OfStrings(_vector(ev, gathered.lengths), run_time_strings.to_bytes(ev, Scalar(whole)).value)
        case OfOptionals():
            return OfOptionals(_vector(ev, gathered.present), _finished(ev, gathered.values))
        case OfUnions():
            members = tuple(None if m is None else _finished(ev, m) for m in gathered.members)
            return OfUnions(_vector(ev, gathered.tags), members)
        case OfTensors():
            t = element_of(gathered.elements)
            whole = ev.emit("aten::cat", (gathered.elements, ev.pool.number(0, INT)), (t,)).result
            return OfTensors(whole, _vector(ev, gathered.extents), gathered.rank)
        case _:
            return _vector(ev, gathered)


