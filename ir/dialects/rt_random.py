"""`rt.random_*`: the process's generator of random numbers.

Every operation reads and changes the generator, so none is pure: they stay in order, once each.
"""

from __future__ import annotations

from ..builder import Builder
from ..core import Operation, Value
from ..definition import OpDefinition
from ..generator import WORDS as STATE
from ..types import F64, I1, I32, I64, MemRefType, RankedTensorType


def bits(b: Builder, target: Value) -> Value:
    """The tensor filled with random bits, elements in row-major order: i32, or i64 (the upper half is drawn first)."""
    return b.create("rt.random_bits", (target,), (target.type,)).result


def take_normal(b: Builder) -> tuple[Value, Value]:
    """(i1, f64): whether a normal number was kept, and it; it is kept no longer."""
    op = b.create("rt.random_take_normal", (), (I1, F64))
    return op.results[0], op.results[1]


def keep_normal(b: Builder, value: Value) -> Operation:
    """Keeps a normal number that was made along with one that was needed."""
    return b.create("rt.random_keep_normal", (value,))


def manual_seed(b: Builder, seed: Value) -> Operation:
    """Starts the generator anew from an i64."""
    return b.create("rt.random_manual_seed", (seed,))


def seed(b: Builder) -> Value:
    """Starts the generator anew from a seed that nobody knows, and gives it, an i64."""
    return b.create("rt.random_seed", (), (I64,)).result


def enter(b: Builder, state: Value) -> Value:
    """What is drawn from here to `leave` comes from the generator of this state, a tensor<316xi64>; gives that of the other one."""
    return b.create("rt.random_enter", (state,), (state.type,)).result


def leave(b: Builder, state: Value) -> Value:
    """Ends what `enter`, which gave `state`, has begun; gives the state after what was drawn."""
    return b.create("rt.random_leave", (state,), (state.type,)).result


def initial_seed(b: Builder) -> Value:
    """The i64 that the generator was started from."""
    return b.create("rt.random_initial_seed", (), (I64,)).result


def _bits(op: Operation) -> str | None:
    """On tensors the result is the filled tensor; a buffer is filled in place, and there is none."""
    t = op.operand(0).type
    if not isinstance(t, RankedTensorType | MemRefType) or t.element not in (I32, I64):
        return f"fills a tensor of i32 or i64, not {t}"
    if isinstance(t, MemRefType) and t.layout is not None:
        return f"fills a buffer without gaps, not {t}"
    wanted = [t] if isinstance(t, RankedTensorType) else []
    return None if [r.type for r in op.results] == wanted else f"the result is {t}, or none of a buffer"


def _exchange(op: Operation) -> str | None:
    """On tensors the result is the other state; a buffer is changed in place, and there is none."""
    t = op.operand(0).type
    if not isinstance(t, RankedTensorType | MemRefType) or t.element != I64 or t.shape != (STATE,):
        return f"takes {STATE} numbers of i64, not {t}"
    if isinstance(t, MemRefType) and t.layout is not None:
        return f"takes a buffer without gaps, not {t}"
    wanted = [t] if isinstance(t, RankedTensorType) else []
    return None if [r.type for r in op.results] == wanted else f"the result is {t}, or none of a buffer"


def _takes_i64(op: Operation) -> str | None:
    return None if op.operand(0).type == I64 else f"takes an i64, not {op.operand(0).type}"


def _takes_f64(op: Operation) -> str | None:
    return None if op.operand(0).type == F64 else f"takes an f64, not {op.operand(0).type}"


_TAKES = "( ${} ) attr-dict : functional-type"
_GIVES = "attr-dict : type(results)"

OPS: tuple[OpDefinition, ...] = (
    OpDefinition("rt.random_bits", ("target",), None, assembly=_TAKES.format("target"), verify=_bits),
    OpDefinition("rt.random_enter", ("state",), None, assembly=_TAKES.format("state"), verify=_exchange),
    OpDefinition("rt.random_leave", ("state",), None, assembly=_TAKES.format("state"), verify=_exchange),
    OpDefinition("rt.random_take_normal", (), 2, assembly=_GIVES),
    OpDefinition("rt.random_keep_normal", ("value",), 0, assembly=_TAKES.format("value"), verify=_takes_f64),
    OpDefinition("rt.random_manual_seed", ("seed",), 0, assembly=_TAKES.format("seed"), verify=_takes_i64),
    OpDefinition("rt.random_seed", (), 1, assembly=_GIVES),
    OpDefinition("rt.random_initial_seed", (), 1, assembly=_GIVES),
)
