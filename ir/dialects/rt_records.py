"""`rt.record`, `rt.field`, ...: objects with fields, references that may be null, and which objects are one.

A record is a reference, as a list is (`rt.py`): no operation on it is pure. Its fields are one value per slot of its
type; a script class has several slots for one attribute. `!rt.any` is a reference to an object of a type that is not
told, so that a record can hold records of its own type; `rt.cast` tells it, and is right: nobody checks.

A null reference is no object. It may be kept, given back and compared; a box that is null unboxes to a tensor without
elements in its open extents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, cast

from ..attributes import IntegerAttr
from ..builder import Builder
from ..core import Operation, Value
from ..definition import OpDefinition
from ..types import I1, I64, INDEX, RecordType, Type
from .rt import is_counted, is_legal_slots

Verify = Callable[[Operation], "str | None"]


def record_type(value: Value) -> RecordType:
    return cast(RecordType, value.type)


def new(b: Builder, type: RecordType) -> Value:
    """A record whose fields are zero and null."""
    return b.create("rt.record", (), (type,)).result


def get(b: Builder, source: Value, first: int, count: int) -> list[Value]:
    """`count` fields from `first` on."""
    types = record_type(source).slots[first : first + count]
    return list(b.create("rt.field", (source,), types, {"first": IntegerAttr(first, INDEX)}).results)


def set_(b: Builder, target: Value, first: int, slots: Sequence[Value]) -> Operation:
    """Writes the fields from `first` on."""
    return b.create("rt.set_field", (target, *slots), (), {"first": IntegerAttr(first, INDEX)})


def null(b: Builder, type: Type) -> Value:
    """A reference to nothing."""
    return b.create("rt.null", (), (type,)).result


def same(b: Builder, first: Value, second: Value) -> Value:
    """Whether both are one object."""
    return b.create("rt.same", (first, second), (I1,)).result


def address(b: Builder, value: Value) -> Value:
    """A number that tells the object from all others that there are."""
    return b.create("rt.address", (value,), (I64,)).result


def cast_(b: Builder, source: Value, type: Type) -> Value:
    """The same object as one of that type, or as one of a type that is not told."""
    return b.create("rt.cast", (source,), (type,)).result


def first_of(op: Operation) -> int:
    return cast(IntegerAttr, op.attributes["first"]).value


def _new(op: Operation) -> str | None:
    t = op.result.type
    return None if isinstance(t, RecordType) and is_legal_slots(t.slots) else f"{t} is no record"


def _fields(values: Callable[[Operation], Sequence[Value]]) -> Verify:
    def check(op: Operation) -> str | None:
        t = op.operand(0).type
        if not isinstance(t, RecordType):
            return f"{t} is no record"
        if not isinstance(op.attributes.get("first"), IntegerAttr) or first_of(op) < 0:
            return "`first` is no position of a field"
        found = tuple(v.type for v in values(op))
        fits = t.slots[first_of(op) : first_of(op) + len(found)] == found
        return None if fits else f"{', '.join(map(str, found))} are no fields of {t} from {first_of(op)} on"

    return check


def _null(op: Operation) -> str | None:
    t = op.result.type
    return None if is_counted(t) else f"{t} is not counted"


def _same(op: Operation) -> str | None:
    a, b = (v.type for v in op.operands)
    return None if a == b and is_counted(a) else f"{a} is compared with {b}"


def _address(op: Operation) -> str | None:
    t = op.operand(0).type
    return None if is_counted(t) and op.result.type == I64 else f"{t} has no address of type {op.result.type}"


def _cast(op: Operation) -> str | None:
    a, b = op.operand(0).type, op.result.type
    return None if is_counted(a) and is_counted(b) else f"{a} as {b}"


def _op(name: str, operands: tuple[str, ...], verify: Verify, results: int | None = 0) -> OpDefinition:
    shown = " , ".join(f"${o.rstrip('*')}" for o in operands)
    assembly = f"( {shown} ) attr-dict : functional-type" if operands else "attr-dict : type(results)"
    return OpDefinition(name, operands, results, assembly=assembly, verify=verify)


OPS: Final[tuple[OpDefinition, ...]] = (
    _op("rt.record", (), _new, 1),
    _op("rt.field", ("record",), _fields(lambda op: op.results), None),
    _op("rt.set_field", ("record", "slots*"), _fields(lambda op: op.operands[1:])),
    _op("rt.null", (), _null, 1),
    _op("rt.same", ("first", "second"), _same, 1),
    _op("rt.address", ("source",), _address, 1),
    _op("rt.cast", ("source",), _cast, 1),
)
