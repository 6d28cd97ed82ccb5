"""Single elements of tensors: of constants, of tensors that are one scalar everywhere, of computations without loops."""

from __future__ import annotations

from typing import Final, cast

import numpy as np

from ....ir.attributes import Constant, DenseAttr
from ....ir.builder import Builder
from ....ir.core import Operation, Value
from ....ir.dialects import arith, linalg, tensor
from ....ir.dialects.tensor import tensor_type
from ....ir.types import element_type
from ... import indexing
from ...effects import is_pure
from ...indexing import as_value
from .rewriting import Rules, integer, replace, replace_constant


def scalar_splat(value: Value) -> Value | DenseAttr | None:
    """The one scalar all elements of `value` have: a value, or the attribute of a splat constant."""
    op = value.defining_op()
    while op is not None and op.name in (
        "tensor.cast",
        "tensor.extract_slice",
        "tensor.collapse_shape",
        "tensor.expand_shape",
        "tensor.reshape",
    ):
        value = op.operand(0)
        op = value.defining_op()
    if op is None:
        return None
    match op.name:
        case "linalg.fill" | "tensor.splat":
            return op.operand(0)
        case "tensor.from_elements" if len(op.operands) == 1:
            return op.operand(0)
        case "arith.constant":
            attribute = op.attributes["value"]
            if not isinstance(attribute, DenseAttr):
                return None
            if isinstance(attribute.value, Constant):
                array = attribute.value.array
                if array.size != 1:
                    return None
                return DenseAttr(array.reshape(-1)[0].item(), attribute.type)
            if isinstance(attribute.value, tuple):
                return DenseAttr(attribute.value[0], attribute.type) if len(attribute.value) == 1 else None
            return attribute
        case _:
            return None


def materialize_splat(b: Builder, splat: Value | DenseAttr) -> Value:
    """The scalar found by `scalar_splat`."""
    if isinstance(splat, Value):
        return splat
    return arith.constant(b, cast(float, splat.value), element_type(splat.type))


def _fold_extract(op: Operation) -> bool:
    source = op.operand(0)
    splat = scalar_splat(source)
    b = Builder.before(op)
    if splat is not None:
        return replace(op, materialize_splat(b, splat))
    definition = source.defining_op()
    indices = [integer(v) for v in op.operands[1:]]
    if definition is None:
        return False
    if definition.name == "linalg.generic" and not indices and not linalg.iterator_types(definition):
        return _inline_scalar_body(op, definition)
    if None in indices:
        return False
    position = cast("list[int]", indices)
    shape = tensor_type(source).shape
    if any(e is None or not 0 <= i < e for i, e in zip(position, shape, strict=True)):
        return False
    flat = int(np.ravel_multi_index(position, cast("tuple[int, ...]", shape))) if position else 0
    if definition.name == "tensor.from_elements":
        return replace(op, definition.operand(flat))
    if definition.name == "arith.constant":
        return _extract_constant(op, cast(DenseAttr, definition.attributes["value"]), flat)
    return False


def _extract_constant(op: Operation, attribute: DenseAttr, flat: int) -> bool:
    if isinstance(attribute.value, Constant):
        return replace_constant(op, attribute.value.array.reshape(-1)[flat].item())
    if isinstance(attribute.value, tuple):
        return replace_constant(op, attribute.value[flat])
    return False


def _inline_scalar_body(op: Operation, generic: Operation) -> bool:
    """The element of a 0-d computation is computed as a scalar."""
    if len(generic.results) != 1 or not is_pure(generic):
        return False
    b = Builder.before(op)
    mapping: dict[Value, Value] = {}
    block = generic.body()
    for value, argument, indexing_map in zip(generic.operands, block.args, linalg.indexing_maps(generic), strict=True):
        if not argument.uses:
            continue
        indices = [as_value(b, indexing.apply(b, e, [])) for e in indexing_map.results]
        mapping[argument] = tensor.extract(b, value, indices)
    for inner in block.operations():
        if inner is not block.terminator:
            b.insert(inner.clone(mapping))
    result = block.terminator.operand(0)
    return replace(op, mapping.get(result, result))


RULES: Final[Rules] = {"tensor.extract": (_fold_extract,)}
