"""Weights of quantized layers in a pickle: the states of PyTorch's C++ classes, taken apart and put together.

In: the class, and what its `__getstate__` gave. Out: its attributes (`ir/quantized.py`) as pickled values, or None where the
state has another form; the importer checks their types. And the other way, for the writer.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ...ir.quantized import CELL, EMBEDDING, LINEAR
from ...ir.script_types import (
    FLOAT,
    INT,
    STR,
    TENSOR,
    ClassType,
    ListType,
    OptionalType,
    ScriptObject,
    ScriptType,
    TupleType,
)
from .unpickler import Tensor

_MAX_DIMENSIONS = 3


def packed_parts(type: ClassType, state: Any) -> dict[str, Any] | None:
    if not isinstance(state, tuple):
        return None
    values = cast(tuple[Any, ...], state)
    if type is LINEAR:
        return {"weight": values[0], "bias": values[1]} if len(values) == 2 else None
    if type is EMBEDDING:
        return _embedding(values)
    return _cell(values) if type is CELL else _convolution(values)


def _embedding(state: tuple[Any, ...]) -> dict[str, Any] | None:
    """(version, tensors, floats, ints: bits of a number)."""
    match state:
        case (1, [weight], [*_], [8, *_]):
            return {"weight": weight}
        case _:
            return None


def _cell(state: tuple[Any, ...]) -> dict[str, Any] | None:
    """(kind, tensors, floats, ints, packed weights); biases are in the packed weights too."""
    match state:
        case ("quantized_dynamic", [*_], [*_], [int(reduce_range), *_], [inputs, hidden]):
            return {"input": inputs, "hidden": hidden, "reduce_range": bool(reduce_range)}
        case ("quantized_fp16", [*_], [*_], [*_], [inputs, hidden]):
            return {"input": inputs, "hidden": hidden, "reduce_range": False}
        case _:
            return None


def _convolution(state: tuple[Any, ...]) -> dict[str, Any] | None:
    """Version 2: ("2", [numbers, weight], [bias]); version 3: (3, numbers, [dummy, weight, bias])."""
    match state:
        case ("2", [Tensor() as numbers, weight], [bias]):
            found: list[int] = np.asarray(numbers.array).reshape(-1)[:32].astype(np.int64).tolist()
        case (3, [*given], [_, weight, bias]) if all(type(n) is int for n in given):
            found = cast(list[int], given)
        case _:
            return None
    dims = found[0] if found else 0
    if not 1 <= dims <= _MAX_DIMENSIONS or len(found) < 4 * dims + 3:
        return None
    stride, padding, dilation, output_padding = (found[1 + i * dims : 1 + (i + 1) * dims] for i in range(4))
    return {
        "weight": weight,
        "bias": bias,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "output_padding": output_padding,
        "groups": found[4 * dims + 1],
        "transpose": bool(found[4 * dims + 2] & 1),
    }


def packed_state(value: ScriptObject) -> tuple[ScriptType, Any, npt.NDArray[Any] | None]:
    """The type and value of the state of an object, and the tensor in it that was made here."""
    parts = value.attributes
    optional = OptionalType(TENSOR)
    if value.type is LINEAR:
        return TupleType((TENSOR, optional)), (parts["weight"], parts["bias"]), None
    if value.type is EMBEDDING:
        types = (INT, ListType(TENSOR), ListType(FLOAT), ListType(INT))
        return TupleType(types), (1, [parts["weight"]], [], [8]), None
    if value.type is CELL:
        biases = [parts[name].attributes["bias"] for name in ("input", "hidden")]
        types = (STR, ListType(TENSOR), ListType(FLOAT), ListType(INT), ListType(LINEAR))
        packed = [parts["input"], parts["hidden"]]
        return TupleType(types), ("quantized_dynamic", biases, [], [int(parts["reduce_range"])], packed), None
    lists = [parts[name] for name in ("stride", "padding", "dilation", "output_padding")]
    flat = [n for numbers in lists for n in numbers]
    numbers = np.array([len(lists[0]), *flat, parts["groups"], int(parts["transpose"])], np.int16)
    types = (STR, ListType(TENSOR), ListType(optional))
    return TupleType(types), ("2", [numbers, parts["weight"]], [parts["bias"]]), numbers
