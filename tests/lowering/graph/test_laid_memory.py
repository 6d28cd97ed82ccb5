"""Strides that are computed at run time are those that are computed at compile time, but for extents of 1."""

import random

from torchcc.ir.builder import Builder
from torchcc.ir.core import Block
from torchcc.lowering.graph import laid_memory, strides
from torchcc.lowering.graph.place_rules import Arithmetic

ARITHMETIC = Arithmetic(Builder(Block()), laid_memory.not_given)


def lying(rng, shape):
    """Strides of a dense tensor, a part of one, or an expanded one."""
    order = list(range(len(shape)))
    rng.shuffle(order)
    step, found = 1, [0] * len(shape)
    gap = rng.choice((1, 1, 3))
    for d in order:
        found[d] = step
        step *= shape[d] * (gap if rng.random() < 0.5 else 1)
    return tuple(0 if rng.random() < 0.1 else s for s in found)


def seen(shape, found):
    return [s for n, s in zip(shape, found, strict=True) if n > 1]


def test_strides_at_run_time():
    rng = random.Random(1)
    for _ in range(3000):
        shape = tuple(rng.choice((1, 2, 3, 4)) for _ in range(rng.randint(2, 5)))
        operands = []
        for _ in range(rng.randint(1, 3)):
            own = tuple(1 if rng.random() < 0.2 else n for n in shape[rng.choice((0, 0, 0, 1)) :])
            operands.append((own, lying(rng, own)))
        operands.append((shape, lying(rng, shape)))
        found = laid_memory.elementwise(ARITHMETIC, shape, operands)
        assert seen(shape, found) == seen(shape, strides.elementwise(operands)), operands
        own = operands[-1]
        assert seen(shape, laid_memory.kept(ARITHMETIC, *own)) == seen(shape, strides.kept(*own)), own
        expected = own[1] if strides.is_dense(*own) else strides.contiguous(shape)
        assert seen(shape, laid_memory.converted(ARITHMETIC, *own)) == seen(shape, expected), own
