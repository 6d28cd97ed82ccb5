"""`torchcc.Generator`: a stream of random numbers of its own, which programs take, draw from and give back.

In: a generator of ours or of PyTorch among the arguments of a call. Out: the words of its state, which compiled code reads and
writes in place; PyTorch's generators get theirs back after the call.
"""

from __future__ import annotations

from collections.abc import Generator as Yields
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..ir.generator import DEFAULT_SEED, State, state_of, words_of
from ..ir.generator import Generator as Stream
from ..ir.script_types import GeneratorType, OptionalType, ScriptType

_NUMBERS: Final = 624
_STATE: Final = np.dtype(
    [
        ("seed", np.uint64), ("left", np.int32), ("seeded", np.int32), ("next", np.uint64), ("key", np.uint64, _NUMBERS),
        ("x", np.float64), ("normal", np.float64), ("rho", np.float64), ("there", np.int64), ("of_floats", np.int64),
    ]
)  # fmt: skip
"""What PyTorch's `get_state` gives, 5056 bytes: CPUGeneratorImplState."""


class Generator:
    """A stream of random numbers; `manual_seed(s)` starts the numbers that `torch.Generator().manual_seed(s)` gives.

    Compiled functions take it where the program declares a `torch.Generator`, and change it as they draw.
    """

    device: Final = "cpu"

    def __init__(self, device: Any = "cpu") -> None:
        """ValueError for a device that is not the CPU."""
        if str(device).partition(":")[0] != "cpu":
            raise ValueError(f"generators are on the CPU, not on {device}")
        self.words: npt.NDArray[np.int64] = words_of(Stream(DEFAULT_SEED).state)
        """The state, as compiled code has it: int64[316]."""

    @classmethod
    def of(cls, words: Any) -> Generator:
        """The generator whose state these words are, in place."""
        found = cls.__new__(cls)
        found.words = words.numpy() if hasattr(words, "untyped_storage") else words
        return found

    def manual_seed(self, seed: int) -> Generator:
        """Starts anew from a seed. ValueError where it has more than 64 bits."""
        if not -(1 << 63) <= seed < 1 << 64:
            raise ValueError(f"a seed has 64 bits, {seed} has more")
        self.words[:] = words_of(Stream(seed).state)
        return self

    def seed(self) -> int:
        """Starts anew from a seed that nobody knows, and gives it."""
        self.words[:] = words_of(Stream().state)
        return self.initial_seed()

    def initial_seed(self) -> int:
        return int(self.words[0]) & ((1 << 64) - 1)

    def get_state(self) -> npt.NDArray[np.uint8]:
        """The state in PyTorch's layout, uint8[5056]."""
        state = state_of(self.words)
        record: Any = np.zeros(1, _STATE)
        row = record[0]
        row["seed"], row["seeded"], row["key"] = state.seed & ((1 << 64) - 1), 1, state.key
        row["left"], row["next"] = _NUMBERS + 1 - state.position, state.position
        if state.next_normal is not None:
            row["normal"], row["there"] = state.next_normal, 1
        return record.view(np.uint8)

    def set_state(self, state: Any) -> None:
        """From here on it gives what the generator gave whose `get_state` this was. ValueError for other bytes."""
        given = np.ascontiguousarray(np.asarray(state)).reshape(-1)
        if given.dtype != np.uint8 or given.size != _STATE.itemsize:
            raise ValueError(f"the state of a generator has {_STATE.itemsize} bytes")
        row: Any = given.view(_STATE)[0]
        left, key = int(row["left"]), np.asarray(row["key"]).astype(np.uint32)
        position = _NUMBERS if left == 1 else int(row["next"])  # new ones are made before the next is given
        kept = float(row["normal"]) if row["there"] else None
        self.words[:] = words_of(State(int(row["seed"]), position, key, kept))


def takes(t: ScriptType) -> bool:
    """Whether a parameter of this type is a generator."""
    return isinstance(t.element if isinstance(t, OptionalType) else t, GeneratorType)


def words(value: Any) -> npt.NDArray[np.int64] | None:
    """The state that compiled code works on; None for what is no generator of ours."""
    return value.words if isinstance(value, Generator) else None


@contextmanager
def lent(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Yields[tuple[tuple[Any, ...], dict[str, Any]]]:
    """The arguments with ours in place of PyTorch's generators, which are as ours have become when the call is over."""
    pairs: list[tuple[Any, Generator]] = []

    def own(value: Any) -> Any:
        if value.__class__.__module__.partition(".")[0] != "torch" or not hasattr(value, "set_state"):
            return value
        for theirs, ours in pairs:
            if theirs is value:
                return ours
        made = Generator(value.device)
        made.set_state(value.get_state().numpy())
        pairs.append((value, made))
        return made

    given = tuple(map(own, args)), {k: own(v) for k, v in kwargs.items()}
    try:
        yield given
    finally:
        for theirs, ours in pairs:
            state: Any = theirs.get_state()
            state.copy_(state.new_tensor(ours.get_state()))
            theirs.set_state(state)
