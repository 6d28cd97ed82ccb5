"""Interpreter of `rt.random_*`: draws from the Python generator (`ir/generator.py`)."""

from __future__ import annotations

from typing import Final

import numpy as np

from ..core import Operation
from ..dialects import rt_random
from ..generator import DEFAULT, state_of, words_of
from ..types import I64, MemRefType, RankedTensorType
from .engine import Compiler, Frame, Rule, Step


def _bits(compiler: Compiler, op: Operation) -> Step:
    target = compiler.slot(op.operand(0))
    t = op.operand(0).type
    assert isinstance(t, RankedTensorType | MemRefType)
    wide = t.element == I64
    out = compiler.slot(op.result) if op.results else None

    def drawn(count: int, shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64 | np.int32]]:
        if wide:
            return DEFAULT.random64(count).astype(np.int64).reshape(shape)
        return DEFAULT.random32(count).astype(np.uint32).view(np.int32).reshape(shape)

    def run(f: Frame) -> None:
        if out is None:
            array = f[target].array
            array[...] = drawn(array.size, array.shape)
        else:
            f[out] = drawn(f[target].size, f[target].shape)

    return run


def _take_normal(compiler: Compiler, op: Operation) -> Step:
    there, value = compiler.slots(op.results)

    def run(f: Frame) -> None:
        kept = DEFAULT.take_normal()
        f[there], f[value] = np.bool_(kept is not None), np.float64(0.0 if kept is None else kept)

    return run


def _keep_normal(compiler: Compiler, op: Operation) -> Step:
    value = compiler.slot(op.operand(0))

    def run(f: Frame) -> None:
        DEFAULT.next_normal_sample = float(f[value])

    return run


def _manual_seed(compiler: Compiler, op: Operation) -> Step:
    value = compiler.slot(op.operand(0))

    def run(f: Frame) -> None:
        DEFAULT.manual_seed(int(f[value]))

    return run


def _seed(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)

    def run(f: Frame) -> None:
        f[out] = np.int64(DEFAULT.reseed())

    return run


def _exchange(compiler: Compiler, op: Operation) -> Step:
    given = compiler.slot(op.operand(0))
    out = compiler.slot(op.result) if op.results else None

    def run(f: Frame) -> None:
        before = words_of(DEFAULT.state)
        if out is None:
            array = f[given].array
            DEFAULT.state = state_of(array)
            array[...] = before
        else:
            DEFAULT.state = state_of(f[given])
            f[out] = before

    return run


def _initial_seed(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)

    def run(f: Frame) -> None:
        f[out] = np.int64(DEFAULT.seed)

    return run


RULES: Final[dict[str, Rule]] = {
    "rt.random_bits": _bits,
    "rt.random_enter": _exchange,
    "rt.random_leave": _exchange,
    "rt.random_take_normal": _take_normal,
    "rt.random_keep_normal": _keep_normal,
    "rt.random_manual_seed": _manual_seed,
    "rt.random_seed": _seed,
    "rt.random_initial_seed": _initial_seed,
}
assert RULES.keys() == {definition.name for definition in rt_random.OPS}
