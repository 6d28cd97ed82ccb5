"""Spelling of types and constants in LLVM IR text.

Booleans are `i1` in registers and one byte in memory. f16 and bf16 are `i16` in registers too: all arithmetic on them
goes through f32 explicitly (`precision.py`), so no target falls back on library calls that libc does not have.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final

import ml_dtypes
import numpy as np

from ...ir.diagnostics import InternalError
from ...ir.types import (
    AnyObjectType,
    BoxType,
    ComplexType,
    FloatType,
    FutureType,
    IndexType,
    IntegerType,
    RecordType,
    RunTimeDictType,
    RunTimeListType,
    StringType,
    Type,
    VectorType,
    element_type,
)

_FLOATS: Final = {"f16": "i16", "bf16": "i16", "f32": "float", "f64": "double"}
NUMPY: Final[dict[str, np.dtype[Any]]] = {
    "i1": np.dtype(np.bool_),
    "i8": np.dtype(np.int8),
    "i16": np.dtype(np.int16),
    "i32": np.dtype(np.int32),
    "i64": np.dtype(np.int64),
    "index": np.dtype(np.int64),
    "f16": np.dtype(np.float16),
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
    "complex<f16>": np.dtype(ml_dtypes.complex32),
    "complex<f32>": np.dtype(np.complex64),
    "complex<f64>": np.dtype(np.complex128),
}
"""How the elements of a buffer look to numpy."""


def register_type(t: Type) -> str:
    """The LLVM type of a scalar or vector value."""
    match t:
        case IntegerType(width):
            return f"i{width}"
        case IndexType():
            return "i64"
        case FloatType(name):
            return _FLOATS[name]
        case BoxType() | RunTimeListType() | RunTimeDictType() | RecordType() | FutureType() | StringType() | AnyObjectType():
            return "ptr"
        case VectorType((lanes,), element):
            return f"<{lanes} x {register_type(element)}>"
        case VectorType((), element):
            return f"<1 x {register_type(element)}>"
        case _:
            raise InternalError(f"type {t} has no LLVM register type")


def memory_type(t: Type) -> str:
    """The LLVM type of an element, or of a vector of elements, in memory."""
    match t:
        case IntegerType(1):
            return "i8"
        case VectorType((lanes,), element):
            return f"<{lanes} x {memory_type(element)}>"
        case ComplexType(part):
            return f"{{ {register_type(part)}, {register_type(part)} }}"
        case _:
            return register_type(t)


def itemsize(element: Type) -> int:
    """Bytes of an element in memory."""
    match element:
        case IntegerType(width):
            return max(1, width // 8)
        case IndexType():
            return 8
        case FloatType():
            return element.width // 8
        case ComplexType(part):
            return 2 * itemsize(part)
        case _:
            raise InternalError(f"type {element} is no element type")


def suffix(t: Type) -> str:
    """How intrinsics' names end for that register type: `f32`, `v16f32`, `i64`."""
    element = element_type(t)
    name = (
        f"i{element.width}"
        if isinstance(element, IntegerType)
        else "i64"
        if isinstance(element, IndexType)
        else str(element)
    )
    return f"v{lanes(t)}{name}" if isinstance(t, VectorType) else name


def lanes(t: Type) -> int:
    """Number of lanes; 1 for a scalar."""
    if not isinstance(t, VectorType):
        return 1
    if len(t.shape) > 1:
        raise InternalError(f"{t}: vectors of more than one dimension must be unrolled before code generation")
    return t.shape[0] if t.shape else 1


def is_low_precision(t: Type) -> bool:
    """f16 and bf16, or a vector of them."""
    return str(element_type(t)) in ("f16", "bf16")


def literal(value: float | bool, t: Type) -> str:
    """A scalar constant of that type."""
    match t:
        case IntegerType(1):
            return "true" if value else "false"
        case IntegerType(width):
            number = int(value) & ((1 << width) - 1)
            return str(number - (1 << width) if number >> (width - 1) else number)
        case IndexType():
            return str(int(value))
        case FloatType("f64"):
            return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
        case FloatType("f32"):
            with np.errstate(over="ignore"):
                rounded = float(np.float32(value))
            return f"0x{struct.unpack('<Q', struct.pack('<d', rounded))[0]:016X}"
        case FloatType(name):
            with np.errstate(over="ignore"):
                return str(np.asarray(value, NUMPY[name]).view(np.int16)[()])
        case _:
            raise InternalError(f"no constant of type {t}")


def splat(value: float | bool, t: Type) -> str:
    """A constant of a scalar or vector type, all lanes equal."""
    if not isinstance(t, VectorType):
        return literal(value, t)
    if value == 0 and str(value)[0] != "-":
        return "zeroinitializer"
    return f"splat ({register_type(t.element)} {literal(value, t.element)})"


def dense(values: Sequence[Any], t: VectorType) -> str:
    """A vector constant, lane by lane."""
    element = register_type(t.element)
    return f"<{', '.join(f'{element} {literal(v, t.element)}' for v in values)}>"


def quoted(data: bytes) -> str:
    """An `[n x i8]` constant."""
    text = "".join(chr(b) if 32 <= b < 127 and b not in (34, 92) else f"\\{b:02X}" for b in data)
    return f'c"{text}"'
