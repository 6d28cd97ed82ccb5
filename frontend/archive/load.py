"""A `.pt` archive to a `Program`: its classes become ClassTypes, its objects ScriptObjects, its methods are compiled.

    program = load("model.pt")             # forward
    program = load(file, "encode")         # another method

Only the classes and functions that the method reaches are parsed and checked. Every failure is a CompileError.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Final, cast

from ...ir.attributes import Constant
from ...ir.diagnostics import CompileError
from ...ir.dtypes import from_numpy
from ...ir.program import Program
from ...ir.schema import Schema
from ...ir.script_types import (
    AnyType,
    BoolType,
    ClassType,
    ComplexType,
    DeviceType,
    DictType,
    FloatType,
    IntType,
    ListType,
    NamedTupleType,
    NoneType,
    NumberType,
    OptionalType,
    ScriptObject,
    ScriptType,
    StrType,
    TensorType,
    TupleType,
    UnionType,
)
from ...ir.source import Span
from .. import ast
from ..checker.classes import Classes
from ..checker.state import ClassInfo
from ..compile import Compilation
from ..evaluator import Interpreter
from ..values import MISSING, ClassValue, Device, FunctionValue, ModuleInstance, Scope, Value
from .code import ArchiveScope, Code, names_of
from .reader import ArchiveReader, Readable, open_archive
from .unpickler import EnumValue, PickledObject, Storages, Tensor, Unpickler
from .upgraders import VERSIONS, overload_upgrader, signature_upgrader

MAX_DEPTH: Final = 100
"""Of objects and containers in each other."""

MAX_VALUES: Final = 10_000_000
"""Values in the attributes of all objects, shared ones counted as often as they stand there."""

_ADVICE: Final = "save the model with torch.jit.save"


def load(source: str | os.PathLike[str] | Readable | bytes, method: str = "forward") -> Program:
    """The program of a method of the archive's module. `source` is a path, a binary file object, or its bytes."""
    reader = open_archive(source)
    for member in ("constants.pkl", "data.pkl"):
        if member not in reader:
            raise reader.fault("is missing: this is no TorchScript archive", member, _help_for(reader))
    loader = _Loader(reader, _version(reader))
    return loader.program(method)


def _help_for(reader: ArchiveReader) -> str:
    if "data.pkl" in reader:
        return "it is a file of torch.save, which holds no code; give it as weights, or save with torch.jit.save"
    return "this is a torch.export file; save with torch.jit.save" if "models/model.json" in reader else _ADVICE


def _version(reader: ArchiveReader) -> int:
    name = ".data/version" if ".data/version" in reader else "version"
    if reader.size(name) > 64:
        raise reader.fault("is no version", name)
    text = reader.text(name).strip()
    if not text.isascii() or not text.isdigit():
        raise reader.fault("is no version", name)
    if int(text) not in VERSIONS:
        raise reader.fault(f"says version {int(text)}; versions {VERSIONS[0]} to {VERSIONS[-1]} can be read", name)
    return int(text)


class _Loader:
    def __init__(self, reader: ArchiveReader, version: int) -> None:
        self.reader = reader
        self.version = version
        self.names: set[str] = set()
        """Of tensors, each used once."""
        self.unit = ArchiveCompilation(self)
        constants = Unpickler(reader, "constants.pkl", Storages(reader, "constants")).load()
        if not isinstance(constants, tuple):
            raise reader.fault("is no tuple", "constants.pkl")
        values = cast(tuple[Any, ...], constants)
        importer = _Importer(self, "constants.pkl")
        self.unit.code.constants = tuple(
            importer.tensor(v, f"CONSTANTS.c{i}") if isinstance(v, Tensor) else v for i, v in enumerate(values)
        )

    def program(self, method: str) -> Program:
        top = Unpickler(self.reader, "data.pkl", Storages(self.reader, "data")).load()
        if not isinstance(top, PickledObject):
            raise self.reader.fault("holds no module", "data.pkl", _ADVICE)
        importer = _Importer(self, "data.pkl")
        receiver = importer.object(top, "")
        cls = self.unit.class_info(receiver.type).cls
        function = cls.find(method)
        if not isinstance(function, FunctionValue):
            known = [n for n, m in cls.members.items() if isinstance(m, FunctionValue) and not n.startswith("__")]
            help = f"it has {', '.join(f'`{k}`' for k in known[:10])}" if known else None
            raise CompileError.at(
                None, f"the module `{cls.name}` of {self.reader.name} has no method `{method}`", help=help
            )
        if method == "forward":
            self._refuse_hooks(cls)
        compiled = self.unit.method(receiver.type, function, function.definition.span)
        self.unit.diagnostics.raise_if_any()
        schema = Schema("", method, "", compiled.schema.arguments[1:], compiled.schema.returns)
        return Program(self.unit.module, compiled.symbol, schema, receiver)

    def _refuse_hooks(self, cls: ClassValue) -> None:
        """Hooks of inner modules are calls in the code; those of the outermost one are run by Python."""
        hooks = [n for k in ("__forward_pre_hooks__", "__forward_hooks__") for n in names_of(cls.find(k))]
        if hooks:
            definition = cls.definition
            raise CompileError.at(
                definition.name_span if definition is not None else None,
                f"the outermost module has hooks ({', '.join(hooks[:5])}), which are not supported",
                help="wrap it in a module that calls it, or remove them before it is saved",
            )


# types


class ArchiveCompilation(Compilation):
    """A compilation whose global names mean what they mean in an archive."""

    def __init__(self, loader: _Loader) -> None:
        super().__init__(Interpreter())
        self.loader = loader
        version = loader.version
        self.code = Code(loader.reader, (), lambda base: signature_upgrader(base, version))
        self.classes: Classes = ArchiveClasses(self.annotations)
        self.archive_classes = self.classes

    def attribute(self, value: Any, name: str, span: Span | None) -> Any:
        return self.code.attribute(value, name, span)

    def evaluate(self, node: ast.Expr, scope: Scope) -> Any:
        return self.code.evaluate(node)

    def upgrader(self, operator: str, scope: object) -> FunctionValue | None:
        is_current = isinstance(scope, ArchiveScope) and scope.is_current
        return None if is_current else overload_upgrader(operator, self.loader.version)

    def functional(self, name: str) -> FunctionValue | None:
        del name
        return None


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
                        type_.constants[name] = _plain(cls.find(name))
                    else:
                        type_.attributes[name] = self.annotations.read(annotation, cls.scope)
                type_.parameters.update(names_of(cls.find("__parameters__")))
                type_.buffers.update(names_of(cls.find("__buffers__")))
        finally:
            self._is_working = False


def _plain(value: Value) -> Value:
    """A constant of a class as its type keeps it."""
    return value.name if isinstance(value, Device) else None if value is MISSING else value


# objects


class _Importer:
    """Pickled values to compile-time values of a declared type. What is shared stays shared."""

    def __init__(self, loader: _Loader, member: str) -> None:
        self.loader = loader
        self.reader = loader.reader
        self.member = member
        self.objects: dict[int, ScriptObject | None] = {}
        """By identity of the pickled object; None while its attributes are read."""
        self.tensors: dict[int, Constant] = {}
        self.containers: dict[tuple[int, ScriptType], tuple[Any, int]] = {}
        self.open: set[int] = set()
        self.kept: list[Any] = []
        self.count = 0
        self.depth = 0

    def object(self, value: PickledObject, path: str) -> ScriptObject:
        if id(value) in self.objects:
            found = self.objects[id(value)]
            if found is None:
                raise self.reader.fault(f"has an object `{path}` that contains itself", self.member)
            return found
        type_, cls = self._class(value, path)
        self.objects[id(value)] = None
        state = value.state
        if not isinstance(state, dict):
            if cls.find("__setstate__") is not MISSING or value.is_built:
                raise self.reader.fault(
                    f"has a `{cls.name}` that is restored by `__setstate__`, which is not supported", self.member
                )
            raise self.reader.fault(f"has a `{cls.name}` without a state", self.member)
        result = ScriptObject(type_)
        table = cast(dict[Any, Any], state)
        with_depth = self._deeper(path)
        for name, declared in type_.attributes.items():
            if name not in table:
                raise self.reader.fault(
                    f"lacks the attribute `{path}{name}`, which the class `{cls.name}` declares", self.member
                )
            result.attributes[name] = self.value(table[name], declared, f"{path}{name}")
        self.depth = with_depth
        self.objects[id(value)] = result
        return result

    def _deeper(self, path: str) -> int:
        """Enters one level; what `depth` was before."""
        before = self.depth
        self.depth += 1
        if self.depth > MAX_DEPTH:
            shown = path if len(path) < 60 else f"{path[:57]}..."
            raise self.reader.fault(f"has values nested deeper than {MAX_DEPTH} levels, at `{shown}`", self.member)
        return before

    def _class(self, value: PickledObject, path: str) -> tuple[ClassType, ClassValue]:
        cls = self.loader.unit.code.find(value.qualified)
        if not isinstance(cls, ClassValue) or cls.kind not in ("module", "plain"):
            place = f"`{path.rstrip('.')}`" if path else "the module"
            raise self.reader.fault(
                f"makes {place} an object of `{value.qualified[:200]}`, which the code does not define", self.member
            )
        span = cls.definition.name_span if cls.definition is not None else None
        assert span is not None
        type_ = self.loader.unit.classes.of_class(cls, span)
        assert isinstance(type_, ClassType)
        return type_, cls

    def tensor(self, value: Tensor, path: str) -> Constant:
        if id(value) not in self.tensors:
            if from_numpy(value.array.dtype) is None:
                raise self.reader.fault(f"holds `{path}` as {value.array.dtype}, which is not supported", self.member)
            name, count = path, 0
            while name in self.loader.names:
                name, count = f"{path}_{count}", count + 1
            self.loader.names.add(name)
            self.tensors[id(value)] = Constant(name, value.array)
            self.kept.append(value)
        return self.tensors[id(value)]

    def value(self, value: Any, type_: ScriptType, path: str) -> Any:
        """The value as one of its declared type."""
        self.count += 1
        if self.count > MAX_VALUES:
            raise self.reader.fault("holds too many values", self.member)
        if isinstance(type_, OptionalType):
            return None if value is None else self.value(value, type_.element, path)
        match type_, value:
            case TensorType(), Tensor():
                return self.tensor(value, path)
            case NoneType(), None:
                return None
            case ClassType(), PickledObject():
                result = self.object(value, f"{path}.")
                if result.type is not type_:
                    raise self._mismatch(value, type_, path)
                return result
            case (ListType(), list()) | (TupleType(), tuple()) | (DictType(), dict()):
                return self._container(value, type_, path)
            case DeviceType(), Device(name=name):
                return name
            case UnionType(), _:
                return self._member(value, type_, path)
            case AnyType(), _:
                raise self.reader.fault(f"has an attribute `{path}` of type Any, which is not supported", self.member)
            case _ if _is_scalar(value, type_):
                return value
            case _:
                raise self._mismatch(value, type_, path)

    def _member(self, value: Any, type_: UnionType, path: str) -> Any:
        for member in type_.members:
            if _looks_like(value, member):
                return self.value(value, member, path)
        raise self._mismatch(value, type_, path)

    def _container(self, value: Any, type_: ListType | TupleType | DictType, path: str) -> Any:
        key = (id(value), type_)
        if key in self.containers:
            found, size = self.containers[key]
            self.count += size
            if self.count > MAX_VALUES:
                raise self.reader.fault("holds too many values", self.member)
            return found
        if id(value) in self.open:
            raise self.reader.fault(f"has a value `{path}` that contains itself", self.member)
        self.open.add(id(value))
        before, start = self._deeper(path), self.count
        result = self._filled(value, type_, path)
        self.depth = before
        self.open.discard(id(value))
        self.containers[key] = (result, self.count - start)
        self.kept.append(value)
        return result

    def _filled(self, value: Any, type_: ListType | TupleType | DictType, path: str) -> Any:
        match type_:
            case ListType():
                return [self.value(v, type_.element, f"{path}.{i}") for i, v in enumerate(cast(list[Any], value))]
            case DictType():
                table = cast(dict[Any, Any], value)
                return {
                    self.value(k, type_.key, f"{path} (a key)"): self.value(v, type_.value, f"{path}.{k}")
                    for k, v in table.items()
                }
            case TupleType():
                if len(value) != len(type_.elements):
                    raise self._mismatch(value, type_, path)
                pairs = zip(cast(tuple[Any, ...], value), type_.elements, strict=True)
                return tuple(self.value(v, t, f"{path}.{i}") for i, (v, t) in enumerate(pairs))

    def _mismatch(self, value: Any, type_: ScriptType, path: str) -> CompileError:
        if isinstance(value, EnumValue):
            return self.reader.fault(f"has an enum in `{path}`: enums are not supported yet", self.member)
        found = (
            f"an object of {value.qualified}"
            if isinstance(value, PickledObject)
            else f"a value of type {type(value).__name__}"
        )
        return self.reader.fault(f"gives `{path}` {found}; its type is {type_.annotation}", self.member)


_SCALARS: Final[tuple[tuple[type[ScriptType], tuple[type, ...]], ...]] = (
    (BoolType, (bool,)),
    (IntType, (int,)),
    (FloatType, (float,)),
    (ComplexType, (complex,)),
    (StrType, (str,)),
    (NumberType, (int, float, complex, bool)),
)


def _is_scalar(value: Any, type_: ScriptType) -> bool:
    return any(isinstance(type_, t) and type(value) in kinds for t, kinds in _SCALARS)


def _looks_like(value: Any, type_: ScriptType) -> bool:
    """Which member of a Union a value is of, seen from outside."""
    match type_:
        case TensorType():
            return isinstance(value, Tensor)
        case NoneType():
            return value is None
        case ListType():
            return isinstance(value, list)
        case TupleType():
            return isinstance(value, tuple)
        case DictType():
            return isinstance(value, dict)
        case ClassType():
            return isinstance(value, PickledObject) and value.qualified == type_.name
        case _:
            return _is_scalar(value, type_)
