"""PyTorch's scalar types: their numbers, names in graph text, numpy dtypes and MLIR element types."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

import ml_dtypes
import numpy as np

from .types import BF16, COMPLEX_F16, COMPLEX_F32, COMPLEX_F64, F16, F32, F64, I1, I8, I16, I32, I64, Type


class DType(IntEnum):
    """The value is PyTorch's ScalarType number, which is what `x.dtype` is in TorchScript."""

    uint8 = 0
    int8 = 1
    int16 = 2
    int32 = 3
    int64 = 4
    float16 = 5
    float32 = 6
    float64 = 7
    complex32 = 8
    complex64 = 9
    complex128 = 10
    bool = 11
    bfloat16 = 15
    uint16 = 27
    uint32 = 28
    uint64 = 29

    def __bool__(self) -> bool:
        return True  # uint8, number 0, is a dtype like the others: `dtype or default`

    @property
    def is_floating(self) -> bool:
        return self in (DType.float16, DType.float32, DType.float64, DType.bfloat16)

    @property
    def is_complex(self) -> bool:
        return self in (DType.complex32, DType.complex64, DType.complex128)

    @property
    def is_integral(self) -> bool:
        """Integers without bool."""
        return self in _INTEGERS

    @property
    def is_signed(self) -> bool:
        return self not in _UNSIGNED and self is not DType.bool

    @property
    def is_wide_unsigned(self) -> bool:
        """One of those that PyTorch promotes with nothing but floats, and computes little with."""
        return self in _UNSIGNED and self is not DType.uint8

    @property
    def category(self) -> int:
        """bool 0 < integer 1 < floating 2 < complex 3 (type promotion)."""
        return 0 if self is DType.bool else 1 if self.is_integral else 2 if self.is_floating else 3

    @property
    def itemsize(self) -> int:
        return self.numpy.itemsize

    @property
    def numpy(self) -> np.dtype[Any]:
        return _NUMPY[self]

    @property
    def element(self) -> Type:
        """MLIR element type. bool is `i1`, stored as one byte; uint8 and int8 are both the signless `i8`, and so on."""
        return _ELEMENT[self]

    @property
    def real(self) -> DType:
        """The dtype of the parts of a complex number; any other dtype itself."""
        return _REAL.get(self, self)

    @property
    def graph_name(self) -> str:
        """Name in TorchScript graph text: `Float(2, 3)`."""
        return _GRAPH_NAMES[self]


_UNSIGNED: Final = (DType.uint8, DType.uint16, DType.uint32, DType.uint64)
_INTEGERS: Final = (*_UNSIGNED, DType.int8, DType.int16, DType.int32, DType.int64)

_NUMPY: Final[dict[DType, np.dtype[Any]]] = {
    DType.uint8: np.dtype(np.uint8),
    DType.int8: np.dtype(np.int8),
    DType.int16: np.dtype(np.int16),
    DType.int32: np.dtype(np.int32),
    DType.int64: np.dtype(np.int64),
    DType.float16: np.dtype(np.float16),
    DType.float32: np.dtype(np.float32),
    DType.float64: np.dtype(np.float64),
    DType.uint16: np.dtype(np.uint16),
    DType.uint32: np.dtype(np.uint32),
    DType.uint64: np.dtype(np.uint64),
    DType.complex32: np.dtype(ml_dtypes.complex32),
    DType.complex64: np.dtype(np.complex64),
    DType.complex128: np.dtype(np.complex128),
    DType.bool: np.dtype(np.bool_),
    DType.bfloat16: np.dtype(ml_dtypes.bfloat16),
}

_ELEMENT: Final[dict[DType, Type]] = {
    DType.uint8: I8,
    DType.int8: I8,
    DType.int16: I16,
    DType.int32: I32,
    DType.int64: I64,
    DType.float16: F16,
    DType.float32: F32,
    DType.float64: F64,
    DType.uint16: I16,
    DType.uint32: I32,
    DType.uint64: I64,
    DType.complex32: COMPLEX_F16,
    DType.complex64: COMPLEX_F32,
    DType.complex128: COMPLEX_F64,
    DType.bool: I1,
    DType.bfloat16: BF16,
}

_REAL: Final[dict[DType, DType]] = {
    DType.complex32: DType.float16,
    DType.complex64: DType.float32,
    DType.complex128: DType.float64,
}

_GRAPH_NAMES: Final[dict[DType, str]] = {
    DType.uint8: "Byte",
    DType.int8: "Char",
    DType.int16: "Short",
    DType.int32: "Int",
    DType.int64: "Long",
    DType.float16: "Half",
    DType.float32: "Float",
    DType.float64: "Double",
    DType.uint16: "UInt16",
    DType.uint32: "UInt32",
    DType.uint64: "UInt64",
    DType.complex32: "ComplexHalf",
    DType.complex64: "ComplexFloat",
    DType.complex128: "ComplexDouble",
    DType.bool: "Bool",
    DType.bfloat16: "BFloat16",
}

SHORT_NAMES: Final[dict[str, DType]] = {
    "u8": DType.uint8,
    "i8": DType.int8,
    "i16": DType.int16,
    "i32": DType.int32,
    "i64": DType.int64,
    "f16": DType.float16,
    "bf16": DType.bfloat16,
    "f32": DType.float32,
    "f64": DType.float64,
    "bool": DType.bool,
    "u16": DType.uint16,
    "u32": DType.uint32,
    "u64": DType.uint64,
    "c32": DType.complex32,
    "c64": DType.complex64,
    "c128": DType.complex128,
}
"""Names in `--input x=f32[2,3]` and in tests."""


def from_numpy(dtype: np.dtype[Any]) -> DType | None:
    """The DType of a numpy dtype (any byte order), or None where PyTorch has none."""
    native = dtype.newbyteorder("=")
    return next((d for d, n in _NUMPY.items() if n == native), None)


def from_graph_name(name: str) -> DType | None:
    return next((d for d, n in _GRAPH_NAMES.items() if n == name), None)
