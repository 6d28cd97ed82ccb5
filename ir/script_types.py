"""TorchScript's types: what the AST and the `torch` stage are typed with.

`str(t)` is the spelling of graph text (`int[]`, `Tensor?`); `t.annotation` is the Python one (`List[int]`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .dtypes import DType
from .types import Type


class ScriptType(Type):
    @property
    def annotation(self) -> str:
        return str(self)


@dataclass(frozen=True)
class TensorType(ScriptType):
    """A tensor. Each facet is None where it is not known.

    `shape` None: unknown rank; an extent None: known only at run time. After specialisation dtype and rank are known.
    `in_memory`: not a value, but memory that is written in place and that others may look at too.
    """

    dtype: DType | None = None
    shape: tuple[int | None, ...] | None = None
    in_memory: bool = False

    def __str__(self) -> str:
        if self.dtype is None:
            return "Tensor"
        if self.shape is None:
            return f"{self.dtype.graph_name}(device=cpu)"
        dims = "".join(f"{'*' if e is None else e}, " for e in self.shape)
        mark = "requires_grad=0, " if self.in_memory else ""
        return f"{self.dtype.graph_name}({dims}{mark}device=cpu)"

    @property
    def annotation(self) -> str:
        return "Tensor"

    @property
    def rank(self) -> int:
        """Number of dimensions; only for a type of known rank."""
        assert self.shape is not None
        return len(self.shape)


@dataclass(frozen=True)
class _Named(ScriptType):
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class IntType(_Named):
    name: str = "int"


@dataclass(frozen=True)
class FloatType(_Named):
    name: str = "float"


@dataclass(frozen=True)
class BoolType(_Named):
    name: str = "bool"


@dataclass(frozen=True)
class ComplexType(_Named):
    name: str = "complex"


@dataclass(frozen=True)
class StrType(_Named):
    name: str = "str"


@dataclass(frozen=True)
class NoneType(_Named):
    name: str = "NoneType"


@dataclass(frozen=True)
class NumberType(_Named):
    """Scalar: an int, float, bool or complex whose kind is known only at run time (`x.item()`)."""

    name: str = "Scalar"

    @property
    def annotation(self) -> str:
        return "number"


@dataclass(frozen=True)
class DeviceType(_Named):
    name: str = "Device"


@dataclass(frozen=True)
class AnyType(_Named):
    name: str = "Any"


@dataclass(frozen=True)
class AnyListType(AnyType):
    """The annotation `list`: a list of any type."""

    name: str = "list"


@dataclass(frozen=True)
class AnyTupleType(AnyType):
    """The annotation `tuple`: a tuple of any type."""

    name: str = "tuple"


@dataclass(frozen=True)
class GeneratorType(_Named):
    name: str = "Generator"


@dataclass(frozen=True)
class PoisonType(_Named):
    """Type of an expression that already has an error: everything is allowed on it, so one fault is reported once."""

    name: str = "<error>"


@dataclass(frozen=True)
class TypeVariable(_Named):
    """`t` of a schema: stands for the type that an argument brings."""


@dataclass(frozen=True)
class OpaqueType(_Named):
    """A type word of a schema that no value here ever has (`Storage`, `AnyEnumType`): it matches only itself."""


@dataclass(frozen=True)
class FutureType(ScriptType):
    element: ScriptType

    def __str__(self) -> str:
        return f"Future({self.element})"

    @property
    def annotation(self) -> str:
        return f"Future[{self.element.annotation}]"


@dataclass(frozen=True)
class OptionalType(ScriptType):
    element: ScriptType

    def __str__(self) -> str:
        return f"{self.element}?"

    @property
    def annotation(self) -> str:
        return f"Optional[{self.element.annotation}]"


@dataclass(frozen=True)
class ListType(ScriptType):
    element: ScriptType

    def __str__(self) -> str:
        return f"{self.element}[]"

    @property
    def annotation(self) -> str:
        return f"List[{self.element.annotation}]"


@dataclass(frozen=True)
class TupleType(ScriptType):
    elements: tuple[ScriptType, ...]

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.elements))})"

    @property
    def annotation(self) -> str:
        return f"Tuple[{', '.join(e.annotation for e in self.elements) or '()'}]"


@dataclass(frozen=True)
class NamedTupleType(TupleType):
    """A tuple with field names; a subtype of the plain tuple of the same element types."""

    name: str = ""
    fields: tuple[str, ...] = ()
    defaults: tuple[Any, ...] = field(default=(), compare=False)
    """Of the last fields; they belong to the class, a type is the same without."""

    def __str__(self) -> str:
        return f"NamedTuple({', '.join(f'{f} : {e}' for f, e in zip(self.fields, self.elements, strict=True))})"

    @property
    def annotation(self) -> str:
        return self.name


@dataclass(frozen=True)
class DictType(ScriptType):
    key: ScriptType
    value: ScriptType

    def __str__(self) -> str:
        return f"Dict({self.key}, {self.value})"

    @property
    def annotation(self) -> str:
        return f"Dict[{self.key.annotation}, {self.value.annotation}]"


@dataclass(frozen=True)
class UnionType(ScriptType):
    members: tuple[ScriptType, ...]

    def __str__(self) -> str:
        return f"Union({', '.join(map(str, self.members))})"

    @property
    def annotation(self) -> str:
        return f"Union[{', '.join(m.annotation for m in self.members)}]"


@dataclass(frozen=True)
class FunctionRefType(ScriptType):
    """A function as a compile-time value: never stored, only called."""

    name: str

    def __str__(self) -> str:
        return "Function"


@dataclass(frozen=True, eq=False)
class ClassType(ScriptType):
    """A module, script class, interface ...: nominal, compared by identity; attributes in declaration order.

    The frontend fills `attributes` before it compiles the methods. `constants` are attributes whose values are part of
    the type (`__constants__`, `Final`). `methods` maps a method's name to the symbol of its compiled function.
    """

    name: str
    is_module: bool = False
    attributes: dict[str, ScriptType] = field(default_factory=dict[str, ScriptType])
    constants: dict[str, Any] = field(default_factory=dict[str, Any])
    methods: dict[str, str] = field(default_factory=dict[str, str])
    parameters: set[str] = field(default_factory=set[str])
    buffers: set[str] = field(default_factory=set[str])

    def __str__(self) -> str:
        return self.name

    @property
    def submodules(self) -> dict[str, ScriptType]:
        """The attributes that are modules, in order."""
        return {n: t for n, t in self.attributes.items() if isinstance(t, ClassType | InterfaceType) and t.is_module}


@dataclass(frozen=True)
class InstanceType(ScriptType):
    """An object of a script class that is made at run time.

    `group`: for the class, and for all whose objects may lead from one of it back to one of it, the types of what their
    attributes hold, in the order of the class's attributes; the classes by name. Where one of these classes stands in them, its
    objects are of the very types that the group says.
    """

    of: ClassType
    group: tuple[tuple[ClassType, tuple[ScriptType, ...]], ...]

    def __str__(self) -> str:
        return self.of.name

    @property
    def classes(self) -> tuple[ClassType, ...]:
        return tuple(c for c, _ in self.group)

    @property
    def attributes(self) -> tuple[ScriptType, ...]:
        """As the group has them."""
        return next(attributes for c, attributes in self.group if c is self.of)

    def attribute(self, name: str) -> ScriptType:
        return self.told(self.attributes[self.index(name)])

    def told(self, t: ScriptType) -> ScriptType:
        """A type that stands in the group, as it is outside."""
        return _told(t, {c: InstanceType(c, self.group) for c in self.classes})

    def index(self, name: str) -> int:
        return list(self.of.attributes).index(name)


def _told(t: ScriptType, types: Mapping[ClassType, InstanceType]) -> ScriptType:
    """The type with these in place of their classes, not looking into other objects."""
    match t:
        case ClassType() if t in types:
            return types[t]
        case ListType():
            return ListType(_told(t.element, types))
        case OptionalType():
            return OptionalType(_told(t.element, types))
        case DictType():
            return DictType(t.key, _told(t.value, types))
        case TupleType():
            return TupleType(tuple(_told(e, types) for e in t.elements))
        case UnionType():
            return UnionType(tuple(_told(m, types) for m in t.members))
        case _:
            return t


@dataclass(frozen=True, eq=False)
class EnumType(ScriptType):
    """An Enum class, compared by identity. `members`: values by name, in order, all of the type `value`."""

    name: str
    value: ScriptType
    members: Mapping[str, int | float | str]

    def __str__(self) -> str:
        return f"Enum<{self.name}>"

    @property
    def annotation(self) -> str:
        return self.name


@dataclass(frozen=True)
class EnumMember:
    """A member of an Enum as a value."""

    type: EnumType
    name: str

    @property
    def value(self) -> int | float | str:
        return self.type.members[self.name]

    def __str__(self) -> str:
        return f"{self.type.name}.{self.name}"

    def __repr__(self) -> str:
        return f"<{self}>"


@dataclass(frozen=True)
class MethodType:
    """Names and types of a method's parameters, without `self`, and the type of its result."""

    parameters: tuple[tuple[str, ScriptType], ...]
    result: ScriptType


@dataclass(frozen=True, eq=False)
class InterfaceType(ScriptType):
    """What classes have in common: methods. Compared by identity; `is_met_by` says whether a class has them all."""

    name: str
    is_module: bool
    methods: Mapping[str, MethodType]
    is_met_by: Callable[[ClassType], bool]

    def __str__(self) -> str:
        return self.name


TENSOR: Final = TensorType()
INT: Final = IntType()
FLOAT: Final = FloatType()
BOOL: Final = BoolType()
COMPLEX: Final = ComplexType()
STR: Final = StrType()
NONE: Final = NoneType()
NUMBER: Final = NumberType()
DEVICE: Final = DeviceType()
ANY: Final = AnyType()
ANY_LIST: Final = AnyListType()
ANY_TUPLE: Final = AnyTupleType()
GENERATOR: Final = GeneratorType()
POISON: Final = PoisonType()
NEVER: Final = OpaqueType("Never")
"""Of a value that there is none of: what an empty list holds, where nothing else is known of it."""


def constant_type(value: Any) -> ScriptType:
    """The type of a Python constant."""
    match value:
        case None:
            return NONE
        case bool():
            return BOOL
        case int():
            return INT
        case float():
            return FLOAT
        case complex():
            return COMPLEX
        case str():
            return STR
        case EnumMember():
            return value.type
        case _:
            raise AssertionError(f"no constant: {value!r}")


@dataclass(eq=False)
class ScriptObject:
    """An instance of a ClassType as a compile-time value: its attributes are Python values, tensors, objects."""

    type: ClassType
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])
    without_gradient: set[str] = field(default_factory=set[str])
    """Parameters that PyTorch is not to compute gradients for (`requires_grad=False`)."""

    def set_training(self, training: bool) -> bool:
        """Sets `training` of a module and of all below it, as `train()` and `eval()` do; whether that changed anything."""
        changed = False
        found: dict[int, ScriptObject] = {id(self): self}
        pending = [self]
        while pending:
            value = pending.pop()
            if "training" in value.attributes and value.attributes["training"] is not training:
                value.attributes["training"] = training
                changed = True
            below = [v for v in value.attributes.values() if isinstance(v, ScriptObject) and id(v) not in found]
            found.update((id(v), v) for v in below)
            pending += below
        return changed

    def named_tensors(self, prefix: str = "") -> Mapping[str, Any]:
        """Every parameter and buffer below this object by its dotted name (a `state_dict`)."""
        found: dict[str, Any] = {}
        for name in self.type.attributes:
            value = self.attributes.get(name)
            if isinstance(value, ScriptObject):
                found.update(value.named_tensors(f"{prefix}{name}."))
            elif value is not None and (name in self.type.parameters or name in self.type.buffers):
                found[f"{prefix}{name}"] = value
        return found
