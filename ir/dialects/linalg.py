"""`linalg`: structured operations on tensors (with results) and, after bufferisation, on memrefs (without)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

from ..affine import AffineMap
from ..attributes import Attribute, DenseArrayAttr
from ..builder import Builder
from ..core import Block, Operation, Region, Value
from ..definition import OpDefinition, Trait
from ..types import I32, INDEX, IntegerType, RankedTensorType, Type, element_type
from . import arith

PARALLEL: Final = "parallel"
REDUCTION: Final = "reduction"

Body = Callable[[Builder, Sequence[Value]], Sequence[Value]]


def generic(
    b: Builder, ins: Sequence[Value], outs: Sequence[Value], maps: Sequence[AffineMap], iterators: Sequence[str], body: Body
) -> Operation:
    """`body(b, [one element per operand])` returns the new elements of `outs`. One indexing map per operand."""
    attributes = {"indexing_maps": tuple(maps), "iterator_types": tuple(iterators)}
    return _structured(b, "linalg.generic", ins, outs, attributes, body)


def _structured(
    b: Builder, name: str, ins: Sequence[Value], outs: Sequence[Value], attributes: Mapping[str, Attribute], body: Body
) -> Operation:
    """The operation is inserted before its body is built, so that bodies can look around."""
    block = Block([element_type(v.type) for v in (*ins, *outs)])
    segments = DenseArrayAttr((len(ins), len(outs)), I32)
    op = b.create(name, (*ins, *outs), _results(outs), {**attributes, "operandSegmentSizes": segments}, [Region([block])])
    with b.inside(block):
        b.create("linalg.yield", body(b, block.args))
    return op


def _results(outs: Sequence[Value]) -> list[Type]:
    return [v.type for v in outs if isinstance(v.type, RankedTensorType)]


def fill(b: Builder, value: Value, out: Value) -> Operation:
    """All elements of `out` become the scalar `value`."""
    return _named(b, "linalg.fill", [value], [out], lambda _, args: [args[0]])


def matmul(b: Builder, lhs: Value, rhs: Value, out: Value) -> Operation:
    """out[m, n] += lhs[m, k] * rhs[k, n]."""
    return _named(b, "linalg.matmul", [lhs, rhs], [out], multiply_add)


def batch_matmul(b: Builder, lhs: Value, rhs: Value, out: Value) -> Operation:
    """out[i, m, n] += lhs[i, m, k] * rhs[i, k, n]."""
    return _named(b, "linalg.batch_matmul", [lhs, rhs], [out], multiply_add)


def multiply_add(b: Builder, args: Sequence[Value]) -> Sequence[Value]:
    """Body of a contraction: args are lhs, rhs, accumulator of one type."""
    lhs, rhs, acc = args
    if isinstance(acc.type, IntegerType):
        return [arith.addi(b, acc, arith.muli(b, lhs, rhs))]
    return [arith.addf(b, acc, arith.mulf(b, lhs, rhs))]


def _named(b: Builder, name: str, ins: Sequence[Value], outs: Sequence[Value], body: Body) -> Operation:
    """A named operation; it carries the body that its name stands for, which is not printed."""
    return _structured(b, name, ins, outs, {}, body)


def index(b: Builder, dim: int) -> Value:
    """Inside a body: the position in iteration dimension `dim`."""
    return b.create("linalg.index", (), (INDEX,), {"dim": dim}).result


NAMED_MAPS: Final[dict[str, tuple[tuple[AffineMap, ...], tuple[str, ...]]]] = {
    "linalg.matmul": (
        (AffineMap.of(3, 0, 2), AffineMap.of(3, 2, 1), AffineMap.of(3, 0, 1)),
        (PARALLEL, PARALLEL, REDUCTION),
    ),
    "linalg.batch_matmul": (
        (AffineMap.of(4, 0, 1, 3), AffineMap.of(4, 0, 3, 2), AffineMap.of(4, 0, 1, 2)),
        (PARALLEL, PARALLEL, PARALLEL, REDUCTION),
    ),
}
"""Indexing maps and iterator types of named contractions."""


def is_structured(op: Operation) -> bool:
    return op.name in ("linalg.generic", "linalg.fill") or op.name in NAMED_MAPS


def is_moving(op: Operation) -> bool:
    """Whether an operation yields the elements of its only input: a broadcast, transposition or copy."""
    if op.name != "linalg.generic" or len(op.operands) != 2 or len(op.results) > 1:
        return False
    body = op.body()
    return body.terminator.operand(0) is body.args[0] and len(list(body.operations())) == 1


def inputs(op: Operation) -> tuple[Value, ...]:
    segments = cast(DenseArrayAttr, op.attributes["operandSegmentSizes"]).values
    return op.operands[: segments[0]]


def outputs(op: Operation) -> tuple[Value, ...]:
    segments = cast(DenseArrayAttr, op.attributes["operandSegmentSizes"]).values
    return op.operands[segments[0] :]


def indexing_maps(op: Operation) -> tuple[AffineMap, ...]:
    """One per operand, for generic and named operations alike."""
    if op.name == "linalg.generic":
        return cast(tuple[AffineMap, ...], op.attributes["indexing_maps"])
    if op.name == "linalg.fill":
        rank = len(cast(RankedTensorType, outputs(op)[0].type).shape)
        return AffineMap(rank, ()), AffineMap.identity(rank)
    return NAMED_MAPS[op.name][0]


def iterator_types(op: Operation) -> tuple[str, ...]:
    if op.name == "linalg.generic":
        return cast(tuple[str, ...], op.attributes["iterator_types"])
    if op.name == "linalg.fill":
        return (PARALLEL,) * len(cast(RankedTensorType, outputs(op)[0].type).shape)
    return NAMED_MAPS[op.name][1]



OPS: tuple[OpDefinition, ...] = (
    OpDefinition("linalg.generic", ("inputs*", "outputs*"), results=None, regions=1),
    *(OpDefinition(n, ("inputs*", "outputs*"), results=None, regions=1) for n in ("linalg.fill", *NAMED_MAPS)),
    OpDefinition("linalg.yield", ("values*",), results=0, traits=frozenset({Trait.TERMINATOR})),
    OpDefinition("linalg.index", assembly="#dim attr-dict : type(results)", traits=frozenset({Trait.PURE})),
)
