"""Where views lie: for each view operator, what it makes of an offset and strides. One rule per operator, for all who ask.

In: a `View`, which is an operator on a tensor that lies somewhere, and `Numbers`, which compute with what is only known at run
time. Out: a `Lying`. `place_rules.py` has numbers that are nodes of the graph, `lowering/tensor/memory.py` those of the `linalg`
stage. Whether memory is shared is decided by strides, as in PyTorch, where the operator is a `reshape`, a `view` or `contiguous`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar, cast

from ...ir.core import Value
from ...ir.dialects.aten.permutation import moved, swapped
from .aliases import RESHAPES, SAME

N = TypeVar("N")
"""A number that is only known at run time."""

Flag = bool | Value


class Numbers(Protocol[N]):
    """Arithmetic on numbers that are known, or an `N`: what is known is computed at once."""

    def add(self, a: int | N, b: int | N) -> int | N: ...
    def sub(self, a: int | N, b: int | N) -> int | N: ...
    def mul(self, a: int | N, b: int | N) -> int | N: ...
    def floordiv(self, a: int | N, b: int | N) -> int | N: ...
    def mod(self, a: int | N, b: int | N) -> int | N: ...
    def least(self, a: int | N, b: int | N) -> int | N: ...
    def most(self, a: int | N, b: int | N) -> int | N: ...
    def product(self, numbers: Sequence[int | N]) -> int | N: ...
    def equal(self, a: int | N, b: int | N) -> Flag: ...
    def both(self, a: Flag, b: Flag) -> Flag: ...
    def either(self, a: Flag, b: Flag) -> Flag: ...
    def chosen(self, flag: Flag, a: int | N, b: int | N) -> int | N: ...

    def wrapped(self, index: int | N, extent: int | N) -> int | N:
        """A position counted from the front."""
        ...

    def contiguous(self, sizes: Sequence[int | N], unit: int) -> tuple[int | N, ...]:
        """Row-major strides."""
        ...

    def holds_for_all(self, count: int | N, test: Callable[[Numbers[N], int | N], Flag]) -> Flag:
        """Whether the test holds for all numbers below `count`."""
        ...


@dataclass(frozen=True)
class Lying(Generic[N]):
    """Element `[i, j]` lies at `offset + i * strides[0] + j * strides[1]`: in the memory of the source, if that is shared."""

    offset: int | N
    strides: tuple[int | N, ...]
    is_shared: Flag = True


class View(Protocol[N]):
    """A view operator on a tensor that lies somewhere."""

    @property
    def n(self) -> Numbers[N]: ...

    @property
    def index(self) -> int:
        """Which of its results."""
        ...

    @property
    def source(self) -> Lying[N]: ...

    @property
    def unit(self) -> int:
        """By how much offsets and strides count an element: 1, or its bytes."""
        ...

    @property
    def rest(self) -> Sequence[Any]:
        """The arguments behind the tensor: what is known as it is, numbers, lists of both."""
        ...

    @property
    def rank(self) -> int: ...

    @property
    def result_rank(self) -> int: ...

    def size(self, axis: int) -> int | N: ...

    def result_size(self, axis: int, index: int | None = None) -> int | N:
        """Of this result, or another one."""
        ...


Rule = Callable[[View[Any]], "Lying[Any] | None"]
"""None: where the operator puts the result is not known."""


def lies_contiguous(n: Numbers[N], sizes: Sequence[int | N], strides: Sequence[int | N], unit: int) -> Flag:
    fits: Flag = True
    expected: int | N = unit
    for size, stride in zip(reversed(sizes), reversed(strides), strict=True):
        if size != 1:
            fits = n.both(fits, n.either(n.equal(size, 1), n.equal(stride, expected)))
            expected = n.mul(expected, size)
    return n.either(fits, n.equal(n.product(sizes), 0))


def in_shape(
    n: Numbers[N], own: Sequence[int | N], strides: Sequence[int | N], wanted: Sequence[int | N], unit: int
) -> tuple[Flag, tuple[int | N, ...]]:
    """Whether a tensor of these extents and strides can be seen in another shape, and the strides that it has then."""
    if not own:
        return True, (unit,) * len(wanted)
    if all(isinstance(e, int) for e in (*own, *wanted)):
        return _in_static_shape(n, (cast("Sequence[int]", own), strides), cast("Sequence[int]", wanted), unit)
    lies_so = lies_contiguous(n, own, strides, unit)
    if lies_so is True:
        return True, n.contiguous(wanted, unit)
    return _measured(n, own, strides, wanted, lies_so)


def _in_static_shape(
    n: Numbers[N], tensor: tuple[Sequence[int], Sequence[int | N]], wanted: Sequence[int], unit: int
) -> tuple[Flag, tuple[int | N, ...]]:
    own, strides = tensor
    if 0 in own:
        return True, tuple(strides) if list(own) == list(wanted) else n.contiguous(wanted, unit)
    found: list[int | N] = [strides[-1]] * len(wanted)
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
    n: Numbers[N], own: Sequence[int | N], strides: Sequence[int | N], wanted: Sequence[int | N], lies_so: Flag
) -> tuple[Flag, tuple[int | N, ...]]:
    """By the places of all elements, unless they are contiguous: they have to be where strides say that fit the first ones."""

    def place(m: Numbers[N], number: int | N) -> int | N:
        """Of the element with this row-major number."""
        at: int | N = 0
        for size, stride in zip(reversed(own), reversed(strides), strict=True):
            extent = m.most(size, 1)
            at = m.add(at, m.mul(m.mod(number, extent), stride))
            number = m.floordiv(number, extent)
        return at

    steps = n.contiguous([n.most(size, 1) for size in wanted], 1)
    found = tuple(place(n, step) for step in steps)

    def fits(m: Numbers[N], number: int | N) -> Flag:
        expected: int | N = 0
        for size, step, stride in zip(wanted, steps, found, strict=True):
            digit = m.mod(m.floordiv(number, step), m.most(size, 1))
            expected = m.add(expected, m.mul(digit, stride))
        return m.equal(place(m, number), expected)

    return n.holds_for_all(n.chosen(lies_so, 0, n.product(own)), fits), found


# operators


def _axis(view: View[Any], at: int, rank: int | None = None) -> int:
    return cast(int, view.rest[at]) % max(1, view.rank if rank is None else rank)


def _moved_by(view: View[N], axis: int, count: int | N) -> int | N:
    return view.n.add(view.source.offset, view.n.mul(count, view.source.strides[axis]))


def _laid(view: View[N], strides: Sequence[int | N], is_shared: Flag = True) -> Lying[N]:
    return Lying(view.source.offset, tuple(strides), is_shared)


def _itself(view: View[N]) -> Lying[N]:
    return view.source


def _without(view: View[N], axis: int, at: int | N) -> Lying[N]:
    strides = view.source.strides
    return Lying(_moved_by(view, axis, at), (*strides[:axis], *strides[axis + 1 :]))


def _selected(view: View[N]) -> Lying[N]:
    axis = _axis(view, 0)
    return _without(view, axis, view.n.wrapped(view.rest[1], view.size(axis)))


def _first(n: Numbers[N], start: Any, extent: int | N) -> int | N:
    """Where a slice begins."""
    if start is None or (isinstance(start, int) and start == 0):
        return 0
    if isinstance(start, int) and isinstance(extent, int):
        return min(max(start + extent if start < 0 else start, 0), extent)
    return n.least(n.most(n.wrapped(start, extent), 0), extent)


def _sliced(view: View[N]) -> Lying[N]:
    axis, step = _axis(view, 0), view.rest[3]
    strides = list(view.source.strides)
    offset = _moved_by(view, axis, _first(view.n, view.rest[1], view.size(axis)))
    strides[axis] = view.n.mul(strides[axis], 1 if step is None else step)
    return Lying(offset, tuple(strides))


def _narrowed(view: View[N]) -> Lying[N]:
    axis = _axis(view, 0)
    return Lying(_moved_by(view, axis, view.n.wrapped(view.rest[1], view.size(axis))), view.source.strides)


def _ordered(order: Callable[..., Sequence[int]]) -> Rule:
    """`order(rank, other arguments)` gives the dimensions of the result by those of the source."""

    def rule(view: View[Any]) -> Lying[Any]:
        return _laid(view, [view.source.strides[i] for i in order(view.rank, *view.rest)])

    return rule


def _permuted(rank: int, dims: Sequence[int]) -> list[int]:
    return [d % rank for d in dims]


def _reversed(rank: int) -> list[int]:
    return list(reversed(range(rank)))


def _matrix_transposed(rank: int) -> list[int]:
    return swapped(rank, -2, -1)


def _unsqueezed(view: View[N]) -> Lying[N]:
    axis = _axis(view, 0, view.rank + 1)
    strides = view.source.strides
    own = view.n.mul(strides[axis], view.size(axis)) if axis < view.rank else view.unit
    return _laid(view, (*strides[:axis], own, *strides[axis:]))


def _squeezed(view: View[N]) -> Lying[N] | None:
    """None where whether an extent is 1 is only known at run time."""
    rank = view.rank
    given: Any = view.rest[0] if view.rest else list(range(rank))
    dims = [d % max(1, rank) for d in ([given] if isinstance(given, int) else cast("list[int]", given))]
    kept = [i for i in range(rank) if i not in dims or view.size(i) != 1]
    return _laid(view, [view.source.strides[i] for i in kept]) if len(kept) == view.result_rank else None


def _expanded(view: View[N]) -> Lying[N]:
    own = view.rank
    missing = view.result_rank - own
    strides: list[int | N] = []
    for i in reversed(range(view.result_rank)):
        extent: int | N = 1
        if i >= missing:
            extent, stride = view.size(i - missing), view.source.strides[i - missing]
        else:
            stride = view.n.mul(strides[0], view.result_size(i + 1)) if strides and own else 0 if not own else view.unit
        strides.insert(0, view.n.chosen(view.n.equal(extent, view.result_size(i)), stride, 0))
    return _laid(view, strides)


def _diagonal(view: View[N]) -> Lying[N]:
    n, (first, second) = view.n, (_axis(view, 1), _axis(view, 2))
    shift: int | N = view.rest[0]
    strides = view.source.strides
    others = [s for i, s in enumerate(strides) if i not in (first, second)]
    offset = _moved_by(view, second, n.most(shift, 0))
    offset = n.add(offset, n.mul(n.most(n.sub(0, shift), 0), strides[first]))
    return Lying(offset, (*others, n.add(strides[first], strides[second])))


def _unfolded(view: View[N]) -> Lying[N]:
    if not view.rank:
        return _laid(view, [view.unit])
    axis = _axis(view, 0)
    strides = list(view.source.strides)
    last = strides[axis]
    strides[axis] = view.n.mul(last, view.rest[2])
    return _laid(view, [*strides, last])


def _strided(view: View[N]) -> Lying[N]:
    given: Sequence[int | N] = view.rest[1]
    first = view.rest[2] if len(view.rest) > 2 else None
    strides = tuple(view.n.mul(s, view.unit) for s in given)
    return Lying(view.source.offset if first is None else view.n.mul(first, view.unit), strides)


def _unbound(view: View[N]) -> Lying[N]:
    return _without(view, _axis(view, 0), view.index)


def _piece(view: View[N]) -> Lying[N]:
    """One of pieces that lie one behind the other."""
    axis = _axis(view, 1)
    first: int | N = 0
    for before in range(view.index):
        first = view.n.add(first, view.result_size(axis, before))
    return Lying(_moved_by(view, axis, first), view.source.strides)


def _piece_at_indices(view: View[N]) -> Lying[N]:
    axis = _axis(view, 1)
    indices: Sequence[Any] = view.rest[0]
    start: Any = 0 if view.index == 0 else indices[view.index - 1]
    return Lying(_moved_by(view, axis, _first(view.n, start, view.size(axis))), view.source.strides)


# operators that depend on strides


def _contiguous(view: View[N]) -> Lying[N]:
    sizes = [view.size(d) for d in range(view.rank)]
    return _laid(view, view.source.strides, lies_contiguous(view.n, sizes, view.source.strides, view.unit))


def _reshaped(view: View[N]) -> Lying[N]:
    own = [view.size(d) for d in range(view.rank)]
    wanted = [view.result_size(d) for d in range(view.result_rank)]
    is_shared, strides = in_shape(view.n, own, view.source.strides, wanted, view.unit)
    return _laid(view, strides, is_shared)


STRICT: Final = frozenset(f"aten::{name}" for name in ("view", "view_as", "unflatten.int"))
"""Views that are an error where the memory cannot be shared."""

RULES: Final[Mapping[str, Rule]] = {
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
    **{f"aten::{name}": _piece for name in ("split.Tensor", "split.sizes", "split_with_sizes", "split", "chunk")},
    "aten::tensor_split.sections": _piece,
    "aten::tensor_split.indices": _piece_at_indices,
    **dict.fromkeys(STRICT, _reshaped),
    **dict.fromkeys(RESHAPES, _reshaped),
}
"""By the operator that makes the view, of tensors that are real."""
