"""`linalg_ext`: structured operations that upstream's `linalg` has no name for; IREE's dialect of that name is the model.

`linalg_ext.attention` is softmax over keys of what the region makes of the scores q @ k^T, times v:

    out[b.., m, d] = sum over n of softmax over n (region(sum over k of q[b.., m, k] * key[b.., n, k], masks...)) * v[b.., n, d]

Its iteration dimensions are those of the batch, then m (queries), n (keys), k (what is summed in a score), d (elements of a
value), in this order; `static_sizes` and the operands `sizes` say how long they are. Operands: q, key, v, any number of masks, sizes, the
output. One indexing map for each operand but sizes; they may be any affine expressions that stay inside. The region gets one score, in the
type that sums are made in, and one element of each mask; it yields the score that the softmax takes, and may ask for `linalg.index`.
`empty_rows`: what a row gives in which all scores are -inf, `nan` or `zero`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from ..affine import AffineMap
from ..attributes import DenseArrayAttr
from ..builder import Builder
from ..core import Block, Operation, Region, Value
from ..definition import OpDefinition
from ..types import I32, MemRefType, RankedTensorType, Type, element_type
from . import linalg
from .tensor import DYNAMIC_SENTINEL, Size, split_sizes

ATTENTION: Final = "linalg_ext.attention"

NAN: Final = "nan"
ZERO: Final = "zero"


def attention(
    b: Builder,
    ins: Sequence[Value],
    sizes: Sequence[Size],
    out: Value,
    maps: Sequence[AffineMap],
    score: Type,
    body: linalg.Body,
    *,
    empty_rows: str,
) -> Operation:
    """`body(b, [score, elements of masks...])` returns the new score. `ins` are q, key, v and masks; maps: theirs, then the output's."""
    static, dynamic = split_sizes(sizes)
    block = Block([score, *(element_type(v.type) for v in ins[3:])])
    attributes = {
        "indexing_maps": tuple(maps),
        "static_sizes": static,
        "empty_rows": empty_rows,
        "operandSegmentSizes": DenseArrayAttr((len(ins), len(dynamic), 1), I32),
    }
    results = [out.type] if isinstance(out.type, RankedTensorType) else []
    op = b.create(ATTENTION, (*ins, *dynamic, out), results, attributes, [Region([block])])
    with b.inside(block):
        b.create("linalg.yield", body(b, block.args))
    return op


def inputs(op: Operation) -> tuple[Value, ...]:
    """q, key, v and masks."""
    return op.operands[: cast(DenseArrayAttr, op.attributes["operandSegmentSizes"]).values[0]]


def output(op: Operation) -> Value:
    return op.operands[-1]


def sizes(op: Operation) -> list[Size]:
    """Extents of the iteration dimensions."""
    dynamic = iter(op.operands[len(inputs(op)) : -1])
    static = cast(DenseArrayAttr, op.attributes["static_sizes"]).values
    return [next(dynamic) if s == DYNAMIC_SENTINEL else s for s in static]


def indexing_maps(op: Operation) -> tuple[AffineMap, ...]:
    """Those of the inputs, then that of the output."""
    return cast("tuple[AffineMap, ...]", op.attributes["indexing_maps"])


def rank(op: Operation) -> int:
    """Number of iteration dimensions."""
    return len(cast(DenseArrayAttr, op.attributes["static_sizes"]).values)


def empty_rows(op: Operation) -> str:
    return cast(str, op.attributes["empty_rows"])


def _verify(op: Operation) -> str | None:
    maps, count = indexing_maps(op), len(inputs(op))
    if count < 3 or len(maps) != count + 1:
        return "queries, keys and values are needed, and a map for each of them, of the masks, and for the output"
    if rank(op) < 4 or any(m.num_dims != rank(op) for m in maps):
        return f"{rank(op)} iteration dimensions do not fit the maps"
    for value, indexing_map in zip((*inputs(op), output(op)), maps, strict=True):
        t = value.type
        if not isinstance(t, RankedTensorType | MemRefType) or len(t.shape) != len(indexing_map.results):
            return f"a map with {len(indexing_map.results)} results does not fit {t}"
    if empty_rows(op) not in (NAN, ZERO):
        return f"empty rows give nan or zero, not {empty_rows(op)}"
    if len(op.body().args) != count - 2:
        return "the region takes a score and an element of each mask"
    return None


OPS: tuple[OpDefinition, ...] = (
    OpDefinition(ATTENTION, ("inputs*", "sizes*", "outputs*"), results=None, regions=1, verify=_verify),
)
