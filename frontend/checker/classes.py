"""Module instances to class types and script objects.

In: `ModuleInstance`s of the module evaluator. Out: for each a `ClassType` (shared by instances whose attributes have
the same types and whose constants have the same values) and a `ScriptObject` with the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from ...ir.attributes import Constant
from ...ir.diagnostics import CompileError
from ...ir.dtypes import DType
from ...ir.script_types import (
    BOOL,
    COMPLEX,
    DEVICE,
    FLOAT,
    INT,
    NONE,
    STR,
    TENSOR,
    ClassType,
    DictType,
    EnumType,
    InterfaceType,
    ListType,
    MethodType,
    NamedTupleType,
    ScriptObject,
    ScriptType,
    TupleType,
    constant_type,
)
from ...ir.script_types import EnumMember as TypedMember
from ...ir.source import Span
from ...ir.subtyping import is_subtype
from ..ast import ClassDef, FunctionDef, Literal_, Name, Param
from ..values import (
    MISSING,
    BuiltinRef,
    ClassValue,
    Device,
    EnumMember,
    FunctionValue,
    HostTensor,
    ModuleInstance,
    ObjectValue,
    Scope,
)
from .annotations import Annotations
from .script_classes import methods
from .state import ClassInfo

_CONSTANT_LEAVES = (bool, int, float, complex, str, DType, Device)


class NoType(Exception):
    """A Python value that TorchScript has no type for; the text says why."""


@dataclass(eq=False)
class Classes:
    """All class types of one compilation."""

    annotations: Annotations
    _by_key: dict[tuple[Any, ...], ClassType] = field(default_factory=dict[tuple[Any, ...], ClassType])
    _by_instance: dict[int, ClassType] = field(default_factory=dict[int, ClassType])
    _infos: dict[ClassType, ClassInfo] = field(default_factory=dict[ClassType, ClassInfo])
    _named_tuples: dict[ClassValue, NamedTupleType] = field(default_factory=dict[ClassValue, NamedTupleType])
    _names: set[str] = field(default_factory=set[str])
    _script_classes: dict[ClassValue, ClassType] = field(default_factory=dict[ClassValue, ClassType])
    _enums: dict[ClassValue, EnumType] = field(default_factory=dict[ClassValue, EnumType])
    _interfaces: dict[ClassValue, InterfaceType] = field(default_factory=dict[ClassValue, InterfaceType])
    _met: dict[tuple[ClassType, InterfaceType], bool] = field(default_factory=dict[tuple[ClassType, InterfaceType], bool])
    met: list[tuple[ClassType, InterfaceType]] = field(default_factory=list[tuple[ClassType, InterfaceType]])
    """Classes that stand for an interface somewhere, so that its methods may be called: to be compiled."""
    _tensors: dict[int, Constant] = field(default_factory=dict[int, Constant])
    _defaults: dict[int, tuple[Param, HostTensor, Constant]] = field(default_factory=dict[int, tuple[Param, HostTensor, Constant]])
    _objects: dict[int, ScriptObject] = field(default_factory=dict[int, ScriptObject])

    def info(self, type_: ClassType) -> ClassInfo:
        return self._infos[type_]

    # types

    def of_instance(self, instance: ModuleInstance) -> ClassType:
        if id(instance) not in self._by_instance:
            self._by_instance[id(instance)] = self._shared(instance)
        return self._by_instance[id(instance)]

    def _shared(self, instance: ModuleInstance) -> ClassType:
        """The type of an instance: that of an equal one before it, or a new one."""
        attributes: dict[str, ScriptType] = {}
        constants: dict[str, Any] = {}
        unusable: dict[str, str] = {}
        functions: list[tuple[str, int]] = []
        cls = instance.cls
        declared = self._declared(cls, unusable)
        for name, value in instance.declared.items():
            span = cls.definition.name_span if cls.definition is not None else None
            assert span is not None
            declared[name] = self.annotations.read(Name(span, "_type"), Scope("", {"_type": value}))
        self._check_annotations(instance, unusable)
        finals = self._finals(cls)
        for name, tensor in (*instance.parameters.items(), *instance.buffers.items()):
            attributes[name] = declared.get(name) or (NONE if tensor is None else TENSOR)
        for name, value in instance.attributes.items():
            if isinstance(value, FunctionValue | BuiltinRef):
                functions.append((name, id(value) if isinstance(value, FunctionValue) else hash(value.name)))
            elif name in unusable:
                continue
            elif name in finals:
                constants[name] = constant_value(value, name, cls)
            else:
                try:
                    attributes[name] = declared[name] if name in declared else self.infer(value)
                except NoType as reason:
                    unusable[name] = str(reason)
        for name, module in instance.modules.items():
            attributes[name] = NONE if module is None else self.of_instance(module)
            wanted = declared.get(name)
            if isinstance(wanted, InterfaceType):
                if not is_subtype(attributes[name], wanted):
                    raise _no_such_interface(cls, name, attributes[name], wanted)
                attributes[name] = wanted
        key = (cls, tuple(attributes.items()), repr(sorted(constants.items())), tuple(functions), tuple(unusable))
        key = (*key, tuple(map(id, instance.pre_hooks)), tuple(map(id, instance.hooks)))
        if key not in self._by_key:
            type_ = ClassType(
                self._unique_name(cls.qualified),
                is_module=True,
                attributes=attributes,
                constants=constants,
                parameters=set(instance.parameters),
                buffers=set(instance.buffers),
            )
            self._by_key[key] = type_
            self._infos[type_] = ClassInfo(type_, instance, unusable)
        return self._by_key[key]

    def _unique_name(self, qualified: str) -> str:
        name = f"__torch__.{qualified}"
        count = 0
        module, _, word = qualified.rpartition(".")
        while name in self._names:
            name = ".".join(p for p in ("__torch__", module, f"___torch_mangle_{count}", word) if p)
            count += 1
        self._names.add(name)
        return name

    def _declared(self, cls: ClassValue, unusable: dict[str, str]) -> dict[str, ScriptType]:
        """Types of annotations in the class body; `Final` ones are constants instead."""
        found: dict[str, ScriptType] = {}
        for name, (annotation, scope) in cls.all_annotations.items():
            if self.annotations.is_final(annotation, scope) is None:
                try:
                    found[name] = self.annotations.read(annotation, scope)
                except CompileError as error:
                    if not cls.qualified.startswith("torch.nn."):
                        unusable[name] = error.diagnostics[0].message
        return found

    def _check_annotations(self, instance: ModuleInstance, unusable: Mapping[str, str]) -> None:
        """PyTorch resolves the annotation of every attribute that there is: to no module class, and of no string."""
        own = next((c for c in instance.cls.mro if c.annotations), None)
        if own is None or own.qualified.startswith("torch.nn.") or not isinstance(own.definition, ClassDef):
            return
        for name in (*instance.parameters, *instance.buffers, *instance.attributes, *instance.modules):
            if name not in own.annotations or self.annotations.is_final(own.annotations[name], own.scope) is not None:
                continue
            annotation = own.annotations[name]
            if isinstance(annotation, Literal_) and isinstance(annotation.value, str):
                what = "is a string, which is not read here"
            elif name in unusable:
                what = unusable[name]
            elif self.annotations.names_module(annotation, own.scope):
                what = "names a class of modules"
            else:
                continue
            message = f"the annotation of the attribute `{name}` is no type that PyTorch knows: {what}"
            raise CompileError.at(annotation.span, message, help="leave it out: the value tells the type")

    def _finals(self, cls: ClassValue) -> set[str]:
        annotated = {n for n, (a, s) in cls.all_annotations.items() if self.annotations.is_final(a, s) is not None}
        return annotated | set(cls.constants)

    def infer(self, value: Any) -> ScriptType:
        """The type of an attribute's value."""
        match value:
            case None:
                return NONE
            case bool():
                return BOOL
            case DType():
                return INT
            case int():
                return INT
            case float():
                return FLOAT
            case complex():
                return COMPLEX
            case str():
                return STR
            case HostTensor():
                return TENSOR
            case Device():
                return DEVICE
            case tuple():
                return TupleType(tuple(self.infer(v) for v in cast(tuple[Any, ...], value)))
            case list():
                return ListType(self._common([self.infer(v) for v in cast(list[Any], value)], "list"))
            case dict():
                table = cast(dict[Any, Any], value)
                keys = self._common([self.infer(k) for k in table], "dict")
                return DictType(keys, self._common([self.infer(v) for v in table.values()], "dict"))
            case ModuleInstance():
                return self.of_instance(value)
            case ObjectValue() if value.cls.kind == "named_tuple":  # PyTorch does not see its names, unless they are annotated
                return TupleType(tuple(self.infer(v) for v in value.attributes.values()))
            case EnumMember():
                return self.enum(value.cls)
            case ObjectValue() if value.cls.kind == "plain" and value.cls.definition is not None:
                return self.annotations.class_type(value.cls, value.cls.definition.name_span)
            case _:
                raise NoType(f"a Python value of type `{type(value).__name__}`")

    def _common(self, types: list[ScriptType], what: str) -> ScriptType:
        if not types:
            raise NoType(f"an empty {what}, whose type cannot be inferred: try adding a type annotation")
        if any(t != types[0] for t in types):
            raise NoType(f"a {what} with elements of different types")
        return types[0]

    def of_class(self, cls: ClassValue, span: Span) -> ScriptType:
        """The type that the name of a class means in an annotation."""
        match cls.kind:
            case "named_tuple":
                return self.named_tuple(cls)
            case "module":
                found = [t for t, i in self._infos.items() if i.cls is cls]
                if len(found) == 1:
                    return found[0]
                raise CompileError.at(span, f"the module class `{cls.name}` cannot be used as a type here")
            case "enum":
                return self.enum(cls)
            case "interface":
                return self.interface(cls)
            case "plain" if cls.definition is not None:
                return self.script_class(cls)
            case _:
                raise CompileError.at(span, f"the class `{cls.name}` is not a type of TorchScript")

    def script_class(self, cls: ClassValue) -> ClassType:
        """The type of a plain class; its `__init__` tells its attributes when it is compiled."""
        if cls not in self._script_classes:
            definition = cls.definition
            assert definition is not None
            if cls.bases:
                raise CompileError.at(
                    definition.bases[0].span,
                    f"the class `{cls.name}` cannot be compiled: TorchScript does not support inheritance yet",
                    help="put an object of the other class into an attribute",
                )
            if not methods(cls) and not cls.annotations:
                raise CompileError.at(definition.name_span, f"the class `{cls.name}` has no methods to compile")
            type_ = ClassType(self._unique_name(cls.qualified))
            self._script_classes[cls] = type_
            self._infos[type_] = ClassInfo(type_, ModuleInstance(cls), {})
        return self._script_classes[cls]

    def named_tuple(self, cls: ClassValue) -> NamedTupleType:
        if cls not in self._named_tuples:
            fields = {n: self.annotations.read(a, s) for n, (a, s) in cls.all_annotations.items()}
            if not fields and not isinstance(cls.definition, ClassDef):
                names = cls.members.get("_fields", ())
                fields = dict.fromkeys(cast(tuple[str, ...], tuple(names)), cast(ScriptType, TENSOR))
            is_own = not cls.qualified.startswith("torch.")
            defaults = tuple(cls.members[n] for n in fields if n in cls.members and is_own)
            self._named_tuples[cls] = NamedTupleType(
                tuple(fields.values()), f"__torch__.{cls.qualified}", tuple(fields), defaults
            )
        return self._named_tuples[cls]

    def qualified(self, cls: ClassValue) -> str:
        """The name of a class in graphs."""
        return f"__torch__.{cls.qualified}"

    def enum(self, cls: ClassValue) -> EnumType:
        if cls not in self._enums:
            values = {n: m.value for n, m in cls.members.items() if isinstance(m, EnumMember) and m.name == n}
            members = {n: int(v) if isinstance(v, DType) else v for n, v in values.items()}  # a dtype is an int here
            if not any(members and all(type(v) is kind for v in members.values()) for kind in (int, float, str)):
                span = cls.definition.name_span if cls.definition is not None else None
                raise CompileError.at(
                    span, f"the values of the enum `{cls.name}` must be all int, all float or all str"
                )
            value = constant_type(next(iter(members.values())))
            self._enums[cls] = EnumType(self.qualified(cls), value, members)
        return self._enums[cls]

    def enum_member(self, member: EnumMember) -> TypedMember:
        return TypedMember(self.enum(member.cls), member.name)

    def interface(self, cls: ClassValue) -> InterfaceType:
        if cls not in self._interfaces:
            methods: dict[str, MethodType] = {}
            is_module = self.is_module_interface(cls)
            type_ = InterfaceType(self.qualified(cls), is_module, methods, lambda c: self._meets(c, type_))
            self._interfaces[cls] = type_
            for name, member in cls.members.items():
                if isinstance(member, FunctionValue):
                    methods[name] = self._method_type(member)
        return self._interfaces[cls]

    def is_module_interface(self, cls: ClassValue) -> bool:
        return any(c.qualified == "torch.nn.modules.module.Module" for c in cls.mro)

    def _method_type(self, function: FunctionValue, inferred: ScriptType | None = None) -> MethodType:
        """By its annotations; without one a parameter is a Tensor, and the result is `inferred`, which an interface has not."""
        definition = function.definition
        assert isinstance(definition, FunctionDef)
        parameters = tuple(
            (p.name, TENSOR if p.annotation is None else self.annotations.read(p.annotation, function.scope))
            for p in definition.params[1:]
        )
        if definition.returns is None and inferred is not None:
            return MethodType(parameters, inferred)
        if definition.returns is None:
            raise CompileError.at(
                definition.name_span,
                f"the method `{definition.name}` of an interface needs a return annotation",
                help="write `-> Tensor`, or `-> None` if it returns nothing",
            )
        result = self.annotations.read(definition.returns, function.scope)
        return MethodType(parameters, result)

    def _meets(self, type_: ClassType, interface: InterfaceType) -> bool:
        """Whether a class has the methods of an interface: the same names, parameters and results."""
        key = (type_, interface)
        if key not in self._met:
            self._met[key] = True  # for methods that mention the class or the interface themselves
            self._met[key] = all(self._has(type_, name, wanted) for name, wanted in interface.methods.items())
            if self._met[key]:
                self.met.append(key)
        return self._met[key]

    def _has(self, type_: ClassType, name: str, wanted: MethodType) -> bool:
        info = self._infos.get(type_)
        function = MISSING if info is None else info.cls.find(name)
        if not isinstance(function, FunctionValue) or not isinstance(function.definition, FunctionDef):
            return False
        found = self._method_type(function, wanted.result)  # what is inferred is compared when the method is compiled
        if [n for n, _ in found.parameters] != [n for n, _ in wanted.parameters]:
            return False
        pairs = zip(found.parameters, wanted.parameters, strict=True)
        return all(is_subtype(w, f) for (_, f), (_, w) in pairs) and is_subtype(found.result, wanted.result)

    # objects

    def object(self, instance: ModuleInstance, prefix: str = "") -> ScriptObject:
        """The instance as a compile-time value; tensors are named by their path (`conv1.weight`), shared ones once."""
        if id(instance) in self._objects:
            return self._objects[id(instance)]
        result = ScriptObject(self.of_instance(instance))
        result.without_gradient.update(n for n, p in instance.parameters.items() if p is not None and not p.requires_grad)
        self._objects[id(instance)] = result
        tables: list[Mapping[str, Any]] = [instance.parameters, instance.buffers, instance.attributes]
        for table in tables:
            for name, value in table.items():
                if name in result.type.attributes:
                    result.attributes[name] = self._stored(value, prefix + name)
        for name, module in instance.modules.items():
            result.attributes[name] = None if module is None else self.object(module, f"{prefix}{name}.")
        return result

    def _stored(self, value: Any, path: str) -> Any:
        match value:
            case HostTensor():
                return self._tensor(value, path)
            case ModuleInstance():
                return self.object(value, f"{path}.")
            case DType():
                return int(value)
            case Device():
                return value.name
            case EnumMember():
                return self.enum_member(value)
            case ObjectValue() if value.cls.kind == "plain":
                return self._script_object(value, path)
            case ObjectValue():
                return tuple(self._stored(v, f"{path}.{n}") for n, v in value.attributes.items())
            case list():
                return [self._stored(v, f"{path}.{i}") for i, v in enumerate(cast(list[Any], value))]
            case tuple():
                return tuple(self._stored(v, f"{path}.{i}") for i, v in enumerate(cast(tuple[Any, ...], value)))
            case dict():
                return {
                    self._stored(k, path): self._stored(v, f"{path}.{k}")
                    for k, v in cast(dict[Any, Any], value).items()
                }
            case _:
                return value

    def _script_object(self, value: ObjectValue, path: str) -> ScriptObject:
        if id(value) not in self._objects:
            result = self._objects[id(value)] = ScriptObject(self.script_class(value.cls))
            for name in result.type.attributes:
                if name in value.attributes:
                    result.attributes[name] = self._stored(value.attributes[name], f"{path}.{name}")
        return self._objects[id(value)]

    def default_tensor(self, param: Param, value: HostTensor, name: str) -> Constant:
        """A tensor that is the default of a parameter: one for all calls, as in PyTorch."""
        if id(param) not in self._defaults:
            self._defaults[id(param)] = param, value, self._tensor(value, name)
        return self._defaults[id(param)][2]

    def _tensor(self, value: HostTensor, path: str) -> Constant:
        if id(value) not in self._tensors:
            array = value.array if value.array.flags.c_contiguous else np.array(value.array, order="C")
            self._tensors[id(value)] = Constant(path, array)
        return self._tensors[id(value)]


def _no_such_interface(cls: ClassValue, name: str, found: ScriptType, wanted: InterfaceType) -> CompileError:
    """For a submodule that lacks what the annotation of its attribute says."""
    assert cls.definition is not None
    return CompileError.at(
        cls.definition.name_span,
        f"attribute `{name}` is an object of `{found.annotation}`, which is not compatible with interface `{wanted.annotation}`",
        help="it needs the methods of the interface, with the same names and types of arguments, and of results",
    )


def constant_value(value: Any, name: str, cls: ClassValue) -> Any:
    """The value of a constant attribute: a number, string, None, or (nested) tuple of them; lists become tuples."""
    if isinstance(value, DType):
        return int(value)
    if value is None or isinstance(value, _CONSTANT_LEAVES):
        return value
    if isinstance(value, ObjectValue) and value.cls.kind == "named_tuple":
        value = tuple(value.attributes.values())
    if isinstance(value, list | tuple):
        return tuple(constant_value(v, name, cls) for v in cast(list[Any], value))
    kind = "Tensor" if isinstance(value, HostTensor) else type(value).__name__
    span = cls.definition.name_span if cls.definition is not None else None
    raise CompileError.at(
        span,
        f"'{kind}' object in attribute '{cls.name}.{name}' is not a valid constant",
        help="constants are numbers, strings, None, and tuples of them",
    )


def fits(value: Any, type_: ScriptType) -> bool:
    """Whether a constant is of this type."""
    if isinstance(value, list | tuple):
        return False
    return is_subtype(constant_type(value), type_)
