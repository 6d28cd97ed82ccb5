"""In-place and `out=` forms of operators: the functional operator, and a copy into the tensor.

After this, the only operator that writes to a tensor is `aten::copy_`, from a tensor of the same dtype and shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from ...ir.core import Operation, Value
from ...ir.dialects import torch
from ...ir.dtypes import DType
from ...ir.operators import find, schema, split_name
from ...ir.schema import Schema
from ...ir.script_types import BOOL, INT, ListType
from . import calls, memory, out_dtypes, overlaps, random_order, resizing
from .values import HANDLE, NONE_VALUE, Abstract, Known, Ref, Tensor, Undecided, Variant, known

if TYPE_CHECKING:
    from .evaluator import Evaluator

Results = Sequence[Abstract]

def in_place(ev: Evaluator, form: Schema, derived: tuple[str, tuple[str, ...]], arguments: list[Abstract]) -> Results:
    functional, written = derived
    at = form.index(written[0])
    assert at is not None
    if at != 0 or form.arguments[0].keyword_only:
        return _to_out(ev, form, derived, arguments)
    target = arguments[at]
    if isinstance(target, Known) and target.value is None:
        return calls.apply(ev, functional, arguments)
    assert isinstance(target, Tensor)
    base, _ = split_name(functional)
    if base in resizing.RESIZING:
        return (resizing.resize(ev, base, arguments),)
    if base in _OF_MEMORY:
        name = form.base.removeprefix("aten::")
        raise ev.error(f"{name}() changes what memory a tensor has, which is not supported", help="make a new tensor")
    inputs = list(_tensors(ev, arguments[1:]))
    if base not in _METADATA | _ANY_INPUTS | {"aten::copy"}:
        overlaps.check(ev, ev.current(target).value, inputs)
    if base in _METADATA:
        check_own(ev, target)
        value = _functional(ev, functional, arguments)
        if isinstance(value, Variant):
            raise Undecided(value.selector)
        ev.heap[target.value] = {0: ev.current(cast(Tensor, value))}
        return (target,)
    if base in random_order.DRAWING:
        value = random_order.drawn(ev, arguments, lambda given: _functional(ev, functional, given))
    else:
        value = _functional(ev, functional, arguments)
    assert isinstance(value, Tensor)
    if base == "aten::copy":  # whose shapes are looked at first
        overlaps.check(ev, ev.current(target).value, inputs)
    if base not in _CONVERTING:
        _check_category(ev, target, value)
    keeps_shape = base in _OF_SHAPE_OF_SELF or not any(_has_dimensions(ev, a) for a in arguments[1:])
    store(ev, target, value, keeps_shape=keeps_shape)
    return (target,)


def _to_out(ev: Evaluator, form: Schema, derived: tuple[str, tuple[str, ...]], arguments: list[Abstract]) -> Results:
    """`out=`: the results of the functional operator into the tensors, which get their shapes."""
    functional, written = derived
    places = [i for i, a in enumerate(form.arguments) if a.name in written]
    targets = [arguments[i] for i in places]
    others = _without_out(ev, form, functional, arguments)
    if any(isinstance(t, Known) for t in targets):  # None
        return calls.apply(ev, functional, others)
    if split_name(functional)[0] not in _ANY_INPUTS:
        inputs = list(_tensors(ev, others))
        for target in targets:
            overlaps.check(ev, ev.current(cast(Tensor, target)).value, inputs)
    values = calls.apply(ev, functional, others) if calls.exists(ev, functional) else [_functional(ev, functional, others)]
    for target, value in zip(targets, values, strict=True):
        assert isinstance(target, Tensor)
        if isinstance(value, Variant):
            raise Undecided(value.selector)
        assert isinstance(value, Tensor)
        refused = out_dtypes.refusal(functional, dtype_of(ev, value), dtype_of(ev, target))
        if refused is not None:
            raise ev.operator_error(refused)
        _shape_like(ev, target, value)
        store(ev, target, value)
    return targets


def _without_out(ev: Evaluator, form: Schema, functional: str, arguments: list[Abstract]) -> list[Abstract]:
    """What the functional operator takes: it makes tensors of the dtype of `out`."""
    own = schema(functional)
    assert own is not None
    given = {a.name: v for a, v in zip(form.arguments, arguments)}
    written = next((v for a, v in zip(form.arguments, arguments) if a.is_written and isinstance(v, Tensor)), None)
    if written is not None:
        own_dtype = known(int(dtype_of(ev, written)))
        wanted = given.get("dtype")
        if out_dtypes.computes_in_its_dtype(functional) and isinstance(wanted, Known) and wanted.value is None:
            given["dtype"] = own_dtype
        given.setdefault("dtype", own_dtype)
    return [given.get(a.name, NONE_VALUE) for a in own.arguments]


def _check_category(ev: Evaluator, target: Tensor, value: Tensor) -> None:
    own, new = (dtype_of(ev, t) for t in (target, value))
    if new.category > own.category:
        raise ev.operator_error(
            f"result type {new.graph_name} can't be cast to the desired output type {own.graph_name}"
        )


def dtype_of(ev: Evaluator, tensor: Tensor) -> DType:
    return cast(DType, ev.tensor_type(tensor).dtype)


def _shape_like(ev: Evaluator, target: Tensor, value: Tensor) -> None:
    """An `out=` tensor of another shape gets that of the result; where that shows at run time only, it has to have it."""
    own, new = ev.tensor_type(target).shape, ev.tensor_type(value).shape
    assert own is not None and new is not None
    if len(own) != len(new) or 0 in own or any(m is not None and n is not None and m != n for m, n in zip(own, new)):
        resizing.shape_to(ev, target, ev.shape(value), keeps=False)
        return
    for wanted, found, known_ in zip(ev.shape(value), ev.shape(target), zip(own, new)):
        if None in known_:
            message = "an out= tensor of another shape than the result's has to have no elements"
            calls.require(ev, calls.single(ev, "aten::eq.int", [wanted, found]), [message])


def check_own(ev: Evaluator, target: Tensor) -> None:
    """An error where another name may mean the same tensor, which is only known at run time, and would see the change."""
    owner = target.value.defining_op()
    is_new = owner is not None and owner.name not in ("prim::If", "prim::Loop") and not memory.keeps(owner)
    if not is_new and target.value not in ev.looks:  # which has the parameters
        raise _shared_error(ev)
    looks = ev.looks.setdefault(target.value, {target.value})
    now = ev.current(target).value
    looks.add(now)
    if any(memory.keeps(user) and not user.name.endswith("Unpack") for value in looks for user in value.users):
        raise _shared_error(ev)
    for value in _forward(looks) - looks:
        if now not in _forward([value]):  # else what has become of the tensor itself
            raise _shared_error(ev)


def _forward(values: Iterable[Value]) -> set[Value]:
    """These, and what control flow makes of them."""
    seen = set(values)
    pending = list(seen)
    while pending:
        fresh = [v for user, index in pending.pop().uses for v in _merged_into(user, index) if v not in seen]
        seen.update(fresh)
        pending += fresh
    return seen


def _shared_error(ev: Evaluator) -> Exception:
    return ev.error(
        "whether this changes the shape of a tensor that has another name is only known at run time",
        help="use the operator that gives a new tensor, without the underscore",
    )


def _merged_into(user: Operation, index: int) -> list[Value]:
    """What control flow makes of an operand."""
    if user.name == "prim::Loop" and index >= 2:
        return [user.results[index - 2], user.body().args[index - 1]]
    parent = user.parent_op
    if user.name != torch.YIELD or parent is None:
        return []
    if parent.name == "prim::If":
        return [parent.results[index]]
    return [parent.results[index - 1], parent.body().args[index]] if index else []


_METADATA: Final = frozenset(
    [
        "aten::unsqueeze",
        "aten::squeeze",
        "aten::transpose",
        "aten::t",
        "aten::swapaxes",
        "aten::swapdims",
        "aten::permute",
        "aten::as_strided",
    ]
)
"""Operators whose in-place form changes how the tensor is looked at, not its elements."""

_CONVERTING: Final = frozenset(["aten::copy", "aten::fill", "aten::zero", "aten::index_put", "aten::_index_put_impl"])
"""Operators whose in-place form converts to the dtype of `self`, whatever it is."""

_OF_SHAPE_OF_SELF: Final = frozenset(
    [
        "aten::copy",
        "aten::fill",
        "aten::zero",
        "aten::index_put",
        "aten::_index_put_impl",
        "aten::masked_scatter",
        "aten::scatter",
        "aten::scatter_add",
        "aten::scatter_reduce",
        "aten::index_add",
        "aten::index_copy",
        "aten::index_fill",
        "aten::index_reduce",
        "aten::put",
        "aten::fill_diagonal",
        "aten::bernoulli",
        "aten::tril",
        "aten::triu",
        "aten::relu",
    ]
)
"""Operators whose result has the shape of `self`, whatever the other arguments are."""


_OF_MEMORY: Final = frozenset(f"aten::{name}" for name in ("set", "set_data", "resize_as_sparse"))

_ANY_INPUTS: Final = frozenset(
    f"aten::{name}" for name in ("addmm", "addmv", "addbmm", "baddbmm", "addr", "index_copy", "mm", "bmm", "matmul", "mv")
)
"""Operators that compute all of their result before they write it."""


def _tensors(ev: Evaluator, values: Sequence[Abstract]) -> Iterator[Value]:
    for value in values:
        if isinstance(value, Tensor):
            yield ev.current(value).value
        elif isinstance(value, Ref) and value.kind == "list" and isinstance(ev.heap.get(value), Mapping):
            if HANDLE not in ev.contents(value):
                yield from _tensors(ev, ev.elements(value))


def _has_dimensions(ev: Evaluator, value: Abstract) -> bool:
    match value:
        case Tensor():
            return ev.tensor_type(value).rank > 0
        case Ref() if value.kind == "list":
            return any(_has_dimensions(ev, e) for e in ev.elements(value))
        case _:
            return False


def _functional(ev: Evaluator, name: str, arguments: list[Abstract]) -> Abstract:
    """The functional operator, or what it means where it has no record."""
    if calls.exists(ev, name) or name not in _FUNCTIONAL:
        return calls.single(ev, name, arguments)
    return _FUNCTIONAL[name](ev, arguments)


def _copied(ev: Evaluator, arguments: list[Abstract]) -> Abstract:
    target, source = arguments[0], arguments[1]
    assert isinstance(target, Tensor) and isinstance(source, Tensor)
    return expanded_to(ev, cast_to(ev, source, cast(DType, ev.tensor_type(target).dtype)), target)


def _filled(ev: Evaluator, arguments: list[Abstract]) -> Abstract:
    options = [NONE_VALUE] * 5
    return calls.single(ev, "aten::full_like", [arguments[0], arguments[1], *options])


def _filled_with_tensor(ev: Evaluator, arguments: list[Abstract]) -> Abstract:
    return _copied(ev, arguments)


def _zeros(ev: Evaluator, arguments: list[Abstract]) -> Abstract:
    return calls.single(ev, "aten::zeros_like", [arguments[0], *[NONE_VALUE] * 5])


_FUNCTIONAL: Final[dict[str, Callable[[Any, list[Abstract]], Abstract]]] = {
    "aten::copy": _copied,
    "aten::copy.Tensor": _copied,
    "aten::copy.int": _filled,
    "aten::copy.float": _filled,
    "aten::fill.Scalar": _filled,
    "aten::fill.Tensor": _filled_with_tensor,
    "aten::zero": _zeros,
}

WITHOUT_RECORD: Final = frozenset(_FUNCTIONAL)
"""Functional operators of which only the in-place form is one in PyTorch."""


def cast_to(ev: Evaluator, value: Tensor, dtype: DType) -> Tensor:
    """The tensor in another dtype; itself if it has that already."""
    if ev.tensor_type(value).dtype is dtype:
        return value
    for name in ("aten::to.dtype", "aten::_to_copy"):
        form, record = schema(name), find(name)
        if form is not None and record is not None:
            named: dict[str, Abstract] = {"self": value, "dtype": known(int(dtype))}
            arguments = [named.get(a.name, ev.import_value(calls.default_value(a.default), a.type)) for a in form.arguments]
            return cast(Tensor, calls.recorded(ev, form, record, arguments)[0])
    raise ev.error("no operator converts dtypes")


def store(ev: Evaluator, target: Tensor, value: Tensor, *, keeps_shape: bool = False) -> None:
    """`target[...] = value`: converts to the dtype of `target`; the shape must broadcast to it."""
    new = cast_to(ev, value, cast(DType, ev.tensor_type(target).dtype))
    if not keeps_shape:
        new = expanded_to(ev, new, target)
    current = ev.current(target)
    operands = [current.value, ev.current(new).value, ev.pool.number(False, BOOL)]
    ev.emit("aten::copy_", operands, (ev.tensor_type(target),))


def expanded_to(ev: Evaluator, value: Tensor, target: Tensor) -> Tensor:
    own, new = ev.tensor_type(target), ev.tensor_type(value)
    assert own.shape is not None and new.shape is not None
    if own.shape == new.shape and None not in own.shape:
        return value
    padded = (1,) * (len(own.shape) - len(new.shape)) + new.shape
    if len(padded) > len(own.shape) or any(
        n not in (1, None) and o is not None and n != o for n, o in zip(padded, own.shape)
    ):
        wide = [max(n or 0, o or 0) for n, o in zip(padded[-len(own.shape) :] or (0,), own.shape or (0,))]
        shown = list(new.shape) if len(new.shape) > len(own.shape) else wide
        raise ev.operator_error(
            f"output with shape {_shown(own.shape)} doesn't match the broadcast shape {_shown(tuple(shown))}"
        )
    sizes = ev.new_list(ev.shape(target), ListType(INT))
    return cast(Tensor, calls.single(ev, "aten::expand", [value, sizes, known(False)]))


def _shown(shape: Sequence[int | None]) -> str:
    return "[" + ", ".join("?" if e is None else str(e) for e in shape) + "]"
