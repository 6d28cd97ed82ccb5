"""Arguments of a call: bound to parameters, adapted to their types, and described as specs.

In: what a user gives (arrays, numbers, lists, dicts, anything with `__dlpack__`) and the parameters of a function. Out: one
value per parameter as its type takes it, and the `ArgumentSpec` that a call with it is specialised for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from itertools import chain
from operator import itemgetter
from typing import Any, Final, TypeVar, cast

import numpy as np
import numpy.typing as npt

from ..backend.cpu.call import dtype_and_shape, is_row_major, memory_of, numpy_copy
from ..ir.attributes import ComplexParts, Constant
from ..ir.diagnostics import CallError, CompileError, Diagnostic, NotStatic
from ..ir.dtypes import DType, from_numpy
from ..ir.program import Program
from ..ir.schema import Argument
from ..ir.script_types import (
    BOOL,
    FLOAT,
    INT,
    STR,
    AnyListType,
    AnyTupleType,
    AnyType,
    BoolType,
    ClassType,
    ComplexType,
    DeviceType,
    DictType,
    EnumMember,
    EnumType,
    FloatType,
    GeneratorType,
    IntType,
    ListType,
    NumberType,
    OptionalType,
    ScriptObject,
    ScriptType,
    StrType,
    TensorType,
    TupleType,
    UnionType,
)
from ..ir.signature import (
    ArgumentSpec,
    ColumnsSpec,
    ConstantSpec,
    DictSpec,
    InstanceSpec,
    ObjectSpec,
    PartSpec,
    SameSpec,
    ScalarSpec,
    SequenceSpec,
    TensorSpec,
    has_columns,
    leaves,
)
from . import generators, objects

Specs = tuple[ArgumentSpec, ...]
T = TypeVar("T")


NUMBERS_FIXED: Final[tuple[tuple[ScriptType, ...], ...]] = ((), (INT,), (INT, FLOAT))
"""What is tried in turn: all numbers at run time; ints as constants, which are often sizes; all numbers as constants."""

SINGLE: Final = 3
"""Of at most so many lists at run time, each is tried as the only one whose length has to be known."""


def fitting(
    attempt: Callable[[Specs], T], specs: Sequence[ArgumentSpec], values: Sequence[Any], level: int = 0
) -> tuple[int, Specs, T]:
    """`attempt(specs)`, with lists of fixed length, and numbers as constants, where the program needs them so.

    Gives the level, which `fixing_of` takes, the specs that worked, and what `attempt` gave for them.
    """
    specs = tuple(specs)
    tried: set[Specs] = set()
    failure: CompileError | None = None
    refused: frozenset[int] | None = None
    for index, (static, types) in enumerate(_fixings(specs)):
        if index < level or static == refused:
            continue
        chosen = fixed(specs, values, (static, types))
        if chosen in tried:
            continue
        tried.add(chosen)
        try:
            return index, chosen, attempt(chosen)
        except NotStatic as error:
            failure = error
        except CompileError as error:
            if not has_columns(chosen):
                raise
            failure, refused = error, static
    assert failure is not None
    raise failure


def fixing_of(specs: Specs, level: int) -> Fixing | None:
    """What `fitting` has found that has to be fixed; None: nothing."""
    return _fixings(specs)[level] if level else None


Fixing = tuple[frozenset[int], tuple[ScriptType, ...]]
"""Which arguments are of fixed structure, and which numbers are constants."""

_FIXINGS: Final[Sequence[Fixing]] = [(frozenset(), types) for types in NUMBERS_FIXED]


def _fixings(specs: Specs) -> Sequence[Fixing]:
    """What is tried in turn."""
    at_run_time = [i for i, s in enumerate(specs) if has_columns((s,))]
    if not at_run_time:
        return _FIXINGS
    every = frozenset(at_run_time)
    single = [frozenset((i,)) for i in at_run_time] if 1 < len(at_run_time) <= SINGLE else []
    return [(static, types) for static in (frozenset[int](), *single, every) for types in NUMBERS_FIXED]


def fixed(specs: Specs, values: Sequence[Any], fixing: Fixing) -> Specs:
    """The specs with what is to be fixed fixed."""
    static, types = fixing
    found: list[ArgumentSpec] = []
    for i, (spec, value) in enumerate(zip(specs, values, strict=True)):
        spec = static_structure(spec, value) if i in static else spec
        found.append(constant_numbers(spec, value, types) if types else spec)
    return tuple(found)


def static_structure(spec: ArgumentSpec, value: Any) -> ArgumentSpec:
    """The same with every list, dict and str of run-time length as the one that `value` is."""
    match spec:
        case ColumnsSpec() if value is not None:
            return spec_of(value)
        case SequenceSpec(elements) if value is not None:
            pairs = zip(elements, value, strict=True)
            return replace(spec, elements=tuple(static_structure(s, v) for s, v in pairs))
        case DictSpec(keys, inner) if value is not None:
            return DictSpec(keys, tuple(static_structure(s, value[k]) for k, s in zip(keys, inner, strict=True)))
        case InstanceSpec(of, inner) if value is not None:
            pairs = zip(of.attributes, inner, strict=True)
            return InstanceSpec(of, tuple(static_structure(s, value.attributes[n]) for n, s in pairs))
        case _:
            return spec


def constant_numbers(spec: ArgumentSpec, value: Any, types: Sequence[ScriptType] = (INT, FLOAT)) -> ArgumentSpec:
    """The same spec with every run-time number of these types fixed to its value."""
    match spec:
        case ScalarSpec(type) if type in types and value is not None:
            return ConstantSpec(value)
        case SequenceSpec(elements) if value is not None:
            pairs = zip(elements, value, strict=True)
            return replace(spec, elements=tuple(constant_numbers(s, v, types) for s, v in pairs))
        case DictSpec(keys, inner) if value is not None:
            pairs = zip(keys, inner, strict=True)
            return DictSpec(keys, tuple(constant_numbers(s, value[k], types) for k, s in pairs))
        case InstanceSpec(of, inner) if value is not None:
            pairs = zip(of.attributes, inner, strict=True)
            return InstanceSpec(of, tuple(constant_numbers(s, value.attributes[n], types) for n, s in pairs))
        case _:
            return spec


def shared_tensors(values: Sequence[Any], specs: Sequence[ArgumentSpec]) -> tuple[ArgumentSpec, ...]:
    """The same specs, in which a tensor that is given twice, in one place, is the first one (`SameSpec`).

    Tensors that overlap otherwise are parts of one piece of memory (`PartSpec`), if they are of one dtype.
    """
    seen: dict[Any, int] = {}
    count = 0
    places = _distinct_places(values, specs)
    pieces = _pieces(places)
    started: dict[int, int] = {}

    def visit(value: Any, spec: ArgumentSpec) -> ArgumentSpec:
        nonlocal count
        match spec:
            case TensorSpec():
                key = (memory_of(value), spec.dtype)
                piece = pieces.get(key)
                if piece is not None:
                    return _part(key, piece, started)
                first = seen.setdefault(key, count)
                if first != count:
                    return SameSpec(first)
                count += 1
                return spec
            case SequenceSpec(elements):
                pairs = zip(value, elements, strict=True)
                return replace(spec, elements=tuple(visit(v, s) for v, s in pairs))
            case DictSpec(keys, inner):
                return DictSpec(keys, tuple(visit(value[k], s) for k, s in zip(keys, inner, strict=True)))
            case _:
                return spec

    return tuple(visit(v, s) for v, s in zip(values, specs, strict=True))


_Place = tuple[tuple[int, tuple[int, ...], tuple[int, ...]], Any]
"""Address, shape and strides in bytes, and the dtype."""


def _distinct_places(values: Sequence[Any], specs: Sequence[ArgumentSpec]) -> list[_Place]:
    found: dict[_Place, None] = {}

    def visit(value: Any, spec: ArgumentSpec) -> None:
        match spec:
            case TensorSpec(dtype):
                found.setdefault((memory_of(value), dtype))
            case SequenceSpec(elements):
                for v, s in zip(value, elements, strict=True):
                    visit(v, s)
            case DictSpec(keys, inner):
                for k, s in zip(keys, inner, strict=True):
                    visit(value[k], s)
            case _:
                pass

    for value, spec in zip(values, specs, strict=True):
        visit(value, spec)
    return list(found)


def _bounds(place: _Place) -> tuple[int, int]:
    (address, shape, strides), dtype = place
    if 0 in shape:
        return address, address
    return address, address + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) + dtype.itemsize


def _pieces(places: Sequence[_Place]) -> dict[_Place, tuple[int, int]]:
    """Tensors that lie among one another, with the memory that all of them lie in: first byte, and the one behind the last."""
    found: dict[_Place, tuple[int, int]] = {}
    plain = [p for p in places if all(s >= 0 and s % p[1].itemsize == 0 for s in p[0][2]) and 0 not in p[0][1]]
    for dtype in {p[1] for p in plain}:
        groups: list[tuple[int, int, list[_Place]]] = []
        for place in sorted((p for p in plain if p[1] is dtype), key=_bounds):
            low, high = _bounds(place)
            if groups and low < groups[-1][1] and (low - groups[-1][0]) % dtype.itemsize == 0:
                start, end, members = groups[-1]
                groups[-1] = (start, max(end, high), [*members, place])
            else:
                groups.append((low, high, [place]))
        for low, high, members in groups:
            if len(members) > 1:
                found.update(dict.fromkeys(members, (low, high)))
    return found


def _part(place: _Place, piece: tuple[int, int], started: dict[int, int]) -> PartSpec:
    (address, shape, strides), dtype = place
    size, (low, high) = dtype.itemsize, piece
    length = (high - low) // size if low not in started else None
    whole = started.setdefault(low, len(started))
    return PartSpec(dtype, shape, tuple(s // size for s in strides), (address - low) // size, whole, length)


def strided_tensors(values: Sequence[Any], specs: Sequence[ArgumentSpec]) -> tuple[ArgumentSpec, ...]:
    """The same specs, in which each tensor that is not row-major is given as it lies."""

    def visit(value: Any, spec: ArgumentSpec) -> ArgumentSpec:
        match spec:
            case TensorSpec(dtype):
                _, shape, strides = memory_of(value)
                steps = tuple(s // dtype.itemsize for s in strides)
                plain = is_row_major(shape, steps)
                return spec if plain else TensorSpec(dtype, shape, steps)
            case SequenceSpec(elements):
                return replace(spec, elements=tuple(visit(v, s) for v, s in zip(value, elements, strict=True)))
            case DictSpec(keys, inner):
                return DictSpec(keys, tuple(visit(value[k], s) for k, s in zip(keys, inner, strict=True)))
            case _:
                return spec

    return tuple(visit(v, s) for v, s in zip(values, specs, strict=True))


def flat_values(values: Sequence[Any], specs: Sequence[ArgumentSpec]) -> list[Any]:
    """The values of the parameters of a compiled function. CompileError for a string that has no UTF-8."""
    try:
        return [leaf for v, s in zip(values, specs, strict=True) for leaf in leaves(v, s)]
    except UnicodeEncodeError as error:
        raise call_error(f"a string cannot be an argument: {error}") from None


def bind(program: Program, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """One value per parameter of the program, in order, as Python binds a call."""
    schema = program.schema
    name, arguments = schema.base, schema.arguments
    if len(args) > len(arguments):
        raise call_error(f"{name}() takes {_counted(len(arguments))} but {len(args)} were given")
    values = dict(zip((a.name for a in arguments), args, strict=False))
    for keyword, value in kwargs.items():
        if keyword in values:
            raise call_error(f"{name}() got two values for argument `{keyword}`")
        if keyword not in {a.name for a in arguments}:
            raise call_error(f"{name}() has no argument `{keyword}`", f"it takes {', '.join(a.name for a in arguments) or 'none'}")
        values[keyword] = value
    missing = [a.name for a in arguments if a.name not in values and not a.has_default]
    if missing:
        raise call_error(f"{name}() is missing a value for {', '.join(f'`{m}`' for m in missing)}")
    return [values[a.name] if a.name in values else _default(a.default) for a in arguments]


def _default(value: Any) -> Any:
    """A default as a value: archives have tensors among them."""
    return value.array if isinstance(value, Constant) else value


def _counted(arguments: int) -> str:
    return "1 argument" if arguments == 1 else f"{arguments} arguments"


def call_error(message: str, help: str | None = None) -> CompileError:
    return CallError(Diagnostic(message, help=help))


def adapted(parameters: Sequence[Argument], values: Sequence[Any]) -> list[Any]:
    return [v if _is_left_out(v, a) else adapt(v, a.type, a.name) for v, a in zip(values, parameters, strict=True)]


def _is_left_out(value: Any, parameter: Argument) -> bool:
    """A tensor whose default is None: it may stay out where nobody uses it."""
    return value is None and parameter.has_default and parameter.default is None and isinstance(parameter.type, TensorType)


_NUMPY_SCALAR: Final[Any] = np.generic
_BOOLS: Final[Any] = (int, np.bool_)
_INTEGERS: Final[Any] = (int, np.integer, np.bool_)
_REALS: Final[Any] = (int, float, np.floating, np.integer, np.bool_)
_COMPLEX: Final[Any] = (int, float, complex, np.number, np.bool_)
_INT64: Final = range(-(2**63), 2**63)


def dtype_of(value: Any) -> DType | None:
    """A dtype: ours, PyTorch's or numpy's; None for what is none."""
    if isinstance(value, DType):
        return value
    if isinstance(value, np.dtype):
        return from_numpy(cast("np.dtype[Any]", value))
    text = str(value) if value.__class__.__name__ == "dtype" else ""
    return DType.__members__.get(text.removeprefix("torch.")) if text.startswith("torch.") else None


def adapt(value: Any, type: ScriptType, name: str, what: str = "argument") -> Any:
    """The value as its declared type takes it: an int for a float parameter, a list for a tuple (language, 4.5)."""
    match type:
        case OptionalType():
            return None if value is None else adapt(value, type.element, name, what)
        case TensorType() if is_tensor(value):
            return value
        case TensorType() if isinstance(value, _NUMPY_SCALAR):
            return np.asarray(value)  # what numpy makes of an array without dimensions
        case FloatType() if isinstance(value, _REALS):
            return float(value)
        case ComplexType() if isinstance(value, _COMPLEX):
            return ComplexParts((complex(value).real, complex(value).imag))
        case ComplexType() if isinstance(value, ComplexParts):
            return value
        case BoolType() if isinstance(value, _BOOLS):
            return bool(value)
        case IntType() if isinstance(value, _INTEGERS):
            if int(value) not in _INT64:
                raise call_error(f"{what} `{name}`: {value} does not fit into 64 bits")
            return int(value)
        case IntType() if (named := dtype_of(value)) is not None:
            return int(named)
        case NumberType() if isinstance(value, int | float):
            return value
        case IntType() | FloatType() | BoolType() | ComplexType() if is_tensor(value) and _has_one_element(name, value):
            number: Any = value.item() if hasattr(value, "item") else np.from_dlpack(value).item()
            if isinstance(type, IntType) and isinstance(number, float) and math.isfinite(number):
                number = int(number)  # PyTorch takes the whole part of a float in a tensor, though it takes no float
            return adapt(number, type, name, what)
        case ListType() if isinstance(value, list | tuple | range) or _is_list_of_numbers(value, type):
            elements = cast(Sequence[Any], value)
            if isinstance(value, list) and _are_exactly(elements, type.element):
                return elements
            return [adapt(v, type.element, f"{name}[{i}]", what) for i, v in enumerate(elements)]
        case DictType() if isinstance(value, dict) and _are_exactly([value], type):
            return cast(Any, value)
        case DictType() if isinstance(value, Mapping):
            table = cast(Mapping[Any, Any], value)
            keys = [adapt(k, type.key, f"{name} (a key)", what) for k in table]
            keys = [complex(*k) if isinstance(k, ComplexParts) else k for k in keys]  # constants of the compiled code
            return {k: adapt(v, type.value, f"{name}[{k!r}]", what) for k, v in zip(keys, table.values(), strict=True)}
        case TupleType() if isinstance(value, list | tuple) and len(cast(Sequence[Any], value)) == len(type.elements):
            pairs = zip(cast(Sequence[Any], value), type.elements, strict=True)
            return tuple(adapt(v, t, f"{name}[{i}]", what) for i, (v, t) in enumerate(pairs))
        case StrType() if isinstance(value, str):
            return str(value)
        case StrType() if isinstance(value, bytes):
            return value.decode("utf-8", "surrogateescape")
        case DeviceType() if isinstance(value, str) or all(hasattr(cast(Any, value), a) for a in ("type", "index")):
            return str(cast(Any, value))
        case DeviceType():
            raise call_error(f"{what} `{name}` must be a device, but {described(value)} was given", 'a device is a text: "cpu"')
        case EnumType():
            return _enum_member(value, type, name, what)
        case GeneratorType():
            state = generators.words(value)
            if state is None:
                raise call_error(f"{what} `{name}` must be a torch.Generator, but {described(value)} was given")
            return state
        case ClassType() if not type.is_module:
            return objects.adapted(value, type, name, what, adapt)
        case UnionType():
            return objects.adapted_member(value, type, name, what, adapt)
        case TensorType() | FloatType() | ComplexType() | BoolType() | IntType() | StrType() | ListType() | TupleType() | DictType():
            raise call_error(f"{what} `{name}` must be {type.annotation}, but {described(value)} was given")
        case AnyListType() | AnyTupleType() if not isinstance(value, list if isinstance(type, AnyListType) else tuple):
            raise call_error(f"{what} `{name}` must be a {type.annotation}, but {described(value)} was given")
        case _:
            return _of_any(value)


def _of_any(value: Any) -> Any:
    """A value for a parameter of any type: complex numbers are their two parts, also in lists, tuples and dicts."""
    match value:
        case complex():
            return ComplexParts((value.real, value.imag))
        case ComplexParts():
            return value
        case list():
            return [_of_any(v) for v in cast("list[Any]", value)]
        case tuple() if type(cast(Any, value)) is tuple:
            return tuple(_of_any(v) for v in cast("tuple[Any, ...]", value))
        case dict():
            return {k: _of_any(v) for k, v in cast("dict[Any, Any]", value).items()}
        case _:
            return value


_CLASSES: Final[Mapping[ScriptType, frozenset[type]]] = {
    INT: frozenset({int}),
    FLOAT: frozenset({float}),
    BOOL: frozenset({bool}),
    STR: frozenset({str}),
}


def _are_exactly(values: Collection[Any], t: ScriptType) -> bool:
    """Whether all of them are as the type takes them, so that none has to be looked at on its own."""
    match t:
        case ListType():
            return _CLASS_LIST.issuperset(map(type, values)) and _are_exactly(list(chain.from_iterable(values)), t.element)
        case TupleType():
            return (
                _CLASS_TUPLE.issuperset(map(type, values))
                and {len(t.elements)}.issuperset(map(len, values))
                and all(_are_exactly(list(map(itemgetter(i), values)), e) for i, e in enumerate(t.elements))
            )
        case DictType():
            if not _CLASS_DICT.issuperset(map(type, values)):
                return False
            inner = chain.from_iterable(v.values() for v in values)
            return _are_exactly(list(chain.from_iterable(values)), t.key) and _are_exactly(list(inner), t.value)
        case OptionalType():
            return _are_exactly([v for v in values if v is not None], t.element)
        case _:
            classes = _CLASSES.get(t)
            if classes is None or not classes.issuperset(map(type, values)):
                return False
            return t != INT or not values or (min(values) in _INT64 and max(values) in _INT64)


_CLASS_LIST: Final = frozenset({list})
_CLASS_TUPLE: Final = frozenset({tuple})
_CLASS_DICT: Final = frozenset({dict})


def _has_one_element(name: str, tensor: Any) -> bool:
    return all(extent == 1 for extent in dtype_and_shape(name, tensor)[1])


def _is_list_of_numbers(value: Any, t: ListType) -> bool:
    """Whether it is an array of numpy of as many dimensions as the list has."""
    if not isinstance(value, np.ndarray):
        return False
    element: ScriptType = t
    for _ in range(value.ndim):
        element = element.element if isinstance(element, ListType) else t
    return value.ndim > 0 and isinstance(element, IntType | FloatType | BoolType)


def _enum_member(value: Any, type: EnumType, name: str, what: str) -> EnumMember:
    """A member of the compiled Enum for itself, or for a member of a Python one of the same name and value."""
    if isinstance(value, EnumMember) and value.type is type:
        return value
    member = getattr(value, "name", None)
    if isinstance(value, Enum) and isinstance(member, str) and type.members.get(member) == value.value:
        return EnumMember(type, member)
    members = ", ".join(type.members)
    raise call_error(f"{what} `{name}` must be a member of the enum {type.annotation}: {members}")


def described(value: Any) -> str:
    if value is None:
        return "None"
    return "a Tensor" if is_tensor(value) else f"a value of type {value.__class__.__name__}"


def is_tensor(value: Any) -> bool:
    """numpy arrays, and everything that speaks DLPack (torch, cupy, jax ...)."""
    return isinstance(value, np.ndarray) or (hasattr(value, "__dlpack__") and not isinstance(value, _NUMPY_SCALAR))


def array_of(value: Any) -> npt.NDArray[Any]:
    """A copy of a numpy array, torch tensor or anything with `__dlpack__`, in row-major order."""
    if not isinstance(value, np.ndarray) and hasattr(value, "untyped_storage"):
        return numpy_copy(value.detach().cpu().contiguous())
    given = cast(Any, value if isinstance(value, np.ndarray | np.generic) else np.from_dlpack(value))
    array: npt.NDArray[Any] = np.array(given, order="C")
    if from_numpy(array.dtype) is None:
        raise call_error(f"a tensor of dtype {array.dtype} is not supported")
    return array


def spec_of(value: Any, type: ScriptType | None = None) -> ArgumentSpec:
    """What a call with this value is specialised for at first.

    With the parameter's type: a list of numbers or strings is given at run time, whatever its length.
    """
    if is_tensor(value):
        try:
            return TensorSpec(*dtype_and_shape("", value))
        except TypeError:
            raise call_error(f"a tensor of dtype {getattr(value, 'dtype', '?')} cannot be an argument") from None
    match value:
        case ComplexParts():
            return SequenceSpec((ScalarSpec(FLOAT), ScalarSpec(FLOAT)), True, is_complex=True)
        case bool() | str() | None | EnumMember():
            return ConstantSpec(value)
        case ScriptObject():
            return objects.spec(value, at_run_time=type is not None)
        case int():
            return ScalarSpec(INT)
        case float():
            return ScalarSpec(FLOAT)
        case list() | tuple() | dict():
            at_run_time = None if type is None else columns_spec(value, type)
            return at_run_time or _structured_spec(value, type)
        case _:
            raise call_error(f"a value of type {value.__class__.__name__} cannot be an argument")


def _structured_spec(value: Any, type: ScriptType | None) -> ArgumentSpec:
    type = type.element if isinstance(type, OptionalType) else type
    if isinstance(value, dict):
        table = cast(dict[Any, Any], value)
        inner = type.value if isinstance(type, DictType) else None
        return DictSpec(tuple(table), tuple(spec_of(v, inner) for v in table.values()))
    elements = cast(Sequence[Any], value)
    types = type.elements if isinstance(type, TupleType) else [type.element if isinstance(type, ListType) else None] * len(elements)
    return SequenceSpec(tuple(map(spec_of, elements, types)), isinstance(value, tuple))


def columns_spec(value: Any, type: ScriptType) -> ColumnsSpec | None:
    """For a value that is given as vectors, whatever its length; None for one with tensors, see `choice.py`."""
    type = type.element if isinstance(type, OptionalType) else type
    if not isinstance(type, ListType | DictType):
        return None
    if type not in _COLUMNS:
        found = None if holds_tensors(type) else form(type, ())
        _COLUMNS[type] = None if found is None else ColumnsSpec(found)
    return _COLUMNS[type]


_COLUMNS: Final[dict[ScriptType, ColumnsSpec | None]] = {}


def holds_tensors(t: ScriptType) -> bool:
    match t:
        case TensorType():
            return True
        case ListType() | OptionalType():
            return holds_tensors(t.element)
        case TupleType():
            return any(map(holds_tensors, t.elements))
        case DictType():
            return holds_tensors(t.key) or holds_tensors(t.value)
        case ClassType():
            return objects.holds_tensors(t)
        case UnionType():
            return any(map(holds_tensors, t.members))
        case AnyType():
            return True
        case _:
            return False


def form(t: ScriptType, values: Sequence[Any]) -> ScriptType | None:
    """The type with which these values, which are declared as `t`, are given as vectors; None where that is not possible.

    Tensors in it must all be of one dtype and rank.
    """
    match t:
        case IntType() | FloatType() | ComplexType() | BoolType() | StrType() | EnumType():
            return t
        case ClassType():
            return objects.form(t, values)
        case UnionType() | AnyType():
            return objects.form_of_union(t, values)
        case TensorType():
            found = {(d, len(shape)) for d, shape in (dtype_and_shape("", v) for v in values)}
            one = len(found) == 1 and len({isinstance(v, np.ndarray) for v in values}) == 1
            return TensorType(*next((d, (None,) * rank) for d, rank in found)) if one else None
        case ListType():
            inner = form(t.element, [e for v in values for e in v])
            return None if inner is None else ListType(inner)
        case OptionalType():
            inner = form(t.element, [v for v in values if v is not None])
            return None if inner is None else OptionalType(inner)
        case DictType(IntType() | FloatType() | ComplexType() | BoolType() | StrType()):
            inner = form(t.value, [e for v in values for e in v.values()])
            return None if inner is None else DictType(t.key, inner)
        case TupleType():
            parts = [form(e, [v[i] for v in values]) for i, e in enumerate(t.elements)]
            return None if None in parts or not parts else TupleType(cast("tuple[ScriptType, ...]", tuple(parts)))
        case _:
            return None


def _other_tensors(t: ScriptType, values: Sequence[Any]) -> TensorType | None:
    """The type of tensors in `t` that one of these values has others for."""
    match t:
        case TensorType(dtype):
            fits = all((d, len(shape)) == (dtype, t.rank) for d, shape in (dtype_and_shape("", v) for v in values))
            return None if fits else t
        case ListType():
            return _other_tensors(t.element, [e for v in values for e in v])
        case OptionalType():
            return _other_tensors(t.element, [v for v in values if v is not None])
        case DictType():
            return _other_tensors(t.value, [e for v in values for e in v.values()])
        case TupleType():
            found = (_other_tensors(e, [v[i] for v in values]) for i, e in enumerate(t.elements))
            return next((f for f in found if f is not None), None)
        case _:
            return None


def check_fits(value: Any, spec: ArgumentSpec, name: str) -> None:
    """CompileError unless the structure and the constants are those that were compiled; native code checks the rest."""
    match spec:
        case ConstantSpec(fixed):
            if is_tensor(value) or value != fixed:
                shown = "a Tensor" if is_tensor(value) else repr(value)
                raise call_error(f"argument `{name}` was fixed to {fixed!r} when this was compiled, but {shown} was given")
        case SequenceSpec(elements):
            if not isinstance(value, list | tuple) or len(cast(Sequence[Any], value)) != len(elements):
                raise call_error(f"argument `{name}` must have {len(elements)} elements, as when this was compiled")
            for i, (v, s) in enumerate(zip(cast(Sequence[Any], value), elements, strict=True)):
                check_fits(v, s, f"{name}[{i}]")
        case DictSpec(keys, inner):
            if not isinstance(value, dict) or tuple(cast(dict[Any, Any], value)) != keys:
                raise call_error(f"argument `{name}` must have the keys {list(keys)}, as when this was compiled")
            for k, s in zip(keys, inner, strict=True):
                check_fits(cast(dict[Any, Any], value)[k], s, f"{name}[{k!r}]")
        case TensorSpec():
            if not is_tensor(value):
                raise call_error(f"argument `{name}` must be a Tensor, as when this was compiled")
        case ScalarSpec():
            if value is None:
                raise call_error(f"argument `{name}` must be {spec.type}, as when this was compiled")
        case ColumnsSpec(type):
            if value is None:
                raise call_error(f"argument `{name}` must be {type.annotation}, as when this was compiled")
            wanted = _other_tensors(type, [value])
            if wanted is not None:
                assert wanted.dtype is not None
                kind = f"tensors of {wanted.dtype.name} and {wanted.rank} dimensions"
                raise call_error(f"argument `{name}` must hold {kind}, as when this was compiled")
        case InstanceSpec(of, inner):
            if not isinstance(value, ScriptObject):
                raise call_error(f"argument `{name}` must be an object of class {of.name}, as when this was compiled")
            for n, s in zip(of.attributes, inner, strict=True):
                check_fits(value.attributes[n], s, f"{name}.{n}")
        case SameSpec() | PartSpec() | ObjectSpec():
            pass  # of state

