"""Elementwise operations that read along another dimension than they write: square blocks turned in registers.

In: a `Nest` without reductions, stored contiguously along `inner`, some inputs of which are contiguous along `across`.
Out: blocks of lanes x lanes elements, each line of memory loaded once; what fills no block is left to the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...ir.builder import Builder
from ...ir.core import Value
from ...ir.dialects import linalg, memref, scf, vector
from ...ir.dialects.tensor import Size
from ...ir.target import Target, element_bytes
from ...ir.types import VectorType
from .. import indexing
from ..indexing import as_value
from .nest import Access, Nest, depends_on, is_unit_along
from .pack_panels import transposed
from .vector_body import VectorBody, has_vector_elements, is_vectorizable


@dataclass(frozen=True)
class Blocks:
    """What `transpose_blocks` covers: whole blocks of these two dimensions."""

    across: int
    inner: int
    covered: tuple[Size, Size]


def transposed_dimension(nest: Nest, inner: int, target: Target) -> int | None:
    """The dimension `across`, where the nest has the form and is worth it."""
    out = nest.outputs[0]
    lanes = target.vector_bytes // element_bytes(out.type.element)
    if len(nest.outputs) != 1 or nest.epilogue is not None or nest.reads_outputs or lanes < 4 or lanes & (lanes - 1):
        return None
    if not is_unit_along(out, inner) or not is_vectorizable(nest.body):
        return None
    accesses = nest.accesses()
    if not all(
        has_vector_elements(a) and element_bytes(a.type.element) * lanes == target.vector_bytes for a in accesses
    ):
        return None
    for across in nest.of_kind(linalg.PARALLEL):
        if (
            across == inner
            or not _long_enough(nest.extents[across], lanes)
            or not _long_enough(nest.extents[inner], lanes)
        ):
            continue
        inputs = [a for a in nest.inputs if isinstance(a, Access) and depends_on(a, inner)]
        turned = [a for a in inputs if not is_unit_along(a, inner)]
        if turned and all(is_unit_along(a, across) for a in turned):
            return across
    return None


def _long_enough(extent: Size, lanes: int) -> bool:
    return not isinstance(extent, int) or extent >= lanes


def transpose_blocks(b: Builder, nest: Nest, across: int, inner: int, target: Target) -> Blocks:
    """Emits the loops over whole blocks."""
    lanes = target.vector_bytes // element_bytes(nest.outputs[0].type.element)
    covered = [indexing.sub(b, nest.extents[d], indexing.rem(b, nest.extents[d], lanes)) for d in (across, inner)]
    others = [d for d in nest.of_kind(linalg.PARALLEL) if d not in (across, inner)]
    dims = [*others, across, inner]
    uppers = [*(nest.extents[d] for d in others), *covered]
    steps = [*(1 for _ in others), lanes, lanes]

    def block(ib: Builder, values: Sequence[Value]) -> None:
        positions: list[Size] = [0] * nest.rank
        for d, value in zip(dims, values, strict=True):
            positions[d] = value
        _block(ib, nest, positions, across, inner, lanes)

    zero = as_value(b, 0)
    scf.parallel(b, [zero] * len(dims), [as_value(b, u) for u in uppers], [as_value(b, s) for s in steps], block)
    return Blocks(across, inner, (covered[0], covered[1]))


def _block(b: Builder, nest: Nest, start: list[Size], across: int, inner: int, lanes: int) -> None:
    def indices(access: Access, dim: int, step: int) -> list[Value]:
        positions = list(start)
        positions[dim] = indexing.add(b, positions[dim], step)
        return [as_value(b, indexing.apply(b, e, positions)) for e in access.map.results]

    body = VectorBody(lanes)
    turned: dict[int, list[Value]] = {}
    for i, access in enumerate(nest.inputs):
        if isinstance(access, Access) and depends_on(access, inner) and not is_unit_along(access, inner):
            t = VectorType((lanes,), access.type.element)
            turned[i] = transposed(
                b, [vector.load(b, access.buffer, indices(access, inner, c), t) for c in range(lanes)]
            )
    cache: dict[Any, Value] = {}
    out = nest.outputs[0]
    for row in range(lanes):
        mapping: dict[Value, Value] = {}
        for i, (operand, argument) in enumerate(zip(nest.inputs, nest.body.args, strict=False)):
            if not argument.uses:
                continue
            if not isinstance(operand, Access):
                mapping[argument] = body.broadcast(b, operand, cache)
            elif i in turned:
                mapping[argument] = turned[i][row]
            elif depends_on(operand, inner):
                t = VectorType((lanes,), operand.type.element)
                mapping[argument] = vector.load(b, operand.buffer, indices(operand, across, row), t)
            else:
                scalar = memref.load(b, operand.buffer, indices(operand, across, row))
                mapping[argument] = vector.broadcast(b, scalar, VectorType((lanes,), scalar.type))
        vector.store(b, body.emit(b, nest.body, mapping, cache), out.buffer, indices(out, across, row))
