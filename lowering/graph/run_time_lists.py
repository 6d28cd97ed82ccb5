"""Lists whose length is known at run time only: builtins on them are written, not evaluated.

A list starts as a list of abstract values (`containers.py`). Where that cannot go on (a loop that appends, an index
known at run time into tensors) it is *promoted*: made anew at run time by `aten::list`, and its contents in the heap
become `{HANDLE: Scalar(value)}`. All names of the list go on meaning the same one. Elements are ints, floats, bools,
tensors of one dtype and rank, and lists and tuples of these; the type of the value says which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from ...ir.attributes import Constant
from ...ir.core import Block, Operation, Region, Value
from ...ir.diagnostics import NotStatic
from ...ir.dialects import torch
from ...ir.dtypes import DType
from ...ir.operators import resolve_exact, schema, split_name
from ...ir.script_types import BOOL, FLOAT, INT, NONE, TENSOR, ListType, ScriptType, TensorType, TupleType
from .branches import fork
from .merging import decided_contents, leaves
from .values import (
    HANDLE,
    Abstract,
    Frozen,
    Known,
    Ref,
    RunTimeOnly,
    Scalar,
    Tensor,
    Tuple,
    Variant,
    VariantContents,
    join_types,
    known,
    type_of,
)

if TYPE_CHECKING:
    from .evaluator import Evaluator

Results = Sequence[Abstract]

_NUMBERS: Final = (INT, FLOAT, BOOL)

_HELP: Final = (
    "a list whose length is only known at run time holds numbers, tensors of one dtype and number of dimensions, "
    "or lists and tuples of these"
)


class NeedsRunTimeList(NotStatic):
    """A loop changes a list from before the loop in a way that needs a run-time list: the first of `refs` that there is."""

    refs: tuple[Ref, ...] = ()
    element: ScriptType | None = None


class ElementMismatch(NotStatic):
    """An element does not fit the type that the list's elements were taken to have."""


def handle(ev: Evaluator, value: Abstract) -> Value | None:
    """The value of a list of run-time length; None for everything else."""
    if not isinstance(value, Ref) or value.kind != "list":
        return None
    contents = ev.heap.get(value)
    return handle_in(contents)


def handle_in(contents: Any) -> Value | None:
    if isinstance(contents, Mapping) and HANDLE in contents:
        return cast(Scalar, cast("Mapping[Any, Abstract]", contents)[HANDLE]).value
    return None


def element_of(value: Value) -> ScriptType:
    return cast(ListType, value.type).element


def before_change(ev: Evaluator, ref: Ref) -> None:
    """Where another name may mean this list as well, which is only known at run time, that name says nothing any more.

    Inside a loop that can be written with run-time lists, that is asked for instead: then both names see the change.
    """
    frozen = [key.ref for key in ev.heap if isinstance(key, Frozen)]
    if not frozen:
        return
    is_frozen = Frozen(ref) in ev.heap
    others = [r for r in frozen if r is not ref and r.kind == ref.kind and (is_frozen or ref in _entries(ev, r))]
    others = [r for r in dict.fromkeys((*_entries(ev, ref), *others)) if isinstance(ev.heap.get(r), Mapping)]
    if not others and not is_frozen:
        return
    message = "this list or dict may be one of several, which is only known at run time: it cannot be changed here"
    entries = list(dict.fromkeys(e for r in (ref, *others) for e in _entries(ev, r)))
    if ref.kind != "list" or any(r.is_outer for r in others):
        raise ev.error(message, help="change a copy of it")
    if entries and (ev.static_lists or ev.list_attempts):
        error = ev.error(message, help="change a copy of it", kind=NeedsRunTimeList)
        assert isinstance(error, NeedsRunTimeList)
        error.refs = tuple(entries)
        raise error
    for other in others:
        ev.heap[other] = RunTimeOnly("what is in this list, which may have been changed through another name,", ev.span)


def may_be_another(ev: Evaluator, ref: Ref) -> bool:
    """Whether it is only known at run time which list this is."""
    return Frozen(ref) in ev.heap or handle(ev, ref) is not None


def _entries(ev: Evaluator, ref: Ref) -> list[Ref]:
    """Lists from before loops that this one, which a loop leaves, may be."""
    found: list[Ref] = []
    current: Abstract | None = ref
    while isinstance(current, Ref):
        current = cast("Mapping[Any, Abstract]", ev.heap.get(Frozen(current), {})).get(HANDLE)
        if isinstance(current, Ref):
            found.append(current)
    return found


# types of elements


def join(a: ScriptType, b: ScriptType) -> ScriptType | None:
    """A type for elements of both; None where there is none. A tensor of unknown dtype says nothing."""
    if a == b or b == TENSOR:
        return a
    match a, b:
        case TensorType(), TensorType():
            return b if a == TENSOR else join_types(a, b)
        case ListType(), ListType():
            element = join(a.element, b.element)
            return None if element is None else ListType(element)
        case TupleType(), TupleType() if len(a.elements) == len(b.elements):
            joined = [join(x, y) for x, y in zip(a.elements, b.elements)]
            return None if None in joined else TupleType(tuple(cast("list[ScriptType]", joined)))
        case _:
            return None


def general(t: ScriptType) -> ScriptType:
    """The type with all extents open."""
    match t:
        case TensorType(dtype, shape) if shape is not None:
            return TensorType(dtype, (None,) * len(shape))
        case ListType():
            return ListType(general(t.element))
        case TupleType():
            return TupleType(tuple(map(general, t.elements)))
        case _:
            return t


def _is_known(t: ScriptType) -> bool:
    match t:
        case TensorType(dtype, shape):
            return dtype is not None and shape is not None
        case ListType():
            return _is_known(t.element)
        case TupleType():
            return all(map(_is_known, t.elements))
        case _:
            return True


def _declared(ev: Evaluator, t: ScriptType) -> ScriptType:
    """What the declared type of an element says; an error where such elements cannot be at run time."""
    match t:
        case TensorType():
            return TENSOR
        case ListType():
            return ListType(_declared(ev, t.element))
        case TupleType():
            return TupleType(tuple(_declared(ev, e) for e in t.elements))
        case _ if t in _NUMBERS:
            return t
        case _:
            raise ev.not_static(f"the length of a list of elements of type {t.annotation}", help=_HELP)


def element_type(ev: Evaluator, value: Abstract, declared: ScriptType) -> ScriptType:
    """The type of an element. `declared` tells an int that stands for a float."""
    match value:
        case Tensor():
            return ev.tensor_type(value)
        case Tuple() if isinstance(declared, TupleType):
            return TupleType(tuple(element_type(ev, v, d) for v, d in zip(value.elements, declared.elements)))
        case Ref() if value.kind == "list" and isinstance(declared, ListType):
            own = handle(ev, value)
            return ListType(element_of(own)) if own is not None else ListType(contents_type(ev, value))
        case Known() | Scalar() if declared in _NUMBERS:
            return declared
        case Variant():
            return joined(ev, [element_type(ev, v, declared) for v in (value.then, value.otherwise)], declared)
        case _:
            raise ev.not_static("what kind of element this list has", help=_HELP)


def joined(ev: Evaluator, types: Sequence[ScriptType], declared: ScriptType) -> ScriptType:
    result = declared
    for t in types:
        found = join(result, t)
        if found is None:
            raise ev.not_static("the dtype or number of dimensions of the tensors in this list", help=_HELP)
        result = found
    return result


def contents_type(ev: Evaluator, ref: Ref, contents: Any = None) -> ScriptType:
    """The type of the elements of a list, as far as it is known."""
    if not isinstance(ref.type, ListType):
        raise ev.not_static("the length of this list")
    declared = _declared(ev, ref.type.element)
    contents = ev.heap.get(ref) if contents is None else contents
    own = handle_in(contents)
    if own is not None:
        return element_of(own)
    return joined(ev, [element_type(ev, v, declared) for v in _values(contents)], declared)


def _values(contents: Any) -> list[Abstract]:
    if isinstance(contents, VariantContents):
        return [*_values(contents.then), *_values(contents.otherwise)]
    return list(cast("Mapping[Any, Abstract]", contents).values()) if isinstance(contents, Mapping) else []


# promotion


def promote(ev: Evaluator, ref: Ref, element: ScriptType | None = None) -> Value:
    """Makes the list one of run-time length, here; `element`: what else its elements have to be."""
    own = handle(ev, ref)
    if own is not None:
        return own
    found = contents_type(ev, ref)
    t = found if element is None else joined(ev, [found], element)
    if ev.generous_lists:
        t = general(t)
    if not _is_known(t):
        raise ev.not_static("the dtype and number of dimensions of the tensors in this list")
    value = _made(ev, ref, t)
    ev.heap[ref] = {HANDLE: Scalar(value)}
    return value


def _made(ev: Evaluator, ref: Ref, t: ScriptType) -> Value:
    contents = ev.heap[ref]
    if isinstance(contents, VariantContents):
        contents = decided_contents(ev, contents, ev.assumed)
    if not isinstance(contents, VariantContents):
        return ev.emit("aten::list.t", (construct(ev, ref, t),), (ListType(t),)).result

    def side() -> list[Abstract]:
        return [Scalar(_made(ev, ref, t))]

    return cast(Scalar, fork(ev, Scalar(contents.selector), side, side)[0]).value


def one_of(ev: Evaluator, value: Variant) -> Ref:
    """The list that a Variant of lists is, as one run-time list."""
    refs = [cast(Ref, v) for v in leaves(value)]
    t = joined(ev, [contents_type(ev, r) for r in refs], contents_type(ev, refs[0]))

    def side(of: Abstract) -> Callable[[], list[Abstract]]:
        return lambda: [pick(of)]

    def pick(of: Abstract) -> Abstract:
        if isinstance(of, Variant):
            return fork(ev, Scalar(of.selector), side(of.then), side(of.otherwise))[0]
        return Scalar(promote(ev, cast(Ref, of), t))

    return ev.new_ref("list", refs[0].type, {HANDLE: pick(value)})


def construct(ev: Evaluator, ref: Ref, t: ScriptType) -> Value:
    """The elements of a list of known length as an operand."""
    elements = [element(ev, v, t) for v in ev.elements(ref)]
    return ev.emit("prim::ListConstruct", elements, (ListType(t),)).result


def element(ev: Evaluator, value: Abstract, t: ScriptType) -> Value:
    """A value as an element of that type."""
    match value:
        case Known(number) if t == FLOAT and isinstance(number, int):
            return ev.pool.number(float(number), FLOAT)
        case Known() | Scalar() if type_of(value) == t and t in _NUMBERS:
            return ev.materialise(value)
        case Tensor() if isinstance(t, TensorType):
            if join(t, ev.tensor_type(value)) != t:
                raise _mismatch(ev, "the shape of the tensors in this list", join(t, ev.tensor_type(value)) is None)
            return ev.materialise(value)
        case Tuple() if isinstance(t, TupleType) and len(t.elements) == len(value.elements):
            parts = [element(ev, v, e) for v, e in zip(value.elements, t.elements)]
            return ev.emit("prim::TupleConstruct", parts, (t,)).result
        case Ref() if value.kind == "list" and isinstance(t, ListType):
            own = promote(ev, value, t.element)
            if own.type != t:
                raise _mismatch(ev, "the kind of the elements of this list", join(t, cast(ListType, own.type)) is None)
            return own
        case Variant():

            def side(of: Abstract) -> Callable[[], list[Abstract]]:
                return lambda: [Scalar(element(ev, of, t))]

            chosen = fork(ev, Scalar(value.selector), side(value.then), side(value.otherwise))[0]
            return cast(Scalar, chosen).value
        case _:
            raise ev.not_static("what kind of element this list has", help=_HELP)


def _mismatch(ev: Evaluator, what: str, hopeless: bool) -> Exception:
    if hopeless:
        return ev.not_static("the dtype or number of dimensions of the tensors in this list", help=_HELP)
    return ev.error(f"{what} is only known at run time", kind=ElementMismatch)


def read(ev: Evaluator, value: Value, t: ScriptType) -> Abstract:
    """An element that a node gave, as an abstract value."""
    match t:
        case TensorType():
            return Tensor(value)
        case ListType():
            return ev.new_ref("list", t, {HANDLE: Scalar(value)})
        case TupleType():
            parts = ev.emit("prim::TupleUnpack", (value,), t.elements).results
            return Tuple(tuple(read(ev, p, e) for p, e in zip(parts, t.elements)))
        case _:
            return Scalar(value)


def generated(ev: Evaluator, count: Abstract, declared: ScriptType, make: Callable[[Scalar], Abstract]) -> Ref:
    """A run-time list of `make(0)` to `make(count - 1)`."""
    block = Block([INT])
    always = ev.pool.number(True, BOOL)
    saved = ev.assumed, ev.computed
    ev.computed = ev.computed.new_child()
    ev.conditional += 1
    try:
        with ev.b.inside(block):
            item = make(Scalar(block.args[0]))
            t = element_type(ev, item, declared)
            made = element(ev, item, t)
    finally:
        ev.conditional -= 1
        ev.assumed, ev.computed = saved
    target = _new(ev, t)
    with ev.b.inside(block):
        _appended(ev, target, made)
        torch.yield_(ev.b, [always])
    trips = (ev.materialise(count), always)
    ev.b.insert(Operation("prim::Loop", trips, (), regions=[Region([block])], span=ev.span))
    return ev.new_ref("list", ListType(declared), {HANDLE: Scalar(target)})


# results


@dataclass(frozen=True)
class OfLists:
    lengths: Value
    elements: Columns


@dataclass(frozen=True)
class OfTensors:
    elements: Value
    extents: Value
    rank: int


Columns = Value | tuple[Any, ...] | OfLists | OfTensors
"""The elements of a list in vectors: of numbers, and of tuples, lists and tensors of these."""


def is_of_numbers(value: Value) -> bool:
    return element_of(value) in _NUMBERS


def columns(ev: Evaluator, value: Value) -> tuple[Value, Columns]:
    """The length of a list, and its elements as vectors."""
    t = element_of(value)
    length = ev.emit("aten::len.t", (value,), (INT,)).result
    if t in _NUMBERS:
        return length, _vector(ev, value)
    gathered = _gathering(ev, t)
    _each(ev, value, lambda item: _gather(ev, item, t, gathered))
    return length, _finished(ev, gathered)


def _new(ev: Evaluator, t: ScriptType, elements: Sequence[Value] = ()) -> Value:
    operand = ev.emit("prim::ListConstruct", elements, (ListType(t),)).result
    return ev.emit("aten::list.t", (operand,), (ListType(t),)).result


def _gathering(ev: Evaluator, t: ScriptType) -> Columns:
    """The same with lists in place of vectors, empty."""
    match t:
        case TupleType():
            return tuple(_gathering(ev, e) for e in t.elements)
        case ListType():
            return OfLists(_new(ev, INT), _gathering(ev, t.element))
        case TensorType(dtype):
            assert dtype is not None
            # an empty vector first, so that there is always something to concatenate
            nothing = Constant(ev.literal_name(), np.zeros(0, dtype.numpy))
            first = ev.pool.tensor(nothing, dtype)
            return OfTensors(_new(ev, TensorType(dtype, (None,)), (first,)), _new(ev, INT), t.rank)
        case _:
            return _new(ev, t)


def _each(ev: Evaluator, value: Value, visit: Callable[[Value], None]) -> None:
    """Writes a loop over the elements."""
    length = ev.emit("aten::len.t", (value,), (INT,)).result
    block = Block([INT])
    always = ev.pool.number(True, BOOL)
    with ev.b.inside(block):
        visit(ev.emit("aten::__getitem__.t", (value, block.args[0]), (element_of(value),)).result)
        torch.yield_(ev.b, [always])
    ev.b.insert(Operation("prim::Loop", (length, always), (), regions=[Region([block])], span=ev.span))


def _gather(ev: Evaluator, item: Value, t: ScriptType, into: Columns) -> None:
    match into:
        case tuple():
            types = cast(TupleType, t).elements
            for part, e, column in zip(ev.emit("prim::TupleUnpack", (item,), types).results, types, into):
                _gather(ev, part, e, column)
        case OfLists():
            _appended(ev, into.lengths, ev.emit("aten::len.t", (item,), (INT,)).result)
            inner = cast(ListType, t).element
            _each(ev, item, lambda element: _gather(ev, element, inner, into.elements))
        case OfTensors():
            whole = cast(TensorType, t)
            minus = ev.emit("prim::ListConstruct", (ev.pool.number(-1, INT),), (ListType(INT),)).result
            _appended(ev, into.elements, ev.emit("aten::reshape", (item, minus), (TensorType(whole.dtype, (None,)),)).result)
            for extent in ev.shape(Tensor(item)):
                _appended(ev, into.extents, ev.materialise(extent))
        case _:
            _appended(ev, into, item)


def _appended(ev: Evaluator, target: Value, value: Value) -> None:
    ev.emit("aten::append.t", (target, value), (cast(ListType, target.type),))


def _vector(ev: Evaluator, value: Value) -> Value:
    t = element_of(value)
    dtype = DType.float64 if t == FLOAT else DType.bool if t == BOOL else DType.int64
    none = ev.pool.number(None, NONE)
    operands = (value, ev.pool.number(int(dtype), INT), none, ev.pool.number(False, BOOL))
    return ev.emit("aten::tensor", operands, (TensorType(dtype, (None,)),)).result


def _finished(ev: Evaluator, gathered: Columns) -> Columns:
    match gathered:
        case tuple():
            return tuple(_finished(ev, c) for c in gathered)
        case OfLists():
            return OfLists(_vector(ev, gathered.lengths), _finished(ev, gathered.elements))
        case OfTensors():
            t = element_of(gathered.elements)
            whole = ev.emit("aten::cat", (gathered.elements, ev.pool.number(0, INT)), (t,)).result
            return OfTensors(whole, _vector(ev, gathered.extents), gathered.rank)
        case _:
            return _vector(ev, gathered)


# builtins


def apply(ev: Evaluator, name: str, arguments: list[Abstract]) -> Results | None:
    """Results of a builtin or operator that takes a list of run-time length; None where none is given."""
    if not any(isinstance(a, Ref) for a in arguments):
        return None
    base, _ = split_name(name)
    places = arguments[:2] if base in _OF_TWO_LISTS else arguments[:1]
    given = next((h for h in (handle(ev, a) for a in places) if h is not None), None)
    if given is None:
        return None
    rule = _RULES.get(base)
    if rule is None:
        return None
    return rule(_Call(ev, _full_name(name, arguments), arguments, element_of(given)))


def unpack(ev: Evaluator, value: Value, count: int) -> Results:
    t = element_of(value)
    return [read(ev, r, t) for r in ev.emit("prim::ListUnpack", (value,), (t,) * count).results]


def promoted(ev: Evaluator, name: str, arguments: list[Abstract]) -> Results | None:
    """What a builtin gives when its list is promoted first; None where that is not the way."""
    first = arguments[0] if arguments else None
    if ev.static_lists or not isinstance(first, Ref) or first.kind != "list" or split_name(name)[0] not in _RULES:
        return None
    if not isinstance(ev.heap.get(first), Mapping):
        return None
    if any(isinstance(a, Variant) for a in arguments):
        return None
    if name.startswith("aten::__getitem__") and cast(Scalar, arguments[1]).value in ev.choices:
        return None  # one of few constants: better written for each
    try:
        promote(ev, first)
    except NotStatic:
        return None
    return apply(ev, name, arguments)


def _full_name(name: str, arguments: Sequence[Abstract]) -> str:
    if schema(name) is not None:
        return name
    return resolve_exact(name, [type_of(a) for a in arguments]) or name


class _Call:
    """One builtin on a list whose elements are of type `t`."""

    def __init__(self, ev: Evaluator, name: str, arguments: list[Abstract], t: ScriptType) -> None:
        self.ev = ev
        self.name = name
        self.arguments = arguments
        self.t = t

    def element(self, index: int) -> Value:
        return element(self.ev, self.arguments[index], self.t)

    def list(self, index: int) -> Value:
        """A list argument that is only read."""
        argument = self.arguments[index]
        own = handle(self.ev, argument)
        if own is None:
            if isinstance(argument, Tuple):
                argument = self.ev.new_list(argument.elements, ListType(self.t))
            return construct(self.ev, cast(Ref, argument), self.t)
        if own.type != ListType(self.t):
            raise _mismatch(self.ev, "the kind of the elements of this list", join(self.t, element_of(own)) is None)
        return own

    def changed(self) -> Value:
        """The first argument, which is changed."""
        ref = cast(Ref, self.arguments[0])
        before_change(self.ev, ref)
        if ref.is_outer:
            raise self.ev.error(
                "a list attribute of the module whose length is only known at run time cannot be changed",
                help="return the new list as a result",
            )
        own = promote(self.ev, ref, self.t)
        if element_of(own) != self.t:
            raise _mismatch(self.ev, "the kind of the elements of this list", join(self.t, element_of(own)) is None)
        return own

    def rest(self, first: int) -> list[Value]:
        return [self.ev.materialise(a) for a in self.arguments[first:]]

    def emit(self, operands: Sequence[Value], *types: ScriptType) -> list[Value]:
        form = schema(self.name)
        missing = form.arguments[len(operands) :] if form is not None else ()
        defaults = [self.ev.materialise(self.ev.import_value(a.default, a.type)) for a in missing]
        return list(self.ev.emit(self.name, [*operands, *defaults], types).results)


def _append(call: _Call) -> Results:
    target = call.changed()
    call.emit((target, call.element(1)), ListType(call.t))
    return (call.arguments[0],)


def _set(call: _Call) -> Results:
    target = call.changed()
    index = call.ev.materialise(call.arguments[1])
    call.emit((target, index, call.element(2)), ListType(call.t))
    return (call.arguments[0],)


def _insert(call: _Call) -> Results:
    target = call.changed()
    call.emit((target, call.ev.materialise(call.arguments[1]), call.element(2)))
    return ()


def _extend(call: _Call) -> Results:
    target = call.changed()
    call.emit((target, call.list(1)))
    return ()


def _extended(call: _Call) -> Results:
    target = call.changed()
    call.emit((target, call.list(1)), ListType(call.t))
    return (call.arguments[0],)


def _repeated_in_place(call: _Call) -> Results:
    call.emit((call.changed(), *call.rest(1)), ListType(call.t))
    return (call.arguments[0],)


def _pop(call: _Call) -> Results:
    (value,) = call.emit((call.changed(), *call.rest(1)), call.t)
    return (read(call.ev, value, call.t),)


def _change(call: _Call) -> Results:
    """`clear`, `reverse`, `sort`, `del l[i]`."""
    call.emit((call.changed(), *call.rest(1)))
    return ()


def _get(call: _Call) -> Results:
    (value,) = call.emit((call.list(0), *call.rest(1)), call.t)
    return (read(call.ev, value, call.t),)


def _length(call: _Call) -> Results:
    return (Scalar(call.emit((call.list(0),), INT)[0]),)


def _list(call: _Call) -> Results:
    """A new list of the same elements: `slice`, `copy`, `list`."""
    if len(call.arguments) > 3 and not isinstance(call.arguments[3], Known):
        raise call.ev.not_static("the step of this slice")
    if len(call.arguments) > 3 and cast(Known, call.arguments[3]).value == 0:
        raise call.ev.operator_error("slice step cannot be zero")
    (value,) = call.emit((call.list(0), *call.rest(1)), ListType(call.t))
    return (read(call.ev, value, ListType(call.t)),)


def _concatenate(call: _Call) -> Results:
    (value,) = call.emit((call.list(0), call.list(1)), ListType(call.t))
    return (read(call.ev, value, ListType(call.t)),)


def _repeat(call: _Call) -> Results:
    ev = call.ev
    operands = [call.list(i) if isinstance(a, Ref) else ev.materialise(a) for i, a in enumerate(call.arguments)]
    (value,) = call.emit(operands, ListType(call.t))
    return (read(ev, value, ListType(call.t)),)


def _comparable(call: _Call) -> None:
    def contains_tensor(t: ScriptType) -> bool:
        parts = t.elements if isinstance(t, TupleType) else (t.element,) if isinstance(t, ListType) else ()
        return isinstance(t, TensorType) or any(map(contains_tensor, parts))

    if contains_tensor(call.t):
        raise call.ev.not_static("whether these lists of tensors are equal")


def _equal(call: _Call) -> Results:
    _comparable(call)
    return (Scalar(call.emit((call.list(0), call.list(1)), BOOL)[0]),)


def _searched(result: ScriptType) -> Callable[[_Call], Results]:
    def search(call: _Call) -> Results:
        _comparable(call)
        return (Scalar(call.emit((call.list(0), call.element(1)), result)[0]),)

    return search


def _remove(call: _Call) -> Results:
    _comparable(call)
    call.emit((call.changed(), call.element(1)))
    return ()


def _reduced(call: _Call) -> Results:
    if len(call.arguments) > 1 or call.t not in _NUMBERS:
        raise call.ev.not_static("the length of this list")
    result = call.t
    if split_name(call.name)[0] == "aten::sum" and call.t == BOOL:
        result = INT
    return (Scalar(call.emit((call.list(0),), result)[0]),)


def _tested(call: _Call) -> Results:
    if call.t not in _NUMBERS:
        raise call.ev.not_static("the length of this list")
    return (Scalar(call.emit((call.list(0),), BOOL)[0]),)


def _tensors(call: _Call) -> tuple[TensorType, int]:
    t = call.t
    if not isinstance(t, TensorType):
        raise call.ev.not_static("the length of this list")
    dim = call.arguments[1] if len(call.arguments) > 1 else known(0)
    if not isinstance(dim, Known):
        raise call.ev.not_static("the dimension")
    return t, cast(int, dim.value)


def _wrapped(ev: Evaluator, dim: int, rank: int) -> int:
    if not -rank <= dim < rank:
        low, high = -rank, rank - 1
        raise ev.operator_error(
            f"Dimension out of range (expected to be in range of [{low}, {high}], but got {dim})"
        )
    return dim % rank


def _stack(call: _Call) -> Results:
    t, dim = _tensors(call)
    shape = cast("tuple[int | None, ...]", t.shape)
    axis = _wrapped(call.ev, dim, len(shape) + 1)
    result = TensorType(t.dtype, (*shape[:axis], None, *shape[axis:]))
    return (Tensor(call.emit((call.list(0), call.ev.pool.number(axis, INT)), result)[0]),)


def _cat(call: _Call) -> Results:
    t, dim = _tensors(call)
    shape = cast("tuple[int | None, ...]", t.shape)
    if not shape:
        raise call.ev.operator_error("zero-dimensional tensor (at position 0) cannot be concatenated")
    axis = _wrapped(call.ev, dim, len(shape))
    result = TensorType(t.dtype, (*shape[:axis], None, *shape[axis + 1 :]))
    return (Tensor(call.emit((call.list(0), call.ev.pool.number(axis, INT)), result)[0]),)


def _tensor(call: _Call) -> Results:
    number, rank = call.t, 1
    while isinstance(number, ListType):
        number, rank = number.element, rank + 1
    if number not in _NUMBERS:
        raise call.ev.not_static("the length of this list")
    dtype = call.arguments[1] if len(call.arguments) > 1 else known(None)
    if not isinstance(dtype, Known):
        raise call.ev.not_static("the dtype")
    own = DType.float32 if number == FLOAT else DType.bool if number == BOOL else DType.int64
    chosen = own if dtype.value is None else DType(cast(int, dtype.value))
    data = call.list(0)
    call.name = "aten::tensor"
    _has_rank(call.ev, data, rank)
    return (Tensor(call.emit((data, *call.rest(1)), TensorType(chosen, (None,) * rank))[0]),)


def _has_rank(ev: Evaluator, data: Value, rank: int) -> None:
    """An empty list of lists would be a tensor of one dimension in PyTorch: here that is an error when it happens."""
    if rank == 1:
        return

    def fail() -> list[Abstract]:
        raise ev.emit_raise([f"torch.tensor of an empty list has 1 dimension: not supported where {rank} are expected"])

    def inner() -> list[Abstract]:
        first = ev.emit("aten::__getitem__.t", (data, zero), (element_of(data),)).result
        _has_rank(ev, first, rank - 1)
        return []

    zero = ev.pool.number(0, INT)
    length = ev.emit("aten::len.t", (data,), (INT,)).result
    empty = ev.emit("aten::eq.int", (length, zero), (BOOL,)).result
    fork(ev, Scalar(empty), fail, inner)


_OF_TWO_LISTS: Final = frozenset(
    ("aten::add", "aten::add_", "aten::extend", "aten::eq", "aten::ne", "aten::mul", "prim::min", "prim::max")
)

_RULES: Final[dict[str, Callable[[_Call], Results]]] = {
    "aten::len": _length,
    "aten::__getitem__": _get,
    "aten::_set_item": _set,
    "aten::append": _append,
    "aten::extend": _extend,
    "aten::add_": _extended,
    "aten::insert": _insert,
    "aten::pop": _pop,
    "aten::Delete": _change,
    "aten::clear": _change,
    "aten::reverse": _change,
    "aten::copy": _list,
    "aten::list": _list,
    "aten::slice": _list,
    "aten::add": _concatenate,
    "aten::mul": _repeat,
    "aten::mul_": _repeated_in_place,
    "aten::eq": _equal,
    "aten::ne": _equal,
    "aten::__contains__": _searched(BOOL),
    "aten::index": _searched(INT),
    "aten::count": _searched(INT),
    "aten::remove": _remove,
    "aten::sort": _change,
    "aten::sorted": _list,
    "aten::sum": _reduced,
    "prim::max": _reduced,
    "prim::min": _reduced,
    "aten::any": _tested,
    "aten::all": _tested,
    "aten::stack": _stack,
    "aten::cat": _cat,
    "aten::tensor": _tensor,
    "aten::as_tensor": _tensor,
}
