"""Fuses elementwise producers into their consumers, and puts contractions next to what consumes them.

- An all-parallel `linalg.generic` moves into the body of the `linalg.generic` that reads it: one pass over memory less.
- Scalars that fill a whole operand (`linalg.fill`, splat constants, `tensor.splat`) move into the body.
- A producer is fused only where that does not repeat dear work: see `_worthwhile`.
- A contraction or reduction whose only reader is elementwise is moved right before that reader; the conversion to loops
  then applies the reader to the register tile before it is stored (the epilogue).

    %a = generic exp(%x)                        %c = generic { exp, addf }(%x, %y)
    %c = generic addf(%a, %y)           =>
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from ...ir.affine import AffineBinary, AffineConstant, AffineDim, AffineExpr, AffineMap
from ...ir.attributes import DenseArrayAttr
from ...ir.builder import Builder
from ...ir.core import Block, Operation, OpResult, Region, Value, functions
from ...ir.dialects import arith, linalg
from ...ir.types import I32, INDEX, RankedTensorType
from ..effects import is_attached, is_pure
from .canonicalization.elements import materialize_splat, scalar_splat
from .canonicalize import canonicalize

GENERIC: Final = "linalg.generic"

_DEAR: Final = 12
_MODERATE: Final = 4
_MODERATE_OPS: Final = frozenset(
    {
        "arith.divf",
        "arith.remf",
        "arith.divsi",
        "arith.remsi",
        "arith.floordivsi",
        "math.sqrt",
        "math.rsqrt",
        "tensor.extract",
    }
)
_CHEAP_MATH: Final = frozenset(
    f"math.{n}"
    for n in (
        "absf",
        "absi",
        "ceil",
        "floor",
        "trunc",
        "roundeven",
        "round",
        "copysign",
        "fma",
        "isnan",
        "isinf",
        "isfinite",
    )
)
_CASTS: Final = frozenset(
    f"arith.{n}" for n in ("extf", "truncf", "extsi", "extui", "trunci", "sitofp", "uitofp", "bitcast")
)

_FEW_USERS: Final = 3
_CHEAP_BODY: Final = 4
"""Bodies up to this cost may be computed again rather than stored and loaded."""


@dataclass(frozen=True)
class FuseElementwise:
    name: str = "fuse-elementwise"

    def apply(self, module: Operation) -> Operation:
        fuse_elementwise(module)
        return module


def fuse_elementwise(module: Operation) -> None:
    """Fuses to a fixed point on every function; ends canonical."""
    canonicalize(module)
    for function in functions(module):
        while _sweep(function):
            pass
    canonicalize(module)
    for function in functions(module):
        sink_to_readers(function)


def _sweep(function: Operation) -> bool:
    changed = False
    for op in list(function.walk()):
        while op.name == GENERIC and is_attached(op, function) and op.results:
            fused = _inline_splat(op) or _fuse_one(op)
            if fused is None:
                break
            changed = True
            op = fused
    return changed


# bodies


def body_cost(op: Operation) -> int:
    """Rough cycles per element of a body, in units of an addition."""
    cost = 0
    for inner in op.body().operations():
        if inner.name in ("arith.constant", "linalg.yield", "linalg.index"):
            continue
        if inner.regions:
            cost += _DEAR
        elif inner.name in _MODERATE_OPS:
            cost += _MODERATE
        elif inner.name.startswith("math.") and inner.name not in _CHEAP_MATH:
            cost += _DEAR
        else:
            cost += 1
    return cost


def is_elementwise(op: Operation) -> bool:
    """All-parallel generic on tensors."""
    return op.name == GENERIC and all(t == linalg.PARALLEL for t in linalg.iterator_types(op))


def is_contraction(op: Operation) -> bool:
    """A multiply-add reduction of two operands: matrix products, convolutions, and the same through casts."""
    if op.name in linalg.NAMED_MAPS:
        return True
    if op.name != GENERIC or len(linalg.outputs(op)) != 1 or len(linalg.inputs(op)) != 2:
        return False
    if linalg.REDUCTION not in linalg.iterator_types(op):
        return False
    block = op.body()
    lhs, rhs, acc = block.args
    total = block.terminator.operand(0).defining_op()
    if total is None or total.name not in ("arith.addf", "arith.addi") or acc not in total.operands:
        return False
    other = total.operand(1) if total.operand(0) is acc else total.operand(0)
    product = other.defining_op()
    if product is None or product.name not in ("arith.mulf", "arith.muli"):
        return False
    return {_uncast(v) for v in product.operands} == {lhs, rhs}


def _uncast(value: Value) -> Value:
    op = value.defining_op()
    while op is not None and op.name in _CASTS:
        value = op.operand(0)
        op = value.defining_op()
    return value


def _only_moves(op: Operation) -> bool:
    """The body yields an input, at most cast: a broadcast, transposition or copy."""
    block = op.body()
    value = _uncast(block.terminator.operand(0))
    return (
        len(op.results) == 1
        and value.owner is block
        and all(inner.name in _CASTS for inner in block.operations() if inner is not block.terminator)
    )


# splats


def _inline_splat(op: Operation) -> Operation | None:
    """One input that has the same scalar everywhere becomes that scalar."""
    ins, maps, block = linalg.inputs(op), linalg.indexing_maps(op), op.body()
    for i, value in enumerate(ins):
        if not isinstance(value.type, RankedTensorType):
            continue
        if not block.args[i].uses:
            continue
        splat = scalar_splat(value)
        if splat is None:
            continue
        remaining = [m for j, m in enumerate(maps) if j != i]
        if not _covers(remaining, maps[0].num_dims):
            continue
        b = Builder.before(op)
        scalar = materialize_splat(b, splat)
        block.args[i].replace_all_uses_with(scalar)
        return _without_input(op, i)
    return None


def _without_input(op: Operation, dropped: int) -> Operation:
    ins, maps = linalg.inputs(op), linalg.indexing_maps(op)
    region = op.take_region()
    region.blocks[0].erase_argument(dropped)
    attributes = {
        **op.attributes,
        "indexing_maps": tuple(m for j, m in enumerate(maps) if j != dropped),
        "operandSegmentSizes": DenseArrayAttr((len(ins) - 1, len(linalg.outputs(op))), I32),
    }
    operands = [v for j, v in enumerate(op.operands) if j != dropped]
    new = Builder.before(op).create(op.name, operands, [r.type for r in op.results], attributes, [region])
    op.replace_with(new.results)
    return new


def _covers(maps: Sequence[AffineMap], num_dims: int) -> bool:
    """Every loop extent can be read from an operand (what upstream's verifier wants of a generic)."""
    return {e.position for m in maps for e in m.results if isinstance(e, AffineDim)} == set(range(num_dims))


# fusion


def _fuse_one(consumer: Operation) -> Operation | None:
    for index, value in enumerate(linalg.inputs(consumer)):
        producer = value.defining_op(GENERIC)
        if producer is None or not producer.results or not _legal(producer, consumer, index):
            continue
        if _worthwhile(producer, consumer):
            return _fuse(producer, consumer, index)
    return None


def _output_map(producer: Operation, result: int) -> AffineMap:
    return linalg.indexing_maps(producer)[len(linalg.inputs(producer)) + result]


def _legal(producer: Operation, consumer: Operation, index: int) -> bool:
    if not is_elementwise(producer):
        return False
    value = cast(OpResult, consumer.operand(index))
    out = _output_map(producer, value.index)
    if not out.is_projected_permutation or len(out.results) != out.num_dims:
        return False
    # An input of the consumer may be read as its init as well: then the producer is needed anyhow.
    if any(o.defining_op() is producer for o in linalg.outputs(consumer)):
        return False
    maps = _fused_maps(producer, consumer, index)
    outs = linalg.indexing_maps(consumer)[len(linalg.inputs(consumer)) :]
    return _covers([*maps, *outs], outs[0].num_dims)


def _dimension_map(producer: Operation, consumer: Operation, index: int) -> list[AffineExpr]:
    """The producer's iteration dimensions in terms of the consumer's."""
    value = cast(OpResult, consumer.operand(index))
    out = _output_map(producer, value.index)
    read = linalg.indexing_maps(consumer)[index]
    dims: list[AffineExpr] = [AffineConstant(0)] * out.num_dims
    for position, expr in enumerate(out.results):
        dims[cast(AffineDim, expr).position] = read.results[position]
    return dims


def _producer_operands(producer: Operation) -> list[int]:
    """Operands whose elements the body reads: inputs, and inits that are read."""
    n_in = len(linalg.inputs(producer))
    block = producer.body()
    return [i for i in range(len(producer.operands)) if i < n_in or block.args[i].uses]


def _fused_maps(producer: Operation, consumer: Operation, index: int) -> list[AffineMap]:
    """Indexing maps of the fused inputs: the consumer's other ones, then the producer's operands."""
    num_dims = linalg.indexing_maps(consumer)[0].num_dims
    dims = AffineMap(num_dims, tuple(_dimension_map(producer, consumer, index)))
    maps = linalg.indexing_maps(consumer)
    n_in = len(linalg.inputs(consumer))
    kept = [maps[i] for i in range(n_in) if i != index]
    return [*kept, *(linalg.indexing_maps(producer)[i].compose(dims) for i in _producer_operands(producer))]


def _worthwhile(producer: Operation, consumer: Operation) -> bool:
    if is_contraction(consumer):
        # Its elements are read many times over: only what costs nothing per read.
        return _only_moves(producer)
    if _only_moves(producer):
        return True
    users = {user for result in producer.results for user in result.users}
    cost = body_cost(producer)
    if not is_pure(producer):
        return False
    if len(users) == 1:
        return cost <= _CHEAP_BODY or not _repeats(producer, consumer)
    others_fuse = all(
        user.name == GENERIC
        and user.parent is producer.parent
        and not is_contraction(user)
        and not _repeats(producer, user)
        and all(o.defining_op() is not producer for o in linalg.outputs(user))
        for user in users
    )
    return others_fuse and cost <= _CHEAP_BODY and len(users) <= _FEW_USERS and len(linalg.inputs(producer)) <= 2


def _repeats(producer: Operation, consumer: Operation) -> bool:
    """Whether the consumer evaluates elements of the producer more than once."""
    for index, value in enumerate(linalg.inputs(consumer)):
        if value.defining_op() is not producer:
            continue
        read = linalg.indexing_maps(consumer)[index]
        used = {e.position for e in read.results if isinstance(e, AffineDim)}
        missing = set(range(read.num_dims)) - used
        if not read.is_projected_permutation or any(_loop_extent(consumer, d) != 1 for d in missing):
            return True
    return False


def _loop_extent(op: Operation, dim: int) -> int | None:
    for value, indexing_map in zip(op.operands, linalg.indexing_maps(op), strict=True):
        if not isinstance(value.type, RankedTensorType):
            continue
        for extent, expr in zip(value.type.shape, indexing_map.results, strict=True):
            if expr == AffineDim(dim) and extent is not None:
                return extent
    return None


def _fuse(producer: Operation, consumer: Operation, index: int) -> Operation:
    value = cast(OpResult, consumer.operand(index))
    maps = linalg.indexing_maps(consumer)
    n_in = len(linalg.inputs(consumer))
    read = _producer_operands(producer)
    kept = [i for i in range(n_in) if i != index]
    inputs = [*(consumer.operand(i) for i in kept), *(producer.operand(i) for i in read)]
    fused_maps = (*_fused_maps(producer, consumer, index), *maps[n_in:])
    outs = linalg.outputs(consumer)

    old_args, producer_args = consumer.body().args, producer.body().args
    block = Block(
        [old_args[i].type for i in kept] + [producer_args[i].type for i in read] + [a.type for a in old_args[n_in:]]
    )
    b = Builder.before(consumer)
    with b.inside(block):
        arguments: dict[Value, Value] = {producer_args[i]: block.args[len(kept) + p] for p, i in enumerate(read)}
        is_last = sum(len(r.uses) for r in producer.results) == 1
        dims = _dimension_map(producer, consumer, index)
        results = _move_body(b, producer, arguments, dims) if is_last else _copy_body(b, producer, arguments, dims)
        old_args[index].replace_all_uses_with(results[value.index])
        for p, i in enumerate(kept):
            old_args[i].replace_all_uses_with(block.args[p])
        for p, argument in enumerate(old_args[n_in:]):
            argument.replace_all_uses_with(block.args[len(inputs) + p])
        for op in consumer.body().operations():
            b.insert(op.detach())
    attributes = {
        "indexing_maps": fused_maps,
        "iterator_types": consumer.attributes["iterator_types"],
        "operandSegmentSizes": DenseArrayAttr((len(inputs), len(outs)), I32),
    }
    fused = b.create(GENERIC, (*inputs, *outs), [r.type for r in consumer.results], attributes, [Region([block])])
    consumer.replace_with(fused.results)
    if not any(r.uses for r in producer.results):
        producer.erase()
    return _merge_duplicate_inputs(fused)


def _copy_body(
    b: Builder, op: Operation, arguments: dict[Value, Value], dims: Sequence[AffineExpr]
) -> Sequence[Value]:
    """What the body yields for these arguments and dimensions; the operation stays as it is."""
    mapping = dict(arguments)
    for inner in op.body().operations():
        if inner.name == "linalg.index":
            mapping[inner.result] = index_value(b, dims[cast(int, inner.attributes["dim"])])
        elif inner is not op.body().terminator:
            b.insert(inner.clone(mapping))
    return [mapping.get(v, v) for v in op.body().terminator.operands]


def _move_body(
    b: Builder, op: Operation, arguments: dict[Value, Value], dims: Sequence[AffineExpr]
) -> Sequence[Value]:
    """The same for an operation that is not needed afterwards: bodies grow long, and would be copied each time they grow."""
    for argument, value in arguments.items():
        argument.replace_all_uses_with(value)
    terminator = op.body().terminator
    for inner in op.body().operations():
        if inner.name == "linalg.index":
            inner.replace_with([index_value(b, dims[cast(int, inner.attributes["dim"])])])
        elif inner is not terminator:
            b.insert(inner.detach())
    return terminator.operands


def index_value(b: Builder, expr: AffineExpr) -> Value:
    """Inside a body: the value of an affine expression of the iteration dimensions."""
    match expr:
        case AffineDim(position):
            return linalg.index(b, position)
        case AffineConstant(value):
            return arith.constant(b, value, INDEX)
        case AffineBinary(op, left, right):
            x, y = index_value(b, left), index_value(b, right)
            build = {"+": arith.addi, "*": arith.muli, "floordiv": arith.floordivsi, "mod": arith.remsi}[op]
            return build(b, x, y)
        case _:
            raise AssertionError(f"affine symbols have no value here: {expr}")


def _merge_duplicate_inputs(op: Operation) -> Operation:
    """Inputs read through one map are read once."""
    ins, maps = linalg.inputs(op), linalg.indexing_maps(op)
    first: dict[tuple[Value, AffineMap], int] = {}
    for i, value in enumerate(ins):
        known = first.setdefault((value, maps[i]), i)
        if known != i:
            block = op.body()
            block.args[i].replace_all_uses_with(block.args[known])
            return _merge_duplicate_inputs(_without_input(op, i))
    return op


# epilogue


def sink_to_readers(function: Operation) -> None:
    """Moves contractions and reductions, with the fills they start from, right before their only elementwise reader."""
    for op in reversed(list(function.walk())):
        if not linalg.is_structured(op) or len(op.results) != 1 or linalg.REDUCTION not in linalg.iterator_types(op):
            continue
        users = op.result.users
        if len(users) == 1 and users[0].parent is op.parent and is_elementwise(users[0]):
            _move_before(op, users[0])
            _sink_init(op)


def _sink_init(op: Operation) -> None:
    init = linalg.outputs(op)[0].defining_op("linalg.fill")
    if init is not None and init.result.users == [op] and init.parent is op.parent:
        _move_before(init, op)


def _move_before(op: Operation, anchor: Operation) -> None:
    if op.next is anchor or not is_pure(op):
        return
    block = op.parent
    assert block is not None
    block.insert_before(op.detach(), anchor)
