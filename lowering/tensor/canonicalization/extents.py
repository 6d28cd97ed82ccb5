"""`tensor.dim` of a value whose extent is known somewhere up its chain of producers."""

from __future__ import annotations

from typing import Final, cast

from ....ir.builder import Builder
from ....ir.core import BlockArgument, Operation, OpResult, Value
from ....ir.dialects import arith, linalg, tensor
from ....ir.dialects.tensor import Size, tensor_type
from ....ir.types import INDEX, RankedTensorType, Type
from ... import indexing
from ...indexing import as_size, as_value, dropped_dims, mixed, slice_parameters
from .rewriting import Rules, integer, replace, replace_constant


def extent_origin(value: Value, position: int) -> Size | tuple[Value, int]:
    """Where an extent comes from: a number, an index value, or (value, dimension) as far up as it can be followed."""
    for _ in range(1000):
        static = tensor_type(value).shape[position]
        if static is not None:
            return static
        step = _extent_step(value, position)
        if step is None:
            return value, position
        if not isinstance(step, tuple):
            return step
        value, position = step
    return value, position


def _extent_step(value: Value, position: int) -> Size | tuple[Value, int] | None:
    if isinstance(value, BlockArgument):
        return _loop_extent(value.block.parent_op, value.index - 1, position) if value.index > 0 else None
    op = cast(OpResult, value).op
    match op.name:
        case "tensor.empty" | "tensor.generate":
            return as_size(op.operand(dynamic_index(op.result.type, position)))
        case "tensor.splat":
            return as_size(op.operand(1 + dynamic_index(op.result.type, position)))
        case "tensor.cast":
            return op.operand(0), position
        case "tensor.insert_slice" | "tensor.insert":
            return op.operand(1), position
        case "tensor.extract_slice":
            _, sizes, _ = slice_parameters(op)
            dropped = dropped_dims(tensor_type(op.result).shape, sizes)
            kept = [i for i in range(len(sizes)) if i not in dropped]
            return sizes[kept[position]]
        case "tensor.expand_shape":
            return as_size(op.operand(1 + dynamic_index(op.result.type, position)))
        case "tensor.collapse_shape":
            group = cast(tuple[tuple[int, ...], ...], op.attributes["reassociation"])[position]
            shape = tensor_type(op.operand(0)).shape
            significant = [i for i in group if shape[i] != 1]
            return (op.operand(0), significant[0]) if len(significant) == 1 else None
        case "tensor.reshape":
            return shape_element(op.operand(1), position)
        case "scf.for":
            return _loop_extent(op, cast(OpResult, value).index, position)
        case _ if linalg.is_structured(op):
            return linalg.outputs(op)[cast(OpResult, value).index], position
        case _:
            return None


def dynamic_index(t: Type, position: int) -> int:
    return sum(1 for e in cast(RankedTensorType, t).shape[:position] if e is None)


def shape_element(shape: Value, position: int) -> Size | None:
    op = shape.defining_op("tensor.from_elements")
    if op is None:
        return None
    element = op.operand(position)
    if element.type == INDEX:
        return as_size(element)
    cast_op = element.defining_op("arith.index_cast")
    number = arith.constant_value(element)
    if number is not None:
        return int(number)
    return cast_op.operand(0) if cast_op is not None and cast_op.operand(0).type == INDEX else None


def _loop_extent(loop: Operation | None, index: int, position: int) -> tuple[Value, int] | None:
    """An iteration argument keeps its extent when the value yielded for it has the argument's own extent."""
    if loop is None or loop.name != "scf.for" or index < 0:
        return None
    argument = loop.body().args[index + 1]
    value: Value = loop.body().terminator.operand(index)
    at = position
    for _ in range(1000):
        if value is argument and at == position:
            return loop.operand(3 + index), position
        if isinstance(value, BlockArgument) or tensor_type(value).shape[at] is not None:
            return None
        step = _extent_step(value, at)
        if not isinstance(step, tuple):
            return None
        value, at = step
    return None


def _fold_dim(op: Operation) -> bool:
    position = integer(op.operand(1))
    if position is None:
        return False
    origin = extent_origin(op.operand(0), position)
    b = Builder.before(op)
    if isinstance(origin, int):
        return replace_constant(op, origin)
    if isinstance(origin, Value):
        return replace(op, origin)
    source, dimension = origin
    size = _computed_extent(b, source, dimension)
    if size is not None:
        return replace(op, as_value(b, size))
    if source is op.operand(0) and dimension == position:
        return False
    return replace(op, tensor.dim(b, source, arith.constant(b, dimension, INDEX)))


def _computed_extent(b: Builder, value: Value, position: int) -> Size | None:
    """Extents that need a little arithmetic: of pads and of merged dimensions."""
    op = value.defining_op()
    if op is None:
        return None

    def extent(i: int) -> Size:
        static = tensor_type(op.operand(0)).shape[i]
        return static if static is not None else tensor.dim(b, op.operand(0), arith.constant(b, i, INDEX))

    match op.name:
        case "tensor.pad":
            low, high = mixed(op, "static_low", 1)[position], mixed(op, "static_high", 2)[position]
            return indexing.add(b, indexing.add(b, low, extent(position)), high)
        case "tensor.collapse_shape":
            group = cast(tuple[tuple[int, ...], ...], op.attributes["reassociation"])[position]
            return indexing.product(b, [extent(i) for i in group])
        case "tensor.reshape":
            element = tensor.extract(b, op.operand(1), [arith.constant(b, position, INDEX)])
            return element if element.type == INDEX else arith.index_cast(b, element, INDEX)
        case _:
            return None


RULES: Final[Rules] = {"tensor.dim": (_fold_dim,)}
