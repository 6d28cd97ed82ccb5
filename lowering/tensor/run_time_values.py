"""Values made at run time, of every kind, at the `linalg` stage: the slots that hold them, and how they are compared.

A value of a `torch` type takes a row of slots of 8 bytes in a list: an int, float or bool one, a tensor a box, a list a
reference to it, a tuple the slots of its parts. What holds a value of the type is the same wherever it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from ...ir.core import Value
from ...ir.diagnostics import CompileError, InternalError
from ...ir.dialects import arith, rt, tensor
from ...ir.dialects import complex as complexes
from ...ir.dialects.aten.lowering import LoweringContext
from ...ir.dtypes import DType
from ...ir.script_types import (
    FLOAT,
    NEVER,
    BoolType,
    ClassType,
    ComplexType,
    DictType,
    EnumType,
    FloatType,
    FutureType,
    InstanceType,
    IntType,
    ListType,
    NoneType,
    OptionalType,
    ScriptType,
    StrType,
    TensorType,
    TupleType,
    UnionType,
)
from ...ir.types import F64, I1, I64, STRING, BoxType, RankedTensorType, RunTimeListType, Type
from ...ir.types import FutureType as RunTimeFutureType
from . import memory, run_time_dicts, run_time_lists, run_time_records, run_time_strings

Lowered = Any
"""What a value of the `torch` stage became: a Value, a Python constant, a sequence of these."""

PACKED: Final = (OptionalType, UnionType, InstanceType, ClassType, EnumType, NoneType)
"""Types whose values are in `run_time_records.py`."""

MAX_SLOTS: Final = 64
"""Of one element: as many as the mask of a list has bits."""


def slots_of(t: ScriptType) -> tuple[Type, ...]:
    """Types of the slots that hold a value of this type."""
    match t:
        case IntType():
            return (I64,)
        case FloatType():
            return (F64,)
        case ComplexType():
            return (F64, F64)
        case BoolType():
            return (I1,)
        case StrType():
            return (STRING,)
        case TensorType() if t.in_memory:
            return memory.forms_of(t)
        case TensorType(dtype, shape):
            if dtype is None or shape is None:
                raise InternalError(f"a list of {t}: its dtype or rank is not known")
            return (BoxType(RankedTensorType(shape, dtype.element)),)
        case ListType():
            return (list_type(t),)
        case DictType():
            return (run_time_dicts.dict_type(t),)
        case TupleType():
            return tuple(slot for e in t.elements for slot in slots_of(e))
        case FutureType():
            return (future_type(t),)
        case _ if isinstance(t, PACKED) or t == NEVER:
            return run_time_records.slots_of(t)
        case _:
            raise InternalError(f"a value of type {t} has no form in the linalg stage")


def future_type(t: FutureType) -> RunTimeFutureType:
    slots = slots_of(t.element)
    if len(slots) > MAX_SLOTS:
        raise CompileError.at(None, f"what a future gives has more than {MAX_SLOTS} parts")
    return RunTimeFutureType(slots)


def list_type(t: ListType) -> RunTimeListType:
    slots = slots_of(t.element)
    if len(slots) > MAX_SLOTS:
        raise CompileError.at(None, f"elements of a list have more than {MAX_SLOTS} parts")
    return RunTimeListType(slots)


def slots(cx: LoweringContext, lowered: Lowered, t: ScriptType) -> list[Value]:
    """What the slots of a value hold."""
    b = cx.b
    match t:
        case TupleType():
            return [s for v, e in zip(lowered, t.elements, strict=True) for s in slots(cx, v, e)]
        case TensorType() if t.in_memory:
            return memory.slots(cx, lowered, t)
        case TensorType():
            (type,) = cast(tuple[BoxType], slots_of(t))
            if lowered.type != type.tensor:
                lowered = tensor.cast_(b, lowered, type.tensor)
            content = lowered.defining_op("rt.unbox")
            return [content.operand(0) if content is not None else rt.box(b, lowered)]
        case ComplexType():
            return [*parts(cx, lowered)]
        case StrType():
            return [run_time_strings.string(b, lowered)]
        case _ if isinstance(t, PACKED) or t == NEVER:
            return run_time_records.slots(cx, lowered, t)
        case _:
            (type,) = slots_of(t)
            return [lowered if isinstance(lowered, Value) else arith.constant(b, lowered, type)]


def value(cx: LoweringContext, held: Sequence[Value], t: ScriptType) -> Lowered:
    """The value that slots hold."""
    match t:
        case TupleType():
            found: list[Lowered] = []
            at = 0
            for e in t.elements:
                count = len(slots_of(e))
                found.append(value(cx, held[at : at + count], e))
                at += count
            return found
        case TensorType() if t.in_memory:
            return memory.value(cx, held, t)
        case TensorType(dtype):
            assert dtype is not None
            return cx.set_dtype(rt.unbox(cx.b, held[0]), dtype)
        case ComplexType():
            return cx.set_dtype(complexes.create(cx.b, *held), DType.complex128)
        case _ if isinstance(t, PACKED) or t == NEVER:
            return run_time_records.value(held, t)
        case _:
            return held[0]


def parts(cx: LoweringContext, number: Value | complex) -> tuple[Value, Value]:
    """The two floats that a complex number is."""
    if not isinstance(number, Value):
        return arith.constant(cx.b, number.real, F64), arith.constant(cx.b, number.imag, F64)
    return complexes.re(cx.b, number), complexes.im(cx.b, number)


def equal(cx: LoweringContext, a: Lowered, b: Lowered, t: ScriptType) -> Value:
    """Whether two values of that type are equal, as an i1."""
    match t:
        case FloatType():
            x, y = (slots(cx, v, t)[0] for v in (a, b))
            return arith.cmpf(cx.b, "oeq", x, y)
        case IntType() | BoolType():
            x, y = (slots(cx, v, t)[0] for v in (a, b))
            return arith.cmpi(cx.b, "eq", x, y)
        case ComplexType():
            return equal(cx, parts(cx, a), parts(cx, b), TupleType((FLOAT, FLOAT)))
        case StrType():
            return run_time_strings.equal(cx, a, b)
        case TupleType():
            result = arith.constant(cx.b, True, I1)
            for x, y, e in zip(a, b, t.elements, strict=True):
                result = arith.andi(cx.b, result, equal(cx, x, y, e))
            return result
        case ListType():
            return run_time_lists.Lists(cx, t.element).lists_equal(a, b)
        case _ if isinstance(t, PACKED) or t == NEVER:
            return run_time_records.equal(cx, a, b, t)
        case _:
            raise InternalError(f"{t} is compared")


# in control flow


def forms_of(t: ScriptType) -> tuple[Type, ...]:
    """Types of the values that a value of this type is in results and arguments of control flow."""
    match t:
        case TensorType(dtype, shape) if not t.in_memory:
            assert dtype is not None and shape is not None, f"unspecialised tensor type {t}"
            return (RankedTensorType(shape, dtype.element),)
        case TupleType():
            return tuple(form for e in t.elements for form in forms_of(e))
        case _:
            return slots_of(t)


def taken_apart(cx: LoweringContext, lowered: Lowered, t: ScriptType) -> list[Value]:
    """A value as values of exactly the types `forms_of` names."""
    match t:
        case TensorType() if not t.in_memory:
            (form,) = cast(tuple[RankedTensorType], forms_of(t))
            return [lowered if lowered.type == form else tensor.cast_(cx.b, lowered, form)]
        case TupleType():
            return [part for v, e in zip(lowered, t.elements, strict=True) for part in taken_apart(cx, v, e)]
        case _:
            return slots(cx, lowered, t)


def put_together(cx: LoweringContext, pieces: Sequence[Value], t: ScriptType) -> Lowered:
    """The value that was taken apart."""
    match t:
        case TensorType(dtype) if not t.in_memory:
            assert dtype is not None
            return cx.set_dtype(pieces[0], dtype)
        case TupleType():
            found: list[Lowered] = []
            at = 0
            for e in t.elements:
                count = len(forms_of(e))
                found.append(put_together(cx, pieces[at : at + count], e))
                at += count
            return found
        case _:
            return value(cx, pieces, t)
