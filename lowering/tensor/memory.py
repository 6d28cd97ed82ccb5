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
from ...ir.dialects.aten.permutation import moved, swapped
from ...ir.dialects.aten.rules import wrap_dim
from ...ir.dialects.aten.slicing import lowered_bounds
from ...ir.dtypes import DType
from ...ir.operator import OperatorError, Unsupported
from ...ir.script_types import TensorType
from ...ir.types import I1, I64, Type
from ..graph.aliases import MAX_ELEMENTS, reshaped_strides

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
        case "aten::tensor_split.sections" | "aten::tensor_split.indices":
            return list(_pieces(cx, op, first, wrap_dim(arguments[2], len(first.sizes))))
        case _:
            return [_view(cx, op, first, arguments[1:])]


Rule = Callable[[LoweringContext, InMemory, Sequence[Any], Sequence[Extent]], "tuple[Extent, Strides] | InMemory"]
"""(context, view, the operator's other arguments, extents of the result) -> offset and strides, or memory of its own."""


def _view(cx: LoweringContext, op: Operation, view: InMemory, rest: Sequence[Any]) -> InMemory:
    rule = _RULES.get(op.name)
    if rule is None or len(op.results) != 1:
        raise CompileError.at(op.span, f"a view made by {op.name} of a tensor in memory is not supported")
    try:
        sizes = _sizes(cx, op, view, rest)
        found = rule(cx, view, rest, sizes)
    except (OperatorError, Unsupported) as reason:
        raise CompileError.at(op.span, str(reason)) from reason
    if isinstance(found, InMemory):
        return found
    result = replace(view, offset=found[0], sizes=tuple(sizes), strides=found[1])
    return replace(result, is_repeated=_is_repeated(op.name, view, result, rest))


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


def _pieces(cx: LoweringContext, op: Operation, view: InMemory, axis: int) -> list[InMemory]:
    """Views one behind the other along a dimension."""
    shapes = [cast("tuple[int | None, ...]", cast(TensorType, r.type).shape) for r in op.results]
    if sum(s[axis] or 0 for s in shapes) != view.sizes[axis]:
        raise CompileError.at(op.span, f"pieces of {op.name} that leave something out are not supported here")
    found: list[InMemory] = []
    first = 0
    for shape in shapes:
        length = cast(int, shape[axis])
        sizes = (*view.sizes[:axis], length, *view.sizes[axis + 1 :])
        found.append(replace(view, offset=_moved_by(cx, view, axis, first), sizes=sizes))
        first += length
    return found


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


# views


def _itself(cx: LoweringContext, view: InMemory, rest: Sequence[Any], sizes: Sequence[Extent]) -> tuple[Extent, Strides]:
    return view.offset, view.strides


def _moved_by(cx: LoweringContext, view: InMemory, axis: int, count: Extent) -> Extent:
    return cx.add(view.offset, cx.mul(count, view.strides[axis]))


def _selected(
    cx: LoweringContext, view: InMemory, rest: Sequence[Any], sizes: Sequence[Extent]
) -> tuple[Extent, Strides]:
    axis = wrap_dim(rest[0], len(view.sizes))
    at = cx.wrap_index(rest[1], view.sizes[axis])
    return _moved_by(cx, view, axis, at), (*view.strides[:axis], *view.strides[axis + 1 :])


def _stepped(cx: LoweringContext, view: InMemory, axis: int, first: Extent, step: Extent) -> tuple[Extent, Strides]:
    stride = cx.mul(view.strides[axis], step)
    return _moved_by(cx, view, axis, first), (*view.strides[:axis], stride, *view.strides[axis + 1 :])


def _sliced(
    cx: LoweringContext, view: InMemory, rest: Sequence[Any], sizes: Sequence[Extent]
) -> tuple[Extent, Strides]:
    dim, start, end, step = rest
    axis = wrap_dim(dim, len(view.sizes))
    first, _, stride = lowered_bounds(cx, view.sizes[axis], start, end, step)
    return _stepped(cx, view, axis, first, stride)


def _narrowed(
    cx: LoweringContext, view: InMemory, rest: Sequence[Any], sizes: Sequence[Extent]
) -> tuple[Extent, Strides]:
    axis = wrap_dim(rest[0], len(view.sizes))
    return _stepped(cx, view, axis, cx.wrap_index(rest[1], view.sizes[axis]), 1)


def _ordered(order: Callable[..., Sequence[int]]) -> Rule:
    """`order(rank, other arguments)` gives the dimensions of the result by those of the source."""

    def rule(
        cx: LoweringContext, view: InMemory, rest: Sequence[Any], sizes: Sequence[Extent]
    ) -> tuple[Extent, Strides]:
        return view.offset, tuple(view.strides[i] for i in order(len(view.sizes), *rest))

    return rule


def _permuted(rank: int, dims: Sequence[int]) -> list[int]:
    return [wrap_dim(d, rank) for d in dims]


def _reversed(rank: int) -> list[int]:
    return list(reversed(range(rank)))


def _matrix_transposed(rank: int) -> list[int]:
    return swapped(rank, -2, -1)


def _unsqueezed(
    cx: LoweringContext, view: InMemory, rest: Sequence[Any], sizes: Sequence[Extent]
) -> tuple[Extent, Strides]:
    axis = wrap_dim(rest[0], len(sizes))
    own = cx.mul(view.strides[axis], view.sizes[axis]) if axis < len(view.sizes) else 1
    return view.offset, (*view.strides[:axis], own, *view.strides[axis:])


def _squeezed(
    cx: LoweringContext, view: InMemory, rest: Sequence[Any], sizes: Sequence[Extent]
) -> tuple[Extent, Strides]:
    rank = len(view.sizes)
    given: Any = rest[0] if rest else list(range(rank))
    dims = [wrap_dim(d, rank) for d in ([given] if isinstance(given, int) else cast("list[int]", given))]
    kept = [i for i in range(rank) if i not in dims or view.sizes[i] != 1]
    if len(kept) != len(sizes):
        raise Unsupported("whether this extent is 1 is only known at run time")
    return view.offset, tuple(view.strides[i] for i in kept)


def _expanded(
    cx: LoweringContext, view: InMemory, rest: Sequence[Any], sizes: Sequence[Extent]
) -> tuple[Extent, Strides]:
    missing = len(sizes) - len(view.sizes)
    old = zip(view.sizes, view.strides, sizes[missing:], strict=True)
    return view.offset, (*(0,) * missing, *(cx.select(cx.compare("eq", n, new), s, 0) for n, s, new in old))


def _diagonal(
    cx: LoweringContext, view: InMemory, rest: Sequence[Any], sizes: Sequence[Extent]
) -> tuple[Extent, Strides]:
    shift, rank = rest[0], len(view.sizes)
    first, second = (wrap_dim(d, rank) for d in rest[1:3])
    others = tuple(s for i, s in enumerate(view.strides) if i not in (first, second))
    offset = _moved_by(cx, view, second if shift >= 0 else first, abs(shift))
    return offset, (*others, cx.add(view.strides[first], view.strides[second]))


def _unfolded(
    cx: LoweringContext, view: InMemory, rest: Sequence[Any], sizes: Sequence[Extent]
) -> tuple[Extent, Strides]:
    if not view.sizes:
        return view.offset, (1,)
    axis = wrap_dim(rest[0], len(view.sizes))
    offset, strides = _stepped(cx, view, axis, 0, rest[2])
    return offset, (*strides, view.strides[axis])


def _strided(
    cx: LoweringContext, view: InMemory, rest: Sequence[Any], sizes: Sequence[Extent]
) -> tuple[Extent, Strides]:
    strides = tuple(map(cx.extent, rest[1]))
    offset = view.offset if rest[2] is None else cx.extent(rest[2])
    for n in (offset, *strides):
        cx.check(cx.compare("ge", n, 0), "as_strided: Negative strides and offsets are not supported")
    end = cx.add(offset, 1)
    for size, stride in zip(sizes, strides, strict=True):
        end = cx.add(end, cx.mul(cx.sub(size, 1), stride))
    empty = cx.compare("eq", cx.product(sizes), 0)
    held = tensor.dim(cx.b, rt.unbox(cx.b, view.cell), cx.index(0))
    cx.check(
        cx.any_of(empty, cx.compare("le", end, held)),
        "setStorage: elements up to {} are out of bounds for storage of size {}",
        [end, held],
    )
    return offset, strides


# views that depend on strides


def _viewed(cx: LoweringContext, view: InMemory, rest: Sequence[Any], sizes: Sequence[Extent]) -> tuple[Extent, Strides]:
    """The same memory in another shape, or an error."""
    possible, strides = _in_shape(cx, view, sizes)
    cx.check(possible, _INCOMPATIBLE)
    return view.offset, strides


def _reshaped(cx: LoweringContext, view: InMemory, rest: Sequence[Any], sizes: Sequence[Extent]) -> InMemory:
    """The same memory in another shape where that is possible, else a copy."""
    possible, strides = _in_shape(cx, view, sizes)
    if possible is True:
        return replace(view, sizes=tuple(sizes), strides=strides)
    if possible is False:
        return _copied(cx, view, sizes)
    shared = replace(view, sizes=tuple(sizes), strides=strides)
    return _either(cx, possible, shared, lambda: _copied(cx, view, sizes))


def _contiguous(cx: LoweringContext, view: InMemory, rest: Sequence[Any], sizes: Sequence[Extent]) -> InMemory:
    if rest and rest[0] not in (None, 0):
        raise Unsupported("memory formats other than contiguous")
    lies_so = _is_contiguous(cx, view)
    if isinstance(lies_so, bool):
        return view if lies_so else _copied(cx, view, view.sizes)
    return _either(cx, lies_so, view, lambda: _copied(cx, view, view.sizes))


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


def _is_contiguous(cx: LoweringContext, view: InMemory) -> Value | bool:
    fits: list[Value | bool] = []
    expected: Extent = 1
    for size, stride in zip(reversed(view.sizes), reversed(view.strides), strict=True):
        fits.append(cx.any_of(cx.compare("eq", size, 1), cx.compare("eq", stride, expected)))
        expected = cx.mul(expected, size)
    return cx.any_of(cx.all_of(*fits), cx.compare("eq", expected, 0))


def _in_shape(cx: LoweringContext, view: InMemory, sizes: Sequence[Extent]) -> tuple[Value | bool, Strides]:
    """Whether the elements lie so that the shape is a view, and its strides if they do."""
    if all(isinstance(n, int) for n in (*view.sizes, *view.strides, *sizes)):
        numbers = (cast("tuple[int, ...]", tuple(v)) for v in (view.sizes, view.strides, sizes))
        strides = reshaped_strides(*numbers)
        return strides is not None, strides or (0,) * len(sizes)
    lies_so = _is_contiguous(cx, view)
    if lies_so is True:
        return True, contiguous(cx, sizes)
    return _measured(cx, view, sizes)


def _measured(cx: LoweringContext, view: InMemory, sizes: Sequence[Extent]) -> tuple[Value, Strides]:
    """By the places of all elements: they have to be where strides say that fit the first ones."""

    def place(number: Extent) -> Extent:
        """Of the element with this row-major number."""
        at: Extent = 0
        for size, stride in zip(reversed(view.sizes), reversed(view.strides), strict=True):
            extent = cx.max(size, 1)
            at = cx.add(at, cx.mul(cx.mod(number, extent), stride))
            number = cx.floordiv(number, extent)
        return at

    steps = contiguous(cx, [cx.max(size, 1) for size in sizes])
    strides = tuple(place(step) for step in steps)

    def element(b: Any, args: Sequence[Value]) -> Sequence[Value]:
        expected: Extent = 0
        for size, step, stride in zip(sizes, steps, strides, strict=True):
            digit = cx.mod(cx.floordiv(args[0], step), cx.max(size, 1))
            expected = cx.add(expected, cx.mul(digit, stride))
        same = truth(cx, cx.compare("eq", place(args[0]), expected))
        return [arith.andi(cx.b, args[1], same)]

    count = cx.index(cx.product(view.sizes))
    loop = scf.for_(cx.b, cx.index(0), count, cx.index(1), [truth(cx, True)], element)
    return loop.results[0], strides


def _of_real(
    cx: LoweringContext, view: InMemory, rest: Sequence[Any], sizes: Sequence[Extent]
) -> tuple[Extent, Strides]:
    """`real` and `conj`, which are the tensor itself where it is real."""
    if view.dtype.is_complex:
        raise Unsupported("parts of a complex tensor of which only the run time knows what is written in place; clone() it")
    return _itself(cx, view, rest, sizes)


_SAME: Final = frozenset(
    f"aten::{name}"
    for name in ("alias", "detach", "lift_fresh", "positive", "conj", "resolve_conj", "resolve_neg", "real", "contiguous")
)

_RULES: Final[dict[str, Rule]] = {
    **dict.fromkeys(_SAME, _itself),
    "aten::real": _of_real,
    "aten::conj": _of_real,
    "aten::contiguous": _contiguous,
    "aten::select.int": _selected,
    "aten::slice.Tensor": _sliced,
    "aten::narrow": _narrowed,
    "aten::permute": _ordered(_permuted),
    **{f"aten::{name}": _ordered(swapped) for name in ("transpose.int", "swapdims", "swapaxes")},
    **{f"aten::{name}": _ordered(_reversed) for name in ("t", "numpy_T", "numpy_T.a")},
    **{f"aten::{name}": _ordered(_matrix_transposed) for name in ("mT", "mT.a")},
    **{f"aten::{name}": _ordered(moved) for name in ("movedim.int", "movedim.intlist", "moveaxis.int", "moveaxis.intlist")},
    "aten::unsqueeze": _unsqueezed,
    **{f"aten::{name}": _squeezed for name in ("squeeze", "squeeze.dim", "squeeze.dims")},
    **{f"aten::{name}": _expanded for name in ("expand", "expand_as", "broadcast_to")},
    "aten::diagonal": _diagonal,
    "aten::unfold": _unfolded,
    "aten::as_strided": _strided,
    **{f"aten::{name}": _viewed for name in ("view", "view_as", "unflatten.int")},
    **{f"aten::{name}": _reshaped for name in ("reshape", "reshape_as", "flatten.using_ints", "ravel")},
}
"""By the operator that makes the view."""

VIEWS: Final = frozenset(_RULES)
"""Operators that are numbers where their tensor is in memory, whatever their records say."""

