"""`scf`: structured control flow with values: `for`, `if`, `while`, `parallel`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ..attributes import DenseArrayAttr
from ..builder import Builder
from ..core import Block, Operation, Region, Value
from ..definition import OpDefinition, Trait
from ..types import I32, INDEX, Type

Body = Callable[[Builder, Sequence[Value]], Sequence[Value]]


def yield_(b: Builder, values: Sequence[Value] = ()) -> Operation:
    return b.create("scf.yield", values)


def _fill(b: Builder, block: Block, body: Body, terminator: str) -> None:
    """Builds a region in place: its operation already stands in the function, so that bodies can look around."""
    with b.inside(block):
        b.create(terminator, body(b, block.args))


def for_(b: Builder, lower: Value, upper: Value, step: Value, inits: Sequence[Value], body: Body, name: str | None = None) -> Operation:
    """`for i = lower to upper step step iter_args(...)`; `body(b, [i, *iter_args])` returns the next iter_args."""
    block = Block([lower.type, *(v.type for v in inits)], [name])
    op = b.create("scf.for", (lower, upper, step, *inits), [v.type for v in inits], regions=[Region([block])])
    _fill(b, block, body, "scf.yield")
    return op


def if_(b: Builder, condition: Value, result_types: Sequence[Type], then: Body, orelse: Body | None = None) -> Operation:
    """`then(b, [])` and `orelse(b, [])` return the results; `orelse` may be left out when there are none."""
    regions = [Region([Block()]), Region([Block()] if orelse is not None else [])]
    op = b.create("scf.if", (condition,), result_types, regions=regions)
    _fill(b, op.body(0), then, "scf.yield")
    if orelse is not None:
        _fill(b, op.body(1), orelse, "scf.yield")
    return op


def while_(b: Builder, inits: Sequence[Value], before: Body, after: Body, result_types: Sequence[Type] | None = None) -> Operation:
    """`before(b, args)` returns [condition, *forwarded]; `after(b, forwarded)` the next args; results are the forwarded."""
    types = [v.type for v in inits]
    forwarded = types if result_types is None else list(result_types)
    regions = [Region([Block(types)]), Region([Block(forwarded)])]
    op = b.create("scf.while", inits, forwarded, regions=regions)
    _fill(b, op.body(0), before, "scf.condition")
    _fill(b, op.body(1), after, "scf.yield")
    return op


def parallel(
    b: Builder, lowers: Sequence[Value], uppers: Sequence[Value], steps: Sequence[Value],
    body: Callable[[Builder, Sequence[Value]], None], names: Sequence[str | None] = (),
) -> Operation:  # fmt: skip
    """Independent iterations over a box, without reductions: `body(b, [i, j, ...])`."""

    def run(inner: Builder, args: Sequence[Value]) -> Sequence[Value]:
        body(inner, args)
        return ()

    block = Block([INDEX] * len(lowers), names)
    n = len(lowers)
    segments = DenseArrayAttr((n, n, n, 0), I32)
    op = b.create("scf.parallel", (*lowers, *uppers, *steps), (), {"operandSegmentSizes": segments}, [Region([block])])
    _fill(b, block, run, "scf.reduce")
    return op


_TERMINATOR: Final = frozenset({Trait.TERMINATOR})

OPS: tuple[OpDefinition, ...] = (
    OpDefinition("scf.yield", ("results*",), results=0, traits=_TERMINATOR),
    OpDefinition("scf.condition", ("condition", "args*"), results=0, traits=_TERMINATOR),
    OpDefinition("scf.reduce", ("operands*",), results=0, regions=None, traits=_TERMINATOR),
    OpDefinition("scf.reduce.return", ("result",), results=0, traits=_TERMINATOR),
    OpDefinition("scf.for", ("lowerBound", "upperBound", "step", "initArgs*"), results=None, regions=1),
    OpDefinition("scf.if", ("condition",), results=None, regions=2),
    OpDefinition("scf.while", ("inits*",), results=None, regions=2),
    OpDefinition("scf.parallel", ("lowerBound*", "upperBound*", "step*", "initVals*"), results=None, regions=1),
)
