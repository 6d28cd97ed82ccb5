"""Lets images lie in memory with their channels last around convolutions, so that these need no packing while they run.

In: the `linalg` stage, where images are [n, c, h, w] as PyTorch numbers their dimensions. Out: the same results, but a
convolution with constant weights reads [n, h, w, c] and gives [n, h, w, o]: its innermost dimension is that of the register
tile, its weights are packed at compile time, and the rows of the tile are pixels that are read in place. What stands
between convolutions (activations, sums, padding, pooling, slices) follows them; where it ends, dimensions are moved
by a copy.

    %p = tensor.pad %x                                        %t = generic move(%x)   // [n, h, w, c]
    %y = generic (n, o, h, w, c, kh, kw) %p, %w      =>       %p = tensor.pad %t
    %z = generic relu(%y)                                     %y = generic (n, h, w, o, kh, kw, c) %p, %w
                                                              %z = generic relu(%y)
                                                              %r = generic move(%z)   // [n, o, h, w]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import numpy as np

from ...ir.affine import AffineDim, AffineExpr, AffineMap
from ...ir.attributes import Constant, DenseArrayAttr, DenseAttr
from ...ir.builder import Builder
from ...ir.core import Block, Operation, Value, functions
from ...ir.dialects import arith, func, linalg, tensor
from ...ir.dialects.tensor import Size, tensor_type
from ...ir.types import INDEX, RankedTensorType
from ..effects import erase_unused
from ..indexing import mixed, slice_parameters
from .canonicalization.rewriting import permuted
from .fuse_elementwise import is_contraction

_FEW_CHANNELS: Final = 8
"""Of a result: with fewer the lanes of a vector stay empty."""

_LITTLE_WORK: Final = 16
"""Multiply-adds for an element: below that moving dimensions costs more than it saves."""

_RESHAPES: Final = ("tensor.collapse_shape", "tensor.expand_shape")


@dataclass(frozen=True)
class MoveChannelsLast:
    name: str = "move-channels-last"

    def apply(self, module: Operation) -> Operation:
        for function in functions(module):
            if not func.is_declaration(function):
                for block in _blocks(function):
                    _Images(block).move()
                erase_unused(function)
        return module


def _blocks(function: Operation) -> list[Block]:
    """Blocks in which tensors are computed: not the bodies of structured operations."""
    found: list[Block] = []
    pending = [block for region in function.regions for block in region.blocks]
    while pending:
        block = pending.pop()
        found.append(block)
        inside = (op for op in block.operations() if op.regions and not op.name.startswith(("linalg.", "tensor.")))
        pending += [b for op in inside for region in op.regions for b in region.blocks]
    return found


@dataclass
class _Images:
    """The images of one block. A value's channel dimension is the one that is moved last."""

    block: Block
    channels: dict[Value, int] = field(default_factory=dict[Value, int])
    moved: dict[tuple[Value, int], Value] = field(default_factory=dict[tuple[Value, int], Value])
    """What holds the elements of a value with that dimension last."""
    rewritten: set[Value] = field(default_factory=set[Value])
    """Values that are computed with their channels last, and no other way any more."""
    restored: dict[Value, Value] = field(default_factory=dict[Value, Value])

    def move(self) -> None:
        self._choose()
        if not self.channels:
            return
        for op in list(self.block.operations()):
            if op.results and op.results[0] in self.channels and _can_be_rewritten(op, self.channels[op.results[0]]):
                channel = self.channels[op.result]
                self.moved[op.result, channel] = _RULES[op.name](self, op, channel)
                self.rewritten.add(op.result)
            else:
                self._adapt(op)

    # which values

    def _choose(self) -> None:
        pending: list[Value] = []
        for op in self.block.operations():
            found = convolution(op)
            if found is not None:
                for value, channel in ((found.image, found.taken), (op.result, found.given), (op.operands[-1], found.given)):
                    pending += self._assign(value, channel)
        while pending:
            value = pending.pop()
            for op in (value.defining_op(), *(user for user, _ in value.uses)):
                if op is not None and op.parent is self.block:
                    pending += self._follow(op, value, self.channels[value])

    def _assign(self, value: Value, channel: int) -> list[Value]:
        if value in self.channels or channel == len(tensor_type(value).shape) - 1:
            return []
        if _constant_of(value) is not None or value.defining_op("arith.constant") is not None:
            return []
        self.channels[value] = channel
        return [value]

    def _follow(self, op: Operation, value: Value, channel: int) -> list[Value]:
        """What has the same channels because `op` computes it from `value`, or `value` from it."""
        if op.name == "linalg.generic":
            return self._follow_generic(op, value, channel)
        if op.name in _RESHAPES:
            return self._follow_reshape(op, value, channel)
        if op.name in _SAME_DIMENSIONS and _has_one_rank(op):
            return [n for v in _tensors(op) for n in self._assign(v, channel)]
        return []

    def _follow_generic(self, op: Operation, value: Value, channel: int) -> list[Value]:
        operands, maps = (*op.operands, op.results[0]), linalg.indexing_maps(op)
        if not _is_movable(op):
            return []
        maps = (*maps, maps[-1])
        dims = {m.results[channel] for v, m in zip(operands, maps, strict=True) if v is value}
        dim = dims.pop()
        if dims or dim not in maps[-1].results or not _keeps_channels(op, dim):
            return []
        found: list[Value] = []
        for other, m in zip(operands, maps, strict=True):
            if dim in m.results and len(m.results) > 2:
                found += self._assign(other, m.results.index(dim))
        return found

    def _follow_reshape(self, op: Operation, value: Value, channel: int) -> list[Value]:
        groups = _groups(op)
        wide, narrow = _wide_and_narrow(op)
        if value is wide:
            place = next(i for i, group in enumerate(groups) if channel in group)
            return self._assign(narrow, place) if len(groups[place]) == 1 else []
        return self._assign(wide, groups[channel][0]) if len(groups[channel]) == 1 else []

    # reading them

    def last(self, value: Value, channel: int, b: Builder) -> Value:
        """The value with that dimension last."""
        key = (value, channel)
        if key not in self.moved:
            source = self.restore(value) if value in self.rewritten else value
            op = source.defining_op()
            here = b
            if op is not None and op.parent is self.block:
                here = Builder.after(op)
            elif op is None and source in self.block.args:
                here = Builder.at_start(self.block, b.span)
            self.moved[key] = permuted(here, source, _order(len(tensor_type(value).shape), channel))
        return self.moved[key]

    def restore(self, value: Value) -> Value:
        """A value that is computed with its channels last, as it was."""
        if value not in self.restored:
            channel = self.channels[value]
            source = self.moved[value, channel]
            order = _order(len(tensor_type(value).shape), channel)
            inverse = [order.index(i) for i in range(len(order))]
            self.restored[value] = permuted(Builder.after(cast(Operation, source.defining_op())), source, inverse)
        return self.restored[value]

    def _adapt(self, op: Operation) -> None:
        """An operation that stays as it is reads what has moved: in another order where it can, else what is restored."""
        for i, value in enumerate(op.operands):
            if value in self.rewritten:
                self._adapt_operand(op, i, value)
        for inner in _inside(op):
            for i, value in enumerate(inner.operands):
                if value in self.rewritten:
                    inner.set_operand(i, self.restore(value))

    def _adapt_operand(self, op: Operation, i: int, value: Value) -> None:
        channel = self.channels[value]
        order = _order(len(tensor_type(value).shape), channel)
        if op.name == "tensor.dim":
            index = arith.constant_value(op.operand(1))
            if isinstance(index, int):
                op.set_operand(1, arith.constant(Builder.before(op), order.index(index), INDEX))
                op.set_operand(0, self.moved[value, channel])
                return
        if _is_movable(op) and i < len(op.operands) - 1:
            maps = list(linalg.indexing_maps(op))
            maps[i] = _reordered(maps[i], order)
            op.attributes["indexing_maps"] = tuple(maps)
            op.set_operand(i, self.moved[value, channel])
            return
        op.set_operand(i, self.restore(value))


def _inside(op: Operation) -> list[Operation]:
    return [inner for inner in op.walk() if inner is not op]


# what is looked for


@dataclass(frozen=True)
class _Convolution:
    image: Value
    taken: int
    """Dimension of the image that is summed over, beside those of the filter."""
    given: int
    """Dimension of the result that the weights alone have."""
    dim: int
    """What `taken` is in the iteration."""


def convolution(op: Operation) -> _Convolution | None:
    """A sum of products with constant weights, if it is worth to have its channels last and they are not yet."""
    if not _is_movable(op) or not _is_contraction(op):
        return None
    maps, iterators = linalg.indexing_maps(op), linalg.iterator_types(op)
    shape = tensor_type(op.result).shape
    for image, weights in ((0, 1), (1, 0)):
        if _constant_of(op.operand(weights)) is None or not maps[weights].is_projected_permutation:
            continue
        read = {AffineDim(d) for e in maps[image].results for d in e.dims_used()}
        weighed = cast("list[AffineDim]", list(maps[weights].results))
        given = [d for d in weighed if d in maps[2].results and d not in read]
        taken = [d for d in weighed if d in maps[image].results and iterators[d.position] == linalg.REDUCTION]
        grouped = [d for d in weighed if d in read and iterators[d.position] == linalg.PARALLEL]
        if len(given) != 1 or len(taken) != 1 or grouped:
            continue
        out = maps[2].results.index(given[0])
        weight = cast("tuple[int, ...]", tensor_type(op.operand(weights)).shape)
        channels = weight[weighed.index(given[0])]
        if channels >= _FEW_CHANNELS and math.prod(weight) // channels >= _LITTLE_WORK and out != len(shape) - 1:
            return _Convolution(op.operand(image), maps[image].results.index(taken[0]), out, taken[0].position)
    return None


def _is_movable(op: Operation) -> bool:
    """Whether its operands may have their dimensions in another order: one result, every element of it written once."""
    return op.name == "linalg.generic" and len(op.results) == 1 and linalg.indexing_maps(op)[-1].is_projected_permutation


def _is_contraction(op: Operation) -> bool:
    """A sum of products of two operands."""
    body = [inner.name for inner in op.body().operations()]
    return len(op.operands) == 3 and (body == ["arith.mulf", "arith.addf", "linalg.yield"] or _adds_products_of_bytes(op, body))


def _adds_products_of_bytes(op: Operation, body: list[str]) -> bool:
    extended = all(name in ("arith.extui", "arith.extsi") for name in body[:2])
    return extended and body[2:] == ["arith.muli", "arith.addi", "linalg.yield"] and is_contraction(op)


def _keeps_channels(op: Operation, dim: AffineExpr) -> bool:
    """Whether what the operation computes for a channel comes from that channel alone: no product of matrices."""
    if not isinstance(dim, AffineDim) or linalg.iterator_types(op)[dim.position] != linalg.PARALLEL:
        return False
    if not _is_contraction(op) or linalg.REDUCTION not in linalg.iterator_types(op):
        return True
    maps = linalg.indexing_maps(op)
    return any(_constant_of(v) is not None and dim in m.results for v, m in zip(op.operands, maps, strict=True))


def _can_be_rewritten(op: Operation, channel: int) -> bool:
    if op.name not in _RULES:
        return False
    if op.name == "linalg.generic":
        return _is_movable(op) and (
            _keeps_channels(op, linalg.indexing_maps(op)[-1].results[channel]) or _gives(op) == channel
        )
    if op.name in _RESHAPES:
        groups = _groups(op)
        place = channel if op.name == "tensor.collapse_shape" else next(i for i, g in enumerate(groups) if channel in g)
        return len(groups[place]) == 1
    return op.name not in _SAME_DIMENSIONS or _has_one_rank(op)


def _gives(op: Operation) -> int | None:
    found = convolution(op)
    return None if found is None else found.given


def _tensors(op: Operation) -> list[Value]:
    return [v for v in (*op.operands, *op.results) if isinstance(v.type, RankedTensorType)]


def _has_one_rank(op: Operation) -> bool:
    return len({len(tensor_type(v).shape) for v in _tensors(op)}) == 1


def _constant_of(value: Value) -> Constant | None:
    """The constant that a value is, or a reshape of."""
    op = value.defining_op()
    while op is not None and op.name in _RESHAPES:
        op = op.operand(0).defining_op()
    if op is None or op.name != "arith.constant":
        return None
    attribute = op.attributes["value"]
    return attribute.value if isinstance(attribute, DenseAttr) and isinstance(attribute.value, Constant) else None


def _groups(op: Operation) -> tuple[tuple[int, ...], ...]:
    return cast("tuple[tuple[int, ...], ...]", op.attributes["reassociation"])


def _wide_and_narrow(op: Operation) -> tuple[Value, Value]:
    return (op.operand(0), op.result) if op.name == "tensor.collapse_shape" else (op.result, op.operand(0))


# how operations are written anew


def _order(rank: int, channel: int) -> list[int]:
    return [*(i for i in range(rank) if i != channel), channel]


def _reordered(m: AffineMap, order: Sequence[int]) -> AffineMap:
    return AffineMap(m.num_dims, tuple(m.results[i] for i in order), m.num_symbols)


def _generic(images: _Images, op: Operation, channel: int) -> Value:
    b = Builder.before(op)
    maps = linalg.indexing_maps(op)
    found = convolution(op)
    operands: list[Value] = []
    permuted: list[AffineMap] = []
    for value, m in zip(op.operands[:-1], maps[:-1], strict=True):
        at = images.channels.get(value)
        if at is not None:
            operands.append(images.last(value, at, b))
            permuted.append(_reordered(m, _order(len(m.results), at)))
        else:
            moved, m = (value, m) if found is not None else _constant_last(b, value, m, maps[-1].results[channel])
            operands.append(moved)
            permuted.append(m)
    operands.append(images.last(op.operands[-1], channel, b))
    permuted.append(_reordered(maps[-1], _order(len(maps[-1].results), channel)))
    numbers = _iteration_order(permuted, -1 if found is None else found.dim)
    new_numbers = [AffineDim(numbers.index(d)) for d in range(len(numbers))]
    iterators = linalg.iterator_types(op)
    attributes = {
        **op.attributes,
        "indexing_maps": tuple(AffineMap(m.num_dims, tuple(e.substitute(new_numbers) for e in m.results)) for m in permuted),
        "iterator_types": tuple(iterators[d] for d in numbers),
    }
    new = b.insert(Operation(op.name, operands, [operands[-1].type], attributes, [op.regions[0].clone({})], op.span))
    for inner in _inside(new):
        if inner.name == "linalg.index":
            inner.attributes["dim"] = numbers.index(cast(int, inner.attributes["dim"]))
    return new.result


def _iteration_order(maps: Sequence[AffineMap], channel: int) -> list[int]:
    """Old numbers of the dimensions: those of the result, then those that are summed over, `channel` last."""
    given = [cast(AffineDim, e).position for e in maps[-1].results]
    rest = [d for d in range(maps[0].num_dims) if d not in given and d != channel]
    return [*given, *rest, *([channel] if channel >= 0 else [])]


def _constant_last(b: Builder, value: Value, m: AffineMap, dim: AffineExpr) -> tuple[Value, AffineMap]:
    """A constant that differs from channel to channel, with these last, and how it is read; other values stay."""
    constant = _constant_of(value)
    if constant is None and dim in m.results:
        return _listed_last(b, value, m, dim)
    if constant is None or dim not in m.results:
        return value, m
    channel = m.results.index(dim)
    shape = cast("tuple[int, ...]", tensor_type(value).shape)
    if channel == len(shape) - 1:
        return value, m
    order = _order(len(shape), channel)
    array = np.ascontiguousarray(constant.array.reshape(shape).transpose(order))
    t = RankedTensorType(tuple(array.shape), tensor_type(value).element)
    moved = arith.dense(b, DenseAttr(Constant(f"{constant.name}_channels_last", array), t))
    return moved, _reordered(m, order)


def _listed_last(b: Builder, value: Value, m: AffineMap, dim: AffineExpr) -> tuple[Value, AffineMap]:
    """The same for a constant of a few elements, which stand in the text."""
    op = value.defining_op("arith.constant")
    attribute = None if op is None else op.attributes["value"]
    if not isinstance(attribute, DenseAttr) or not isinstance(attribute.value, tuple):
        return value, m
    shape = cast("tuple[int, ...]", tensor_type(value).shape)
    order = _order(len(shape), m.results.index(dim))
    array = np.array(attribute.value, np.object_).reshape(shape).transpose(order)
    t = RankedTensorType(tuple(array.shape), tensor_type(value).element)
    return arith.dense(b, DenseAttr(tuple(array.reshape(-1).tolist()), t)), _reordered(m, order)


def _empty(images: _Images, op: Operation, channel: int) -> Value:
    dynamic = iter(op.operands)
    sizes: list[Size] = [next(dynamic) if e is None else e for e in tensor_type(op.result).shape]
    order = _order(len(sizes), channel)
    return tensor.empty(Builder.before(op), [sizes[i] for i in order], tensor_type(op.result).element)


def _fill(images: _Images, op: Operation, channel: int) -> Value:
    b = Builder.before(op)
    return linalg.fill(b, op.operand(0), images.last(op.operand(1), channel, b)).result


def _pad(images: _Images, op: Operation, channel: int) -> Value:
    b = Builder.before(op)
    order = _order(len(tensor_type(op.result).shape), channel)
    low, high = mixed(op, "static_low", 1), mixed(op, "static_high", 2)
    source = images.last(op.operand(0), channel, b)
    return tensor.pad(b, source, [low[i] for i in order], [high[i] for i in order], op.body().terminator.operand(0))


def _cast(images: _Images, op: Operation, channel: int) -> Value:
    b = Builder.before(op)
    t = tensor_type(op.result)
    wanted = RankedTensorType(tuple(t.shape[i] for i in _order(len(t.shape), channel)), t.element)
    return tensor.cast_(b, images.last(op.operand(0), channel, b), wanted)


def _extract_slice(images: _Images, op: Operation, channel: int) -> Value:
    b = Builder.before(op)
    order = _order(len(tensor_type(op.result).shape), channel)
    offsets, sizes, strides = ([part[i] for i in order] for part in slice_parameters(op))
    return tensor.extract_slice(b, images.last(op.operand(0), channel, b), offsets, sizes, strides)


def _insert_slice(images: _Images, op: Operation, channel: int) -> Value:
    b = Builder.before(op)
    order = _order(len(tensor_type(op.result).shape), channel)
    offsets, sizes, strides = ([part[i] for i in order] for part in slice_parameters(op))
    source, target = (images.last(v, channel, b) for v in op.operands[:2])
    return tensor.insert_slice(b, source, target, offsets, sizes, strides)


def _reshape(images: _Images, op: Operation, channel: int) -> Value:
    """Groups keep their order; that of the channels, alone in it, goes last."""
    b = Builder.before(op)
    groups = _groups(op)
    wide, _ = _wide_and_narrow(op)
    collapses = op.name == "tensor.collapse_shape"
    place = channel if collapses else next(i for i, g in enumerate(groups) if channel in g)
    order = _order(len(tensor_type(wide).shape), groups[place][0])
    regrouped = [[order.index(i) for i in groups[g]] for g in _order(len(groups), place)]
    source = images.last(op.operand(0), groups[place][0] if collapses else place, b)
    if collapses:
        return tensor.collapse_shape(b, source, regrouped)
    static = cast(DenseArrayAttr, op.attributes["static_output_shape"]).values
    dynamic = iter(op.operands[1:])
    sizes: list[Size] = [next(dynamic) if s == tensor.DYNAMIC_SENTINEL else s for s in static]
    return tensor.expand_shape(b, source, regrouped, [sizes[i] for i in order])


_SAME_DIMENSIONS: Final = frozenset(("tensor.pad", "tensor.cast", "tensor.extract_slice", "tensor.insert_slice", "linalg.fill"))
"""What has the dimensions of its operands."""

_RULES: Final[dict[str, Callable[[_Images, Operation, int], Value]]] = {
    "linalg.generic": _generic,
    "linalg.fill": _fill,
    "tensor.empty": _empty,
    "tensor.pad": _pad,
    "tensor.cast": _cast,
    "tensor.extract_slice": _extract_slice,
    "tensor.insert_slice": _insert_slice,
    "tensor.collapse_shape": _reshape,
    "tensor.expand_shape": _reshape,
}
