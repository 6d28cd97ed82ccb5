"""Lets results be computed where they are needed: inside a padded image, or in their part of a joined tensor.

In: buffers, after `bufferize`. Out: the same, without the copies of whole buffers into parts of others that come after:

    %a = alloc                                     %p = alloc
    generic outs(%a)                               fill %p
    %p = alloc                                     %s = subview %p [...]
    fill %p                               =>       generic outs(%s)
    %s = subview %p [...]
    copy %a, %s
    dealloc %a

The border is filled first. Legal where nobody needs %a after the copy, and nobody touches that part of %p before it.

Where the first thing that happens to a filled buffer is that most of it is written, only its border is filled.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, cast

from ...ir.builder import Builder
from ...ir.core import Block, Operation, Value, functions
from ...ir.dialects import linalg, memref
from ...ir.types import MemRefType
from ..indexing import dropped_dims, slice_parameters
from .bufferize import VIEWS
from .nest import root

_COMPUTED: Final = frozenset({"linalg.generic", "linalg.fill"})
"""Operations that do not mind how the rows of a buffer lie."""

_MOST_OUTSIDE: Final = 2
"""A buffer is this many times as large as its inside, at most, if its border is filled apart: that is several small loops."""


@dataclass(frozen=True)
class WriteInPlace:
    name: str = "write-in-place"

    def apply(self, module: Operation) -> Operation:
        for function in functions(module):
            written: dict[Operation, list[Operation]] = {}
            for op in list(function.walk()):
                if op.name == "memref.copy" and op.parent is not None and (avoided := _avoid(op)) is not None:
                    fill, view = avoided
                    written.setdefault(fill, []).append(view)
            for op in list(function.walk()):
                if op.name == "linalg.fill":
                    _fill_border(op, written.get(op, []))
        return module


@dataclass(frozen=True)
class _Copy:
    """A whole buffer that is copied into a part of another one; all in one block."""

    op: Operation
    source: Operation
    view: Operation
    target: Operation

    @property
    def block(self) -> Block:
        return cast(Block, self.op.parent)


def _avoid(op: Operation) -> tuple[Operation, Operation] | None:
    """Computes the source where it is copied to; what fills the target before, and the part that is written after that, if so."""
    copy = _copy_of(op)
    if copy is None or not _is_computed_before(copy):
        return None
    fill = _fill_of(copy)
    if not _is_untouched(copy, fill):
        return None
    anchor = copy.source
    for moved in (copy.target, fill, copy.view):
        if moved is not None and anchor.is_before(moved):
            _move(moved, anchor)
    _rebase(copy.source.result, copy.view.result)
    for user in list(copy.view.result.users):
        if user.name == "memref.dealloc":
            user.erase()
    op.erase()
    copy.source.erase()
    return None if fill is None else (fill, copy.view)


def _rebase(old: Value, new: Value) -> None:
    """Everything that is done with a buffer and its parts is done with `new`, whose rows lie otherwise."""
    for user in list(old.users):
        if user.name != "memref.subview":
            continue
        offsets, sizes, strides = slice_parameters(user)
        dropped = dropped_dims(memref.memref_type(user.result).shape, sizes)
        part = memref.subview(Builder.before(user), new, offsets, sizes, strides, dropped)
        _rebase(user.result, part)
        user.erase()
    old.replace_all_uses_with(new)


def _copy_of(op: Operation) -> _Copy | None:
    source = op.operand(0).defining_op("memref.alloc")
    view = op.operand(1).defining_op("memref.subview")
    target = None if view is None else view.operand(0).defining_op("memref.alloc")
    if source is None or view is None or target is None or len(view.result.uses) != 1:
        return None
    if any(part.parent is not op.parent for part in (source, view, target)) or source.operands or target.operands:
        return None
    shapes = [memref.memref_type(v).shape for v in (source.result, view.result)]
    if _box(view) is None or shapes[0] != shapes[1]:
        return None
    return _Copy(op, source, view, target)


@dataclass(frozen=True)
class _Line:
    """Elements `first`, `first + step`, ... up to `last`, along one dimension."""

    first: int
    last: int
    step: int

    def is_apart(self, other: _Line) -> bool:
        return (
            self.last < other.first
            or other.last < self.first
            or (self.first - other.first) % math.gcd(self.step, other.step) != 0
        )


def _box(view: Operation) -> list[_Line] | None:
    """The elements of a part along each dimension, where known."""
    box: list[_Line] = []
    for offset, size, step in zip(*slice_parameters(view), strict=True):
        if not isinstance(offset, int) or not isinstance(size, int) or not isinstance(step, int) or step < 1:
            return None
        box.append(_Line(offset, offset + (size - 1) * step, step))
    return box


def _is_computed_before(copy: _Copy) -> bool:
    """Whether all that touches the source, or parts of it, are structured operations and copies in front of the copy."""
    pending = [copy.source.result]
    for value in pending:
        for user in value.users:
            if user is copy.op:
                continue
            if user.parent is not copy.block:
                return False
            if user.name == "memref.dealloc":
                continue
            if user.name == "memref.subview":
                pending.append(user.result)
            elif not user.is_before(copy.op) or not (user.name in _COMPUTED or (user.name == "memref.copy" and len(pending) > 1)):
                return False
    return True


def _fill_of(copy: _Copy) -> Operation | None:
    """What fills all of the target, if the first thing that touches it is that."""
    fills = [u for u in copy.target.result.users if u.name == "linalg.fill" and u.operand(1) is copy.target.result]
    return fills[0] if len(fills) == 1 and fills[0].parent is copy.block else None


def _is_untouched(copy: _Copy, fill: Operation | None) -> bool:
    """Whether nobody else reads or writes that part of the target before the copy."""
    if fill is not None and (not fill.is_before(copy.op) or not _is_at_hand(fill.operand(0), copy)):
        return False
    box = _box(copy.view)
    assert box is not None
    for user in copy.target.result.users:
        if user in (copy.view, fill):
            continue
        if user.name in VIEWS:
            if not _is_later(user, copy) and (fill is not None or not _is_apart(user, box, copy)):
                return False
        elif not _is_behind(user, copy):
            return False
    return True


def _is_at_hand(value: Value, copy: _Copy) -> bool:
    """Whether a value can be had where the source is allocated: it is there, or a constant that moves."""
    op = value.defining_op()
    return op is None or op.name == "arith.constant" or (op.parent is copy.block and op.is_before(copy.source))


def _is_behind(user: Operation, copy: _Copy) -> bool:
    """Whether an operation, or the one of the block that it is nested in, stands behind the copy."""
    op: Operation | None = user
    while op is not None and op.parent is not copy.block:
        op = op.parent_op
    return op is not None and copy.op.is_before(op)


def _is_later(view: Operation, copy: _Copy) -> bool:
    """Whether a view is used behind the copy only."""
    pending = [view]
    for op in pending:
        for user in op.result.users:
            if user.name in VIEWS and user.operand(0) is op.result:
                pending.append(user)
            elif not _is_behind(user, copy):
                return False
    return True


def _is_apart(view: Operation, box: Sequence[_Line], copy: _Copy) -> bool:
    """Whether a view, with all views of it, is of another part of the target."""
    other = _box(view) if view.name == "memref.subview" and view.operand(0) is copy.target.result else None
    if other is None:
        return False
    pending = [view.result]
    for value in pending:
        for user in value.users:
            if user.name == "memref.subview":
                pending.append(user.result)
            elif user.name in VIEWS:
                return False
    return any(a.is_apart(b) for a, b in zip(other, box, strict=True))


def _move(op: Operation, anchor: Operation) -> None:
    """In front of `anchor`, with the constants that it takes."""
    block = cast(Block, anchor.parent)
    for operand in op.operands:
        constant = operand.defining_op("arith.constant")
        if constant is not None and constant.parent is block and anchor.is_before(constant):
            block.insert_before(constant.detach(), anchor)
    block.insert_before(op.detach(), anchor)


# borders


def _fill_border(fill: Operation, written: Sequence[Operation]) -> None:
    """Leaves the part out that is written next: the one of `written`, in pieces maybe, or what one operation writes."""
    value, target = fill.operands
    if target.defining_op("memref.alloc") is None or None in memref.memref_type(target).shape or fill.results:
        return
    view = written[0] if len(written) == 1 else _written_next(fill, target)
    box = None if view is None else _box(view)
    shape = cast("tuple[int, ...]", memref.memref_type(target).shape)
    if view is None or box is None or any(line.step != 1 for line in box):
        return
    if _MOST_OUTSIDE * math.prod(line.last - line.first + 1 for line in box) < math.prod(shape):
        return
    b = Builder.before(fill)
    for offsets, sizes in _around(box, shape):
        linalg.fill(b, value, memref.subview(b, target, offsets, sizes, [1] * len(shape)))
    fill.erase()


def _written_next(fill: Operation, target: Value) -> Operation | None:
    """The part of a buffer that the next operation that touches it writes, all of it, without a look at what was there."""
    users = _behind(target, fill)
    first = next((u for u in users if all(u is v or u.is_before(v) for v in users)), None)
    if first is None:
        return None
    match first.name:
        case "memref.copy" | "linalg.fill" if root(first.operand(0)) is not target:
            part = first.operand(1)
        case "linalg.generic" if _overwrites(first) and not any(root(v) is target for v in linalg.inputs(first)):
            part = linalg.outputs(first)[0]
        case _:
            return None
    view = part.defining_op("memref.subview")
    return view if view is not None and view.operand(0) is target else None


def _overwrites(op: Operation) -> bool:
    """Whether an elementwise operation writes all of its only output."""
    outputs, written = linalg.outputs(op), linalg.indexing_maps(op)[-1]
    is_whole = written.is_projected_permutation and len(written.results) == written.num_dims
    captured = (v for inner in op.walk() if inner is not op for v in inner.operands)
    return (
        len(outputs) == 1
        and is_whole
        and linalg.REDUCTION not in linalg.iterator_types(op)
        and not op.body().args[-1].uses
        and not any(isinstance(v.type, MemRefType) for v in captured)
    )


def _behind(target: Value, fill: Operation) -> list[Operation]:
    """Operations of the block that touch a buffer after it was filled; none where something else is touched by than that."""
    found: dict[Operation, None] = {}
    pending = [target]
    for value in pending:
        for user in value.users:
            if user.name in VIEWS and user.operand(0) is value:
                pending.append(user.result)
                continue
            op: Operation | None = user
            while op is not None and op.parent is not fill.parent:
                op = op.parent_op
            if op is None:
                return []
            if op is not fill and fill.is_before(op):
                found[op] = None
    return list(found)


def _around(box: Sequence[_Line], shape: Sequence[int]) -> Iterator[tuple[list[int], list[int]]]:
    """(offsets, sizes) of boxes that cover everything outside of one, each element once."""
    offsets, sizes = [0] * len(shape), list(shape)
    for dim, line in enumerate(box):
        first, last = line.first, line.last
        for start, stop in ((0, first), (last + 1, shape[dim])):
            if stop > start:
                yield [*offsets[:dim], start, *offsets[dim + 1 :]], [*sizes[:dim], stop - start, *sizes[dim + 1 :]]
        offsets[dim], sizes[dim] = first, last - first + 1
