"""Tensors in memory that do not lie row-major: the strides that PyTorch's operators give their results, computed at run time.

In: a graph whose tensors are about to be put in memory (`memory.py`), and the views in it that are decided by strides which nobody
knows at compile time (a tensor that a loop carries, of which an operator makes the next one). Out: what else has to be in memory, so that
the strides of all operands are numbers of the run time; and for each result the numbers that its own strides are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from ...ir.builder import Builder
from ...ir.core import Operation, Value
from ...ir.diagnostics import CompileError, InternalError, Note
from ...ir.dialects import torch
from ...ir.script_types import BOOL, INT, NONE, ListType, TensorType
from . import strides as rules
from .aliases import WRITE, Aliases, is_tensor, parts_of, static_shape
from .layouts import Kind, kind_of
from .place_rules import Arithmetic, Flag, Number, Stride

Strided = tuple[Sequence[Number], Sequence[Number]]
"""Extents and strides, in elements."""


@dataclass
class Laying:
    """What is to lie as PyTorch lays it: `find` puts classes of tensors in memory until the strides of all that matter are known."""

    aliases: Aliases
    class_of: Callable[[Value], Value]
    chosen: dict[Value, CompileError]
    """Classes in memory; grows."""
    makes: Callable[[Operation], bool]
    """Whether an operation makes new tensors."""
    mirrored: Sequence[Value] = ()
    """Arguments that lie in memory as they were given (`is_mirrored`)."""
    kinds: dict[Value, Kind] = field(default_factory=dict[Value, Kind])
    """Results that are laid, and by which rule."""
    strided: dict[Value, tuple[int, ...]] = field(default_factory=dict[Value, tuple[int, ...]])
    """Other tensors that are put in memory, whose strides are known."""

    def find(self, function: Operation, by_layout: frozenset[str]) -> None:
        """CompileError where an operator is in the way that lays its results in a way that is not known."""
        made: dict[Value, list[tuple[Value, Operation]]] = {}
        for op in function.walk():
            for result in op.results if self.makes(op) else ():
                if is_tensor(result) and cast(TensorType, result.type).rank > 1 and self.aliases.layouts.get(result) is None:
                    made.setdefault(self.class_of(result), []).append((result, op))
        pending: list[tuple[Value, Operation]] = []
        decided: set[Value] = set()
        for op in function.walk():
            if op.name in by_layout and is_tensor(op.operand(0)) and self.class_of(op.operand(0)) in self.chosen:
                own = self.class_of(op.operand(0))
                decided.add(own)
                if self.aliases.layouts.get(op.operand(0)) is None:
                    pending.append((own, op))
        asked = {own for own, _ in pending}
        while pending:
            own, asking = pending.pop()
            for result, op in made.get(own, ()):
                kind = kind_of(op, result)
                if kind is None:
                    raise _unknown(asking, op)
                self.kinds[result] = kind
                for source in self.sources(op) if kind.asks else ():
                    if self.aliases.layouts.get(source) is not None or cast(TensorType, source.type).rank < 2:
                        continue
                    other = self.class_of(source)
                    self.chosen.setdefault(other, self.chosen[own])
                    if other not in asked:
                        asked.add(other)
                        pending.append((other, asking))
        for op in function.walk() if decided or asked else ():
            for value in (*op.results, *(a for r in op.regions for block in r.blocks for a in block.args)):
                self.note(value, decided | asked)

        for argument in self.mirrored:
            if self.class_of(argument) in self.chosen:
                self.strided[argument] = cast("tuple[int, ...]", self.aliases.layouts[argument])

    def note(self, value: Value, classes: set[Value]) -> None:
        """A tensor that is put in memory, is not row-major, and whose strides are known."""
        layout = self.aliases.layouts.get(value) if is_tensor(value) else None
        if isinstance(layout, tuple) and self.class_of(value) in classes:
            shape = static_shape(value.type)
            if shape is not None and not rules.is_contiguous(shape, layout) and rules.is_dense(shape, layout):
                self.strided[value] = layout

    @staticmethod
    def sources(op: Operation) -> list[Value]:
        return [part for operand in op.operands for part in parts_of(operand)]


def _unknown(asking: Operation, made: Operation) -> CompileError:
    return CompileError.at(
        asking.span,
        "whether this shares memory with what it is made from, which is changed in place, is not known",
        notes=[Note("how this lies in memory is only known at run time", made.span)] if made.span else (),
        help="clone() it, or make it contiguous() where it is made",
    )


def stored_so(b: Builder, value: Value, strides: Sequence[Number]) -> Value:
    """The elements of a new tensor in memory of its own, in which they lie so."""
    n = Arithmetic(b, not_given)
    sizes = n.sizes(value)
    none = torch.constant(b, None, NONE)

    def numbers(given: Sequence[Number]) -> Value:
        return b.create("prim::ListConstruct", [n.value(g) for g in given], (ListType(INT),)).result

    t = cast(TensorType, value.type)
    assert t.dtype is not None
    dtype = torch.constant(b, t.dtype.value, INT)
    memory = TensorType(t.dtype, t.shape, in_memory=True)
    root = b.create("aten::empty_strided", [numbers(sizes), numbers(strides), dtype, none, none, none], (memory,)).result
    b.create(WRITE, [root, value, torch.constant(b, False, BOOL)], (memory,))
    return root


def not_given(stride: Stride) -> Value:
    raise InternalError(f"a stride of parameter {stride.parameter} in memory")


def all_parts(operand: Value) -> list[Value]:
    """The tensors of an operand: itself, in memory or not, or those of a list that is made for it."""
    made = operand.defining_op("prim::ListConstruct")
    if made is not None:
        return [v for v in made.operands if isinstance(v.type, TensorType)]
    return [operand] if isinstance(operand.type, TensorType) else []


def strides_of(n: Arithmetic, value: Value, aliases: Aliases) -> Strided:
    """The extents and strides of an operand: in memory, or known."""
    t = cast(TensorType, value.type)
    sizes = n.sizes(value)
    layout = None if t.in_memory else aliases.layouts.get(value)
    if isinstance(layout, tuple):
        return sizes, layout
    if layout is not None or (t.rank < 2 and not t.in_memory):
        return sizes, n.contiguous(sizes, 1)
    numbers = [n.b.create("aten::stride.int", [value, n.value(d)], (INT,)).result for d in range(t.rank)]
    return sizes, numbers


def strides_made(n: Arithmetic, kind: Kind, sizes: Sequence[Number], operands: Sequence[Strided]) -> Sequence[Number]:
    """Of what an operator makes of operands that lie so."""
    match kind.name:
        case "row-major":
            return n.contiguous(sizes, 1)
        case "formatted":
            return in_order(n, sizes, rules.order_of_format(kind.memory_format, len(sizes)) or ())
        case "kept":
            return kept(n, *operands[0])
        case "converted":
            return converted(n, *operands[0])
        case _:
            return elementwise(n, sizes, operands)


# the rules of `strides.py`, as numbers of the graph; extents of 1 may have other strides


def in_order(n: Arithmetic, sizes: Sequence[Number], order: Sequence[int]) -> list[Number]:
    """Dense strides; `order`: the dimensions, the one with the smallest stride first."""
    strides: list[Number] = [0] * len(sizes)
    step: Number = 1
    for dim in order:
        strides[dim] = step
        step = n.mul(step, n.most(sizes[dim], 1))
    return strides


def kept(n: Arithmetic, sizes: Sequence[Number], strides: Sequence[Number]) -> list[Number]:
    """Of a copy that keeps the format."""
    return _sorted_strides(n, sizes, [strides])


def converted(n: Arithmetic, sizes: Sequence[Number], strides: Sequence[Number]) -> list[Number]:
    """Of a copy of another dtype: row-major where the elements do not lie one next to the other."""
    found = kept(n, sizes, strides)
    is_dense: Flag = True
    for size, own, stride in zip(sizes, found, strides, strict=True):
        is_dense = n.both(is_dense, n.either(n.equal(size, 1), n.equal(own, stride)))
    return [n.chosen(is_dense, a, b) for a, b in zip(found, n.contiguous(sizes, 1), strict=True)]


def elementwise(n: Arithmetic, sizes: Sequence[Number], operands: Sequence[Strided]) -> list[Number]:
    """Of the result of an elementwise operator."""
    stretched: list[list[Number]] = []
    for own, strides in operands:
        missing = len(sizes) - len(own)
        inner = [
            n.chosen(n.both(n.equal(size, 1), n.negated(n.equal(wide, 1))), 0, stride)
            for size, stride, wide in zip(own, strides, sizes[missing:], strict=True)
        ]
        stretched.append([*(0,) * missing, *inner])
    return _sorted_strides(n, sizes, stretched)


@dataclass(frozen=True)
class _Dimension:
    """One that is on its way to its place in the order."""

    number: Number
    size: Number
    strides: tuple[Number, ...]
    """Of each operand."""


def _sorted_strides(n: Arithmetic, sizes: Sequence[Number], operands: Sequence[Sequence[Number]]) -> list[Number]:
    """Dense strides, in the order in which the operands lie: PyTorch's insertion sort, which goes past what is open, unrolled."""
    rank = len(sizes)
    order = [_Dimension(d, sizes[d], tuple(s[d] for s in operands)) for d in reversed(range(rank))]
    for i in range(1, rank):
        moving = order[i]
        at: list[Flag] = [p == i for p in range(i + 1)]
        is_active: Flag = True
        for k in range(i - 1, -1, -1):
            found = _compare(n, order[k], moving)
            swaps = n.both(is_active, n.below(0, found))
            passed = order[k]
            for p in range(k + 1, i + 1):
                order[p] = _chosen(n, n.both(swaps, at[p]), passed, order[p])
                at[p] = n.both(at[p], n.negated(swaps))
            order[k] = _chosen(n, swaps, moving, passed)
            at[k] = swaps
            is_active = n.both(is_active, n.negated(n.below(found, 0)))
    steps: list[Number] = []
    step: Number = 1
    for dimension in order:
        steps.append(step)
        step = n.mul(step, n.most(dimension.size, 1))
    strides: list[Number] = []
    for d in range(rank):
        found = steps[0]
        for dimension, own in zip(order[1:], steps[1:], strict=True):
            found = n.chosen(n.equal(dimension.number, d), own, found)
        strides.append(found)
    return strides


def _chosen(n: Arithmetic, flag: Flag, a: _Dimension, b: _Dimension) -> _Dimension:
    strides = tuple(n.chosen(flag, x, y) for x, y in zip(a.strides, b.strides, strict=True))
    return _Dimension(n.chosen(flag, a.number, b.number), n.chosen(flag, a.size, b.size), strides)


def _compare(n: Arithmetic, a: _Dimension, b: _Dimension) -> Number:
    """Below 0 where `a` varies faster, above 0 where `b` does, 0 where that is open."""
    found: Number = 0
    for first, second in reversed(list(zip(a.strides, b.strides, strict=True))):
        larger = n.counted(n.below(b.size, a.size))
        own = n.chosen(n.below(first, second), -1, n.chosen(n.equal(first, second), larger, 1))
        own = n.chosen(n.either(n.equal(first, 0), n.equal(second, 0)), 0, own)
        found = n.chosen(n.equal(own, 0), found, own)
    return found
