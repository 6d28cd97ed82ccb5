"""What programs do with a generator of their own (`torch.Generator`): it draws in place of the process's one, and gives it back.

A generator is the tensor of its state, int64[316] (`ir/generator.py`); a program that changes it writes the tensor in place.
Between `_generator_enter` and `_generator_leave` stands what draws, nothing that can fail. Nothing here is pure.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

from ...builder import Builder
from ...core import Value
from ...dtypes import DType
from ...generator import DEFAULT, DEFAULT_SEED, WORDS, State, state_of, words_of
from ...operator import Operator, OperatorError
from ...schema import Schema
from ...script_types import INT, GeneratorType, OptionalType, TensorType
from .. import rt_random
from .lowering import LoweringContext
from .random_bits import Array

STATE: Final = TensorType(DType.int64, (WORDS,))


def argument_of(form: Schema) -> int | None:
    """Which argument of an operator is a generator."""
    for i, argument in enumerate(form.arguments):
        inner = argument.type.element if isinstance(argument.type, OptionalType) else argument.type
        if isinstance(inner, GeneratorType):
            return i
    return None


def seeded(seed: int) -> Array:
    """The state of a generator that starts from a seed."""
    before = DEFAULT.state
    try:
        DEFAULT.manual_seed(seed)
        return words_of(DEFAULT.state)
    finally:
        DEFAULT.state = before


def exchanged(state: Array) -> Array:
    """Makes this the state of the interpreter's generator, and gives the one before."""
    before: State = DEFAULT.state
    DEFAULT.state = state_of(state)
    return words_of(before)


@contextmanager
def drawing_from(state: Array) -> Generator[None]:
    """What the interpreter draws comes from the generator of this state, which is changed in place."""
    before = exchanged(state)
    try:
        yield
    finally:
        state[...] = exchanged(before)


# operators on generators, of the interpreter


def _make(device: Any = None, seed: int | None = None) -> Array:
    del device
    return seeded(DEFAULT_SEED if seed is None else seed)


def _start(state: Array, seed: int) -> Array:
    state[...] = seeded(seed)
    return state


def _restart(state: Array) -> int:
    with drawing_from(state):
        return _signed(DEFAULT.reseed())


def _signed(seed: int) -> int:
    seed &= (1 << 64) - 1
    return seed - (seed >> 63 << 64)


def _first_seed(state: Array) -> int:
    return int(state[0])


REFERENCES: Final[dict[str, Callable[..., Any]]] = {
    "aten::Generator": _make,
    "aten::manual_seed.generator": _start,
    "aten::seed": _restart,
    "aten::initial_seed": _first_seed,
}


# records


def _infer_exchange(state: TensorType) -> TensorType:
    if state.dtype is not DType.int64 or state.shape != (WORDS,):
        raise OperatorError("expected the state of a generator")
    return STATE


def _exchange(build: Callable[[Builder, Value], Value]) -> Callable[..., Value]:
    def lower(cx: LoweringContext, state: Value) -> Value:
        return cx.set_dtype(cx.set_dims(build(cx.b, state), [WORDS]), DType.int64)

    return lower


def _infer_seed() -> Any:
    return INT


def _lower_initial(cx: LoweringContext) -> Value:
    return rt_random.initial_seed(cx.b)


def _lower_seed(cx: LoweringContext) -> Value:
    return rt_random.seed(cx.b)


OPERATORS: tuple[Operator, ...] = (
    Operator(
        "aten::_generator_enter(Tensor state) -> Tensor", _infer_exchange, _exchange(rt_random.enter), exchanged, lambda: ()
    ),
    Operator(
        "aten::_generator_leave(Tensor state) -> Tensor", _infer_exchange, _exchange(rt_random.leave), exchanged, lambda: ()
    ),
    Operator("aten::_generator_seed() -> int", _infer_seed, _lower_seed, DEFAULT.reseed, lambda: ()),
    Operator("aten::_generator_initial_seed() -> int", _infer_seed, _lower_initial, lambda: _signed(DEFAULT.seed), lambda: ()),
)
