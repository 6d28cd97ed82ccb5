"""What the names of an archive mean to the type checker: its classes as types, its functions, its old operators.

`ArchiveCompilation` is the `Compilation` of one archive. `ArchiveClasses` gives every class of the code one type, made
from its declarations when it is first met; nothing is inferred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ...ir.attributes import Constant, DeviceName
from ...ir.schema import Schema
from ...ir.script_types import ClassType, NamedTupleType, ScriptType
from ...ir.source import Span
from .. import ast
from ..checker.classes import Classes
from ..checker.state import ClassInfo
from ..compile import Compilation
from ..evaluator import Interpreter
from ..values import MISSING, ClassValue, Device, EnumMember, FunctionValue, ModuleInstance, Scope, Value
from .code import ArchiveScope, Code, names_of
from .hooks import CALL, call_with_hooks, hook_names
from .reader import ArchiveReader
from .upgraders import overload_upgrader, signature_upgrader


class ArchiveCompilation(Compilation):
    """A compilation whose global names mean what they mean in an archive."""

    defines_classes: ClassVar[bool] = False

    def __init__(self, reader: ArchiveReader, version: int) -> None:
        super().__init__(Interpreter())
        self.version = version
        self.code = Code(reader, (), lambda base: signature_upgrader(base, version))
        self.classes: Classes = ArchiveClasses(self.annotations)

    def attribute(self, value: Any, name: str, span: Span | None) -> Any:
        return self.code.attribute(value, name, span)

    def evaluate(self, node: ast.Expr, scope: Scope) -> Any:
        return self.code.evaluate(node)

    def upgrader(self, operator: str, scope: object) -> FunctionValue | None:
        is_current = isinstance(scope, ArchiveScope) and scope.is_current
        return None if is_current else overload_upgrader(operator, self.version)

    def functional(self, name: str) -> FunctionValue | None:
        del name
        return None

    # methods

    def method_names(self, type: ClassType) -> list[str]:
        cls = self.class_info(type).cls
        hidden = {CALL, *hook_names(cls)} if type.is_module else set[str]()  # a script class has its own `__call__`
        own = [n for n, m in cls.members.items() if isinstance(m, FunctionValue) and n not in hidden]
        return [*own, *(n for t, n in self.added if t is type)]

    def hook_names(self, type: ClassType) -> tuple[Sequence[str], Sequence[str]]:
        cls = self.class_info(type).cls
        return names_of(cls.find("__forward_pre_hooks__")), names_of(cls.find("__forward_hooks__"))

    def calling(self, type: ClassType, name: str) -> FunctionValue | None:
        """As the archive's class has it: `__call__` is what `call_with_hooks` made, and hooks are methods like others."""
        function = self.added.get((type, name)) or self.class_info(type).cls.find(name)
        return function if isinstance(function, FunctionValue) else None

    def compile_method(self, type: ClassType, name: str) -> Schema:
        if name == CALL and type.is_module:
            call_with_hooks(self.class_info(type).cls)
        return super().compile_method(type, name)


@dataclass(eq=False)
class ArchiveClasses(Classes):
    """Class types by name: in an archive every class has one type, given by its declarations."""

    _types: dict[str, ClassType] = field(default_factory=dict[str, ClassType])
    _unfinished: list[tuple[ClassValue, ClassType]] = field(default_factory=list[tuple[ClassValue, ClassType]])
    _is_working: bool = False

    def of_class(self, cls: ClassValue, span: Span) -> ScriptType:
        if cls.kind not in ("module", "plain"):
            return super().of_class(cls, span)
        if cls.qualified not in self._types:
            type_ = ClassType(cls.qualified, is_module=cls.kind == "module")
            self._types[cls.qualified] = type_
            self._infos[type_] = ClassInfo(type_, ModuleInstance(cls), {})
            self._unfinished.append((cls, type_))
            self._finish()
        return self._types[cls.qualified]

    def qualified(self, cls: ClassValue) -> str:
        return cls.qualified

    def is_module_interface(self, cls: ClassValue) -> bool:
        definition = cls.definition
        base = definition.bases[0] if definition is not None and definition.bases else None
        return isinstance(base, ast.Name) and base.id == "ModuleInterface"

    def named_tuple(self, cls: ClassValue) -> NamedTupleType:
        if cls not in self._named_tuples:
            fields = {n: self.annotations.read(a, cls.scope) for n, a in cls.annotations.items()}
            self._named_tuples[cls] = NamedTupleType(tuple(fields.values()), cls.qualified, tuple(fields))
        return self._named_tuples[cls]

    def _finish(self) -> None:
        """Declares the attributes of new classes, one after the other: reading them may meet further ones."""
        if self._is_working:
            return
        self._is_working = True
        try:
            while self._unfinished:
                cls, type_ = self._unfinished.pop()
                for name, annotation in cls.annotations.items():
                    if self.annotations.is_final(annotation, cls.scope) is not None:
                        type_.constants[name] = self._plain(cls.find(name))
                    else:
                        type_.attributes[name] = self.annotations.read(annotation, cls.scope)
                type_.parameters.update(names_of(cls.find("__parameters__")))
                type_.buffers.update(names_of(cls.find("__buffers__")))
        finally:
            self._is_working = False

    def _plain(self, value: Value) -> Value:
        """A constant of a class as its type keeps it."""
        match value:
            case Device():
                return DeviceName(value.name)
            case EnumMember():
                return self.enum_member(value)
            case Constant():
                return value
            case _:
                return None if value is MISSING else value
