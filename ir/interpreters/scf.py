"""Interpreter of `scf`. Parallel loops run in order."""

from __future__ import annotations

from itertools import product
from typing import Final

import numpy as np

from ..core import Operation
from .engine import Compiler, Frame, Rule, Step, dtype_of, failure


def _assign(f: Frame, slots: list[int], values: list[object]) -> None:
    for slot, value in zip(slots, values, strict=True):
        f[slot] = value


def _for(compiler: Compiler, op: Operation) -> Step:
    lower, upper, step, *inits = compiler.slots(op.operands)
    arguments, body = compiler.body(op)
    counter, carried = arguments[0], arguments[1:]
    results = compiler.slots(op.results)
    number = dtype_of(op.operand(0).type).type

    def run(f: Frame) -> None:
        if f[step] <= 0:
            raise failure(op, f"the step is {f[step]}")
        values = [f[i] for i in inits]
        for i in range(int(f[lower]), int(f[upper]), int(f[step])):
            f[counter] = number(i)
            for slot, value in zip(carried, values, strict=True):
                f[slot] = value
            values = body(f)
        _assign(f, results, values)

    return run


def _if(compiler: Compiler, op: Operation) -> Step:
    condition = compiler.slot(op.operand(0))
    _, then = compiler.body(op, 0)
    orelse = compiler.body(op, 1)[1] if op.regions[1].blocks else None
    results = compiler.slots(op.results)

    def run(f: Frame) -> None:
        if f[condition]:
            _assign(f, results, then(f))
        elif orelse is not None:
            _assign(f, results, orelse(f))

    return run


def _while(compiler: Compiler, op: Operation) -> Step:
    inits = compiler.slots(op.operands)
    before_arguments, before = compiler.body(op, 0)
    after_arguments, after = compiler.body(op, 1)
    results = compiler.slots(op.results)

    def run(f: Frame) -> None:
        values = [f[i] for i in inits]
        while True:
            _assign(f, before_arguments, values)
            condition, *forwarded = before(f)
            if not condition:
                _assign(f, results, forwarded)
                return
            _assign(f, after_arguments, forwarded)
            values = after(f)

    return run


def _parallel(compiler: Compiler, op: Operation) -> Step:
    counters, body = compiler.body(op)
    n = len(counters)
    slots = compiler.slots(op.operands)
    lowers, uppers, steps, inits = slots[:n], slots[n : 2 * n], slots[2 * n : 3 * n], slots[3 * n :]
    reductions = [
        (compiler.slots(region.blocks[0].args), compiler.block(region.blocks[0]))
        for region in op.body().terminator.regions
    ]
    results = compiler.slots(op.results)

    def run(f: Frame) -> None:
        if any(f[s] <= 0 for s in steps):
            raise failure(op, "a step is not positive")
        ranges = [range(int(f[lo]), int(f[up]), int(f[s])) for lo, up, s in zip(lowers, uppers, steps, strict=True)]
        values = [f[i] for i in inits]
        for point in product(*ranges):
            for slot, i in zip(counters, point, strict=True):
                f[slot] = np.int64(i)
            found = body(f)
            for k, (arguments, combine) in enumerate(reductions):
                _assign(f, arguments, [values[k], found[k]])
                values[k] = combine(f)[0]
        _assign(f, results, values)

    return run


RULES: Final[dict[str, Rule]] = {"scf.for": _for, "scf.if": _if, "scf.while": _while, "scf.parallel": _parallel}
