"""The calling convention, described once: ctypes structures, LLVM types and C declarations follow from it.

Tensors cross the boundary as DLPack's `DLTensor`. A compiled function NAME is

    int32_t NAME(const DLTensor *x, int64_t k, double s, bool b, ..., DLTensor *out0, int64_t *out1, ...)

It returns 0, or 1 after an error whose text `torchcc_last_error()` gives. Where `out->data` is NULL the function
allocates data and shape, and the caller gives them back with `torchcc_free(out)`; else the result is copied into it.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...ir.dtypes import SHORT_NAMES, DType
from ...ir.script_types import BoolType, FloatType, IntType, ScriptType, TensorType
from ...ir.signature import Dim

CPU_DEVICE: Final = 1
"""DLPack's kDLCPU."""

HEAP_ALIGNMENT: Final = 64
"""Bytes: where every buffer that compiled code makes or reads as a constant begins."""


@dataclass(frozen=True)
class Scalar:
    """A C type, with its ctypes and LLVM counterparts."""

    c: str
    ctype: Any
    llvm: str


POINTER: Final = Scalar("void *", ctypes.c_void_p, "ptr")
INT64_POINTER: Final = Scalar("int64_t *", ctypes.c_void_p, "ptr")
INT32: Final = Scalar("int32_t", ctypes.c_int32, "i32")
INT64: Final = Scalar("int64_t", ctypes.c_int64, "i64")
UINT64: Final = Scalar("uint64_t", ctypes.c_uint64, "i64")
UINT32: Final = Scalar("uint32_t", ctypes.c_uint32, "i32")
UINT16: Final = Scalar("uint16_t", ctypes.c_uint16, "i16")
UINT8: Final = Scalar("uint8_t", ctypes.c_uint8, "i8")
DOUBLE: Final = Scalar("double", ctypes.c_double, "double")
BOOL: Final = Scalar("bool", ctypes.c_bool, "i8")


@dataclass(frozen=True)
class Structure:
    """A C structure: fields are scalars or structures, in order, with C's natural alignment."""

    name: str
    fields: tuple[tuple[str, Scalar | Structure], ...]

    @property
    def llvm(self) -> str:
        """How LLVM text names the type; `llvm_definition` defines it."""
        return f"%{self.name}"

    @property
    def llvm_definition(self) -> str:
        return f"{self.llvm} = type {{ {', '.join(kind.llvm for _, kind in self.fields)} }}"

    @property
    def c(self) -> str:
        return self.name

    @property
    def c_definition(self) -> str:
        lines = "".join(f"    {kind.c}{'' if kind.c.endswith('*') else ' '}{name};\n" for name, kind in self.fields)
        return f"typedef struct {{\n{lines}}} {self.name};\n"

    @property
    def ctype(self) -> Any:
        return _ctype(self)

    def index(self, field: str) -> int:
        """Position of a field, for `getelementptr`."""
        return next(i for i, (name, _) in enumerate(self.fields) if name == field)


@functools.cache
def _ctype(structure: Structure) -> Any:
    fields = [(name, kind.ctype) for name, kind in structure.fields]
    return type(structure.name, (ctypes.Structure,), {"_fields_": fields})


DL_DEVICE: Final = Structure("DLDevice", (("device_type", INT32), ("device_id", INT32)))
DL_DATA_TYPE: Final = Structure("DLDataType", (("code", UINT8), ("bits", UINT8), ("lanes", UINT16)))
DL_TENSOR: Final = Structure(
    "DLTensor",
    (
        ("data", POINTER),
        ("device", DL_DEVICE),
        ("ndim", INT32),
        ("dtype", DL_DATA_TYPE),
        ("shape", INT64_POINTER),
        ("strides", INT64_POINTER),
        ("byte_offset", UINT64),
    ),
)
DL_VERSION: Final = Structure("DLPackVersion", (("major", UINT32), ("minor", UINT32)))
DL_MANAGED_TENSOR_VERSIONED: Final = Structure(
    "DLManagedTensorVersioned",
    (
        ("version", DL_VERSION),
        ("manager_ctx", POINTER),
        ("deleter", POINTER),
        ("flags", UINT64),
        ("dl_tensor", DL_TENSOR),
    ),
)

TENSOR_CHECK: Final = Structure(
    "TensorCheck",
    (
        ("role", POINTER),  # "argument `x`", "output 0": the start of messages
        ("expected", POINTER),  # "f32[batch,3]"
        ("code", UINT8),
        ("bits", UINT8),
        ("ndim", INT32),
        ("extents", INT64_POINTER),  # -1 - k stands for dynamic dimension number k
    ),
)
"""What a call checks of one tensor; read by `tensors.ll`."""

DIMENSION_CHECK: Final = Structure("DimensionCheck", (("name", POINTER), ("minimum", INT64), ("maximum", INT64)))
"""A dynamic dimension of the signature."""

STRUCTURES: Final = (DL_DEVICE, DL_DATA_TYPE, DL_TENSOR, TENSOR_CHECK, DIMENSION_CHECK)
"""Those that LLVM text uses."""

DATA_TYPES: Final[dict[DType, tuple[int, int]]] = {
    DType.int8: (0, 8),
    DType.int16: (0, 16),
    DType.int32: (0, 32),
    DType.int64: (0, 64),
    DType.uint8: (1, 8),
    DType.float16: (2, 16),
    DType.float32: (2, 32),
    DType.float64: (2, 64),
    DType.bfloat16: (4, 16),
    DType.uint16: (1, 16),
    DType.uint32: (1, 32),
    DType.uint64: (1, 64),
    DType.complex32: (5, 32),
    DType.complex64: (5, 64),
    DType.complex128: (5, 128),
    DType.bool: (6, 8),
}
"""DLPack's (code, bits) of each dtype."""


def scalar_kind(t: ScriptType) -> Scalar:
    """How an int, float or bool crosses the boundary."""
    match t:
        case IntType():
            return INT64
        case FloatType():
            return DOUBLE
        case BoolType():
            return BOOL
        case _:
            raise TypeError(t)


def result_kind(t: ScriptType) -> Structure | Scalar:
    """What the output pointer of a result of this type points to."""
    return DL_TENSOR if isinstance(t, TensorType) else scalar_kind(t)


PUBLIC_FUNCTIONS: Final = (
    "torchcc_last_error",
    "torchcc_set_last_error",
    "torchcc_free",
    "torchcc_set_num_threads",
    "torchcc_num_threads",
    "torchcc_manual_seed",
    "torchcc_initial_seed",
)
"""What a shared library exports beside the compiled functions.

`torchcc_set_last_error` is public so that, in a program with several compiled libraries, the setter and the getter that
the dynamic linker picks come from one of them.
"""


_SHORT: Final = {dtype: name for name, dtype in SHORT_NAMES.items()}


def describe(dtype: DType, shape: Sequence[int | Dim | None]) -> str:
    """`f32[batch,3]`."""
    return f"{_SHORT[dtype]}[{','.join('?' if e is None else e.name if isinstance(e, Dim) else str(e) for e in shape)}]"
