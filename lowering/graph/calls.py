"""`aten::` nodes on abstract values.

In order: what follows from a tensor's type (`tensor_builtins.py`), containers and strings (`containers.py`), constants
folded, the operator's record (types inferred, a node written), in-place and `out=` forms as the functional operator and
a copy (`tensor_writes.py`), composite operators inlined.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from ...ir.core import Operation
from ...ir.diagnostics import InternalError, NotStatic
from ...ir.dtypes import DType
from ...ir.interpreters import builtins
from ...ir.operator import NotConstant, Operator, OperatorError, Unknown, Unsupported
from ...ir.operators import (
    ON_LISTS_OF_TENSORS,
    find,
    functional_form,
    keywords,
    resolve_exact,
    schema,
    split_name,
    uniform_name,
)
from ...ir.schema import Schema
from ...ir.script_types import BOOL, FLOAT, INT, NONE, NUMBER, TENSOR, ListType, OptionalType, ScriptType, TensorType
from . import (
    complex_numbers,
    containers,
    empty_tensors,
    generators,
    hashes,
    nested_tensors,
    quantized_tensors,
    run_time_dicts,
    run_time_enums,
    run_time_lists,
    run_time_strings,
    tensor_builtins,
    tensor_layouts,
    tensor_writes,
)
from .branches import fork
from .values import (
    Abstract,
    Complex,
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


def apply(ev: Evaluator, name: str, arguments: list[Abstract], op: Operation | None = None) -> Results:
    """The results of an operator; `op` is the node of the program, for how many results it has."""
    name = uniform_name(name)
    base, _ = split_name(name)
    _refuse_none(ev, name, arguments)
    if base == "aten::hash":
        return (hashes.hashed(ev, arguments[0]),)
    for argument in arguments:
        if isinstance(argument, Variant):
            raise Undecided(argument.selector)
    compared = ev.composite(name) if name in ON_LISTS_OF_TENSORS else None
    if compared is not None:
        return _unpacked(ev.call_composite(compared, arguments), op, schema(name))
    found = complex_numbers.apply(ev, name, arguments)
    if found is not None:
        return found
    for kind in (run_time_lists, run_time_dicts, run_time_enums):
        found = kind.apply(ev, name, arguments)
        if found is not None:
            return found
    found = generators.apply(ev, name, arguments)
    if found is None:
        found = nested_tensors.apply(ev, name, arguments)
    if found is None:
        found = quantized_tensors.apply(ev, name, arguments)
    if found is None:
        found = empty_tensors.apply(ev, name, arguments)
    if found is not None:
        return found
    builtin = tensor_builtins.TENSOR_BUILTINS.get(name) or tensor_builtins.TENSOR_BUILTINS.get(base)
    if builtin is not None:
        results = builtin(ev, arguments, name)
        if results is not None:
            return results
    try:
        found = containers.apply(ev, base, arguments)
    except NotStatic:
        found = run_time_lists.promoted(ev, name, arguments)
        if found is None:
            found = run_time_dicts.promoted(ev, name, arguments)
        if found is None:
            raise
    if found is None:
        found = run_time_strings.apply(ev, name, arguments)
    if found is not None:
        return _unpacked(found[0], op, schema(name)) if len(found) == 1 else found
    found = _numbers(ev, name, base, arguments)
    if found is not None:
        return found
    form, record = schema(name), find(name)
    if record is not None and form is not None:
        return recorded(ev, form, record, arguments)
    derived = functional_form(name)
    function = ev.composite(name)
    if derived is not None and form is not None and function is None:
        return tensor_writes.in_place(ev, form, derived, arguments)
    if function is not None:
        results = _unpacked(ev.call_composite(function, arguments), op, form)
        return tensor_layouts.noted(ev, name, arguments, results)
    raise ev.error(f"operator {name} is not supported yet")


def _refuse_none(ev: Evaluator, name: str, arguments: list[Abstract]) -> None:
    """A tensor parameter whose default is None was left out, and is used."""
    absent = [i for i, a in enumerate(arguments) if isinstance(a, Known) and a.value is None]
    form = schema(name) if absent else None
    for i in absent if form is not None else ():
        formal = cast(Schema, form).arguments[i : i + 1]
        if formal and isinstance(formal[0].type, TensorType):
            raise ev.operator_error(builtins.undefined_tensor(formal[0].name))


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
    """A composite's tuple as the several results of the operator, its None as none."""
    count = len(op.results) if op is not None else len(form.returns) if form is not None else 1
    if count == 0 and isinstance(value, Known) and value.value is None:
        return ()
    return value.elements if isinstance(value, Tuple) and count > 1 else (value,)


def dict_key(ev: Evaluator, value: Abstract) -> Any:
    if isinstance(value, Known):
        return builtins.dict_key(value.value)
    if isinstance(value, Complex) and all(isinstance(p, Known) for p in value.elements):
        return builtins.dict_key(complex(*(cast(Any, cast(Known, p).value) for p in value.elements)))
    if isinstance(value, RunTimeOnly):
        raise ev.use_error(value)
    if isinstance(value, Tensor):
        raise ev.error("a dict with tensors for keys is not supported", help="use ints, floats, bools or strings")
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
        if record is not None and form is not None and form.returns:
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


def recorded(ev: Evaluator, form: Schema, record: Operator, arguments: list[Abstract]) -> Results:
    given = arguments
    if len(given) < len(form.arguments):
        given = [*given, *(ev.import_value(default_value(a.default), a.type) for a in form.arguments[len(given) :])]
    drawn = generators.drawing(ev, form, given)
    if drawn is not None:
        return drawn
    given = [_fitted(ev, a, f.type) for a, f in zip(given, form.arguments)]
    types = infer(ev, form, record, given)
    found = tensor_layouts.decided(ev, form.name, given, types)
    return write(ev, form, given, types) if found is None else found


def default_value(value: Any) -> Any:
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
    on_tensors = any(a.kind == "Tensor" for a in form.arguments) and form.name.partition(".")[0] not in _OF_NUMBERS
    kinds = _CONSTANT_KINDS if on_tensors else _CONSTANT_KINDS[2:]
    for argument, value in zip(form.arguments, arguments):
        if (
            argument.kind in kinds
            and isinstance(value, Scalar | Ref | Tuple)
            and not is_static(value, ev.heap)
        ):
            raise ev.not_static(f"`{argument.name}` of {form.name}")


_OF_NUMBERS: Final = ("aten::random",)
"""Operators whose ints are numbers like any other."""

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
        case Variant():
            raise Undecided(value.selector)
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
            return number_type(cast(DType, ev.tensor_type(argument).dtype))
    for kind in (FLOAT, INT, BOOL):
        if any(type_of(a) == kind for a in arguments):
            return kind
    raise InternalError("number of unknown type")


def number_type(dtype: DType) -> ScriptType:
    return BOOL if dtype is DType.bool else FLOAT if dtype.is_floating else INT


# conditions


def choose(
    ev: Evaluator, condition: Abstract, then: Callable[[], Abstract], otherwise: Callable[[], Abstract]
) -> Abstract:
    holds = ev.condition(condition)
    if isinstance(holds, Scalar):
        return fork(ev, holds, lambda: [then()], lambda: [otherwise()])[0]
    return then() if holds else otherwise()


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
