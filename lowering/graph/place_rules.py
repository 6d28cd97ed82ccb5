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
from ...ir.dialects.aten.permutation import moved, swapped
from ...ir.operators import is_view, schema
from ...ir.script_types import BOOL, INT, ScriptType, TensorType
from .aliases import RESHAPES, SAME, is_complex_view, is_tensor
from .nodes import inferred


@dataclass(frozen=True)
class Stride:
    """The stride of a parameter in one of its dimensions, in bytes: what the caller's tensor has."""

    parameter: int
    dimension: int


Number = int | Value | Stride
"""Known, computed at run time, or given with an argument."""

Flag = bool | Value

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

    def contiguous(self, sizes: Sequence[Number], itemsize: int) -> tuple[Number, ...]:
        strides: list[Number] = []
        step: Number = itemsize
        for size in reversed(sizes):
            strides.insert(0, step)
            step = self.mul(step, self.most(size, 1))
        return tuple(strides)


def same_number(a: Number, b: Number) -> bool:
    return a is b if isinstance(a, Value) or isinstance(b, Value) else a == b


# operators


@dataclass(frozen=True)
class _View:
    """A view operator under inspection."""

    n: Arithmetic
    op: Operation
    index: int
    place: Place

    @property
    def source(self) -> Value:
        return self.op.operand(0)

    @property
    def result(self) -> Value:
        return self.op.results[self.index]

    @property
    def rank(self) -> int:
        return cast(TensorType, self.source.type).rank

    @property
    def itemsize(self) -> int:
        dtype = cast(TensorType, self.source.type).dtype
        assert dtype is not None
        return dtype.itemsize

    def argument(self, i: int) -> Any:
        """A Python value, a Value, or a list of them."""
        return _given(self.op.operand(i))

    def axis(self, i: int, rank: int | None = None) -> int:
        return cast(int, self.argument(i)) % max(1, self.rank if rank is None else rank)

    def moved_by(self, axis: int, count: Number) -> Number:
        return self.n.add(self.place.offset, self.n.mul(count, self.place.strides[axis]))

    def with_strides(self, strides: Sequence[Number]) -> Place:
        return replace(self.place, strides=tuple(strides))

    def if_shared(self, shared: Flag, strides: Sequence[Number]) -> Place:
        """A view where `shared` holds, else a new tensor."""
        base = self.n.chosen(shared, self.place.base, NEW)
        return replace(self.place, base=base, strides=tuple(strides))


def _given(value: Value) -> Any:
    made = value.defining_op("prim::ListConstruct")
    if made is not None:
        return [_given(v) for v in made.operands]
    return torch.constant_value(value) if torch.is_constant(value) else value


def place_of_view(n: Arithmetic, op: Operation, index: int, place: Place) -> Place:
    """Where result `index` of a view operator lies; NEW where it has memory of its own, or nothing is known of it."""
    view = _View(n, op, index, place)
    rank = cast(TensorType, view.result.type).rank
    if is_complex_view(op):
        rule = _COMPLEX.get(op.name)
    elif op.name.startswith(("aten::to.", "aten::as_tensor")):
        rule = _itself if _keeps_memory(op) else None
    else:
        rule = _RULES.get(op.name)
    found = None if rule is None else rule(view)
    return new_place(rank) if found is None else found


def is_view_of_tensor(op: Operation) -> bool:
    form = schema(op.name)
    return form is not None and is_view(form) and bool(op.operands) and is_tensor(op.operand(0))


def _keeps_memory(op: Operation) -> bool:
    form = schema(op.name)
    at = None if form is None else form.index("copy")
    copies = at is not None and at < len(op.operands) and inferred(op.operand(at)) is not False
    return not copies and cast(TensorType, op.operand(0).type).dtype is cast(TensorType, op.result.type).dtype


Rule = Callable[[_View], Place | None]


def _itself(view: _View) -> Place:
    return view.place


def _selected(view: _View) -> Place:
    axis = view.axis(1)
    at = view.n.wrapped(view.argument(2), view.n.size(view.source, axis))
    strides = view.place.strides
    return Place(view.place.base, view.moved_by(axis, at), (*strides[:axis], *strides[axis + 1 :]))


def _first(n: Arithmetic, start: Any, extent: Number) -> Number:
    """Where a slice begins."""
    if start is None or start == 0:
        return 0
    if isinstance(start, int) and isinstance(extent, int):
        return min(max(start + extent if start < 0 else start, 0), extent)
    return n.least(n.most(n.wrapped(start, extent), 0), extent)


def _sliced(view: _View) -> Place:
    axis = view.axis(1)
    step = view.argument(4)
    first = _first(view.n, view.argument(2), view.n.size(view.source, axis))
    strides = list(view.place.strides)
    offset = view.moved_by(axis, first)
    strides[axis] = view.n.mul(strides[axis], 1 if step is None else step)
    return Place(view.place.base, offset, tuple(strides))


def _narrowed(view: _View) -> Place:
    axis = view.axis(1)
    first = view.n.wrapped(view.argument(2), view.n.size(view.source, axis))
    return replace(view.place, offset=view.moved_by(axis, first))


def _ordered(order: Callable[..., Sequence[int]]) -> Rule:
    """`order(rank, other arguments)` gives the dimensions of the result by those of the source."""

    def rule(view: _View) -> Place:
        rest = [view.argument(i) for i in range(1, len(view.op.operands))]
        return view.with_strides([view.place.strides[i] for i in order(view.rank, *rest)])

    return rule


def _permuted(rank: int, dims: Sequence[int]) -> list[int]:
    return [d % rank for d in dims]


def _reversed(rank: int) -> list[int]:
    return list(reversed(range(rank)))


def _matrix_transposed(rank: int) -> list[int]:
    return swapped(rank, -2, -1)


def _unsqueezed(view: _View) -> Place:
    axis = view.axis(1, view.rank + 1)
    strides = view.place.strides
    own: Number = view.itemsize
    if axis < view.rank:
        own = view.n.mul(strides[axis], view.n.size(view.source, axis))
    return view.with_strides((*strides[:axis], own, *strides[axis:]))


def _squeezed(view: _View) -> Place | None:
    rank = view.rank
    given: Any = view.argument(1) if len(view.op.operands) > 1 else list(range(rank))
    dims = [d % max(1, rank) for d in ([given] if isinstance(given, int) else cast("list[int]", given))]
    shape = cast(TensorType, view.source.type).shape
    assert shape is not None
    kept = [i for i in range(rank) if i not in dims or shape[i] != 1]
    if len(kept) != cast(TensorType, view.result.type).rank:
        return None
    return view.with_strides([view.place.strides[i] for i in kept])


def _expanded(view: _View) -> Place:
    own, wanted = view.n.sizes(view.source), view.n.sizes(view.result)
    missing = len(wanted) - len(own)
    strides: list[Number] = []
    for i in reversed(range(len(wanted))):
        if i >= missing:
            extent, stride = own[i - missing], view.place.strides[i - missing]
        else:
            extent = 1
            stride = view.n.mul(strides[0], wanted[i + 1]) if strides and own else 0 if not own else view.itemsize
        fits = view.n.equal(extent, wanted[i])
        strides.insert(0, view.n.mul(view.n.counted(fits), stride))
    return view.with_strides(strides)


def _diagonal(view: _View) -> Place:
    n, (first, second) = view.n, (view.axis(2), view.axis(3))
    shift: Number = view.argument(1)
    strides = view.place.strides
    others = [s for i, s in enumerate(strides) if i not in (first, second)]
    offset = view.moved_by(second, n.most(shift, 0))
    offset = n.add(offset, n.mul(n.most(n.sub(0, shift), 0), strides[first]))
    return Place(view.place.base, offset, (*others, n.add(strides[first], strides[second])))


def _unfolded(view: _View) -> Place:
    if not view.rank:
        return view.with_strides([view.itemsize])
    axis = view.axis(1)
    strides = list(view.place.strides)
    last = strides[axis]
    strides[axis] = view.n.mul(last, view.argument(3))
    return view.with_strides([*strides, last])


def _strided(view: _View) -> Place:
    given: list[Number] = view.argument(2)
    first = view.argument(3) if len(view.op.operands) > 3 else None
    strides = [view.n.mul(s, view.itemsize) for s in given]
    offset = view.place.offset if first is None else view.n.mul(first, view.itemsize)
    return Place(view.place.base, offset, tuple(strides))


def _unbound(view: _View) -> Place:
    axis = view.axis(1)
    strides = view.place.strides
    return Place(view.place.base, view.moved_by(axis, view.index), (*strides[:axis], *strides[axis + 1 :]))


def _piece(at: int) -> Rule:
    """One of pieces that lie one behind the other; the dimension is argument `at`."""

    def rule(view: _View) -> Place:
        axis = view.axis(at)
        first: Number = 0
        for before in view.op.results[: view.index]:
            first = view.n.add(first, view.n.size(before, axis))
        return replace(view.place, offset=view.moved_by(axis, first))

    return rule


def _piece_at_indices(view: _View) -> Place:
    axis = view.axis(2)
    indices: list[Any] = view.argument(1)
    start: Any = 0 if view.index == 0 else indices[view.index - 1]
    first = _first(view.n, start, view.n.size(view.source, axis))
    return replace(view.place, offset=view.moved_by(axis, first))


# operators that depend on strides


def _contiguous(view: _View) -> Place:
    lies_so = lies_contiguous(view.n, view.n.sizes(view.source), view.place.strides, view.itemsize)
    return view.if_shared(lies_so, view.place.strides)


def lies_contiguous(n: Arithmetic, sizes: Sequence[Number], strides: Sequence[Number], itemsize: int) -> Flag:
    fits: Flag = True
    expected: Number = itemsize
    for size, stride in zip(reversed(sizes), reversed(strides), strict=True):
        if size != 1:
            fits = n.both(fits, n.either(n.equal(size, 1), n.equal(stride, expected)))
            expected = n.mul(expected, size)
    return n.either(fits, n.equal(n.product(sizes), 0))


def _reshaped(view: _View) -> Place:
    n = view.n
    own, wanted = n.sizes(view.source), n.sizes(view.result)
    if not own:
        return view.with_strides((view.itemsize,) * len(wanted))
    strides = view.place.strides
    if all(isinstance(e, int) for e in (*own, *wanted)):
        return view.if_shared(*_in_static_shape(n, (cast("list[int]", own), strides), cast("list[int]", wanted), view.itemsize))
    lies_so = lies_contiguous(n, own, strides, view.itemsize)
    if lies_so is True:
        return view.with_strides(n.contiguous(wanted, view.itemsize))
    return view.if_shared(*_measured(n, own, strides, wanted, lies_so))


def _in_static_shape(
    n: Arithmetic, tensor: tuple[Sequence[int], Sequence[Number]], wanted: Sequence[int], itemsize: int
) -> tuple[Flag, tuple[Number, ...]]:
    """Whether a tensor of these extents and strides can be seen in another shape, and the strides that it has then."""
    own, strides = tensor
    if 0 in own:
        return True, tuple(strides) if list(own) == list(wanted) else n.contiguous(wanted, itemsize)
    found: list[Number] = [strides[-1]] * len(wanted)
    possible: Flag = True
    at = len(wanted) - 1
    dims = iter([d for d in reversed(range(len(own))) if own[d] != 1])
    for dim in dims:
        base, reached, made = strides[dim], own[dim], 1
        while True:
            while at >= 0 and (made < reached or wanted[at] == 1):
                found[at] = n.mul(base, made)
                made *= wanted[at]
                at -= 1
            if made <= reached:
                break
            dim = next(dims)  # these make up one of the new dimensions: they have to lie one behind the other
            possible = n.both(possible, n.equal(strides[dim], n.mul(base, reached)))
            reached *= own[dim]
    return possible, tuple(found)


def _measured(
    n: Arithmetic, own: Sequence[Number], strides: Sequence[Number], wanted: Sequence[Number], lies_so: Flag
) -> tuple[Flag, tuple[Number, ...]]:
    """By the places of all elements, unless they are contiguous: they have to be where strides say that fit the first ones."""

    def place(m: Arithmetic, number: Number) -> Number:
        """Of the element with this row-major number."""
        at: Number = 0
        for size, stride in zip(reversed(own), reversed(strides), strict=True):
            extent = m.most(size, 1)
            at = m.add(at, m.mul(m.mod(number, extent), stride))
            number = m.floordiv(number, extent)
        return at

    steps = n.contiguous(wanted, 1)
    found = tuple(place(n, step) for step in steps)
    count = n.mul(n.product(own), n.counted(n.negated(lies_so)))
    body = Block([INT, BOOL])
    inner = Arithmetic(Builder(body, None, n.b.span), n.given)
    expected: Number = 0
    for size, step, stride in zip(wanted, steps, found, strict=True):
        digit = inner.mod(inner.floordiv(body.args[0], step), inner.most(size, 1))
        expected = inner.add(expected, inner.mul(digit, stride))
    fits = inner.both(body.args[1], inner.equal(place(inner, body.args[0]), expected))
    torch.yield_(inner.b, [inner.flag(fits), inner.flag(fits)])
    true = n.flag(True)
    loop = n.b.create("prim::Loop", [n.value(count), true, true], (BOOL,))
    loop.add_region(Region([body]))
    return loop.result, found


# parts of complex tensors


def _of_complex(view: _View) -> Place:
    """The real part: the same memory, of another dtype."""
    return view.place


def _imaginary(view: _View) -> Place:
    return replace(view.place, offset=view.n.add(view.place.offset, view.itemsize // 2))


def _as_real(view: _View) -> Place:
    return view.with_strides([*view.place.strides, view.itemsize // 2])


def _as_complex(view: _View) -> Place:
    return view.with_strides(view.place.strides[:-1])


_COMPLEX: Final[Mapping[str, Rule]] = {
    "aten::real": _of_complex,
    "aten::imag": _imaginary,
    "aten::view_as_real": _as_real,
    "aten::view_as_complex": _as_complex,
}

_RULES: Final[Mapping[str, Rule]] = {
    **dict.fromkeys(SAME, _itself),
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
    "aten::unbind.int": _unbound,
    **{f"aten::{name}": _piece(2) for name in ("split.Tensor", "split.sizes", "split_with_sizes", "split", "chunk")},
    "aten::tensor_split.sections": _piece(2),
    "aten::tensor_split.indices": _piece_at_indices,
    **{f"aten::{name}": _reshaped for name in ("view", "view_as", "unflatten.int")},
    **dict.fromkeys(RESHAPES, _reshaped),
}
