"""Bodies of structured operations on vectors: which can be, and the operations themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...ir.attributes import FloatAttr, IntegerAttr
from ...ir.builder import Builder
from ...ir.core import Block, Operation, Value
from ...ir.definition import Trait
from ...ir.dialects import DEFINITIONS, arith, vector
from ...ir.types import FloatType, IntegerType, MemRefType, VectorType
from .nest import Access, Nest


def has_vector_elements(access: Access) -> bool:
    """Elements lie in memory as they do in a vector: not i1 (a byte there, a bit here), nor index."""
    element = access.type.element
    return isinstance(element, FloatType) or (isinstance(element, IntegerType) and element.width >= 8)


def is_vectorizable(block: Block) -> bool:
    """Only operations that work element by element, no positions, no loads."""
    for op in block.operations():
        if op is block.terminator or op.name == "arith.constant":
            continue
        definition = DEFINITIONS.get(op.name)
        if definition is None or Trait.ELEMENTWISE not in definition.traits or op.regions:
            return False
        if any(isinstance(v.type, VectorType | MemRefType) for v in op.operands):
            return False
    return True


@dataclass(frozen=True)
class Product:
    """The multiply-add at the end of a contraction's body."""

    total: Operation
    product: Operation


def product_of(nest: Nest) -> Product | None:
    """acc + x * y, where x comes from the first input and y from the second (casts between)."""
    if len(nest.inputs) != 2 or not all(isinstance(a, Access) for a in nest.inputs):
        return None
    block = nest.body
    acc = block.args[2]
    total = block.terminator.operand(0).defining_op()
    if (
        total is None
        or total.name not in ("arith.addf", "arith.addi")
        or acc not in total.operands
        or len(acc.uses) != 1
    ):
        return None
    other = total.operand(1) if total.operand(0) is acc else total.operand(0)
    product = other.defining_op()
    if product is None or product.name not in ("arith.mulf", "arith.muli") or len(product.result.uses) != 1:
        return None
    return Product(total, product)


def reassociable(block: Block, n_in: int) -> set[Operation]:
    """Float sums and products that combine an accumulator: their order is free."""
    found: set[Operation] = set()
    for acc in block.args[n_in:]:
        for op in acc.users:
            if op.name in ("arith.addf", "arith.mulf") and isinstance(op.result.type, FloatType) and len(acc.uses) == 1:
                if any(user is block.terminator for user in op.result.users) and len(op.result.uses) == 1:
                    found.add(op)
    return found


class VectorBody:
    """Writes bodies on vectors of `lanes`; equal operations on equal operands once for as long as `cache` is kept."""

    def __init__(self, lanes: int, product: Product | None = None) -> None:
        self.lanes = lanes
        self.product = product

    def broadcast(self, b: Builder, scalar: Value, cache: dict[Any, Value]) -> Value:
        if scalar not in cache:
            t = VectorType((self.lanes,), scalar.type)
            definition = scalar.defining_op("arith.constant")
            attribute = None if definition is None else definition.attributes["value"]
            if isinstance(attribute, IntegerAttr | FloatAttr):
                cache[scalar] = arith.constant(b, attribute.value, t)
            else:
                cache[scalar] = vector.broadcast(b, scalar, t)
        return cache[scalar]

    def emit(self, b: Builder, block: Block, mapping: dict[Value, Value], cache: dict[Any, Value]) -> Value:
        """The value the block yields, for block arguments given in `mapping`; a float multiply-add as one operation."""

        def value_of(v: Value) -> Value:
            return mapping[v] if v in mapping else self.broadcast(b, v, cache)

        product = self.product
        fused = product is not None and isinstance(product.total.result.type, FloatType)
        for op in block.operations():
            if op is block.terminator or op.name == "arith.constant":
                continue
            if fused and product is not None and op is product.product:
                continue
            if fused and product is not None and op is product.total:
                acc = next(v for v in op.operands if v is not product.product.result)
                x, y = product.product.operands
                mapping[op.result] = vector.fma(b, value_of(x), value_of(y), value_of(acc))
                continue
            key = (op, *(mapping.get(v) for v in op.operands))
            if key not in cache:
                types = [VectorType((self.lanes,), r.type) for r in op.results]
                cache[key] = b.create(op.name, [value_of(v) for v in op.operands], types, op.attributes).result
            mapping[op.result] = cache[key]
        return value_of(block.terminator.operand(0))
