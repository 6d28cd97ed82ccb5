"""The text of a tensor as PyTorch's C++ shows it: its numbers, then its type and extents. In: an array; out: the text."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..dtypes import DType, from_numpy

Array = npt.NDArray[Any]

NAMES: Final[dict[DType, str]] = {
    DType.float32: "Float", DType.float64: "Double", DType.float16: "Half", DType.bfloat16: "BFloat16", DType.int64: "Long",
    DType.int32: "Int", DType.int16: "Short", DType.int8: "Char", DType.uint8: "Byte", DType.bool: "Bool",
}  # fmt: skip
_LINE: Final = 80


def tensor_text(array: Array) -> str:
    dtype = from_numpy(array.dtype)
    name = NAMES.get(dtype, str(dtype)) if dtype is not None else str(array.dtype)
    values = np.asarray(array, np.float64) if array.dtype.kind != "c" else array
    return f"{_numbers(values)}[ CPU{name}Type{{{','.join(map(str, array.shape))}}} ]"


def _numbers(values: Array) -> str:
    if values.ndim == 0:
        return f"{_shortest(float(values))}\n"
    if values.size == 0:
        return ""
    if values.ndim == 1:
        scale, show = _format(values)
        return _scale(scale) + "".join(f"{show(float(v))}\n" for v in values)
    if values.ndim == 2:
        return _matrix(values, "")
    leading = [range(n) for n in reversed(values.shape[:-2])]
    parts: list[str] = []
    for reverse in itertools.product(*leading):
        place = reverse[::-1]  # the first index changes fastest
        parts.append(f"({''.join(f'{i + 1},' for i in place)}.,.) = \n{_matrix(values[place], ' ')}")
    return "\n".join(parts)


def _shortest(value: float) -> str:
    return repr(value).removesuffix(".0")


def _digits(value: float) -> float:
    return math.floor(math.log10(value)) + 1.0 if value != 0 else 1.0


def _format(values: Array) -> tuple[float, Callable[[float], str]]:
    """What numbers are divided by, and how one is shown."""
    finite = [float(v) for v in values.reshape(-1) if np.isfinite(v)]
    low = high = 1.0
    if finite:
        low, high = (_digits(extremum(map(abs, finite))) for extremum in (min, max))
    scale, kind, width = 1.0, ".4f", 7
    if all(v == math.ceil(v) for v in finite):
        kind, width = (".4e", 11) if high > 9 else (".6g", int(high) + 1)
    elif high - low > 4:
        kind, width = ".4e", 12 if max(abs(high), abs(low)) > 99 else 11
    elif high > 5 or high < 0:
        scale = 10.0 ** (high - 1)
    elif high != 0:
        width = int(high) + 6

    def show(value: float) -> str:
        return f"{value / scale:{kind}}".rjust(width)

    return scale, show


def _scale(scale: float) -> str:
    return "" if scale == 1.0 else f"{_shortest(scale)} *\n"


def _matrix(values: Array, indent: str) -> str:
    scale, show = _format(values)
    columns = values.shape[1]
    per_line = (_LINE - len(indent)) // (len(show(0.0)) + 1)
    out = ""
    for first in range(0, columns, per_line):
        last = min(first + per_line, columns)
        if per_line < columns:
            out += ("\n" if first else "") + f"Columns {first + 1} to {last}{indent}"
        out += _scale(scale) + (indent if scale != 1.0 else "")
        lines = (" ".join(show(float(v)) for v in row[first:last]) + "\n" for row in values)
        out += (indent + (" " if scale != 1.0 else "")).join(lines)
    return out
