"""Puts a clock around each kernel of a function, for profiles.

In: the end of the `loops` stage. Out: the same function with one more result, a table with a row for each kernel, in the
order of `kernels`, and a last one for the whole function: when it began first, how long it took in all, how often it ran.

                                                   %t0 = rt.clock : i64
    scf.parallel (%i) = ... { ... }        =>      scf.parallel (%i) = ... { ... }
                                                   %t1 = rt.clock : i64
                                                   ...                     // adds %t1 - %t0 to the row
    return %r : memref<4xf32>                      return %r, %times : memref<4xf32>, memref<2x3xi64>

A kernel is a parallel loop, or a loop without one inside; loops around kernels are looked into.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ...ir.builder import Builder
from ...ir.core import Block, Operation, Value, lookup
from ...ir.dialects import arith, func, memref, rt_clock, scf
from ...ir.types import I64, INDEX, FunctionType

BEGIN: Final = 0
TOTAL: Final = 1
RUNS: Final = 2
COLUMNS: Final = 3

_LOOPS: Final = frozenset(("scf.parallel", "scf.for", "scf.while"))


def kernels(function: Operation) -> list[Operation]:
    """The pieces of the function that are measured, in the order of the text."""
    return list(_in_block(function.body()))


def _in_block(block: Block) -> Iterator[Operation]:
    for op in block.operations():
        if op.name == "scf.if" or _is_around_kernels(op):
            for region in op.regions:
                for inner in region.blocks:
                    yield from _in_block(inner)
        elif op.name in _LOOPS or op.name == "memref.copy":
            yield op


def _is_around_kernels(op: Operation) -> bool:
    return op.name in ("scf.for", "scf.while") and any(inner.name == "scf.parallel" for inner in op.walk())


@dataclass(frozen=True)
class MeasureKernels:
    function: str = "forward"
    name: str = "measure-kernels"

    def apply(self, module: Operation) -> Operation:
        function = lookup(module, self.function)
        if function is not None:
            _measure(function)
        return module


def _measure(function: Operation) -> None:
    found = kernels(function)
    b = Builder.at_start(function.body())
    table = memref.alloc(b, [len(found) + 1, COLUMNS], I64)
    _clear(b, table, len(found) + 1)
    begin = rt_clock.clock(b)
    for row, op in enumerate(found):
        before = rt_clock.clock(Builder.before(op))
        _note(Builder.after(op), table, row, before)
    return_ = function.body().terminator
    _note(Builder.before(return_), table, len(found), begin)
    return_.set_operands((*return_.operands, table))
    old = func.function_type(function)
    function.attributes["function_type"] = FunctionType(old.inputs, (*old.results, table.type))


def _index(b: Builder, value: int) -> Value:
    return arith.constant(b, value, INDEX)


def _clear(b: Builder, table: Value, rows: int) -> None:
    zero, one = _index(b, 0), _index(b, 1)
    nothing = arith.constant(b, 0, I64)

    def row(b: Builder, args: Sequence[Value]) -> Sequence[Value]:
        for column in range(COLUMNS):
            memref.store(b, nothing, table, [args[0], _index(b, column)])
        return ()

    scf.for_(b, zero, _index(b, rows), one, [], row)


def _note(b: Builder, table: Value, row: int, before: Value) -> None:
    """Adds the time since `before` to the row."""
    after = rt_clock.clock(b)
    at = [[_index(b, row), _index(b, column)] for column in range(COLUMNS)]
    runs = memref.load(b, table, at[RUNS])
    is_first = arith.cmpi(b, "eq", runs, arith.constant(b, 0, I64))
    begin = arith.select(b, is_first, before, memref.load(b, table, at[BEGIN]))
    memref.store(b, begin, table, at[BEGIN])
    total = arith.addi(b, memref.load(b, table, at[TOTAL]), arith.subi(b, after, before))
    memref.store(b, total, table, at[TOTAL])
    memref.store(b, arith.addi(b, runs, arith.constant(b, 1, I64)), table, at[RUNS])
