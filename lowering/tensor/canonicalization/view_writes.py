"""Writes through views of views, of which `functionalize` left a chain: each view is taken, changed and put back into the one before.

- a part of a part is put back where it lies in the whole; what was put there before is overwritten, or read back
- what is put into a tensor that is turned, and turned back, is put into the tensor itself; parts of a tensor that a loop carries
  are taken before they are turned

    %r = tensor.extract_slice %x[%i, 0] [1, 4]
    %s = tensor.insert_slice %v into %r[%j] [1]           =>      %y = tensor.insert_slice %v into %x[%i, %j] [1, 1]
    %y = tensor.insert_slice %s into %x[%i, 0] [1, 4]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ....ir.affine import AffineDim
from ....ir.builder import Builder
from ....ir.core import Block, BlockArgument, Operation, Value
from ....ir.dialects import linalg, tensor
from ....ir.dialects.tensor import Size, tensor_type
from ... import indexing
from ...indexing import dropped_dims, slice_parameters
from .rewriting import Rules, permuted, replace

Parameters = tuple[Sequence[Size], Sequence[Size], Sequence[Size]]
"""Offsets, sizes, strides."""


def _compose_inserts(op: Operation) -> bool:
    """What is put into a part that is put back where it was taken from."""
    inserts, base = _inserts(op.operand(0))
    part = base.defining_op("tensor.extract_slice") if inserts else None
    if part is None or part.operand(0) is not op.operand(1) or not _is_same_place(op, part):
        return False
    if any(user.name == op.name and user.operand(1) is op.result and _is_same_place(op, user) for user in op.result.users):
        return False  # which is to be overwritten first
    outer = slice_parameters(op)
    dropped = dropped_dims(tensor_type(part.result).shape, outer[1])
    if dropped_dims(tensor_type(op.operand(0)).shape, outer[1]) != dropped:
        return False
    b = Builder.before(op)
    b.span = op.span
    whole = op.operand(1)
    for insert in inserts:
        whole = tensor.insert_slice(b, insert.operand(0), whole, *_inside(b, outer, dropped, slice_parameters(insert)))
    return replace(op, whole)


def _inserts(value: Value) -> tuple[list[Operation], Value]:
    """What is put into a tensor, one after the other, and the tensor before that."""
    found: list[Operation] = []
    while (insert := value.defining_op("tensor.insert_slice")) is not None:
        found.insert(0, insert)
        value = insert.operand(1)
    return found, value


def _fold_overwritten(op: Operation) -> bool:
    """What is put where something else was put before."""
    before = op.operand(1).defining_op("tensor.insert_slice")
    if before is None or not _is_same_place(op, before):
        return False
    op.set_operand(1, before.operand(1))
    return True


def _fold_read_back(op: Operation) -> bool:
    """What is taken from where it was put."""
    put = op.operand(0).defining_op("tensor.insert_slice")
    if put is None or put.operand(0).type != op.result.type or not _is_same_place(op, put):
        return False
    return replace(op, put.operand(0))


def _is_same_place(a: Operation, b: Operation) -> bool:
    pairs = zip(slice_parameters(a), slice_parameters(b), strict=True)
    return all(_same(x, y) for own, other in pairs for x, y in zip(own, other, strict=True))


def _same(a: Size, b: Size) -> bool:
    return a is b or (isinstance(a, int) and isinstance(b, int) and a == b)


def _inside(b: Builder, outer: Parameters, dropped: Sequence[int], inner: Parameters) -> Parameters:
    """A box of a box, which leaves out some dimensions of size 1."""
    offsets, sizes, strides = (list(numbers) for numbers in outer)
    kept = [d for d in range(len(offsets)) if d not in dropped]
    for d, offset, size, stride in zip(kept, *inner, strict=True):
        offsets[d] = indexing.add(b, offsets[d], indexing.mul(b, offset, strides[d]))
        sizes[d] = size
        strides[d] = indexing.mul(b, stride, strides[d])
    return offsets, sizes, strides


# tensors that are turned


def _order(value: Value) -> tuple[Operation, list[int]] | None:
    """The operation that makes a copy with its dimensions in another order, and that order: result `d` is dimension `order[d]`."""
    op = value.defining_op("linalg.generic")
    if op is None or len(op.results) != 1 or len(linalg.inputs(op)) != 1:
        return None
    if any(t != linalg.PARALLEL for t in linalg.iterator_types(op)):
        return None
    read, written = linalg.indexing_maps(op)
    if not (read.is_projected_permutation and written.is_projected_permutation):
        return None
    if op.body().terminator.operand(0) is not op.body().args[0] or len(read.results) != read.num_dims:
        return None
    places = [e.position for e in read.results if isinstance(e, AffineDim)]
    if len(written.results) != written.num_dims:
        return None
    order = [places.index(e.position) for e in written.results if isinstance(e, AffineDim)]
    return None if order == list(range(len(order))) else (op, order)


def _insert_before_turning(op: Operation) -> bool:
    """What is put into a tensor that is turned, and turned back."""
    found = _order(op.result) if len(op.results) == 1 else None
    if found is None:
        return False
    _, back = found
    inserts, at = _inserts(linalg.inputs(op)[0])
    turned = _order(at) if inserts else None
    if turned is None or [turned[1][d] for d in back] != list(range(len(back))):
        return False
    value = linalg.inputs(turned[0])[0]
    if value.type != op.result.type:
        return False
    b = Builder.before(op)
    b.span = op.span
    for insert in inserts:
        parameters = slice_parameters(insert)
        dropped = dropped_dims(tensor_type(insert.operand(0)).shape, parameters[1])
        source = _reordered(b, insert.operand(0), _kept_order(back, dropped))
        value = tensor.insert_slice(b, source, value, *_turned(parameters, back))
    return replace(op, value)


def _turned(parameters: Parameters, order: Sequence[int]) -> Parameters:
    offsets, sizes, strides = ([numbers[d] for d in order] for numbers in parameters)
    return offsets, sizes, strides


def _kept_order(order: Sequence[int], dropped: Sequence[int]) -> list[int]:
    """The order of the dimensions that are left."""
    kept = [d for d in range(len(order)) if d not in dropped]
    return [kept.index(d) for d in order if d not in dropped]


def _reordered(b: Builder, value: Value, order: Sequence[int]) -> Value:
    return value if list(order) == list(range(len(order))) else permuted(b, value, order)


def _slice_before_turning(op: Operation) -> bool:
    """Parts of a tensor that a loop carries, where nobody needs all of it turned."""
    found = _order(op.operand(0))
    if found is None:
        return False
    turning, order = found
    source = linalg.inputs(turning)[0]
    if not isinstance(source, BlockArgument) or not _is_carried(source.block) or turning.parent is not source.block:
        return False
    if any(user.name != "tensor.extract_slice" for user in turning.result.users):
        return False
    back = [order.index(d) for d in range(len(order))]
    parameters = slice_parameters(op)
    dropped = dropped_dims(tensor_type(op.result).shape, parameters[1])
    b = Builder.before(op)
    b.span = op.span
    part = tensor.extract_slice(b, source, *_turned(parameters, back), [order[d] for d in dropped])
    left = [d for d in range(len(order)) if order.index(d) not in dropped]
    return replace(op, _reordered(b, part, [left.index(order[d]) for d in range(len(order)) if d not in dropped]))


def _is_carried(block: Block) -> bool:
    loop = block.parent_op
    return loop is not None and loop.name in ("scf.for", "scf.while")


RULES: Final[Rules] = {
    "tensor.insert_slice": (_fold_overwritten, _compose_inserts),
    "tensor.extract_slice": (_fold_read_back, _slice_before_turning),
    "linalg.generic": (_insert_before_turning,),
}
