"""Interpreter of `vector`: vectors are arrays; loads and stores run along the innermost dimensions of a buffer."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, Final, cast

import numpy as np

from ..attributes import DenseArrayAttr
from ..core import Operation, Value
from ..types import VectorType
from .arith import unsigned
from .engine import Array, Compiler, Frame, Rule, Step, dtype_of, failure, pure
from .math import fma
from .memory import MemRef

Unary = Callable[[Any], Any]
Binary = Callable[[Any, Any], Any]
Ternary = Callable[[Any, Any, Any], Any]


def _shape(value: Value) -> tuple[int, ...]:
    return cast(VectorType, value.type).shape


def _window(op: Operation, memref: MemRef, indices: list[Any], shape: tuple[int, ...]) -> Array:
    """The elements that a vector access touches, as a view."""
    starts = [int(i) for i in indices]
    spans = [1] * (len(starts) - len(shape)) + list(shape)
    for start, span, n in zip(starts, spans, memref.sizes, strict=True):
        if start < 0 or start + span > n:
            raise failure(op, f"{list(shape)} elements at {starts} leave the shape {list(memref.sizes)}")
    place = tuple(slice(a, a + s) for a, s in zip(starts, spans, strict=True))
    return memref.array[place].reshape(shape) if len(starts) == len(shape) else _drop(memref.array[place], len(shape))


def _drop(array: Array, rank: int) -> Array:
    return array[(0,) * (array.ndim - rank)]


def _load(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)
    base, *indices = compiler.slots(op.operands)
    shape = _shape(op.result)

    def run(f: Frame) -> None:
        f[out] = _window(op, f[base], [f[i] for i in indices], shape).copy()

    return run


def _store(compiler: Compiler, op: Operation) -> Step:
    value, base, *indices = compiler.slots(op.operands)
    shape = _shape(op.operand(0))

    def run(f: Frame) -> None:
        _window(op, f[base], [f[i] for i in indices], shape)[...] = f[value]

    return run


def _lanes(op: Operation, memref: MemRef, indices: list[Any], mask: Array) -> tuple[Array, Any]:
    """The innermost row and the positions of the lanes with a set mask bit."""
    *outer, start = (int(i) for i in indices)
    row = memref.array[memref.index([*outer, 0])[:-1]] if memref.sizes[-1] else memref.array.reshape(-1)
    places = int(start) + np.flatnonzero(mask)
    if places.size and not (places.min() >= 0 and places.max() < row.size):
        raise failure(op, f"lanes {places.min()} to {places.max()} leave the extent {row.size}")
    return row, places


def _masked_load(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)
    base, *indices, mask, pass_through = compiler.slots(op.operands)

    def run(f: Frame) -> None:
        result = f[pass_through].copy()
        row, places = _lanes(op, f[base], [f[i] for i in indices], f[mask])
        result[f[mask]] = row[places]
        f[out] = result

    return run


def _masked_store(compiler: Compiler, op: Operation) -> Step:
    base, *indices, mask, value = compiler.slots(op.operands)

    def run(f: Frame) -> None:
        row, places = _lanes(op, f[base], [f[i] for i in indices], f[mask])
        row[places] = f[value][f[mask]]

    return run


def _gather(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)
    base, *indices, offsets, mask, pass_through = compiler.slots(op.operands)

    def run(f: Frame) -> None:
        memref: MemRef = f[base]
        start = memref.offset + sum(int(f[i]) * s for i, s in zip(indices, memref.strides, strict=True))
        places = start + f[offsets][f[mask]].astype(np.int64) * memref.strides[-1]
        if places.size and not (places.min() >= 0 and places.max() < memref.buffer.size):
            raise failure(op, f"elements {places.min()} to {places.max()} leave the buffer of {memref.buffer.size}")
        result = f[pass_through].copy()
        result[f[mask]] = memref.buffer[places]
        f[out] = result

    return run


def _broadcast(op: Operation) -> Unary:
    shape = _shape(op.result)
    return lambda x: np.broadcast_to(x, shape)


def _bitcast(op: Operation) -> Unary:
    dtype = dtype_of(op.result.type)
    return lambda x: np.ascontiguousarray(x).view(dtype)


def _fma(op: Operation) -> Ternary:
    dtype = dtype_of(op.result.type)
    return lambda a, b, c: fma(*(x.astype(np.float64) for x in (a, b, c))).astype(dtype)


def _position(op: Operation) -> tuple[int, ...]:
    return cast(DenseArrayAttr, op.attributes["static_position"]).values


def _extract(op: Operation) -> Unary:
    position = _position(op)
    return lambda x: x[position]


def _insert(op: Operation) -> Callable[..., Any]:
    position = _position(op)

    def insert(value: Any, target: Array) -> Array:
        result = target.copy()
        result[position] = value
        return result

    return insert


_REDUCTIONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "add": np.add,
    "mul": np.multiply,
    "minsi": np.minimum,
    "maxsi": np.maximum,
    "minui": lambda a, b: a if unsigned(a) <= unsigned(b) else b,
    "maxui": lambda a, b: a if unsigned(a) >= unsigned(b) else b,
    "minimumf": np.minimum,
    "maximumf": np.maximum,
    "minnumf": np.fmin,
    "maxnumf": np.fmax,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}


def _reduction(op: Operation) -> Unary:
    combine = _REDUCTIONS[cast(str, op.attributes["kind"])]
    return lambda x: reduce(combine, x)


def _create_mask(op: Operation) -> Callable[..., Any]:
    shape = _shape(op.result)

    def create(*counts: Any) -> Array:
        mask = np.zeros(shape, np.bool_)
        mask[tuple(slice(max(0, int(n))) for n in counts)] = True
        return mask

    return create


def _step(op: Operation) -> Callable[..., Any]:
    lanes = np.arange(_shape(op.result)[0], dtype=np.int64)
    return lambda: lanes


def _shuffle(op: Operation) -> Binary:
    mask = list(cast(DenseArrayAttr, op.attributes["mask"]).values)
    return lambda a, b: np.concatenate([a, b])[mask]


RULES: Final[dict[str, Rule]] = {
    "vector.load": _load,
    "vector.store": _store,
    "vector.maskedload": _masked_load,
    "vector.maskedstore": _masked_store,
    "vector.gather": _gather,
    "vector.broadcast": pure(_broadcast),
    "vector.fma": pure(_fma),
    "vector.extract": pure(_extract),
    "vector.insert": pure(_insert),
    "vector.reduction": pure(_reduction),
    "vector.create_mask": pure(_create_mask),
    "vector.step": pure(_step),
    "vector.shuffle": pure(_shuffle),
    "vector.bitcast": pure(_bitcast),
}
