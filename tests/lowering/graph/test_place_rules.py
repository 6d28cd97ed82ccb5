"""Places of views with extents known at compile time: the same as those of `strides.py`, which are PyTorch's."""

import math
import random

from torchcc.ir.builder import Builder
from torchcc.ir.core import Block
from torchcc.lowering.graph import place_rules, view_rules
from torchcc.lowering.graph.strides import contiguous, is_contiguous, viewed


def factors(rng, count):
    found = []
    while count > 1:
        found.append(rng.choice([d for d in range(2, count + 1) if count % d == 0]))
        count //= found[-1]
    for _ in range(rng.randint(0, 2)):
        found.insert(rng.randint(0, len(found)), 1)
    return found


def numbers():
    return place_rules.Arithmetic(Builder(Block()), lambda stride: None)


def test_shapes_of_random_layouts():
    rng = random.Random(5)
    seen = set()
    for _ in range(2000):
        count = rng.choice([1, 2, 4, 6, 12, 24])
        own, wanted = factors(rng, count) or [1], factors(rng, count)
        order = list(range(len(own)))
        if rng.random() < 0.5:
            rng.shuffle(order)
        wide = contiguous([e + rng.choice([0, 0, 1]) for e in own])
        own, strides = [own[i] for i in order], tuple(wide[i] for i in order)
        expected = viewed(own, strides, wanted)
        possible, found = view_rules.in_shape(numbers(), own, strides, wanted, 1)
        assert possible == (expected is not None), (own, strides, wanted)
        if expected is not None:
            assert all(a == b for a, b, e in zip(found, expected, wanted, strict=True) if e > 1), (own, strides, wanted)
        lies_so = view_rules.lies_contiguous(numbers(), own, strides, 1)
        assert lies_so == is_contiguous(own, strides)
        seen.add((possible, lies_so, math.prod(own) == 1))
    assert len(seen) > 3


def test_numbers_that_are_known_need_no_nodes():
    n = numbers()
    assert n.chosen(True, 3, 4) == 3 and n.mul(n.add(1, 2), 0) == 0 and n.wrapped(-1, 5) == 4
    assert n.b.block.first is None
