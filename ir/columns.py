"""Values of run-time structure as plain vectors, "columns": how lists, dicts and strings are given to compiled code.

Elements stand one after the other, each part of them in a vector of its own: numbers as they are, a string by its length
and its bytes, a list by its length and its elements, a dict by its length, its keys and its values, an optional by whether
it is there, and those that are. So any number of values of one type are a fixed number of vectors: `vectors` names them,
`encoded` makes them of Python values.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from .dtypes import DType
from .script_types import (
    BoolType,
    DictType,
    FloatType,
    ListType,
    OptionalType,
    ScriptType,
    StrType,
    TensorType,
    TupleType,
)


@dataclass(frozen=True)
class VectorOf:
    """One vector: its name in messages and in C, the dtype, and what its length is called (equal ones are equal)."""

    name: str
    dtype: DType
    length: str


def number_dtype(t: ScriptType) -> DType:
    """The dtype of a vector of ints, floats or bools."""
    return DType.float64 if isinstance(t, FloatType) else DType.bool if isinstance(t, BoolType) else DType.int64


def vectors(t: ScriptType, name: str) -> list[VectorOf]:
    """The vectors that one value of type `t`, a list, dict or str, is given as."""
    match t:
        case StrType():
            return [VectorOf(name, DType.uint8, f"{name}.bytes")]
        case ListType():
            return element_vectors(t.element, name, f"{name}.length")
        case DictType():
            length = f"{name}.length"
            keys = element_vectors(t.key, f"{name}.keys", length)
            return [*keys, *element_vectors(t.value, f"{name}.values", length)]
        case _:
            raise AssertionError(f"{t} is not given as vectors")


def element_vectors(t: ScriptType, name: str, length: str) -> list[VectorOf]:
    """The vectors of `length` values of type `t`, one after the other."""
    match t:
        case StrType():
            lengths = VectorOf(f"{name}.lengths", DType.int64, length)
            return [lengths, VectorOf(f"{name}.bytes", DType.uint8, f"{name}.bytes")]
        case ListType():
            inner = element_vectors(t.element, f"{name}.elements", f"{name}.elements")
            return [VectorOf(f"{name}.lengths", DType.int64, length), *inner]
        case DictType():
            keys = element_vectors(t.key, f"{name}.keys", f"{name}.entries")
            values = element_vectors(t.value, f"{name}.values", f"{name}.entries")
            return [VectorOf(f"{name}.lengths", DType.int64, length), *keys, *values]
        case OptionalType():
            present = VectorOf(f"{name}.present", DType.bool, length)
            return [present, *element_vectors(t.element, name, f"{name}.some")]
        case TupleType():
            return [v for i, e in enumerate(t.elements) for v in element_vectors(e, f"{name}.{i}", length)]
        case TensorType(dtype, shape):
            assert dtype is not None and shape is not None
            if not shape:
                return [VectorOf(name, dtype, length)]
            extents = VectorOf(f"{name}.extents", DType.int64, f"{name}.extents")
            return [VectorOf(f"{name}.elements", dtype, f"{name}.elements"), extents]
        case _:
            return [VectorOf(name, number_dtype(t), length)]


# values to vectors


def encoded(value: Any, t: ScriptType) -> list[Any]:
    """The vectors of a Python value of type `t`. OverflowError for ints beyond 64 bits."""
    match t:
        case StrType():
            return [_bytes([value])[1]]
        case DictType():
            table = cast("Mapping[Any, Any]", value)
            return [*_columns(list(table), t.key), *_columns(list(table.values()), t.value)]
        case ListType():
            return _columns(value, t.element)
        case _:
            raise AssertionError(f"{t} is not given as vectors")


def _columns(values: Sequence[Any], t: ScriptType) -> list[Any]:
    match t:
        case StrType():
            return _bytes(values)
        case ListType():
            return [_lengths(values), *_columns(list(chain.from_iterable(values)), t.element)]
        case DictType():
            keys = _columns(list(chain.from_iterable(values)), t.key)
            inner = _columns(list(chain.from_iterable(v.values() for v in values)), t.value)
            return [_lengths(values), *keys, *inner]
        case OptionalType():
            present = np.array([v is not None for v in values], np.bool_)
            return [present, *_columns([v for v in values if v is not None], t.element)]
        case TupleType():
            return [c for i, e in enumerate(t.elements) for c in _columns(list(map(itemgetter(i), values)), e)]
        case TensorType(dtype, shape):
            assert dtype is not None and shape is not None
            elements = _concatenated(values, dtype)
            if not shape:
                return [elements]
            return [elements, np.array([e for v in values for e in v.shape], np.int64)]
        case _:
            return [np.array(values, number_dtype(t).numpy)]


def _lengths(values: Iterable[Any]) -> npt.NDArray[Any]:
    return np.array(list(map(len, values)), np.int64)


def _bytes(values: Sequence[str]) -> list[Any]:
    """Lengths and bytes of strings: UTF-8, where a byte that is no part of it stands as a lone surrogate."""
    texts = [v.encode("utf-8", "surrogateescape") for v in values]
    return [_lengths(texts), np.frombuffer(b"".join(texts), np.uint8)]


def _concatenated(values: Sequence[Any], dtype: DType) -> Any:
    """The elements of tensors: of torch's, in a tensor of torch, so that a call sees what it was given."""
    torch = sys.modules.get("torch")
    if torch is not None and values and isinstance(values[0], torch.Tensor):
        return torch.cat([v.detach().reshape(-1) for v in values])
    arrays = [_array(v).reshape(-1) for v in values]
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype.numpy)


def _array(value: Any) -> npt.NDArray[Any]:
    return cast("npt.NDArray[Any]", value if isinstance(value, np.ndarray) else np.from_dlpack(value))
