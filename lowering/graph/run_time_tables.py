"""Large lists and dicts of constants, made at run time: by a loop over vectors, so that the program stays small.

A vocabulary of 30,000 words is two vectors of offsets and values, and one long string: a word is a piece of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ...ir.attributes import Constant
from ...ir.core import Block, Operation, Region, Value
from ...ir.dialects import torch
from ...ir.dtypes import DType
from ...ir.script_types import BOOL, FLOAT, INT, STR, ScriptType, TensorType
from .run_time_types import NUMBERS
from .values import Abstract, Known, known

if TYPE_CHECKING:
    from .evaluator import Evaluator

LARGE: Final = 64
"""So many elements are written one by one."""

Column = Callable[[Value], Value]
"""An element of a vector by its index."""


def is_table(values: Sequence[Abstract], t: ScriptType) -> bool:
    """Whether these are many constants that a vector can hold."""
    if len(values) <= LARGE or t not in (*NUMBERS, STR):
        return False
    return all(isinstance(v, Known) and isinstance(v.value, str if t == STR else int | float) for v in values)


def column(ev: Evaluator, values: Sequence[Abstract], t: ScriptType) -> Column:
    """The constants of type `t`, by their index at run time."""
    found: list[Any] = [v.value for v in values if isinstance(v, Known)]
    if t == STR:
        return _strings(ev, found)
    dtype = DType.float64 if t == FLOAT else DType.bool if t == BOOL else DType.int64
    vector = _vector(ev, np.array(found, dtype.numpy), dtype)
    return lambda i: _element(ev, vector, i, dtype, t)


def keys(contents: Mapping[Any, Abstract], t: ScriptType) -> list[Abstract]:
    """The keys of a dict of constants."""
    return [known(k, t) for k in contents]


def for_each(ev: Evaluator, count: int, body: Callable[[Value], None]) -> None:
    """Writes a loop: `body(i)` for i from 0 to count - 1."""
    block = Block([INT])
    always = ev.pool.number(True, BOOL)
    with ev.b.inside(block):
        body(block.args[0])
        torch.yield_(ev.b, [always])
    trips = (ev.pool.number(count, INT), always)
    ev.b.insert(Operation("prim::Loop", trips, (), regions=[Region([block])], span=ev.span))


def _vector(ev: Evaluator, array: Any, dtype: DType) -> Value:
    return ev.pool.tensor(Constant(ev.literal_name(), array), dtype)


def _element(ev: Evaluator, vector: Value, index: Value, dtype: DType, t: ScriptType) -> Value:
    one = ev.emit("aten::select.int", (vector, ev.pool.number(0, INT), index), (TensorType(dtype, ()),)).result
    return ev.emit("aten::item", (one,), (t,)).result


def _strings(ev: Evaluator, texts: Sequence[str]) -> Column:
    lengths = [len(text.encode("utf-8", "surrogateescape")) for text in texts]
    offsets = _vector(ev, np.cumsum([0, *lengths], dtype=np.int64), DType.int64)
    whole = ev.pool.number("".join(texts), STR)
    one = ev.pool.number(1, INT)

    def element(i: Value) -> Value:
        following = ev.emit("aten::add.int", (i, one), (INT,)).result
        start, end = (_element(ev, offsets, at, DType.int64, INT) for at in (i, following))
        return ev.emit("aten::slice.str", (whole, start, end, one), (STR,)).result

    return element
