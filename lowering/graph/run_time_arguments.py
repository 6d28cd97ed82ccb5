"""Arguments of run-time structure: the nodes that make a list, dict or str of the vectors that it is given as.

In: the parameters that `ir/columns.py` lays out, and the type of the value. Out: the value as the program sees it, made
anew by each call, so that no change of it is seen outside. A loop goes over the elements; each vector is read from the
front, and where that stands is known (the loop's index) or carried from element to element.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from ...ir import columns
from ...ir.core import Block, Operation, Region, Value, functions
from ...ir.diagnostics import CompileError, NotStatic
from ...ir.dialects import torch
from ...ir.script_types import (
    BOOL,
    COMPLEX,
    INT,
    NONE,
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
from ...ir.signature import Signature
from . import calls, run_time_lists, run_time_strings, run_time_values, tensor_builtins
from .branches import fork
from .values import Abstract, Known, Scalar, Tensor, known

if TYPE_CHECKING:
    from .evaluator import Evaluator


def received(ev: Evaluator, vectors: Sequence[Tensor], t: ScriptType, name: str) -> Abstract:
    """The argument of type `t` (a list, dict or str) that these vectors, in the order of `columns.vectors`, stand for."""
    return _Reader(ev, vectors, name).whole(t)


def check_unwritten(signature: Signature, module: Operation) -> None:
    """NotStatic where the program writes in place to a tensor of such an argument: the caller would not see it."""
    for argument in signature.columns:
        count = len(columns.vectors(argument.type, ""))
        if any(p.write_back is not None for p in signature.parameters[argument.first : argument.first + count]):
            message = f"tensors in argument `{argument.name}`, whose length is given at run time, are changed in place"
            raise NotStatic(CompileError.at(next(functions(module)).span, message, help="change copies of them").diagnostics)


def _width(t: ScriptType) -> int:
    return len(columns.element_vectors(t, "", ""))


def _aligned(t: ScriptType, at: int) -> list[int]:
    """The vectors that have one entry for each element of type `t`, whose first vector is number `at`."""
    match t:
        case TupleType():
            found: list[int] = []
            for e in t.elements:
                found += _aligned(e, at)
                at += _width(e)
            return found
        case _ if t == COMPLEX:
            return [at, at + 1]
        case TensorType(_, shape) if shape:
            return []
        case _:
            return [at]


def _places(t: ScriptType, first: int) -> list[int]:
    """Where the vectors of each pool start; `first`: where those of the pools do."""
    found: list[int] = []
    for pool in columns.pools_of(t):
        found.append(first)
        first += len(columns.pool_vectors(pool, ""))
    return found


class _Reader:
    def __init__(self, ev: Evaluator, vectors: Sequence[Tensor], name: str) -> None:
        self.ev = ev
        self.name = name
        self.vectors = vectors
        self.places: list[Abstract] = [known(0)] * len(vectors)
        """Where the next entry of each vector stands."""
        self.pools: dict[InstanceType, Value] = {}
        """All objects of a type, in a list."""

    # numbers

    def add(self, a: Abstract, b: Abstract) -> Abstract:
        if isinstance(a, Known) and a.value == 0:
            return b
        return calls.single(self.ev, "aten::add.int", [a, b])

    def entry(self, at: int) -> Abstract:
        """The next entry of a vector."""
        place = self.places[at]
        self.places[at] = self.add(place, known(1))
        one = calls.single(self.ev, "aten::select.int", [self.vectors[at], known(0), place])
        return tensor_builtins.item(self.ev, cast(Tensor, one), [])

    def range(self, at: int, count: Abstract) -> Tensor:
        """The next `count` entries of a vector."""
        place = self.places[at]
        self.places[at] = self.add(place, count)
        parts = [self.vectors[at], known(0), place, self.places[at], known(1)]
        return cast(Tensor, calls.single(self.ev, "aten::slice.Tensor", parts))

    def size(self, at: int) -> Abstract:
        return self.ev.size(self.vectors[at], 0)

    # the whole

    def whole(self, t: ScriptType) -> Abstract:
        self.fill_pools(t)
        match t:
            case StrType():
                return run_time_strings.of_bytes(self.ev, self.vectors[0])
            case InstanceType():
                made = self.value(t, 0)
            case ListType():
                made = self.list(self.count(t.element, 0), t, 0)
            case DictType():
                made = self.dict(self.count(TupleType((t.key, t.value)), 0), t, 0)
            case _:
                raise self.ev.not_static(f"an argument of type {t.annotation}")
        self.check(t)
        return run_time_values.read(self.ev, made, t)

    def fill_pools(self, t: ScriptType) -> None:
        """Makes all objects, then sets their attributes, which may lead to any of them."""
        ev = self.ev
        types = columns.pools_of(t)
        starts = _places(t, len(columns.vectors(t, "")) - sum(len(columns.pool_vectors(p, "")) for p in types))
        counts: list[Abstract] = []
        for pool, at in zip(types, starts, strict=True):
            attributes = TupleType(columns.attribute_types(pool) or (BOOL,))
            counts.append(self.count(attributes, at))
            objects = self.pools[pool] = run_time_lists.empty(ev, pool)

            def new(objects: Value = objects, pool: InstanceType = pool) -> None:
                run_time_lists.appended(ev, objects, ev.emit("prim::CreateObject", (), (pool,)).result)

            self.repeat(counts[-1], TupleType(()), at, new)
        for pool, at, count in zip(types, starts, counts, strict=True):
            self.fill_pool(pool, at, count)

    def fill_pool(self, t: InstanceType, at: int, count: Abstract) -> None:
        ev, objects = self.ev, self.pools[t]
        types = columns.attribute_types(t)
        def entry(number: Value) -> None:
            made = ev.emit("aten::__getitem__.t", (objects, number), (t,)).result
            first = at
            for name, a in zip(t.of.attributes, types, strict=True):
                ev.emit("prim::SetAttr", (made, self.value(a, first)), (), {"name": name})
                first += _width(a)

        self.repeat_numbered(count, TupleType(types or (BOOL,)), at, entry)
        if not types:
            self.places[at] = count

    def count(self, t: ScriptType, at: int) -> Abstract:
        """How many elements of type `t` there are in all."""
        aligned = _aligned(t, at)
        if aligned:
            return self.size(aligned[0])
        tensors, start = cast(TensorType, t), at
        while isinstance(tensors, TupleType):
            start += sum(map(_width, tensors.elements[:-1]))
            tensors = cast(TensorType, tensors.elements[-1])
        return calls.single(self.ev, "aten::floordiv.int", [self.size(start + 1), known(tensors.rank)])

    def check(self, t: ScriptType) -> None:
        """An error where the lengths in one vector do not say how long another one is: a caller in C may be wrong."""
        ev = self.ev
        names = [v.length for v in columns.vectors(t, "")]
        unsaid = [i for i, name in enumerate(names) if name != ".length"]
        if not unsaid:
            return
        ends = [calls.single(ev, "aten::eq.int", [self.places[i], self.size(i)]) for i in unsaid]
        all_fit = ends[0]
        for fits in ends[1:]:
            all_fit = calls.single(ev, "aten::__and__.bool", [all_fit, fits])

        def fail() -> list[Abstract]:
            raise ev.emit_raise([f"argument `{self.name}`: the lengths that are given do not fit the elements"])

        if isinstance(all_fit, Scalar):
            fork(ev, all_fit, list, fail)

    # values

    def value(self, t: ScriptType, at: int) -> Value:
        """The next value of type `t`, which starts at vector `at`."""
        match t:
            case ListType():
                return self.list(self.entry(at), t, at + 1)
            case DictType():
                return self.dict(self.entry(at), t, at + 1)
            case TupleType():
                parts: list[Value] = []
                for e in t.elements:
                    parts.append(self.value(e, at))
                    at += _width(e)
                return self.ev.emit("prim::TupleConstruct", parts, (t,)).result
            case OptionalType():
                return self.optional(t, at)
            case UnionType():
                return self.member(t, at)
            case EnumType():
                return self.enumerator(t, at)
            case InstanceType():
                number = self.ev.materialise(self.entry(at))
                return self.ev.emit("aten::__getitem__.t", (self.pools[t], number), (t,)).result
            case TensorType():
                return self.ev.materialise(self.tensor(t, at))
            case _ if t == COMPLEX:
                parts = [self.ev.materialise(self.entry(at + i)) for i in range(2)]
                return self.ev.emit("aten::Complex.float_float", parts, (t,)).result
            case StrType():
                count = self.entry(at)
                return self.ev.materialise(run_time_strings.of_bytes(self.ev, self.range(at + 1, count)))
            case _:
                return self.ev.materialise(self.entry(at))

    def tensor(self, t: TensorType, at: int) -> Abstract:
        ev = self.ev
        if not t.rank:
            return calls.single(ev, "aten::reshape", [self.range(at, known(1)), ev.new_list([], ListType(INT))])
        extents = [self.entry(at + 1) for _ in range(t.rank)]
        count = extents[0]
        for extent in extents[1:]:
            count = calls.single(ev, "aten::mul.int", [count, extent])
        flat = self.range(at, count)
        return flat if t.rank == 1 else calls.single(ev, "aten::reshape", [flat, ev.new_list(extents, ListType(INT))])

    def optional(self, t: OptionalType, at: int) -> Value:
        ev = self.ev
        inside = slice(at + 1, at + 1 + _width(t.element))
        present = self.entry(at)
        before = self.places[inside]

        def there() -> list[Abstract]:
            self.places[inside] = before
            value = ev.emit("prim::unchecked_cast", (self.value(t.element, at + 1),), (t,)).result
            return [Scalar(value), *self.places[inside]]

        def absent() -> list[Abstract]:
            return [Scalar(ev.pool.number(None, t)), *before]

        value, *self.places[inside] = fork(ev, cast(Scalar, present), there, absent)
        return cast(Scalar, value).value

    def member(self, t: UnionType, at: int) -> Value:
        """The next value of a Union: each member has vectors of its own."""
        ev = self.ev
        tag = self.entry(at)
        ends = range(at + 1, at + _width(t))
        before = [self.places[i] for i in ends]

        def chosen(number: int, first: int) -> list[Abstract]:
            this = t.members[number]
            width = 0 if this == NONE else _width(this)

            def here() -> list[Abstract]:
                for i, place in zip(ends, before, strict=True):
                    self.places[i] = place
                inner = ev.pool.number(None, NONE) if this == NONE else self.value(this, first)
                value = ev.emit("prim::unchecked_cast", (inner,), (t,)).result
                return [Scalar(value), *(self.places[i] for i in ends)]

            if number == len(t.members) - 1:
                return here()
            is_this = calls.single(ev, "aten::eq.int", [tag, known(number)])
            return fork(ev, cast(Scalar, is_this), here, lambda: chosen(number + 1, first + width))

        value, *after = chosen(0, at + 1)
        for i, place in zip(ends, after, strict=True):
            self.places[i] = place
        return cast(Scalar, value).value

    def enumerator(self, t: EnumType, at: int) -> Value:
        ev = self.ev
        number = self.entry(at)
        small = calls.single(ev, "aten::lt.int", [number, known(0)])
        large = calls.single(ev, "aten::ge.int", [number, known(len(t.members))])

        def fail() -> list[Abstract]:
            raise ev.emit_raise([f"argument `{self.name}`: {t.name} has no member of number ", cast(Scalar, number)])

        fork(ev, cast(Scalar, calls.single(ev, "aten::__or__.bool", [small, large])), fail, list)
        return ev.emit("prim::unchecked_cast", (ev.materialise(number),), (t,)).result

    def list(self, count: Abstract, t: ListType, at: int) -> Value:
        ev = self.ev
        target = run_time_lists.empty(ev, t.element)
        self.repeat(count, t.element, at, lambda: run_time_lists.appended(ev, target, self.value(t.element, at)))
        return target

    def dict(self, count: Abstract, t: DictType, at: int) -> Value:
        ev = self.ev
        target = ev.emit("prim::DictConstruct", (), (t,)).result

        def entry() -> None:
            parts = (target, self.value(t.key, at), self.value(t.value, at + _width(t.key)))
            ev.emit(f"aten::_set_item.{t.key}", parts, ())

        self.repeat(count, TupleType((t.key, t.value)), at, entry)
        return target

    def repeat(self, count: Abstract, t: ScriptType, at: int, body: Callable[[], None]) -> None:
        """A loop whose body reads one value of type `t`."""
        self.repeat_numbered(count, t, at, lambda number: body())

    def repeat_numbered(self, count: Abstract, t: ScriptType, at: int, body: Callable[[Value], None]) -> None:
        """The same; the body is given the number of the turn."""
        ev = self.ev
        ours = range(at, at + _width(t))
        aligned = _aligned(t, at)
        carried = [i for i in ours if i not in aligned]
        starts = [ev.materialise(self.places[i]) for i in carried]
        first = {i: self.places[i] for i in aligned}
        block = Block([INT] * (1 + len(carried)))
        always = ev.pool.number(True, BOOL)
        saved = ev.assumed, ev.computed
        ev.computed = ev.computed.new_child()
        ev.conditional += 1
        try:
            with ev.b.inside(block):
                for i in aligned:
                    self.places[i] = self.add(first[i], Scalar(block.args[0]))
                for i, place in zip(carried, block.args[1:], strict=True):
                    self.places[i] = Scalar(place)
                body(block.args[0])
                torch.yield_(ev.b, [always, *(ev.materialise(self.places[i]) for i in carried)])
        finally:
            ev.conditional -= 1
            ev.assumed, ev.computed = saved
        trips = (ev.materialise(count), always, *starts)
        loop = Operation("prim::Loop", trips, [INT] * len(carried), regions=[Region([block])], span=ev.span)
        ev.b.insert(loop)
        for i in aligned:
            self.places[i] = self.add(first[i], count)
        for i, place in zip(carried, loop.results, strict=True):
            self.places[i] = Scalar(place)
