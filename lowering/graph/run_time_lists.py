"""Lists whose length is known at run time only: builtins on them are written, not evaluated.

A list starts as a list of abstract values (`containers.py`). Where that cannot go on (a loop that appends, an index
known at run time into tensors) it is *promoted*: made anew at run time by `aten::list`, and its contents in the heap
become `{HANDLE: Scalar(value)}`. All names of the list go on meaning the same one. Elements are ints, floats, bools,
tensors of one dtype and rank, and lists and tuples of these; the type of the value says which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, cast

from ...ir.core import Block, Operation, Region, Value
from ...ir.diagnostics import NotStatic
from ...ir.dialects import torch
from ...ir.dtypes import DType
from ...ir.operators import resolve_exact, schema, split_name
from ...ir.script_types import BOOL, COMPLEX, FLOAT, INT, ListType, ScriptType, TensorType
from . import run_time_tables, run_time_values
from .branches import fork
from .run_time_types import NUMBERS, holds_tensors, join
from .values import HANDLE, Abstract, Contents, Known, Ref, Scalar, Tensor, Tuple, Variant, known, type_of

if TYPE_CHECKING:
    from .evaluator import Evaluator

Results = Sequence[Abstract]


def element_of(value: Value) -> ScriptType:
    return cast(ListType, value.type).element


def type_of_contents(ev: Evaluator, contents: Contents, declared: ListType) -> ScriptType:
    """The type of a list of these elements."""
    types = [run_time_values.element_type(ev, v, declared.element) for v in contents.values()]
    return ListType(run_time_values.joined(ev, types, declared.element))


def made(ev: Evaluator, contents: Contents, t: ListType) -> Value:
    """Makes a list of these elements."""
    elements = list(contents.values())
    if run_time_tables.is_table(elements, t.element):
        at = run_time_tables.column(ev, elements, t.element)
        target = empty(ev, t.element)
        run_time_tables.for_each(ev, len(elements), lambda i: appended(ev, target, at(i)))
        return target
    return ev.emit("aten::list.t", (_constructed(ev, list(contents.values()), t.element),), (t,)).result


def construct(ev: Evaluator, ref: Ref, t: ScriptType) -> Value:
    """The elements of a list of known length as an operand."""
    return _constructed(ev, ev.elements(ref), t)


def _constructed(ev: Evaluator, elements: Sequence[Abstract], t: ScriptType) -> Value:
    return ev.emit("prim::ListConstruct", [run_time_values.element(ev, v, t) for v in elements], (ListType(t),)).result


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
            t = run_time_values.element_type(ev, item, declared)
            value = run_time_values.element(ev, item, t)
    finally:
        ev.conditional -= 1
        ev.assumed, ev.computed = saved
    target = empty(ev, t)
    with ev.b.inside(block):
        appended(ev, target, value)
        torch.yield_(ev.b, [always])
    trips = (ev.materialise(count), always)
    ev.b.insert(Operation("prim::Loop", trips, (), regions=[Region([block])], span=ev.span))
    return ev.new_ref("list", ListType(declared), {HANDLE: Scalar(target)})


def empty(ev: Evaluator, t: ScriptType, elements: Sequence[Value] = ()) -> Value:
    """A new list of elements of that type."""
    operand = ev.emit("prim::ListConstruct", elements, (ListType(t),)).result
    return ev.emit("aten::list.t", (operand,), (ListType(t),)).result


def appended(ev: Evaluator, target: Value, value: Value) -> None:
    ev.emit("aten::append.t", (target, value), (cast(ListType, target.type),))


# builtins


def apply(ev: Evaluator, name: str, arguments: list[Abstract]) -> Results | None:
    """Results of a builtin or operator that takes a list of run-time length; None where none is given."""
    if not any(isinstance(a, Ref) for a in arguments):
        return None
    base, _ = split_name(name)
    places = arguments[:2] if base in _OF_TWO_LISTS else arguments[:1]
    given = next((h for h in (run_time_values.handle(ev, a) for a in places) if h is not None and isinstance(h.type, ListType)), None)
    if given is None:
        return None
    rule = _RULES.get(base)
    if rule is None:
        return None
    return rule(_Call(ev, _full_name(name, arguments), arguments, element_of(given)))


def unpack(ev: Evaluator, value: Value, count: int) -> Results:
    t = element_of(value)
    return [run_time_values.read(ev, r, t) for r in ev.emit("prim::ListUnpack", (value,), (t,) * count).results]


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
        run_time_values.promote(ev, first)
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
        return run_time_values.element(self.ev, self.arguments[index], self.t)

    def stored(self, index: int) -> Value:
        """An argument that becomes an element of the first one."""
        return run_time_values.stored(self.ev, cast(Ref, self.arguments[0]), self.arguments[index], self.t, ListType)

    def read(self, value: Value) -> Abstract:
        """An element of the first argument."""
        return run_time_values.read(self.ev, value, self.t, cast(Ref, self.arguments[0]), ListType)

    def list(self, index: int) -> Value:
        """A list argument that is only read."""
        argument = self.arguments[index]
        own = run_time_values.handle(self.ev, argument)
        if own is None:
            if isinstance(argument, Tuple):
                argument = self.ev.new_list(argument.elements, ListType(self.t))
            return construct(self.ev, cast(Ref, argument), self.t)
        if own.type != ListType(self.t):
            raise run_time_values.mismatch(self.ev, "the kind of the elements of this list", join(self.t, element_of(own)) is None)
        return own

    def changed(self) -> Value:
        """The first argument, which is changed."""
        ref = cast(Ref, self.arguments[0])
        run_time_values.before_change(self.ev, ref)
        if ref.is_outer:
            self.ev.state.change(ref)
            raise self.ev.error(
                "a list attribute of the module whose length is only known at run time cannot be changed",
                help="return the new list as a result",
            )
        own = run_time_values.promote(self.ev, ref, ListType(self.t))
        if element_of(own) != self.t:
            raise run_time_values.mismatch(self.ev, "the kind of the elements of this list", join(self.t, element_of(own)) is None)
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
    call.emit((target, call.stored(1)), ListType(call.t))
    return (call.arguments[0],)


def _set(call: _Call) -> Results:
    target = call.changed()
    index = call.ev.materialise(call.arguments[1])
    call.emit((target, index, call.stored(2)), ListType(call.t))
    return (call.arguments[0],)


def _insert(call: _Call) -> Results:
    target = call.changed()
    call.emit((target, call.ev.materialise(call.arguments[1]), call.stored(2)))
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
    return (call.read(value),)


def _change(call: _Call) -> Results:
    """`clear`, `reverse`, `sort`, `del l[i]`."""
    call.emit((call.changed(), *call.rest(1)))
    return ()


def _get(call: _Call) -> Results:
    (value,) = call.emit((call.list(0), *call.rest(1)), call.t)
    return (call.read(value),)


def _length(call: _Call) -> Results:
    return (Scalar(call.emit((call.list(0),), INT)[0]),)


def _list(call: _Call) -> Results:
    """A new list of the same elements: `slice`, `copy`, `list`."""
    if len(call.arguments) > 3 and not isinstance(call.arguments[3], Known):
        raise call.ev.not_static("the step of this slice")
    if len(call.arguments) > 3 and cast(Known, call.arguments[3]).value == 0:
        raise call.ev.operator_error("slice step cannot be zero")
    (value,) = call.emit((call.list(0), *call.rest(1)), ListType(call.t))
    return (run_time_values.read(call.ev, value, ListType(call.t)),)


def _concatenate(call: _Call) -> Results:
    (value,) = call.emit((call.list(0), call.list(1)), ListType(call.t))
    return (run_time_values.read(call.ev, value, ListType(call.t)),)


def _repeat(call: _Call) -> Results:
    ev = call.ev
    operands = [call.list(i) if isinstance(a, Ref) else ev.materialise(a) for i, a in enumerate(call.arguments)]
    (value,) = call.emit(operands, ListType(call.t))
    return (run_time_values.read(ev, value, ListType(call.t)),)


def _comparable(call: _Call) -> None:
    if holds_tensors(call.t):
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
    is_sum = split_name(call.name)[0] == "aten::sum"
    if len(call.arguments) > 1 or (call.t not in NUMBERS and not (is_sum and call.t == COMPLEX)):
        raise call.ev.not_static("the length of this list")
    if call.t == COMPLEX:
        return (run_time_values.read(call.ev, call.emit((call.list(0),), COMPLEX)[0], COMPLEX),)
    result = call.t
    if is_sum and call.t == BOOL:
        result = INT
    return (Scalar(call.emit((call.list(0),), result)[0]),)


def _tested(call: _Call) -> Results:
    if call.t not in NUMBERS:
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
    if number not in NUMBERS:
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
