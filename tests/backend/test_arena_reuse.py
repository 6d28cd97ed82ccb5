"""A call in steady state takes no fresh memory for what it needs in between, in loops neither."""

import resource

import numpy as np

import torchcc

SOURCE = """
import torch.nn as nn
from torch import Tensor


class Chain(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(64, 64, 3, padding=1)
        self.second = nn.Conv2d(64, 64, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x)).sum()
"""

PAGE_BYTES = resource.getpagesize()


def test_panels_of_a_loop_are_packed_in_the_same_memory(tmp_path):
    path = tmp_path / "chain.py"
    path.write_text(SOURCE)
    chain = torchcc.compile_file(path, seed=0)
    x = np.ones((1, 64, 380, 380), np.float32)  # large: the C library keeps blocks below 32 MB itself
    faults = []
    threads = torchcc.num_threads()
    torchcc.set_num_threads(1)
    try:
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            chain(x)
            faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    finally:
        torchcc.set_num_threads(threads)
    assert min(faults[2:]) * PAGE_BYTES < x.nbytes / 8, faults


def test_large_results_are_made_in_memory_that_was_given_back():
    increment = torchcc.compile_source("import torch\n\ndef f(x: torch.Tensor):\n    return x + 1\n").f
    others = [increment(np.ones((n, n), np.float32)) for n in (140, 150, 160, 170, 180)]
    others.clear()  # what they leave behind does not stand in the way
    x = np.ones((2048, 2048), np.float32)
    faults = []
    for _ in range(6):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        y = increment(x)  # the last result is held meanwhile, so that two take turns
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    assert y[0, 0] == 2
    assert min(faults[3:]) * PAGE_BYTES < x.nbytes / 8, faults
