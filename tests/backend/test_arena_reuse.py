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
