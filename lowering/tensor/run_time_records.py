"""Objects, optional values, Unions and members of Enums that are known at run time, at the `linalg` stage.

An object is a `!rt.record`: the slots of its attributes in a row. An optional value is a bool, whether it is there, and
the slots of it, zero and null where it is not; a Union the number of the member that it is, and the slots of all of
them. Such a value is `Packed` here until an `unchecked_cast` says what it is. The member of an Enum is its number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from ...ir.builder import Builder
from ...ir.class_groups import member_index
from ...ir.core import Operation, Value
from ...ir.diagnostics import InternalError
from ...ir.dialects import arith, rt, rt_records, scf
from ...ir.dialects.aten.lowering import LoweringContext
from ...ir.script_types import (
    ClassType,
    EnumMember,
    EnumType,
    InstanceType,
    IntType,
    OptionalType,
    ScriptType,
    UnionType,
)
from ...ir.types import ANY_OBJECT, I1, I64, RecordType, Type
from . import run_time_values
from .memory import InMemory

Lowered = Any
"""What a value of the `torch` stage became: a Value, a Python constant, a sequence of these."""


@dataclass(frozen=True, eq=False)
class Packed:
    """An optional value, or one of a Union, as its slots."""

    slots: tuple[Value, ...]


def slots_of(t: ScriptType) -> tuple[Type, ...]:
    """Types of the slots of a value of one of these types; of nothing, which an empty list holds, one as well."""
    match t:
        case OptionalType():
            return (I1, *run_time_values.slots_of(t.element))
        case UnionType():
            return (I64, *(slot for m in t.members for slot in run_time_values.slots_of(m)))
        case InstanceType():
            return (record_type(t),)
        case ClassType():
            return (ANY_OBJECT,)
        case EnumType():
            return (I64,)
        case _:
            return (I1,)


def record_type(t: InstanceType) -> RecordType:
    return RecordType(tuple(slot for a in t.attributes for slot in run_time_values.slots_of(a)) or (I1,))


def nothing(b: Builder, type: Type) -> Value:
    """What stands in a slot where there is no value."""
    return rt_records.null(b, type) if rt.is_counted(type) else arith.constant(b, 0, type)


def slots(cx: LoweringContext, lowered: Lowered, t: ScriptType) -> list[Value]:
    """What the slots of a value hold."""
    if isinstance(lowered, Packed):
        return list(lowered.slots)
    if isinstance(lowered, EnumMember):
        return [arith.constant(cx.b, list(lowered.type.members).index(lowered.name), I64)]
    if isinstance(lowered, Value):
        return [lowered]
    assert lowered is None, f"{lowered!r} as a value of type {t}"
    return [nothing(cx.b, slot) for slot in slots_of(t)]


def value(held: Sequence[Value], t: ScriptType) -> Lowered:
    match t:
        case OptionalType() | UnionType():
            return Packed(tuple(held))
        case InstanceType() | ClassType() | EnumType():
            return held[0]
        case _:
            return None


def equal(cx: LoweringContext, a: Lowered, b: Lowered, t: ScriptType) -> Value:
    """Whether two such values are equal, as an i1."""
    x, y = slots(cx, a, t), slots(cx, b, t)
    match t:
        case OptionalType():
            alike = arith.cmpi(cx.b, "eq", x[0], y[0])
            return _where(cx, arith.andi(cx.b, alike, x[0]), lambda: _equal_parts(cx, x[1:], y[1:], t.element), alike)
        case UnionType():
            result = arith.cmpi(cx.b, "eq", x[0], y[0])
            for i, m in enumerate(t.members):
                start, stop = _places(t, i)
                both = arith.andi(cx.b, result, _is_member(cx, x[0], i))
                parts = x[start:stop], y[start:stop], m
                result = _where(cx, both, lambda parts=parts: _equal_parts(cx, *parts), result)
            return result
        case EnumType():
            return arith.cmpi(cx.b, "eq", x[0], y[0])
        case _:
            return arith.constant(cx.b, True, I1)


def _equal_parts(cx: LoweringContext, x: Sequence[Value], y: Sequence[Value], t: ScriptType) -> Value:
    return run_time_values.equal(cx, run_time_values.value(cx, x, t), run_time_values.value(cx, y, t), t)


def _where(cx: LoweringContext, condition: Value, then: Callable[[], Value], otherwise: Value) -> Value:
    def decided(_: Any, __: Sequence[Value]) -> Sequence[Value]:
        return [then()]

    def kept(_: Any, __: Sequence[Value]) -> Sequence[Value]:
        return [otherwise]

    return scf.if_(cx.b, condition, [I1], decided, kept).result


def _places(t: UnionType, member: int) -> tuple[int, int]:
    """Where the slots of a member stand."""
    start = 1 + sum(len(run_time_values.slots_of(m)) for m in t.members[:member])
    return start, start + len(run_time_values.slots_of(t.members[member]))


def _is_member(cx: LoweringContext, tag: Value, member: int) -> Value:
    return arith.cmpi(cx.b, "eq", tag, arith.constant(cx.b, member, I64))


# nodes


def _cast(cx: LoweringContext, op: Operation, arguments: Sequence[Lowered]) -> Lowered:
    (given,) = arguments
    a, b = cast(ScriptType, op.operand(0).type), cast(ScriptType, op.result.type)
    match a, b:
        case _ if a == b:
            return given
        case (EnumType(), IntType()) | (IntType(), EnumType()):
            return run_time_values.slots(cx, given, a)[0]
        case OptionalType(), _:
            return run_time_values.value(cx, slots(cx, given, a)[1:], b)
        case UnionType(), _:
            start, stop = _places(a, a.members.index(b))
            return run_time_values.value(cx, slots(cx, given, a)[start:stop], b)
        case _, OptionalType():
            there = arith.constant(cx.b, True, I1)
            return Packed((there, *run_time_values.slots(cx, given, b.element)))
        case _, UnionType():
            held = slots(cx, None, b)
            member = member_index(b, a)
            if member is None:
                raise InternalError(f"{a} as {b}")
            start, stop = _places(b, member)
            held[0] = arith.constant(cx.b, member, I64)
            held[start:stop] = run_time_values.slots(cx, given, b.members[member])
            return Packed(tuple(held))
        case _:
            raise InternalError(f"{a} as {b}")


def _is(cx: LoweringContext, op: Operation, arguments: Sequence[Lowered]) -> Value:
    """Whether an optional value is None, or two objects are one."""
    first, second = arguments
    if second is None:
        there = slots(cx, first, cast(ScriptType, op.operand(0).type))[0]
        return _negated(cx, there) if op.name == "aten::__is__" else there
    same = rt_records.same(cx.b, first, second)
    return same if op.name == "aten::__is__" else _negated(cx, same)


def _negated(cx: LoweringContext, condition: Value) -> Value:
    return arith.xori(cx.b, condition, arith.constant(cx.b, True, I1))


def _isinstance(cx: LoweringContext, op: Operation, arguments: Sequence[Lowered]) -> Value:
    t = cast(UnionType, op.operand(0).type)
    (member,) = cast(tuple[ScriptType, ...], op.attributes["types"])
    return _is_member(cx, slots(cx, arguments[0], t)[0], t.members.index(member))


def _equal_members(cx: LoweringContext, op: Operation, arguments: Sequence[Lowered]) -> Value:
    a, b = arguments
    return equal(cx, a, b, cast(ScriptType, op.operand(0).type))


def _id(cx: LoweringContext, op: Operation, arguments: Sequence[Lowered]) -> Value:
    held = arguments[0]
    return rt_records.address(cx.b, held.cell if isinstance(held, InMemory) else held)


def _create(cx: LoweringContext, op: Operation, arguments: Sequence[Lowered]) -> Value:
    return rt_records.new(cx.b, record_type(cast(InstanceType, op.result.type)))


def _attribute(op: Operation) -> tuple[int, int, ScriptType]:
    """Where the slots of the attribute that a node is about begin and end, and its type."""
    t = cast(InstanceType, op.operand(0).type)
    name = cast(str, op.attributes["name"])
    at = t.index(name)
    start = sum(len(run_time_values.slots_of(a)) for a in t.attributes[:at])
    return start, start + len(run_time_values.slots_of(t.attributes[at])), t.attribute(name)


def _get(cx: LoweringContext, op: Operation, arguments: Sequence[Lowered]) -> Lowered:
    start, stop, t = _attribute(op)
    found = rt_records.get(cx.b, arguments[0], start, stop - start)
    return run_time_values.value(cx, _as(cx, found, run_time_values.slots_of(t)), t)


def _set(cx: LoweringContext, op: Operation, arguments: Sequence[Lowered]) -> None:
    start, stop, t = _attribute(op)
    held = run_time_values.slots(cx, arguments[1], t)
    types = cast(RecordType, arguments[0].type).slots[start:stop]
    rt_records.set_(cx.b, arguments[0], start, _as(cx, held, types))


def _as(cx: LoweringContext, values: Sequence[Value], types: Sequence[Type]) -> list[Value]:
    """References as ones of these types: what a class holds of its own is not told in its type."""
    return [v if v.type == t else rt_records.cast_(cx.b, v, t) for v, t in zip(values, types, strict=True)]


_NODES: Final[dict[str, Callable[[LoweringContext, Operation, Sequence[Lowered]], Lowered]]] = {
    "prim::unchecked_cast": _cast,
    "prim::isinstance": _isinstance,
    "prim::CreateObject": _create,
    "prim::id": _id,
    "prim::GetAttr": _get,
    "prim::SetAttr": _set,
    "aten::__is__": _is,
    "aten::__isnot__": _is,
    "aten::eq.enum": _equal_members,
}


def is_record_node(op: Operation) -> bool:
    """Whether the node of the `torch` stage is on an object, an optional value, a Union or a member of an Enum."""
    return op.name in _NODES


def lower(cx: LoweringContext, op: Operation, arguments: Sequence[Lowered]) -> list[Lowered]:
    """What the results of the node become."""
    result = _NODES[op.name](cx, op, arguments)
    return [result] if op.results else []
