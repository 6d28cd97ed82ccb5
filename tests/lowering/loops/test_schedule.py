"""How long the sums are that one accumulator adds up; how work is cut for threads."""

from dataclasses import replace

import pytest

from torchcc.ir.target import AVX512
from torchcc.lowering.loops.schedule import Block, rows_per_chunk, spread_sizes, sum_length


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


TWO_CORES = replace(AVX512, cores=2)


def test_tasks_are_a_few_for_each_core():
    assert spread_sizes([112], 1, TWO_CORES) == [14] and spread_sizes([7], 1, TWO_CORES) == [1]
    assert spread_sizes([4, 14], 1, TWO_CORES) == [1, 7]
    assert spread_sizes([9, 14], 1, TWO_CORES) == [2, 7]
    assert spread_sizes([5], 16, TWO_CORES) == [None] and spread_sizes([56], 1, AVX512) == [None]
    assert spread_sizes([object(), 3], 1, TWO_CORES) == [1, 1]


def test_rows_are_cut_evenly():
    block = Block(14, 2, 16)
    cut = [rows_per_chunk(m, 96, 4, 64, block, 1, TWO_CORES, by_rows=True) for m in (12544, 3136, 784, 196, 49)]
    assert cut == [896, 392, 98, 49, None]
    assert rows_per_chunk(3136, 96, 4, 24, block, 1, TWO_CORES) == 392
    assert rows_per_chunk(3137, 96, 4, 64, block, 1, TWO_CORES, by_rows=True) % 14 == 0
    assert rows_per_chunk(3136, 96, 4, 640, block, 1, AVX512) is not None, "more than half of the cache"
