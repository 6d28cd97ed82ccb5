"""Makes one operation of softmax(q @ k^T ...) @ v, however it is written: the scores are then never all in memory.

In: a contraction with a softmax as one operand, whose argument is made of another contraction element by element (scale, masks, causal
order, casts). Out: `linalg_ext.attention`, which reads queries, keys and values where they lie (heads as columns of a projection, keys that
are stored the other way round, keys shared by several heads), and writes the result where the next reshape wants it.

    %s = contraction(%q, %k)                      %o = linalg_ext.attention(%q, %k, %v, %mask) {
    %t = generic { * 0.125 + mask }(%s)             * 0.125 + mask
    %m = generic max(%t)                          }
    %e = generic { exp(t - m) }(%t, %m)     =>
    %l = generic sum(%e)
    %p = generic { e * (1 / l) }(%e, %l)
    %o = contraction(%p, %v)

Only where nobody else wants the scores or the weights, and where it pays (`pays`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from ...ir.affine import AffineConstant, AffineDim, AffineExpr, AffineMap
from ...ir.attributes import Constant, DenseAttr
from ...ir.builder import Builder
from ...ir.core import Operation, Value, functions
from ...ir.dialects import arith, func, linalg, linalg_ext, tensor
from ...ir.dialects.tensor import Size
from ...ir.target import AVX512, Target
from ...ir.types import F32, F64, I1, I8, I32, I64, INDEX, FloatType, RankedTensorType, Type
from ..effects import erase_unused
from .canonicalize import canonicalize
from .element_trees import MAXIMUM, Index, Node, Tracer, number_of, reassociation, stripped, unguarded
from .empty_branches import flatten_empty_branches
from .fuse_elementwise import index_value, is_contraction

_FEW_SCORES: Final = 16
"""Queries or keys: with fewer the scores are no burden, and the parts of the operation are faster by themselves."""


@dataclass(frozen=True)
class FuseAttention:
    target: Target = AVX512
    name: str = "fuse-attention"

    def apply(self, module: Operation) -> Operation:
        changed = False
        if self.target.lanes(F64) < 2:
            return module  # its loops are made of vectors
        for function in functions(module):
            if func.is_declaration(function):
                continue
            changed |= flatten_empty_branches(function)
            for op in list(function.walk()):
                if op.parent is not None and op.results and is_contraction(op):
                    changed |= _fuse(op)
            erase_unused(function)
        if changed:
            canonicalize(module)
        return module


def pays(queries: int | None, keys: int | None) -> bool:
    """Whether the operation is worth having for so many queries and keys; None: as the run time says."""
    return all(e is None or e >= _FEW_SCORES for e in (queries, keys))


# contractions


@dataclass(frozen=True)
class _Product:
    """A contraction of two operands over one dimension, in dimensions of its own."""

    op: Operation
    rows: int
    """The dimension that only the left operand has."""
    columns: int
    """The dimension that only the right operand has."""
    reduction: int
    batch: tuple[int, ...]
    left: int
    """Number of the left operand."""


def _products(op: Operation) -> Iterator[_Product]:
    """A contraction read either way."""
    kinds, maps = linalg.iterator_types(op), linalg.indexing_maps(op)
    reductions = [d for d, kind in enumerate(kinds) if kind == linalg.REDUCTION]
    if len(reductions) != 1 or not all(m.is_projected_permutation for m in maps) or not _starts_at_zero(op):
        return
    used = [{e.position for e in m.results if isinstance(e, AffineDim)} for m in maps]
    parallel = [d for d, kind in enumerate(kinds) if kind == linalg.PARALLEL]
    if used[2] != set(parallel) or any(reductions[0] not in u for u in used[:2]):
        return
    for left in (0, 1):
        right = 1 - left
        rows = [d for d in parallel if d in used[left] and d not in used[right]]
        columns = [d for d in parallel if d in used[right] and d not in used[left]]
        if len(rows) == 1 and len(columns) == 1:
            batch = tuple(d for d in parallel if d not in (rows[0], columns[0]))
            yield _Product(op, rows[0], columns[0], reductions[0], batch, left)


def _starts_at_zero(op: Operation) -> bool:
    init = linalg.outputs(op)[0].defining_op("linalg.fill")
    return init is not None and arith.constant_value(init.operand(0)) == 0


def _operand_index(product: _Product, number: int, dims: Sequence[AffineExpr]) -> Index:
    return tuple(e.substitute(dims) for e in linalg.indexing_maps(product.op)[number].results)


def _extent(op: Operation, dim: int) -> int | None:
    for value, indexing_map in zip(op.operands, linalg.indexing_maps(op), strict=True):
        for extent, expr in zip(cast(RankedTensorType, value.type).shape, indexing_map.results, strict=True):
            if expr == AffineDim(dim) and extent is not None:
                return extent
    return None


# recognition


@dataclass
class _Match:
    """Attention around the contraction `second`, in its dimensions: batch, m, n, k, d."""

    second: _Product
    tracer: Tracer
    batch: Sequence[AffineExpr]
    """Of each batch dimension of `second`."""
    m: int
    first: Operation | None = None
    queries: Node | None = None
    keys: Node | None = None
    values: Node | None = None
    score: Node | None = None
    """What the softmax takes, made of `raw`."""
    raw: Node | None = None
    """The element of the first contraction."""
    factor: float = 1.0
    """What queries and keys were multiplied by."""
    empty_rows: str = linalg_ext.NAN
    reductions: list[Operation] = field(default_factory=list[Operation])

    @property
    def rank(self) -> int:
        return self.m + 4

    def dim(self, offset: int) -> AffineDim:
        """0: queries, 1: keys, 2: summed, 3: elements of values."""
        return AffineDim(self.m + offset)


def _fuse(op: Operation) -> bool:
    for product in _products(op):
        match = _weights(product)
        if match is None or not _scores(match) or not _is_private(match):
            continue
        extents = match.tracer.extents
        if pays(extents[match.m], extents[match.m + 1]) and _rewrite(match):
            return True
    return False


def _weights(second: _Product) -> _Match | None:
    """The left operand as weights of a softmax."""
    op = second.op
    value = linalg.inputs(op)[second.left]
    possible, batch, sizes = _batch_of(second, value)
    m = len(sizes)
    if not possible:
        return None
    tracer = Tracer([*sizes, _extent(op, second.rows), _extent(op, second.reduction), None, _extent(op, second.columns)])
    match = _Match(second, tracer, batch, m)
    dims = _dims(match)
    weights = tracer.element(value, _operand_index(second, second.left, dims))
    power = _normalised(match, weights)
    if power is None:
        return None
    match.score = power
    right = 1 - second.left
    values = tracer.element(linalg.inputs(op)[right], _operand_index(second, right, dims))
    match.values = _operand(match, values, scaled=False)
    return match


def _dims(match: _Match) -> list[AffineExpr]:
    """The dimensions of the second contraction in those of the match."""
    second = match.second
    dims: list[AffineExpr] = [AffineConstant(0)] * (len(match.batch) + 3)
    for d, expr in zip(second.batch, match.batch, strict=True):
        dims[d] = expr
    dims[second.rows], dims[second.reduction], dims[second.columns] = match.dim(0), match.dim(1), match.dim(3)
    return dims


def _batch_of(second: _Product, value: Value) -> tuple[bool, list[AffineExpr], list[int | None]]:
    """(possible, expressions of the batch dimensions, their extents): a batch that was collapsed counts as its parts."""
    read = linalg.indexing_maps(second.op)[second.left].results
    collapse = value.defining_op("tensor.collapse_shape")
    exprs: list[AffineExpr] = []
    sizes: list[int | None] = []
    for d in second.batch:
        if AffineDim(d) not in read:
            return False, [], []
        extents: list[int | None] = [_extent(second.op, d)]
        if collapse is not None:
            shape = tensor.tensor_type(collapse.operand(0)).shape
            parts = [shape[i] for i in reassociation(collapse)[read.index(AffineDim(d))]]
            if parts and all(isinstance(e, int) for e in parts[1:]):
                extents = parts
        total: AffineExpr = AffineConstant(0)
        for extent in extents:
            if extent != 1:
                total = (total * extent if extent is not None else total) + AffineDim(len(sizes))
                sizes.append(extent)
        exprs.append(total)
    return True, exprs, sizes


def _normalised(match: _Match, weights: Node) -> Node | None:
    """The argument of the softmax."""
    node = stripped(weights)
    if node.kind == "arith.mulf":
        for power, inverse in (node.operands, node.operands[::-1]):
            inverse = stripped(inverse)
            if inverse.kind == "arith.divf" and number_of(inverse.operands[0]) == 1:
                return _softmax(match, stripped(power), stripped(inverse.operands[1]))
    if node.kind == "arith.divf":
        return _softmax(match, stripped(node.operands[0]), stripped(node.operands[1]))
    return None


def _softmax(match: _Match, power: Node, total: Node) -> Node | None:
    """x, for exp(x - max x) and the sum of that."""
    difference = stripped(power.operands[0]) if power.kind == "math.exp" else power
    if difference.kind != "arith.subf":
        return None
    score, top = stripped(difference.operands[0]), stripped(difference.operands[1])
    guards = [unguarded(top, 0.0), unguarded(total, 1.0)]
    if all(g is not None for g in guards):
        match.empty_rows = linalg_ext.ZERO
        top, total = stripped(cast(Node, guards[0])), stripped(cast(Node, guards[1]))
    summed = match.tracer.reduced(total, ("arith.addf",), 0.0, match.dim(1))
    greatest = match.tracer.reduced(top, MAXIMUM, -np.inf, match.dim(1))
    if summed is None or greatest is None or stripped(summed) is not power or stripped(greatest) is not score:
        return None
    match.reductions += [cast(Operation, cast(Value, node.value).defining_op()) for node in (total, top)]
    return score


def _scores(match: _Match) -> bool:
    """Finds the contraction that scores are made of, and its operands."""
    assert match.score is not None
    found = [n for n in _nodes(match.score) if n.is_element and n.value is not None and _is_product(n, match)]
    if len(found) != 1:
        return False
    raw = found[0]
    op = cast(Value, raw.value).defining_op()
    assert op is not None
    for product in _products(op):
        out = linalg.indexing_maps(op)[2].results
        dims: list[AffineExpr] = [match.dim(2)] * len(linalg.iterator_types(op))
        for expr, place in zip(out, raw.index, strict=True):
            dims[cast(AffineDim, expr).position] = place
        if dims[product.rows] != match.dim(0) or dims[product.columns] != match.dim(1):
            continue
        match.tracer.extents[match.m + 2] = _extent(op, product.reduction)
        sides = [
            match.tracer.element(linalg.inputs(op)[i], _operand_index(product, i, dims))
            for i in (product.left, 1 - product.left)
        ]
        match.first, match.raw = op, raw
        match.queries, match.keys = (_operand(match, side, scaled=True) for side in sides)
        return match.queries is not None and match.keys is not None and match.values is not None
    return False


def _is_product(node: Node, match: _Match) -> bool:
    op = cast(Value, node.value).defining_op()
    over = {d for e in node.index for d in e.dims_used()}
    return op is not None and is_contraction(op) and {match.m, match.m + 1} <= over


def _nodes(root: Node) -> list[Node]:
    """The expression, each part once."""
    found: dict[int, Node] = {}
    pending = [root]
    while pending:
        node = pending.pop()
        if id(node) not in found:
            found[id(node)] = node
            pending += node.operands
    return list(found.values())


def _operand(match: _Match, node: Node, *, scaled: bool) -> Node | None:
    """An element of a tensor that queries, keys or values are read from; factors go to the scores."""
    while not node.is_element:
        if node.kind == "arith.extf":
            node = node.operands[0]
        elif scaled and node.kind in ("arith.mulf", "arith.divf") and number_of(node.operands[1]) is not None:
            number = float(cast(float, number_of(node.operands[1])))
            match.factor = match.factor * number if node.kind == "arith.mulf" else match.factor / number
            node = node.operands[0]
        else:
            break
    if not node.is_element:
        if node.source is None:
            return None
        node = match.tracer.leaf(*node.source)
    return node if isinstance(node.type, FloatType) and _is_spread(node.index, match) else None


def _is_spread(index: Index, match: _Match) -> bool:
    """Whether positions change evenly along queries, keys and their elements: each of these in at most one place."""
    inner = {match.m, match.m + 1, match.m + 2, match.m + 3}
    seen: set[int] = set()
    for expr in index:
        used = expr.dims_used() & inner
        if len(used) > 1 or used & seen:
            return False
        seen |= used
        if used and _step(expr, next(iter(used))) != 1:
            return False
    return True


def _step(expr: AffineExpr, dim: int) -> int | None:
    """How far the expression moves when the dimension does, where that is the same everywhere."""
    zeros = [0] * (max(expr.dims_used(), default=0) + 1)
    values: list[int] = []
    for x in (0, 1, 2, 3, 97):
        zeros[dim] = x
        values.append(expr.evaluate(zeros))
    step = values[1] - values[0]
    return step if all(v - values[0] == x * step for v, x in zip(values, (0, 1, 2, 3, 97), strict=True)) else None


def _is_private(match: _Match) -> bool:
    """Whether nobody else wants scores, weights, or anything between; all of it in one block."""
    first, last = match.first, match.second.op
    assert first is not None
    inside = {last}
    pending = [first]
    while pending:
        op = pending.pop()
        if op in inside or op.name == "tensor.dim":
            continue
        inside.add(op)
        passed = op is first or op in match.tracer.passed or op in match.reductions
        if not passed or op.parent is not last.parent or len(op.results) != 1:
            return False
        pending += op.result.users
    return first.is_before(last)


# the operation


def _rewrite(match: _Match) -> bool:
    score, raw = match.score, match.raw
    assert score is not None and raw is not None and match.queries and match.keys and match.values
    if raw.type not in (F32, F64) or not isinstance(score.type, FloatType) or (score.type == F64 and raw.type != F64):
        return False
    value, index = _destination(match)
    final = cast(Operation, value.defining_op())
    b = Builder.before(final)
    masks = _Masks(match, b)
    masks.collect(score)
    operands = [(cast(Value, n.value), n.index) for n in (match.queries, match.keys, match.values)]
    sizes = _sizes(b, match, [*operands, *masks.operands.values()])
    if sizes is None:
        return False
    operands += [(masks.widened(v), i) for v, i in masks.operands.values()]
    out = linalg.outputs(final)[0]
    start = out.defining_op("linalg.fill")
    if start is not None:
        out = linalg.outputs(start)[0]
    maps = [AffineMap(match.rank, i) for _, i in (*operands, (out, index))]

    def body(ib: Builder, args: Sequence[Value]) -> Sequence[Value]:
        return [masks.body(ib, score, args)]

    new = linalg_ext.attention(b, [v for v, _ in operands], sizes, out, maps, raw.type, body, empty_rows=match.empty_rows)
    new.result.name = value.name
    value.replace_all_uses_with(new.result)
    return True


def _sizes(b: Builder, match: _Match, operands: Sequence[tuple[Value, Index]]) -> list[Size] | None:
    """Extents of all dimensions, read off the operands where only the run time knows them."""
    sizes: list[Size] = []
    for dim, extent in enumerate(match.tracer.extents):
        if extent is not None:
            sizes.append(extent)
            continue
        shown = next(((v, i.index(AffineDim(dim))) for v, i in operands if AffineDim(dim) in i), None)
        if shown is None:
            return None
        sizes.append(tensor.dim(b, shown[0], arith.constant(b, shown[1], INDEX)))
    return sizes


def _destination(match: _Match) -> tuple[Value, Index]:
    """The value that can be written at once, and where its elements stand: the result, or what it is only moved to."""
    op = match.second.op
    value: Value = op.result
    index = tuple(e.substitute(_dims(match)) for e in linalg.indexing_maps(op)[2].results)
    best = value, index
    while len(value.uses) == 1 and value.users[0].parent is op.parent:
        user = value.users[0]
        if user.name == "tensor.expand_shape":
            cut = match.tracer.cut(reassociation(user), tensor.tensor_type(user.result).shape, index)
            if cut is None:
                break
            value, index = user.result, cut
        elif user.name == "linalg.generic" and _moves(user):
            read, written = linalg.indexing_maps(user)
            dims: list[AffineExpr] = [AffineConstant(0)] * read.num_dims
            for expr, place in zip(read.results, index, strict=True):
                dims[cast(AffineDim, expr).position] = place
            value, index = user.result, tuple(e.substitute(dims) for e in written.results)
            if _is_spread(index, match):
                best = value, index
        else:
            break
    return best


def _moves(op: Operation) -> bool:
    """Whether all elements are only put elsewhere, into new memory, at most made narrower."""
    if len(op.operands) != 2 or len(op.results) != 1 or linalg.REDUCTION in linalg.iterator_types(op):
        return False
    maps = linalg.indexing_maps(op)
    if not all(m.is_projected_permutation and len(m.results) == m.num_dims for m in maps):
        return False
    value = op.body().terminator.operand(0)
    narrowing = value.defining_op("arith.truncf")
    value = value if narrowing is None else narrowing.operand(0)
    return value is op.body().args[0] and linalg.outputs(op)[0].defining_op("tensor.empty") is not None


class _Masks:
    """What scores are combined with: tensors that are read as they are, and arithmetic that goes into the region."""

    def __init__(self, match: _Match, b: Builder) -> None:
        self.match = match
        self.b = b
        self.operands: dict[Node, tuple[Value, Index]] = {}
        self.emitted: dict[Node, Value] = {}
        self._dims: dict[Node, set[int]] = {}
        self._raw: dict[Node, bool] = {}

    def collect(self, node: Node) -> None:
        """Notes the tensors that a node is made of."""
        if node in self.operands or node is self.match.raw or self._is_inline(node):
            return
        if node.is_element:
            self.operands[node] = (cast(Value, node.value), node.index)
        elif self._is_ready(node):
            self.operands[node] = cast("tuple[Value, Index]", node.source)
        else:
            for operand in node.operands:
                self.collect(operand)

    def _is_inline(self, node: Node) -> bool:
        if node.kind in ("constant", "position", "scalar"):
            return True
        return _counted(node) is not None or _causal_order(node, self.match) is not None

    def _is_ready(self, node: Node) -> bool:
        """Whether a tensor holds this that is smaller than the scores: it is made once, not for each of them."""
        if node.source is None or self._has_raw(node) or not any(n.is_element for n in _nodes(node)):
            return False
        dims = {d for n in _nodes(node) for d in n.dims_used()}
        return not {self.match.m, self.match.m + 1} <= dims

    def _has_raw(self, node: Node) -> bool:
        return any(n is self.match.raw for n in _nodes(node))

    def widened(self, value: Value) -> Value:
        """Truth values as bytes: registers have no bits in memory."""
        t = cast(RankedTensorType, value.type)
        if t.element != I1:
            return value
        b = self.b
        shape: list[Size] = [e if e is not None else tensor.dim(b, value, arith.constant(b, i, INDEX)) for i, e in enumerate(t.shape)]
        identity = AffineMap.identity(len(t.shape))
        kinds = (linalg.PARALLEL,) * len(t.shape)
        out = tensor.empty(b, shape, I8)
        return linalg.generic(b, (value,), (out,), (identity, identity), kinds, lambda ib, args: [arith.extui(ib, args[0], I8)]).result

    def body(self, b: Builder, score: Node, args: Sequence[Value]) -> Value:
        """The score that the softmax takes, of the region's arguments."""
        raw = cast(Node, self.match.raw)
        value = args[0]
        if self.match.factor != 1.0:
            value = arith.mulf(b, value, arith.constant(b, self.match.factor, value.type))
        self.emitted[raw] = value
        for node, argument in zip(self.operands, args[1:], strict=True):
            is_bit = node.type == I1
            self.emitted[node] = arith.cmpi(b, "ne", argument, arith.constant(b, 0, I8)) if is_bit else argument
        result = self._emit(b, score)
        return result if result.type == args[0].type else arith.extf(b, result, args[0].type)

    def _emit(self, b: Builder, node: Node) -> Value:
        if node not in self.emitted:
            self.emitted[node] = self._made(b, node)
        return self.emitted[node]

    def _made(self, b: Builder, node: Node) -> Value:
        order = _causal_order(node, self.match)
        if order is not None:
            return order.emit(b, self.match, node.type)
        counted = _counted(node)
        if counted is not None:
            return arith.index_cast(b, index_value(b, counted), node.type)
        match node.kind:
            case "constant":
                return arith.constant(b, cast(float, node.attributes["value"]), node.type)
            case "scalar":
                return cast(Value, node.value)
            case "position":
                return index_value(b, node.index[0])
            case _:
                operands = [self._emit(b, o) for o in node.operands]
                return b.create(node.kind, operands, (node.type,), node.attributes).result


def _constant_array(node: Node) -> npt.NDArray[Any] | None:
    op = node.value.defining_op("arith.constant") if node.is_element and node.value is not None else None
    attribute = None if op is None else op.attributes["value"]
    return attribute.value.array if isinstance(attribute, DenseAttr) and isinstance(attribute.value, Constant) else None


def _counted(node: Node) -> AffineExpr | None:
    """The position that a constant tensor holds: it counts along one dimension."""
    array = _constant_array(node)
    if array is None or array.dtype.kind != "i" or node.type not in (I32, I64):
        return None
    along = [d for d, e in enumerate(array.shape) if e != 1]
    if len(along) != 1:
        return None
    numbers = array.reshape(-1)
    start = int(numbers[0])
    return node.index[along[0]] + start if start >= 0 and np.array_equal(numbers, np.arange(start, start + numbers.size)) else None


@dataclass(frozen=True)
class _Order:
    """A constant mask that only looks at positions: `seen` where n <= m + `shift`, else `hidden`."""

    shift: int
    seen: float
    hidden: float

    def emit(self, b: Builder, match: _Match, type: Type) -> Value:
        last = arith.addi(b, linalg.index(b, match.m), arith.constant(b, self.shift, INDEX))
        if type == I1:
            return arith.cmpi(b, "sle" if self.seen else "sgt", linalg.index(b, match.m + 1), last)
        is_seen = arith.cmpi(b, "sle", linalg.index(b, match.m + 1), last)
        return arith.select(b, is_seen, arith.constant(b, self.seen, type), arith.constant(b, self.hidden, type))


def _causal_order(node: Node, match: _Match) -> _Order | None:
    """What a constant tensor says that hides the keys behind each query."""
    array = _constant_array(node)
    if array is None or array.size == 0 or len(node.index) < 2:
        return None
    if node.index[-2:] != (match.dim(0), match.dim(1)) or any(e.dims_used() for e in node.index[:-2]):
        return None
    table = array[tuple(e.evaluate([]) for e in node.index[:-2])]
    seen = table == table[0, 0]
    rest = table[~seen]
    if table.dtype.kind not in "bfiu" or rest.size == 0 or not (rest == rest[0]).all():
        return None
    shift = int(seen[0].sum()) - 1
    rows, columns = np.ogrid[: table.shape[0], : table.shape[1]]
    if not np.array_equal(seen, columns <= rows + shift):
        return None
    return _Order(shift, table[0, 0].item(), rest[0].item())
