"""Results that share memory in PyTorch: with an argument, with the module's state, with one another.

In: a specialised graph before its writes are removed, and what `aliases.py` found in it. Out: for each result that is
surely a view of a parameter or of another result, how it is made from that (`ResultView`): the caller gets such a view. Where
a condition decides what a result shares memory with, or an operator whose arguments are computed, see `placed_results.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from ...ir.core import BlockArgument, Operation, Value
from ...ir.operator import Unknown
from ...ir.operators import find
from ...ir.script_types import ScriptType
from ...ir.signature import GivenNumber, ResultView, Signature, TensorSpec, ViewStep
from .aliases import RESHAPES, Aliases, is_same, is_tensor, storages
from .layouts import arguments_behind
from .nodes import inferred

_SAME_ELEMENTS: Final = ("aten::to.", "aten::_to_copy", "aten::type_as")
_COPYING: Final = frozenset((*RESHAPES, "aten::contiguous"))
_BY_OTHERS: Final = ("aten::view_as", "aten::reshape_as", "aten::expand_as")


def result_views(function: Operation, signature: Signature, aliases: Aliases) -> tuple[ResultView, ...]:
    body = function.body()
    returned = body.terminator.operands
    numbers: dict[Value, int] = {a: i for i, a in enumerate(body.args) if not is_tensor(a)}
    encoded = {i for c in signature.columns for i in range(c.first, len(signature.parameters))}
    found: list[ResultView] = []
    first: dict[Value, int] = {}
    for i in sorted(signature.returned):
        if not is_tensor(returned[i]):
            continue
        view = _followed(returned[i], i, first, signature, aliases, numbers)
        if view is not None and not (view.is_argument and view.base in encoded):
            found.append(view)
        first.setdefault(returned[i], i)
    return tuple(found)


def with_shared_copies(function: Operation, signature: Signature, aliases: Aliases) -> Signature:
    """The signature, in which arguments lie as it says where several results are views of what may be a copy of one of them.

    A `reshape` copies by strides; where these are known, it is known whether the results share memory with one another.
    """
    returned = function.body().terminator.operands
    met: Counter[Value] = Counter()
    for at in dict.fromkeys(returned[i] for i in signature.returned):
        while is_tensor(at) and (alias := aliases.of.get(at)) is not None and alias.source is not None:
            if alias.view is not None and alias.view.name in _COPYING:
                met[at] += 1
            at = alias.source
    roots = {aliases.of[value].storage.root for value, count in met.items() if count > 1}
    roots |= _behind_copies(function, signature, aliases)
    parameters = list(signature.parameters)
    for i, argument in enumerate(function.body().args):
        spec = parameters[i].spec
        if argument in roots and isinstance(spec, TensorSpec) and all(isinstance(e, int) for e in spec.shape):
            parameters[i] = replace(parameters[i], by_layout=True)
    return replace(signature, parameters=tuple(parameters)) if roots else signature


def _behind_copies(function: Operation, signature: Signature, aliases: Aliases) -> set[Value]:
    """Arguments whose strides say whether a `reshape` of a new tensor copies, where several results may be parts of the two."""
    returned = function.body().terminator.operands
    values = dict.fromkeys(returned[i] for i in signature.returned if is_tensor(returned[i]))
    counts = Counter(s for v in values for s in storages(aliases.of[v].storage.atoms) if s.kind == "fresh")
    if not any(n > 1 for n in counts.values()):
        return set()
    found: set[Value] = set()
    for op in function.walk():
        if op.name in _COPYING and is_tensor(op.operand(0)):
            if any(counts[s] > 1 for s in storages(aliases.of[op.operand(0)].storage.atoms)):
                found |= arguments_behind(op.operand(0))
    return found


def _followed(
    value: Value,
    result: int,
    first: Mapping[Value, int],
    signature: Signature,
    aliases: Aliases,
    numbers: Mapping[Value, int],
) -> ResultView | None:
    """What the result is a view of, from the view back to what it is made from."""
    steps: list[ViewStep] = []
    at = value
    while True:
        if isinstance(at, BlockArgument) and at in aliases.of and aliases.of[at].storage.kind == "argument":
            parameter = signature.parameters[at.index]
            if aliases.of[at].storage.root is at and isinstance(parameter.spec, TensorSpec):
                return ResultView(result, at.index, True, tuple(reversed(steps)))
            return None
        if at in first:
            return ResultView(result, first[at], False, tuple(reversed(steps)))
        alias = aliases.of.get(at)
        if alias is None or alias.source is None:
            return None
        if alias.view is not None and not is_same(alias.view) and not alias.view.name.startswith(_SAME_ELEMENTS):
            step = _step(alias.view, alias.index, numbers)
            if step is None:
                return None
            steps.append(step)
        at = alias.source


def steps_between(base: Value, value: Value, numbers: Mapping[Value, int]) -> tuple[ViewStep, ...] | None:
    """How a value is made from `base` by view operators; None where that is not known."""
    steps: list[ViewStep] = []
    while value is not base:
        op = value.defining_op()
        if op is None or not op.operands:
            return None
        if not is_same(op):
            step = _step(op, list[Value](op.results).index(value), numbers)
            if step is None:
                return None
            steps.append(step)
        value = op.operand(0)
    return tuple(reversed(steps))


def _step(op: Operation, index: int, numbers: Mapping[Value, int]) -> ViewStep | None:
    record = find(op.name)
    if record is None:
        return None
    name, operands = op.name, list(op.operands)[1:]
    arguments: list[tuple[str, Any]] = []
    if name in _BY_OTHERS:
        shape = getattr(op.result.type, "shape", None)
        if shape is None or None in shape:
            return None
        if name == "aten::expand_as":
            return ViewStep("aten::expand", 0, (("size", tuple(shape)), ("implicit", False)))
        return ViewStep("aten::view", 0, (("size", tuple(shape)),))
    for formal, operand in zip(record.schema.arguments[1:], operands, strict=True):
        value = _given(operand, numbers)
        if isinstance(value, Unknown):
            return None
        arguments.append((formal.name, value))
    return ViewStep(name, index, tuple(arguments))


def _given(operand: Value, numbers: Mapping[Value, int]) -> Any:
    """A constant, a number that is given at run time, a tuple of these, or Unknown."""
    if operand in numbers:
        return GivenNumber(numbers[operand])
    made = operand.defining_op("prim::ListConstruct")
    if made is not None:
        parts = [_given(v, numbers) for v in made.operands]
        return next((p for p in parts if isinstance(p, Unknown)), tuple(parts))
    value = inferred(operand)
    if isinstance(value, list):
        parts = cast("Sequence[Any]", value)
        return next((p for p in parts if isinstance(p, Unknown)), tuple(parts))
    return value if isinstance(value, int | float | str | None) else Unknown(cast(ScriptType, operand.type))
