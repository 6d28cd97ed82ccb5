"""Pickled values to compile-time values of a declared type: what `data.pkl` holds becomes ScriptObjects and Constants.

What is shared stays shared. An object whose class has `__setstate__` is made by running that method (`setstate.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from ...ir.attributes import Constant, ForeignTensor
from ...ir.diagnostics import CompileError
from ...ir.dtypes import from_numpy
from ...ir.quantized import PACKED
from ...ir.script_types import (
    ANY,
    BOOL,
    COMPLEX,
    FLOAT,
    INT,
    STR,
    AnyType,
    BoolType,
    ClassType,
    ComplexType,
    DeviceType,
    DictType,
    EnumMember,
    EnumType,
    FloatType,
    InterfaceType,
    IntType,
    ListType,
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
from ...ir.subtyping import is_subtype
from ..values import ClassValue, Device, FunctionValue
from .classes import ArchiveCompilation
from .packed import packed_parts
from .reader import ArchiveReader
from .unpickler import OtherTensor, PickledEnum, PickledObject, Tensor

MAX_DEPTH: Final = 100
"""Of objects and containers in each other."""

MAX_VALUES: Final = 10_000_000
"""Values in the attributes of all objects, shared ones counted as often as they stand there."""

SetState = Callable[[ScriptObject, FunctionValue, Any, "Importer", str], None]
"""Runs `__setstate__` of an object without attributes on its pickled state; the path names it in messages."""


class Importer:
    """Pickled values to compile-time values of a declared type. What is shared stays shared."""

    def __init__(
        self, reader: ArchiveReader, unit: ArchiveCompilation, member: str, names: set[str], set_state: SetState
    ) -> None:
        self.reader = reader
        self.unit = unit
        self.member = member
        self.names = names
        """Of tensors, each used once in a program."""
        self.set_state = set_state
        self.objects: dict[int, ScriptObject | None] = {}
        """By identity of the pickled object; None while its attributes are read."""
        self.tensors: dict[int, Constant | ForeignTensor] = {}
        self.containers: dict[tuple[int, ScriptType], tuple[Any, int]] = {}
        self.open: set[int] = set()
        self.kept: list[Any] = []
        self.count = 0
        self.depth = 0

    def object(self, value: PickledObject, path: str) -> ScriptObject:
        if value.qualified in PACKED:
            return self._packed(value, PACKED[value.qualified], path)
        if id(value) in self.objects:
            found = self.objects[id(value)]
            if found is None:
                raise self.reader.fault(f"has an object `{path}` that contains itself", self.member)
            return found
        type_, cls = self._class(value, path)
        self.objects[id(value)] = None
        result = ScriptObject(type_)
        before = self._deeper(path)
        function = cls.find("__setstate__")
        if isinstance(function, FunctionValue):
            if not value.is_built:
                raise self.reader.fault(f"has a `{cls.name}` without a state", self.member)
            self.set_state(result, function, value.state, self, path)
        else:
            self._attributes(result, cls, value.state, path)
        self.depth = before
        self.objects[id(value)] = result
        return result

    def _packed(self, value: PickledObject, type_: ClassType, path: str) -> ScriptObject:
        """Weights of a quantized layer: an object of a C++ class, see `packed.py`."""
        known = self.objects.get(id(value))
        if known is None:
            known = self.objects[id(value)] = ScriptObject(type_)
            parts = packed_parts(type_, value.state)
            if parts is None:
                raise self.reader.fault(f"has weights of a quantized layer in a form that is not known, at `{path}`", self.member)
            before = self._deeper(path)
            for name, declared in type_.attributes.items():
                known.attributes[name] = self.value(parts[name], declared, f"{path}{name}")
            self.depth = before
            self.kept.append(value)
        return known

    def _attributes(self, result: ScriptObject, cls: ClassValue, state: Any, path: str) -> None:
        if not isinstance(state, dict):
            why = "without a state" if state is None else "whose state is no dict, and that has no `__setstate__`"
            raise self.reader.fault(f"has a `{cls.name}` {why}", self.member)
        table = cast(dict[Any, Any], state)
        for name, declared in result.type.attributes.items():
            if name not in table:
                raise self.reader.fault(
                    f"lacks the attribute `{path}{name}`, which the class `{cls.name}` declares", self.member
                )
            result.attributes[name] = self.value(table[name], declared, f"{path}{name}")
            if name in result.type.parameters and isinstance(table[name], Tensor) and not table[name].requires_grad:
                result.without_gradient.add(name)

    def _deeper(self, path: str) -> int:
        """Enters one level; what `depth` was before."""
        before = self.depth
        self.depth += 1
        if self.depth > MAX_DEPTH:
            shown = path if len(path) < 60 else f"{path[:57]}..."
            raise self.reader.fault(f"has values nested deeper than {MAX_DEPTH} levels, at `{shown}`", self.member)
        return before

    def _class(self, value: PickledObject, path: str) -> tuple[ClassType, ClassValue]:
        cls = self.unit.code.find(value.qualified)
        if not isinstance(cls, ClassValue) or cls.kind not in ("module", "plain"):
            place = f"`{path.rstrip('.')}`" if path else "the module"
            raise self.reader.fault(
                f"makes {place} an object of `{value.qualified[:200]}`, which the code does not define", self.member
            )
        span = cls.definition.name_span if cls.definition is not None else None
        assert span is not None
        type_ = self.unit.classes.of_class(cls, span)
        assert isinstance(type_, ClassType)
        return type_, cls

    def tensor(self, value: Tensor, path: str) -> Constant | ForeignTensor:
        """The tensor under a name of its own: the path where it is met first."""
        if id(value) not in self.tensors:
            name, count = path, 0
            while name in self.names:
                name, count = f"{path}_{count}", count + 1
            self.names.add(name)
            self.tensors[id(value)] = named_tensor(value, name)
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
            case (ClassType() | InterfaceType()), PickledObject():
                result = self.object(value, f"{path}.")
                if not is_subtype(result.type, type_):
                    raise self._mismatch(value, type_, path)
                return result
            case EnumType(), PickledEnum():
                return self._enum_member(value, type_, path)
            case (ListType(), list()) | (TupleType(), tuple()) | (DictType(), dict()):
                return self._container(value, type_, path)
            case DeviceType(), Device(name=name):
                return name
            case UnionType(), _:
                return self._member(value, type_, path)
            case AnyType(), _:
                return self._anything(value, path)
            case _ if _is_scalar(value, type_):
                return value
            case _:
                raise self._mismatch(value, type_, path)

    def _anything(self, value: Any, path: str) -> Any:
        """A value that the class declares as Any: what it is, it shows itself."""
        match value:
            case None | bool() | int() | float() | complex() | str():
                return value
            case Tensor():
                return self.tensor(value, path)
            case PickledObject():
                return self.object(value, f"{path}.")
            case list():
                return self._container(value, ListType(ANY), path)
            case tuple():
                return self._container(value, TupleType((ANY,) * len(cast(tuple[Any, ...], value))), path)
            case dict():
                return self._container(value, DictType(_key_type(cast(dict[Any, Any], value)), ANY), path)
            case _:
                what = "an enum's member" if isinstance(value, PickledEnum) else type(value).__name__.lower()
                raise self.reader.fault(f"has `{what}` in `{path}`, of type Any, which is not supported", self.member)

    def _enum_member(self, value: PickledEnum, type_: EnumType, path: str) -> EnumMember:
        if value.qualified != type_.name:
            raise self._mismatch(value, type_, path)
        for name, number in type_.members.items():
            if type(number) is type(value.value) and number == value.value:
                return EnumMember(type_, name)
        shown = repr(value.value)
        raise self.reader.fault(
            f"gives `{path}` the value {shown[:60]}, which no member of the enum {type_.name} has", self.member
        )

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
        found = (
            f"an object of {value.qualified}"
            if isinstance(value, PickledObject | PickledEnum)
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


def _key_type(table: dict[Any, Any]) -> ScriptType:
    """The type of the keys of a dict whose type is not known."""
    kinds: set[type[Any]] = {type(k) for k in table}
    known: dict[type[Any], ScriptType] = {int: INT, float: FLOAT, bool: BOOL, complex: COMPLEX}
    return known.get(next(iter(kinds)), STR) if len(kinds) == 1 else STR


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
        case EnumType():
            return isinstance(value, PickledEnum) and value.qualified == type_.name
        case InterfaceType():
            return isinstance(value, PickledObject)
        case DeviceType():
            return isinstance(value, Device)
        case _:
            return _is_scalar(value, type_)


def named_tensor(value: Tensor, name: str) -> Constant | ForeignTensor:
    """A constant of the program; a tensor that no operator takes as it is."""
    if not isinstance(value, OtherTensor):
        if from_numpy(value.array.dtype) is not None:
            return Constant(name, value.array, value.strided)
        dtype = value.array.dtype.name
        return ForeignTensor(name, dtype, value.array.shape, "without arithmetic", {"values": value.array})
    parts = value.parts if value.what == "sparse" else {"int_repr": value.array, **value.parts}
    return ForeignTensor(name, value.dtype, value.shape, value.what, parts)
