"""Slices, reshapes and pads that change nothing, or that follow each other."""

from __future__ import annotations

from typing import Final, cast

from ....ir.attributes import DenseArrayAttr
from ....ir.builder import Builder
from ....ir.core import Operation, Value
from ....ir.dialects import tensor
from ....ir.dialects.tensor import Size, tensor_type
from ... import indexing
from ...indexing import dropped_dims, mixed, slice_parameters
from .extents import extent_origin
from .rewriting import Rules, integer, replace


def _fold_full_slice(op: Operation) -> bool:
    """A slice of everything."""
    source = op.operand(0)
    if op.result.type != source.type:
        return False
    offsets, sizes, strides = slice_parameters(op)
    if any(o != 0 for o in offsets) or any(s != 1 for s in strides):
        return False
    for i, size in enumerate(sizes):
        if isinstance(size, int):
            if tensor_type(source).shape[i] != size:
                return False
        elif not _same_extent(size, extent_origin(source, i)):
            return False
    return replace(op, source)


def _same_extent(size: Value, origin: Size | tuple[Value, int]) -> bool:
    if isinstance(origin, tuple):
        op = size.defining_op("tensor.dim")
        return op is not None and op.operand(0) is origin[0] and integer(op.operand(1)) == origin[1]
    return size is origin


def _fold_full_insert(op: Operation) -> bool:
    """Everything is replaced."""
    source = op.operand(0)
    if source.type != op.result.type or None in tensor_type(source).shape:
        return False
    offsets, _, strides = slice_parameters(op)
    if any(o != 0 for o in offsets) or any(s != 1 for s in strides):
        return False
    return replace(op, source)


def _compose_slices(op: Operation) -> bool:
    """A unit-stride, rank-keeping slice of such a slice."""
    inner = op.operand(0).defining_op("tensor.extract_slice")
    if inner is None or tensor_type(inner.result).rank != tensor_type(inner.operand(0)).rank:
        return False
    offsets, sizes, strides = slice_parameters(op)
    inner_offsets, _, inner_strides = slice_parameters(inner)
    b = Builder.before(op)
    new_offsets = [
        indexing.add(b, i, indexing.mul(b, o, s)) for i, o, s in zip(inner_offsets, offsets, inner_strides, strict=True)
    ]
    new_strides = [indexing.mul(b, s, t) for s, t in zip(strides, inner_strides, strict=True)]
    dropped = dropped_dims(tensor_type(op.result).shape, sizes)
    result = tensor.extract_slice(b, inner.operand(0), new_offsets, sizes, new_strides, dropped)
    return replace(op, result)


def _fold_reshape_pair(op: Operation) -> bool:
    """expand(collapse(x)) and collapse(expand(x)) with static extents that cancel; chains of one kind."""
    inner = op.operand(0).defining_op()
    if inner is None or inner.name not in ("tensor.expand_shape", "tensor.collapse_shape"):
        return False
    source = inner.operand(0)
    if source.type == op.result.type and None not in tensor_type(source).shape:
        return replace(op, source)
    groups = cast(tuple[tuple[int, ...], ...], op.attributes["reassociation"])
    inner_groups = cast(tuple[tuple[int, ...], ...], inner.attributes["reassociation"])
    b = Builder.before(op)
    if op.name == inner.name == "tensor.collapse_shape":
        merged = [[i for d in group for i in inner_groups[d]] for group in groups]
        return replace(op, tensor.collapse_shape(b, source, merged))
    if op.name == inner.name == "tensor.expand_shape":
        merged = [[i for d in group for i in groups[d]] for group in inner_groups]
        static = cast(DenseArrayAttr, op.attributes["static_output_shape"]).values
        dynamic = iter(op.operands[1:])
        sizes: list[Size] = [next(dynamic) if s == tensor.DYNAMIC_SENTINEL else s for s in static]
        return replace(op, tensor.expand_shape(b, source, merged, sizes))
    return False


def _fold_trivial_reshape(op: Operation) -> bool:
    """Same rank: nothing is split or merged."""
    if op.operand(0).type == op.result.type and len(tensor_type(op.result).shape) == len(
        tensor_type(op.operand(0)).shape
    ):
        return replace(op, op.operand(0))
    return False


def _fold_trivial_pad(op: Operation) -> bool:
    low, high = mixed(op, "static_low", 1), mixed(op, "static_high", 2)
    if all(s == 0 for s in (*low, *high)) and op.operand(0).type == op.result.type:
        return replace(op, op.operand(0))
    return False


RULES: Final[Rules] = {
    "tensor.extract_slice": (_fold_full_slice, _compose_slices),
    "tensor.insert_slice": (_fold_full_insert,),
    "tensor.pad": (_fold_trivial_pad,),
    "tensor.expand_shape": (_fold_trivial_reshape, _fold_reshape_pair),
    "tensor.collapse_shape": (_fold_trivial_reshape, _fold_reshape_pair),
}
