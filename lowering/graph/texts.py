"""The text of values: `str`, `print`, `format` and `%`, and strings that are put together of others.

In: abstract values; out: a string (`Known`, or `Scalar` made at run time). Lists, dicts and tuples are shown part by part,
by loops where their structure is known at run time only. A value that has no text in compiled code (an object) makes a
`Text`, which is good for messages only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from ...ir.core import Value
from ...ir.dtypes import DType
from ...ir.interpreters import builtins
from ...ir.interpreters.tensor_text import NAMES
from ...ir.operator import OperatorError
from ...ir.script_types import BOOL, FLOAT, INT, STR, DictType, ListType, ScriptType
from . import calls, run_time_columns, run_time_lists, run_time_strings, run_time_values
from .branches import fork
from .values import (
    Abstract,
    Complex,
    Contents,
    Known,
    Ref,
    Scalar,
    Tensor,
    Text,
    Tuple,
    Uninitialized,
    Variant,
    is_static,
    known,
    to_python,
    type_of,
)

if TYPE_CHECKING:
    from .evaluator import Evaluator

Results = Sequence[Abstract]

_SHOWN: Final = (INT, FLOAT, BOOL, STR)


@dataclass(frozen=True)
class Hidden:
    """Stands in a message for a value whose text compiled code does not make."""

    shown: str


Piece = str | Scalar | Hidden


def line(ev: Evaluator, values: Sequence[Abstract]) -> Abstract:
    """What `print` writes for these values, without the end of the line."""
    separated: list[Abstract] = []
    for i, value in enumerate(values):
        separated += [known(" ")] if i else []
        separated.append(value)
    return text(ev, separated)


def text(ev: Evaluator, values: Sequence[Abstract]) -> Abstract:
    """The texts of values one after the other."""
    parts = [part for value in values for part in _pieces(ev, value)]
    if not any(isinstance(p, Hidden) for p in parts):
        return run_time_strings.put_together(ev, cast("list[str | Scalar]", parts))
    return Text(tuple(p.shown if isinstance(p, Hidden) else p for p in parts))


def _pieces(ev: Evaluator, value: Abstract) -> list[Piece]:
    match value:
        case Variant():
            return [_either(ev, value)]
        case Scalar() if type_of(value) in _SHOWN:
            return [value]
        case Text():
            return [*value.parts, Hidden("")]
        case Uninitialized():
            return [""]
        case Tensor():
            return [_tensor(ev, value)]
        case Complex() if not is_static(value, ev.heap):
            return _complex(ev, value)
        case Tuple() if not isinstance(value, Complex):
            return ["(", *_joined(ev, value.elements), ",)" if len(value.elements) == 1 else ")"]
        case Ref() if run_time_values.handle(ev, value) is not None:
            return _at_run_time(ev, cast(Value, run_time_values.handle(ev, value)))
        case Ref() if value.kind == "list":
            return ["[", *_joined(ev, ev.elements(value)), "]"]
        case _ if is_static(value, ev.heap):
            return [builtins.to_text(to_python(value, ev.heap))]
        case Ref() if value.kind == "dict":
            return ["{", *_entries(ev, ev.contents(value)), "}"]
        case _:
            return [Hidden(f"<{type_of(value)}>")]


def _complex(ev: Evaluator, value: Complex) -> list[Piece]:
    """Both parts, the sign of the imaginary one always; that of a nan is a minus."""
    re, im = value.elements
    sign = calls.choose(ev, calls.single(ev, "aten::ge.float", [im, known(0.0)]), lambda: known("+"), lambda: known("-"))
    return [*_pieces(ev, re), *_pieces(ev, sign), *_pieces(ev, calls.single(ev, "prim::abs.float", [im])), "j"]


def _tensor(ev: Evaluator, value: Tensor) -> Piece:
    """A tensor as C++ shows it: numbers, then its type and extents."""
    name = NAMES.get(cast(DType, ev.tensor_type(value).dtype))
    function = ev.composite("aten::_h_tensor_text")
    if name is None or function is None:
        return Hidden("<Tensor>")
    found = ev.call_composite(function, [value, known(f"CPU{name}Type")])
    return found if isinstance(found, Scalar) else cast(str, cast(Known, found).value)


def _joined(ev: Evaluator, values: Sequence[Abstract]) -> list[Piece]:
    parts: list[Piece] = []
    for i, value in enumerate(values):
        parts += [", "] if i else []
        parts += _pieces(ev, value)
    return parts


def _entries(ev: Evaluator, contents: Contents) -> list[Piece]:
    parts: list[Piece] = []
    for i, (key, value) in enumerate(contents.items()):
        parts += [", "] if i else []
        parts += [f"{builtins.to_text(key)}: ", *_pieces(ev, value)]
    return parts


def _string(ev: Evaluator, value: Abstract) -> Abstract:
    """The text of a value that must have one."""
    found = text(ev, [value])
    if isinstance(found, Text):
        raise ev.not_static("the text of this value")
    return found


def _either(ev: Evaluator, value: Variant) -> Scalar | str:
    """The text of the alternative that is selected."""

    def side(of: Abstract) -> Callable[[], list[Abstract]]:
        return lambda: [_string(ev, of)]

    (found,) = fork(ev, Scalar(value.selector), side(value.then), side(value.otherwise))
    return found if isinstance(found, Scalar) else cast(str, cast(Known, found).value)


def _at_run_time(ev: Evaluator, value: Value) -> list[Piece]:
    """A list or dict made at run time: the texts of its elements, in a loop, joined."""
    match value.type:
        case ListType(element):
            return ["[", _each(ev, value, element, lambda item, _: _string(ev, item)), "]"]
        case DictType(key, of_value):
            keys = run_time_columns.dict_part(ev, value, "keys")
            values = run_time_columns.dict_part(ev, value, "values")

            def entry(item: Abstract, index: Scalar) -> Abstract:
                return text(ev, [item, known(": "), _string(ev, _element(ev, values, of_value, index))])

            return ["{", _each(ev, keys, key, entry), "}"]
        case _:
            return [Hidden(f"<{value.type}>")]


def _element(ev: Evaluator, source: Value, t: ScriptType, index: Scalar) -> Abstract:
    item = ev.emit("aten::__getitem__.t", (source, ev.materialise(index)), (t,)).result
    return run_time_values.read(ev, item, t)


def _each(ev: Evaluator, source: Value, t: ScriptType, show: Callable[[Abstract, Scalar], Abstract]) -> Scalar:
    count = Scalar(ev.emit("aten::len.t", (source,), (INT,)).result)
    texts = run_time_lists.generated(ev, count, STR, lambda index: show(_element(ev, source, t, index), index))
    made = cast(Value, run_time_values.handle(ev, texts))
    return Scalar(ev.emit("aten::join", (ev.pool.number(", ", STR), made), (STR,)).result)


# builtins


def format_(ev: Evaluator, arguments: list[Abstract]) -> Results:
    template, *values = arguments
    if isinstance(template, Scalar):
        return (run_time_strings.filled(ev, template, [_string(ev, v) for v in values]),)
    if not isinstance(template, Known):
        raise ev.not_static("the format")
    literals = cast(str, template.value).split("{}")
    if len(literals) - 1 > len(values):
        raise ev.operator_error(f"Too few arguments for format string: {template.value}")
    parts: list[Abstract] = []
    for i, literal in enumerate(literals):
        parts.append(known(literal))
        if i < len(literals) - 1:
            parts.append(values[i])
    return (text(ev, parts),)


def percent_format(ev: Evaluator, arguments: list[Abstract]) -> Results:
    template, *values = arguments
    if not isinstance(template, Known):
        raise ev.not_static("the format")
    if cast(str, template.value).startswith(builtins.OWN_FORMAT):
        return (Scalar(ev.emit("aten::percentFormat", [ev.materialise(a) for a in arguments], (STR,)).result),)
    if len(values) == 1 and isinstance(values[0], Tuple) and not isinstance(values[0], Complex):
        values = list(values[0].elements)
    try:
        pieces = builtins.percent_pieces(cast(str, template.value))
    except OperatorError as error:
        raise ev.operator_error(str(error)) from None
    if len(pieces) - 1 != len(values):
        amount = "few" if len(pieces) - 1 > len(values) else "many"
        raise ev.operator_error(f"Too {amount} arguments for format string")
    parts: list[Abstract] = []
    for i, (literal, specifier) in enumerate(pieces):
        parts.append(known(literal))
        if specifier:
            parts.append(run_time_strings.percent_part(ev, specifier, values[i]))
    return (text(ev, parts),)


def add(ev: Evaluator, arguments: list[Abstract]) -> Results:
    return (text(ev, arguments),)


def join(ev: Evaluator, arguments: list[Abstract]) -> Results:
    separator, values = arguments
    made = run_time_values.handle(ev, values)
    if made is not None:
        return (Scalar(ev.emit("aten::join", (ev.materialise(separator), made), (STR,)).result),)
    parts: list[Abstract] = []
    for i, element in enumerate(ev.elements(cast(Ref, values))):
        parts += [separator] if i else []
        parts.append(element)
    return (text(ev, parts),)
