"""Weights of quantized layers in a pickle: the states of PyTorch's C++ classes, taken apart.

In: the class, and what its `__getstate__` gave. Out: its attributes (`ir/quantized.py`) as pickled values, or None where the
state has another form; the importer checks their types.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from ...ir.quantized import CELL, LINEAR
from ...ir.script_types import ClassType
from .unpickler import Tensor

_MAX_DIMENSIONS = 3


def packed_parts(type: ClassType, state: Any) -> dict[str, Any] | None:
    if not isinstance(state, tuple):
        return None
    values = cast(tuple[Any, ...], state)
    if type is LINEAR:
        return {"weight": values[0], "bias": values[1]} if len(values) == 2 else None
    return _cell(values) if type is CELL else _convolution(values)


def _cell(state: tuple[Any, ...]) -> dict[str, Any] | None:
    """(kind, tensors, floats, ints, packed weights); biases are in the packed weights too."""
    match state:
        case ("quantized_dynamic", [*_], [*_], [int(reduce_range), *_], [inputs, hidden]):
            return {"input": inputs, "hidden": hidden, "reduce_range": bool(reduce_range)}
        case _:
            return None


def _convolution(state: tuple[Any, ...]) -> dict[str, Any] | None:
    """Version 2: ("2", [numbers, weight], [bias]); version 3: (3, numbers, [dummy, weight, bias])."""
    match state:
        case ("2", [Tensor() as numbers, weight], [bias]):
            found: list[int] = np.asarray(numbers.array).reshape(-1)[:32].astype(np.int64).tolist()
        case (3, [*given], [_, weight, bias]) if all(type(n) is int for n in cast(list[Any], given)):
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
