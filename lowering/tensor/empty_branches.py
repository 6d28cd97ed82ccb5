"""Removes the question whether a tensor is empty, where the answer changes nothing: what is computed of no elements has none.

In: `scf.if` on an extent being 0, whose results have that extent in either branch. Out: the operations of the other branch, always; its
assertion that the extent is not 0 goes. This is how a softmax over a dimension of run-time length looks, and it stands in the way of fusion.

    %r = scf.if %n == 0 {                          %m = generic max(%x)
      yield %x                                     %r = generic exp(%x - %m)
    } else {                                =>
      assert %n != 0
      %m = generic max(%x)
      yield generic exp(%x - %m)
    }
"""

from __future__ import annotations

from typing import Final, cast

from ...ir.core import Block, Operation, OpResult, Value
from ...ir.dialects import arith, linalg
from ...ir.dialects.tensor import Size
from ...ir.types import RankedTensorType
from ..effects import is_pure
from ..indexing import as_size

_SHAPES: Final = ("tensor.empty", "tensor.dim", "tensor.expand_shape", "tensor.collapse_shape", "tensor.cast")
_DIVISIONS: Final = ("arith.divsi", "arith.divui", "arith.remsi", "arith.remui", "arith.floordivsi", "arith.ceildivsi")


def flatten_empty_branches(function: Operation) -> bool:
    """Every such branch of a function; whether there was one."""
    found = False
    for op in list(function.walk()):
        if op.name == "scf.if" and op.parent is not None and op.results and _flatten(op):
            found = True
    return found


def _flatten(op: Operation) -> bool:
    condition = op.operand(0).defining_op("arith.cmpi")
    if condition is None or condition.attributes["predicate"] != "eq" or arith.constant_value(condition.operand(1)) != 0:
        return False
    extent = _uncast(condition.operand(0))
    empty, other = op.body(0), op.body(1)
    pairs = list(zip(empty.terminator.operands, other.terminator.operands, strict=True))
    if len(list(empty.operations())) != 1 or not all(_are_alike(x, y, extent) for x, y in pairs):
        return False
    inside = [inner for inner in other.operations() if inner is not other.terminator]
    if not all(_asserts(inner, extent) or _may_be_empty(inner) for inner in inside):
        return False
    block = cast(Block, op.parent)
    results = list(other.terminator.operands)
    for inner in inside:
        if _asserts(inner, extent):
            inner.erase()
        else:
            block.insert_before(inner.detach(), op)
    op.replace_with(results)
    return True


def _uncast(value: Value) -> Value:
    cast_ = value.defining_op("arith.index_cast")
    return value if cast_ is None else cast_.operand(0)


def _asserts(op: Operation, extent: Value) -> bool:
    """Whether it only demands that there are elements."""
    if op.name != "cf.assert":
        return False
    condition = op.operand(0).defining_op("arith.cmpi")
    return (
        condition is not None
        and condition.attributes["predicate"] == "ne"
        and _uncast(condition.operand(0)) is extent
        and arith.constant_value(condition.operand(1)) == 0
    )


def _may_be_empty(op: Operation) -> bool:
    """Whether it does no harm when there are no elements: shapes, and arithmetic that divides no integers."""
    if op.name.startswith("tensor."):
        return op.name in _SHAPES
    if op.name.startswith("linalg."):
        return linalg.is_structured(op) and is_pure(op)
    return op.name.startswith("arith.") and op.name not in _DIVISIONS and is_pure(op)


def _are_alike(x: Value, y: Value, extent: Value) -> bool:
    """Whether both tensors have the same extents, and the given one among them."""
    if not isinstance(x.type, RankedTensorType) or x.type != y.type:
        return False
    extents = [(_extent(x, i), _extent(y, i)) for i in range(len(x.type.shape))]
    return all(a is not None and (a is b or a == b) for a, b in extents) and any(a is extent for a, _ in extents)


def _extent(value: Value, dim: int) -> Size | None:
    """What says how long a dimension is; None where it does not stand in the program."""
    t = cast(RankedTensorType, value.type)
    if t.shape[dim] is not None:
        return t.shape[dim]
    op = value.defining_op()
    if op is not None and op.name == "tensor.empty":
        return as_size(op.operand([i for i, e in enumerate(t.shape) if e is None].index(dim)))
    if op is not None and op.name == "tensor.expand_shape":
        return as_size(op.operand(1 + [i for i, e in enumerate(t.shape) if e is None].index(dim)))
    if op is not None and linalg.is_structured(op):
        out = linalg.outputs(op)[cast(OpResult, value).index]
        return _extent(out, dim)
    for user in value.users:
        if user.name == "tensor.dim" and as_size(user.operand(1)) == dim:
            return user.result
    return None
