"""Lists of run-time length at the `linalg` stage: each node on one becomes a few `rt` operations and loops over them.

A list of the `torch` stage is `!rt.list`: an int, float or bool takes one slot, a tensor a box, a list a list, a tuple
one slot per part. What PyTorch checks at run time (indices, equal sizes) is checked here, with its messages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from ...ir.core import Operation, Value
from ...ir.diagnostics import CompileError, InternalError
from ...ir.dialects import arith, rt, scf, tensor
from ...ir.dialects.aten import OPERATORS
from ...ir.dialects.aten.lowering import Extent, LoweringContext
from ...ir.dialects.aten.slicing import sequence_bounds
from ...ir.dtypes import DType
from ...ir.operators import split_name
from ...ir.ordering import unsortable
from ...ir.script_types import (
    BoolType,
    ComplexType,
    FloatType,
    IntType,
    ListType,
    ScriptType,
    StrType,
    TensorType,
    TupleType,
)
from ...ir.types import F64, I1, I64, RankedTensorType, RunTimeListType, Type
from . import memory, ordered_lists, run_time_values

Lowered = Any
"""What a value of the `torch` stage became: a Value, a Python constant, a sequence of these."""


def _is_sequence(lowered: Lowered) -> bool:
    return is_list(lowered) or isinstance(lowered, list)


def number_dtype(t: ScriptType) -> DType:
    """The dtype that holds an int, float or bool exactly."""
    return DType.float64 if isinstance(t, FloatType) else DType.bool if isinstance(t, BoolType) else DType.int64


def is_list(lowered: Lowered) -> bool:
    """Whether a lowered value is a list of run-time length."""
    return isinstance(lowered, Value) and isinstance(lowered.type, RunTimeListType)


class Lists:
    """Lowers nodes through `cx`; `element` is the type of the elements of the node's list."""

    def __init__(self, cx: LoweringContext, element: ScriptType) -> None:
        self.cx = cx
        self.element = element

    # elements

    def slots(self, value: Lowered, t: ScriptType | None = None) -> list[Value]:
        """An element as what its slots hold."""
        return run_time_values.slots(self.cx, value, t or self.element)

    def value(self, slots: Sequence[Value], t: ScriptType | None = None) -> Lowered:
        """The element that slots hold."""
        return run_time_values.value(self.cx, slots, t or self.element)

    def get(self, source: Value, index: Extent) -> Lowered:
        return self.value(rt.get(self.cx.b, source, self.cx.index(index)))

    def read(self, source: Value, index: Extent) -> Lowered:
        """An element of a list of tensors as a value."""
        return memory.as_value(self.cx, self.get(source, index))

    def push(self, target: Value, value: Lowered) -> None:
        rt.push(self.cx.b, target, self.slots(value))

    # loops

    def new(self) -> Value:
        return rt.new(self.cx.b, run_time_values.list_type(ListType(self.element)))

    def length(self, source: Value) -> Value:
        return rt.length(self.cx.b, source)

    def repeat(
        self, count: Extent, inits: Sequence[Value], body: Callable[[Value, Sequence[Value]], Sequence[Value]]
    ) -> Sequence[Value]:
        """`body(i, carried)` for i from 0 to count - 1."""
        b, cx = self.cx.b, self.cx

        def step(inner: Any, args: Sequence[Value]) -> Sequence[Value]:
            del inner
            return body(args[0], args[1:])

        return scf.for_(b, cx.index(0), cx.index(count), cx.index(1), inits, step).results

    def copy_range(self, source: Value, target: Value, start: Extent, count: Extent, step: int = 1) -> None:
        """Appends elements of `source` to `target`."""
        cx = self.cx
        if step == 1:
            rt.extend(cx.b, target, source, cx.index(start), cx.index(count))
            return

        def one(i: Value, _: Sequence[Value]) -> Sequence[Value]:
            at = cx.index(cx.add(start, cx.mul(i, step)))
            rt.push(cx.b, target, rt.get(cx.b, source, at))
            return ()

        self.repeat(count, (), one)

    def position(self, source: Value, index: Extent) -> Value:
        """A Python index as one of the list, checked."""
        cx = self.cx
        n = self.length(source)
        at = cx.wrap_index(index, n)
        inside = cx.all_of(cx.compare("ge", at, 0), cx.compare("lt", at, n))
        cx.check(inside, "list index out of range")
        return cx.index(at)

    # what nodes do

    def construct(self, elements: Sequence[Lowered]) -> Value:
        target = self.new()
        for element in elements:
            self.push(target, element)
        return target

    def copy(self, source: Lowered) -> Value:
        if not is_list(source):
            return self.construct(source)
        target = self.new()
        self.copy_range(source, target, 0, self.length(source))
        return target

    def len_(self, source: Value) -> Value:
        return self.cx.i64(self.length(source))

    def getitem(self, source: Value, index: Extent) -> Lowered:
        return self.get(source, self.position(source, index))

    def set_item(self, target: Value, index: Extent, value: Lowered) -> Value:
        at = self.position(target, index)
        rt.set_(self.cx.b, target, at, self.slots(value))
        return target

    def append(self, target: Value, value: Lowered) -> Value:
        self.push(target, value)
        return target

    def extend(self, target: Value, other: Lowered) -> Value:
        if is_list(other):
            self.copy_range(other, target, 0, self.length(other))
        else:
            for element in cast(Sequence[Lowered], other):
                self.push(target, element)
        return target

    def insert(self, target: Value, index: Extent, value: Lowered) -> None:
        cx = self.cx
        n = self.length(target)
        at = cx.min(cx.max(cx.wrap_index(index, n), 0), n)
        rt.insert(cx.b, target, cx.index(at), self.slots(value))

    def pop(self, target: Value, index: Extent = -1) -> Lowered:
        cx = self.cx
        cx.check(cx.compare("gt", self.length(target), 0), "pop from empty list")
        at = self.position(target, index)
        slots = rt.get(cx.b, target, at)
        rt.erase(cx.b, target, at, cx.index(1))
        return self.value(slots)

    def delete(self, target: Value, index: Extent) -> None:
        rt.erase(self.cx.b, target, self.position(target, index), self.cx.index(1))

    def clear(self, target: Value) -> None:
        rt.erase(self.cx.b, target, self.cx.index(0), self.length(target))

    def reverse(self, target: Value) -> None:
        cx = self.cx
        n = self.length(target)
        last = cx.sub(n, 1)

        def swap(i: Value, _: Sequence[Value]) -> Sequence[Value]:
            other = cx.index(cx.sub(last, i))
            a, b = rt.get(cx.b, target, i), rt.get(cx.b, target, other)
            rt.set_(cx.b, target, i, b)
            rt.set_(cx.b, target, other, a)
            return ()

        self.repeat(cx.floordiv(n, 2), (), swap)

    def slice(self, source: Value, start: Extent | None = None, end: Extent | None = None, step: Extent = 1) -> Value:
        cx = self.cx
        if not isinstance(step, int):
            raise CompileError.at(cx.span, "the step of this slice is only known at run time")
        if step == 0:
            raise CompileError.at(cx.span, "slice step cannot be zero")
        n = self.length(source)
        first, last = sequence_bounds(cx, n, start, end, step)
        distance = cx.sub(last, first) if step > 0 else cx.sub(first, last)
        target = self.new()
        self.copy_range(source, target, first, cx.ceildiv(cx.max(distance, 0), abs(step)), step)
        return target

    def concatenate(self, a: Lowered, b: Lowered) -> Value:
        return self.extend(self.copy(a), b)

    def times(self, a: Lowered, b: Lowered) -> Value:
        given, count = (a, b) if _is_sequence(a) else (b, a)
        only = self._only_element(given)
        if only is not None:
            target = self.new()
            rt.repeat(self.cx.b, target, self.cx.index(self.cx.max(count, 0)), only)
            return target
        source: Value = given if is_list(given) else self.construct(given)
        target = self.new()
        n = self.length(source)

        def once(i: Value, _: Sequence[Value]) -> Sequence[Value]:
            del i
            self.copy_range(source, target, 0, n)
            return ()

        self.repeat(count, (), once)
        return target

    def _only_element(self, given: Lowered) -> Sequence[Value] | None:
        """The slots of the only element of a list, where it is plain that there is one: `[0] * n`."""
        if not is_list(given):
            return self.slots(given[0]) if len(given) == 1 else None
        made = cast(Value, given).defining_op("rt.list")
        if made is None or made.parent is not self.cx.b.block:
            return None
        users = list(cast(Value, given).users)
        return users[0].operands[1:] if [u.name for u in users] == ["rt.push"] and users[0].parent is made.parent else None

    def times_in_place(self, target: Value, count: Extent) -> Value:
        cx = self.cx
        n = self.length(target)

        def once(i: Value, _: Sequence[Value]) -> Sequence[Value]:
            del i
            self.copy_range(target, target, 0, n)
            return ()

        self.repeat(cx.sub(count, 1), (), once)
        left = cx.select(cx.compare("le", count, 0), n, 0)
        rt.erase(cx.b, target, cx.index(0), cx.index(left))
        return target

    # comparison

    def truth(self, condition: Value | bool) -> Value:
        return condition if isinstance(condition, Value) else arith.constant(self.cx.b, condition, I1)

    def equal(self, a: Lowered, b: Lowered) -> Value:
        return run_time_values.equal(self.cx, a, b, self.element)

    def lists_equal(self, a: Lowered, b: Lowered) -> Value:
        cx = self.cx
        x, y = (v if is_list(v) else self.construct(v) for v in (a, b))
        n, m = self.length(x), self.length(y)
        same_length = self.truth(cx.compare("eq", n, m))

        def one(i: Value, carried: Sequence[Value]) -> Sequence[Value]:
            same = self.equal(self.get(x, i), self.get(y, i))
            return [arith.andi(cx.b, carried[0], same)]

        count = cx.select(same_length, n, 0)
        return self.repeat(count, [same_length], one)[0]

    def lists_differ(self, a: Lowered, b: Lowered) -> Value:
        return arith.xori(self.cx.b, self.lists_equal(a, b), self.truth(True))

    def find(self, source: Value, value: Lowered) -> Value:
        """Index of the first equal element; the length where there is none."""
        cx = self.cx
        n = self.length(source)

        def one(i: Value, carried: Sequence[Value]) -> Sequence[Value]:
            at = cx.index(cx.sub(cx.sub(n, 1), i))  # from the end, so that the first one wins
            same = self.equal(self.get(source, at), value)
            return [arith.select(cx.b, same, at, carried[0])]

        return self.repeat(n, [n], one)[0]

    def contains(self, source: Value, value: Lowered) -> Value:
        return self.truth(self.cx.compare("lt", self.find(source, value), self.length(source)))

    def index_of(self, source: Value, value: Lowered) -> Value:
        cx = self.cx
        at = self.find(source, value)
        shown, noted = ("{}", [value]) if isinstance(value, Value) else (str(value), [])
        if not isinstance(self.element, IntType | FloatType):
            shown, noted = "the element", []
        cx.check(cx.compare("lt", at, self.length(source)), f"'{shown}' is not in list", noted)
        return cx.i64(at)

    def remove(self, target: Value, value: Lowered) -> None:
        cx = self.cx
        at = self.find(target, value)
        cx.check(cx.compare("lt", at, self.length(target)), "list.remove(x): x not in list")
        rt.erase(cx.b, target, at, cx.index(1))

    def count(self, source: Value, value: Lowered) -> Value:
        cx = self.cx

        def one(i: Value, carried: Sequence[Value]) -> Sequence[Value]:
            same = self.equal(self.get(source, i), value)
            more = arith.addi(cx.b, carried[0], arith.constant(cx.b, 1, I64))
            return [arith.select(cx.b, same, more, carried[0])]

        return self.repeat(self.length(source), [arith.constant(cx.b, 0, I64)], one)[0]

    # reductions

    def fold(self, source: Value, first: Value, start: Extent, step: Callable[[Value, Value], Value]) -> Value:
        cx = self.cx

        def one(i: Value, carried: Sequence[Value]) -> Sequence[Value]:
            return [step(carried[0], self.get(source, cx.add(i, start)))]

        return self.repeat(cx.sub(self.length(source), start), [first], one)[0]

    def _sum_of_complex(self, source: Value) -> Lowered:
        cx = self.cx
        zero = arith.constant(cx.b, 0.0, F64)

        def one(i: Value, carried: Sequence[Value]) -> Sequence[Value]:
            found = run_time_values.parts(cx, self.get(source, i))
            return [arith.addf(cx.b, x, y) for x, y in zip(carried, found, strict=True)]

        return self.value(self.repeat(self.length(source), [zero, zero], one))

    def sum(self, source: Value) -> Lowered:
        b = self.cx.b
        if isinstance(self.element, ComplexType):
            return self._sum_of_complex(source)
        if isinstance(self.element, FloatType):
            return self.fold(source, arith.constant(b, 0.0, F64), 0, lambda x, y: arith.addf(self.cx.b, x, y))
        zero = arith.constant(b, 0, I64)
        return self.fold(source, zero, 0, lambda x, y: arith.addi(self.cx.b, x, self._as_int(y)))

    def _as_int(self, value: Value) -> Value:
        return arith.extui(self.cx.b, value, I64) if value.type == I1 else value

    def _extremum(self, source: Value, integer: str, real: str) -> Value:
        cx = self.cx
        name = "min" if integer == "slt" else "max"
        cx.check(cx.compare("gt", self.length(source), 0), f"{name}() arg is an empty sequence")

        def better(x: Value, y: Value) -> Value:
            if isinstance(self.element, FloatType):
                return arith.select(cx.b, arith.cmpf(cx.b, real, y, x), y, x)
            predicate = integer.replace("s", "u") if y.type == I1 else integer
            return arith.select(cx.b, arith.cmpi(cx.b, predicate, y, x), y, x)

        return self.fold(source, self.get(source, 0), 1, better)

    def min(self, source: Value) -> Value:
        return self._extremum(source, "slt", "olt")

    def max(self, source: Value) -> Value:
        return self._extremum(source, "sgt", "ogt")

    def _is_true(self, value: Value) -> Value:
        cx = self.cx
        if value.type == I1:
            return value
        if value.type == F64:
            return arith.cmpf(cx.b, "une", value, arith.constant(cx.b, 0.0, F64))
        return arith.cmpi(cx.b, "ne", value, arith.constant(cx.b, 0, I64))

    def any(self, source: Value) -> Value:
        return self.fold(source, self.truth(False), 0, lambda x, y: arith.ori(self.cx.b, x, self._is_true(y)))

    def all(self, source: Value) -> Value:
        return self.fold(source, self.truth(True), 0, lambda x, y: arith.andi(self.cx.b, x, self._is_true(y)))

    # to tensors

    def nested(self, source: Value, t: TensorType) -> Value:
        """A list of lists of numbers as a tensor; the first elements say what its extents are."""
        cx = self.cx
        assert t.dtype is not None
        dtype = t.dtype
        sizes = [self.length(source)]
        first, lists = source, self
        while isinstance(lists.element, ListType):
            first, lists = lists.get(first, 0), Lists(cx, lists.element.element)
            sizes.append(lists.length(first))
        empty = self.truth(cx.compare("eq", sizes[-1], 0))

        def fill(lists: Lists, part: Value, into: Value, places: tuple[Value, ...]) -> Value:
            if places:
                dim = len(places)
                given = lists.length(part)
                fits = arith.ori(cx.b, empty, self.truth(cx.compare("eq", given, sizes[dim])))
                cx.check(fits, f"Expected sequence of length {{}} at dim {dim} (got {{}})", [sizes[dim], given])

            def one(i: Value, carried: Sequence[Value]) -> Sequence[Value]:
                at, item = (*places, i), lists.get(part, i)
                if isinstance(lists.element, ListType):
                    return [fill(Lists(cx, lists.element.element), item, carried[0], at)]
                return [tensor.insert(cx.b, cx.number(item, dtype), carried[0], list(at))]

            count = cx.select(empty, 0, sizes[len(places)])
            return lists.repeat(count, [into], one)[0]

        return cx.set_dtype(fill(self, source, cx.empty(sizes, dtype.element), ()), dtype)

    def vector(self, source: Value, t: TensorType) -> Value:
        """A list of numbers as a tensor of one dimension; of lists of these, as one of more."""
        if isinstance(self.element, ListType):
            return self.nested(source, t)
        cx = self.cx
        assert t.dtype is not None
        dtype = t.dtype
        init = cx.empty([self.length(source)], dtype.element)

        def one(i: Value, carried: Sequence[Value]) -> Sequence[Value]:
            number = cx.number(self.get(source, i), dtype)
            return [tensor.insert(cx.b, number, carried[0], [i])]

        return cx.set_dtype(self.repeat(self.length(source), [init], one)[0], dtype)

    def from_vector(self, source: Value, target: Value) -> None:
        """Writes the elements of a tensor of one dimension over those of a list of that length."""
        cx = self.cx

        def one(i: Value, _: Sequence[Value]) -> Sequence[Value]:
            rt.set_(cx.b, target, i, [tensor.extract(cx.b, source, [i])])
            return ()

        self.repeat(self.length(target), (), one)

    def _cannot_sort(self, source: Value) -> bool:
        """Whether PyTorch refuses to sort such elements, which is an error when the list is not empty."""
        wrong = unsortable(self.element)
        if wrong is not None:
            self.cx.check(self.cx.compare("eq", self.length(source), 0), wrong)
        return wrong is not None

    def sort(self, target: Value, reverse: Value | bool = False) -> None:
        if self._cannot_sort(target):
            return
        if isinstance(self.element, TupleType | TensorType | StrType) or isinstance(reverse, Value):
            ordered_lists.sort_in_place(self, target, reverse)
            return
        t = TensorType(number_dtype(self.element), (None,))
        values = self.vector(target, t)
        record = OPERATORS["aten::sort"]
        arguments = {"self": values, "dim": 0, "descending": bool(reverse)}
        ordered = self.cx.lower(record, arguments, (t, TensorType(DType.int64, (None,))), self.cx.span)[0]
        self.from_vector(ordered, target)

    def sorted(self, source: Value) -> Value:
        if isinstance(self.element, TupleType | TensorType | StrType) and not self._cannot_sort(source):
            return ordered_lists.sorted_copy(self, source, False)
        target = self.copy(source)
        self.sort(target)
        return target

    def stack(self, source: Value, dim: int = 0) -> Value:
        cx = self.cx
        t = cast(TensorType, self.element)
        n = self.length(source)
        cx.check(cx.compare("gt", n, 0), "stack expects a non-empty TensorList")
        dims = cx.dims(self.read(source, 0))
        axis = dim + len(dims) + 1 if dim < 0 else dim
        holes = ", ".join(["{}"] * len(dims))
        message = f"stack expects each tensor to be equal size, but got [{holes}] at entry 0 and [{holes}] at entry {{}}"
        sizes: list[Extent] = [*dims[:axis], n, *dims[axis:]]
        assert t.dtype is not None

        def one(i: Value, carried: Sequence[Value]) -> Sequence[Value]:
            value = self.read(source, i)
            given = cx.dims(value)
            fits = cx.all_of(*(cx.compare("eq", d, g) for d, g in zip(dims, given, strict=True)))
            cx.check(fits, message, [*dims, *given, i])
            whole = cx.with_unit_dims(value, [axis])
            return [_placed(cx, whole, carried[0], axis, i, [*dims[:axis], 1, *dims[axis:]])]

        return self._collected(n, sizes, t, one)

    def cat(self, source: Value, dim: int = 0) -> Value:
        cx = self.cx
        t = cast(TensorType, self.element)
        n = self.length(source)
        cx.check(cx.compare("gt", n, 0), "torch.cat(): expected a non-empty list of Tensors")
        dims = cx.dims(self.read(source, 0))
        axis = dim + len(dims) if dim < 0 else dim
        zero = cx.index(0)
        message = (
            f"Sizes of tensors must match except in dimension {axis}. Expected size {{}} but got size {{}}"
            " for tensor number {} in the list."
        )

        def measure(i: Value, carried: Sequence[Value]) -> Sequence[Value]:
            given = cx.dims(self.read(source, i))
            for k, (expected, extent) in enumerate(zip(dims, given, strict=True)):
                if k != axis:
                    cx.check(cx.compare("eq", expected, extent), message, [expected, extent, i])
            return [cx.index(cx.add(carried[0], given[axis]))]

        total = self.repeat(n, [zero], measure)[0]
        init = cx.empty([*dims[:axis], total, *dims[axis + 1 :]], _element(t))

        def one(i: Value, carried: Sequence[Value]) -> Sequence[Value]:
            value = self.read(source, i)
            length = cx.dim(value, axis)
            sizes: list[Extent] = [*dims[:axis], length, *dims[axis + 1 :]]
            return [
                _placed(cx, value, carried[0], axis, carried[1], sizes),
                cx.index(cx.add(carried[1], length)),
            ]

        return self._typed(self.repeat(n, [init, zero], one)[0], t)

    def _collected(
        self,
        count: Extent,
        sizes: Sequence[Extent],
        t: TensorType,
        one: Callable[[Value, Sequence[Value]], Sequence[Value]],
    ) -> Value:
        return self._typed(self.repeat(count, [self.cx.empty(sizes, _element(t))], one)[0], t)

    def _typed(self, value: Value, t: TensorType) -> Value:
        assert t.dtype is not None
        return self.cx.set_dtype(value, t.dtype)

    def unpack(self, source: Value, count: int) -> list[Lowered]:
        cx = self.cx
        n = self.length(source)
        cx.check(cx.compare("eq", n, count), f"Expected {count} elements in a list but found {{}}", [n])
        return [self.get(source, i) for i in range(count)]


def _element(t: TensorType) -> Type:
    assert t.dtype is not None
    return t.dtype.element


def _placed(cx: LoweringContext, value: Value, into: Value, axis: int, start: Extent, sizes: Sequence[Extent]) -> Value:
    """`into` with a slab along `axis` replaced."""
    offsets: list[Extent] = [start if i == axis else 0 for i in range(len(sizes))]
    sizes = [cx.extent(s) for s in sizes]
    wanted = tuple(s if isinstance(s, int) else None for s in sizes)
    type = RankedTensorType(wanted, cast(RankedTensorType, value.type).element)
    if value.type != type:
        value = tensor.cast_(cx.b, value, type)
    return tensor.insert_slice(cx.b, value, into, offsets, sizes, [1] * len(sizes))


_METHODS: Final[dict[str, Callable[..., Any]]] = {
    "aten::list": Lists.copy,
    "aten::copy": Lists.copy,
    "aten::len": Lists.len_,
    "aten::__getitem__": Lists.getitem,
    "aten::_set_item": Lists.set_item,
    "aten::append": Lists.append,
    "aten::extend": Lists.extend,
    "aten::insert": Lists.insert,
    "aten::pop": Lists.pop,
    "aten::Delete": Lists.delete,
    "aten::clear": Lists.clear,
    "aten::reverse": Lists.reverse,
    "aten::slice": Lists.slice,
    "aten::add": Lists.concatenate,
    "aten::add_": Lists.extend,
    "aten::mul": Lists.times,
    "aten::mul_": Lists.times_in_place,
    "aten::eq": Lists.lists_equal,
    "aten::ne": Lists.lists_differ,
    "aten::__contains__": Lists.contains,
    "aten::index": Lists.index_of,
    "aten::remove": Lists.remove,
    "aten::count": Lists.count,
    "aten::sum": Lists.sum,
    "prim::min": Lists.min,
    "prim::max": Lists.max,
    "aten::any": Lists.any,
    "aten::all": Lists.all,
    "aten::sort": Lists.sort,
    "aten::sorted": Lists.sorted,
    "aten::stack": Lists.stack,
    "aten::cat": Lists.cat,
    "aten::tensor": Lists.vector,
}


def is_list_node(op: Operation) -> bool:
    """Whether the node of the `torch` stage makes a list of run-time length, changes or reads one."""
    return split_name(op.name)[0] in _METHODS and any(
        isinstance(v.type, ListType) and v.defining_op("prim::ListConstruct") is None for v in (*op.operands, *op.results)
    )


def handles(op: Operation, arguments: Sequence[Lowered]) -> bool:
    """Whether the node works on a list of run-time length, or makes one."""
    base, _ = split_name(op.name)
    if base == "aten::list":
        return isinstance(op.result.type, ListType)
    return any(is_list(a) for a in arguments)


def lower(cx: LoweringContext, op: Operation, arguments: Sequence[Lowered]) -> list[Lowered]:
    """What the results of the node become."""
    lists = Lists(cx, _element_type(op))
    base, _ = split_name(op.name)
    if op.name == "prim::ListUnpack":
        return lists.unpack(arguments[0], len(op.results))
    if base == "aten::tensor":
        return [cx.coerce(lists.vector(arguments[0], cast(TensorType, op.result.type)), cast(TensorType, op.result.type))]
    method = _METHODS.get(base)
    if method is None:
        raise CompileError.at(op.span, f"{op.name} of a list whose length is only known at run time is not supported")
    result = method(lists, *arguments)
    if not op.results:
        return []
    if isinstance(op.result.type, TensorType) and base in ("aten::stack", "aten::cat"):
        return [cx.coerce(result, op.result.type)]
    return [result]


def _element_type(op: Operation) -> ScriptType:
    for value in (*op.operands, *op.results):
        if isinstance(value.type, ListType):
            return value.type.element
    raise InternalError(f"{op.name} has no list")
