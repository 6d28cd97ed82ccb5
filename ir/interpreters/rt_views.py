"""Interpreter of `rt.view_read` and `rt.view_write`: strided looks at the array of a cell, checked to lie within it."""

from __future__ import annotations

from typing import Any, Final, cast

import numpy as np

from ..core import Operation
from ..dialects import rt_views
from ..types import BoxType, MemRefType, RankedTensorType
from .engine import Compiler, Frame, Rule, Step, failure
from .memory import MemRef, as_strided
from .rt import alive, made


def _view(op: Operation, array: Any, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Any:
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if 0 not in shape and not 0 <= offset <= last < array.size:
        raise failure(op, f"elements {offset} to {last} of a cell of {array.size}")
    start = array[min(offset, array.size) :]
    return as_strided(start, shape, tuple(s * array.itemsize for s in strides), writeable=True)


def _read(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)
    cell, offset, *rest = compiler.slots(op.operands)
    shape = cast(BoxType, op.result.type).tensor.shape
    rank = len(shape)

    def run(f: Frame) -> None:
        open_ones = iter(int(f[i]) for i in rest[rank:])
        sizes = tuple(next(open_ones) if e is None else e for e in shape)
        array = alive(op, f[cell]).content
        array.flags.writeable = True
        value = np.array(_view(op, array, int(f[offset]), sizes, tuple(int(f[i]) for i in rest[:rank])))
        value.flags.writeable = False
        f[out] = made(f, value)

    return run


def _write(compiler: Compiler, op: Operation) -> Step:
    source, cell, offset, *strides = compiler.slots(op.operands)
    assert isinstance(op.operand(0).type, RankedTensorType | MemRefType)

    def run(f: Frame) -> None:
        value = f[source]
        value = value.array if isinstance(value, MemRef) else np.asarray(value)
        array = alive(op, f[cell]).content
        array.flags.writeable = True
        _view(op, array, int(f[offset]), value.shape, tuple(int(f[i]) for i in strides))[...] = value

    return run


RULES: Final[dict[str, Rule]] = {"rt.view_read": _read, "rt.view_write": _write}
assert RULES.keys() == {definition.name for definition in rt_views.OPS}
