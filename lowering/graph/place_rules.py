"""Where views lie: what each view operator makes of a place, as numbers of the graph.

In: the `Place` of a tensor and a view operator on it. Out: the place of its result, by nodes written right behind the operator
where numbers are only known at run time. A place is in bytes, so that parts of complex tensors have one. `reshape` and
`contiguous` decide at run time whether they share memory, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from ...ir.builder import Builder
from ...ir.core import Block, Operation, Region, Value
from ...ir.dialects import torch
from ...ir.operators import is_view, schema
from ...ir.script_types import BOOL, INT, ScriptType, TensorType
from .aliases import is_complex_view, is_tensor
from .nodes import inferred
from .view_rules import RULES, Flag, Lying, Numbers


@dataclass(frozen=True)
class Stride:
    """The stride of a parameter in one of its dimensions, in bytes: what the caller's tensor has."""

    parameter: int
    dimension: int


Number = int | Value | Stride
"""Known, computed at run time, or given with an argument."""

NEW: Final = -1
"""The base of a tensor with memory of its own."""


@dataclass(frozen=True)
class Place:
    """Element `[i, j]` lies at `offset + i * strides[0] + j * strides[1]` of base `base`."""

    base: Number
    """A number that stands for an argument or another result, or NEW: then the rest says nothing."""
    offset: Number
    strides: tuple[Number, ...]


def new_place(rank: int) -> Place:
    return Place(NEW, 0, (0,) * rank)


# arithmetic


@dataclass
class Arithmetic:
    """Writes nodes on numbers at a point of the graph; what is known is computed now."""

    b: Builder
    given: Callable[[Stride], Value]
    """The parameter that has a stride."""

    def value(self, number: Number) -> Value:
        match number:
            case int():
                return torch.constant(self.b, number, INT)
            case Stride():
                return self.given(number)
            case _:
                return number

    def _node(self, name: str, operands: Sequence[Value], t: ScriptType) -> Value:
        return self.b.create(name, operands, (t,)).result

    def _two(self, name: str, a: Number, b: Number) -> Value:
        return self._node(name, [self.value(a), self.value(b)], INT)

    def add(self, a: Number, b: Number) -> Number:
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        return b if a == 0 else a if b == 0 else self._two("aten::add.int", a, b)

    def sub(self, a: Number, b: Number) -> Number:
        if isinstance(a, int) and isinstance(b, int):
            return a - b
        return a if b == 0 else self._two("aten::sub.int", a, b)

    def mul(self, a: Number, b: Number) -> Number:
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        if a == 0 or b == 0:
            return 0
        return b if a == 1 else a if b == 1 else self._two("aten::mul.int", a, b)

    def floordiv(self, a: Number, b: Number) -> Number:
        if isinstance(a, int) and isinstance(b, int):
            return a // b
        return a if b == 1 else self._two("aten::floordiv.int", a, b)

    def mod(self, a: Number, b: Number) -> Number:
        if isinstance(a, int) and isinstance(b, int):
            return a % b
        return 0 if b == 1 else self._two("aten::remainder.int", a, b)

    def least(self, a: Number, b: Number) -> Number:
        return min(a, b) if isinstance(a, int) and isinstance(b, int) else self._two("prim::min.int", a, b)

    def most(self, a: Number, b: Number) -> Number:
        return max(a, b) if isinstance(a, int) and isinstance(b, int) else self._two("prim::max.int", a, b)

    def product(self, numbers: Sequence[Number]) -> Number:
        found: Number = 1
        for number in numbers:
            found = self.mul(found, number)
        return found

    def equal(self, a: Number, b: Number) -> Flag:
        if isinstance(a, int) and isinstance(b, int):
            return a == b
        return True if same_number(a, b) else self._node("aten::eq.int", [self.value(a), self.value(b)], BOOL)

    def below(self, a: Number, b: Number) -> Flag:
        if isinstance(a, int) and isinstance(b, int):
            return a < b
        return self._node("aten::lt.int", [self.value(a), self.value(b)], BOOL)

    def flag(self, flag: Flag) -> Value:
        return torch.constant(self.b, flag, BOOL) if isinstance(flag, bool) else flag

    def both(self, a: Flag, b: Flag) -> Flag:
        if isinstance(a, bool):
            return b if a else False
        if isinstance(b, bool):
            return a if b else False
        return self._node("aten::__and__.bool", [a, b], BOOL)

    def either(self, a: Flag, b: Flag) -> Flag:
        if isinstance(a, bool):
            return True if a else b
        if isinstance(b, bool):
            return True if b else a
        return self._node("aten::__or__.bool", [a, b], BOOL)

    def negated(self, a: Flag) -> Flag:
        return not a if isinstance(a, bool) else self._node("aten::__not__", [a], BOOL)

    def counted(self, flag: Flag) -> Number:
        """1 or 0."""
        return int(flag) if isinstance(flag, bool) else self._node("aten::Int.bool", [flag], INT)

    def chosen(self, flag: Flag, a: Number, b: Number) -> Number:
        if isinstance(flag, bool):
            return a if flag else b
        return a if same_number(a, b) else self.add(self.mul(self.counted(flag), self.sub(a, b)), b)

    def size(self, value: Value, dim: int) -> Number:
        extent = cast(TensorType, value.type).shape
        assert extent is not None
        known = extent[dim]
        if known is not None:
            return known
        return self._node("aten::size.int", [value, torch.constant(self.b, dim, INT)], INT)

    def sizes(self, value: Value) -> list[Number]:
        return [self.size(value, d) for d in range(cast(TensorType, value.type).rank)]

    def wrapped(self, index: Number, extent: Number) -> Number:
        """A position counted from the front."""
        if isinstance(index, int):
            return index if index >= 0 else self.add(index, extent)
        return self.add(index, self.mul(self.counted(self.below(index, 0)), extent))

    def contiguous(self, sizes: Sequence[Number], unit: int) -> tuple[Number, ...]:
        strides: list[Number] = []
        step: Number = unit
        for size in reversed(sizes):
            strides.insert(0, step)
            step = self.mul(step, self.most(size, 1))
        return tuple(strides)

    def holds_for_all(self, count: Number, test: Callable[[Numbers[Value | Stride], Number], Flag]) -> Flag:
        body = Block([INT, BOOL])
        inner = Arithmetic(Builder(body, None, self.b.span), self.given)
        holds = inner.flag(inner.both(body.args[1], test(inner, body.args[0])))
        torch.yield_(inner.b, [holds, holds])
        true = self.flag(True)
        loop = self.b.create("prim::Loop", [self.value(count), true, true], (BOOL,))
        loop.add_region(Region([body]))
        return loop.result


def same_number(a: Number, b: Number) -> bool:
    return a is b if isinstance(a, Value) or isinstance(b, Value) else a == b


# operators


@dataclass(frozen=True)
class _View:
    """A view operator on a tensor that lies at `source`, in bytes."""

    n: Arithmetic
    op: Operation
    index: int
    source: Lying[Value | Stride]
    rest: Sequence[Any]

    @property
    def unit(self) -> int:
        dtype = cast(TensorType, self.op.operand(0).type).dtype
        assert dtype is not None
        return dtype.itemsize

    @property
    def rank(self) -> int:
        return cast(TensorType, self.op.operand(0).type).rank

    @property
    def result_rank(self) -> int:
        return cast(TensorType, self.op.results[self.index].type).rank

    def size(self, axis: int) -> Number:
        return self.n.size(self.op.operand(0), axis)

    def result_size(self, axis: int, index: int | None = None) -> Number:
        return self.n.size(self.op.results[self.index if index is None else index], axis)


def _given(value: Value) -> Any:
    """A Python value, a Value, or a list of them."""
    made = value.defining_op("prim::ListConstruct")
    if made is not None:
        return [_given(v) for v in made.operands]
    return torch.constant_value(value) if torch.is_constant(value) else value


def place_of_view(n: Arithmetic, op: Operation, index: int, place: Place) -> Place:
    """Where result `index` of a view operator lies; NEW where it has memory of its own, or nothing is known of it."""
    source = Lying(place.offset, place.strides)
    view = _View(n, op, index, source, [_given(v) for v in op.operands[1:]])
    if is_complex_view(op):
        rule = _COMPLEX.get(op.name)
        found = None if rule is None else rule(view)
    elif op.name.startswith(("aten::to.", "aten::as_tensor")):
        found = source if _keeps_memory(op) else None
    else:
        found = RULES[op.name](view) if op.name in RULES else None
    if found is None:
        return new_place(view.result_rank)
    return Place(n.chosen(found.is_shared, place.base, NEW), found.offset, found.strides)


def is_view_of_tensor(op: Operation) -> bool:
    form = schema(op.name)
    return form is not None and is_view(form) and bool(op.operands) and is_tensor(op.operand(0))


def _keeps_memory(op: Operation) -> bool:
    form = schema(op.name)
    at = None if form is None else form.index("copy")
    copies = at is not None and at < len(op.operands) and inferred(op.operand(at)) is not False
    return not copies and cast(TensorType, op.operand(0).type).dtype is cast(TensorType, op.result.type).dtype


# parts of complex tensors, which are of another dtype


def _real(view: _View) -> Lying[Value | Stride]:
    return view.source


def _imaginary(view: _View) -> Lying[Value | Stride]:
    return replace(view.source, offset=view.n.add(view.source.offset, view.unit // 2))


def _as_real(view: _View) -> Lying[Value | Stride]:
    return replace(view.source, strides=(*view.source.strides, view.unit // 2))


def _as_complex(view: _View) -> Lying[Value | Stride]:
    return replace(view.source, strides=view.source.strides[:-1])


_COMPLEX: Final[Mapping[str, Callable[[_View], Lying[Value | Stride]]]] = {
    "aten::real": _real,
    "aten::imag": _imaginary,
    "aten::view_as_real": _as_real,
    "aten::view_as_complex": _as_complex,
}
