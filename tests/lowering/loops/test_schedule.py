"""How long the sums are that one accumulator adds up."""

import pytest

from torchcc.lowering.loops.schedule import sum_length


@pytest.mark.parametrize("extent", [385, 512, 768, 1000, 1021, 1152, 2304, 3072, 4096, 4097, 25088])
def test_parts_are_neither_long_nor_many(extent):
    length = sum_length(extent)
    assert 128 < length <= 256 and -(-extent // length) <= extent / 128
    assert extent % length == 0 or length % 8 == 0


def test_even_parts_are_taken_where_there_are_some():
    assert [sum_length(n) for n in (768, 1000, 1152, 4096)] == [256, 200, 192, 256]


def test_short_sums_are_left_alone():
    assert sum_length(384) is None and sum_length(1) is None and sum_length(42, 9) is None


def test_steps_that_stand_for_several_terms():
    assert sum_length(512, 9) == 26 or 512 % sum_length(512, 9) == 0
    assert sum_length(512, 9) * 9 <= 256
    assert sum_length(3, 200) == 1


def test_unknown_lengths():
    assert sum_length(object()) == 256
