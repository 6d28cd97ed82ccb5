"""What an expression can mean while a function is compiled: an SSA value, or something of compile time only.

A `Meaning` is a `core.Value`, or one of the classes below (functions, classes, modules of Python, ranges, groups of nn
modules, exceptions). Only a `Value` can be stored, returned or passed; `describe` names the others in messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ...ir.core import Value
from ...ir.script_types import ClassType, MethodType
from ...ir.source import Span
from ..ast import FunctionDef
from ..values import BuiltinRef, ClassValue, Device, DType, FunctionValue, ModuleRef, TypeExpression


@dataclass(frozen=True, eq=False)
class Host:
    """A value of the module evaluator: a Python module, a builtin, a class, a type alias, a constant."""

    value: Any


@dataclass(frozen=True, eq=False)
class BuiltinOperator:
    """An operator by its base name, `aten::relu`; with `receiver` it is a method of that value."""

    name: str
    receiver: Value | None = None


@dataclass(frozen=True, eq=False)
class CastTo:
    """`x.float()` and the like."""

    receiver: Value
    dtype: int


@dataclass(frozen=True, eq=False)
class UserFunction:
    """A function in TorchScript, of the user or of the prelude. `receiver` is passed first (a tensor method)."""

    function: FunctionValue
    receiver: Value | None = None


@dataclass(frozen=True, eq=False)
class BoundMethod:
    """A method of an object of ClassType."""

    receiver: Value
    function: FunctionValue


@dataclass(frozen=True, eq=False)
class InterfaceMethod:
    """A method of an object of which only an interface is known."""

    receiver: Value
    name: str
    type: MethodType


class Awaitable:
    """A call that is still to be made, see `awaitables.py`."""


@dataclass(frozen=True, eq=False)
class Forked:
    """What archives give to `fork`: statements without parameters that see the names around them."""

    definition: FunctionDef


@dataclass(frozen=True, eq=False)
class Special:
    """A method or builtin with rules of its own; `name` selects the code, `receiver` its object."""

    name: str
    receiver: Value | None = None


@dataclass(frozen=True, eq=False)
class ModuleGroup:
    """Submodules of a container, or of a slice of one; `names` for the keys of a ModuleDict, `kind` what to yield."""

    names: tuple[str, ...]
    modules: tuple[Value, ...]
    kind: str = "values"
    """values, keys or items."""


@dataclass(frozen=True, eq=False)
class Group:
    """Several meanings, not all of them values: an element of `zip` over modules, a tuple display of functions."""

    elements: tuple[Meaning, ...]


@dataclass(frozen=True, eq=False)
class Range:
    """`range(...)`: start, stop, step; a start and step of None are 0 and 1."""

    start: Value | None
    stop: Value
    step: Value | None


@dataclass(frozen=True, eq=False)
class Enumerate:
    iterable: Meaning
    start: Value | None


@dataclass(frozen=True, eq=False)
class Zip:
    iterables: tuple[Meaning, ...]


@dataclass(frozen=True, eq=False)
class ExceptionObject:
    """`ValueError("text")`: the class's qualified name and the message."""

    name: str
    message: Value


Meaning = (
    Value
    | Host
    | BuiltinOperator
    | CastTo
    | UserFunction
    | BoundMethod
    | InterfaceMethod
    | Awaitable
    | Forked
    | Special
    | ModuleGroup
    | Group
    | Range
    | Enumerate
    | Zip
    | ExceptionObject
)


def is_first_class(meaning: Meaning) -> bool:
    """Whether PyTorch has a value of the graph for it. It has none for a module by its name, as in `self.layer`: only
    one that comes out of a list, a tuple or a condition is a value, and no such module can be called."""
    if not isinstance(meaning, Value):
        return False
    if not isinstance(meaning.type, ClassType) or not meaning.type.is_module:
        return True
    return meaning.defining_op() is not None and meaning.defining_op("prim::GetAttr") is None


class CallArguments(NamedTuple):
    """The arguments of a call as values, and where the positional ones stand."""

    positional: Sequence[Value]
    keywords: Mapping[str, Value]
    spans: Sequence[Span] = ()


def describe(meaning: Meaning) -> str:
    """Words for a meaning that is no value, to stand in `... cannot be used as a value`."""
    match meaning:
        case Value() if not is_first_class(meaning):
            return "a module"
        case Value():
            return f"a value of type {meaning.type}"
        case Host():
            return describe_host(meaning.value)
        case BuiltinOperator() | CastTo():
            return "a builtin function"
        case UserFunction():
            return f"the function `{meaning.function.name}`"
        case BoundMethod():
            return f"the method `{meaning.function.name}`"
        case InterfaceMethod():
            return f"the method `{meaning.name}`"
        case Forked():
            return f"the function `{meaning.definition.name}`"
        case Special():
            return f"`{meaning.name}`"
        case ModuleGroup() | Group():
            return "a group of modules"
        case Awaitable():
            return "an awaitable"
        case Range():
            return "a range"
        case Enumerate():
            return "an enumerate object"
        case Zip():
            return "a zip object"
        case ExceptionObject():
            return f"an exception `{meaning.name}`"


def describe_host(value: Any) -> str:
    match value:
        case ModuleRef():
            return f"the Python module `{value.name}`"
        case BuiltinRef():
            return f"`{value.name.removeprefix('builtins.')}`"
        case ClassValue():
            return f"the class `{value.name}`"
        case FunctionValue():
            return f"the function `{value.name}`"
        case TypeExpression():
            return "a type"
        case Device():
            return "a Python value of type `device`"
        case DType():
            return "a Python value of type `dtype`"
        case _:
            return f"a Python value of type `{type(value).__name__}`"
