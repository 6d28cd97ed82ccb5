"""`rt.fork`, `rt.wait`, `rt.ready`: calls whose result is waited for, which may run on another thread.

    %f = rt.fork @f(%x, %n) : (tensor<4xf32>, i64) -> !rt.future<!rt.box<tensor<4xf32>>>
    %r = rt.wait(%f) : (!rt.future<!rt.box<tensor<4xf32>>>) -> !rt.box<tensor<4xf32>>

The function has no effects: nobody can tell when it runs, or whether, if nobody waits; with `here` it is run at once. It takes numbers and tensors, where
a box may be given for a tensor, and returns the slots of a value. Its error is raised by `rt.wait`, each time. A future is
a counted object; it keeps the boxes that are given until it goes, and does not go before the function has returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from ..attributes import UNIT, SymbolRef
from ..builder import Builder
from ..core import Operation, Value
from ..definition import OpDefinition
from ..types import BoxType, FloatType, FutureType, IndexType, IntegerType, MemRefType, RankedTensorType, Type
from .rt import is_counted, is_legal_slots

LAZY: Final = "lazy"
"""On a fork: it is too little work for another thread."""


HERE: Final = "here"
"""On a fork: the call is made at once, by this thread. It may print, and be given anything that is counted."""


def fork(b: Builder, callee: str, operands: Sequence[Value], type: FutureType, *, here: bool = False) -> Value:
    marks = {HERE: UNIT} if here else {}
    return b.create("rt.fork", operands, (type,), {"callee": SymbolRef(callee), **marks}).result


def wait(b: Builder, future: Value) -> list[Value]:
    """The slots of what the future gives."""
    return list(b.create("rt.wait", (future,), cast(FutureType, future.type).slots).results)


def ready(b: Builder, slots: Sequence[Value]) -> Value:
    """A future that gives these, without a call."""
    return b.create("rt.ready", slots, (FutureType(tuple(v.type for v in slots)),)).result


def callee_of(op: Operation) -> str:
    return cast(SymbolRef, op.attributes["callee"]).name


def parameter_type(given: Type) -> Type:
    """What the function takes for an operand of this type."""
    return given.tensor if isinstance(given, BoxType) else given


def _may_be_given(t: Type) -> bool:
    if isinstance(t, MemRefType):
        return t.layout is None
    return isinstance(t, BoxType | RankedTensorType | IndexType | IntegerType | FloatType)


def _fork(op: Operation) -> str | None:
    t = op.result.type
    if not isinstance(t, FutureType) or not is_legal_slots(t.slots):
        return f"{t} is no future"
    if not isinstance(op.attributes.get("callee"), SymbolRef):
        return "no function is named"
    here = HERE in op.attributes
    wrong = next((v.type for v in op.operands if not (_may_be_given(v.type) or (here and is_counted(v.type)))), None)
    return None if wrong is None else f"{wrong} is given to a function on another thread"


def _wait(op: Operation) -> str | None:
    t = op.operand(0).type
    fits = isinstance(t, FutureType) and t.slots == tuple(r.type for r in op.results)
    return None if fits else f"{', '.join(str(r.type) for r in op.results)} from {t}"


def _ready(op: Operation) -> str | None:
    t = op.result.type
    fits = isinstance(t, FutureType) and t.slots == tuple(v.type for v in op.operands)
    return None if fits else f"{', '.join(str(v.type) for v in op.operands)} as {t}"


OPS: Final[tuple[OpDefinition, ...]] = (
    OpDefinition("rt.fork", ("operands*",), 1, assembly="#callee ( $operands ) attr-dict : functional-type", verify=_fork),
    OpDefinition("rt.wait", ("future",), None, assembly="( $future ) attr-dict : functional-type", verify=_wait),
    OpDefinition("rt.ready", ("slots*",), 1, assembly="( $slots ) attr-dict : functional-type", verify=_ready),
)
