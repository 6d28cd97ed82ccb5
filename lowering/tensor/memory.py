"""Tensors in memory at the `linalg` stage: a cell, and where its elements lie in it.

A value of the `torch` stage whose type says `in_memory` is an `InMemory` here: views compute offsets and strides,
`aten::clone` reads it or makes it, `aten::copy_` writes it. In results of control flow and in lists it takes the slots
that `forms_of` names. What a view operator checks, and what extents it gives, its own rule says, run on an empty tensor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import numpy as np

from ...ir.core import Operation, Value
from ...ir.diagnostics import CompileError
from ...ir.dialects import arith, rt, rt_views, scf, tensor
from ...ir.dialects.aten import OPERATORS
from ...ir.dialects.aten.layout import reshaped
from ...ir.dialects.aten.lowering import Extent, LoweringContext
from ...ir.dialects.aten.rules import wrap_dim
from ...ir.dtypes import DType
from ...ir.operator import OperatorError, Unsupported
from ...ir.script_types import TensorType
from ...ir.types import I1, I64, Type
from ..graph.aliases import MAX_ELEMENTS, SAME
from ..graph.view_rules import RULES, STRICT, Flag, Lying, Numbers

Lowered = Any

Strides = tuple[Extent, ...]

INTERNAL_OVERLAP: Final = (
    "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
    "Please clone() the tensor before performing the operation."
)
_INCOMPATIBLE: Final = (
    "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
    "contiguous subspaces). Use .reshape(...) instead."
)


@dataclass(frozen=True)
class InMemory:
    """Element `[i, j]` lies at `offset + i * strides[0] + j * strides[1]` of the cell."""

    cell: Value
    dtype: DType
    offset: Extent
    sizes: tuple[Extent, ...]
    strides: Strides
    is_repeated: bool = False
    """Whether several of its elements may be one, other than by strides of 0, which is looked at when it is written."""


def is_in_memory(t: Any) -> bool:
    return isinstance(t, TensorType) and t.in_memory


# slots


def forms_of(t: TensorType) -> tuple[Type, ...]:
    """The cell, the offset, a stride for each dimension, and the extents that the type leaves open."""
    assert t.dtype is not None and t.shape is not None
    count = 1 + len(t.shape) + t.shape.count(None)
    return (rt_views.cell_type(t.dtype.element), *(I64,) * count)


def slots(cx: LoweringContext, view: InMemory, t: TensorType) -> list[Value]:
    assert t.shape is not None
    if view.is_repeated:
        raise CompileError.at(cx.span, "a view in which elements repeat goes through a condition, a loop or a list here")
    sizes = [size for size, extent in zip(view.sizes, t.shape, strict=True) if extent is None]
    return [view.cell, *(cx.i64(n) for n in (view.offset, *view.strides, *sizes))]


def value(cx: LoweringContext, held: Sequence[Value], t: TensorType) -> InMemory:
    assert t.dtype is not None and t.shape is not None
    cell, offset, *numbers = held
    rank = len(t.shape)
    open_ones = iter(numbers[rank:])
    sizes = tuple(cx.extent(next(open_ones)) if e is None else e for e in t.shape)
    return InMemory(cell, t.dtype, cx.extent(offset), sizes, tuple(map(cx.extent, numbers[:rank])))


# reading and writing


def read(cx: LoweringContext, view: InMemory) -> Value:
    """The elements as they are now, as a tensor."""
    shape = [size if isinstance(size, int) else None for size in view.sizes]
    sizes = [cx.index(size) for size in view.sizes if not isinstance(size, int)]
    box = rt_views.read(cx.b, view.cell, shape, cx.index(view.offset), list(map(cx.index, view.strides)), sizes)
    content = rt.unbox(cx.b, box)
    cx.set_dims(content, list(view.sizes))
    return cx.set_dtype(content, view.dtype)


def as_value(cx: LoweringContext, lowered: Lowered) -> Lowered:
    return read(cx, lowered) if isinstance(lowered, InMemory) else lowered


def stored(cx: LoweringContext, source: Value) -> InMemory:
    """A cell of its own with the elements of a tensor."""
    sizes, dtype = tuple(cx.dims(source)), cx.dtype(source)
    flat = reshaped(cx, source, [cx.product(sizes)])
    whole = rt_views.cell_type(dtype.element).tensor
    cell = rt.box(cx.b, flat if flat.type == whole else tensor.cast_(cx.b, flat, whole))
    return InMemory(cell, dtype, 0, sizes, contiguous(cx, sizes))


def _empty(cx: LoweringContext, t: TensorType, given: Sequence[Any], strides: Sequence[Any]) -> InMemory:
    """A cell of its own with nothing in it, for a tensor that lies in it so: dense if that is only known at run time."""
    assert t.dtype is not None
    sizes, steps = tuple(map(cx.extent, given)), tuple(map(cx.extent, strides))
    count = cx.product(sizes)
    if count and all(isinstance(n, int) for n in (*sizes, *steps)):
        count = 1 + sum((n - 1) * s for n, s in zip(cast("tuple[int, ...]", sizes), cast("tuple[int, ...]", steps), strict=True))
    flat = cx.empty([count], t.dtype.element)
    whole = rt_views.cell_type(t.dtype.element).tensor
    cell = rt.box(cx.b, flat if flat.type == whole else tensor.cast_(cx.b, flat, whole))
    return InMemory(cell, t.dtype, 0, sizes, steps)


def blank(cx: LoweringContext, t: TensorType) -> InMemory:
    """A tensor of which nobody needs the elements, but which may be read: all of them are one zero."""
    assert t.dtype is not None and t.shape is not None
    one = stored(cx, cx.set_dtype(cx.fill([1], t.dtype.element, 0), t.dtype))
    return replace(one, sizes=tuple(extent or 0 for extent in t.shape), strides=(0,) * len(t.shape))


def write(cx: LoweringContext, view: InMemory, source: Value) -> None:
    if view.is_repeated and 0 not in view.sizes:
        raise CompileError.at(cx.span, INTERNAL_OVERLAP)
    repeated = [
        cx.all_of(cx.compare("eq", stride, 0), cx.compare("gt", size, 1))
        for stride, size in zip(view.strides, view.sizes, strict=True)
    ]
    not_empty = [cx.compare("ne", size, 0) for size in view.sizes]
    once = cx.all_of(cx.any_of(False, *repeated), *not_empty)
    cx.check(not once if isinstance(once, bool) else arith.xori(cx.b, once, truth(cx, True)), INTERNAL_OVERLAP)
    rt_views.write(cx.b, source, view.cell, cx.index(view.offset), list(map(cx.index, view.strides)))


def truth(cx: LoweringContext, condition: Value | bool) -> Value:
    return condition if isinstance(condition, Value) else arith.constant(cx.b, condition, I1)


def contiguous(cx: LoweringContext, sizes: Sequence[Extent]) -> Strides:
    strides: list[Extent] = []
    step: Extent = 1
    for size in reversed(sizes):
        strides.insert(0, step)
        step = cx.mul(step, size if isinstance(size, Value) else max(size, 1))
    return tuple(strides)


# nodes


def handles(op: Operation, arguments: Sequence[Lowered]) -> bool:
    """Whether the node reads, writes, makes or views a tensor in memory."""
    if op.name in ("aten::clone", "aten::empty_strided") and is_in_memory(op.result.type):
        return True
    return bool(arguments) and isinstance(arguments[0], InMemory) and op.name.startswith("aten::")


def lower(cx: LoweringContext, op: Operation, arguments: Sequence[Lowered]) -> list[Lowered]:
    """What the results of the node become."""
    first = arguments[0]
    if op.name == "aten::empty_strided":
        return [_empty(cx, cast(TensorType, op.result.type), arguments[0], arguments[1])]
    match op.name:
        case "aten::clone":
            if isinstance(first, InMemory):
                content = read(cx, first)
                return [cx.coerce(content, cast(TensorType, op.result.type))]
            return [stored(cx, first)]
        case "aten::copy_":
            write(cx, first, arguments[1])
            return [first]
        case "aten::size.int":
            return [cx.i64(first.sizes[wrap_dim(arguments[1], len(first.sizes))])]
        case "aten::stride.int":
            return [cx.i64(first.strides[wrap_dim(arguments[1], len(first.sizes))])]
        case "aten::storage_offset":
            return [cx.i64(first.offset)]
        case "aten::size":
            return [[cx.i64(size) for size in first.sizes]]
        case _:
            return [*_views(cx, op, first, arguments[1:])]


# views


@dataclass(frozen=True)
class _Numbers:
    """Extents, for `view_rules.py`."""

    cx: LoweringContext

    def add(self, a: Extent, b: Extent) -> Extent:
        return self.cx.add(a, b)

    def sub(self, a: Extent, b: Extent) -> Extent:
        return self.cx.sub(a, b)

    def mul(self, a: Extent, b: Extent) -> Extent:
        return self.cx.mul(a, b)

    def floordiv(self, a: Extent, b: Extent) -> Extent:
        return self.cx.floordiv(a, b)

    def mod(self, a: Extent, b: Extent) -> Extent:
        return self.cx.mod(a, b)

    def least(self, a: Extent, b: Extent) -> Extent:
        return self.cx.min(a, b)

    def most(self, a: Extent, b: Extent) -> Extent:
        return self.cx.max(a, b)

    def product(self, numbers: Sequence[Extent]) -> Extent:
        return self.cx.product(numbers)

    def equal(self, a: Extent, b: Extent) -> Flag:
        return self.cx.compare("eq", a, b)

    def both(self, a: Flag, b: Flag) -> Flag:
        return self.cx.all_of(a, b)

    def either(self, a: Flag, b: Flag) -> Flag:
        return self.cx.any_of(a, b)

    def chosen(self, flag: Flag, a: Extent, b: Extent) -> Extent:
        return self.cx.select(flag, a, b)

    def wrapped(self, index: Extent, extent: Extent) -> Extent:
        return self.cx.wrap_index(index, extent)

    def contiguous(self, sizes: Sequence[Extent], unit: int) -> Strides:
        return tuple(self.mul(stride, unit) for stride in contiguous(self.cx, sizes))

    def holds_for_all(self, count: Extent, test: Callable[[Numbers[Value], Extent], Flag]) -> Flag:
        cx = self.cx

        def element(b: Any, args: Sequence[Value]) -> Sequence[Value]:
            return [arith.andi(cx.b, args[1], truth(cx, test(self, args[0])))]

        return scf.for_(cx.b, cx.index(0), cx.index(count), cx.index(1), [truth(cx, True)], element).results[0]


@dataclass(frozen=True)
class _View:
    """A view operator on a tensor in memory."""

    n: _Numbers
    index: int
    source: Lying[Value]
    rest: Sequence[Any]
    sizes: Sequence[Extent]
    result_sizes: Sequence[Sequence[Extent]]
    unit: int = 1

    @property
    def rank(self) -> int:
        return len(self.sizes)

    @property
    def result_rank(self) -> int:
        return len(self.result_sizes[self.index])

    def size(self, axis: int) -> Extent:
        return self.sizes[axis]

    def result_size(self, axis: int, index: int | None = None) -> Extent:
        return self.result_sizes[self.index if index is None else index][axis]


def _views(cx: LoweringContext, op: Operation, view: InMemory, rest: Sequence[Any]) -> list[InMemory]:
    """The results of a view operator."""
    rule = RULES.get(op.name)
    if rule is None or (len(op.results) != 1 and op.name not in _PIECES):
        raise CompileError.at(op.span, f"a view made by {op.name} of a tensor in memory is not supported")
    try:
        _check_form(op, view, rest)
        is_split = op.name in _PIECES
        sizes = [_piece_sizes(view, r, rest[1]) for r in op.results] if is_split else [_sizes(cx, op, view, rest)]
        return [_viewed(cx, op, i, view, rest, sizes) for i in range(len(sizes))]
    except (OperatorError, Unsupported) as reason:
        raise CompileError.at(op.span, str(reason)) from reason


def _viewed(
    cx: LoweringContext, op: Operation, index: int, view: InMemory, rest: Sequence[Any], sizes: Sequence[Sequence[Extent]]
) -> InMemory:
    source = Lying[Value](view.offset, view.strides)
    found = RULES[op.name](_View(_Numbers(cx), index, source, rest, view.sizes, sizes))
    if found is None:
        raise Unsupported("whether this extent is 1 is only known at run time")
    own, strides = tuple(sizes[index]), tuple(map(cx.extent, found.strides))
    result = replace(view, offset=cx.extent(found.offset), sizes=own, strides=strides)
    if op.name == "aten::as_strided":
        _check_strided(cx, result)
    if op.name in STRICT:
        cx.check(found.is_shared, _INCOMPATIBLE)
    elif found.is_shared is False:
        return _copied(cx, view, own)
    elif isinstance(found.is_shared, Value):
        return _either(cx, found.is_shared, result, lambda: _copied(cx, view, own))
    return replace(result, is_repeated=_is_repeated(op.name, view, result, rest))


def _check_form(op: Operation, view: InMemory, rest: Sequence[Any]) -> None:
    """Unsupported for what the rules say nothing about."""
    if op.name == "aten::contiguous" and rest and rest[0] not in (None, 0):
        raise Unsupported("memory formats other than contiguous")
    if op.name in ("aten::real", "aten::conj") and view.dtype.is_complex:
        raise Unsupported("parts of a complex tensor of which only the run time knows what is written in place; clone() it")


def _check_strided(cx: LoweringContext, view: InMemory) -> None:
    for n in (view.offset, *view.strides):
        cx.check(cx.compare("ge", n, 0), "as_strided: Negative strides and offsets are not supported")
    end = cx.add(view.offset, 1)
    for size, stride in zip(view.sizes, view.strides, strict=True):
        end = cx.add(end, cx.mul(cx.sub(size, 1), stride))
    empty = cx.compare("eq", cx.product(view.sizes), 0)
    held = tensor.dim(cx.b, rt.unbox(cx.b, view.cell), cx.index(0))
    cx.check(
        cx.any_of(empty, cx.compare("le", end, held)),
        "setStorage: elements up to {} are out of bounds for storage of size {}",
        [end, held],
    )


def _piece_sizes(view: InMemory, result: Value, dim: int) -> list[Extent]:
    shape = cast("tuple[int | None, ...]", cast(TensorType, result.type).shape)
    if shape[wrap_dim(dim, len(shape))] is None:
        raise Unsupported("pieces whose extents are only known at run time")
    return [extent if known is None else known for extent, known in zip(view.sizes, shape, strict=True)]


def _sizes(cx: LoweringContext, op: Operation, view: InMemory, rest: Sequence[Any]) -> list[Extent]:
    """The extents of the result, checked: of what the operator makes of an empty tensor."""
    shape = cast(TensorType, op.result.type).shape
    assert shape is not None
    if op.name == "aten::as_strided":
        found: Sequence[Extent] = [cx.extent(size) for size in rest[0]]
    elif op.name in _SAME:
        found = view.sizes
    else:
        record = OPERATORS[op.name]
        empty = cx.set_dtype(cx.empty(view.sizes, view.dtype.element), view.dtype)
        names = [a.name for a in record.schema.arguments]
        given: Mapping[str, Any] = dict(zip(names, [empty, *rest], strict=True))
        plain = tuple(replace(cast(TensorType, r.type), in_memory=False) for r in op.results)
        found = cx.dims(cx.lower(record, given, plain, op.span)[0])
    return [extent if known is None else known for extent, known in zip(found, shape, strict=True)]


def _copied(cx: LoweringContext, view: InMemory, sizes: Sequence[Extent]) -> InMemory:
    return stored(cx, cx.set_dtype(reshaped(cx, read(cx, view), sizes), view.dtype))


def _either(cx: LoweringContext, condition: Value, view: InMemory, make: Callable[[], InMemory]) -> InMemory:
    """One of two of the same extents."""
    forms = [view.cell.type, *(I64,) * (1 + len(view.strides))]

    def parts(chosen: InMemory) -> list[Value]:
        return [chosen.cell, *(cx.i64(n) for n in (chosen.offset, *chosen.strides))]

    results = scf.if_(cx.b, condition, forms, lambda b, _: parts(view), lambda b, _: parts(make())).results
    cell, offset, *strides = results
    return replace(view, cell=cell, offset=cx.extent(offset), strides=tuple(map(cx.extent, strides)))


def _is_repeated(name: str, source: InMemory, view: InMemory, rest: Sequence[Any]) -> bool:
    if all(isinstance(n, int) for n in (*view.sizes, *view.strides)):
        return repeats(cast("tuple[int, ...]", view.sizes), cast("tuple[int, ...]", view.strides))
    if name == "aten::unfold":
        return source.is_repeated or rest[2] < rest[1]
    return source.is_repeated or name == "aten::as_strided"


def repeats(sizes: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether two elements lie in one place, those that strides of 0 put there not counted."""
    spans = sorted((s, n) for n, s in zip(sizes, strides, strict=True) if n > 1 and s != 0)
    reach = 0
    for stride, size in spans:
        if stride <= reach:
            return 0 not in sizes and _two_in_one_place(spans)
        reach += (size - 1) * stride
    return False


def _two_in_one_place(spans: Sequence[tuple[int, int]]) -> bool:
    if math.prod(n for _, n in spans) > MAX_ELEMENTS:
        return True
    places = np.zeros(1, np.int64)
    for stride, size in spans:
        places = np.add.outer(places, np.arange(size) * stride)
    return len(np.unique(places)) < places.size


_PIECES: Final = frozenset(("aten::tensor_split.sections", "aten::tensor_split.indices"))
"""Operators that give several views; others are made of `select` and `slice` before this stage."""

_SAME: Final = SAME | {"aten::contiguous"}

VIEWS: Final = frozenset(RULES)
"""Operators that are numbers where their tensor is in memory, whatever their records say."""
