"""Code of dropped functions is unloaded, whatever other threads do meanwhile."""

import threading

import numpy as np

from torchcc.api import compile_source
from torchcc.backend.cpu import jit


def test_a_function_is_dropped_while_another_thread_links():
    held = [compile_source("import torch\n\ndef f(x):\n    return x + 1\n").f]
    assert held[0](np.ones(2)).tolist() == [2, 2]
    dropping = threading.Thread(target=held.clear, daemon=True)
    with jit._lock:
        dropping.start()
        dropping.join(10)
        assert not dropping.is_alive()
    assert not held
