"""Attribute values of operations.

Plain Python values stand for themselves where MLIR needs no type: `str` is a string, `tuple` an array, a `Type` a type
attribute, `UNIT` a unit attribute. In the `torch` stage attributes are plain Python values only (plus `Constant`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import ml_dtypes
import numpy as np
import numpy.typing as npt

from .affine import AffineMap
from .script_types import EnumMember
from .types import FloatType, Type


@dataclass(frozen=True)
class IntegerAttr:
    """`3 : i64`; of an i1 type printed as `true` / `false`."""

    value: int
    type: Type


@dataclass(frozen=True)
class FloatAttr:
    """`1.0 : f32`; value already rounded to the type."""

    value: float
    type: Type


_NARROW: Final[dict[str, Any]] = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32}


def round_float(value: float, type: FloatType) -> float:
    """The value as its type holds it; 16-bit types are reached through f32, as PyTorch rounds."""
    if type.name == "f64":
        return float(value)
    with np.errstate(all="ignore"):
        return float(np.float32(value).astype(_NARROW[type.name]))


@dataclass(frozen=True)
class DenseArrayAttr:
    """`array<i64: 1, 2>`."""

    values: tuple[int, ...]
    element: Type


@dataclass(frozen=True)
class SymbolRef:
    """`@name`."""

    name: str


@dataclass(frozen=True)
class Unit:
    pass


UNIT: Final = Unit()


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor known at compile time: weights, buffers, folded values.

    `name` is unique in a program and is what dumps print (`dense_resource<name>`, `memref.get_global @name`), so IR text
    stays small and kernels can be cached without the values. Compared by identity of the array and by name.
    `array` is C-contiguous, in the dtype of the program (bool as np.bool_, bfloat16 as ml_dtypes). Never written to.
    """

    name: str
    array: npt.NDArray[Any]
    strided: npt.NDArray[Any] | None = None
    """The same elements in a layout that is not contiguous, in memory that others may share: how they are saved again."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constant) and self.name == other.name and (
            self.array is other.array
            or (self.array.dtype == other.array.dtype and np.array_equal(self.array, other.array, equal_nan=self.array.dtype.kind in "fc"))
        )

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True, eq=False)
class ForeignTensor:
    """A tensor that a model holds and no operator here takes: quantized, sparse, or of a dtype without arithmetic.

    It can be looked at and saved again. `dtype` is PyTorch's name of it (`qint8`, `float8_e5m2`, `float32`), `what` the
    kind in words (`quantized`), `parts` its numbers: `int_repr` with `scheme`, `scale`, `zero_point` and `axis`;
    `indices` and `values`; or only `values`, as numpy holds them.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    what: str
    parts: Mapping[str, Any]

    @property
    def description(self) -> str:
        return f"a {self.what} tensor ({self.dtype}{list(self.shape)})"

    def __repr__(self) -> str:
        return f"<{self.what} tensor {self.dtype}{list(self.shape)}>"


@dataclass(frozen=True)
class DenseAttr:
    """`dense<...> : type`: a splat (one value) or all elements, row major, as Python numbers; or a `Constant`.

    With a Constant it prints as `dense_resource<name> : type`.
    """

    value: int | float | bool | complex | tuple[Any, ...] | Constant
    type: Type


Attribute = (
    IntegerAttr | FloatAttr | DenseArrayAttr | SymbolRef | Unit | Constant | DenseAttr | AffineMap | Type
    | EnumMember | str | int | float | bool | complex | None | tuple[Any, ...]
)


class DeviceName(str):
    """A device as the constant of a class: its name, which is not to be taken for text when it is written again."""

    __slots__ = ()


class ComplexParts(tuple[float, float]):
    """A complex number as an argument: its real and its imaginary part, given one after the other."""
