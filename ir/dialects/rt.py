"""`rt`: lists of run-time length and boxed tensors, as reference-counted objects. MLIR has no such dialect.

A list is a reference: two values may be the same list, and a change is seen through both. So no operation on lists is
pure: they stay in order. An element is one value per slot of the list's type. A box holds a tensor that never changes.
Indices are in range: whoever writes the operation checks them first. In the `loops` stage objects are counted: each
value of a list or box type owns one reference, which `rt.release` gives back and `rt.retain` doubles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, cast

from ..attributes import DenseArrayAttr
from ..builder import Builder
from ..core import Operation, Value
from ..definition import OpDefinition, Trait
from ..types import (
    COMPLEX_F64,
    F64,
    I1,
    I64,
    INDEX,
    AnyObjectType,
    BoxType,
    FutureType,
    MemRefType,
    RankedTensorType,
    RecordType,
    RunTimeDictType,
    RunTimeListType,
    StringType,
    Type,
)

NUMBERS: Final = (I64, F64, I1)

Verify = Callable[[Operation], "str | None"]


def is_counted(t: Type) -> bool:
    return isinstance(t, BoxType | RunTimeListType | RunTimeDictType | RecordType | FutureType | StringType | AnyObjectType)


def is_borrowed(op: Operation, i: int) -> bool:
    """Whether result `i` is read without a reference of its own: somebody else's lives longer."""
    borrowed = op.attributes.get("borrowed")
    return isinstance(borrowed, DenseArrayAttr) and i in borrowed.values


def list_type(value: Value) -> RunTimeListType:
    return cast(RunTimeListType, value.type)


def new(b: Builder, type: RunTimeListType) -> Value:
    """An empty list."""
    return b.create("rt.list", (), (type,)).result


def length(b: Builder, source: Value) -> Value:
    """Number of elements, an index."""
    return b.create("rt.len", (source,), (INDEX,)).result


def get(b: Builder, source: Value, index: Value) -> list[Value]:
    """The slots of an element."""
    return list(b.create("rt.get", (source, index), list_type(source).slots).results)


def set_(b: Builder, target: Value, index: Value, slots: Sequence[Value]) -> Operation:
    return b.create("rt.set", (target, index, *slots))


def push(b: Builder, target: Value, slots: Sequence[Value]) -> Operation:
    """A new last element."""
    return b.create("rt.push", (target, *slots))


def insert(b: Builder, target: Value, index: Value, slots: Sequence[Value]) -> Operation:
    """A new element before the one at `index`, which may be the length."""
    return b.create("rt.insert", (target, index, *slots))


def extend(b: Builder, target: Value, source: Value, start: Value, count: Value) -> Operation:
    """Appends `count` elements of `source` from `start` on, as they were before; the lists may be the same one."""
    return b.create("rt.extend", (target, source, start, count))


def repeat(b: Builder, target: Value, count: Value, slots: Sequence[Value]) -> Operation:
    """The same element `count` times at the end."""
    return b.create("rt.repeat", (target, count, *slots))


def erase(b: Builder, target: Value, index: Value, count: Value) -> Operation:
    """Removes `count` elements from `index` on."""
    return b.create("rt.erase", (target, index, count))


def box(b: Builder, source: Value, type: BoxType | None = None) -> Value:
    """The tensor, or a copy of what the buffer holds."""
    if type is None:
        type = BoxType(cast(RankedTensorType, source.type))
    return b.create("rt.box", (source,), (type,)).result


def unbox(b: Builder, source: Value, type: Type | None = None) -> Value:
    """The tensor in the box; as a buffer, one that is only read, for as long as the box lives."""
    return b.create("rt.unbox", (source,), (type or cast(BoxType, source.type).tensor,)).result


def retain(b: Builder, value: Value) -> Operation:
    return b.create("rt.retain", (value,))


def release(b: Builder, value: Value) -> Operation:
    return b.create("rt.release", (value,))


def _is_list(op: Operation) -> str | None:
    t = op.operand(0).type
    return None if isinstance(t, RunTimeListType) else f"{t} is no list"


def _slots(first: int) -> Verify:
    """Operands from `first` on are an element of the list that is operand 0; those between are indices."""

    def check(op: Operation) -> str | None:
        wrong = _is_list(op)
        if wrong is not None:
            return wrong
        if any(v.type != INDEX for v in op.operands[1:first]):
            return "the index is no index"
        found = tuple(v.type for v in op.operands[first:])
        slots = list_type(op.operand(0)).slots
        return None if found == slots else f"an element of {', '.join(map(str, found))} in {op.operand(0).type}"

    return check


def _erase(op: Operation) -> str | None:
    if any(v.type != INDEX for v in op.operands[1:]):
        return "the index or count is no index"
    return _is_list(op)


def _extend(op: Operation) -> str | None:
    if op.operand(0).type != op.operand(1).type:
        return f"elements of {op.operand(1).type} in {op.operand(0).type}"
    if any(v.type != INDEX for v in op.operands[2:]):
        return "the start or count is no index"
    return _is_list(op)


def _new(op: Operation) -> str | None:
    t = op.result.type
    return None if isinstance(t, RunTimeListType) and _is_legal(t) else f"{t} is no list"


def _is_legal(t: RunTimeListType) -> bool:
    return bool(t.slots) and is_legal_slots(t.slots)


def is_legal_slots(slots: Sequence[Type]) -> bool:
    """Whether these may be the slots of an element, or of a value of a dict."""
    return all(map(_is_legal_slot, slots))


def _is_legal_slot(t: Type) -> bool:
    match t:
        case RunTimeListType():
            return _is_legal(t)
        case RunTimeDictType():
            return is_legal_dict(t)
        case RecordType() | FutureType():
            return is_legal_slots(t.slots)
        case _:
            return t in NUMBERS or isinstance(t, BoxType | StringType | AnyObjectType)


def is_legal_dict(t: RunTimeDictType) -> bool:
    return (t.key in (*NUMBERS, COMPLEX_F64) or isinstance(t.key, StringType)) and is_legal_slots(t.slots)


def _get(op: Operation) -> str | None:
    wrong = _is_list(op)
    if wrong is None and tuple(r.type for r in op.results) != list_type(op.operand(0)).slots:
        return f"{op.operand(0).type} gives {', '.join(str(r.type) for r in op.results)}"
    return wrong or (None if op.operand(1).type == INDEX else "the index is no index")


def _fits(box_: Type, content: Type) -> bool:
    """A box holds the tensor, or what a contiguous or strided buffer of that shape holds."""
    if not isinstance(box_, BoxType):
        return False
    if isinstance(content, MemRefType):
        return content.shape == box_.tensor.shape and content.element == box_.tensor.element
    return content == box_.tensor


def _box(op: Operation) -> str | None:
    a, b = op.operand(0).type, op.result.type
    return None if _fits(b, a) else f"{a} in {b}"


def _unbox(op: Operation) -> str | None:
    a, b = op.operand(0).type, op.result.type
    whole = not isinstance(b, MemRefType) or b.layout is None
    return None if _fits(a, b) and whole else f"{b} out of {a}"


def _counted(op: Operation) -> str | None:
    t = op.operand(0).type
    return None if is_counted(t) else f"{t} is not counted"


def _op(
    name: str, operands: tuple[str, ...], verify: Verify, results: int | None = 0, *, pure: bool = False
) -> OpDefinition:
    shown = " , ".join(f"${o.rstrip('*')}" for o in operands)
    return OpDefinition(
        f"rt.{name}",
        operands,
        results,
        assembly=f"( {shown} ) attr-dict : functional-type" if operands else "attr-dict : type(results)",
        traits=frozenset({Trait.PURE}) if pure else frozenset(),
        verify=verify,
    )


OPS: tuple[OpDefinition, ...] = (
    _op("list", (), _new, 1),
    _op("len", ("list",), _is_list, 1),
    _op("get", ("list", "index"), _get, None),
    _op("set", ("list", "index", "slots*"), _slots(2)),
    _op("push", ("list", "slots*"), _slots(1)),
    _op("insert", ("list", "index", "slots*"), _slots(2)),
    _op("extend", ("list", "source", "start", "count"), _extend),
    _op("repeat", ("list", "count", "slots*"), _slots(2)),
    _op("erase", ("list", "index", "count"), _erase),
    _op("box", ("source",), _box, 1),
    _op("unbox", ("box",), _unbox, 1, pure=True),
    _op("retain", ("value",), _counted),
    _op("release", ("value",), _counted),
)
