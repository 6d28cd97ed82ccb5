"""Interpreter of `rt`: lists and boxes as objects with a count, so that a use of what was given back shows.

Counts start at one where an object is made or read from a list. Before the `loops` stage nothing gives back, so
nothing is ever gone; there the interpreter checks what native code would do without asking.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np

from ..core import Operation
from ..diagnostics import InternalError
from ..dialects import rt
from ..types import BoxType, MemRefType
from .engine import CONTEXT, Compiler, Context, Frame, Rule, Step, dtype_of, failure
from .memory import MemRef


class Counted:
    """An object on the heap: `content` is the list of elements (a tuple of slots each), or the array of a box."""

    __slots__ = ("content", "count")

    def __init__(self, content: Any) -> None:
        self.content = content
        self.count = 1


class View(Counted):
    """Part of a string that is looked at where that has it (a borrowed slice): there for as long as that is."""

    __slots__ = ("source",)

    def __init__(self, source: Counted, content: bytes) -> None:
        self.content = content
        self.source = source

    @property
    def count(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride] - it has no count of its own
        return self.source.count


Entry = tuple[Any, tuple[Any, ...]]


@dataclass
class Table:
    """Content of a dict (`rt_dicts.py`): entries (key, slots) in the order in which they were put in, None where one
    was removed."""

    entries: list[Entry | None] = field(default_factory=list[Entry | None])
    positions: dict[Any, int] = field(default_factory=dict[Any, int])

    def held(self) -> list[Any]:
        """Keys and slots: what may be references."""
        return [v for entry in self.entries if entry is not None for v in (entry[0], *entry[1])]


def made(f: Frame, content: Any) -> Counted:
    value = Counted(content)
    cast(Context, f[CONTEXT]).objects.append(value)
    return value


def check_given_back(module: Operation, context: Context) -> None:
    """Where objects are counted, none may be left when the function returns, but those that only hold one another."""
    left = [o for o in context.objects if o.count > 0]
    counts = {o: o.count for o in left}
    for value in left:
        for part in _held(value):
            if isinstance(part, Counted) and part in counts:  # constants are not
                counts[part] -= 1
    if any(counts.values()) and any(op.name == "rt.release" for op in module.walk()):
        raise InternalError(f"{len(left)} of {len(context.objects)} lists and boxes are never given back")


def alive(op: Operation, value: Counted) -> Counted:
    if value.count <= 0:
        raise failure(op, "the object has been given back")
    return value


def retain(value: Any) -> None:
    if isinstance(value, Counted):
        value.count += 1


def release(value: Any) -> None:
    """Gives back one reference, and with the last one those that it holds; without recursion."""
    pending = [value]
    while pending:
        current = pending.pop()
        if not isinstance(current, Counted):
            continue
        current.count -= 1
        if current.count == 0:
            pending += _held(current)
            current.content = None


def _held(value: Counted) -> list[Any]:
    """What an object holds: references among it."""
    content: Any = value.content
    if isinstance(content, Table):
        return content.held()
    return [slot for element in cast("list[tuple[Any, ...]]", content) for slot in element] if isinstance(content, list) else []


def kept_results(compiler: Compiler, op: Operation) -> Callable[[Frame, Sequence[Any]], None]:
    """What makes read values the results of an operation: with a reference each, unless they are borrowed."""
    results = [(slot, rt.is_borrowed(op, i)) for i, slot in enumerate(compiler.slots(op.results))]

    def keep(f: Frame, values: Sequence[Any]) -> None:
        for (slot, borrowed), value in zip(results, values, strict=True):
            if not borrowed:
                retain(value)
            f[slot] = value

    return keep


def _list(compiler: Compiler, op: Operation) -> Step:
    out = compiler.slot(op.result)

    def run(f: Frame) -> None:
        f[out] = made(f, [])

    return run


def _len(compiler: Compiler, op: Operation) -> Step:
    out, source = compiler.slot(op.result), compiler.slot(op.operand(0))

    def run(f: Frame) -> None:
        f[out] = np.int64(len(alive(op, f[source]).content))

    return run


def _index(op: Operation, elements: list[Any], index: Any, *, end: int = 0) -> int:
    if not 0 <= index < len(elements) + end:
        raise failure(op, f"index {int(index)} of a list of {len(elements)} elements")
    return int(index)


def _get(compiler: Compiler, op: Operation) -> Step:
    source, index = compiler.slots(op.operands)
    keep = kept_results(compiler, op)

    def run(f: Frame) -> None:
        elements = alive(op, f[source]).content
        keep(f, elements[_index(op, elements, f[index])])

    return run


def _element(op: Operation, f: Frame, slots: list[int]) -> tuple[Any, ...]:
    element = tuple(f[i] for i in slots)
    for value in element:
        if isinstance(value, Counted):
            retain(alive(op, value))
    return element


def _set(compiler: Compiler, op: Operation) -> Step:
    target, index, *slots = compiler.slots(op.operands)

    def run(f: Frame) -> None:
        elements = alive(op, f[target]).content
        at = _index(op, elements, f[index])
        old, elements[at] = elements[at], _element(op, f, slots)
        for value in old:
            release(value)

    return run


def _push(compiler: Compiler, op: Operation) -> Step:
    target, *slots = compiler.slots(op.operands)

    def run(f: Frame) -> None:
        alive(op, f[target]).content.append(_element(op, f, slots))

    return run


def _insert(compiler: Compiler, op: Operation) -> Step:
    target, index, *slots = compiler.slots(op.operands)

    def run(f: Frame) -> None:
        elements = alive(op, f[target]).content
        elements.insert(_index(op, elements, f[index], end=1), _element(op, f, slots))

    return run


def _extend(compiler: Compiler, op: Operation) -> Step:
    target, source, start, count = compiler.slots(op.operands)

    def run(f: Frame) -> None:
        found = alive(op, f[source]).content
        first, stop = int(f[start]), int(f[start]) + int(f[count])
        if not 0 <= first <= stop <= len(found):
            raise failure(op, f"elements {first} to {stop} of a list of {len(found)}")
        more = found[first:stop]
        for element in more:
            for value in element:
                retain(value)
        alive(op, f[target]).content.extend(more)

    return run


def _repeat(compiler: Compiler, op: Operation) -> Step:
    target, count, *slots = compiler.slots(op.operands)

    def run(f: Frame) -> None:
        elements = alive(op, f[target]).content
        for _ in range(int(f[count])):
            elements.append(_element(op, f, slots))

    return run


def _erase(compiler: Compiler, op: Operation) -> Step:
    target, index, count = compiler.slots(op.operands)

    def run(f: Frame) -> None:
        elements = alive(op, f[target]).content
        start, stop = int(f[index]), int(f[index]) + int(f[count])
        if not 0 <= start <= stop <= len(elements):
            raise failure(op, f"elements {start} to {stop} of a list of {len(elements)}")
        old = elements[start:stop]
        del elements[start:stop]
        for element in old:
            for value in element:
                release(value)

    return run


def _box(compiler: Compiler, op: Operation) -> Step:
    out, source = compiler.slot(op.result), compiler.slot(op.operand(0))

    def run(f: Frame) -> None:
        value = f[source]
        array = np.array(value.array if isinstance(value, MemRef) else value)
        array.flags.writeable = False
        f[out] = made(f, array)

    return run


def _unbox(compiler: Compiler, op: Operation) -> Step:
    out, source = compiler.slot(op.result), compiler.slot(op.operand(0))
    as_buffer = isinstance(op.result.type, MemRefType)
    held = cast(BoxType, op.operand(0).type).tensor
    nothing = np.zeros([0 if e is None else e for e in held.shape], dtype_of(held.element))

    def run(f: Frame) -> None:
        array = nothing if f[source] is None else alive(op, f[source]).content
        f[out] = MemRef.contiguous(array) if as_buffer else array

    return run


def _retain(compiler: Compiler, op: Operation) -> Step:
    value = compiler.slot(op.operand(0))

    def run(f: Frame) -> None:
        if f[value] is not None:
            retain(alive(op, f[value]))

    return run


def _release(compiler: Compiler, op: Operation) -> Step:
    value = compiler.slot(op.operand(0))

    def run(f: Frame) -> None:
        if f[value] is not None:
            release(alive(op, f[value]))

    return run


RULES: Final[dict[str, Rule]] = {
    "rt.list": _list,
    "rt.len": _len,
    "rt.get": _get,
    "rt.set": _set,
    "rt.push": _push,
    "rt.insert": _insert,
    "rt.extend": _extend,
    "rt.repeat": _repeat,
    "rt.erase": _erase,
    "rt.box": _box,
    "rt.unbox": _unbox,
    "rt.retain": _retain,
    "rt.release": _release,
}
assert RULES.keys() == {definition.name for definition in rt.OPS}
