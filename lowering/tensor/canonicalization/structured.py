"""Structured operations: duplicate and unused inputs, results that are not read, copies, constant bodies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from ....ir.affine import AffineDim, AffineMap
from ....ir.attributes import DenseArrayAttr
from ....ir.builder import Builder
from ....ir.core import Block, Operation, Value
from ....ir.dialects import arith, linalg, tensor
from ....ir.dialects.tensor import Size, tensor_type
from ....ir.types import I32, INDEX
from ...effects import is_pure
from .rewriting import Rules, replace


def _rebuild_generic(op: Operation, keep: Sequence[int], body: dict[int, int]) -> None:
    """Keeps the inputs `keep`; the argument of a dropped input i becomes that of input `body[i]` (or is unused)."""
    b = Builder.before(op)
    ins, outs, maps = linalg.inputs(op), linalg.outputs(op), linalg.indexing_maps(op)
    region = op.regions[0].clone({})
    block = region.blocks[0]
    for old, new in body.items():
        block.args[old].replace_all_uses_with(block.args[new])
    for i in reversed(range(len(ins))):
        if i not in keep:
            block.erase_argument(i)
    attributes = {
        **op.attributes,
        "indexing_maps": tuple(maps[i] for i in keep) + maps[len(ins) :],
        "operandSegmentSizes": DenseArrayAttr((len(keep), len(outs)), I32),
    }
    new_op = b.create(op.name, (*(ins[i] for i in keep), *outs), [r.type for r in op.results], attributes, [region])
    op.replace_with(new_op.results)


def _prune_inputs(op: Operation) -> bool:
    ins, maps, block = linalg.inputs(op), linalg.indexing_maps(op), op.body()
    seen: dict[tuple[Value, AffineMap], int] = {}
    keep: list[int] = []
    merged: dict[int, int] = {}
    for i, value in enumerate(ins):
        first = seen.setdefault((value, maps[i]), i)
        if first != i:
            merged[i] = first
        elif block.args[i].uses or not _covered(maps, i, set(keep) | set(range(i + 1, len(maps)))):
            keep.append(i)
    # An unused input that a later duplicate refers to stays.
    keep = sorted(set(keep) | set(merged.values()))
    if len(keep) == len(ins):
        return False
    _rebuild_generic(op, keep, merged)
    return True


def _covered(maps: Sequence[AffineMap], dropped: int, others: set[int]) -> bool:
    """Whether every loop extent can be read from the operands `others`."""
    dims = {e.position for i in others if i != dropped for e in maps[i].results if isinstance(e, AffineDim)}
    return dims == set(range(maps[0].num_dims))


def _is_elementwise(op: Operation) -> bool:
    return all(t == linalg.PARALLEL for t in linalg.iterator_types(op))


def _fold_copy(op: Operation) -> bool:
    """An all-parallel body that yields an input unchanged at the same position is that input."""
    if len(op.results) != 1 or not _is_elementwise(op):
        return False
    ins, maps, block = linalg.inputs(op), linalg.indexing_maps(op), op.body()
    value = block.terminator.operand(0)
    for i, source in enumerate(ins):
        if (
            value is block.args[i]
            and source.type == op.result.type
            and maps[i] == maps[-1]
            and maps[i].is_projected_permutation
        ):
            if len(maps[i].results) == maps[i].num_dims:
                return replace(op, source)
    return False


def _constant_body(op: Operation) -> bool:
    """A body that yields one scalar from outside is a fill."""
    if len(op.results) != 1 or not _is_elementwise(op):
        return False
    block = op.body()
    value = block.terminator.operand(0)
    number = arith.constant_value(value)
    inside = isinstance(value.owner, Block) or value.owner.parent is block
    if inside and (number is None or not is_pure(op)):
        return False
    if not inside and block.first is not block.terminator and not is_pure(op):
        return False
    if not linalg.indexing_maps(op)[-1].is_projected_permutation:
        return False
    b = Builder.before(op)
    scalar = value if not inside else arith.constant(b, cast(float, number), value.type)
    return replace(op, linalg.fill(b, scalar, linalg.outputs(op)[0]).result)


def _drop_unread_init(op: Operation) -> bool:
    """An init whose elements are never read becomes `tensor.empty`: nothing has to be computed for it."""
    if not op.results or any(t != linalg.PARALLEL for t in linalg.iterator_types(op)):
        return False
    n_in = len(linalg.inputs(op))
    changed = False
    for i, init in enumerate(linalg.outputs(op)):
        definition = init.defining_op()
        unread = op.name == "linalg.fill" or not op.body().args[n_in + i].uses
        if not unread or (definition is not None and _leads_to_empty(definition)):
            continue
        if not _writes_everywhere(linalg.indexing_maps(op)[n_in + i]):
            continue
        b = Builder.before(op)
        t = tensor_type(init)
        sizes: list[Size] = [
            e if e is not None else tensor.dim(b, init, arith.constant(b, d, INDEX)) for d, e in enumerate(t.shape)
        ]
        op.set_operand(n_in + i, tensor.empty(b, sizes, t.element))
        changed = True
    return changed


def _leads_to_empty(op: Operation) -> bool:
    while op.name == "tensor.cast":
        inner = op.operand(0).defining_op()
        if inner is None:
            return False
        op = inner
    return op.name == "tensor.empty"


def _writes_everywhere(indexing_map: AffineMap) -> bool:
    return indexing_map.is_projected_permutation


RULES: Final[Rules] = {
    "linalg.generic": (_prune_inputs, _drop_unread_init, _fold_copy, _constant_body),
    "linalg.fill": (_drop_unread_init,),
}
