"""Strings known at run time only: builtins on them are written, not evaluated.

A string starts as a constant (`Known`). One that depends on run-time numbers, is carried by a loop or chosen by a branch is
a `Scalar` of type `str`. The primitives of `ir/string_operators.py` become nodes, PyTorch's own; all other methods are
functions over these, in the prelude. What a string was put together from is kept (`Evaluator.texts`): a message takes the
parts, so that no string has to be made for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, cast

from ...ir.core import Value
from ...ir.dtypes import DType
from ...ir.interpreters import builtins
from ...ir.operator import OperatorError
from ...ir.operators import resolve_exact, schema, split_name
from ...ir.script_types import BOOL, FLOAT, INT, STR, ScriptType, TensorType
from ...ir.string_operators import BYTES_OF, OF_BYTES, is_primitive
from . import calls, run_time_lists
from .values import Abstract, Known, Scalar, Tensor, Text, Tuple, is_static, known, to_python, type_of

if TYPE_CHECKING:
    from .evaluator import Evaluator

Results = Sequence[Abstract]
Part = str | Scalar


# strings that are put together


def put_together(ev: Evaluator, parts: Sequence[Part]) -> Abstract:
    """The texts of the parts one after the other: a constant, a message (`Text`), or a string made here."""
    merged: list[Part] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] = builtins.strings.joined(merged[-1], part)
        elif part != "":
            merged.append(part)
    if not merged:
        return known("")
    first = merged[0]
    if len(merged) == 1 and isinstance(first, str):
        return known(first)
    if len(merged) == 1 and isinstance(first, Scalar) and type_of(first) == STR:
        return first
    value = _made(ev, merged)
    ev.texts[value] = tuple(p for part in merged for p in _parts_of(ev, part))
    return Scalar(value)


def _parts_of(ev: Evaluator, part: Part) -> tuple[Part, ...]:
    return (part,) if isinstance(part, str) else ev.texts.get(part.value, (part,))


def _made(ev: Evaluator, parts: Sequence[Part]) -> Value:
    """A node `aten::format`; a literal with `{}` in it is put in from outside, as no template can say it."""
    template = ""
    values: list[Value] = []
    for part in parts:
        if isinstance(part, Scalar):
            template += "{}"
            values.append(ev.materialise(part))
        elif "{}" in f"{template[-1:]}{part}" or part.endswith("{"):
            template += "{}"
            values.append(ev.pool.number(part, STR))
        else:
            template += part
    return ev.emit("aten::format", (ev.pool.number(template, STR), *values), (STR,)).result


def word(ev: Evaluator, value: Scalar) -> Scalar:
    """A bool as the string that shows it."""
    return Scalar(_made(ev, [value]))


# templates known at run time only


def filled(ev: Evaluator, template: Abstract, texts: Sequence[Abstract]) -> Abstract:
    """`template.format(...)` with these texts."""
    out, rest = known(""), template
    for text in texts:
        out, rest = cast(Tuple, _composite(ev, "aten::_h_fill_hole", out, rest, text)).elements
    return _composite(ev, "aten::_h_filled", out, rest, template)


# bytes in tensors


def of_bytes(ev: Evaluator, data: Tensor) -> Abstract:
    """The string whose bytes stand in a vector of dtype uint8."""
    return Scalar(ev.emit(OF_BYTES, (data.value,), (STR,)).result)


def to_bytes(ev: Evaluator, source: Abstract) -> Tensor:
    """The bytes of a string as a vector of dtype uint8."""
    return Tensor(ev.emit(BYTES_OF, (ev.materialise(source),), (TensorType(DType.uint8, (None,)),)).result)


def _composite(ev: Evaluator, name: str, *arguments: Abstract) -> Abstract:
    function = ev.composite(name)
    assert function is not None
    return ev.call_composite(function, arguments)


# builtins


def apply(ev: Evaluator, name: str, arguments: list[Abstract]) -> Results | None:
    """Results of a builtin that takes or makes a string at run time; None where it is none, or one of the prelude's."""
    base, _ = split_name(name)
    if base == "aten::chr" and isinstance(arguments[0], Scalar):
        return (_node(ev, "aten::chr", arguments, STR),)
    strings = [type_of(a) == STR for a in arguments]
    if not any(strings) or not strings[0] or all(is_static(a, ev.heap) for a in arguments):
        return None
    if any(isinstance(a, Text) for a in arguments):
        raise ev.not_static("this string")
    rule = _RULES.get(base)
    if rule is not None:
        return rule(ev, arguments)
    full = name if schema(name) is not None else resolve_exact(base, [type_of(a) for a in arguments])
    if full is not None and is_primitive(full) and full != "aten::find":
        form = schema(full)
        assert form is not None
        return (_node(ev, full, arguments, form.returns[0].type),)
    if full is not None and full != name:
        return calls.apply(ev, full, arguments)
    return None


def _node(ev: Evaluator, name: str, arguments: Sequence[Abstract], result: ScriptType) -> Abstract:
    form = schema(name)
    missing = form.arguments[len(arguments) :] if form is not None else ()
    given = [*arguments, *(ev.import_value(a.default, a.type) for a in missing)]
    return Scalar(ev.emit(name, [ev.materialise(a) for a in given], (result,)).result)


def length(ev: Evaluator, source: Abstract) -> Abstract:
    if isinstance(source, Known):
        return known(len(builtins.strings.to_bytes(cast(str, source.value))))
    return _node(ev, "aten::len.str", [source], INT)


def _slice(ev: Evaluator, arguments: list[Abstract]) -> Results | None:
    if len(arguments) > 3:
        step = arguments[3]
        if not isinstance(step, Known):
            raise ev.not_static("the step of this slice")
        if step.value == 0:
            raise ev.operator_error("slice step cannot be zero")
    return (_node(ev, "aten::slice.str", arguments, STR),)


def _find(ev: Evaluator, arguments: list[Abstract]) -> Results | None:
    """The node takes positions in range, as the prelude has them; where they may not be, its function does the rest."""
    source, part, *span = arguments
    if ev.inlined_at is not None and len(span) == 2 and not _is_end(source, span[1:]):
        return (_node(ev, "aten::find", [source, part, *span], INT),)
    if ev.inlined_at is None and not all(isinstance(a, Known) and a.value == 0 for a in span[:1]):
        return None
    if not _is_end(source, span[1:]):
        return None
    return (_node(ev, "aten::find", [source, part, *(span[:1] or [known(0)]), length(ev, source)], INT),)


def _is_end(source: Abstract, end: Sequence[Abstract]) -> bool:
    """Whether a position is left out, or said to be the end of the string."""
    if not end or (isinstance(end[0], Known) and end[0].value == -1):
        return True
    if not isinstance(end[0], Scalar) or not isinstance(source, Scalar):
        return False
    op = end[0].value.defining_op("aten::len.str")
    return op is not None and op.operand(0) is source.value


def _list(ev: Evaluator, arguments: list[Abstract]) -> Results | None:
    """A list of the strings of one byte."""
    source = arguments[0]
    made = run_time_lists.generated(
        ev, length(ev, source), STR, lambda i: _node(ev, "aten::__getitem__.str", [source, i], STR)
    )
    return (made,)


def _truth(ev: Evaluator, arguments: list[Abstract]) -> Results | None:
    return (_node(ev, "aten::ne.str", [arguments[0], known("")], BOOL),)


_RULES: Final[dict[str, Callable[[Evaluator, list[Abstract]], Results | None]]] = {
    "aten::slice": _slice,
    "aten::find": _find,
    "aten::list": _list,
    "aten::Bool": _truth,
}


# formatting by `%`


def percent_part(ev: Evaluator, specifier: str, value: Abstract) -> Abstract:
    """One value by one specifier: a string, or what has the text that is wanted."""
    if is_static(value, ev.heap):
        try:
            return known(builtins.percent_value(specifier, to_python(value, ev.heap)))
        except OperatorError as error:
            raise ev.operator_error(str(error)) from None
    type_ = type_of(value)
    if specifier == "s":
        return value
    if not isinstance(value, Scalar) or type_ == BOOL or (type_ == STR and specifier != "c"):
        wanted = "an int or char" if specifier == "c" else "a number"
        raise ev.operator_error(f"%{specifier} requires {wanted} for formatting, but got {_KINDS.get(type_, 'Object')}")
    if specifier in "di":
        return value if type_ == INT else _as_int(ev, value)
    if specifier == "c":
        if type_ == FLOAT:
            raise ev.operator_error("%c requires an int or char for formatting, but got Double")
        return _character(ev, value)
    number = value if type_ == FLOAT else calls.single(ev, "aten::Float.Scalar", [value])
    return _node(ev, "aten::percentFormat", [known(f"%{specifier}"), number], STR)


_KINDS: Final[dict[ScriptType, str]] = {BOOL: "Bool", INT: "Int", FLOAT: "Double", STR: "String"}


def _as_int(ev: Evaluator, value: Abstract) -> Abstract:
    """A float as C's `int`."""
    low, high = -(2.0**31) - 1.0, 2.0**31
    inside = calls.single(
        ev, "aten::__and__.bool",
        [calls.single(ev, "aten::gt.float", [value, known(low)]), calls.single(ev, "aten::lt.float", [value, known(high)])],
    )  # fmt: skip
    return calls.choose(
        ev, inside, lambda: calls.single(ev, "aten::Int.Scalar", [value]), lambda: known(-(1 << 31))
    )


def _character(ev: Evaluator, value: Scalar) -> Abstract:
    if type_of(value) == INT:
        low = calls.single(ev, "aten::__and__.int", [value, known(255)])
        return _node(ev, "aten::chr", [low], STR)
    one = calls.single(ev, "aten::eq.int", [length(ev, value), known(1)])
    calls.require(ev, one, ["%c requires an int or char for formatting, but got String"])
    return value
