"""What one element of a tensor is computed from, as an expression: through elementwise operations, moves and reshapes.

In: a tensor and where its element stands, as affine expressions of dimensions whose extents are known to the caller. Out: a `Node`:
an operation on scalars, a constant, a position, or an element of a tensor that is computed otherwise. Equal expressions are one
node, so that patterns may be written differently and still be recognised, by identity. Nothing is changed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from ...ir.affine import AffineBinary, AffineConstant, AffineDim, AffineExpr
from ...ir.attributes import Attribute
from ...ir.core import Block, Operation, OpResult, Value
from ...ir.dialects import arith, linalg, tensor
from ...ir.types import INDEX, RankedTensorType, Type, element_type
from ..effects import is_pure
from .canonicalization.elements import scalar_splat

_MOST_DEEP: Final = 60
"""Longer chains end in a tensor: what they are is of no use any more, and expressions are walked recursively."""

_MOST_NODES: Final = 2000

MAXIMUM: Final = ("arith.maximumf", "arith.maxnumf")

Index = tuple[AffineExpr, ...]


@dataclass(eq=False)
class Node:
    """`kind`: 'element' of a tensor, 'scalar' from outside, 'constant', 'position', or the name of an operation."""

    kind: str
    type: Type
    operands: tuple[Node, ...] = ()
    attributes: dict[str, Attribute] = field(default_factory=dict[str, Attribute])
    value: Value | None = None
    """The tensor of an element; a scalar from outside."""
    index: Index = ()
    """Where the element stands; the position itself."""
    source: tuple[Value, Index] | None = None
    """A tensor that has this as an element, where it is not one itself."""

    @property
    def is_element(self) -> bool:
        return self.kind == "element"

    def dims_used(self) -> set[int]:
        """Dimensions that the element changes along, as far as this node itself tells."""
        return {d for e in self.index for d in e.dims_used()}


@dataclass
class Tracer:
    """`extents`: of the dimensions that expressions are made of."""

    extents: list[int | None]
    nodes: dict[Any, Node] = field(default_factory=dict[Any, Node])
    traced: dict[tuple[Value, Index], Node] = field(default_factory=dict[tuple[Value, Index], Node])
    passed: dict[Operation, None] = field(default_factory=dict[Operation, None])
    """Operations on tensors that were looked through."""

    def element(self, value: Value, index: Index, depth: int = 0) -> Node:
        """The element of a tensor at `index`."""
        known = self.traced.get((value, index))
        if known is None:
            known = self._through(value, index, depth) or self.leaf(value, index)
            self.traced[value, index] = known
        if not known.is_element and known.source is None:
            known.source = (value, index)
        return known

    def leaf(self, value: Value, index: Index) -> Node:
        """The element as it lies in memory."""
        key = ("element", value, index)
        return self._node(key, lambda: Node("element", element_type(value.type), value=value, index=index))

    def _node(self, key: Any, make: Any) -> Node:
        if key not in self.nodes:
            self.nodes[key] = make()
        return self.nodes[key]

    def _through(self, value: Value, index: Index, depth: int) -> Node | None:
        op = value.defining_op()
        if op is None or depth > _MOST_DEEP or len(self.nodes) > _MOST_NODES:
            return None
        splat = scalar_splat(value)
        if splat is not None:
            return self._scalar(splat) if isinstance(splat, Value) else self._constant(splat.value, element_type(value.type))
        found: Node | None = None
        match op.name:
            case "linalg.generic":
                found = self._generic(op, cast(OpResult, value), index, depth)
            case "tensor.collapse_shape":
                inner = self.cut(reassociation(op), tensor.tensor_type(op.operand(0)).shape, index)
                found = None if inner is None else self.element(op.operand(0), inner, depth + 1)
            case "tensor.expand_shape":
                inner = self._expanded(op, index)
                found = None if inner is None else self.element(op.operand(0), inner, depth + 1)
            case "tensor.cast":
                found = self.element(op.operand(0), index, depth + 1)
            case _:
                pass
        if found is not None:
            self.passed[op] = None
        return found

    # shapes

    def cut(self, groups: Sequence[Sequence[int]], shape: Sequence[int | None], index: Index) -> Index | None:
        """Where an element stands when each dimension is cut into a group of dimensions of `shape`."""
        result: list[AffineExpr] = [AffineConstant(0)] * len(shape)
        for group, expr in zip(groups, index, strict=True):
            long = [i for i in group if shape[i] != 1]
            rest = expr
            for i in reversed(long[1:]):
                extent = shape[i]
                if extent is None:
                    return None
                rest, result[i] = self.split(rest, extent)
            if long:
                result[long[0]] = rest
        return tuple(result)

    def _expanded(self, op: Operation, index: Index) -> Index | None:
        """Where an element of an expanded tensor stands in the tensor that was expanded."""
        shape = tensor.tensor_type(op.result).shape
        result: list[AffineExpr] = []
        for group in reassociation(op):
            long = [i for i in group if shape[i] != 1]
            if any(shape[i] is None for i in long[1:]):
                return None
            total: AffineExpr = AffineConstant(0)
            for i in long:
                total = total * (shape[i] or 1) + index[i] if i != long[0] else index[i]
            result.append(total)
        return tuple(result)

    def split(self, expr: AffineExpr, extent: int) -> tuple[AffineExpr, AffineExpr]:
        """(outer, inner) of a position in a dimension that is cut into pieces of `extent`."""
        terms = _terms(expr)
        if terms is not None:
            outer: AffineExpr = AffineConstant(0)
            inner: AffineExpr = AffineConstant(0)
            reach = 0
            for part, factor in terms:
                if factor % extent == 0:
                    outer = outer + part * (factor // extent)
                    continue
                inner = inner + part * factor
                most = self._most(part)
                reach = -1 if most is None or factor < 0 or reach < 0 else reach + most * factor
            if 0 <= reach < extent:
                return outer, inner
        return expr // extent, expr % extent

    def _most(self, part: AffineExpr) -> int | None:
        """The greatest value of a dimension, or 1 for the constant 1."""
        if isinstance(part, AffineDim):
            extent = self.extents[part.position]
            return None if extent is None else extent - 1
        return 1

    # bodies

    def _generic(self, op: Operation, value: OpResult, index: Index, depth: int) -> Node | None:
        maps, ins = linalg.indexing_maps(op), linalg.inputs(op)
        out = maps[len(ins) + value.index]
        if linalg.REDUCTION in linalg.iterator_types(op) or not out.is_projected_permutation or len(out.results) != out.num_dims:
            return None
        dims: list[AffineExpr] = [AffineConstant(0)] * out.num_dims
        for expr, place in zip(out.results, index, strict=True):
            dims[cast(AffineDim, expr).position] = place
        return self.body(op, op.body().terminator.operand(value.index), dims, depth)

    def body(self, op: Operation, value: Value, dims: Sequence[AffineExpr], depth: int = 0) -> Node | None:
        """A value in the body of a structured operation, at these positions; None where that is more than arithmetic."""
        block = op.body()
        maps, ins = linalg.indexing_maps(op), linalg.inputs(op)
        found: dict[Value, Node] = {}
        for position, argument in enumerate(block.args[: len(ins)]):
            if argument.uses and isinstance(ins[position].type, RankedTensorType):
                place = tuple(e.substitute(dims) for e in maps[position].results)
                found[argument] = self.element(ins[position], place, depth + 1)
            elif argument.uses:
                found[argument] = self._scalar(ins[position])
        for inner in block.operations():
            if inner is block.terminator:
                break
            node = self._operation(inner, block, found, dims)
            if node is not None:
                found[inner.result] = node
        return found[value] if value in found else None if value.owner is block else self._scalar(value)

    def _operation(self, op: Operation, block: Block, found: dict[Value, Node], dims: Sequence[AffineExpr]) -> Node | None:
        if op.name == "arith.constant":
            return self._constant(cast(Any, op.attributes["value"]).value, op.result.type)
        if op.name == "linalg.index":
            expr = dims[cast(int, op.attributes["dim"])]
            return self._node(("position", expr), lambda: Node("position", INDEX, index=(expr,)))
        if op.regions or len(op.results) != 1 or not op.name.startswith(("arith.", "math.")) or not is_pure(op):
            return None
        operands: list[Node] = []
        for v in op.operands:
            if v.owner is block and v not in found:
                return None  # an old element of the output
            operands.append(found[v] if v in found else self._scalar(v))
        return self.apply(op, tuple(operands))

    def apply(self, op: Operation, operands: tuple[Node, ...]) -> Node:
        named = tuple(sorted((k, repr(v)) for k, v in op.attributes.items()))
        key = (op.name, op.result.type, named, tuple(map(id, operands)))
        return self._node(key, lambda: Node(op.name, op.result.type, operands, dict(op.attributes)))

    def reduced(self, node: Node, names: Sequence[str], start: float, along: AffineExpr) -> Node | None:
        """What is reduced (by one of these operations, from `start` on) to get an element, at the position `along` of what is reduced."""
        op = node.value.defining_op("linalg.generic") if node.is_element and node.value is not None else None
        if op is None or len(op.results) != 1:
            return None
        kinds, out = linalg.iterator_types(op), linalg.indexing_maps(op)[-1]
        init = linalg.outputs(op)[0].defining_op("linalg.fill")
        if kinds.count(linalg.REDUCTION) != 1 or not out.is_projected_permutation:
            return None
        if init is None or arith.constant_value(init.operand(0)) != start:
            return None
        dims: list[AffineExpr] = [along] * len(kinds)
        for expr, place in zip(out.results, node.index, strict=True):
            dims[cast(AffineDim, expr).position] = place
        step = op.body().terminator.operand(0).defining_op()
        accumulator = op.body().args[-1]
        if step is None or step.name not in names or accumulator not in step.operands or len(accumulator.uses) != 1:
            return None
        return self.body(op, step.operand(1) if step.operand(0) is accumulator else step.operand(0), dims)

    def _scalar(self, value: Value) -> Node:
        op = value.defining_op("arith.constant")
        if op is not None:
            return self._constant(cast(Any, op.attributes["value"]).value, value.type)
        return self._node(("scalar", value), lambda: Node("scalar", value.type, value=value))

    def _constant(self, number: Any, type: Type) -> Node:
        return self._node(("constant", repr(number), type), lambda: Node("constant", type, attributes={"value": number}))


def stripped(node: Node) -> Node:
    """Without casts between floats."""
    while node.kind in ("arith.extf", "arith.truncf"):
        node = node.operands[0]
    return node


def unguarded(node: Node, instead: float) -> Node | None:
    """x, for select(y == -inf, instead, x)."""
    if node.kind != "arith.select" or number_of(stripped(node.operands[1])) != instead:
        return None
    condition = node.operands[0]
    if condition.kind != "arith.cmpf" or condition.attributes["predicate"] not in ("oeq", "ueq"):
        return None
    return node.operands[2] if any(is_minus_infinity(stripped(o)) for o in condition.operands) else None


def number_of(node: Node) -> float | int | None:
    """The number that a node always is."""
    return cast("float | int", node.attributes["value"]) if node.kind == "constant" else None


def is_minus_infinity(node: Node) -> bool:
    number = number_of(node)
    return number is not None and number == -math.inf


def reassociation(op: Operation) -> tuple[tuple[int, ...], ...]:
    return cast("tuple[tuple[int, ...], ...]", op.attributes["reassociation"])


def _terms(expr: AffineExpr) -> list[tuple[AffineExpr, int]] | None:
    """A sum of multiples: of dimensions, and of 1 for the constant; None for anything else."""
    match expr:
        case AffineDim():
            return [(expr, 1)]
        case AffineConstant(value):
            return [(AffineConstant(1), value)] if value else []
        case AffineBinary("+", left, right):
            a, b = _terms(left), _terms(right)
            return None if a is None or b is None else [*a, *b]
        case AffineBinary("*", left, AffineConstant(factor)):
            a = _terms(left)
            return None if a is None else [(part, f * factor) for part, f in a]
        case _:
            return None
