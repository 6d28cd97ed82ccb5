"""Dicts whose keys are known at run time only: builtins on them are written, not evaluated.

A dict starts as abstract values by key (`containers.py`). Where that cannot go on (a loop that adds keys, a key known
at run time) it is promoted (`run_time_values.py`): `prim::DictConstruct` makes it at run time. Keys are numbers and
strings; values are whatever a list made at run time may hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, cast

from ...ir.core import Value
from ...ir.diagnostics import NotStatic
from ...ir.operators import resolve_exact, schema, split_name
from ...ir.script_types import BOOL, COMPLEX, INT, STR, DictType, ListType, ScriptType, TupleType
from . import run_time_tables, run_time_values
from .branches import fork
from .run_time_types import NUMBERS, join
from .values import NONE_VALUE, Abstract, Contents, Ref, Scalar, Variant, known, type_of

if TYPE_CHECKING:
    from .evaluator import Evaluator

Results = Sequence[Abstract]

KEYS: Final = (*NUMBERS, COMPLEX, STR)
"""Types of keys."""

HELP: Final = "a dict whose keys are only known at run time has keys of type int, float, complex, bool or str"


def type_of_contents(ev: Evaluator, contents: Contents, declared: DictType) -> ScriptType:
    """The type of a dict of these values."""
    types = [run_time_values.element_type(ev, v, declared.value) for v in contents.values()]
    return DictType(declared.key, run_time_values.joined(ev, types, declared.value))


def made(ev: Evaluator, contents: Contents, t: DictType) -> Value:
    """Makes a dict of these values."""
    keys = run_time_tables.keys(contents, t.key)
    if run_time_tables.is_table(keys, t.key) and run_time_tables.is_table(list(contents.values()), t.value):
        return _table(ev, keys, list(contents.values()), t)
    parts: list[Value] = []
    for key, value in contents.items():
        own = ev.import_value(key) if t.key == COMPLEX else known(key, t.key)
        parts += [run_time_values.element(ev, own, t.key), run_time_values.element(ev, value, t.value)]
    return ev.emit("prim::DictConstruct", parts, (t,)).result


def _table(ev: Evaluator, keys: Sequence[Abstract], values: Sequence[Abstract], t: DictType) -> Value:
    key, value = run_time_tables.column(ev, keys, t.key), run_time_tables.column(ev, values, t.value)
    target = ev.emit("prim::DictConstruct", (), (t,)).result

    def put(i: Value) -> None:
        ev.emit(f"aten::_set_item.{t.key}", (target, key(i), value(i)), ())

    run_time_tables.for_each(ev, len(keys), put)
    return target


def constructed(ev: Evaluator, operands: Sequence[Abstract], declared: DictType) -> Ref:
    """A dict display, or a comprehension, with keys known at run time: keys and values by turns."""
    t = run_time_values.declared_type(ev, declared)
    assert isinstance(t, DictType)
    values = [run_time_values.element_type(ev, v, t.value) for v in operands[1::2]]
    t = DictType(t.key, run_time_values.joined(ev, values, t.value))
    parts = [run_time_values.element(ev, v, t.value if i % 2 else t.key) for i, v in enumerate(operands)]
    made_at_run_time = ev.emit("prim::DictConstruct", parts, (t,)).result
    return cast(Ref, run_time_values.read(ev, made_at_run_time, t))


# builtins


def apply(ev: Evaluator, name: str, arguments: list[Abstract]) -> Results | None:
    """Results of a builtin that takes a dict made at run time; None where none is given."""
    if not any(isinstance(a, Ref) for a in arguments):
        return None
    base, _ = split_name(name)
    if base == "aten::dict":
        pairs = _pairs(ev, arguments)
        if pairs is not None:
            return _of_pairs(ev, name, arguments, pairs)
    rule = _RULES.get(base)
    places = arguments[:2] if base == "aten::update" else arguments[:1]
    given = next((h for h in (run_time_values.handle(ev, a) for a in places) if h is not None), None)
    if rule is None or given is None or not isinstance(given.type, DictType):
        return None
    return rule(_Call(ev, _full_name(name, arguments), arguments, given.type))


def promoted(ev: Evaluator, name: str, arguments: list[Abstract]) -> Results | None:
    """What a builtin gives when its dict is promoted first; None where that is not the way."""
    first = arguments[0] if arguments else None
    base, _ = split_name(name)
    if ev.static_lists or not isinstance(first, Ref) or first.kind != "dict" or base not in _RULES:
        return None
    if not isinstance(ev.heap.get(first), Mapping) or any(isinstance(a, Variant) for a in arguments):
        return None
    if len(arguments) > 1 and isinstance(arguments[1], Scalar) and arguments[1].value in ev.choices:
        return None  # one of few constants: better written for each
    try:
        run_time_values.promote(ev, first, _type_with(ev, base, arguments))
    except NotStatic:
        return None
    return apply(ev, name, arguments)


def _type_with(ev: Evaluator, base: str, arguments: list[Abstract]) -> ScriptType | None:
    """What the type of a dict has to hold for a builtin that puts something in."""
    declared = type_of(arguments[0])
    if base not in ("aten::_set_item", "aten::setdefault") or not isinstance(declared, DictType):
        return None
    return DictType(declared.key, run_time_values.element_type(ev, arguments[2], declared.value))


def _full_name(name: str, arguments: Sequence[Abstract]) -> str:
    if schema(name) is not None:
        return name
    return resolve_exact(name, [type_of(a) for a in arguments]) or name


def _pairs(ev: Evaluator, arguments: Sequence[Abstract]) -> DictType | None:
    """The type of the dict of a list of pairs made at run time."""
    own = run_time_values.handle(ev, arguments[0]) if len(arguments) == 1 else None
    t = own.type.element if own is not None and isinstance(own.type, ListType) else None
    if not isinstance(t, TupleType) or len(t.elements) != 2 or t.elements[0] not in KEYS:
        return None
    return DictType(*t.elements)


def _of_pairs(ev: Evaluator, name: str, arguments: list[Abstract], t: DictType) -> Results:
    pairs = run_time_values.handle(ev, arguments[0])
    assert pairs is not None
    value = ev.emit(_full_name(name, arguments), (pairs,), (t,)).result
    return (run_time_values.read(ev, value, t),)


class _Call:
    """One builtin on a dict of type `t`."""

    def __init__(self, ev: Evaluator, name: str, arguments: list[Abstract], t: DictType) -> None:
        self.ev = ev
        self.name = name
        self.arguments = arguments
        self.t = t

    def key(self) -> Value:
        return run_time_values.element(self.ev, self.arguments[1], self.t.key)

    def value(self, index: int = 2) -> Value:
        """An argument that the dict is to hold, or may give."""
        ref, t = cast(Ref, self.arguments[0]), self.t
        return run_time_values.stored(self.ev, ref, self.arguments[index], t.value, lambda held: DictType(t.key, held))

    def dict(self, index: int = 0) -> Value:
        return self._checked(run_time_values.promote(self.ev, cast(Ref, self.arguments[index]), self.t))

    def _checked(self, own: Value) -> Value:
        if own.type != self.t:
            what = "the kind of the values of this dict"
            raise run_time_values.mismatch(self.ev, what, join(self.t, cast(ScriptType, own.type)) is None)
        return own

    def changed(self) -> Value:
        """The first argument, which is changed."""
        ref = cast(Ref, self.arguments[0])
        run_time_values.before_change(self.ev, ref)
        if ref.is_outer:
            self.ev.state.change(ref)
            raise self.ev.error(
                "a dict attribute of the module whose keys are only known at run time cannot be changed",
                help="return the new dict as a result",
            )
        return self.dict()

    def emit(self, operands: Sequence[Value], *types: ScriptType, name: str | None = None) -> list[Value]:
        return list(self.ev.emit(name or self.name, operands, types).results)

    def read(self, operands: Sequence[Value], t: ScriptType) -> Results:
        """The node's one result, as an abstract value."""
        return (run_time_values.read(self.ev, self.emit(operands, t)[0], t),)

    def read_value(self, operands: Sequence[Value], name: str | None = None) -> Results:
        """The same for a value that the dict holds."""
        found = self.emit(operands, self.t.value, name=name)[0]
        return (self.part(found, self.t.value, lambda held: held),)

    def part(self, value: Value, t: ScriptType, value_in: Callable[[ScriptType], ScriptType]) -> Abstract:
        """What was read from the dict; `value_in`: of which type its values are, where `value` is of this type."""
        key = self.t.key
        return run_time_values.read(self.ev, value, t, cast(Ref, self.arguments[0]), lambda held: DictType(key, value_in(held)))


def _length(call: _Call) -> Results:
    return call.read((call.dict(),), INT)


def _contains(call: _Call) -> Results:
    return call.read((call.dict(), call.key()), BOOL)


def _lookup(call: _Call) -> Results:
    return call.read_value((call.dict(), call.key()))


def _get(call: _Call) -> Results:
    """With one argument the value or None: a condition."""
    if len(call.arguments) > 2:
        return call.read_value((call.dict(), call.key(), call.value()))
    source, key = call.dict(), call.key()
    kind = str(call.t.key)
    found = call.emit((source, key), BOOL, name=f"aten::__contains__.{kind}")[0]

    def value() -> list[Abstract]:
        return list(call.read_value((source, key), f"aten::__getitem__.Dict_{kind}"))

    return fork(call.ev, Scalar(found), value, lambda: [NONE_VALUE])


def _set(call: _Call) -> Results:
    target = call.changed()
    call.emit((target, call.key(), call.value()))
    return ()


def _set_default(call: _Call) -> Results:
    target = call.changed()
    return call.read_value((target, call.key(), call.value()))


def _pop(call: _Call) -> Results:
    target = call.changed()
    default = [call.value()] if len(call.arguments) > 2 else []
    return call.read_value((target, call.key(), *default))


def _pop_item(call: _Call) -> Results:
    return call.read((call.changed(),), TupleType((call.t.key, call.t.value)))


def _delete(call: _Call) -> Results:
    target = call.changed()
    call.emit((target, call.key()))
    return ()


def _clear(call: _Call) -> Results:
    call.emit((call.changed(),))
    return ()


def _update(call: _Call) -> Results:
    target = call.changed()
    call.emit((target, call.dict(1)))
    return ()


def _copy(call: _Call) -> Results:
    return call.read((call.dict(),), call.t)


def _keys(call: _Call) -> Results:
    return call.read((call.dict(),), ListType(call.t.key))


def _values(call: _Call) -> Results:
    t = ListType(call.t.value)
    return (call.part(call.emit((call.dict(),), t)[0], t, lambda held: cast(ListType, held).element),)


def _items(call: _Call) -> Results:
    t = ListType(TupleType((call.t.key, call.t.value)))
    found = call.emit((call.dict(),), t)[0]
    return (call.part(found, t, lambda held: cast(TupleType, cast(ListType, held).element).elements[1]),)


_RULES: Final[dict[str, Callable[[_Call], Results]]] = {
    "aten::len": _length,
    "aten::__contains__": _contains,
    "aten::__getitem__": _lookup,
    "aten::get": _get,
    "aten::_set_item": _set,
    "aten::setdefault": _set_default,
    "aten::pop": _pop,
    "aten::popitem": _pop_item,
    "aten::Delete": _delete,
    "aten::clear": _clear,
    "aten::update": _update,
    "aten::copy": _copy,
    "aten::dict": _copy,
    "aten::keys": _keys,
    "aten::values": _values,
    "aten::items": _items,
}
