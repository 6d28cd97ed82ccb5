"""How long the sums are that one accumulator adds up; how work is cut for threads."""

from dataclasses import replace

import pytest

from torchcc.ir.target import AVX2, AVX512, NEON, SSE2
from torchcc.lowering.loops.schedule import (
    Block,
    choose_block,
    end_cycles,
    fetches_result,
    rows_per_chunk,
    spread_sizes,
    step_cycles,
    sum_length,
)


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


# the cost model


def cycles(rows, vectors, target=AVX512, m=784, n=512, *, broadcast=True):
    return step_cycles(Block(rows, vectors, 16), m, n, target, broadcast=broadcast)


def test_more_of_anything_takes_more_cycles():
    assert cycles(13, 2) < cycles(13, 2, m=1568) < cycles(13, 2, m=1568, n=1024)
    assert cycles(13, 2) < cycles(13, 2, replace(AVX512, fma_per_cycle=1))
    assert cycles(13, 2) <= cycles(13, 2, replace(AVX512, loads_per_cycle=1))
    assert end_cycles(1, AVX512) < end_cycles(2, AVX512) < end_cycles(2, replace(AVX512, memory_bytes_per_cycle=1.0))


def test_tiles_that_share_what_they_load_take_fewer():
    assert cycles(13, 2) < cycles(6, 2) < cycles(2, 2) < cycles(1, 1)
    assert cycles(13, 2) < cycles(26, 1, replace(AVX512, loads_per_cycle=1))


def test_no_cycle_is_below_what_the_multiply_adds_take():
    for rows in range(1, 14):
        for vectors in range(1, 3):
            assert cycles(rows, vectors) >= 784 * 512 / 16 / AVX512.fma_per_cycle


@pytest.mark.parametrize("target", [AVX512, AVX2, NEON, SSE2], ids=lambda t: t.name)
@pytest.mark.parametrize(("m", "n"), [(1, 1000), (7, 64), (49, 512), (196, 256), (3136, 64)])
def test_the_chosen_tile_is_no_worse_than_others_that_fit(target, m, n):
    lanes = target.vector_bytes // 4
    chosen = choose_block(m, n, lanes, 0, 4, target, broadcast=True)
    assert chosen.rows * chosen.vectors + chosen.vectors + 1 <= target.vector_registers
    for rows, vectors in ((1, 1), (2, 2), (4, 2), (4, 1), (2, 1)):
        if rows <= m and (vectors - 1) * lanes < n:
            other = Block(rows, vectors, lanes)
            assert step_cycles(chosen, m, n, target, broadcast=True) <= step_cycles(other, m, n, target, broadcast=True)


def test_tiles_without_sharing_are_small():
    for width, channels in ((112, 32), (56, 144), (28, 192), (14, 576), (7, 960)):
        block = choose_block(width, channels, 16, 0, 4, AVX512, broadcast=False)
        assert 4 <= block.rows * block.vectors <= 8


def test_ends_are_fetched_where_they_are_far_and_steps_are_few():
    block, far = Block(13, 2, 16), 4 << 20
    assert fetches_result(block, 16, 0, far, AVX512) and fetches_result(block, 64, 1, far, AVX512)
    assert not fetches_result(block, 16, 0, AVX512.l2_bytes // 4, AVX512)
    assert not fetches_result(block, 2048, 0, far, AVX512)
    steps = [fetches_result(block, k, 0, far, AVX512) for k in range(8, 512, 8)]
    assert steps == sorted(steps, reverse=True), "once there are enough steps, more of them change nothing"
