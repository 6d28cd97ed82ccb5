"""What a frontend hands over: compiled functions, the entry among them, and the module instance it is bound to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from .attributes import Constant
from .core import Operation
from .diagnostics import CompileError
from .schema import Schema
from .script_types import ClassType, ScriptObject
from .source import Span


class Methods(Protocol):
    """What made a program, and can add methods to its module when they are asked for."""

    def method_names(self, type: ClassType) -> Sequence[str]:
        """Methods that objects of the class have in TorchScript, compiled or not, in the order of the source."""
        ...

    def compile_method(self, type: ClassType, name: str) -> Schema:
        """Its parameters, `self` first; `type.methods[name]` is its symbol then. CompileError where it is wrong."""
        ...

    def define(self, type: ClassType, text: str) -> Sequence[str]:
        """Adds the functions of a text to a module as methods; their names. CompileError for a wrong one: none is added."""
        ...

    def schema_of(self, symbol: str) -> Schema:
        """The parameters, with defaults, and the result of a function that is compiled; KeyError for another."""
        ...

    def hook_names(self, type: ClassType) -> tuple[Sequence[str], Sequence[str]]:
        """Methods that a call of the module runs before `forward`, and after it."""
        ...


@dataclass(frozen=True)
class Origin:
    """What a program was made from."""

    content: str
    """Hash of all of it, weights and compiler included: programs of one hash are equal when they are made."""
    attributes: Mapping[str, Any]
    """`attribute_marks` of the receiver at that time."""

    def holds(self, program: Program, changing: Collection[str] = ()) -> bool:
        """Whether the program is still what `content` says, attributes at the paths `changing` (and below) aside.

        It is not when an attribute was set or a tensor was replaced. Writing into a tensor's memory is not seen: who does
        that to a tensor which is no state sets the program's `origin` to None.
        """
        now = attribute_marks(program.receiver)
        if now == self.attributes:
            return True
        differing = [k for k in {*now, *self.attributes} if now.get(k, self) != self.attributes.get(k, self)]
        return all(any(k == p or k.startswith((f"{p}.", f"{p}[")) for p in changing) for k in differing)


def attribute_marks(receiver: ScriptObject | None) -> Mapping[str, Any]:
    """What every attribute of a module and of all below it holds, by path: numbers and texts, the identity of tensors."""
    found: dict[str, Any] = {}
    known: dict[int, tuple[str, Any]] = {}
    """What has been gone through, by identity, and its path."""

    def visit(path: str, value: Any) -> None:
        if isinstance(value, ScriptObject | list | tuple | dict):
            shared = cast("object", value)
            if id(shared) in known:
                found[path] = ("same", known[id(shared)][0])
                return
            known[id(shared)] = path, shared
        match value:
            case ScriptObject():
                found[path] = id(value.type)
                for name, attribute in value.attributes.items():
                    visit(f"{path}.{name}" if path else name, attribute)
            case Constant():
                found[path] = _Same(value.array)
            case list() | tuple():
                elements = cast("Sequence[Any]", value)
                found[path] = (type(elements), len(elements))
                for i, element in enumerate(elements):
                    visit(f"{path}[{i}]", element)
            case dict():
                table = cast("dict[Any, Any]", value)
                found[path] = tuple(map(repr, table))
                for key, element in table.items():
                    visit(f"{path}[{key!r}]", element)
            case _:
                found[path] = (type(value), repr(value))

    visit("", receiver)
    return found


class _Same:
    """Equal for one object only; keeps it, so that no other one gets its identity."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


@dataclass
class Program:
    """`module` holds a `torch.func` for the entry and for everything it reaches."""

    module: Operation
    entry: str
    """Symbol of the entry function."""
    schema: Schema
    """Its parameters, without `self`."""
    receiver: ScriptObject | None = None
    """`self` of a method: the module instance, its weights included."""
    methods: Methods | None = None
    """For methods that the entry does not reach, of the receiver and of what it holds."""
    origin: Origin | None = None
    """Where it comes from, if all of that is known."""


class StateNeeded(Exception):
    """The program writes to these attributes and tensors, which were constants in this attempt to compile it.

    Trying again with the attributes that hold them declared as state (`StateSpec`) helps.
    """

    def __init__(
        self, attributes: Iterable[tuple[ScriptObject, str]], tensors: Mapping[int, tuple[Constant, Span | None]]
    ) -> None:
        super().__init__()
        self.attributes = tuple(attributes)
        self.tensors = dict(tensors)
        """By identity of the array."""

    def error(self) -> CompileError:
        """For tensors that no module holds."""
        spans = [span for _, span in self.tensors.values()]
        return CompileError.at(
            spans[0] if spans else None,
            "a constant of the program is changed in place: what outlives a call must be an attribute of a module",
            help="clone() it first",
        )
