"""Builtins on lists, dicts, tuples and strings, on abstract values.

What depends on the structure only (`append`, `len`, an index) works whatever the elements are; what depends on values
(`sort`, `in`) folds when they are known, and becomes scalar operations where that is possible.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from ...ir import ordering
from ...ir.interpreters import builtins
from ...ir.operator import OperatorError
from ...ir.script_types import BOOL, COMPLEX, FLOAT, INT, STR, ListType, TupleType
from . import calls, identity, texts
from .branches import fork
from .values import (
    FALSE,
    NONE_VALUE,
    TRUE,
    Abstract,
    Contents,
    Known,
    Ref,
    Scalar,
    Tensor,
    Text,
    Tuple,
    Undecided,
    Variant,
    is_static,
    known,
    list_contents,
    same,
    to_python,
    type_of,
)

if TYPE_CHECKING:
    from .evaluator import Evaluator

Results = Sequence[Abstract]

SELECT_LIMIT: Final = 16
"""A list of at most so many numbers may be indexed at run time."""


def apply(ev: Evaluator, base: str, arguments: list[Abstract]) -> Results | None:
    """Results of a builtin on containers or strings; None where it is no such builtin."""
    if not arguments:
        return None
    if base in ("aten::__is__", "aten::__isnot__"):
        return (identity.test(ev, arguments[0], arguments[1], negated=base == "aten::__isnot__"),)
    first = arguments[0]
    table = _table(first)
    if base == "aten::mul" and len(arguments) == 2 and isinstance(arguments[1], Ref):
        return _LISTS["aten::mul"](ev, arguments[::-1])
    if base == "aten::str" and not is_static(first, ev.heap):
        return (texts.text(ev, [first]),)
    if table is None:
        return None
    if base in table:
        return table[base](ev, arguments)
    if all(is_static(a, ev.heap) for a in arguments):
        values = [to_python(a, ev.heap) for a in arguments]
        builtin = builtins.find(base, values)
        if builtin is not None and (base not in _CHANGES or not isinstance(first, Ref)):
            return calls.folded(ev, lambda: builtin(*values), type_of(first))
    return None


def _table(first: Abstract) -> dict[str, Callable[[Evaluator, list[Abstract]], Results]] | None:
    match first:
        case Ref() if first.kind == "list":
            return _LISTS
        case Ref() if first.kind == "dict":
            return _DICTS
        case Tuple():
            return _TUPLES
        case Text():
            return _TEXTS
        case Scalar() if type_of(first) == STR:
            return _TEXTS
        case Known() if isinstance(first.value, str):
            return _TEXTS
        case _:
            return None


# lists


def _list(value: Abstract) -> Ref:
    assert isinstance(value, Ref) and value.kind == "list"
    return value


def _index(ev: Evaluator, value: Abstract, what: str) -> int:
    if not isinstance(value, Known):
        raise ev.not_static(what)
    return cast(int, value.value)


def _position(ev: Evaluator, ref: Ref, index: Abstract) -> int:
    try:
        return builtins.position(ev.elements(ref), _index(ev, index, "the index into this list"))
    except OperatorError as error:
        raise ev.operator_error(str(error)) from None


def _set_elements(ev: Evaluator, ref: Ref, elements: Sequence[Abstract]) -> None:
    ev.set_contents(ref, list_contents(elements))


def _get(ev: Evaluator, arguments: list[Abstract]) -> Results:
    ref, index = _list(arguments[0]), arguments[1]
    elements = ev.elements(ref)
    if isinstance(index, Scalar):
        return (_select(ev, elements, index),)
    return (elements[_position(ev, ref, index)],)


def _select(ev: Evaluator, elements: list[Abstract], index: Scalar) -> Abstract:
    """An element by a run-time index: conditions one after the other.

    In a loop only for numbers: unrolling it makes the index known, and that is better code.
    """
    numbers = all(type_of(e) in (INT, FLOAT, BOOL) for e in elements)
    if not (numbers or not ev.static_lists) or not 0 < len(elements) <= SELECT_LIMIT:
        raise ev.not_static("the index into this list")
    count = known(len(elements))
    negative = calls.single(ev, "aten::lt.int", [index, known(0)])
    shifted = calls.single(ev, "aten::add.int", [index, count])
    at = calls.choose(ev, negative, lambda: shifted, lambda: index)
    low = calls.single(ev, "aten::lt.int", [at, known(0)])
    high = calls.single(ev, "aten::ge.int", [at, count])
    outside = calls.single(ev, "aten::__or__.bool", [low, high])

    def fail() -> list[Abstract]:
        raise ev.emit_raise(["list index out of range"])

    if isinstance(outside, Scalar):
        fork(ev, outside, fail, list)

    def pick(i: int) -> Abstract:
        if i == len(elements) - 1:
            return elements[i]
        here = calls.single(ev, "aten::eq.int", [at, known(i)])
        return calls.choose(ev, here, lambda: elements[i], lambda: pick(i + 1))

    return pick(0)


def _set(ev: Evaluator, arguments: list[Abstract]) -> Results:
    ref = _list(arguments[0])
    at = _position(ev, ref, arguments[1])
    elements = ev.elements(ref)
    elements[at] = arguments[2]
    _set_elements(ev, ref, elements)
    return (ref,)


def _append(ev: Evaluator, arguments: list[Abstract]) -> Results:
    ref = _list(arguments[0])
    _set_elements(ev, ref, [*ev.elements(ref), arguments[1]])
    return (ref,)


def _extend(ev: Evaluator, arguments: list[Abstract]) -> Results:
    ref = _list(arguments[0])
    _set_elements(ev, ref, [*ev.elements(ref), *_sequence(ev, arguments[1])])
    return ()


def _extended(ev: Evaluator, arguments: list[Abstract]) -> Results:
    _extend(ev, arguments)
    return (arguments[0],)


def _sequence(ev: Evaluator, value: Abstract) -> list[Abstract]:
    if isinstance(value, Variant):
        raise Undecided(value.selector)
    if isinstance(value, Tuple):
        return list(value.elements)
    return ev.elements(_list(value))


def _insert(ev: Evaluator, arguments: list[Abstract]) -> Results:
    ref = _list(arguments[0])
    elements = ev.elements(ref)
    elements.insert(_index(ev, arguments[1], "the index into this list"), arguments[2])
    _set_elements(ev, ref, elements)
    return ()


def _pop(ev: Evaluator, arguments: list[Abstract]) -> Results:
    ref = _list(arguments[0])
    elements = ev.elements(ref)
    if not elements:
        raise ev.operator_error("pop from empty list")
    element = elements.pop(_position(ev, ref, arguments[1] if len(arguments) > 1 else known(-1)))
    _set_elements(ev, ref, elements)
    return (element,)


def _delete(ev: Evaluator, arguments: list[Abstract]) -> Results:
    _pop(ev, arguments)
    return ()


def _clear(ev: Evaluator, arguments: list[Abstract]) -> Results:
    _set_elements(ev, _list(arguments[0]), [])
    return ()


def _reverse(ev: Evaluator, arguments: list[Abstract]) -> Results:
    ref = _list(arguments[0])
    _set_elements(ev, ref, ev.elements(ref)[::-1])
    return ()


def _copy(ev: Evaluator, arguments: list[Abstract]) -> Results:
    ref = _list(arguments[0])
    return (ev.new_list(ev.elements(ref), ref.type),)


def _slice(ev: Evaluator, arguments: list[Abstract]) -> Results:
    ref = _list(arguments[0])
    bounds = [_optional_index(ev, a) for a in arguments[1:]]
    if len(bounds) > 2 and bounds[2] == 0:
        raise ev.operator_error("slice step cannot be zero")
    return (ev.new_list(ev.elements(ref)[slice(*bounds) if bounds else slice(None)], ref.type),)


def _optional_index(ev: Evaluator, value: Abstract) -> int | None:
    if not isinstance(value, Known):
        raise ev.not_static("the bound of this slice")
    return builtins.strings.slice_bound(cast("int | None", value.value))


def _concatenate(ev: Evaluator, arguments: list[Abstract]) -> Results:
    ref = _list(arguments[0])
    return (ev.new_list([*ev.elements(ref), *_sequence(ev, arguments[1])], ref.type),)


def _repeat(ev: Evaluator, arguments: list[Abstract]) -> Results:
    ref = _list(arguments[0])
    return (ev.new_list(ev.elements(ref) * _index(ev, arguments[1], "the length of this list"), ref.type),)


def _repeat_in_place(ev: Evaluator, arguments: list[Abstract]) -> Results:
    ref = _list(arguments[0])
    _set_elements(ev, ref, ev.elements(ref) * _index(ev, arguments[1], "the length of this list"))
    return (ref,)


def _length(ev: Evaluator, arguments: list[Abstract]) -> Results:
    return (known(len(ev.contents(cast(Ref, arguments[0])))),)


def _static(ev: Evaluator, arguments: Sequence[Abstract]) -> list[Any] | None:
    if all(is_static(a, ev.heap) for a in arguments):
        return [to_python(a, ev.heap) for a in arguments]
    return None


def _reduced(operator: str, start: Abstract | None) -> Callable[[Evaluator, list[Abstract]], Results]:
    """A reduction of the list to one number, as a chain of scalar operators."""

    def reduce(ev: Evaluator, arguments: list[Abstract]) -> Results:
        of = _list(arguments[0])
        elements = ev.elements(of)
        if len(arguments) == 2:
            return _pairwise(ev, operator, arguments)
        if not elements and start is not None and isinstance(of.type, ListType) and of.type.element == FLOAT:
            return (known(0.0),)
        static = _static(ev, arguments)
        if start is None and not elements:
            raise ev.operator_error(f"{operator.removeprefix('prim::')}() arg is an empty sequence")
        if static is not None:
            folded = {"aten::add": sum, "prim::max": max, "prim::min": min}.get(operator)
            if folded is not None:
                return (known(builtins.number(folded(static[0]))),)
        if operator.startswith("aten::__"):
            elements = [_truth(ev, e) for e in elements]
        result = elements[0] if start is None else start
        for element in elements[1:] if start is None else elements:
            if operator == "aten::add" and same(result, known(0)):
                result = element
            else:
                result = calls.single(ev, operator, [result, element])
        return (result,)

    return reduce


def _pairwise(ev: Evaluator, operator: str, arguments: list[Abstract]) -> Results:
    static = _static(ev, arguments)
    if static is None:
        raise ev.not_static("this list")
    return (ev.import_value((max if operator == "prim::max" else min)(*static), type_of(arguments[0])),)


def _truth(ev: Evaluator, value: Abstract) -> Abstract:
    if isinstance(value, Known):
        return known(bool(value.value))
    return value if type_of(value) == BOOL else calls.single(ev, "aten::Bool", [value])


def _equal(negated: bool) -> Callable[[Evaluator, list[Abstract]], Results]:
    def compare(ev: Evaluator, arguments: list[Abstract]) -> Results:
        static = _static(ev, arguments)
        if static is not None:
            return (known((static[0] == static[1]) != negated),)
        left, right = _sequence(ev, arguments[0]), _sequence(ev, arguments[1])
        if len(left) != len(right):
            return (known(negated),)
        result: Abstract = TRUE
        for a, b in zip(left, right):
            result = _and(ev, result, _elements_equal(ev, a, b))
        return (calls.single(ev, "aten::__not__", [result]) if negated else result,)

    return compare


def _elements_equal(ev: Evaluator, a: Abstract, b: Abstract) -> Abstract:
    if same(a, b) and not isinstance(a, Tensor) and type_of(a) not in (FLOAT, COMPLEX):  # these may be NaN
        return TRUE
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        raise ev.not_static("whether these lists of tensors are equal")
    if isinstance(a, Ref | Tuple):
        return _equal(False)(ev, [a, b])[0]
    return calls.single(ev, "aten::eq", [a, b])


def _and(ev: Evaluator, a: Abstract, b: Abstract) -> Abstract:
    if same(a, TRUE):
        return b
    if same(b, TRUE):
        return a
    if same(a, FALSE) or same(b, FALSE):
        return FALSE
    return calls.single(ev, "aten::__and__.bool", [a, b])


def _contains(ev: Evaluator, arguments: list[Abstract]) -> Results:
    result: Abstract = FALSE
    for element in ev.elements(_list(arguments[0])):
        found = _elements_equal(ev, element, arguments[1])
        if same(found, TRUE):
            return (TRUE,)
        if not same(found, FALSE):
            result = found if same(result, FALSE) else calls.single(ev, "aten::__or__.bool", [result, found])
    return (result,)


def _find(ev: Evaluator, arguments: list[Abstract]) -> int:
    static = _static(ev, arguments)
    if static is None:
        raise ev.not_static("where this element is in the list")
    values, element = static
    return next((i for i, v in enumerate(values) if type(v) is type(element) and v == element), -1)


def _position_of(ev: Evaluator, arguments: list[Abstract]) -> Results:
    at = _find(ev, arguments)
    if at < 0:
        raise ev.operator_error(f"'{builtins.to_text(to_python(arguments[1], ev.heap))}' is not in list")
    return (known(at),)


def _remove(ev: Evaluator, arguments: list[Abstract]) -> Results:
    at = _find(ev, arguments)
    if at < 0:
        raise ev.operator_error("list.remove(x): x not in list")
    ref = _list(arguments[0])
    elements = ev.elements(ref)
    del elements[at]
    _set_elements(ev, ref, elements)
    return ()


def _ordered(ev: Evaluator, ref: Ref, reverse: bool) -> list[Abstract]:
    elements = ev.elements(ref)
    wrong = ordering.unsortable(type_of(elements[0])) if elements else None
    if wrong is not None:
        raise ev.operator_error(wrong)
    static = _static(ev, elements)
    if static is None:
        raise ev.not_static("the order of this list")
    return [elements[i] for i in ordering.ordered(static, reverse)]


def _sort(ev: Evaluator, arguments: list[Abstract]) -> Results:
    ref = _list(arguments[0])
    reverse = arguments[1] if len(arguments) > 1 else FALSE
    if not isinstance(reverse, Known):
        raise ev.not_static("`reverse` of this sort")
    _set_elements(ev, ref, _ordered(ev, ref, bool(reverse.value)))
    return ()


def _sorted(ev: Evaluator, arguments: list[Abstract]) -> Results:
    ref = _list(arguments[0])
    return (ev.new_list(_ordered(ev, ref, False), ref.type),)


def _to_dict(ev: Evaluator, arguments: list[Abstract]) -> Results:
    entries: dict[Any, Abstract] = {}
    for pair in ev.elements(_list(arguments[0])):
        key, value = _sequence(ev, pair)
        entries[calls.dict_key(ev, key)] = value
    return (ev.new_ref("dict", type_of(arguments[0]), entries),)


_LISTS: Final[dict[str, Callable[[Any, list[Abstract]], Results]]] = {
    "aten::len": _length,
    "aten::__getitem__": _get,
    "aten::select": _get,
    "aten::_set_item": _set,
    "aten::append": _append,
    "aten::extend": _extend,
    "aten::add_": _extended,
    "aten::insert": _insert,
    "aten::pop": _pop,
    "aten::Delete": _delete,
    "aten::clear": _clear,
    "aten::reverse": _reverse,
    "aten::copy": _copy,
    "aten::list": _copy,
    "aten::Size": _copy,
    "aten::slice": _slice,
    "aten::add": _concatenate,
    "aten::mul": _repeat,
    "aten::mul_": _repeat_in_place,
    "aten::eq": _equal(False),
    "aten::ne": _equal(True),
    "aten::__contains__": _contains,
    "aten::index": _position_of,
    "aten::count": lambda ev, arguments: (known(_count(ev, arguments)),),
    "aten::remove": _remove,
    "aten::sort": _sort,
    "aten::sorted": _sorted,
    "aten::sum": _reduced("aten::add", known(0)),
    "prim::max": _reduced("prim::max", None),
    "prim::min": _reduced("prim::min", None),
    "aten::any": _reduced("aten::__or__", FALSE),
    "aten::all": _reduced("aten::__and__", TRUE),
    "aten::dict": _to_dict,
}

_CHANGES: Final = frozenset(
    [
        "aten::_set_item",
        "aten::append",
        "aten::extend",
        "aten::add_",
        "aten::insert",
        "aten::pop",
        "aten::Delete",
        "aten::clear",
        "aten::reverse",
        "aten::mul_",
        "aten::remove",
        "aten::sort",
        "aten::popitem",
        "aten::setdefault",
        "aten::update",
    ]
)


def _count(ev: Evaluator, arguments: list[Abstract]) -> int:
    static = _static(ev, arguments)
    if static is None:
        raise ev.not_static("how often this element is in the list")
    return sum(type(v) is type(static[1]) and v == static[1] for v in static[0])


# dicts


def _dict(value: Abstract) -> Ref:
    assert isinstance(value, Ref) and value.kind == "dict"
    return value


def _lookup(ev: Evaluator, arguments: list[Abstract]) -> Results:
    contents = ev.contents(_dict(arguments[0]))
    if isinstance(arguments[1], Scalar):

        def missing() -> Abstract:
            raise ev.emit_raise(["KeyError: ", cast(Scalar, arguments[1])])

        return (_by_key(ev, contents, arguments[1], missing),)
    key = calls.dict_key(ev, arguments[1])
    if key not in contents:
        raise ev.operator_error(f"KeyError: {builtins.to_text(key)}")
    return (contents[key],)


def _by_key(ev: Evaluator, contents: Contents, key: Scalar, missing: Callable[[], Abstract]) -> Abstract:
    """An element by a number that is known at run time: conditions one after the other."""
    if len(contents) > SELECT_LIMIT:
        raise ev.not_static("the key into this dict")
    entries = list(contents.items())

    def pick(i: int) -> Abstract:
        if i == len(entries):
            return missing()
        here = calls.single(ev, "aten::eq", [key, known(entries[i][0])])
        return calls.choose(ev, here, lambda: entries[i][1], lambda: pick(i + 1))

    return pick(0)


def _get_key(ev: Evaluator, arguments: list[Abstract]) -> Results:
    default = arguments[2] if len(arguments) > 2 else NONE_VALUE
    contents = ev.contents(_dict(arguments[0]))
    if isinstance(arguments[1], Scalar):
        return (_by_key(ev, contents, arguments[1], lambda: default),)
    return (contents.get(calls.dict_key(ev, arguments[1]), default),)


def _set_key(ev: Evaluator, arguments: list[Abstract]) -> Results:
    ref = _dict(arguments[0])
    ev.set_contents(ref, {**ev.contents(ref), calls.dict_key(ev, arguments[1]): arguments[2]})
    return ()


def _set_default(ev: Evaluator, arguments: list[Abstract]) -> Results:
    key = calls.dict_key(ev, arguments[1])
    if key not in ev.contents(_dict(arguments[0])):
        _set_key(ev, arguments)
    return (ev.contents(_dict(arguments[0]))[key],)


def _pop_key(ev: Evaluator, arguments: list[Abstract]) -> Results:
    ref, key = _dict(arguments[0]), calls.dict_key(ev, arguments[1])
    contents = dict(ev.contents(ref))
    if key not in contents:
        if len(arguments) > 2:
            return (arguments[2],)
        raise ev.operator_error(f"KeyError: {builtins.to_text(key)}")
    value = contents.pop(key)
    ev.set_contents(ref, contents)
    return (value,)


def _delete_key(ev: Evaluator, arguments: list[Abstract]) -> Results:
    _pop_key(ev, arguments[:2])
    return ()


def _pop_item(ev: Evaluator, arguments: list[Abstract]) -> Results:
    ref = _dict(arguments[0])
    contents = dict(ev.contents(ref))
    if not contents:
        raise ev.operator_error("popitem(): dictionary is empty")
    key = next(iter(contents))
    value = contents.pop(key)
    ev.set_contents(ref, contents)
    return (Tuple((ev.import_value(key), value)),)


def _update(ev: Evaluator, arguments: list[Abstract]) -> Results:
    ref, other = _dict(arguments[0]), _dict(arguments[1])
    ev.set_contents(ref, {**ev.contents(ref), **ev.contents(other)})
    return ()


def _clear_dict(ev: Evaluator, arguments: list[Abstract]) -> Results:
    ev.set_contents(_dict(arguments[0]), {})
    return ()


def _copy_dict(ev: Evaluator, arguments: list[Abstract]) -> Results:
    ref = _dict(arguments[0])
    return (ev.new_ref("dict", ref.type, dict(ev.contents(ref))),)


def _has_key(ev: Evaluator, arguments: list[Abstract]) -> Results:
    contents = ev.contents(_dict(arguments[0]))
    if isinstance(arguments[1], Scalar):
        return (_by_key(ev, dict.fromkeys(contents, TRUE), arguments[1], lambda: FALSE),)
    return (known(calls.dict_key(ev, arguments[1]) in contents),)


def _keys(ev: Evaluator, arguments: list[Abstract]) -> Results:
    keys = [ev.import_value(k) for k in ev.contents(_dict(arguments[0]))]
    return (ev.new_list(keys, ListType(ev.common_type(keys))),)


def _values(ev: Evaluator, arguments: list[Abstract]) -> Results:
    values = list(ev.contents(_dict(arguments[0])).values())
    return (ev.new_list(values, ListType(ev.common_type(values))),)


def _items(ev: Evaluator, arguments: list[Abstract]) -> Results:
    items: list[Abstract] = [Tuple((ev.import_value(k), v)) for k, v in ev.contents(_dict(arguments[0])).items()]
    return (ev.new_list(items, ListType(ev.common_type(items))),)


_DICTS: Final[dict[str, Callable[[Any, list[Abstract]], Results]]] = {
    "aten::len": _length,
    "aten::__getitem__": _lookup,
    "aten::get": _get_key,
    "aten::_set_item": _set_key,
    "aten::setdefault": _set_default,
    "aten::pop": _pop_key,
    "aten::popitem": _pop_item,
    "aten::Delete": _delete_key,
    "aten::update": _update,
    "aten::clear": _clear_dict,
    "aten::copy": _copy_dict,
    "aten::dict": _copy_dict,
    "aten::__contains__": _has_key,
    "aten::keys": _keys,
    "aten::values": _values,
    "aten::items": _items,
}


# tuples


def _tuple_equal(negated: bool) -> Callable[[Evaluator, list[Abstract]], Results]:
    return _equal(negated)


def _tuple_get(ev: Evaluator, arguments: list[Abstract]) -> Results:
    elements = _sequence(ev, arguments[0])
    at = _index(ev, arguments[1], "the index into this tuple")
    if not -len(elements) <= at < len(elements):
        raise ev.operator_error("Tuple index out of range")
    return (elements[at],)


def _tuple_add(ev: Evaluator, arguments: list[Abstract]) -> Results:
    return (Tuple((*_sequence(ev, arguments[0]), *_sequence(ev, arguments[1]))),)


def _tuple_list(ev: Evaluator, arguments: list[Abstract]) -> Results:
    elements = _sequence(ev, arguments[0])
    type_ = type_of(arguments[0])
    element = type_.elements[0] if isinstance(type_, TupleType) and type_.elements else type_
    return (ev.new_list(elements, ListType(element)),)


_TUPLES: Final[dict[str, Callable[[Any, list[Abstract]], Results]]] = {
    "aten::len": lambda ev, arguments: (known(len(cast(Tuple, arguments[0]).elements)),),
    "aten::eq": _tuple_equal(False),
    "aten::ne": _tuple_equal(True),
    "aten::add": _tuple_add,
    "aten::__getitem__": _tuple_get,
    "aten::list": _tuple_list,
}


# strings


_TEXTS: Final[dict[str, Callable[[Any, list[Abstract]], Results]]] = {
    "aten::format": texts.format_,
    "aten::percentFormat": texts.percent_format,
    "aten::add": texts.add,
    "aten::join": texts.join,
    "aten::str": lambda ev, arguments: arguments,
}
