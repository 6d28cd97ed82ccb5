"""A list, dict or object of run-time structure as plain vectors: how it leaves a program (`ir/signature.py`).

Objects stand in pools, one for each type, each object once; where they are held, there is the number in the pool. So objects
may lead to one another in any way. `prim::id` tells whether one is in its pool already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from ...ir.attributes import Constant
from ...ir.core import Block, Operation, Region, Value
from ...ir.diagnostics import InternalError
from ...ir.dialects import torch
from ...ir.dtypes import DType
from ...ir.script_types import (
    BOOL,
    COMPLEX,
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
from .run_time_types import NUMBERS
from .values import Abstract, Scalar, Tensor

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
class OfComplex:
    re: Value
    im: Value


@dataclass(frozen=True)
class OfOptionals:
    present: Value
    values: Columns


@dataclass(frozen=True)
class OfUnions:
    tags: Value
    members: tuple[Columns | None, ...]


@dataclass(frozen=True)
class OfEnums:
    numbers: Value
    of: EnumType


@dataclass(frozen=True)
class OfObjects:
    numbers: Value
    pool: int


@dataclass(frozen=True)
class OfPools:
    """Classes, numbers of objects and columns of their attributes, and the columns that objects stand in."""

    pools: tuple[tuple[ClassType, Value, tuple[Columns, ...]], ...]
    elements: Columns


Columns = (
    Value | tuple[Any, ...] | OfLists | OfDicts | OfComplex | OfOptionals | OfStrings | OfTensors | OfUnions | OfEnums | OfObjects | OfPools
)
"""The elements of a list in vectors: of numbers, and of tuples, lists and tensors of these."""


@dataclass
class _Pool:
    type: InstanceType
    objects: Value
    attributes: tuple[Columns, ...] = ()


class _Pools:
    """All objects that some values lead to."""

    def __init__(self, ev: Evaluator, seen: Seen | None) -> None:
        self.ev = ev
        self.seen = seen
        """Where it matters which list or dict stands where: those met before, by `prim::id`."""
        self.pools: list[_Pool] = []
        self.numbers: Value | None = None
        """The numbers of objects by `prim::id`."""

    def pool(self, t: InstanceType) -> int:
        """The number of the pool of a type, which is made."""
        for i, pool in enumerate(self.pools):
            if pool.type == t:
                return i
        if self.numbers is None:
            self.numbers = self.ev.emit("prim::DictConstruct", (), (DictType(INT, INT),)).result
        number = len(self.pools)
        self.pools.append(_Pool(t, empty(self.ev, t)))
        self.pools[number].attributes = tuple(_gathering(self.ev, t.attribute(name), self) for name in t.of.attributes)
        return number

    def number(self, item: Value, pool: int) -> Value:
        """The number of an object in its pool, where it is put if it is not there."""
        ev, objects, numbers = self.ev, self.pools[pool].objects, self.numbers
        assert numbers is not None
        own = ev.emit("prim::id", (item,), (INT,)).result

        def there() -> list[Abstract]:
            return [Scalar(ev.emit("aten::__getitem__.Dict_int", (numbers, own), (INT,)).result)]

        def new() -> list[Abstract]:
            keep(ev, item, self.seen)
            number = ev.emit("aten::len.t", (objects,), (INT,)).result
            appended(ev, objects, item)
            ev.emit("aten::_set_item.int", (numbers, own, number), ())
            return [Scalar(number)]

        is_there = ev.emit("aten::__contains__.int", (numbers, own), (BOOL,)).result
        return cast(Scalar, fork(ev, Scalar(is_there), there, new)[0]).value

    def gather(self) -> None:
        """Gathers what the objects hold: these may lead to more of them, so that it is a loop until there are no more."""
        if not self.pools:
            return
        ev = self.ev
        block = Block([INT] * (1 + len(self.pools)))
        start = [ev.pool.number(0, INT)] * len(self.pools)
        with ev.b.inside(block):
            ends: list[Value] = []
            for pool, first in zip(self.pools, block.args[1:], strict=True):
                end = ev.emit("aten::len.t", (pool.objects,), (INT,)).result
                ends.append(end)
                count = ev.emit("aten::sub.int", (end, first), (INT,)).result
                _repeat(ev, count, lambda at, pool=pool, first=first: self._gather_object(pool, first, at))
            more: Value | None = None
            for pool, end in zip(self.pools, ends, strict=True):
                length = ev.emit("aten::len.t", (pool.objects,), (INT,)).result
                grown = ev.emit("aten::gt.int", (length, end), (BOOL,)).result
                more = grown if more is None else ev.emit("aten::__or__.bool", (more, grown), (BOOL,)).result
            assert more is not None
            torch.yield_(ev.b, [more, *ends])
        operands = (ev.pool.number(_MANY, INT), ev.pool.number(True, BOOL), *start)
        ev.b.insert(Operation("prim::Loop", operands, [INT] * len(start), regions=[Region([block])], span=ev.span))

    def _gather_object(self, pool: _Pool, first: Value, at: Value) -> None:
        ev = self.ev
        index = ev.emit("aten::add.int", (first, at), (INT,)).result
        item = ev.emit("aten::__getitem__.t", (pool.objects, index), (pool.type,)).result
        for name, column in zip(pool.type.of.attributes, pool.attributes, strict=True):
            t = pool.type.attribute(name)
            _gather(ev, ev.emit("prim::GetAttr", (item,), (t,), {"name": name}).result, t, column, self)

    def finished(self, elements: Columns) -> Columns:
        if not self.pools:
            return elements
        ev = self.ev
        found = [
            (p.type.of, ev.emit("aten::len.t", (p.objects,), (INT,)).result, tuple(_finished(ev, c) for c in p.attributes))
            for p in self.pools
        ]
        return OfPools(tuple(found), elements)


_MANY: Final = 2**63 - 1


@dataclass(frozen=True)
class Seen:
    """What is made at run time and kept in the module: a dict of numbers by `prim::id`, of what was taken apart when that was met.

    One that is taken apart again, for another place that it stands in as well, may meet the same ones again.
    """

    numbers: Value
    number: int
    """Of what is taken apart."""
    again: int
    """How often it has been."""

    @property
    def mark(self) -> int:
        return self.number << _TIMES | self.again


_TIMES: Final = 20


def nothing_seen(ev: Evaluator) -> Value:
    return ev.emit("prim::DictConstruct", (), (DictType(INT, INT),)).result


def keep(ev: Evaluator, value: Value, seen: Seen | None, *, whole: bool = False) -> None:
    """Notes a list, dict or object that a module keeps; an error at run time where it keeps it in two places already.

    Each place would have one of its own after the call. `whole`: it is what is taken apart itself.
    """
    if seen is None:
        return
    own = ev.emit("prim::id", (value,), (INT,)).result
    nowhere = ev.pool.number(-1, INT)
    before = ev.emit("aten::get.default_int", (seen.numbers, own, nowhere), (INT,)).result
    met = ev.emit("aten::ne.int", (before, nowhere), (BOOL,)).result
    times = ev.pool.number(_TIMES, INT)
    number = ev.emit("aten::__rshift__.int", (before, times), (INT,)).result
    wrong = ev.emit("aten::ne.int", (number, ev.pool.number(seen.number, INT)), (BOOL,)).result
    if not whole:
        twice = ev.emit("aten::eq.int", (before, ev.pool.number(seen.mark, INT)), (BOOL,)).result
        wrong = ev.emit("aten::__or__.bool", (wrong, twice), (BOOL,)).result
    fails = ev.emit("aten::__and__.bool", (met, wrong), (BOOL,)).result

    def fail() -> list[Abstract]:
        raise ev.emit_raise(["a list, dict or object made at run time is kept in two places of the module, which is not supported"])

    fork(ev, Scalar(fails), fail, list)
    ev.emit("aten::_set_item.int", (seen.numbers, own, ev.pool.number(seen.mark, INT)), ())


def columns(ev: Evaluator, value: Value, seen: Seen | None = None) -> tuple[Value, Columns]:
    """The length of a list, and its elements as vectors."""
    t = element_of(value)
    length = ev.emit("aten::len.t", (value,), (INT,)).result
    if t in NUMBERS:
        return length, _vector(ev, value)
    if t == NEVER:
        return length, _no_numbers(ev)
    pools = _Pools(ev, seen)
    gathered = _gathering(ev, t, pools)
    _each(ev, value, lambda item: _gather(ev, item, t, gathered, pools))
    pools.gather()
    return length, pools.finished(_finished(ev, gathered))


def object_columns(ev: Evaluator, value: Value, seen: Seen | None = None) -> Columns:
    """An object as the one element of columns."""
    t = cast(InstanceType, value.type)
    pools = _Pools(ev, seen)
    gathered = _gathering(ev, t, pools)
    _gather(ev, value, t, gathered, pools)
    pools.gather()
    return pools.finished(_finished(ev, gathered))


def enum_number(ev: Evaluator, value: Value) -> Value:
    """The number of a member of an Enum."""
    return ev.emit("prim::unchecked_cast", (value,), (INT,)).result


def dict_columns(ev: Evaluator, value: Value, seen: Seen | None = None) -> tuple[Value, Columns, Columns]:
    """The length of a dict, its keys and its values as vectors."""
    length, keys = columns(ev, dict_part(ev, value, "keys"))
    return length, keys, columns(ev, dict_part(ev, value, "values"), seen)[1]


def dict_part(ev: Evaluator, value: Value, which: str) -> Value:
    """The list of the keys, or of the values, of a dict."""
    t = cast(DictType, value.type)
    return ev.emit(f"aten::{which}.{t.key}", (value,), (ListType(t.key if which == "keys" else t.value),)).result


def _gathering(ev: Evaluator, t: ScriptType, pools: _Pools) -> Columns:
    """The same with lists in place of vectors, empty."""
    match t:
        case TupleType():
            return tuple(_gathering(ev, e, pools) for e in t.elements)
        case _ if t == COMPLEX:
            return OfComplex(empty(ev, FLOAT), empty(ev, FLOAT))
        case ListType():
            return OfLists(empty(ev, INT), _gathering(ev, t.element, pools))
        case DictType():
            return OfDicts(empty(ev, INT), _gathering(ev, t.key, pools), _gathering(ev, t.value, pools))
        case StrType():
            return OfStrings(empty(ev, INT), empty(ev, STR))
        case OptionalType():
            return OfOptionals(empty(ev, BOOL), _gathering(ev, t.element, pools))
        case UnionType():
            return OfUnions(empty(ev, INT), tuple(None if m == NONE else _gathering(ev, m, pools) for m in t.members))
        case TensorType(dtype):
            assert dtype is not None
            # an empty vector first, so that there is always something to concatenate
            nothing = Constant(ev.literal_name(), np.zeros(0, dtype.numpy))
            first = ev.pool.tensor(nothing, dtype)
            return OfTensors(empty(ev, TensorType(dtype, (None,)), (first,)), empty(ev, INT), t.rank)
        case EnumType():
            return OfEnums(empty(ev, INT), t)
        case InstanceType():
            return OfObjects(empty(ev, INT), pools.pool(t))
        case _:
            return empty(ev, t)


def _each(ev: Evaluator, value: Value, visit: Callable[[Value], None]) -> None:
    """Writes a loop over the elements."""
    length = ev.emit("aten::len.t", (value,), (INT,)).result
    element = element_of(value)
    _repeat(ev, length, lambda at: visit(ev.emit("aten::__getitem__.t", (value, at), (element,)).result))


def _repeat(ev: Evaluator, count: Value, visit: Callable[[Value], None]) -> None:
    """Writes a loop."""
    block = Block([INT])
    always = ev.pool.number(True, BOOL)
    with ev.b.inside(block):
        visit(block.args[0])
        torch.yield_(ev.b, [always])
    ev.b.insert(Operation("prim::Loop", (count, always), (), regions=[Region([block])], span=ev.span))


def _gather(ev: Evaluator, item: Value, t: ScriptType, into: Columns, pools: _Pools) -> None:
    match into:
        case tuple():
            types = cast(TupleType, t).elements
            for part, e, column in zip(ev.emit("prim::TupleUnpack", (item,), types).results, types, into):
                _gather(ev, part, e, column, pools)
        case OfComplex():
            re, im = ev.emit("prim::TupleUnpack", (item,), (FLOAT, FLOAT)).results
            appended(ev, into.re, re)
            appended(ev, into.im, im)
        case OfLists():
            keep(ev, item, pools.seen)
            appended(ev, into.lengths, ev.emit("aten::len.t", (item,), (INT,)).result)
            inner = cast(ListType, t).element
            _each(ev, item, lambda element: _gather(ev, element, inner, into.elements, pools))
        case OfDicts():
            keep(ev, item, pools.seen)
            d = cast(DictType, t)
            keys, values = dict_part(ev, item, "keys"), dict_part(ev, item, "values")
            appended(ev, into.lengths, ev.emit("aten::len.t", (keys,), (INT,)).result)
            _each(ev, keys, lambda element: _gather(ev, element, d.key, into.keys, pools))
            _each(ev, values, lambda element: _gather(ev, element, d.value, into.values, pools))
        case OfStrings():
            appended(ev, into.lengths, ev.emit("aten::len.str", (item,), (INT,)).result)
            appended(ev, into.bytes, item)
        case OfOptionals():
            inner = cast(OptionalType, t).element
            there = ev.emit("aten::__isnot__", (item, ev.pool.number(None, NONE)), (BOOL,)).result
            appended(ev, into.present, there)

            def gathered() -> list[Abstract]:
                _gather(ev, ev.emit("prim::unchecked_cast", (item,), (inner,)).result, inner, into.values, pools)
                return []

            fork(ev, Scalar(there), gathered, list)
        case OfEnums():
            appended(ev, into.numbers, enum_number(ev, item))
        case OfObjects():
            appended(ev, into.numbers, pools.number(item, into.pool))
        case OfUnions():
            _gather_member(ev, item, cast(UnionType, t), into, pools)
        case OfTensors():
            whole = cast(TensorType, t)
            minus = ev.emit("prim::ListConstruct", (ev.pool.number(-1, INT),), (ListType(INT),)).result
            own = ev.emit("aten::clone", (item, ev.pool.number(None, NONE)), (cast(TensorType, item.type),)).result
            appended(ev, into.elements, ev.emit("aten::reshape", (own, minus), (TensorType(whole.dtype, (None,)),)).result)
            for extent in ev.shape(Tensor(item)):
                appended(ev, into.extents, ev.materialise(extent))
        case OfPools():
            raise InternalError("pools stand in nothing")
        case _:
            appended(ev, into, item)


def _gather_member(ev: Evaluator, item: Value, t: UnionType, into: OfUnions, pools: _Pools, at: int = 0) -> None:
    """Writes a condition for each member but the last."""

    def this() -> list[Abstract]:
        column = into.members[at]
        appended(ev, into.tags, ev.pool.number(at, INT))
        if column is not None:
            member = ev.emit("prim::unchecked_cast", (item,), (t.members[at],)).result
            _gather(ev, member, t.members[at], column, pools)
        return []

    def others() -> list[Abstract]:
        _gather_member(ev, item, t, into, pools, at + 1)
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
        case OfComplex():
            return OfComplex(_vector(ev, gathered.re), _vector(ev, gathered.im))
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
        case OfEnums():
            return OfEnums(_vector(ev, gathered.numbers), gathered.of)
        case OfObjects():
            return OfObjects(_vector(ev, gathered.numbers), gathered.pool)
        case OfTensors():
            t = element_of(gathered.elements)
            whole = ev.emit("aten::cat", (gathered.elements, ev.pool.number(0, INT)), (t,)).result
            return OfTensors(whole, _vector(ev, gathered.extents), gathered.rank)
        case OfPools():
            raise InternalError("pools stand in nothing")
        case _:
            return _vector(ev, gathered)


