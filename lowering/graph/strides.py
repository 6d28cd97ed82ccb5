"""Strides as PyTorch computes them: pure functions of extents and strides, in elements.

What operators give (`elementwise`, `kept`), what views of a layout are (`viewed`, `expanded`, `unsqueezed`), and the
questions that programs ask (`is_contiguous`, `is_dense`). The rules for ties (extents of 1) are PyTorch's own, step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

Strides = tuple[int, ...]

CONTIGUOUS_FORMAT, PRESERVE_FORMAT, CHANNELS_LAST, CHANNELS_LAST_3D = range(4)
"""Memory formats, by their numbers in PyTorch."""

_CHANNELS_LAST_ORDER: Final = {CHANNELS_LAST: (1, 3, 2, 0), CHANNELS_LAST_3D: (1, 4, 3, 2, 0)}
"""Dimensions, the one with the smallest stride first."""


def contiguous(shape: Sequence[int]) -> Strides:
    strides: list[int] = []
    step = 1
    for extent in reversed(shape):
        strides.insert(0, step)
        step *= max(extent, 1)
    return tuple(strides)


def formatted(shape: Sequence[int], memory_format: int) -> Strides | None:
    """Strides of a new tensor in a memory format; None where tensors of this rank have no such format."""
    order = _CHANNELS_LAST_ORDER.get(memory_format)
    if order is None:
        return contiguous(shape)
    return None if len(order) != len(shape) else _in_order(shape, order)


def order_of_format(memory_format: int, rank: int) -> tuple[int, ...] | None:
    """Dimensions, the one with the smallest stride first; None where tensors of this rank have no such format."""
    order = _CHANNELS_LAST_ORDER.get(memory_format, tuple(reversed(range(rank))))
    return order if len(order) == rank else None


def _in_order(shape: Sequence[int], order: Sequence[int], least: int = 1) -> Strides:
    """`least`: what an extent of 0 counts as."""
    strides = [0] * len(shape)
    step = 1
    for dim in order:
        strides[dim] = step
        step *= max(shape[dim], least)
    return tuple(strides)


def is_contiguous(shape: Sequence[int], strides: Strides, memory_format: int = CONTIGUOUS_FORMAT) -> bool:
    order = _CHANNELS_LAST_ORDER.get(memory_format, tuple(reversed(range(len(shape)))))
    if len(order) != len(shape):
        return False
    if 0 in shape and memory_format == CONTIGUOUS_FORMAT:
        return True
    step = 1
    for dim in order:
        if shape[dim] != 1:
            if strides[dim] != step:
                return False
            step *= shape[dim]
    return True


def is_dense(shape: Sequence[int], strides: Strides) -> bool:
    """Whether its elements lie one next to the other, in whatever order, each once."""
    if 0 in shape:
        return True
    step = 1
    for extent, stride in sorted(zip(shape, strides, strict=True), key=lambda d: (d[0] < 2, d[1])):
        if extent < 2:
            return True
        if stride != step:
            return False
        step *= extent
    return True


def kept(shape: Sequence[int], strides: Strides) -> Strides:
    """Strides of a copy that keeps the format: the same where they are dense, else dense ones in that order."""
    if is_dense(shape, strides):
        return strides
    order = _sorted(len(shape), lambda a, b: _order_of(shape, strides, a, b))
    result = [0] * len(shape)
    step = 1
    for dim in order:
        result[dim] = step
        step *= max(shape[dim], 1)
    return tuple(result)


def elementwise(operands: Sequence[tuple[tuple[int, ...], Strides]]) -> Strides:
    """Of the result of an elementwise operator on tensors of these extents and strides."""
    shapes = [shape for shape, _ in operands]
    shape = broadcast(shapes)
    if all(own == shape for own in shapes):
        if all(is_contiguous(s, t) for s, t in operands):
            return contiguous(shape)
        for memory_format in (CHANNELS_LAST, CHANNELS_LAST_3D):
            if all(is_contiguous(s, t, memory_format) for s, t in operands):
                return formatted(shape, memory_format) or contiguous(shape)
        if all(is_dense(s, t) and t == operands[0][1] for s, t in operands):
            return operands[0][1]
    rank = len(shape)
    stretched = [_stretched(own, strides, shape) for own, strides in operands]

    def compare(a: int, b: int) -> int:
        for strides in stretched:
            found = _order_of(shape, strides, a, b)
            if found:
                return found
        return 0

    order = _sorted(rank, compare)
    if order == list(reversed(range(rank))):
        return contiguous(shape)
    return _in_order(shape, order, least=0)


def broadcast(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    rank = max(map(len, shapes), default=0)
    padded = [(1,) * (rank - len(s)) + s for s in shapes]
    return tuple(next((s[i] for s in padded if s[i] != 1), 1) for i in range(rank))


def _stretched(own: tuple[int, ...], strides: Strides, shape: tuple[int, ...]) -> Strides:
    missing = len(shape) - len(own)
    inner = (0 if n == 1 and wide != 1 else s for n, s, wide in zip(own, strides, shape[missing:], strict=True))
    return (*(0,) * missing, *inner)


def _order_of(shape: Sequence[int], strides: Strides, a: int, b: int) -> int:
    """Below 0 where dimension `a` varies faster than `b`, above 0 where `b` does, 0 where that is open."""
    first, second = strides[a], strides[b]
    if first == 0 or second == 0:
        return 0
    if first != second:
        return -1 if first < second else 1
    return 1 if shape[a] > shape[b] else 0


def _sorted(rank: int, compare: Callable[[int, int], int]) -> list[int]:
    """Dimensions, the fastest first: an insertion sort that goes past what is open."""
    order = list(reversed(range(rank)))
    for i in range(1, rank):
        at = i
        for k in range(i - 1, -1, -1):
            found = compare(order[k], order[at])
            if found > 0:
                order[k], order[at] = order[at], order[k]
                at = k
            elif found < 0:
                break
    return order


# views


def viewed(shape: Sequence[int], strides: Strides, wanted: Sequence[int]) -> Strides | None:
    """Strides of a view in another shape; None where the elements do not lie so."""
    if not shape:
        return (1,) * len(wanted)
    if 0 in shape:
        return strides if tuple(shape) == tuple(wanted) else contiguous(wanted)
    result = [0] * len(wanted)
    at = len(wanted) - 1
    base, own, other = strides[-1], 1, 1
    for dim in reversed(range(len(shape))):
        own *= shape[dim]
        if dim and (shape[dim - 1] == 1 or strides[dim - 1] == own * base):
            continue
        # the end of a block of memory: new dimensions must divide it evenly
        while at >= 0 and (other < own or wanted[at] == 1):
            result[at] = other * base
            other *= wanted[at]
            at -= 1
        if other != own:
            return None
        if dim:
            base, own, other = strides[dim - 1], 1, 1
    return tuple(result) if at == -1 else None


def unsqueezed(shape: Sequence[int], strides: Strides, axis: int) -> Strides:
    own = strides[axis] * shape[axis] if axis < len(shape) else 1
    return (*strides[:axis], own, *strides[axis:])


def expanded(shape: Sequence[int], strides: Strides, wanted: Sequence[int]) -> Strides:
    missing = len(wanted) - len(shape)
    if not shape:
        return (0,) * len(wanted)
    result: list[int] = []
    for i in reversed(range(len(wanted))):
        known = i >= missing
        extent = shape[i - missing] if known else 1
        if known:
            stride = strides[i - missing]
        else:
            stride = result[0] * wanted[i + 1] if result else 1
        result.insert(0, stride if extent == wanted[i] else 0)
    return tuple(result)
