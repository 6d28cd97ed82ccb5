"""Arguments of a call: bound to parameters, adapted to their types, and described as specs.

In: what a user gives (arrays, numbers, lists, dicts, anything with `__dlpack__`) and the parameters of a function. Out: one
value per parameter as its type takes it, and the `ArgumentSpec` that a call with it is specialised for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Final, TypeVar, cast

import numpy as np
import numpy.typing as npt

from ..backend.cpu.call import dtype_and_shape, numpy_copy
from ..ir.attributes import Constant
from ..ir.diagnostics import CompileError, Diagnostic, NotStatic
from ..ir.dtypes import from_numpy
from ..ir.program import Program
from ..ir.schema import Argument
from ..ir.script_types import (
    FLOAT,
    INT,
    BoolType,
    DictType,
    EnumMember,
    EnumType,
    FloatType,
    IntType,
    ListType,
    NumberType,
    OptionalType,
    ScriptType,
    StrType,
    TensorType,
    TupleType,
)
from ..ir.signature import (
    ArgumentSpec,
    ConstantSpec,
    DictSpec,
    ObjectSpec,
    SameSpec,
    ScalarSpec,
    SequenceSpec,
    TensorSpec,
    leaves,
)

Specs = tuple[ArgumentSpec, ...]
T = TypeVar("T")


NUMBERS_FIXED: Final[tuple[tuple[ScriptType, ...], ...]] = ((), (INT,), (INT, FLOAT))
"""What is tried in turn: all numbers at run time; ints as constants, which are often sizes; all numbers as constants."""


def fitting(
    attempt: Callable[[Specs], T], specs: Sequence[ArgumentSpec], values: Sequence[Any], level: int = 0
) -> tuple[int, Specs, T]:
    """`attempt(specs)`, with numbers as constants where the program needs them at compile time.

    Gives the index into `NUMBERS_FIXED`, the specs that worked, and what `attempt` gave for them.
    """
    last = len(NUMBERS_FIXED) - 1
    for index in range(level, last + 1):
        chosen = tuple(constant_numbers(s, v, NUMBERS_FIXED[index]) for s, v in zip(specs, values, strict=True))
        try:
            return index, chosen, attempt(chosen)
        except NotStatic:
            if index == last or all(s == constant_numbers(s, v) for s, v in zip(chosen, values, strict=True)):
                raise
    raise AssertionError("the loop returns or raises")


def constant_numbers(spec: ArgumentSpec, value: Any, types: Sequence[ScriptType] = (INT, FLOAT)) -> ArgumentSpec:
    """The same spec with every run-time number of these types fixed to its value."""
    match spec:
        case ScalarSpec(type) if type in types and value is not None:
            return ConstantSpec(value)
        case SequenceSpec(elements, is_tuple) if value is not None:
            pairs = zip(elements, value, strict=True)
            return SequenceSpec(tuple(constant_numbers(s, v, types) for s, v in pairs), is_tuple)
        case DictSpec(keys, inner) if value is not None:
            pairs = zip(keys, inner, strict=True)
            return DictSpec(keys, tuple(constant_numbers(s, value[k], types) for k, s in pairs))
        case _:
            return spec


def flat_values(values: Sequence[Any], specs: Sequence[ArgumentSpec]) -> list[Any]:
    return [leaf for v, s in zip(values, specs, strict=True) for leaf in leaves(v, s)]


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
    return CompileError(Diagnostic(message, help=help))


def adapted(parameters: Sequence[Argument], values: Sequence[Any]) -> list[Any]:
    return [adapt(v, a.type, a.name) for v, a in zip(values, parameters, strict=True)]


_NUMPY_SCALAR: Final[Any] = np.generic
_BOOLS: Final[Any] = (int, np.bool_)
_INTEGERS: Final[Any] = (int, np.integer, np.bool_)
_REALS: Final[Any] = (int, float, np.floating, np.integer, np.bool_)
_INT64: Final = range(-(2**63), 2**63)


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
        case BoolType() if isinstance(value, _BOOLS):
            return bool(value)
        case IntType() if isinstance(value, _INTEGERS):
            if int(value) not in _INT64:
                raise call_error(f"{what} `{name}`: {value} does not fit into 64 bits")
            return int(value)
        case NumberType() if isinstance(value, int | float):
            return value
        case IntType() | FloatType() | BoolType() if is_tensor(value) and dtype_and_shape(name, value)[1] == ():
            return adapt(value.item() if hasattr(value, "item") else np.from_dlpack(value).item(), type, name, what)
        case ListType() if isinstance(value, list | tuple):
            elements = cast(Sequence[Any], value)
            return [adapt(v, type.element, f"{name}[{i}]", what) for i, v in enumerate(elements)]
        case DictType() if isinstance(value, Mapping):
            table = cast(Mapping[Any, Any], value)
            keys = [adapt(k, type.key, f"{name} (a key)", what) for k in table]
            return {k: adapt(v, type.value, f"{name}[{k!r}]", what) for k, v in zip(keys, table.values(), strict=True)}
        case TupleType() if isinstance(value, list | tuple) and len(cast(Sequence[Any], value)) == len(type.elements):
            pairs = zip(cast(Sequence[Any], value), type.elements, strict=True)
            return tuple(adapt(v, t, f"{name}[{i}]", what) for i, (v, t) in enumerate(pairs))
        case StrType() if isinstance(value, str):
            return value
        case EnumType():
            return _enum_member(value, type, name, what)
        case TensorType() | FloatType() | BoolType() | IntType() | StrType() | ListType() | TupleType() | DictType():
            raise call_error(f"{what} `{name}` must be {type.annotation}, but {_described(value)} was given")
        case _:
            return cast(Any, value)


def _enum_member(value: Any, type: EnumType, name: str, what: str) -> EnumMember:
    """A member of the compiled Enum for itself, or for a member of a Python one of the same name and value."""
    if isinstance(value, EnumMember) and value.type is type:
        return value
    member = getattr(value, "name", None)
    if isinstance(value, Enum) and isinstance(member, str) and type.members.get(member) == value.value:
        return EnumMember(type, member)
    members = ", ".join(type.members)
    raise call_error(f"{what} `{name}` must be a member of the enum {type.annotation}: {members}")


def _described(value: Any) -> str:
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


def spec_of(value: Any) -> ArgumentSpec:
    """What a call with this value is specialised for."""
    if is_tensor(value):
        try:
            return TensorSpec(*dtype_and_shape("", value))
        except TypeError:
            raise call_error(f"a tensor of dtype {getattr(value, 'dtype', '?')} cannot be an argument") from None
    match value:
        case bool() | str() | None | EnumMember():
            return ConstantSpec(value)
        case int():
            return ScalarSpec(INT)
        case float():
            return ScalarSpec(FLOAT)
        case list() | tuple():
            return SequenceSpec(tuple(map(spec_of, cast(Sequence[Any], value))), isinstance(value, tuple))
        case dict():
            table = cast(dict[Any, Any], value)
            return DictSpec(tuple(table), tuple(map(spec_of, table.values())))
        case _:
            raise call_error(f"a value of type {value.__class__.__name__} cannot be an argument")


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
        case SameSpec() | ObjectSpec():
            pass  # of state

