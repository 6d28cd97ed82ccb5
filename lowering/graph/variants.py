"""Values whose structure, or whose number, depends on a run-time bool: what is decided, and what that folds to.

A node with an undecided operand is written twice, under each value of the selector (`Evaluator.evaluate`); here is
what the operands are under the facts that hold, the numbers that are one of few constants, and comparisons that were
made before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, cast

from ...ir.core import Value
from ...ir.interpreters import builtins
from ...ir.operator import OperatorError
from ...ir.script_types import (
    BOOL,
    FLOAT,
    INT,
    NONE,
    STR,
    AnyType,
    ClassType,
    DictType,
    EnumType,
    InterfaceType,
    ListType,
    OptionalType,
    ScriptType,
    TensorType,
    TupleType,
    UnionType,
)
from .branches import fork, implied
from .merging import decided, decided_contents
from .values import (
    Abstract,
    Function,
    Known,
    KnownValue,
    Ref,
    RunTimeOnly,
    Scalar,
    Tensor,
    Text,
    Tuple,
    Undecided,
    Variant,
    VariantContents,
    known,
    matches,
    type_of,
)

if TYPE_CHECKING:
    from .evaluator import Evaluator

Facts = Mapping[Value, KnownValue]

_PLAIN: Final = (Known, Tensor, Function)
"""Values that no fact makes others."""


def settled(ev: Evaluator, value: Abstract) -> Abstract:
    """The value under the facts that hold here; contents of lists and objects are brought up to date in the heap."""
    left = decided(ev, value, ev.assumed)
    if ev.undecided and isinstance(left, Ref):
        _settle_contents(ev, left)
    return left


def _settle_contents(ev: Evaluator, ref: Ref) -> None:
    contents = ev.heap.get(ref)
    if contents is None or isinstance(contents, RunTimeOnly) or ev.plain.get(ref) is contents:
        return
    left = decided_contents(ev, contents, ev.assumed)
    if left is not contents:
        ev.heap[ref] = left
    if isinstance(left, VariantContents):
        return
    if all(isinstance(v, _PLAIN) or (ref.kind == "object" and isinstance(v, Ref)) for v in left.values()):
        ev.plain[ref] = left
    elif ref.kind != "object":
        for value in left.values():
            if isinstance(value, Ref):
                _settle_contents(ev, value)


def undecided_operand(operands: Sequence[Abstract]) -> Value | None:
    """The bool that decides what the first operand of several structures is."""
    return next((o.selector for o in operands if isinstance(o, Variant)), None)


def deciding_choice(ev: Evaluator, operands: Sequence[Abstract]) -> Value | None:
    """A bool that makes a number among the operands known, or is one of them."""
    selector = _selector(ev, operands, ev.assumed)
    if selector is not None:
        return selector
    for operand in operands:
        if isinstance(operand, Scalar) and type_of(operand) == BOOL:
            return operand.value
    return None


def _numbers(ev: Evaluator, operands: Sequence[Abstract]) -> list[Scalar]:
    found: list[Scalar] = []
    for operand in operands:
        match operand:
            case Scalar():
                found.append(operand)
            case Tuple():
                found += _numbers(ev, operand.elements)
            case Ref() if operand.kind == "list":
                contents = ev.heap.get(operand)
                found += _numbers(ev, list(contents.values())) if isinstance(contents, Mapping) else []
            case _:
                pass
    return found


# numbers that are one of few constants


def folded_choice(ev: Evaluator, name: str, operands: Sequence[Abstract], facts: Facts) -> Abstract | None:
    """An operator on numbers, computed for each of the constants that they may be: a choice of constants again."""
    if not all(isinstance(o, Known | Scalar) for o in operands):
        return None
    selector = _selector(ev, operands, facts)
    if selector is None:
        return None
    sides: list[Abstract] = []
    for holds in (True, False):
        known_here = {**facts, **implied(selector, holds)}
        given = [decided(ev, o, known_here) for o in operands]
        values = [o.value for o in given if isinstance(o, Known)]
        settled = len(values) == len(given)
        result = _computed(name, values) if settled else folded_choice(ev, name, given, known_here)
        if result is None:
            return None
        sides.append(result)
    return fork(ev, Scalar(selector), lambda: [sides[0]], lambda: [sides[1]])[0]


def _selector(ev: Evaluator, operands: Sequence[Abstract], facts: Facts) -> Value | None:
    """A bool that narrows down which constant a number is."""
    for number in _numbers(ev, operands):
        choice = ev.choices.get(number.value)
        while isinstance(choice, tuple):
            if choice[0] not in facts:
                return choice[0]
            choice = choice[1] if facts[choice[0]] else choice[2]
    return None


def _computed(name: str, values: list[KnownValue]) -> Known | None:
    builtin = builtins.find(name, values)
    if builtin is None:
        return None
    try:
        value = builtin(*values)
    except OperatorError:
        return None
    return known(value) if isinstance(value, bool | int | float) else None


# comparisons made before

_COMPARISONS: Final = {
    "aten::eq.int": ("aten::eq.int", False),
    "aten::ne.int": ("aten::eq.int", True),
    "aten::lt.int": ("aten::lt.int", False),
    "aten::ge.int": ("aten::lt.int", True),
    "aten::gt.int": ("aten::gt.int", False),
    "aten::le.int": ("aten::gt.int", True),
    "aten::Bool.int": ("aten::Bool.int", False),
    "aten::__not__": ("aten::__not__", False),
}

Key = tuple[object, ...]


def comparison(name: str, operands: Sequence[Abstract]) -> tuple[Key, bool] | None:
    """What a comparison of integers asks, and whether it asks for the opposite."""
    positive = _COMPARISONS.get(name)
    if positive is None or not all(isinstance(o, Known | Scalar) for o in operands):
        return None
    parts = [(type(o.value), o.value) if isinstance(o, Known) else cast(Scalar, o).value for o in operands]
    return (positive[0], *parts), positive[1]


# casts that the type checker has proved


def cast_to(ev: Evaluator, value: Variant, type_: ScriptType) -> Abstract:
    """The alternatives that an `unchecked_cast` leaves: the others cannot be here, and from here on that is known."""
    for side, other, holds in ((value.then, value.otherwise, False), (value.otherwise, value.then, True)):
        if not _fits(side, type_):
            ev.assumed = {**ev.assumed, **implied(value.selector, holds)}
            other = settled(ev, other)
            return cast_to(ev, other, type_) if isinstance(other, Variant) else other
    return _pruned(value, type_)


def _pruned(value: Abstract, type_: ScriptType) -> Abstract:
    if not isinstance(value, Variant):
        return value
    kept = [_pruned(v, type_) for v in (value.then, value.otherwise) if _fits(v, type_)]
    return Variant(value.selector, *kept) if len(kept) == 2 else kept[0]


def _fits(value: Abstract, type_: ScriptType) -> bool:
    if isinstance(value, Variant):
        return _fits(value.then, type_) or _fits(value.otherwise, type_)
    if isinstance(type_, OptionalType | UnionType | AnyType) and not isinstance(value, Known):
        return True
    if isinstance(value, Known) and value.value is None:
        return isinstance(type_, OptionalType | AnyType) or matches(value, type_) is not False
    if type_ == NONE:
        return False
    if isinstance(value, Ref):
        return _kind_fits(value, type_)
    if not isinstance(value, Known | Scalar | Tensor | Text):
        return True
    try:
        return matches(value, type_) is not False
    except Undecided:
        return True


def _kind_fits(value: Ref, type_: ScriptType) -> bool:
    match type_:
        case ListType() | DictType():
            return value.kind == ("list" if isinstance(type_, ListType) else "dict")
        case ClassType():
            return value.type is type_
        case InterfaceType():
            return value.kind == "object" and type_.is_met_by(cast(ClassType, value.type))
        case _:
            return not isinstance(type_, TensorType | TupleType | EnumType) and type_ not in _NUMBERS


_NUMBERS: Final = (INT, FLOAT, BOOL, STR)
