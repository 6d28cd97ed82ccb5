"""Values of run-time structure as plain vectors, "columns": how lists, dicts and strings are given to compiled code.

Elements stand one after the other, each part of them in a vector of its own: numbers as they are, a string by its length
and its bytes, a list by its length and its elements, a dict by its length, its keys and its values, a complex number by its parts, an optional by whether
it is there, and those that are, a Union by the number of the member and the values of each, the member of an Enum by its number.
Objects stand in *pools*, one for each type, their attributes as tuples would; where they are held is their number in the pool. So
any number of values of one type are a fixed number of vectors: `vectors` names them, `encoded` makes them of Python values.
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from operator import itemgetter
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from .attributes import ComplexParts, Constant
from .dtypes import DType
from .script_types import (
    NONE,
    BoolType,
    ComplexType,
    DictType,
    EnumMember,
    EnumType,
    FloatType,
    InstanceType,
    IntType,
    ListType,
    NoneType,
    OptionalType,
    ScriptObject,
    ScriptType,
    StrType,
    TensorType,
    TupleType,
    UnionType,
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
            return [*element_vectors(t.element, name, f"{name}.length"), *_pool_vectors(t, name)]
        case DictType():
            length = f"{name}.length"
            keys = element_vectors(t.key, f"{name}.keys", length)
            return [*keys, *element_vectors(t.value, f"{name}.values", length), *_pool_vectors(t, name)]
        case InstanceType():
            return [VectorOf(f"{name}.number", DType.int64, f"{name}.length"), *_pool_vectors(t, name)]
        case _:
            raise AssertionError(f"{t} is not given as vectors")


def pools_of(t: ScriptType) -> list[InstanceType]:
    """The types of all objects that a value of this type leads to, in the order of their pools."""
    found: list[InstanceType] = []
    pending = [t]
    while pending:
        part = pending.pop(0)
        match part:
            case InstanceType():
                if part not in found:
                    found.append(part)
                    pending += attribute_types(part)
            case ListType() | OptionalType():
                pending.append(part.element)
            case DictType():
                pending.append(part.value)
            case TupleType():
                pending += part.elements
            case UnionType():
                pending += part.members
            case _:
                pass
    return found


def attribute_types(t: InstanceType) -> tuple[ScriptType, ...]:
    return tuple(t.attribute(name) for name in t.of.attributes)


def pool_names(t: ScriptType, name: str) -> list[str]:
    """What the pools are called, in order."""
    pools = [f"{name}.{p.of.name.rpartition('.')[2]}" for p in pools_of(t)]
    return [p if pools.count(p) == 1 else f"{p}{i}" for i, p in enumerate(pools)]


def pool_vectors(t: InstanceType, name: str) -> list[VectorOf]:
    """The vectors of a pool of that name; of objects without attributes, one that says how many there are."""
    pairs = zip(t.of.attributes, attribute_types(t), strict=True)
    vectors = [v for attribute, a in pairs for v in element_vectors(a, f"{name}.{attribute}", name)]
    return vectors or [VectorOf(name, DType.bool, name)]


def _pool_vectors(t: ScriptType, name: str) -> list[VectorOf]:
    return [v for p, n in zip(pools_of(t), pool_names(t, name), strict=True) for v in pool_vectors(p, n)]


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
        case ComplexType():
            return [VectorOf(f"{name}.{part}", DType.float64, length) for part in ("real", "imag")]
        case TensorType(dtype, shape):
            assert dtype is not None and shape is not None
            if not shape:
                return [VectorOf(name, dtype, length)]
            extents = VectorOf(f"{name}.extents", DType.int64, f"{name}.extents")
            return [VectorOf(f"{name}.elements", dtype, f"{name}.elements"), extents]
        case UnionType():
            parts = [element_vectors(m, f"{name}.{i}", f"{name}.{i}") for i, m in enumerate(t.members) if m != NONE]
            return [VectorOf(f"{name}.tags", DType.int64, length), *(v for part in parts for v in part)]
        case InstanceType() | EnumType():
            return [VectorOf(f"{name}.numbers", DType.int64, length)]
        case _:
            return [VectorOf(name, number_dtype(t), length)]


# values to vectors


def encoded(value: Any, t: ScriptType) -> list[Any]:
    """The vectors of a Python value of type `t`. OverflowError for ints beyond 64 bits."""
    pools = _Pools(t, value)
    match t:
        case StrType():
            return [_bytes([value])[1]]
        case DictType():
            table = cast("Mapping[Any, Any]", value)
            found = [*_columns(list(table), t.key, pools), *_columns(list(table.values()), t.value, pools)]
        case ListType():
            found = _columns(value, t.element, pools)
        case InstanceType():
            found = _columns([value], t, pools)
        case _:
            raise AssertionError(f"{t} is not given as vectors")
    return [*found, *pools.columns()]


class _Pools:
    """All objects that a value leads to, each once."""

    def __init__(self, t: ScriptType, value: Any) -> None:
        self.types = pools_of(t)
        self.objects: list[list[ScriptObject]] = [[] for _ in self.types]
        self._numbers: dict[int, int] = {}
        if self.types:
            self._find(t, value)

    def number(self, value: ScriptObject) -> int:
        return self._numbers[id(value)]

    def columns(self) -> list[Any]:
        found: list[Any] = []
        for t, objects in zip(self.types, self.objects, strict=True):
            for name, a in zip(t.of.attributes, attribute_types(t), strict=True):
                found += _columns([o.attributes[name] for o in objects], a, self)
            if not t.of.attributes:
                found.append(np.ones(len(objects), np.bool_))
        return found

    def _find(self, t: ScriptType, value: Any) -> None:
        below = {p: bool(pools_of(p)) for p in (t, *(a for p in self.types for a in attribute_types(p)))}
        pending: list[tuple[ScriptType, Any]] = [(t, value)]
        while pending:
            part, held = pending.pop()
            if part not in below:
                below[part] = bool(pools_of(part))
            if not below[part] or held is None:
                continue
            match part:
                case InstanceType():
                    if id(held) in self._numbers:
                        continue
                    pool = self.objects[self.types.index(part)]
                    self._numbers[id(held)] = len(pool)
                    pool.append(held)
                    pending += [(a, held.attributes[n]) for n, a in zip(part.of.attributes, attribute_types(part), strict=True)]
                case ListType():
                    pending += [(part.element, v) for v in held]
                case DictType():
                    pending += [(part.value, v) for v in held.values()]
                case OptionalType():
                    pending.append((part.element, held))
                case TupleType():
                    pending += zip(part.elements, held, strict=True)
                case UnionType():
                    pending.append((part.members[member_of(held, part)], held))
                case _:
                    pass


def is_of(value: Any, t: ScriptType) -> bool:
    """Whether a Python value is one of the type, which is the member of a Union."""
    match t:
        case BoolType():
            return isinstance(value, bool)
        case IntType():
            return isinstance(value, int) and not isinstance(value, bool)
        case FloatType():
            return isinstance(value, float)
        case ComplexType():
            return isinstance(value, complex | ComplexParts)
        case StrType():
            return isinstance(value, str)
        case NoneType():
            return value is None
        case TensorType(dtype):
            array: Any = value.array if isinstance(value, Constant) else value
            has_shape = hasattr(array, "dtype") and hasattr(array, "shape")
            return has_shape and len(array.shape) == t.rank and _same_dtype(array, dtype)
        case InstanceType():
            return isinstance(value, ScriptObject) and value.type is t.of
        case EnumType():
            return isinstance(value, EnumMember) and value.type is t
        case OptionalType():
            return value is None or is_of(value, t.element)
        case ListType():
            return isinstance(value, list) and all(is_of(v, t.element) for v in cast("list[Any]", value))
        case TupleType():
            parts = cast("tuple[Any, ...]", value)
            fits = isinstance(value, tuple) and len(parts) == len(t.elements)
            return fits and all(map(is_of, parts, t.elements))
        case DictType():
            table = cast("dict[Any, Any]", value)
            return isinstance(value, dict) and all(is_of(k, t.key) and is_of(v, t.value) for k, v in table.items())
        case _:
            return False


def _same_dtype(array: Any, dtype: DType | None) -> bool:
    return dtype is not None and _array(array).dtype == dtype.numpy


def member_of(value: Any, t: UnionType) -> int:
    """The number of the member that a value is of."""
    return next(i for i, m in enumerate(t.members) if is_of(value, m))


def _columns(values: Sequence[Any], t: ScriptType, pools: _Pools) -> list[Any]:
    match t:
        case StrType():
            return _bytes(values)
        case ListType():
            return [_lengths(values), *_columns(list(chain.from_iterable(values)), t.element, pools)]
        case DictType():
            keys = _columns(list(chain.from_iterable(values)), t.key, pools)
            inner = _columns(list(chain.from_iterable(v.values() for v in values)), t.value, pools)
            return [_lengths(values), *keys, *inner]
        case OptionalType():
            present = np.array([v is not None for v in values], np.bool_)
            return [present, *_columns([v for v in values if v is not None], t.element, pools)]
        case TupleType():
            return [c for i, e in enumerate(t.elements) for c in _columns(list(map(itemgetter(i), values)), e, pools)]
        case ComplexType():
            numbers = np.array(list(map(_complex_of, values)), np.complex128)
            return [np.ascontiguousarray(numbers.real), np.ascontiguousarray(numbers.imag)]
        case UnionType():
            tags = [member_of(v, t) for v in values]
            parts = [_columns([v for v, tag in zip(values, tags) if tag == i], m, pools) for i, m in enumerate(t.members) if m != NONE]
            return [np.array(tags, np.int64), *(c for part in parts for c in part)]
        case EnumType():
            names = {name: i for i, name in enumerate(t.members)}
            return [np.array([names[v.name] for v in values], np.int64)]
        case InstanceType():
            return [np.array([pools.number(v) for v in values], np.int64)]
        case TensorType(dtype, shape):
            assert dtype is not None and shape is not None
            tensors = [v.array if isinstance(v, Constant) else v for v in values]
            elements = _concatenated(tensors, dtype)
            if not shape:
                return [elements]
            return [elements, np.array([e for v in tensors for e in v.shape], np.int64)]
        case _:
            return [np.array(values, number_dtype(t).numpy)]


def _complex_of(value: Any) -> complex:
    """A number given as its parts, or as it is."""
    return complex(*value) if isinstance(value, ComplexParts) else complex(value)


def _lengths(values: Iterable[Any]) -> npt.NDArray[Any]:
    return np.array(list(map(len, values)), np.int64)


def _bytes(values: Sequence[str]) -> list[Any]:
    """Lengths and bytes of strings: UTF-8, where a byte that is no part of it stands as a lone surrogate."""
    whole = "".join(values)
    if whole.isascii():
        return [_lengths(values), np.frombuffer(whole.encode(), np.uint8)]
    texts = [v.encode("utf-8", "surrogateescape") for v in values]
    return [_lengths(texts), np.frombuffer(b"".join(texts), np.uint8)]


def _concatenated(values: Sequence[Any], dtype: DType) -> Any:
    """The elements of tensors: of torch's, in a tensor of torch, so that a call sees what it was given."""
    torch = sys.modules.get("torch")
    if torch is not None and values and isinstance(values[0], torch.Tensor):
        joined = torch.cat([v.detach().reshape(-1) for v in values])
        joined.joined = Joined(values)
        return joined
    arrays = [_array(v).reshape(-1) for v in values]
    if not arrays:
        return np.zeros(0, dtype.numpy)
    vector = np.concatenate(arrays).view(_JoinedArray)
    vector.joined = Joined(values)
    return vector


class Joined:
    """The tensors that a caller gave and whose elements a vector holds."""

    __slots__ = ("_ends", "_tensors")

    def __init__(self, tensors: Sequence[Any]) -> None:
        self._tensors = tensors
        self._ends: list[int] | None = None

    def at(self, element: int) -> tuple[Any, int]:
        """The tensor that this element of the vector is in, and where that begins."""
        if self._ends is None:
            self._ends = list(accumulate(math.prod(t.shape) for t in self._tensors))
        number = bisect_right(self._ends, element)
        return self._tensors[number], self._ends[number - 1] if number else 0


class _JoinedArray(np.ndarray[Any, Any]):
    joined: Joined | None = None


def joined_tensors(vector: Any) -> Joined | None:
    """Of what `encoded` has made a vector; None for any other value."""
    return getattr(vector, "joined", None)


def _array(value: Any) -> npt.NDArray[Any]:
    return cast("npt.NDArray[Any]", value if isinstance(value, np.ndarray) else np.from_dlpack(value))
