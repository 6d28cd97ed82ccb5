"""The generator of random numbers that compiled functions in this process draw from: PyTorch's CPU generator.

After `manual_seed(s)` they give the numbers that PyTorch gives after `torch.manual_seed(s)`. Without it the seed is another
one in each process.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from ...ir.generator import WORDS, State, state_of, words_of
from .jit import session


def _function(name: str, result: Any, *arguments: Any) -> Any:
    return ctypes.CFUNCTYPE(result, *arguments)(session().runtime[name])


def manual_seed(seed: int) -> None:
    """Starts the generator from a seed, as `torch.manual_seed` does. ValueError where it has more than 64 bits."""
    if not -(1 << 63) <= seed < 1 << 64:
        raise ValueError(f"a seed has 64 bits, {seed} has more")
    _function("torchcc_manual_seed", None, ctypes.c_int64)(_signed(seed))


def initial_seed() -> int:
    """The seed that the generator was started from, as `torch.initial_seed` gives it."""
    return int(_function("torchcc_initial_seed", ctypes.c_int64)()) & ((1 << 64) - 1)


def seed() -> int:
    """Starts the generator from a seed that nobody knows, and gives it, as `torch.seed` does."""
    return int(_function("torchcc.random_seed", ctypes.c_int64)())


def random_state() -> State:
    """All that decides what the generator gives next."""
    held = np.zeros(WORDS, np.int64)
    _function("torchcc.random_state", None, ctypes.c_void_p)(held.ctypes.data)
    return state_of(held)


def set_random_state(state: State) -> None:
    """From here on the generator gives what it gave after `random_state` returned this."""
    held = words_of(state)
    _function("torchcc.set_random_state", None, ctypes.c_void_p)(held.ctypes.data)


def _signed(number: int) -> int:
    number &= (1 << 64) - 1
    return number - (1 << 64) if number >> 63 else number
