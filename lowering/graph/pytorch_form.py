"""A function as the passes leave it that PyTorch runs before it shows a graph: what `.graph` and `.code` are printed from.

In: a `torch.func` as the frontend wrote it, a copy that nobody else uses. Out: the same function. Tuples that are only
taken apart again are gone, builtins on constants are evaluated, branches on constants decided; loops have a number of
rounds or a condition, and not both; what nothing uses is gone; constants stand once, at the top; results of branches
and loops stand in the order of their first uses. Nothing of this is needed to compile the function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import numpy as np

from ...ir.attributes import Attribute, Constant
from ...ir.builder import Builder
from ...ir.core import Block, Operation, OpResult, Value
from ...ir.dead_code import RANDOM, remove_dead_code
from ...ir.dialects import torch
from ...ir.interpreters import builtins
from ...ir.operator import OperatorError, Unsupported
from ...ir.script_types import (
    FLOAT,
    NONE,
    TENSOR,
    EnumMember,
    FunctionRefType,
    NoneType,
    ScriptType,
    TupleType,
    constant_type,
)
from ...ir.torchscript.normal_form import canonicalize_loops
from ...ir.types import Type

_UNPACKING: Final = ("prim::TupleUnpack", "prim::TupleIndex")
_SMALL: Final = 4096
"""Bytes of a tensor up to which it is compared with others."""

_UNKNOWN: Final = object()

_MAX_TEXT: Final = 1 << 16
"""Characters of a string that is made of constants."""


def to_pytorch_form(function: Operation) -> None:
    canonicalize_loops(function)
    _Folder().block(function.body())
    remove_dead_code(function)
    _pool(function)
    places = {op: i for i, op in enumerate(function.walk())}
    for op in places:
        if op.name in ("prim::If", "prim::Loop") and len(op.results) > 1:
            _order_results(op, places)


def name_regions(function: Operation) -> None:
    """`prim::Enter` and `prim::Exit` in place of the calls that a `with` makes, which graphs do not show."""
    for op in list(function.walk()):
        if op.name != "prim::CallMethod" or torch.CONTEXT not in op.attributes:
            continue
        if op.attributes["name"] == "__enter__":
            made = Builder.before(op).create("prim::Enter", op.operands[:1], (op.result.type,))
            made.result.name = op.result.name
            op.replace_with(made.results)
        else:
            if not (op.next is not None and _only_raises(op.next)):
                Builder.before(op).create("prim::Exit", op.operands[:1], (TENSOR,))
            op.erase()


def _only_raises(op: Operation | None) -> bool:
    """Whether an error is raised here, before which the frontend leaves the regions around."""
    while op is not None and op.name in ("prim::CallMethod", "prim::Constant") and (
        op.name == "prim::Constant" or torch.CONTEXT in op.attributes
    ):
        op = op.next
    return op is not None and op.name == "prim::RaiseException"


class _Folder:
    """Evaluates what is known, and takes tuples apart."""

    def __init__(self) -> None:
        self._known: dict[Value, Any] = {}

    def block(self, block: Block) -> None:
        # blocks are finished before the operation that they belong to; not recursive, they may nest deeply
        pending: list[tuple[Block, Operation | None, Operation | None]] = [(block, block.first, None)]
        while pending:
            current, op, finished = pending.pop()
            if finished is not None:
                self._same_results(finished)
            while op is not None:
                before, following = op.prev, op.next
                self._operation(op)
                if op.parent is None:  # what came in its place is next
                    following = current.first if before is None else before.next
                elif op.regions:
                    pending.append((current, following, op))
                    pending += [(b, b.first, None) for region in reversed(op.regions) for b in region.blocks]
                    break
                op = following

    def _operation(self, op: Operation) -> None:
        if op.name == "prim::Constant":
            if not isinstance(op.result.type, FunctionRefType):
                value = op.attributes.get("value")
                if isinstance(op.result.type, NoneType) or not (value is None or isinstance(value, Constant)):
                    self._known[op.result] = value
        elif op.name == "prim::If":
            self._branch(op)
        elif op.name == "prim::Loop":
            self._loop(op)
        elif op.name in _UNPACKING:
            self._unpack(op)
        elif op.name == "prim::TupleConstruct":
            if all(v in self._known for v in op.operands):
                self._replace(op, tuple(self._known[v] for v in op.operands))
        elif op.name == "prim::unchecked_cast":
            source = op.operand(0)
            if source in self._known and source.type == op.result.type:
                op.replace_with((source,))
        elif op.results and op.operands and not op.regions and all(v in self._known for v in op.operands):
            self._evaluate(op)

    def _branch(self, op: Operation) -> None:
        condition = self._known.get(op.operand(0))
        if isinstance(condition, bool):
            taken = op.body(0 if condition else 1)
            results = taken.terminator.operands
            if _fit(op, results):
                taken.terminator.erase()
                writer = Builder.before(op)
                for inner in list(taken.operations()):
                    writer.insert(inner.detach())
                op.replace_with(results)

    def _loop(self, op: Operation) -> None:
        never = self._known.get(op.operand(0)) == 0 or self._known.get(op.operand(1)) is False
        if never and _fit(op, op.operands[2:]):
            op.replace_with(op.operands[2:])

    def _same_results(self, op: Operation) -> None:
        """A result is not needed where both branches give the same value, or where a loop does not change it."""
        if op.name == "prim::If":
            ends = zip(op.body(0).terminator.operands, op.body(1).terminator.operands, op.results, strict=True)
            for a, b, result in list(ends):
                if a.type == b.type == result.type and (a is b or (a in self._known and b in self._known and self._same(a, b))):
                    value = a if a is b else self._constant(op, self._known[a], cast(ScriptType, a.type))
                    result.replace_all_uses_with(value)
        elif op.name == "prim::Loop":
            body = op.body()
            for i, result in enumerate(op.results):
                argument, initial = body.args[i + 1], op.operand(i + 2)
                if body.terminator.operand(i + 1) is argument and initial.type == result.type:
                    argument.replace_all_uses_with(initial)
                    body.terminator.set_operand(i + 1, argument)
                    result.replace_all_uses_with(initial)

    def _same(self, a: Value, b: Value) -> bool:
        return repr(self._known[a]) == repr(self._known[b])

    def _unpack(self, op: Operation) -> None:
        source = op.operand(0)
        made = source.defining_op("prim::TupleConstruct")
        elements: Sequence[Value] = made.operands if made is not None else ()
        at: Any = None
        if op.name == "prim::TupleIndex":
            at = self._known.get(op.operand(1))
        if made is None and isinstance(self._known.get(source), tuple):
            parts = cast("tuple[Any, ...]", self._known[source])
            types = cast(TupleType, source.type).elements
            chosen = range(len(parts)) if op.name == "prim::TupleUnpack" else [at] if isinstance(at, int) else []
            if all(-len(parts) <= i < len(parts) for i in chosen) and len(list(chosen)) == len(op.results):
                values = [self._constant(op, parts[i], types[i]) for i in chosen]
                if _fit(op, values):
                    op.replace_with(values)
            return
        if op.name == "prim::TupleIndex":
            if not isinstance(at, int) or not -len(elements) <= at < len(elements):
                return
            elements = [elements[at]]
        if len(elements) == len(op.results) and _fit(op, elements):
            op.replace_with(elements)

    def _evaluate(self, op: Operation) -> None:
        if not op.name.startswith(("aten::", "prim::")) or op.name.partition(".")[0] in RANDOM:
            return
        values = [self._known[v] for v in op.operands]
        builtin = builtins.find(op.name, values)
        if builtin is None or sum(len(v) for v in values if isinstance(v, str)) > _MAX_TEXT:
            return
        if any(isinstance(v, str) for v in values) and any(isinstance(v, int) and v > _MAX_TEXT for v in values):
            return
        try:
            value = builtin(*values)
        except (OperatorError, Unsupported):
            return  # it fails when it runs
        results = list(cast("tuple[Any, ...]", value)) if len(op.results) > 1 and isinstance(value, tuple) else [value]
        found = [self._plain(v, r.type) for v, r in zip(results, op.results, strict=False)]
        if len(found) == len(op.results) and not any(v is _UNKNOWN for v in found):
            types = [cast(ScriptType, r.type) for r in op.results]
            op.replace_with([self._constant(op, v, t) for v, t in zip(found, types, strict=True)])

    def _plain(self, value: Any, type_: Type) -> Any:
        """A value of this type as a constant; `_UNKNOWN` for what is none."""
        if isinstance(value, np.generic):
            value = cast(Any, value).item()
        if isinstance(value, int) and not isinstance(value, bool) and type_ == FLOAT:
            value = float(value)
        is_plain = value is None or isinstance(value, bool | int | float | complex | str | EnumMember)
        return value if is_plain and type_ == constant_type(value) else _UNKNOWN

    def _replace(self, op: Operation, value: Any) -> None:
        """Puts a constant in place of the operation."""
        op.replace_with((self._constant(op, value, cast(ScriptType, op.result.type)),))

    def _constant(self, op: Operation, value: Any, type_: ScriptType) -> Value:
        attributes: dict[str, Attribute] = {} if value is None else {"value": value}
        type_ = NONE if value is None else type_
        made = Builder.before(op).create("prim::Constant", (), (type_,), attributes).result
        self._known[made] = value
        return made


def _fit(op: Operation, values: Sequence[Value]) -> bool:
    """Whether these can stand in the place of the results: they are of the same types."""
    return all(v.type == r.type for v, r in zip(values, op.results, strict=True))


def _pool(function: Operation) -> None:
    """Constants once each, at the top; those of a forked function stay in it. Placeholders stand behind them, one of each type."""
    entry = function.body()
    found: dict[Any, Value] = {}
    placeholders: list[Operation] = []
    first = entry.first
    for op in list(function.walk()):
        if op.name not in ("prim::Constant", "prim::Uninitialized") or _is_forked(op):
            continue
        key = op.name, _key(op)
        known = found.get(key)
        if known is not None:
            if op is first:
                first = op.next
            op.replace_with((known,))
            continue
        found[key] = op.result
        if op.name == "prim::Uninitialized":
            placeholders.append(op)
        elif op is first:
            first = op.next
        else:
            op.detach()
            entry.insert_before(op, first)
    for op in placeholders:
        if op is first:
            first = op.next
        op.detach()
        entry.insert_before(op, first)


def _is_forked(op: Operation) -> bool:
    around = op.parent_op
    while around is not None and around.name != "prim::fork":
        around = around.parent_op
    return around is not None


def _key(op: Operation) -> Any:
    """What tells constants apart."""
    value = op.attributes.get("value")
    type_ = op.result.type
    if isinstance(value, Constant):
        array = value.array
        return (array.dtype.name, array.shape, array.tobytes()) if array.nbytes <= _SMALL else id(array)
    return id(type_) if type_.__eq__ is object.__eq__ else type_, op.attributes.get("name"), repr(value)


def _order_results(op: Operation, places: Mapping[Operation, int]) -> None:
    """In the order of their first uses; those without one at the end."""
    last = (len(places), 0)
    first = [min(((places[user], index) for user, index in r.uses), default=last) for r in op.results]
    order = sorted(range(len(first)), key=lambda i: (first[i], i))
    if order == sorted(order):
        return
    results: list[OpResult] = [op.results[i] for i in order]
    for i, result in enumerate(results):
        result.index = i
    op.results[:] = results
    if op.name == "prim::If":
        for i in (0, 1):
            end = op.body(i).terminator
            end.set_operands([end.operand(k) for k in order])
        return
    body = op.body()
    arguments = [body.args[0], *(body.args[k + 1] for k in order)]
    for i, argument in enumerate(arguments):
        argument.index = i
    body.args[:] = arguments
    end = body.terminator
    end.set_operands([end.operand(0), *(end.operand(k + 1) for k in order)])
    op.set_operands([*op.operands[:2], *(op.operand(k + 2) for k in order)])
