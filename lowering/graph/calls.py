"""`aten::` nodes on abstract values.

In order: what follows from a tensor's type (`size`, `dtype`, `dim`), containers and strings, constants folded, the
operator's record (types inferred, a node written), in-place and `out=` forms as the functional operator and a copy,
composite operators inlined. After this, the only operator that writes to a tensor is `aten::copy_`, from a tensor of
the same dtype and shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from ...ir.attributes import Constant
from ...ir.core import Operation
from ...ir.diagnostics import InternalError, NotStatic
from ...ir.dtypes import DType
from ...ir.interpreters import builtins
from ...ir.interpreters.torch import default_dtype
from ...ir.operator import NotConstant, Operator, OperatorError, Unknown, Unsupported
from ...ir.operators import find, functional_form, keywords, resolve_exact, schema, split_name, uniform_name
from ...ir.schema import Schema
from ...ir.script_types import (
    BOOL,
    FLOAT,
    INT,
    NONE,
    NUMBER,
    TENSOR,
    ListType,
    OptionalType,
    ScriptType,
    TensorType,
)
from . import containers, nested_tensors, run_time_lists
from .branches import fork
from .tensor_numbers import number_behind
from .values import (
    NONE_VALUE,
    Abstract,
    Enumerator,
    Known,
    Ref,
    RunTimeOnly,
    Scalar,
    Tensor,
    Text,
    Tuple,
    Undecided,
    Uninitialized,
    Variant,
    is_static,
    known,
    same,
    to_python,
    type_of,
)

if TYPE_CHECKING:
    from .evaluator import Evaluator

Results = Sequence[Abstract]

MAX_DYNAMIC_SQUEEZED: Final = 3
"""`squeeze` of at most so many dimensions whose extents are known at run time only."""

LITERAL_LIMIT: Final = 4096
"""`tolist` of at most so many elements."""


def apply(ev: Evaluator, name: str, arguments: list[Abstract], op: Operation | None = None) -> Results:
    """The results of an operator; `op` is the node of the program, for how many results it has."""
    name = uniform_name(name)
    base, _ = split_name(name)
    found = run_time_lists.apply(ev, name, arguments)
    if found is not None:
        return found
    found = nested_tensors.apply(ev, name, arguments)
    if found is not None:
        return found
    builtin = _TENSOR_BUILTINS.get(name) or _TENSOR_BUILTINS.get(base)
    if builtin is not None:
        results = builtin(ev, arguments, name)
        if results is not None:
            return results
    try:
        found = containers.apply(ev, base, arguments)
    except NotStatic:
        found = run_time_lists.promoted(ev, name, arguments)
        if found is None:
            raise
    if found is not None:
        return found
    found = _numbers(ev, name, base, arguments)
    if found is not None:
        return found
    form, record = schema(name), find(name)
    if record is not None and form is not None:
        return _recorded(ev, form, record, arguments)
    derived = functional_form(name)
    if derived is not None and form is not None:
        return _in_place(ev, form, derived, arguments)
    function = ev.composite(name)
    if function is not None:
        return _unpacked(ev.call_composite(function, arguments), op, form)
    raise ev.error(f"operator {name} is not supported yet")


def single(ev: Evaluator, name: str, arguments: list[Abstract]) -> Abstract:
    """The one result of an operator; a base name finds its overload by the types of the arguments."""
    if "." not in name and find(name) is None:
        exact = resolve_exact(name, [_generic(type_of(a)) for a in arguments])
        name = exact or name
    (result,) = apply(ev, name, arguments)
    return result


def _generic(type_: ScriptType) -> ScriptType:
    return TENSOR if isinstance(type_, TensorType) else type_


def exists(ev: Evaluator, name: str) -> bool:
    """Whether the operator has a record or a definition."""
    name = uniform_name(name)
    return find(name) is not None or ev.composite(name) is not None


def _unpacked(value: Abstract, op: Operation | None, form: Schema | None) -> Results:
    """A composite's tuple as the several results of the operator."""
    count = len(op.results) if op is not None else len(form.returns) if form is not None else 1
    return value.elements if isinstance(value, Tuple) and count > 1 else (value,)


def dict_key(ev: Evaluator, value: Abstract) -> Any:
    if isinstance(value, Known):
        return value.value
    if isinstance(value, RunTimeOnly):
        raise ev.use_error(value)
    raise ev.not_static("the key into this dict")


def folded(ev: Evaluator, compute: Callable[[], Any], like: ScriptType | None = None) -> Results:
    """What a builtin gives on constants; its failure is one at run time if this is conditional."""
    try:
        value = compute()
    except OperatorError as error:
        raise ev.operator_error(str(error)) from None
    if value is None and like is NONE:
        return ()
    return (ev.import_value(value, like if isinstance(value, list) else None),)


# numbers


def _numbers(ev: Evaluator, name: str, base: str, arguments: list[Abstract]) -> Results | None:
    """Operators on numbers only: folded, simplified, or the overload for exactly these types."""
    if not all(isinstance(a, Known | Scalar | Enumerator) for a in arguments):
        return None
    if not arguments:
        builtin = builtins.find(name, [])
        return None if builtin is None else folded(ev, builtin)
    form = schema(name)
    if form is not None and any(_has_tensor(r.type) for r in form.returns):
        return None
    if all(isinstance(a, Known | Enumerator) for a in arguments):
        values = [a.value if isinstance(a, Known) else to_python(a, ev.heap) for a in arguments]
        builtin = builtins.find(name, values)
        if builtin is not None:
            results = folded(ev, lambda: builtin(*values), type_of(arguments[0]) if base == "aten::device" else None)
            return _unpacked(results[0], None, form) if results else results
        record = find(name)
        if record is not None and form is not None:
            return folded(ev, lambda: record.reference(**keywords(form, values)))
        return None
    simple = _simplified(ev, base, arguments)
    if simple is not None:
        return (simple,)
    if form is None or any(a.type == NUMBER for a in form.arguments):
        exact = resolve_exact(base, [type_of(a) for a in arguments])
        if exact is not None and exact != name:
            return apply(ev, exact, arguments)
    return None


def _has_tensor(type_: ScriptType) -> bool:
    match type_:
        case TensorType():
            return True
        case OptionalType() | ListType():
            return _has_tensor(type_.element)
        case _:
            return False


def _simplified(ev: Evaluator, base: str, arguments: list[Abstract]) -> Abstract | None:
    """Identities of run-time numbers: they keep extents recognisable."""
    types = [type_of(a) for a in arguments]
    first = arguments[0]
    if base == "aten::__not__" and isinstance(first, Scalar):
        inner = first.value.defining_op("aten::__not__")
        return None if inner is None else Scalar(inner.operand(0))
    if base == "aten::__derive_index":
        index, start, step = arguments
        return single(ev, "aten::add.int", [start, single(ev, "aten::mul.int", [index, step])])
    if base == "aten::__range_length":
        return _range_length(ev, *arguments)
    if (base, types[0]) in (("aten::Int", INT), ("aten::Float", FLOAT), ("aten::Bool", BOOL)):
        return first
    if base in ("aten::ScalarImplicit", "aten::IntImplicit", "aten::FloatImplicit"):
        return first
    if len(arguments) == 2 and types == [INT, INT]:
        return _simplified_integers(base, arguments[0], arguments[1])
    if len(arguments) == 2 and types == [BOOL, BOOL]:
        return _simplified_logic(base, arguments[0], arguments[1])
    return None


def _simplified_integers(base: str, a: Abstract, b: Abstract) -> Abstract | None:
    zero, one = known(0), known(1)
    match base:
        case "aten::add" if same(a, zero):
            return b
        case "aten::add" | "aten::sub" if same(b, zero):
            return a
        case "aten::sub" if same(a, b):
            return zero
        case "aten::mul" if same(a, one):
            return b
        case "aten::mul" | "aten::floordiv" if same(b, one):
            return a
        case "aten::mul" if same(a, zero) or same(b, zero):
            return zero
        case "aten::eq" | "aten::le" | "aten::ge" if same(a, b):
            return known(True)
        case "aten::ne" | "aten::lt" | "aten::gt" if same(a, b):
            return known(False)
        case "prim::min" | "prim::max" if same(a, b):
            return a
        case _:
            return None


def _simplified_logic(base: str, a: Abstract, b: Abstract) -> Abstract | None:
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Known):
            if base == "aten::__and__":
                return other if one.value else known(False)
            if base == "aten::__or__":
                return known(True) if one.value else other
    return None


def _range_length(ev: Evaluator, low: Abstract, high: Abstract, step: Abstract) -> Abstract | None:
    """Number of iterations; a loop takes a negative one as none."""
    if not isinstance(step, Known):
        return None
    by = cast(int, step.value)
    if by == 0:
        raise ev.operator_error("range() arg 3 must not be zero")
    distance = single(ev, "aten::sub.int", [high, low] if by > 0 else [low, high])
    if abs(by) == 1:
        return distance
    rounded = single(ev, "aten::add.int", [distance, known(abs(by) - 1)])
    return single(ev, "aten::floordiv.int", [rounded, known(abs(by))])


# records


def _recorded(ev: Evaluator, form: Schema, record: Operator, arguments: list[Abstract]) -> Results:
    given = arguments
    if len(given) < len(form.arguments):
        given = [*given, *(ev.import_value(_default(a.default), a.type) for a in form.arguments[len(given) :])]
    for value, formal in zip(given, form.arguments):
        if isinstance(value, Known) and value.value is None and isinstance(formal.type, TensorType):
            raise ev.operator_error(f"{form.name}() Expected a value of type 'Tensor' for argument '{formal.name}' but "
                                    "instead found type 'NoneType'.")  # fmt: skip
    given = [_fitted(ev, a, f.type) for a, f in zip(given, form.arguments)]
    types = infer(ev, form, record, given)
    return write(ev, form, given, types)


def _default(value: Any) -> Any:
    return list(cast(tuple[Any, ...], value)) if isinstance(value, tuple) else value


def _fitted(ev: Evaluator, value: Abstract, formal: ScriptType) -> Abstract:
    """Tuples where the operator takes a list."""
    element = formal.element if isinstance(formal, OptionalType) else formal
    if isinstance(value, Tuple) and isinstance(element, ListType):
        return ev.new_list(value.elements, element)
    return value


def infer(ev: Evaluator, form: Schema, record: Operator, arguments: list[Abstract]) -> Any:
    """What the record says about the results."""
    _require_constants(ev, form, arguments)
    try:
        return record.infer(**{a.name: _for_inference(ev, v) for a, v in zip(form.arguments, arguments)})
    except OperatorError as error:
        raise ev.operator_error(str(error)) from None
    except NotConstant as error:
        raise ev.not_static(f"{error.what} (of {form.name})") from None
    except Unsupported as error:
        raise ev.error(f"{form.name}: {error}") from None


def _require_constants(ev: Evaluator, form: Schema, arguments: list[Abstract]) -> None:
    """Dimensions, windows and switches of an operator on tensors; what may come at run time, schemas call `SymInt` or `Scalar`."""
    kinds = _CONSTANT_KINDS if any(a.kind == "Tensor" for a in form.arguments) else _CONSTANT_KINDS[2:]
    for argument, value in zip(form.arguments, arguments):
        if (
            argument.kind in kinds
            and isinstance(value, Scalar | Ref | Tuple)
            and not is_static(value, ev.heap)
        ):
            raise ev.not_static(f"`{argument.name}` of {form.name}")


_CONSTANT_KINDS: Final = ("int", "bool", "ScalarType", "Layout", "MemoryFormat")


def _for_inference(ev: Evaluator, value: Abstract) -> Any:
    match value:
        case Known():
            return value.value
        case Scalar():
            return Unknown(type_of(value))
        case Tensor():
            return ev.tensor_type(value)
        case Ref() if value.kind == "list":
            return [_for_inference(ev, e) for e in ev.elements(value)]
        case Tuple():
            return [_for_inference(ev, e) for e in value.elements]
        case RunTimeOnly():
            raise ev.use_error(value)
        case Text():
            raise ev.not_static("this string")
        case Uninitialized():
            raise InternalError("a value that is never read is read")
        case _:
            raise ev.error(f"a value of type {type_of(value).annotation} cannot be given to this operator")


def write(ev: Evaluator, form: Schema, arguments: list[Abstract], types: Any) -> Results:
    """Writes the node; a list of results becomes separate results, and a list again."""
    if not isinstance(types, ScriptType | list | tuple):
        return (ev.import_value(types),)
    operands = [ev.materialise(a) for a in arguments]
    flat = _flat(types)
    kinds = [_resolved(ev, t, arguments) for t in flat]
    op = ev.emit(form.name, operands, kinds)
    values: list[Abstract] = [
        Tensor(r) if isinstance(t, TensorType) else Scalar(r) for r, t in zip(op.results, kinds, strict=True)
    ]
    if isinstance(types, list):
        return (ev.new_list(values, form.returns[0].type if form.returns else ListType(TENSOR)),)
    if isinstance(types, tuple) and any(isinstance(t, list) for t in cast(tuple[Any, ...], types)):
        return _regrouped(ev, cast(tuple[Any, ...], types), values)
    return values


def _regrouped(ev: Evaluator, types: tuple[Any, ...], values: list[Abstract]) -> Results:
    results: list[Abstract] = []
    at = 0
    for part in types:
        if isinstance(part, list):
            count = len(cast(list[Any], part))
            results.append(ev.new_list(values[at : at + count], ListType(TENSOR)))
            at += count
        else:
            results.append(values[at])
            at += 1
    return results


def _flat(types: Any) -> list[ScriptType]:
    if isinstance(types, list | tuple):
        return [t for part in cast(Sequence[Any], types) for t in _flat(part)]
    return [types]


def _resolved(ev: Evaluator, type_: ScriptType, arguments: Sequence[Abstract]) -> ScriptType:
    """The number type of `item()` and the like: by the tensor's dtype."""
    if type_ != NUMBER:
        return type_
    for argument in arguments:
        if isinstance(argument, Tensor):
            return _number_type(cast(DType, ev.tensor_type(argument).dtype))
    for kind in (FLOAT, INT, BOOL):
        if any(type_of(a) == kind for a in arguments):
            return kind
    raise InternalError("number of unknown type")


def _number_type(dtype: DType) -> ScriptType:
    return BOOL if dtype is DType.bool else FLOAT if dtype.is_floating else INT


# writing to tensors


def _in_place(ev: Evaluator, form: Schema, derived: tuple[str, str], arguments: list[Abstract]) -> Results:
    functional, written = derived
    at = form.index(written)
    assert at is not None
    target = arguments[at]
    if isinstance(target, Known) and target.value is None:
        return apply(ev, functional, [a for i, a in enumerate(arguments) if i != at or at == 0])
    assert isinstance(target, Tensor)
    others = arguments if at == 0 else [*arguments[:at], *arguments[at + 1 :]]
    base, _ = split_name(functional)
    if base in _METADATA:
        value = _functional(ev, functional, others)
        if isinstance(value, Variant):
            raise Undecided(value.selector)
        ev.heap[target.value] = {0: ev.current(cast(Tensor, value))}
        return (target,)
    value = _functional(ev, functional, others)
    assert isinstance(value, Tensor)
    own, new = ev.tensor_type(target), ev.tensor_type(value)
    if base not in _CONVERTING and cast(DType, new.dtype).category > cast(DType, own.dtype).category:
        raise ev.operator_error(
            f"result type {cast(DType, new.dtype).graph_name} can't be cast to the desired output type "
            f"{cast(DType, own.dtype).graph_name}"
        )
    keeps_shape = base in _OF_SHAPE_OF_SELF or (at == 0 and not any(_has_dimensions(ev, a) for a in arguments[1:]))
    store(ev, target, value, keeps_shape=keeps_shape)
    return (target,)


_METADATA: Final = frozenset(
    [
        "aten::unsqueeze",
        "aten::squeeze",
        "aten::transpose",
        "aten::t",
        "aten::swapaxes",
        "aten::swapdims",
        "aten::permute",
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
        "aten::tril",
        "aten::triu",
        "aten::relu",
    ]
)
"""Operators whose result has the shape of `self`, whatever the other arguments are."""


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
    if exists(ev, name) or name not in _FUNCTIONAL:
        return single(ev, name, arguments)
    return _FUNCTIONAL[name](ev, arguments)


def _copied(ev: Evaluator, arguments: list[Abstract]) -> Abstract:
    target, source = arguments[0], arguments[1]
    assert isinstance(target, Tensor) and isinstance(source, Tensor)
    return _expanded_to(ev, cast_to(ev, source, cast(DType, ev.tensor_type(target).dtype)), target)


def _filled(ev: Evaluator, arguments: list[Abstract]) -> Abstract:
    options = [NONE_VALUE] * 5
    return single(ev, "aten::full_like", [arguments[0], arguments[1], *options])


def _filled_with_tensor(ev: Evaluator, arguments: list[Abstract]) -> Abstract:
    return _copied(ev, arguments)


def _zeros(ev: Evaluator, arguments: list[Abstract]) -> Abstract:
    return single(ev, "aten::zeros_like", [arguments[0], *[NONE_VALUE] * 5])


_FUNCTIONAL: Final[dict[str, Callable[[Any, list[Abstract]], Abstract]]] = {
    "aten::copy": _copied,
    "aten::fill.Scalar": _filled,
    "aten::fill.Tensor": _filled_with_tensor,
    "aten::zero": _zeros,
}


def cast_to(ev: Evaluator, value: Tensor, dtype: DType) -> Tensor:
    """The tensor in another dtype; itself if it has that already."""
    if ev.tensor_type(value).dtype is dtype:
        return value
    for name in ("aten::to.dtype", "aten::_to_copy"):
        form, record = schema(name), find(name)
        if form is not None and record is not None:
            named: dict[str, Abstract] = {"self": value, "dtype": known(int(dtype))}
            arguments = [named.get(a.name, ev.import_value(_default(a.default), a.type)) for a in form.arguments]
            return cast(Tensor, _recorded(ev, form, record, arguments)[0])
    raise ev.error("no operator converts dtypes")


def store(ev: Evaluator, target: Tensor, value: Tensor, *, keeps_shape: bool = False) -> None:
    """`target[...] = value`: converts to the dtype of `target`; the shape must broadcast to it."""
    new = cast_to(ev, value, cast(DType, ev.tensor_type(target).dtype))
    if not keeps_shape:
        new = _expanded_to(ev, new, target)
    current = ev.current(target)
    operands = [current.value, ev.current(new).value, ev.pool.number(False, BOOL)]
    ev.emit("aten::copy_", operands, (ev.tensor_type(target),))


def _expanded_to(ev: Evaluator, value: Tensor, target: Tensor) -> Tensor:
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
    return cast(Tensor, single(ev, "aten::expand", [value, sizes, known(False)]))


def _shown(shape: Sequence[int | None]) -> str:
    return "[" + ", ".join("?" if e is None else str(e) for e in shape) + "]"


# what follows from the type of a tensor: (evaluator, arguments, name) -> results, None where it does not apply

_Builtin = Callable[[Any, list[Abstract], str], "Results | None"]


def of_tensor(function: Callable[[Evaluator, Tensor, list[Abstract]], Abstract]) -> _Builtin:
    """For operators whose first argument is a tensor; others of the name are not meant."""

    def apply_to(ev: Evaluator, arguments: list[Abstract], name: str) -> Results | None:
        tensor = arguments[0] if arguments else None
        return (function(ev, tensor, arguments[1:]),) if isinstance(tensor, Tensor) else None

    return apply_to


def _dtype(ev: Evaluator, tensor: Tensor) -> DType:
    return cast(DType, ev.tensor_type(tensor).dtype)


def dimension(ev: Evaluator, value: Abstract, rank: int) -> int:
    """A `dim` argument, counted from 0."""
    if not isinstance(value, Known):
        raise ev.not_static("this dimension")
    dim, span = cast(int, value.value), max(rank, 1)
    if not -span <= dim < span:
        raise ev.operator_error(
            f"Dimension out of range (expected to be in range of [{-span}, {span - 1}], but got {dim})"
        )
    return dim % span


def _size(ev: Evaluator, arguments: list[Abstract], name: str) -> Results | None:
    tensor, *rest = arguments
    if not isinstance(tensor, Tensor):
        return None
    if not rest:
        return (ev.new_list(ev.shape(tensor), ListType(INT)),)
    if not isinstance(rest[0], Known):
        return None
    rank = ev.tensor_type(tensor).rank
    if rank == 0:
        raise ev.operator_error(f"Dimension specified as {rest[0].value} but tensor has no dimensions")
    return (ev.size(tensor, dimension(ev, rest[0], rank)),)


def _len(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    if ev.tensor_type(tensor).rank == 0:
        raise ev.operator_error("len() of a 0-d tensor")
    return ev.size(tensor, 0)


def _numel(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    count: Abstract = known(1)
    for extent in ev.shape(tensor):
        count = single(ev, "aten::mul.int", [count, extent])
    return count


def _constant(compute: Callable[[Any, Tensor], Any]) -> _Builtin:
    return of_tensor(lambda ev, tensor, rest: ev.import_value(compute(ev, tensor)))


def _item(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    shape = ev.tensor_type(tensor).shape
    assert shape is not None
    if any(e not in (1, None) for e in shape):
        count = int(np.prod([1 if e is None else e for e in shape]))
        raise ev.operator_error(f"a Tensor with {count} elements cannot be converted to Scalar")
    number = number_behind(ev, tensor, lambda name, numbers: single(ev, name, numbers))
    if number is not None:
        return number
    dtype = _dtype(ev, tensor)
    if dtype.is_complex:
        raise ev.error("complex numbers known at run time are not supported")
    form, record = schema("aten::item"), find("aten::item")
    if form is not None and record is not None:
        return _recorded(ev, form, record, [tensor])[0]
    return Scalar(ev.emit("aten::item", [ev.materialise(tensor)], [_number_type(dtype)]).result)


def _converted(base: str, *, implicit: bool = False) -> _Builtin:
    def convert(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
        type_ = ev.tensor_type(tensor)
        if implicit and type_.rank:
            raise ev.operator_error("Cannot input a tensor of dimension other than 0 as a scalar argument")
        dtype = cast(DType, type_.dtype)
        if implicit and base == "aten::Int" and dtype.category != 1:
            raise ev.operator_error(f"Cannot input a tensor of type {dtype.graph_name} as an integral argument")
        number = _item(ev, tensor, [])
        return number if base == "" else single(ev, base, [number])

    return of_tensor(convert)


def _truth(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    shape = ev.tensor_type(tensor).shape or ()
    if 0 in shape:
        raise ev.operator_error("Boolean value of Tensor with no values is ambiguous")
    if any(e not in (1, None) for e in shape):
        raise ev.operator_error("Boolean value of Tensor with more than one value is ambiguous")
    return single(ev, "aten::Bool", [_item(ev, tensor, [])])


def _alias(ev: Evaluator, tensor: Tensor, rest: list[Abstract] | None = None) -> Tensor:
    """The same elements as another tensor object."""
    type_ = ev.tensor_type(tensor)
    return Tensor(ev.emit("aten::alias", [ev.materialise(tensor)], [type_]).result)


def _contiguous(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    memory_format = ev.pool.number(0, INT)
    return Tensor(ev.emit("aten::contiguous", [ev.materialise(tensor), memory_format], [ev.tensor_type(tensor)]).result)


def _to(ev: Evaluator, arguments: list[Abstract], name: str) -> Results | None:
    """All overloads of `to`: a dtype, another tensor's dtype; devices are those of the compiled code."""
    form = schema(name)
    tensor = arguments[0]
    if form is None or not isinstance(tensor, Tensor):
        return None
    named = dict(zip((a.name for a in form.arguments), arguments))
    dtype = _dtype(ev, tensor)
    wanted, other = named.get("dtype"), named.get("other")
    if isinstance(other, Tensor):
        dtype = _dtype(ev, other)
    elif isinstance(wanted, Known) and wanted.value is not None:
        dtype = DType(cast(int, wanted.value))
    elif wanted is not None and not isinstance(wanted, Known):
        raise ev.not_static("this dtype")
    if dtype is not _dtype(ev, tensor):
        return (cast_to(ev, tensor, dtype),)
    copy = named.get("copy")
    if name == "aten::_to_copy" or (isinstance(copy, Known) and copy.value):
        return (_clone(ev, tensor),)
    return (_alias(ev, tensor),)


def _clone(ev: Evaluator, tensor: Tensor) -> Abstract:
    return single(ev, "aten::clone", [tensor, NONE_VALUE])


def _type_as(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    dtype = _dtype(ev, cast(Tensor, rest[0]))
    return _alias(ev, tensor) if dtype is _dtype(ev, tensor) else cast_to(ev, tensor, dtype)


def _is_contiguous(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    if rest and isinstance(rest[0], Known) and rest[0].value not in (None, 0):
        return known(False)
    owner = ev.current(tensor).value.defining_op()
    form = None if owner is None else schema(owner.name)
    if owner is None or owner.name in ("aten::contiguous", "prim::Constant"):
        return known(True)
    if form is not None and not any(a.alias for a in form.arguments):
        return known(True)
    raise ev.not_static("whether this tensor is contiguous")


def _stride(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    if not same(_is_contiguous(ev, tensor, []), known(True)):
        raise ev.not_static("the stride of this tensor")
    strides: list[Abstract] = []
    step: Abstract = known(1)
    for extent in reversed(ev.shape(tensor)):
        strides.insert(0, step)
        step = single(ev, "aten::mul.int", [step, extent])
    if rest:
        return strides[dimension(ev, rest[0], len(strides))]
    return ev.new_list(strides, ListType(INT))


def _squeeze(ev: Evaluator, arguments: list[Abstract], name: str) -> Results | None:
    """Extents known at run time only: a tensor of as many dimensions as that gives. Others are the record's."""
    tensor = arguments[0]
    if not isinstance(tensor, Tensor):
        return None
    shape = ev.tensor_type(tensor).shape or ()
    listed: list[int] = list(range(len(shape)))
    if len(arguments) > 1:
        given: Any = to_python(arguments[1], ev.heap) if is_static(arguments[1], ev.heap) else []
        listed = [given] if isinstance(given, int) else given
    if any(not -len(shape) <= d < len(shape) for d in listed):
        return None
    dims = sorted(d % len(shape) for d in listed)
    dynamic = sum(shape[d] is None for d in dims)
    if not dynamic:
        return None
    if ev.takes_numbers or dynamic > MAX_DYNAMIC_SQUEEZED:
        raise ev.not_static("whether this extent is 1", help="give the dimensions to squeeze, or reshape")
    return (_squeezed(ev, tensor, [d for d in dims if shape[d] in (1, None)]),)


def _squeezed(ev: Evaluator, tensor: Tensor, dims: list[int]) -> Abstract:
    if not dims:
        return _alias(ev, tensor)
    *others, dim = dims
    is_one = single(ev, "aten::eq.int", [ev.size(tensor, dim), known(1)])

    def without() -> Abstract:
        return _squeezed(ev, cast(Tensor, single(ev, "aten::select.int", [tensor, known(dim), known(0)])), others)

    return choose(ev, is_one, without, lambda: _squeezed(ev, tensor, others))


def choose(
    ev: Evaluator, condition: Abstract, then: Callable[[], Abstract], otherwise: Callable[[], Abstract]
) -> Abstract:
    holds = ev.condition(condition)
    if isinstance(holds, Scalar):
        return fork(ev, holds, lambda: [then()], lambda: [otherwise()])[0]
    return then() if holds else otherwise()


# lists of views


def _unbind(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    type_ = ev.tensor_type(tensor)
    dim = dimension(ev, rest[0] if rest else known(0), type_.rank)

    def part(i: Abstract) -> Abstract:
        return single(ev, "aten::select.int", [tensor, known(dim), i])

    if type_.shape and type_.shape[dim] is None and not ev.static_lists:
        return run_time_lists.generated(ev, ev.size(tensor, dim), TENSOR, part)
    count = _static_extent(ev, type_, dim, "the number of tensors that this gives")
    return ev.new_list([part(known(i)) for i in range(count)], ListType(TENSOR))


def _static_extent(ev: Evaluator, type_: TensorType, dim: int, what: str) -> int:
    assert type_.shape is not None
    if not type_.shape:
        raise ev.operator_error("Dimension specified as 0 but tensor has no dimensions")
    extent = type_.shape[dim]
    if extent is None:
        raise ev.not_static(what)
    return extent


def _sliced(ev: Evaluator, tensor: Tensor, dim: int, bounds: Sequence[tuple[Abstract, Abstract]]) -> Abstract:
    parts = [single(ev, "aten::slice.Tensor", [tensor, known(dim), a, b, known(1)]) for a, b in bounds]
    return ev.new_list(parts, ListType(TENSOR))


def _in_steps(extent: int, step: int) -> list[tuple[Abstract, Abstract]]:
    starts = range(0, max(extent, 1), step)
    return [(known(at), known(min(at + step, extent))) for at in starts]


def _split(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    """`split` by size or sizes."""
    type_ = ev.tensor_type(tensor)
    dim = dimension(ev, rest[1] if len(rest) > 1 else known(0), type_.rank)
    if isinstance(rest[0], Ref | Tuple):
        return _split_sizes(ev, tensor, rest)
    if not isinstance(rest[0], Known):
        raise ev.not_static("the number of tensors that this gives")
    step = cast(int, rest[0].value)
    if type_.shape and type_.shape[dim] is None and step > 0 and not ev.static_lists:
        count = _ceildiv(ev, ev.size(tensor, dim), known(step))
        return _parts_at_run_time(ev, tensor, dim, known(step), single(ev, "prim::max.int", [count, known(1)]))
    extent = _static_extent(ev, type_, dim, "the number of tensors that this gives")
    if step < 0:
        raise ev.operator_error(f"split expects split_size be non-negative, but got split_size={step}")
    if step == 0 and extent != 0:
        raise ev.operator_error(f"split_size can only be 0 if dimension size is 0, but got dimension size of {extent}")
    return _sliced(ev, tensor, dim, _in_steps(extent, max(step, 1)))


def _parts_at_run_time(ev: Evaluator, tensor: Tensor, dim: int, step: Abstract, count: Abstract) -> Abstract:
    def part(i: Abstract) -> Abstract:
        start = single(ev, "aten::mul.int", [i, step])
        end = single(ev, "aten::add.int", [start, step])
        return single(ev, "aten::slice.Tensor", [tensor, known(dim), start, end, known(1)])

    return run_time_lists.generated(ev, count, TENSOR, part)


def _split_sizes(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    type_ = ev.tensor_type(tensor)
    dim = dimension(ev, rest[1] if len(rest) > 1 else known(0), type_.rank)
    sizes = ev.elements(rest[0]) if isinstance(rest[0], Ref) else list(cast(Tuple, rest[0]).elements)
    extent = ev.size(tensor, dim)
    at: Abstract = known(0)
    bounds: list[tuple[Abstract, Abstract]] = []
    given = ["but got split_sizes=", *_number_list(sizes)]
    for size in sizes:
        non_negative = single(ev, "aten::ge.int", [size, known(0)])
        require(ev, non_negative, ["split_with_sizes expects split_sizes have only non-negative entries, ", *given])
        following = single(ev, "aten::add.int", [at, size])
        bounds.append((at, following))
        at = following
    where = f" (input tensor's size at dimension {dim}), "
    expected = ["split_with_sizes expects split_sizes to sum exactly to ", extent, where]
    require(ev, single(ev, "aten::eq.int", [at, extent]), [*expected, *given])
    return _sliced(ev, tensor, dim, bounds)


def _number_list(numbers: Sequence[Abstract]) -> list[str | Abstract]:
    """Parts of a message: `[2, 3]`."""
    between = [part for number in numbers for part in (", ", number)][1:]
    return ["[", *between, "]"]


def require(ev: Evaluator, holds: Abstract, message: Sequence[str | Abstract]) -> None:
    """Raises unless the condition holds; at run time if it is known only then. Numbers are parts of the message."""
    parts = [builtins.to_text(p.value) if isinstance(p, Known) else cast("str | Scalar", p) for p in message]
    condition = ev.condition(holds)

    def fail() -> list[Abstract]:
        raise ev.emit_raise(parts)

    if isinstance(condition, Scalar):
        fork(ev, condition, list, fail)
    elif not condition:
        if all(isinstance(p, str) for p in parts):
            raise ev.operator_error("".join(cast("list[str]", parts)))
        raise ev.emit_raise(parts)


def _chunk_at_run_time(ev: Evaluator, tensor: Tensor, dim: int, chunks: int) -> Abstract:
    """Of nothing there are as many chunks as are asked for."""
    extent = ev.size(tensor, dim)
    step = single(ev, "prim::max.int", [_ceildiv(ev, extent, known(chunks)), known(1)])
    empty = single(ev, "aten::eq.int", [extent, known(0)])
    count = single(ev, "aten::add.int", [
        _ceildiv(ev, extent, step), single(ev, "aten::mul.int", [single(ev, "aten::Int.bool", [empty]), known(chunks)])
    ])  # fmt: skip
    return _parts_at_run_time(ev, tensor, dim, step, count)


def _ceildiv(ev: Evaluator, a: Abstract, b: Abstract) -> Abstract:
    rounded = single(ev, "aten::sub.int", [single(ev, "aten::add.int", [a, b]), known(1)])
    return single(ev, "aten::floordiv.int", [rounded, b])


def _chunk(ev: Evaluator, tensor: Tensor, rest: list[Abstract]) -> Abstract:
    type_ = ev.tensor_type(tensor)
    dim = dimension(ev, rest[1] if len(rest) > 1 else known(0), type_.rank)
    if not isinstance(rest[0], Known):
        raise ev.not_static("the number of chunks")
    chunks = cast(int, rest[0].value)
    if chunks <= 0:
        raise ev.operator_error(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    if type_.shape and type_.shape[dim] is None and not ev.static_lists:
        return _chunk_at_run_time(ev, tensor, dim, chunks)
    extent = _static_extent(ev, type_, dim, "the number of tensors that this gives")
    step = -(-extent // chunks)
    if step == 0:
        return _sliced(ev, tensor, dim, [(known(0), known(0))] * chunks)
    return _sliced(ev, tensor, dim, _in_steps(extent, step))


# tensors from numbers


def _from_data(ev: Evaluator, arguments: list[Abstract], name: str) -> Results | None:
    """`torch.tensor(data)`, `as_tensor`, a number as a tensor."""
    form = schema(name)
    options = {} if form is None else dict(zip((a.name for a in form.arguments), arguments))
    wanted = options.get("dtype")
    if wanted is not None and not isinstance(wanted, Known):
        raise ev.not_static("this dtype")
    dtype = None if wanted is None or wanted.value is None else DType(cast(int, wanted.value))
    data = arguments[0]
    if isinstance(data, Tensor):
        result = data if dtype is None else cast_to(ev, data, dtype)
        return (_clone(ev, result) if split_name(name)[0] == "aten::tensor" and result is data else result,)
    if split_name(name)[0] == "aten::scalar_tensor" and dtype is None:
        dtype = DType.float32
    if split_name(name)[0] == "prim::NumToTensor" and type_of(data) == FLOAT:
        dtype = DType.float64
    return (_literal(ev, data, dtype),)


def _literal(ev: Evaluator, data: Abstract, dtype: DType | None) -> Abstract:
    if is_static(data, ev.heap):
        values = to_python(data, ev.heap)
        kind = dtype or default_dtype(values)
        if kind is DType.complex32:
            raise ev.error("tensors of dtype complex32 are not supported")
        try:
            array = np.asarray(values).astype(kind.numpy) if kind.is_integral else np.asarray(values, kind.numpy)
        except ValueError:
            raise ev.operator_error("expected a sequence of equal length") from None
        constant = Tensor(
            ev.pool.tensor(Constant(ev.literal_name(), np.ascontiguousarray(array).reshape(array.shape)), kind)
        )
        # each evaluation makes a tensor of its own, which may be written to
        return _clone(ev, constant)
    leaves = _leaves(ev, data)
    if any(isinstance(v, Tensor) for v in leaves):
        return _stacked_tensors(ev, data, dtype)
    kind = dtype or _leaf_dtype(leaves)
    if not isinstance(data, Ref | Tuple):
        return single(ev, "aten::full", [ev.new_list([], ListType(INT)), data, known(int(kind)), *[NONE_VALUE] * 3])
    elements = ev.elements(data) if isinstance(data, Ref) else list(data.elements)
    parts = [_literal(ev, e, kind) for e in elements]
    return single(ev, "aten::stack", [ev.new_list(parts, ListType(TENSOR)), known(0)])


def _stacked_tensors(ev: Evaluator, data: Abstract, dtype: DType | None) -> Abstract:
    elements = ev.elements(data) if isinstance(data, Ref) else list(cast(Tuple, data).elements)
    parts = [e if isinstance(e, Tensor) else _literal(ev, e, dtype) for e in elements]
    stacked = single(ev, "aten::stack", [ev.new_list(parts, ListType(TENSOR)), known(0)])
    return stacked if dtype is None else cast_to(ev, cast(Tensor, stacked), dtype)


def _leaves(ev: Evaluator, data: Abstract) -> list[Abstract]:
    match data:
        case Ref() if data.kind == "list":
            return [v for e in ev.elements(data) for v in _leaves(ev, e)]
        case Tuple():
            return [v for e in data.elements for v in _leaves(ev, e)]
        case RunTimeOnly():
            raise ev.use_error(data)
        case _:
            return [data]


def _leaf_dtype(leaves: Sequence[Abstract]) -> DType:
    kinds: Mapping[ScriptType, DType] = {BOOL: DType.bool, INT: DType.int64, FLOAT: DType.float32}
    return max((kinds.get(type_of(v), DType.complex64) for v in leaves), key=lambda d: d.category)


def _to_list(ev: Evaluator, arguments: list[Abstract], name: str) -> Results | None:
    tensor = arguments[0]
    if not isinstance(tensor, Tensor):
        return None
    return (_listed(ev, tensor),)


def _listed(ev: Evaluator, tensor: Tensor) -> Abstract:
    type_ = ev.tensor_type(tensor)
    if type_.rank == 0:
        return _item(ev, tensor, [])
    shape = type_.shape or ()
    if (None in shape or np.prod([e or 0 for e in shape]) > LITERAL_LIMIT) and not ev.static_lists:
        declared = _listed_type(ev, type_)

        def part(i: Abstract) -> Abstract:
            return _listed(ev, cast(Tensor, single(ev, "aten::select.int", [tensor, known(0), i])))

        return run_time_lists.generated(ev, ev.size(tensor, 0), declared, part)
    extent = _static_extent(ev, type_, 0, "the length of this list")
    parts = [
        _listed(ev, cast(Tensor, single(ev, "aten::select.int", [tensor, known(0), known(i)]))) for i in range(extent)
    ]
    return ev.new_list(parts, ListType(ev.common_type(parts)))


def _listed_type(ev: Evaluator, type_: TensorType) -> ScriptType:
    """The type of the elements of `tolist`."""
    result = _number_type(cast(DType, type_.dtype))
    for _ in range(type_.rank - 1):
        result = ListType(result)
    return result


_TENSOR_BUILTINS: Final[dict[str, _Builtin]] = {
    "aten::size": _size,
    "prim::shape": _size,
    "aten::len": of_tensor(_len),
    "aten::dim": _constant(lambda ev, t: ev.tensor_type(t).rank),
    "aten::numel": of_tensor(_numel),
    "prim::dtype": _constant(lambda ev, t: int(_dtype(ev, t))),
    "prim::device": of_tensor(lambda ev, t, rest: ev.device("cpu")),
    "prim::layout": _constant(lambda ev, t: 0),
    "prim::data": of_tensor(_alias),
    "prim::grad": of_tensor(lambda ev, t, rest: NONE_VALUE),
    "prim::requires_grad": _constant(lambda ev, t: False),
    "prim::is_cuda": _constant(lambda ev, t: False),
    "prim::is_cpu": _constant(lambda ev, t: True),
    "prim::is_xla": _constant(lambda ev, t: False),
    "prim::is_xpu": _constant(lambda ev, t: False),
    "prim::is_sparse": _constant(lambda ev, t: False),
    "prim::is_sparse_csr": _constant(lambda ev, t: False),
    "prim::is_quantized": _constant(lambda ev, t: False),
    "prim::is_mkldnn": _constant(lambda ev, t: False),
    "prim::is_meta": _constant(lambda ev, t: False),
    "prim::is_mps": _constant(lambda ev, t: False),
    "prim::is_nested": _constant(lambda ev, t: False),
    "prim::is_vulkan": _constant(lambda ev, t: False),
    "prim::is_ipu": _constant(lambda ev, t: False),
    "prim::is_leaf": _constant(lambda ev, t: True),
    "aten::is_leaf": _constant(lambda ev, t: True),
    "prim::itemsize": _constant(lambda ev, t: _dtype(ev, t).itemsize),
    "prim::nbytes": of_tensor(
        lambda ev, t, rest: single(ev, "aten::mul.int", [_numel(ev, t, []), known(_dtype(ev, t).itemsize)])
    ),
    "aten::element_size": _constant(lambda ev, t: _dtype(ev, t).itemsize),
    "aten::is_floating_point": _constant(lambda ev, t: _dtype(ev, t).is_floating),
    "aten::is_complex": _constant(lambda ev, t: _dtype(ev, t).is_complex),
    "aten::is_signed": _constant(lambda ev, t: _dtype(ev, t).is_signed),
    "aten::is_conj": _constant(lambda ev, t: False),
    "aten::is_neg": _constant(lambda ev, t: False),
    "aten::is_contiguous": of_tensor(_is_contiguous),
    "aten::stride": of_tensor(_stride),
    "aten::item": of_tensor(_item),
    "aten::Int.Tensor": _converted("aten::Int"),
    "aten::Float.Tensor": _converted("aten::Float"),
    "aten::Bool.Tensor": of_tensor(_truth),
    "aten::is_nonzero": of_tensor(_truth),
    "aten::IntImplicit": _converted("aten::Int", implicit=True),
    "aten::FloatImplicit": _converted("aten::Float", implicit=True),
    "aten::ScalarImplicit": _converted("", implicit=True),
    "aten::contiguous": of_tensor(_contiguous),
    "aten::detach": of_tensor(_alias),
    "aten::alias": of_tensor(_alias),
    "aten::lift_fresh": of_tensor(_alias),
    "aten::detach_": of_tensor(lambda ev, t, rest: t),
    "aten::requires_grad_": of_tensor(lambda ev, t, rest: t),
    "aten::to": _to,
    "aten::_to_copy": _to,
    "aten::type_as": of_tensor(_type_as),
    "aten::squeeze": _squeeze,
    "aten::unbind": of_tensor(_unbind),
    "aten::split": of_tensor(_split),
    "aten::split_with_sizes": of_tensor(_split_sizes),
    "aten::unsafe_split": of_tensor(_split),
    "aten::chunk": of_tensor(_chunk),
    "aten::unsafe_chunk": of_tensor(_chunk),
    "aten::tensor": _from_data,
    "aten::as_tensor": _from_data,
    "aten::scalar_tensor": _from_data,
    "prim::NumToTensor": _from_data,
    "prim::tolist": _to_list,
    "aten::_unwrap_optional": lambda ev, arguments, name: _unwrap(ev, arguments),
    "prim::unchecked_unwrap_optional": lambda ev, arguments, name: arguments,
}

TENSOR_BUILTINS: Final = frozenset(_TENSOR_BUILTINS)
"""Operators on tensors that are resolved here; a name without overload stands for all of them."""


def _unwrap(ev: Evaluator, arguments: list[Abstract]) -> Results:
    if isinstance(arguments[0], Known) and arguments[0].value is None:
        raise ev.operator_error("Unwrapping null optional")
    return arguments
