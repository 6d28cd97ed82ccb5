"""Marks exponentials whose argument is never positive: they need no care for large numbers.

In: exp(x - max x), the maximum over one dimension, as every softmax has it. Out: the same with `fastmath<afn>`, for which
`expand_math.py` has half as much arithmetic, with the same error.

    %m = generic max(%x)                                %m = generic max(%x)
    %e = generic { exp(x - m) }(%x, %m)           =>    %e = generic { exp<afn>(x - m) }(%x, %m)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ...ir.affine import AffineDim
from ...ir.core import Operation, functions
from ...ir.dialects import linalg
from ...ir.types import F32
from .element_trees import MAXIMUM, Node, Tracer, stripped, unguarded

APPROXIMATE = "afn"


@dataclass(frozen=True)
class RelaxExponentials:
    name: str = "relax-exponentials"

    def apply(self, module: Operation) -> Operation:
        for function in functions(module):
            for op in function.walk():
                if op.name == "linalg.generic" and linalg.REDUCTION not in linalg.iterator_types(op):
                    for power in _exponentials(op):
                        if _is_below_top(op, power):
                            power.attributes["fastmath"] = APPROXIMATE
        return module


def _exponentials(op: Operation) -> Iterator[Operation]:
    for inner in op.body().operations():
        if inner.name == "math.exp" and inner.result.type == F32 and "fastmath" not in inner.attributes:
            yield inner


def _is_below_top(op: Operation, power: Operation) -> bool:
    """Whether the argument is something less its own maximum over a dimension."""
    rank = len(linalg.iterator_types(op))
    tracer = Tracer([None] * rank)
    argument = tracer.body(op, power.operand(0), [AffineDim(d) for d in range(rank)])
    if argument is None or argument.kind != "arith.subf":
        return False
    number, top = argument.operands
    top = stripped(unguarded(stripped(top), 0.0) or top)
    return any(_is_maximum(tracer, top, number, d) for d in range(rank) if d not in top.dims_used())


def _is_maximum(tracer: Tracer, top: Node, number: Node, dim: int) -> bool:
    reduced = tracer.reduced(top, MAXIMUM, -math.inf, AffineDim(dim))
    return reduced is not None and stripped(reduced) is stripped(number)
