"""How much a piece of the `loops` stage does: floating-point operations, and bytes of memory that it looks at.

Operations are counted as they are executed: a multiply-add is two, a vector counts its lanes, of an `scf.if` whose
condition is not known the longer side counts. Bytes are those of the buffers around the piece that it reads, and once more
of those it writes: what has to move if everything else stays in caches.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from ...ir.attributes import IntegerAttr
from ...ir.core import Block, BlockArgument, Operation, Value
from ...ir.target import element_bytes
from ...ir.types import FloatType, MemRefType, Type, VectorType

_BUDGET: Final = 100_000
"""Blocks that are looked at, at most: iterations count one by one only where they differ."""

_COUNTED: Final = frozenset(
    f"arith.{name}"
    for name in (
        "addf", "subf", "mulf", "divf", "negf", "remf", "maximumf", "minimumf", "maxnumf", "minnumf", "cmpf",
    )
)  # fmt: skip
_VIEWS: Final = frozenset(
    f"memref.{name}" for name in ("subview", "collapse_shape", "expand_shape", "cast", "reinterpret_cast", "view", "transpose")
)
_READS: Final = frozenset(("memref.load", "vector.load", "vector.maskedload", "vector.gather"))
_WRITES: Final = {"memref.store": 1, "vector.store": 1, "vector.maskedstore": 0}
"""The operand that is the buffer."""


@dataclass(frozen=True)
class Work:
    operations: int | None
    """None where it depends on what is known only at run time."""
    bytes: int | None


def work_of(op: Operation) -> Work:
    return Work(_operations(op), _bytes(op))


# operations


class _Unknown(Exception):
    """A number of iterations that is not known."""

    def __init__(self, value: Value | None = None) -> None:
        super().__init__()
        self.value = value


def _operations(op: Operation) -> int | None:
    try:
        return _Count().operation(op, {})
    except _Unknown:
        return None


class _Count:
    def __init__(self) -> None:
        self.left = _BUDGET

    def block(self, block: Block, known: Mapping[Value, int]) -> int:
        self.left -= 1
        if self.left < 0:
            raise _Unknown
        return sum(self.operation(op, known) for op in block.operations())

    def operation(self, op: Operation, known: Mapping[Value, int]) -> int:
        match op.name:
            case "scf.for":
                bounds = [self.index(v, known) for v in op.operands[:3]]
                return self.iterations(op.body(), [range(*bounds)], known)
            case "scf.parallel":
                n = len(op.body().args)
                bounds = [self.index(v, known) for v in op.operands[: 3 * n]]
                return self.iterations(op.body(), [range(bounds[i], bounds[n + i], bounds[2 * n + i]) for i in range(n)], known)
            case "scf.if":
                sides = [self.block(b, known) for region in op.regions for b in region.blocks]
                return max(sides, default=0)
            case _ if op.regions:
                raise _Unknown
            case _:
                return _scalar_operations(op)

    def iterations(self, body: Block, ranges: Sequence[range], known: Mapping[Value, int]) -> int:
        total = math.prod(map(len, ranges))
        if total == 0:
            return 0
        places = body.args[: len(ranges)]
        try:
            return total * self.block(body, known)
        except _Unknown as unknown:
            if unknown.value not in places:
                raise
        return sum(self.block(body, {**known, **dict(zip(places, at, strict=True))}) for at in itertools.product(*ranges))

    def index(self, value: Value, known: Mapping[Value, int]) -> int:
        if value in known:
            return known[value]
        if isinstance(value, BlockArgument):
            raise _Unknown(value)
        op = cast(Operation, value.defining_op())
        if op.name == "arith.constant":
            constant = op.attributes["value"]
            if isinstance(constant, IntegerAttr):
                return constant.value
        rule = _INDEX_RULES.get(op.name)
        if rule is None:
            raise _Unknown
        return rule(*(self.index(v, known) for v in op.operands))


def _quotient(x: int, y: int) -> int:
    return x // max(1, y)


def _rounded_up(x: int, y: int) -> int:
    return -(-x // max(1, y))


def _remainder(x: int, y: int) -> int:
    return x % max(1, y)


_INDEX_RULES: Final[dict[str, Callable[..., int]]] = {
    "arith.addi": operator.add,
    "arith.subi": operator.sub,
    "arith.muli": operator.mul,
    "arith.divui": _quotient,
    "arith.divsi": _quotient,
    "arith.floordivsi": _quotient,
    "arith.ceildivsi": _rounded_up,
    "arith.ceildivui": _rounded_up,
    "arith.remui": _remainder,
    "arith.minsi": min,
    "arith.minui": min,
    "arith.maxsi": max,
    "arith.maxui": max,
    "arith.index_cast": operator.index,
}
"""Of extents, which are not negative."""


def _scalar_operations(op: Operation) -> int:
    if op.name == "vector.fma":
        return 2 * _lanes(op.result.type)
    if op.name == "vector.reduction":
        return _lanes(op.operand(0).type)
    if op.name == "math.fma":
        return 2 * _lanes(op.result.type)
    if op.name in _COUNTED or (op.name.startswith("math.") and op.results and isinstance(_element(op.result.type), FloatType)):
        return _lanes(op.result.type)
    return 0


def _lanes(t: Type) -> int:
    return math.prod(t.shape) if isinstance(t, VectorType) else 1


def _element(t: Type) -> Type:
    return t.element if isinstance(t, VectorType) else t


# bytes


def _bytes(op: Operation) -> int | None:
    read: dict[Value, int | None] = {}
    written: dict[Value, int | None] = {}
    for inner in op.walk():
        if inner.name in _READS:
            _note(inner.operand(0), op, read)
        elif inner.name in _WRITES:
            _note(inner.operand(_WRITES[inner.name]), op, written)
        elif inner.name == "memref.copy":
            _note(inner.operand(0), op, read)
            _note(inner.operand(1), op, written)
    sizes = [*read.values(), *written.values()]
    return None if None in sizes else sum(cast("list[int]", sizes))


def _note(buffer: Value, around: Operation, found: dict[Value, int | None]) -> None:
    """Adds the buffer as it is seen from outside of the operation; what is made inside does not count."""
    seen = buffer
    while _is_inside(seen, around):
        op = seen.defining_op()
        if op is None or op.name not in _VIEWS:
            return
        seen = op.operand(0)
    shape = cast(MemRefType, seen.type).shape
    size = None if None in shape else math.prod(cast("tuple[int, ...]", shape))
    root = _root(seen)
    bytes = None if size is None else size * element_bytes(cast(MemRefType, seen.type).element)
    if root in found and found[root] is not None and bytes is not None:
        bytes = max(bytes, cast(int, found[root]))
    found[root] = bytes


def _root(buffer: Value) -> Value:
    """What names the memory: views of the arena each are memory of their own."""
    op = buffer.defining_op()
    while op is not None and op.name in _VIEWS and op.name != "memref.view":
        buffer = op.operand(0)
        op = buffer.defining_op()
    return buffer


def _is_inside(value: Value, around: Operation) -> bool:
    op = value.defining_op()
    at = op.parent_op if op is not None else cast(BlockArgument, value).block.parent_op
    while at is not None and at is not around:
        at = at.parent_op
    return at is around
