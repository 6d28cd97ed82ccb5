"""What every part of the compilation of one function shares: where code goes, the names in sight, and errors.

The function emitter is built in layers, one file each; a layer knows those below it: state, operators, conditions,
subscripts, attributes, calls, expressions, loops, statements. Methods that a lower layer needs of a higher one are
declared here.
"""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, cast

from ...ir.attributes import Attribute, Constant
from ...ir.builder import Builder
from ...ir.core import Block, Operation, OpResult, Region, Value
from ...ir.diagnostics import CompileError, Diagnostic, Diagnostics, Note
from ...ir.schema import Schema
from ...ir.script_types import (
    POISON,
    TENSOR,
    ClassType,
    EnumMember,
    ListType,
    NamedTupleType,
    OptionalType,
    PoisonType,
    ScriptType,
    TupleType,
    constant_type,
)
from ...ir.source import Span
from .. import ast
from ..values import ClassValue, DType, FunctionValue, HostTensor, ModuleInstance, Scope
from ..values import EnumMember as HostMember
from .annotations import Annotations
from .frames import Frame
from .meanings import Group, Host, Meaning, describe


class Fault(Exception):
    """An error in the program; ends the checking of the expression or statement in which it is found."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic.message)


@dataclass(frozen=True, eq=False)
class CompiledFunction:
    """A compiled function: its symbol, its parameters (with `self`) and the type it returns."""

    symbol: str
    schema: Schema
    result: ScriptType
    span: Span | None = None
    """Its name, where it is defined."""


@dataclass(eq=False)
class ClassInfo:
    """What a module's ClassType stands for: an instance, and the attributes that could not get a type, with reasons."""

    type: ClassType
    instance: ModuleInstance
    unusable: dict[str, str]

    @property
    def cls(self) -> ClassValue:
        return self.instance.cls

    def has(self, name: str) -> bool:
        """Whether objects of the class have an attribute or a method of that name."""
        instance = self.instance
        tables = (instance.parameters, instance.buffers, instance.attributes, instance.modules)
        return any(name in t for t in tables) or isinstance(self.cls.find(name), FunctionValue)

    def names(self) -> list[str]:
        """Everything behind a dot that a program may mean."""
        methods = [n for c in self.cls.mro for n, m in c.members.items() if isinstance(m, FunctionValue)]
        return [*self.type.attributes, *self.type.constants, *(m for m in methods if not m.startswith("__"))]


class Unit(Protocol):
    """A compilation, seen from one of its functions."""

    diagnostics: Diagnostics
    annotations: Annotations

    def function(self, function: FunctionValue, span: Span) -> CompiledFunction: ...

    def method(self, owner: ClassType, function: FunctionValue, span: Span) -> CompiledFunction: ...

    def class_info(self, type_: ClassType) -> ClassInfo: ...

    def named_tuple_schema(self, cls: ClassValue, type_: NamedTupleType) -> Schema:
        """The constructor of a NamedTuple as a function."""
        ...

    added: dict[tuple[ClassType, str], FunctionValue]
    """Methods that modules got after they were made."""

    def hook(self, owner: ClassType, function: FunctionValue, span: Span) -> CompiledFunction:
        """A hook of a module, whose first parameter is the module."""
        ...

    def declared(self, function: FunctionValue, owner: ClassType | None, span: Span) -> Schema:
        """The parameters of a function that is not compiled for that."""
        ...

    def sorting(self, type_: ClassType) -> FunctionValue:
        """The function that sorts a list of objects of the class."""
        ...

    def default_tensor(self, param: ast.Param, value: HostTensor, name: str) -> Constant:
        """A tensor that is the default of a parameter: one for all calls."""
        ...

    def enum_member(self, member: HostMember) -> EnumMember:
        """A member of an Enum class as a constant."""
        ...

    def attribute(self, value: Any, name: str, span: Span | None) -> Any:
        """`value.name` of a host value; MISSING where there is none."""
        ...

    def evaluate(self, node: ast.Expr, scope: Scope) -> Any:
        """The host value of a constant expression."""
        ...

    def upgrader(self, operator: str, scope: object) -> FunctionValue | None:
        """The function that an operator (by full name) stands for in the code of `scope`; None for itself."""
        ...

    def functional(self, name: str) -> FunctionValue | None:
        """A function of torch.nn.functional that is written in TorchScript."""
        ...

    def functional_names(self) -> Sequence[str]: ...


def short_name(class_type: ClassType) -> str:
    """The name of a class without the module it is in."""
    return class_type.name.rpartition(".")[2]


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


class FunctionState(ABC):
    def __init__(self, unit: Unit, scope: Scope, block: Block) -> None:
        self.unit = unit
        self.scope = scope
        self.entry = block
        self.b = Builder(block)
        self.frame = Frame(None)
        self.local_names: set[str] = set()
        """Names that the function assigns anywhere: without a value they are undefined, and never mean a global."""
        self.empty_lists: set[Value] = set()
        """Lists made by a bare `[]`, until they get a name: they may still become a list of anything."""
        self.own_class: ClassType | None = None
        self.own_module: ClassType | None = None
        """The script class whose method this is: inside it PyTorch does not know the defaults of its methods."""
        self.defines: Value | None = None
        """The object that an `__init__` gives its attributes."""
        self._pool: dict[tuple[ScriptType, str, Span | None], Value] = {}
        self._pool_end: Operation | None = None
        self.repeated = 0
        """How many expressions around this place are being evaluated a second time."""

    # what higher layers do

    @abstractmethod
    def meaning(self, node: ast.Expr, hint: ScriptType | None = None) -> Meaning:
        """What an expression means; an error in it is reported, and its meaning is poison then."""

    @abstractmethod
    def special(self, receiver: Value, name: str, arguments: Sequence[Value], span: Span) -> Value | None:
        """`receiver.__name__(...)` of an object of a script class; None where it has no such method."""

    # errors

    def fault(
        self, span: Span | None, message: str, *, label: str = "", help: str | None = None, notes: Sequence[Note] = ()
    ) -> Fault:
        """An error at this place, to be raised."""
        return Fault(Diagnostic(message, span, label, tuple(notes), help))

    def error(
        self, span: Span | None, message: str, *, label: str = "", help: str | None = None, notes: Sequence[Note] = ()
    ) -> None:
        self.unit.diagnostics.error(span, message, label=label, help=help, notes=notes)

    def report(self, fault: Fault | CompileError) -> None:
        items = (fault.diagnostic,) if isinstance(fault, Fault) else fault.diagnostics
        for item in items:
            if item not in self.unit.diagnostics.items:
                self.unit.diagnostics.items.append(item)

    def poison(self, span: Span | None = None) -> Value:
        return self.one("prim::Uninitialized", (), POISON, span=span)

    # code

    def emit(
        self,
        name: str,
        operands: Sequence[Value] = (),
        types: Sequence[ScriptType] = (),
        attributes: Mapping[str, Attribute] | None = None,
        regions: Sequence[Region] = (),
        *,
        span: Span | None,
    ) -> Operation:
        return self.b.insert(Operation(name, operands, types, attributes, regions, span or self.b.span))

    def one(
        self,
        name: str,
        operands: Sequence[Value],
        type_: ScriptType,
        attributes: Mapping[str, Attribute] | None = None,
        *,
        span: Span | None,
    ) -> Value:
        return self.emit(name, operands, (type_,), attributes, span=span).result

    @contextmanager
    def inside(self, block: Block, frame: Frame) -> Generator[None]:
        """Code goes to the end of `block`, names to `frame`."""
        saved = self.frame
        self.frame = frame
        try:
            with self.b.inside(block):
                yield
        finally:
            self.frame = saved

    def constant(self, value: Any, span: Span | None = None, type_: ScriptType | None = None) -> Value:
        """A constant. Constants stand at the top of the function, each once; lists are made where they are used."""
        if isinstance(value, list | tuple):
            return self._sequence(cast(Sequence[Any], value), span, type_)
        if isinstance(value, Constant):
            return self.one("prim::Constant", (), TENSOR, {"value": value}, span=span)
        kind = constant_type(value) if type_ is None or isinstance(type_, OptionalType) else type_
        if value is None and type_ is not None:
            kind = type_
        elif isinstance(type_, OptionalType) and isinstance(value, str):
            kind = type_.element
        # each naming of a member of an Enum gives PyTorch an object of its own, which `is` tells
        key = (kind, repr(value), (span or self.b.span) if isinstance(value, EnumMember) else None)
        if key not in self._pool:
            attributes: dict[str, Attribute] = {} if value is None else {"value": value}
            op = Operation("prim::Constant", (), (kind,), attributes, span=span or self.b.span)
            self.entry.insert_before(op, self._pool_end.next if self._pool_end is not None else self.entry.first)
            self._pool_end = op
            self._pool[key] = op.result
        return self._pool[key]

    def _sequence(self, value: Sequence[Any], span: Span | None, type_: ScriptType | None) -> Value:
        if isinstance(type_, OptionalType):
            type_ = type_.element
        element = type_.element if isinstance(type_, ListType) else None
        if isinstance(type_, TupleType) and len(type_.elements) == len(value):
            parts = [self.constant(v, span, t if _is_tuple(t) else None) for v, t in zip(value, type_.elements, strict=True)]
            whole = type_ if isinstance(type_, NamedTupleType) else TupleType(tuple(map(script_type, parts)))
            return self.one("prim::TupleConstruct", parts, whole, span=span)
        items = [self.constant(v, span, element) for v in value]
        if element is not None:
            return self.one("prim::ListConstruct", items, ListType(element), span=span)
        types = tuple(script_type(i) for i in items)
        return self.one("prim::TupleConstruct", items, TupleType(types), span=span)

    # values

    def as_value(self, meaning: Meaning, span: Span) -> Value:
        """The value that a meaning stands for; a fault if it is none."""
        match meaning:
            case Value():
                return meaning
            case Group():
                values = [self.as_value(e, span) for e in meaning.elements]
                types = tuple(script_type(v) for v in values)
                return self.one("prim::TupleConstruct", values, TupleType(types), span=span)
            case Host(value=bool() | int() | float() | complex() | str() | tuple()):
                kind = "dtype" if isinstance(meaning.value, DType) else type(meaning.value).__name__
                raise self.fault(
                    span,
                    f"the Python value of type `{kind}` cannot be used as a value",
                    label="a global variable",
                    help="pass it as a parameter, or make it an attribute of a module",
                )
            case _:
                raise self.fault(span, f"{describe(meaning)} cannot be used as a value")

    def value(self, node: ast.Expr, hint: ScriptType | None = None) -> Value:
        """The value of an expression; poison after an error."""
        meaning = self.meaning(node, hint)
        if isinstance(meaning, Value):
            return meaning
        try:
            result = self.as_value(meaning, node.span)
        except Fault as fault:
            self.report(fault)
            result = self.poison(node.span)
        node.type = script_type(result)
        return result

    def name_value(self, value: Value, name: str) -> None:
        """Gives a value the name of the variable that it is assigned to, if it has none."""
        op = value.defining_op()
        if isinstance(value, OpResult) and value.name is None and op is not None and op.name != "prim::Constant":
            if name != "_" and op.parent is self.b.block:
                value.name = name

    def did_you_mean(self, word: str, known: Sequence[str]) -> str | None:
        close = difflib.get_close_matches(word, [k for k in known if k != word], 1, 0.7)
        return f"did you mean `{close[0]}`?" if close else None


def _is_tuple(t: ScriptType) -> bool:
    return isinstance(t.element if isinstance(t, OptionalType) else t, TupleType)


def script_type(value: Value) -> ScriptType:
    """The TorchScript type of a value of this stage."""
    assert isinstance(value.type, ScriptType)
    return value.type


def is_poison(value: Value) -> bool:
    return isinstance(value.type, PoisonType)
